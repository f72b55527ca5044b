"""The operations of this service, in the order of their clicks."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.operation import Operation, Origin
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, Hint
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.asset_rows import change_assets, hinted, inherit_seen, insert_assets
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.migrations import adopt, bring_up_to_date
from b2_iconik.ledger.tables import CHUNK, assets, holdings, operations, schema, unlisted
from b2_iconik.ledger.term import LeaderQueries


def read_operation(row: sa.Row[Any]) -> Operation:
    """Convert a row of ``operations`` to a value."""
    converted: dict[str, Any] = {
        "formats": tuple(row.formats),
        "is_expanded": row.expanded >= row.request_count,
        "failure": Reason.read(row.failure, row.failure_cause) if row.failure else None,
        "origin": _origin(row),
    }
    rest = [each.name for each in fields(Operation) if each.name not in converted]
    return Operation(**converted, **{name: getattr(row, name) for name in rest})


def _origin(row: sa.Row[Any]) -> Origin | None:
    """Where an operation comes from. Earlier versions only knew retries."""
    if not row.retry_by:
        return None
    return Origin(row.retry_of, row.retry_by, row.origin or "retry")


class Ledger(LeaderQueries):
    """The operations. Other processes than the leader need no term for what they may do."""

    def __init__(self, engine: sa.Engine, term: int = 0) -> None:
        super().__init__(engine, term)

    def create(self) -> None:
        """Create missing tables and columns.

        Raises:
            SettingsError: the tables belong to another program, or to a newer version of this
                service.
        """
        with writing(self._engine) as connection:
            bring_up_to_date(connection)

    def try_writing(self) -> None:
        """Write a value that is there already, to check that the disk accepts it."""
        with writing(self._engine) as connection:
            connection.execute(sa.update(schema).values(version=schema.c.version))

    def operation(self, operation_id: str) -> Operation | None:
        """One operation by its id."""
        found = self._rows(sa.select(operations).where(operations.c.id == operation_id))
        return read_operation(found[0]) if found else None

    def sealed(self, operation_id: str) -> str:
        """The click of an operation, as ``Cipher.seal`` encrypted it; "" if it is not there."""
        found = sa.select(operations.c.sealed).where(operations.c.id == operation_id)
        return self._value(found) or ""

    def open(self, known: Container[str]) -> list[Operation]:
        """The operations for which something is left to do, oldest first.

        Args:
            known: the ids of operations to leave out.
        """
        rows = self._rows(
            sa.select(operations.c.id, operations.c.sealed.is_(None))
            .where(operations.c.closed_ms.is_(None))
            .order_by(operations.c.number)
        )
        new = {row[0]: row[1] for row in rows if row[0] not in known}
        if any(new.values()):
            with self._writing() as connection:
                adopt(connection)
        return [each for each in map(self.operation, new) if each]

    def running(self) -> list[Operation]:
        """The operations that haven't ended, oldest first."""
        running = sa.select(operations).where(operations.c.ended_ms.is_(None))
        return [read_operation(row) for row in self._rows(running.order_by(operations.c.number))]

    # The subject of an operation

    def expand(
        self, number: int, hints: Mapping[str, Hint | None], gone: Mapping[str, str]
    ) -> None:
        """Record which assets an operation covers.

        Args:
            hints: by asset id, what a listing suggests; None if the asset must be looked up.
            gone: by collection, saved search or playlist, why it could not be listed.
        """
        ids = list(hints)
        # Many short transactions, so that clicks are recorded in between. Nobody claims an asset
        # before the last of them marks the operation as expanded.
        for start in range(0, len(ids), CHUNK):
            some = {each: hints[each] for each in ids[start : start + CHUNK]}
            with self._writing() as connection:
                insert_assets(connection, number, some)
        with self._writing() as connection:
            connection.execute(sa.delete(unlisted).where(unlisted.c.number == number))
            for what, told in gone.items():
                reason = Reason.of(told)
                connection.execute(
                    sa.insert(unlisted).values(
                        number=number, what=what, reason=reason, cause=reason.stored
                    )
                )
            inherit_seen(connection, number)
            connection.execute(
                sa.update(operations)
                .where(operations.c.number == number)
                .values(expanded=operations.c.request_count)
            )

    def outcomes(self, number: int) -> Iterator[tuple[str, AssetProgress, dict[str, Outcome]]]:
        """Asset id, progress and outcomes by format of every asset of an operation."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(assets.c.asset_id, assets.c.progress, assets.c.outcomes)
                .where(assets.c.number == number)
                .order_by(assets.c.asset_id)
            )
            for row in rows:
                found = {name: Outcome.read(each) for name, each in row.outcomes.items()}
                yield row.asset_id, AssetProgress.from_json(row.progress), found

    def gone(self, number: int) -> dict[str, Reason]:
        """By collection, saved search or playlist of an operation, why it could not be listed."""
        rows = self._rows(sa.select(unlisted).where(unlisted.c.number == number))
        return {row.what: Reason.read(row.reason, row.cause) for row in rows}

    def progress(self, number: int) -> dict[str, int]:
        """How many assets of an operation are in each state."""
        rows = self._rows(
            sa.select(assets.c.state, sa.func.count())
            .where(assets.c.number == number)
            .group_by(assets.c.state)
        )
        return {row.state: row[1] for row in rows}

    def not_looked_up(self, number: int) -> list[str]:
        """The ids of the unfinished assets of an operation that no listing has shown yet."""
        rows = self._rows(
            sa.select(assets.c.asset_id).where(
                assets.c.number == number, assets.c.title.is_(None), assets.c.state != "done"
            )
        )
        return [row.asset_id for row in rows]

    def note_hints(self, number: int, hints: Mapping[str, Hint]) -> None:
        """Record what the index suggests about assets, as far as nothing was done with them."""
        with self._writing() as connection:
            mine = sa.and_(assets.c.number == number, assets.c.asset_id.in_(hints))
            columns = hinted(connection, number, hints)
            for row in connection.execute(sa.select(assets).where(mine)).all():
                values = columns[row.asset_id]
                if row.state != "queued" or row.progress:
                    del values["progress"]
                change_assets(connection, number, {row.asset_id: values})

    def titles(self, number: int, asset_ids: Sequence[str]) -> dict[str, str]:
        """The titles of some assets of an operation, by id, as far as they are known."""
        rows = self._rows(
            sa.select(assets.c.asset_id, assets.c.title).where(
                assets.c.number == number, assets.c.asset_id.in_(asset_ids), assets.c.title != ""
            )
        )
        return {row.asset_id: row.title for row in rows}

    def some_assets(self, number: int, limit: int) -> list[str]:
        """The ids of some assets of an operation: the first ones, in the order of ids."""
        ids = sa.select(assets.c.asset_id).where(assets.c.number == number)
        rows = self._rows(ids.order_by(assets.c.asset_id).limit(limit))
        return [row.asset_id for row in rows]

    def note_job(self, number: int, job_id: str | None) -> None:
        """Record which job shows an operation in iconik.

        Args:
            job_id: "" before the job is requested, and None if iconik has refused it.
        """
        self._change(number, job_id=job_id)

    def note_title(self, number: int, title: str) -> None:
        """Record the title of an operation, replacing an earlier one."""
        self._change(number, title=title)

    def note_names(self, number: int, **names: Any) -> None:
        """Record names that an operation is shown with; those recorded earlier stay.

        Args:
            names: ``storages``, by 'b2' and 'll', or ``subjects``: 'kind', 'id', 'name' and 'path'
                of what was selected, or of some of it.
        """
        mine = operations.c.number == number
        with self._writing() as connection:
            known = sa.select(operations.c.names).where(mine).with_for_update()
            earlier = connection.execute(known).scalar() or {}
            connection.execute(sa.update(operations).where(mine).values(names={**earlier, **names}))

    def note_user(self, user_id: str, name: str) -> None:
        """Record the name of a user, wherever it is lacking.

        Args:
            name: "" if it can't be read.
        """
        lacking: sa.ColumnElement[bool] = operations.c.user_name.is_(None)
        if name:
            lacking = sa.or_(lacking, operations.c.user_name == "")
        with self._writing() as connection:
            connection.execute(
                sa.update(operations)
                .where(operations.c.user_id == user_id, lacking)
                .values(user_name=name)
            )
            if name:
                unnamed = sa.and_(holdings.c.user_id == user_id, holdings.c.user_name.is_(None))
                connection.execute(sa.update(holdings).where(unnamed).values(user_name=name))

    def _change(self, number: int, **values: Any) -> None:
        with self._writing() as connection:
            connection.execute(
                sa.update(operations).where(operations.c.number == number).values(**values)
            )

    # The future of an operation

    def ask_to_stop(self, operation_id: str, by: str, now_ms: int) -> bool:
        """Ask an operation to begin nothing more, and to end. Any process may do this.

        Args:
            by: who asks, as the rest of 'stopped by'.

        Returns:
            Whether it will stop. An operation that has ended, or doesn't exist, won't.
        """
        running = sa.and_(operations.c.id == operation_id, operations.c.ended_ms.is_(None))
        with writing(self._engine) as connection:
            connection.execute(
                sa.update(operations)
                .where(running, operations.c.stop_ms.is_(None))
                .values(stop_by=by, stop_ms=now_ms)
            )
            return connection.execute(sa.select(operations.c.id).where(running)).first() is not None

    def will_look(self, number: int, next_check_ms: int, outage: str | None) -> None:
        """Record when an operation asks iconik again, and how iconik fails, if it does."""
        self._change(number, next_check_ms=next_check_ms, outage=outage)
