"""What Remove does with one asset: prove its files safe on B2, and delete those that are."""

import logging

from claims import Claims, Held
from custody import Safe, Unproven, Verdict, judge, wanted_formats
from errors import IconikRefused, NotFound, TokenRejected
from iconik import Iconik
from outcomes import Outcome
from records import DELETED
from sight import Look, Patience, see, vanished

log = logging.getLogger(__name__)


def look_to_remove(
    iconik: Iconik,
    held: Held,
    claims: Claims,
    storages: tuple[str, str],
    patience: Patience,
) -> Look:
    """Look at an asset that is to leave LucidLink, and delete what is proven safe at once.

    Between the reading that proves a file set and its deletion lies nothing but a note in the
    ledger, so an edit that slips in between must be made and noticed by iconik within that moment.

    Args:
        held: the asset; its memo takes up what is being deleted, and since when something is
            unfinished.
        claims: asked whether a newer click has come in between.
        storages: the ids of the LucidLink storage and the B2 storage.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    look = Look(_finish_deletion(iconik, held))
    if not held.formats:
        return look
    sight = see(iconik, held.asset_id)
    if sight is None:
        return vanished(held.formats)
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
            _weigh(name, verdicts, held, patience, look)
    if look.copies:
        held.memo.unfinished_ms = None
    elif look.is_unfinished and held.memo.unfinished_ms is None:
        held.memo.unfinished_ms = patience.now_ms
    _delete(iconik, held, claims, safe, look)
    return look


def _weigh(name: str, verdicts: list[Verdict], held: Held, patience: Patience, look: Look) -> None:
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
    elif said is None:
        look.copies.append(name)
    else:
        told = f": {said}" if said else ""
        reason = f"{doubts[0].reason}, though a copy to B2 was asked for and ended{told}"
        look.outcomes[name] = Outcome("kept", reason)


def _delete(
    iconik: Iconik, held: Held, claims: Claims, safe: dict[str, list[Safe]], look: Look
) -> None:
    file_sets = {each.file_set_id: name for name, several in safe.items() for each in several}
    if not file_sets:
        return
    if not claims.may_delete(held, file_sets):
        look.is_overtaken = True
        for name in file_sets.values():
            look.outcomes.pop(name, None)
        return
    for name, several in safe.items():
        for each in several:
            refusal = _delete_one(iconik, held, each)
            if refusal:
                look.outcomes[name] = Outcome("failed", refusal)
                continue
            log.info(
                "deleted file set %s (%s) of asset %s: proven by %s of file set %s on B2",
                each.file_set_id,
                name,
                held.asset_id,
                "size and checksum" if each.by_checksum else "size",
                each.twin_id,
            )


def _delete_one(iconik: Iconik, held: Held, safe: Safe) -> str:
    """Delete a file set that was proven safe. Returns iconik's refusal, or ""."""
    try:
        iconik.delete_file_set(held.asset_id, safe.file_set_id)
    except TokenRejected:
        raise
    except IconikRefused as refusal:
        del held.memo.deleting[safe.file_set_id]
        return str(refusal)
    return _purge(iconik, held, safe.file_set_id)


def _purge(iconik: Iconik, held: Held, file_set_id: str) -> str:
    """Remove the files of a deleted file set. Returns iconik's refusal, or ""."""
    try:
        iconik.purge_file_set(held.asset_id, file_set_id)
    except TokenRejected:
        raise
    except IconikRefused as refusal:
        return str(refusal)
    del held.memo.deleting[file_set_id]
    return ""


def _finish_deletion(iconik: Iconik, held: Held) -> dict[str, Outcome]:
    """Bring a deletion to its end that was interrupted after it was proven right.

    A file set that isn't deleted must be proven anew.
    """
    if not held.memo.deleting:
        return {}
    try:
        statuses = iconik.file_set_statuses(held.asset_id)
    except NotFound:
        statuses = {}
    outcomes = {}
    for file_set_id, name in list(held.memo.deleting.items()):
        # One that isn't listed may be deleted: asking for its purge does no harm.
        if statuses.get(file_set_id, DELETED) == DELETED:
            refusal = _purge(iconik, held, file_set_id)
            outcomes[name] = Outcome("failed", refusal) if refusal else Outcome("removed")
        else:
            del held.memo.deleting[file_set_id]
    return outcomes
