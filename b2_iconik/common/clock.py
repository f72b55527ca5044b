"""The time, as the wall clock has it and as operations count it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

# Does what can be done now. Returns the seconds until the next step, or None after the last.
Step = Callable[[], float | None]


def now_ms() -> int:
    """The time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Clock:
    """The time as operations count it: it goes on only while they are run, and never jumps.

    Due times and patience outlast a process, so they can't be the machine's monotonic time; and its
    wall clock may be set at any moment: then an operation would wait for years, or give up at once.

    Attributes:
        start_ms: what it began with: the wall clock's time for the very first, and then what was
            noted in the ledger.
    """

    start_ms: int = field(default_factory=now_ms)
    _began: float = field(default_factory=time.monotonic)

    def now_ms(self) -> int:
        """The time, in milliseconds since about 1970."""
        return self.start_ms + int((time.monotonic() - self._began) * 1000)
