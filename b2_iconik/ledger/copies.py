"""Copies that an operation has requested, or follows, and the assets that wait for their end.

Many copies are requested at once, so the assets of a batch wait together. They are inspected again
when the last job of their batch has ended, successfully or not.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.operation import Operation
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.asset_rows import change_assets, of_others
from b2_iconik.ledger.tables import assets, copies, insert_new, operations
from b2_iconik.ledger.term import LeaderQueries


@dataclass(frozen=True)
class Copy:
    """A bulk copy that was requested, and is not known to have ended.

    Attributes:
        progress: how much of it is done, in percent, as last recorded; None if unknown.
    """

    job_id: str
    format_name: str
    requested_ms: int
    progress: int | None = None


class Copies(LeaderQueries):
    """The copies of one operation.

    Attributes:
        untold: by job, how many times iconik failed to say what went wrong in it.
    """

    def __init__(self, engine: sa.Engine, operation: Operation, term: int) -> None:
        super().__init__(engine, term)
        self._operation = operation
        self._number = operation.number
        self.untold: Counter[str] = Counter()

    def begin(self, claimed: Sequence[ClaimedAsset], jobs: Mapping[str, str], now_ms: int) -> None:
        """Record that copies of some assets are under way.

        Args:
            claimed: the assets. Their progress tells what was requested.
            jobs: the format's name, by the id of the job that copies it.
        """
        new = [Copy(job_id, name, now_ms) for job_id, name in jobs.items()]
        changes = {
            each.asset_id: {"progress": each.progress.as_json(), "seen": each.seen}
            for each in claimed
        }
        with self._writing() as connection:
            self._await(connection, self._add(connection, new), changes)

    def _add(self, connection: sa.Connection, new: Sequence[Copy]) -> int:
        """Record copies as a new batch. Those that are followed already stay in theirs."""
        last = sa.select(sa.func.max(copies.c.batch)).where(copies.c.number == self._number)
        batch = (connection.execute(last).scalar() or 0) + 1
        same = {"number": self._number, "batch": batch, "ended": False}
        if new:
            connection.execute(insert_new(connection, copies), [vars(each) | same for each in new])
        return batch

    def _await(
        self, connection: sa.Connection, batch: int, changes: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Have assets wait for a batch: by id, what else changes, by column."""
        waiting = {"state": "copying", "batch": batch}
        waits = {each: {**waiting, **more} for each, more in changes.items()}
        change_assets(connection, self._number, waits)
        self._settle(connection, batch)

    def under_way(self) -> list[Copy]:
        """The copies that are not known to have ended."""
        mine = sa.select(copies).where(copies.c.number == self._number, ~copies.c.ended)
        return [
            Copy(row.job_id, row.format_name, row.requested_ms, row.progress)
            for row in self._rows(mine)
        ]

    def note_progress(self, percent_by_id: Mapping[str, int]) -> None:
        """Record how much of some copies is done, by the id of the job."""
        one = sa.update(copies).where(
            copies.c.number == self._number, copies.c.job_id == sa.bindparam("this")
        )
        changes = [{"this": each, "progress": now} for each, now in percent_by_id.items()]
        with self._writing() as connection:
            connection.execute(one, changes)

    def known(self, job_ids: Collection[str]) -> set[str]:
        """The ids of the given jobs that are, or were, followed for this operation."""
        rows = self._rows(
            sa.select(copies.c.job_id).where(
                copies.c.number == self._number, copies.c.job_id.in_(job_ids)
            )
        )
        return {row.job_id for row in rows}

    def ended(self, copy: Copy, problems: Mapping[str, str], general: str) -> None:
        """Record that a copy ended. After the last of its batch, the assets are inspected again.

        Args:
            problems: by asset id, what iconik said went wrong.
            general: what went wrong for all of them; "" for nothing.
        """
        this = sa.and_(copies.c.number == self._number, copies.c.job_id == copy.job_id)
        with self._writing() as connection:
            connection.execute(sa.update(copies).where(this).values(ended=True))
            batch = connection.execute(sa.select(copies.c.batch).where(this)).scalar_one()
            waiting = sa.select(assets.c.asset_id, assets.c.progress).where(
                self._mine, assets.c.batch == batch
            )
            changes = {}
            for row in connection.execute(waiting).all():
                problem = problems.get(row.asset_id, general)
                progress = AssetProgress.from_json(row.progress)
                if problem and copy.format_name in progress.copy_results:
                    failed = progress.with_copy_results({copy.format_name: Reason.of(problem)})
                    changes[row.asset_id] = {"progress": failed.as_json()}
            change_assets(connection, self._number, changes)
            self._settle(connection, batch)

    def _settle(self, connection: sa.Connection, batch: int) -> None:
        """Have the assets of a batch inspected again, unless copies of it are under way."""
        under_way = sa.select(copies.c.job_id).where(
            copies.c.number == self._number, copies.c.batch == batch, ~copies.c.ended
        )
        if connection.execute(under_way.limit(1)).first() is None:
            connection.execute(
                sa.update(assets)
                .where(self._mine, assets.c.batch == batch)
                .values(state="recheck", not_before_ms=0, batch=None)
            )

    def take_over(self, connection: sa.Connection, rows: Sequence[Any]) -> set[str]:
        """Follow the copies of some assets that an operation left behind, or may have left behind.

        Otherwise, a copy that ends later would undo what this operation does. Once an asset has
        been inspected, it is too late for this.

        Returns:
            The ids of the assets for which ``rows`` is now out of date.
        """
        new = {row.asset_id: row.progress for row in rows if row.state == "queued"}
        if not new:
            return set()
        return self._take_over_doubts(connection, new) | self._take_over_copies(connection, new)

    def _take_over_doubts(
        self, connection: sa.Connection, progress_by_id: Mapping[str, Mapping[str, Any]]
    ) -> set[str]:
        """Record which assets iconik may or may not have been asked to copy.

        The operation that released them is no longer in doubt, unless the doubt may also concern
        formats that this operation does not cover.

        Args:
            progress_by_id: the progress of the assets, by id.

        Returns:
            The ids of the assets in doubt.
        """
        let_go = connection.execute(
            of_others(self._operation, progress_by_id, assets, operations.c.formats).where(
                assets.c.state == "done",
                # If it is known, the key is not in the text.
                sa.cast(assets.c.progress, sa.Text).contains('"unanswered_until_ms"'),
            )
        )
        until: dict[str, int] = {}
        mine = set(self._operation.formats)
        for row in let_go.all():
            theirs = AssetProgress.from_json(row.progress)
            if mine.issuperset(row.formats):
                certain = replace(theirs, unanswered_until_ms=None).as_json()
                change_assets(connection, row.number, {row.asset_id: {"progress": certain}})
            if mine.intersection(row.formats):
                until_ms = theirs.unanswered_until_ms or 0
                until[row.asset_id] = max(until.get(row.asset_id, 0), until_ms)
        changes = {}
        for asset_id, until_ms in until.items():
            progress = AssetProgress.from_json(progress_by_id[asset_id])
            doubtful = replace(progress, unanswered_until_ms=until_ms).as_json()
            changes[asset_id] = {"state": "recheck", "progress": doubtful}
        change_assets(connection, self._number, changes)
        return set(until)

    def _take_over_copies(self, connection: sa.Connection, new: Collection[str]) -> set[str]:
        """Follow the copies of some new assets that an operation left behind; returns which."""
        left = connection.execute(
            of_others(self._operation, new, assets.c.asset_id, copies)
            .join(
                copies,
                sa.and_(copies.c.number == assets.c.number, copies.c.batch == assets.c.batch),
            )
            .where(
                # This includes an asset that is done, but was checked for an unanswered request.
                assets.c.state == "done",
                ~copies.c.ended,
                # "" if it isn't known which format a job copies.
                copies.c.format_name.in_((*self._operation.formats, "")),
            )
        ).all()
        jobs = {row.job_id: Copy(row.job_id, row.format_name, row.requested_ms) for row in left}
        if jobs:
            batch = self._add(connection, list(jobs.values()))
            self._join(connection, batch, jobs)
            self._await(connection, batch, {row.asset_id: {} for row in left})
        return {row.asset_id for row in left}

    def _join(self, connection: sa.Connection, batch: int, job_ids: Collection[str]) -> None:
        """Put all assets that wait for some jobs into one batch, whichever batch they were in.

        A job may copy more assets than were claimed at once, and so may already be followed.
        """
        theirs = connection.execute(
            sa.select(copies.c.batch).where(
                copies.c.number == self._number, copies.c.job_id.in_(job_ids)
            )
        ).scalars()
        joined = set(theirs)
        for table in (copies, assets):
            connection.execute(
                sa.update(table)
                .where(table.c.number == self._number, table.c.batch.in_(joined))
                .values(batch=batch)
            )

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return assets.c.number == self._number
