"""Deleting, purging and restoring file sets, with an independent judge.

The judge knows nothing about the plugin's decisions. At each deletion on the LucidLink storage, it
reads the records and the real bytes, and records whether every file was safe on B2. The tests
assert on these verdicts.

iconik itself purges what was deleted longer ago than the grace period.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from flask import request

from simulator import media
from simulator.clock import CLOCK
from simulator.library import Library
from simulator.objects import Objects
from simulator.records import Asset, File, FileSet, Json, iso
from simulator.refusals import Refusal, forbidden, not_found
from simulator.rights import Rights
from simulator.settings import Settings

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Deletion:
    """One deletion or restore, and the judge's verdict.

    Attributes:
        step: 'delete', 'purge' or 'restore'.
        automatic: whether it is a purge that nobody requested, at the end of the grace period.
        proven: whether nothing could be lost by it.
        permitted: whether the requesting token had the right to it.
    """

    time: str
    step: str
    automatic: bool
    asset_id: str
    file_set_id: str
    format: str
    storage_id: str
    proven: bool
    reason: str
    permitted: bool

    def json(self) -> Json:
        """Return the deletion as the control API shows it."""
        return asdict(self)


class Deletions:
    """The deleting operations of the API."""

    def __init__(
        self,
        library: Library,
        settings: Settings,
        objects: Objects,
        rights: Rights,
        b2_id: str,
        lucidlink_id: str,
    ) -> None:
        self._library = library
        self._settings = settings
        self._objects = objects
        self._rights = rights
        self._b2_id = b2_id
        self._lucidlink_id = lucidlink_id
        self.seen: list[Deletion] = []

    def delete(self, file_set: FileSet, keep_source: bool = False) -> None:
        """Mark a file set deleted; its real files stay until it is purged."""
        self._check_allowed(file_set)
        if file_set.status == "DELETED":
            return
        self._record("delete", file_set, self._danger_of_delete(file_set))
        file_set.status, file_set.deleted = "DELETED", None
        file_set.keep_source = keep_source
        self._library.queue_deleted(file_set)

    def purge(self, file_set: FileSet) -> None:
        """Remove the real files of a deleted file set, and its records."""
        if file_set.status != "DELETED":
            raise Refusal(400, ["File set is not deleted"])
        self._check_allowed(file_set)
        self._record("purge", file_set, self._danger_of_purge(file_set))
        self._remove(file_set)

    def purge_due(self) -> None:
        """Purge what was deleted longer ago than the grace period, as iconik does by itself.

        A file set on a storage that does not allow deletion stays in the delete queue.
        """
        with self._library.lock:
            latest = CLOCK.now() - self._settings.delete_grace_period * SECONDS_PER_HOUR
            due = [
                each
                for each in self._library.delete_queue.values()
                if (each.deleted or 0.0) <= latest and _allows_deletion(each)
            ]
            for file_set in due:
                danger = self._danger_of_purge(file_set, is_automatic=True)
                self._record("purge", file_set, danger, is_automatic=True)
                self._remove(file_set)

    def restore(self, file_set: FileSet) -> None:
        """Undo a deletion."""
        if file_set.status != "DELETED":
            raise Refusal(400, ["File set is not deleted"])
        self._record("restore", file_set, "")
        self._library.restore(file_set)

    def bulk(
        self, asset: Asset, ids: Iterable[str], *, immediately: bool, keep_source: bool, net: bool
    ) -> None:
        """Delete several file sets of an asset: all of them, or none if one is refused.

        Args:
            ids: the ids of its file sets; those already gone are skipped.
            immediately: whether to purge them too.
            keep_source: whether to keep the real files.
            net: whether to refuse if a format would be left without a complete file set.
        """
        file_sets = [asset.file_sets[each] for each in ids if each in asset.file_sets]
        if not file_sets:
            raise not_found("File set")
        for file_set in file_sets:
            self._check_allowed(file_set)
            if net and not any(
                other.format is file_set.format and other not in file_sets and other.is_whole()
                for other in asset.file_sets.values()
            ):
                raise Refusal(400, [f"File set {file_set.id} is the last copy"])
        for file_set in file_sets:
            self.delete(file_set, keep_source)
            if immediately:
                self.purge(file_set)

    def summary(self) -> Json:
        """Return the number of judged deletions, and of those that were wrong."""
        return {
            "checked": sum(each.step != "restore" for each in self.seen),
            "unproven": sum(not each.proven for each in self.seen),
            "forbidden": sum(not each.permitted for each in self.seen),
        }

    def _check_allowed(self, file_set: FileSet) -> None:
        if not _allows_deletion(file_set):
            raise forbidden("Deletion is not allowed on this storage")

    def _remove(self, file_set: FileSet) -> None:
        if not file_set.keep_source:
            self._remove_files(file_set)
        self._library.drop_file_set(file_set)

    def _remove_files(self, file_set: FileSet) -> None:
        taken = _paths(file_set)
        if not self._settings.purge_takes_shared:
            taken -= {
                path
                for other in self._library.assets[file_set.asset_id].file_sets.values()
                if other.status == "ACTIVE" and other.storage is file_set.storage
                for file in other.files.values()
                for path in file.paths
            }
        for path in taken:
            path.unlink(missing_ok=True)

    def _record(
        self, step: str, file_set: FileSet, danger: str, *, is_automatic: bool = False
    ) -> None:
        """Record a deletion or a restore; ``danger`` says what it could lose, if anything."""
        asset_id = file_set.asset_id
        self.seen.append(
            Deletion(
                time=iso(CLOCK.now()),
                step=step,
                automatic=is_automatic,
                asset_id=asset_id,
                file_set_id=file_set.id,
                format=file_set.format.name,
                storage_id=file_set.storage.id,
                proven=not danger,
                reason=danger or "nothing could be lost",
                permitted=is_automatic
                or self._rights.may_delete(request.environ["simulator.token"], asset_id),
            )
        )

    def _danger_of_delete(self, file_set: FileSet) -> str:
        """Return what could be lost; empty if nothing could."""
        if file_set.storage.id != self._lucidlink_id:
            return "not on the LucidLink storage"
        asset = self._library.assets[file_set.asset_id]
        return self._without_twin(file_set) or self._danger_to_others(file_set, asset.files())

    def _danger_of_purge(self, file_set: FileSet, *, is_automatic: bool = False) -> str:
        """Return what would be lost; empty if nothing would."""
        is_on_lucidlink = file_set.storage.id == self._lucidlink_id
        # What the simulator's own API has deleted is the concern of the test.
        is_ours = not is_automatic or any(each.file_set_id == file_set.id for each in self.seen)
        if not is_on_lucidlink:
            return "not on the LucidLink storage" if is_ours else ""
        if not any(path.exists() for path in _paths(file_set)):
            return ""
        danger = self._without_twin(file_set) if is_ours else ""
        return danger or self._danger_to_others(file_set, self._library.files.values())

    def _danger_to_others(self, file_set: FileSet, among: Iterable[File]) -> str:
        """Return which of some files is at the same path, and not safe; empty if none is."""
        paths = _paths(file_set)
        names = {path.name for path in paths}
        for file in among:
            other = file.file_set
            is_active = other.status == "ACTIVE" and other.storage is file_set.storage
            # A path is expensive to build, and there may be thousands of files.
            may_share = file.type == "SEQUENCE" or file.name.rpartition("/")[2] in names
            if not (is_active and may_share) or other is file_set:
                continue
            if not paths.isdisjoint(file.paths) and self._without_twin(other):
                return f"{file.name}: also a file of {other.format.name}, which is not safe"
        return ""

    def _without_twin(self, file_set: FileSet) -> str:
        """Return which file of a file set is not safe on B2, and why; empty if all are safe."""
        if not file_set.files:
            return "a file set without files"
        masters: dict[str, list[File]] = defaultdict(list)
        for master in self._library.assets[file_set.asset_id].files():
            if self._is_master(master, file_set):
                masters[_name(master)].append(master)
        files = [file for file in file_set.files.values() if file.type != "DIRECTORY"]
        if files and not any(file.size for file in files):
            return "nothing but empty files"
        for file in files:
            twins = masters.get(_name(file))
            if not twins:
                return f"{file.original_name}: no closed record with a size on B2"
            if not any(self._are_twins(file, twin) for twin in twins):
                return f"{file.original_name}: the real files differ, or one is missing"
        return ""

    def _is_master(self, master: File, file_set: FileSet) -> bool:
        """Return whether a record is of a file on B2 that may be a twin in this file set."""
        is_empty = master.size == 0 and not any(map(_size, master.paths))
        return (
            master.file_set.storage.id == self._b2_id
            and master.file_set.status == "ACTIVE"
            and master.status == "CLOSED"
            and master.file_set.format is file_set.format
            and (bool(master.size) or is_empty)
        )

    def _are_twins(self, file: File, master: File) -> bool:
        """Return whether a bucket has a file's content, or the size of a file deleted by hand."""
        bucket = master.file_set.storage
        if not all(self._objects.is_there(bucket, path) for path in master.paths):
            return False
        if file.status == "MISSING" and not any(path.exists() for path in file.paths):
            return file.size == sum(map(_size, master.paths))
        return len(file.paths) == len(master.paths) and all(
            media.same_bytes(one, other)
            for one, other in zip(file.paths, master.paths, strict=True)
        )


def _allows_deletion(file_set: FileSet) -> bool:
    return bool(file_set.storage.settings.get("delete", True))


def _paths(file_set: FileSet) -> set[Path]:
    """Return the real files of a file set."""
    files = (file for file in file_set.files.values() if file.type != "DIRECTORY")
    return {path for file in files for path in file.paths}


def _name(file: File) -> str:
    """Return the original name in a form that is equal for all spellings of accents."""
    return unicodedata.normalize("NFC", file.original_name)


def _size(path: Path) -> int:
    """Return the size of a real file; 0 if there is none."""
    return path.stat().st_size if path.is_file() else 0
