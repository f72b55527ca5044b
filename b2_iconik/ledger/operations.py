"""What this service has taken on: its operations, in the order of their clicks."""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.operation import AssetProgress, Operation, read_operation
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.migrations import adopt, bring_up_to_date
from b2_iconik.ledger.tables import (
    CHUNK,
    assets,
    health,
    inherit_sight,
    insert_assets,
    insert_new,
    jobs,
    operations,
    titles,
    vanished,
)
from b2_iconik.ledger.term import writing_in_term


class Ledger:
    """The operations, behind methods that each are one transaction.

    Args:
        engine: SQLAlchemy engine of a SQLite or PostgreSQL database.
        term: that of the executor, from ``term.begin_term``, where operations are run.

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

    def operation(self, operation_id: str) -> Operation | None:
        """One operation by its id."""
        with self._engine.connect() as connection:
            row = connection.execute(
                sa.select(operations).where(operations.c.id == operation_id)
            ).first()
        return read_operation(row) if row else None

    def sealed(self, operation_id: str) -> str:
        """The click of an operation, as ``Cipher.seal`` encrypted it; "" if it is not there."""
        with self._engine.connect() as connection:
            found = sa.select(operations.c.sealed).where(operations.c.id == operation_id)
            return connection.execute(found).scalar() or ""

    def open(self, known: Container[str]) -> list[Operation]:
        """The operations for which something is left to do, oldest first.

        Args:
            known: the ids of those that are left out.
        """
        is_open = operations.c.closed_ms.is_(None)
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(operations.c.id, operations.c.sealed.is_(None))
                .where(is_open)
                .order_by(operations.c.number)
            ).all()
        new = {row[0]: row[1] for row in rows if row[0] not in known}
        if any(new.values()):
            with writing_in_term(self._engine, self._term) as connection:
                adopt(connection)
        return [each for each in map(self.operation, new) if each]

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
        asset_ids: Iterable[str],
        gone: Mapping[str, str],
        hints: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Note which assets an operation is about.

        Args:
            gone: by collection, saved search or playlist, why it could not be listed.
            hints: by asset, what its memo is to begin with, if it is new.
        """
        ids = list(asset_ids)
        begun = {
            each: AssetProgress(hint=dict(hint)) for each, hint in (hints or {}).items() if hint
        }
        # Many short transactions: clicks are recorded in between. Nobody takes an asset before
        # the last has made the operation an expanded one.
        for start in range(0, len(ids), CHUNK):
            some = ids[start : start + CHUNK]
            memos = {each: begun[each].as_json() if each in begun else {} for each in some}
            with writing_in_term(self._engine, self._term) as connection:
                insert_assets(connection, number, memos)
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(sa.delete(vanished).where(vanished.c.number == number))
            for what, told in gone.items():
                reason = Reason.of(told)
                connection.execute(
                    sa.insert(vanished).values(
                        number=number, what=what, reason=reason, cause=reason.stored
                    )
                )
            inherit_sight(connection, number)
            connection.execute(
                sa.update(operations)
                .where(operations.c.number == number)
                .values(expanded=operations.c.clicks)
            )

    def outcomes(self, number: int) -> Iterator[tuple[str, AssetProgress, dict[str, Outcome]]]:
        """Asset id, memo and outcomes by format of every asset of an operation."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(assets.c.asset_id, assets.c.memo, assets.c.outcomes)
                .where(assets.c.number == number)
                .order_by(assets.c.asset_id)
            )
            for row in rows:
                found = {name: Outcome.read(each) for name, each in row.outcomes.items()}
                yield row.asset_id, AssetProgress.from_json(row.memo), found

    def gone(self, number: int) -> dict[str, Reason]:
        """By collection, saved search or playlist of an operation, why it could not be listed."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(vanished).where(vanished.c.number == number))
            return {row.what: Reason.read(row.reason, row.cause) for row in rows}

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

    def note_title(self, number: int, title: str) -> None:
        """Note what an operation is called, in place of what it was called before."""
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(insert_new(connection, titles).values(number=number, title=title))
            connection.execute(
                sa.update(titles).where(titles.c.number == number).values(title=title)
            )

    # What is to come of it

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

    def will_look(self, number: int, looks_ms: int, outage: str | None) -> None:
        """Note when an operation looks at iconik again, and what iconik fails at, if it does."""
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(
                sa.update(operations)
                .where(operations.c.number == number)
                .values(looks_ms=looks_ms, outage=outage)
            )
