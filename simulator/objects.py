"""The contents of buckets: object versions, hide markers, and changes that iconik doesn't see.

The content of an object is a real file in its storage's directory. This module stores everything
that a file can't express: hide markers, older versions, and the kind of SHA-1.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

from simulator import media
from simulator.library import Library
from simulator.records import Storage

LARGE = 100_000_000
"""In bytes. Larger objects count as large files without a SHA-1, which is never computed."""

SHA1_KINDS = ("small", "large", "none", "unverified")
"""How B2 reports the SHA-1 of an object.

small: ``contentSha1``. large: ``large_file_sha1`` in the file info. none: not at all.
unverified: ``contentSha1`` with the prefix ``unverified:``.
"""

OLDEST = 1_000_000_000_000_000_000
"""In nanoseconds since 1970. File ids need a positive time."""


@dataclass(frozen=True)
class Version:
    """One version of an object, as B2 lists it.

    Attributes:
        key: the object's name in the bucket.
        action: 'upload'; 'hide' for a hide marker; 'start' for an unfinished large file.
        size: in bytes; 0 unless the action is 'upload'.
        sha1: as in ``contentSha1``; None unless the action is 'upload'.
        large_file_sha1: as in the file info; '' if absent.
        created: in nanoseconds since 1970.
        is_large: whether it was uploaded in parts.
    """

    key: str
    action: str
    size: int
    sha1: str | None
    large_file_sha1: str
    created: int
    is_large: bool = False

    @property
    def uploaded(self) -> int:
        """The time of upload, in milliseconds since 1970."""
        return self.created // 1_000_000

    def file_id(self, bucket_id: str) -> str:
        """Return an id in B2's form, which distinguishes large files from small ones."""
        unique = hashlib.sha256(f"{self.key} {self.action} {self.created}".encode()).hexdigest()
        day = time.strftime("d%Y%m%d_m%H%M%S", time.gmtime(self.created / 1e9))
        return f"4_z{bucket_id}_f{2 if self.is_large else 1}{unique[:15]}_{day}_c001_v0001000_t0000"


@dataclass
class _Past:
    """The state of an object beyond its real file.

    Attributes:
        versions: hide markers, unfinished uploads and older versions; unsorted.
        sha1_kind: one of SHA1_KINDS.
        original: the content before the first change; None if nothing has changed.
        original_kind: the ``sha1_kind`` before the first change.
    """

    versions: list[Version] = field(default_factory=list)
    sha1_kind: str = "small"
    original: bytes | None = None
    original_kind: str = "small"


class Objects:
    """The objects of all storages that are B2 buckets."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._past: dict[Path, _Past] = {}
        self._lock = RLock()

    # Buckets

    def buckets(self) -> list[Storage]:
        """Return the storages that are B2 buckets."""
        return [each for each in list(self._library.storages.values()) if each.is_b2]

    def bucket(self, name: str) -> Storage | None:
        """Return the bucket with a name; None if there is none."""
        return next((each for each in self.buckets() if each.bucket_name == name), None)

    # Reading

    def path(self, bucket: Storage, key: str) -> Path | None:
        """Return the real file of a key; None if no file of this bucket can have that key."""
        prefix = f"{bucket.prefix}/" if bucket.prefix else ""
        below = key.removeprefix(prefix)
        parts = below.split("/")
        if not key.startswith(prefix) or "\0" in below or {"", ".", ".."} & set(parts):
            return None
        return bucket.directory / below

    def keys(self, bucket: Storage, prefix: str = "") -> list[str]:
        """Return the keys with a prefix that have any version, in B2's order."""
        start = bucket.directory
        within = prefix.removeprefix(f"{bucket.prefix}/" if bucket.prefix else "")
        if media.is_inside(within):
            start = (start / within).parent if "/" in within else start
        with self._lock:
            paths = {path for path, past in self._past.items() if past.versions}
        paths = {path for path in paths if path.is_relative_to(bucket.directory)}
        paths.update(_files(start))
        keys = (bucket.key(path.relative_to(bucket.directory).as_posix()) for path in paths)
        return sorted((key for key in keys if key.startswith(prefix)), key=str.encode)

    def versions(self, bucket: Storage, key: str, hashed: bool = True) -> list[Version]:
        """Return all versions of an object, newest first; ``hashed`` adds the upload's SHA-1."""
        path = self.path(bucket, key)
        if path is None:
            return []
        with self._lock:
            past = self._past.get(path, _Past())
            uploaded = _uploaded(key, path, past.sha1_kind if hashed else "none")
            # Without a real file, no uploaded version is left.
            past_versions = [v for v in past.versions if uploaded or v.action != "upload"]
            found = [*past_versions, *([uploaded] if uploaded else [])]
        return sorted(found, key=lambda each: each.created, reverse=True)

    def current(self, bucket: Storage, key: str, hashed: bool = True) -> Version | None:
        """Return the version that readers get; None if the object is missing or hidden."""
        whole = (each for each in self.versions(bucket, key, hashed) if each.action != "start")
        newest = next(whole, None)
        return newest if newest and newest.action == "upload" else None

    def is_there(self, bucket: Storage, path: Path) -> bool:
        """Return whether readers of a bucket get the object that a real file represents."""
        if not path.is_relative_to(bucket.directory):
            return False
        key = bucket.key(path.relative_to(bucket.directory).as_posix())
        return self.current(bucket, key, hashed=False) is not None

    # Changes that iconik doesn't see. Each method takes the real file of an object.

    def remove(self, path: Path) -> None:
        """Delete all versions."""
        with self._lock:
            self._remember(path)
            self._past[path].versions.clear()
            path.unlink(missing_ok=True)

    def hide(self, path: Path) -> None:
        """Add a hide marker as the newest version."""
        with self._lock:
            self._remember(path)
            self._add_marker(path, "hide")

    def start(self, path: Path) -> None:
        """Start the upload of a large file with the same name, and leave it unfinished."""
        with self._lock:
            self._remember(path)
            self._add_marker(path, "start")

    def truncate(self, path: Path, size: int) -> None:
        """Upload a version of another size; the previous version stays."""
        with self._lock:
            self._overwrite(path)
            media.resize(path, size)
            self._put_on_top(path)

    def replace(self, path: Path, content: bytes) -> None:
        """Upload other content; the previous version stays."""
        with self._lock:
            self._overwrite(path)
            media.write(path, content)
            self._put_on_top(path)

    def state_sha1(self, path: Path, kind: str) -> None:
        """Change how B2 reports the SHA-1 of an object; see SHA1_KINDS."""
        with self._lock:
            self._past.setdefault(path, _Past()).sha1_kind = kind

    def restore(self, path: Path) -> None:
        """Restore an object to its state before the first change."""
        with self._lock:
            past = self._past.pop(path, None)
            if past is None or past.original is None:
                return
            self._past[path] = _Past(sha1_kind=past.original_kind)
            media.write(path, past.original)

    def _remember(self, path: Path) -> None:
        past = self._past.setdefault(path, _Past())
        if past.original is None and path.is_file():
            past.original, past.original_kind = path.read_bytes(), past.sha1_kind

    def _add_marker(self, path: Path, action: str) -> None:
        versions = self._past[path].versions
        newest = max((each.created for each in versions), default=OLDEST)
        if path.is_file():
            newest = max(newest, path.stat().st_mtime_ns)
        versions.append(Version(self._key(path), action, 0, None, "", newest + 1))

    def _overwrite(self, path: Path) -> None:
        self._remember(path)
        past = self._past[path]
        before = _uploaded(self._key(path), path, past.sha1_kind)
        if before:
            past.versions.append(before)

    def _put_on_top(self, path: Path) -> None:
        """Make a file that was just written newer than all versions, even with a coarse clock."""
        newest = max((each.created for each in self._past[path].versions), default=OLDEST)
        modified = max(path.stat().st_mtime_ns, newest + 1)
        os.utime(path, ns=(modified, modified))

    def _key(self, path: Path) -> str:
        bucket = next(each for each in self.buckets() if path.is_relative_to(each.directory))
        return bucket.key(path.relative_to(bucket.directory).as_posix())


def _files(root: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(root):
        for name in names:
            yield Path(directory, name)


def _uploaded(key: str, path: Path, kind: str) -> Version | None:
    """Return the version that a real file represents; None if there is no such file."""
    try:
        about = path.stat()
    except OSError:
        return None
    if not path.is_file():
        return None
    size, created = about.st_size, about.st_mtime_ns
    if size > LARGE or kind == "none":
        return Version(key, "upload", size, "none", "", created, is_large=True)
    sha1 = media.checksum("sha1", path) or ""
    if kind == "large":
        return Version(key, "upload", size, "none", sha1, created, is_large=True)
    prefix = "unverified:" if kind == "unverified" else ""
    return Version(key, "upload", size, prefix + sha1, "", created)
