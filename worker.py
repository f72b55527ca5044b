"""Gunicorn's worker with threads, changed so that no client can hold it up by being slow.

As it comes, a thread waits without end for the rest of a request, so a few clients that send a byte
now and then take the service from everybody; and the loop that all connections go through waits
seconds for each client that does not close its side. Here, a request gets a thread once its head is
there, and must then be there in whole before long; and the loop waits for nobody.

Nor can operations hold up answers: the worker that runs them leaves the clients to the others.
"""

import socket
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any
from weakref import WeakKeyDictionary

from gunicorn.util import write_error
from gunicorn.workers.gthread import TConn, ThreadWorker

# As long as iconik waits for an answer: whoever takes longer to ask is no click of iconik's.
HEAD_TIMEOUT = 10.0
REQUEST_TIMEOUT = 10.0
# Only a client that never reads what it is answered lets one take as long.
ANSWER_TIMEOUT = 60.0
# So that a client that is still sending hears the answer.
PARTING_TIMEOUT = 2.0
DRAIN_TIMEOUT = 0.01
# So long a client waits at most for another worker, before the one that runs operations takes it.
LEFT_AFTER = 1.0
LARGEST_HEAD = 32_768
READ_AT_ONCE = 65_536


class PatientWorker(ThreadWorker):
    """A ``ThreadWorker`` with bounds on how long a client may take for what."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # When the threads took each connection.
        self._busy: dict[TConn, float] = {}
        # Those that are closed on our side, in the order of their timeouts.
        self._parting: deque[TConn] = deque()
        # How much of the head of a next request was there when last looked at.
        self._seen: WeakKeyDictionary[TConn, int] = WeakKeyDictionary()
        self._took_left = time.monotonic()

    def set_accept_enabled(self, enabled: bool | None) -> None:
        """Begin or cease to take connections as they come."""
        super().set_accept_enabled(bool(enabled) and not self._is_busy_otherwise())

    def accept(self, listener: socket.socket) -> None:
        """Take a connection, to wait in the loop for its first request."""
        # Another worker was faster, or the client is gone, or too many files are open.
        with suppress(OSError):
            client, address = listener.accept()
            self.nr_conns += 1
            self._await_head(TConn(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Wait in the loop for the head of a further request on a connection, too."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await_head(conn)

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Give a connection to a thread, if the head of its request is there."""
        head = b"" if self.cfg.is_ssl else _unread(client)
        if head is None:
            return
        if len(head) >= LARGEST_HEAD and b"\r\n\r\n" not in head:
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            write_error(client, 431, "Request Header Fields Too Large", "")
            self._part(conn)
            return
        # Nothing new, and still readable: that is an end.
        is_whole = b"\r\n\r\n" in head or len(head) == self._seen.get(conn, 0)
        self._seen[conn] = 0 if is_whole else len(head)
        # Not to be woken again by what was seen already. A Unix socket wakes all the same, and gets
        # a thread then: at its other end is nginx, which sends whole requests.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self._seen[conn] + 1)
        if is_whole:
            super().on_pending_socket_readable(conn, client)

    def handle(self, conn: TConn) -> bool:
        """Serve one request, in a thread."""
        self._busy[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            del self._busy[conn]

    def finish_request(self, conn: TConn, fs: "Future[bool]") -> None:
        """Keep a connection whose request was served, or part from it."""
        parser: Any = conn.parser
        # Nobody we know sends a request before the answer to the last one; it may be half of one.
        if fs.cancelled() or fs.exception() or (fs.result() and not parser.unreader.buf.getvalue()):
            super().finish_request(conn, fs)
        else:
            self._part(conn)

    def murder_pending(self) -> None:
        """End what has taken too long; called about once a second."""
        super().murder_pending()
        now = time.monotonic()
        if self.alive and self._is_busy_otherwise():
            self.set_accept_enabled(False)
            # The others may be held up, or gone: nobody is to wait for them for long.
            if now - self._took_left >= LEFT_AFTER:
                self._took_left = now
                self._take_left()
        for conn, began in list(self._busy.items()):
            # The thread reads an end then, and can still answer.
            if now - began > REQUEST_TIMEOUT:
                _shut(conn.sock, socket.SHUT_RD)
            if now - began > ANSWER_TIMEOUT:
                _shut(conn.sock, socket.SHUT_RDWR)
        while self._parting and (self._parting[0].timeout or 0) < now:
            self._forget(self._parting[0])

    def _is_busy_otherwise(self) -> bool:
        """Whether this process runs operations, and others are there to answer."""
        executor = getattr(self.wsgi, "extensions", {}).get("leader")
        return self.cfg.workers > 1 and executor is not None and executor.leads

    def _take_left(self) -> None:
        """Take the connections that wait now."""
        for listener in self.sockets:
            listener.setblocking(False)
            before = -1
            while before < self.nr_conns < self.worker_connections:
                before = self.nr_conns
                self.accept(listener)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Whether a connection can be kept, the request on it being read to its end.

        Gunicorn's own keeps the thread for up to five seconds to see whether the rest comes.
        """
        parser: Any = conn.parser
        return keepalive and bool(parser.finish_body(deadline=time.monotonic() + DRAIN_TIMEOUT))

    def _await_head(self, conn: TConn) -> None:
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + HEAD_TIMEOUT
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, EVENT_READ, readable)

    def _part(self, conn: TConn) -> None:
        """Close our side, and wait in the loop for the client's, as RFC 9112 has it."""
        conn.timeout = time.monotonic() + PARTING_TIMEOUT
        self._parting.append(conn)
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, EVENT_READ, partial(self._drain, conn))
        except (OSError, ValueError):
            self._forget(conn)

    def _drain(self, conn: TConn, client: socket.socket) -> None:
        try:
            is_open = bool(client.recv(READ_AT_ONCE))
        except OSError:
            is_open = False
        if not is_open:
            self._forget(conn)

    def _forget(self, conn: TConn) -> None:
        self._parting.remove(conn)
        with suppress(KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()


def _unread(client: socket.socket) -> bytes | None:
    """What a client has sent and nobody has read; None if there is nothing, yet."""
    try:
        return client.recv(LARGEST_HEAD, socket.MSG_PEEK)
    except BlockingIOError:
        return None
    except OSError:
        # A thread finds out the same.
        return b""


def _shut(client: socket.socket, how: int) -> None:
    # The client may have gone, or the thread may be done.
    with suppress(OSError):
        client.shutdown(how)
