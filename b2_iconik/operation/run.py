"""Add, Remove and Undo, from a selection to a report.

    Add:     select ▶ read, copy what is missing, wait for the copies ▶ report
    Remove:  select ▶ prove, delete what is safe, copy the rest to B2, wait ▶ report
    Undo:    restore what a Remove has only marked deleted ▶ report

An operation is a loop of passes. Each pass reads iconik again and does what is missing. An
operation can be killed at any point and run again from the top: the ledger stores what must not be
lost.
"""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

from b2_iconik.common.clock import now_ms
from b2_iconik.common.errors import OperationFailed, StopRequested
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import bytes_in_words, displayed, in_words, many
from b2_iconik.domain.progress import Hint
from b2_iconik.domain.reasons import ENDED, OUTAGE, Reason, reason_of
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.completion import Completion
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.stop_request import StopRequest
from b2_iconik.operation import copying
from b2_iconik.operation.batches import CONNECTIONS, Batches
from b2_iconik.operation.context import Context
from b2_iconik.operation.hints import hint_of
from b2_iconik.operation.index import Index
from b2_iconik.operation.interrupted import restore_leftovers
from b2_iconik.operation.selection import Selection
from b2_iconik.operation.storages import Preflight
from b2_iconik.operation.together import groups
from iconik_http.errors import IconikError, IconikUnavailable

log = logging.getLogger(__name__)

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
# How often to check for a stop request while nothing moves.
STOP_INTERVAL = 2.0
# How often to check whether other operations have released the assets that they block.
LET_GO_INTERVAL = 1.0
PROBLEMS_LOGGED = 20


class Run:
    """One operation that this process runs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._click = click = context.click
        self._iconik = iconik = context.iconik
        leadership = context.leadership
        self._pool = context.pool
        self._clock = leadership.clock
        self._timeout_ms = context.settings.copy_timeout // timedelta(milliseconds=1)
        engine, term = leadership.engine, leadership.term
        self._ledger = Ledger(engine, term)
        self._completion = Completion(engine, term)
        self._leftovers = Leftovers(engine, term)
        operation = self._operation()
        self._number = operation.number
        self._claims = Claims(engine, operation, term, context.iconik_ms)
        self._stop = StopRequest(engine, self._number)
        self._preflight = Preflight(iconik, click, context.shared.checks, operation.recorded_ms)
        # An Undo restores even if the storages can't be used for anything else.
        self._is_checked = click.action == "undo"
        self._search = context.capabilities.search
        self._index = Index(context.searching, self._search, context.shared.searches)
        self._is_looked_up = False
        self._is_search_away = False
        self._batches = Batches(context, self._claims, self._preflight, self._index, self._stop)
        self._selection = Selection(click, iconik, self._check_stop, self._pool.map)
        self._outage: IconikUnavailable | None = None
        self._heard_ms = self._clock.now_ms()
        self._has_begun = False
        self._pause = FIRST_WAIT
        # When the next pass is due, by the monotonic clock.
        self._due = 0.0
        self._is_blocked = False

    def step(self) -> float | None:
        """Do what can be done now, if anything may have changed since the last step.

        Returns:
            The seconds until the next step; None once the operation has ended.
        """
        self._context.leadership.check(deletes=False)
        rest = self._due - time.monotonic()
        if (
            rest > 0
            and not self._stop.is_pending()
            and not (self._is_blocked and self._may_go_on())
        ):
            return self._until_check(rest)
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
        """End the operation if nothing is left to do, or to finish after a stop request.

        Returns:
            Whether it has ended.
        """
        operation = self._operation()
        if operation.ended_ms is not None:
            return True
        if operation.stop_ms is not None:
            if not self._stop.is_handled:
                log.info("%s: stop requested by %s", self._click.title, operation.stop_by)
            self._stop.is_handled = True
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
        if self._pause > STOP_INTERVAL:
            outage = reason_of(self._outage, self._preflight.names) if self._outage else None
            self._ledger.will_look(self._number, now_ms() + int(self._pause * 1000), outage)
        wait, now = self._pause, self._clock.now_ms()
        verification_ms = self._claims.next_verification_ms(now)
        if verification_ms is not None:
            wait = min(wait, (verification_ms - now) / 1000)
        self._due = time.monotonic() + wait
        return self._until_check(wait)

    def _until_check(self, rest: float) -> float:
        """How long to wait before it is checked whether the next pass must come earlier."""
        return min(rest, LET_GO_INTERVAL if self._is_blocked else STOP_INTERVAL)

    def _may_go_on(self) -> bool:
        """Whether an asset can be claimed, or must be checked for a claim."""
        now_ms = self._clock.now_ms()
        return self._claims.is_any_free(now_ms) or bool(self._claims.contested(1, now_ms))

    def _check_stop(self) -> None:
        self._context.leadership.check(deletes=False)
        if self._stop.is_pending():
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
        except (IconikError, OperationFailed) as error:
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
        if not self._is_checked and not self._stop.is_handled:
            checked = self._preflight()
            self._is_checked = True
            storages = {"b2": checked.b2.name, "ll": checked.lucidlink.name}
            self._ledger.note_names(self._number, storages=storages)
        operation = self._operation()
        if not operation.is_expanded and not self._stop.is_handled:
            self._expand(operation)
        if not (self._is_looked_up or self._stop.is_handled):
            self._look_up()
        has_moved = self._batches.process_all()
        if self._stop.is_handled or self._stop.is_pending():
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
        together, now_ms = self._context.shared.jobs, self._clock.now_ms()
        return copying.follow(self._iconik, self._claims, together, now_ms, self._timeout_ms)

    def _operation(self) -> Operation:
        operation_id = self._context.operation_id
        operation = self._ledger.operation(operation_id)
        if operation is None:
            raise LookupError(f"operation {operation_id} is not in the ledger")
        return operation

    def _fail(self, failure: Reason) -> None:
        restore_leftovers(self._iconik, self._leftovers, self._leftovers.of(self._number), ENDED)
        self._completion.fail(self._number, failure, now_ms())

    def _report(self) -> None:
        told = self._completion.sum_up(self._context.operation_id)
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
