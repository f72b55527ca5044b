"""What must be copied, what is proven safe to delete, and why not. Pure: no I/O.

The rule: a file set on LucidLink may go only if one file set of the same format on B2 holds a twin
of every one of its files. Whatever iconik doesn't say, or says in two ways, counts against the
deletion.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, NamedTuple

from checksums import Checksum, checksum, contradict, same
from matching import Key, Load, Shelf, key, media
from records import ACTIVE, DELETED, File, Format

UNFINISHED = frozenset({"OPEN", "GROWING", "AWAITED"})
Remedy = Literal["none", "wait", "copy"]
REMEDIES: tuple[Remedy, ...] = ("none", "wait", "copy")
# Why what a record tells of a file can't be all there is to it: others tell otherwise, or that
# something new is being written in its place.
Suspicion = Literal["disputed", "new"]
Suspects = Mapping[Key, Suspicion]


class Doubt(NamedTuple):
    """Why something isn't proven safe, and what may settle it, as in ``Unproven``."""

    reason: str
    remedy: Remedy


class Pair(NamedTuple):
    """A file on LucidLink, and what proves it on B2."""

    file: File
    twin: File


@dataclass(frozen=True)
class Safe:
    """A file set on LucidLink that may be deleted.

    Attributes:
        file_set_id: the file set on LucidLink.
        twin_id: the file set on B2 that proves it.
        by_checksum: whether every file was proven by checksum, too, and not by its size alone.
        size: of all its files, in bytes.
        format_id: the format that it is of.
        pairs: every file with each of its twins; a file may have several, all of which prove it.
    """

    file_set_id: str
    twin_id: str
    by_checksum: bool
    size: int = field(default=0, compare=False)
    format_id: str = field(default="", compare=False)
    pairs: tuple[Pair, ...] = field(default=(), compare=False, repr=False)


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
    mine = [file for file in media(files) if file.format_id == format_id and _active(file)]
    sets = _by_file_set(file for file in mine if file.storage_id == storage_id).values()
    elsewhere = _by_file_set(file for file in mine if file.storage_id != storage_id).values()
    sources = [each for each in elsewhere if all(map(_complete, each))]
    # A count proves nothing, but it tells a part that was left behind from the whole.
    fewest = min(map(len, sources), default=0)
    if any(len(each) >= fewest and all(map(_complete, each)) for each in sets):
        return Presence("there", bool(sources))
    if any(file.status in UNFINISHED for each in sets for file in each):
        return Presence("unfinished", bool(sources))
    return Presence("lacking", bool(sources))


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
    if ll_storage_id == b2_storage_id:
        raise ValueError("a storage can't prove itself")
    files = list(files)
    loads, shelves = [], {}
    for file_set_id, each in _by_file_set(files).items():
        homes = {(file.storage_id, file.format_id) for file in each}
        if (ll_storage_id, format_id) in homes and format_id and not all(map(_deleted, each)):
            loads.append(Load(file_set_id, each))
        elif homes == {(b2_storage_id, format_id)} and file_set_id and all(map(_active, each)):
            shelves[file_set_id] = Shelf(media(each))
    suspects: dict[Key, Suspicion] = dict.fromkeys(_unfinished(files), "new")
    suspects.update(dict.fromkeys(_disputed(files), "disputed"))
    return [_judge_load(load, shelves, suspects) for load in loads]


def _judge_load(load: Load, shelves: Mapping[str, Shelf], suspects: Suspects) -> Verdict:
    doubts = list(_doubts_of_itself(load, suspects))
    if not doubts:
        for twin_id, shelf in shelves.items():
            twins = shelf.twins(load)
            against = list(_doubts_of_twins(load, twins, suspects))
            if not against:
                pairs = tuple(
                    Pair(spot.file, each)
                    for spot, several in zip(load.spots, twins, strict=True)
                    for each in several
                )
                by_checksum = all(same(file, twin) for file, twin in pairs)
                size = sum(spot.file.size or 0 for spot in load.spots)
                format_id = load.files[0].format_id
                return Safe(load.file_set_id, twin_id, by_checksum, size, format_id, pairs)
            doubts += against
        doubts = doubts or [_no_twin(spot.file) for spot in load.spots]
    # What only a person can help is told first: no copy would settle it.
    told = min(doubts, key=lambda doubt: (REMEDIES.index(doubt.remedy), doubt.reason))
    return Unproven(load.file_set_id, *told)


def _doubts_of_itself(load: Load, suspects: Suspects) -> Iterator[Doubt]:
    """Why the LucidLink side itself can't be judged."""
    if not load.file_set_id:
        yield Doubt("iconik doesn't say which file set it belongs to", "none")
        return
    if load.is_mixed:
        yield Doubt("iconik lists files of other formats or storages in it, too", "none")
    if not load.files:
        yield Doubt("iconik lists no file of it on LucidLink", "none")
        return
    for file in load.records:
        name = _named(file)
        if file.status in UNFINISHED:
            yield Doubt(f"{name} is still being written on LucidLink ({file.status})", "none")
        elif file.type == "DIRECTORY":
            if not load.holds(file):
                yield Doubt(f"iconik lists no file in its directory {name} on LucidLink", "none")
        elif file.type != "FILE":
            yield Doubt(f"{name} is no ordinary file but {file.type or 'of unknown type'}", "none")
        elif file.status != "CLOSED":
            yield Doubt(f"{name} is {file.status or 'of unknown status'} on LucidLink", "none")
        elif not _has_size(file):
            yield Doubt(f"{name} has {_bytes(file.size)} on LucidLink", "none")
        elif not file.original_name:
            yield Doubt("iconik doesn't say the name of one of its files on LucidLink", "none")
        elif load.is_twice(file):
            yield Doubt(f"iconik lists {name} twice on LucidLink", "none")
        elif key(file) in suspects:
            yield _suspicion(file, "LucidLink", suspects[key(file)])


def _doubts_of_twins(
    load: Load, twins: Sequence[Sequence[File]], suspects: Suspects
) -> Iterator[Doubt]:
    """Why what lies on B2 does not prove the files on LucidLink."""
    for spot, several in zip(load.spots, twins, strict=True):
        if not several:
            yield _no_twin(spot.file)
        for twin in several:
            doubt = _doubt(spot.file, twin)
            if doubt:
                yield doubt
            elif key(twin) in suspects:
                yield _suspicion(twin, "B2", suspects[key(twin)])


def _no_twin(file: File) -> Doubt:
    return Doubt(f"{_named(file)} has no twin on B2", "copy")


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
    if contradict(checksum(file), checksum(twin)):
        checksums = f"checksum {file.checksum} on LucidLink, {twin.checksum} on B2"
        return Doubt(f"{name} differs from its master: {checksums}", "none")
    return None


def _disputed(files: Iterable[File]) -> set[Key]:
    """The files that iconik lists more than once, and that can't be all that it says."""
    told: dict[Key, set[tuple[int | None, Checksum | None]]] = defaultdict(set)
    for file in media(files):
        if _complete(file) and not _deleted(file):
            told[key(file)].add((file.size, checksum(file)))
    return {
        key
        for key, facts in told.items()
        if any(
            size != other_size or contradict(digest, other_digest)
            for (size, digest), (other_size, other_digest) in combinations(facts, 2)
        )
    }


def _unfinished(files: Iterable[File]) -> set[Key]:
    """The files that are being written, be it over what another record tells of."""
    return {key(file) for file in files if file.status in UNFINISHED and not _deleted(file)}


def _suspicion(file: File, where: str, why: Suspicion) -> Doubt:
    name = _named(file)
    if why == "new":
        return Doubt(f"{name} is being written anew on {where}", "wait")
    reason = f"iconik lists {name} on {where} more than once, and each time as another file"
    return Doubt(reason, "none")


def _by_file_set(files: Iterable[File]) -> dict[str, list[File]]:
    sets: dict[str, list[File]] = defaultdict(list)
    for file in files:
        sets[file.file_set_id].append(file)
    return dict(sets)


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
