"""How the database is opened, and how it is written to."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from b2_iconik.common.errors import SettingsError
from b2_iconik.ledger.database import FileDamaged, FileReplaced, check_pages, connect, writing

PATIENCE = 0.1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def engine(path: Path) -> Iterator[sa.Engine]:
    engine = connect(f"sqlite:///{path}", PATIENCE)
    yield engine
    engine.dispose()


@pytest.fixture
def executor(path: Path) -> Iterator[sa.Engine]:
    """The database as it is opened by who runs the operations."""
    engine = connect(f"sqlite:///{path}", PATIENCE, is_all_vital=False)
    yield engine
    engine.dispose()


def setting(engine: sa.Engine, name: str) -> Any:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def make_table(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE thing (number INTEGER)")


def count(engine: sa.Engine) -> Any:
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM thing").scalar()


def test_only_the_owner_may_read_the_file_and_its_journals(engine: sa.Engine, path: Path) -> None:
    make_table(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM thing").all()
        files = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    assert files == {path.name: 0o600, f"{path.name}-wal": 0o600, f"{path.name}-shm": 0o600}


def test_a_commit_survives_the_loss_of_power(engine: sa.Engine) -> None:
    assert setting(engine, "synchronous") == 2


def test_where_not_all_is_vital_only_what_is_waits_for_the_disk(executor: sa.Engine) -> None:
    make_table(executor)
    for is_vital, expected in ((False, 1), (True, 2), (False, 1)):
        with writing(executor, is_vital=is_vital) as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == expected


def test_after_a_vital_transaction_that_failed_others_need_not_wait_again(
    executor: sa.Engine,
) -> None:
    make_table(executor)
    with pytest.raises(ZeroDivisionError), writing(executor, is_vital=True):
        raise ZeroDivisionError
    assert setting(executor, "synchronous") == 1


def test_readers_do_not_wait_for_a_writer(engine: sa.Engine) -> None:
    make_table(engine)
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO thing VALUES (1)")
        assert count(engine) == 0
    assert count(engine) == 1


def test_another_writer_is_waited_for_as_long_as_was_said(engine: sa.Engine) -> None:
    assert setting(engine, "busy_timeout") == PATIENCE * 1000
    with (
        writing(engine),
        pytest.raises(PoolTimeout, match=r"could not start writing within 0\.1 s"),
        writing(engine),
    ):
        pass


def test_another_process_is_waited_for_as_long_as_was_said(
    engine: sa.Engine, executor: sa.Engine
) -> None:
    for writer, other in ((engine, executor), (executor, engine)):
        with (
            writing(writer),
            pytest.raises(OperationalError, match="database is locked"),
            writing(other),
        ):
            pass
        assert setting(other, "busy_timeout") == PATIENCE * 1000


def test_whoever_answers_a_click_writes_as_soon_as_nobody_else_does(
    path: Path, executor: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = connect(f"sqlite:///{path}", 30)
    make_table(engine)
    looks: list[float] = []

    def let_go(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            other.__exit__(None, None, None)

    monkeypatch.setattr("tenacity.nap.time.sleep", let_go)
    other = writing(executor)
    other.__enter__()
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO thing VALUES (1)")
    assert len(looks) == 3
    assert max(looks) < 0.01
    engine.dispose()


def test_what_fails_is_undone(engine: sa.Engine) -> None:
    def write_and_fail() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("INSERT INTO thing VALUES (1)")
            raise RuntimeError

    make_table(engine)
    with pytest.raises(RuntimeError):
        write_and_fail()
    assert count(engine) == 0


def test_writers_take_turns(path: Path) -> None:
    engine = connect(f"sqlite:///{path}", 30)
    make_table(engine)

    def write() -> None:
        for _ in range(10):
            with writing(engine) as connection:
                rows = connection.exec_driver_sql("SELECT count(*) FROM thing").scalar_one()
                connection.exec_driver_sql("INSERT INTO thing VALUES (?)", (rows,))

    writers = [threading.Thread(target=write) for _ in range(4)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    with engine.connect() as connection:
        numbers = connection.exec_driver_sql("SELECT number FROM thing ORDER BY number").scalars()
        assert list(numbers) == list(range(40))
    engine.dispose()


def test_a_file_that_cannot_be_made_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="ledger"):
        connect(f"sqlite:///{tmp_path / 'nowhere' / 'ledger.sqlite'}", PATIENCE)


@pytest.mark.parametrize("is_replaced", [True, False])
def test_nothing_is_written_once_the_file_is_gone_or_another(
    engine: sa.Engine, path: Path, tmp_path: Path, is_replaced: bool
) -> None:
    make_table(engine)
    away = path.rename(tmp_path / "away")
    if is_replaced:
        path.touch()

    def write() -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql("INSERT INTO thing VALUES (1)")

    with pytest.raises(FileReplaced, match="was deleted or replaced while the service was running"):
        write()
    away.rename(path)
    assert count(engine) == 0
    write()
    assert count(engine) == 1


def test_a_file_that_is_gone_is_not_made_anew(path: Path) -> None:
    engine = connect(f"sqlite:///{path}", PATIENCE)
    engine.dispose()
    path.unlink()
    for again in (lambda: connect(f"sqlite:///{path}", PATIENCE), engine.connect):
        with pytest.raises(FileReplaced):
            again()
    assert not path.exists()


def test_a_link_to_the_file_is_the_file(engine: sa.Engine, path: Path, tmp_path: Path) -> None:
    make_table(engine)
    (tmp_path / "link").symlink_to(path)
    other = connect(f"sqlite:///{tmp_path / 'link'}", PATIENCE)
    assert count(other) == 0
    other.dispose()
    path.rename(tmp_path / "away")
    with pytest.raises(FileReplaced):
        connect(f"sqlite:///{tmp_path / 'link'}", PATIENCE)


def test_a_file_with_a_second_name_is_refused(path: Path, tmp_path: Path) -> None:
    path.touch()
    (tmp_path / "other").hardlink_to(path)
    with pytest.raises(SettingsError, match="remove one of the names"):
        connect(f"sqlite:///{path}", PATIENCE)


@pytest.mark.parametrize("start", [0, 4096], ids=["head", "page"])
def test_a_damaged_file_is_told_on_one_line(engine: sa.Engine, path: Path, start: int) -> None:
    make_table(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    check_pages(str(engine.url), 1_000_000)
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * 100)
    with pytest.raises(FileDamaged, match="the database file is damaged") as damaged:
        check_pages(str(engine.url), 1_000_000)
    assert "\n" not in str(damaged.value)


def test_a_file_that_would_take_too_long_to_read_is_not_read(engine: sa.Engine, path: Path) -> None:
    make_table(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    path.write_bytes(b"\xff" * size)
    check_pages(str(engine.url), size - 1)
    with pytest.raises(FileDamaged):
        check_pages(str(engine.url), size)


def test_the_pages_of_postgresql_are_its_own_business() -> None:
    check_pages("postgresql+psycopg://nowhere/none", 1)


def test_a_file_that_another_process_keeps_locked_is_given_up(path: Path) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OperationalError, match="database is locked"):
        connect(f"sqlite:///{path}", PATIENCE)
    holder.close()


class Reached(Exception):
    """The driver was called."""


def test_postgresql_is_waited_for_whole_seconds() -> None:
    engine = connect("postgresql+psycopg://user:word@127.0.0.1:1/name", PATIENCE)
    seen: list[dict[str, Any]] = []

    @sa.event.listens_for(engine, "do_connect")
    def look(_dialect: object, _record: object, _args: object, given: dict[str, Any]) -> None:
        seen.append(given)
        raise Reached

    with pytest.raises(Reached):
        engine.connect()
    assert seen[0]["connect_timeout"] == 1


@pytest.mark.parametrize("is_vital", [False, True])
def test_writers_on_postgresql_take_turns_by_a_lock_of_their_own(is_vital: bool) -> None:
    statements: list[str] = []
    connection = SimpleNamespace(
        execute=lambda statement: statements.append(str(statement)),
    )
    engine: Any = SimpleNamespace(get_execution_options=dict, begin=lambda: nullcontext(connection))
    with writing(engine, is_vital=is_vital):
        pass
    assert "pg_advisory_xact_lock" in statements[0]
