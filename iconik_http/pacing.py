"""Pace requests to iconik: up to its rate limit, evenly spread, and never above it.

iconik allows 1,000 requests in any 20 seconds for a set of credentials. Every answer says how many
are left (``RateLimit-Remaining``). Other programs may use the same credentials.
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
# The burst allowed after a pause, in seconds of the pace, so that a small click waits for nothing.
BURST = 1.5
# Requests kept free as a safety margin, at most, and the share of a low limit: our count may differ
# slightly from iconik's.
MARGIN = 15
MARGIN_SHARE = 0.04
# The share to use of what other programs leave. Two programs that do so converge to equal shares.
FAIR = 0.97
# How far to look ahead for the limit, in seconds.
AHEAD = (0.2, 1.0, 2.5, 5.0, 10.0, WINDOW)
# In seconds: the period over which the growth of other programs' requests is measured, and the
# minimum period for which it is assumed to continue.
GROWTH_OVER = 3.0
GROWTH_GOES_ON = 0.5
# In requests per second. Never zero: only a further answer can show that more requests are allowed.
SLOWEST = 0.8


class Others:
    """The requests of other programs, derived from the rest of iconik's limit.

    Args:
        allowed: the number of requests that iconik answers in a window.
    """

    def __init__(self, allowed: float) -> None:
        self._allowed = allowed
        # The time of an answer, and the number of other programs' requests in the window at that
        # time.
        self._heard: deque[tuple[float, float]] = deque()

    def hear(self, now: float, left: float, ours: int) -> None:
        """Evaluate an answer of iconik's.

        Args:
            now: the time of the answer.
            left: the number of requests left in the window.
            ours: the number of our requests in the window.
        """
        self._heard.append((now, max(self._allowed - left - ours, 0.0)))
        while now - self._heard[0][0] > GROWTH_OVER:
            self._heard.popleft()

    def ahead(self, now: float, seconds: float) -> float:
        """Predict the number of others' requests that will count after some seconds."""
        # Nothing is known after a window without an answer.
        if not self._heard or now - self._heard[-1][0] > WINDOW:
            return 0.0
        (before, fewer), (last, many) = self._heard[0], self._heard[-1]
        growth = (many - fewer) / max(last - before, GROWTH_OVER / 3)
        if growth <= 0:
            return many
        # The requests of a program that has just started grow in the window until a full window has
        # passed.
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
        """Hold the head of the queue while this context lasts."""
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
    """Keeps all threads of a process, and so all its clients, to one pace.

    Args:
        requests_per_second: the maximum rate, averaged over the window.
    """

    def __init__(self, requests_per_second: int) -> None:
        self._full = float(requests_per_second)
        self._most = requests_per_second * int(WINDOW)
        self._allowed = max(ALLOWED, self._most)
        # Enforces the window, whatever the other rules do. The travel time of a request varies, so
        # iconik's own limit should be somewhat higher.
        self._bucket = InMemoryBucket([Rate(self._most, int(WINDOW) * Duration.SECOND)])
        # Otherwise it empties the bucket in a thread, which fails if the bucket is already empty.
        buckets = SingleBucketFactory(self._bucket, schedule_leak=False)
        self._limiter = Limiter(buckets, buffer_ms=2)
        # The next request holds it, even while it sleeps, so that no request plans far ahead.
        self._line = Line()
        self._lock = threading.Lock()
        self._next = 0.0
        self._others = Others(self._allowed)
        # The times of the last requests, at most two windows of them.
        self._sent: list[float] = []

    def wait(self, is_urgent: bool = False) -> float:
        """Block until the next request may be sent.

        Args:
            is_urgent: whether it precedes other requests, because the evidence that it relies on
                expires.

        Returns:
            The current time, for ``heed``.
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
                    # The library has no type for the result.
                    self._bucket.leak(self._bucket.now())  # type: ignore[no-untyped-call]
                return now

    def heed(self, left: float, sent: float, *, says_when: bool = False) -> None:
        """Evaluate the number of requests that iconik reports as left.

        If none is left, but this request was answered, the next one is sent at the slowest pace.

        Args:
            left: the number of requests left; -1 if iconik refused this one.
            sent: when the answered request was sent, from ``wait``.
            says_when: whether the answer also says when more requests are allowed; see ``pause``.
        """
        with self._lock:
            now = time.monotonic()
            # Include requests sent since: iconik may have counted them first.
            ours = len(self._sent) - bisect_right(self._sent, sent - WINDOW)
            self._others.hear(now, left, ours)
            first = bisect_right(self._sent, now - WINDOW)
            if left < 0 and not says_when and first < len(self._sent):
                # Wait at least until one of our own requests leaves the window.
                self._next = max(self._next, self._sent[first] + WINDOW)

    def pause(self, seconds: float) -> None:
        """Send nothing for some seconds, as iconik demands of all users of these credentials."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def _until_next(self) -> float:
        """Reserve the next time to send, and return the seconds until then."""
        with self._lock:
            now = time.monotonic()
            pace = self._pace(now)
            earliest = now - BURST if pace == self._full else now
            self._next = max(self._next + 1 / pace, earliest)
            return self._next - now

    def _pace(self, now: float) -> float:
        """Return the rate, in requests per second, that stays below the limit for a window."""
        pace = self._full
        for seconds in AHEAD:
            still = len(self._sent) - bisect_right(self._sent, now + seconds - WINDOW)
            others = self._others.ahead(now, seconds)
            free = self._allowed - others
            free -= min(MARGIN, MARGIN_SHARE * free)
            if others > MARGIN:
                free *= FAIR
            pace = min(pace, (min(free, self._most) - still) / seconds)
        return max(pace, SLOWEST)
