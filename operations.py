"""Add and Remove, from a selection to a report.

    expand ▶ look ▶ copy ▶ wait ▶ (prove ▶ delete) ▶ report

An operation is a loop of passes, each of which looks at iconik afresh and does what is missing. It
can be killed anywhere and be run again from the top: what must not be forgotten is in the ledger.
"""

import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

import copying
import deletion
import logs
import storages
from add import hint, look_to_add
from claims import Claims, Held
from custom_action import CustomAction
from deletion import Ways
from errors import (
    IconikRefused,
    IconikUnavailable,
    OperationFailed,
    Stopped,
    StopRequested,
    TokenRejected,
)
from iconik import MOST_COPIES_A_CALL, Iconik
from ledger import Ledger
from outcomes import Outcome, given_up, in_words
from pacing import Pacer
from purging import Marked
from remove import look_to_remove, note_purge
from selection import expand
from settings import Settings
from sight import Look, Patience
from stop_request import StopRequest
from tables import Operation
from transport import Transport
from turn import Turn, now_ms

log = logging.getLogger(__name__)

# As many as fill iconik's limit where it takes 300 ms to answer, and some more.
CONNECTIONS = 24
PURGED_AT_ONCE = 25
PURGED_AFTER = 2.0
# Small batches first, so that the first copies are asked for soon.
FIRST_BATCH = 16
# Add asks for so many copies at once; Remove keeps no more from a newer click while it deletes.
LARGEST_BATCH = {"add": MOST_COPIES_A_CALL, "remove": 100}
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
DATABASE_WAIT = 5.0
# While nothing moves, so often it is seen whether somebody has asked to stop.
STOP_INTERVAL = 2.0
# While other operations are in the way: they may let go at any moment.
LONGEST_WAIT_FOR_OTHERS = 1.0
SOONEST_LOOK_MS = 1_000
LATEST_LOOK_MS = 60_000
# So often iconik may give no usable answer about one asset, while it answers about others.
MOST_FAILURES = 10
LATEST_RETRY_MS = 300_000
PROBLEMS_LOGGED = 20


class Operations:
    """Runs operations of one iconik application; all share its rate limit, the ``pacer``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.pacer = Pacer(settings.requests_per_second)
        self._ways = Ways()

    def __call__(self, operation_id: str, click: CustomAction, turn: Turn) -> dict[str, Any]:
        """Carry an operation on until it ends; see ``engine.Runner``."""
        logs.operation_id.set(operation_id)
        settings = self._settings
        tokens = (click.auth_token, settings.iconik_token or "")
        ways = Ways(self._ways)
        transport = Transport(
            settings.iconik_url, settings.iconik_id, tokens, self.pacer, CONNECTIONS, turn.check
        )
        try:
            while True:
                try:
                    run = Run(operation_id, click, turn, Iconik(transport), settings, ways)
                    return run.run()
                except SQLAlchemyError as error:
                    log.error("the database failed (%s); trying again", type(error).__name__)
                if turn.stopping.wait(DATABASE_WAIT):
                    raise Stopped
        finally:
            transport.close()


@dataclass
class Batch:
    """Assets that are looked at together, so that copies of them can be asked for together.

    Attributes:
        unanswered: those that iconik didn't answer about.
    """

    held: list[Held] = field(default_factory=list)
    looks: list[Future[Look]] = field(default_factory=list)
    marked: Marked = field(default_factory=lambda: Marked(PURGED_AT_ONCE, PURGED_AFTER))
    unanswered: list[tuple[Held, IconikUnavailable]] = field(default_factory=list)


class Run:
    """One operation, in the hands of this process."""

    def __init__(
        self,
        operation_id: str,
        click: CustomAction,
        turn: Turn,
        iconik: Iconik,
        settings: Settings,
        ways: Ways,
    ) -> None:
        self._id = operation_id
        self._click = click
        self._iconik = iconik
        self._ways = ways
        self._settings = settings
        self._stopping = turn.stopping
        self._clock = turn.clock
        self._timeout_ms = settings.copy_timeout // timedelta(milliseconds=1)
        b2, ll = click.b2_storage_id, click.ll_storage_id
        is_add = click.action == "add"
        self._route = copying.Route(b2, ll, click.path) if is_add else copying.Route(ll, b2)
        self._ledger = Ledger(turn.engine, turn.term)
        self._number = self._operation().number
        self._claims = Claims(turn.engine, self._operation(), turn.term)
        self._stop = StopRequest(self._ledger, self._number)
        self._is_stopping = False
        self._has_put_off = False
        # Why nothing can be copied to B2; not known before the storages were looked at.
        self._obstacle: str | None = None
        self._outage: IconikUnavailable | None = None
        self._heard_ms = self._clock.now_ms()

    def run(self) -> dict[str, int]:
        """Make passes until nothing is left to do; returns the counts of the report."""
        log.info("%s begins: %s", self._click.title, self._click.selection)
        self._claims.recover(self._clock.now_ms())
        pause = FIRST_WAIT
        while self._operation().ended_ms is None:
            if self._has_ended_by_stop():
                break
            has_moved = self._try_pass()
            if self._ledger.end(self._operation(), now_ms()):
                break
            pause = FIRST_WAIT if has_moved else min(pause * 1.5, self._longest_wait())
            if not has_moved:
                self._rest(pause)
        return self._report()

    def _has_ended_by_stop(self) -> bool:
        """Whether the operation was to stop, and nothing keeps it from that."""
        operation = self._operation()
        if operation.stop_ms is None:
            return False
        if not self._is_stopping:
            log.info("%s is being stopped by %s", self._click.title, operation.stop_by)
        self._is_stopping = True
        self._claims.leave()
        return self._ledger.end(operation, now_ms())

    def _rest(self, seconds: float) -> None:
        """Wait for the next pass, or until somebody asks to stop."""
        if seconds > STOP_INTERVAL:
            outage = str(self._outage) if self._outage else None
            self._ledger.will_look(self._number, now_ms() + int(seconds * 1000), outage)
        while seconds > 0:
            if self._stopping.wait(min(seconds, STOP_INTERVAL)):
                raise Stopped
            seconds -= STOP_INTERVAL
            if seconds > 0 and self._is_to_stop():
                return

    def _is_to_stop(self) -> bool:
        """Whether somebody has asked to stop, and nothing was done about it yet."""
        return not self._is_stopping and self._stop.is_there()

    def _check_stop(self) -> None:
        self._check_stopping()
        if self._is_to_stop():
            raise StopRequested

    def _try_pass(self) -> bool:
        """One pass, whatever it meets. Returns whether anything has moved."""
        try:
            has_moved = self._pass()
        except IconikUnavailable as error:
            if self._outage is None:
                log.warning("%s; going on when iconik is back", error)
            self._outage = error
            if self._clock.now_ms() - self._heard_ms > self._timeout_ms:
                self._fail(f"iconik gave no usable answer for too long: {error}")
            return False
        except (IconikRefused, OperationFailed) as error:
            self._fail(str(error))
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
        """One pass over all that can be done now. Returns whether anything was."""
        if self._obstacle is None and not self._is_stopping:
            self._obstacle = storages.check(self._iconik, self._click)
        operation = self._operation()
        if not operation.is_expanded and not self._is_stopping:
            self._expand(operation)
        with logs.pool(CONNECTIONS) as pool:
            has_moved = self._look_at_all(pool)
        if self._is_stopping or self._is_to_stop():
            return has_moved
        return self._follow() or has_moved

    def _expand(self, operation: Operation) -> None:
        is_add = self._click.action == "add"
        hints, gone = expand(
            self._click,
            self._iconik,
            self._check_stop,
            (lambda listed: hint(listed, self._click)) if is_add else (lambda listed: {}),
        )
        self._ledger.expand(operation.number, operation.clicks, hints, gone, hints)
        log.info("%s is about %s", self._click.title, in_words({"assets": len(hints)}))

    def _look_at_all(self, pool: ThreadPoolExecutor) -> bool:
        """Look at all assets that can be looked at now. Returns whether there were any.

        Raises:
            IconikUnavailable: iconik is away.
        """
        size, away = FIRST_BATCH, None
        batch = self._begin(pool, size)
        has_moved = bool(batch.held)
        while batch.held:
            size = min(2 * size, LARGEST_BATCH[self._click.action])
            # While the last ones are looked at, and copies asked for, others are begun.
            wait(batch.looks[:-CONNECTIONS])
            goes_on = away is None and not batch.unanswered and not self._is_to_stop()
            following = self._begin(pool, size) if goes_on else Batch()
            try:
                self._finish(batch)
            except IconikUnavailable as error:
                away = error
            batch = following
        if away:
            raise away
        return has_moved

    def _begin(self, pool: ThreadPoolExecutor, size: int) -> Batch:
        batch = Batch(self._claims.take(size, self._clock.now_ms()))
        batch.looks = [pool.submit(self._look_at, each, batch) for each in batch.held]
        return batch

    def _finish(self, batch: Batch) -> None:
        looks = [each.result() for each in batch.looks]
        self._purge(batch.marked.rest(), batch)
        wanted = [
            (each, look.copies) for each, look in zip(batch.held, looks, strict=True) if look.copies
        ]
        try:
            if wanted and self._is_to_stop():
                for each, _ in wanted:
                    each.memo.asking = False
                    self._let_go(each, 0)
            elif wanted:
                copying.ask(self._iconik, self._claims, self._route, wanted, self._clock.now_ms())
        finally:
            if batch.unanswered:
                self._put_off(batch.unanswered)

    def _look_at(self, held: Held, batch: Batch) -> Look:
        """Look at an asset, do what can be done at once, and note how it stands."""
        self._check_stopping()
        look = Look(is_overtaken=True)
        if self._is_to_stop():
            # It stays held, until ``Claims.leave`` lets go of it.
            return look
        # While iconik is away, the others of a batch needn't find out for themselves.
        if not batch.unanswered:
            try:
                look = self._look(held)
                held.memo.failures = 0
            except IconikUnavailable as error:
                batch.unanswered.append((held, error))
                return look
            except TokenRejected:
                raise
            except IconikRefused as refusal:
                look = Look(given_up(held.formats, held.memo.deleting, str(refusal)))
        if look.is_being_copied:
            return look
        if look.marked:
            self._purge(batch.marked.add(held, look), batch)
        else:
            self._note(held, look)
        return look

    def _purge(self, marked: list[tuple[Held, Look]], batch: Batch) -> None:
        """Purge what is marked deleted, and note how the assets stand."""
        file_sets = {each: held.asset_id for held, look in marked for each in look.marked}
        try:
            refusals = deletion.purge(self._iconik, self._ways, file_sets)
        except IconikUnavailable as error:
            for held, look in marked:
                # It is looked at again first.
                look.copies.clear()
                batch.unanswered.append((held, error))
            return
        for held, look in marked:
            note_purge(held, look, refusals)
            self._note(held, look)

    def _note(self, held: Held, look: Look) -> None:
        if look.copies:
            held.memo.asking = True
            self._claims.note(held, "held", look.outcomes)
        elif look.is_unfinished:
            age = self._clock.now_ms() - (held.memo.unfinished_ms or self._clock.now_ms())
            due = self._clock.now_ms() + min(max(age // 2, SOONEST_LOOK_MS), LATEST_LOOK_MS)
            self._claims.note(held, "settling", look.outcomes, due)
        elif look.is_overtaken:
            self._let_go(held, 0, look.outcomes)
        else:
            self._claims.note(held, "done", look.outcomes)

    def _put_off(self, unanswered: list[tuple[Held, IconikUnavailable]]) -> None:
        """Look later at assets that iconik did not answer about, unless it is away altogether.

        Raises:
            IconikUnavailable: it is away altogether.
        """
        try:
            self._iconik.storage(self._click.ll_storage_id)
        except IconikUnavailable:
            for held, _ in unanswered:
                self._let_go(held, 0)
            raise
        # A line for each would be thousands while iconik is half away; the report names them.
        level = logging.DEBUG if self._has_put_off else logging.WARNING
        more = f" (and so for {len(unanswered) - 1} more)" if len(unanswered) > 1 else ""
        log.log(level, "%s%s; the others go on", unanswered[0][1], more)
        self._has_put_off = True
        for held, error in unanswered:
            held.memo.failures += 1
            if held.memo.failures < MOST_FAILURES:
                self._let_go(
                    held, self._clock.now_ms() + min(2**held.memo.failures * 1000, LATEST_RETRY_MS)
                )
            else:
                reason = f"{error}, {MOST_FAILURES} times over"
                failed = given_up(held.formats, held.memo.deleting, reason)
                self._claims.note(held, "done", failed)

    def _let_go(
        self, held: Held, due_ms: int, outcomes: Mapping[str, Outcome] | None = None
    ) -> None:
        """Have an asset looked at again, by others first if nothing of ours is under way for it."""
        memo = held.memo
        is_touched = memo.asked or memo.asking or memo.deleting or memo.unfinished_ms
        self._claims.note(held, "settling" if is_touched else "waiting", outcomes or {}, due_ms)

    def _look(self, held: Held) -> Look:
        if held.memo.asking and self._take_up(held):
            return Look(is_being_copied=True)
        look = self._look_once(held)
        if look.doubts:
            self._claims.note(held, "held", look.outcomes)
            if self._take_up(held):
                return Look(is_being_copied=True)
            # A copy may have ended since the look.
            look = self._look_once(held)
            look.outcomes.update(look.doubts)
        return look

    def _take_up(self, held: Held) -> bool:
        return copying.take_up(self._iconik, self._claims, held, self._clock.now_ms())

    def _look_once(self, held: Held) -> Look:
        click = self._click
        patience = Patience(
            self._clock.now_ms(), self._settings.settle_time // timedelta(milliseconds=1)
        )
        if click.action == "add":
            return look_to_add(self._iconik, held, click.ll_storage_id, patience)
        both = (click.ll_storage_id, click.b2_storage_id)
        return look_to_remove(
            self._iconik, held, self._claims, self._ways, both, patience, self._obstacle or ""
        )

    def _follow(self) -> bool:
        return copying.follow(self._iconik, self._claims, self._clock.now_ms(), self._timeout_ms)

    def _longest_wait(self) -> float:
        is_blocked = not self._outage and self._ledger.progress(self._number).get("waiting")
        return LONGEST_WAIT_FOR_OTHERS if is_blocked else LONGEST_WAIT

    def _check_stopping(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _operation(self) -> Operation:
        operation = self._ledger.operation(self._id)
        if operation is None:
            raise LookupError(f"operation {self._id} is not in the ledger")
        return operation

    def _fail(self, failure: str) -> None:
        self._ledger.fail(self._number, failure, now_ms())

    def _report(self) -> dict[str, int]:
        told = self._ledger.sum_up(self._id)
        for problem in told["problems"][:PROBLEMS_LOGGED]:
            log.warning("%(kind)s %(asset_id)s %(format)s: %(reason)s", problem)
        if len(told["problems"]) > PROBLEMS_LOGGED:
            log.warning("… and %s more: see the report", len(told["problems"]) - PROBLEMS_LOGGED)
        ending = f": {told['failure']}" if told["failure"] else ""
        log.info("%s %s%s: %s", told["title"], told["result"], ending, in_words(told["counts"]))
        counts: dict[str, int] = told["counts"]
        return counts
