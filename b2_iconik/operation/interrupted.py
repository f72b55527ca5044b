"""Interrupted deletions: finished if the same proof still holds, restored otherwise.

iconik empties its delete queue by itself after a day, so an unresolved mark becomes a deletion.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from b2_iconik.domain import reasons
from b2_iconik.domain.custody import Unproven, Verdict
from b2_iconik.domain.operation import ClaimedAsset, Deletion
from b2_iconik.domain.outcomes import Outcome, proof_of
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.leftovers import Left, Leftovers
from b2_iconik.operation import audit, deletion
from b2_iconik.operation.decisions import Failures, Inspection, vanished
from b2_iconik.operation.proving import Removal, deletion_of, judge_again, prove, standing_in
from b2_iconik.operation.snapshot import Snapshot
from iconik import Iconik
from iconik_http.errors import IconikRefused, IconikUnavailable, NotFound, TokenRejected
from iconik_http.records import ACTIVE, DELETED

# How long iconik may take to carry out a deletion that it has accepted, in milliseconds.
CARRIED_OUT_AFTER_MS = 60_000


def resume(removal: Removal, asset: ClaimedAsset, now_ms: int) -> Inspection:
    """Finish the deletions that were begun for an asset, or restore its file sets.

    A file set that isn't deleted must be proven like any other. A file set that is marked deleted
    is purged only if the proof stored with it holds again, including the bucket's answer.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    inspection = Inspection()
    if not asset.progress.deletions:
        return inspection
    statuses = _statuses(removal.iconik, asset.asset_id)
    inspection = inspection.with_failures(verify(asset, statuses, now_ms))
    for file_set_id, begun in asset.progress.unaccepted.items():
        if statuses.get(file_set_id, DELETED) != DELETED:
            asset.progress = asset.progress.without_deletions([file_set_id])
            continue
        finished = _finish(removal, asset, file_set_id, begun, now_ms)
        if finished is None:
            return vanished(each.name for each in asset.progress.deletions.values())
        inspection = inspection.with_outcomes(finished.outcomes).with_failures(finished.failures)
    return inspection


def _statuses(iconik: Iconik, asset_id: str) -> Mapping[str, str]:
    try:
        return {each.id: each.status for each in iconik.file_sets(asset_id)}
    except NotFound:
        return {}


def _finish(
    removal: Removal, asset: ClaimedAsset, file_set_id: str, begun: Deletion, now_ms: int
) -> Inspection | None:
    """Purge or restore a file set that is marked deleted. Returns None if the asset is gone."""

    def judge_all(snapshot: Snapshot) -> Mapping[str, list[Verdict]]:
        return {begun.name: [judge_again(file_set_id, begun, snapshot, removal.storages)]}

    def as_before(snapshot: Snapshot) -> Snapshot:
        return standing_in(file_set_id, begun, snapshot)

    proven = prove(removal, asset.asset_id, judge_all, as_before)
    if proven is None:
        return None
    asset.seen = True
    (verdict,) = proven.verdicts[begun.name]
    if isinstance(verdict, Unproven):
        reason = verdict.reason + ", found after its file set was marked deleted"
        return Inspection(failures=restore(removal.iconik, asset, {file_set_id: reason}))
    marked, until = {file_set_id: asset.asset_id}, proven.snapshot.until
    done = deletion.purge_one_by_one(removal.iconik, marked, until)
    if done.refusals:
        return Inspection(failures=restore(removal.iconik, asset, done.refusals))
    proved_again = deletion_of(begun.name, verdict, proven)
    asset.progress = asset.progress.with_deletions({file_set_id: proved_again})
    proof = proof_of([proved_again.strength])
    removed = {begun.name: Outcome("removed", reasons.NO_REASON, proof)}
    accept(asset, file_set_id, now_ms, is_doubted=bool(done.unknown))
    # The next deletion may be interrupted, too. Without this, nothing would record this one.
    removal.claims.note(asset, "claimed", removed)
    return Inspection(removed)


def accept(asset: ClaimedAsset, file_set_id: str, now_ms: int, *, is_doubted: bool) -> None:
    """Record in an asset's progress that iconik has accepted a deletion, still to be verified."""
    begun = asset.progress.deletions[file_set_id]
    audit.deleted(asset, file_set_id, begun)
    accepted = replace(
        begun,
        proof=begun.proof and replace(begun.proof, pairs=()),
        accepted_ms=now_ms,
        is_doubted=is_doubted,
    )
    # However often its proofs had expired, the asset has moved on.
    moved_on = replace(asset.progress, failures=0)
    asset.progress = moved_on.with_deletions({file_set_id: accepted})


def verify(asset: ClaimedAsset, statuses: Mapping[str, str], now_ms: int) -> Failures:
    """Compare an asset's accepted deletions with what iconik lists now, and update its progress.

    Args:
        statuses: by id, the status of each file set that is listed.

    Returns:
        The deletions that were not carried out. A deletion that iconik may still carry out stays in
        the asset's progress.
    """
    failures = {}
    for file_set_id, begun in asset.progress.accepted.items():
        is_there = statuses.get(file_set_id) == ACTIVE
        if is_there and begun.accepted_for_ms(now_ms) < CARRIED_OUT_AFTER_MS:
            doubted = {file_set_id: replace(begun, is_doubted=True)}
            asset.progress = asset.progress.with_deletions(doubted)
            continue
        asset.progress = asset.progress.without_deletions([file_set_id])
        if is_there:
            audit.still_there(asset, file_set_id)
            failures[file_set_id] = (begun.name, reasons.STILL_THERE(file_set_id=file_set_id))
    return failures


def restore(iconik: Iconik, asset: ClaimedAsset, why: Mapping[str, Reason]) -> Failures:
    """Restore file sets that are marked deleted but must not be purged.

    Args:
        asset: the asset. Its progress keeps only what could not be restored.
        why: the reasons, by file set id.

    Returns:
        What to report about them.

    Raises:
        IconikUnavailable: iconik gave no usable answer.
        TokenRejected: iconik no longer accepts any token.
    """
    told = {}
    for file_set_id, reason in why.items():
        name = asset.progress.deletions[file_set_id].name
        told[file_set_id] = (name, _restore(iconik, asset, file_set_id, reason))
    return told


def _restore(iconik: Iconik, asset: ClaimedAsset, file_set_id: str, reason: Reason) -> Reason:
    """Restore one file set. Returns what to report about it."""
    rest = asset.progress.without_deletions([file_set_id])
    try:
        iconik.restore_file_set(asset.asset_id, file_set_id)
    except NotFound:
        asset.progress = rest
        return reasons.CANT_BE_RESTORED(reason=reason, file_set_id=file_set_id)
    except TokenRejected:
        raise
    except IconikRefused as refusal:
        if not _is_active(iconik, asset.asset_id, file_set_id):
            return reasons.NOT_RESTORED(reason=reason, refusal=refusal, file_set_id=file_set_id)
    asset.progress = rest
    return reasons.RESTORED(reason.cause, reason=reason, file_set_id=file_set_id)


def _is_active(iconik: Iconik, asset_id: str, file_set_id: str) -> bool:
    """Whether somebody else has restored a file set."""
    try:
        return _statuses(iconik, asset_id).get(file_set_id) == ACTIVE
    except TokenRejected:
        raise
    except IconikRefused:
        return False


def restore_all(
    iconik: Iconik, asset: ClaimedAsset, reason: Reason
) -> tuple[dict[str, Outcome], bool]:
    """Restore all file sets of an asset that are marked deleted, as far as iconik can be reached.

    Args:
        reason: why, as the beginning of what is reported.

    Returns:
        Outcomes to report, by format name; and whether iconik could be reached.
    """
    inspection, is_reached = Inspection(), True
    for file_set_id in asset.progress.unaccepted:
        try:
            failures = restore(iconik, asset, {file_set_id: reason})
        except (IconikUnavailable, TokenRejected):
            is_reached = False
            break
        inspection = inspection.with_failures(failures)
    return dict(inspection.outcomes), is_reached


def restore_leftovers(
    iconik: Iconik, leftovers: Leftovers, left: Iterable[Left], reason: Reason
) -> None:
    """Restore what operations left marked deleted. Stops when iconik can't be reached."""
    for each in left:
        asset = each.asset
        told = unverified(asset)
        asset.progress = replace(asset.progress, deletions=asset.progress.unaccepted)
        restored, is_reached = restore_all(iconik, asset, reason)
        leftovers.note(each, {**told, **restored})
        if not is_reached:
            return


def unverified(asset: ClaimedAsset) -> dict[str, Outcome]:
    """Outcomes to report for accepted deletions that can't be verified."""
    return {
        each.name: Outcome("removed", reasons.ACCEPTED, *asset.outcomes[each.name][2:3])
        for each in asset.progress.accepted.values()
        if asset.outcomes.get(each.name, ("",))[0] == "removed"
    }
