"""Parse and compare checksums from iconik's records. Pure: no I/O.

iconik documents neither the algorithm nor the notation. Only a prefix (``md5:…``) names the
algorithm. Without a prefix, two checksums of equal length may still come from different algorithms.
"""

import re
from typing import Literal

from iconik_http.records import File

CHECKSUM = re.compile(r"(?:(?P<kind>[a-z0-9_-]+):)?(?P<digest>[0-9a-f]{8,128})", re.IGNORECASE)
# The length of a CRC-32, the shortest digest. Words like 'none' and 'pending' are shorter.
SHORTEST = 8
# Backblaze B2 uses this prefix for a SHA-1 that a client supplied and B2 has not verified.
UNVERIFIED = "unverified:"

# The kind and the digest.
Checksum = tuple[str, str]
# 'same' and 'different' are certain. 'unclear': they differ, but the algorithms may differ too.
# 'incomparable': one is absent, or the algorithms certainly differ.
Comparison = Literal["same", "different", "unclear", "incomparable"]


def checksum(file: File) -> Checksum | None:
    """Return the kind and digest of a file's checksum, or None; the kind is "" without a prefix."""
    text = (file.checksum or "").strip()
    if len(text) < SHORTEST or text.lower().startswith(UNVERIFIED):
        return None
    match = CHECKSUM.fullmatch(text)
    if match:
        kind = re.sub("[_-]", "", match["kind"] or "")
        return kind.lower(), match["digest"].lower()
    return "", text


def compare(one: Checksum | None, other: Checksum | None) -> Comparison:
    """Return what two checksums say about two files of equal size."""
    if one is None or other is None or len(one[1]) != len(other[1]):
        return "incomparable"
    is_certain = one[0] == other[0] != ""
    if not is_certain and "" not in (one[0], other[0]):
        return "incomparable"
    if one[1] == other[1]:
        return "same"
    return "different" if is_certain else "unclear"


def disagree(one: Checksum | None, other: Checksum | None) -> bool:
    """Return whether two checksums, possibly of the same algorithm, differ."""
    return compare(one, other) in ("different", "unclear")
