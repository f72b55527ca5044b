"""Processes one asset: reads it, decides, deletes, and records and audits what was deleted.

Copies are only named here: ``batches`` requests those of many assets together.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from b2_iconik.domain.custody import by_age, presence, wanted_formats
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import ClaimedAsset
from b2_iconik.domain.reasons import (
    EARLIER,
    NOTHING_LEFT,
    OTHERS_DELETION,
    TOO_LATE,
    UNDONE,
    Cause,
)
from b2_iconik.domain.sizes import size_of
from b2_iconik.operation import add, deletion, preview, remove
from b2_iconik.operation.decisions import (
    AssetResult,
    Decision,
    Failures,
    progress_after,
    result_of,
    vanished,
)
from b2_iconik.operation.deletion_results import accept
from b2_iconik.operation.interrupted import bring_back, resume
from b2_iconik.operation.proving import Judged, RemoveContext, prove
from b2_iconik.operation.snapshot import Patience, Snapshot, see
from iconik import Iconik
from iconik_http.records import Format


def process_add(
    iconik: Iconik, asset: ClaimedAsset, ll_storage_id: str, patience: Patience
) -> AssetResult:
    """Process an asset that should be on LucidLink; restore what an earlier Remove marked deleted.

    Args:
        asset: the asset. Its progress and whether it was seen are kept up to date.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    told = AssetResult().with_failures(bring_back(iconik, asset, EARLIER)).outcomes
    # A copy next to a file set that iconik is about to purge would be purged with it.
    stuck = {each.name for each in asset.progress.unaccepted.values()}
    formats = tuple(name for name in asset.formats if name not in stuck)
    result = _process_add(iconik, asset, formats, ll_storage_id, patience)
    for name, outcome in told.items():
        found = result.outcomes.get(name, outcome)
        if name in stuck:
            result = result.with_outcomes({name: outcome})
        elif outcome.reason.cause == Cause.RESTORED and (
            found.kind == "there" or name not in formats
        ):
            result = result.with_outcomes(
                {name: Outcome("restored", outcome.reason, "", found.size)}
            )
    return result


def _process_add(
    iconik: Iconik,
    asset: ClaimedAsset,
    formats: tuple[str, ...],
    ll_storage_id: str,
    patience: Patience,
) -> AssetResult:
    wanted = replace(asset, formats=formats)
    ready = _ready(asset, formats)
    if ready:
        return AssetResult(copies=ready)
    snapshot = see(iconik, asset.asset_id, _known_formats(wanted))
    if snapshot is None:
        return vanished(formats)
    asset.seen = True
    decided = result_of(add.decide(wanted, snapshot, ll_storage_id, patience))
    result = decided.with_sizes(_sizes(formats, snapshot, ll_storage_id))
    asset.progress = progress_after(asset.progress, result, patience.now_ms)
    if result.copies:
        # Once copies are under way, only the files can change.
        names = {each.id: each.name for each in by_age(snapshot.formats)}
        asset.progress = replace(asset.progress, format_names=names, ready=())
    return result


def _sizes(names: Iterable[str], snapshot: Snapshot, ll_storage_id: str) -> dict[str, int | None]:
    """The sizes of formats, by name."""
    return {name: size_of(name, snapshot.formats, snapshot.files, ll_storage_id) for name in names}


def _ready(asset: ClaimedAsset, formats: Iterable[str]) -> tuple[str, ...]:
    """The formats whose copies can be requested without reading the asset: each only once."""
    progress = asset.progress
    return tuple(
        name for name in formats if name in progress.ready and name not in progress.copy_results
    )


def _known_formats(asset: ClaimedAsset, *, is_exact: bool = False) -> list[Format]:
    """The formats that need not be requested again; none if a wanted one may be missing.

    Args:
        is_exact: whether nothing but the wanted formats may be known. Then even exchanged names
            change nothing.
    """
    known = [Format(each, name) for each, name in asset.progress.format_names.items()]
    names, wanted = {each.name for each in known}, set(asset.formats)
    return known if names == wanted or (wanted <= names and not is_exact) else []


def process_remove(removal: RemoveContext, asset: ClaimedAsset, patience: Patience) -> AssetResult:
    """Process an asset that should leave LucidLink: delete at once what is proven safe.

    A deletion is never requested after its proof expires (``Snapshot.until``), a few seconds after
    the reading that it rests on. If iconik does not answer in time, everything is read again. So an
    edit can be missed only if iconik registers it between the reading and the deletion.

    File sets that are only marked deleted are then in ``AssetResult.marked``. The caller must purge
    their files within that time, and then call ``note_purge``. With PURGE=later, they are left to
    iconik: they are accepted at once, and in ``AssetProgress.marked``. Accepted deletions are in
    ``AssetProgress.accepted`` until they are verified.

    Formats that a listing showed only on LucidLink are copied to B2 first, without reading the
    asset.

    Args:
        asset: the asset. Its progress and whether it was seen are kept up to date.

    Raises:
        IconikError: iconik or B2 gave no usable answer, or refused.
        OperationFailed: the storages can no longer be used.
    """
    resumed = resume(removal, asset, patience.now_ms)
    if not asset.formats:
        return resumed
    checked = removal.preflight()
    ready = _ready(asset, asset.formats)
    if ready and not checked.obstacle and not resumed.outcomes:
        return AssetResult(copies=ready)
    judged = _prove(removal, asset)
    if judged is None:
        return vanished(asset.formats)
    asset.seen = True
    decisions = remove.decide(asset, judged, patience, checked.obstacle, resumed.outcomes)
    decided = result_of(decisions)
    asset.progress = progress_after(asset.progress, decided, patience.now_ms)
    result = replace(
        decided,
        outcomes={**resumed.outcomes, **decided.outcomes},
        until=min(judged.snapshot.until, checked.until),
    )
    result = _delete(removal, asset, decisions, result, resumed.failures, patience.now_ms)
    absence = _absence(removal, asset, decisions, judged)
    sizes = _sizes(asset.formats, judged.snapshot, removal.ll_storage_id)
    return result.with_sizes(sizes).with_outcomes(absence)


def process_undo(iconik: Iconik, asset: ClaimedAsset, ll_storage_id: str) -> AssetResult:
    """Process an asset of which a Remove has only marked file sets deleted: restore them.

    The formats of which nothing is left to restore are only looked for on LucidLink: another
    operation has brought them back, or removed them again.

    Args:
        asset: the asset. Its progress and whether it was seen are kept up to date.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    begun = asset.progress.unaccepted
    told = bring_back(iconik, asset, UNDONE)
    failures = {key: one for key, one in told.items() if one[1].cause != Cause.RESTORED}
    sizes = Counter[str]()
    for key, (name, _) in told.items():
        proof = begun[key].proof
        sizes[name] += proof.size if proof else 0
    back = {name: Outcome("restored", size=sizes[name] or None) for name, _ in told.values()}
    result = AssetResult(back).with_failures(
        {
            key: (name, TOO_LATE(file_set_id=key) if why.cause == Cause.NOT_RESTORED else why)
            for key, (name, why) in failures.items()
        }
    )
    rest = [each for each in asset.formats if each not in {*result.outcomes, *asset.outcomes}]
    return result.with_outcomes(_undone_before(iconik, asset, rest, ll_storage_id))


def _undone_before(
    iconik: Iconik, asset: ClaimedAsset, names: Sequence[str], ll_storage_id: str
) -> dict[str, Outcome]:
    """The outcomes of formats of which an Undo has nothing to restore."""
    snapshot = see(iconik, asset.asset_id) if names else Snapshot([], [])
    if snapshot is None:
        return dict(vanished(names).outcomes)
    outcomes = {}
    for name in names:
        formats = wanted_formats(snapshot.formats, name)
        found = {presence(each.id, snapshot.files, ll_storage_id).state for each in formats}
        size = size_of(name, snapshot.formats, snapshot.files, ll_storage_id) if formats else None
        is_there = "there" in found
        outcomes[name] = (
            Outcome("there", size=size) if is_there else Outcome("failed", NOTHING_LEFT)
        )
    return outcomes


def process_preview(removal: RemoveContext, asset: ClaimedAsset, patience: Patience) -> AssetResult:
    """Find out what a Remove would do with an asset now. Nothing is changed, or waited for.

    What another operation has begun to delete is left to it.

    Raises:
        IconikError: iconik or B2 gave no usable answer, or refused.
        OperationFailed: the storages can no longer be used.
    """
    checked = removal.preflight()
    judged = _prove(removal, asset)
    if judged is None:
        return vanished(asset.formats)
    asset.seen = True
    decisions = remove.decide(asset, judged, patience, checked.obstacle)
    outcomes = preview.outcomes(decisions, judged.verdicts)
    sizes = _sizes(asset.formats, judged.snapshot, removal.ll_storage_id)
    result = AssetResult(outcomes).with_sizes(sizes)
    # Read last: what was marked deleted when the asset was read is noted, unless it is done.
    begun = removal.claims.being_deleted(asset.asset_id)
    left = {
        name: Outcome("kept", OTHERS_DELETION(file_set_id=begun[name]))
        for name in asset.formats
        if name in begun
    }
    absence = _absence(removal, asset, decisions, judged)
    return result.with_outcomes({**absence, **left})


def _prove(removal: RemoveContext, asset: ClaimedAsset) -> Judged | None:
    """Read an asset, and judge its formats. Returns None if iconik no longer knows it."""
    return prove(
        removal,
        asset.asset_id,
        lambda snapshot: remove.judge_formats(asset.formats, snapshot, removal.storages),
        known=_known_formats(asset, is_exact=True),
    )


def _absence(
    removal: RemoveContext, asset: ClaimedAsset, decisions: Mapping[str, Decision], judged: Judged
) -> dict[str, Outcome]:
    """The outcomes of the formats of which no file on LucidLink is listed."""
    absent = [name for name, each in decisions.items() if each.is_absent]
    if not absent:
        return {}
    file_sets = removal.iconik.file_sets(asset.asset_id)
    return remove.absence(absent, judged.snapshot, file_sets, asset.progress, removal.ll_storage_id)


def _delete(
    removal: RemoveContext,
    asset: ClaimedAsset,
    decisions: Mapping[str, Decision],
    result: AssetResult,
    earlier: Failures,
    now_ms: int,
) -> AssetResult:
    """Delete what was proven safe, except files that can be purged with those of other assets.

    Args:
        earlier: the interrupted deletions that failed. A file set that is proven now was restored
            before.
    """
    deletions = {key: each for one in decisions.values() for key, each in one.deletions.items()}
    if not deletions:
        return result.with_failures(earlier)
    window = removal.grace_period.begin() if removal.grace_period else None
    if not removal.claims.begin_deletions(asset, deletions, window):
        names = {each.name for each in deletions.values()}
        rest = {name: each for name, each in result.outcomes.items() if name not in names}
        overtaken = replace(result, outcomes=rest, must_be_requeued=True)
        return overtaken.with_failures(earlier)
    iconik, ids = removal.iconik, list(deletions)
    if window:
        done = deletion.mark(iconik, asset.asset_id, ids, result.until)
    else:
        done = deletion.delete(iconik, removal.capabilities, asset.asset_id, ids, result.until)
    left = [] if window else done.marked
    asset.progress = asset.progress.without_deletions(done.refusals)
    accepted = deletions.keys() - done.refusals.keys() - set(left)
    accept(asset, accepted, done, now_ms)
    failures = {key: why for key, why in earlier.items() if key not in deletions}
    refused = {key: (deletions[key].name, why) for key, why in done.refusals.items()}
    marked = replace(result, marked=tuple(left))
    return marked.with_failures({**failures, **refused})
