"""iconik's own time, as the ``Date`` headers of its answers tell it."""

from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime

from iconik_http import expiry

# In seconds: how long the time is derived from an answer.
HOLDS = 3_600.0
# An answer that would move the time further, in the direction that makes things happen early, is
# ignored while another holds.
LEAP_MS = 60_000
# Of the header, which is rounded down.
RESOLUTION_MS = 1_000


@dataclass(frozen=True)
class _Bound:
    """A limit of iconik's time, relative to ``expiry.now``, and when it was heard."""

    offset_ms: float
    heard: float

    def now_ms(self) -> int | None:
        """The limit of the time now; None if it was heard too long ago."""
        now = expiry.now()
        return int(self.offset_ms + now * 1000) if now - self.heard <= HOLDS else None


UNKNOWN = _Bound(0.0, float("-inf"))


class ServerClock:
    """iconik's clock, heard from all answers to a process.

    The clock of this machine may be wrong, or be set at any moment. An answer travels for an
    unknown time, so iconik's time is known only as a range. To do nothing early, a duration begins
    at ``latest_ms`` and is over at ``earliest_ms``. For the same reason, one wrong answer among
    others moves each of them in one direction only.

    Attributes:
        is_silent: whether iconik's last answer told no time.
    """

    def __init__(self) -> None:
        self.is_silent = False
        self._earliest = self._latest = UNKNOWN

    def hear(self, date: str, asked: float) -> None:
        """Evaluate an answer that has just arrived.

        Args:
            date: its ``Date`` header; "" if it has none.
            asked: when it was requested, by ``expiry.now``.
        """
        try:
            told = parsedate_to_datetime(date)
        except (TypeError, ValueError):
            self.is_silent = True
            return
        self.is_silent = False
        moment = told if told.tzinfo else told.replace(tzinfo=timezone.utc)
        told_ms, now = moment.timestamp() * 1000, expiry.now()
        earliest = self.earliest_ms()
        if earliest is None or told_ms <= earliest + LEAP_MS:
            self._earliest = _Bound(told_ms - now * 1000, now)
        latest, latest_ms = self.latest_ms(), told_ms + RESOLUTION_MS + (now - asked) * 1000
        if latest is None or latest_ms >= latest - LEAP_MS:
            self._latest = _Bound(latest_ms - now * 1000, now)

    def earliest_ms(self) -> int | None:
        """The time that iconik's clock has certainly reached, in milliseconds since 1970.

        None if no answer of the last hour has told it.
        """
        return self._earliest.now_ms()

    def latest_ms(self) -> int | None:
        """The time that iconik's clock has certainly not passed; see ``earliest_ms``."""
        return self._latest.now_ms()
