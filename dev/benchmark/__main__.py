"""The command: script/benchmark."""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from b2_iconik.common.version import VERSION
from dev.benchmark import answers, waits, work
from dev.benchmark.figures import Figure, table, write
from dev.benchmark.growth import Runs
from dev.benchmark.pace import Paces
from dev.harness import stop_all

FAILED = 1


def main() -> int:
    """Measure, print the table, and store the results. Return the exit status."""
    parser = argparse.ArgumentParser(prog="script/benchmark", description=__doc__)
    add = parser.add_argument
    paces, runs = Paces(), Runs()
    parts: dict[str, Callable[[bool], Iterator[Figure]]] = {
        "answers": answers.measure,
        "work": work.measure,
        "pace": paces.measure,
        "waits": waits.measure,
        "growth": runs.measure,
    }
    add("--version", action="version", version=VERSION)
    add("--quick", action="store_true", help="smaller, in a few minutes")
    add("--only", choices=parts, action="append", help="one part; may be given several times")
    add("--json", type=Path, metavar="FILE", help="where to keep the figures")
    add("--plot", type=Path, metavar="FILE", help="where to draw requests over time, as SVG")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))
    figures: list[Figure] = []
    try:
        for name in given.only or parts:
            began = time.monotonic()
            for figure in parts[name](given.quick):
                figures.append(figure)
                print(f"{figure.name}: {figure.value:.3g} {figure.unit}", file=sys.stderr)
            print(f"({name} took {time.monotonic() - began:.0f} s)", file=sys.stderr)
    finally:
        stop_all()
    print(table(figures))
    if given.json:
        write(figures, given.json)
    if given.plot and paces.by_second:
        from dev.benchmark.plot import draw

        draw(paces.by_second, given.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
