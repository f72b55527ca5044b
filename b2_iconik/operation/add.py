"""What Add decides about an asset: which formats must be copied to LucidLink. Pure."""

from b2_iconik.domain.arrival import shortfall, unfinished
from b2_iconik.domain.custody import presence, wanted_formats
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset
from b2_iconik.domain.reasons import (
    COPY_TO_LUCIDLINK_ENDED,
    NO_SOURCE,
    STILL_GROWING,
    Cause,
    Reason,
)
from b2_iconik.operation.decisions import Decision
from b2_iconik.operation.snapshot import Patience, Snapshot


def decide(
    asset: ClaimedAsset, snapshot: Snapshot, ll_storage_id: str, patience: Patience
) -> dict[str, Decision]:
    """Decide what to do with each format of an asset, by format name."""
    return {
        name: _decide(name, snapshot, asset.progress, ll_storage_id, patience)
        for name in asset.formats
    }


def _decide(
    name: str,
    snapshot: Snapshot,
    progress: AssetProgress,
    ll_storage_id: str,
    patience: Patience,
) -> Decision:
    formats = wanted_formats(snapshot.formats, name)
    if not formats:
        return Decision(Outcome("without"))
    # If an asset has versions, an editor wants the newest.
    found = presence(formats[0].id, snapshot.files, ll_storage_id)
    was_requested = name in progress.copy_results
    problem = progress.copy_results.get(name)
    if found.state == "there" and not was_requested:
        # The size doesn't matter: an editor may have changed the file since it was copied.
        return Decision(Outcome("there"))
    if found.state == "there":
        lack = shortfall(formats[0].id, snapshot.files, ll_storage_id)
        if not lack:
            return Decision(Outcome("copied"))
        cause = problem.cause if problem and problem.cause else lack.cause
        failed = Outcome("failed", Reason(lack + _told(problem), cause))
        return Decision(failed, unless_copied=True)
    state, cause = "the file is not there", problem.cause if problem else None
    if found.state == "unfinished":
        being_written = unfinished(formats[0].id, snapshot.files, ll_storage_id)
        if not patience.is_over(progress.unfinished_ms):
            return Decision(unfinished=being_written)
        age = patience.age(progress.unfinished_ms)
        is_growing = being_written.cause == Cause.BEING_WRITTEN
        if is_growing and not was_requested:
            # A copy would write to the same file.
            growing = STILL_GROWING(unfinished=being_written, age=age)
            return Decision(Outcome("failed", growing), unless_copied=True)
        state = f"{being_written} for {age}"
        cause = being_written.cause if is_growing else cause
    if was_requested:
        ended = COPY_TO_LUCIDLINK_ENDED(cause, state=state, told=_told(problem))
        return Decision(Outcome("failed", ended), unless_copied=True)
    if not found.has_source:
        return Decision(Outcome("failed", NO_SOURCE))
    return Decision(copy=True)


def _told(problem: str | None) -> str:
    """What iconik said about a copy, as the end of a sentence."""
    return f": {problem}" if problem else ""
