"""One line an event on stderr, with the operation it belongs to."""

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path

# Set by whoever works on an operation, in each of its threads.
operation_id: ContextVar[str] = ContextVar("operation_id", default="-")

FORMAT = "%(asctime)s %(levelname)s [%(operation)s] %(message)s"
DATE_FORMAT = "%Y-%m-%dT%H:%M:%S%z"
OURS = Path(__file__).resolve().parent


def pool(threads: int) -> ThreadPoolExecutor:
    """Threads whose log lines name the operation of whoever made them."""
    return ThreadPoolExecutor(threads, initializer=operation_id.set, initargs=(operation_id.get(),))


class _OneLine(logging.Formatter):
    """Keeps a message on its line: what iconik or a client sent may hold line breaks."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        return super().formatMessage(record)


def _name_operation(record: logging.LogRecord) -> bool:
    record.operation = operation_id.get()
    return True


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    is_ours = Path(record.pathname).resolve().parent == OURS
    # The development server says where it listens.
    return is_ours or record.levelno >= logging.WARNING or record.name == "werkzeug"


def configure(level: str) -> None:
    """Send every log line to stderr.

    Args:
        level: name of the lowest level to show. Of libraries, only warnings and worse.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_worth_a_line)
    handler.addFilter(_name_operation)
    handler.setFormatter(_OneLine(FORMAT, DATE_FORMAT))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # The engine library would otherwise add a handler of its own.
    library = logging.getLogger("dbos")
    library.handlers, library.propagate = [logging.NullHandler()], True
