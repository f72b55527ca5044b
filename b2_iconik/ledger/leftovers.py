"""What an operation began and left unfinished, and how others take over its deletions.

An operation that fails, or gives up an asset, first tries to restore what it has marked deleted.
What it can't restore stays in the asset's progress. The next operation on the asset takes that
over, in the transaction that claims the asset. Until then, the leader tries to restore it.

What a Remove has left marked deleted on purpose (PURGE=later) also stays in the asset's progress.
An Add or an Undo takes it over in the same way, in order to restore it. If it is no longer proven
safe when iconik is about to purge it, the service itself requests an Undo.

iconik completes copies that were left to it. That they have ended is only noted, for reports.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.click import Action, CustomAction, of_assets
from b2_iconik.domain.operation import Operation, Origin
from b2_iconik.domain.outcomes import Outcome, merged
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset, Deletion
from b2_iconik.domain.reasons import TAKEN_OVER
from b2_iconik.ledger import holdings
from b2_iconik.ledger.asset_rows import change_assets, of_others
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.intake import SERVICE, record_own
from b2_iconik.ledger.operations import read_operation
from b2_iconik.ledger.tables import assets, copies, has_marked, operations, progress_has_deletion
from b2_iconik.ledger.term import LeaderQueries

# The actions that restore what is marked deleted, if the click's own token can see the asset.
RESTORING: tuple[Action, ...] = ("add", "undo")


def take_over(connection: sa.Connection, operation: Operation, rows: Sequence[Any]) -> set[str]:
    """Take over unfinished deletions of some assets that other operations have released.

    Args:
        connection: from ``writing_in_term``.
        operation: takes over the deletions of its formats, on the same storage.
        rows: of ``assets``. Only waiting assets, which were not inspected yet, are considered; see
            also ``must_be_seen``.

    Returns:
        The ids of the assets whose progress now holds more than in ``rows``.
    """
    is_for_all = operation.action not in RESTORING
    progress_by_id = {
        row.asset_id: row.progress
        for row in rows
        if row.state == "queued" and (row.seen or is_for_all)
    }
    if not progress_by_id:
        return set()
    left = connection.execute(
        of_others(operation, progress_by_id, assets)
        .where(_has_deletion())
        .order_by(assets.c.number)
    )
    taken: dict[str, AssetProgress] = {}
    for row in left.all():
        theirs = AssetProgress.from_json(row.progress)
        mine = {
            each: begun
            for each, begun in theirs.unaccepted.items()
            if begun.name in operation.formats
        }
        if not mine:
            continue
        before = taken.get(row.asset_id) or AssetProgress.from_json(progress_by_id[row.asset_id])
        taken[row.asset_id] = before.with_deletions(mine)
        told = {begun.name: Outcome("failed", TAKEN_OVER) for begun in mine.values()}
        _change(connection, row.number, row.asset_id, theirs.without_deletions(mine), row, told)
    changes = {each: {"progress": progress.as_json()} for each, progress in taken.items()}
    change_assets(connection, operation.number, changes)
    return set(taken)


def take_marked(
    connection: sa.Connection, operation: Operation, formats: Mapping[str, Sequence[str]]
) -> dict[str, AssetProgress]:
    """Take over what Removes have left marked deleted, in order to restore it.

    An Add takes over all of it, because a copy next to such a file set would be purged with it. An
    Undo takes over what its Remove has marked.

    Args:
        connection: from ``writing_in_term``.
        operation: the operation.
        formats: by the id of each asset that it claims now and has seen, the formats that it
            processes. If a newer Remove has taken over a format, its file sets stay marked deleted.

    Returns:
        By asset id, the new progress of the assets that have more to restore now.
    """
    if operation.action not in RESTORING:
        return {}
    is_its: sa.ColumnElement[bool] = sa.true()
    if operation.action == "undo":
        is_its = operations.c.id == _undone(connection, operation)
    wanted = [asset_id for asset_id, names in formats.items() if names]
    left = connection.execute(
        of_others(operation, wanted, assets)
        .where(assets.c.state == "done", is_its, has_marked())
        .order_by(assets.c.number)
    )
    taken: dict[str, dict[str, Deletion]] = {}
    for row in left.all():
        theirs, mine = AssetProgress.from_json(row.progress), dict[str, Deletion]()
        for file_set_id, one in theirs.marked.items():
            names = [each for each in (one.name, *one.shared_with) if each in formats[row.asset_id]]
            if names:
                mine[file_set_id] = replace(one, name=names[0], accepted_ms=None)
        if mine:
            rest = {each: one for each, one in theirs.marked.items() if each not in mine}
            _change(connection, row.number, row.asset_id, replace(theirs, marked=rest), row, {})
            taken[row.asset_id] = {**taken.get(row.asset_id, {}), **mine}
    before = connection.execute(
        sa.select(assets.c.asset_id, assets.c.progress).where(
            assets.c.number == operation.number, assets.c.asset_id.in_(list(taken))
        )
    )
    progress = {}
    for row in before:
        begun = AssetProgress.from_json(row.progress).with_deletions(taken[row.asset_id])
        # What a listing suggested is out of date: a copy next to such a file set would be purged.
        progress[row.asset_id] = replace(begun, ready=())
    changes = {each: {"progress": one.as_json()} for each, one in progress.items()}
    change_assets(connection, operation.number, changes)
    return progress


def must_be_seen(
    connection: sa.Connection, operation: Operation, asset_ids: Sequence[str]
) -> set[str]:
    """The ids of assets of which something is left to be restored, by an Add or an Undo.

    Args:
        asset_ids: those that the operation's own token has not read. To a user who may not see an
            asset, iconik may answer as if the file set were gone. Then nobody would restore it.
    """
    if operation.action not in RESTORING or not asset_ids:
        return set()
    is_left = sa.or_(_has_deletion(), has_marked())
    left = of_others(operation, asset_ids, assets.c.asset_id).where(is_left)
    return set(connection.execute(left).scalars())


def _undone(connection: sa.Connection, operation: Operation) -> str | None:
    """The id of the Remove that an Undo undoes. A retry of an Undo undoes the same."""
    of = operation.origin_of
    while True:
        found = sa.select(operations.c.action, operations.c.retry_of).where(operations.c.id == of)
        row = connection.execute(found).first()
        if row is None or row.action != "undo":
            return of
        of = row.retry_of


def is_being_deleted(connection: sa.Connection, asset_id: str) -> bool:
    """Whether any operation has begun to delete from an asset, and may not have finished."""
    begun = sa.select(assets.c.number).where(assets.c.asset_id == asset_id, progress_has_deletion())
    return connection.execute(begun.limit(1)).first() is not None


@dataclass(frozen=True)
class Left:
    """The unfinished deletions of one asset that an operation left behind."""

    number: int
    operation_id: str
    asset: ClaimedAsset
    action: Action


class Leftovers(LeaderQueries):
    """What was left unfinished."""

    def of(self, number: int) -> list[Left]:
        """The leftovers of one operation, whichever states its assets are in."""
        return self._list(assets.c.number == number, progress_has_deletion())

    def of_ended(self) -> list[Left]:
        """The leftovers of ended operations, for assets that no running operation covers."""
        theirs, running = sa.alias(assets), sa.alias(operations)
        is_in_hand = (
            sa.select(theirs.c.asset_id)
            .join(running, running.c.number == theirs.c.number)
            .where(
                theirs.c.asset_id == assets.c.asset_id,
                running.c.ended_ms.is_(None),
                # A preview takes nothing over.
                running.c.action != "preview",
            )
            .exists()
        )
        return self._list(operations.c.ended_ms.is_not(None), _has_deletion(), ~is_in_hand)

    def about_to_be_purged(
        self, now_ms: int, until_ms: int
    ) -> list[tuple[Operation, ClaimedAsset]]:
        """What Removes have marked deleted, if iconik may purge something of it by some time.

        Only the time of the first mark is recorded. The last one comes at most as long after that
        as the Remove has taken.

        Args:
            now_ms, until_ms: by the wall clock, in milliseconds since 1970.
        """
        first_ms = operations.c.undo_until_ms
        kept_ms = first_ms - operations.c.recorded_ms
        last_ms = sa.func.coalesce(operations.c.ended_ms, now_ms) + kept_ms
        soon = sa.select(operations).where(first_ms <= until_ms, last_ms > now_ms)
        found = list[tuple[Operation, ClaimedAsset]]()
        with self._engine.connect() as connection:
            for operation in map(read_operation, connection.execute(soon.order_by(first_ms)).all()):
                is_its = sa.and_(assets.c.number == operation.number, assets.c.state == "done")
                rows = connection.execute(sa.select(assets).where(is_its, has_marked()))
                found += [(operation, _asset(row)) for row in rows]
        return found

    def record_undo(
        self, cipher: Cipher, operation: Operation, formats: Mapping[str, Collection[str]]
    ) -> None:
        """Record the undo of a part of a Remove, as a request of the service itself.

        Args:
            cipher: encrypts the recorded operations.
            formats: by asset id, the names of the formats to bring back. What is no longer marked
                by this Remove is left out, and so is what a running Undo of it brings back.
        """
        b2_id, ll_id = operation.b2_storage_id, operation.ll_storage_id
        click = CustomAction("undo", b2_id, ll_id, (), "BULK", ())
        origin = Origin(operation.id, SERVICE, "unsafe")
        running = (
            sa.select(assets.c.asset_id, operations.c.formats)
            .join(operations, operations.c.number == assets.c.number)
            .where(
                operations.c.retry_of == operation.id,
                operations.c.action == "undo",
                operations.c.ended_ms.is_(None),
            )
        )
        this = sa.and_(assets.c.number == operation.number, assets.c.asset_id.in_(list(formats)))
        with self._writing(is_vital=True) as connection:
            undone = {
                (row.asset_id, name) for row in connection.execute(running) for name in row.formats
            }
            found = []
            for row in connection.execute(sa.select(assets).where(this)):
                marked = {each.name for each in _asset(row).progress.marked.values()}
                wanted = marked.intersection(formats[row.asset_id])
                if names := sorted(each for each in wanted if (row.asset_id, each) not in undone):
                    found.append((row.asset_id, names))
            for each in of_assets(click, found):
                record_own(connection, cipher, each, origin)

    def copies(self, since_ms: int, limit: int) -> list[str]:
        """The ids of jobs of ended operations that are not known to have ended, newest first.

        Args:
            since_ms: only those of operations that ended at this time or later.
        """
        chosen = (
            sa.select(copies.c.job_id)
            .join(operations, operations.c.number == copies.c.number)
            .where(operations.c.ended_ms >= since_ms, ~copies.c.ended)
            .group_by(copies.c.job_id)
            .order_by(sa.func.max(copies.c.requested_ms).desc(), copies.c.job_id)
        )
        return [row.job_id for row in self._rows(chosen.limit(limit))]

    def note_ended(self, job_ids: Sequence[str]) -> None:
        """Record that such jobs have ended. Running operations follow their jobs themselves."""
        ended = sa.select(operations.c.number).where(operations.c.ended_ms.is_not(None))
        theirs = sa.and_(copies.c.job_id.in_(job_ids), copies.c.number.in_(ended))
        with self._writing() as connection:
            connection.execute(sa.update(copies).where(theirs).values(ended=True))

    def _list(self, *conditions: sa.ColumnElement[bool]) -> list[Left]:
        chosen = (
            sa.select(assets, operations.c.id, operations.c.action)
            .join(operations, operations.c.number == assets.c.number)
            .where(*conditions)
        )
        return [
            Left(row.number, row.id, asset, row.action)
            for row in self._rows(chosen)
            if (asset := _asset(row)).progress.deletions
        ]

    def note(self, left: Left, outcomes: Mapping[str, Outcome]) -> None:
        """Record the result: the current progress, and outcomes by format name.

        What an Add or an Undo is to bring back is on LucidLink from now on.
        """
        with self._writing() as connection:
            row = connection.execute(
                sa.select(assets.c.outcomes, assets.c.progress).where(
                    assets.c.number == left.number, assets.c.asset_id == left.asset.asset_id
                )
            ).one()
            # Meanwhile, another operation may have taken over what is marked deleted.
            now = AssetProgress.from_json(row.progress)
            progress = replace(left.asset.progress, marked=now.marked)
            _change(connection, left.number, left.asset.asset_id, progress, row, outcomes)
            stored = {left.asset.asset_id: merged(row.outcomes, outcomes)}
            this = sa.select(operations).where(operations.c.number == left.number)
            operation = read_operation(connection.execute(this).one())
            noted, user_name = [(left.asset, outcomes)], operation.user_name or ""
            # Its time begins as soon as iconik's time is asked for; see ``Due.advance``.
            holdings.note(connection, operation, noted, stored, user_name, None)


def _asset(row: sa.Row[Any]) -> ClaimedAsset:
    progress, title = AssetProgress.from_json(row.progress), row.title or ""
    return ClaimedAsset(row.asset_id, (), progress, outcomes=row.outcomes, title=title)


def _change(
    connection: sa.Connection,
    number: int,
    asset_id: str,
    progress: AssetProgress,
    row: Any,
    outcomes: Mapping[str, Outcome],
) -> None:
    change = {"progress": progress.as_json(), "outcomes": merged(row.outcomes, outcomes)}
    change_assets(connection, number, {asset_id: change})


def _has_deletion() -> sa.ColumnElement[bool]:
    return sa.and_(assets.c.state == "done", progress_has_deletion())
