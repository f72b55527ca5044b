"""What is left to do as it is shown: grouped by cause, with advice, in pages or as rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.advice import heading, what_to_do
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.reasons import OTHER, Cause
from b2_iconik.ledger.operations import read_operation
from b2_iconik.ledger.tables import operations
from b2_iconik.report import outcome_rows, view
from b2_iconik.report.history import History
from b2_iconik.report.reported import Reported
from b2_iconik.report.unresolved import MOST, OPEN, Left, unresolved

ROWS_A_GROUP = 20
ROWS_A_PAGE = 50
OPERATIONS_SHOWN = 10
READ_AT_ONCE = 500
ADDED = ("operation_id", "operation", "user", "ended")
COLUMNS, HEADINGS = (*outcome_rows.COLUMNS, *ADDED), (*outcome_rows.HEADINGS, *ADDED)


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
        every = unresolved(self._engine)
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
        every = [one for left in grouped(unresolved(self._engine), label).values() for one in left]
        for at in range(0, len(every), READ_AT_ONCE):
            some = every[at : at + READ_AT_ONCE]
            yield from self._rows(some, self._operations({one.number for one in some}))

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
        for row in outcome_rows.asset_rows(operation, found, self._history.clock()):
            key = (row["asset_id"], row["format"])
            if key in names and row["kind"] in (*OPEN, "undone"):
                names.discard(key)
                yield row
        for what, reason in self._history.unopened(operation.number) if names else ():
            if (what, None) in names:
                yield from outcome_rows.unopened_rows(operation, [(what, reason)])
        if ("", None) in names:
            yield outcome_rows.operation_row(operation)


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
