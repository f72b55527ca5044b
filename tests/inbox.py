"""A receiver of notifications on this machine, which apprise's scheme ``json`` posts to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# The password and a part of the path of its address.
SECRETS = ("hunter2-of-the-inbox", "token-of-the-inbox")


class Inbox:
    """What a receiver got.

    Attributes:
        url: its apprise URL, which has ``SECRETS``.
        messages: the bodies of the requests.
        answers: the statuses to answer with, one after the other; then 200.
        goes_on: cleared while it answers nothing.
    """

    def __init__(self, port: int) -> None:
        password, token = SECRETS
        self.url = f"json://ada:{password}@127.0.0.1:{port}/{token}"
        self.messages: list[dict[str, Any]] = []
        self.answers: list[int] = []
        self.goes_on = threading.Event()
        self.goes_on.set()


@contextmanager
def an_inbox() -> Iterator[Inbox]:
    """A receiver that listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            inbox.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            inbox.goes_on.wait()
            self.send_response(inbox.answers.pop(0) if inbox.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inbox = Inbox(server.server_port)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield inbox
    inbox.goes_on.set()
    server.shutdown()
    server.server_close()
