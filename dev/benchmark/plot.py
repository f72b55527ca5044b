"""Draw requests per second over time as an SVG, with iconik's limit."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pygal
from pygal.style import CleanStyle

from dev.benchmark.pace import LIMIT


def draw(by_second: Mapping[str, Sequence[int]], path: Path) -> None:
    """Draw the requests in each second of some runs, by their names."""
    longest = max(len(counts) for counts in by_second.values())
    highest = max(max(counts) for counts in by_second.values())
    # The file must not reference other files: it is displayed as it is.
    chart = pygal.Line(
        js=[],
        style=CleanStyle,
        width=900,
        height=420,
        show_dots=False,
        range=(0, max(LIMIT, highest)),
        title="Requests per second, and iconik's average limit",
        x_title="seconds",
        show_minor_x_labels=False,
        truncate_label=-1,
        legend_at_bottom=True,
    )
    chart.x_labels = [str(second) for second in range(longest)]
    chart.x_labels_major_every = 10
    for name, counts in by_second.items():
        chart.add(name, list(counts))
    chart.add("iconik's limit", [LIMIT] * longest)
    path.write_bytes(chart.render())
