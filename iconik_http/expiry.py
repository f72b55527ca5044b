"""How long a reading of an asset's files stays valid. A user may edit a file at any moment."""

import time
from dataclasses import dataclass

# In seconds from the request: iconik's answer may be that old.
HOLDS = 5.0
# The extra seconds for each further page of a long list. Image sequences have thousands of files.
A_PAGE = 1.0

# This clock continues while the machine sleeps, unlike Python's monotonic clock on Linux
# (clock_gettime(2)). On macOS, the monotonic clock does too.
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Return the seconds since an arbitrary moment. The clock is never set and never stops."""
    return time.clock_gettime(CLOCK)


@dataclass
class Reading:
    """A series of requests whose answers are used together. Its age counts from the first one.

    Attributes:
        began: when the first page was requested, by ``now``; None before that.
        pages: the number of pages so far.
    """

    began: float | None = None
    pages: int = 0

    def add(self, asked: float) -> None:
        """Add a page.

        Args:
            asked: when it was requested, by ``now``.
        """
        self.began = asked if self.began is None else self.began
        self.pages += 1

    @property
    def until(self) -> float:
        """Until when a deletion may rely on it, by ``now``; 0.0, long past, if there is no page."""
        return 0.0 if self.began is None else self.began + HOLDS + A_PAGE * (self.pages - 1)
