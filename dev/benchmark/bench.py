"""A new service and simulator for each measurement, and functions to measure them."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from dev.harness import Service, Simulator, wait_for

FORMATS = ("ORIGINAL", "PPRO_PROXY")
FASTEST = {"ICONIK_REQUESTS_PER_SECOND": "1000"}
UNLIMITED = ("--rate-limit", "1000000000")
MEBI = 1024 * 1024
HOURS = 7200.0


@dataclass(frozen=True)
class Bench:
    """A running service and its iconik."""

    simulator: Simulator
    service: Service
    directory: Path

    def fill(self, count: int, on: Sequence[str] = ("b2",)) -> str:
        """Create assets with both formats in a new collection, and return the collection's id."""
        made = self.simulator.control("POST", "collections", {"title": "Rushes"})
        some = 5_000
        for start in range(0, count, some):
            body = {
                "count": min(some, count - start),
                "formats": dict.fromkeys(FORMATS, 1),
                "on": list(on),
                "collection_ids": [made["id"]],
            }
            self.simulator.control("POST", "fill", body)
        self.simulator.control("DELETE", "requests")
        self.simulator.control("DELETE", "buckets/requests")
        return str(made["id"])

    def click(self, action: str, **selection: list[str]) -> str:
        """Click for both formats, and return the operation's id."""
        answer = self.service.click(action, ",".join(FORMATS), **selection)
        answer.raise_for_status()
        return str(answer.json()["operation_id"])

    def do(self, action: str, collection_id: str) -> dict[str, Any]:
        """Click on a collection, and wait for the report."""
        return self.report(self.click(action, collection_ids=[collection_id]))

    def report(self, operation_id: str) -> dict[str, Any]:
        """Wait until an operation ends. Poll rarely, because polling slows the operation."""
        while not self.service.has_ended(operation_id):
            time.sleep(0.5)
        report = self.service.report(operation_id)
        if report["problems"] or report["result"] not in ("done", "nothing to do"):
            raise RuntimeError(f"the operation came to no good end: {report}")
        return report

    def requests(self) -> int:
        """Return the number of requests that iconik has answered since the last reset."""
        return sum(self.simulator.control("GET", "")["requests"].values())

    def bucket_requests(self) -> int:
        """Return the number of requests that B2 has answered since the last reset."""
        return sum(self.simulator.control("GET", "buckets/")["requests"].values())

    def answers(self, status: str) -> int:
        """Return how many of iconik's answers had a status."""
        return int(self.simulator.control("GET", "")["statuses"].get(status, 0))

    def times(self, matching: Callable[[Mapping[str, Any]], bool]) -> list[float]:
        """Return the times of the last matching requests, in seconds since 1970."""
        seen = self.simulator.control("GET", "requests")["objects"]
        return [datetime.fromisoformat(each["time"]).timestamp() for each in seen if matching(each)]

    def processes(self) -> list[psutil.Process]:
        """Return the service's processes."""
        first = psutil.Process(self.service.process.pid)
        return [first, *first.children(recursive=True)]

    def memory(self) -> float:
        """Return the memory of all the service's processes, in MiB; shared memory counts once."""
        taken = 0
        for each in self.processes():
            with suppress(psutil.NoSuchProcess):
                taken += each.memory_full_info().pss
        return taken / MEBI

    def processor(self) -> float:
        """Return the processor time that the service has used so far, in seconds."""
        times = [each.cpu_times() for each in self.processes()]
        return sum(each.user + each.system for each in times)

    def database(self) -> float:
        """Return the size of the database and its journal, in MiB."""
        return sum(path.stat().st_size for path in self.directory.glob("*.sqlite*")) / MEBI


@contextmanager
def bench(
    options: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Bench]:
    """Run a simulator with a latency of 80 ms by default, and the service as it is shipped.

    Args:
        options: further options of the simulator.
        environment: variables of the service, in addition to those it needs.
    """
    with tempfile.TemporaryDirectory(prefix="b2-iconik-benchmark-") as place:
        directory = Path(place)
        fast_copies = ("--copy-seconds", "0.05", "--copies-at-once", "50")
        simulator = Simulator(directory, "--latency-ms", "80", *fast_copies, *options)
        try:
            service = Service(directory, simulator, environment=environment)
            try:
                wait_for("executor", lambda: "now runs the operations" in service.log(), 30)
                yield Bench(simulator, service, directory)
            finally:
                service.stop()
        finally:
            simulator.stop()


def percentile(values: Sequence[float], share: int) -> float:
    """Return the value that a percentage of all values doesn't exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]
