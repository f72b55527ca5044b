"""A B2 storage, and buckets that answer as a test tells them to, or as the simulator does."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import responses
from responses import RequestsMock

from b2_iconik.bucket.confirm import Bucket, Confirmation
from b2_iconik.common import meters
from b2_iconik.common.settings import Settings
from b2_iconik.domain.custody import Pair
from iconik_http import expiry
from iconik_http.records import B2 as METHOD
from iconik_http.records import File, Storage
from simulator.b2_keys import KEY, KEY_ID
from tests.makers import B2, on_b2, on_ll
from tests.simulator.conftest import desk, running
from tests.simulator.desk import Desk

__all__ = ["desk", "running"]

HOST = "https://masters.s3.us-west-004.backblazeb2.com"
SIGNATURE = "0123456789abcdef0123456789abcdef"
START = 1_000_000.0
Open = Callable[..., Bucket]


def a_storage(**settings: Any) -> Storage:
    """A storage on the bucket 'masters'."""
    return Storage(B2, "Masters", "FILES", METHOD, "ACTIVE", {"bucket_name": "masters", **settings})


def signed(key: str = "projects/one/clip.mov", host: str = HOST) -> str:
    """A signed URL of an object."""
    return f"{host}/{key}?X-Amz-Expires=3600&X-Amz-Signature={SIGNATURE}"


def a_pair(name: str = "clip.mov", **fields: Any) -> Pair:
    """A file and its twin, whose record has a signed URL unless ``url`` says otherwise."""
    url = fields.pop("url", signed(f"projects/one/{name}"))
    return Pair(on_ll(name, **fields), on_b2(name, url=url, **fields))


def no_url(_: File) -> str:
    """What iconik says where it offers no signed URL."""
    return ""


def told_size(size: int) -> dict[str, Any]:
    """How B2 answers a request for the first byte of an object."""
    if not size:
        return {"status": 416, "headers": {"Content-Range": "bytes */0"}}
    return {"status": 206, "headers": {"Content-Range": f"bytes 0-0/{size}"}, "body": b"x"}


@pytest.fixture
def b2() -> Iterator[RequestsMock]:
    """Answers every request to B2 as a test tells it to."""
    with RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Has nobody wait between two attempts; the seconds that each would have waited."""
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    return waited


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time by ``expiry.now``, as a list of one that a test may set."""
    now = [START]
    monkeypatch.setattr(expiry, "now", lambda: now[0])
    return now


@pytest.fixture
def open_bucket(settings: Settings) -> Iterator[Open]:
    """Open B2 with some settings of its own."""
    opened: list[Bucket] = []

    def open_bucket(**changes: Any) -> Bucket:
        opened.append(Bucket(replace(settings, **changes)))
        return opened[-1]

    yield open_bucket
    for each in opened:
        each.close()


class Library:
    """An asset on the simulated bucket, and what B2 confirms of it."""

    def __init__(self, desk: Desk, bucket: Bucket, *files: dict[str, Any]) -> None:
        self.desk, self.bucket = desk, bucket
        self.asset = desk.asset(*files)
        self.directory = self.asset["id"]
        self.change_storage()

    def change_storage(self, **settings: Any) -> None:
        """Take the storage as iconik has it, with some settings of its own."""
        told = Storage.from_json(self.desk.get(f"files/v1/storages/{self.desk.b2_id}/"))
        self.storage = replace(told, settings={**told.settings, **settings})

    def pairs(self, **changes: Any) -> list[Pair]:
        """Each file on the bucket as a twin, whose LucidLink side is like it but for changes."""
        twins: list[File] = []
        path: str | None = f"files/v1/assets/{self.asset['id']}/files/?per_page=100"
        while path:
            page = self.desk.get(path)
            twins += map(File.from_json, page["objects"])
            path = (page.get("next_url") or "").removeprefix("/API/")
        return [Pair(replace(twin, **changes), twin) for twin in twins]

    def change(self, name: str, do: str, **more: Any) -> None:
        """Do something to an object, and tell iconik nothing."""
        key = f"{self.directory}/{name}"
        self.desk.control("POST", "buckets/objects", {"key": key, "do": do, **more})

    def confirm(self, **changes: Any) -> Confirmation:
        """What B2 confirms of all files."""
        return self.bucket.confirm(self.storage, self.pairs(**changes), no_url)

    def asked(self) -> dict[str, int]:
        """How often B2 was asked, by kind of request."""
        counted: dict[str, int] = self.desk.control("GET", "buckets/")["requests"]
        return counted


@pytest.fixture
def library(desk: Desk, open_bucket: Open) -> Callable[..., Library]:
    """Make an asset on the simulated bucket, asked about with an application key."""
    desk.control("DELETE", "buckets/requests")

    def library(
        *files: dict[str, Any], key_id: str = KEY_ID, key: str = KEY, **changes: Any
    ) -> Library:
        bucket = open_bucket(
            **{"b2_key_id": key_id, "b2_key": key, "b2_api_url": desk.url, **changes}
        )
        return Library(desk, bucket, *files)

    return library


def add(b2: RequestsMock, url: str, **answer: Any) -> None:
    """Have a URL answer a GET."""
    b2.add(responses.GET, url, **answer)


def counted(name: str, **labels: str) -> float:
    """The value of a metric of this process."""
    return meters.meters().registry.get_sample_value(name, labels) or 0.0
