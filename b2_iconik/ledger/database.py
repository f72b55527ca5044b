"""The database that holds the operations: how it is opened, and how it is written to."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed, wait_random

from b2_iconik.common.errors import SettingsError

# Any constant will do, as long as no other program takes the same one.
POSTGRES_WRITING = 7_402_119_301
TURNS = "turns to write"
# These make the server soon release the locks of a lost host or a frozen process: the leader's
# lock, and the lock for writing. In milliseconds, but in seconds for tcp_keepalives.
# https://www.postgresql.org/docs/current/runtime-config-connection.html
SERVER_LIMITS = {
    "idle_in_transaction_session_timeout": 15_000,
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

# The SQLite files that this process and those before its fork have opened, by their real path.
_opened: dict[str, os.stat_result] = {}


class FileReplaced(SQLAlchemyError):
    """The SQLite file is no longer the one that was opened; the message says what to do."""


class FileDamaged(SQLAlchemyError):
    """The SQLite file is damaged; the message says what to do."""


def connect(url: str, patience: float, *, is_all_vital: bool = True) -> sa.Engine:
    """Open a database.

    Args:
        url: SQLAlchemy URL of a SQLite file or a PostgreSQL database.
        patience: seconds to wait for another process to release it.
        is_all_vital: whether everything written must survive a power cut, and takes precedence over
            what others write. This is so for clicks. Waiting for the disk each time delays other
            writers. See ``writing``.

    Raises:
        OSError: the SQLite file can't be created.
        FileReplaced: it was deleted or replaced since it was first opened.
        SQLAlchemyError: it can't be used.
        SettingsError: it has several names.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return _connect_to_postgres(parsed, patience)
    path = real_path(parsed)
    check_file(path)
    _make_private(path)
    turns = _Turns(path, patience, is_eager=is_all_vital)
    engine = sa.create_engine(url, execution_options={TURNS: turns})

    @sa.event.listens_for(engine, "do_connect")
    def check(*_: Any) -> None:
        # SQLite would make an empty file.
        check_file(path)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA synchronous={'FULL' if is_all_vital else 'NORMAL'}")

    _write_ahead(engine, patience)
    _opened.setdefault(path, Path(path).stat())
    return engine


def real_path(url: sa.URL) -> str:
    """The path of a SQLite file without symbolic links, as SQLite names its journals."""
    return os.path.realpath(url.database or "")


def check_file(path: str) -> None:
    """Check that a SQLite file is still the one that was opened.

    SQLite would go on with a file that was deleted, or would put a journal next to a different
    file. So nothing opens another file until the service is restarted.

    Raises:
        FileReplaced: it isn't.
    """
    opened = _opened.get(path)
    if opened is None:
        return
    try:
        if os.path.samestat(opened, Path(path).stat()):
            return
    except FileNotFoundError:
        pass
    raise FileReplaced(
        f"the database file was deleted or replaced while the service was running: put {path} back "
        "as it was, or stop the service, put the right file in place, and start the service"
    )


def check_pages(url: str, largest: int) -> None:
    """Read a whole SQLite file, and check that it is not damaged.

    Args:
        largest: the size in bytes up to which a file is read.

    Raises:
        FileDamaged: it is damaged.
    """
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return
    path = real_path(parsed)
    if Path(path).stat().st_size > largest:
        return
    # This needs its own connection: others may not read again what they have cached.
    with closing(sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)) as connection:
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            found = str(error)
    if found != "ok":
        raise FileDamaged(
            f"the database file is damaged ({' '.join(found.split())}): stop the service, and "
            f"replace {path} with a backup"
        )


def _connect_to_postgres(url: sa.URL, patience: float) -> sa.Engine:
    engine = sa.create_engine(
        url,
        # Whatever the server's default is: after ``writing`` has waited for another writer, a
        # transaction must read what that one has written.
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_timeout=patience,
        connect_args=client_limits(url, patience),
    )
    limits = {"lock_timeout": int(patience * 1000), **SERVER_LIMITS}
    statement = ";".join(f"SET {name} = {value}" for name, value in limits.items())

    @sa.event.listens_for(engine, "connect")
    def limit(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        # Otherwise, the pool would roll it back.
        connection.commit()

    return engine


def client_limits(url: sa.URL, patience: float) -> dict[str, int]:
    """How long to wait for a PostgreSQL server that is gone, or never answers a connection.

    Parameters in the URL take precedence.
    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
    """
    limits = {
        "connect_timeout": max(1, int(patience)),
        "tcp_user_timeout": int(patience * 1000),
        "keepalives_idle": 5,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    return {name: value for name, value in limits.items() if name not in url.query}


def _make_private(path: str) -> None:
    """Make a SQLite file and its journals readable by their owner alone."""
    # New journals get the file's own mode from SQLite.
    Path(path).touch(mode=0o600)
    if Path(path).stat().st_nlink > 1:
        raise SettingsError(
            "DATABASE_URL",
            f"names a file that has a second name (a hard link): {path}; SQLite keeps a journal "
            "for each name, so two services would destroy the file: remove one of the names",
        )
    for suffix in ("", "-wal", "-shm"):
        # Another process may have just removed a journal.
        with suppress(FileNotFoundError):
            Path(path + suffix).chmod(0o600)


def _write_ahead(engine: sa.Engine, patience: float) -> None:
    """Set write-ahead logging, so that readers and the writer don't block each other.

    The file keeps this mode. SQLite doesn't wait by itself for another process that sets it, too.
    """
    for attempt in Retrying(
        retry=retry_if_exception_type(OperationalError),
        stop=stop_after_delay(patience),
        wait=wait_fixed(0.05),
        reraise=True,
    ):
        with attempt, engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")


@contextmanager
def writing(engine: sa.Engine, *, is_vital: bool = False) -> Iterator[sa.Connection]:
    """A transaction that excludes all other writers of this service.

    Args:
        is_vital: whether it must survive a power cut, because the next action can't be undone. If
            the database was opened with ``is_all_vital=False``, a power cut may lose the last few
            other transactions, but never one that came before a vital one, whichever process wrote
            it.
    """
    turns: _Turns | None = engine.get_execution_options().get(TURNS)
    if turns is None:
        with engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(POSTGRES_WRITING)))
            yield connection
        return
    with (
        turns.next() as deadline,
        engine.connect() as connection,
        _flushing(connection, is_vital),
        connection.begin(),
    ):
        turns.begin(connection, deadline)
        yield connection
        # This comes last: what is written to a deleted file is lost.
        check_file(turns.path)


@dataclass(frozen=True)
class _Turns:
    """Lets the threads of a process, and other processes, take turns to write to SQLite.

    SQLite retries a blocked write at growing intervals, in the end only ten times a second. So a
    writer that has waited a long time loses to a new one. Therefore only one thread of each process
    waits for SQLite.

    Attributes:
        path: the real path of the file.
        patience: seconds to wait.
        is_eager: whether to retry continuously, so as to come first.
    """

    path: str
    patience: float
    is_eager: bool
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def next(self) -> Iterator[float]:
        """Be the only writer of this process; yields the deadline for waiting for others."""
        deadline = time.monotonic() + self.patience
        if not self.lock.acquire(timeout=self.patience):
            raise PoolTimeout(f"could not start writing within {self.patience:g} s")
        try:
            yield deadline
        finally:
            self.lock.release()

    def begin(self, connection: sa.Connection, deadline: float) -> None:
        """Begin a transaction as soon as no other process writes."""
        if not self.is_eager:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return
        connection.exec_driver_sql("PRAGMA busy_timeout=0")
        try:
            for attempt in Retrying(
                retry=retry_if_exception_type(OperationalError),
                stop=stop_after_delay(max(0.0, deadline - time.monotonic())),
                wait=wait_random(0.0005, 0.002),
                reraise=True,
            ):
                with attempt:
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={int(self.patience * 1000)}")


@contextmanager
def _flushing(connection: sa.Connection, is_vital: bool) -> Iterator[None]:
    """Have SQLite wait for the disk at the end of a transaction; PostgreSQL always does."""
    if not is_vital:
        yield
        return
    sqlite: Any = connection.connection.driver_connection
    (before,) = sqlite.execute("PRAGMA synchronous").fetchone()
    sqlite.execute("PRAGMA synchronous=FULL")
    try:
        yield
    finally:
        sqlite.execute(f"PRAGMA synchronous={before}")
