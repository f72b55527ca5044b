"""Checksums as iconik shows them, and their comparison. Pure: no I/O.

iconik documents neither their algorithm nor their notation. Only a prefix (``md5:…``) names the
algorithm; without one, two checksums of the same length may still be of different algorithms.
"""

import re
from typing import Literal

from iconik_http.records import File

CHECKSUM = re.compile(r"(?:(?P<kind>[a-z0-9_-]+):)?(?P<digest>[0-9a-f]{8,128})", re.IGNORECASE)
# A CRC-32, the shortest digest; words like 'none' and 'pending' are shorter.
SHORTEST = 8
# Backblaze B2's prefix for a SHA-1 that a client has given and B2 has not verified.
UNVERIFIED = "unverified:"

# Kind and digest.
Checksum = tuple[str, str]
# 'same' and 'different' are certain. 'unclear': they differ, and may be of different algorithms.
# 'incomparable': one is absent, or they are of different algorithms for certain.
Comparison = Literal["same", "different", "unclear", "incomparable"]


def checksum(file: File) -> Checksum | None:
    """Kind and digest of a checksum, or None; the kind is "" unless a prefix names it."""
    text = (file.checksum or "").strip()
    if len(text) < SHORTEST or text.lower().startswith(UNVERIFIED):
        return None
    match = CHECKSUM.fullmatch(text)
    if match:
        kind = re.sub("[_-]", "", match["kind"] or "")
        return kind.lower(), match["digest"].lower()
    return "", text


def compare(one: Checksum | None, other: Checksum | None) -> Comparison:
    """What two checksums say about two files of the same size."""
    if one is None or other is None or len(one[1]) != len(other[1]):
        return "incomparable"
    is_certain = one[0] == other[0] != ""
    if not is_certain and "" not in (one[0], other[0]):
        return "incomparable"
    if one[1] == other[1]:
        return "same"
    return "different" if is_certain else "unclear"


def disagree(one: Checksum | None, other: Checksum | None) -> bool:
    """Whether two checksums that may be of one algorithm differ."""
    return compare(one, other) in ("different", "unclear")
