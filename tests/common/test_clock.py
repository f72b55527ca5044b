"""The wall clock is trusted only after it has run evenly."""

from types import SimpleNamespace

import pytest

from b2_iconik.common import clock
from b2_iconik.common.clock import LEAP, STEADY_FOR, SteadyClock


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The wall clock and the monotonic clock, in seconds."""
    times = SimpleNamespace(wall=1_000.0, monotonic=5.0)
    fake = SimpleNamespace(time=lambda: times.wall, monotonic=lambda: times.monotonic)
    monkeypatch.setattr(clock, "time", fake)
    return times


def go_on(times: SimpleNamespace, seconds: float) -> None:
    times.wall += seconds
    times.monotonic += seconds


def test_it_is_trusted_after_a_while(times: SimpleNamespace) -> None:
    steady = SteadyClock()
    assert steady.now_ms() is None
    go_on(times, STEADY_FOR - 1)
    assert steady.now_ms() is None
    go_on(times, 1)
    assert steady.now_ms() == int((1_000 + STEADY_FOR) * 1000)


@pytest.mark.parametrize("leap", [LEAP + 1, -LEAP - 1])
def test_after_a_leap_it_must_run_evenly_again(times: SimpleNamespace, leap: float) -> None:
    steady = SteadyClock()
    steady.now_ms()
    go_on(times, STEADY_FOR)
    times.wall += leap
    assert steady.now_ms() is None
    go_on(times, STEADY_FOR)
    assert steady.now_ms() == int(times.wall * 1000)


def test_a_small_correction_is_no_leap(times: SimpleNamespace) -> None:
    steady = SteadyClock()
    steady.now_ms()
    go_on(times, STEADY_FOR)
    times.wall += LEAP / 2
    assert steady.now_ms() == int(times.wall * 1000)
