"""How often iconik is asked: up to its limit, spread evenly, and never beyond it.

iconik allows 1,000 requests in any 20 seconds for a set of credentials, and says in every answer
how many are left (``RateLimit-Remaining``). Other programs may use the same credentials.
"""

import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate, SingleBucketFactory
from tenacity import nap

WINDOW = 20.0
ALLOWED = 1_000
# What may be sent at once after a pause, in seconds of the pace: a small click waits for nothing.
BURST = 1.5
# Kept free, because the exact number of requests that iconik has counted is not known.
MARGIN = 15
# Of what others leave, so much is taken: then two that both do so end up with equal shares.
FAIR = 0.97
# How many seconds to look ahead for the limit.
AHEAD = (0.2, 1.0, 2.5, 5.0, 10.0, WINDOW)
# Over so many seconds it is seen whether others ask more and more, and for so many more at least
# they are taken to go on like that.
GROWTH_OVER = 3.0
GROWTH_GOES_ON = 5.0
# Never to a stand-still: only a further answer can tell that there are more again.
SLOWEST = 0.8


class Others:
    """What other programs use of iconik's limit, told from what iconik says is left of it.

    Args:
        allowed: how many requests iconik answers in a window.
    """

    def __init__(self, allowed: float) -> None:
        self._allowed = allowed
        # When something was heard, and how many requests of others counted then.
        self._heard: deque[tuple[float, float]] = deque()

    def hear(self, now: float, left: float, ours: int) -> None:
        """Take in what iconik said.

        Args:
            left: how many requests are left of the window.
            ours: how many of those that count are ours.
        """
        self._heard.append((now, max(self._allowed - left - ours, 0.0)))
        while now - self._heard[0][0] > GROWTH_OVER:
            self._heard.popleft()

    def ahead(self, now: float, seconds: float) -> float:
        """How many requests of others will count after some seconds, at their current rate."""
        # After a window without an answer nothing is known.
        if not self._heard or now - self._heard[-1][0] > WINDOW:
            return 0.0
        (before, fewer), (last, many) = self._heard[0], self._heard[-1]
        growth = (many - fewer) / max(last - before, GROWTH_OVER / 3)
        if growth <= 0:
            return many
        # Whoever has begun lately asks more and more until a window has passed.
        begun = many / growth
        return many + growth * min(seconds, max(WINDOW - begun, GROWTH_GOES_ON))


class Line:
    """A queue that lets requests through one at a time, urgent ones first."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._urgent, self._patient = threading.Condition(lock), threading.Condition(lock)
        self._urgent_ones = 0
        self._is_taken = False

    @contextmanager
    def turn(self, is_urgent: bool) -> Iterator[None]:
        """Be the one who is next, for as long as this context lasts."""
        with self._urgent:
            self._urgent_ones += is_urgent
            if is_urgent:
                self._urgent.wait_for(lambda: not self._is_taken)
            else:
                self._patient.wait_for(lambda: not (self._is_taken or self._urgent_ones))
            self._urgent_ones -= is_urgent
            self._is_taken = True
        try:
            yield
        finally:
            with self._urgent:
                self._is_taken = False
                (self._urgent if self._urgent_ones else self._patient).notify()


class Pacer:
    """Has all threads of a process, and so all its clients, keep to one pace.

    Args:
        requests_per_second: the most, on average over the window.
    """

    def __init__(self, requests_per_second: int) -> None:
        self._full = float(requests_per_second)
        self._most = requests_per_second * int(WINDOW)
        self._allowed = max(ALLOWED, self._most)
        # The window, whatever the rest here does; a request may take a moment more or less to
        # arrive, so iconik's own limit should be some above it.
        self._bucket = InMemoryBucket([Rate(self._most, int(WINDOW) * Duration.SECOND)])
        # It would empty the bucket in a thread, which complains if there is nothing left to empty.
        buckets = SingleBucketFactory(self._bucket, schedule_leak=False)
        self._limiter = Limiter(buckets, buffer_ms=2)
        # The next request holds it, even while it sleeps, so that no request plans far ahead.
        self._line = Line()
        self._lock = threading.Lock()
        self._next = 0.0
        self._others = Others(self._allowed)
        # When the last ones were sent, two windows of them at most.
        self._sent: list[float] = []

    def wait(self, is_urgent: bool = False) -> float:
        """Return when the next request may be sent; returns the time, for ``heed``.

        Args:
            is_urgent: it goes before those that aren't, because what it rests on grows old.
        """
        with self._line.turn(is_urgent):
            pause = self._until_next()
            if pause > 0:
                nap.sleep(pause)
            self._limiter.try_acquire("iconik")
            with self._lock:
                now = time.monotonic()
                self._sent.append(now)
                if len(self._sent) > 2 * self._most:
                    del self._sent[: self._most]
                    # The library doesn't say what it returns.
                    self._bucket.leak(self._bucket.now())  # type: ignore[no-untyped-call]
                return now

    def heed(self, left: float, sent: float, *, says_when: bool = False) -> None:
        """Take in how many requests iconik says are left, in the answer to one of a time.

        Where none is left, but this one was answered, the next is sent at the slowest pace.

        Args:
            left: -1 where iconik refused even this one.
            says_when: it says, too, when there will be more: see ``pause``.
        """
        with self._lock:
            now = time.monotonic()
            # Those that were sent since, too: iconik may have counted them first.
            ours = len(self._sent) - bisect_right(self._sent, sent - WINDOW)
            self._others.hear(now, left, ours)
            first = bisect_right(self._sent, now - WINDOW)
            if left < 0 and not says_when and first < len(self._sent):
                # Nor any sooner than one of our own no longer counts.
                self._next = max(self._next, self._sent[first] + WINDOW)

    def pause(self, seconds: float) -> None:
        """Send nothing for a while, as iconik asks of all who use these credentials."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def _until_next(self) -> float:
        """Take the next place; returns the seconds until then."""
        with self._lock:
            now = time.monotonic()
            pace = self._pace(now)
            earliest = now - BURST if pace == self._full else now
            self._next = max(self._next + 1 / pace, earliest)
            return self._next - now

    def _pace(self, now: float) -> float:
        """How many requests a second can go on for a window, without the limit being met."""
        pace = self._full
        for seconds in AHEAD:
            still = len(self._sent) - bisect_right(self._sent, now + seconds - WINDOW)
            others = self._others.ahead(now, seconds)
            free = self._allowed - MARGIN - others
            if others > MARGIN:
                free *= FAIR
            pace = min(pace, (min(free, self._most) - still) / seconds)
        return max(pace, SLOWEST)
