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
    records: Iterable[Filed], view: Callable[[Filed], Json], cut: int | None = None
) -> Json:
    """Return one page of a list that pages by ``last_id``: the records after it, sorted by id.

    Args:
        view: converts a record to JSON values.
        cut: end the list after this many records, the oldest ones. The list still declares the
            total of all records, and another page, but has no link to it.
    """
    per_page = _number("per_page", DEFAULT_PER_PAGE, MOST_PER_PAGE)
    last_id = request.args.get("last_id", "")
    found = list(records)
    if cut is not None and cut < len(found):
        left = [view(record) for record in found[:cut]]
        return {"objects": left, "page": 1, "pages": 2, "per_page": per_page, "total": len(found)}
    after = sorted((each for each in found if each.id > last_id), key=lambda record: record.id)
    before = len(found) - len(after)
    shown = after[:per_page]
    answer = {
        "objects": [view(record) for record in shown],
        "page": before // per_page + 1,
        "pages": -(-len(found) // per_page),
        "per_page": per_page,
        "total": len(found),
    }
    if len(after) > per_page:
        answer["next_url"] = _url(per_page=per_page, last_id=shown[-1].id)
    return answer
