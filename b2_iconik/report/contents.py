"""The contents of the operations page, its JSON and its CSV, read from the database."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import Operation
from b2_iconik.ledger.operations import Ledger
from b2_iconik.report import view
from b2_iconik.report.history import Filters, History
from b2_iconik.report.reported import FIRST, Place, Reported

ASSETS_A_PAGE = 50
JOBS_SHOWN = 20
UNOPENED_SHOWN = 100
READ_AT_ONCE = 1000
PROBLEM, REST = "problem", "rest"


@dataclass(frozen=True)
class Asked:
    """Which assets of an operation to show.

    Attributes:
        show: only those with this kind of outcome.
        text: only those about which this text is; see ``reported.is_about``.
        after: the name of the place where the page starts; see ``report``.
    """

    show: str = ""
    text: str = ""
    after: str = ""


class Contents:
    """The contents of all pages, with a method for each.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` if the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.history = History(engine)
        self.operation = Ledger(engine).operation
        self._reported = Reported(engine)

    def listed(
        self, filters: Filters, limit: int, before: int | None
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Return the newest operations, and the number to continue after; None at the end."""
        found = self.history.operations(filters, limit + 1, before)
        shown = found[:limit]
        return self.summaries(shown), shown[-1].number if len(found) > limit else None

    def summaries(self, operations: Sequence[Operation]) -> list[dict[str, Any]]:
        """Return a summary of each operation."""
        progress = self.history.progress(each.number for each in operations)
        done = self.history.bytes_done(each.number for each in operations if not each.ended_ms)
        return [
            view.summary(each, progress[each.number], now_ms(), done.get(each.number))
            for each in operations
        ]

    def in_full(self, operation: Operation) -> dict[str, Any]:
        """Return one operation with its copy jobs, but without its assets."""
        number, there = operation.number, self.history
        under_way, copies = there.copies_in_all(number)
        clock_ms = there.clock()
        moment = view.Moment(
            now_ms=now_ms(),
            clock_ms=clock_ms,
            progress=there.progress([number])[number],
            totals=[] if operation.counts else self._reported.totals(number),
            bytes_done=None if operation.ended_ms else there.bytes_done([number]).get(number),
            copies_under_way=under_way,
            copies=copies,
            unopened=there.unopened_in_all(number),
            not_before_ms=there.next_due(number),
            is_newer_unlisted=there.is_newer_unlisted(operation),
            unfinished=[] if operation.ended_ms else there.unfinished(number),
        )
        jobs = there.copies(number, JOBS_SHOWN)
        return {**view.in_full(operation, moment), "copies": list(view.copy_rows(jobs, clock_ms))}

    def report(self, operation: Operation, asked: Asked) -> tuple[dict[str, Any], str | None]:
        """Return a page of the report, and the name of the place where the next page starts."""
        found = self._reported.page(
            operation,
            ASSETS_A_PAGE + 1,
            after=_place(asked.after),
            show=asked.show,
            text=asked.text,
        )
        assets = found[:ASSETS_A_PAGE]
        rows = view.asset_rows(operation, assets, self.history.clock())
        if asked.show:
            rows = (row for row in rows if row["kind"] == asked.show)
        is_first = not asked.after and not asked.text and asked.show in ("", "failed")
        unopened = self.history.unopened(operation.number, UNOPENED_SHOWN) if is_first else []
        told = {
            "report": [*view.unopened_rows(unopened), *rows],
            "unopened_shown": len(unopened),
        }
        return told, _named(assets[-1].place) if len(found) > len(assets) else None

    def as_csv(self, operation: Operation) -> Iterator[str]:
        """Yield the whole report as CSV, in parts."""
        # With this byte order mark, spreadsheets read the file as UTF-8.
        yield "\ufeff" + _line(view.HEADINGS)
        for row in self.rows(operation):
            yield _line(view.csv_row(row))

    def rows(self, operation: Operation) -> Iterator[dict[str, Any]]:
        """Yield the rows of the whole report, reading them in parts."""
        unopened = view.unopened_rows(self.history.unopened(operation.number))
        assets = self._reported.every(operation, READ_AT_ONCE)
        return chain(unopened, view.asset_rows(operation, assets, self.history.clock()))


def _named(place: Place) -> str:
    """Return the name of a place in a report, as used in the URL of a page."""
    return f"{PROBLEM if place.is_problem else REST}:{place.asset_id}"


def _place(name: str) -> Place:
    """Return the place with a name; the first place if the name is not valid."""
    part, _, asset_id = name.partition(":")
    return Place(part == PROBLEM, asset_id) if part in (PROBLEM, REST) else FIRST


def _line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(cells)
    return line.getvalue()
