"""Log lines on stderr: one per event, as text or JSON, with the id of the operation."""

import json
import logging
import re
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
# Set in each thread that works on an operation.
operation_id: ContextVar[str] = ContextVar("operation_id", default=NO_OPERATION)

FORMAT = "%(asctime)s %(levelname)s [%(operation)s] %(message)s"
DATE_FORMAT = "%Y-%m-%dT%H:%M:%S%z"
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (ROOT / "b2_iconik", ROOT / "iconik_http")
# At INFO, only these libraries are logged: they report addresses, and processes that start or end.
SERVERS = ("werkzeug", "gunicorn.error")
# The logger of deletions. Its lines appear at any log level.
AUDIT = "audit"
# The lines of these loggers contain URLs, of which some are signed or contain a password: at DEBUG
# for every request, and in a warning if the head of an answer is malformed.
LOGGERS_OF_URLS = (
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.util.retry",
)
# The value of the query parameter that opens a page; see ``links``.
LINK = re.compile(r"(?<=[?&]link=)[\w.~%-]+", re.ASCII)


@contextmanager
def about(operation: str) -> Iterator[None]:
    """Add an operation's id to every line that this thread logs, including those of libraries."""
    token = operation_id.set(operation)
    try:
        yield
    finally:
        operation_id.reset(token)


def pool(threads: int) -> ThreadPoolExecutor:
    """Create threads whose log lines have the operation id of the creating thread."""
    return ThreadPoolExecutor(threads, initializer=operation_id.set, initargs=(operation_id.get(),))


def hide_urls() -> None:
    """Drop the lines of the HTTP library in which it would show URLs, at every level."""
    for name in LOGGERS_OF_URLS:
        logging.getLogger(name).addFilter(_drop)


def _drop(_: logging.LogRecord) -> bool:
    return False


def _masked(text: str) -> str:
    """Escape a text for one line of the log, without the signatures of links."""
    return LINK.sub("***", plain(text))


class _Plain(logging.Formatter):
    """Escapes line breaks and control characters in text from iconik and clients."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        record.message = _masked(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's own name
        # Indent the lines, so that an error's text can't imitate a log line.
        return "\n".join(f"  {_masked(line)}" for line in super().formatException(ei).split("\n"))


class _Json(_Plain):
    """Formats each event, including its traceback, as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, tz=timezone.utc)
        operation = operation_id.get()
        told: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "operation_id": None if operation == NO_OPERATION else operation,
            "message": _masked(record.getMessage()),
            # Include no other attributes: libraries may put anything there.
            **getattr(record, "details", {}),
        }
        # JSON can hold any text, but programs that read the log may display it unescaped.
        told = plain_values(told)
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told)


def _name_operation(record: logging.LogRecord) -> bool:
    record.operation = operation_id.get()
    return True


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    path = Path(record.pathname).resolve()
    # A virtual environment in the checkout is also below the root.
    is_ours = path.parent == ROOT or any(each in path.parents for each in PACKAGES)
    return is_ours or record.levelno >= logging.WARNING or record.name in SERVERS


def configure(level: str, log_format: str = "text") -> None:
    """Send every log line to stderr.

    Args:
        level: name of the lowest level to show. Libraries log only warnings and worse.
        log_format: 'text' or 'json'.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_worth_a_line)
    handler.addFilter(_name_operation)
    handler.setFormatter(_Json() if log_format == "json" else _Plain(FORMAT, DATE_FORMAT))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger(AUDIT).setLevel(logging.INFO)


def take_over(logger: logging.Logger) -> None:
    """Send the lines of a library's logger to the root logger only."""
    logger.handlers, logger.propagate = [], True
