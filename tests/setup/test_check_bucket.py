"""What is said of the ways by which B2 can be asked, and on which file they are tried."""

import json
from dataclasses import replace
from typing import Any

import pytest
from responses import RequestsMock

from b2_iconik.common.settings import Settings
from b2_iconik.setup import check_bucket
from iconik import Iconik
from iconik_http.transport import Transport
from tests.bucket.conftest import HOST, signed, told_size
from tests.bucket.test_native import AUTHORIZE, AUTHORIZED, LIST
from tests.fake_iconik import API, B2_STORAGE, LL_STORAGE

ASSETS = [f"a55e7000-0000-4000-8000-{n:012}" for n in range(30)]
FILE_ID = "f11e0000-0000-4000-8000-000000000001"
KEY = {"b2_key_id": "id", "b2_key": "key-of-b2"}
STORAGE = {
    "id": B2_STORAGE,
    "name": "Masters",
    "method": "B2",
    "settings": {"bucket_name": "masters"},
}
CLIP = {
    "id": FILE_ID,
    "storage_id": B2_STORAGE,
    "name": "clip.mov",
    "directory_path": "projects/one",
    "size": 1000,
    "type": "FILE",
    "status": "CLOSED",
    "file_set_status": "ACTIVE",
    "url": signed(),
}
NO_FILE = ("B2", "unknown", "not tried, because no file was found on 'Masters'")
Told = list[tuple[str, str, str]]


class Bench:
    """An iconik and a B2 that answer as a test tells them to."""

    def __init__(self, http: RequestsMock, transport: Transport, settings: Settings) -> None:
        self.http, self._transport, self._settings = http, transport, settings
        http.get(f"{API}files/v1/storages/{B2_STORAGE}/", json=STORAGE)
        http.get(f"{API}files/v1/storages/", json={"objects": [STORAGE]})
        http.get(signed(), **told_size(1000))

    def holds(self, *assets: list[dict[str, Any]] | int) -> None:
        """Have iconik list these assets, each with files, or with a status for an answer."""
        for asset_id, files in zip(ASSETS, assets, strict=False):
            is_status = isinstance(files, int)
            told = {"errors": ["not found"]} if is_status else {"objects": files}
            answer = {"status": files if is_status else 200, "json": told}
            self.http.get(f"{API}files/v1/assets/{asset_id}/files/", **answer)
        found = [{"id": each} for each in ASSETS[: len(assets)]]
        self.http.post(f"{API}search/v1/search/", json={"objects": found})

    def check(self, *storages: str, **changes: Any) -> Told:
        """What is said."""
        found = check_bucket.check(
            Iconik(self._transport),
            self._transport,
            replace(self._settings, **changes),
            storages or (B2_STORAGE,),
        )
        return [(each.what, each.state, each.detail) for each in found]


@pytest.fixture
def bench(http: RequestsMock, transport: Transport, settings: Settings) -> Bench:
    """An iconik with one B2 storage, and a bucket with one object."""
    return Bench(http, transport, settings)


def told_by_key(http: RequestsMock, size: int = 1000) -> None:
    """Have B2 take the key, and list the object."""
    entry = {"action": "upload", "fileName": "projects/one/clip.mov", "contentLength": size}
    http.post(AUTHORIZE, json=AUTHORIZED)
    http.post(LIST, json={"files": [entry]})


# Which way works


def test_a_signed_url_that_works_is_told(bench: Bench) -> None:
    bench.holds([CLIP])
    assert bench.check() == [("B2 by signed URL", "ok", "confirms 'clip.mov' on 'Masters'")]


def test_both_ways_are_tried_where_there_is_a_key(bench: Bench) -> None:
    bench.holds([CLIP])
    told_by_key(bench.http)
    assert bench.check(**KEY) == [
        ("B2 by application key", "ok", "confirms 'clip.mov' on 'Masters'"),
        ("B2 by signed URL", "ok", "confirms 'clip.mov' on 'Masters'"),
    ]


def test_a_way_that_does_not_work_is_wrong(bench: Bench) -> None:
    bench.holds([CLIP])
    told_by_key(bench.http, size=999)
    (what, state, detail), *_ = bench.check(**KEY)
    assert (what, state) == ("B2 by application key", "wrong")
    assert detail.startswith("clip.mov differs on B2: iconik lists 1,000 bytes")


def test_a_b2_that_does_not_answer_is_wrong(bench: Bench) -> None:
    bench.holds([CLIP])
    bench.http.replace("GET", signed(), status=503)
    assert bench.check() == [
        (
            "B2 by signed URL",
            "wrong",
            "could not ask B2 about clip.mov: B2 answered 503: check this "
            "machine's outgoing connections",
        )
    ]


def test_a_url_is_asked_for_where_the_list_has_none(bench: Bench) -> None:
    bench.holds([{**CLIP, "url": None}])
    path = f"files/v1/assets/{ASSETS[0]}/files/{FILE_ID}/download_url/"
    bench.http.get(f"{API}{path}", json={"url": signed()})
    assert [state for _, state, _ in bench.check()] == ["ok"]


@pytest.mark.parametrize(
    ("changes", "state", "detail"),
    [
        ({}, "note", "iconik offers none, so its records alone decide: set B2_APPLICATION_KEY_ID"),
        ({"b2_check": "required"}, "wrong", "iconik offers none, so nothing is deleted: set"),
        (KEY, "note", "iconik offers none; the application key is used instead"),
    ],
)
def test_that_iconik_offers_no_url_is_told(
    bench: Bench, changes: dict[str, Any], state: str, detail: str
) -> None:
    bench.holds([{**CLIP, "url": None}])
    told_by_key(bench.http)
    path = f"files/v1/assets/{ASSETS[0]}/files/{FILE_ID}/download_url/"
    bench.http.get(f"{API}{path}", status=404, json={"errors": ["No"]})
    *_, (what, seen, said) = bench.check(**changes)
    assert (what, seen) == ("B2 by signed URL", state)
    assert said.startswith(detail)


def test_a_check_that_is_off_is_told_and_asks_nobody(bench: Bench) -> None:
    assert bench.check(b2_check="off") == [
        ("B2", "note", "B2_CHECK=off: iconik's records alone decide what is deleted")
    ]
    assert len(bench.http.calls) == 0


# On which file


@pytest.mark.parametrize(
    "other",
    [
        {"storage_id": LL_STORAGE},
        {"status": "OPEN"},
        {"type": "DIRECTORY"},
        {"file_set_status": "DELETED"},
    ],
)
def test_only_a_whole_file_on_the_storage_will_do(bench: Bench, other: dict[str, Any]) -> None:
    bench.holds([{**CLIP, **other}])
    assert bench.check() == [NO_FILE]


def test_assets_are_looked_at_until_one_has_a_file(bench: Bench) -> None:
    bench.holds([], 404, [{**CLIP, "storage_id": LL_STORAGE}, CLIP])
    assert [state for _, state, _ in bench.check()] == ["ok"]


def test_no_more_than_a_few_assets_are_looked_at(bench: Bench) -> None:
    bench.holds(*[[]] * 30)
    assert bench.check() == [NO_FILE]
    looked = [each for each in bench.http.calls if "/files/v1/assets/" in str(each.request.url)]
    assert len(looked) == check_bucket.MOST_ASSETS


@pytest.mark.parametrize("answer", [{}, {"objects": None}, {"objects": []}])
def test_a_search_that_finds_nothing_leaves_it_unknown(
    bench: Bench, answer: dict[str, Any]
) -> None:
    bench.http.post(f"{API}search/v1/search/", json=answer)
    assert bench.check() == [NO_FILE]


def test_without_the_role_to_search_it_is_unknown(bench: Bench) -> None:
    bench.http.post(f"{API}search/v1/search/", status=403, json={"errors": ["no"]})
    ((what, state, detail),) = bench.check()
    assert (what, state) == ("B2", "unknown")
    assert detail.startswith(
        "not tried, because no file can be looked up: could not search for assets"
    )


def test_the_newest_assets_are_searched(bench: Bench) -> None:
    bench.holds([CLIP])
    bench.check()
    search = next(each.request for each in bench.http.calls if each.request.method == "POST")
    assert json.loads(search.body or "")["sort"] == [{"name": "date_created", "order": "desc"}]


def test_a_storage_that_is_not_there_is_left_to_the_check_of_storages(bench: Bench) -> None:
    assert bench.check("Nowhere") == []


def test_a_storage_is_tried_once_by_whatever_name(bench: Bench) -> None:
    bench.holds([CLIP])
    bench.check("Masters", "Masters")
    assert len([each for each in bench.http.calls if HOST in str(each.request.url)]) == 1


# Without iconik


def key_alone(settings: Settings, **changes: Any) -> Told:
    """What is said of the application key where no file can be looked up."""
    found = check_bucket.check_key(replace(settings, **{**KEY, **changes}))
    return [(each.what, each.state, each.detail) for each in found]


def test_a_key_that_b2_accepts_is_told(http: RequestsMock, settings: Settings) -> None:
    http.post(AUTHORIZE, json=AUTHORIZED)
    told = "B2 accepts the key; no file could be looked up to try it on"
    assert key_alone(settings) == [("B2 by application key", "ok", told)]


def test_a_key_that_b2_rejects_is_wrong(http: RequestsMock, settings: Settings) -> None:
    http.post(AUTHORIZE, status=401, json={"status": 401, "code": "unauthorized"})
    ((what, state, detail),) = key_alone(settings)
    assert (what, state) == ("B2 by application key", "wrong")
    assert detail.startswith("B2 does not accept the application key (")
    assert "correct B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY" in detail


def test_a_b2_that_does_not_answer_about_a_key_is_wrong(
    http: RequestsMock, settings: Settings
) -> None:
    http.post(AUTHORIZE, status=503)
    ((_, state, detail),) = key_alone(settings)
    assert state == "wrong"
    assert detail == "B2 answered 503: check this machine's outgoing connections"


@pytest.mark.parametrize(
    "changes", [{"b2_key": None, "b2_key_id": None}, {"b2_check": "off"}], ids=str
)
def test_without_a_key_or_a_check_b2_is_not_asked(
    http: RequestsMock, settings: Settings, changes: dict[str, Any]
) -> None:
    assert key_alone(settings, **changes) == []
    assert len(http.calls) == 0
