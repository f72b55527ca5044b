"""Proves that file sets may be deleted: judges what iconik lists, and has the bucket confirm it.

The bucket is asked about the records that iconik lists. If it takes more than half a second to
answer, the records are read again, at most three times, and the bucket, which caches its answers,
is asked about the new ones. So the proof is as recent as the last reading.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from b2_iconik.bucket.confirm import Bucket, Confirmation
from b2_iconik.domain.custody import Pair, Safe, Unproven, Verdict, judge, proven_by_size_alone
from b2_iconik.domain.progress import Deletion
from b2_iconik.domain.reasons import ANOTHER_TWIN, NO_LONGER_HERE, NOT_NOTED
from b2_iconik.domain.shared_paths import guard_shared_paths, sharing
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation.deletion import DeletionCapabilities
from b2_iconik.operation.grace_period import GracePeriod
from b2_iconik.operation.snapshot import Snapshot, see
from b2_iconik.operation.storages import Preflight
from iconik import Iconik
from iconik_http import expiry
from iconik_http.records import ACTIVE, CLOSED, DELETED, File, Format

# In seconds. The bucket answers from its cache in less.
QUICK = 0.5
MOST_READINGS = 3


@dataclass(frozen=True)
class RemoveContext:
    """The dependencies of a Remove operation.

    Attributes:
        claims: tell whether a newer click has come in between.
        capabilities: the ways to delete that this iconik offers.
        ll_storage_id, b2_storage_id: the two storages.
        preflight: checks the storages, and reads the delete queue.
        confirm: asks the bucket, given the asset's id and the proof. It is called before a deletion
            begins, and again before an interrupted one continues.
        require_checksum: whether to keep a file set that is proven by size alone.
        grace_period: how long iconik keeps file sets that are only marked deleted; None if they are
            purged at once.
    """

    iconik: Iconik
    claims: Claims
    capabilities: DeletionCapabilities
    ll_storage_id: str
    b2_storage_id: str
    preflight: Preflight
    confirm: Callable[[str, Safe], Confirmation]
    require_checksum: bool = False
    grace_period: GracePeriod | None = None

    @property
    def storages(self) -> tuple[str, str]:
        """The ids of the LucidLink storage and the B2 storage."""
        return self.ll_storage_id, self.b2_storage_id


@dataclass(frozen=True)
class Judged:
    """An asset as it was read, and the verdicts on its file sets.

    Attributes:
        snapshot: the last reading.
        verdicts: the judge's verdicts, minus those that the bucket objected to.
        confirmed_by: by file set id, how the bucket confirmed it.
    """

    snapshot: Snapshot
    verdicts: Mapping[str, list[Verdict]]
    confirmed_by: Mapping[str, str] = field(default_factory=dict)


def prove(
    removal: RemoveContext,
    asset_id: str,
    judge_all: Callable[[Snapshot], Mapping[str, list[Verdict]]],
    view: Callable[[Snapshot], Snapshot] = lambda snapshot: snapshot,
    known: Iterable[Format] = (),
) -> Judged | None:
    """Read an asset and judge it. Returns None if iconik no longer knows it.

    Args:
        judge_all: judges a snapshot, by format name. It may be called several times.
        view: transforms a snapshot before it is judged.
        known: as in ``see``.

    Raises:
        IconikError: iconik or B2 gave no usable answer, or refused.
        OperationFailed: the storages can no longer be used.
    """
    readings, is_checked_again = 0, False
    while True:
        readings += 1
        deleted = removal.preflight().deleted
        seen = see(removal.iconik, asset_id, known=known, deleted=deleted, is_thorough=True)
        if seen is None:
            return None
        if deleted and not (is_checked_again or deleted.isdisjoint(seen.contradictions)):
            # A file set may have been restored since the delete queue was listed.
            is_checked_again = True
            removal.preflight.forget()
            continue
        snapshot, confirmed_by, asked = view(seen), dict[str, str](), expiry.now()
        verdicts = {
            key: [
                _confirmed(removal, asset_id, each, confirmed_by)
                for each in _consistent(several, snapshot)
            ]
            for key, several in judge_all(snapshot).items()
        }
        if not confirmed_by or expiry.now() - asked < QUICK or readings == MOST_READINGS:
            # This comes last: a file set that stays keeps all file sets that share a file with it.
            guarded = guard_shared_paths(
                verdicts, snapshot.files, removal.ll_storage_id, snapshot.formats
            )
            return Judged(snapshot, guarded, confirmed_by)


def _consistent(verdicts: Iterable[Verdict], snapshot: Snapshot) -> list[Verdict]:
    """Treat contradictions in iconik's answers as objections to the deletion."""
    found: list[Verdict] = []
    for each in verdicts:
        ids = (each.file_set_id, each.twin_id) if isinstance(each, Safe) else ()
        against = [snapshot.contradictions[one] for one in ids if one in snapshot.contradictions]
        found.append(Unproven(each.file_set_id, against[0], "none") if against else each)
    return found


def _confirmed(
    removal: RemoveContext, asset_id: str, verdict: Verdict, confirmed_by: dict[str, str]
) -> Verdict:
    if isinstance(verdict, Unproven):
        return verdict
    said = removal.confirm(asset_id, verdict)
    if said.objection:
        return Unproven(verdict.file_set_id, said.objection, "none")
    judged = replace(verdict, by_checksum=verdict.by_checksum or said.by_checksum)
    if removal.require_checksum and not judged.by_checksum:
        return proven_by_size_alone(judged)
    confirmed_by[verdict.file_set_id] = said.way
    return judged


def confirm(
    bucket: Bucket,
    iconik: Iconik,
    preflight: Preflight,
    asset_id: str,
    safe: Safe,
    *,
    is_preview: bool = False,
) -> Confirmation:
    """Have B2 confirm the proof of a file set.

    Args:
        iconik: offers a signed URL for a file that was listed without one.
        is_preview: as in ``Bucket.confirm``.
    """

    def download_url(file: File) -> str:
        return iconik.download_url(asset_id, file.id)

    return bucket.confirm(preflight().b2, safe.pairs, download_url, is_preview=is_preview)


def standing_in(file_set_id: str, deletion: Deletion, snapshot: Snapshot) -> Snapshot:
    """The snapshot of an asset as if one of its file sets weren't marked deleted.

    If iconik no longer lists the files of the file set, the proven files stand in for them.
    """
    files = [
        _as_active(file) if file.file_set_id == file_set_id else file for file in snapshot.files
    ]
    if deletion.proof and not any(file.file_set_id == file_set_id for file in files):
        files += dict.fromkeys(pair.file for pair in deletion.proof.pairs)
    return replace(snapshot, files=files)


def _as_active(file: File) -> File:
    # iconik may show the mark at the file, too.
    status = CLOSED if file.status == DELETED else file.status
    return replace(file, file_set_status=ACTIVE, status=status)


def judge_again(
    file_set_id: str, deletion: Deletion, snapshot: Snapshot, storages: tuple[str, str]
) -> Verdict:
    """Judge a file set that is marked deleted as if it weren't: would the same proof hold now?

    Its files must be proven by the same twins as before.

    Args:
        snapshot: from ``standing_in``.
    """
    files, proof = snapshot.files, deletion.proof
    if not any(file.file_set_id == file_set_id for file in files):
        return Unproven(file_set_id, NOT_NOTED, "none")
    format_ids = {file.format_id for file in files if file.file_set_id == file_set_id}
    verdicts = [each for one in format_ids for each in judge(one, files, *storages)]
    mine = next((each for each in verdicts if each.file_set_id == file_set_id), None)
    if mine is None:
        return Unproven(file_set_id, NO_LONGER_HERE, "none")
    # The pairs of a deletion that iconik had accepted are no longer stored.
    if isinstance(mine, Safe) and proof is not None and proof.pairs:
        other = _facts(mine.pairs) ^ _facts(proof.pairs)
        if other:
            name = min(name for _, _, name, *_ in other)
            return Unproven(file_set_id, ANOTHER_TWIN(name=name), "none")
    return mine


def _facts(pairs: Iterable[Pair]) -> set[tuple[str, str, str, str, int | None, str | None]]:
    """The facts about the twins of a file set that must not have changed."""
    return {
        (one.file_set_id, one.id, one.name, one.directory_path, one.size, one.checksum)
        for one in (pair.twin for pair in pairs)
    }


def deletion_of(name: str, proof: Safe, judged: Judged) -> Deletion:
    """A deletion that is about to begin, with its proof."""
    snapshot = judged.snapshot
    shared_with = sharing(proof.file_set_id, name, snapshot.files, snapshot.formats)
    way = judged.confirmed_by.get(proof.file_set_id, "")
    return Deletion(name, proof, way, shared_with=shared_with)
