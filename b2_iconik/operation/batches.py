"""Processes the assets of an operation in parallel, and does at once what can be done.

Assets are processed in batches. The copies of a batch are requested together, and the file sets
that it marks deleted are purged together.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from b2_iconik.common import logs
from b2_iconik.domain.click import Action
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import ClaimedAsset
from b2_iconik.domain.reasons import reason_of
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.stop_request import StopRequest
from b2_iconik.operation import copying
from b2_iconik.operation.arrivals import Arrivals, recheck_after_ms
from b2_iconik.operation.context import Context
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.deletion import PurgeQueue
from b2_iconik.operation.deletion_results import note_purge
from b2_iconik.operation.index import Index
from b2_iconik.operation.processing import AssetProcessor
from b2_iconik.operation.storages import Preflight
from b2_iconik.operation.together import MOST
from b2_iconik.operation.verification import FEW, Verification
from iconik import MOST_COPIES_A_CALL
from iconik_http.errors import IconikRefused, IconikUnavailable, Incomplete, TooLate

log = logging.getLogger(__name__)

# Slightly more than needed to reach iconik's rate limit when each answer takes 300 ms.
CONNECTIONS = 24
PURGED_AT_ONCE = 25
PURGED_AFTER = 2.0
PURGE_INTERVAL = 0.5
# The first batches are small, so that the first copies are requested soon.
FIRST_BATCH = 8
# Add requests at most this many copies at once. Remove withholds at most this many assets from a
# newer click while it deletes. A preview withholds none.
LARGEST_BATCH: dict[Action, int] = {
    "add": MOST_COPIES_A_CALL,
    "remove": 100,
    "preview": 500,
    "undo": 100,
}
# How many times iconik may give no usable answer about one asset while it answers about others.
MOST_FAILURES = 10
# Lower, because each of these failures has already read the list several times.
MOST_INCOMPLETE = 3
LATEST_RETRY_MS = 300_000


@dataclass
class Batch:
    """Assets that are processed together, so that their copies can be requested together.

    Attributes:
        assets, results: the assets that are read one by one, and what was done with each.
        listings: the rest: assets whose copies the index may show, a hundred per search.
        purged: the results after the purge of what was marked, by asset id.
        unanswered: assets that iconik didn't answer about, or whose requests came too late.
    """

    assets: list[ClaimedAsset] = field(default_factory=list)
    results: list[Future[AssetResult]] = field(default_factory=list)
    listings: list[Future[None]] = field(default_factory=list)
    purge_queue: PurgeQueue = field(
        default_factory=lambda: PurgeQueue(PURGED_AT_ONCE, PURGED_AFTER)
    )
    purged: dict[str, AssetResult] = field(default_factory=dict)
    unanswered: list[tuple[ClaimedAsset, IconikUnavailable]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether it has no assets."""
        return not (self.assets or self.listings)

    @property
    def is_cut_short(self) -> bool:
        """Whether iconik may be unavailable, so that the rest of the batch should wait."""
        return any(not isinstance(error, TooLate) for _, error in self.unanswered)

    @property
    def is_small(self) -> bool:
        """Whether its deletions are verified one by one, right away."""
        return len(self.assets) <= FEW


class Batches:
    """Processes the assets of one operation in batches."""

    def __init__(
        self,
        context: Context,
        claims: Claims,
        preflight: Preflight,
        index: Index,
        stop: StopRequest,
    ) -> None:
        self._context = context
        self._iconik = iconik = context.iconik
        self._claims = claims
        self._stop = stop
        self._processor = AssetProcessor(context, claims, preflight)
        self._clock = context.leadership.clock
        self._pool = context.pool
        self._arrivals = Arrivals(index, claims, context.click.ll_storage_id, self._clock)
        self._verification = Verification(iconik, claims, index, self._clock, self._pool.map)
        self._has_put_off = False

    def process_all(self) -> bool:
        """Process all assets that can be processed now. Returns whether there were any.

        Raises:
            IconikUnavailable: iconik is unavailable.
            TokenRejected: iconik no longer accepts any token.
            OperationFailed: the storages can no longer be used.
        """
        with self._pool, logs.pool(1) as aside:
            self._see_contested()
            has_moved = self._process_batches(aside)
            return self._verification.run() or has_moved

    def _see_contested(self) -> None:
        """Check which contested assets this click can see: older operations keep the others."""
        while not self._stop.is_pending() and (
            contested := self._claims.contested(CONNECTIONS, self._clock.now_ms())
        ):
            batch = Batch(contested)
            batch.results = [
                self._pool.submit(self._process_one, each, batch, self._processor.glance)
                for each in contested
            ]
            self._finish(batch)

    def _process_batches(self, aside: ThreadPoolExecutor) -> bool:
        size, away, verifying = FIRST_BATCH, None, None
        batch = self._begin(size)
        has_moved = not batch.is_empty
        while not batch.is_empty:
            size = min(4 * size, LARGEST_BATCH[self._context.click.action])
            # The next batch begins while the last assets of this one are processed and its copies
            # are requested.
            self._await(batch, batch.results[:-CONNECTIONS])
            is_interrupted = away or batch.is_cut_short or self._stop.is_pending()
            goes_on = not (is_interrupted or self._context.leadership.others_wait())
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
        together, alone = self._arrivals.split(self._claims.take(size, self._clock.now_ms()))
        batch = Batch(alone)
        batch.listings = [self._pool.submit(self._see_arrivals, some) for some in together]
        batch.results = [
            self._pool.submit(self._process_one, each, batch, self._processor.process)
            for each in batch.assets
        ]
        return batch

    def _see_arrivals(self, assets: Sequence[ClaimedAsset]) -> None:
        self._context.leadership.check(deletes=False)
        # If a stop is pending, they stay claimed until ``Claims.leave`` releases them.
        if not self._stop.is_pending():
            self._arrivals.see(assets)

    def _await(self, batch: Batch, results: list[Future[AssetResult]]) -> None:
        """Wait for results, but purge marked file sets in time: their proofs expire."""
        while wait(results, PURGE_INTERVAL).not_done:
            self._purge(batch.purge_queue.overdue(), batch)

    def _finish(self, batch: Batch) -> None:
        self._await(batch, batch.results)
        for each in batch.listings:
            each.result()
        results = [each.result() for each in batch.results]
        self._purge(batch.purge_queue.rest(), batch)
        unanswered = {asset.asset_id for asset, _ in batch.unanswered}
        wanted = [
            (asset, batch.purged.get(asset.asset_id, result))
            for asset, result in zip(batch.assets, results, strict=True)
            if result.copies and asset.asset_id not in unanswered
        ]
        try:
            if wanted and self._stop.is_pending():
                for asset, result in wanted:
                    self._let_go(asset, 0, result.outcomes)
            elif wanted:
                self._request_copies(wanted)
        finally:
            if batch.unanswered:
                self._put_off(batch.unanswered)

    def _request_copies(self, wanted: Sequence[tuple[ClaimedAsset, AssetResult]]) -> None:
        now, click = self._clock.now_ms(), self._context.click
        known = [(asset, result.outcomes) for asset, result in wanted]
        self._claims.begin_copies(known, now)
        copies = [(asset, result.copies) for asset, result in wanted]
        copying.ask(self._iconik, self._claims, click, copies, now, self._pool.map)

    def _process_one(
        self, asset: ClaimedAsset, batch: Batch, process: Callable[[ClaimedAsset], AssetResult]
    ) -> AssetResult:
        """Process an asset of a batch, and record its state."""
        self._context.leadership.check(deletes=False)
        result = AssetResult(must_be_requeued=True)
        if self._stop.is_pending():
            # It stays claimed until ``Claims.leave`` releases it.
            return result
        # While iconik is unavailable, the rest of the batch need not find that out by itself.
        if not batch.is_cut_short:
            try:
                result = process(asset)
                asset.progress = replace(asset.progress, failures=0)
            except IconikUnavailable as error:
                batch.unanswered.append((asset, error))
                return result
            except IconikRefused as refusal:
                result = AssetResult(self._processor.give_up(asset, reason_of(refusal)))
        if result.is_being_copied:
            return result
        if result.marked:
            self._purge(batch.purge_queue.add(asset, result), batch)
        else:
            self._note(asset, result, batch)
        return result

    def _purge(self, marked: list[tuple[ClaimedAsset, AssetResult]], batch: Batch) -> None:
        """Purge what is marked deleted, and record the states of the assets.

        An asset that iconik gave no usable answer about is processed again before its copies are
        requested.
        """
        try:
            done = self._processor.purge(marked)
        except IconikUnavailable as error:
            batch.unanswered += [(asset, error) for asset, _ in marked]
            return
        for asset, found in marked:
            try:
                purged = note_purge(self._iconik, asset, found, done, self._clock.now_ms())
            except IconikUnavailable as error:
                batch.unanswered.append((asset, error))
                continue
            batch.purged[asset.asset_id] = purged
            self._note(asset, purged, batch)

    def _note(self, asset: ClaimedAsset, result: AssetResult, batch: Batch) -> None:
        if result.copies:
            # Recorded with the others of the batch, when the copies are requested.
            return
        now_ms, outcomes = self._clock.now_ms(), result.outcomes
        if result.unfinished:
            not_before_ms = now_ms + recheck_after_ms(asset, now_ms)
            self._claims.note(asset, "recheck", outcomes, not_before_ms)
        elif result.must_be_requeued:
            self._let_go(asset, 0, outcomes)
        elif asset.progress.accepted:
            not_before_ms = 0 if batch.is_small else self._verification.first_due_ms()
            self._claims.note(asset, "verifying", outcomes, not_before_ms)
        else:
            self._claims.note(asset, "done", outcomes)

    def _put_off(self, unanswered: list[tuple[ClaimedAsset, IconikUnavailable]]) -> None:
        """Postpone assets that iconik did not answer about, unless iconik is entirely unavailable.

        Raises:
            IconikUnavailable: iconik is entirely unavailable.
        """
        try:
            self._iconik.storage(self._context.click.ll_storage_id)
        except IconikUnavailable:
            for asset, _ in unanswered:
                self._let_go(asset, 0)
            raise
        # One line per asset would be thousands during a partial outage; the report names them.
        level = logging.DEBUG if self._has_put_off else logging.WARNING
        more = f" (and {len(unanswered) - 1} more like this)" if len(unanswered) > 1 else ""
        log.log(level, "%s%s; other assets continue", unanswered[0][1], more)
        self._has_put_off = True
        for asset, error in unanswered:
            failures = asset.progress.failures + 1
            asset.progress = replace(asset.progress, failures=failures)
            most = MOST_INCOMPLETE if isinstance(error, Incomplete) else MOST_FAILURES
            if failures < most:
                wait_ms = min(2**failures * 1000, LATEST_RETRY_MS)
                self._let_go(asset, self._clock.now_ms() + wait_ms)
            else:
                reason = reason_of(error) + f" ({most} attempts)"
                self._claims.note(asset, "done", self._processor.give_up(asset, reason))

    def _let_go(
        self,
        asset: ClaimedAsset,
        not_before_ms: int,
        outcomes: Mapping[str, Outcome] | None = None,
    ) -> None:
        """Process an asset again later, after other operations if nothing is under way for it."""
        state = "recheck" if asset.progress.is_touched else "queued"
        self._claims.note(asset, state, outcomes or {}, not_before_ms)
