"""The executor and the engine on a real SQLite file, with operations that do next to nothing."""

import base64
import json
import pickle
import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from dbos import DBOS
from sqlalchemy.exc import OperationalError

import engine as engine_module
import executor as executor_module
import logs
import recorder as recorder_module
from custom_action import CustomAction
from database import connect
from engine import KEEP
from errors import RecordingError, RetryError, SettingsError, Stopped
from executor import Executor
from ledger import Ledger
from recorder import Recorder
from settings import Settings
from tables import Operation
from tests.logged import logged_with
from tests.makers import a_ledger, finish
from turn import Turn, begin_term, now_ms, time_kept

SECONDS = 30.0
COLLECTION = "11111111-1111-4111-8111-111111111111"
CLICK = CustomAction(
    action="add",
    b2_storage_id="b2b2b2b2-0000-4000-8000-000000000000",
    ll_storage_id="11111111-0000-4000-8000-000000000000",
    formats=("ORIGINAL",),
    context="COLLECTION",
    # Not assets: they would be written down with it, and then be left to do.
    collection_ids=(COLLECTION,),
    auth_token="token-of-the-click",
)


class Runner:
    """Operations that end at once, or when the test lets them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, CustomAction]] = []
        self.hold = False
        self.error: Exception | None = None

    def __call__(self, operation_id: str, click: CustomAction, turn: Turn) -> dict[str, Any]:
        self.calls.append((operation_id, click))
        if self.error:
            raise self.error
        if self.hold:
            turn.stopping.wait(SECONDS)
            raise Stopped
        ledger = Ledger(turn.engine, turn.term)
        operation = ledger.operation(operation_id)
        assert operation
        ledger.expand(operation.number, operation.clicks, [], {})
        ledger.end(operation, now_ms())
        return {"assets": 0}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        iconik_id=COLLECTION,
        secret="s" * 32,
        database_url=f"sqlite:///{tmp_path / 'operations.sqlite'}",
    )


@pytest.fixture
def recorder(settings: Settings) -> Iterator[Recorder]:
    recorder = Recorder(settings)
    yield recorder
    recorder.close()


@pytest.fixture
def database(settings: Settings) -> Iterator[sa.Engine]:
    engine = connect(settings.database_url, 5)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[[Runner], Executor]]:
    executors: list[Executor] = []

    def start(runner: Runner) -> Executor:
        executor = Executor(settings, runner)
        executors.append(executor)
        executor.start()
        return executor

    yield start
    for executor in executors:
        executor.stop()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def let_pass(monkeypatch: pytest.MonkeyPatch, time: timedelta) -> None:
    """Have the engine take it to be so much later."""
    later = now_ms() + time // timedelta(milliseconds=1)
    monkeypatch.setattr(engine_module, "now_ms", lambda: later)


def has_ended(ledger: Ledger, operation_id: str) -> bool:
    operation = ledger.operation(operation_id)
    return operation is not None and operation.ended_ms is not None


def test_a_recorded_click_is_run_with_all_it_said(
    recorder: Recorder, ledger: Ledger, start: Callable[[Runner], Executor]
) -> None:
    runner = Runner()
    operation_id, is_new = recorder.record(CLICK)
    start(runner)
    wait_until(lambda: has_ended(ledger, operation_id))
    assert is_new
    assert runner.calls == [(operation_id, CLICK)]


def test_the_metrics_are_told_how_it_stands(
    recorder: Recorder, start: Callable[[Runner], Executor]
) -> None:
    recorder.record(CLICK)
    told = recorder.standing()
    assert told is not None
    assert told.running == {CLICK.action: 1}
    assert not recorder.has_executor()
    start(Runner())
    wait_until(recorder.has_executor)


def test_the_metrics_are_told_nothing_of_a_database_that_is_not_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = f"sqlite:///{tmp_path}/missing/operations.sqlite"
    recorder = Recorder(Settings(iconik_id=COLLECTION, secret="s" * 32, database_url=place))
    assert recorder.standing() is None
    assert not recorder.has_executor()
    assert "the metrics lack the operations" in caplog.text
    assert "can't see whether a process runs the operations" in caplog.text


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


def test_an_interrupted_operation_is_carried_on_by_the_next_executor(
    recorder: Recorder, ledger: Ledger, start: Callable[[Runner], Executor]
) -> None:
    first, second = Runner(), Runner()
    first.hold = True
    operation_id, _ = recorder.record(CLICK)
    executor = start(first)
    wait_until(lambda: first.calls)
    executor.stop()
    assert not has_ended(ledger, operation_id)
    start(second)
    wait_until(lambda: has_ended(ledger, operation_id))
    assert second.calls == [(operation_id, CLICK)]


def test_two_executors_never_run_at_once(
    recorder: Recorder, start: Callable[[Runner], Executor]
) -> None:
    first, second = Runner(), Runner()
    first.hold = True
    executor = start(first)
    recorder.record(CLICK)
    wait_until(lambda: first.calls)
    start(second)
    assert recorder.check() is None
    assert not second.calls
    executor.stop()
    wait_until(lambda: second.calls)


def test_a_fault_of_our_own_ends_in_a_report(
    recorder: Recorder, ledger: Ledger, start: Callable[[Runner], Executor]
) -> None:
    runner = Runner()
    runner.error = KeyError("token-of-the-click")
    operation_id, _ = recorder.record(CLICK)
    start(runner)
    wait_until(lambda: has_ended(ledger, operation_id))
    operation = ledger.operation(operation_id)
    assert operation
    assert operation.failure == "a fault of the plugin's own (KeyError), see its log"


def test_the_executor_stops_its_operations_when_its_lock_file_is_gone(
    settings: Settings, recorder: Recorder, start: Callable[[Runner], Executor]
) -> None:
    runner = Runner()
    runner.hold = True
    recorder.record(CLICK)
    start(runner)
    wait_until(lambda: len(runner.calls) == 1)
    Path(f"{sa.make_url(settings.database_url).database}.lock").unlink()
    wait_until(lambda: len(runner.calls) == 2)


class Infection:
    """What does something as soon as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_a_process_that_was_overtaken_can_take_over_again(
    recorder: Recorder,
    database: sa.Engine,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(executor_module, "WATCH_INTERVAL", 0.1)
    runner = Runner()
    runner.hold = True
    recorder.record(CLICK)
    start(runner)
    wait_until(lambda: len(runner.calls) == 1)
    # As a process does that took the lock while this one was frozen, and is gone by now.
    begin_term(database, now_ms())
    wait_until(lambda: len(runner.calls) == 2)
    assert "this one stops" in caplog.text


@pytest.mark.parametrize("kind", ["py_pickle", "portable_json"])
def test_what_somebody_wrote_into_the_database_is_not_read(
    recorder: Recorder,
    ledger: Ledger,
    database: sa.Engine,
    start: Callable[[Runner], Executor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setattr(executor_module, "WATCH_INTERVAL", 0.1)
    trace = tmp_path / "trace"
    pickled = pickle.dumps({"args": (Infection(trace),), "kwargs": {}})
    values = {
        "py_pickle": base64.b64encode(pickled).decode(),
        "portable_json": json.dumps({"positionalArgs": [asdict(CLICK)], "namedArgs": {}}),
    }
    forged, _ = recorder.record(CLICK)
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE workflow_input SET inputs = :it"), {"it": values[kind]})
        connection.execute(sa.text("UPDATE workflow_status SET serialization = :it"), {"it": kind})
    runner = Runner()
    start(runner)
    wait_until(lambda: has_ended(ledger, forged))
    other, _ = recorder.record(CLICK)
    wait_until(lambda: has_ended(ledger, other))
    assert [operation_id for operation_id, _ in runner.calls] == [other]
    assert not trace.exists()
    with pytest.raises(RetryError):
        recorder.click_of(forged)
    assert not trace.exists()


def test_an_operation_the_engine_lost_is_reported_as_interrupted(
    recorder: Recorder, ledger: Ledger, database: sa.Engine, start: Callable[[Runner], Executor]
) -> None:
    operation_id, _ = recorder.record(CLICK)
    with database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM workflow_status")
    start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    operation = ledger.operation(operation_id)
    assert operation
    assert operation.failure == "it was interrupted by a fault; click again"


def test_an_operation_that_has_ended_but_was_not_told_of_is_brought_to_its_end(
    recorder: Recorder, ledger: Ledger, start: Callable[[Runner], Executor]
) -> None:
    class Killed(Runner):
        """Ends its operation, and then is as if it were killed."""

        def __call__(self, operation_id: str, click: CustomAction, turn: Turn) -> dict[str, Any]:
            super().__call__(operation_id, click, turn)
            turn.stopping.wait(SECONDS)
            raise Stopped

    operation_id, _ = recorder.record(CLICK)
    executor = start(Killed())
    wait_until(lambda: has_ended(ledger, operation_id))
    executor.stop()
    after = Runner()
    start(after)
    wait_until(lambda: after.calls == [(operation_id, CLICK)])


@pytest.mark.parametrize("leap", [timedelta(days=400), timedelta(days=-400)])
def test_nothing_is_forgotten_by_a_clock_that_has_just_leapt(
    recorder: Recorder,
    ledger: Ledger,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
    leap: timedelta,
) -> None:
    monkeypatch.setattr(executor_module, "STEADY_FOR", 1.0)
    monkeypatch.setattr(executor_module, "PURGE_INTERVAL", 0.0)
    looks: list[timedelta] = []
    now = time.time

    def leaping() -> float:
        # Before it has been steady for long enough it leaps again.
        looks.append(leap)
        return now() + len(looks) * leap.total_seconds()

    operation_id, _ = recorder.record(CLICK)
    executor = start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    executor.stop()
    let_pass(monkeypatch, KEEP + timedelta(days=1))
    monkeypatch.setattr(
        executor_module, "time", SimpleNamespace(time=leaping, monotonic=time.monotonic)
    )
    start(Runner())
    wait_until(lambda: len(looks) > 20)
    assert ledger.operation(operation_id)


def test_an_old_operation_is_forgotten(
    recorder: Recorder,
    ledger: Ledger,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operation_id, _ = recorder.record(CLICK)
    executor = start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    executor.stop()
    let_pass(monkeypatch, KEEP + timedelta(days=1))
    monkeypatch.setattr(executor_module, "STEADY_FOR", 0.5)
    start(Runner())
    wait_until(lambda: ledger.operation(operation_id) is None)


def test_nothing_is_run_with_another_secret_while_operations_wait(
    settings: Settings,
    recorder: Recorder,
    ledger: Ledger,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder.record(CLICK)
    first = Runner()
    first.hold = True
    before = Executor(settings, first)
    before.start()
    wait_until(lambda: first.calls)
    before.stop()
    other = Runner()
    executor = Executor(Settings(**{**vars(settings), "secret": "t" * 32}), other)
    executor.start()
    wait_until(lambda: "BZ_SHARED_SECRET_PREVIOUS" in caplog.text)
    executor.stop()
    assert not other.calls


def test_a_click_on_another_host_with_a_newer_secret_is_left_to_who_can_read_it(
    settings: Settings,
    recorder: Recorder,
    ledger: Ledger,
    start: Callable[[Runner], Executor],
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = Runner()
    start(before)
    first, _ = recorder.record(CLICK)
    wait_until(lambda: has_ended(ledger, first))
    rotated = {**vars(settings), "secret": "t" * 32, "previous_secret": settings.secret}
    elsewhere, after = Recorder(Settings(**rotated)), Runner()
    operation_id, _ = elsewhere.record(CLICK)
    # By then the engine would long have taken it.
    wait_until(lambda: "BZ_SHARED_SECRET_PREVIOUS" in caplog.text)
    other = Executor(Settings(**rotated), after)
    other.start()
    wait_until(lambda: has_ended(ledger, operation_id))
    other.stop()
    elsewhere.close()
    assert [each for each, _ in before.calls] == [first]
    assert after.calls == [(operation_id, CLICK)]


def test_a_new_secret_is_taken_up_when_no_operation_waits(
    settings: Settings, recorder: Recorder, ledger: Ledger, start: Callable[[Runner], Executor]
) -> None:
    operation_id, _ = recorder.record(CLICK)
    executor = start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    executor.stop()
    settings = Settings(**{**vars(settings), "secret": "t" * 32})
    renewed, runner = Recorder(settings), Runner()
    renewed.record(CLICK)
    after = Executor(settings, runner)
    after.start()
    wait_until(lambda: runner.calls)
    after.stop()
    renewed.close()


def test_an_operation_from_before_a_secret_was_rotated_is_carried_on(
    settings: Settings, recorder: Recorder, ledger: Ledger
) -> None:
    operation_id, _ = recorder.record(CLICK)
    rotated = {**vars(settings), "secret": "t" * 32, "previous_secret": settings.secret}
    executor = Executor(Settings(**rotated), Runner())
    executor.start()
    wait_until(lambda: has_ended(ledger, operation_id))
    executor.stop()


def test_no_token_lies_readable_in_the_database(
    settings: Settings, recorder: Recorder, ledger: Ledger, start: Callable[[Runner], Executor]
) -> None:
    operation_id, _ = recorder.record(CLICK)
    start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    directory = Path(sa.make_url(settings.database_url).database or "").parent
    for path in directory.iterdir():
        assert CLICK.auth_token.encode() not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_a_click_that_cannot_be_written_down_is_not_accepted(
    settings: Settings, recorder: Recorder, database: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "WEB_PATIENCE", 0.1)
    recorder.open()
    with database.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(RecordingError):
            recorder.record(CLICK)
        assert recorder.check() == "operations can't be recorded; the log says why"
    assert recorder.record(CLICK)[1]


def test_a_database_that_cannot_be_opened_is_tried_again_with_the_next_click(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "later"
    url = f"sqlite:///{directory / 'operations.sqlite'}"
    recorder = Recorder(Settings(**{**vars(settings), "database_url": url}))
    recorder.open()
    assert "can't be opened yet" in caplog.text
    directory.mkdir()
    assert recorder.record(CLICK)[1]
    recorder.close()


def test_health_is_bad_while_no_process_runs_operations(recorder: Recorder) -> None:
    assert recorder.check() == "no process runs the operations"


def test_an_executor_that_fails_starts_again(
    recorder: Recorder,
    ledger: Ledger,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real = connect
    failures = [OperationalError("PRAGMA", {}, Exception("disk I/O error"))]

    def fails_once(*arguments: Any, **options: Any) -> sa.Engine:
        if failures:
            raise failures.pop()
        return real(*arguments, **options)

    operation_id, _ = recorder.record(CLICK)
    monkeypatch.setattr("executor.connect", fails_once)
    start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    assert "the executor failed" in caplog.text


def test_an_executor_whose_launch_fails_half_way_lets_go_of_what_it_has_begun(
    recorder: Recorder,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = Runner()
    runner.hold = True
    real = engine_module._give_up_stranded
    failures = [OperationalError("SELECT", {}, Exception("disk I/O error"))]

    def fails_once(ledger: Ledger, *suspects: Any) -> None:
        if failures:
            wait_until(lambda: runner.calls)
            raise failures.pop()
        real(ledger, *suspects)

    monkeypatch.setattr(engine_module, "_give_up_stranded", fails_once)
    recorder.record(CLICK)
    start(runner)
    wait_until(lambda: len(runner.calls) == 2)


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
    recorder: Recorder, database: sa.Engine, start: Callable[[Runner], Executor]
) -> None:
    start(Runner())
    wait_until(lambda: recorder.check() is None)
    with database.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON plugin_health "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    assert recorder.check() == "operations can't be recorded; the log says why"


def test_an_operation_that_another_process_took_and_let_lie_is_taken_up(
    recorder: Recorder,
    ledger: Ledger,
    database: sa.Engine,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(executor_module, "WATCH_INTERVAL", 0.1)
    ids = logged_with(caplog, "was idle")
    runner = Runner()
    start(runner)
    # The engine is at work by then, and does not look for it because it begins.
    first, _ = recorder.record(CLICK)
    wait_until(lambda: has_ended(ledger, first))
    # What the engine notes when one of its processes takes a workflow from the queue.
    with database.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER other AFTER INSERT ON workflow_status BEGIN "
            "UPDATE workflow_status SET status = 'PENDING' WHERE workflow_uuid = NEW.workflow_uuid;"
            " END"
        )
    operation_id, _ = recorder.record(CLICK)
    wait_until(lambda: has_ended(ledger, operation_id))
    assert runner.calls == [(first, CLICK), (operation_id, CLICK)]
    assert operation_id in ids
    assert logs.NO_OPERATION not in ids


def test_an_operation_the_engine_gave_up_while_it_runs_is_reported_as_interrupted(
    recorder: Recorder,
    ledger: Ledger,
    database: sa.Engine,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(executor_module, "WATCH_INTERVAL", 0.1)
    ids = logged_with(caplog, "was stranded")
    # Else its next launch would find it, too.
    monkeypatch.setattr(executor_module, "REST_AFTER", 3600.0)
    start(Runner())
    first, _ = recorder.record(CLICK)
    wait_until(lambda: has_ended(ledger, first))
    with database.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER lost AFTER INSERT ON workflow_status BEGIN "
            "DELETE FROM workflow_status WHERE workflow_uuid = NEW.workflow_uuid; END"
        )
    operation_id, _ = recorder.record(CLICK)
    wait_until(lambda: has_ended(ledger, operation_id))
    operation = ledger.operation(operation_id)
    assert operation
    assert operation.failure == "it was interrupted by a fault; click again"
    assert ids == [operation_id]


def test_an_operation_that_ends_while_it_is_looked_for_in_the_engine_is_not_stranded(
    recorder: Recorder,
    ledger: Ledger,
    database: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operation_id, _ = recorder.record(CLICK)

    def end(_: str) -> object:
        finish(database, operation_id)
        return SimpleNamespace(status="SUCCESS")

    monkeypatch.setattr(DBOS, "get_workflow_status", end)
    engine_module._give_up_stranded(a_ledger(database))
    operation = ledger.operation(operation_id)
    assert operation
    assert operation.failure is None


def test_the_clock_of_operations_goes_on_while_they_run(
    recorder: Recorder,
    database: sa.Engine,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executor_module, "WATCH_INTERVAL", 0.1)
    runner = Runner()
    runner.hold = True
    recorder.record(CLICK)
    start(runner)
    wait_until(lambda: runner.calls)
    began = time_kept(database)
    wait_until(lambda: time_kept(database) > began)


def test_a_database_of_a_newer_version_is_refused_at_the_start_and_takes_no_click(
    settings: Settings, recorder: Recorder, database: sa.Engine, ledger: Ledger
) -> None:
    ledger.create()
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE plugin_schema SET version = 1000")
    with pytest.raises(SettingsError, match="newer version of this service"):
        recorder.open()
    with pytest.raises(RecordingError):
        recorder.record(CLICK)
    assert recorder.check() == "operations can't be recorded; the log says why"


def test_an_executor_that_was_never_started_stops_at_once(settings: Settings) -> None:
    Executor(settings, Runner()).stop()


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the engine is told to do."""
    told: list[str] = []
    real = engine_module.launched

    @contextmanager
    def launched(*arguments: Any) -> Iterator[Container[str]]:
        with real(*arguments) as active:
            told.append("launch")
            yield active
        told.append("rest")

    monkeypatch.setattr(engine_module, "launched", launched)
    monkeypatch.setattr(executor_module, "WORK_INTERVAL", 0.05)
    return told


def test_the_engine_rests_while_there_is_nothing_to_run_and_is_back_with_the_next_click(
    recorder: Recorder,
    ledger: Ledger,
    start: Callable[[Runner], Executor],
    launches: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executor_module, "WATCH_INTERVAL", 0.1)
    monkeypatch.setattr(executor_module, "REST_AFTER", 0.3)
    executor = start(Runner())
    wait_until(lambda: executor.leads)
    for round_number in range(3):
        assert launches == ["launch", "rest"] * round_number
        operation_id, _ = recorder.record(CLICK)
        wait_until(partial(has_ended, ledger, operation_id))
        wait_until(lambda: launches[-1] == "rest")


def test_the_engine_is_not_launched_before_there_is_something_to_run(
    start: Callable[[Runner], Executor], launches: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []
    real = Ledger.running

    def running(ledger: Ledger) -> list[Operation]:
        looks.append(None)
        return real(ledger)

    monkeypatch.setattr(Ledger, "running", running)
    start(Runner())
    wait_until(lambda: len(looks) > 4)
    assert launches == []


def test_the_engine_does_not_rest_while_an_operation_runs(
    recorder: Recorder,
    start: Callable[[Runner], Executor],
    launches: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executor_module, "WATCH_INTERVAL", 0.5)
    monkeypatch.setattr(executor_module, "REST_AFTER", 0.0)
    looks: list[set[str]] = []
    real = engine_module.take_up_idle

    def look(*arguments: Any) -> set[str]:
        looks.append(real(*arguments))
        return looks[-1]

    monkeypatch.setattr(engine_module, "take_up_idle", look)
    runner = Runner()
    runner.hold = True
    recorder.record(CLICK)
    start(runner)
    wait_until(lambda: runner.calls)
    seen = len(looks)
    wait_until(lambda: len(looks) > seen + 3)
    assert launches == ["launch"]


def test_while_nothing_runs_no_time_is_noted(
    recorder: Recorder,
    database: sa.Engine,
    ledger: Ledger,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executor_module, "WATCH_INTERVAL", 0.0)
    looks: list[object] = []

    def look(*_: object) -> set[str]:
        looks.append(None)
        return set()

    monkeypatch.setattr(engine_module, "take_up_idle", look)
    operation_id, _ = recorder.record(CLICK)
    start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id) and looks)
    before, seen = time_kept(database), len(looks)
    wait_until(lambda: len(looks) > seen + 1)
    assert time_kept(database) == before


def test_a_busy_service_forgets_old_operations_too(
    recorder: Recorder,
    ledger: Ledger,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, _ = recorder.record(CLICK)
    runner = Runner()
    start(runner)
    wait_until(lambda: has_ended(ledger, old))
    runner.hold = True
    recorder.record(CLICK)
    wait_until(lambda: len(runner.calls) == 2)
    let_pass(monkeypatch, KEEP + timedelta(days=1))
    monkeypatch.setattr(executor_module, "PURGE_INTERVAL", 0.0)
    monkeypatch.setattr(executor_module, "STEADY_FOR", 0.0)
    wait_until(lambda: ledger.operation(old) is None)


def test_who_runs_operations_is_told_while_it_does(start: Callable[[Runner], Executor]) -> None:
    executor = start(Runner())
    wait_until(lambda: executor.leads)
    executor.stop()
    assert not executor.leads


def test_a_fault_in_an_operation_that_is_forgotten_by_now_ends_it_quietly(
    recorder: Recorder, database: sa.Engine, start: Callable[[Runner], Executor]
) -> None:
    class Forgotten(Runner):
        def __call__(self, operation_id: str, click: CustomAction, turn: Turn) -> dict[str, Any]:
            with database.begin() as connection:
                connection.exec_driver_sql("DELETE FROM plugin_operations")
            return super().__call__(operation_id, click, turn)

    runner = Forgotten()
    runner.error = KeyError("forgotten")
    recorder.record(CLICK)
    start(runner)
    wait_until(lambda: runner.calls)
    wait_until(lambda: not pending(database))


def pending(database: sa.Engine) -> int:
    """How many workflows the engine has still to run."""
    with database.connect() as connection:
        return int(
            connection.exec_driver_sql(
                "SELECT count(*) FROM workflow_status WHERE status IN ('ENQUEUED', 'PENDING')"
            ).scalar_one()
        )
