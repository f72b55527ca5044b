"""How long what was read of an asset's files holds: somebody may edit one at any moment."""

import time
from dataclasses import dataclass

# Seconds from when it was asked for: what iconik answers may be as old as that.
HOLDS = 5.0
# The extra time for each further page of a long list: image sequences have thousands of files.
A_PAGE = 1.0

# Unlike Python's monotonic clock it goes on while the machine sleeps (Linux: clock_gettime(2); on
# macOS the other one does).
CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds since some moment, by a clock that is never set and never stops."""
    return time.clock_gettime(CLOCK)


@dataclass
class Reading:
    """What was asked for one after the other, to be taken together: it is as old as its beginning.

    Attributes:
        began: when the first page was asked for, by ``now``; None before that.
        pages: how many there were so far.
    """

    began: float | None = None
    pages: int = 0

    def add(self, asked: float) -> None:
        """Take up a page.

        Args:
            asked: when it was asked for.
        """
        self.began = asked if self.began is None else self.began
        self.pages += 1

    @property
    def until(self) -> float:
        """How long a deletion may rely on it, by ``now``; without any reading, not at all."""
        return 0.0 if self.began is None else self.began + HOLDS + A_PAGE * (self.pages - 1)
