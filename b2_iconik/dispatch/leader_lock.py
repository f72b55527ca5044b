"""The lock that makes a single process the leader: a file lock, or a PostgreSQL advisory lock."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from b2_iconik.ledger.database import FileReplaced, check_file, connect, real_path

# Any constant will do, as long as no other program takes the same one.
POSTGRES_LEADER = 7_402_119_302
PATIENCE = 5.0
# In milliseconds. The leader uses the lock's session every second, unless its host is suspended.
LONGEST_SILENCE_MS = 15_000
# PostgreSQL 14 and later have this setting.
END_SILENT_SESSION = (
    sa.select(sa.func.set_config(sa.column("name"), str(LONGEST_SILENCE_MS), False))
    .select_from(sa.table("pg_settings", sa.column("name")))
    .where(sa.column("name") == "idle_session_timeout")
)


@contextmanager
def only_one(database_url: str) -> Iterator[Callable[[], bool] | None]:
    """Become the leader, the only process that runs operations.

    Yields a function that tells whether this process is still the only one; None if another is.
    """
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        # There must be one lock, whichever link leads to the file.
        database = real_path(url)
        descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Any user who can read the file can lock it.
            os.fchmod(descriptor, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield lambda: _is_same_file(descriptor, f"{database}.lock") and _is_there(database)
        finally:
            os.close(descriptor)
        return
    engine = connect(database_url, PATIENCE)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            lock = sa.select(sa.func.pg_try_advisory_lock(POSTGRES_LEADER))
            if connection.execute(lock).scalar():
                connection.execute(END_SILENT_SESSION)
                yield lambda: _is_alive(connection)
            else:
                yield None
    finally:
        engine.dispose()


def _is_same_file(descriptor: int, path: str) -> bool:
    """Whether the lock file is still the locked one: another process could lock a new file."""
    try:
        return os.path.samestat(os.fstat(descriptor), Path(path).stat())
    except FileNotFoundError:
        return False


def _is_there(database: str) -> bool:
    """Whether the database is the one that was opened."""
    try:
        check_file(database)
    except FileReplaced:
        return False
    return True


def _is_alive(connection: sa.Connection) -> bool:
    """Whether the session that holds the advisory lock still exists."""
    try:
        connection.execute(sa.select(1))
    except SQLAlchemyError:
        return False
    return True


def is_taken(database_url: str) -> bool:
    """Whether some process is the leader now."""
    url = sa.make_url(database_url)
    # The lock's file would get this process's owner, who may be another than the service's user.
    if url.get_backend_name() == "sqlite" and not Path(f"{real_path(url)}.lock").exists():
        return False
    with only_one(database_url) as mine:
        return mine is None
