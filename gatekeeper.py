"""Who may see the operations page, and whose buttons are pressed."""

import hashlib
import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from flask import Request

from recorder import Recorder
from settings import Settings
from throttle import Throttle, client_of
from turn import now_ms

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
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


class Gatekeeper:
    """Lets in who has the shared secret as the password of Basic authentication."""

    def __init__(self, settings: Settings, recorder: Recorder) -> None:
        self._secrets = settings.secrets
        self._proxies = settings.trusted_proxies
        self._recorder = recorder

    def refusal(self, request: Request) -> Refusal | None:
        """Why a request may not see the page, if it may not.

        Raises:
            SQLAlchemyError, OSError: the database can't be used now.
        """
        given = request.authorization
        if given is None or given.type != "basic":
            return Refusal(HTTPStatus.UNAUTHORIZED, "Give the shared secret as the password.")
        engine = self._recorder.prepare()
        throttle = Throttle(engine)
        forwarded_for = request.headers.get("X-Forwarded-For", "")
        client = client_of(request.remote_addr or "", forwarded_for, self._proxies)
        # First, so that who is held back learns nothing of the secret meanwhile.
        seconds = throttle.seconds_left(client, now_ms())
        if seconds:
            message = "There were too many wrong passwords. Try again later."
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, message, seconds)
        if is_secret(given.password or "", self._secrets):
            return None
        throttle.note_failure(client, now_ms())
        log.warning("refused the operations page to %s, which gave a wrong secret", client)
        return Refusal(HTTPStatus.UNAUTHORIZED, "That is not the shared secret.")

    def token(self, request: Request) -> str:
        """What a form must send back to show that this page made it."""
        return self._token(request, now_ms() // DAY_MS)

    def is_from_here(self, request: Request) -> bool:
        """Whether a form was sent from a page of ours, and not from somebody else's.

        A browser sends the password along whoever has made the form, so that alone shows nothing.
        """
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None and site != "same-origin":
            return False
        origin = request.headers.get("Origin")
        if origin is not None and not _is_same_host(origin, request.host):
            return False
        today = now_ms() // DAY_MS
        given = request.form.get("token", "")
        return any(
            hmac.compare_digest(given.encode(), self._token(request, day).encode())
            for day in (today, today - 1)
        )

    def _token(self, request: Request, day: int) -> str:
        message = f"form of the operations page, {day}, {name_of(request)}".encode()
        return hmac.new(self._secrets[0].encode(), message, hashlib.sha256).hexdigest()


def name_of(request: Request) -> str:
    """What a person has given as user name, to be told apart; nobody has checked it."""
    given = (request.authorization.username if request.authorization else None) or ""
    name = "".join(each for each in given if each.isprintable()).strip()[:LONGEST_NAME]
    return name or "somebody"


def _is_same_host(origin: str, host: str) -> bool:
    """Whether an origin is this host; a proxy may have left the port out."""
    there = origin.partition("://")[2]
    return there == host or (":" not in host and there.rpartition(":")[0] == host)
