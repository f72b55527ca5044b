"""The measured figures and their limits, as a table and as JSON."""

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
        limit: the limit; None for a figure without one.
        kind: whether the limit is the maximum or the minimum.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    kind: Literal["most", "least"] = "most"

    @property
    def ratio(self) -> float | None:
        """The part of the limit that it uses. A value up to 1 meets either kind of limit."""
        if self.limit is None:
            return None
        if self.kind == "most":
            return self.value / self.limit if self.limit else float(self.value > 0)
        return self.limit / self.value if self.value else float("inf")

    @property
    def is_met(self) -> bool:
        """Whether it meets its limit."""
        return self.ratio is None or self.ratio <= 1


def table(figures: list[Figure]) -> str:
    """Format the figures as a Markdown table."""
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
    """Store the figures as JSON."""
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
