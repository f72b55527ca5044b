"""What Remove does with one asset: prove files safe on B2, and delete those that are."""

from collections.abc import Mapping, Sequence

from b2_iconik.domain import reasons
from b2_iconik.domain.custody import Safe, Unproven, Verdict, judge, wanted_formats
from b2_iconik.domain.operation import ClaimedAsset
from b2_iconik.domain.outcomes import Outcome, proof_of
from b2_iconik.domain.shared_paths import unlisted
from b2_iconik.operation import deletion
from b2_iconik.operation.deletion import Done
from b2_iconik.operation.interrupted import accept, restore, resume, tell_failures
from b2_iconik.operation.proving import Proven, Removal, deletion_of, prove
from b2_iconik.operation.snapshot import Inspection, Patience, Snapshot, vanished
from iconik import Iconik
from iconik_http.records import DELETED


def inspect_to_remove(removal: Removal, held: ClaimedAsset, patience: Patience) -> Inspection:
    """Inspect an asset that should leave LucidLink, and delete what is proven safe at once.

    Only a record in the ledger and the deletions of the asset's other proven file sets come between
    the reading that proves a file set and its deletion. If a deletion is not requested within
    ``Snapshot.until``, or iconik does not answer it, it is requested only after everything was read
    again. So an edit is missed only if it is made, and iconik notices it, within that time.

    File sets that are only marked deleted are then in ``Inspection.marked``. The caller must purge
    their files soon, and then call ``note_purge``. Accepted deletions are in
    ``AssetProgress.accepted`` until they are verified.

    Args:
        held: the asset. What is being deleted, and the time since when something is unfinished,
            are stored in its progress.

    Raises:
        IconikError: iconik or B2 gave no usable answer, or refused.
        OperationFailed: the storages can no longer be used.
    """
    look = resume(removal, held, patience.now_ms)
    if not held.formats:
        return look
    checked = removal.preflight()
    proven = prove(
        removal, held.asset_id, lambda snapshot: _judge(held.formats, snapshot, removal.storages)
    )
    if proven is None:
        return vanished(held.formats)
    held.seen = True
    absent = []
    for name in held.formats:
        if not wanted_formats(proven.snapshot.formats, name):
            look.outcomes.setdefault(name, Outcome("without"))
        elif proven.verdicts[name]:
            _weigh(name, proven, held, patience, checked.obstacle, look)
        elif name not in look.outcomes:
            absent.append(name)
    if look.copies:
        held.memo.unfinished_ms = None
    elif look.is_unfinished and held.memo.unfinished_ms is None:
        held.memo.unfinished_ms = patience.now_ms
    look.until = min(proven.snapshot.until, checked.until)
    _delete(removal, held, proven, patience.now_ms, look)
    if absent:
        _tell_absent(removal.iconik, held, absent, proven.snapshot, removal.ll_storage_id, look)
    tell_failures(look)
    return look


def _judge(
    names: Sequence[str], snapshot: Snapshot, storages: tuple[str, str]
) -> Mapping[str, list[Verdict]]:
    return {
        name: [
            each
            for one in wanted_formats(snapshot.formats, name)
            for each in judge(one.id, snapshot.files, *storages)
        ]
        for name in names
    }


def _weigh(
    name: str,
    proven: Proven,
    held: ClaimedAsset,
    patience: Patience,
    obstacle: str,
    look: Inspection,
) -> None:
    """Decide whether to delete, copy first, or keep a format that is on LucidLink."""
    objections = [each for each in proven.verdicts[name] if isinstance(each, Unproven)]
    safe = [each for each in proven.verdicts[name] if isinstance(each, Safe)]
    said = held.memo.asked.get(name)
    if not objections:
        proof = proof_of(deletion_of(name, each, proven).strength for each in safe)
        reason = (
            reasons.ALREADY_MISSING if all(each.was_missing for each in safe) else reasons.NO_REASON
        )
        look.outcomes[name] = Outcome("removed", reason, proof)
    elif any(each.remedy == "none" for each in objections):
        reason = next(each.reason for each in objections if each.remedy == "none")
        look.outcomes[name] = Outcome("kept", reason)
    elif any(each.remedy == "wait" for each in objections) and not patience.is_over(
        held.memo.unfinished_ms
    ):
        look.is_unfinished = True
    elif said is None and obstacle:
        closed = reasons.STORAGE_CLOSED(reason=objections[0].reason, obstacle=obstacle)
        look.outcomes[name] = Outcome("kept", closed)
    elif said is None:
        look.copies.append(name)
    else:
        told = f": {said}" if said else ""
        reason = reasons.COPY_TO_B2_ENDED(said.cause, reason=objections[0].reason, told=told)
        look.objections[name] = Outcome("kept", reason)


def _tell_absent(
    iconik: Iconik,
    held: ClaimedAsset,
    names: Sequence[str],
    snapshot: Snapshot,
    ll_storage_id: str,
    look: Inspection,
) -> None:
    """Distinguish formats that are not on LucidLink from those whose file set there lists no file.

    A format is not certainly absent, either, while the asset has files there of a format that no
    list names.
    """
    strange = unlisted(snapshot.formats, snapshot.files, ll_storage_id)
    there = {
        each.format_id
        for each in iconik.file_sets(held.asset_id)
        if each.storage_id == ll_storage_id
        and each.status != DELETED
        and each.id not in held.memo.deleting
    }
    for name in names:
        if any(each.id in there for each in wanted_formats(snapshot.formats, name)):
            look.outcomes[name] = Outcome("kept", reasons.NO_FILE)
        elif strange:
            look.outcomes[name] = Outcome("kept", reasons.OF_NO_FORMAT(name=strange[0].label))
        else:
            look.outcomes[name] = Outcome("absent")


def _delete(
    removal: Removal, held: ClaimedAsset, proven: Proven, now_ms: int, look: Inspection
) -> None:
    """Delete what was proven safe, except files that can be purged with those of other assets."""
    deletions = {
        each.file_set_id: deletion_of(name, each, proven)
        for name, several in proven.verdicts.items()
        for each in several
        if isinstance(each, Safe)
    }
    if not deletions:
        return
    if not removal.claims.begin_deletions(held, deletions):
        look.is_overtaken = True
        for each in deletions.values():
            look.outcomes.pop(each.name, None)
        return
    for file_set_id in deletions:
        # It has just been restored, or it would not have been proven.
        look.failures.pop(file_set_id, None)
    done = deletion.delete(
        removal.iconik, removal.capabilities, held.asset_id, list(deletions), look.until
    )
    look.marked = done.marked
    for file_set_id, each in deletions.items():
        if file_set_id in done.refusals:
            del held.memo.deleting[file_set_id]
            look.failures[file_set_id] = (each.name, done.refusals[file_set_id])
        elif file_set_id not in done.marked:
            accept(held, file_set_id, now_ms, is_doubted=file_set_id in done.unknown)


def note_purge(
    removal: Removal, held: ClaimedAsset, look: Inspection, done: Done, now_ms: int
) -> None:
    """Record the result of a purge in an asset's progress and outcomes.

    File sets that iconik refused to purge are restored.

    Args:
        held: the asset.
        look: the inspection that led to the purge.
        done: iconik's answer.

    Raises:
        IconikUnavailable: iconik gave no usable answer to a restoration.
    """
    marked, look.marked = look.marked, []
    refusals = {each: done.refusals[each] for each in marked if each in done.refusals}
    for file_set_id in marked:
        if file_set_id not in refusals:
            accept(held, file_set_id, now_ms, is_doubted=file_set_id in done.unknown)
    look.failures |= restore(removal.iconik, held, refusals)
    tell_failures(look)
