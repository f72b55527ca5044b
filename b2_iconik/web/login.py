"""Who may see the operations pages and use their buttons, with protection against CSRF."""

import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Request
from werkzeug.exceptions import Forbidden, Unauthorized

from b2_iconik.common.links import PARAMETER, Links
from b2_iconik.common.settings import Settings

log = logging.getLogger(__name__)

LONGEST_NAME = 60
# The pages that a link opens; each shows the operation in its path.
LINKED = frozenset({"pages.one", "pages.as_csv"})


@dataclass(frozen=True)
class Visitor:
    """Who is allowed to see a page.

    Attributes:
        may_act: whether the visitor may stop and retry operations.
        link: the value of the link that opened the page; "" if a password did.
    """

    may_act: bool
    link: str = ""


def is_secret(given: str, secrets: Sequence[str]) -> bool:
    """Return whether a text is one of the shared secrets, in constant time."""
    matches = [hmac.compare_digest(given.encode(), secret.encode()) for secret in secrets]
    return any(matches)


def visitor_of(request: Request, settings: Settings, links: Links, now_ms: int) -> Visitor:
    """Return who sent a request for a page.

    Args:
        settings: they hold the accepted passwords of Basic authentication.
        links: checks the links, which need no password.
        now_ms: the time, in milliseconds since 1970.

    Raises:
        Unauthorized, Forbidden: the request must be refused; the description is for the user.
    """
    given = request.authorization
    password = (given.password or "") if given and given.type == "basic" else None
    if password is not None:
        may_act = is_secret(password, settings.secrets)
        passwords = (settings.page_password,) if settings.page_password else ()
        if may_act or is_secret(password, passwords):
            _check_form(request, may_act=may_act)
            return Visitor(may_act)
    link = request.args.get(PARAMETER, "")
    is_linked = link and request.endpoint in LINKED
    if is_linked and links.is_valid(str((request.view_args or {})["operation_id"]), link, now_ms):
        return Visitor(may_act=False, link=link)
    raise Unauthorized(_demand(request, settings, password, link))


def _check_form(request: Request, *, may_act: bool) -> None:
    """Refuse a form that is not allowed."""
    if request.method != "POST":
        return
    if not may_act:
        raise Forbidden(
            "The page password only shows operations. To stop or retry one, log in with the shared "
            "secret, in another browser or a private window."
        )
    if not _is_from_here(request):
        raise Forbidden("The request did not come from the operations page.")


def _demand(request: Request, settings: Settings, password: str | None, link: str) -> str:
    """Say which password is needed, and log a wrong one."""
    accepted = "page password or the shared secret" if settings.page_password else "shared secret"
    if password is not None:
        client = request.remote_addr or "a Unix socket"
        log.warning("refused access to the operations page to %s: wrong secret", client)
        return f"The password is not the {accepted}."
    if link:
        return (
            "This link has expired, or does not open this page. Ask for a new link, or enter the "
            f"{accepted} as the password."
        )
    return f"Enter the {accepted} as the password."


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
