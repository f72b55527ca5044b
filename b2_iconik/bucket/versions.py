"""Parse B2's list of file versions, and compare it with iconik's records. Pure: no I/O.

Source: https://www.backblaze.com/apidocs/b2-list-file-versions
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from b2_iconik.domain import reasons
from b2_iconik.domain.checksums import checksum
from b2_iconik.domain.custody import Pair
from b2_iconik.domain.reasons import Reason
from iconik_http.records import File

SHA1 = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
# A large file whose upload is in progress. Until it ends, readers get the previous version.
STARTED = "start"
UPLOADED = "upload"


class Version(NamedTuple):
    """The newest version of an object.

    Attributes:
        size: in bytes; None if B2 doesn't report it.
        sha1: of the whole object, in lower case; "" if it is unknown or B2 did not verify it.
        is_hidden: whether B2 tells readers that the object does not exist.
    """

    size: int | None
    sha1: str = ""
    is_hidden: bool = False

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Version":
        """Parse an entry of the list."""
        size = record.get("contentLength")
        return cls(
            size if isinstance(size, int) else None,
            _sha1(record),
            record.get("action") != UPLOADED,
        )


def newest(entries: list[Mapping[str, Any]]) -> dict[str, Version]:
    """Return the newest version of each object in a list, by key.

    Args:
        entries: starting with the newest version of an object. B2 lists newer versions first.
    """
    found: dict[str, Version] = {}
    for entry in entries:
        if entry.get("action") != STARTED:
            found.setdefault(str(entry.get("fileName")), Version.from_json(entry))
    return found


def difference(pair: Pair, version: Version | None, where: str = "") -> Reason:
    """Return how an object differs from iconik's record; empty if it doesn't.

    The SHA-1 is compared with the one on LucidLink and with the one in iconik's record of the
    object: another object of the same size may have replaced it.

    Args:
        pair: the file on LucidLink, and the record of the object.
        version: the newest version; None if the object does not exist.
        where: the bucket and key that were checked; "" if only the URL is known.
    """
    name, listed = pair.twin.label, _bytes(pair.twin.size)
    if version is None or version.is_hidden:
        place = f" '{where}'" if where else ""
        gone = f"no object{place}" if version is None else f"hidden the object{place}"
        return reasons.GONE_FROM_BUCKET(name=name, listed=listed, gone=gone)
    if version.size != pair.twin.size:
        return reasons.OTHER_SIZE_IN_BUCKET(name=name, listed=listed, held=_bytes(version.size))
    for file, where_known in ((pair.file, "on LucidLink"), (pair.twin, "in iconik's record of B2")):
        known = sha1_of(file)
        if version.sha1 and known and known != version.sha1:
            return reasons.OTHER_SHA1_IN_BUCKET(
                name=name, known=known, where=where_known, held=version.sha1
            )
    return reasons.NO_REASON


def is_same_content(pair: Pair, version: Version | None) -> bool:
    """Return whether B2's SHA-1 equals the one on LucidLink."""
    return bool(version and version.sha1 and version.sha1 == sha1_of(pair.file))


def sha1_of(file: File) -> str:
    """Return the SHA-1 in a file's record, in lower case; "" if it has none.

    iconik doesn't document the algorithm of checksums. One of 40 hex digits that names no other
    algorithm is treated as a SHA-1.
    """
    kind, digest = checksum(file) or ("", "")
    return digest.lower() if kind in ("", "sha1") and SHA1.fullmatch(digest) else ""


def _sha1(record: Mapping[str, Any]) -> str:
    text = record.get("contentSha1")
    if text in (None, "none"):
        info = record.get("fileInfo")
        text = info.get("large_file_sha1") if isinstance(info, dict) else None
    return text.lower() if isinstance(text, str) and SHA1.fullmatch(text) else ""


def _bytes(size: int | None) -> str:
    return "no known size" if size is None else f"{size:,} bytes"
