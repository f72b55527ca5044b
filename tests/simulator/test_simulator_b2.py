"""B2's own API of the simulated bucket, asked by the real b2sdk."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from b2sdk.v3 import B2Api, B2HttpApiConfig, Bucket, FileVersion, InMemoryAccountInfo
from b2sdk.v3.exception import (
    B2Error,
    InvalidAuthToken,
    NonExistentBucket,
    RestrictedBucket,
    ServiceError,
    TooManyRequests,
    Unauthorized,
)

from simulator.b2_keys import KEY, KEY_ID
from tests.simulator.desk import Desk

Connect = Callable[..., B2Api]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Has b2sdk try again at once; the seconds each time would have waited."""
    waited: list[float] = []
    stopped = SimpleNamespace(sleep=lambda seconds: waited.append(float(seconds)))
    monkeypatch.setattr("b2sdk._internal.b2http.time", stopped)
    return waited


@pytest.fixture
def connect(desk: Desk, waits: list[float]) -> Iterator[Connect]:
    """Authorizes with a key, and returns the client."""
    desk.control("DELETE", "buckets/requests")
    sessions: list[requests.Session] = []

    def new_session() -> requests.Session:
        sessions.append(requests.Session())
        return sessions[-1]

    def connect(key_id: str = KEY_ID, key: str = KEY) -> B2Api:
        api = B2Api(InMemoryAccountInfo(), api_config=B2HttpApiConfig(new_session))
        api.authorize_account(key_id, key, realm=desk.url)
        return api

    yield connect
    for session in sessions:
        session.close()


@pytest.fixture
def bucket(connect: Connect) -> Bucket:
    """The B2 storage's bucket, with the key that allows everything."""
    return connect().get_bucket_by_name("b2")


def restricted(desk: Desk, connect: Connect, **about: Any) -> Bucket:
    """The same bucket, with a key that allows less."""
    key = desk.control("POST", "buckets/keys", about)
    return connect(key["key_id"], key["key"]).get_bucket_by_name("b2")


def versions(bucket: Bucket, path: str, **how: Any) -> list[FileVersion]:
    """The versions of objects below a path, as b2sdk lists them."""
    return [each for each, _ in bucket.ls(path, latest_only=False, recursive=True, **how)]


def listed(bucket: Bucket, path: str, **how: Any) -> list[tuple[str, int]]:
    """The same: names without the path, and sizes."""
    found = versions(bucket, path, **how)
    return [(version.file_name.removeprefix(path), version.size) for version in found]


def change(desk: Desk, key: str, do: str, **more: Any) -> None:
    """Do something to an object."""
    desk.control("POST", "buckets/objects", {"key": key, "do": do, **more})


# Listing and looking up


def test_a_directory_is_listed_with_all_below_it(desk: Desk, bucket: Bucket) -> None:
    names = ("b.mov", "a é.mov", "z/c.mov")
    made = desk.asset(*({"name": name, "size": n} for n, name in enumerate(names)))
    desk.asset()
    assert listed(bucket, f"{made['id']}/") == [("a é.mov", 1), ("b.mov", 0), ("z/c.mov", 2)]


def test_names_are_in_the_order_of_their_bytes(desk: Desk, bucket: Bucket) -> None:
    names = ("a", "a.b", "c/b", "a0", "B", "é", "e\u0301", "\U0001f600", "\ufb01")
    made = desk.asset(*({"name": f"x{name}"} for name in names))
    found = [name for name, _ in listed(bucket, f"{made['id']}/")]
    assert found == sorted((f"x{name}" for name in names), key=str.encode)


@pytest.mark.parametrize("latest_only", [True, False])
def test_more_than_a_thousand_names_come_in_several_answers(
    desk: Desk, bucket: Bucket, latest_only: bool
) -> None:
    frames = [{"name": f"{n:04}.dpx", "size": 1} for n in range(1001)]
    made = desk.asset(*frames)
    desk.control("DELETE", "buckets/requests")
    found = listed(bucket, f"{made['id']}/")
    assert found == [(each["name"], 1) for each in frames]
    (count,) = desk.control("GET", "buckets/")["requests"].values()
    assert count == 2


def test_versions_of_one_object_are_split_between_answers(desk: Desk, bucket: Bucket) -> None:
    made = desk.asset({"name": "a.mov", "size": 1})
    key = f"{made['id']}/a.mov"
    for size in (2, 3, 4):
        change(desk, key, "truncate", size=size)
    found = listed(bucket, f"{made['id']}/", fetch_count=2)
    assert found == [("a.mov", size) for size in (4, 3, 2, 1)]


def test_what_is_not_there(bucket: Bucket) -> None:
    with pytest.raises(NonExistentBucket):
        bucket.api.get_bucket_by_name("no-such-bucket")
    assert listed(bucket, "no/such/directory/") == []


def test_the_key_starts_with_the_path_of_the_storage(desk: Desk, bucket: Bucket) -> None:
    made = desk.asset({"name": "a.mov", "size": 5})
    desk.control("PATCH", "storages/b2", {"settings": {"path": "media/in"}})
    found = listed(bucket, f"media/in/{made['id']}/")
    outside = listed(bucket, f"{made['id']}/")
    desk.control("PATCH", "storages/b2", {"settings": {"path": None}})
    assert (found, outside) == ([("a.mov", 5)], [])


# Versions


def actions(bucket: Bucket, path: str) -> list[str]:
    """The actions of all versions below a path."""
    return [version.action for version in versions(bucket, path)]


def test_a_hidden_object_is_above_its_older_versions(desk: Desk, bucket: Bucket) -> None:
    made = desk.asset({"name": "a.mov"}, {"name": "b.mov"})
    directory = f"{made['id']}/"
    change(desk, f"{directory}a.mov", "hide")
    assert actions(bucket, directory) == ["hide", "upload", "upload"]
    assert [name for name, _ in listed(bucket, directory)] == ["a.mov", "a.mov", "b.mov"]


def test_an_unfinished_large_file_is_a_version_that_nobody_reads(
    desk: Desk, bucket: Bucket
) -> None:
    made = desk.asset({"name": "a.mov", "size": 7})
    change(desk, f"{made['id']}/a.mov", "start")
    assert actions(bucket, f"{made['id']}/") == ["start", "upload"]
    assert listed(bucket, f"{made['id']}/") == [("a.mov", 0), ("a.mov", 7)]


SHA1_OF_X = "11f6ad8ec52a2984abaafd7c3b516503785c2072"


@pytest.mark.parametrize(
    ("kind", "content_sha1", "info"),
    [
        ("small", SHA1_OF_X, {}),
        ("large", None, {"large_file_sha1": SHA1_OF_X}),
        ("none", None, {}),
        ("unverified", f"unverified:{SHA1_OF_X}", {}),
    ],
)
def test_kinds_of_sha1(
    desk: Desk, bucket: Bucket, kind: str, content_sha1: str | None, info: dict[str, str]
) -> None:
    made = desk.asset({"name": "a.mov", "content": "x", "bucket": {"sha1": kind}})
    (version,) = versions(bucket, f"{made['id']}/")
    assert version.as_dict()["contentSha1"] == (content_sha1 if content_sha1 else "none")
    assert version.file_info == info


def test_an_object_of_many_parts_has_no_sha1(desk: Desk, bucket: Bucket) -> None:
    made = desk.asset({"name": "a.mov", "bucket": {"size": 200_000_000_000}})
    version, _ = versions(bucket, f"{made['id']}/")
    assert (version.size, version.get_content_sha1()) == (200_000_000_000, None)


# Keys


def test_a_wrong_key_is_refused(connect: Connect) -> None:
    for key_id, key in ((KEY_ID, "wrong"), ("wrong", KEY), ("", "")):
        with pytest.raises(InvalidAuthToken) as refused:
            connect(key_id, key)
        assert refused.value.code == "bad_auth_token"


def test_a_key_restricted_to_the_bucket_may_read_it(desk: Desk, connect: Connect) -> None:
    made = desk.asset({"name": "a.mov", "size": 9})
    reading = ["listBuckets", "listFiles"]
    bucket = restricted(desk, connect, capabilities=reading, buckets=["b2"])
    assert listed(bucket, f"{made['id']}/") == [("a.mov", 9)]
    allowed = bucket.api.account_info.get_allowed()
    assert [each["name"] for each in allowed["buckets"]] == ["b2"]
    with pytest.raises(RestrictedBucket):
        bucket.api.get_bucket_by_name("other")
    with pytest.raises(Unauthorized):
        bucket.api.session.list_buckets(bucket.api.get_account_id())


def test_a_key_restricted_to_another_bucket_may_not(desk: Desk, connect: Connect) -> None:
    made = desk.asset()
    other = desk.control("POST", "storages", {"name": "bucket 2", "method": "B2"})
    key = desk.control("POST", "buckets/keys", {"buckets": [other["id"]]})
    api = connect(key["key_id"], key["key"])
    mine = connect().get_bucket_by_name("b2")
    with pytest.raises(Unauthorized):
        api.session.list_file_versions(mine.id_, prefix=f"{made['id']}/")


def test_a_key_restricted_to_names(desk: Desk, connect: Connect) -> None:
    for name in ("mine/a.mov", "theirs/a.mov"):
        change(desk, name, "put", content="x")
    bucket = restricted(desk, connect, prefix="mine/")
    assert listed(bucket, "mine/") == [("a.mov", 1)]
    for path in ("theirs/", ""):
        with pytest.raises(Unauthorized):
            listed(bucket, path)


def test_a_key_that_may_not_list_files(desk: Desk, connect: Connect) -> None:
    bucket = restricted(desk, connect, capabilities=["listBuckets", "readFiles"])
    with pytest.raises(Unauthorized):
        listed(bucket, "")


def test_a_key_without_list_buckets(desk: Desk, connect: Connect) -> None:
    key = desk.control("POST", "buckets/keys", {"capabilities": ["listFiles"]})
    with pytest.raises(Unauthorized):
        connect(key["key_id"], key["key"]).get_bucket_by_name("b2")


def test_an_expired_token_is_renewed(desk: Desk, bucket: Bucket) -> None:
    made = desk.asset({"name": "a.mov", "size": 9})
    token = bucket.api.account_info.get_account_auth_token()
    desk.control("DELETE", "buckets/tokens")
    refused = requests.post(
        f"{desk.url}/b2api/v4/b2_list_buckets",
        json={},
        headers={"Authorization": token},
        timeout=30,
    )
    assert (refused.status_code, refused.json()["code"]) == (401, "expired_auth_token")
    assert listed(bucket, f"{made['id']}/") == [("a.mov", 9)]
    assert bucket.api.account_info.get_account_auth_token() != token


def test_errors_have_their_form(desk: Desk) -> None:
    answer = requests.post(f"{desk.url}/b2api/v4/b2_make_coffee", json={}, timeout=30)
    assert answer.status_code == 404
    assert answer.json().keys() == {"code", "message", "status"}
    answer = requests.post(f"{desk.url}/b2api/v4/b2_list_buckets", data="x", timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (401, "bad_auth_token")


# Faults and limits


@pytest.mark.parametrize(
    ("status", "error"), [(503, ServiceError), (500, ServiceError), (429, TooManyRequests)]
)
def test_a_fault_that_passes(
    desk: Desk, bucket: Bucket, waits: list[float], status: int, error: type[B2Error]
) -> None:
    made = desk.asset({"name": "a.mov", "size": 9})
    fault = {"bucket": f"status:{status}", "path": "b2api/*/b2_list_*", "retry_after": 7}
    desk.control("POST", "faults", fault)
    assert listed(bucket, f"{made['id']}/") == [("a.mov", 9)]
    assert waits == [7.0]
    desk.control("POST", "faults", {**fault, "times": None})
    with pytest.raises(error):
        listed(bucket, f"{made['id']}/")


def test_the_rate_limit(desk: Desk, bucket: Bucket, waits: list[float]) -> None:
    desk.control("PATCH", "settings", {"bucket_rate_limit": 0})
    with pytest.raises(TooManyRequests):
        listed(bucket, "a/")
    assert set(waits) == {1.0}


def test_iconik_s_headers_are_noted_here_too(desk: Desk) -> None:
    desk.control("DELETE", "buckets/requests")
    address = f"{desk.url}/b2api/v4/b2_authorize_account"
    requests.post(address, json={}, auth=(KEY_ID, KEY), headers={"Auth-Token": "t"}, timeout=30)
    assert desk.control("GET", "buckets/")["leaked"] == {"Auth-Token": 1}
