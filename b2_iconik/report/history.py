"""What operations did and do, for those who look: read in pages, whatever an operation's size."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from b2_iconik.domain.operation import Operation, read_operation
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.precedence import Precedence
from b2_iconik.ledger.tables import assets, copies, operations, terms, titles, unlisted

STATES = ("running", "finished", "finished with warnings", "failed", "stopped")


@dataclass(frozen=True)
class Filters:
    """Which operations to list; those that are empty don't matter.

    Attributes:
        state: one of ``STATES``; what is being stopped still runs.
        action: 'add' or 'remove'.
        text: the id of an operation or user, or its beginning; the id of an asset; or a part of a
            title or failure, or of the name of who stopped or retried it.
    """

    state: str = ""
    action: str = ""
    text: str = ""


@dataclass(frozen=True)
class CopyJob:
    """A copy job of iconik's that an operation has asked for, or follows.

    Attributes:
        format_name: what it copies; "" where that isn't known.
        asked_ms: by the clock of operations.
        ended: whether it was seen to end.
        assets: how many assets wait for it.
    """

    job_id: str
    format_name: str
    requested_ms: int
    ended: bool
    assets: int


class History:
    """Operations, for reading only.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` when the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def operations(
        self, filters: Filters, limit: int, before: int | None = None
    ) -> list[Operation]:
        """The newest operations that a filter lets through.

        Args:
            before: only those with a lower number.
        """
        chosen = sa.select(operations).where(*_conditions(filters))
        if before is not None:
            chosen = chosen.where(operations.c.number < before)
        with self._engine.connect() as connection:
            rows = connection.execute(chosen.order_by(operations.c.number.desc()).limit(limit))
            return [read_operation(row) for row in rows]

    def operation(self, operation_id: str) -> Operation | None:
        """One operation by its id."""
        found = sa.select(operations).where(operations.c.id == operation_id)
        with self._engine.connect() as connection:
            row = connection.execute(found).first()
        return read_operation(row) if row else None

    def titles(self, numbers: Iterable[int]) -> dict[int, str]:
        """By operation, the title that it has in iconik's jobs list, where that is known."""
        named = sa.select(titles).where(titles.c.number.in_(list(numbers)))
        with self._engine.connect() as connection:
            return {row.number: row.title for row in connection.execute(named)}

    def running(self) -> int:
        """How many operations haven't ended."""
        with self._engine.connect() as connection:
            running = sa.select(sa.func.count()).where(operations.c.ended_ms.is_(None))
            return int(connection.execute(running.select_from(operations)).scalar_one())

    def progress(self, numbers: Iterable[int]) -> dict[int, dict[str, int]]:
        """By operation, how many of its assets are in each state."""
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

    def unopened(self, number: int, limit: int | None = None) -> list[tuple[str, Reason]]:
        """The collections and searches of an operation that could not be opened, and why."""
        rows = sa.select(unlisted).where(unlisted.c.number == number).order_by(unlisted.c.what)
        with self._engine.connect() as connection:
            found = connection.execute(rows.limit(limit))
            return [(row.what, Reason.read(row.reason, row.cause)) for row in found]

    def unopened_in_all(self, number: int) -> int:
        """How many those are."""
        counted = sa.select(sa.func.count()).where(unlisted.c.number == number)
        with self._engine.connect() as connection:
            return int(connection.execute(counted).scalar_one())

    def copies(self, number: int, limit: int) -> list[CopyJob]:
        """The copy jobs of an operation, those under way first, the newest first."""
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
        """How many copy jobs of an operation are under way, and how many there are in all."""
        under_way = sa.func.sum(sa.case((copies.c.ended, 0), else_=1))
        counted = sa.select(under_way, sa.func.count()).where(copies.c.number == number)
        with self._engine.connect() as connection:
            row = connection.execute(counted).one()
            return int(row[0] or 0), int(row[1])

    def next_due(self, number: int) -> int | None:
        """When the first asset that settles is due, by the clock of operations."""
        due = sa.select(sa.func.min(assets.c.not_before_ms)).where(
            assets.c.number == number, assets.c.state == "recheck"
        )
        with self._engine.connect() as connection:
            return connection.execute(due).scalar()

    def is_newer_unlisted(self, operation: Operation) -> bool:
        """Whether the assets of a newer click on the opposite action aren't known yet."""
        with self._engine.connect() as connection:
            return Precedence(connection, operation).is_any_unknown

    def clock(self) -> int:
        """What time it was for operations when it was last noted."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.max(terms.c.clock_ms))).scalar() or 0


def _conditions(filters: Filters) -> Iterator[sa.ColumnElement[bool]]:
    ended, failed = operations.c.ended_ms.is_not(None), operations.c.failure.is_not(None)
    if filters.state == "running":
        yield ~ended
    elif filters.state == "failed":
        yield failed
    elif filters.state:
        yield sa.and_(~failed, operations.c.result == filters.state)
    if filters.action:
        yield operations.c.action == filters.action
    if filters.text:
        text = filters.text.lower()
        about = sa.select(assets.c.number).where(assets.c.asset_id == text)
        title = sa.func.lower(titles.c.title).contains(text, autoescape=True)
        yield sa.or_(
            operations.c.id.startswith(text, autoescape=True),
            sa.func.lower(operations.c.user_id).startswith(text, autoescape=True),
            *(
                sa.func.lower(column).contains(text, autoescape=True)
                for column in (
                    operations.c.failure,
                    operations.c.stop_by,
                    operations.c.retry_by,
                )
            ),
            operations.c.number.in_(about),
            operations.c.number.in_(sa.select(titles.c.number).where(title)),
        )
