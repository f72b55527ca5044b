"""Processes one asset of an operation: carries out the action, and follows copies in doubt."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from b2_iconik.domain.outcomes import Outcome, given_up
from b2_iconik.domain.progress import ClaimedAsset
from b2_iconik.domain.reasons import EARLIER, UNDONE, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation import copying, deletion
from b2_iconik.operation.context import Context
from b2_iconik.operation.decisions import AssetResult, vanished
from b2_iconik.operation.deletion import Done
from b2_iconik.operation.deletion_results import note_purge
from b2_iconik.operation.execution import (
    process_add,
    process_preview,
    process_remove,
    process_undo,
)
from b2_iconik.operation.grace_period import GracePeriod
from b2_iconik.operation.interrupted import as_wanted, restore_all
from b2_iconik.operation.proving import RemoveContext, confirm
from b2_iconik.operation.snapshot import Patience, see
from b2_iconik.operation.storages import Preflight
from iconik import Iconik


class AssetProcessor:
    """Processes the assets of one operation, one by one. Its methods may run in parallel."""

    def __init__(self, context: Context, claims: Claims, preflight: Preflight) -> None:
        self._context = context
        self._iconik = context.iconik
        self._claims = claims
        self._clock = context.leadership.clock
        click, settings = context.click, context.settings
        is_preview = click.action == "preview"
        self._removal = RemoveContext(
            context.iconik,
            claims,
            context.capabilities,
            click.ll_storage_id,
            click.b2_storage_id,
            preflight,
            partial(confirm, context.bucket, self._iconik, preflight, is_preview=is_preview),
            settings.require_checksum,
            GracePeriod(context.searching) if settings.purge == "later" else None,
        )

    def process(self, asset: ClaimedAsset) -> AssetResult:
        """Process an asset, twice if a copy seems to have ended without its file."""
        if asset.must_be_seen:
            return self.glance(asset)
        is_in_doubt = asset.progress.unanswered_until_ms is not None
        if is_in_doubt and self._follow_unknown_copies(asset):
            return AssetResult(is_being_copied=True)
        result = self._process_once(asset)
        if not result.unless_copied:
            return result
        if result.marked:
            # The copies of other formats may take days.
            done = self.purge([(asset, result)])
            result = note_purge(self._iconik, asset, result, done, self._clock.now_ms())
        self._claims.note(asset, "claimed", result.outcomes)
        if self._follow_unknown_copies(asset):
            return AssetResult(is_being_copied=True)
        # A copy may have ended since the asset was read.
        result = self._process_once(asset)
        return result.with_outcomes(result.unless_copied)

    def glance(self, asset: ClaimedAsset) -> AssetResult:
        """Check whether the click's token can see an asset."""
        if see(self._iconik_for(asset), asset.asset_id) is None:
            return vanished(asset.formats)
        asset.seen = True
        # Others must release it first, or it is claimed again with what they have left.
        return AssetResult(must_be_requeued=True)

    def purge(self, marked: Sequence[tuple[ClaimedAsset, AssetResult]]) -> Done:
        """Purge the marked file sets of some assets together; see ``deletion.purge``."""
        file_sets = {each: asset.asset_id for asset, found in marked for each in found.marked}
        until = min((found.until for _, found in marked), default=0.0)
        return deletion.purge(self._iconik, self._context.capabilities, file_sets, until)

    def give_up(self, asset: ClaimedAsset, reason: Reason) -> dict[str, Outcome]:
        """Restore the marked file sets of an asset that is given up. Returns its outcomes."""
        action = self._context.click.action
        why = {"add": EARLIER, "undo": UNDONE}.get(action, reason)
        restored, _ = restore_all(self._iconik, asset, why)
        told = given_up(asset.formats, asset.progress.unaccepted, reason)
        return {**told, **as_wanted(action, restored)}

    def _process_once(self, asset: ClaimedAsset) -> AssetResult:
        click, iconik = self._context.click, self._iconik_for(asset)
        settle_ms = self._context.settings.settle_time // timedelta(milliseconds=1)
        patience = Patience(self._clock.now_ms(), settle_ms)
        if click.action == "add":
            return process_add(iconik, asset, click.ll_storage_id, patience)
        if click.action == "undo":
            return process_undo(iconik, asset, click.ll_storage_id)
        process = process_remove if click.action == "remove" else process_preview
        return process(replace(self._removal, iconik=iconik), asset, patience)

    def _follow_unknown_copies(self, asset: ClaimedAsset) -> bool:
        iconik = self._iconik_for(asset)
        return copying.follow_unrecorded(iconik, self._claims, asset, self._clock.now_ms())

    def _iconik_for(self, asset: ClaimedAsset) -> Iconik:
        """An ``Iconik`` whose rights to an asset do not exceed those of the click's own token."""
        return self._iconik.limited(lambda: asset.seen)
