"""iconik's time, from its answers; whatever they say, nothing happens early by it."""

from email.utils import formatdate
from typing import Any

import pytest

from iconik_http import expiry
from iconik_http.server_clock import HOLDS, ServerClock

NOON = 1_795_867_200
DAY = 86_400.0


class Machine:
    """A machine, and the answers that it gets.

    Attributes:
        now: its clock that nobody sets, in seconds.
    """

    def __init__(self) -> None:
        self.now = 5.0
        self.clock = ServerClock()

    def hear(self, seconds: float, travels: float = 0.0) -> None:
        """Get an answer that was made so many seconds after noon."""
        asked = self.now
        self.now += travels
        self.clock.hear(formatdate(NOON + seconds, usegmt=True), asked)

    @property
    def limits(self) -> tuple[Any, Any]:
        """The limits of iconik's time, in seconds after noon."""
        earliest, latest = (
            each and each / 1000 - NOON
            for each in (self.clock.earliest_ms(), self.clock.latest_ms())
        )
        return earliest, latest


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(expiry, "now", lambda: machine.now)
    return machine


def test_without_an_answer_the_time_is_unknown(machine: Machine) -> None:
    assert (machine.limits, machine.clock.is_silent) == ((None, None), False)


def test_the_time_goes_on_from_an_answer(machine: Machine) -> None:
    machine.hear(0.0)
    machine.now += 90.0
    assert machine.limits == (90.0, 91.0)


def test_how_long_an_answer_travels_makes_nothing_happen_early(machine: Machine) -> None:
    machine.hear(0.0, travels=20.0)
    assert machine.limits == (0.0, 21.0)


def test_an_answer_tells_the_time_for_an_hour(machine: Machine) -> None:
    machine.hear(0.0)
    machine.now += HOLDS
    assert machine.clock.earliest_ms() == (NOON + HOLDS) * 1000
    machine.now += 1.0
    assert machine.limits == (None, None)


@pytest.mark.parametrize("date", ["", "soon", "Sat, 99 Nov 2026 12:00:00 GMT"])
def test_an_answer_without_a_time_changes_nothing(machine: Machine, date: str) -> None:
    machine.hear(0.0)
    machine.clock.hear(date, machine.now)
    assert (machine.limits, machine.clock.is_silent) == ((0.0, 1.0), True)
    machine.hear(0.0)
    assert not machine.clock.is_silent


def test_a_time_without_a_zone_is_in_utc(machine: Machine) -> None:
    machine.clock.hear(formatdate(NOON), machine.now)
    assert machine.limits == (0.0, 1.0)


def test_one_answer_that_is_far_ahead_makes_nothing_due(machine: Machine) -> None:
    machine.hear(0.0)
    machine.hear(14 * DAY)
    assert machine.limits == (0.0, 14 * DAY + 1)
    machine.now += 1.0
    machine.hear(1.0)
    assert machine.limits[0] == 1.0


def test_one_answer_that_is_far_behind_begins_no_time_early(machine: Machine) -> None:
    machine.hear(0.0)
    machine.hear(-14 * DAY)
    assert machine.limits == (-14 * DAY, 1.0)


@pytest.mark.parametrize("leap", [14 * DAY, -14 * DAY])
def test_a_clock_that_was_set_is_believed_after_an_hour(machine: Machine, leap: float) -> None:
    machine.hear(0.0)
    machine.now += HOLDS + 1
    machine.hear(leap)
    assert machine.limits == (leap, leap + 1)


def test_small_corrections_are_believed_at_once(machine: Machine) -> None:
    machine.hear(0.0)
    for correction in (30.0, -20.0):
        machine.hear(correction)
        assert machine.limits == (correction, correction + 1)


@pytest.mark.parametrize("day", [14, -14])
def test_the_clock_of_the_machine_does_not_matter(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, day: int
) -> None:
    machine.hear(0.0)
    monkeypatch.setattr("time.time", lambda: NOON + day * DAY)
    monkeypatch.setattr("time.time_ns", lambda: int(NOON + day * DAY) * 10**9)
    assert machine.limits == (0.0, 1.0)
