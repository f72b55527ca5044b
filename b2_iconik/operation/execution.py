"""Inspects one asset and carries out what was decided about it: reads, deletes, records, audits.

Copies are only named here: ``batches`` requests those of many assets together.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from b2_iconik.domain.operation import ClaimedAsset
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import EARLIER
from b2_iconik.operation import add, deletion, remove
from b2_iconik.operation.decisions import (
    Decision,
    Failures,
    Inspection,
    inspection_of,
    progress_after,
    vanished,
)
from b2_iconik.operation.deletion import Done
from b2_iconik.operation.interrupted import accept, restore, restore_all, resume
from b2_iconik.operation.proving import Removal, prove
from b2_iconik.operation.snapshot import Patience, see
from iconik import Iconik
from iconik_http.records import Format


def inspect_to_add(
    iconik: Iconik, asset: ClaimedAsset, ll_storage_id: str, patience: Patience
) -> Inspection:
    """Inspect an asset that should be on LucidLink, and what an earlier Remove left there.

    Args:
        asset: the asset. Its progress and whether it was seen are kept up to date.
        ll_storage_id: the LucidLink storage.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    restored, _ = restore_all(iconik, asset, EARLIER)
    # A copy next to a file set that iconik is about to purge would be purged with it.
    stuck = {each.name for each in asset.progress.unaccepted.values()}
    formats = tuple(name for name in asset.formats if name not in stuck)
    inspection = _inspect_to_add(iconik, asset, formats, ll_storage_id, patience)
    for name, outcome in restored.items():
        if name in stuck:
            inspection = inspection.with_outcomes({name: outcome})
        elif inspection.outcomes.get(name, outcome).kind == "there":
            inspection = inspection.with_outcomes({name: Outcome("there", outcome.reason)})
    return inspection


def _inspect_to_add(
    iconik: Iconik,
    asset: ClaimedAsset,
    formats: tuple[str, ...],
    ll_storage_id: str,
    patience: Patience,
) -> Inspection:
    progress, wanted = asset.progress, replace(asset, formats=formats)
    hinted = {name: progress.hint[name] for name in formats if name in progress.hint}
    if hinted:
        # The hint is used once. The next inspection checks its result and all that it left open.
        known_ids = hinted if len(hinted) == len(formats) else {}
        asset.progress = replace(progress, hint={}, formats=known_ids)
        return Inspection(copies=tuple(hinted))
    # Once copies are under way, only the files can change.
    known = [Format(each, name) for name, each in progress.formats.items()]
    snapshot = see(iconik, asset.asset_id, known)
    if snapshot is None:
        return vanished(formats)
    asset.seen = True
    inspection = inspection_of(add.decide(wanted, snapshot, ll_storage_id, patience))
    asset.progress = progress_after(progress, inspection, patience.now_ms)
    if inspection.copies:
        newest = add.newest_formats(wanted, snapshot)
        asset.progress = replace(asset.progress, formats=newest)
    return inspection


def inspect_to_remove(removal: Removal, asset: ClaimedAsset, patience: Patience) -> Inspection:
    """Inspect an asset that should leave LucidLink, and delete what is proven safe at once.

    Only a record in the ledger and the deletions of the asset's other proven file sets come between
    the reading that proves a file set and its deletion. If a deletion is not requested within
    ``Snapshot.until``, or iconik does not answer it, it is requested only after everything was read
    again. So an edit is missed only if it is made, and iconik notices it, within that time.

    File sets that are only marked deleted are then in ``Inspection.marked``. The caller must purge
    their files soon, and then call ``note_purge``. Accepted deletions are in
    ``AssetProgress.accepted`` until they are verified.

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
    proven = prove(
        removal,
        asset.asset_id,
        lambda snapshot: remove.judge_formats(asset.formats, snapshot, removal.storages),
    )
    if proven is None:
        return vanished(asset.formats)
    asset.seen = True
    decisions = remove.decide(asset, proven, patience, checked.obstacle, resumed.outcomes)
    decided = inspection_of(decisions)
    asset.progress = progress_after(asset.progress, decided, patience.now_ms)
    inspection = replace(
        decided,
        outcomes={**resumed.outcomes, **decided.outcomes},
        until=min(proven.snapshot.until, checked.until),
    )
    inspection = _delete(removal, asset, decisions, inspection, resumed.failures, patience.now_ms)
    absent = [name for name, each in decisions.items() if each.is_absent]
    if absent:
        file_sets = removal.iconik.file_sets(asset.asset_id)
        inspection = inspection.with_outcomes(
            remove.absence(
                absent, proven.snapshot, file_sets, asset.progress, removal.ll_storage_id
            )
        )
    return inspection


def _delete(
    removal: Removal,
    asset: ClaimedAsset,
    decisions: Mapping[str, Decision],
    inspection: Inspection,
    earlier: Failures,
    now_ms: int,
) -> Inspection:
    """Delete what was proven safe, except files that can be purged with those of other assets.

    Args:
        earlier: the interrupted deletions that failed. What was proven now had been restored.
    """
    deletions = {key: each for one in decisions.values() for key, each in one.deletions.items()}
    if not deletions:
        return inspection.with_failures(earlier)
    if not removal.claims.begin_deletions(asset, deletions):
        names = {each.name for each in deletions.values()}
        rest = {name: each for name, each in inspection.outcomes.items() if name not in names}
        overtaken = replace(inspection, outcomes=rest, is_overtaken=True)
        return overtaken.with_failures(earlier)
    done = deletion.delete(
        removal.iconik, removal.capabilities, asset.asset_id, list(deletions), inspection.until
    )
    asset.progress = asset.progress.without_deletions(done.refusals)
    accepted = deletions.keys() - done.refusals.keys() - set(done.marked)
    _accept(asset, accepted, done, now_ms)
    failures = {key: why for key, why in earlier.items() if key not in deletions}
    refused = {key: (deletions[key].name, why) for key, why in done.refusals.items()}
    marked = replace(inspection, marked=tuple(done.marked))
    return marked.with_failures({**failures, **refused})


def note_purge(
    removal: Removal, asset: ClaimedAsset, inspection: Inspection, done: Done, now_ms: int
) -> Inspection:
    """Record the result of a purge in an asset's progress, and return it with the inspection.

    File sets that iconik refused to purge are restored.

    Args:
        asset: the asset.
        inspection: the inspection that led to the purge.
        done: iconik's answer.

    Raises:
        IconikUnavailable: iconik gave no usable answer to a restoration.
    """
    refusals = {key: done.refusals[key] for key in inspection.marked if key in done.refusals}
    _accept(asset, [key for key in inspection.marked if key not in refusals], done, now_ms)
    failures = restore(removal.iconik, asset, refusals)
    return replace(inspection, marked=()).with_failures(failures)


def _accept(asset: ClaimedAsset, file_set_ids: Iterable[str], done: Done, now_ms: int) -> None:
    for each in file_set_ids:
        accept(asset, each, now_ms, is_doubted=each in done.unknown)
