"""A turn at running operations that is over."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from errors import Stopped
from ledger import Ledger
from tests.makers import a_database
from turn import Clock, Turn, now_ms


@pytest.fixture
def turn(tmp_path: Path) -> Iterator[Turn]:
    with a_database(tmp_path) as engine:
        yield Turn(engine, Ledger(engine).begin_term(0), threading.Event())


@pytest.mark.parametrize("deletes", [False, True])
def test_a_turn_lets_every_request_pass(turn: Turn, deletes: bool) -> None:
    turn.check(deletes)


@pytest.mark.parametrize("deletes", [False, True])
def test_a_process_that_is_told_to_stop_sends_nothing_more(turn: Turn, deletes: bool) -> None:
    turn.stopping.set()
    with pytest.raises(Stopped):
        turn.check(deletes)


def test_a_process_that_was_asleep_while_another_took_over_deletes_nothing_more(
    turn: Turn,
) -> None:
    Ledger(turn.engine).begin_term(0)
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
