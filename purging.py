"""What is marked deleted, gathered so that one request purges the files of many assets."""

import threading

from claims import Held
from sight import Look


class Marked:
    """Assets with file sets that are marked deleted, and whose files are soon to be purged.

    Args:
        most: how many file sets are gathered. The more, the fewer requests, and the longer the
            moment between the proof and the end of the files.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[tuple[Held, Look]] = []

    def add(self, held: Held, look: Look) -> list[tuple[Held, Look]]:
        """Put an asset to the others; returns all of them if that makes enough, to be purged."""
        with self._lock:
            self._waiting.append((held, look))
            if sum(len(look.marked) for _, look in self._waiting) < self._most:
                return []
        return self.rest()

    def rest(self) -> list[tuple[Held, Look]]:
        """All that are left, to be purged."""
        with self._lock:
            rest, self._waiting = self._waiting, []
            return rest
