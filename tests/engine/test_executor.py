"""One process runs operations, and only while there are any."""

import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from operator import eq
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

import engine as engine_module
import executor as executor_module
from database import connect
from engine import KEEP
from entries import Operation
from errors import Stopped
from executor import Executor
from ledger import Ledger
from recorder import Recorder
from settings import Settings
from tests.engine.runner import CLICK, Runner, has_ended, let_pass, wait_until
from turn import Turn, begin_term, now_ms, time_kept


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


def test_the_executor_stops_its_operations_when_the_database_file_is_gone_until_it_is_back(
    settings: Settings,
    recorder: Recorder,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(executor_module, "COMPLAIN_INTERVAL", 0.1)
    runner = Runner()
    runner.hold = True
    recorder.record(CLICK)
    start(runner)
    wait_until(lambda: len(runner.calls) == 1)
    path = Path(str(sa.make_url(settings.database_url).database))
    away = path.rename(path.with_suffix(".away"))
    wait_until(lambda: "was deleted or replaced" in caplog.text)
    assert len(runner.calls) == 1
    away.rename(path)
    wait_until(lambda: len(runner.calls) == 2)


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


@pytest.mark.parametrize(
    ("failure", "has_trace"),
    [
        (OperationalError("PRAGMA", {}, Exception("disk I/O error")), False),
        (RuntimeError("nobody has thought of this"), True),
    ],
)
def test_an_executor_that_fails_starts_again(
    failure: Exception,
    has_trace: bool,
    recorder: Recorder,
    ledger: Ledger,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real = connect
    failures = [failure]

    def fails_once(*arguments: Any, **options: Any) -> sa.Engine:
        if failures:
            raise failures.pop()
        return real(*arguments, **options)

    operation_id, _ = recorder.record(CLICK)
    monkeypatch.setattr("executor.connect", fails_once)
    start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    assert "the executor failed" in caplog.text
    assert ("Traceback" in caplog.text) is has_trace


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
        operation_id, _ = recorder.record(CLICK)
        wait_until(partial(has_ended, ledger, operation_id))
        # It may have ended before the launch is told of.
        wait_until(partial(eq, launches, ["launch", "rest"] * (round_number + 1)))


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
    # Whether anything ran, as of each look.
    looks: list[bool] = []

    def look(_: Ledger, active: set[str], *__: object) -> set[str]:
        looks.append(bool(active))
        return set()

    monkeypatch.setattr(engine_module, "take_up_idle", look)
    operation_id, _ = recorder.record(CLICK)
    start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    ended = len(looks)
    wait_until(lambda: len(looks) > ended + 1 and not looks[-1])
    before, seen = time_kept(database), len(looks)
    wait_until(lambda: len(looks) > seen + 1)
    assert time_kept(database) == before


def test_who_runs_operations_is_told_while_it_does(start: Callable[[Runner], Executor]) -> None:
    executor = start(Runner())
    wait_until(lambda: executor.leads)
    executor.stop()
    assert not executor.leads


@pytest.fixture
def tidying(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Callable[[Turn], None]], Executor]]:
    """Starts an executor that tidies without a pause; it is stopped with the test."""
    monkeypatch.setattr(executor_module, "TIDY_INTERVAL", 0.01)
    started: list[Executor] = []

    def tidying(tidy: Callable[[Turn], None]) -> Executor:
        started.append(Executor(settings, Runner(), tidy))
        started[0].start()
        return started[0]

    yield tidying
    started[0].stop()


def test_who_leads_tidies_now_and_then_until_its_turn_is_over(
    tidying: Callable[[Callable[[Turn], None]], Executor],
) -> None:
    turns: list[Turn] = []
    executor = tidying(turns.append)
    wait_until(lambda: len(turns) > 2)
    assert not turns[0].stopping.is_set()
    executor.stop()
    assert turns[0].stopping.is_set()


@pytest.mark.parametrize(
    "error", [OperationalError("SELECT", {}, Exception("disk I/O error")), ValueError("a fault")]
)
def test_what_can_not_be_tidied_is_logged_and_tried_again(
    tidying: Callable[[Callable[[Turn], None]], Executor],
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    turns: list[Turn] = []

    def tidy(turn: Turn) -> None:
        turns.append(turn)
        raise error

    tidying(tidy)
    wait_until(lambda: len(turns) > 2)
    assert "what ended operations left could not be restored" in caplog.text
    # Where the database fails, a trace tells nothing that its own words don't.
    assert ("Traceback" in caplog.text) is isinstance(error, ValueError)


def test_a_failure_after_the_end_of_a_turn_is_no_news(
    tidying: Callable[[Callable[[Turn], None]], Executor], caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[Turn] = []
    ended: list[None] = []

    def tidy(turn: Turn) -> None:
        turns.append(turn)
        turn.stopping.wait(10)
        ended.append(None)
        raise OperationalError("SELECT", {}, Exception("disk I/O error"))

    executor = tidying(tidy)
    wait_until(lambda: turns)
    executor.stop()
    wait_until(lambda: ended)
    assert "could not be restored" not in caplog.text


def test_who_is_told_to_stop_while_it_tidies_does_so(
    tidying: Callable[[Callable[[Turn], None]], Executor],
) -> None:
    turns: list[Turn] = []

    def tidy(turn: Turn) -> None:
        turns.append(turn)
        raise Stopped

    executor = tidying(tidy)
    wait_until(lambda: turns)
    executor.stop()
    assert len(turns) == 1
