"""Shows each operation in iconik's own jobs list, and minds when somebody aborts it there.

It is a courtesy: iconik is asked rarely, each time but once, and whatever that meets neither stops
nor delays the work.
"""

import logging
import time

import requests

from clock import Step
from custom_action import CustomAction
from iconik import Iconik
from iconik_http.errors import IconikRefused, IconikUnavailable, NotFound, NotPermitted
from ledger import Ledger
from operation_job import OperationJob
from pacing import Pacer
from settings import Settings
from tokens import Tokens
from transport import Transport
from turn import Turn

log = logging.getLogger(__name__)

# Seconds; the shortest and the longest time between two requests while an operation runs.
INTERVAL = 5.0
LONGEST_INTERVAL = 15.0
# While iconik gives no usable answer.
LONGEST_OUTAGE_INTERVAL = 60.0
TIMEOUT = 10.0
# So long the end is tried to be told.
FAREWELL = 300.0
FIRST_FAREWELL_INTERVAL = 1.0
# So long nobody is asked for a user again, whose token lacks the role.
REFUSED = 600.0


class Shown:
    """Makes the steps that show operations in iconik; see ``leader.Show``.

    Args:
        pacer, session: those of all requests to iconik.
    """

    def __init__(self, settings: Settings, pacer: Pacer, session: requests.Session) -> None:
        self._settings = settings
        self._pacer = pacer
        self._session = session
        # By user, when a token of theirs was found to lack the role.
        self._refused: dict[str | None, float] = {}

    def __call__(self, operation_id: str, click: CustomAction, turn: Turn) -> Step | None:
        """The steps that show an operation; None where its user may not have that."""
        refused = self._refused.get(click.user_id)
        if refused is not None and time.monotonic() - refused < REFUSED:
            return None
        settings = self._settings
        transport = Transport(
            settings.iconik_url,
            settings.iconik_id,
            Tokens(click.auth_token, settings.iconik_token or ""),
            self._pacer,
            turn.check,
            session=self._session,
            timeout=TIMEOUT,
            attempts=1,
        )
        ledger = Ledger(turn.engine, turn.term)
        job = OperationJob(operation_id, click, ledger, Iconik(transport))
        pause, farewell = INTERVAL, 0.0

        def step() -> float | None:
            nonlocal pause, farewell
            try:
                pause = INTERVAL if job.tell() else min(pause * 1.5, LONGEST_INTERVAL)
            except IconikUnavailable as error:
                log.debug("iconik's jobs list must wait: %s", error)
                pause = min(pause * 2, LONGEST_OUTAGE_INTERVAL)
            except NotFound:
                # Somebody took it off the list.
                return None
            except NotPermitted as error:
                self._refuse(click, error)
                return None
            except IconikRefused as error:
                log.warning("iconik's jobs list no longer shows it: %s", error)
                return None
            if job.has_ended and not farewell:
                pause, farewell = FIRST_FAREWELL_INTERVAL, time.monotonic() + FAREWELL
            if job.is_told:
                return None
            if farewell and time.monotonic() > farewell:
                log.warning("iconik's jobs list doesn't show that it has ended")
                return None
            return pause

        return step

    def _refuse(self, click: CustomAction, error: NotPermitted) -> None:
        if not self._refused:
            log.warning("operations are not shown in iconik's jobs list: %s", error)
        self._refused[click.user_id] = time.monotonic()
