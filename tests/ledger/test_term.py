"""A leadership at running operations that is over."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2_iconik.common.clock import Clock, now_ms
from b2_iconik.common.errors import Stopped
from b2_iconik.ledger.term import Leadership, begin_term, keep_time, time_kept
from tests.makers import a_database

NOW = 1_000_000


@pytest.fixture
def leadership(tmp_path: Path) -> Iterator[Leadership]:
    with a_database(tmp_path) as engine:
        yield Leadership(engine, begin_term(engine, 0), threading.Event())


@pytest.mark.parametrize("deletes", [False, True])
def test_a_turn_lets_every_request_pass(leadership: Leadership, deletes: bool) -> None:
    leadership.check(deletes)


@pytest.mark.parametrize("deletes", [False, True])
def test_a_process_that_is_told_to_stop_sends_nothing_more(
    leadership: Leadership, deletes: bool
) -> None:
    leadership.stopping.set()
    with pytest.raises(Stopped):
        leadership.check(deletes)


def test_a_process_that_was_asleep_while_another_took_over_deletes_nothing_more(
    leadership: Leadership,
) -> None:
    begin_term(leadership.engine, 0)
    leadership.check(False)
    with pytest.raises(Stopped):
        leadership.check(True)


def test_the_clock_goes_on_where_it_was_and_does_not_jump_with_the_wall_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 0)
    monkeypatch.setattr("time.monotonic", lambda: 52.5)
    assert Clock(1_000, 50.0).now_ms() == 3_500


def test_the_very_first_clock_begins_with_the_wall_clock() -> None:
    before = now_ms()
    assert before <= Clock().start_ms <= now_ms()


def test_the_clock_of_the_first_turn_begins_with_the_wall_clock(tmp_path: Path) -> None:
    with a_database(tmp_path) as engine:
        begin_term(engine, NOW)
        assert time_kept(engine) == NOW


def test_the_clock_goes_on_from_turn_to_turn(leadership: Leadership) -> None:
    keep_time(leadership.engine, begin_term(leadership.engine, 0), NOW + 5)
    begin_term(leadership.engine, 9 * NOW)
    assert time_kept(leadership.engine) == NOW + 5


def test_turns_are_numbered_upwards(leadership: Leadership) -> None:
    assert [begin_term(leadership.engine, NOW) for _ in range(3)] == [2, 3, 4]
