"""Interrupted deletions: finished if the same proof still holds, restored otherwise.

With PURGE=later, a file set that is marked deleted needs nothing more than its record.

iconik empties its delete queue by itself after a day, so an unresolved mark becomes a deletion.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from b2_iconik.domain import reasons
from b2_iconik.domain.click import Action
from b2_iconik.domain.custody import Unproven, Verdict
from b2_iconik.domain.outcomes import Outcome, proof_of
from b2_iconik.domain.progress import ClaimedAsset, Deletion
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.leftovers import RESTORING, Left, Leftovers
from b2_iconik.operation import deletion
from b2_iconik.operation.decisions import AssetResult, Failures, vanished
from b2_iconik.operation.deletion_results import (
    accept,
    restore,
    statuses_of,
    unverified,
    verify,
)
from b2_iconik.operation.proving import RemoveContext, deletion_of, judge_again, prove, standing_in
from b2_iconik.operation.snapshot import Snapshot
from iconik import Iconik
from iconik_http.errors import IconikUnavailable, TokenRejected
from iconik_http.records import DELETED


def resume(removal: RemoveContext, asset: ClaimedAsset, now_ms: int) -> AssetResult:
    """Finish the deletions that were begun for an asset, or restore its file sets.

    A file set that isn't deleted must be proven like any other. A file set that is marked deleted
    is purged only if the proof stored with it holds again, including the bucket's answer.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    result = AssetResult()
    if not asset.progress.deletions:
        return result
    statuses = statuses_of(removal.iconik, asset.asset_id)
    result = result.with_failures(verify(asset, statuses, now_ms))
    for file_set_id, begun in asset.progress.unaccepted.items():
        if statuses.get(file_set_id, DELETED) != DELETED:
            asset.progress = asset.progress.without_deletions([file_set_id])
            continue
        finished = _finish(removal, asset, file_set_id, begun, now_ms)
        if finished is None:
            return vanished(each.name for each in asset.progress.deletions.values())
        result = result.with_outcomes(finished.outcomes).with_failures(finished.failures)
    return result


def _finish(
    removal: RemoveContext, asset: ClaimedAsset, file_set_id: str, begun: Deletion, now_ms: int
) -> AssetResult | None:
    """Purge or restore a file set that is marked deleted. Returns None if the asset is gone."""

    def judge_all(snapshot: Snapshot) -> Mapping[str, list[Verdict]]:
        return {begun.name: [judge_again(file_set_id, begun, snapshot, removal.storages)]}

    def as_before(snapshot: Snapshot) -> Snapshot:
        return standing_in(file_set_id, begun, snapshot)

    judged = prove(removal, asset.asset_id, judge_all, as_before)
    if judged is None:
        return None
    asset.seen = True
    (verdict,) = judged.verdicts[begun.name]
    if isinstance(verdict, Unproven):
        reason = verdict.reason + ", found after its file set was marked deleted"
        return AssetResult(failures=restore(removal.iconik, asset, {file_set_id: reason}))
    if removal.grace_period:
        # For an operation that began with PURGE=now.
        removal.claims.open_window(replace(removal.grace_period.begin(), is_about=True))
        done = deletion.Done(marked=[file_set_id])
    else:
        marked, until = {file_set_id: asset.asset_id}, judged.snapshot.until
        done = deletion.purge_one_by_one(removal.iconik, marked, until)
    if done.refusals:
        return AssetResult(failures=restore(removal.iconik, asset, done.refusals))
    proved_again = deletion_of(begun.name, verdict, judged)
    asset.progress = asset.progress.with_deletions({file_set_id: proved_again})
    proof = proof_of([proved_again.strength])
    removed = {begun.name: Outcome("removed", reasons.NO_REASON, proof, verdict.size)}
    accept(asset, [file_set_id], done, now_ms)
    # Record it now: if the next deletion is interrupted, too, nothing else would.
    removal.claims.note(asset, "claimed", removed)
    return AssetResult(removed)


def bring_back(iconik: Iconik, asset: ClaimedAsset, reason: Reason) -> Failures:
    """Restore all file sets of an asset that are marked deleted, as its operation is to do.

    If iconik gives no usable answer about one, all are restored again later: for a file set that is
    restored already, that changes nothing.

    Args:
        reason: as in ``restore_all``.

    Returns:
        What to report about them, as in ``restore``.

    Raises:
        IconikUnavailable, TokenRejected: as ``restore``.
    """
    before = asset.progress
    try:
        return restore(iconik, asset, dict.fromkeys(before.unaccepted, reason))
    except (IconikUnavailable, TokenRejected):
        asset.progress = before
        raise


def restore_all(
    iconik: Iconik, asset: ClaimedAsset, reason: Reason
) -> tuple[dict[str, Outcome], bool]:
    """Restore all file sets of an asset that are marked deleted, as far as iconik can be reached.

    Args:
        reason: why, as the beginning of what is reported.

    Returns:
        Outcomes to report, by format name; and whether iconik could be reached.
    """
    result, is_reached = AssetResult(), True
    for file_set_id in asset.progress.unaccepted:
        try:
            failures = restore(iconik, asset, {file_set_id: reason})
        except (IconikUnavailable, TokenRejected):
            is_reached = False
            break
        result = result.with_failures(failures)
    return dict(result.outcomes), is_reached


def as_wanted(action: Action, restored: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """The outcomes of restorations by an operation: an Add and an Undo are to restore."""
    return {
        name: Outcome("restored", each.reason)
        if action in RESTORING and each.reason.cause == Cause.RESTORED
        else each
        for name, each in restored.items()
    }


def restore_leftovers(
    iconik: Iconik, leftovers: Leftovers, left: Iterable[Left], reason: Reason
) -> None:
    """Restore what operations left marked deleted. Stops when iconik can't be reached."""
    for each in left:
        asset = each.asset
        told = unverified(asset)
        asset.progress = replace(asset.progress, deletions=asset.progress.unaccepted)
        restored, is_reached = restore_all(iconik, asset, reason)
        leftovers.note(each, {**told, **as_wanted(each.action, restored)})
        if not is_reached:
            return
