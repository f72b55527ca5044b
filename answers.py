"""What iconik's answers mean: the one place that judges a status, and what it says went wrong."""

import json
from typing import Any

import requests

import bounded
from errors import IconikRefused, NotFound, NotOffered, NotPermitted

PASSING = frozenset({429, 500, 502, 503, 504})
NOT_OFFERED = frozenset({405, 501})


class Passing(Exception):
    """A failed attempt that is worth another one; never leaves the transport.

    Args:
        problem: what came back, as the rest of a sentence.
        retry_after: seconds that iconik wants nobody to ask for, if it said so.
    """

    def __init__(self, problem: str, retry_after: float | None = None) -> None:
        super().__init__(problem, retry_after)
        self.problem = problem
        self.retry_after = retry_after


def read(response: requests.Response, body: bytes, call: str, role: str) -> Any:
    """The JSON of an answer, or the error it stands for. The one place that judges a status."""
    status = response.status_code
    if status in PASSING:
        problem = f"iconik answered {status} {_without_token(response, response.reason)}"
        raise Passing(problem, number(response, "Retry-After"))
    if status == requests.codes.not_found:
        raise NotFound(call, "iconik knows no such thing (404)")
    if status == requests.codes.forbidden:
        raise NotPermitted(
            call, f"iconik does not permit it (403, it needs {role}): {_errors(response, body)}"
        )
    if not requests.codes.ok <= status < requests.codes.multiple_choices:
        kind = NotOffered if status in NOT_OFFERED else IconikRefused
        raise kind(call, f"iconik answered {status}: {_errors(response, body)}")
    if not body:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Passing("iconik's answer is no JSON") from None


def refuse_errors(response: requests.Response, answer: Any, call: str) -> None:
    """Take an answer that lists errors for the refusal that it is, whatever its status.

    Raises:
        IconikRefused: it lists errors.
    """
    errors = answer.get("errors") if isinstance(answer, dict) else None
    if errors:
        told = _in_words(response, errors)
        raise IconikRefused(call, f"iconik answered {response.status_code} with errors: {told}")


def _errors(response: requests.Response, body: bytes) -> str:
    """What iconik says went wrong."""
    try:
        errors = json.loads(body)["errors"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "it gives no reason"
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


def number(response: requests.Response, header: str) -> float | None:
    """The whole number in a header; None where there is none."""
    text = response.headers.get(header, "")
    return float(text) if text.isascii() and text.isdigit() else None


def network_problem(error: requests.RequestException) -> str:
    """What kept a request from being answered, without what it held."""
    if isinstance(error, bounded.TooLong):
        return "iconik's answer has no end"
    # The library's own text may hold the whole request, headers included.
    if isinstance(error, requests.Timeout):
        return "iconik did not answer in time"
    return f"the connection to iconik failed ({type(error).__name__})"
