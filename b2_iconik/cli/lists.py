"""Format operations as lists, one per line, for a terminal or a pipe. Pure: no I/O.

Names come first, and ids last. Times are in the time zone of the process.
"""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from b2_iconik.common.texts import in_time
from b2_iconik.domain.outcomes import COUNTED, TROUBLE, bytes_in_words, displayed, many
from b2_iconik.domain.sizes import in_units
from b2_iconik.report.lucidlink import in_words
from b2_iconik.report.view import bar, in_short, short_title

Row = Mapping[str, Any]

BAR = 24
# A shorter bar would show nothing.
SHORTEST_BAR = 6
# Where there is little room, counts are cut to the first width, titles to the second, and counts
# to the third.
COUNTS = 20
LEAST_TITLE = 20
LEAST_COUNTS = 12
SHORT_ID = 8
# Kinds of outcomes in fewer words than elsewhere.
SHORT = {
    "kept": "kept",
    "there": "already there",
    "absent": "already off",
    "uncopied": "to be copied first",
}
GAP = "  "


def listed(told: Iterable[Row], width: int | None = None) -> str:
    """Format operations, one per line: result, title, counts, time of the click, short id.

    Args:
        told: results of ``view.summary``.
        width: the maximum length of a line; None for no limit.
    """
    rows = [
        (
            each["result"],
            short_title(each),
            _counts(each),
            local_time(each["recorded"], "%d %b %H:%M"),
            each["operation_id"][:SHORT_ID],
        )
        for each in told
    ]
    if not rows:
        return "No operations."
    return _fitted(rows, width, ((2, COUNTS), (1, LEAST_TITLE), (2, LEAST_COUNTS)))


def held(told: Mapping[str, Any], width: int | None = None) -> str:
    """Format what is on LucidLink, an asset per line: title, formats, size, due date, person.

    Args:
        told: the result of ``OnLucidLink.listed``.
        width: the maximum length of a line; None for no limit.
    """
    rows = [
        (
            untitled(each),
            ", ".join(one["format"] for one in each["formats"]),
            "" if each["bytes"] is None else in_units(each["bytes"]),
            "; ".join(dict.fromkeys([*(one["due"] for one in each["formats"]), *_protected(each)])),
            ", ".join(dict.fromkeys(one["user"] or "unknown" for one in each["formats"])),
        )
        for each in told["assets"]
    ]
    shown = f"{in_words(told['matching'], told['matching_bytes'])}"
    if len(rows) < told["matching"]:
        shown = f"{len(rows):,} of {shown}"
    total = told["total"]
    parts = {"due within a day": total["due_within_a_day"], "overdue": total["overdue"]}
    lines = [
        ", ".join([shown, *(f"{number:,} {word}" for word, number in parts.items() if number)])
    ]
    if rows:
        cuts = ((4, LEAST_COUNTS), (1, LEAST_COUNTS), (0, LEAST_TITLE), (3, LEAST_COUNTS))
        lines.insert(0, _fitted(rows, width, cuts))
    return "\n".join(lines)


def _protected(row: Row) -> Iterable[str]:
    return [f"protected until {row['protected_until']}"] if row["protected_until"] else []


def untitled(row: Row) -> str:
    """Return the title of a row's asset, or what it is called without one."""
    is_untitled = row["asset"] == row["asset_id"]
    return f"untitled asset {row['asset_id'][:SHORT_ID]}" if is_untitled else str(row["asset"])


def bars(told: Sequence[Row], width: int) -> list[str]:
    """Format operations, one per line: title, progress bar if there is room, counts, short id.

    Args:
        told: results of ``view.summary``.
        width: the maximum length of a line.
    """
    tails = [f"{_counts(each)}, {each['result']}, {in_time(each['took_seconds'])}" for each in told]
    titles = [short_title(each) for each in told]
    # The title and the id are shown in any case.
    most = max(0, width - LEAST_TITLE - SHORT_ID - 2 * len(GAP))
    tail = min(max(map(columns, tails), default=0), most)
    room = width - tail - SHORT_ID - 3 * len(GAP)
    name = min(max(map(columns, titles), default=0), max(LEAST_TITLE, room - BAR // 2))
    length = min(BAR, room - name)
    lines = []
    for each, title, text in zip(told, titles, tails, strict=True):
        drawn = [bar(each, length)] if length >= SHORTEST_BAR else []
        cells = [title, *drawn, text, each["operation_id"][:SHORT_ID]]
        widths = [name, *map(len, drawn), tail, SHORT_ID]
        lines.append(cut(_aligned(cells, widths), width))
    return lines


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(unicodedata.combining(each) > 0 for each in text)


def cut(text: str, width: int) -> str:
    """Truncate a text that takes more columns than there are."""
    if columns(text) <= width:
        return text
    while text and columns(text) >= width:
        text = text[:-1]
    return f"{text}…"


def local_time(told: str, shape: str) -> str:
    """Format a time, given as ISO 8601, in the time zone of the process."""
    return datetime.fromisoformat(told).astimezone().strftime(shape)


def _counts(told: Row) -> str:
    """Summarize an operation in a few words: problems first, what an asset lacks last."""
    if told["ended"] is None or not told["counts"]:
        return in_short(told)
    kinds = [kind for kind in (*COUNTED, "undone") if told["counts"].get(kind)]
    kinds.sort(key=lambda kind: (kind not in TROUBLE | {"undone"}, kind == "without"))
    words = ", ".join(
        f"{told['counts'][kind]:,} {SHORT.get(kind) or displayed(kind)}" for kind in kinds
    )
    sizes = bytes_in_words(told)
    return (words or many(told["assets"], "asset")) + (f" ({sizes})" if sizes else "")


def _fitted(
    rows: Sequence[Sequence[str]], width: int | None, cuts: Iterable[tuple[int, int]]
) -> str:
    """Align rows in columns.

    Args:
        rows: the cells of each row.
        width: the maximum length of a line; None for no limit.
        cuts: what to cut as far as needed where there is little room: the numbers of columns, each
            with its least width.
    """
    widths = [max(map(columns, cells)) for cells in zip(*rows, strict=True)]
    if width is not None:
        for number, least in cuts:
            excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
            widths[number] = max(min(widths[number], least), widths[number] - max(0, excess))
    lines = (_aligned(cells, widths) for cells in rows)
    return "\n".join(line if width is None else cut(line, width) for line in lines)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    fitting = [cut(cell, width) for cell, width in zip(cells, widths, strict=True)]
    padded = (
        cell + " " * (width - columns(cell)) for cell, width in zip(fitting, widths, strict=True)
    )
    return GAP.join(padded).rstrip()
