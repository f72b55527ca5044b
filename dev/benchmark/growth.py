"""Whether time, requests and memory grow at most in proportion to the number of assets."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dev.benchmark.bench import FASTEST, UNLIMITED, Bench, bench
from dev.benchmark.figures import Figure

# The maximum ratio of the time per asset in the larger of two runs to that in the smaller.
GROWTH = 1.5


@dataclass(frozen=True)
class Run:
    """What an Add of a number of assets used: times in seconds, sizes in MiB, the log in KiB."""

    assets: int
    seconds: float
    requests: int
    memory: float
    database: float
    log: float


class Runs:
    """Adds of increasing size at full speed: without latency, and without a rate limit."""

    def __init__(self) -> None:
        self.all: list[Run] = []

    def measure(self, quick: bool) -> Iterator[Figure]:
        """Measure time, requests, memory and database by size."""
        for assets in (50, 300) if quick else (100, 1_000, 10_000, 100_000):
            with bench(("--latency-ms", "0", *UNLIMITED), FASTEST) as here:
                self.all.append(_run(here, assets))
        smaller, larger = self.all[-2:]
        most = f"{larger.assets:,} assets"
        for run in self.all:
            value = run.seconds / run.assets * 1000
            yield Figure(f"time per asset, {run.assets:,} assets", value, "ms")
        value = (larger.seconds / larger.assets) / (smaller.seconds / smaller.assets)
        yield Figure("growth of time per asset", value, "", GROWTH)
        value = (larger.requests / larger.assets) / (smaller.requests / smaller.assets)
        yield Figure("growth of requests per asset", value, "", 1.05)
        yield Figure(f"most memory, {most}", larger.memory, "MiB", 300)
        yield Figure(f"database, {most}", larger.database, "MiB", 100)
        yield Figure(f"log, {most}", larger.log, "KiB", 50)


def _run(here: Bench, assets: int) -> Run:
    collection_id = here.fill(assets, ("b2", "lucidlink"))
    is_over, memory = threading.Event(), [here.memory()]

    def watch() -> None:
        while not is_over.wait(0.5):
            memory.append(here.memory())

    with ThreadPoolExecutor(1) as pool:
        pool.submit(watch)
        try:
            began = time.monotonic()
            here.do("add", collection_id)
            seconds = time.monotonic() - began
        finally:
            is_over.set()
    log = len(here.service.log().encode()) / 1024
    return Run(assets, seconds, here.requests(), max(memory), here.database(), log)
