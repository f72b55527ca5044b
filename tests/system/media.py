"""Media for the system tests, on the simulator."""

from pathlib import Path
from typing import Any

from dev.harness import Simulator

PROXY = "PPRO_PROXY"


def asset(
    simulator: Simulator,
    title: str,
    on: str = "b2",
    formats: tuple[str, ...] = ("ORIGINAL",),
    collection_ids: tuple[str, ...] = (),
    size: int = 300,
) -> str:
    """Make an asset with one file a format.

    Args:
        on: 'b2', 'lucidlink', or 'both'.
        size: the size of each file, in bytes.

    Returns:
        Its id.
    """
    sides = ("b2", "lucidlink") if on == "both" else (on,)
    body = {
        "title": title,
        "collection_ids": list(collection_ids),
        "formats": {
            name: {side: [{"name": f"{title}_{name}.mov".lower(), "size": size}] for side in sides}
            for name in formats
        },
    }
    return str(simulator.control("POST", "assets", body)["id"])


def collection(simulator: Simulator, title: str, parent_id: str | None = None) -> str:
    """Make a collection; returns its id."""
    body = {"title": title, **({"parent_id": parent_id} if parent_id else {})}
    return str(simulator.control("POST", "collections", body)["id"])


def files(root: Path) -> list[str]:
    """The names of all files below a directory, in order."""
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def unproven_deletions(simulator: Simulator) -> int:
    """How many deletions the simulator saw whose bytes were not safe in B2."""
    return int(simulator.control("GET", "")["deletions"]["unproven"])


def requests_seen(simulator: Simulator) -> dict[str, Any]:
    """How many requests the simulator answered, by call."""
    seen: dict[str, Any] = simulator.control("GET", "")["requests"]
    return seen
