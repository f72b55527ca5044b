"""Find iconik records that contradict each other about one path. Pure: no I/O.

Several formats, versions and file sets of an asset may refer to the same file. A single record may
therefore not show everything that iconik knows about the file.
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
# Weakest first.
REMEDIES: tuple[Remedy, ...] = ("none", "wait", "copy")
# What a record states about a file: its size and checksum.
Fact = tuple[int | None, Checksum | None]


class Objection(NamedTuple):
    """Why something isn't proven safe.

    Attributes:
        remedy: 'copy' if a copy to B2 may resolve it, 'wait' if a copy seems to be in progress,
            'none' if it needs a person.
        of: the file on LucidLink that isn't proven safe; empty for the whole file set.
    """

    reason: Reason
    remedy: Remedy
    of: Key | tuple[()] = ()


class Disputes:
    """The paths about which iconik's records contradict each other.

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
            # A record of an empty file contradicts none: a failed copy may have left it.
            elif file.type == "FILE" and file.status == CLOSED and (file.size or 0) > 0:
                self._told[key(file)].add(_fact(file))

    def objections(self, file: File, where: str) -> Iterator[Objection]:
        """Yield the reasons why a record may not fully describe the file at its path.

        Args:
            where: the display name of its storage.
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
