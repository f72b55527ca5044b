"""The gate for requests to buckets: faults, the rate limit, and the log.

It is a WSGI application next to the gate of iconik's API. It logs which of iconik's headers arrive,
because nothing that belongs to iconik may reach a bucket.
"""

import socket
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from threading import Lock

from werkzeug.wrappers import Request, Response

from simulator import api_s3
from simulator.api_b2 import B2Api, B2Error
from simulator.api_s3 import S3Api
from simulator.faults import BucketFault, BucketFaults
from simulator.gate import LOST, Application, Environ, StartResponse, Window, cut, hang_up
from simulator.records import Json, iso
from simulator.settings import Settings

PLACES = ("/bucket/", "/b2api/")
SECRETS = ("App-ID", "Auth-Token", "x-bz-secret")
"""Headers that belong to iconik or to the plugin's own interface."""

RETRY_AFTER = 1
TRICKLE = 0.05
"""The seconds between two bytes of an answer that trickles."""

SEND_BUFFER = 1 << 14
"""In bytes. Data in the buffers of a connection counts as sent, so a low limit is more accurate."""


@dataclass
class BucketRequest:
    """One request to a bucket.

    Attributes:
        bucket: the name in the path; '' for calls that name none.
        status: the status of the answer; 0 if none was sent.
        content_bytes: the bytes of an object's content sent to the connection.
        leaked: the headers that must not arrive here.
    """

    time: float
    method: str
    path: str
    range: str
    bucket: str
    status: int
    content_bytes: int
    leaked: list[str]

    def json(self) -> Json:
        """Return the request as the control API shows it."""
        return {**asdict(self), "time": iso(self.time)}


@dataclass
class BucketLog:
    """The last requests to buckets, and totals over all of them."""

    last: deque[BucketRequest] = field(default_factory=lambda: deque(maxlen=20_000))
    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    content_bytes: Counter[str] = field(default_factory=Counter)
    leaked: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def add(self, seen: BucketRequest) -> None:
        """Record a request, before its body is sent."""
        kind = "signed URL" if seen.bucket else seen.path.rpartition("/")[2]
        with self._lock:
            self.last.append(seen)
            self.requests[f"{seen.method} {kind}"] += 1
            self.statuses[str(seen.status) if seen.status else "lost"] += 1
            self.leaked.update(seen.leaked)

    def count(self, seen: BucketRequest, content_bytes: int) -> None:
        """Count bytes of an object's content."""
        with self._lock:
            seen.content_bytes += content_bytes
            self.content_bytes[seen.bucket] += content_bytes

    def clear(self) -> None:
        """Reset the log and the totals."""
        with self._lock:
            for each in (self.last, self.requests, self.statuses, self.content_bytes, self.leaked):
                each.clear()

    def json(self) -> Json:
        """Return the totals."""
        with self._lock:
            return {
                "requests": dict(self.requests),
                "statuses": dict(self.statuses),
                "content_bytes": dict(self.content_bytes),
                "leaked": dict(self.leaked),
            }


class BucketGate:
    """A WSGI application that answers requests to buckets, and passes on all others."""

    def __init__(
        self,
        app: Application,
        *,
        settings: Settings,
        faults: BucketFaults,
        s3: S3Api,
        b2: B2Api,
    ) -> None:
        self._app = app
        self._settings = settings
        self._faults = faults
        self._s3 = s3
        self._b2 = b2
        self._window = Window(lambda: (int(settings.bucket_rate_limit), 1.0))
        self.log = BucketLog()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(PLACES):
            return self._app(environ, start_response)
        request = Request(environ)
        fault = self._faults.pick(request.method, request.path[1:])
        seen = _seen(request)
        response = self._answer(request, fault, seen)
        seen.status = response.status_code
        self.log.add(seen)
        body = response(environ, start_response)
        if not seen.bucket or response.status_code not in (200, 206):
            return body
        if response.is_streamed:
            environ["gunicorn.socket"].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        return self._counted(seen, body)

    def _answer(self, request: Request, fault: BucketFault | None, seen: BucketRequest) -> Response:
        time.sleep(self._settings.bucket_latency_ms / 1000)
        spoiled = self._spoil(request, fault, seen) if fault else None
        if spoiled:
            return spoiled
        left, _ = self._window.enter()
        if left < 0:
            response = _error(request, 503 if _is_s3(request) else 429)
            response.headers["Retry-After"] = str(RETRY_AFTER)
            return response
        response = (self._s3.read if _is_s3(request) else self._b2.call)(request)
        if fault and fault.bucket == "no_total" and "Content-Range" in response.headers:
            range_ = response.headers["Content-Range"].rpartition("/")[0]
            response.headers["Content-Range"] = f"{range_}/*"
        return response

    def _spoil(self, request: Request, fault: BucketFault, seen: BucketRequest) -> Response | None:
        """Apply a fault, and return its answer; None if the request goes on."""
        kind, _, number = fault.bucket.partition(":")
        if kind in ("reset", "cut"):
            self.log.add(seen)
        if kind == "reset":
            hang_up(request.environ)
        if kind == "cut":
            cut(request.environ, b"half of an answer")
        if kind == "hang":
            fault.over.wait(float(number))
        if kind == "ignore_range":
            request.environ.pop("HTTP_RANGE", None)
        if kind == "trickle":
            return Response(_trickle(fault, float(number)), content_type="text/plain")
        if kind == "html":
            return Response("<!doctype html><title>Sign in</title>", content_type="text/html")
        if kind == "redirect":
            return Response(status=307, headers={"Location": request.url})
        if kind != "status":
            return None
        response = _error(request, int(number))
        if fault.retry_after is not None:
            response.headers["Retry-After"] = f"{fault.retry_after:g}"
        return response

    def _counted(self, seen: BucketRequest, body: Iterable[bytes]) -> Iterator[bytes]:
        try:
            for block in body:
                self.log.count(seen, len(block))
                yield block
        finally:
            close = getattr(body, "close", None)
            if close:
                close()


def _is_s3(request: Request) -> bool:
    return request.path.startswith("/bucket/")


def _error(request: Request, status: int) -> Response:
    message = "This is a fault that was asked for, or the rate limit"
    if _is_s3(request):
        return api_s3.error(status, message)
    return B2Error(status, message).response()


def _trickle(fault: BucketFault, seconds: float) -> Iterator[bytes]:
    """Yield one byte at a time, until the time is over or the faults are cleared."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and not fault.over.wait(TRICKLE):
        yield b"."


def _seen(request: Request) -> BucketRequest:
    """Return the log entry of a request that is not answered yet."""
    is_s3 = _is_s3(request)
    secrets = [*SECRETS, "Authorization"] if is_s3 else SECRETS
    return BucketRequest(
        time=time.time(),
        method=request.method,
        path=request.path,
        range=request.headers.get("Range", ""),
        bucket=request.path.split("/")[2] if is_s3 else "",
        status=LOST,
        content_bytes=0,
        leaked=[name for name in secrets if name in request.headers],
    )
