"""Read iconik's lists page by page, and check that they are complete.

Some lists number their pages, so that several pages can be requested concurrently. If an object is
removed while such a list is read, all later objects move, some of them to pages already read. Then
the list is read again. Other lists, below files/v1/assets, page by the last id of the previous
page.

A list declares its number of objects and pages. A list that holds fewer is no evidence that an
object doesn't exist, so it is read again too.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iconik_http.errors import IconikUnavailable, Incomplete, NotFound
from iconik_http.expiry import Reading

log = logging.getLogger(__name__)

Page = dict[str, Any]
# Has the interface of ``map``; may run the calls concurrently.
Map = Callable[[Callable[[int], Page], Iterable[int]], Iterable[Page]]
# Requests a page by its URL and query.
Ask = Callable[[str, Mapping[str, str] | None], Any]

PAGE = 100
PAGES_AT_ONCE = 32
# The maximum number of readings of a list that changes each time, or is never complete.
READINGS = 3
# Represents a page that a list named and no longer has.
GONE: Page = {"objects": []}


class _Tally:
    """Compares the pages read of a list with the numbers that the list declares.

    A list that pages by the last id may count only the remaining objects, so the largest count
    applies.
    """

    def __init__(self) -> None:
        self._ids: set[object] = set()
        self._without_id = 0
        self._read = 0
        self._pages = 0
        self._totals: set[int] = set()
        self._can_move = False
        self._has_lost = False

    def add(self, page: Page | None) -> None:
        """Count a page; None is one that the list named and no longer has."""
        if page is None:
            self._has_lost = True
            return
        self._read += 1
        self._can_move = self._can_move or _is_numbered(page)
        self._pages = max(self._pages, _number(page, "pages") or 0)
        total = _number(page, "total")
        if total is not None:
            self._totals.add(total)
        for each in page["objects"]:
            identity = _identity(each)
            if identity is None:
                self._without_id += 1
            else:
                self._ids.add(identity)

    def is_settled(self, call: str, reading: int) -> bool:
        """Return whether the pages read can be used as the list.

        Args:
            call: the call, for messages.
            reading: the number of this reading, from 1. The last reading is accepted even if the
                list changed meanwhile.

        Raises:
            Incomplete: something is missing after the last reading.
        """
        lack, is_last = self._lack(), reading == READINGS
        if lack and is_last:
            raise Incomplete(call, f"the list is incomplete: {lack}")
        has_moved = self._can_move and len(self._totals) > 1
        if has_moved and is_last:
            log.warning("could not %s consistently, because the list keeps changing", call)
        return is_last or not (lack or has_moved)

    def _lack(self) -> str:
        """Describe what is missing; "" if nothing is known to be missing."""
        objects, total = len(self._ids) + self._without_id, max(self._totals, default=0)
        if objects < total:
            return f"{objects:,} of {total:,} objects"
        if self._read < self._pages:
            return f"{self._read:,} of {self._pages:,} pages"
        return "one of its pages is gone (404)" if self._has_lost else ""


@dataclass(frozen=True)
class PagedList:
    """A list of iconik's.

    Attributes:
        ask: requests a page; raises ``NotFound`` if there is no such page.
        call: the call, for messages.
        root: scheme and host of iconik.
        url: the URL of the list.
        params: the query of the list.
    """

    ask: Ask
    call: str
    root: str
    url: str
    params: Mapping[str, str]

    def read(self, side_by_side: Map) -> Iterator[dict[str, Any]]:
        """Yield every object once, as soon as its page is read.

        Args:
            side_by_side: requests all pages but the first of a list that numbers its pages
                (``pages``).

        Raises:
            Incomplete: the list holds fewer objects than it declares, in every reading. Those that
                it holds have been yielded.
            IconikUnavailable: an answer is not a page, or the pages form a cycle.
            NotFound: there is no such list.
        """
        seen: set[object] = set()
        reading = 0
        while True:
            reading += 1
            tally = _Tally()
            for page in self._pages(side_by_side):
                tally.add(page)
                for each in page["objects"] if page else ():
                    identity = _identity(each)
                    if identity is None or identity not in seen:
                        yield each
                    seen.add(identity)
            if tally.is_settled(self.call, reading):
                return

    def read_whole(self, taken: Reading) -> list[dict[str, Any]]:
        """Return all objects from one complete reading, as evidence of what doesn't exist.

        Args:
            taken: records when each page was requested. A further reading replaces the last one.

        Raises:
            Incomplete, IconikUnavailable, NotFound: as in ``read``.
        """
        before = replace(taken)
        reading = 0
        while True:
            reading += 1
            tally, objects = _Tally(), list[dict[str, Any]]()
            taken.began, taken.pages = before.began, before.pages
            for page in self._pages(map):
                tally.add(page)
                objects += page["objects"] if page else ()
            if tally.is_settled(self.call, reading):
                return objects

    def _pages(self, side_by_side: Map) -> Iterator[Page | None]:
        """Yield the pages of the list; None for one that the list named and no longer has."""
        query = {**self.params, "per_page": str(PAGE)}
        page = self._page(self.url, query)
        yield page
        pages = page.get("pages")
        if _is_numbered(page) and isinstance(pages, int):

            def numbered(number: int) -> Page:
                try:
                    return self._page(self.url, {**query, "page": str(number)})
                except NotFound:
                    return GONE

            for start in range(2, pages + 1, PAGES_AT_ONCE):
                numbers = range(start, min(start + PAGES_AT_ONCE, pages + 1))
                for page in side_by_side(numbered, numbers):
                    yield None if page is GONE else page
                if not page["objects"]:
                    return
        # Pages added since the first request, or all further pages of a list without numbers.
        seen: set[str] = set()
        while following := self._next(page):
            if following in seen:
                raise IconikUnavailable(self.call, "iconik's pages form a loop")
            seen.add(following)
            try:
                page = self._page(following, None)
            except NotFound:
                # The page is gone, not the list: its first page was just read.
                yield None
                return
            yield page

    def _page(self, url: str, query: Mapping[str, str] | None) -> Page:
        answer = self.ask(url, query)
        objects = answer.get("objects") if isinstance(answer, dict) else None
        if not isinstance(objects, list) or not all(isinstance(each, dict) for each in objects):
            raise IconikUnavailable(self.call, "iconik's answer is not a list")
        return dict(answer)

    def _next(self, page: Page) -> str:
        path = page.get("next_url")
        if not path:
            return ""
        # Every request carries our tokens, so no answer may redirect us to another host.
        if isinstance(path, str) and path.startswith(f"{self.root}/"):
            return path
        if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
            raise IconikUnavailable(self.call, "iconik's next page is not a path on the same host")
        return f"{self.root}{path}"


def _identity(each: Mapping[str, Any]) -> object | None:
    """Return what identifies an object within its list; None if nothing does."""
    found = each.get("id")
    return found if isinstance(found, str | int) else None


def _number(page: Page, name: str) -> int | None:
    found = page.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _is_numbered(first: Page) -> bool:
    """Return whether a list numbers its pages. Some such lists don't declare how many there are."""
    return "page=2" in str(first.get("next_url") or "").partition("?")[2].split("&")
