"""Pending faults of API requests, buckets and copies."""

import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Event, Lock
from typing import Any, Generic, TypeVar

from simulator.records import Json

COPY_FAULTS = (
    "finish_without_file",
    "leave_open",
    "wrong_size",
    "wrong_content",
    "never_ends",
    "lose_job",
    "FAILED",
    "ABORTED",
    "SKIPPED",
    "DISCARDED",
)
REQUEST_FAULTS = ("reset", "cut", "html", "broken_json", "429")
BUCKET_FAULTS = ("reset", "cut", "html", "redirect", "ignore_range", "no_total")


def _has_number(fault: str, *kinds: str) -> bool:
    """Return whether a fault is of a kind that takes a number, and has one."""
    kind, _, number = fault.partition(":")
    return kind in kinds and number.replace(".", "", 1).isdigit()


@dataclass(kw_only=True)
class Fault:
    """A fault that was added.

    Attributes:
        times: how many times it happens; None for no limit.
        probability: the probability each time that it could happen.
        over: set when the faults are cleared, even while this one happens, so that hanging requests
            continue.
    """

    times: int | None = 1
    probability: float | None = None
    over: Event = field(default_factory=Event, init=False)

    def json(self) -> Json:
        """Return the fault as the control API shows it."""
        return {name: value for name, value in vars(self).items() if name != "over"}


@dataclass(kw_only=True)
class _OfRequests(Fault):
    """A fault of requests with a method and a path that matches a pattern.

    Attributes:
        retry_after: in seconds, sent with an error status.
    """

    method: str = "*"
    path: str = "*"
    retry_after: float | None = None

    def fits(self, method: str, path: str, query: str = "") -> bool:
        """Return whether it applies to such a request."""
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)


@dataclass(kw_only=True)
class RequestFault(_OfRequests):
    """A fault of API requests; the path is what follows /API/.

    Attributes:
        fault: one of REQUEST_FAULTS, or 'status:503', 'hang:5', or 'html:404' for a proxy's page.
        after: process the request first, and lose only the answer.
        query: a pattern of the query string, as sent.
        body: the JSON body of a status, instead of an error.
    """

    fault: str
    after: bool = False
    query: str = "*"
    body: Json | None = None

    def __post_init__(self) -> None:
        numbered = _has_number(self.fault, "status", "hang", "html")
        if self.fault not in REQUEST_FAULTS and not numbered:
            raise ValueError(f"{self.fault}: no such fault")

    def fits(self, method: str, path: str, query: str = "") -> bool:
        """Return whether it applies to such a request."""
        return super().fits(method, path) and fnmatchcase(query, self.query)


@dataclass(kw_only=True)
class BucketFault(_OfRequests):
    """A fault of requests to a bucket, by signed URL or by B2's native API.

    The path has no leading slash: ``bucket/*`` for signed URLs, ``b2api/*/b2_list_*`` for calls.

    Attributes:
        bucket: one of BUCKET_FAULTS, or 'status:503', 'hang:5' or 'trickle:5'.
    """

    bucket: str

    def __post_init__(self) -> None:
        numbered = _has_number(self.bucket, "status", "hang", "trickle")
        if self.bucket not in BUCKET_FAULTS and not numbered:
            raise ValueError(f"{self.bucket}: no such fault of a bucket")


@dataclass(kw_only=True)
class CopyFault(Fault):
    """A fault of copies of an asset, a format or a target storage; None matches any."""

    copy: str
    asset_id: str | None = None
    format: str | None = None
    storage_id: str | None = None

    def __post_init__(self) -> None:
        if self.copy not in COPY_FAULTS:
            raise ValueError(f"{self.copy}: no such fault of a copy")

    def fits(self, asset_id: str, format_name: str, storage_id: str) -> bool:
        """Return whether it applies to such a copy."""
        return (
            self.asset_id in (None, asset_id)
            and self.format in (None, format_name)
            and self.storage_id in (None, storage_id)
        )


AFault = TypeVar("AFault", RequestFault, BucketFault, CopyFault)


class Faults(Generic[AFault]):
    """Faults of one kind, in the order in which they were added."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: list[AFault] = []
        self._over = Event()

    def add(self, fault: AFault) -> None:
        """Add a fault for future requests or copies."""
        with self._lock:
            fault.over = self._over
            self._waiting.append(fault)

    def clear(self) -> None:
        """Remove all faults, and release hanging requests."""
        with self._lock:
            self._waiting.clear()
            self._over.set()
            self._over = Event()

    def json(self) -> list[Json]:
        """Return the faults that may still happen."""
        with self._lock:
            return [each.json() for each in self._waiting]

    def pick(self, *what: Any) -> AFault | None:
        """Return the first fault that matches and happens, and remove it after its last time."""
        if not self._waiting:
            return None
        with self._lock:
            for fault in self._waiting:
                likely = fault.probability is None or random.random() < fault.probability
                if not (likely and fault.fits(*what)):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times < 1:
                        self._waiting.remove(fault)
                return fault
        return None


RequestFaults = Faults[RequestFault]
BucketFaults = Faults[BucketFault]
CopyFaults = Faults[CopyFault]
