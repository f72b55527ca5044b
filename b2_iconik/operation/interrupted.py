"""Interrupted deletions: finished if the same proof still holds, restored otherwise.

iconik empties its delete queue by itself after a day, so an unresolved mark becomes a deletion.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from b2_iconik.domain import reasons
from b2_iconik.domain.custody import Unproven, Verdict
from b2_iconik.domain.operation import ClaimedAsset, Deletion
from b2_iconik.domain.outcomes import Outcome, proof_of
from b2_iconik.domain.reasons import Reason, joined
from b2_iconik.ledger.leftovers import Left, Leftovers
from b2_iconik.operation import audit, deletion
from b2_iconik.operation.proving import Removal, deletion_of, judge_again, prove, standing_in
from b2_iconik.operation.snapshot import Inspection, Snapshot, vanished
from iconik import Iconik
from iconik_http.errors import IconikRefused, IconikUnavailable, NotFound, TokenRejected
from iconik_http.records import ACTIVE, DELETED

# How long iconik may take to carry out a deletion that it has accepted, in milliseconds.
CARRIED_OUT_AFTER_MS = 60_000


def resume(removal: Removal, held: ClaimedAsset, now_ms: int) -> Inspection:
    """Finish the deletions that were begun for an asset, or restore its file sets.

    A file set that isn't deleted must be proven like any other. A file set that is marked deleted
    is purged only if the proof stored with it holds again, including the bucket's answer.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    look = Inspection()
    if not held.memo.deleting:
        return look
    statuses = _statuses(removal.iconik, held.asset_id)
    for file_set_id, begun in held.memo.accepted.items():
        look.failures |= verified(held, file_set_id, begun, statuses.get(file_set_id), now_ms)
    for file_set_id, begun in held.memo.unaccepted.items():
        status = statuses.get(file_set_id)
        if status not in (None, DELETED):
            del held.memo.deleting[file_set_id]
        elif not _finish(removal, held, file_set_id, begun, look, now_ms):
            return vanished(each.name for each in held.memo.deleting.values())
    tell_failures(look)
    return look


def _statuses(iconik: Iconik, asset_id: str) -> Mapping[str, str]:
    try:
        return {each.id: each.status for each in iconik.file_sets(asset_id)}
    except NotFound:
        return {}


def _finish(
    removal: Removal,
    held: ClaimedAsset,
    file_set_id: str,
    begun: Deletion,
    look: Inspection,
    now_ms: int,
) -> bool:
    """Purge or restore a file set that is marked deleted. Returns False if the asset is gone."""

    def judge_all(snapshot: Snapshot) -> Mapping[str, list[Verdict]]:
        return {begun.name: [judge_again(file_set_id, begun, snapshot, removal.storages)]}

    def as_before(snapshot: Snapshot) -> Snapshot:
        return standing_in(file_set_id, begun, snapshot)

    proven = prove(removal, held.asset_id, judge_all, as_before)
    if proven is None:
        return False
    held.seen = True
    (verdict,) = proven.verdicts[begun.name]
    if isinstance(verdict, Unproven):
        reason = verdict.reason + ", found after its file set was marked deleted"
        look.failures |= restore(removal.iconik, held, {file_set_id: reason})
        return True
    marked, until = {file_set_id: held.asset_id}, proven.snapshot.until
    done = deletion.purge_one_by_one(removal.iconik, marked, until)
    if done.refusals:
        look.failures |= restore(removal.iconik, held, done.refusals)
        return True
    held.memo.deleting[file_set_id] = deletion_of(begun.name, verdict, proven)
    begun = held.memo.deleting[file_set_id]
    look.outcomes[begun.name] = Outcome("removed", reasons.NO_REASON, proof_of([begun.strength]))
    accept(held, file_set_id, now_ms, is_doubted=bool(done.unknown))
    # The next deletion may be interrupted, too. Without this, nothing would record this one.
    removal.claims.note(held, "held", {begun.name: look.outcomes[begun.name]})
    return True


def accept(held: ClaimedAsset, file_set_id: str, now_ms: int, *, is_doubted: bool) -> None:
    """Record in an asset's progress that iconik has accepted a deletion, still to be verified."""
    begun = held.memo.deleting[file_set_id]
    audit.deleted(held, file_set_id, begun)
    held.memo.deleting[file_set_id] = replace(
        begun,
        proof=begun.proof and replace(begun.proof, pairs=()),
        accepted_ms=max(now_ms, 1),
        is_doubted=is_doubted,
    )
    # However often its proofs had expired, the asset has moved on.
    held.memo.failures = 0


def verified(
    held: ClaimedAsset, file_set_id: str, begun: Deletion, status: str | None, now_ms: int
) -> dict[str, tuple[str, Reason]]:
    """Compare an accepted deletion with what iconik lists now, and update the asset's progress.

    Args:
        status: the file set's status; None if it is no longer listed.

    Returns:
        By file set id, the format's name and what failed. Empty if the deletion is done, or may
        still be carried out.
    """
    if status != ACTIVE:
        del held.memo.deleting[file_set_id]
        return {}
    if now_ms - begun.accepted_ms < CARRIED_OUT_AFTER_MS:
        held.memo.deleting[file_set_id] = replace(begun, is_doubted=True)
        return {}
    del held.memo.deleting[file_set_id]
    audit.still_there(held, file_set_id)
    return {file_set_id: (begun.name, reasons.STILL_THERE(file_set_id=file_set_id))}


def restore(
    iconik: Iconik, held: ClaimedAsset, why: Mapping[str, Reason]
) -> dict[str, tuple[str, Reason]]:
    """Restore file sets that are marked deleted but must not be purged.

    Args:
        held: the asset. Its progress keeps only what could not be restored.
        why: the reasons, by file set id.

    Returns:
        By file set id, the format's name and what to report.

    Raises:
        IconikUnavailable: iconik gave no usable answer.
        TokenRejected: iconik no longer accepts any token.
    """
    told = {}
    for file_set_id, reason in why.items():
        name = held.memo.deleting[file_set_id].name
        told[file_set_id] = (name, _restore(iconik, held, file_set_id, reason))
    return told


def _restore(iconik: Iconik, held: ClaimedAsset, file_set_id: str, reason: Reason) -> Reason:
    """Restore one file set. Returns what to report about it."""
    try:
        iconik.restore_file_set(held.asset_id, file_set_id)
    except NotFound:
        del held.memo.deleting[file_set_id]
        return reasons.CANT_BE_RESTORED(reason=reason, file_set_id=file_set_id)
    except TokenRejected:
        raise
    except IconikRefused as refusal:
        if not _is_active(iconik, held.asset_id, file_set_id):
            return reasons.NOT_RESTORED(reason=reason, refusal=refusal, file_set_id=file_set_id)
    del held.memo.deleting[file_set_id]
    return reasons.RESTORED(reason.cause, reason=reason, file_set_id=file_set_id)


def _is_active(iconik: Iconik, asset_id: str, file_set_id: str) -> bool:
    """Whether somebody else has restored a file set."""
    try:
        return _statuses(iconik, asset_id).get(file_set_id) == ACTIVE
    except TokenRejected:
        raise
    except IconikRefused:
        return False


def give_back(
    iconik: Iconik, held: ClaimedAsset, reason: Reason
) -> tuple[dict[str, Outcome], bool]:
    """Restore all file sets of an asset that are marked deleted, as far as iconik can be reached.

    Args:
        reason: why, as the beginning of what is reported.

    Returns:
        Outcomes to report, by format name; and whether iconik could be reached.
    """
    look, is_reached = Inspection(), True
    for file_set_id in held.memo.unaccepted:
        try:
            look.failures |= restore(iconik, held, {file_set_id: reason})
        except (IconikUnavailable, TokenRejected):
            is_reached = False
            break
    tell_failures(look)
    return look.outcomes, is_reached


def give_back_left(
    iconik: Iconik, leftovers: Leftovers, left: Iterable[Left], reason: Reason
) -> None:
    """Restore what operations left marked deleted. Stops when iconik can't be reached."""
    for each in left:
        held = each.held
        told = unverified(held)
        held.memo.deleting = held.memo.unaccepted
        restored, is_reached = give_back(iconik, held, reason)
        leftovers.note(each, {**told, **restored})
        if not is_reached:
            return


def unverified(held: ClaimedAsset) -> dict[str, Outcome]:
    """Outcomes to report for accepted deletions that can't be verified."""
    return {
        each.name: Outcome("removed", reasons.ACCEPTED, *held.outcomes[each.name][2:3])
        for each in held.memo.accepted.values()
        if held.outcomes.get(each.name, ("",))[0] == "removed"
    }


def tell_failures(look: Inspection) -> None:
    """Report failed deletions instead of the outcomes of other versions of the same format."""
    for name in {name for name, _ in look.failures.values()}:
        look.outcomes[name] = Outcome(
            "failed", joined(reason for each, reason in look.failures.values() if each == name)
        )
        if name in look.objections:
            look.objections[name] = look.outcomes[name]
