"""The operations of this process, and what they all share: rate limit, connections, threads."""

import logging
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy.exc import SQLAlchemyError

from b2_iconik.bucket.confirm import Bucket
from b2_iconik.common.clock import Step, now_ms
from b2_iconik.common.meters import MeasuredSession
from b2_iconik.common.settings import Settings
from b2_iconik.common.worker_pool import WorkerPool
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.reasons import ENDED
from b2_iconik.ledger.completion import Completion
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation import copying
from b2_iconik.operation.batches import CONNECTIONS
from b2_iconik.operation.context import Context, Shared
from b2_iconik.operation.deletion import DeletionCapabilities
from b2_iconik.operation.interrupted import restore_leftovers
from b2_iconik.operation.keeping import Keeper
from b2_iconik.operation.recheck import Recheck
from b2_iconik.operation.run import Run
from iconik import Iconik, Pacer, ServerClock, Tokens, Transport, open_session

log = logging.getLogger(__name__)

# In seconds. Searches only save requests.
SEARCH_TIMEOUT = 10.0


class Operations:
    """Runs operations of one iconik application; all share its rate limit and connections."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pacer = Pacer(settings.requests_per_second)
        self._server_clock = ServerClock()
        self._session = open_session(
            settings.iconik_url, settings.iconik_id, CONNECTIONS, MeasuredSession()
        )
        self._pool = WorkerPool(CONNECTIONS)
        self._capabilities = DeletionCapabilities()
        self._bucket = Bucket(settings)
        self._keeper = Keeper(settings, self.iconik, self._server_clock)
        self._recheck = Recheck(settings, self.iconik, self._bucket, self._pool)
        # What operations of one token share, for as long as one of them is open.
        self._shared_by_token = WeakValueDictionary[tuple[str, int], Shared]()

    def begin(self, operation_id: str, click: CustomAction, leadership: Leadership) -> Step:
        """The steps of an operation; see ``leader.Begin``."""
        token = click.auth_token
        context = Context(
            operation_id,
            click,
            leadership,
            self._settings,
            self.iconik(token, leadership),
            self.iconik(token, leadership, timeout=SEARCH_TIMEOUT, attempts=1),
            DeletionCapabilities(self._capabilities),
            self._bucket,
            self._shared(token, leadership.term),
            self._pool.share(),
            self._server_clock.latest_ms,
        )
        run: Run | None = None

        def step() -> float | None:
            nonlocal run
            try:
                run = run or Run(context)
                return run.step()
            except SQLAlchemyError:
                # Its state may differ from the ledger's.
                run = None
                raise

        return step

    def iconik(self, token: str, leadership: Leadership, **limits: Any) -> Iconik:
        """An ``Iconik`` for the clicks of one user.

        Args:
            token: the click's token; "" for that of the application alone.
            limits: how long and how often to try a request, as in ``Transport``.
        """
        settings = self._settings
        return Iconik(
            Transport(
                settings.iconik_url,
                settings.iconik_id,
                Tokens(token, settings.iconik_token or ""),
                self._pacer,
                leadership.check,
                session=self._session,
                clock=self._server_clock,
                **limits,
            )
        )

    def _shared(self, token: str, term: int) -> Shared:
        return self._shared_by_token.setdefault((token, term), Shared())

    def keep(self, leadership: Leadership) -> None:
        """Request the removal of what is due, and the undo of what is no longer safely removed.

        Raises:
            Stopped: the term is over.
            SQLAlchemyError: the database failed.
        """
        self._keeper(leadership)
        if self._settings.iconik_token:
            self._recheck(leadership)

    def tidy(self, leadership: Leadership) -> None:
        """Restore what ended operations left marked deleted, and follow the copies they left.

        Raises:
            Stopped: the term is over.
            SQLAlchemyError: the database failed.
        """
        leftovers, settings = Leftovers(leadership.engine, leadership.term), self._settings
        left = leftovers.of_ended()
        if not settings.iconik_token:
            if left:
                log.warning(
                    "ended operations left file sets in iconik's delete queue (assets: %s): set "
                    "ICONIK_TOKEN to have them restored, or click again",
                    len(left),
                )
            return
        iconik = self.iconik("", leadership)
        restore_leftovers(iconik, leftovers, left, ENDED)
        for operation_id in {each.operation_id for each in left}:
            Completion(leadership.engine, leadership.term).sum_up(operation_id)
        timeout_ms = settings.copy_timeout // timedelta(milliseconds=1)
        copying.follow_left(iconik, leftovers, now_ms() - timeout_ms)
