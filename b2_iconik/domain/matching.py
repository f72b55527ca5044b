"""Match files on B2 with files on LucidLink, by place and name alone. Pure: no I/O.

A storage may keep its files below a directory of its own, and append a unique id to their names.
Places are therefore relative to the common directory of a file set, and names are original names.

Programs write the same name in several ways: an accented letter is one character or two (Unicode's
NFC and NFD), and directories are separated by slashes or, on Windows, by backslashes. These
spellings are treated as the same name. An object store may hold two objects whose names are the
same in this sense. Then both are twins of the file, and each must prove it.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import PurePosixPath
from typing import NamedTuple

from iconik_http.records import File

# The names of the directories that contain a file, from its storage's root.
Place = tuple[str, ...]
# A storage has at most one file with a given name in a place.
Key = tuple[str, Place, str]


class RelativeFile(NamedTuple):
    """A file, and its place relative to the common directory of its file set.

    Attributes:
        below: the directories between the common directory and the file.
        is_alone: whether no other file of its file set has the same name and place.
        alike: the number of files of its file set, itself included, with the same name, stored name
            and place, in any spelling.
    """

    file: File
    below: Place
    is_alone: bool
    alike: int


class SourceSet:
    """A file set on LucidLink that needs proof."""

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
        """Return whether the file is listed more than once."""
        return self._times[_as_written(file)] > 1

    def holds(self, directory: File) -> bool:
        """Return whether the file set has files in one of its directories."""
        return parts(f"{directory.directory_path}/{directory.name}") in self._tree


class ReplicaSet:
    """The files of one file set on B2, indexed by place and name."""

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
        """Return the possible twins of each file. All twins of a file must prove it."""
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
        """Return the directories that may correspond to the common directory on LucidLink.

        A storage may keep its files below a directory of its own, so only the places below the
        common directory of a file set must agree. If the LucidLink file set is only a part of this
        one, choose the directories whose names agree best: a neighboring directory may hold files
        of the same names and sizes.
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
            # The deepest file leaves the fewest candidates.
            if tops:
                break
        best = max((_agreement(place, source_set.top) for place in self._tree), default=0)
        return sorted(top for top in tops if _agreement(top, source_set.top) >= best)

    def _at(self, top: Place, relative_file: RelativeFile) -> list[File]:
        """Return the files here with a file's name, at its place below a directory."""
        place, name = top + relative_file.below, name_of(relative_file.file)
        exactly = self._by_stored_name.get((place, name, _composed(relative_file.file.name)), [])
        # Only the stored names distinguish files with the same name and place. If the stored names
        # are the same too, B2 must have at least as many files as LucidLink.
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
    """Return how many names agree, from the first one down."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _agreement(one: Place, other: Place) -> int:
    """Return how many names agree, from the last one up."""
    return _alike(one[::-1], other[::-1])


def _shared(places: Collection[Place]) -> Place:
    """Return the directory that contains all places."""
    lowest, highest = min(places, default=()), max(places, default=())
    return lowest[: _alike(lowest, highest)]


def _tree(places: Iterable[Place], depth: int) -> set[Place]:
    """Return all directories on the paths to some places, from a depth down."""
    return {place[:cut] for place in places for cut in range(depth, len(place) + 1)}


def key(file: File) -> Key:
    """Return a file's identity: equal for all records and all spellings of its name."""
    return file.storage_id, place_of(file), _composed(file.name)


def by_file_set(files: Iterable[File]) -> dict[str, list[File]]:
    """Group files by the id of their file set."""
    sets: dict[str, list[File]] = defaultdict(list)
    for file in files:
        sets[file.file_set_id].append(file)
    return dict(sets)


def media(files: Iterable[File]) -> list[File]:
    """Return the files that hold content: ordinary files, and whole image sequences."""
    return [file for file in files if file.type in ("FILE", "SEQUENCE")]


def place_of(file: File) -> Place:
    """Return the directory of a file on its storage."""
    return parts(file.directory_path)


def name_of(file: File) -> str:
    """Return the original name of a file, in the same spelling for all records."""
    return _composed(file.original_name)


@lru_cache(maxsize=65_536)
def parts(path: str) -> Place:
    """Split a path into its names, in the same form for all spellings and separators."""
    return _split(_composed(path))


def _as_written(file: File) -> Key:
    """Return the same as ``key``, but different for the NFC and NFD spellings of a name."""
    return file.storage_id, _split(file.directory_path), file.name


def _split(path: str) -> Place:
    return PurePosixPath(path.replace("\\", "/").strip("/")).parts


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)
