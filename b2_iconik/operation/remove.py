"""What Remove decides about an asset: what to delete, to copy first, or to keep. Pure."""

from collections.abc import Container, Iterable, Mapping, Sequence

from b2_iconik.domain import reasons
from b2_iconik.domain.custody import Safe, Unproven, Verdict, judge, wanted_formats
from b2_iconik.domain.outcomes import Outcome, proof_of
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset
from b2_iconik.domain.shared_paths import unlisted
from b2_iconik.operation.decisions import Decision
from b2_iconik.operation.proving import Judged, deletion_of
from b2_iconik.operation.snapshot import Patience, Snapshot
from iconik_http.records import DELETED, FileSet


def judge_formats(
    names: Sequence[str], snapshot: Snapshot, storages: tuple[str, str]
) -> Mapping[str, list[Verdict]]:
    """Judge the file sets of some formats, by format name."""
    return {
        name: [
            each
            for one in wanted_formats(snapshot.formats, name)
            for each in judge(one.id, snapshot.files, *storages)
        ]
        for name in names
    }


def decide(
    asset: ClaimedAsset,
    judged: Judged,
    patience: Patience,
    obstacle: str,
    known: Container[str] = (),
) -> dict[str, Decision]:
    """Decide what to do with each format of an asset, by format name.

    Args:
        obstacle: why nothing can be copied to B2; "" if it can.
        known: the formats whose outcome is already known. It stays if no file set of them is left.
    """
    decisions = {}
    for name in asset.formats:
        if judged.verdicts[name]:
            decisions[name] = _weigh(name, judged, asset.progress, patience, obstacle)
        elif name in known:
            continue
        elif wanted_formats(judged.snapshot.formats, name):
            decisions[name] = Decision(is_absent=True)
        else:
            decisions[name] = Decision(Outcome("without"))
    return decisions


def _weigh(
    name: str, judged: Judged, progress: AssetProgress, patience: Patience, obstacle: str
) -> Decision:
    """Decide about a format that is on LucidLink: each file set that is proven safe is deleted."""
    objections = [each for each in judged.verdicts[name] if isinstance(each, Unproven)]
    safe = [each for each in judged.verdicts[name] if isinstance(each, Safe)]
    deletions = {each.file_set_id: deletion_of(name, each, judged) for each in safe}
    if not objections:
        proof = proof_of(each.strength for each in deletions.values())
        was_missing = all(each.was_missing for each in safe)
        reason = reasons.ALREADY_MISSING if was_missing else reasons.NO_REASON
        freed = sum(each.size for each in safe if not each.was_missing)
        return Decision(Outcome("removed", reason, proof, freed), deletions)
    final = [each.reason for each in objections if each.remedy == "none"]
    if final:
        return Decision(Outcome("kept", final[0]), deletions)
    unfinished = [each.reason for each in objections if each.remedy == "wait"]
    if unfinished and not patience.is_over(progress.unfinished_ms):
        return Decision(unfinished=f"{unfinished[0]},", deletions=deletions)
    reason = objections[0].reason
    if name in progress.copy_results:
        problem = progress.copy_results[name]
        ended = reasons.COPY_TO_B2_ENDED(
            problem.cause if problem else None,
            reason=reason,
            told=f": {problem}" if problem else "",
        )
        return Decision(Outcome("kept", ended), deletions, unless_copied=True)
    if obstacle:
        closed = reasons.STORAGE_CLOSED(reason=reason, obstacle=obstacle)
        return Decision(Outcome("kept", closed), deletions)
    return Decision(copy=True, deletions=deletions)


def absence(
    names: Iterable[str],
    snapshot: Snapshot,
    file_sets: Iterable[FileSet],
    progress: AssetProgress,
    ll_storage_id: str,
) -> dict[str, Outcome]:
    """Tell formats that are not on LucidLink from those whose file set there lists no file.

    Nor is a format certainly absent while the asset has files there whose format iconik does not
    list.
    """
    strange = unlisted(snapshot.formats, snapshot.files, ll_storage_id)
    there = {
        each.format_id
        for each in file_sets
        if each.storage_id == ll_storage_id
        and each.status != DELETED
        and each.id not in progress.deletions
    }
    outcomes = {}
    for name in names:
        if any(each.id in there for each in wanted_formats(snapshot.formats, name)):
            outcomes[name] = Outcome("kept", reasons.NO_FILE)
        elif strange:
            outcomes[name] = Outcome("kept", reasons.OF_NO_FORMAT(name=strange[0].label))
        else:
            outcomes[name] = Outcome("absent")
    return outcomes
