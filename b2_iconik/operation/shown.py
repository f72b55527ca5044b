"""Shows the operations of this process in iconik's jobs list, by one job each; see ``job``."""

import logging
import time
from collections.abc import Callable
from weakref import WeakValueDictionary

from b2_iconik.common.clock import Step
from b2_iconik.domain.click import CustomAction
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation.job import (
    APPLICATION,
    INTERVAL,
    LONGEST_INTERVAL,
    LinkTo,
    OperationJob,
    Owner,
)
from b2_iconik.operation.naming import Paths, Subjects, UserNames
from b2_iconik.operation.together import Together
from iconik import Iconik
from iconik_http.errors import IconikError, IconikUnavailable, NotFound
from iconik_http.records import Job

log = logging.getLogger(__name__)

# All in seconds. Small operations have ended by then, so that one request shows how.
SHOWN_AFTER = 2.0
# While iconik gives no usable answer.
LONGEST_OUTAGE_INTERVAL = 60.0
TIMEOUT = 10.0
# How long to try to report the end of an operation.
FAREWELL = 300.0
FIRST_FAREWELL_INTERVAL = 1.0
# How long to make no requests for a user whose token lacks the role.
REFUSED = 600.0


class Shown:
    """Makes the steps that show operations in iconik, and name them; see ``leader.Show``.

    Args:
        connect: returns an ``Iconik``; see ``Operations.iconik``.
        link_to: makes a link to an operation's page.
    """

    def __init__(self, connect: Callable[..., Iconik], link_to: LinkTo = lambda *_: None) -> None:
        self._connect = connect
        self._link_to = link_to
        # The requests to read jobs, by token and term, for as long as a step uses them.
        self._together = WeakValueDictionary[tuple[str, int], Together[Job]]()
        # By user: when their token was found to lack the role.
        self._refused: dict[str | None, float] = {}
        self._users = UserNames()
        self._paths = Paths()

    def __call__(self, operation_id: str, click: CustomAction, leadership: Leadership) -> Step:
        """The steps that show an operation."""
        of_user = self._owner(click.user_id, click.auth_token, leadership)
        of_application = self._owner(APPLICATION, "", leadership)
        job = OperationJob(
            operation_id,
            click,
            Ledger(leadership.engine, leadership.term),
            [each for each in (of_user, of_application) if not self._is_refused(each)],
            self._refuse,
            Subjects(click, of_user.iconik, self._paths),
            lambda user: self._users.find(user, of_user.iconik, of_application.iconik),
            self._link_to,
        )
        pause, farewell, is_new = INTERVAL, 0.0, True

        def step() -> float | None:
            nonlocal pause, farewell, is_new
            try:
                if is_new:
                    is_new = False
                    job.name_user()
                    return SHOWN_AFTER
                pause = job.tell() or min(pause * 1.5, LONGEST_INTERVAL)
            except IconikUnavailable as error:
                log.debug("the update of iconik's jobs list is postponed: %s", error)
                pause = min(pause * 2, LONGEST_OUTAGE_INTERVAL)
            except NotFound:
                # Somebody removed it from the list.
                return None
            except IconikError as error:
                log.warning("the operation's job in iconik is no longer updated: %s", error)
                return None
            if job.has_ended and not farewell:
                pause, farewell = FIRST_FAREWELL_INTERVAL, time.monotonic() + FAREWELL
            if job.is_told:
                return None
            if farewell and time.monotonic() > farewell:
                log.warning("the end of the operation could not be shown in iconik's jobs list")
                return None
            return pause

        return step

    def _owner(self, user_id: str | None, token: str, leadership: Leadership) -> Owner:
        iconik = self._connect(token, leadership, timeout=TIMEOUT, attempts=1)
        together = self._together.setdefault((token, leadership.term), Together())
        return Owner(user_id, iconik, together)

    def _is_refused(self, owner: Owner) -> bool:
        refused = self._refused.get(owner.user_id)
        return refused is not None and time.monotonic() - refused < REFUSED

    def _refuse(self, owner: Owner, error: IconikError) -> None:
        """Send no request with a token for a while; it lacks a role, or there is none."""
        if owner.user_id == APPLICATION and APPLICATION not in self._refused:
            log.warning(
                "operations of users without can_write_jobs are not shown in iconik's jobs list: "
                "give the users this role, or set ICONIK_TOKEN to a token that has it (%s)",
                error.problem,
            )
        self._refused[owner.user_id] = time.monotonic()
