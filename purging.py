"""What is marked deleted, gathered so that one request purges the files of many assets."""

import threading
import time

from entries import Held
from sight import Look


class Marked:
    """Assets with file sets that are marked deleted, and whose files are soon to be purged.

    The more are gathered, the fewer requests, and the longer the moment between the proof and the
    end of the files.

    Args:
        most: how many file sets are gathered.
        seconds: how long the first of them waits for more, while there are more to come.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._lock = threading.Lock()
        self._waiting: list[tuple[Held, Look]] = []
        self._since = 0.0

    def add(self, held: Held, look: Look) -> list[tuple[Held, Look]]:
        """Put an asset to the others; returns all of them if they are to be purged now."""
        with self._lock:
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting.append((held, look))
            is_enough = sum(len(look.marked) for _, look in self._waiting) >= self._most
            if not is_enough and time.monotonic() - self._since < self._seconds:
                return []
        return self.rest()

    def overdue(self) -> list[tuple[Held, Look]]:
        """All of them, if the first has waited for long enough; none otherwise."""
        with self._lock:
            if time.monotonic() - self._since < self._seconds:
                return []
        return self.rest()

    def rest(self) -> list[tuple[Held, Look]]:
        """All that are left, to be purged."""
        with self._lock:
            rest, self._waiting = self._waiting, []
            return rest
