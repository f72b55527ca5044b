"""The contents of the operations page, its JSON and its CSV, read from the database."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.operations import Ledger
from b2_iconik.report import outcome_rows, view
from b2_iconik.report.asset_history import AssetHistory
from b2_iconik.report.history import Filters, History
from b2_iconik.report.reported import FIRST, Asset, Place, Reported

OPERATIONS_A_PAGE = 25
ASSETS_A_PAGE = 50
JOBS_SHOWN = 20
UNOPENED_SHOWN = 100
READ_AT_ONCE = 1000
PROBLEM, REST = "problem", "rest"


@dataclass(frozen=True)
class Part:
    """A page of an operation's report.

    Attributes:
        rows: all rows about its assets, one or more for each format.
        unopened: rows about collections, saved searches and playlists that could not be listed.
        matching: the number of assets of all pages.
        previous, next: the names of the places where the page before it ends and the page after it
            starts; None if there is none.
    """

    rows: list[dict[str, Any]]
    unopened: list[dict[str, Any]]
    matching: int
    previous: str | None
    next: str | None


class Contents:
    """The contents of all pages, with a method for each.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` if the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.history = History(engine)
        self.operation = Ledger(engine).operation
        self.reported = Reported(engine)
        self._asset_history = AssetHistory(engine)

    def listed(self, filters: Filters, limit: int, page: int = 1) -> list[dict[str, Any]]:
        """Return a page of the list of operations, the newest first."""
        shown = self.history.operations(filters, limit, (page - 1) * limit)
        about = set()
        if filters.text:
            about = self.history.about((each.number for each in shown), filters.text)
        return [
            {**each, "is_about_assets": operation.number in about}
            for each, operation in zip(self.summaries(shown), shown, strict=True)
        ]

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
            totals=[] if operation.counts else self.reported.totals(number),
            bytes_done=None if operation.ended_ms else there.bytes_done([number]).get(number),
            copies_under_way=under_way,
            copies=copies,
            unopened=there.unopened_in_all(number),
            not_before_ms=there.next_due(number),
            is_newer_unlisted=there.is_newer_unlisted(operation),
            is_marked=there.has_marked(number),
            unfinished=[] if operation.ended_ms else there.unfinished(number),
        )
        retried = self.operation(operation.origin_of) if operation.origin_of else None
        return {
            **view.in_full(operation, moment),
            "retried": retried and view.brief(retried),
            "retried_as": [view.brief(each) for each in there.retries(operation.id)],
            "copies": there.copies(number, JOBS_SHOWN, clock_ms),
        }

    def report(
        self,
        operation: Operation,
        *,
        show: str = "",
        text: str = "",
        after: str = "",
        before: str = "",
    ) -> Part:
        """Return a page of the report.

        Args:
            show: only assets with this kind of outcome.
            text: only assets about which this text is; see ``conditions.is_about``.
            after: the name of the place where the page starts; see ``Part``.
            before: the name of the place where the page ends; it overrides ``after``.
        """
        found = self.reported.page(
            operation,
            ASSETS_A_PAGE + 1,
            after=_place(after),
            before=_place(before) if before else None,
            show=show,
            text=text,
        )
        is_more = len(found) > ASSETS_A_PAGE
        assets = found[-ASSETS_A_PAGE:] if before else found[:ASSETS_A_PAGE]
        has_previous = is_more if before else bool(after)
        has_next = before or is_more
        is_first = not has_previous and not text and show in ("", "failed")
        unopened = self.history.unopened(operation.number, UNOPENED_SHOWN) if is_first else []
        return Part(
            list(self.asset_rows(operation, assets)),
            list(_unopened_rows(operation, unopened)),
            self.reported.matching(operation, show, text),
            _named(assets[0].place) if assets and has_previous else None,
            _named(assets[-1].place) if assets and has_next else None,
        )

    def rows(self, operation: Operation) -> Iterator[dict[str, Any]]:
        """Yield the rows of the whole report, reading them in parts."""
        yield from _unopened_rows(operation, self.history.unopened(operation.number))
        yield from self.asset_rows(operation, self.reported.every(operation, READ_AT_ONCE))

    def asset_rows(self, operation: Operation, assets: Iterable[Asset]) -> Iterator[dict[str, Any]]:
        """Yield the rows of assets, with the later operations that took over or did the rest."""
        rest, clock_ms = iter(assets), self.history.clock()
        while some := list(islice(rest, READ_AT_ONCE)):
            lost = [
                each.asset_id
                for each in some
                if any(outcome.kind == "superseded" for outcome in each.outcomes.values())
            ]
            newer = self.history.newer(operation, lost) if lost else {}
            rows = list(outcome_rows.asset_rows(operation, some, clock_ms, newer))
            open_ids = {row["asset_id"] for row in rows if row["what_to_do"]}
            resolved = self._asset_history.resolved(operation, open_ids) if open_ids else {}
            for row in rows:
                later = resolved.get((row["asset_id"], row["format"]))
                yield {**row, "resolved": later if row["what_to_do"] else None}


def _unopened_rows(
    operation: Operation, unopened: Iterable[tuple[str, Reason]]
) -> Iterator[dict[str, Any]]:
    # Nobody knows whether a later operation had what is in them.
    return ({**row, "resolved": None} for row in outcome_rows.unopened_rows(operation, unopened))


def _named(place: Place) -> str:
    """Return the name of a place in a report, as used in the URL of a page."""
    return f"{PROBLEM if place.is_problem else REST}:{place.asset_id}"


def _place(name: str) -> Place:
    """Return the place with a name; the first place if the name is not valid."""
    part, _, asset_id = name.partition(":")
    return Place(part == PROBLEM, asset_id) if part in (PROBLEM, REST) else FIRST
