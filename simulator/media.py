"""Real files: generate contents, compute checksums, and keep paths inside their storage."""

import hashlib
from pathlib import Path, PurePosixPath

BLOCK = 1 << 20


def made_up(seed: str, size: int) -> bytes:
    """Generate bytes that look random and are the same for the same seed."""
    block = hashlib.shake_256(seed.encode()).digest(min(size, BLOCK))
    return (block * (size // BLOCK + 1))[:size]


def replacement(path: Path) -> bytes:
    """Generate bytes that differ from a real file's, which is not empty, and are as many."""
    before = path.read_bytes()
    first = bytes([before[0] ^ 1])
    return first + made_up(f"replaced {path}", len(before) - 1)


def checksum(kind: str | None, path: Path) -> str | None:
    """Return the checksum of a real file, of a kind that hashlib supports; None for no kind."""
    if kind is None:
        return None
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def checksum_of(kind: str | None, content: bytes) -> str | None:
    """Return the checksum of some bytes, of a kind that hashlib supports; None for no kind."""
    return hashlib.new(kind, content, usedforsecurity=False).hexdigest() if kind else None


def write(path: Path, content: bytes) -> None:
    """Write a real file, and create the directories it needs."""
    try:
        path.write_bytes(content)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def resize(path: Path, size: int) -> None:
    """Truncate a real file, or append zeros, which use no disk space."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(size)


def is_inside(*parts: str) -> bool:
    """Return whether a path made of these parts stays inside its storage."""
    return not any(
        PurePosixPath(part).is_absolute() or ".." in PurePosixPath(part).parts or "\0" in part
        for part in parts
    )


def same_bytes(one: Path, other: Path) -> bool:
    """Return whether two real files exist and have the same content."""
    try:
        return one.stat().st_size == other.stat().st_size and (
            checksum("sha256", one) == checksum("sha256", other)
        )
    except OSError:
        return False
