"""The gate for API requests: latency, authentication, the rate limit, faults, and the log.

It is a WSGI application below Flask: the simulator receives thousands of requests per minute, and
most of this work doesn't need Flask.
"""

import errno
import json
import re
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import responses
from threading import Lock
from typing import Any, NamedTuple

from simulator.clock import CLOCK
from simulator.faults import RequestFault, RequestFaults
from simulator.settings import Settings

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

ID = re.compile(r"(?<=/)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=/)", re.IGNORECASE)
# Includes the quotes: with another id, a signed URL would no longer be valid.
ANY_ID = re.compile(rb'"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"')
JSON = "application/json"
LOST = 0
"""The logged status of a request that got no answer."""


@dataclass(frozen=True)
class Token:
    """The identity of a client.

    Attributes:
        roles: the roles of the token; None for all roles.
        user_id: None for a token of the application, which sees every asset.
    """

    value: str
    roles: frozenset[str] | None = None
    user_id: str | None = None


class Seen(NamedTuple):
    """One API request in the log."""

    time: float
    method: str
    path: str
    query: str
    status: int
    token: str


@dataclass
class Log:
    """The last API requests, and counts of all requests and answers."""

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    last: deque[Seen] = field(default_factory=lambda: deque(maxlen=20_000))
    _lock: Lock = field(default_factory=Lock)

    def add(self, environ: Environ, status: int) -> None:
        """Record an answered request."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        kind = f"{method} {ID.sub('{}', path)[5:]}"
        token = environ.get("HTTP_AUTH_TOKEN", "")
        seen = Seen(CLOCK.now(), method, path, environ["QUERY_STRING"], status, token)
        with self._lock:
            self.requests[kind] += 1
            self.statuses[str(status) if status else "lost"] += 1
            self.last.append(seen)

    def clear(self) -> None:
        """Reset the log and the counts."""
        with self._lock:
            self.requests.clear()
            self.statuses.clear()
            self.last.clear()


class Window:
    """A sliding window that limits the number of requests in a number of seconds.

    Args:
        limit: returns the current values of both numbers.
    """

    def __init__(self, limit: Callable[[], tuple[int, float]]) -> None:
        self._limit = limit
        self._lock = Lock()
        self._times: deque[float] = deque()

    def enter(self) -> tuple[int, float]:
        """Count a request; return how many may follow (-1 if refused), and the seconds to wait."""
        with self._lock:
            left = self._left()
            if left < 1:
                first = self._times[0] if self._times else time.monotonic()
                return -1, first + self._limit()[1] - time.monotonic()
            self._times.append(time.monotonic())
            return left - 1, 0.0

    def left(self) -> int:
        """Return how many requests may follow."""
        with self._lock:
            return max(0, self._left())

    def _left(self) -> int:
        most, seconds = self._limit()
        began = time.monotonic() - seconds
        while self._times and self._times[0] <= began:
            self._times.popleft()
        return most - len(self._times)


class Gate:
    """A WSGI application that wraps another, and passes on only the accepted API requests."""

    def __init__(
        self,
        app: Application,
        *,
        settings: Settings,
        faults: RequestFaults,
        app_id: str,
        tokens: dict[str, Token],
        may_see: Callable[[Token, str], bool],
    ) -> None:
        self._app = app
        self._settings = settings
        self._faults = faults
        self._app_id = app_id
        self._tokens = tokens
        self._may_see = may_see
        self._window = Window(lambda: (int(settings.rate_limit), settings.rate_window))
        self.log = Log()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith("/API/"):
            return self._app(environ, start_response)
        return self._pass(
            environ, _Answer(start_response, lambda status: self.log.add(environ, status))
        )

    def _pass(self, environ: Environ, answer: "_Answer") -> Iterable[bytes]:
        settings = self._settings
        fault = self._faults.pick(
            environ["REQUEST_METHOD"], environ["PATH_INFO"][5:], environ["QUERY_STRING"]
        )
        delay = settings.latency_ms / 1000 + settings.hang_seconds
        if delay:
            time.sleep(delay)
        if settings.down:
            self.log.add(environ, LOST)
            hang_up(environ)
        if fault and not fault.after:
            spoiled = self._spoil(fault, environ, answer, b"")
            if spoiled is not None:
                return spoiled
        token = self._tokens.get(environ.get("HTTP_AUTH_TOKEN", ""))
        if token is None or environ.get("HTTP_APP_ID") != self._app_id:
            answer.headers.append(("RateLimit-Remaining", str(self._window.left())))
            return answer.error(401, "Token is invalid")
        left, seconds = self._window.enter()
        told = 0 if settings.none_left else max(left, 0)
        answer.headers.append(("RateLimit-Remaining", str(told)))
        if left < 0:
            if settings.retry_after:
                answer.headers.append(("Retry-After", str(int(seconds) + 1)))
            return answer.error(429, "Rate limit exceeded")
        if not environ["PATH_INFO"].endswith("/"):
            return answer.error(404, "The requested URL was not found")
        if not all(self._may_see(token, each) for each in ID.findall(environ["PATH_INFO"])):
            return answer.error(403, "You do not have access to this object")
        environ["simulator.token"] = token
        if not (fault and fault.after):
            parts = self._app(environ, answer)
            if not settings.upper_case_ids:
                return parts
            return [ANY_ID.sub(lambda found: found[0].upper(), b"".join(parts))]
        kept: list[Any] = []
        body = b"".join(self._app(environ, lambda *start: kept.extend(start)))
        spoiled = self._spoil(fault, environ, answer, body)
        if spoiled is not None:
            return spoiled
        answer(*kept)
        return [body]

    def _spoil(
        self, fault: RequestFault, environ: Environ, answer: "_Answer", body: bytes
    ) -> list[bytes] | None:
        """Apply a fault, and return its answer; None if the request goes on."""
        kind, _, number = fault.fault.partition(":")
        body = body or b'{"objects": []}'
        if kind == "hang":
            fault.over.wait(float(number))
            return None
        if kind in ("reset", "cut"):
            # Log it first, so that a client that notices the lost answer finds it in the log.
            self.log.add(environ, LOST)
        if kind == "reset":
            hang_up(environ)
        if kind == "cut":
            cut(environ, body)
        if kind == "html":
            page = b"<!doctype html><title>iconik</title><h1>We'll be right back</h1>\n"
            return answer.send(int(number or 200), page, "text/html")
        if kind == "broken_json":
            return answer.send(200, body[: len(body) // 2 + 1])
        if fault.retry_after is not None:
            answer.headers.append(("Retry-After", f"{fault.retry_after:g}"))
        status = int(number or kind)
        if status == HTTPStatus.NO_CONTENT:
            return answer.send(status, b"")
        if fault.body is not None:
            return answer.send(status, json.dumps(fault.body).encode())
        return answer.error(status, "This is a fault that was asked for")


class _Answer:
    """A WSGI start_response that adds the gate's headers, and reports the status to the log."""

    def __init__(self, start_response: StartResponse, seen: Callable[[int], None]) -> None:
        self._start = start_response
        self._seen = seen
        self.headers: Headers = []

    def __call__(self, status: str, headers: Headers, exc_info: Any = None) -> Any:
        self._seen(int(status[:3]))
        return self._start(status, headers + self.headers, exc_info)

    def send(self, status: int, body: bytes, kind: str = JSON) -> list[bytes]:
        """Send a complete answer."""
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        self(f"{status} {responses.get(status, 'Unknown')}", headers)
        return [body]

    def error(self, status: int, message: str) -> list[bytes]:
        """Send an error, in iconik's form."""
        return self.send(status, json.dumps({"errors": [message]}).encode())


def hang_up(environ: Environ) -> None:
    """Drop the connection without an answer."""
    connection: socket.socket = environ["gunicorn.socket"]
    # With a linger time of zero, closing sends a reset instead of a normal end.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    # Gunicorn treats this as a disconnected client, and logs nothing.
    raise ConnectionResetError(errno.ECONNRESET, "dropped on purpose")


def cut(environ: Environ, body: bytes) -> None:
    """Send half of an answer, then drop the connection."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection: socket.socket = environ["gunicorn.socket"]
    connection.sendall(head.encode() + body[: len(body) // 2])
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError(errno.ECONNRESET, "dropped on purpose")
