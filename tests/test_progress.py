"""Operations are shown in iconik while they run; what that meets never matters to them."""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import logs
import progress
from custom_action import CustomAction
from errors import (
    IconikRefused,
    IconikUnavailable,
    NotFound,
    NotPermitted,
    Stopped,
    TokenRejected,
)
from progress import Progress, Shown
from settings import Settings
from tests.fake_iconik import NoPacer
from tests.makers import FakeIconik, a_click, a_database, a_ledger, a_term, clicked, endings, found
from turn import Turn

pytestmark = pytest.mark.usefixtures("opened_later")

ASSET = "asset-1"
CLICK = a_click("remove", asset_ids=(ASSET,), user_id="ada", auth_token="token")
NOW = 1_000_000
SECONDS = 60.0
AWAY = IconikUnavailable("show it", "iconik answered 503")
NO_ROLE = NotPermitted("show it", "iconik does not permit it (403, it needs can_write_jobs): no")


class Bench:
    """An operation, and what may run it."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.iconik = FakeIconik()
        self.iconik.titles = {ASSET: "beach"}
        self.turn = Turn(engine, a_term(engine), threading.Event())
        self.ledger = a_ledger(engine)
        self.click(CLICK)

    def click(self, click: CustomAction) -> None:
        self.id = clicked(self.engine, click, NOW).id

    def run(self, *_: object) -> dict[str, Any]:
        """Do all that the operation does."""
        operation = found(self.engine, self.id)
        self.ledger.expand(operation.number, [], {})
        assert endings(self.engine).end(found(self.engine, self.id), NOW)
        return {"removed": 1}

    def shown(self, run: Callable[..., dict[str, Any]] | None = None) -> Shown:
        settings = Settings(iconik_id=ASSET, secret="s" * 32)
        return Shown(settings, run or self.run, NoPacer())

    def wait_for(self, method: str, number: int = 1) -> None:
        """Wait until iconik was asked so often."""
        tick = threading.Event()
        for _ in range(int(SECONDS / 0.01)):
            if len(self.iconik.called(method)) >= number:
                return
            tick.wait(0.01)
        raise AssertionError(f"{method} was not called {number} times")

    @property
    def statuses(self) -> list[str]:
        return [job["status"] for job in self.iconik.own_jobs.values()]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with a_database(tmp_path) as engine:
        bench = Bench(engine)
        monkeypatch.setattr(progress, "Iconik", lambda _: bench.iconik)
        monkeypatch.setattr(progress, "FIRST_FAREWELL_INTERVAL", 0.01)
        yield bench


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of hundredths of seconds instead of seconds."""
    monkeypatch.setattr(progress, "INTERVAL", 0.05)
    monkeypatch.setattr(progress, "LONGEST_INTERVAL", 0.05)
    monkeypatch.setattr(progress, "LONGEST_OUTAGE_INTERVAL", 0.05)


def test_an_operation_is_shown_from_its_beginning_to_its_end(bench: Bench) -> None:
    def run(*_: object) -> dict[str, Any]:
        bench.wait_for("create_job")
        return bench.run()

    assert bench.shown(run)(bench.id, CLICK, bench.turn) == {"removed": 1}
    assert bench.statuses == ["FINISHED"]
    assert [call[0] for call in bench.iconik.calls] == [
        "asset_title", "create_job", "update_job", "close",
    ]  # fmt: skip


@pytest.mark.usefixtures("hurried")
def test_what_is_done_in_iconik_is_seen_while_the_operation_waits(bench: Bench) -> None:
    def run(*_: object) -> dict[str, Any]:
        bench.wait_for("job", 2)
        return bench.run()

    bench.shown(run)(bench.id, CLICK, bench.turn)
    assert bench.statuses == ["FINISHED"]


def test_between_two_requests_there_are_five_seconds_or_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    class Watched(threading.Event):
        """An event whose waits are noted; the operation goes on after some."""

        def wait(self, timeout: float | None = None) -> bool:
            if threading.current_thread().name == "progress":
                pauses.append(timeout or 0)
                if len(pauses) == 12:
                    bench.iconik.problems["job"] = AWAY
                if len(pauses) == 24:
                    go_on.set()
                return super().wait(0.2 if len(pauses) > 23 else 0)
            return super().wait(timeout)

    go_on = threading.Event()

    def run(*_: object) -> dict[str, Any]:
        assert go_on.wait(SECONDS)
        return bench.run()

    shown = bench.shown(run)
    monkeypatch.setattr(threading, "Event", Watched)
    shown(bench.id, CLICK, bench.turn)
    running = pauses[:23]
    assert min(running) >= 5.0
    assert running[11] == progress.LONGEST_INTERVAL
    assert running[22] == progress.LONGEST_OUTAGE_INTERVAL


def test_its_log_lines_name_the_operation(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    seen: set[str] = set()

    def note(_: logging.LogRecord) -> bool:
        seen.add(logs.operation_id.get())
        return True

    caplog.handler.addFilter(note)
    bench.iconik.problems["create_job"] = IconikRefused("show it", "iconik answered 400: bad")

    def run(*_: object) -> dict[str, Any]:
        bench.wait_for("close")
        return bench.run()

    with logs.about("its id"):
        bench.shown(run)(bench.id, CLICK, bench.turn)
    assert "iconik's jobs list no longer shows it: could not show it" in caplog.text
    assert seen == {"its id"}
    caplog.handler.removeFilter(note)


# What must not matter


def test_without_the_role_the_work_goes_on_and_the_log_says_so_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.iconik.problems["create_job"] = NO_ROLE
    shown = bench.shown()
    for user in ("ada", "ada", "ben"):
        bench.click(a_click("remove", asset_ids=(ASSET,), user_id=user))
        click = a_click("remove", asset_ids=(ASSET,), user_id=user)
        assert shown(bench.id, click, bench.turn) == {"removed": 1}
    assert caplog.text.count("operations are not shown in iconik's jobs list: could not") == 1
    # Another user's token may have the role; but the same one is not tried with every click.
    assert len(bench.iconik.called("create_job")) == 2


def test_after_a_while_the_role_is_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "REFUSED", 0.0)
    bench.iconik.problems["create_job"] = NO_ROLE
    shown = bench.shown()
    shown(bench.id, CLICK, bench.turn)
    bench.iconik.problems.clear()
    bench.click(CLICK)
    monkeypatch.setattr("operation_job.LISTING_LAG", 0.0)
    shown(bench.id, CLICK, bench.turn)
    assert bench.statuses == ["FINISHED"]


@pytest.mark.parametrize(
    "problem",
    [IconikRefused("show it", "400"), TokenRejected("show it", "401"), ZeroDivisionError()],
)
def test_whatever_it_meets_the_work_goes_on(
    bench: Bench, problem: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bench.iconik.problems["create_job"] = problem
    assert bench.shown()(bench.id, CLICK, bench.turn) == {"removed": 1}
    assert caplog.text.count("iconik's jobs list no longer shows it") == 1


def test_a_job_that_somebody_deletes_is_no_trouble(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def run(*_: object) -> dict[str, Any]:
        bench.wait_for("create_job")
        bench.iconik.problems["update_job"] = NotFound("update it", "iconik knows no such thing")
        return bench.run()

    assert bench.shown(run)(bench.id, CLICK, bench.turn) == {"removed": 1}
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.usefixtures("hurried")
def test_an_end_that_iconik_does_not_hear_at_once_is_told_again(bench: Bench) -> None:
    def run(*_: object) -> dict[str, Any]:
        bench.wait_for("create_job")
        bench.iconik.problems["update_job"] = AWAY
        return bench.run()

    def heal() -> None:
        bench.wait_for("update_job", 3)
        bench.iconik.problems.clear()

    healer = threading.Thread(target=heal)
    healer.start()
    bench.shown(run)(bench.id, CLICK, bench.turn)
    healer.join()
    assert bench.statuses == ["FINISHED"]


@pytest.mark.usefixtures("hurried")
def test_an_end_that_iconik_never_hears_holds_nothing_up_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "FAREWELL", 0.2)
    bench.iconik.problems["create_job"] = AWAY
    assert bench.shown()(bench.id, CLICK, bench.turn) == {"removed": 1}
    assert "iconik's jobs list doesn't show that it has ended" in caplog.text


def test_a_process_that_must_stop_leaves_the_job_to_the_next_one(bench: Bench) -> None:
    def run(*_: object) -> dict[str, Any]:
        bench.wait_for("create_job")
        raise Stopped

    with pytest.raises(Stopped):
        bench.shown(run)(bench.id, CLICK, bench.turn)
    assert bench.statuses == ["STARTED"]
    bench.shown()(bench.id, CLICK, bench.turn)
    assert bench.statuses == ["FINISHED"]


@pytest.mark.usefixtures("hurried")
def test_a_process_that_must_stop_while_it_tells_the_end_leaves_that_to_the_next_one(
    bench: Bench,
) -> None:
    bench.iconik.problems["create_job"] = AWAY

    def run(*_: object) -> dict[str, Any]:
        told = bench.run()
        bench.wait_for("job_with_metadata")
        bench.turn.stopping.set()
        return told

    with pytest.raises(Stopped):
        bench.shown(run)(bench.id, CLICK, bench.turn)


def test_an_error_while_the_process_stops_is_nobody_s_business(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    shown = Progress(bench.id, CLICK, bench.turn, bench.iconik, lambda click, error: None)

    def fail() -> None:
        shown._is_abandoned.set()
        raise ZeroDivisionError

    bench.iconik.before["asset_title"] = fail
    shown.start()
    shown.end()
    assert not caplog.text


def test_a_fault_of_the_plugin_s_own_is_shown_as_such(bench: Bench) -> None:
    def run(*_: object) -> dict[str, Any]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bench.shown(run)(bench.id, CLICK, bench.turn)
    (job,) = bench.iconik.own_jobs.values()
    assert job["status"] == "FAILED"
    assert job["error_message"].startswith("the plugin met a fault of its own")


def test_without_a_thread_to_be_had_the_work_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert bench.shown()(bench.id, CLICK, bench.turn) == {"removed": 1}
    assert "iconik's jobs list won't show it: can't start new thread" in caplog.text

    def stop(*_: object) -> dict[str, Any]:
        raise Stopped

    with pytest.raises(Stopped):
        bench.shown(stop)(bench.id, CLICK, bench.turn)
