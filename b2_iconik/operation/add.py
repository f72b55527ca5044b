"""What Add does with one asset: find out which formats must be copied to LucidLink."""

from b2_iconik.domain.arrival import shortfall
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.custody import presence, wanted_formats
from b2_iconik.domain.operation import Held
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import COPY_TO_LUCIDLINK_ENDED, NO_SOURCE, Reason
from b2_iconik.operation.snapshot import Look, Patience, Sight, see, vanished
from iconik import Iconik
from iconik_http.records import Format, Listed


def look_to_add(iconik: Iconik, held: Held, ll_storage_id: str, patience: Patience) -> Look:
    """Look at an asset that is to be on LucidLink.

    Args:
        held: the asset; its memo takes up its formats, and since when something is unfinished.
        ll_storage_id: the LucidLink storage.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    memo = held.memo
    hinted = {name: memo.hint[name] for name in held.formats if name in memo.hint}
    if hinted:
        # Once: what comes of it, and what the hint didn't tell, is looked at afterwards.
        memo.hint = {}
        memo.formats = hinted if len(hinted) == len(held.formats) else {}
        return Look(copies=list(hinted))
    # Once copies are under way, only files are news.
    known = [Format(each, name) for name, each in memo.formats.items()]
    sight = see(iconik, held.asset_id, known)
    if sight is None:
        return vanished(held.formats)
    held.seen = True
    look = Look()
    for name in held.formats:
        _look_at_format(name, sight, held, ll_storage_id, patience, look)
    if look.copies:
        held.memo.unfinished_ms = None
        newest = {name: wanted_formats(sight.formats, name)[:1] for name in held.formats}
        held.memo.formats = {name: each.id for name, some in newest.items() for each in some}
    elif look.is_unfinished and held.memo.unfinished_ms is None:
        held.memo.unfinished_ms = patience.now_ms
    return look


def hint(listed: Listed, click: CustomAction) -> dict[str, str]:
    """Which formats of an asset can be asked to be copied to LucidLink without a look at it.

    Args:
        listed: what a listing shows of the asset, which may be out of date.

    Returns:
        The formats' ids by name, of those that seem to be whole elsewhere, and not on LucidLink.
    """
    formats, files = listed.formats, listed.files
    found = {}
    for name in click.formats:
        for newest in wanted_formats(formats, name)[:1]:
            seen = presence(newest.id, files, click.ll_storage_id)
            if seen.state == "lacking" and seen.has_source:
                found[name] = newest.id
    return found


def _look_at_format(
    name: str, sight: Sight, held: Held, ll_storage_id: str, patience: Patience, look: Look
) -> None:
    formats = wanted_formats(sight.formats, name)
    if not formats:
        look.outcomes[name] = Outcome("without")
        return
    # Of an asset with versions, an editor wants the newest.
    found = presence(formats[0].id, sight.files, ll_storage_id)
    said = held.memo.asked.get(name)
    cause = said.cause if said else None
    if found.state == "there" and said is None:
        # Whatever its size: an editor may have changed it since it was copied.
        look.outcomes[name] = Outcome("there")
    elif found.state == "there":
        problem = shortfall(formats[0].id, sight.files, ll_storage_id)
        if problem:
            look.doubts[name] = Outcome(
                "failed", Reason(problem + _told(said), cause or problem.cause)
            )
        else:
            look.outcomes[name] = Outcome("copied")
    elif found.state == "unfinished" and not patience.is_over(held.memo.unfinished_ms):
        look.is_unfinished = True
    elif said is not None:
        state = "is not finished" if found.state == "unfinished" else "is not there"
        ended = COPY_TO_LUCIDLINK_ENDED(cause, state=state, told=_told(said))
        look.doubts[name] = Outcome("failed", ended)
    elif not found.has_source:
        look.outcomes[name] = Outcome("failed", NO_SOURCE)
    else:
        look.copies.append(name)


def _told(said: str | None) -> str:
    """What iconik said of a copy, as the end of a sentence."""
    return f": {said}" if said else ""
