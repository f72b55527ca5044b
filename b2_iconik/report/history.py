"""Past and running operations for display, read in pages, whatever an operation's size."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from b2_iconik.domain.operation import Operation
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.operations import read_operation
from b2_iconik.ledger.precedence import Precedence
from b2_iconik.ledger.tables import assets, copies, operations, terms, unlisted
from b2_iconik.report.reported import is_about

STATES = ("running", "done", "partly done", "failed", "nothing to do", "stopped")


@dataclass(frozen=True)
class Filters:
    """Which operations to list. Empty filters are ignored.

    Attributes:
        state: one of ``STATES``. An operation that is stopping counts as running.
        action: 'add' or 'remove'.
        text: the id of an operation, asset or user, or its start; the address of an asset's page;
            or a part of a title, of a failure, or of the name of a user who stopped or retried it.
    """

    state: str = ""
    action: str = ""
    text: str = ""


@dataclass(frozen=True)
class CopyJob:
    """A copy job of iconik's that an operation has requested or follows.

    Attributes:
        format_name: the format that it copies; "" if unknown.
        requested_ms: when it was requested, by the clock of operations.
        ended: whether it is known to have ended.
        assets: the number of assets that wait for it.
    """

    job_id: str
    format_name: str
    requested_ms: int
    ended: bool
    assets: int


class History:
    """Operations, read-only.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` if the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def operations(
        self, filters: Filters, limit: int, before: int | None = None
    ) -> list[Operation]:
        """Return the newest operations that match a filter.

        Args:
            filters: the filters.
            limit: the maximum number of operations.
            before: only operations with a lower number.
        """
        chosen = sa.select(operations).where(*_conditions(filters))
        if before is not None:
            chosen = chosen.where(operations.c.number < before)
        with self._engine.connect() as connection:
            rows = connection.execute(chosen.order_by(operations.c.number.desc()).limit(limit))
            return [read_operation(row) for row in rows]

    def starting_with(self, text: str, limit: int) -> list[Operation]:
        """Return the newest operations whose id starts with a text."""
        chosen = (
            sa.select(operations)
            .where(operations.c.id.startswith(text, autoescape=True))
            .order_by(operations.c.number.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [read_operation(row) for row in connection.execute(chosen)]

    def running(self) -> int:
        """Return the number of operations that haven't ended."""
        with self._engine.connect() as connection:
            running = sa.select(sa.func.count()).where(operations.c.ended_ms.is_(None))
            return int(connection.execute(running.select_from(operations)).scalar_one())

    def progress(self, numbers: Iterable[int]) -> dict[int, dict[str, int]]:
        """Return by operation the number of its assets in each state."""
        found: dict[int, dict[str, int]] = {number: {} for number in numbers}
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(assets.c.number, assets.c.state, sa.func.count().label("assets"))
                .where(assets.c.number.in_(list(found)))
                .group_by(assets.c.number, assets.c.state)
            )
            for row in rows:
                found[row.number][row.state] = row.assets
        return found

    def bytes_done(self, numbers: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Return by operation the bytes of its finished assets, and of all its assets.

        They are what listings showed. An operation with an asset of unknown size is left out.
        """
        size, is_done = assets.c.size, assets.c.state == "done"
        sums = (sa.func.sum(sa.case((is_done, size), else_=0)), sa.func.sum(size))
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(assets.c.number, *sums)
                .where(assets.c.number.in_(list(numbers)))
                .group_by(assets.c.number)
                .having(sa.func.count() == sa.func.count(size))
            )
            return {row.number: (int(row[1]), int(row[2])) for row in rows}

    def unopened(self, number: int, limit: int | None = None) -> list[tuple[str, Reason]]:
        """Return the collections and searches of an operation that could not be listed, and why."""
        rows = sa.select(unlisted).where(unlisted.c.number == number).order_by(unlisted.c.what)
        with self._engine.connect() as connection:
            found = connection.execute(rows.limit(limit))
            return [(row.what, Reason.read(row.reason, row.cause)) for row in found]

    def unopened_in_all(self, number: int) -> int:
        """Return the total number of those."""
        counted = sa.select(sa.func.count()).where(unlisted.c.number == number)
        with self._engine.connect() as connection:
            return int(connection.execute(counted).scalar_one())

    def copies(self, number: int, limit: int) -> list[CopyJob]:
        """Return the copy jobs of an operation: running ones first, then newest first."""
        waiting = (
            sa.select(sa.func.count())
            .select_from(assets)
            .where(assets.c.number == copies.c.number, assets.c.batch == copies.c.batch)
            .scalar_subquery()
        )
        chosen = (
            sa.select(copies, sa.case((copies.c.ended, 0), else_=waiting).label("assets"))
            .where(copies.c.number == number)
            .order_by(copies.c.ended, copies.c.requested_ms.desc(), copies.c.job_id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [
                CopyJob(row.job_id, row.format_name, row.requested_ms, row.ended, row.assets)
                for row in connection.execute(chosen)
            ]

    def copies_in_all(self, number: int) -> tuple[int, int]:
        """Return the number of running copy jobs of an operation, and of all its copy jobs."""
        under_way = sa.func.sum(sa.case((copies.c.ended, 0), else_=1))
        counted = sa.select(under_way, sa.func.count()).where(copies.c.number == number)
        with self._engine.connect() as connection:
            row = connection.execute(counted).one()
            return int(row[0] or 0), int(row[1])

    def next_due(self, number: int) -> int | None:
        """Return when the first asset to recheck is due, by the clock of operations."""
        due = sa.select(sa.func.min(assets.c.not_before_ms)).where(
            assets.c.number == number, assets.c.state == "recheck"
        )
        with self._engine.connect() as connection:
            return connection.execute(due).scalar()

    def is_newer_unlisted(self, operation: Operation) -> bool:
        """Return whether a newer click on the opposite action has assets that aren't known yet."""
        with self._engine.connect() as connection:
            return Precedence(connection, operation).is_any_unknown

    def clock(self) -> int:
        """Return the last recorded time of the clock of operations."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.max(terms.c.clock_ms))).scalar() or 0


def _conditions(filters: Filters) -> Iterator[sa.ColumnElement[bool]]:
    ended, failed = operations.c.ended_ms.is_not(None), operations.c.failure.is_not(None)
    if filters.state == "running":
        yield ~ended
    elif filters.state == "failed":
        yield sa.or_(failed, operations.c.result == "failed")
    elif filters.state:
        yield sa.and_(~failed, operations.c.result == filters.state)
    if filters.action:
        yield operations.c.action == filters.action
    if filters.text:
        text = filters.text.lower()
        about = sa.select(assets.c.number).where(is_about(text))
        yield sa.or_(
            operations.c.id.startswith(text, autoescape=True),
            sa.func.lower(operations.c.user_id).startswith(text, autoescape=True),
            *(
                sa.func.lower(column).contains(text, autoescape=True)
                for column in (
                    operations.c.failure,
                    operations.c.stop_by,
                    operations.c.retry_by,
                    operations.c.title,
                )
            ),
            operations.c.number.in_(about),
        )
