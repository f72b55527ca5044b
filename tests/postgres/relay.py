"""A way to a PostgreSQL server over TCP that can fall silent, as a host does that is frozen."""

import socket
import threading
from contextlib import suppress
from types import TracebackType

import sqlalchemy as sa


class Relay:
    """Listens on this machine and passes everything on, until it is told to fall silent.

    Connections are accepted and bytes are taken all the same; there just is no answer.

    Args:
        url: of a database on a server that listens on a Unix socket.
    """

    def __init__(self, url: str) -> None:
        parsed = sa.make_url(url)
        self._path = f"{parsed.query['host']}/.s.PGSQL.{parsed.query.get('port', 5432)}"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self._silent = threading.Event()
        port = self._listener.getsockname()[1]
        self.url = parsed.set(host="127.0.0.1", port=port, query={}).render_as_string(False)
        threading.Thread(target=self._accept, daemon=True).start()

    def fall_silent(self) -> None:
        """Pass nothing on any more."""
        self._silent.set()

    def __enter__(self) -> "Relay":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._path)
                self._open += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if not self._silent.is_set():
                    target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
