"""Add, Remove and Undo, from a selection to a report.

    Add:     select ▶ read, copy what is missing, wait for the copies ▶ report
    Remove:  select ▶ prove, delete what is safe, copy the rest to B2, wait ▶ report
    Undo:    restore what a Remove has only marked deleted ▶ report

An operation is a loop of passes. Each pass reads iconik again and does what is missing. An
operation can be killed at any point and run again from the top: the ledger stores what must not be
lost.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy.exc import SQLAlchemyError

from b2_iconik.bucket.confirm import Bucket
from b2_iconik.common.clock import Step, now_ms
from b2_iconik.common.errors import OperationFailed, StopRequested
from b2_iconik.common.meters import MeasuredSession
from b2_iconik.common.settings import Settings
from b2_iconik.common.worker_pool import Share, WorkerPool
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Hint, Operation
from b2_iconik.domain.outcomes import bytes_in_words, displayed, in_words, many
from b2_iconik.domain.reasons import ENDED, OUTAGE, Reason, reason_of
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.completion import Completion
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.stop_request import StopRequest
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation import copying
from b2_iconik.operation.batches import CONNECTIONS, AssetProcessor, Context
from b2_iconik.operation.deletion import DeletionCapabilities
from b2_iconik.operation.grace_period import GracePeriod
from b2_iconik.operation.hints import hint_of
from b2_iconik.operation.index import Index
from b2_iconik.operation.interrupted import restore_leftovers
from b2_iconik.operation.keeping import Keeper
from b2_iconik.operation.selection import Selection
from b2_iconik.operation.storages import B2, LUCIDLINK, Checks, Preflight
from b2_iconik.operation.together import Together, groups
from iconik import Iconik, Pacer, ServerClock, Tokens, Transport, open_session
from iconik_http.errors import IconikRefused, IconikUnavailable
from iconik_http.records import Job, Listed

log = logging.getLogger(__name__)

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
# How often to check for a stop request while nothing moves.
STOP_INTERVAL = 2.0
# How often to check whether other operations have released the assets that they block.
LET_GO_INTERVAL = 1.0
PROBLEMS_LOGGED = 20
# In seconds. Searches only save requests.
SEARCH_TIMEOUT = 10.0


class Operations:
    """Runs operations of one iconik application; all share its rate limit and connections.

    Attributes:
        keep: requests the removal of assets whose time on LucidLink is up; see ``Leader``.
    """

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
        self.keep = Keeper(settings, self.iconik, self._server_clock)
        # What operations of one token share, for as long as one of them runs.
        self._lock = threading.Lock()
        self._shared_by_token = WeakValueDictionary[tuple[str, int], Shared]()

    def begin(self, operation_id: str, click: CustomAction, leadership: Leadership) -> Step:
        """The steps of an operation; see ``leader.Begin``."""
        capabilities = DeletionCapabilities(self._capabilities)
        iconik = self.iconik(click.auth_token, leadership)
        searching = self.iconik(click.auth_token, leadership, timeout=SEARCH_TIMEOUT, attempts=1)
        run: Run | None = None

        def step() -> float | None:
            nonlocal run
            if run is None:
                run = Run(
                    operation_id,
                    click,
                    leadership,
                    iconik,
                    searching,
                    self._settings,
                    capabilities,
                    self._bucket,
                    self._shared(click.auth_token, leadership.term),
                    self._pool.share(),
                    self._server_clock.latest_ms,
                )
            try:
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

    def _shared(self, token: str, term: int) -> "Shared":
        with self._lock:
            return self._shared_by_token.setdefault((token, term), Shared())

    def tidy(self, leadership: Leadership) -> None:
        """Restore what ended operations left marked deleted, and follow the copies they left.

        Raises:
            Stopped: the term is over.
            SQLAlchemyError: the database failed.
        """
        leftovers, settings = Leftovers(leadership.engine, leadership.term), self._settings
        left = leftovers.of_ended()
        if not settings.iconik_token:
            if not left:
                return
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


@dataclass
class Shared:
    """What the operations of one token, in one term, share to send fewer requests."""

    checks: Checks = field(default_factory=Checks)
    searches: Together[Listed] = field(default_factory=Together)
    jobs: Together[Job] = field(default_factory=Together)


class Run:
    """One operation that this process runs.

    Args:
        searching: an ``Iconik`` that tries once, and not for long.
        shared: what it shares with the other operations of its token.
        iconik_ms: as in ``Claims``.
    """

    def __init__(
        self,
        operation_id: str,
        click: CustomAction,
        leadership: Leadership,
        iconik: Iconik,
        searching: Iconik,
        settings: Settings,
        capabilities: DeletionCapabilities,
        bucket: Bucket,
        shared: Shared,
        pool: Share,
        iconik_ms: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._id = operation_id
        self._click = click
        self._iconik = iconik
        self._leadership = leadership
        self._pool = pool
        self._clock = leadership.clock
        self._timeout_ms = settings.copy_timeout // timedelta(milliseconds=1)
        b2, ll = click.b2_storage_id, click.ll_storage_id
        is_add = click.action == "add"
        self._ledger = Ledger(leadership.engine, leadership.term)
        self._completion = Completion(leadership.engine, leadership.term)
        self._number = self._operation().number
        self._claims = Claims(leadership.engine, self._operation(), leadership.term, iconik_ms)
        self._stop = StopRequest(leadership.engine, self._number)
        self._is_stop_handled = False
        self._leftovers = Leftovers(leadership.engine, leadership.term)
        self._preflight = Preflight(iconik, click, shared.checks, self._operation().recorded_ms)
        # An Undo restores even if the storages can't be used for anything else.
        self._is_checked = click.action == "undo"
        self._search = capabilities.search
        self._index = Index(searching, capabilities.search, shared.searches)
        self._is_looked_up = False
        self._is_search_away = False
        self._shared = shared
        context = Context(
            click,
            iconik,
            capabilities,
            self._claims,
            copying.Route(b2, ll, click.path, LUCIDLINK)
            if is_add
            else copying.Route(ll, b2, "", B2),
            settings,
            leadership.clock,
            self._preflight,
            self._preflight.forget,
            GracePeriod(searching) if settings.purge == "later" else None,
            bucket,
            self._check_term,
            self._is_stop_pending,
            pool,
            self._index,
            leadership.others_wait,
        )
        self._processor = AssetProcessor(context)
        self._selection = Selection(
            click,
            iconik,
            self._check_stop,
            pool.map,
        )
        self._outage: IconikUnavailable | None = None
        self._heard_ms = self._clock.now_ms()
        self._has_begun = False
        self._pause = FIRST_WAIT
        # When the next pass is due, by the monotonic clock, and how often to check whether it must
        # come earlier.
        self._due = 0.0
        self._interval = STOP_INTERVAL
        self._is_blocked = False

    def step(self) -> float | None:
        """Do what can be done now, if anything may have changed since the last step.

        Returns:
            The seconds until the next step; None once the operation has ended.
        """
        self._check_term()
        rest = self._due - time.monotonic()
        if (
            rest > 0
            and not self._is_stop_pending()
            and not (self._is_blocked and self._may_go_on())
        ):
            return min(rest, self._interval)
        if not self._has_begun:
            log.info("starting %s: %s", self._click.title, self._click.selection)
            self._claims.recover(self._clock.now_ms())
            self._has_begun = True
        if not self._try_to_end():
            has_moved = self._try_pass()
            if not self._try_to_end():
                return self._rest(has_moved=has_moved)
        self._report()
        return None

    def _try_to_end(self) -> bool:
        """End the operation if nothing is left to do. Returns whether it has ended."""
        operation = self._operation()
        if operation.ended_ms is not None or self._try_to_stop(operation):
            return True
        return self._completion.end(self._operation(), now_ms())

    def _try_to_stop(self, operation: Operation) -> bool:
        """End the operation if its stop was requested, and nothing prevents that."""
        if operation.stop_ms is None:
            return False
        if not self._is_stop_handled:
            log.info("%s: stop requested by %s", self._click.title, operation.stop_by)
        self._is_stop_handled = True
        self._claims.leave()
        return self._completion.end(operation, now_ms())

    def _rest(self, *, has_moved: bool) -> float:
        """Plan the next pass. A stop request, or an asset that others release, brings it forward.

        It watches other operations only in the ledger, and sends iconik no request for that.

        Returns:
            The seconds until the next check.
        """
        if has_moved:
            self._pause = FIRST_WAIT
            return 0.0
        self._preflight.forget()
        self._pause = min(self._pause * 1.375, LONGEST_WAIT)
        is_waiting = bool(self._ledger.progress(self._number).get("queued"))
        self._is_blocked = not self._outage and is_waiting
        self._interval = LET_GO_INTERVAL if self._is_blocked else STOP_INTERVAL
        if self._pause > STOP_INTERVAL:
            outage = reason_of(self._outage, self._preflight.names) if self._outage else None
            self._ledger.will_look(self._number, now_ms() + int(self._pause * 1000), outage)
        wait, now = self._pause, self._clock.now_ms()
        verification_ms = self._claims.next_verification_ms(now)
        if verification_ms is not None:
            wait = min(wait, (verification_ms - now) / 1000)
        self._due = time.monotonic() + wait
        return min(wait, self._interval)

    def _may_go_on(self) -> bool:
        """Whether an asset can be claimed, or must be checked for a claim."""
        now_ms = self._clock.now_ms()
        return self._claims.is_any_free(now_ms) or bool(self._claims.contested(1, now_ms))

    def _is_stop_pending(self) -> bool:
        """Whether a stop was requested and is not yet handled."""
        return not self._is_stop_handled and self._stop.is_there()

    def _check_stop(self) -> None:
        self._check_term()
        if self._is_stop_pending():
            raise StopRequested

    def _try_pass(self) -> bool:
        """Do one pass, and handle its failures. Returns whether anything has moved."""
        try:
            has_moved = self._pass()
        except IconikUnavailable as error:
            if self._outage is None:
                log.warning("%s; continuing when iconik is back", error)
            self._outage = error
            if self._clock.now_ms() - self._heard_ms > self._timeout_ms:
                self._fail(OUTAGE(error=reason_of(error, self._preflight.names)))
            return False
        except (IconikRefused, OperationFailed) as error:
            self._fail(reason_of(error, self._preflight.names))
            return False
        except StopRequested:
            return True
        if self._outage is not None:
            log.info("iconik is back")
            self._ledger.will_look(self._number, now_ms(), None)
        self._outage = None
        self._heard_ms = self._clock.now_ms()
        return has_moved

    def _pass(self) -> bool:
        """Do all that can be done now. Returns whether anything was done."""
        if self._click.keep_problem:
            raise OperationFailed(self._click.keep_problem)
        if not self._is_checked and not self._is_stop_handled:
            checked = self._preflight()
            self._is_checked = True
            storages = {"b2": checked.b2.name, "ll": checked.lucidlink.name}
            self._ledger.note_names(self._number, storages=storages)
        operation = self._operation()
        if not operation.is_expanded and not self._is_stop_handled:
            self._expand(operation)
        if not (self._is_looked_up or self._is_stop_handled):
            self._look_up()
        has_moved = self._processor.process_all()
        if self._is_stop_handled or self._is_stop_pending():
            return has_moved
        has_ended = self._follow()
        if has_ended:
            # The copies may have taken days.
            self._preflight.forget()
        return has_ended or has_moved

    def _expand(self, operation: Operation) -> None:
        # If one list fails, no other is still being read when the next pass begins.
        with self._pool:
            hints, gone = self._selection.expand()
        self._ledger.expand(operation.number, hints, gone)
        log.info("%s covers %s", self._click.title, many(len(hints), "asset"))

    def _look_up(self) -> None:
        """Take hints from the index for the assets that no listing has shown."""
        some = groups(self._ledger.not_looked_up(self._number))
        # The first one finds out whether the index helps.
        parts = [some[:1]]
        parts += [some[each : each + CONNECTIONS] for each in range(1, len(some), CONNECTIONS)]
        for part in parts:
            self._check_stop()
            with self._pool:
                for group, hints in zip(part, self._pool.map(self._hints, part), strict=True):
                    self._ledger.note_hints(self._number, dict.fromkeys(group, Hint()) | hints)
        self._is_looked_up = True

    def _hints(self, asset_ids: Sequence[str]) -> dict[str, Hint]:
        if self._is_search_away:
            return {}
        try:
            found = self._index.find(asset_ids)
        except IconikUnavailable as error:
            # Others can do without it, and nothing should wait for it.
            self._search.found(False, error)
            # Earlier searches may have shown that the index helps, which stands.
            self._is_search_away = True
            return {}
        return {each: hint_of(listed, self._click) for each, listed in found.items()}

    def _follow(self) -> bool:
        def jobs(job_ids: Sequence[str]) -> Mapping[str, Job]:
            return self._shared.jobs.ask(job_ids, self._iconik.jobs)

        now_ms, timeout_ms = self._clock.now_ms(), self._timeout_ms
        return copying.follow(self._iconik, self._claims, jobs, now_ms, timeout_ms)

    def _check_term(self) -> None:
        self._leadership.check(deletes=False)

    def _operation(self) -> Operation:
        operation = self._ledger.operation(self._id)
        if operation is None:
            raise LookupError(f"operation {self._id} is not in the ledger")
        return operation

    def _fail(self, failure: Reason) -> None:
        restore_leftovers(self._iconik, self._leftovers, self._leftovers.of(self._number), ENDED)
        self._completion.fail(self._number, failure, now_ms())

    def _report(self) -> None:
        told = self._completion.sum_up(self._id)
        logged = told["problems"][:PROBLEMS_LOGGED]
        titles = self._ledger.titles(self._number, [each["asset_id"] for each in logged])
        for each in logged:
            asset_id = each["asset_id"]
            title = f"({titles[asset_id]})" if asset_id in titles else None
            what = filter(None, (displayed(each["kind"]), asset_id, title, each["format"]))
            log.warning("%s: %s", " ".join(what), each["reason"])
        if len(told["problems"]) > PROBLEMS_LOGGED:
            log.warning("… and %s more: see the report", len(told["problems"]) - PROBLEMS_LOGGED)
        ending = f": {told['failure']}" if told["failure"] else ""
        sizes = bytes_in_words(told)
        total = in_words(told) + (f" ({sizes})" if sizes else "")
        log.info("%s %s%s: %s", told["title"], told["result"], ending, total)
