"""What is said of a database that cannot be used: one line with what to do, and no password."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from b2_iconik.ledger.database import FileReplaced, connect
from b2_iconik.ledger.migrations import VERSION
from b2_iconik.ledger.operations import Ledger
from b2_iconik.report.database_problem import Unusable, explained, opened

POSTGRES = sa.make_url("postgresql+psycopg://plugin:hunter2@db.test/media")
SERVER = 'connection failed: connection to server at "10.0.0.7", port 5432 failed: '
PATIENCE = 0.1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the SQLite file is."""
    return tmp_path / "plugin.sqlite"


@pytest.fixture
def ledger(path: Path) -> Path:
    """A database of this service; the path of its file."""
    engine = connect(f"sqlite:///{path}", 5.0)
    Ledger(engine).create()
    engine.dispose()
    return path


def problem(path: Path) -> str:
    """What is said when it is opened and read."""
    with pytest.raises(Unusable) as refused, opened(f"sqlite:///{path}", PATIENCE) as engine:
        Ledger(engine).operation("1")
    text = str(refused.value)
    assert "\n" not in text
    assert text.startswith(f"database {path} ")
    return text.removeprefix(f"database {path} ")


def test_a_good_database_is_opened(ledger: Path) -> None:
    with opened(f"sqlite:///{ledger}", PATIENCE) as engine:
        assert Ledger(engine).operation("1") is None


def test_a_missing_file_is_told_and_not_made(path: Path) -> None:
    assert problem(path).startswith("does not exist: start the service once to create it")
    assert not path.exists()


def test_a_file_that_is_no_database_is_told(path: Path) -> None:
    path.write_text("not a database, however long it is " * 100)
    assert problem(path).startswith("is not a SQLite database: correct DATABASE_URL")


def test_a_directory_is_told(path: Path) -> None:
    path.mkdir()
    assert problem(path) == "is not a file: correct DATABASE_URL"


@pytest.mark.parametrize("closed", ["plugin.sqlite", "."])
def test_what_this_user_may_not_read_or_write_is_told(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    may = os.access
    other = ledger.parent / closed
    monkeypatch.setattr(os, "access", lambda each, mode: each != other and may(each, mode))
    assert problem(ledger).startswith("cannot be read and written: run this with sudo")


def test_a_directory_that_this_user_may_not_enter_is_told(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    assert problem(ledger).startswith("cannot be read and written: run this with sudo")


def test_a_locked_file_is_told(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("BEGIN EXCLUSIVE")
        assert problem(ledger).startswith("is locked by another process: try again in a minute")


def test_a_damaged_file_is_told(ledger: Path) -> None:
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert problem(ledger).startswith("is damaged: stop the service, and restore a backup")


def test_a_database_of_another_program_is_told_and_left(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE theirs (id)")
    assert problem(path).startswith("has no tables of this service: correct DATABASE_URL")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


@pytest.mark.parametrize(
    ("version", "told"),
    [(VERSION - 1, "restart the service to upgrade it"), (VERSION + 1, "run the newer version")],
)
def test_a_database_of_another_version_is_told(ledger: Path, version: int, told: str) -> None:
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("UPDATE plugin_schema SET version = ?", (version,))
    assert problem(ledger) == f"has schema {version}, but this checkout has {VERSION}: {told}"


def test_a_failure_later_on_is_told(ledger: Path) -> None:
    with (
        pytest.raises(Unusable, match="cannot be used: no such table: missing"),
        opened(f"sqlite:///{ledger}", PATIENCE) as engine,
        engine.connect() as connection,
    ):
        connection.exec_driver_sql("SELECT secret FROM missing")


def test_a_reader_of_the_output_that_has_gone_is_no_problem_of_the_database(ledger: Path) -> None:
    with pytest.raises(BrokenPipeError), opened(f"sqlite:///{ledger}", PATIENCE):
        raise BrokenPipeError


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            f"{SERVER}Connection refused\n\tIs the server running on that host?",
            "cannot be reached (Connection refused): check the address in DATABASE_URL",
        ),
        ("connection timeout expired", "cannot be reached (timeout expired): check the address"),
        (
            "failed to resolve host 'db.test': [Errno -2] Name or service not known",
            "cannot be reached (failed to resolve host): check the address in DATABASE_URL",
        ),
        (
            f"{SERVER}FATAL:  the database system is starting up",
            "cannot be reached (the database system is starting up): ",
        ),
        (
            f'{SERVER}FATAL:  password authentication failed for user "plugin"',
            "rejects the user or the password: correct DATABASE_URL",
        ),
        (
            'FATAL:  Peer authentication failed for user "plugin"',
            "rejects the user or the password: correct DATABASE_URL",
        ),
        (
            "connection failed: fe_sendauth: no password supplied",
            "requires a password: add it to DATABASE_URL",
        ),
        (f'{SERVER}FATAL:  database "media" does not exist', "does not exist: correct"),
        (f'{SERVER}FATAL:  role "plugin" does not exist', "does not have this user: correct"),
        ("canceling statement due to lock timeout", "is locked by another process: try again"),
        ("hunter2 is odd\nindeed", "cannot be used: *** is odd indeed"),
    ],
)
def test_what_postgresql_says_is_told_in_one_line_with_what_to_do(said: str, told: str) -> None:
    text = explained(POSTGRES, OperationalError("SELECT 1", {}, Exception(said)))
    assert text.startswith(f"database 'media' on db.test:5432 {told}")
    assert "\n" not in text
    assert "hunter2" not in text


def test_a_server_that_nobody_runs_is_told() -> None:
    url = "postgresql+psycopg://plugin:hunter2@127.0.0.1:1/media"
    with pytest.raises(Unusable) as refused, opened(url, 1.0):
        pass
    told = "database 'media' on 127.0.0.1:1 cannot be reached (Connection refused): check the"
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://db.test:6432/media", "'media' on db.test:6432"),
        ("postgresql:///media?host=/run/postgresql&port=6432", "'media' on /run/postgresql:6432"),
        ("postgresql:///media", "'media' on localhost:5432"),
    ],
)
def test_a_database_is_told_with_its_server_and_port(url: str, name: str) -> None:
    assert explained(sa.make_url(url), OSError("x")) == f"database {name} cannot be used: x"


def test_a_file_that_was_replaced_is_told_as_it_is() -> None:
    told = "the database file was deleted or replaced"
    assert explained(sa.make_url("sqlite:///x"), FileReplaced(told)) == told
