"""One asset as iconik's files API shows it now."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from b2_iconik.common.texts import age
from b2_iconik.domain.reasons import OTHER_COUNT, OTHER_STATUS, QUEUED_AND_LISTED, Reason
from iconik import Iconik
from iconik_http.errors import Contradicted, NotFound
from iconik_http.expiry import Reading
from iconik_http.records import DELETED, File, FileSet, Format


@dataclass(frozen=True)
class Snapshot:
    """An asset's formats, and its files on all storages; each file's file set status is known.

    Attributes:
        contradictions: by file set id, how iconik contradicts itself about it.
        until: the deadline for a deletion that relies on this snapshot, by ``expiry.now``.
    """

    formats: list[Format]
    files: list[File]
    contradictions: Mapping[str, Reason] = field(default_factory=dict)
    until: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Patience:
    """The current time, and how long to wait for files that are still being written.

    Attributes:
        now_ms: milliseconds since 1970.
        settle_ms: how long a file may stay unfinished, in milliseconds.
    """

    now_ms: int
    settle_ms: int

    def is_over(self, since_ms: int | None) -> bool:
        """Whether something that was first seen at ``since_ms`` has had enough time."""
        return since_ms is not None and self.now_ms - since_ms >= self.settle_ms

    def age(self, since_ms: int | None) -> str:
        """How long ago something was first seen, for display."""
        return age(0 if since_ms is None else self.now_ms - since_ms)


def see(
    iconik: Iconik,
    asset_id: str,
    known: Iterable[Format] = (),
    deleted: Collection[str] | None = (),
    *,
    is_thorough: bool = False,
) -> Snapshot | None:
    """Read an asset. Returns None if iconik no longer knows it.

    This usually takes two requests, or one if the formats are known.

    Args:
        known: its formats, as far as known. They are requested if they don't include the formats of
            all its files.
        deleted: ids of the file sets in iconik's delete queue. If None, they are unknown, and the
            asset's file sets are requested, too.
        is_thorough: whether to request older versions, too, and a signed URL for each file.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    formats, reading = list(known), Reading()
    try:
        formats = formats or iconik.formats(asset_id, all_versions=is_thorough)
    except NotFound:
        # iconik may give the same answer for an asset that has no formats yet.
        if not iconik.asset_exists(asset_id):
            return None
    if not formats:
        return Snapshot([], [])
    try:
        files = iconik.files(asset_id, reading, signed=is_thorough)
    except NotFound as refusal:
        if not iconik.asset_exists(asset_id):
            return None
        # It would be rash to conclude that the asset has no files.
        raise Contradicted(refusal.call, "iconik answered 404, although the asset exists") from None
    if known and not {file.format_id for file in files} <= {each.id for each in formats}:
        # Everything, in the usual order: a proof is only as recent as its first reading.
        return see(iconik, asset_id, (), deleted, is_thorough=is_thorough)
    contradictions = {
        file.file_set_id: QUEUED_AND_LISTED(
            file_set_id=file.file_set_id, status=file.file_set_status
        )
        for file in files
        if file.file_set_status != DELETED and file.file_set_id in (deleted or ())
    }
    if deleted is None or not all(file.file_set_status for file in files):
        file_sets = iconik.file_sets(asset_id, reading)
        contradictions |= dict(_contradictions(file_sets, files))
        statuses = {each.id: each.status for each in file_sets}
        files = [
            replace(
                file, file_set_status=file.file_set_status or statuses.get(file.file_set_id) or None
            )
            for file in files
        ]
    return Snapshot(formats, files, contradictions, reading.until)


def _contradictions(
    file_sets: Iterable[FileSet], files: list[File]
) -> Iterator[tuple[str, Reason]]:
    """By file set id, how a list of file sets contradicts the list of their files."""
    for each in file_sets:
        listed = [file for file in files if file.file_set_id == each.id]
        statuses = {file.file_set_status for file in listed if file.file_set_status}
        if each.status and statuses - {each.status}:
            told = ", ".join(sorted(status for status in statuses if status))
            yield each.id, OTHER_STATUS(file_set_id=each.id, status=each.status, told=told)
        fewest = sum(file.type != "DIRECTORY" for file in listed)
        if each.file_count is not None and listed and not fewest <= each.file_count <= len(listed):
            count = {"count": each.file_count, "listed": len(listed)}
            yield each.id, OTHER_COUNT(file_set_id=each.id, **count)
