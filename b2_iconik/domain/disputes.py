"""Finds records of iconik that contradict each other about one path. Pure: no I/O.

Formats, versions and file sets of an asset may refer to the same file. A single record is then not
all that iconik knows about the file.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Literal, NamedTuple

from b2_iconik.domain.checksums import Checksum, checksum, disagree
from b2_iconik.domain.matching import Key, key
from b2_iconik.domain.reasons import DISPUTED, WRITTEN_ANEW, Reason
from iconik_http.records import CLOSED, UNFINISHED, File

Remedy = Literal["none", "wait", "copy"]
# The weakest first.
REMEDIES: tuple[Remedy, ...] = ("none", "wait", "copy")
# What a record tells of a file: its size and checksum.
Fact = tuple[int | None, Checksum | None]


class Objection(NamedTuple):
    """Why something isn't proven safe.

    Attributes:
        remedy: 'copy' if a copy to B2 may settle it, 'wait' if one seems to be under way, 'none' if
            only a person can help.
    """

    reason: Reason
    remedy: Remedy


class Disputes:
    """The places that iconik's records don't agree about.

    Args:
        files: all files of an asset, on all storages.
    """

    def __init__(self, files: Iterable[File]) -> None:
        self._told: dict[Key, set[Fact]] = defaultdict(set)
        self._unfinished: set[Key] = set()
        for file in files:
            if file.is_deleted:
                continue
            if file.status in UNFINISHED:
                self._unfinished.add(key(file))
            # A record of an empty file contradicts none: it may be what a failed copy has left.
            elif file.type == "FILE" and file.status == CLOSED and (file.size or 0) > 0:
                self._told[key(file)].add(_fact(file))

    def objections(self, file: File, where: str) -> Iterator[Objection]:
        """Why a record may not tell all about what is in its place.

        Args:
            file: the record.
            where: the name of its storage, for a person.
        """
        place = key(file)
        facts = {_fact(file), *self._told.get(place, ())}
        if any(
            size != other_size or disagree(digest, other_digest)
            for (size, digest), (other_size, other_digest) in combinations(facts, 2)
        ):
            yield Objection(DISPUTED(name=file.label, where=where), "none")
        elif place in self._unfinished:
            yield Objection(WRITTEN_ANEW(name=file.label, where=where), "wait")


def _fact(file: File) -> Fact:
    return file.size, checksum(file)
