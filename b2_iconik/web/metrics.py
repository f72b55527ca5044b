"""The metrics for Prometheus, from all processes and the ledger, and who may read them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Protocol

from flask import Flask, Response, g, jsonify, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from b2_iconik.common import meters
from b2_iconik.domain.click import ACTIONS, CLICKED_ACTIONS
from b2_iconik.domain.reasons import expected
from b2_iconik.ledger.counters import Standing, Tally

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# Headers that proxies add to forwarded requests.
PASSED_ON = frozenset({"forwarded", "via", "x-real-ip"})
RESULTS = ("done", "partly done", "nothing to do", "stopped", "failed")
ALWAYS = (
    *(Tally("operation", action, result) for action in ACTIONS for result in RESULTS),
    *(Tally("unopened", action, "failed") for action in ACTIONS),
    *(Tally("format", action, *each) for action in ACTIONS for each in expected(action)),
)
# By attribute of ``Totals``. Their times are compared with this machine's clock.
HELD = {
    "assets": "Assets that are on LucidLink through this service.",
    "bytes": "The size of these assets' formats on LucidLink, as far as it is known.",
    "due": "Assets whose time on LucidLink is up within a day, and that are not overdue.",
    "overdue": "Assets that are still on LucidLink more than a week after their time was up.",
}


class Source(Protocol):
    """Provides the state of the operations."""

    def standing(self) -> Standing | None:
        """Return the state; None if it can't be read."""
        ...

    def has_leader(self) -> bool:
        """Return whether a process runs the operations."""
        ...


def add_to(app: Flask, networks: Sequence[IPv4Network | IPv6Network], source: Source) -> None:
    """Add ``GET /metrics`` to an app, and count the app's answers to custom actions.

    Args:
        source: provides the state of the operations.
    """

    @app.get("/metrics")
    def show_metrics() -> Response:
        if may_see(networks, request.remote_addr, request.headers.keys()):
            return Response(exposition(source), content_type=CONTENT_TYPE)
        answer = jsonify(
            message="Your address may not read the metrics. See the setting METRICS_FROM."
        )
        answer.status_code = HTTPStatus.FORBIDDEN
        return answer

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def end(answer: Response) -> Response:
        action = request.path.strip("/")
        if action in CLICKED_ACTIONS:
            meters.clicked(action, answer.status_code, time.monotonic() - g.began)
        return answer


def may_see(
    networks: Sequence[IPv4Network | IPv6Network], address: str | None, headers: Iterable[str]
) -> bool:
    """Return whether a client may read the metrics.

    A request forwarded by a proxy may come from anywhere, whatever its headers say, so it is
    refused.

    Args:
        address: the address of the other end of the connection; empty for a Unix socket, which is
            on this machine.
        headers: the names of the request's headers.
    """
    names = {name.lower() for name in headers}
    if not networks or names & PASSED_ON or any(name.startswith("x-forwarded-") for name in names):
        return False
    if not address:
        return True
    client = ip_address(address)
    if isinstance(client, IPv6Address) and client.ipv4_mapped:
        client = client.ipv4_mapped
    return any(client in network for network in networks)


def exposition(source: Source) -> bytes:
    """Return all metrics of all processes, in Prometheus's text format."""
    mine = meters.meters()
    registry = CollectorRegistry()
    if mine.directory and Path(mine.directory).is_dir():
        MultiProcessCollector(registry, mine.directory)  # type: ignore[no-untyped-call]
    else:
        registry.register(mine.registry)
    registry.register(_OfLedger(source))
    return generate_latest(registry)


class _OfLedger(Collector):
    """The metrics from the ledger, read for each scrape."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; if the ledger can't be read, only those that don't need it."""
        standing = self._source.standing()
        yield GaugeMetricFamily(
            "b2_iconik_ledger_readable",
            "Whether the database of operations can be read.",
            value=standing is not None,
        )
        yield GaugeMetricFamily(
            "b2_iconik_executor_present",
            "Whether a process runs the operations.",
            value=self._source.has_leader(),
        )
        if standing:
            yield from _of(standing)


def _of(standing: Standing) -> Iterator[Metric]:
    operations = CounterMetricFamily(
        "b2_iconik_operations",
        "Operations that have ended, by result, since the database was created.",
        labels=["action", "result"],
    )
    formats = CounterMetricFamily(
        "b2_iconik_formats",
        "Formats of assets by outcome, counted when their operations end.",
        labels=["action", "outcome", "reason"],
    )
    unopened = CounterMetricFamily(
        "b2_iconik_unopened",
        "Collections, saved searches and playlists that could not be opened, counted when their "
        "operations end.",
        labels=["action"],
    )
    # Prometheus sees no increase when a counter appears with 1, so every counter exists from the
    # start.
    for tally, times in {**dict.fromkeys(ALWAYS, 0), **standing.ended}.items():
        if tally.what == "operation":
            operations.add_metric([tally.action, tally.outcome.replace(" ", "_")], times)
        elif tally.what == "unopened":
            unopened.add_metric([tally.action], times)
        else:
            formats.add_metric([tally.action, tally.outcome, tally.reason], times)
    running = GaugeMetricFamily(
        "b2_iconik_operations_running", "Operations that have not ended.", labels=["action"]
    )
    for action in ACTIONS:
        running.add_metric([action], standing.running.get(action, 0))
    pending = GaugeMetricFamily(
        "b2_iconik_assets_pending",
        "Unfinished assets of running operations, by state.",
        labels=["action", "state"],
    )
    for labels, number in standing.pending.items():
        pending.add_metric(labels, number)
    yield from (operations, formats, unopened, running, pending)
    for name, text in HELD.items():
        yield GaugeMetricFamily(
            f"b2_iconik_lucidlink_{name}", text, value=getattr(standing.held, name)
        )
    if standing.oldest_ms is not None:
        yield GaugeMetricFamily(
            "b2_iconik_oldest_operation_timestamp_seconds",
            "When the oldest running operation was clicked.",
            value=standing.oldest_ms / 1000,
        )
