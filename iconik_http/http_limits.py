"""Limits on the time and size of HTTP answers.

The timeout of the HTTP library applies to the next byte only: an answer sent byte by byte could
take days, and an endless one would fill the memory.
"""

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from iconik_http import expiry

# In seconds, from the end of the request to the last byte of the answer.
ANSWER_TIME = 120.0
# In bytes, after decompression. Far above a page of 100 records.
LARGEST_ANSWER = 32 * 1024 * 1024
READ_AT_ONCE = 65_536


_until: ContextVar[float | None] = ContextVar("until", default=None)


class Expired(Exception):
    """A request was not sent: its time limit passed before its first byte was sent.

    It is not an ``OSError``: the HTTP library would treat it as a network error.
    """


@contextmanager
def sent_before(until: float | None) -> Iterator[None]:
    """Send no byte of a request after a given time.

    Raises ``Expired`` instead. The check is the last step before the system call that sends, so it
    also covers the time to connect and a suspended process.

    Args:
        until: by ``expiry.now``; None for no limit.
    """
    token = _until.set(until)
    try:
        yield
    finally:
        _until.reset(token)


class TooLong(requests.RequestException):
    """An answer had not ended after ``LARGEST_ANSWER`` bytes."""


def network_problem(error: requests.RequestException, who: str) -> str:
    """Describe why a request had no answer, without the contents of the request.

    Args:
        who: who should have answered.
    """
    if isinstance(error, TooLong):
        return f"{who}'s answer is too long"
    # The library's own message may contain the whole request, headers included.
    if isinstance(error, requests.Timeout):
        return f"{who} did not answer in time"
    return f"the connection to {who} failed ({type(error).__name__})"


def read(response: requests.Response) -> bytes:
    """Read the whole body of an answer to a request with ``stream``.

    Raises:
        requests.RequestException: the body is incomplete, late or too long.
    """
    body = bytearray()
    with response:
        for some in response.iter_content(READ_AT_ONCE):
            body += some
            if len(body) > LARGEST_ANSWER:
                raise TooLong
    return bytes(body)


class BoundedAdapter(HTTPAdapter):
    """An adapter that limits each answer, including its head, to ``ANSWER_TIME``."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Create the pool of connections; overrides the library's method."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Create the pool of connections through a proxy."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_InTime(sock, self.fp.detach()))


class _InTime(io.RawIOBase):
    """The input of a socket, up to a deadline."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._deadline = time.monotonic() + ANSWER_TIME
        self._socket = sock
        self._raw = raw
        # The timeout for a single byte, as set by the request.
        self._patience = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response took too long")
        self._socket.settimeout(min(left, self._patience or left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Connection(HTTPConnection):
    response_class = _Answer

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        until = _until.get()
        if until is not None and expiry.now() >= until:
            raise Expired
        super().send(data)


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}


def number(response: requests.Response, header: str) -> float | None:
    """Return the whole number in a header; None if there is none."""
    text = response.headers.get(header, "")
    return float(text) if text.isascii() and text.isdigit() else None
