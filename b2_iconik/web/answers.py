"""What all pages share: the arguments of a request, and the form of its answer."""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import Response, make_response, render_template, request

from b2_iconik.common.texts import plain

LONGEST_TEXT = 200


def as_csv_file(lines: Iterable[str], name: str) -> Response:
    """Return CSV as a file to download, while it is made."""
    response = Response(lines, mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def argument(name: str) -> str:
    """Return an argument of this request's URL; "" if it is missing."""
    # Escaped like the values that are searched. PostgreSQL also rejects null characters.
    return plain(request.args.get(name, "")[:LONGEST_TEXT])


def number_of(name: str) -> int | None:
    """Return an argument that is a number, from 0; None if it is not."""
    text = argument(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def choice(name: str, known: Collection[str]) -> str:
    """Return an argument that is one of some known values; "" if it is not."""
    given = argument(name)
    return given if given in known else ""


def day_of(name: str) -> date | None:
    """Return an argument that is a day; None if it is not."""
    try:
        return date.fromisoformat(argument(name))
    except ValueError:
        return None


def here_with(**arguments: str | int | None) -> str:
    """Return the URL of this page with other arguments; None leaves one out."""
    every = {**request.args, "notice": None, **arguments}
    given = {name: value for name, value in every.items() if value is not None}
    return f"{request.path}?{urlencode(given)}" if given else request.path


def wants_json() -> bool:
    """Whether this request asks for JSON, not for a page."""
    if argument("format") == "json":
        return True
    accepted = request.accept_mimetypes
    return accepted.best_match(["text/html", "application/json"]) == "application/json"


def rendered(template: str, **values: Any) -> Response:
    """Return a page."""
    return make_response(render_template(template, **values))
