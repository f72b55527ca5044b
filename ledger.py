"""What this service has taken on: its operations, in the order of their clicks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from custom_action import CustomAction
from database import writing
from outcomes import Outcome, report
from schema import bring_up_to_date
from tables import (
    CHUNK,
    LET_GO,
    Memo,
    Operation,
    Retry,
    assets,
    copies,
    executors,
    health,
    insert_new,
    jobs,
    operations,
    read_operation,
    vanished,
    writing_in_term,
)
from tallies import Standing, Tally, add, count, standing

# More would keep the next click waiting.
KNOWN_AT_ONCE = 500


class Ledger:
    """The operations, behind methods that each are one transaction.

    Args:
        engine: SQLAlchemy engine of a SQLite or PostgreSQL database.
        term: that of the executor, from ``begin_term``, where operations are run.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` when the database fails; those that are the
    executor's raise ``Stopped`` when another process has taken over.
    """

    def __init__(self, engine: sa.Engine, term: int = 0) -> None:
        self._engine = engine
        self._term = term

    def create(self) -> None:
        """Create what is missing of the tables.

        Raises:
            SettingsError: they are not this service's, or those of a newer version.
        """
        with writing(self._engine) as connection:
            bring_up_to_date(connection)

    def try_writing(self, now_ms: int) -> None:
        """Write something that is of no use, to see that the disk takes it."""
        with writing(self._engine) as connection:
            connection.execute(sa.delete(health))
            connection.execute(sa.insert(health).values(checked_ms=now_ms))

    def begin_term(self, now_ms: int) -> int:
        """Begin to run operations; ends the term of whoever ran them before. Returns its number."""
        with writing(self._engine) as connection:
            kept = connection.execute(sa.select(sa.func.max(executors.c.clock_ms))).scalar()
            connection.execute(
                sa.insert(executors).values(began_ms=now_ms, clock_ms=kept or now_ms)
            )
            term = connection.execute(sa.select(sa.func.max(executors.c.term))).scalar_one()
            connection.execute(sa.delete(executors).where(executors.c.term < term))
            return int(term)

    def time_kept(self) -> int:
        """How far the clock of operations had come when it was last noted, in milliseconds."""
        with self._engine.connect() as connection:
            kept = connection.execute(sa.select(sa.func.max(executors.c.clock_ms)))
            return int(kept.scalar_one())

    def keep_time(self, clock_ms: int) -> None:
        """Note how far the clock of operations has come."""
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(sa.update(executors).values(clock_ms=clock_ms))

    # Clicks

    def same_running(
        self, connection: sa.Connection, click: CustomAction, digest: str
    ) -> str | None:
        """The running operation that this click repeats, told that it was asked for again.

        A click repeats nothing if the opposite was clicked since: then it is the newest wish.

        Args:
            connection: from ``writing``.
            digest: equal for clicks that ask for the same.
        """
        found = connection.execute(
            sa.select(operations.c.number, operations.c.id)
            .where(
                operations.c.digest == digest,
                operations.c.ended_ms.is_(None),
                # One that is being stopped would let the click come to nothing.
                operations.c.stop_ms.is_(None),
            )
            .order_by(operations.c.number.desc())
            .limit(1)
        ).first()
        if found is None:
            return None
        opposite = sa.select(operations.c.number).where(
            operations.c.number > found.number,
            operations.c.action != click.action,
            operations.c.ll_storage_id == click.ll_storage_id,
        )
        if connection.execute(opposite.limit(1)).first():
            return None
        connection.execute(
            sa.update(operations)
            .where(operations.c.number == found.number)
            .values(clicks=operations.c.clicks + 1)
        )
        return str(found.id)

    def record(
        self,
        connection: sa.Connection,
        operation_id: str,
        click: CustomAction,
        *,
        digest: str,
        key: str,
        now_ms: int,
        retry: Retry | None = None,
    ) -> None:
        """Write down a new operation, the newest of all, in a transaction of ``writing``.

        A few assets are written down with it: then older operations needn't wait to know them.
        """
        is_known = click.tells_assets and 0 < len(click.asset_ids) <= KNOWN_AT_ONCE
        made = connection.execute(
            sa.insert(operations).values(
                id=operation_id,
                action=click.action,
                b2_storage_id=click.b2_storage_id,
                ll_storage_id=click.ll_storage_id,
                formats=list(click.formats),
                selection=click.selection,
                user_id=click.user_id,
                digest=digest,
                key=key,
                clicks=1,
                expanded=int(is_known),
                recorded_ms=now_ms,
                retry_of=retry.of if retry else None,
                retry_by=retry.by if retry else None,
            )
        )
        if is_known:
            number = made.inserted_primary_key[0]  # type: ignore[index]  # it has one
            _insert_assets(connection, number, {each: {} for each in click.asset_ids})

    def operation(self, operation_id: str) -> Operation | None:
        """One operation by its id."""
        with self._engine.connect() as connection:
            row = connection.execute(
                sa.select(operations).where(operations.c.id == operation_id)
            ).first()
        return read_operation(row) if row else None

    def running(self) -> list[Operation]:
        """The operations that haven't ended, oldest first."""
        return self._list(operations.c.ended_ms.is_(None), operations.c.number)

    def newest(self, limit: int) -> list[Operation]:
        """The last operations, newest first."""
        return self._list(sa.true(), operations.c.number.desc())[:limit]

    def _list(
        self, condition: sa.ColumnElement[bool], order: sa.ColumnElement[Any]
    ) -> list[Operation]:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(operations).where(condition).order_by(order))
            return [read_operation(row) for row in rows]

    # What an operation is about

    def expand(
        self,
        number: int,
        clicks: int,
        asset_ids: Iterable[str],
        gone: Mapping[str, str],
        hints: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Note which assets an operation is about, as of a number of clicks.

        Assets that were done with are to be looked at again: somebody asked again.

        Args:
            gone: by collection or saved search, why it could not be listed.
            hints: by asset, what its memo is to begin with, if it is new.
        """
        ids = list(asset_ids)
        begun = {each: Memo(hint=dict(hint)) for each, hint in (hints or {}).items() if hint}
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(
                sa.update(assets)
                .where(assets.c.number == number, assets.c.state.in_(LET_GO))
                .values(state="waiting", due_ms=0, memo={})
            )
        # Many short transactions: clicks are recorded in between. Nobody takes an asset before
        # the last has made the operation an expanded one.
        for start in range(0, len(ids), CHUNK):
            some = ids[start : start + CHUNK]
            memos = {each: begun[each].as_json() if each in begun else {} for each in some}
            with writing_in_term(self._engine, self._term) as connection:
                _insert_assets(connection, number, memos)
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(sa.delete(vanished).where(vanished.c.number == number))
            for what, reason in gone.items():
                connection.execute(
                    sa.insert(vanished).values(number=number, what=what, reason=reason)
                )
            connection.execute(
                sa.update(operations).where(operations.c.number == number).values(expanded=clicks)
            )

    def outcomes(self, number: int) -> Iterator[tuple[str, Memo, dict[str, Outcome]]]:
        """Asset id, memo and outcomes by format of every asset of an operation."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(assets.c.asset_id, assets.c.memo, assets.c.outcomes)
                .where(assets.c.number == number)
                .order_by(assets.c.asset_id)
            )
            for row in rows:
                found = {name: Outcome(*each) for name, each in row.outcomes.items()}
                yield row.asset_id, Memo(**row.memo), found

    def gone(self, number: int) -> dict[str, str]:
        """By collection or saved search of an operation, why it could not be listed."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(vanished).where(vanished.c.number == number))
            return {row.what: row.reason for row in rows}

    def progress(self, number: int) -> dict[str, int]:
        """How many assets of an operation are in each state."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(assets.c.state, sa.func.count())
                .where(assets.c.number == number)
                .group_by(assets.c.state)
            )
            return {row.state: row[1] for row in rows}

    def some_assets(self, number: int, limit: int) -> list[str]:
        """The ids of some assets of an operation: the first ones, in the order of ids."""
        with self._engine.connect() as connection:
            ids = sa.select(assets.c.asset_id).where(assets.c.number == number)
            rows = connection.execute(ids.order_by(assets.c.asset_id).limit(limit))
            return [row.asset_id for row in rows]

    def job(self, number: int) -> str | None:
        """The id of the job that shows an operation in iconik.

        "" if iconik was asked for one and it isn't known whether it heard; None if it wasn't.
        """
        with self._engine.connect() as connection:
            found = sa.select(jobs.c.job_id).where(jobs.c.number == number)
            return connection.execute(found).scalar()

    def note_job(self, number: int, job_id: str) -> None:
        """Note which job shows an operation in iconik; "" before iconik is asked for one."""
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(insert_new(connection, jobs).values(number=number, job_id=""))
            connection.execute(sa.update(jobs).where(jobs.c.number == number).values(job_id=job_id))

    def standing(self) -> Standing:
        """How it stands with all operations, and what has come of those that ended."""
        return standing(self._engine)

    # Ends

    def ask_to_stop(self, operation_id: str, by: str, now_ms: int) -> bool:
        """Ask an operation to begin nothing more, and to end; any process may.

        Args:
            by: who asks, as the rest of 'stopped by'.

        Returns:
            Whether it will: one that has ended, or that is nowhere, won't.
        """
        running = sa.and_(operations.c.id == operation_id, operations.c.ended_ms.is_(None))
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(operations)
                .where(running, operations.c.stop_ms.is_(None))
                .values(stop_by=by, stop_ms=now_ms)
            )
            return connection.execute(sa.select(operations.c.id).where(running)).first() is not None

    def is_asked_to_stop(self, number: int) -> bool:
        """Whether somebody has asked an operation to stop."""
        with self._engine.connect() as connection:
            asked = sa.select(operations.c.stop_ms).where(operations.c.number == number)
            return connection.execute(asked).scalar() is not None

    def end(self, operation: Operation, now_ms: int) -> bool:
        """End an operation, if nothing is left to do and nobody asked for it again.

        One that was to stop ends even so, once its assets are let go of; see ``Claims.leave``.
        """
        open_assets = sa.select(assets.c.asset_id).where(
            assets.c.number == operation.number, assets.c.state.not_in(LET_GO)
        )
        with self._engine.connect() as connection:
            if connection.execute(open_assets.limit(1)).first():
                return False
        # Before the transaction: clicks must not wait while a hundred thousand are counted.
        counts = self._count(operation)
        is_ready = (
            operations.c.stop_ms.is_not(None)
            if operation.stop_ms
            else sa.and_(
                operations.c.clicks == operations.c.expanded, operations.c.stop_ms.is_(None)
            )
        )
        with writing_in_term(self._engine, self._term) as connection:
            done = connection.execute(
                sa.update(operations)
                .where(operations.c.number == operation.number, is_ready, ~open_assets.exists())
                .values(ended_ms=now_ms)
            )
            if done.rowcount == 1:
                add(connection, counts)
            return done.rowcount == 1

    def fail(self, number: int, failure: str, now_ms: int) -> None:
        """End an operation that came to nothing as a whole, and let go of its assets."""
        counts: Mapping[Tally, int] = {}
        for operation in self._list(operations.c.number == number, operations.c.number):
            # What had ended was counted then.
            if operation.ended_ms is None:
                counts = self._count(replace(operation, failure=failure))
        is_copying = assets.c.state == "copying"
        with writing_in_term(self._engine, self._term) as connection:
            add(connection, counts)
            connection.execute(
                sa.update(assets)
                .where(assets.c.number == number)
                .values(state=sa.case((is_copying, "left"), else_="done"))
            )
            connection.execute(
                sa.update(operations)
                .where(operations.c.number == number)
                .values(ended_ms=now_ms, failure=failure)
            )

    def sum_up(self, operation_id: str) -> dict[str, Any]:
        """Make the report of an operation, and note its result and counts for lists of many.

        Returns:
            The report, see ``outcomes.report``.

        Raises:
            LookupError: there is no such operation.
        """
        operation = self.operation(operation_id)
        if operation is None:
            raise LookupError(f"operation {operation_id} is not in the ledger")
        told = report(operation, self.outcomes(operation.number), self.gone(operation.number))
        if operation.ended_ms is not None:
            with writing_in_term(self._engine, self._term) as connection:
                connection.execute(
                    sa.update(operations)
                    .where(operations.c.number == operation.number)
                    .values(result=told["result"], counts=told["counts"])
                )
        return told

    def will_look(self, number: int, looks_ms: int, outage: str | None) -> None:
        """Note when an operation looks at iconik again, and what iconik fails at, if it does."""
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(
                sa.update(operations)
                .where(operations.c.number == number)
                .values(looks_ms=looks_ms, outage=outage)
            )

    def _count(self, operation: Operation) -> Mapping[Tally, int]:
        return count(operation, self.outcomes(operation.number), self.gone(operation.number))

    def ended_before(self, moment_ms: int) -> list[str]:
        """The ids of the operations that ended before a time, and that no other one still minds.

        An older one that still runs must see that a newer click took over, be it long ago.
        """
        oldest = sa.select(sa.func.min(operations.c.number)).where(operations.c.ended_ms.is_(None))
        with self._engine.connect() as connection:
            first = connection.execute(oldest).scalar()
            rows = connection.execute(
                sa.select(operations.c.id).where(
                    operations.c.ended_ms < moment_ms,
                    sa.true() if first is None else operations.c.number < first,
                )
            )
            return [row.id for row in rows]

    def forget(self, operation_ids: Sequence[str]) -> None:
        """Forget operations and all that belongs to them."""
        with writing_in_term(self._engine, self._term) as connection:
            numbers = sa.select(operations.c.number).where(operations.c.id.in_(operation_ids))
            for table in (assets, copies, vanished, jobs, operations):
                connection.execute(sa.delete(table).where(table.c.number.in_(numbers)))


def _insert_assets(
    connection: sa.Connection, number: int, memos: Mapping[str, Mapping[str, Any]]
) -> None:
    """Note that an operation is about some assets, with their memos, unless it is noted already."""
    new = {"number": number, "state": "waiting", "due_ms": 0, "outcomes": {}}
    rows = [{**new, "asset_id": each, "memo": memo} for each, memo in memos.items()]
    connection.execute(insert_new(connection, assets), rows)
