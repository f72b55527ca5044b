"""Answers that come too slowly, or have no end, from a server that really sends them."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from b2_iconik.common.settings import Settings
from iconik_http import expiry, http_limits
from iconik_http.errors import IconikUnavailable, TooLate
from iconik_http.http_limits import BoundedAdapter
from iconik_http.tokens import Tokens
from iconik_http.transport import Transport
from tests.fake_iconik import CLICK_TOKEN, NoPacer
from tests.makers import FOR_EVER

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b'"' + b"a" * 1_000_000 + b'"'
STEPS = 100
INTERVAL = 0.05
Start = Callable[..., Transport]


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    """Start a server that sends these parts, one after the other, and a transport to it."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(http_limits.ANSWER_TIME)
    transports: list[Transport] = []
    threads: list[threading.Thread] = []

    def start(*parts: bytes, interval: float = 0.0) -> Transport:
        def serve() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65_536)
                for part in parts:
                    connection.sendall(part)
                    time.sleep(interval)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        transports.append(Transport(url, settings.iconik_id, Tokens(CLICK_TOKEN), NoPacer()))
        return transports[-1]

    yield start
    for transport in transports:
        transport.close()
    for thread in threads:
        thread.join()
    listener.close()


def ask(transport: Transport) -> None:
    """Ask for something, but once."""
    transport.delete("things/1/", "delete thing 1", "can_delete_things", until=FOR_EVER)


@pytest.mark.parametrize(
    "parts",
    [
        [*[HEAD[n : n + 1] for n in range(len(HEAD))], b"X: ", *[b"x"] * STEPS, b"\r\n\r\n{}"],
        [HEAD[:-3], b"%d\r\n\r\n" % STEPS, b'"', *[b"a"] * (STEPS - 2), b'"'],
        [CHUNKED, *[b"0"] * STEPS, b"2\r\n{}\r\n0\r\n\r\n"],
        [CHUNKED, *[b"1\r\n1\r\n"] * STEPS, b"0\r\n\r\n"],
    ],
    ids=["head", "body", "length of a chunk", "chunks"],
)
def test_an_answer_that_comes_byte_by_byte_is_given_up(
    start: Start, parts: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "ANSWER_TIME", 10 * INTERVAL)
    transport = start(*parts, interval=INTERVAL)
    with pytest.raises(IconikUnavailable, match="could not delete thing 1: "):
        ask(transport)


def test_an_answer_that_is_there_too_late_is_not_read(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "ANSWER_TIME", 0.0)
    with pytest.raises(IconikUnavailable, match="could not delete thing 1: "):
        ask(start(HEAD + b"\r\n{}"))


def with_length(body: bytes, *headers: bytes) -> bytes:
    """A whole answer."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


@pytest.mark.parametrize(
    "answer",
    [
        with_length(LONG),
        with_length(gzip.compress(LONG), b"Content-Encoding: gzip"),
        CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(LONG), LONG),
    ],
    ids=["plain", "compressed", "in chunks"],
)
def test_an_answer_that_does_not_end_is_given_up(
    start: Start, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "LARGEST_ANSWER", 100_000)
    with pytest.raises(IconikUnavailable, match="iconik's answer is too long"):
        ask(start(answer))


def test_an_answer_in_time_is_taken(start: Start) -> None:
    ask(start(with_length(LONG)))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_way_to_iconik_is_without_a_bound(scheme: str) -> None:
    adapter = BoundedAdapter()
    for manager in (adapter.poolmanager, adapter.proxy_manager_for("http://proxy.test:3128")):
        pool = manager.connection_from_url(f"{scheme}://iconik.test")
        assert pool.ConnectionCls.response_class is http_limits._Answer
    adapter.close()


# Requests that must not be sent late


class Suspended:
    """A clock of a process that is suspended at one of its looks at it.

    Args:
        at: which look that is, counted from 1.
    """

    def __init__(self, at: int) -> None:
        self.looks = 0
        self._at = at

    def now(self) -> float:
        self.looks += 1
        return 10.0 if self.looks < self._at else 17.0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


@pytest.fixture
def to_listener(settings: Settings, listener: socket.socket) -> Iterator[Transport]:
    """A transport to ``listener``."""
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    transport = Transport(url, settings.iconik_id, Tokens(CLICK_TOKEN), NoPacer())
    yield transport
    transport.close()


def test_a_process_that_is_suspended_right_before_it_deletes_sends_nothing(
    to_listener: Transport, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The transport has looked once, and found that there is time.
    clock = Suspended(at=2)
    monkeypatch.setattr(expiry, "now", clock.now)
    with pytest.raises(TooLate):
        to_listener.delete("things/1/", "delete it", "can_delete_things", until=15.0)
    to_listener.close()
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(100) == b""
    assert clock.looks == 2


def test_a_process_that_is_suspended_between_head_and_body_sends_no_whole_request(
    to_listener: Transport, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "now", Suspended(at=3).now)
    with pytest.raises(TooLate):
        to_listener.delete_many("things/", "delete them", "can", ["1"], until=15.0)
    to_listener.close()
    connection, _ = listener.accept()
    received = b""
    with connection:
        while some := connection.recv(65_536):
            received += some
    head, _, body = received.partition(b"\r\n\r\n")
    assert (b"Content-Length: 14" in head, body) == (True, b"")


def test_requests_without_a_limit_are_sent_whenever(start: Start) -> None:
    transport = start(HEAD + b"\r\n{}")
    with http_limits.sent_before(0.0), http_limits.sent_before(None):
        assert transport.object("GET", "things/1/", "read it", "can") == {}
