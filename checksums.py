"""Checksums as iconik tells them: which can be compared, and which are the same. Pure: no I/O.

iconik documents neither their algorithm nor how they are written.
"""

import re

from records import File

CHECKSUM = re.compile(r"(?:(?P<kind>[a-z0-9_-]+):)?(?P<digest>[0-9a-f]{8,128})", re.IGNORECASE)

# Kind and digest.
Checksum = tuple[str, str]


def checksum(file: File) -> Checksum | None:
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


def contradict(one: Checksum | None, other: Checksum | None) -> bool:
    """Whether two checksums are of one kind, and differ; one that is None contradicts none."""
    return bool(one and other and _comparable(one, other) and one[1] != other[1])


def same(file: File, twin: File) -> bool:
    """Whether two files have checksums of one kind, and these are the same."""
    one, other = checksum(file), checksum(twin)
    return bool(one and other and _comparable(one, other) and one[1] == other[1])
