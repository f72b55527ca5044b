"""A server that answers each request with bytes as given, and remembers what it was asked."""

import socket
import threading
from contextlib import suppress
from types import TracebackType

END = b"\r\n\r\n"


class RawServer:
    """Answers on a port of this machine, one connection after the other.

    Args:
        answers: what is sent for one request after the other; then connections are ended. After
            one that says ``Connection: close``, the connection is ended at once.
    """

    def __init__(self, *answers: bytes) -> None:
        self.heads: list[str] = []
        self.connections = 0
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "RawServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # It wakes the thread, on macOS, too.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while self._answers:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(OSError):
                connection.settimeout(10)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        while self._answers:
            head = b""
            while END not in head:
                received = connection.recv(65_536)
                if not received:
                    return
                head += received
            self.heads.append(head.decode())
            answer = self._answers.pop(0)
            connection.sendall(answer)
            if b"Connection: close" in answer:
                return
