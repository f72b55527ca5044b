"""iconik's lists, read page by page; whatever they hold.

Some number their pages, so that several can be asked for side by side. But then what is taken out
of a list while it is read moves all that follows, some of it to a page that was read already: such
a list is read again. Others, below files/v1/assets, page by the last id of the page before.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from errors import IconikUnavailable, NotFound

log = logging.getLogger(__name__)

Page = dict[str, Any]
# Like ``map``, whatever it does side by side.
Map = Callable[[Callable[[int], Page], Iterable[int]], Iterable[Page]]
# Asks for a page by its URL and query.
Ask = Callable[[str, Mapping[str, str] | None], Any]

PAGE = 100
PAGES_AT_ONCE = 32
# So often a list is read that changes each time.
READINGS = 3


def read(
    ask: Ask, call: str, root: str, url: str, params: Mapping[str, str], side_by_side: Map
) -> Iterator[dict[str, Any]]:
    """Yield every object of a list; some of them twice, if it changes meanwhile.

    Args:
        ask: raises ``NotFound`` where there is no such page.
        call: what is asked, for messages.
        root: scheme and host of iconik.
        url: of the list.
        side_by_side: asks for the pages of a list that numbers them (``pages``), all but the first.

    Raises:
        IconikUnavailable: an answer is no page, or the pages go round in a circle.
    """
    query = {**params, "per_page": str(PAGE)}
    for _ in range(READINGS):
        totals, can_move = set[Any](), False
        for page in _pages(ask, call, root, url, query, side_by_side):
            totals.add(page.get("total"))
            can_move = can_move or _is_numbered(page)
            yield from page["objects"]
        if len(totals) == 1 or not can_move:
            return
    log.warning("could not %s in one state: it changes all the time", call)


def _pages(
    ask: Ask, call: str, root: str, url: str, query: Mapping[str, str], side_by_side: Map
) -> Iterator[Page]:
    page = _page(ask(url, query), call)
    yield page
    pages = page.get("pages")
    if _is_numbered(page) and isinstance(pages, int):

        def numbered(number: int) -> Page:
            try:
                return _page(ask(url, {**query, "page": str(number)}), call)
            except NotFound:
                # The list has become shorter meanwhile.
                return {"objects": []}

        for start in range(2, pages + 1, PAGES_AT_ONCE):
            numbers = range(start, min(start + PAGES_AT_ONCE, pages + 1))
            for page in side_by_side(numbered, numbers):
                yield page
            if not page["objects"]:
                return
    # What has been added meanwhile, or all that follows.
    seen: set[str] = set()
    while following := _next(page, root, call):
        if following in seen:
            raise IconikUnavailable(call, "iconik's pages go round in a circle")
        seen.add(following)
        page = _page(ask(following, None), call)
        yield page


def _is_numbered(first: Page) -> bool:
    """Whether a list numbers its pages; some that don't tell how many there are all the same."""
    return "page=2" in str(first.get("next_url") or "").partition("?")[2].split("&")


def _page(answer: Any, call: str) -> Page:
    objects = answer.get("objects") if isinstance(answer, dict) else None
    if not isinstance(objects, list) or not all(isinstance(each, dict) for each in objects):
        raise IconikUnavailable(call, "iconik's answer is no list")
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
