"""The wall clock, how far to trust it, and the clock of operations."""

import time
from calendar import timegm
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

# Does all work that is due. Returns the seconds until the next step, or None after the last.
Step = Callable[[], float | None]

# In seconds: how long the wall clock must run evenly before it is trusted, and how far it may
# deviate meanwhile.
STEADY_FOR = 300.0
LEAP = 60.0


def now_ms() -> int:
    """Return the wall clock's time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def midnight_ms(day: date) -> int:
    """Return when a day begins in UTC, in milliseconds since 1970."""
    return timegm(day.timetuple()) * 1000


class SteadyClock:
    """The wall clock, once it has run evenly for a while.

    It may be wrong when the machine starts, and is corrected soon after.
    """

    def __init__(self) -> None:
        # By how much the wall clock is ahead of the monotonic clock, and since when.
        self._ahead = float("inf")
        self._steady_since = 0.0

    def now_ms(self) -> int | None:
        """Return the time, in milliseconds since 1970; None if the clock may still be wrong.

        Only a clock that is read now and then can be seen to run evenly.
        """
        now, wall = time.monotonic(), time.time()
        if abs(wall - now - self._ahead) > LEAP:
            self._ahead, self._steady_since = wall - now, now
        return int(wall * 1000) if now - self._steady_since >= STEADY_FOR else None


@dataclass(frozen=True)
class Clock:
    """The clock of operations. It advances only while operations run, and never jumps.

    Due times and timeouts outlast a process, so the machine's monotonic clock can't measure them.
    The wall clock may be set at any moment: an operation could then wait for years, or give up at
    once.

    Attributes:
        start_ms: the time at which it starts: the wall clock's time for the very first clock, later
            the time stored in the ledger.
    """

    start_ms: int = field(default_factory=now_ms)
    _began: float = field(default_factory=time.monotonic)

    def now_ms(self) -> int:
        """Return the time, in milliseconds since about 1970."""
        return self.start_ms + int((time.monotonic() - self._began) * 1000)
