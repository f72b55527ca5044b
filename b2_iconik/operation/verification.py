"""Verifies that iconik has carried out the deletions that it accepted.

One search covers a hundred assets, but its index lags. So the search is repeated for a while, and
then an asset's own list of file sets decides. If the search shows no files, the file sets of a
sample of the assets are listed. If one of the sample still has a deleted file set, those of all
assets are.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from b2_iconik.common.clock import Clock
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import ClaimedAsset
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.deletion_results import (
    CARRIED_OUT_AFTER_MS,
    unverified,
    verify,
)
from b2_iconik.operation.index import Index
from b2_iconik.operation.together import MOST
from iconik import Iconik
from iconik_http.errors import IconikRefused, IconikUnavailable
from iconik_http.records import DELETED, Listed

log = logging.getLogger(__name__)

# Up to this many assets are listed individually right away, without waiting for the index.
FEW = 3
FIRST_DUE_MS = 2_000
# If the search shows no files, one in this many assets is listed.
SAMPLED = 50
MOST_FAILURES = 10


class Verification:
    """Verifies the accepted deletions of one operation."""

    def __init__(
        self,
        iconik: Iconik,
        claims: Claims,
        index: Index,
        clock: Clock,
        side_by_side: Callable[..., Iterable[bool]] = map,
    ) -> None:
        self._iconik = iconik
        self._claims = claims
        self._index = index
        self._clock = clock
        self._side_by_side = side_by_side

    def first_due_ms(self) -> int:
        """When to verify a deletion that iconik accepts now, by the clock of operations."""
        return self._together(self._clock.now_ms() + FIRST_DUE_MS)

    def _together(self, not_before_ms: int) -> int:
        """Round a time, so that assets are due together: more at once need fewer requests each."""
        return -(-not_before_ms // FIRST_DUE_MS) * FIRST_DUE_MS

    def run(self, least: int = 1) -> bool:
        """Verify what is due. Returns whether any result is known now.

        Args:
            least: how many assets must be due; more at once need fewer requests each.

        Raises:
            TokenRejected: iconik no longer accepts any token.
        """
        has_moved = False
        while len(assets := self._claims.accepted(MOST, self._clock.now_ms())) >= least:
            has_moved = self._verify(assets) or has_moved
        return has_moved

    def _verify(self, assets: Sequence[ClaimedAsset]) -> bool:
        seen = self._seen_gone(assets) if len(assets) > FEW else set[str]()
        self._done([(each, {}) for each in assets if each.asset_id in seen])
        rest = [each for each in assets if each.asset_id not in seen]
        alone = [each for each in rest if len(assets) <= FEW or self._is_to_be_listed(each)]
        others = [each for each in rest if each not in alone]
        samples = self._index.is_lacking and not alone
        sample = others[: 1 + len(others) // SAMPLED] if samples else []
        is_gone = list(self._side_by_side(self._list, [*alone, *sample]))
        others = [each for each in others if each not in sample]
        if sample and all(is_gone):
            self._done([(each, unverified(each)) for each in others])
        else:
            self._put_off(others)
        return bool(seen) or any(is_gone)

    def _is_to_be_listed(self, asset: ClaimedAsset) -> bool:
        return _is_doubted(asset) or any(
            each.accepted_for_ms(self._clock.now_ms()) >= CARRIED_OUT_AFTER_MS
            for each in asset.progress.accepted.values()
        )

    def _seen_gone(self, assets: Iterable[ClaimedAsset]) -> set[str]:
        """The ids of the assets that the search index shows without their deleted file sets."""
        by_id = {each.asset_id: each for each in assets if not _is_doubted(each)}
        try:
            found = self._index.find(list(by_id))
        except IconikUnavailable:
            return set()
        return {each for each, listed in found.items() if _is_gone(by_id[each], listed)}

    def _list(self, asset: ClaimedAsset) -> bool:
        """List the file sets of an asset, and record the result. Returns whether all are gone."""
        try:
            file_sets = self._iconik.file_sets(asset.asset_id)
        except IconikRefused:
            self._done([(asset, unverified(asset))])
            return True
        except IconikUnavailable as error:
            times = asset.progress.failures + 1
            asset.progress = replace(asset.progress, failures=times)
            if times < MOST_FAILURES:
                self._put_off([asset])
                return False
            log.warning("%s; the deletion is not verified", error)
            self._done([(asset, unverified(asset))])
            return True
        statuses = {each.id: each.status for each in file_sets}
        failures = verify(asset, statuses, self._clock.now_ms())
        if asset.progress.accepted:
            self._put_off([asset])
            return False
        self._done([(asset, AssetResult().with_failures(failures).outcomes)])
        return not failures

    def _done(self, assets: Sequence[tuple[ClaimedAsset, Mapping[str, Outcome]]]) -> None:
        for each, _ in assets:
            each.progress = replace(each.progress, deletions=each.progress.unaccepted)
        if assets:
            self._claims.note_all(assets, "done")

    def _put_off(self, assets: Sequence[ClaimedAsset]) -> None:
        """Verify some assets later: at growing intervals, and once iconik has had its time."""
        now = self._clock.now_ms()
        for each in assets:
            age = max(one.accepted_for_ms(now) for one in each.progress.accepted.values())
            left = CARRIED_OUT_AFTER_MS - age
            wait = min(max(age // 2, FIRST_DUE_MS), left if left > 0 else CARRIED_OUT_AFTER_MS)
            self._claims.note(each, "verifying", {}, self._together(now + wait))


def _is_gone(asset: ClaimedAsset, listed: Listed) -> bool:
    """Whether an index shows the twins of deleted file sets, but no longer the file sets.

    An index that shows neither proves nothing.
    """
    shown = {file.file_set_id for file in listed.files if file.file_set_status != DELETED}
    return all(
        file_set_id not in shown and begun.proof is not None and begun.proof.twin_id in shown
        for file_set_id, begun in asset.progress.accepted.items()
    )


def _is_doubted(asset: ClaimedAsset) -> bool:
    return any(each.is_doubted for each in asset.progress.accepted.values())
