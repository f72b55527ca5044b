"""Authentication for the operations page, and protection of its forms against CSRF."""

import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from flask import Request

log = logging.getLogger(__name__)

LONGEST_NAME = 60


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused.

    Attributes:
        status: the HTTP status.
        message: the message for the user.
        retry_after: the seconds until another attempt makes sense; None if that doesn't apply.
    """

    status: HTTPStatus
    message: str
    retry_after: int | None = None


def is_secret(given: str, secrets: Sequence[str]) -> bool:
    """Return whether a text is one of the shared secrets, in constant time."""
    matches = [hmac.compare_digest(given.encode(), secret.encode()) for secret in secrets]
    return any(matches)


def refusal_of(request: Request, secrets: Sequence[str]) -> Refusal | None:
    """Return why a request must be refused; None if it is allowed.

    Args:
        request: the request.
        secrets: the accepted passwords of Basic authentication.
    """
    given = request.authorization
    if given is None or given.type != "basic":
        return Refusal(HTTPStatus.UNAUTHORIZED, "Enter the shared secret as the password.")
    if not is_secret(given.password or "", secrets):
        client = request.remote_addr or "a Unix socket"
        log.warning("refused access to the operations page to %s: wrong secret", client)
        return Refusal(HTTPStatus.UNAUTHORIZED, "The password is not the shared secret.")
    if request.method == "POST" and not _is_from_here(request):
        return Refusal(HTTPStatus.FORBIDDEN, "The request did not come from the operations page.")
    return None


def name_of(request: Request) -> str:
    """Return the user name that a user entered, for display. It is not verified."""
    given = (request.authorization.username if request.authorization else None) or ""
    name = "".join(each for each in given if each.isprintable()).strip()[:LONGEST_NAME]
    return name or "somebody"


def _is_from_here(request: Request) -> bool:
    """Return whether a form was sent from one of our pages, and not from another site.

    A browser sends the password with any site's form, so the password alone proves nothing. Every
    browser also sends one of these headers with a form, and no page can choose its value.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if origin is None:
        return site == "same-origin"
    return site in (None, "same-origin") and _is_same_host(origin, request.host)


def _is_same_host(origin: str, host: str) -> bool:
    """Return whether an origin is this host. A proxy may have removed the port from ``host``."""
    there = origin.partition("://")[2]
    return there == host or (":" not in host and there.rpartition(":")[0] == host)
