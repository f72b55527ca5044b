"""Format custom actions as a table for people or as JSON for programs. Pure: no I/O."""

from collections.abc import Mapping, Sequence
from typing import Any

from b2_iconik.common.texts import plain
from b2_iconik.setup.action_url import Endpoint, Existing

HEADINGS = (
    "title",
    "context",
    "status",
    "formats",
    "directory",
    "kept for",
    "B2 storage",
    "LucidLink storage",
)
NOTHING = "-"


def overview(
    where: Endpoint, actions: Sequence[Existing], storages: Mapping[str, str] | None = None
) -> str:
    """Format the custom actions that point to a service, each with iconik's last error, if any.

    Args:
        storages: the known names of storages, by id. The others are shown by their ids.
    """
    if not actions:
        return f"No custom action points to {where.text}."
    rows = [_row(each, storages or {}) for each in actions]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    lines = [f"Custom actions that point to {where.text}:\n", _line(HEADINGS, widths)]
    for action, row in zip(actions, rows, strict=True):
        lines.append(_line(row, widths))
        if action.last_error:
            lines.append(f"    {plain(action.last_error)}")
    return "\n".join(lines)


def as_json(action: Existing) -> dict[str, Any]:
    """Return a custom action as JSON values, without its headers: one of them is the secret."""
    target = action.target
    return {
        "id": action.id,
        "context": action.context,
        "title": action.title,
        "url": action.url,
        "action": target.action,
        "b2_storage_id": target.b2_storage_id,
        "ll_storage_id": target.ll_storage_id,
        "formats": sorted(target.formats),
        "path": target.path,
        "keep": target.keep,
        "keep_field": target.keep_field,
        "status": action.status,
        "last_error": action.last_error,
        "disabled": action.is_disabled,
    }


def _row(action: Existing, storages: Mapping[str, str]) -> tuple[str, ...]:
    target = action.target
    status = "disabled" if action.is_disabled else action.status
    cells = (
        action.title,
        action.context,
        status,
        ",".join(sorted(target.formats)) or "FORMAT_NAMES",
        target.path,
        target.entry.kept_for,
        storages.get(target.b2_storage_id, target.b2_storage_id),
        storages.get(target.ll_storage_id, target.ll_storage_id),
    )
    return tuple(plain(cell) or NOTHING for cell in cells)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()
