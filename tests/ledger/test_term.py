"""A turn at running operations that is over."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2_iconik.clock import Clock, now_ms
from b2_iconik.errors import Stopped
from b2_iconik.ledger.term import Leadership, begin_term, keep_time, time_kept
from tests.makers import a_database

NOW = 1_000_000


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Leadership]:
    with a_database(tmp_path) as engine:
        yield Leadership(engine, begin_term(engine, 0), threading.Event())


@pytest.mark.parametrize("deletes", [False, True])
def test_a_turn_lets_every_request_pass(turn: Leadership, deletes: bool) -> None:
    turn.check(deletes)


@pytest.mark.parametrize("deletes", [False, True])
def test_a_process_that_is_told_to_stop_sends_nothing_more(turn: Leadership, deletes: bool) -> None:
    turn.stopping.set()
    with pytest.raises(Stopped):
        turn.check(deletes)


def test_a_process_that_was_asleep_while_another_took_over_deletes_nothing_more(
    turn: Leadership,
) -> None:
    begin_term(turn.engine, 0)
    turn.check(False)
    with pytest.raises(Stopped):
        turn.check(True)


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


def test_the_clock_goes_on_from_turn_to_turn(turn: Leadership) -> None:
    keep_time(turn.engine, begin_term(turn.engine, 0), NOW + 5)
    begin_term(turn.engine, 9 * NOW)
    assert time_kept(turn.engine) == NOW + 5


def test_turns_are_numbered_upwards(turn: Leadership) -> None:
    assert [begin_term(turn.engine, NOW) for _ in range(3)] == [2, 3, 4]
