"""The counters of each process of this service, for Prometheus.

Every label has a small, fixed set of values: no ids, no names.
"""

import logging
import os
import re
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any, Literal

import requests
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

from b2_iconik.common import metric_files

log = logging.getLogger(__name__)

# In seconds. iconik waits about 10 s for an answer.
ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
REQUEST_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
ALWAYS = ("200", "401", "500", "503")
NO_ANSWER = "none"
# The ways to ask B2 for a confirmation, and the possible results.
Way = Literal["key", "signed URL", "records alone"]
Result = Literal["confirmed", "objection", "unavailable", "not_asked"]
CONFIRMATIONS: tuple[tuple[Way, Result], ...] = (
    ("key", "confirmed"),
    ("key", "objection"),
    ("key", "unavailable"),
    ("signed URL", "confirmed"),
    ("signed URL", "objection"),
    ("signed URL", "unavailable"),
    ("records alone", "not_asked"),
)
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
CALL = re.compile(r"(?:[a-z_]+|v1|\{\}|/)+")
# Far above the real number of calls. iconik sends the URLs of pages, so paths could be arbitrary.
MOST_CALLS = 48
# A status of 500 or above is an iconik failure. 429 is its rate limit.
TROUBLE = 500
LIMITED = 429

_building = threading.Lock()


class Meters:
    """The metrics of a process.

    Args:
        directory: the directory that the processes share; None for a single process.
    """

    def __init__(self, directory: str | None) -> None:
        self.directory = directory
        self.registry = registry = CollectorRegistry()
        self.calls = set[str]()
        self.clicks = Counter(
            "b2_iconik_clicks",
            "Custom actions posted, by action and by the status of the answer.",
            ["action", "answer"],
            registry=registry,
        )
        self.answers = Histogram(
            "b2_iconik_answer_seconds",
            "Time to answer a custom action.",
            ["action"],
            buckets=ANSWER_BUCKETS,
            registry=registry,
        )
        self.requests = Counter(
            "b2_iconik_requests",
            "Requests to iconik, by call and by the status of its answer; 'none' for no answer.",
            ["call", "status"],
            registry=registry,
        )
        self.request_seconds = Histogram(
            "b2_iconik_request_seconds",
            "Time until iconik began its answer, or until the request failed.",
            ["call"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.last_good_answer = Gauge(
            "b2_iconik_last_good_answer_timestamp_seconds",
            "When iconik last gave an answer that was neither 429 nor 500 or above.",
            registry=registry,
            multiprocess_mode="max",
        )
        self.bucket_requests = Counter(
            "b2_iconik_bucket_requests",
            "Requests to B2, by way and by the class of the status; 'none' for no answer.",
            ["way", "status"],
            registry=registry,
        )
        self.bucket_request_seconds = Histogram(
            "b2_iconik_bucket_request_seconds",
            "Time until B2 began its answer, or until the request failed.",
            ["way"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self.bucket_confirmations = Counter(
            "b2_iconik_bucket_confirmations",
            "File sets to be confirmed by B2, by way and result.",
            ["way", "result"],
            registry=registry,
        )
        for action in ("add", "remove", "preview"):
            for answer in ALWAYS:
                # Prometheus sees no increase when a counter appears with 1, and a single one must
                # raise an alert.
                self.clicks.labels(action, answer)
        for way, result in CONFIRMATIONS:
            self.bucket_confirmations.labels(label(way), result)


def meters() -> Meters:
    """Return the metrics of this process."""
    with _building:
        return _build()


@cache
def _build() -> Meters:
    directory = os.environ.get(metric_files.VARIABLE)
    if directory:
        try:
            slot = metric_files.take_slot(Path(directory))
            values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]
        except OSError as error:
            log.error("the metrics do not include this process: %s", error.strerror or error)
            values.ValueClass = values.MutexValue
    return Meters(directory)


def clicked(action: str, answer: int, seconds: float) -> None:
    """Count an answered custom action.

    Args:
        action: 'add', 'remove' or 'preview'.
        answer: the HTTP status.
    """
    mine = meters()
    mine.clicks.labels(action, str(answer)).inc()
    mine.answers.labels(action).observe(seconds)


def asked_bucket(way: Way, status: str, seconds: float) -> None:
    """Count a request to B2.

    Args:
        way: how B2 was asked.
        status: the HTTP status of the answer, or ``NO_ANSWER``.
        seconds: the time until the answer began.
    """
    mine = meters()
    kind = status if status == NO_ANSWER else f"{status[0]}xx"
    mine.bucket_requests.labels(label(way), kind).inc()
    mine.bucket_request_seconds.labels(label(way)).observe(seconds)


def confirmed(way: Way, result: Result) -> None:
    """Count a file set that B2 was asked to confirm."""
    meters().bucket_confirmations.labels(label(way), result).inc()


def label(way: Way) -> str:
    """Return a way as the value of a label."""
    return way.lower().replace(" ", "_")


class MeasuredSession(requests.Session):
    """A session for requests to iconik that counts them."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request and count it, even if it fails."""
        began = time.monotonic()
        status = NO_ANSWER
        try:
            response = super().send(request, **options)
            status = str(response.status_code)
            return response
        finally:
            _asked(str(request.method), str(request.url), status, time.monotonic() - began)


def _asked(method: str, url: str, status: str, seconds: float) -> None:
    mine = meters()
    call = f"{method} {_path(url)}"
    if call not in mine.calls and (len(mine.calls) >= MOST_CALLS or call.endswith(" ")):
        call = "other"
    mine.calls.add(call)
    mine.requests.labels(call, status).inc()
    mine.request_seconds.labels(call).observe(seconds)
    if status != NO_ANSWER and int(status) < TROUBLE and int(status) != LIMITED:
        mine.last_good_answer.set(time.time())


def _path(url: str) -> str:
    """Return a URL's path below the API's root, without ids; "" if it isn't an iconik path."""
    path = ID.sub("{}", url.partition("?")[0].partition("/API/")[2])
    return path if CALL.fullmatch(path) else ""
