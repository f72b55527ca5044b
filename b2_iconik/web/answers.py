"""What all pages share: the arguments of a request, and the form of its answer."""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from b2_iconik.common.texts import plain

LONGEST_TEXT = 200
# Where a spreadsheet may find a formula. Locales with a decimal comma separate cells by semicolons.
FORMULA = re.compile(r"""(?:^|(?<=;))(?=[\s"]*[=+\-@|%]|[\t\r])""")


def as_csv_file(
    rows: Iterable[Mapping[str, Any]], headings: Iterable[str], columns: Sequence[str], name: str
) -> Response:
    """Return rows as a CSV file to download, while they are read."""
    response = Response(csv_lines(rows, headings, columns), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def csv_lines(
    rows: Iterable[Mapping[str, Any]], headings: Iterable[str], columns: Sequence[str]
) -> Iterator[str]:
    """Yield rows as CSV, in parts."""
    # With this byte order mark, spreadsheets read the file as UTF-8.
    yield "\ufeff" + _csv_line(headings)
    for row in rows:
        yield _csv_line(harmless(str(row[name] or "")) for name in columns)


def harmless(cell: str) -> str:
    """Escape a CSV cell so that no spreadsheet runs it as a formula, even if it splits the cell."""
    return FORMULA.sub("'", cell)


def _csv_line(cells: Iterable[str]) -> str:
    """Return the cells of a row as a line of a CSV file."""
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(cells)
    return line.getvalue()


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


def done(message: str, there: str, **told: Any) -> AnyResponse:
    """Answer a form: with JSON, or with a redirect to a page that shows the message."""
    if wants_json():
        return jsonify(message=message, **told)
    return redirect(there, HTTPStatus.SEE_OTHER)
