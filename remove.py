"""What Remove does with one asset: prove its files safe on B2, and delete those that are."""

from collections.abc import Mapping
from dataclasses import replace

import audit
import deletion
from claims import Claims
from custody import Safe, Unproven, Verdict, judge, presence, wanted_formats
from deletion import Ways
from entries import Held
from errors import NotFound
from iconik import Iconik
from outcomes import Outcome, unfinished
from records import ACTIVE, DELETED
from sight import Look, Patience, Sight, see, vanished


def look_to_remove(
    iconik: Iconik,
    held: Held,
    claims: Claims,
    ways: Ways,
    storages: tuple[str, str],
    patience: Patience,
    obstacle: str = "",
) -> Look:
    """Look at an asset that is to leave LucidLink, and delete what is proven safe at once.

    Between the reading that proves a file set and its deletion lie a note in the ledger and the
    deletions of the asset's other proven file sets. What is not asked for within ``Sight.until``,
    or what iconik doesn't answer, is not asked for before everything was read again. So an edit
    that slips in between must be made and noticed by iconik within that moment.

    What is only marked deleted then is in ``Look.marked``: its files are to be purged soon, and
    ``note_purge`` to be told.

    Args:
        held: the asset; its memo takes up what is being deleted, and since when something is
            unfinished.
        claims: asked whether a newer click has come in between.
        ways: by which ways this iconik deletes.
        storages: the ids of the LucidLink storage and the B2 storage.
        obstacle: why nothing can be copied to B2, as the rest of a sentence; "" if it can.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    look = _finish_deletion(iconik, held, claims, storages)
    if not held.formats:
        return look
    sight = see(iconik, held.asset_id)
    if sight is None:
        return vanished(held.formats)
    held.seen = True
    safe: dict[str, list[Safe]] = {}
    for name in held.formats:
        formats = wanted_formats(sight.formats, name)
        verdicts = [each for one in formats for each in judge(one.id, sight.files, *storages)]
        safe[name] = [each for each in verdicts if isinstance(each, Safe)]
        if not formats:
            look.outcomes.setdefault(name, Outcome("without"))
        elif not verdicts:
            look.outcomes.setdefault(name, Outcome("absent"))
        else:
            _weigh(name, verdicts, held, patience, obstacle, look)
    if look.copies:
        held.memo.unfinished_ms = None
    elif look.is_unfinished and held.memo.unfinished_ms is None:
        held.memo.unfinished_ms = patience.now_ms
    look.until = sight.until
    _delete(iconik, held, claims, ways, safe, look)
    _tell_stuck(held, look)
    return look


def _weigh(
    name: str,
    verdicts: list[Verdict],
    held: Held,
    patience: Patience,
    obstacle: str,
    look: Look,
) -> None:
    """Decide what becomes of a format that is on LucidLink: deleted, copied first, or kept."""
    doubts = [each for each in verdicts if isinstance(each, Unproven)]
    said = held.memo.asked.get(name)
    if not doubts:
        look.outcomes[name] = Outcome("removed")
    elif any(each.remedy == "none" for each in doubts):
        reason = next(each.reason for each in doubts if each.remedy == "none")
        look.outcomes[name] = Outcome("kept", reason)
    elif any(each.remedy == "wait" for each in doubts) and not patience.is_over(
        held.memo.unfinished_ms
    ):
        look.is_unfinished = True
    elif said is None and obstacle:
        look.outcomes[name] = Outcome("kept", f"{doubts[0].reason}, and {obstacle}")
    elif said is None:
        look.copies.append(name)
    else:
        told = f": {said}" if said else ""
        reason = f"{doubts[0].reason}, though a copy to B2 was asked for and ended{told}"
        look.doubts[name] = Outcome("kept", reason)


def _delete(
    iconik: Iconik,
    held: Held,
    claims: Claims,
    ways: Ways,
    safe: dict[str, list[Safe]],
    look: Look,
) -> None:
    """Delete what was proven safe, but for files that can be purged with those of other assets."""
    proofs = {each.file_set_id: each for several in safe.values() for each in several}
    file_sets = {each.file_set_id: name for name, several in safe.items() for each in several}
    if not file_sets:
        return
    versions = {each: proof.format_id for each, proof in proofs.items()}
    if not claims.may_delete(held, file_sets, versions):
        look.is_overtaken = True
        for name in file_sets.values():
            look.outcomes.pop(name, None)
        return
    for file_set_id in file_sets:
        # It was restored just now, or it would not have been proven.
        look.stuck.pop(file_set_id, None)
    marked, refusals = deletion.delete(iconik, ways, held.asset_id, list(file_sets), look.until)
    for file_set_id, name in file_sets.items():
        if file_set_id in refusals:
            held.memo.end_deletion(file_set_id)
            look.outcomes[name] = Outcome("failed", refusals[file_set_id])
        elif file_set_id in marked:
            look.marked[file_set_id] = proofs[file_set_id]
        else:
            _note_deletion(held, name, file_set_id, proofs[file_set_id])


def note_purge(held: Held, look: Look, refusals: Mapping[str, str]) -> None:
    """Note in an asset's memo and in its outcomes what came of the purge of its file sets.

    Args:
        held: the asset; its memo no longer has what is gone.
        look: that led to the purge.
        refusals: iconik's, by file set id.
    """
    for file_set_id, proof in look.marked.items():
        if file_set_id in refusals:
            look.stuck[file_set_id] = f"{refusals[file_set_id]}; {unfinished(file_set_id)}"
        else:
            _note_deletion(held, held.memo.deleting[file_set_id], file_set_id, proof)
    look.marked.clear()
    _tell_stuck(held, look)


def _note_deletion(held: Held, name: str, file_set_id: str, proof: Safe | None) -> None:
    held.memo.end_deletion(file_set_id)
    # However often its proofs were too old: it gets on.
    held.memo.failures = 0
    audit.deleted(held, name, file_set_id, proof)


def _finish_deletion(iconik: Iconik, held: Held, claims: Claims, storages: tuple[str, str]) -> Look:
    """Bring a deletion to its end that was interrupted, if it still is right.

    A file set that isn't deleted is left to be proven like any other. One that was marked deleted
    is purged only if it would be proven now: the interruption may have been a long one.
    """
    look = Look()
    if not held.memo.deleting:
        return look
    try:
        statuses = iconik.file_set_statuses(held.asset_id)
    except NotFound:
        statuses = {}
    sight = see(iconik, held.asset_id)
    if sight is None:
        return vanished(held.memo.deleting.values())
    for file_set_id, name in list(held.memo.deleting.items()):
        # One that isn't listed may be deleted: asking for its purge does no harm.
        if statuses.get(file_set_id, DELETED) != DELETED:
            held.memo.end_deletion(file_set_id)
            continue
        version = held.memo.versions.get(file_set_id)
        verdict = _judge_deleted(file_set_id, name, version, sight, storages)
        if isinstance(verdict, Unproven):
            look.stuck[file_set_id] = (
                f"{verdict.reason}, seen after file set {file_set_id} was marked deleted, so its "
                "files were not removed: restore it from iconik's delete queue"
            )
            continue
        refusals = deletion.purge_one_by_one(iconik, {file_set_id: held.asset_id}, sight.until)
        if refusals:
            look.stuck[file_set_id] = f"{refusals[file_set_id]}; {unfinished(file_set_id)}"
            continue
        look.outcomes[name] = Outcome("removed")
        _note_deletion(held, name, file_set_id, verdict)
        # What comes next may be interrupted, too, and would find nothing that tells of this one.
        claims.note(held, "held", {name: look.outcomes[name]})
    _tell_stuck(held, look)
    return look


def _tell_stuck(held: Held, look: Look) -> None:
    """Tell of deletions that can't be finished, in place of what came of other versions."""
    reasons: dict[str, list[str]] = {}
    for file_set_id, reason in look.stuck.items():
        reasons.setdefault(held.memo.deleting[file_set_id], []).append(reason)
    for name, several in reasons.items():
        look.outcomes[name] = Outcome("failed", "; ".join(several))
        if name in look.doubts:
            look.doubts[name] = look.outcomes[name]


def _judge_deleted(
    file_set_id: str, name: str, version: str | None, sight: Sight, storages: tuple[str, str]
) -> Verdict | None:
    """Judge a file set that is marked deleted as if it weren't.

    None if iconik no longer lists what is in it, but B2 still has the files of its format, that is
    of the asset's very version.
    """
    files = [
        replace(file, file_set_status=ACTIVE) if file.file_set_id == file_set_id else file
        for file in sight.files
    ]
    format_ids = {file.format_id for file in files if file.file_set_id == file_set_id}
    verdicts = [each for one in format_ids for each in judge(one, files, *storages)]
    mine = [each for each in verdicts if each.file_set_id == file_set_id]
    if mine:
        return mine[0]
    if format_ids:
        return Unproven(file_set_id, "it is no longer on LucidLink", "none")
    formats = [version] if version else [each.id for each in wanted_formats(sight.formats, name)]
    if len(formats) > 1:
        reason = "iconik no longer tells of which version it is"
        return Unproven(file_set_id, reason, "none")
    if any(presence(each, sight.files, storages[1]).state == "there" for each in formats):
        return None
    return Unproven(file_set_id, "B2 no longer has its files", "none")
