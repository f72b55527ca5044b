"""Who may see the operations page, and whether a form was sent from it."""

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
    """Why a request is not let in.

    Attributes:
        status: of HTTP.
        message: for a person.
        retry_after: seconds until it is of use to ask again, if that helps.
    """

    status: HTTPStatus
    message: str
    retry_after: int | None = None


def is_secret(given: str, secrets: Sequence[str]) -> bool:
    """Whether a text is one of the shared secrets; takes the same time whatever it is."""
    matches = [hmac.compare_digest(given.encode(), secret.encode()) for secret in secrets]
    return any(matches)


def refusal_of(request: Request, secrets: Sequence[str]) -> Refusal | None:
    """Why a request may not see or do what it asks for, if it may not.

    Args:
        secrets: the passwords of Basic authentication that are accepted.
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
    """What a person has given as user name, to be told apart; nobody has checked it."""
    given = (request.authorization.username if request.authorization else None) or ""
    name = "".join(each for each in given if each.isprintable()).strip()[:LONGEST_NAME]
    return name or "somebody"


def _is_from_here(request: Request) -> bool:
    """Whether a form was sent from a page of ours, and not from somebody else's.

    A browser sends the password along whoever has made the form, so that alone shows nothing. Every
    browser sends one of these headers with a form, and no page can choose what it says.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if origin is None:
        return site == "same-origin"
    return site in (None, "same-origin") and _is_same_host(origin, request.host)


def _is_same_host(origin: str, host: str) -> bool:
    """Whether an origin is this host; a proxy may have left the port out."""
    there = origin.partition("://")[2]
    return there == host or (":" not in host and there.rpartition(":")[0] == host)
