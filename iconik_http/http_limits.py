"""Answers over HTTP that end: in time and within a size, however slowly or long they are sent.

The HTTP library's own time limit is for the next byte: an answer that comes byte by byte would take
days, and one without an end would fill the memory.
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

# From the end of the request to the last byte of the answer, in seconds.
ANSWER_TIME = 120.0
# Far above a page of 100 records; in bytes, after decompression.
LARGEST_ANSWER = 32 * 1024 * 1024
READ_AT_ONCE = 65_536


_until: ContextVar[float | None] = ContextVar("until", default=None)


class Expired(Exception):
    """A request was not sent: its time had passed before its first byte left.

    No ``OSError``: the HTTP library would take it for one of the network's.
    """


@contextmanager
def sent_before(until: float | None) -> Iterator[None]:
    """Let no byte of a request leave after a moment.

    ``Expired`` is raised instead. The check is the last thing before the system call that sends, so
    that a connection that had to be made, or a process that was suspended meanwhile, is noticed.

    Args:
        until: by ``expiry.now``; None for no limit.
    """
    token = _until.set(until)
    try:
        yield
    finally:
        _until.reset(token)


class TooLong(requests.RequestException):
    """An answer was not at its end after ``LARGEST_ANSWER`` bytes."""


def read(response: requests.Response) -> bytes:
    """The whole body of an answer that was asked for with ``stream``.

    Raises:
        requests.RequestException: it did not come whole, or in time, or is too long.
    """
    body = bytearray()
    with response:
        for some in response.iter_content(READ_AT_ONCE):
            body += some
            if len(body) > LARGEST_ANSWER:
                raise TooLong
    return bytes(body)


class BoundedAdapter(HTTPAdapter):
    """Lets no answer take longer than ``ANSWER_TIME``, its head included."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pool of connections, as the library wants it."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        """Make the pool of connections through a proxy."""
        manager = super().proxy_manager_for(*arguments, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = io.BufferedReader(_InTime(sock, self.fp.detach()))


class _InTime(io.RawIOBase):
    """What comes from a socket until a moment."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._deadline = time.monotonic() + ANSWER_TIME
        self._socket = sock
        self._raw = raw
        # That of a single byte, as the request asked for it.
        self._patience = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
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
    """The whole number in a header; None where there is none."""
    text = response.headers.get(header, "")
    return float(text) if text.isascii() and text.isdigit() else None
