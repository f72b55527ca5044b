"""One process runs operations to their end, whatever becomes of the processes."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from b2_iconik.common import clock
from b2_iconik.common.clock import Step, now_ms
from b2_iconik.common.errors import RetryError, Stopped
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch import leader as leader_module
from b2_iconik.dispatch.leader import KEEP, Leader, OpenOperations
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.click import CustomAction
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import Leadership, begin_term, time_kept
from tests.dispatch.runner import (
    CLICK,
    SECONDS,
    Runner,
    Start,
    failure_of,
    has_ended,
    is_closed,
    let_pass,
    wait_until,
)
from tests.makers import finish


class Bench:
    """A leader, and operations that do what the runner has them do."""

    def __init__(self, recorder: Recorder, engine: sa.Engine, start: Start) -> None:
        self.recorder = recorder
        self.engine = engine
        self.ledger = Ledger(engine)
        self.runner = Runner()
        self._start = start

    def click(self) -> str:
        """Record a click; returns the operation's id."""
        return self.recorder.record(CLICK)[0]

    def start(self, *more: Any) -> Leader:
        """Start a leader."""
        return self._start(self.runner, *more)

    def begin(self) -> Leader:
        """Have an operation begin that goes on and on; returns who runs it."""
        self.runner.hold = True
        self.click()
        leader = self.start()
        wait_until(lambda: self.runner.calls)
        return leader

    def wait_for_end(self, operation_id: str) -> None:
        wait_until(lambda: has_ended(self.ledger, operation_id))

    def wait_until_closed(self, operation_id: str) -> None:
        wait_until(lambda: is_closed(self.engine, operation_id))


@pytest.fixture
def bench(recorder: Recorder, engine: sa.Engine, start: Start) -> Bench:
    return Bench(recorder, engine, start)


def test_an_interrupted_operation_is_carried_on_by_the_next_executor(
    bench: Bench, start: Start
) -> None:
    bench.begin().stop()
    ((operation_id, _),) = bench.runner.calls
    assert not has_ended(bench.ledger, operation_id)
    second = Runner()
    start(second)
    bench.wait_for_end(operation_id)
    assert second.calls == [(operation_id, CLICK)]


def test_two_executors_never_run_at_once(bench: Bench, start: Start) -> None:
    leader, second = bench.begin(), Runner()
    start(second)
    assert bench.recorder.check() is None
    assert not second.calls
    leader.stop()
    wait_until(lambda: second.calls)


def test_the_executor_stops_its_operations_when_its_lock_file_is_gone(
    bench: Bench, settings: Settings
) -> None:
    bench.begin()
    Path(f"{sa.make_url(settings.database_url).database}.lock").unlink()
    wait_until(lambda: len(bench.runner.calls) == 2)


def test_the_executor_stops_its_operations_when_the_database_file_is_gone_until_it_is_back(
    bench: Bench,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(leader_module, "COMPLAIN_INTERVAL", 0.1)
    bench.begin()
    path = Path(str(sa.make_url(settings.database_url).database))
    away = path.rename(path.with_suffix(".away"))
    wait_until(lambda: "was deleted or replaced" in caplog.text)
    assert len(bench.runner.calls) == 1
    away.rename(path)
    wait_until(lambda: len(bench.runner.calls) == 2)


def test_a_process_that_was_overtaken_can_take_over_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(leader_module, "WATCH_INTERVAL", 0.1)
    bench.begin()
    # As a process does that took the lock while this one was frozen, and is gone by now.
    begin_term(bench.engine, now_ms())
    wait_until(lambda: len(bench.runner.calls) == 2)
    assert "this one stops" in caplog.text


@pytest.mark.parametrize("leap", [timedelta(days=400), timedelta(days=-400)])
def test_nothing_is_forgotten_by_a_clock_that_has_just_leapt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, leap: timedelta
) -> None:
    monkeypatch.setattr(clock, "STEADY_FOR", 1.0)
    monkeypatch.setattr(leader_module, "FORGET_INTERVAL", 0.0)
    looks: list[timedelta] = []
    now = time.time

    def leaping() -> float:
        # Before it has been steady for long enough it leaps again.
        looks.append(leap)
        return now() + len(looks) * leap.total_seconds()

    operation_id = bench.click()
    leader = bench.start()
    bench.wait_for_end(operation_id)
    leader.stop()
    let_pass(monkeypatch, KEEP + timedelta(days=1))
    monkeypatch.setattr(
        clock,
        "time",
        SimpleNamespace(time=leaping, monotonic=time.monotonic, time_ns=time.time_ns),
    )
    bench.start()
    wait_until(lambda: len(looks) > 20)
    assert bench.ledger.operation(operation_id)


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
    bench: Bench,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    real = connect
    failures = [failure]

    def fails_once(*arguments: Any, **options: Any) -> sa.Engine:
        if failures:
            raise failures.pop()
        return real(*arguments, **options)

    operation_id = bench.click()
    monkeypatch.setattr("b2_iconik.dispatch.leader.connect", fails_once)
    bench.start()
    bench.wait_for_end(operation_id)
    assert "the leader failed" in caplog.text
    assert ("Traceback" in caplog.text) is has_trace


def test_the_clock_of_operations_goes_on_while_they_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader_module, "WATCH_INTERVAL", 0.1)
    bench.begin()
    began = time_kept(bench.engine)
    wait_until(lambda: time_kept(bench.engine) > began)


def test_an_executor_that_was_never_started_stops_at_once(settings: Settings) -> None:
    Leader(settings, Runner()).stop()


def test_while_nothing_runs_no_time_is_noted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader_module, "WATCH_INTERVAL", 0.0)
    watched: list[None] = []
    real = OpenOperations.keep_time

    def keep_time(term: OpenOperations) -> None:
        real(term)
        watched.append(None)

    monkeypatch.setattr(OpenOperations, "keep_time", keep_time)
    operation_id = bench.click()
    bench.start()
    bench.wait_until_closed(operation_id)
    seen = len(watched)
    wait_until(lambda: len(watched) > seen + 1)
    before, seen = time_kept(bench.engine), len(watched)
    wait_until(lambda: len(watched) > seen + 1)
    assert time_kept(bench.engine) == before


@pytest.fixture
def tidying(start: Start, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Starts an executor that tidies without a pause."""
    monkeypatch.setattr(leader_module, "TIDY_INTERVAL", 0.01)
    return lambda tidy: start(tidy=tidy)


def test_who_leads_tidies_now_and_then_until_its_turn_is_over(
    tidying: Start,
) -> None:
    leaderships: list[Leadership] = []
    leader = tidying(leaderships.append)
    wait_until(lambda: len(leaderships) > 2)
    assert not leaderships[0].stopping.is_set()
    leader.stop()
    assert leaderships[0].stopping.is_set()


@pytest.mark.parametrize(
    "error", [OperationalError("SELECT", {}, Exception("disk I/O error")), ValueError("a fault")]
)
def test_what_can_not_be_tidied_is_logged_and_tried_again(
    tidying: Start, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    leaderships: list[Leadership] = []

    def tidy(leadership: Leadership) -> None:
        leaderships.append(leadership)
        raise error

    tidying(tidy)
    wait_until(lambda: len(leaderships) > 2)
    assert "could not restore file sets that ended operations left marked deleted" in caplog.text
    # Where the database fails, a trace tells nothing that its own words don't.
    assert ("Traceback" in caplog.text) is isinstance(error, ValueError)


def test_a_failure_after_the_end_of_a_turn_is_no_news(
    tidying: Start, caplog: pytest.LogCaptureFixture
) -> None:
    leaderships: list[Leadership] = []
    ended: list[None] = []

    def tidy(leadership: Leadership) -> None:
        leaderships.append(leadership)
        leadership.stopping.wait(10)
        ended.append(None)
        raise OperationalError("SELECT", {}, Exception("disk I/O error"))

    leader = tidying(tidy)
    wait_until(lambda: leaderships)
    leader.stop()
    wait_until(lambda: ended)
    assert "could not be restored" not in caplog.text


def test_what_is_due_is_looked_for_more_often_than_is_tidied(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader_module, "KEEP_INTERVAL", 0.01)
    kept: list[Leadership] = []
    tidied: list[Leadership] = []
    leader = start(tidy=tidied.append, keep=kept.append)
    wait_until(lambda: len(kept) > 2)
    leader.stop()
    assert len(tidied) == 1


def test_what_is_due_and_can_not_be_found_keeps_nothing_from_being_tidied(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    tidied: list[Leadership] = []

    def keep(_: Leadership) -> None:
        raise ValueError("a fault")

    start(tidy=tidied.append, keep=keep)
    wait_until(lambda: tidied)
    assert "could not look for what must be removed or undone by now" in caplog.text


def test_who_is_told_to_stop_while_it_tidies_does_so(
    tidying: Start,
) -> None:
    leaderships: list[Leadership] = []

    def tidy(leadership: Leadership) -> None:
        leaderships.append(leadership)
        raise Stopped

    leader = tidying(tidy)
    wait_until(lambda: leaderships)
    leader.stop()
    assert len(leaderships) == 1


def test_a_recorded_click_is_run_with_all_it_said(bench: Bench) -> None:
    operation_id, is_new = bench.recorder.record(CLICK)
    bench.start()
    bench.wait_until_closed(operation_id)
    assert is_new
    assert bench.runner.calls == [(operation_id, CLICK)]


def test_a_fault_of_our_own_ends_in_a_report(bench: Bench) -> None:
    bench.runner.error = KeyError("token-of-the-click")
    operation_id = bench.click()
    bench.start()
    bench.wait_for_end(operation_id)
    failure = failure_of(bench.ledger, operation_id)
    assert failure == "internal error in the plugin (KeyError): see the service's log"


def test_what_the_database_refuses_for_a_while_is_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(leader_module, "DATABASE_WAIT", 0.01)
    bench.runner.error = OperationalError("SELECT", {}, Exception("disk I/O error"))
    operation_id = bench.click()
    bench.start()
    wait_until(lambda: "the database failed (OperationalError)" in caplog.text)
    bench.runner.error = None
    bench.wait_until_closed(operation_id)


def test_a_click_that_can_not_be_read_is_told_of(bench: Bench) -> None:
    operation_id = bench.click()
    with bench.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE plugin_operations SET sealed = 'forged'")
    bench.start()
    bench.wait_until_closed(operation_id)
    failure = failure_of(bench.ledger, operation_id)
    assert failure == "the stored click cannot be read: click again in iconik"
    assert not bench.runner.calls
    with pytest.raises(RetryError):
        bench.recorder.click_of(operation_id)


def test_an_operation_that_was_forgotten_meanwhile_ends_quietly(bench: Bench) -> None:
    bench.begin()
    with bench.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM plugin_operations")
    bench.runner.error = KeyError("forgotten")
    bench.wait_until_closed(bench.click())


def test_an_operation_is_closed_once_iconik_was_told_of_its_end(bench: Bench) -> None:
    heard = threading.Event()

    def show(*_: object) -> Step:
        return lambda: None if heard.is_set() else 0.01

    operation_id = bench.click()
    bench.start(show)
    bench.wait_for_end(operation_id)
    assert not is_closed(bench.engine, operation_id)
    heard.set()
    bench.wait_until_closed(operation_id)


class Crowd:
    """Two operations, of which the second waits until the first lets it take its turn."""

    def __init__(self, recorder: Recorder, start: Start) -> None:
        self.shown: list[str] = []
        self.taken_up: list[str] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.runner = Runner()
        start(self.begin, self.show)
        self.first, _ = recorder.record(CLICK)
        assert self.begun.wait(SECONDS)
        self.second, _ = recorder.record(replace(CLICK, formats=("PROXY",)))
        # Another is taken up only after that.
        recorder.record(replace(CLICK, formats=("EDIT_PROXY",)))
        wait_until(lambda: len(self.taken_up) == 3)

    def begin(self, operation_id: str, click: CustomAction, leadership: Leadership) -> Step:
        self.taken_up.append(operation_id)
        step = self.runner(operation_id, click, leadership)

        def wait_and_step() -> float | None:
            self.begun.set()
            assert self.go_on.wait(SECONDS)
            return step()

        return wait_and_step

    def show(self, operation_id: str, *_: object) -> Step:
        def step() -> float | None:
            self.shown.append(operation_id)
            return None if self.go_on.is_set() else 0.01

        return step


@pytest.fixture
def crowd(recorder: Recorder, start: Start, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    monkeypatch.setattr(leader_module, "PASSES_AT_ONCE", 1)
    # Whatever is due is shown in the order in which it was due.
    monkeypatch.setattr(leader_module, "JOBS_AT_ONCE", 1)
    crowd = Crowd(recorder, start)
    yield crowd
    crowd.go_on.set()


def test_an_operation_is_not_shown_while_it_waits_for_its_turn(crowd: Crowd) -> None:
    shown = len(crowd.shown)
    wait_until(lambda: len(crowd.shown) > shown + 2)
    assert set(crowd.shown) == {crowd.first}


def test_an_operation_is_shown_once_its_turn_has_come(crowd: Crowd, bench: Bench) -> None:
    crowd.go_on.set()
    bench.wait_until_closed(crowd.second)
    assert crowd.second in crowd.shown


def test_the_end_is_told_at_once(bench: Bench) -> None:
    def show(operation_id: str, *_: object) -> Step:
        return lambda: None if has_ended(bench.ledger, operation_id) else 3600.0

    operation_id = bench.click()
    bench.start(show)
    bench.wait_until_closed(operation_id)


def test_a_fault_in_what_shows_an_operation_does_not_matter_to_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def show(*_: object) -> Step:
        def step() -> float | None:
            raise ZeroDivisionError

        return step

    operation_id = bench.click()
    bench.start(show)
    bench.wait_until_closed(operation_id)
    assert "the operation's job in iconik is no longer updated: ZeroDivisionError" in caplog.text
    assert failure_of(bench.ledger, operation_id) is None


def test_an_operation_that_has_ended_but_was_not_told_of_is_brought_to_its_end(
    bench: Bench,
) -> None:
    operation_id = bench.click()
    bench.recorder.prepare()
    finish(bench.engine, operation_id)
    bench.start()
    bench.wait_until_closed(operation_id)
    assert bench.runner.calls == [(operation_id, CLICK)]


def test_an_old_operation_is_forgotten_while_others_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = bench.click()
    bench.start()
    bench.wait_until_closed(old)
    bench.runner.hold = True
    bench.click()
    wait_until(lambda: len(bench.runner.calls) == 2)
    let_pass(monkeypatch, KEEP + timedelta(days=1))
    monkeypatch.setattr(leader_module, "FORGET_INTERVAL", 0.0)
    monkeypatch.setattr(clock, "STEADY_FOR", 0.0)
    wait_until(lambda: bench.ledger.operation(old) is None)


def test_what_ended_of_late_is_kept_however_often_old_ones_are_looked_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader_module, "FORGET_INTERVAL", 0.0)
    monkeypatch.setattr(clock, "STEADY_FOR", 0.0)
    looks: list[None] = []
    real = OpenOperations.forget_old

    def forget_old(term: OpenOperations) -> None:
        real(term)
        looks.append(None)

    monkeypatch.setattr(OpenOperations, "forget_old", forget_old)
    recent = bench.click()
    bench.start()
    bench.wait_for_end(recent)
    seen = len(looks)
    wait_until(lambda: len(looks) > seen + 1)
    assert bench.ledger.operation(recent)


def test_a_step_that_finds_its_term_over_leaves_the_operation_open(bench: Bench) -> None:
    bench.runner.error = Stopped()
    operation_id = bench.click()
    leader = bench.start()
    wait_until(lambda: bench.runner.steps)
    leader.stop()
    assert not is_closed(bench.engine, operation_id)


def test_an_operation_whose_failure_can_not_be_recorded_takes_no_thread_from_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def sum_up(*_: object) -> None:
        raise KeyError("report")

    monkeypatch.setattr(leader_module, "PASSES_AT_ONCE", 1)
    monkeypatch.setattr("b2_iconik.ledger.completion.Completion.sum_up", sum_up)
    bench.runner.error = ValueError("a fault")
    failed = bench.click()
    bench.start()
    wait_until(lambda: f"operation {failed} cannot continue" in caplog.text)
    bench.runner.error = None
    bench.wait_until_closed(bench.click())
