"""Sees in iconik's search index, a hundred assets at once, that copies to LucidLink have arrived.

The index lags, so it is searched again at growing intervals. An asset is read by itself if the
index shows a copy that differs from its source, or no complete copy within a minute.
"""

from collections.abc import Sequence
from dataclasses import replace

from b2_iconik.common.clock import Clock
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import ClaimedAsset
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation.hints import arrived, may_be_listed
from b2_iconik.operation.index import Index
from b2_iconik.operation.together import groups
from iconik_http.errors import IconikUnavailable

SOONEST_RECHECK_MS = 1_000
LATEST_RECHECK_MS = 60_000


def recheck_after_ms(asset: ClaimedAsset, now_ms: int) -> int:
    """How long to wait for something unfinished: longer, the older it is."""
    age = now_ms - (asset.progress.unfinished_ms or now_ms)
    return min(max(age // 2, SOONEST_RECHECK_MS), LATEST_RECHECK_MS)


class Arrivals:
    """Sees arrivals for one operation."""

    def __init__(self, index: Index, claims: Claims, ll_storage_id: str, clock: Clock) -> None:
        self._index = index
        self._claims = claims
        self._ll_storage_id = ll_storage_id
        self._clock = clock

    def split(
        self, assets: Sequence[ClaimedAsset]
    ) -> tuple[list[Sequence[ClaimedAsset]], list[ClaimedAsset]]:
        """Tell assets that the index may show from those that must be read.

        Returns:
            Groups for ``see``; and the others.
        """
        if not self._claims.is_add or self._index.is_lacking:
            return [], list(assets)
        now_ms = self._clock.now_ms()
        listed = [each for each in assets if may_be_listed(each, now_ms)]
        ids = {each.asset_id for each in listed}
        return groups(listed), [each for each in assets if each.asset_id not in ids]

    def see(self, assets: Sequence[ClaimedAsset]) -> None:
        """Search for claimed assets, at most ``MOST``, and record what has arrived.

        Raises:
            TokenRejected: iconik no longer accepts any token.
        """
        try:
            found = self._index.find([each.asset_id for each in assets])
        except IconikUnavailable:
            found = {}
        now_ms = self._clock.now_ms()
        done: list[tuple[ClaimedAsset, dict[str, Outcome]]] = []
        late: dict[int, list[ClaimedAsset]] = {}
        for asset in assets:
            listed = found.get(asset.asset_id)
            outcomes = arrived(asset, listed, self._ll_storage_id) if listed else None
            if outcomes:
                done.append((asset, outcomes))
                continue
            wait_ms = 0
            if outcomes is not None:
                asset.progress = replace(asset.progress, ready=())
            elif not self._index.is_lacking:
                since_ms = asset.progress.unfinished_ms or now_ms
                asset.progress = replace(asset.progress, unfinished_ms=since_ms)
                wait_ms = recheck_after_ms(asset, now_ms)
            late.setdefault(wait_ms, []).append(asset)
        if done:
            self._claims.note_all(done, "done")
        for wait_ms, some in late.items():
            self._claims.note_all([(each, {}) for each in some], "recheck", now_ms + wait_ms)
