"""Inspects the assets of an operation in parallel, and does at once what can be done.

Assets are inspected in batches. The copies of a batch are requested together, and the file sets
that it marks deleted are purged together.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import timedelta

from b2_iconik import logs
from b2_iconik.bucket.confirm import Bucket, Confirmation
from b2_iconik.clock import Clock
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.custody import Safe
from b2_iconik.domain.operation import ClaimedAsset
from b2_iconik.domain.outcomes import Outcome, given_up
from b2_iconik.domain.reasons import EARLIER, Reason, reason_of
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation import copying, deletion
from b2_iconik.operation.add import inspect_to_add
from b2_iconik.operation.deletion import DeletionCapabilities, Marked
from b2_iconik.operation.interrupted import give_back
from b2_iconik.operation.proving import Removal
from b2_iconik.operation.remove import inspect_to_remove, note_purge
from b2_iconik.operation.snapshot import Inspection, Patience, see, vanished
from b2_iconik.operation.storages import Checked
from b2_iconik.operation.verification import FEW, MOST, Verification
from b2_iconik.settings import Settings
from b2_iconik.worker_pool import Share
from iconik import MOST_COPIES_A_CALL, Iconik
from iconik_http.errors import IconikRefused, IconikUnavailable, Incomplete, TokenRejected, TooLate
from iconik_http.records import File

log = logging.getLogger(__name__)

# Slightly more than needed to reach iconik's rate limit when each answer takes 300 ms.
CONNECTIONS = 24
PURGED_AT_ONCE = 25
PURGED_AFTER = 2.0
PURGE_INTERVAL = 0.5
# The first batches are small, so that the first copies are requested soon.
FIRST_BATCH = 8
# Add requests at most this many copies at once. Remove withholds at most this many assets from a
# newer click while it deletes.
LARGEST_BATCH = {"add": MOST_COPIES_A_CALL, "remove": 100}
SOONEST_LOOK_MS = 1_000
LATEST_LOOK_MS = 60_000
# How many times iconik may give no usable answer about one asset while it answers about others.
MOST_FAILURES = 10
# Lower, because each of these failures has already read the list several times.
MOST_INCOMPLETE = 3
LATEST_RETRY_MS = 300_000


@dataclass
class Batch:
    """Assets that are inspected together, so that their copies can be requested together.

    Attributes:
        unanswered: assets that iconik didn't answer about, or whose requests came too late.
    """

    held: list[ClaimedAsset] = field(default_factory=list)
    looks: list[Future[Inspection]] = field(default_factory=list)
    marked: Marked = field(default_factory=lambda: Marked(PURGED_AT_ONCE, PURGED_AFTER))
    unanswered: list[tuple[ClaimedAsset, IconikUnavailable]] = field(default_factory=list)

    @property
    def is_cut_short(self) -> bool:
        """Whether iconik may be unavailable, so that the rest of the batch should wait."""
        return any(not isinstance(error, TooLate) for _, error in self.unanswered)


@dataclass(frozen=True)
class Context:
    """The dependencies of a running operation.

    Attributes:
        preflight: returns the checked storages; raises ``OperationFailed`` if they can't be used.
        bucket: B2 itself.
        check: raises ``Stopped`` when this process must stop.
        is_to_stop: whether a stop of the operation was requested and is not yet handled.
        pool: threads for requests.
        others_wait: whether another operation waits for this one to pause.
    """

    click: CustomAction
    iconik: Iconik
    capabilities: DeletionCapabilities
    claims: Claims
    route: copying.Route
    settings: Settings
    clock: Clock
    preflight: Callable[[], Checked]
    bucket: Bucket
    check: Callable[[], None]
    is_to_stop: Callable[[], bool]
    pool: Share
    others_wait: Callable[[], bool] = lambda: False


class AssetInspector:
    """Inspects the assets of one operation.

    Args:
        context: the dependencies of the operation.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._iconik = context.iconik
        self._claims = context.claims
        self._clock = context.clock
        self._pool = context.pool
        click = context.click
        self._removal = Removal(
            context.iconik,
            context.claims,
            context.capabilities,
            click.ll_storage_id,
            click.b2_storage_id,
            context.preflight,
            self._confirm,
            context.settings.require_checksum,
        )
        self._verification = Verification(
            context.iconik, context.claims, context.capabilities, context.clock, context.pool.map
        )
        self._has_put_off = False

    def look_at_all(self) -> bool:
        """Inspect all assets that can be inspected now. Returns whether there were any.

        Raises:
            IconikUnavailable: iconik is unavailable.
            IconikRefused: iconik no longer accepts any token.
            OperationFailed: the storages can no longer be used.
        """
        with self._pool, logs.pool(1) as aside:
            self._see_contested()
            has_moved = self._look_at_batches(aside)
            return self._verification.run() or has_moved

    def _see_contested(self) -> None:
        """Check which contested assets this click can see: older operations keep the others."""
        while not self._context.is_to_stop() and (
            held := self._claims.contested(CONNECTIONS, self._clock.now_ms())
        ):
            batch = Batch(held)
            batch.looks = [
                self._pool.submit(self._look_at, each, batch, self._glance) for each in held
            ]
            self._finish(batch)

    def _glance(self, held: ClaimedAsset) -> Inspection:
        if see(self._iconik_for(held), held.asset_id) is None:
            return vanished(held.formats)
        held.seen = True
        # Others must release it first.
        return Inspection(is_overtaken=True)

    def _iconik_for(self, held: ClaimedAsset) -> Iconik:
        """An ``Iconik`` with no more rights than the click's own token had for an asset."""
        return self._iconik.limited(lambda: held.seen)

    def _look_at_batches(self, aside: ThreadPoolExecutor) -> bool:
        size, away, verifying = FIRST_BATCH, None, None
        batch = self._begin(size)
        has_moved = bool(batch.held)
        while batch.held:
            size = min(2 * size, LARGEST_BATCH[self._context.click.action])
            # The next batch begins while the last assets of this one are inspected and its copies
            # are requested.
            self._await(batch, batch.looks[:-CONNECTIONS])
            is_interrupted = away or batch.is_cut_short or self._context.is_to_stop()
            goes_on = not (is_interrupted or self._context.others_wait())
            following = self._begin(size) if goes_on else Batch()
            try:
                self._finish(batch)
                verifying = self._verify_aside(aside, verifying)
            except IconikUnavailable as error:
                away = error
            batch = following
        if away:
            raise away
        return has_moved

    def _verify_aside(
        self, aside: ThreadPoolExecutor, verifying: Future[bool] | None
    ) -> Future[bool]:
        """Verify what is due, unless that is under way; marked file sets don't wait for it."""
        if verifying is None or verifying.done():
            return aside.submit(self._verification.run, MOST)
        return verifying

    def _begin(self, size: int) -> Batch:
        batch = Batch(self._claims.take(size, self._clock.now_ms()))
        batch.looks = [self._pool.submit(self._look_at, each, batch) for each in batch.held]
        return batch

    def _await(self, batch: Batch, looks: list[Future[Inspection]]) -> None:
        """Wait for inspections, but purge marked file sets in time: their proofs expire."""
        while wait(looks, PURGE_INTERVAL).not_done:
            self._purge(batch.marked.overdue(), batch)

    def _finish(self, batch: Batch) -> None:
        self._await(batch, batch.looks)
        looks = [each.result() for each in batch.looks]
        self._purge(batch.marked.rest(), batch)
        pairs = zip(batch.held, looks, strict=True)
        wanted = [(held, look) for held, look in pairs if look.copies]
        try:
            if wanted and self._context.is_to_stop():
                for held, look in wanted:
                    self._let_go(held, 0, look.outcomes)
            elif wanted:
                now, route = self._clock.now_ms(), self._context.route
                self._claims.asking([(held, look.outcomes) for held, look in wanted], now)
                copies = [(held, look.copies) for held, look in wanted]
                copying.ask(self._iconik, self._claims, route, copies, now)
        finally:
            if batch.unanswered:
                self._put_off(batch.unanswered)

    def _look_at(
        self,
        held: ClaimedAsset,
        batch: Batch,
        how: Callable[[ClaimedAsset], Inspection] | None = None,
    ) -> Inspection:
        """Inspect an asset, do what can be done at once, and record its state."""
        self._context.check()
        look = Inspection(is_overtaken=True)
        if self._context.is_to_stop():
            # It stays claimed until ``Claims.leave`` releases it.
            return look
        # While iconik is unavailable, the rest of the batch need not find that out by itself.
        if not batch.is_cut_short:
            try:
                look = (how or self._look)(held)
                held.memo.failures = 0
            except IconikUnavailable as error:
                batch.unanswered.append((held, error))
                return look
            except TokenRejected:
                raise
            except IconikRefused as refusal:
                look = Inspection(self._give_up(held, reason_of(refusal)))
        if look.is_being_copied:
            return look
        if look.marked:
            self._purge(batch.marked.add(held, look), batch)
        else:
            self._note(held, look, is_few=len(batch.held) <= FEW)
        return look

    def _purge(self, marked: list[tuple[ClaimedAsset, Inspection]], batch: Batch) -> None:
        """Purge what is marked deleted, and record the states of the assets."""
        file_sets = {each: held.asset_id for held, look in marked for each in look.marked}
        try:
            until = min((look.until for _, look in marked), default=0.0)
            done = deletion.purge(self._iconik, self._context.capabilities, file_sets, until)
        except IconikUnavailable as error:
            for held, look in marked:
                # The asset is inspected again first.
                look.copies.clear()
                batch.unanswered.append((held, error))
            return
        for held, look in marked:
            try:
                note_purge(self._removal, held, look, done, self._clock.now_ms())
            except IconikUnavailable as error:
                look.copies.clear()
                batch.unanswered.append((held, error))
                continue
            self._note(held, look, is_few=len(batch.held) <= FEW)

    def _note(self, held: ClaimedAsset, look: Inspection, *, is_few: bool) -> None:
        if look.copies:
            # Recorded with the others of the batch, when the copies are requested.
            return
        if look.is_unfinished:
            age = self._clock.now_ms() - (held.memo.unfinished_ms or self._clock.now_ms())
            due = self._clock.now_ms() + min(max(age // 2, SOONEST_LOOK_MS), LATEST_LOOK_MS)
            self._claims.note(held, "settling", look.outcomes, due)
        elif look.is_overtaken:
            self._let_go(held, 0, look.outcomes)
        elif held.memo.accepted:
            due = 0 if is_few else self._verification.first_due_ms()
            self._claims.note(held, "verifying", look.outcomes, due)
        else:
            self._claims.note(held, "done", look.outcomes)

    def _give_up(self, held: ClaimedAsset, reason: Reason) -> dict[str, Outcome]:
        """Restore the marked file sets of an asset that is given up. Returns its outcomes."""
        restored, _ = give_back(self._iconik, held, reason)
        return {**given_up(held.formats, held.memo.unaccepted, reason), **restored}

    def _put_off(self, unanswered: list[tuple[ClaimedAsset, IconikUnavailable]]) -> None:
        """Postpone assets that iconik did not answer about, unless iconik is entirely unavailable.

        Raises:
            IconikUnavailable: iconik is entirely unavailable.
        """
        try:
            self._iconik.storage(self._context.click.ll_storage_id)
        except IconikUnavailable:
            for held, _ in unanswered:
                self._let_go(held, 0)
            raise
        # One line per asset would be thousands during a partial outage; the report names them.
        level = logging.DEBUG if self._has_put_off else logging.WARNING
        more = f" (and {len(unanswered) - 1} more like this)" if len(unanswered) > 1 else ""
        log.log(level, "%s%s; other assets continue", unanswered[0][1], more)
        self._has_put_off = True
        for held, error in unanswered:
            held.memo.failures += 1
            most = MOST_INCOMPLETE if isinstance(error, Incomplete) else MOST_FAILURES
            if held.memo.failures < most:
                self._let_go(
                    held, self._clock.now_ms() + min(2**held.memo.failures * 1000, LATEST_RETRY_MS)
                )
            else:
                reason = reason_of(error) + f" ({most} attempts)"
                self._claims.note(held, "done", self._give_up(held, reason))

    def _let_go(
        self, held: ClaimedAsset, due_ms: int, outcomes: Mapping[str, Outcome] | None = None
    ) -> None:
        """Inspect an asset again later, after other operations if nothing is under way for it."""
        memo = held.memo
        is_touched = memo.asked or memo.asking or memo.deleting or memo.unfinished_ms
        self._claims.note(held, "settling" if is_touched else "waiting", outcomes or {}, due_ms)

    def _look(self, held: ClaimedAsset) -> Inspection:
        if held.memo.asking and self._take_up(held):
            return Inspection(is_being_copied=True)
        look = self._look_once(held)
        if look.objections:
            if look.marked:
                # The copies of other formats may take days.
                file_sets = dict.fromkeys(look.marked, held.asset_id)
                capabilities = self._context.capabilities
                done = deletion.purge(self._iconik, capabilities, file_sets, look.until)
                note_purge(self._removal, held, look, done, self._clock.now_ms())
            self._claims.note(held, "held", look.outcomes)
            if self._take_up(held):
                return Inspection(is_being_copied=True)
            # A copy may have ended since the inspection.
            look = self._look_once(held)
            look.outcomes.update(look.objections)
        return look

    def _confirm(self, asset_id: str, safe: Safe) -> Confirmation:
        """Have B2 confirm the proof of a file set."""

        def download_url(file: File) -> str:
            return self._iconik.download_url(asset_id, file.id)

        return self._context.bucket.confirm(self._context.preflight().b2, safe.pairs, download_url)

    def _take_up(self, held: ClaimedAsset) -> bool:
        iconik = self._iconik_for(held)
        return copying.take_up(iconik, self._claims, held, self._clock.now_ms())

    def _look_once(self, held: ClaimedAsset) -> Inspection:
        patience = Patience(
            self._clock.now_ms(), self._context.settings.settle_time // timedelta(milliseconds=1)
        )
        if self._context.click.action == "remove":
            removal = replace(self._removal, iconik=self._iconik_for(held))
            return inspect_to_remove(removal, held, patience)
        return self._look_to_add(held, patience)

    def _look_to_add(self, held: ClaimedAsset, patience: Patience) -> Inspection:
        """Inspect an asset that should be on LucidLink, and what an earlier Remove left there."""
        iconik = self._iconik_for(held)
        restored, _ = give_back(iconik, held, EARLIER)
        # A copy next to a file set that iconik is about to purge would be purged with it.
        stuck = {begun.name for begun in held.memo.unaccepted.values()}
        wanted = replace(held, formats=tuple(each for each in held.formats if each not in stuck))
        look = inspect_to_add(iconik, wanted, self._context.click.ll_storage_id, patience)
        held.seen = wanted.seen
        for name, outcome in restored.items():
            if name in stuck:
                look.outcomes[name] = outcome
            elif look.outcomes.get(name, outcome).kind == "there":
                look.outcomes[name] = Outcome("there", outcome.reason)
        return look
