"""Error answers, with iconik's messages."""

from typing import Any, TypeVar

Found = TypeVar("Found")


class Refusal(Exception):
    """An error answer: a status, and the value of ``errors``."""

    def __init__(self, status: int, errors: list[str] | dict[str, Any]) -> None:
        super().__init__(f"{status} {errors}")
        self.status = status
        self.errors = errors


def not_found(what: str) -> Refusal:
    """Create a 404: the object does not exist."""
    return Refusal(404, [f"{what} does not exist"])


def found(record: Found | None, what: str) -> Found:
    """Return a record; refuse with 404 if there is none."""
    if record is None:
        raise not_found(what)
    return record


def bad_field(field: str, message: str) -> Refusal:
    """Create a 400: a field of the body or the query is invalid."""
    return Refusal(400, {field: message})


def forbidden(message: str) -> Refusal:
    """Create a 403: the object exists, but the token may not use it."""
    return Refusal(403, [message])
