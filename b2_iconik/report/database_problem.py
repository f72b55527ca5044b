"""Why the database cannot be used, in one line that says what to do, for the commands."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from b2_iconik.common.errors import PluginError
from b2_iconik.ledger.database import FileReplaced, connect
from b2_iconik.ledger.migrations import VERSION
from b2_iconik.ledger.tables import schema

MISSING_FILE = (
    "does not exist: start the service once to create it, or run this with the service's own "
    "DATABASE_URL or STATE_DIRECTORY"
)
CLOSED = "cannot be read and written: run this with sudo, or as the service's user"
LOCKED = (
    "is locked by another process: try again in a minute; if it stays locked, restart the service"
)
# By a part of the message of SQLite or PostgreSQL. Neither gives connections that failed a code.
PROBLEMS = {
    "is locked": LOCKED,
    "lock timeout": LOCKED,
    "not a database": "is not a SQLite database: correct DATABASE_URL, or restore a backup",
    "malformed": "is damaged: stop the service, and restore a backup",
    "readonly database": CLOSED,
    "unable to open database file": CLOSED,
    "authentication failed": "rejects the user or the password: correct DATABASE_URL",
    "no password supplied": "requires a password: add it to DATABASE_URL",
    "FATAL: role": "does not have this user: correct DATABASE_URL, or create the user",
    "FATAL: database": "does not exist: correct DATABASE_URL, or create it",
}
UNREACHABLE = re.compile(
    "Connection refused|Connection timed out|timeout expired|No route to host|"
    "Network is unreachable|No such file or directory|Name or service not known|"
    "failed to resolve host|could not translate host name|"
    "the database system is (?:starting up|shutting down)"
)


class Unusable(PluginError):
    """The database can't be used. The message says why, and what to do."""


@contextmanager
def opened(database_url: str, patience: float) -> Iterator[sa.Engine]:
    """Open an existing database of this version, without creating or changing a table.

    Args:
        patience: seconds to wait for another process to release it.

    Raises:
        Unusable: it can't be used, now or later in this context.
        SettingsError: see ``connect``.
    """
    url = sa.make_url(database_url)
    try:
        if url.get_backend_name() == "sqlite":
            _check_access(url)
        engine = connect(database_url, patience)
        try:
            _check_schema(engine)
            yield engine
        finally:
            engine.dispose()
    except BrokenPipeError:
        # This is about the output.
        raise
    except (SQLAlchemyError, OSError) as error:
        raise Unusable(explained(url, error)) from None


def _check_access(url: sa.URL) -> None:
    """Check that this user can use a SQLite file. Opening a missing file would create it."""
    path = Path(url.database or "").absolute()
    if not stat.S_ISREG(path.stat().st_mode):
        raise Unusable(f"database {path} is not a file: correct DATABASE_URL")
    # SQLite creates its journals in the same directory.
    if not all(os.access(place, os.R_OK | os.W_OK) for place in (path, path.parent)):
        raise PermissionError


def _check_schema(engine: sa.Engine) -> None:
    if not sa.inspect(engine).has_table(schema.name):
        raise Unusable(
            f"database {_name(engine.url)} has no tables of this service: correct DATABASE_URL, or "
            "start the service once"
        )
    with engine.connect() as connection:
        version = connection.execute(sa.select(sa.func.max(schema.c.version))).scalar() or 1
    if version != VERSION:
        do = "run the newer version" if version > VERSION else "restart the service to upgrade it"
        raise Unusable(
            f"database {_name(engine.url)} has schema {version}, but this checkout has {VERSION}: "
            f"{do}"
        )


def explained(url: sa.URL, error: Exception) -> str:
    """Return in one line why a database can't be used, without its password."""
    if isinstance(error, FileReplaced):
        return str(error)
    # SQLAlchemy would add the statement and its values.
    text = " ".join(str(getattr(error, "orig", None) or error).split())
    if url.password:
        text = text.replace(url.password, "***")
    return f"database {_name(url)} {_problem(error, text)}"


def _problem(error: Exception, text: str) -> str:
    if isinstance(error, FileNotFoundError):
        return MISSING_FILE
    if isinstance(error, PermissionError):
        return CLOSED
    unreachable = UNREACHABLE.search(text)
    if unreachable:
        return (
            f"cannot be reached ({unreachable[0]}): check the address in DATABASE_URL, and that "
            "PostgreSQL is running"
        )
    known = (problem for part, problem in PROBLEMS.items() if part in text)
    return next(known, f"cannot be used: {text}")


def _name(url: sa.URL) -> str:
    """Name a database by its path, or by its name and server."""
    if url.get_backend_name() == "sqlite":
        return str(Path(url.database or "").absolute())
    host = url.host or url.query.get("host", "localhost")
    return f"'{url.database}' on {host}:{url.port or url.query.get('port', 5432)}"
