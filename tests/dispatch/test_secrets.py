"""Operations that another secret has encrypted are left to who can read them."""

from collections.abc import Callable

import pytest

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader import Leader
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.ledger.operations import Ledger
from tests.dispatch.runner import CLICK, Runner, has_ended, wait_until


def test_nothing_is_run_with_another_secret_while_operations_wait(
    settings: Settings,
    recorder: Recorder,
    ledger: Ledger,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder.record(CLICK)
    first = Runner()
    first.hold = True
    before = Leader(settings, first)
    before.start()
    wait_until(lambda: first.calls)
    before.stop()
    other = Runner()
    leader = Leader(Settings(**{**vars(settings), "secret": "t" * 32}), other)
    leader.start()
    wait_until(lambda: "BZ_SHARED_SECRET_PREVIOUS" in caplog.text)
    leader.stop()
    assert not other.calls


def test_a_click_on_another_host_with_a_newer_secret_is_left_to_who_can_read_it(
    settings: Settings,
    recorder: Recorder,
    ledger: Ledger,
    start: Callable[[Runner], Leader],
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = Runner()
    start(before)
    first, _ = recorder.record(CLICK)
    wait_until(lambda: has_ended(ledger, first))
    rotated = {**vars(settings), "secret": "t" * 32, "previous_secret": settings.secret}
    elsewhere, after = Recorder(Settings(**rotated)), Runner()
    operation_id, _ = elsewhere.record(CLICK)
    wait_until(lambda: "BZ_SHARED_SECRET_PREVIOUS" in caplog.text)
    other = Leader(Settings(**rotated), after)
    other.start()
    wait_until(lambda: has_ended(ledger, operation_id))
    other.stop()
    elsewhere.close()
    assert [each for each, _ in before.calls] == [first]
    assert after.calls == [(operation_id, CLICK)]


def test_a_new_secret_is_taken_up_when_no_operation_waits(
    settings: Settings, recorder: Recorder, ledger: Ledger, start: Callable[[Runner], Leader]
) -> None:
    operation_id, _ = recorder.record(CLICK)
    leader = start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    leader.stop()
    settings = Settings(**{**vars(settings), "secret": "t" * 32})
    renewed, runner = Recorder(settings), Runner()
    renewed.record(CLICK)
    after = Leader(settings, runner)
    after.start()
    wait_until(lambda: runner.calls)
    after.stop()
    renewed.close()


def test_an_operation_from_before_a_secret_was_rotated_is_carried_on(
    settings: Settings, recorder: Recorder, ledger: Ledger
) -> None:
    operation_id, _ = recorder.record(CLICK)
    rotated = {**vars(settings), "secret": "t" * 32, "previous_secret": settings.secret}
    leader = Leader(Settings(**rotated), Runner())
    leader.start()
    wait_until(lambda: has_ended(ledger, operation_id))
    leader.stop()
