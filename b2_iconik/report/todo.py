"""What operations left undone, and no later operation has resolved, grouped by cause.

An outcome of a format of an asset is resolved as soon as a later operation on the same LucidLink
storage has ended with an outcome for the same format of the same asset. If that is a problem, only
the newest counts. Nothing is stored for this: each answer is queried anew.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.reasons import OTHER, Cause
from b2_iconik.ledger.operations import read_operation
from b2_iconik.ledger.tables import assets, is_expanded, operations, unlisted
from b2_iconik.report import view
from b2_iconik.report.advice import heading, what_to_do
from b2_iconik.report.history import History
from b2_iconik.report.reported import Reported, each_outcome, has_problem, json_text, may_have

# More problems than anybody reads. A page is quick even then.
MOST = 50_000
ROWS_A_GROUP = 20
ROWS_A_PAGE = 50
OPERATIONS_SHOWN = 10
READ_AT_ONCE = 500
# What a retry may complete. That an asset no longer exists is nothing to do.
OPEN = ("kept", "failed")
ADDED = ("operation_id", "operation", "user", "ended")
COLUMNS, HEADINGS = (*view.COLUMNS, *ADDED), (*view.HEADINGS, *ADDED)


class Left(NamedTuple):
    """One thing that is left to do.

    Attributes:
        number: the number of the operation that left it.
        asset_id: the asset; or the collection, saved search or playlist, like 'collection <id>'; ""
            for the whole operation.
        format_name: None unless it is an asset.
        label: the label of its cause.
    """

    number: int
    asset_id: str
    format_name: str | None
    label: str


class ToDo:
    """What is left to do, read-only.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` if the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reported = Reported(engine)
        self._history = History(engine)

    def listed(self, label: str = "", start: int = 0) -> tuple[dict[str, Any], int | None]:
        """Return what is left to do as JSON values, by cause.

        Args:
            label: only what has this cause.
            start: the number of rows to leave out.

        Returns:
            The groups, each with its first rows; and where the next page starts, for one cause.
        """
        every = self.every()
        groups = grouped(every, label)
        limit = ROWS_A_PAGE if label else ROWS_A_GROUP
        shown = {each: left[start : start + limit] for each, left in groups.items()}
        numbers = {each: _first_numbers(left) for each, left in groups.items()}
        wanted = {one.number for left in shown.values() for one in left}
        known = self._operations(wanted.union(*numbers.values()))
        told = {
            "assets": _assets_in(one for left in groups.values() for one in left),
            "is_complete": len(every) < MOST,
            "groups": [
                {
                    "cause": each,
                    "heading": heading(each),
                    "what_to_do": what_to_do("failed", Cause(each) if each != OTHER else None),
                    "assets": _assets_in(left),
                    "selections": sum(one.format_name is None for one in left),
                    "left": len(left),
                    "operations": [view.brief(known[number]) for number in numbers[each]],
                    "rows": list(self._rows(shown[each], known)),
                }
                for each, left in groups.items()
            ],
        }
        ends = [start + limit for left in groups.values() if len(left) > start + limit]
        return told, ends[0] if label and ends else None

    def rows(self, label: str = "") -> Iterator[dict[str, Any]]:
        """Yield all that is left to do, reading it in parts."""
        every = [one for left in grouped(self.every(), label).values() for one in left]
        for at in range(0, len(every), READ_AT_ONCE):
            some = every[at : at + READ_AT_ONCE]
            yield from self._rows(some, self._operations({one.number for one in some}))

    def every(self) -> list[Left]:
        """Return what is left to do, that of the newest operations first."""
        is_sqlite = self._engine.dialect.name == "sqlite"
        both = sa.union_all(_problems(), _undone(is_sqlite)).subquery()
        of_assets = sa.select(both).order_by(both.c.number.desc(), both.c.asset_id).limit(MOST)
        with self._engine.connect() as connection:
            rows = [
                *connection.execute(of_assets).all(),
                *connection.execute(_unopened()).all(),
                *connection.execute(_unbegun()).all(),
            ]
        found = [Left(number, what, name, cause or OTHER) for number, what, name, cause in rows]
        return sorted(found, key=lambda one: -one.number)

    def _operations(self, numbers: Iterable[int]) -> dict[int, Operation]:
        chosen = sa.select(operations).where(operations.c.number.in_(list(numbers)))
        with self._engine.connect() as connection:
            return {row.number: read_operation(row) for row in connection.execute(chosen)}

    def _rows(
        self, some: Sequence[Left], known: Mapping[int, Operation]
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of what is left, with their operation."""
        for (number, _), left in groupby(some, key=lambda one: (one.number, one.label)):
            operation = known[number]
            told = view.summary(operation, {}, now_ms())
            more = {
                "operation_id": operation.id,
                "operation": told["title"],
                "user": view.person(told),
                "ended": told["ended"],
            }
            for row in self._of(operation, list(left)):
                yield {**row, **more}

    def _of(self, operation: Operation, left: Sequence[Left]) -> Iterator[dict[str, Any]]:
        """Yield the rows of what one operation left."""
        names = {(one.asset_id, one.format_name) for one in left}
        ids = {one.asset_id for one in left if one.format_name}
        found = self._reported.some(operation, ids) if ids else []
        # A format may have several rows, but one thing to do.
        for row in view.asset_rows(operation, found):
            key = (row["asset_id"], row["format"])
            if key in names and row["kind"] in (*OPEN, "undone"):
                names.discard(key)
                yield row
        for what, reason in self._history.unopened(operation.number) if names else ():
            if (what, None) in names:
                yield from view.unopened_rows(operation, [(what, reason)])
        if ("", None) in names:
            yield view.operation_row(operation)


def grouped(every: Iterable[Left], label: str = "") -> dict[str, list[Left]]:
    """Group what is left by the label of its cause, the most significant cause first.

    Args:
        every: what is left.
        label: only this group.
    """
    groups: dict[str, list[Left]] = {}
    for one in every:
        if label in ("", one.label):
            groups.setdefault(one.label, []).append(one)
    places = {cause.value: place for place, cause in enumerate(Cause)}
    return dict(sorted(groups.items(), key=lambda each: places.get(each[0], len(places))))


def _assets_in(left: Iterable[Left]) -> int:
    return len({one.asset_id for one in left if one.format_name})


def _first_numbers(left: Iterable[Left]) -> list[int]:
    return list(dict.fromkeys(one.number for one in left))[:OPERATIONS_SHOWN]


# Queries for the number of an operation, what is left, its format and the value of its cause.

_later, _later_operation = sa.alias(assets, "later"), sa.alias(operations, "later_operation")


def _problems() -> sa.Select[Any]:
    """Select what was kept or failed."""
    each, later = each_outcome(assets), each_outcome(_later, "later_outcome")
    has_outcome = (
        sa.select(sa.literal(1))
        .select_from(later)
        .where(later.c.key == each.c.key, json_text(later, 0) != "superseded")
        .correlate(_later, each)
        .exists()
    )
    return (
        sa.select(assets.c.number, assets.c.asset_id, each.c.key, json_text(each, 3))
        .select_from(_assets_of_operations().join(each, sa.true()))
        .where(
            assets.c.number.in_(_ended(may_have(OPEN))),
            has_problem(OPEN),
            json_text(each, 0).in_(OPEN),
            ~_is_later(has_outcome, each),
        )
    )


def _undone(is_sqlite: bool) -> sa.Select[Any]:
    """Select what operations that failed or were stopped have no outcome for."""
    each, name = each_outcome(assets), _names(operations, "name", is_sqlite)
    later_name = _names(_later_operation, "later_name", is_sqlite)
    has_outcome = (
        sa.select(sa.literal(1))
        .select_from(each)
        .where(each.c.key == name.c.value)
        .correlate(assets, name)
        .exists()
    )
    has_format = (
        sa.select(sa.literal(1))
        .select_from(later_name)
        .where(later_name.c.value == name.c.value)
        .correlate(_later_operation, name)
        .exists()
    )
    is_cut_short = sa.or_(operations.c.failure.is_not(None), operations.c.stop_ms.is_not(None))
    progress = sa.cast(assets.c.progress, sa.Text)
    cause = sa.case(
        (progress.contains('"deletions"'), Cause.HALF_DELETED.value),
        (progress.contains('"copy_results"'), Cause.LEFT_TO_ICONIK.value),
        else_=Cause.NOT_STARTED.value,
    )
    return (
        sa.select(assets.c.number, assets.c.asset_id, name.c.value, cause)
        .select_from(_assets_of_operations().join(name, sa.true()))
        .where(
            assets.c.number.in_(_ended(is_cut_short, may_have(("failed", "undone")))),
            ~has_outcome,
            ~_is_later(has_format, name),
        )
    )


def _unopened() -> sa.Select[Any]:
    """Select what could not be listed, of operations that were not retried."""
    return (
        sa.select(unlisted.c.number, unlisted.c.what, sa.null(), unlisted.c.cause)
        .join(operations, operations.c.number == unlisted.c.number)
        .where(operations.c.ended_ms.is_not(None), _is_not_retried())
        .order_by(unlisted.c.number.desc(), unlisted.c.what)
        .limit(MOST)
    )


def _unbegun() -> sa.Select[Any]:
    """Select the operations that ended before their assets were known, and were not retried."""
    has_assets = sa.select(assets.c.number).where(assets.c.number == operations.c.number).exists()
    has_failed = operations.c.failure.is_not(None)
    cause = sa.case((has_failed, operations.c.failure_cause), else_=Cause.NOT_STARTED.value)
    return (
        sa.select(operations.c.number, sa.literal(""), sa.null(), cause)
        .where(
            operations.c.ended_ms.is_not(None),
            sa.or_(has_failed, ~is_expanded),
            ~has_assets,
            _is_not_retried(),
        )
        .order_by(operations.c.number.desc())
        .limit(MOST)
    )


def _assets_of_operations() -> Any:
    return operations.join(assets, assets.c.number == operations.c.number)


def _ended(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Select the numbers of ended operations: few, so that only their assets are read."""
    ended = sa.select(operations.c.number).where(operations.c.ended_ms.is_not(None), *conditions)
    # Not those of the query around it.
    return ended.correlate(None)


def _is_later(how: sa.ColumnElement[bool], each: Any) -> sa.ColumnElement[bool]:
    """Whether a later operation that has ended meets a condition for the same asset."""
    return (
        sa.select(sa.literal(1))
        .select_from(_later.join(_later_operation, _later_operation.c.number == _later.c.number))
        .where(
            _later.c.asset_id == assets.c.asset_id,
            _later.c.number > assets.c.number,
            _later_operation.c.ended_ms.is_not(None),
            _later_operation.c.ll_storage_id == operations.c.ll_storage_id,
            how,
        )
        .correlate(assets, operations, each)
        .exists()
    )


def _is_not_retried() -> sa.ColumnElement[bool]:
    retry = sa.alias(operations, "retry")
    retried = sa.select(retry.c.retry_of).where(retry.c.retry_of.is_not(None))
    return operations.c.id.not_in(retried)


def _names(of: Any, name: str, is_sqlite: bool) -> Any:
    """Return the formats of an operation as rows of ``value``."""
    read = sa.func.json_each if is_sqlite else sa.func.json_array_elements_text
    return read(of.c.formats).table_valued("value", name=name)
