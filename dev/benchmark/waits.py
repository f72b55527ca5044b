"""How soon work starts, and how long a small click waits for a large one."""

import time
from collections.abc import Iterator

from dev.benchmark.bench import Bench, bench
from dev.benchmark.figures import Figure

LARGE = 10_000
ALL = 5_000


def measure(quick: bool) -> Iterator[Figure]:
    """Measure the first copies, all copies, and a click after a large one, at iconik's pace."""
    with bench() as here:
        large = here.fill(LARGE)
        alone = here.simulator.control("POST", "fill", {"count": 1, "formats": {"ORIGINAL": 1}})
        began = time.time()
        here.click("add", collection_ids=[large])
        first = _first_copy(here) - began
        yield Figure(f"first copies of {LARGE:,} assets requested", first, "s", 3)
        began = time.monotonic()
        here.report(here.click("add", asset_ids=alone["asset_ids"]))
        value = time.monotonic() - began
        yield Figure(f"one asset behind {LARGE:,}, done", value, "s", 10)
    with bench(("--listing-hints",)) as here:
        some = here.fill(ALL)
        began = time.monotonic()
        operation_id = here.click("add", collection_ids=[some])
        while not _all_asked(here, operation_id):
            time.sleep(0.05)
        value = time.monotonic() - began
        yield Figure(f"all copies of {ALL:,} listed assets requested", value, "s", 10)


def _first_copy(here: Bench) -> float:
    """Return when the first copies were requested, in seconds since 1970."""
    while True:
        found = here.times(
            lambda seen: "/storages/" in seen["path"] and seen["path"].endswith("/bulk/")
        )
        if found:
            return min(found)
        time.sleep(0.1)


def _all_asked(here: Bench, operation_id: str) -> bool:
    progress = here.service.progress(operation_id)
    return bool(progress) and not {"queued", "claimed"} & set(progress)
