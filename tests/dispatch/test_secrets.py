"""Operations that another secret has encrypted are left to who can read them."""

from dataclasses import replace

import pytest

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.ledger.operations import Ledger
from tests.dispatch.runner import CLICK, Runner, Start, has_ended, wait_until


def test_nothing_is_run_with_another_secret_while_operations_wait(
    settings: Settings, recorder: Recorder, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.record(CLICK)
    first, other = Runner(), Runner()
    first.hold = True
    before = start(first)
    wait_until(lambda: first.calls)
    before.stop()
    start(other, own=replace(settings, secret="t" * 32))
    wait_until(lambda: "BZ_SHARED_SECRET_PREVIOUS" in caplog.text)
    assert not other.calls


def test_a_click_on_another_host_with_a_newer_secret_is_left_to_who_can_read_it(
    settings: Settings,
    recorder: Recorder,
    ledger: Ledger,
    start: Start,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = Runner()
    start(before)
    first, _ = recorder.record(CLICK)
    wait_until(lambda: has_ended(ledger, first))
    rotated = replace(settings, secret="t" * 32, previous_secret=settings.secret)
    elsewhere, after = Recorder(rotated), Runner()
    operation_id, _ = elsewhere.record(CLICK)
    wait_until(lambda: "BZ_SHARED_SECRET_PREVIOUS" in caplog.text)
    start(after, own=rotated)
    wait_until(lambda: has_ended(ledger, operation_id))
    elsewhere.close()
    assert [each for each, _ in before.calls] == [first]
    assert after.calls == [(operation_id, CLICK)]


def test_a_new_secret_is_taken_up_when_no_operation_waits(
    settings: Settings, recorder: Recorder, ledger: Ledger, start: Start
) -> None:
    operation_id, _ = recorder.record(CLICK)
    leader = start(Runner())
    wait_until(lambda: has_ended(ledger, operation_id))
    leader.stop()
    rotated = replace(settings, secret="t" * 32)
    renewed, runner = Recorder(rotated), Runner()
    renewed.record(CLICK)
    start(runner, own=rotated)
    wait_until(lambda: runner.calls)
    renewed.close()


def test_an_operation_from_before_a_secret_was_rotated_is_carried_on(
    settings: Settings, recorder: Recorder, ledger: Ledger, start: Start
) -> None:
    operation_id, _ = recorder.record(CLICK)
    start(own=replace(settings, secret="t" * 32, previous_secret=settings.secret))
    wait_until(lambda: has_ended(ledger, operation_id))
