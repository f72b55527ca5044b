"""The answers that are no success, as iconik words them."""

from typing import Any


class Refusal(Exception):
    """An error answer: a status, and what stands under ``errors``."""

    def __init__(self, status: int, errors: list[str] | dict[str, Any]) -> None:
        super().__init__(f"{status} {errors}")
        self.status = status
        self.errors = errors


def not_found(what: str) -> Refusal:
    """404: there is no such thing."""
    return Refusal(404, [f"{what} does not exist"])


def bad_field(field: str, message: str) -> Refusal:
    """400: a field of the body or the query is wrong."""
    return Refusal(400, {field: message})


def forbidden(message: str) -> Refusal:
    """403: it is there, and you may not."""
    return Refusal(403, [message])
