"""What Add does with one asset: find the formats that must be copied to LucidLink."""

from b2_iconik.domain.arrival import shortfall
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.custody import presence, wanted_formats
from b2_iconik.domain.operation import ClaimedAsset
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import COPY_TO_LUCIDLINK_ENDED, NO_SOURCE, Reason
from b2_iconik.operation.snapshot import Inspection, Patience, Snapshot, see, vanished
from iconik import Iconik
from iconik_http.records import Format, Listed


def inspect_to_add(
    iconik: Iconik, held: ClaimedAsset, ll_storage_id: str, patience: Patience
) -> Inspection:
    """Inspect an asset that should be on LucidLink.

    Args:
        held: the asset. Its formats, and the time since when something is unfinished, are stored
            in its progress.
        ll_storage_id: the LucidLink storage.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    memo = held.memo
    hinted = {name: memo.hint[name] for name in held.formats if name in memo.hint}
    if hinted:
        # The hint is used once. The next inspection checks its result and all that it left open.
        memo.hint = {}
        memo.formats = hinted if len(hinted) == len(held.formats) else {}
        return Inspection(copies=list(hinted))
    # Once copies are under way, only the files can change.
    known = [Format(each, name) for name, each in memo.formats.items()]
    snapshot = see(iconik, held.asset_id, known)
    if snapshot is None:
        return vanished(held.formats)
    held.seen = True
    look = Inspection()
    for name in held.formats:
        _inspect_format(name, snapshot, held, ll_storage_id, patience, look)
    if look.copies:
        held.memo.unfinished_ms = None
        newest = {name: wanted_formats(snapshot.formats, name)[:1] for name in held.formats}
        held.memo.formats = {name: each.id for name, some in newest.items() for each in some}
    elif look.is_unfinished and held.memo.unfinished_ms is None:
        held.memo.unfinished_ms = patience.now_ms
    return look


def hint(listed: Listed, click: CustomAction) -> dict[str, str]:
    """The formats of an asset whose copies can be requested without inspecting it.

    Args:
        listed: the asset as a listing shows it, which may be out of date.

    Returns:
        Format ids by name, for formats that seem to be complete elsewhere and not on LucidLink.
    """
    formats, files = listed.formats, listed.files
    found = {}
    for name in click.formats:
        for newest in wanted_formats(formats, name)[:1]:
            seen = presence(newest.id, files, click.ll_storage_id)
            if seen.state == "lacking" and seen.has_source:
                found[name] = newest.id
    return found


def _inspect_format(
    name: str,
    snapshot: Snapshot,
    held: ClaimedAsset,
    ll_storage_id: str,
    patience: Patience,
    look: Inspection,
) -> None:
    formats = wanted_formats(snapshot.formats, name)
    if not formats:
        look.outcomes[name] = Outcome("without")
        return
    # If an asset has versions, an editor wants the newest.
    found = presence(formats[0].id, snapshot.files, ll_storage_id)
    said = held.memo.asked.get(name)
    cause = said.cause if said else None
    if found.state == "there" and said is None:
        # The size doesn't matter: an editor may have changed the file since it was copied.
        look.outcomes[name] = Outcome("there")
    elif found.state == "there":
        problem = shortfall(formats[0].id, snapshot.files, ll_storage_id)
        if problem:
            look.objections[name] = Outcome(
                "failed", Reason(problem + _told(said), cause or problem.cause)
            )
        else:
            look.outcomes[name] = Outcome("copied")
    elif found.state == "unfinished" and not patience.is_over(held.memo.unfinished_ms):
        look.is_unfinished = True
    elif said is not None:
        state = "is incomplete" if found.state == "unfinished" else "is not there"
        ended = COPY_TO_LUCIDLINK_ENDED(cause, state=state, told=_told(said))
        look.objections[name] = Outcome("failed", ended)
    elif not found.has_source:
        look.outcomes[name] = Outcome("failed", NO_SOURCE)
    else:
        look.copies.append(name)


def _told(said: str | None) -> str:
    """What iconik said about a copy, as the end of a sentence."""
    return f": {said}" if said else ""
