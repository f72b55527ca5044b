"""Which file on B2 may stand for which on LucidLink, by place and name alone. Pure: no I/O.

A storage may keep its files below a directory of its own, and add a unique id to their names. So
places count from the directory that a file set's files share, and names are those files had first.

Programs write the same name in several ways: with an accent as one character or as two (Unicode's
NFC and NFD), and directories separated by slashes or, on Windows, by backslashes. Such names count
as the same. An object store may hold two objects whose names count as the same: then both stand
for the file, and each must prove it.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import PurePosixPath
from typing import NamedTuple

from iconik_http.records import File

# The names of the directories that a file lies in, from its storage's root.
Place = tuple[str, ...]
# A storage has one file of a name in a place.
Key = tuple[str, Place, str]


class RelativeFile(NamedTuple):
    """A file, and where it lies below the directory that its file set shares.

    Attributes:
        is_alone: whether no other file of its file set has its name and lies in its place.
        alike: how many files of its file set have its name, its stored name and its place, however
            they are written; itself included.
    """

    file: File
    below: Place
    is_alone: bool
    alike: int


class SourceSet:
    """A file set on LucidLink that is to be proven."""

    def __init__(self, file_set_id: str, records: Sequence[File]) -> None:
        self.file_set_id = file_set_id
        self.records = records
        self.is_mixed = len({(each.storage_id, each.format_id) for each in records}) > 1
        self.files = media(records)
        places = {place_of(file) for file in self.files}
        self.top = _shared(places)
        self._tree = _tree(places, 0)
        named = Counter((place_of(file), name_of(file)) for file in self.files)
        alike = Counter((key(file), name_of(file)) for file in self.files)
        self.relative_files = [
            RelativeFile(
                file,
                place_of(file)[len(self.top) :],
                is_alone=named[place_of(file), name_of(file)] == 1,
                alike=alike[key(file), name_of(file)],
            )
            for file in self.files
        ]
        self._times = Counter(map(_as_written, self.files))

    def is_twice(self, file: File) -> bool:
        """Whether it is listed more than once."""
        return self._times[_as_written(file)] > 1

    def holds(self, directory: File) -> bool:
        """Whether files of the file set lie in a directory of it."""
        return parts(f"{directory.directory_path}/{directory.name}") in self._tree


class ReplicaSet:
    """The files of one file set on B2, to be looked up by place and name."""

    def __init__(self, files: Sequence[File]) -> None:
        self._places: dict[str, set[Place]] = defaultdict(set)
        self._by_name: dict[tuple[Place, str], list[File]] = defaultdict(list)
        self._by_stored_name: dict[tuple[Place, str, str], list[File]] = defaultdict(list)
        for file in files:
            place, name = place_of(file), name_of(file)
            self._places[name].add(place)
            self._by_name[place, name].append(file)
            self._by_stored_name[place, name, _composed(file.name)].append(file)
        places = {place_of(file) for file in files}
        self._top = _shared(places)
        self._tree = _tree(places, len(self._top))
        self._below = {(place_of(file)[len(self._top) :], name_of(file)) for file in files}

    def twins(self, source_set: SourceSet) -> list[list[File]]:
        """For each file what may stand for it here, all of which must prove it: none is a guess."""
        tops = self._tops(source_set)
        whole = [
            top
            for top in tops
            if all(self._at(top, relative_file) for relative_file in source_set.relative_files)
        ]
        meant = whole or tops[:1]
        return [
            [each for top in meant for each in self._at(top, relative_file)]
            for relative_file in source_set.relative_files
        ]

    def _tops(self, source_set: SourceSet) -> list[Place]:
        """The directories that may stand for the one that all the files lie in on LucidLink.

        A storage may keep its files below a directory of its own, so only what lies below the
        common directory of a file set has to agree. But for a part of what is here those are meant
        whose names agree best: a neighbouring one may well hold files of the same names and sizes.
        """
        if self._below == {
            (relative_file.below, name_of(relative_file.file))
            for relative_file in source_set.relative_files
        }:
            return [self._top]
        tops: set[Place] = set()
        for relative_file in sorted(source_set.relative_files, key=_depth):
            depth = len(relative_file.below)
            for place in self._places.get(name_of(relative_file.file), ()):
                cut = len(place) - depth
                if cut >= 0 and place[cut:] == relative_file.below:
                    tops.add(place[:cut])
            # The deepest file leaves the fewest directories to choose from.
            if tops:
                break
        best = max((_agreement(place, source_set.top) for place in self._tree), default=0)
        return sorted(top for top in tops if _agreement(top, source_set.top) >= best)

    def _at(self, top: Place, relative_file: RelativeFile) -> list[File]:
        """What has a file's name and lies in its place, if that is below a directory."""
        place, name = top + relative_file.below, name_of(relative_file.file)
        exactly = self._by_stored_name.get((place, name, _composed(relative_file.file.name)), [])
        # Files of one name in one place can only be told apart by their stored names, and where
        # these count as the same, too, there must be as many on both sides.
        if exactly or not relative_file.is_alone:
            return exactly if len(set(map(_as_written, exactly))) >= relative_file.alike else []
        return self._by_name.get((place, name), [])


def _depth(relative_file: RelativeFile) -> tuple[int, Place, str, str]:
    return (
        -len(relative_file.below),
        relative_file.below,
        name_of(relative_file.file),
        relative_file.file.name,
    )


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


def key(file: File) -> Key:
    """What tells a file from all others, wherever it is listed and however its name is written."""
    return file.storage_id, place_of(file), _composed(file.name)


def by_file_set(files: Iterable[File]) -> dict[str, list[File]]:
    """Files by the id of their file set."""
    sets: dict[str, list[File]] = defaultdict(list)
    for file in files:
        sets[file.file_set_id].append(file)
    return dict(sets)


def media(files: Iterable[File]) -> list[File]:
    """Those that hold content: ordinary files, and whole image sequences."""
    return [file for file in files if file.type in ("FILE", "SEQUENCE")]


def place_of(file: File) -> Place:
    """Where a file lies on its storage."""
    return parts(file.directory_path)


def name_of(file: File) -> str:
    """The name that a file had first, however it is written."""
    return _composed(file.original_name)


@lru_cache(maxsize=65_536)
def parts(path: str) -> Place:
    """The names in a path, however they are written and separated."""
    return _split(_composed(path))


def _as_written(file: File) -> Key:
    """As ``key``, but with a name in NFC told from the same name in NFD."""
    return file.storage_id, _split(file.directory_path), file.name


def _split(path: str) -> Place:
    return PurePosixPath(path.replace("\\", "/").strip("/")).parts


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)
