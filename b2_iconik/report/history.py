"""Past and running operations for display, read in pages, whatever an operation's size."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.advice import causes_named
from b2_iconik.domain.click import Action
from b2_iconik.domain.operation import Operation, default_title
from b2_iconik.domain.outcomes import TROUBLE
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.operations import read_operation
from b2_iconik.ledger.precedence import Precedence, takers
from b2_iconik.ledger.tables import assets, copies, has_marked, operations, terms, unlisted
from b2_iconik.report.conditions import (
    contains,
    has_cause,
    ids_in,
    is_about,
    is_of_user,
    is_on_days,
    may_have,
)

# Of more unfinished assets, the oldest need not be found.
MOST_UNFINISHED = 100
STATES = ("running", "done", "partly done", "failed", "nothing to do", "stopped")
NEWEST = sa.select(operations).order_by(operations.c.number.desc())
# The columns that name an operation; see ``title_of``.
TITLED = (
    operations.c.id,
    operations.c.title,
    operations.c.action,
    operations.c.selection,
    operations.c.keep_ms,
)


@dataclass(frozen=True)
class Filters:
    """Which operations to list. Empty filters are ignored.

    Attributes:
        state: one of ``STATES``. An operation that is stopping counts as running.
        action: one of ``click.ACTIONS``.
        text: the id of an operation, asset or user, or its start; the address of an asset's page;
            a cause in words; or a part of a title, of a file's name, of a failure, or of the name
            of a user who clicked, stopped or retried it.
        user: the id of the user who clicked, or a part of their name.
        cause: the value of a cause that a part of the operation has.
        since, until: the first and the last day of its click, in UTC.
    """

    state: str = ""
    action: str = ""
    text: str = ""
    user: str = ""
    cause: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True)
class Newer:
    """An operation that took over from another.

    Attributes:
        user: the name of the person who clicked or retried it; None if unknown.
    """

    operation_id: str
    action: Action
    title: str
    user: str | None


class History:
    """Operations, read-only.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` if the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def operations(self, filters: Filters, limit: int, skip: int = 0) -> list[Operation]:
        """Return operations that match a filter, the newest first.

        Args:
            skip: the number of newer ones to leave out.
        """
        chosen = NEWEST.where(*_conditions(filters)).limit(limit).offset(skip)
        return self._operations(chosen)

    def matching(self, filters: Filters) -> int:
        """Return the number of operations that match a filter."""
        return self._count(operations, *_conditions(filters))

    def starting_with(self, text: str, limit: int) -> list[Operation]:
        """Return the newest operations whose id starts with a text."""
        is_meant = operations.c.id.startswith(text, autoescape=True)
        return self._operations(NEWEST.where(is_meant).limit(limit))

    def running(self) -> int:
        """Return the number of operations that haven't ended."""
        return self.matching(Filters("running"))

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
        return self._count(unlisted, unlisted.c.number == number)

    def retries(self, operation_id: str) -> list[Operation]:
        """Return the operations that retry, undo or carry out an operation, the oldest first."""
        chosen = sa.select(operations).where(operations.c.retry_of == operation_id)
        return self._operations(chosen.order_by(operations.c.number))

    def about(self, numbers: Iterable[int], text: str) -> set[int]:
        """Return which operations have an asset that a text is about."""
        chosen = sa.select(assets.c.number).where(assets.c.number.in_(list(numbers)))
        with self._engine.connect() as connection:
            return set(connection.execute(chosen.where(is_about(text)).distinct()).scalars())

    def copies(self, number: int, limit: int, clock_ms: int) -> list[dict[str, Any]]:
        """Return the copy jobs of an operation as JSON values: running ones first, then newest.

        Each with the number of ``assets`` that wait for it, its ``progress`` in percent, and the
        ``followed_seconds`` since it was requested, while it runs. "" is an unknown format.

        Args:
            clock_ms: the time by the clock of operations.
        """
        chosen = (
            sa.select(copies)
            .where(copies.c.number == number)
            .order_by(copies.c.ended, copies.c.requested_ms.desc(), copies.c.job_id)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(chosen).all()
            # All at once: the assets of a batch are not indexed.
            batches = {row.batch for row in rows if not row.ended}
            counted = (
                sa.select(assets.c.batch, sa.func.count())
                .where(assets.c.number == number, assets.c.batch.in_(batches))
                .group_by(assets.c.batch)
            )
            found = connection.execute(counted).all() if batches else []
        waiting = {row.batch: int(row[1]) for row in found}
        return [
            {
                "job_id": row.job_id,
                "format_name": row.format_name,
                "ended": row.ended,
                "assets": 0 if row.ended else waiting.get(row.batch, 0),
                "progress": row.progress,
                "followed_seconds": None
                if row.ended
                else max(0, clock_ms - row.requested_ms) // 1000,
            }
            for row in rows
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

    def unfinished(self, number: int) -> list[tuple[str, int]]:
        """Return what is being written for some assets to recheck, the oldest first.

        Each with the time since when, by the clock of operations; see ``AssetProgress``.
        """
        # If something is, the key is in the text.
        chosen = sa.select(assets.c.progress).where(
            assets.c.number == number,
            assets.c.state == "recheck",
            sa.cast(assets.c.progress, sa.Text).contains('"unfinished"'),
        )
        with self._engine.connect() as connection:
            rows = connection.execute(chosen.limit(MOST_UNFINISHED))
            found = [AssetProgress.from_json(row.progress) for row in rows]
        since = [(each.unfinished, each.unfinished_ms or 0) for each in found]
        return sorted(since, key=lambda each: (each[1], each[0]))

    def is_newer_unlisted(self, operation: Operation) -> bool:
        """Return whether a newer click on the opposite action has assets that aren't known yet."""
        with self._engine.connect() as connection:
            return Precedence(connection, operation).is_any_unknown

    def has_marked(self, number: int) -> bool:
        """Return whether something that an operation has marked deleted can still be restored."""
        chosen = sa.select(assets.c.asset_id).where(assets.c.number == number, has_marked())
        with self._engine.connect() as connection:
            return connection.execute(chosen.limit(1)).first() is not None

    def newer(self, operation: Operation, asset_ids: Sequence[str]) -> dict[tuple[str, str], Newer]:
        """Return by asset and format the newest operation that took it over from an operation."""
        whose = (operations.c.retry_by, operations.c.user_name)
        found = takers(operation, asset_ids, *TITLED, *whose).order_by(operations.c.number)
        newest = {}
        with self._engine.connect() as connection:
            for row in connection.execute(found):
                user = row.retry_by or row.user_name or None
                newer = Newer(row.id, row.action, title_of(row), user)
                newest.update(dict.fromkeys(((row.asset_id, name) for name in row.formats), newer))
        return newest

    def clock(self) -> int:
        """Return the last recorded time of the clock of operations."""
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.max(terms.c.clock_ms))).scalar() or 0

    def _operations(self, chosen: sa.Select[Any]) -> list[Operation]:
        with self._engine.connect() as connection:
            return [read_operation(row) for row in connection.execute(chosen)]

    def _count(self, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
        counted = sa.select(sa.func.count()).select_from(table).where(*conditions)
        with self._engine.connect() as connection:
            return int(connection.execute(counted).scalar_one())


def title_of(row: Any) -> str:
    """Return the title of an operation, from a row with the columns ``TITLED``."""
    return row.title or default_title(row.action, row.selection, row.keep_ms)


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
    if filters.user:
        yield is_of_user(operations, filters.user)
    if filters.cause:
        yield _has_cause(filters.cause)
    yield from is_on_days(operations.c.recorded_ms, filters.since, filters.until)
    if filters.text:
        text, columns = filters.text.lower(), operations.c
        about = sa.select(assets.c.number).where(is_about(filters.text))
        shown = (columns.failure, columns.stop_by, columns.retry_by, columns.title)
        yield sa.or_(
            columns.id.startswith(text, autoescape=True),
            columns.id.in_(ids_in(text)),
            *(_has_cause(cause) for cause in causes_named(text)),
            sa.func.lower(columns.user_id).startswith(text, autoescape=True),
            *(contains(column, filters.text) for column in (*shown, columns.user_name)),
            columns.number.in_(about),
        )


def _has_cause(cause: str) -> sa.ColumnElement[bool]:
    """Build a condition: something in an operation was not done for this cause."""
    of_assets = sa.exists().where(assets.c.number == operations.c.number, has_cause(cause))
    found = [
        operations.c.failure_cause == cause,
        operations.c.number.in_(sa.select(unlisted.c.number).where(unlisted.c.cause == cause)),
        sa.and_(may_have(TROUBLE), of_assets),
    ]
    if cause == Cause.NOT_STARTED.value:
        # No outcome is stored for what was not started.
        found.append(operations.c.counts["undone"].as_integer() > 0)
    return sa.or_(*found)
