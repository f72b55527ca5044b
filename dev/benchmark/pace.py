"""Whether iconik's rate limit is reached, held, and never exceeded."""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import requests

from dev.benchmark.bench import FORMATS, UNLIMITED, Bench, bench
from dev.benchmark.figures import Figure
from iconik_http.pacing import WINDOW

LIMIT = 50.0
OTHER = "users/v1/users/current/"
OTHERS_SHARE = 25
REFUSED = "429 responses in 10,000 requests"


class Paces:
    """The rates, and their course over time.

    Attributes:
        by_second: by the name of a run, the number of requests in each second.
    """

    def __init__(self) -> None:
        self.by_second: dict[str, list[int]] = {}

    def measure(self, quick: bool) -> Iterator[Figure]:
        """Measure requests per second at several latencies, and next to another program."""
        yield from _ceiling(1 if quick else 10)
        for latency in (80,) if quick else (20, 80, 300):
            name = f"{latency} ms away"
            with bench(("--bulk-deletion", "--latency-ms", str(latency))) as here:
                yield from self._run(here, name, 400 if quick else 1_700, 45)
        with bench(("--bulk-deletion",)) as here, _another_program(here):
            yield from self._run(here, "beside another program", 200 if quick else 900, 22.5)
        if not quick:
            # In a short operation, the difference is smaller than that between two runs.
            yield from _time_of_the_bucket(2_000)

    def _run(self, here: Bench, name: str, assets: int, least: float) -> Iterator[Figure]:
        collection_id = here.fill(assets, ("b2", "lucidlink"))
        here.do("remove", collection_id)
        # The simulator keeps the last 20,000 requests, including those of the other program.
        times = here.times(lambda seen: not seen["path"].endswith(OTHER))
        refused = len(
            here.times(lambda seen: seen["status"] == 429 and not seen["path"].endswith(OTHER))
        )
        # What follows the last deletion only waits for its confirmation.
        end = max(here.times(lambda seen: seen["path"].startswith("/API/files/v1/assets/")))
        # In whole windows of the limit, which contain a burst and the slower pace that follows it.
        duration = (end - times[0]) // WINDOW * WINDOW
        rate = bisect_left(times, times[0] + duration) / duration
        self.by_second[name] = _by_second(times)
        yield Figure(f"requests per second, {name}", rate, "/s", least, "least")
        yield Figure(f"{REFUSED}, {name}", refused / len(times) * 10_000, "", 5)


def _time_of_the_bucket(assets: int) -> Iterator[Figure]:
    """Measure how much the requests to B2 delay a Remove, with the same latency as iconik's."""
    seconds = {}
    for check in ("off", "auto"):
        with bench(("--bulk-deletion",), {"B2_CHECK": check}) as here:
            here.simulator.control("PATCH", "settings", {"bucket_latency_ms": 80})
            collection_id = here.fill(assets, ("b2", "lucidlink"))
            operation_id = here.click("remove", collection_ids=[collection_id])
            here.report(operation_id)
            operation = here.service.operation(operation_id)
            seconds[check] = ((operation.ended_ms or 0) - operation.recorded_ms) / 1000
            asked = here.bucket_requests()
    name = f"Remove of {assets:,} assets in {len(FORMATS)} formats"
    yield Figure(f"{name}, B2 not asked", seconds["off"], "s")
    yield Figure(f"{name}, B2 asked", seconds["auto"], "s")
    yield Figure(f"{name}, requests to B2", asked, "", len(FORMATS) * assets)
    yield Figure(f"{name}, time B2 adds", (seconds["auto"] / seconds["off"] - 1) * 100, "%", 10)


def _by_second(times: Sequence[float]) -> list[int]:
    counts = Counter(int(each - times[0]) for each in times)
    return [counts[second] for second in range(int(times[-1] - times[0]) + 1)]


@contextmanager
def _another_program(here: Bench) -> Iterator[None]:
    """Run another program that uses the same credentials at half of the allowed rate."""
    is_over = threading.Event()

    def ask() -> None:
        session, due = requests.Session(), time.monotonic()
        headers = {"App-ID": here.simulator.app_id, "Auth-Token": here.simulator.token}
        while not is_over.is_set():
            session.get(f"{here.simulator.url}/API/{OTHER}", headers=headers, timeout=30)
            due += 4 / OTHERS_SHARE
            time.sleep(max(0.0, due - time.monotonic()))
        session.close()

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(ask)
        try:
            yield
        finally:
            is_over.set()


def _ceiling(seconds: float) -> Iterator[Figure]:
    """Measure the simulator's maximum rate, to show that it doesn't limit the other figures."""
    with bench(("--latency-ms", "0", *UNLIMITED)) as here:
        here.fill(100)
        asset_id = here.simulator.control("POST", "fill", {"count": 1})["asset_ids"][0]
        url = f"{here.simulator.url}/API/files/v1/assets/{asset_id}/files/"
        headers = {"App-ID": here.simulator.app_id, "Auth-Token": here.simulator.token}
        end = time.monotonic() + seconds

        def ask(_: int) -> int:
            session, answered = requests.Session(), 0
            while time.monotonic() < end:
                session.get(url, headers=headers, timeout=30).raise_for_status()
                answered += 1
            session.close()
            return answered

        with ThreadPoolExecutor(8) as pool:
            answered = sum(pool.map(ask, range(8)))
    yield Figure("the simulator's own ceiling", answered / seconds, "/s", 2 * LIMIT, "least")
