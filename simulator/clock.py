"""iconik's clock, which tests can set ahead of the machine's clock, or behind it."""

import time


class Clock:
    """The machine's clock, plus a number of seconds.

    Attributes:
        ahead: the number of seconds; negative if the clock is behind.
    """

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        """Return the seconds since 1970."""
        return time.time() + self.ahead


CLOCK = Clock()
"""The clock of the simulated iconik. Buckets and durations keep to the machine's clock."""
