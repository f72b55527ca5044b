"""Clicks are written down before they are answered, or refused."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from b2_iconik.common.errors import RecordingError, SettingsError
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch import recorder as recorder_module
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.operations import Ledger
from tests.dispatch.runner import (
    CLICK,
    COLLECTION,
    SECONDS,
    Runner,
    Start,
    has_ended,
    wait_until,
)


def test_the_metrics_are_told_how_it_stands(recorder: Recorder, start: Start) -> None:
    recorder.record(CLICK)
    told = recorder.standing()
    assert told is not None
    assert told.running == {CLICK.action: 1}
    assert not recorder.has_leader()
    start(Runner())
    wait_until(recorder.has_leader)


def test_the_metrics_are_told_nothing_of_a_database_that_is_not_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = f"sqlite:///{tmp_path}/missing/operations.sqlite"
    recorder = Recorder(Settings(iconik_id=COLLECTION, secret="s" * 32, database_url=place))
    assert recorder.standing() is None
    assert not recorder.has_leader()
    assert "the metrics of operations cannot be read" in caplog.text


def test_the_metrics_are_told_of_no_leader_if_the_lock_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "operations.sqlite.lock").mkdir()
    place = f"sqlite:///{tmp_path}/operations.sqlite"
    recorder = Recorder(Settings(iconik_id=COLLECTION, secret="s" * 32, database_url=place))
    assert not recorder.has_leader()
    assert "cannot find out whether a process is running the operations" in caplog.text


def test_the_same_click_while_one_runs_is_that_operation(recorder: Recorder) -> None:
    first, _ = recorder.record(CLICK)
    assert recorder.record(CLICK) == (first, False)


def test_five_equal_clicks_at_once_are_one_operation(recorder: Recorder) -> None:
    answers: list[tuple[str, bool]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(recorder.record(CLICK))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({operation_id for operation_id, _ in answers}) == 1
    assert sorted(is_new for _, is_new in answers) == [False] * 4 + [True]


def test_no_token_lies_readable_in_the_database(
    settings: Settings, recorder: Recorder, ledger: Ledger, start: Start
) -> None:
    operation_id, _ = recorder.record(CLICK)
    start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    directory = Path(sa.make_url(settings.database_url).database or "").parent
    for path in directory.iterdir():
        assert CLICK.auth_token.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_a_click_that_cannot_be_written_down_is_not_accepted(
    settings: Settings, recorder: Recorder, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "WEB_PATIENCE", 0.1)
    recorder.open()
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(RecordingError):
            recorder.record(CLICK)
        assert recorder.check() == "operations cannot be recorded; see the service's log"
    assert recorder.record(CLICK)[1]


def test_a_database_that_cannot_be_opened_is_tried_again_with_the_next_click(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "later"
    url = f"sqlite:///{directory / 'operations.sqlite'}"
    recorder = Recorder(Settings(**{**vars(settings), "database_url": url}))
    recorder.open()
    assert "cannot be opened yet" in caplog.text
    directory.mkdir()
    assert recorder.record(CLICK)[1]
    recorder.close()


def test_health_is_bad_while_no_process_runs_operations(recorder: Recorder) -> None:
    assert recorder.check() == "no process is running the operations"


def test_a_click_does_not_wait_for_others_that_wait_for_the_database(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, opened = threading.Event(), threading.Event()

    def takes_long(url: str, patience: float) -> sa.Engine:
        opening.set()
        opened.wait(SECONDS)
        return connect(url, patience)

    monkeypatch.setattr(recorder_module, "connect", takes_long)
    monkeypatch.setattr(recorder_module, "WEB_PATIENCE", 0.1)
    recorder = Recorder(settings)
    other = threading.Thread(target=recorder.open)
    other.start()
    opening.wait(SECONDS)
    with pytest.raises(RecordingError):
        recorder.record(CLICK)
    opened.set()
    other.join()
    assert recorder.record(CLICK)[1]
    recorder.close()


def test_health_is_bad_while_nothing_can_be_written(
    recorder: Recorder, engine: sa.Engine, start: Start
) -> None:
    start(Runner())
    wait_until(lambda: recorder.check() is None)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE UPDATE ON plugin_schema "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    assert recorder.check() == "operations cannot be recorded; see the service's log"


def test_health_reads_the_whole_database_only_now_and_then(
    settings: Settings, recorder: Recorder, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(recorder_module, "check_pages", lambda url, largest: read.append(url))
    start(Runner())
    wait_until(lambda: recorder.check() is None)
    assert recorder.check() is None
    assert len(read) == 1
    another = Recorder(settings)
    monkeypatch.setattr(recorder_module, "READ_INTERVAL", 0)
    monkeypatch.setattr(recorder_module, "READ_RARELY", 0)
    assert [another.check(), another.check()] == [None, None]
    assert len(read) == 3
    another.close()


def test_a_database_of_a_newer_version_is_refused_at_the_start_and_takes_no_click(
    settings: Settings, recorder: Recorder, engine: sa.Engine, ledger: Ledger
) -> None:
    ledger.create()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE plugin_schema SET version = 1000")
    with pytest.raises(SettingsError, match="newer version of this service"):
        recorder.open()
    with pytest.raises(RecordingError):
        recorder.record(CLICK)
    assert recorder.check() == "operations cannot be recorded; see the service's log"
