"""What becomes of a deletion in iconik: accepted, carried out, or restored.

Each function keeps the asset's progress up to date.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from b2_iconik.domain import reasons
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import ClaimedAsset
from b2_iconik.domain.reasons import Reason
from b2_iconik.operation import audit
from b2_iconik.operation.decisions import AssetResult, Failures
from b2_iconik.operation.deletion import Done
from iconik import Iconik
from iconik_http.errors import IconikRefused, NotFound
from iconik_http.records import ACTIVE

# How long iconik may take to carry out a deletion that it has accepted, in milliseconds.
CARRIED_OUT_AFTER_MS = 60_000


def accept(asset: ClaimedAsset, file_set_ids: Iterable[str], done: Done, now_ms: int) -> None:
    """Record in an asset's progress that iconik has accepted deletions, still to be verified.

    Args:
        file_set_ids: what iconik has accepted to delete.
        done: its answer. What is only marked deleted can be restored for a while.
    """
    for each in file_set_ids:
        begun, is_marked = asset.progress.deletions[each], each in done.marked
        audit.deleted(asset, each, begun, is_marked=is_marked)
        accepted = replace(
            begun,
            proof=begun.proof and replace(begun.proof, pairs=()),
            accepted_ms=now_ms,
            is_doubted=each in done.unknown,
        )
        # However often its proofs had expired, the asset has moved on.
        moved_on = replace(asset.progress, failures=0)
        asset.progress = moved_on.with_deletions({each: accepted})
        if is_marked:
            all_marked = {**asset.progress.marked, each: accepted}
            asset.progress = replace(asset.progress, marked=all_marked)


def note_purge(
    iconik: Iconik, asset: ClaimedAsset, result: AssetResult, done: Done, now_ms: int
) -> AssetResult:
    """Record the result of a purge in an asset's progress, and return the asset's new result.

    File sets that iconik refused to purge are restored.

    Args:
        result: the result that led to the purge.
        done: iconik's answer.

    Raises:
        IconikUnavailable: iconik gave no usable answer to a restoration.
    """
    refusals = {key: done.refusals[key] for key in result.marked if key in done.refusals}
    accept(asset, [key for key in result.marked if key not in refusals], done, now_ms)
    failures = restore(iconik, asset, refusals)
    return replace(result, marked=()).with_failures(failures)


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
    except IconikRefused as refusal:
        # It may be a repetition: this process was killed before it could record the first request.
        if not _is_active(iconik, asset.asset_id, file_set_id):
            if not isinstance(refusal, NotFound):
                return reasons.NOT_RESTORED(reason=reason, refusal=refusal, file_set_id=file_set_id)
            asset.progress = rest
            return reasons.CANT_BE_RESTORED(reason=reason, file_set_id=file_set_id)
    audit.restored(asset, file_set_id, asset.progress.deletions[file_set_id].name)
    asset.progress = rest
    return reasons.RESTORED(reason.cause, reason=reason, file_set_id=file_set_id)


def _is_active(iconik: Iconik, asset_id: str, file_set_id: str) -> bool:
    """Whether somebody else has restored a file set."""
    try:
        return statuses_of(iconik, asset_id).get(file_set_id) == ACTIVE
    except IconikRefused:
        return False


def unverified(asset: ClaimedAsset) -> dict[str, Outcome]:
    """Outcomes to report for accepted deletions that can't be verified."""
    told = {name: Outcome.read(each) for name, each in asset.outcomes.items()}
    return {
        each.name: replace(told[each.name], reason=reasons.ACCEPTED)
        for each in asset.progress.accepted.values()
        if each.name in told and told[each.name].kind == "removed"
    }


def statuses_of(iconik: Iconik, asset_id: str) -> Mapping[str, str]:
    try:
        return {each.id: each.status for each in iconik.file_sets(asset_id)}
    except NotFound:
        return {}
