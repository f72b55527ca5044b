"""What all pages share: the arguments of a request, and the form of its answer."""

from typing import Any

from flask import Response, make_response, render_template, request

from b2_iconik.common.texts import plain

LONGEST_TEXT = 200


def argument(name: str) -> str:
    """Return an argument of this request's URL; "" if it is missing."""
    # Escaped like the values that are searched. PostgreSQL also rejects null characters.
    return plain(request.args.get(name, "")[:LONGEST_TEXT])


def number_of(name: str) -> int | None:
    """Return an argument that is a number, from 0; None if it is not."""
    text = argument(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def wants_json() -> bool:
    """Whether this request asks for JSON, not for a page."""
    if argument("format") == "json":
        return True
    accepted = request.accept_mimetypes
    return accepted.best_match(["text/html", "application/json"]) == "application/json"


def rendered(template: str, **values: Any) -> Response:
    """Return a page."""
    return make_response(render_template(template, **values))
