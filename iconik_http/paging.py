"""iconik's lists, read page by page; whatever they hold.

Some number their pages, so that several can be asked for side by side. But then what is taken out
of a list while it is read moves all that follows, some of it to a page that was read already: such
a list is read again. Others, below files/v1/assets, page by the last id of the page before.

A list tells how many objects and pages it has. One that holds fewer is no evidence of what there
isn't: it is read again, too.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from iconik_http.errors import IconikUnavailable, Incomplete, NotFound

log = logging.getLogger(__name__)

Page = dict[str, Any]
# Like ``map``, whatever it does side by side.
Map = Callable[[Callable[[int], Page], Iterable[int]], Iterable[Page]]
# Asks for a page by its URL and query.
Ask = Callable[[str, Mapping[str, str] | None], Any]

PAGE = 100
PAGES_AT_ONCE = 32
# How many times a list is read if it changes each time, or is never complete.
READINGS = 3
# Stands for a page that a list has named, and no longer has.
GONE: Page = {"objects": []}


class _Tally:
    """What was read of a list, against what the list tells of itself.

    A list that pages by the last id may count what is left of it, so the largest count counts.
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
        """Count a page; None is one that the list has named, and no longer has."""
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
        """Whether what was read can be taken for the list.

        Args:
            call: what was asked, for messages.
            reading: the how manieth reading it was; from the last one, what can't be read in one
                state is taken as it is.

        Raises:
            Incomplete: something is lacking after the last reading.
        """
        lack, is_last = self._lack(), reading == READINGS
        if lack and is_last:
            raise Incomplete(call, f"the list is incomplete: {lack}")
        has_moved = self._can_move and len(self._totals) > 1
        if has_moved and is_last:
            log.warning("could not %s consistently, because the list keeps changing", call)
        return is_last or not (lack or has_moved)

    def _lack(self) -> str:
        """What is lacking, in words; "" where nothing is known to be."""
        objects, total = len(self._ids) + self._without_id, max(self._totals, default=0)
        if objects < total:
            return f"{objects:,} of {total:,} objects"
        if self._read < self._pages:
            return f"{self._read:,} of {self._pages:,} pages"
        return "one of its pages is gone (404)" if self._has_lost else ""


def read(
    ask: Ask, call: str, root: str, url: str, params: Mapping[str, str], side_by_side: Map
) -> Iterator[dict[str, Any]]:
    """Yield every object of a list, each once, as soon as its page is read.

    Args:
        ask: raises ``NotFound`` where there is no such page.
        call: what is asked, for messages.
        root: scheme and host of iconik.
        url: of the list.
        side_by_side: asks for the pages of a list that numbers them (``pages``), all but the first.

    Raises:
        Incomplete: it holds less than it tells, each time; what it holds has been yielded.
        IconikUnavailable: an answer is no page, or the pages go round in a circle.
        NotFound: there is no such list.
    """
    seen: set[object] = set()
    reading = 0
    while True:
        reading += 1
        tally = _Tally()
        for page in _pages(ask, call, root, url, params, side_by_side):
            tally.add(page)
            for each in page["objects"] if page else ():
                identity = _identity(each)
                if identity is None or identity not in seen:
                    yield each
                seen.add(identity)
        if tally.is_settled(call, reading):
            return


def read_whole(
    ask: Ask, begin: Callable[[], None], call: str, root: str, url: str, params: Mapping[str, str]
) -> list[dict[str, Any]]:
    """All objects of a list, as they are when it is read completely: evidence of what there isn't.

    Args:
        begin: called before each reading; what was read before it counts no more.
        ask, call, root, url: as in ``read``, which see for exceptions, too.
    """
    reading = 0
    while True:
        reading += 1
        tally, objects = _Tally(), list[dict[str, Any]]()
        begin()
        for page in _pages(ask, call, root, url, params, map):
            tally.add(page)
            objects += page["objects"] if page else ()
        if tally.is_settled(call, reading):
            return objects


def _pages(
    ask: Ask, call: str, root: str, url: str, params: Mapping[str, str], side_by_side: Map
) -> Iterator[Page | None]:
    """The pages of a list; None for one that it has named, and no longer has."""
    query = {**params, "per_page": str(PAGE)}
    page = _page(ask(url, query), call)
    yield page
    pages = page.get("pages")
    if _is_numbered(page) and isinstance(pages, int):

        def numbered(number: int) -> Page:
            try:
                return _page(ask(url, {**query, "page": str(number)}), call)
            except NotFound:
                return GONE

        for start in range(2, pages + 1, PAGES_AT_ONCE):
            numbers = range(start, min(start + PAGES_AT_ONCE, pages + 1))
            for page in side_by_side(numbered, numbers):
                yield None if page is GONE else page
            if not page["objects"]:
                return
    # What has been added meanwhile, or all that follows.
    seen: set[str] = set()
    while following := _next(page, root, call):
        if following in seen:
            raise IconikUnavailable(call, "iconik's pages form a loop")
        seen.add(following)
        try:
            page = _page(ask(following, None), call)
        except NotFound:
            # Not of the list: that has just been there.
            yield None
            return
        yield page


def _identity(each: Mapping[str, Any]) -> object | None:
    """What tells an object from the others of its list; None if nothing does."""
    found = each.get("id")
    return found if isinstance(found, str | int) else None


def _number(page: Page, name: str) -> int | None:
    found = page.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _is_numbered(first: Page) -> bool:
    """Whether a list numbers its pages; some that don't tell how many there are all the same."""
    return "page=2" in str(first.get("next_url") or "").partition("?")[2].split("&")


def _page(answer: Any, call: str) -> Page:
    objects = answer.get("objects") if isinstance(answer, dict) else None
    if not isinstance(objects, list) or not all(isinstance(each, dict) for each in objects):
        raise IconikUnavailable(call, "iconik's answer is not a list")
    return dict(answer)


def _next(page: Mapping[str, Any], root: str, call: str) -> str:
    path = page.get("next_url")
    if not path:
        return ""
    # Our tokens go with every request, so no answer may send us to another host.
    if isinstance(path, str) and path.startswith(f"{root}/"):
        return path
    if not isinstance(path, str) or not path.startswith("/") or path.startswith("//"):
        raise IconikUnavailable(call, "iconik's next page is not a path on the same host")
    return f"{root}{path}"
