"""What iconik's answers mean: the one place that judges a status, and what it says went wrong."""

import json
from typing import Any

import requests

from iconik_http import http_limits
from iconik_http.errors import IconikRefused, NotFound, NotOffered, NotPermitted

# iconik refuses a request for good by one of these with an error body of its own. Without that, the
# answer may be a proxy's. Any other failure may pass.
FINAL = frozenset({400, 403, 404, 405, 410, 422, 501})
# For a call that only newer iconiks have, these count without that body, too: there is another way.
NOT_OFFERED = frozenset({404, 405, 501})


class Passing(Exception):
    """A failed attempt that is worth another one; never leaves the transport.

    Args:
        problem: what came back, as the rest of a sentence.
        retry_after: seconds for which iconik wants no further requests, if it said so.
    """

    def __init__(self, problem: str, retry_after: float | None = None) -> None:
        super().__init__(problem, retry_after)
        self.problem = problem
        self.retry_after = retry_after


def read(
    response: requests.Response, body: bytes, call: str, role: str, *, is_newer: bool = False
) -> Any:
    """The JSON of an answer, or the error it stands for. The one place that judges a status.

    Args:
        call: what was asked, for messages.
        role: the role that iconik requires for it, for messages.
        is_newer: only newer iconiks have this call.

    Raises:
        Passing: it is worth another attempt.
        NotFound, NotPermitted, NotOffered, IconikRefused: iconik's own word that it won't.
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
    """Take an answer that lists errors for the refusal that it is, whatever its status.

    Raises:
        IconikRefused: it lists errors.
    """
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if errors:
        told = _in_words(response, errors)
        raise IconikRefused(call, f"iconik answered {response.status_code} with errors: {told}")


def _failure(
    response: requests.Response, body: bytes, call: str, role: str, *, is_newer: bool
) -> Exception:
    """The error that an unsuccessful answer stands for."""
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
        problem = f"iconik does not permit this (403, requires {role}): {errors}"
        return NotPermitted(call, problem, role)
    return NotOffered(call, problem) if status in NOT_OFFERED else IconikRefused(call, problem)


def _errors(response: requests.Response, body: bytes) -> str | None:
    """What iconik says went wrong, a list of sentences or one for each field; None if it doesn't.

    That is how its errors look; the page of a proxy that answers in its place has none.
    """
    try:
        errors = json.loads(body)["errors"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return _in_words(response, errors)


def _in_words(response: requests.Response, errors: Any) -> str:
    """Errors as a sentence part: iconik lists sentences, or one for each field."""
    if isinstance(errors, dict):
        errors = [f"{name}: {problem}" for name, problem in errors.items()]
    if not isinstance(errors, list):
        errors = [errors]
    return _without_token(response, "; ".join(str(error) for error in errors))[:500]


def _without_token(response: requests.Response, text: str) -> str:
    """What iconik says may repeat the request, and what we tell of it is logged and kept."""
    return text.replace(response.request.headers["Auth-Token"], "***")


def network_problem(error: requests.RequestException) -> str:
    """What kept a request from being answered, without what it held."""
    if isinstance(error, http_limits.TooLong):
        return "iconik's answer is too long"
    # The library's own text may hold the whole request, headers included.
    if isinstance(error, requests.Timeout):
        return "iconik did not answer in time"
    return f"the connection to iconik failed ({type(error).__name__})"
