"""Recent confirmations by B2, cached for ten minutes."""

from collections.abc import Hashable
from threading import Lock

from iconik_http import expiry

VALID_FOR = 600.0  # seconds
# About 40 MB: 830 bytes each, measured with file names of camera cards. Beyond that, the oldest
# facts are dropped, and B2 is asked again.
MOST = 50_000


class Confirmed:
    """Facts that B2 confirmed, in memory, and whether each was confirmed by checksum."""

    def __init__(self) -> None:
        self._lock = Lock()
        # When B2 was asked, and whether the confirmation was by checksum; oldest first.
        self._facts: dict[Hashable, tuple[float, bool]] = {}

    def get(self, fact: Hashable) -> bool | None:
        """Return whether a fact was confirmed by checksum; None without a recent confirmation."""
        with self._lock:
            asked, by_checksum = self._facts.get(fact, (-VALID_FOR, False))
        return by_checksum if expiry.now() - asked < VALID_FOR else None

    def add(self, fact: Hashable, by_checksum: bool, asked: float) -> None:
        """Record that B2 confirmed a fact.

        Args:
            fact: everything that the confirmation depends on.
            by_checksum: whether a checksum confirmed it.
            asked: when B2 was asked, by ``expiry.now``.
        """
        with self._lock:
            self._facts.pop(fact, None)
            self._facts[fact] = (asked, by_checksum)
            if len(self._facts) > MOST:
                del self._facts[next(iter(self._facts))]
