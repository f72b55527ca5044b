"""iconik's two ways to page a list: by number, and by the last id of the previous page."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import request

from simulator.records import File, FileSet, Format, Json
from simulator.refusals import Refusal, bad_field

DEFAULT_PER_PAGE = 10
MOST_PER_PAGE = 100

Record = TypeVar("Record")
Filed = TypeVar("Filed", File, FileSet, Format)


def _number(field: str, default: int, most: int | None = None) -> int:
    value = request.args.get(field)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit()):
        raise bad_field(field, "Not a valid integer.")
    number = int(value)
    if number < 1 or (most is not None and number > most):
        raise bad_field(field, f"Must be between 1 and {most}." if most else "Must be at least 1.")
    return number


def _url(**changes: Any) -> str:
    """Return the request's own URL, as a path, with changes to its query."""
    query = {**request.args.to_dict(), **changes}
    return f"{request.path}?{urlencode(query, safe=',')}"


def numbered(records: Sequence[Record], view: Callable[[Record], Json]) -> Json:
    """Return one page of a list that pages by ``page``."""
    per_page = _number("per_page", DEFAULT_PER_PAGE, MOST_PER_PAGE)
    page = _number("page", 1)
    pages = -(-len(records) // per_page)
    if page > max(pages, 1):
        raise Refusal(404, ["Requested page does not exist"])
    start = (page - 1) * per_page
    answer = {
        "objects": [view(record) for record in records[start : start + per_page]],
        "page": page,
        "pages": pages,
        "per_page": per_page,
        "total": len(records),
        "first_url": _url(page=1, per_page=per_page),
        "last_url": _url(page=max(pages, 1), per_page=per_page),
    }
    if page > 1:
        answer["prev_url"] = _url(page=page - 1, per_page=per_page)
    if page < pages:
        answer["next_url"] = _url(page=page + 1, per_page=per_page)
    return answer


def by_last_id(
    records: Iterable[Filed],
    view: Callable[[Filed], Json] | None = None,
    cut: int | None = None,
) -> Json:
    """Return one page of a list that pages by ``last_id``: the records after it, sorted by id.

    Args:
        records: all records.
        view: converts a record to JSON values; the record's ``json`` if not given.
        cut: end the list after this many records, the oldest ones. The list still declares the
            total of all records, and another page.
    """
    per_page = _number("per_page", DEFAULT_PER_PAGE, MOST_PER_PAGE)
    last_id = request.args.get("last_id", "")
    found = list(records)
    if cut is not None and cut < len(found):
        return _cut(found, view, cut, per_page)
    every = sorted(found, key=lambda record: record.id)
    after = [record for record in every if record.id > last_id] if last_id else every
    before = len(every) - len(after)
    shown = after[:per_page]
    answer = {
        "objects": [view(record) if view else record.json() for record in shown],
        "page": before // per_page + 1,
        "pages": -(-len(every) // per_page),
        "per_page": per_page,
        "total": len(every),
    }
    if len(after) > per_page:
        answer["next_url"] = _url(per_page=per_page, last_id=shown[-1].id)
    return answer


def _cut(
    found: Sequence[Filed], view: Callable[[Filed], Json] | None, cut: int, per_page: int
) -> Json:
    """Return a list that lacks the newest records, and has no link to the page that it declares."""
    left = found[:cut]
    return {
        "objects": [view(record) if view else record.json() for record in left],
        "page": 1,
        "pages": 2,
        "per_page": per_page,
        "total": len(found),
    }
