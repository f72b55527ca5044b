"""What must be copied, what is proven safe to delete, and why not. Pure: no I/O.

The rule: a file set on LucidLink may go only if one file set of the same format on B2 holds a twin
of every one of its files. Whatever iconik doesn't say, or says in two ways, counts against the
deletion.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, takewhile
from pathlib import PurePosixPath
from typing import Literal, NamedTuple

from records import ACTIVE, DELETED, File, Format

UNFINISHED = frozenset({"OPEN", "GROWING", "AWAITED"})
CHECKSUM = re.compile(r"(?:(?P<kind>[a-z0-9_-]+):)?(?P<digest>[0-9a-f]{8,128})", re.IGNORECASE)

# The names of the directories that a file lies in, from its storage's root.
Place = tuple[str, ...]
# Kind and digest.
Checksum = tuple[str, str]
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
            loads.append(_Load(file_set_id, each))
        elif homes == {(b2_storage_id, format_id)} and file_set_id and all(map(_active, each)):
            shelves[file_set_id] = _Shelf(_media(each))
    disputed = _disputed(files)
    return [_judge_load(load, shelves, disputed) for load in loads]


def _judge_load(load: "_Load", shelves: Mapping[str, "_Shelf"], disputed: Set["_Key"]) -> Verdict:
    doubts = list(_doubts_of_itself(load, disputed))
    if not doubts:
        for twin_id, shelf in shelves.items():
            twins = shelf.twins(load)
            against = list(_doubts_of_twins(load, twins, disputed))
            if not against:
                by_checksum = all(
                    _same_checksum(spot.file, each)
                    for spot, several in zip(load.spots, twins, strict=True)
                    for each in several
                )
                return Safe(load.file_set_id, twin_id, by_checksum)
            doubts += against
        doubts = doubts or [_no_twin(spot.file) for spot in load.spots]
    # What only a person can help is told first: no copy would settle it.
    told = min(doubts, key=lambda doubt: (REMEDIES.index(doubt.remedy), doubt.reason))
    return Unproven(load.file_set_id, *told)


def _doubts_of_itself(load: "_Load", disputed: Set["_Key"]) -> Iterator[Doubt]:
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
        elif _key(file) in disputed:
            yield _dispute(file, "LucidLink")


def _doubts_of_twins(
    load: "_Load", twins: Sequence[Sequence[File]], disputed: Set["_Key"]
) -> Iterator[Doubt]:
    """Why what lies on B2 does not prove the files on LucidLink."""
    for spot, several in zip(load.spots, twins, strict=True):
        if not several:
            yield _no_twin(spot.file)
        for twin in several:
            doubt = _doubt(spot.file, twin)
            if doubt:
                yield doubt
            elif _key(twin) in disputed:
                yield _dispute(twin, "B2")


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
    if _contradict(_checksum(file), _checksum(twin)):
        checksums = f"checksum {file.checksum} on LucidLink, {twin.checksum} on B2"
        return Doubt(f"{name} differs from its master: {checksums}", "none")
    return None


class _Spot(NamedTuple):
    """A file, and where it lies below the directory that its file set shares.

    Attributes:
        is_alone: whether no other file of its file set has its name and lies in its place.
    """

    file: File
    below: Place
    is_alone: bool


class _Load:
    """A file set on LucidLink that is to be proven."""

    def __init__(self, file_set_id: str, records: Sequence[File]) -> None:
        self.file_set_id = file_set_id
        self.records = records
        self.is_mixed = len({(each.storage_id, each.format_id) for each in records}) > 1
        self.files = _media(records)
        places = {_place(file) for file in self.files}
        self.top = _shared(places)
        self._tree = _tree(places, 0)
        alike = Counter((_place(file), file.original_name) for file in self.files)
        self.spots = [
            _Spot(
                file,
                _place(file)[len(self.top) :],
                is_alone=alike[_place(file), file.original_name] == 1,
            )
            for file in self.files
        ]
        self._times = Counter(map(_key, self.files))

    def is_twice(self, file: File) -> bool:
        """Whether it is listed more than once."""
        return self._times[_key(file)] > 1

    def holds(self, directory: File) -> bool:
        """Whether files of the file set lie in a directory of it."""
        return _parts(f"{directory.directory_path}/{directory.name}") in self._tree


class _Shelf:
    """The files of one file set on B2, to be looked up by place and name."""

    def __init__(self, files: Sequence[File]) -> None:
        self._places: dict[str, set[Place]] = defaultdict(set)
        self._by_name: dict[tuple[Place, str], list[File]] = defaultdict(list)
        self._by_stored_name: dict[tuple[Place, str, str], list[File]] = defaultdict(list)
        for file in files:
            place = _place(file)
            self._places[file.original_name].add(place)
            self._by_name[place, file.original_name].append(file)
            self._by_stored_name[place, file.original_name, file.name].append(file)
        places = {_place(file) for file in files}
        self._top = _shared(places)
        self._tree = _tree(places, len(self._top))
        self._below = {(_place(file)[len(self._top) :], file.original_name) for file in files}

    def twins(self, load: _Load) -> list[list[File]]:
        """For each file what may stand for it here, all of which must prove it: none is a guess."""
        tops = self._tops(load)
        whole = [top for top in tops if all(self._at(top, spot) for spot in load.spots)]
        meant = whole or tops[:1]
        return [[each for top in meant for each in self._at(top, spot)] for spot in load.spots]

    def _tops(self, load: _Load) -> list[Place]:
        """The directories that may stand for the one that all the files lie in on LucidLink.

        A storage may keep its files below a directory of its own, so only what lies below the
        common directory of a file set has to agree. But for a part of what is here those are meant
        whose names agree best: a neighbouring one may well hold files of the same names and sizes.
        """
        if self._below == {(spot.below, spot.file.original_name) for spot in load.spots}:
            return [self._top]
        tops: set[Place] = set()
        for spot in sorted(load.spots, key=_depth):
            depth = len(spot.below)
            for place in self._places.get(spot.file.original_name, ()):
                cut = len(place) - depth
                if cut >= 0 and place[cut:] == spot.below:
                    tops.add(place[:cut])
            # The deepest file leaves the fewest directories to choose from.
            if tops:
                break
        best = max((_agreement(place, load.top) for place in self._tree), default=0)
        return sorted(top for top in tops if _agreement(top, load.top) >= best)

    def _at(self, top: Place, spot: _Spot) -> list[File]:
        """What has a file's name and lies in its place, if that is below a directory."""
        place, file = top + spot.below, spot.file
        exactly = self._by_stored_name.get((place, file.original_name, file.name), [])
        # Files of one name in one place can only be told apart by their stored names.
        if exactly or not spot.is_alone:
            return exactly
        return self._by_name.get((place, file.original_name), [])


def _depth(spot: _Spot) -> tuple[int, Place, str, str]:
    return -len(spot.below), spot.below, spot.file.original_name, spot.file.name


def _alike(one: Place, other: Place) -> int:
    """How many names agree, from the first one down."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _agreement(one: Place, other: Place) -> int:
    """How many names agree, from the last one up."""
    return _alike(one[::-1], other[::-1])


def _shared(places: Collection[Place]) -> Place:
    """The directory that all places lie in."""
    lowest, highest = min(places, default=()), max(places, default=())
    return lowest[: _alike(lowest, highest)]


def _tree(places: Iterable[Place], depth: int) -> set[Place]:
    """All directories on the way to some, from a depth down."""
    return {place[:cut] for place in places for cut in range(depth, len(place) + 1)}


# A storage has one file of a name in a place.
_Key = tuple[str, Place, str]


def _key(file: File) -> _Key:
    return file.storage_id, _place(file), file.name


def _disputed(files: Iterable[File]) -> set[_Key]:
    """The files that iconik lists more than once, and that can't be all that it says."""
    told: dict[_Key, set[tuple[int | None, Checksum | None]]] = defaultdict(set)
    for file in _media(files):
        if _complete(file) and not _deleted(file):
            told[_key(file)].add((file.size, _checksum(file)))
    return {
        key
        for key, facts in told.items()
        if any(
            size != other_size or _contradict(checksum, other_checksum)
            for (size, checksum), (other_size, other_checksum) in combinations(facts, 2)
        )
    }


def _dispute(file: File, where: str) -> Doubt:
    reason = f"iconik lists {_named(file)} on {where} more than once, and each time as another file"
    return Doubt(reason, "none")


def _place(file: File) -> Place:
    return _parts(file.directory_path)


@lru_cache(maxsize=65_536)
def _parts(path: str) -> Place:
    return PurePosixPath(path.strip("/")).parts


def _checksum(file: File) -> Checksum | None:
    """Kind and digest of a checksum, or None; the kind is "" unless it is told by a prefix."""
    text = (file.checksum or "").strip()
    match = CHECKSUM.fullmatch(text)
    if match:
        kind = re.sub("[_-]", "", match["kind"] or "")
        return kind.lower(), match["digest"].lower()
    return ("", text) if text else None


def _comparable(one: Checksum, other: Checksum) -> bool:
    """Whether two checksums seem to be of one kind; where that isn't told, the length tells."""
    kinds = {one[0], other[0]}
    return len(one[1]) == len(other[1]) and (len(kinds) == 1 or "" in kinds)


def _contradict(one: Checksum | None, other: Checksum | None) -> bool:
    return bool(one and other and _comparable(one, other) and one[1] != other[1])


def _same_checksum(file: File, twin: File) -> bool:
    one, other = _checksum(file), _checksum(twin)
    return bool(one and other and _comparable(one, other) and one[1] == other[1])


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
