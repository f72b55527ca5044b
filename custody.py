"""What must be copied, what is proven safe to delete, and why not. Pure: no I/O.

The rule: a file set on LucidLink may go only if one file set of the same format on B2 holds a twin
of every one of its files. Whatever iconik doesn't say counts against the deletion.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from records import ACTIVE, DELETED, File, Format

UNFINISHED = frozenset({"OPEN", "GROWING", "AWAITED"})
CHECKSUM = re.compile(r"(?:(?P<kind>[a-z0-9_-]+):)?(?P<digest>[0-9a-f]{8,128})", re.IGNORECASE)


Remedy = Literal["none", "wait", "copy"]
REMEDIES: tuple[Remedy, ...] = ("none", "wait", "copy")


class Doubt(NamedTuple):
    """Why something isn't proven safe, and what may settle it, as in ``Unproven``."""

    reason: str
    remedy: Remedy


@dataclass(frozen=True)
class Safe:
    """A file set on LucidLink that may be deleted.

    Attributes:
        file_set_id: the file set on LucidLink.
        twin_id: the file set on B2 that proves it.
        by_checksum: whether every file was proven by checksum, too, and not by its size alone.
    """

    file_set_id: str
    twin_id: str
    by_checksum: bool


@dataclass(frozen=True)
class Unproven:
    """A file set on LucidLink that must stay.

    Attributes:
        file_set_id: the file set on LucidLink.
        reason: why it isn't proven safe, for a person.
        remedy: 'copy' if a copy to B2 may prove it, 'wait' if one seems to be under way, 'none' if
            only a person can help.
    """

    file_set_id: str
    reason: str
    remedy: Remedy


Verdict = Safe | Unproven


@dataclass(frozen=True)
class Presence:
    """How a format of an asset stands on a storage.

    Attributes:
        state: 'there', 'unfinished' (a copy is under way), or 'lacking'.
        has_source: whether some other storage has files of it that could be copied.
    """

    state: Literal["there", "unfinished", "lacking"]
    has_source: bool


def wanted_formats(formats: Iterable[Format], name: str) -> list[Format]:
    """The formats of that name, the newest first: an asset with versions has one for each."""
    same = [each for each in formats if each.name == name]
    return sorted(same, key=lambda each: each.date_created, reverse=True)


def presence(format_id: str, files: Iterable[File], storage_id: str) -> Presence:
    """Tell how a format of an asset stands on a storage.

    Args:
        format_id: the format.
        files: all files of the asset, on all storages.
        storage_id: the storage to look on.
    """
    mine = [file for file in _media(files) if file.format_id == format_id and _active(file)]
    sets = _by_file_set(file for file in mine if file.storage_id == storage_id)
    elsewhere = _by_file_set(file for file in mine if file.storage_id != storage_id)
    has_source = any(all(_complete(file) for file in each) for each in elsewhere.values())
    if any(all(_complete(file) for file in each) for each in sets.values()):
        return Presence("there", has_source)
    if any(file.status in UNFINISHED for each in sets.values() for file in each):
        return Presence("unfinished", has_source)
    return Presence("lacking", has_source)


def judge(
    format_id: str, files: Iterable[File], ll_storage_id: str, b2_storage_id: str
) -> list[Verdict]:
    """Judge every file set of a format on LucidLink: may it be deleted?

    Args:
        format_id: the format.
        files: all files of the asset, on all storages, read from iconik's files API. Those whose
            file set is deleted already are passed over.
        ll_storage_id, b2_storage_id: the two storages.

    Returns:
        One verdict for each file set of the format on the LucidLink storage.
    """
    mine = [file for file in files if file.format_id == format_id and file.format_id]
    on_b2 = _by_file_set(
        file for file in _media(mine) if file.storage_id == b2_storage_id and _active(file)
    )
    on_ll = _by_file_set(
        file for file in mine if file.storage_id == ll_storage_id and not _deleted(file)
    )
    return [_judge_set(file_set_id, each, on_b2) for file_set_id, each in on_ll.items()]


def _judge_set(file_set_id: str, files: Sequence[File], on_b2: dict[str, list[File]]) -> Verdict:
    doubt = _unfit(file_set_id, files)
    if doubt:
        return Unproven(file_set_id, *doubt)
    media = _media(files)
    doubts = []
    for twin_id, candidates in on_b2.items():
        shelf = _Shelf(candidates)
        for base in shelf.bases(media):
            twins = shelf.twins(media, base)
            if isinstance(twins, Doubt):
                doubts.append(twins)
            else:
                by_checksum = all(map(_same_checksum, media, twins))
                return Safe(file_set_id, twin_id, by_checksum)
    if doubts:
        # What only a person can help is told first: no copy would settle it.
        return Unproven(file_set_id, *min(doubts, key=lambda doubt: REMEDIES.index(doubt.remedy)))
    return Unproven(file_set_id, f"{_named(media[0])} has no twin on B2", "copy")


def _unfit(file_set_id: str, files: Sequence[File]) -> Doubt | None:
    """Why the LucidLink side itself can't be judged, if so."""
    if not file_set_id:
        return Doubt("iconik doesn't say which file set it belongs to", "none")
    if not _media(files):
        return Doubt("iconik lists no file of it on LucidLink", "none")
    for file in files:
        if file.type == "DIRECTORY":
            continue
        name = _named(file)
        if file.type != "FILE":
            return Doubt(f"{name} is no ordinary file but {file.type or 'of unknown type'}", "none")
        if file.status in UNFINISHED:
            return Doubt(f"{name} is still being written on LucidLink ({file.status})", "none")
        if file.status != "CLOSED":
            return Doubt(f"{name} is {file.status or 'of unknown status'} on LucidLink", "none")
        if not _has_size(file):
            return Doubt(f"{name} has {_bytes(file.size)} on LucidLink", "none")
    return None


class _Shelf:
    """The files of one file set on B2, to be looked up by place and name."""

    def __init__(self, files: Iterable[File]) -> None:
        self._by_name: dict[str, list[PurePosixPath]] = defaultdict(list)
        self._by_place: dict[tuple[PurePosixPath, str], list[File]] = defaultdict(list)
        for file in files:
            directory = _directory(file)
            self._by_name[file.original_name].append(directory)
            self._by_place[directory, file.original_name].append(file)

    def bases(self, files: Sequence[File]) -> list[PurePosixPath]:
        """The directories that may stand for the one that all the files lie in on LucidLink.

        A storage may keep its files below a directory of its own, so only what lies below the
        common directory of a file set has to agree. Wherever all have a twin, the first has one.
        """
        below = _directory(files[0]).relative_to(_common_directory(files)).parts
        bases: dict[PurePosixPath, None] = {}
        for directory in self._by_name.get(files[0].original_name, ()):
            cut = len(directory.parts) - len(below)
            if cut >= 0 and directory.parts[cut:] == below:
                bases[PurePosixPath(*directory.parts[:cut])] = None
        return list(bases)

    def twins(self, files: Sequence[File], base: PurePosixPath) -> list[File] | Doubt:
        """The twin of each file below a directory, in order, or why one has none."""
        common = _common_directory(files)
        alike = Counter((_directory(file), file.original_name) for file in files)
        twins = []
        for file in files:
            place = base / _directory(file).relative_to(common)
            there = self._by_place.get((place, file.original_name), [])
            if alike[_directory(file), file.original_name] > 1:
                # Files of one name in one place can only be told apart by their stored names.
                there = [each for each in there if each.name == file.name]
            doubts = [_doubt(file, each) for each in there]
            if None in doubts:
                twins.append(there[doubts.index(None)])
            elif doubts:
                return min(filter(None, doubts), key=lambda doubt: REMEDIES.index(doubt.remedy))
            else:
                return Doubt(f"{_named(file)} has no twin on B2", "copy")
        if len({id(twin) for twin in twins}) < len(files):
            return Doubt("two of its files have one and the same twin on B2", "none")
        return twins


def _doubt(file: File, twin: File) -> Doubt | None:
    """Why a file on B2 does not prove one on LucidLink; None if it does."""
    name = _named(file)
    if twin.status in UNFINISHED:
        return Doubt(f"{name} isn't finished on B2 ({twin.status})", "wait")
    if twin.status != "CLOSED":
        return Doubt(f"{name} is {twin.status or 'of unknown status'} on B2", "copy")
    if not _has_size(twin):
        return Doubt(f"{name} has {_bytes(twin.size)} on B2", "copy")
    if twin.size != file.size:
        sizes = f"{_bytes(file.size)} on LucidLink, {_bytes(twin.size)} on B2"
        return Doubt(f"{name} differs from its master: {sizes}", "none")
    if _different_checksum(file, twin):
        checksums = f"checksum {file.checksum} on LucidLink, {twin.checksum} on B2"
        return Doubt(f"{name} differs from its master: {checksums}", "none")
    return None


def _common_directory(files: Sequence[File]) -> PurePosixPath:
    directories = {_directory(file) for file in files}
    common = next(iter(directories))
    while not all(each.is_relative_to(common) for each in directories):
        common = common.parent
    return common


def _directory(file: File) -> PurePosixPath:
    return PurePosixPath(file.directory_path.strip("/"))


def _checksum(file: File) -> tuple[str, str] | None:
    """Kind and digest, or None; the kind is told by a prefix, else by the digest's length."""
    match = CHECKSUM.fullmatch(file.checksum or "")
    if not match:
        return None
    return (match["kind"] or str(len(match["digest"]))).lower(), match["digest"].lower()


def _same_checksum(file: File, twin: File) -> bool:
    return _checksum(file) is not None and _checksum(file) == _checksum(twin)


def _different_checksum(file: File, twin: File) -> bool:
    mine, other = _checksum(file), _checksum(twin)
    return mine is not None and other is not None and mine[0] == other[0] and mine != other


def _by_file_set(files: Iterable[File]) -> dict[str, list[File]]:
    sets: dict[str, list[File]] = defaultdict(list)
    for file in files:
        sets[file.file_set_id].append(file)
    return dict(sets)


def _media(files: Iterable[File]) -> list[File]:
    return [file for file in files if file.type == "FILE"]


def _active(file: File) -> bool:
    return file.file_set_status == ACTIVE


def _deleted(file: File) -> bool:
    return file.file_set_status == DELETED


def _complete(file: File) -> bool:
    return file.status == "CLOSED" and _has_size(file)


def _has_size(file: File) -> bool:
    return file.size is not None and file.size > 0


def _named(file: File) -> str:
    return file.original_name or file.name or "a file without a name"


def _bytes(size: int | None) -> str:
    return "no known size" if size is None else f"{size:,} bytes"
