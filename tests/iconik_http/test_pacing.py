"""How often iconik is asked, in a time of our own."""

import threading
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from itertools import count, pairwise

import pytest
from pyrate_limiter import Limiter

from dev.harness import wait_for
from iconik_http.pacing import ALLOWED, BURST, SLOWEST, WINDOW, Line, Pacer

RATE = 48
START = 1_000.0
BOUND = 60.0


class Time:
    """A time that only passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now = START

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr("iconik_http.pacing.time.monotonic", time.monotonic)
    monkeypatch.setattr("iconik_http.pacing.nap.sleep", time.sleep)
    # It counts in the machine's own time.
    monkeypatch.setattr(Limiter, "try_acquire", lambda *_: True)
    return time


def sent(pacer: Pacer, time: Time, seconds: float) -> list[float]:
    """When requests are sent in so many seconds, by somebody who always has another."""
    end, moments = time.now + seconds, list[float]()
    for _ in count():
        pacer.wait()
        if time.now >= end:
            return moments
        moments.append(time.now)
    raise AssertionError


class Iconik:
    """What iconik says is left of its limit, some of it used by another program.

    Args:
        others: requests a second of the other program, which begins at a time.
    """

    def __init__(self, time: Time, others: float = 0.0, begins: float = START) -> None:
        self.time = time
        self.times: list[float] = []
        self.refused = 0
        self._others = others
        self._next = begins

    def answer(self) -> float:
        """How many are left after one of ours; the other program has asked meanwhile."""
        while self._others and self._next <= self.time.now:
            self._count(self._next)
            self._next += 1 / self._others
        return self._count(self.time.now)

    def _count(self, moment: float) -> float:
        counted = len(self.times) - bisect_left(self.times, moment - WINDOW)
        if counted >= ALLOWED:
            self.refused += 1
            return -1.0
        self.times.append(moment)
        return ALLOWED - counted - 1.0


def asked(pacer: Pacer, time: Time, iconik: Iconik, seconds: float) -> list[float]:
    """When requests are sent in so many seconds, each of them answered at once."""
    end, moments = time.now + seconds, list[float]()
    for _ in count():
        moment = pacer.wait()
        if moment >= end:
            return moments
        moments.append(moment)
        pacer.heed(iconik.answer(), moment)
    raise AssertionError


def per_second(moments: list[float], begin: float, seconds: float) -> float:
    return (bisect_left(moments, begin + seconds) - bisect_left(moments, begin)) / seconds


@pytest.mark.parametrize("rate", [1, 9, 48, 200])
def test_in_any_twenty_seconds_there_are_no_more_than_the_rate_allows(
    time: Time, rate: int
) -> None:
    moments = sent(Pacer(rate), time, 3 * WINDOW)
    most = max(bisect_left(moments, begin + WINDOW) - i for i, begin in enumerate(moments))
    assert 0.97 * rate * WINDOW < most <= 1.01 * rate * WINDOW + 1


def test_the_window_is_kept_by_the_limiter_whatever_the_pace() -> None:
    rates = Pacer(RATE)._bucket.rates
    assert [(each.limit, each.interval) for each in rates] == [(RATE * 20, 20_000)]


def test_the_limiter_begins_no_thread() -> None:
    before = set(threading.enumerate())
    Pacer(RATE)
    assert set(threading.enumerate()) <= before


def test_after_a_pause_the_first_requests_need_not_wait(time: Time) -> None:
    pacer = Pacer(RATE)
    sent(pacer, time, WINDOW)
    time.now += 60
    began = time.now
    for _ in range(int(BURST * RATE * 0.9)):
        pacer.wait()
    assert time.now == began


def test_requests_are_spread_evenly(time: Time) -> None:
    moments = sent(Pacer(RATE), time, 3 * WINDOW)[-RATE * 10 :]
    gaps = [after - before for before, after in pairwise(moments)]
    assert max(gaps) < 1.2 / RATE


def test_alone_all_that_is_allowed_is_used(time: Time) -> None:
    iconik = Iconik(time)
    moments = asked(Pacer(RATE), time, iconik, 5 * WINDOW)
    assert per_second(moments, START, 5 * WINDOW) > 0.98 * RATE
    assert iconik.refused == 0


@pytest.mark.parametrize("others", [5.0, 25.0])
@pytest.mark.parametrize("begins", [-WINDOW, 7.0, 2 * WINDOW])
def test_beside_another_program_what_it_leaves_is_used_and_the_limit_never_met(
    time: Time, others: float, begins: float
) -> None:
    iconik = Iconik(time, others, START + begins)
    moments = asked(Pacer(RATE), time, iconik, 6 * WINDOW)
    assert iconik.refused == 0
    left = ALLOWED / WINDOW - others
    assert per_second(moments, START + 4 * WINDOW, 2 * WINDOW) > 0.85 * left


def test_a_program_that_leaves_next_to_nothing_is_given_way(time: Time) -> None:
    iconik = Iconik(time, 40.0, START + 7)
    moments = asked(Pacer(RATE), time, iconik, 6 * WINDOW)
    assert iconik.refused < 0.01 * len(iconik.times)
    assert per_second(moments, START + 4 * WINDOW, 2 * WINDOW) > 0.8 * 10


def test_once_the_other_program_has_ended_all_is_used_again(time: Time) -> None:
    iconik, pacer = Iconik(time, 25.0), Pacer(RATE)
    asked(pacer, time, iconik, 2 * WINDOW)
    iconik._others = 0.0
    began = time.now
    moments = asked(pacer, time, iconik, 4 * WINDOW)
    assert per_second(moments, began + 2 * WINDOW, 2 * WINDOW) > 0.98 * RATE


@pytest.mark.parametrize("limit", [100, 500])
def test_a_low_limit_is_kept_and_no_more_of_it_is_kept_free_than_a_share(
    time: Time, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    iconik = Iconik(time)
    pacer = Pacer(RATE)
    monkeypatch.setitem(globals(), "ALLOWED", limit)
    moments = asked(pacer, time, iconik, 6 * WINDOW)
    assert per_second(moments, START + 4 * WINDOW, 2 * WINDOW) >= 0.9 * limit / WINDOW
    # Before the first answer, nobody can know.
    assert iconik.refused <= 5


def test_where_none_is_left_one_is_sent_now_and_then_to_hear_of_more(time: Time) -> None:
    pacer = Pacer(RATE)
    pacer.heed(0, START)
    assert 5 < len(sent(pacer, time, WINDOW / 2)) < 15


def test_where_none_is_ever_left_but_all_is_answered_it_only_goes_slowly(time: Time) -> None:
    pacer, moments = Pacer(RATE), list[float]()
    for _ in range(20):
        moments.append(pacer.wait())
        pacer.heed(0, moments[-1])
    assert max(after - before for before, after in pairwise(moments)) <= 1.01 / SLOWEST


def test_where_iconik_refuses_nothing_is_sent_before_one_of_our_own_no_longer_counts(
    time: Time,
) -> None:
    pacer = Pacer(RATE)
    moments = sent(pacer, time, 14)
    pacer.heed(-1, moments[-1])
    assert pacer.wait() >= START + WINDOW


def test_where_iconik_says_when_there_is_more_it_is_waited_for_no_longer(time: Time) -> None:
    pacer = Pacer(RATE)
    moment = pacer.wait()
    pacer.pause(1)
    pacer.heed(-1, moment, says_when=True)
    assert START + 1 <= pacer.wait() <= START + 3


def test_what_no_longer_counts_is_not_waited_for(time: Time) -> None:
    pacer = Pacer(RATE)
    moment = pacer.wait()
    time.now += WINDOW + 1
    began = time.now
    pacer.heed(-1, moment)
    assert pacer.wait() < began + 2


def test_what_was_heard_a_window_ago_counts_no_more(time: Time) -> None:
    pacer = Pacer(RATE)
    pacer.heed(0, pacer.wait())
    time.now += WINDOW + 1
    assert len(sent(pacer, time, 10)) >= 0.94 * RATE * 10


def test_of_what_was_sent_no_more_is_remembered_than_may_count(time: Time) -> None:
    pacer = Pacer(2)
    sent(pacer, time, 10 * WINDOW)
    assert len(pacer._sent) <= 2 * 2 * WINDOW


def test_the_limiter_forgets_what_counts_no_more(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    pacer, forgotten = Pacer(2), list[int]()
    monkeypatch.setattr(pacer._bucket, "leak", forgotten.append)
    sent(pacer, time, 10 * WINDOW)
    assert len(forgotten) > 1


def test_nothing_is_sent_while_iconik_wants_a_pause(time: Time) -> None:
    pacer = Pacer(RATE)
    pacer.pause(7)
    pacer.wait()
    assert time.now >= START + 7


def test_whoever_deletes_goes_before_those_who_came_first() -> None:
    line, went = Line(), list[str]()

    def go(name: str, is_urgent: bool) -> None:
        with line.turn(is_urgent):
            went.append(name)

    with ThreadPoolExecutor(4) as pool:
        with line.turn(False):
            patient = [pool.submit(go, "reads", False) for _ in range(3)]
            wait_for("those who read", lambda: len(line._patient._waiters) == 3, BOUND)  # type: ignore[attr-defined]
            urgent = pool.submit(go, "deletes", True)
            wait_for("who deletes", lambda: line._urgent_ones == 1, BOUND)
        for each in (*patient, urgent):
            each.result(BOUND)
    assert went == ["deletes", "reads", "reads", "reads"]
