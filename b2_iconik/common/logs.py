"""One line an event on stderr, as text or as JSON, with the operation it belongs to."""

import json
import logging
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from b2_iconik.common.texts import plain, plain_values

NO_OPERATION = "-"
# Set by whoever works on an operation, in each of its threads.
operation_id: ContextVar[str] = ContextVar("operation_id", default=NO_OPERATION)

FORMAT = "%(asctime)s %(levelname)s [%(operation)s] %(message)s"
DATE_FORMAT = "%Y-%m-%dT%H:%M:%S%z"
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (ROOT / "b2_iconik", ROOT / "iconik_http")
# What servers say at INFO is worth a line: where they listen, and which processes come and go.
SERVERS = ("werkzeug", "gunicorn.error")
# The logger of deletions, which is heard at any level.
AUDIT = "audit"


@contextmanager
def about(operation: str) -> Iterator[None]:
    """Have every line of this thread, those of libraries, too, name an operation."""
    token = operation_id.set(operation)
    try:
        yield
    finally:
        operation_id.reset(token)


def pool(threads: int) -> ThreadPoolExecutor:
    """Threads whose log lines name the operation of whoever made them."""
    return ThreadPoolExecutor(threads, initializer=operation_id.set, initargs=(operation_id.get(),))


class _Plain(logging.Formatter):
    """Shows what iconik or a client sent without line breaks, and without control characters."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        record.message = plain(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        # Indented, so that no line of what an error says passes for one of the log.
        return "\n".join(f"  {plain(line)}" for line in super().formatException(ei).split("\n"))


class _Json(_Plain):
    """Makes each event one JSON object, a trace included."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, tz=timezone.utc)
        operation = operation_id.get()
        told: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "operation_id": None if operation == NO_OPERATION else operation,
            "message": record.getMessage(),
            # Nothing else of a record: who knows what a library puts there.
            **getattr(record, "details", {}),
        }
        # JSON can hold any text, but a program that reads it may show it as it is.
        told = plain_values(told)
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told)


def _name_operation(record: logging.LogRecord) -> bool:
    record.operation = operation_id.get()
    return True


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    path = Path(record.pathname).resolve()
    # An environment in the checkout is below the root, too.
    is_ours = path.parent == ROOT or any(each in path.parents for each in PACKAGES)
    return is_ours or record.levelno >= logging.WARNING or record.name in SERVERS


def configure(level: str, log_format: str = "text") -> None:
    """Send every log line to stderr.

    Args:
        level: name of the lowest level to show. Of libraries, only warnings and worse.
        log_format: 'text' or 'json'.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_worth_a_line)
    handler.addFilter(_name_operation)
    handler.setFormatter(_Json() if log_format == "json" else _Plain(FORMAT, DATE_FORMAT))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger(AUDIT).setLevel(logging.INFO)


def take_over(logger: logging.Logger) -> None:
    """Have what a library's logger says go the way of all lines, and only that."""
    logger.handlers, logger.propagate = [], True
