"""Requests that wait at the same time are made together."""

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from b2_iconik.operation.together import MOST, Together
from dev.harness import wait_for

WAIT = 10


class Slow:
    """An iconik that answers the first request only once it is let."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.is_asked = threading.Event()
        self.may_answer = threading.Event()

    def ask(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Answer with the ids in capitals."""
        self.requests.append(list(ids))
        if len(self.requests) == 1:
            self.is_asked.set()
            assert self.may_answer.wait(WAIT)
        if "bad" in ids:
            raise OSError("no answer")
        return {each: each.upper() for each in ids}


@pytest.fixture
def slow() -> Slow:
    return Slow()


def ask_meanwhile(slow: Slow, *wishes: Sequence[str]) -> list[Mapping[str, str] | OSError]:
    """Ask for one thing, and for more while iconik has not answered; returns the answers."""
    together = Together[str]()

    def ask(ids: Sequence[str]) -> Mapping[str, str] | OSError:
        try:
            return together.ask(ids, slow.ask)
        except OSError as error:
            return error

    with ThreadPoolExecutor(len(wishes) + 1) as pool:
        answers = [pool.submit(ask, ["first"])]
        assert slow.is_asked.wait(WAIT)
        for number, ids in enumerate(wishes, 1):
            answers.append(pool.submit(ask, ids))
            wait_for("the wish", partial(_is_waiting, together, number), WAIT)
        slow.may_answer.set()
        return [each.result(WAIT) for each in answers[1:]]


def _is_waiting(together: Together[str], number: int) -> bool:
    return len(together._waiting) == number


def test_one_alone_is_asked_for_at_once(slow: Slow) -> None:
    slow.may_answer.set()
    assert Together[str]().ask(["a"], slow.ask) == {"a": "A"}


def test_what_waits_at_the_same_time_is_asked_for_together(slow: Slow) -> None:
    ask_meanwhile(slow, ["a"], ["b", "c"])
    assert slow.requests == [["first"], ["a", "b", "c"]]


def test_everyone_gets_an_answer(slow: Slow) -> None:
    answers = ask_meanwhile(slow, ["a"], ["b"])
    assert answers == [{"a": "A", "b": "B"}] * 2


def test_no_request_is_for_too_many(slow: Slow) -> None:
    many = [f"m{number}" for number in range(MOST - 1)]
    ask_meanwhile(slow, many, ["a", "b"])
    assert slow.requests[1:] == [many, ["a", "b"]]


@pytest.mark.parametrize("number", [MOST, MOST + 1])
def test_a_request_for_all_that_fit_or_more_is_made_by_itself(slow: Slow, number: int) -> None:
    slow.may_answer.set()
    many = [f"m{each}" for each in range(number)]
    assert len(Together[str]().ask(many, slow.ask)) == number


def test_a_failure_is_that_of_everyone_who_waited_for_the_answer(slow: Slow) -> None:
    answers = ask_meanwhile(slow, ["a"], ["bad"])
    assert [str(each) for each in answers] == ["no answer"] * 2


def test_a_failure_is_not_that_of_the_next(slow: Slow) -> None:
    slow.may_answer.set()
    together = Together[str]()
    with pytest.raises(OSError, match="no answer"):
        together.ask(["bad"], slow.ask)
    assert together.ask(["a"], slow.ask) == {"a": "A"}
