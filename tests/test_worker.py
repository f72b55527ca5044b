"""Slow, odd and broken clients of a worker in this process, over real connections."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from selectors import DefaultSelector
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn

import worker as worker_module
from simulator.harness import wait_for
from worker import LARGEST_HEAD, PatientWorker

GOOD = b"GET /good HTTP/1.1\r\nHost: plugin\r\n\r\n"
POST = b"POST /body HTTP/1.1\r\nHost: plugin\r\nContent-Length: 10\r\n\r\n"
SOON = 0.2
BOUND = 60.0


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """An application that reads what is posted to /body, and says how much it was."""
    body = environ["wsgi.input"].read() if environ["PATH_INFO"] == "/body" else b""
    text = f"read {len(body)}".encode()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]


@pytest.fixture(params=["tcp", "unix"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """Where the worker is reached: by anybody, or by nginx on the same machine."""
    if request.param == "tcp":
        listener = socket.create_server(("127.0.0.1", 0))
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
    with listener:
        yield listener


@pytest.fixture
def worker(listener: socket.socket, tmp_path: Path) -> Iterator[PatientWorker]:
    """A worker with two threads, before its loop begins."""
    cfg = Config()
    cfg.set("threads", 2)
    cfg.set("graceful_timeout", 1)
    cfg.set("keepalive", 1)
    cfg.set("errorlog", str(tmp_path / "log"))
    made = PatientWorker(1, os.getppid(), [listener], None, 60, cfg, Logger(cfg))
    made.tpool = made.get_thread_pool()
    made.poller = DefaultSelector()
    made.method_queue.init()
    setattr(made, "wsgi", answer)  # noqa: B010 - the stubs know no plain function as one
    yield made
    made.tmp.close()
    for handler in made.log.error_log.handlers:
        handler.close()


@pytest.fixture
def running(worker: PatientWorker) -> Iterator[PatientWorker]:
    """A worker whose loop runs."""
    loop = threading.Thread(target=worker.run)
    loop.start()
    yield worker
    worker.alive = False
    loop.join(BOUND)


@pytest.fixture
def connect(running: PatientWorker, listener: socket.socket) -> Iterator[Callable[..., Any]]:
    """Makes connections that have sent something."""
    made = []

    def connect(sent: bytes = b"") -> socket.socket:
        client = socket.socket(listener.family)
        client.settimeout(BOUND)
        client.connect(listener.getsockname())
        made.append(client)
        client.sendall(sent)
        return client

    yield connect
    for client in made:
        client.close()


class Leading:
    """An application whose process may run operations."""

    def __init__(self) -> None:
        self.extensions = {"executor": SimpleNamespace(leads=True)}

    def __call__(self, *arguments: Any) -> list[bytes]:
        return answer(*arguments)


def received(client: socket.socket) -> bytes:
    """All that a client gets until the connection is closed."""
    parts = []
    while part := client.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def reply(client: socket.socket) -> bytes:
    """What the application says to one request on a connection that is kept."""
    parts = [b""]
    while b"read " not in parts[-1]:
        parts.append(client.recv(65_536))
        assert parts[-1], parts
    return parts[-1][parts[-1].index(b"read ") :]


def test_a_request_is_answered_and_its_connection_kept(connect: Any) -> None:
    client = connect(GOOD)
    for _ in range(3):
        assert reply(client) == b"read 0"
        client.sendall(GOOD)


def test_a_body_is_read_though_it_comes_in_pieces(connect: Any) -> None:
    client = connect(POST + b"12345")
    client.sendall(b"67890")
    assert reply(client) == b"read 10"


@pytest.mark.parametrize("listener", ["tcp"], indirect=True)
def test_clients_that_drip_their_heads_take_no_thread(connect: Any) -> None:
    slow = [connect(b"GET /good HTTP/1.1\r\n") for _ in range(20)]
    for client in slow:
        client.sendall(b"Ho")
    assert reply(connect(GOOD)) == b"read 0"
    for client in slow:
        client.sendall(b"st: plugin\r\n\r\n")
        assert reply(client) == b"read 0"


@pytest.mark.parametrize("listener", ["tcp"], indirect=True)
def test_the_head_of_a_further_request_takes_no_thread_either(connect: Any) -> None:
    slow = [connect(GOOD) for _ in range(20)]
    for client in slow:
        assert reply(client) == b"read 0"
        client.sendall(GOOD[:20])
    assert reply(connect(GOOD)) == b"read 0"


def test_half_a_request_behind_another_is_not_waited_for(connect: Any) -> None:
    assert received(connect(GOOD + GOOD[:20])).endswith(b"read 0")


def test_who_never_sends_a_whole_head_is_closed_on(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "HEAD_TIMEOUT", SOON)
    # On a Unix socket, a thread reads what there is of it.
    monkeypatch.setattr(worker_module, "REQUEST_TIMEOUT", SOON)
    assert received(connect()) == b""
    client = connect(b"GET /good")
    # What was never read makes a close a reset.
    with suppress(ConnectionResetError):
        assert received(client) == b""


def test_who_ends_within_a_head_is_closed_on(connect: Any) -> None:
    for sent in (b"", GOOD[:20]):
        client = connect(sent)
        client.shutdown(socket.SHUT_WR)
        assert received(client) == b""


def test_a_head_that_is_too_large_is_refused(connect: Any) -> None:
    client = connect(b"GET /" + b"x" * LARGEST_HEAD)
    assert received(client).startswith(b"HTTP/1.1 431 ")


def test_a_body_that_does_not_come_is_not_waited_for_without_end(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "REQUEST_TIMEOUT", SOON)
    assert received(connect(POST + b"123")).endswith(b"read 3")


def test_a_body_that_nobody_reads_is_not_waited_for(connect: Any) -> None:
    client = connect(POST.replace(b"/body", b"/good"))
    assert received(client).endswith(b"read 0")


def test_who_reads_no_answer_is_cut_off(
    connect: Any, worker: PatientWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pour(_: object, start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        while True:
            yield b"x" * 1_000_000

    setattr(worker, "wsgi", pour)  # noqa: B010 - as above
    clients = [connect(GOOD), connect(GOOD)]
    wait_for("the threads to be taken", lambda: len(worker._busy) == len(clients), BOUND)
    monkeypatch.setattr(worker_module, "REQUEST_TIMEOUT", SOON)
    monkeypatch.setattr(worker_module, "ANSWER_TIMEOUT", SOON)
    wait_for("the threads to be free", lambda: not worker._busy, BOUND)


def test_a_client_that_does_not_close_its_side_holds_up_nobody(
    connect: Any, worker: PatientWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "PARTING_TIMEOUT", SOON)
    last = GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    for client in [connect(last) for _ in range(20)]:
        assert received(client).endswith(b"read 0")
    assert reply(connect(GOOD)) == b"read 0"
    wait_for("the loop to forget them", lambda: worker.nr_conns == 0, BOUND)


def test_what_comes_after_the_answer_is_thrown_away(connect: Any, worker: PatientWorker) -> None:
    last = GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    client = connect(last)
    assert received(client).endswith(b"read 0")
    client.sendall(b"and something else")
    client.shutdown(socket.SHUT_WR)
    wait_for("the loop to forget it", lambda: worker.nr_conns == 0, BOUND)


def test_another_fault_of_a_request_is_told(connect: Any) -> None:
    assert b"Invalid HTTP Version" in received(connect(b"GET / HTTP/9.9\r\n\r\n"))


# What hardly ever happens


def test_a_connection_that_another_worker_took_is_none(
    worker: PatientWorker, listener: socket.socket
) -> None:
    listener.setblocking(False)
    worker.accept(listener)
    assert worker.nr_conns == 0


@pytest.fixture
def pair(worker: PatientWorker) -> Iterator[tuple[TConn, socket.socket]]:
    """A connection of a worker whose loop does not run, and its client."""
    ours, client = socket.socketpair()
    worker.nr_conns += 1
    yield TConn(worker.cfg, ours, ("", 0), ("", 0)), client
    ours.close()
    client.close()


def test_a_connection_that_failed_before_its_end_is_forgotten(
    worker: PatientWorker, pair: tuple[TConn, socket.socket]
) -> None:
    pair[0].sock.close()
    worker._part(pair[0])
    assert worker.nr_conns == 0


def test_a_client_that_goes_away_while_we_part_is_forgotten(
    worker: PatientWorker, pair: tuple[TConn, socket.socket]
) -> None:
    worker._part(pair[0])
    pair[0].sock.close()
    worker._drain(pair[0], pair[0].sock)
    assert worker.nr_conns == 0


def test_a_wake_up_without_data_changes_nothing(
    worker: PatientWorker, pair: tuple[TConn, socket.socket]
) -> None:
    worker._await_head(pair[0])
    worker.on_pending_socket_readable(pair[0], pair[0].sock)
    assert list(worker.pending_conns) == [pair[0]]


def test_a_connection_that_was_reset_is_left_to_a_thread(
    worker: PatientWorker, pair: tuple[TConn, socket.socket]
) -> None:
    with socket.socket() as unconnected:
        assert worker_module._unread(unconnected) == b""


def test_a_fault_of_the_server_ends_the_connection(
    worker: PatientWorker, pair: tuple[TConn, socket.socket]
) -> None:
    failed: Future[bool] = Future()
    failed.set_exception(RuntimeError("the pool"))
    worker.finish_request(pair[0], failed)
    assert worker.nr_conns == 0


def test_clients_are_left_to_another_worker_while_this_one_runs_operations(
    worker: PatientWorker,
    listener: socket.socket,
    connect: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "LEFT_AFTER", 3600.0)
    app = Leading()
    app.extensions["executor"].leads = False
    worker.wsgi = app
    worker.cfg.set("workers", 2)
    assert reply(connect(GOOD)) == b"read 0"
    app.extensions["executor"].leads = True
    wait_for("the worker to leave them", lambda: not getattr(worker, "_accepting"), BOUND)  # noqa: B009 - the stubs lack it
    connect(GOOD)
    listener.settimeout(BOUND)
    # As another worker does.
    listener.accept()[0].close()


def test_a_client_that_no_other_worker_takes_is_answered_all_the_same(
    worker: PatientWorker, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "LEFT_AFTER", 0.0)
    worker.wsgi = Leading()
    worker.cfg.set("workers", 2)
    clients = [connect(GOOD) for _ in range(3)]
    assert [reply(client) for client in clients] == [b"read 0"] * 3


def test_the_only_worker_answers_though_it_runs_operations(
    worker: PatientWorker, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "LEFT_AFTER", 3600.0)
    worker.wsgi = Leading()
    assert reply(connect(GOOD)) == b"read 0"
