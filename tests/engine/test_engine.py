"""Recorded operations are run to their end, whatever becomes of the processes that run them."""

import base64
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
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
from custom_action import CustomAction
from endings import Endings
from engine import KEEP
from errors import RetryError, Stopped
from executor import Executor
from ledger import Ledger
from recorder import Recorder
from tests.engine.runner import CLICK, SECONDS, Runner, has_ended, let_pass, wait_until
from tests.logged import logged_with
from tests.makers import endings, finish
from turn import Turn


def test_a_recorded_click_is_run_with_all_it_said(
    recorder: Recorder, ledger: Ledger, start: Callable[[Runner], Executor]
) -> None:
    runner = Runner()
    operation_id, is_new = recorder.record(CLICK)
    start(runner)
    wait_until(lambda: has_ended(ledger, operation_id))
    assert is_new
    assert runner.calls == [(operation_id, CLICK)]


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


class Infection:
    """What does something as soon as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


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


def test_an_executor_whose_launch_fails_half_way_lets_go_of_what_it_has_begun(
    recorder: Recorder,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runner = Runner()
    runner.hold = True
    real = engine_module._give_up_stranded
    failures = [OperationalError("SELECT", {}, Exception("disk I/O error"))]

    def fails_once(endings: Endings, *suspects: Any) -> None:
        if failures:
            wait_until(lambda: runner.calls)
            raise failures.pop()
        real(endings, *suspects)

    monkeypatch.setattr(engine_module, "_give_up_stranded", fails_once)
    recorder.record(CLICK)
    start(runner)
    wait_until(lambda: len(runner.calls) == 2)


def test_an_operation_that_another_process_took_and_let_lie_is_taken_up(
    recorder: Recorder,
    ledger: Ledger,
    database: sa.Engine,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # One that is begun so slowly that it is idle twice would be taken up while it begins.
    monkeypatch.setattr(executor_module, "WATCH_INTERVAL", 1.0)
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


def test_an_operation_that_is_taken_for_idle_while_it_begins_is_run_once(
    recorder: Recorder,
    ledger: Ledger,
    start: Callable[[Runner], Executor],
    caplog: pytest.LogCaptureFixture,
) -> None:
    ids = logged_with(caplog, "is run already")
    runner = Runner()
    runner.hold = True
    executor = start(runner)
    operation_id, _ = recorder.record(CLICK)
    wait_until(lambda: runner.calls)
    DBOS.resume_workflow(operation_id)
    wait_until(lambda: ids)
    assert runner.calls == [(operation_id, CLICK)]
    # Nor is it taken for ended.
    executor.stop()
    runner.hold = False
    start(runner)
    wait_until(lambda: has_ended(ledger, operation_id))
    assert len(runner.calls) == 2


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
    engine_module._give_up_stranded(endings(database))
    operation = ledger.operation(operation_id)
    assert operation
    assert operation.failure is None


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


def test_what_ended_of_late_is_kept_however_often_old_ones_are_looked_for(
    recorder: Recorder,
    ledger: Ledger,
    start: Callable[[Runner], Executor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(executor_module, "PURGE_INTERVAL", 0.0)
    monkeypatch.setattr(executor_module, "STEADY_FOR", 0.0)
    looks: list[None] = []
    real = engine_module.purge

    def purge(endings: Endings) -> None:
        real(endings)
        looks.append(None)

    monkeypatch.setattr(engine_module, "purge", purge)
    recent, _ = recorder.record(CLICK)
    start(Runner())
    wait_until(lambda: has_ended(ledger, recent))
    seen = len(looks)
    wait_until(lambda: len(looks) > seen + 1)
    assert ledger.operation(recent)


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
