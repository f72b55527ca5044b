"""Interpret iconik's answers. Only this module evaluates a status and an error body."""

import json
from typing import Any

import requests

from iconik_http import http_limits
from iconik_http.errors import IconikRefused, NotFound, NotOffered, NotPermitted
from iconik_http.tokens import OF_APPLICATION, acting_as

# One of these with an error body of iconik's is a final refusal. Without that body, the answer may
# come from a proxy. Any other failure may be temporary.
FINAL = frozenset({400, 403, 404, 405, 410, 422, 501})
# For a call that only newer versions of iconik have, these are final even without that body:
# another call can replace it.
NOT_OFFERED = frozenset({404, 405, 501})


class Passing(Exception):
    """A failed attempt that is worth repeating. It never leaves the transport.

    Args:
        problem: what iconik returned, as the rest of a sentence.
        retry_after: the seconds for which iconik wants no further requests, if given.
    """

    def __init__(self, problem: str, retry_after: float | None = None) -> None:
        super().__init__(problem, retry_after)
        self.problem = problem
        self.retry_after = retry_after


def read(
    response: requests.Response, body: bytes, call: str, role: str, *, is_newer: bool = False
) -> Any:
    """Return the JSON of an answer, or raise the error that it stands for.

    Args:
        call, role, is_newer: as in ``Transport.object``.

    Raises:
        Passing: the request is worth another attempt.
        NotFound, NotPermitted, NotOffered, IconikRefused: iconik itself refuses.
    """
    status = response.status_code
    if not requests.codes.ok <= status < requests.codes.multiple_choices:
        raise _failure(response, body, call, role, is_newer=is_newer)
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Passing("iconik's answer is not JSON") from None


def refuse_errors(response: requests.Response, answer: Any, call: str) -> None:
    """Treat an answer that lists errors as a refusal, whatever its status.

    Raises:
        IconikRefused: the answer lists errors.
    """
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if errors:
        told = _in_words(response, errors)
        raise IconikRefused(call, f"iconik answered {response.status_code} with errors: {told}")


def _failure(
    response: requests.Response, body: bytes, call: str, role: str, *, is_newer: bool
) -> Exception:
    """Return the error that an unsuccessful answer stands for."""
    status, errors = response.status_code, _errors(response, body)
    problem = f"iconik answered {status}: {errors or 'no reason given'}"
    if is_newer and status in NOT_OFFERED and errors is None:
        return NotOffered(call, problem)
    if status not in FINAL or errors is None:
        reason = _without_token(response, response.reason or "")
        problem = f"iconik answered {status} {reason}".rstrip() + (f": {errors}" if errors else "")
        return Passing(problem, http_limits.number(response, "Retry-After"))
    if status == requests.codes.not_found:
        return NotFound(call, "iconik found no such object (404)")
    if status == requests.codes.forbidden:
        is_application = acting_as.get() == OF_APPLICATION
        return NotPermitted(call, problem, role, is_application=is_application)
    return NotOffered(call, problem) if status in NOT_OFFERED else IconikRefused(call, problem)


def _errors(response: requests.Response, body: bytes) -> str | None:
    """Return the errors in an answer of iconik's; None if it has none.

    iconik's errors are a list of sentences, or one sentence per field. The error page of a proxy
    has no such list.
    """
    try:
        errors = json.loads(body)["errors"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return _in_words(response, errors)


def _in_words(response: requests.Response, errors: Any) -> str:
    """Format errors as part of a sentence. iconik sends a list of sentences, or one per field."""
    if isinstance(errors, dict):
        errors = [f"{name}: {problem}" for name, problem in errors.items()]
    if not isinstance(errors, list):
        errors = [errors]
    return _without_token(response, "; ".join(str(error) for error in errors))[:500]


def _without_token(response: requests.Response, text: str) -> str:
    """Remove the token: iconik may echo the request, and the text is logged and stored."""
    return text.replace(response.request.headers["Auth-Token"], "***")
