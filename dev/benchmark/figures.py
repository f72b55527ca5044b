"""What was measured, beside what it may be: a table to read, JSON to keep."""

import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from b2_iconik.common.version import VERSION


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes:
        limit: what it may be; None for one that is only told.
        kind: whether the limit is the most or the least that it may be.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    kind: Literal["most", "least"] = "most"

    @property
    def ratio(self) -> float | None:
        """How much of the limit it takes; up to 1 it is met, whichever kind it is."""
        if self.limit is None:
            return None
        if self.kind == "most":
            return self.value / self.limit if self.limit else float(self.value > 0)
        return self.limit / self.value if self.value else float("inf")

    @property
    def is_met(self) -> bool:
        """Whether it is within its limit."""
        return self.ratio is None or self.ratio <= 1


def table(figures: list[Figure]) -> str:
    """The figures as a table of Markdown."""
    rows = [("what", "figure", "limit", "ratio")]
    for each in figures:
        sign = "≤" if each.kind == "most" else "≥"
        limit = "" if each.limit is None else f"{sign} {each.limit:g} {each.unit}"
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}{'' if each.is_met else ' (!)'}"
        rows.append((each.name, f"{each.value:.3g} {each.unit}", limit, ratio))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    return "\n".join([lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]])


def write(figures: list[Figure], path: Path) -> None:
    """Keep the figures as JSON."""
    told = {
        "version": VERSION,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "figures": [
            {
                "name": each.name,
                "value": each.value,
                "unit": each.unit,
                "limit": each.limit,
                "kind": each.kind,
                "ratio": each.ratio,
            }
            for each in figures
        ],
    }
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
