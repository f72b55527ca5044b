"""What B2 has confirmed lately, so that nothing is asked twice within ten minutes."""

from collections.abc import Hashable
from threading import Lock

from iconik_http import expiry

VALID_FOR = 600.0  # seconds
# Some 40 MB: 830 bytes each, measured with the names of camera cards. Beyond that, the oldest are
# asked again.
MOST = 50_000


class Confirmed:
    """Facts that B2 confirmed, in memory, and whether each was confirmed by checksum."""

    def __init__(self) -> None:
        self._lock = Lock()
        # When it was asked, and whether by checksum; the oldest first.
        self._facts: dict[Hashable, tuple[float, bool]] = {}

    def get(self, fact: Hashable) -> bool | None:
        """Whether a fact was confirmed by checksum; None if it was not confirmed lately."""
        with self._lock:
            asked, by_checksum = self._facts.get(fact, (-VALID_FOR, False))
        return by_checksum if expiry.now() - asked < VALID_FOR else None

    def add(self, fact: Hashable, by_checksum: bool, asked: float) -> None:
        """Record that B2 confirmed a fact.

        Args:
            fact: all that the confirmation depends on.
            asked: when B2 was asked, by ``expiry.now``.
        """
        with self._lock:
            self._facts.pop(fact, None)
            self._facts[fact] = (asked, by_checksum)
            if len(self._facts) > MOST:
                del self._facts[next(iter(self._facts))]
