"""How long iconik keeps what is marked deleted, before its delete queue purges it by itself."""

import logging
import threading

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import UndoWindow
from iconik import Iconik
from iconik_http.errors import IconikError

log = logging.getLogger(__name__)

HOUR_MS = 3_600_000
# iconik's default, if it does not tell.
USUAL_HOURS = 24.0


class GracePeriod:
    """The grace period, for one operation. It is requested once, when it is needed first.

    It is only shown: what came too late to be restored is decided by iconik. So it is no failure if
    iconik does not tell it.

    Args:
        iconik: a client that does not try for long.
    """

    def __init__(self, iconik: Iconik) -> None:
        self._iconik = iconik
        self._lock = threading.Lock()
        self._is_known = False
        self._hours: float | None = None

    def begin(self) -> UndoWindow:
        """The time in which file sets that are marked deleted from now on can be restored."""
        with self._lock:
            if not self._is_known:
                self._hours = self._ask()
                self._is_known = True
            hours = self._hours
        since_ms = now_ms()
        kept_ms = int((USUAL_HOURS if hours is None else hours) * HOUR_MS)
        return UndoWindow(since_ms, since_ms + kept_ms, is_about=hours is None)

    def _ask(self) -> float | None:
        try:
            hours = self._iconik.delete_grace_period()
        except IconikError as error:
            log.info("%s; assuming that it is %s hours", error, int(USUAL_HOURS))
            return None
        if hours is None:
            log.info(
                "iconik does not say how long it keeps deleted files; assuming %s hours",
                int(USUAL_HOURS),
            )
        return hours
