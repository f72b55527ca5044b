"""How often iconik is asked: up to its limit, spread evenly, and never beyond it.

iconik allows 1,000 requests in any 20 seconds for a set of credentials, and says in every answer
how many are left (``RateLimit-Remaining``). Other programs may use the same credentials.
"""

import threading
import time
from collections import deque

from pyrate_limiter import Duration, Limiter, Rate
from tenacity import nap

WINDOW = 20.0
# What may be sent at once after a pause, in seconds of the pace: a small click waits for nothing.
BURST = 1.0
# With fewer requests left than this, they are spread ever more thinly: so the limit is shared with
# whoever else asks, and not run into.
RESERVE = 60


class Pacer:
    """Has all threads of a process, and so all its clients, keep to one pace.

    Args:
        requests_per_second: the most, on average over the window.
    """

    def __init__(self, requests_per_second: int) -> None:
        # The window, whatever the rest here does; a request may take a moment more or less to
        # arrive, so iconik's own limit should be some above it.
        most = requests_per_second * int(WINDOW)
        self._limiter = Limiter(Rate(most, int(WINDOW) * Duration.SECOND), buffer_ms=2)
        # What a burst takes is not left for the rest of the window.
        self._interval = WINDOW / (most - BURST * requests_per_second)
        # Held by whoever is next, also while it sleeps: so none has planned for long ahead.
        self._line = threading.Lock()
        self._lock = threading.Lock()
        self._next = 0.0
        self._left = float(RESERVE)
        self._heard = -WINDOW
        self._sent: deque[float] = deque(maxlen=most)

    def wait(self) -> None:
        """Return when the next request may be sent."""
        with self._line:
            pause = self._until_next()
            if pause > 0:
                nap.sleep(pause)
            self._limiter.try_acquire("iconik")
            with self._lock:
                self._sent.append(time.monotonic())

    def _until_next(self) -> float:
        """Take the next place; returns the seconds until then."""
        with self._lock:
            now = time.monotonic()
            # After a window without an answer nothing is known of what is left.
            share = min(self._left / RESERVE, 1.0) if now - self._heard < WINDOW else 1.0
            earliest = now - BURST if share == 1.0 else now
            self._next = max(self._next + self._interval / share, earliest)
            return self._next - now

    def heed(self, left: float) -> None:
        """Go slower, the fewer requests iconik says are left."""
        with self._lock:
            now = time.monotonic()
            # Never to a stand-still: only a further answer can tell that there are more again.
            self._left, self._heard = max(left, 1), now
            while self._sent and self._sent[0] <= now - WINDOW:
                self._sent.popleft()
            if left < 1 and self._sent:
                # Nor any sooner than one of our own no longer counts.
                self._next = max(self._next, self._sent[0] + WINDOW)

    def pause(self, seconds: float) -> None:
        """Send nothing for a while, as iconik asks of all who use these credentials."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)
