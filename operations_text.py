"""Operations as lines of text, for a terminal or a pipe. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from operations_view import bar, in_short, in_time
from outcomes import in_words

BAR = 24
# A shorter one tells nothing.
SHORTEST_BAR = 6


def line(told: Mapping[str, Any]) -> str:
    """An operation on one line.

    Args:
        told: from ``operations_view.summary``.
    """
    return (
        f"{told['operation_id']}  {told['recorded']}  {told['title']:<21}  {told['result']:<22}  "
        f"{in_short(told)}"
    )


def listed(told: Iterable[Mapping[str, Any]]) -> str:
    """Several operations, a line each."""
    return "\n".join(map(line, told)) or "No operations."


def bar_line(told: Mapping[str, Any], width: int) -> str:
    """An operation on one line with a progress bar, where there is room for it.

    Args:
        width: of which the line may be at most.
    """
    head = f"{told['operation_id'][:8]}  {told['title']:<21}  "
    tail = f"{in_short(told)}, {told['result']}, {in_time(told['took_seconds'])}"
    room = min(BAR, width - len(head) - len(tail) - 2)
    return cut(head + (f"{bar(told, room)}  " if room >= SHORTEST_BAR else "") + tail, width)


def cut(text: str, width: int) -> str:
    """A line as it is, or so much of it as there is room for."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def in_full(told: Mapping[str, Any]) -> str:
    """A report as a person reads it.

    Args:
        told: as ``outcomes.report`` returns it.
    """
    lines = [
        f"{told['title']}: {told['result']}",
        f"  operation  {told['operation_id']}",
        f"  selection  {told['selection']}, formats {', '.join(told['formats'])}",
        f"  recorded   {told['recorded']}, ended {told['ended'] or 'not yet'}",
        f"  in all     {in_words(told['counts'])}",
    ]
    if told.get("retry_of"):
        lines.append(f"  retry of   {told['retry_of']}, by {told['retried_by']}")
    if told.get("stopped_by"):
        lines.append(f"  stopped by {told['stopped_by']}")
    if told["failure"]:
        lines.append(f"  failure    {told['failure']}")
    for problem in told["problems"]:
        what = " ".join(filter(None, (problem["asset_id"], problem["format"])))
        lines.append(f"  {problem['kind']:<9}  {what}: {problem['reason']}")
    return "\n".join(lines)
