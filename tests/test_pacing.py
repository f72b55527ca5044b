"""How often iconik is asked, in a time of our own."""

from bisect import bisect_left
from itertools import count, pairwise

import pytest
from pyrate_limiter import Limiter

import pacing
from pacing import BURST, RESERVE, WINDOW, Pacer

RATE = 48
START = 1_000.0


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
    monkeypatch.setattr("pacing.time.monotonic", time.monotonic)
    monkeypatch.setattr("pacing.nap.sleep", time.sleep)
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


@pytest.mark.parametrize("rate", [1, 9, 48, 50, 1000])
def test_in_any_twenty_seconds_there_are_no_more_than_the_rate_allows(
    time: Time, rate: int
) -> None:
    moments = sent(Pacer(rate), time, 3 * WINDOW)
    most = max(bisect_left(moments, begin + WINDOW) - i for i, begin in enumerate(moments))
    assert 0.94 * rate * WINDOW < most <= rate * WINDOW + 1


def test_the_window_is_kept_by_the_limiter_whatever_the_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rates = []
    monkeypatch.setattr(pacing, "Limiter", lambda rate, **_: rates.append(rate))
    Pacer(RATE)
    assert (rates[0].limit, rates[0].interval) == (RATE * 20, 20_000)


def test_after_a_pause_the_first_requests_need_not_wait(time: Time) -> None:
    pacer = Pacer(RATE)
    sent(pacer, time, WINDOW)
    time.now += 60
    began = time.now
    for _ in range(int(BURST * RATE * 0.9)):
        pacer.wait()
    assert time.now == began


def test_requests_are_spread_evenly(time: Time) -> None:
    moments = sent(Pacer(RATE), time, WINDOW)[100:]
    gaps = [after - before for before, after in pairwise(moments)]
    assert max(gaps) - min(gaps) < 0.001


@pytest.mark.parametrize(("left", "share"), [(RESERVE / 2, 1 / 2), (RESERVE / 10, 1 / 10)])
def test_the_fewer_are_left_the_slower_it_goes(time: Time, left: float, share: float) -> None:
    pacer = Pacer(RATE)
    pacer.heed(left)
    pacer.wait()
    pacer.heed(left)
    number = len(sent(pacer, time, WINDOW / 2))
    assert number == pytest.approx(share * RATE * 0.95 * WINDOW / 2, rel=0.1)


def test_where_enough_are_left_it_goes_at_full_pace(time: Time) -> None:
    pacer = Pacer(RATE)
    sent(pacer, time, WINDOW)
    pacer.heed(RESERVE)
    assert len(sent(pacer, time, 10)) >= 0.94 * RATE * 10


def test_where_none_is_left_one_is_sent_now_and_then_to_hear_of_more(time: Time) -> None:
    pacer = Pacer(RATE)
    pacer.heed(0)
    assert 5 < len(sent(pacer, time, WINDOW / 2)) < 15


def test_where_none_is_left_nothing_is_sent_before_one_of_our_own_no_longer_counts(
    time: Time,
) -> None:
    pacer = Pacer(RATE)
    sent(pacer, time, 14)
    pacer.heed(0)
    pacer.wait()
    assert time.now >= START + WINDOW


def test_what_no_longer_counts_is_not_waited_for(time: Time) -> None:
    pacer = Pacer(RATE)
    pacer.wait()
    time.now += WINDOW + 1
    began = time.now
    pacer.heed(0)
    pacer.wait()
    assert time.now < began + 2


def test_what_was_heard_a_window_ago_counts_no_more(time: Time) -> None:
    pacer = Pacer(RATE)
    pacer.heed(0)
    time.now += WINDOW
    assert len(sent(pacer, time, 10)) >= 0.94 * RATE * 10


def test_nothing_is_sent_while_iconik_wants_a_pause(time: Time) -> None:
    pacer = Pacer(RATE)
    pacer.pause(7)
    pacer.wait()
    assert time.now >= START + 7
