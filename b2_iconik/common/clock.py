"""The wall clock, and the clock of operations."""

import time
from calendar import timegm
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

# Does all work that is due. Returns the seconds until the next step, or None after the last.
Step = Callable[[], float | None]


def now_ms() -> int:
    """Return the wall clock's time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def midnight_ms(day: date) -> int:
    """Return when a day begins in UTC, in milliseconds since 1970."""
    return timegm(day.timetuple()) * 1000


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
