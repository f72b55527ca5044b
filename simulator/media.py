"""The real files: making them up, reading their checksums, keeping them inside their storage."""

import hashlib
from pathlib import Path, PurePosixPath

BLOCK = 1 << 20


def made_up(seed: str, size: int) -> bytes:
    """Bytes that look like nothing and are the same each time for the same seed."""
    block = hashlib.shake_256(seed.encode()).digest(min(size, BLOCK))
    return (block * (size // BLOCK + 1))[:size]


def checksum(kind: str | None, path: Path) -> str | None:
    """The checksum of a real file, of a kind hashlib knows; None for no kind."""
    if kind is None:
        return None
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def checksum_of(kind: str | None, content: bytes) -> str | None:
    """The checksum of some bytes, of a kind hashlib knows; None for no kind."""
    return hashlib.new(kind, content, usedforsecurity=False).hexdigest() if kind else None


def write(path: Path, content: bytes) -> None:
    """Write a real file, and the directories it needs."""
    try:
        path.write_bytes(content)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def resize(path: Path, size: int) -> None:
    """Cut a real file, or append zeros, which take no room on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(size)


def is_inside(*parts: str) -> bool:
    """Whether a place made of these parts stays inside the storage it is meant for."""
    return not any(
        PurePosixPath(part).is_absolute() or ".." in PurePosixPath(part).parts or "\0" in part
        for part in parts
    )


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two real files exist and hold the same."""
    try:
        return one.stat().st_size == other.stat().st_size and (
            checksum("sha256", one) == checksum("sha256", other)
        )
    except OSError:
        return False
