"""How fast clicks are answered, how fast the service starts, and what it uses when idle."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import requests

from dev.benchmark.bench import Bench, bench, percentile
from dev.benchmark.figures import Figure

AT_ONCE = 50
WARM_UP = 10
# In seconds, between clicks: slightly more than iconik's limit allows, at six requests per click.
BREATH = 0.1
# In seconds: the time until the work on earlier clicks is done.
REST = 3.0


def measure(quick: bool) -> Iterator[Figure]:
    """Measure responses in every state, idle use, and start."""
    clicks = 40 if quick else 300
    with bench() as here:
        began = time.perf_counter()
        here.service.process.stop()
        stopped = time.perf_counter()
        here.service.start()
        yield Figure("ready after a start", time.perf_counter() - stopped, "s", 1)
        yield Figure("stopped", stopped - began, "s", 15)
        yield from _idle(here, 20 if quick else 60)
        alone = _one_after_another(here, clicks)
        yield Figure("response to a click, p99", percentile(alone, 99) * 1000, "ms", 25)
        yield Figure("response to a click, p50", percentile(alone, 50) * 1000, "ms")
        together = _together(here, 1 if quick else 10)
        yield Figure(f"response to {AT_ONCE} clicks at once, p99", percentile(together, 99), "s", 1)
        here.simulator.control("PATCH", "settings", {"hang_seconds": 30})
        hanging = _one_after_another(here, clicks)
        value = percentile(hanging, 99) * 1000
        yield Figure("response while iconik hangs, p99", value, "ms", 25)
    with bench(("--listing-hints",)) as here:
        collection_id = here.fill(1_000 if quick else 10_000)
        here.click("add", collection_ids=[collection_id])
        busy = _one_after_another(here, clicks)
        value = percentile(busy, 99) * 1000
        yield Figure("response while a large operation runs, p99", value, "ms", 100)


def _click(here: Bench) -> float:
    """Click on an asset for the first time, and return the seconds until the response."""
    began = time.perf_counter()
    here.click("add", asset_ids=[str(uuid.uuid4())])
    return time.perf_counter() - began


def _one_after_another(here: Bench, clicks: int) -> list[float]:
    """Click faster than any users do, and return the seconds until each response."""
    seconds = []
    for _ in range(WARM_UP + clicks):
        seconds.append(_click(here))
        time.sleep(BREATH)
    # Leave out the first clicks, while each process warms up.
    return seconds[WARM_UP:]


def _together(here: Bench, times: int) -> list[float]:
    """Click many times at once, repeatedly, and return the seconds until each response."""
    seconds: list[float] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(times):
            time.sleep(REST)
            seconds += pool.map(_click, [here] * AT_ONCE)
    return seconds


def _idle(here: Bench, seconds: float) -> Iterator[Figure]:
    # By then, the work at the start is done.
    time.sleep(REST)
    requests.get(f"{here.service.url}/healthz", timeout=30).raise_for_status()
    asked, processor = here.requests(), here.processor()
    time.sleep(seconds)
    share = (here.processor() - processor) / seconds * 100
    yield Figure("processor when idle", share, "% of a core", 0.5)
    yield Figure("memory when idle", here.memory(), "MiB", 100)
    yield Figure("requests to iconik when idle", here.requests() - asked, "", 0)
