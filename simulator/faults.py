"""Pending faults of API requests, buckets and copies."""

import random
from dataclasses import asdict, dataclass
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


class Fault:
    """A fault that was added.

    Attributes:
        over: set when the faults are cleared, even while this one happens, so that hanging requests
            continue.
    """

    over: Event


@dataclass
class RequestFault(Fault):
    """A fault of API requests with a method and a path, after /API/, that matches a pattern.

    Attributes:
        fault: one of REQUEST_FAULTS, or 'status:503', 'hang:5', or 'html:404' for a proxy's page.
        times: how many times it happens; None for no limit.
        after: process the request first, and lose only the answer.
        retry_after: in seconds, sent with an error status.
        probability: the probability for each matching request.
        query: a pattern of the query string, as sent.
        body: the JSON body of a status, instead of an error.
    """

    fault: str
    method: str = "*"
    path: str = "*"
    times: int | None = 1
    after: bool = False
    retry_after: float | None = None
    probability: float | None = None
    query: str = "*"
    body: Json | None = None

    def __post_init__(self) -> None:
        if self.fault not in REQUEST_FAULTS and not _has_number(
            self.fault, "status", "hang", "html"
        ):
            raise ValueError(f"{self.fault}: no such fault")

    def fits(self, method: str, path: str, query: str) -> bool:
        """Return whether it applies to such a request."""
        return (
            fnmatchcase(method, self.method)
            and fnmatchcase(path, self.path)
            and fnmatchcase(query, self.query)
        )


@dataclass
class BucketFault(Fault):
    """A fault of requests to a bucket, by signed URL or by B2's native API.

    Attributes:
        bucket: one of BUCKET_FAULTS, or 'status:503', 'hang:5' or 'trickle:5'.
        method, times, retry_after, probability: as for API requests.
        path: a pattern of the path without its leading slash, such as ``bucket/*`` for signed URLs,
            ``b2api/*/b2_list_*`` for calls.
    """

    bucket: str
    method: str = "*"
    path: str = "*"
    times: int | None = 1
    retry_after: float | None = None
    probability: float | None = None

    def __post_init__(self) -> None:
        numbered = _has_number(self.bucket, "status", "hang", "trickle")
        if self.bucket not in BUCKET_FAULTS and not numbered:
            raise ValueError(f"{self.bucket}: no such fault of a bucket")

    def fits(self, method: str, path: str) -> bool:
        """Return whether it applies to such a request."""
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)


@dataclass
class CopyFault(Fault):
    """A fault of copies of an asset, a format or a target storage; None matches any."""

    copy: str
    asset_id: str | None = None
    format: str | None = None
    storage_id: str | None = None
    times: int | None = 1
    probability: float | None = None

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
            return [asdict(each) for each in self._waiting]

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


class CopyFaults(Faults[CopyFault]):
    """Faults of copies."""

    def take(self, asset_id: str, format_name: str, storage_id: str) -> str | None:
        """Return the fault that happens to a copy; None if none does."""
        fault = self.pick(asset_id, format_name, storage_id)
        return fault.copy if fault else None
