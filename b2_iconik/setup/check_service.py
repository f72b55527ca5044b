"""Check that the service is reachable as iconik reaches it: over HTTPS, with the same secret."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests

from b2_iconik.common.settings import Settings
from b2_iconik.common.version import VERSION
from b2_iconik.domain.click import SECRET_HEADER
from b2_iconik.setup.action_url import Endpoint
from b2_iconik.setup.findings import Finding, note, ok, unknown, wrong
from iconik_http import http_limits

ENDPOINT = "endpoint"
HEALTH = "health"
SECRET = "the service's secret"  # noqa: S105 - what is looked at
# In seconds, to connect and to answer. iconik waits about 10 s for the answer to a click.
PATIENCE = (5.0, 10.0)


class Unreachable(Exception):
    """There was no answer. ``str()`` of the error says why, and what to do."""


@dataclass(frozen=True)
class Answer:
    """An answer of the service.

    Attributes:
        status: the HTTP status.
        told: the JSON object; empty if the body is not one.
        location: the target of a redirect; empty without one.
    """

    status: int
    told: dict[str, Any]
    location: str

    @property
    def message(self) -> str:
        """The answer's message for people."""
        return str(self.told.get("message", "no reason given"))


class Service:
    """The service, reached as iconik reaches it."""

    def __init__(self, where: Endpoint) -> None:
        self._where = where
        self._session = requests.Session()
        self._session.mount(where.text, http_limits.BoundedAdapter())
        # Otherwise a .netrc file would add a password, and a proxy would see plain http requests.
        self._session.auth = lambda request: request
        self._session.trust_env = where.scheme == "https"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Send a request without a body. Redirects are not followed: they could leak a secret.

        Raises:
            Unreachable: there was no answer.
        """
        host = self._where.address
        try:
            response = self._session.request(
                method,
                self._where.text + path,
                headers=headers,
                timeout=PATIENCE,
                allow_redirects=False,
                stream=True,
            )
            body = http_limits.read(response)
        except requests.exceptions.SSLError as error:
            raise Unreachable(
                f"{host} has no valid certificate ({_reason(error)}), so iconik sends no clicks: "
                "get a publicly trusted one for exactly this name, and serve its whole chain"
            ) from None
        except requests.Timeout:
            raise Unreachable(
                f"{host} does not answer in time: check its firewall, and whether nginx is running"
            ) from None
        except requests.RequestException as error:
            raise Unreachable(
                f"{host} cannot be reached ({_reason(error)}): check its DNS name, its firewall, "
                "and whether nginx is running"
            ) from None
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            told = None
        return Answer(
            response.status_code,
            told if isinstance(told, dict) else {},
            response.headers.get("Location", ""),
        )


def check(where: Endpoint | None, settings: Settings) -> Iterator[Finding]:
    """Check the service's public answers, then whether it has the same secret.

    Args:
        where: the address at which iconik reaches it; None if unknown.
        settings: contain the secret.
    """
    if where is None:
        yield unknown(ENDPOINT, "give --endpoint to check the connection to the service")
        return
    service = Service(where)
    try:
        front_page = service.ask("GET", "/")
        problem = _is_somebody_else(front_page, where)
        if problem:
            # Send the secret to the plugin only.
            yield wrong(ENDPOINT, problem)
            yield unknown(
                SECRET, "not checked: it is only sent to an address at which the plugin answers"
            )
            return
        yield from _tell_of(where, str(front_page.told["version"]))
        yield _health(service.ask("GET", "/healthz"))
        yield _secret(service.ask("POST", "/check", {SECRET_HEADER: settings.secret}))
    except Unreachable as error:
        yield wrong(ENDPOINT, str(error))
    finally:
        service.close()


def _is_somebody_else(answer: Answer, where: Endpoint) -> str | None:
    """Return why the answer does not come from the plugin; None if it does."""
    if answer.location:
        return (
            f"{where.text} redirects to {answer.location}, which iconik might not follow: "
            "give the final address as the endpoint"
        )
    if answer.status in (502, 503, 504) and "version" not in answer.told:
        return (
            f"{where.address} answers {answer.status}: the proxy cannot reach the plugin; check "
            "that the plugin is running, and listens where the proxy expects it"
        )
    if answer.status != requests.codes.ok or "version" not in answer.told:
        return (
            f"{where.text} answers {answer.status}, but not as the plugin would: check the "
            "address, and the proxy's configuration"
        )
    return None


def _tell_of(where: Endpoint, version: str) -> Iterator[Finding]:
    if where.scheme == "https":
        yield ok(ENDPOINT, f"{where.text} answers over HTTPS, with a valid certificate")
    else:
        yield note(
            ENDPOINT, f"{where.text} is not https: it works for a simulator, but not for iconik"
        )
    if version != VERSION:
        yield note(ENDPOINT, f"version {version} is running there, but this checkout is {VERSION}")


def _health(answer: Answer) -> Finding:
    is_ours = "message" in answer.told
    if not is_ours and answer.status < requests.codes.server_error:
        # Google Cloud Run reserves this path.
        return unknown(
            HEALTH,
            f"something in front of the plugin answers /healthz ({answer.status}), as Google Cloud "
            "does: run this script with the service's own DATABASE_URL, and rely on its lines "
            "about the database and operations",
        )
    if answer.status == requests.codes.ok:
        return ok(HEALTH, "clicks can be recorded, and a process is running the operations")
    return wrong(HEALTH, f"the service answers {answer.status}: {answer.message}")


def _secret(answer: Answer) -> Finding:
    if answer.status == requests.codes.ok:
        return ok(SECRET, "matches BZ_SHARED_SECRET")
    if answer.status == requests.codes.unauthorized:
        return wrong(
            SECRET,
            "differs from BZ_SHARED_SECRET here: restart the service after a change, or run this "
            "script with its settings",
        )
    return unknown(SECRET, f"the service answers {answer.status} to the check")


def _reason(error: requests.RequestException) -> str:
    """Describe the innermost cause. The library's own message contains the whole request."""
    cause: BaseException = error
    while inner := next(filter(_is_error, _causes(cause)), None):
        cause = inner
    words = (getattr(cause, name, "") for name in ("verify_message", "strerror"))
    return next(filter(None, words), str(cause)).rstrip(".") or type(error).__name__


def _causes(error: BaseException) -> Iterator[Any]:
    yield getattr(error, "reason", None)
    yield from error.args
    yield error.__cause__


def _is_error(value: object) -> bool:
    return isinstance(value, BaseException)
