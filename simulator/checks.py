"""Strict checks of request bodies, field by field, and of ids.

A check returns None for a valid value, otherwise what is wrong.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import request

from simulator.records import Json
from simulator.refusals import Refusal

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Check = Callable[[Any], str | None]
"""Returns what is wrong with a value; None if it is valid."""


def is_id(value: object) -> bool:
    """Return whether a value is a UUID, written as iconik writes ids."""
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def text(value: object) -> str | None:
    """Check for a string."""
    return None if isinstance(value, str) else "Not a valid string."


def name(value: object) -> str | None:
    """Check for a string that isn't empty."""
    return text(value) or (None if value else "Shorter than minimum length 1.")


def directory(value: object) -> str | None:
    """Check for a path that does not leave its storage."""
    leads_out = isinstance(value, str) and ".." in value.split("/")
    return text(value) or ("Not a valid path." if leads_out else None)


def flag(value: object) -> str | None:
    """Check for true or false."""
    return None if isinstance(value, bool) else "Not a valid boolean."


def integer(value: object) -> str | None:
    """Check for a whole number."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return None if is_integer else "Not a valid integer."


def anything(value: object) -> str | None:
    """Check for a value of an object that the API leaves open."""
    return None if isinstance(value, (dict, list)) else "Not a valid mapping type."


def id_(value: object) -> str | None:
    """Check for a UUID."""
    return None if is_id(value) else "Not a valid UUID."


def url(value: object) -> str | None:
    """Check for an http or https address."""
    fits = isinstance(value, str) and re.fullmatch(r"https?://[^\s/]+\S*", value)
    return None if fits else "Not a valid URL."


def headers(value: object) -> str | None:
    """Check for names and values of HTTP headers."""
    fits = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
    return None if fits else "Not a valid mapping of strings."


def optional(check: Check) -> Check:
    """Extend a check to allow null."""
    return lambda value: None if value is None else check(value)


def one_of(*choices: str) -> Check:
    """Create a check for one of some words."""
    return lambda value: None if value in choices else f"Must be one of: {', '.join(choices)}."


def ids(least: int, most: int) -> Check:
    """Create a check for a list of UUIDs with a limited length."""

    def check(value: object) -> str | None:
        if not isinstance(value, list):
            return "Not a valid list."
        if not all(map(is_id, value)):
            return "Not a valid UUID."
        return (
            None if least <= len(value) <= most else f"Length must be between {least} and {most}."
        )

    return check


def related(value: object) -> str | None:
    """Check for the objects that a job is about."""
    fits = isinstance(value, list) and all(
        isinstance(each, dict)
        and each.keys() == {"object_id", "object_type"}
        and is_id(each["object_id"])
        and isinstance(each["object_type"], str)
        for each in value
    )
    return None if fits and value else "Not a list of objects with object_id and object_type."


def body(fields: Mapping[str, Check], required: tuple[str, ...] = ()) -> Json:
    """Return the request's JSON object, checked.

    Args:
        fields: the check of each allowed field.
        required: the names of required fields.

    Raises:
        Refusal: 400, naming every field that is missing, unknown or malformed.
    """
    sent = json_object()
    wrong = {field: "Missing data for required field." for field in required if field not in sent}
    for field, value in sent.items():
        check = fields.get(field)
        problem = check(value) if check else "Unknown field."
        if problem:
            wrong[field] = problem
    if wrong:
        raise Refusal(400, wrong)
    return sent


def json_object() -> Json:
    """Return the request's JSON object, unchecked."""
    sent = request.get_json(force=True, silent=True)
    if not isinstance(sent, dict):
        raise Refusal(400, {"_schema": "Invalid input type."})
    return sent


def query_flag(field: str, default: bool = False) -> bool:
    """Return a boolean of the query."""
    value = request.args.get(field, str(default)).lower()
    if value not in ("true", "false", "1", "0"):
        raise Refusal(400, {field: "Not a valid boolean."})
    return value in ("true", "1")


def query_ids(field: str) -> list[str] | None:
    """Return the comma-separated ids of a query parameter; None if it is absent."""
    value = request.args.get(field)
    if value is None:
        return None
    found = [each.strip().lower() for each in value.split(",") if each.strip()]
    if not all(map(is_id, found)):
        raise Refusal(400, {field: "Not a valid UUID."})
    return found
