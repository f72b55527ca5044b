"""The newest versions of objects by B2's native API: the real b2sdk, against the simulator."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import responses
from responses import RequestsMock

from b2_iconik.bucket.native import NAMES_A_REQUEST, NativeApi
from b2_iconik.bucket.session import ATTEMPTS, NotConfirmed, Pace, Passing
from b2_iconik.bucket.versions import Version
from iconik_http import http_limits
from simulator.b2_keys import KEY, KEY_ID
from tests.bucket.conftest import START
from tests.simulator.desk import Desk

API = "https://api.backblazeb2.com"
LIST = f"{API}/b2api/v4/b2_list_file_versions"
AUTHORIZE = f"{API}/b2api/v4/b2_authorize_account"
AUTHORIZED = {
    "accountId": "account",
    "authorizationToken": "token-of-b2",
    "apiInfo": {
        "storageApi": {
            "apiUrl": API,
            "downloadUrl": API,
            "s3ApiUrl": API,
            "absoluteMinimumPartSize": 1,
            "recommendedPartSize": 1,
            "allowed": {
                "buckets": [{"id": "b1", "name": "masters"}],
                "capabilities": ["listFiles"],
                "namePrefix": None,
            },
        }
    },
}
Connect = Callable[..., NativeApi]


@pytest.fixture
def connect_to() -> Iterator[Connect]:
    """Ask a host with a key."""
    made: list[NativeApi] = []

    def connect_to(url: str, key_id: str = KEY_ID, key: str = KEY) -> NativeApi:
        made.append(NativeApi(url, key_id, key, Pace()))
        return made[-1]

    yield connect_to
    for each in made:
        each.close()


@pytest.fixture
def connect(desk: Desk, connect_to: Connect) -> Connect:
    """Ask the simulator, with the key that allows everything unless another is named."""
    desk.control("DELETE", "buckets/requests")
    return partial(connect_to, desk.url)


@pytest.fixture
def native(b2: RequestsMock, connect_to: Connect) -> NativeApi:
    """Ask a B2 that a test tells what to answer, with a key for the bucket 'masters'."""
    b2.add(responses.POST, AUTHORIZE, json=AUTHORIZED)
    return connect_to(API)


def objects(desk: Desk, *names: str) -> list[str]:
    """Put files of a byte in the bucket; returns their keys."""
    made = desk.asset(*({"name": name, "size": 1} for name in names))
    return [f"{made['id']}/{name}" for name in names]


def change(desk: Desk, key: str, do: str, **more: Any) -> None:
    """Do something to an object."""
    desk.control("POST", "buckets/objects", {"key": key, "do": do, **more})


def lists(desk: Desk) -> int:
    """How many lists were asked for."""
    count: int = desk.control("GET", "buckets/")["requests"]["POST b2_list_file_versions"]
    return count


def newest(native: NativeApi, keys: Sequence[str], bucket: str = "b2") -> dict[str, Any]:
    """The newest versions by key."""
    return dict(native.newest(bucket, keys))


def side_by_side(native: NativeApi, keys: Sequence[str]) -> list[int]:
    """The sizes of objects, each asked for by a thread of its own."""
    with ThreadPoolExecutor(len(keys)) as threads:
        return list(threads.map(lambda key: newest(native, [key])[key].size, keys))


def refusal(native: NativeApi, bucket: str = "b2") -> str:
    """Why B2 refuses."""
    with pytest.raises(NotConfirmed) as raised:
        newest(native, ["a.mov"], bucket)
    return str(raised.value.reason)


# What is found


def test_an_object_is_found_with_its_size(desk: Desk, connect: Connect) -> None:
    (key,) = objects(desk, "a.mov")
    assert newest(connect(), [key])[key].size == 1


def test_an_object_that_is_gone_is_none(desk: Desk, connect: Connect) -> None:
    (key,) = objects(desk, "a.mov")
    change(desk, key, "remove")
    assert newest(connect(), [key]) == {key: None}


def test_an_object_whose_name_only_begins_alike_is_none(desk: Desk, connect: Connect) -> None:
    (key,) = objects(desk, "a.mov.xmp")
    wanted = key.removesuffix(".xmp")
    assert newest(connect(), [wanted]) == {wanted: None}


def test_a_hidden_object_is_hidden(desk: Desk, connect: Connect) -> None:
    (key,) = objects(desk, "a.mov")
    change(desk, key, "hide")
    assert newest(connect(), [key])[key].is_hidden


def test_an_upload_that_has_only_begun_changes_nothing(desk: Desk, connect: Connect) -> None:
    (key,) = objects(desk, "a.mov")
    before = newest(connect(), [key])
    change(desk, key, "start")
    assert newest(connect(), [key]) == before


def test_the_newest_of_several_versions_counts(desk: Desk, connect: Connect) -> None:
    (key,) = objects(desk, "a.mov")
    for size in (5, 3):
        change(desk, key, "truncate", size=size)
    assert newest(connect(), [key])[key].size == 3


# How often B2 is asked


def test_a_thousand_frames_are_one_request(desk: Desk, connect: Connect) -> None:
    keys = objects(desk, *(f"frame_{n:04}.dpx" for n in range(NAMES_A_REQUEST)))
    found = newest(connect(), keys)
    assert (sorted(found), lists(desk)) == (sorted(keys), 1)


def test_one_frame_more_is_one_request_more(desk: Desk, connect: Connect) -> None:
    keys = objects(desk, *(f"frame_{n:04}.dpx" for n in range(NAMES_A_REQUEST + 1)))
    found = newest(connect(), keys)
    assert (sorted(found), lists(desk)) == (sorted(keys), 2)


def test_files_that_lie_apart_need_no_more_requests_than_files(
    desk: Desk, connect: Connect
) -> None:
    wanted = [f"card/{letter}/a.mov" for letter in "AC"]
    between = [f"card/B/{n:04}.mov" for n in range(NAMES_A_REQUEST)]
    keys = objects(desk, *wanted, *between)
    found = newest(connect(), keys[:2])
    assert ([found[key].size for key in keys[:2]], lists(desk)) == ([1, 1], 2)


def test_a_missing_frame_is_told_before_the_rest_is_asked_about(
    desk: Desk, connect: Connect
) -> None:
    keys = objects(desk, *(f"frame_{n:04}.dpx" for n in range(3)))
    change(desk, keys[1], "remove")
    answers = connect().newest("b2", keys)
    assert [key for key, version in answers if version is None] == [keys[1]]


@pytest.mark.parametrize("order", [1, -1])
def test_names_are_found_in_whatever_order_they_are_asked(
    desk: Desk, connect: Connect, order: int
) -> None:
    keys = objects(
        desk, "\U0001f600.mov", "\ufb01.mov", "Z.mov", "a.mov", "\u00e9.mov", "a b+c%.mov"
    )
    assert set(newest(connect(), keys[::order])) == set(keys)


def test_the_account_is_authorized_once(desk: Desk, connect: Connect) -> None:
    keys = objects(desk, "a.mov", "b.mov")
    native = connect()
    for key in keys:
        newest(native, [key])
    assert desk.control("GET", "buckets/")["requests"]["POST b2_authorize_account"] == 1


def test_threads_that_ask_at_once_authorize_once(desk: Desk, connect: Connect) -> None:
    keys = objects(desk, *(f"{n}.mov" for n in range(8)))
    found = side_by_side(connect(), keys)
    asked = desk.control("GET", "buckets/")["requests"]["POST b2_authorize_account"]
    assert (found, asked) == ([1] * 8, 1)


def test_threads_that_ask_with_an_expired_token_all_get_a_new_one(
    desk: Desk, connect: Connect
) -> None:
    keys = objects(desk, *(f"{n}.mov" for n in range(8)))
    native = connect()
    newest(native, keys[:1])
    desk.control("DELETE", "buckets/tokens")
    assert side_by_side(native, keys) == [1] * 8


# Keys


def test_a_key_for_the_bucket_needs_only_to_list_files(desk: Desk, connect: Connect) -> None:
    (key,) = objects(desk, "a.mov")
    about = {"key_id": "few", "key": "k", "capabilities": ["listFiles"], "buckets": ["b2"]}
    desk.control("POST", "buckets/keys", about)
    assert newest(connect("few", "k"), [key])[key].size == 1


def test_a_key_for_a_directory_is_enough_for_what_is_below(desk: Desk, connect: Connect) -> None:
    keys = objects(desk, "a/1.mov", "a/2.mov")
    prefix = keys[0].removesuffix("1.mov")
    about = {"key_id": "dir", "key": "k", "capabilities": ["listFiles"], "buckets": ["b2"]}
    desk.control("POST", "buckets/keys", {**about, "prefix": prefix})
    assert set(newest(connect("dir", "k"), keys)) == set(keys)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"capabilities": ["readFiles"], "buckets": ["b2"]}, "give the key listFiles"),
        ({"capabilities": ["listFiles"], "buckets": None}, "give the key listFiles"),
        (
            {"capabilities": ["listFiles"], "buckets": ["b2"], "prefix": "z/"},
            "give the key listFiles",
        ),
        ({"capabilities": ["listFiles"], "buckets": []}, "give the key listFiles"),
    ],
)
def test_a_key_that_allows_too_little_is_told(
    desk: Desk, connect: Connect, about: dict[str, Any], said: str
) -> None:
    desk.control("POST", "buckets/keys", {"key_id": "less", "key": "k", **about})
    assert said in refusal(connect("less", "k"))


def test_a_key_that_is_wrong_is_told(connect: Connect) -> None:
    assert refusal(connect(key="wrong")) == (
        "B2 does not accept the application key for bucket 'b2': correct B2_APPLICATION_KEY_ID "
        "and B2_APPLICATION_KEY, and give the key listFiles"
    )


def test_a_key_of_another_bucket_is_told(native: NativeApi) -> None:
    assert refusal(native, "other") == (
        "the application key does not allow bucket 'other': correct B2_APPLICATION_KEY_ID and "
        "B2_APPLICATION_KEY, or unset both"
    )


def test_a_bucket_that_is_not_there_is_told(connect: Connect) -> None:
    assert refusal(connect(), "none") == "the application key's account has no bucket 'none'"


def test_a_token_that_has_expired_is_renewed(desk: Desk, connect: Connect) -> None:
    (key,) = objects(desk, "a.mov")
    native = connect()
    newest(native, [key])
    desk.control("DELETE", "buckets/tokens")
    assert newest(native, [key])[key].size == 1


def test_a_key_that_is_revoked_is_told(desk: Desk, connect: Connect) -> None:
    (key,) = objects(desk, "a.mov")
    desk.control("POST", "buckets/keys", {"key_id": "gone", "key": "k"})
    native = connect("gone", "k")
    newest(native, [key])
    desk.control("DELETE", "buckets/keys/gone")
    assert "does not accept the application key" in refusal(native)


def test_nothing_is_written_to_disk(
    desk: Desk, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    (key,) = objects(desk, "a.mov")
    newest(connect(), [key])
    assert list(tmp_path.rglob("*")) == []


# Trouble


@pytest.mark.parametrize(
    "fault", ["status:503", "status:429", "status:500", "reset", "cut", "html"]
)
def test_passing_trouble_is_asked_again(desk: Desk, connect: Connect, fault: str) -> None:
    (key,) = objects(desk, "a.mov")
    native = connect()
    desk.control("POST", "faults", {"bucket": fault, "path": "b2api/*", "times": ATTEMPTS - 1})
    assert newest(native, [key])[key].size == 1


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("status:503", "B2 answered 503"),
        ("status:429", "B2 answered 429"),
        ("reset", "the connection to B2 failed (ConnectionError)"),
        ("html", "B2's answer is malformed"),
    ],
)
def test_trouble_that_stays_is_given_up(
    desk: Desk, connect: Connect, fault: str, problem: str
) -> None:
    native = connect()
    desk.control("POST", "faults", {"bucket": fault, "path": "b2api/*", "times": None})
    with pytest.raises(Passing) as raised:
        newest(native, ["a.mov"])
    assert raised.value.problem == problem


@pytest.mark.parametrize("fault", ["status:400", "status:403", "redirect"])
def test_what_is_refused_is_asked_once(desk: Desk, connect: Connect, fault: str) -> None:
    (key,) = objects(desk, "a.mov")
    native = connect()
    newest(native, [key])
    desk.control("DELETE", "buckets/requests")
    desk.control("POST", "faults", {"bucket": fault, "path": "b2api/*", "times": None})
    assert refusal(native).startswith("B2 refused to list bucket '")
    assert lists(desk) == 1


@pytest.mark.parametrize("body", ["[]", "{}", '{"files": null}', '{"files": [7]}', "null", "{"])
def test_an_answer_of_another_form_is_no_answer(
    native: NativeApi, b2: RequestsMock, body: str
) -> None:
    b2.add(responses.POST, LIST, body=body)
    with pytest.raises(Passing, match="B2's answer is malformed"):
        newest(native, ["a.mov"], "masters")


def test_an_answer_without_an_end_is_given_up(
    native: NativeApi, b2: RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "LARGEST_ANSWER", 1_000)
    b2.add(responses.POST, LIST, body="x" * 1_001)
    with pytest.raises(Passing, match="B2's answer is too long"):
        newest(native, ["a.mov"], "masters")


def test_an_answer_that_drips_in_is_given_up(
    desk: Desk, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "ANSWER_TIME", 0.0)
    with pytest.raises(Passing, match="B2 did not answer in time"):
        newest(connect(), ["a.mov"])


def test_the_token_goes_to_no_other_host(native: NativeApi, b2: RequestsMock) -> None:
    told = AUTHORIZED["apiInfo"]["storageApi"]  # type: ignore[index]
    elsewhere = {
        **AUTHORIZED,
        "apiInfo": {"storageApi": {**told, "apiUrl": "https://evil.example"}},
    }
    b2.replace(responses.POST, AUTHORIZE, json=elsewhere)
    reason = "its URL leads to evil.example, which is not Backblaze"
    assert refusal(native, "masters") == reason


def test_another_form_of_an_authorization_is_no_answer(native: NativeApi, b2: RequestsMock) -> None:
    b2.replace(responses.POST, AUTHORIZE, json={"accountId": "account"})
    with pytest.raises(Passing, match="malformed"):
        newest(native, ["a.mov"], "masters")


def test_after_trouble_the_account_is_authorized(native: NativeApi, b2: RequestsMock) -> None:
    b2.replace(responses.POST, AUTHORIZE, status=500)
    with pytest.raises(Passing):
        newest(native, ["a.mov"], "masters")
    b2.replace(responses.POST, AUTHORIZE, json=AUTHORIZED)
    listed = {"action": "upload", "fileName": "a.mov", "contentLength": int(START)}
    b2.add(responses.POST, LIST, json={"files": [listed]})
    assert newest(native, ["a.mov"], "masters") == {"a.mov": Version(int(START))}


# Secrets


def test_no_error_and_no_log_has_the_key(
    desk: Desk, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    key = "a-key-that-nobody-may-see"
    desk.control("POST", "buckets/keys", {"key_id": "id", "key": key})
    native = connect("id", key)
    newest(native, objects(desk, "a.mov"))
    desk.control("DELETE", "buckets/keys/id")
    assert key not in refusal(native) + caplog.text + repr(vars(native._api))


SECRET = "token-of-b2"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "body",
    [
        SECRET,
        json.dumps({"status": 400, "code": "bad_request", "message": SECRET}),
        json.dumps({"status": SECRET, "code": SECRET, "message": SECRET, SECRET: SECRET}),
        json.dumps([SECRET]),
    ],
)
def test_what_b2_says_of_an_error_is_nowhere(
    native: NativeApi,
    b2: RequestsMock,
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
    body: str,
) -> None:
    """b2sdk would log it, warn of it and raise it, and it may repeat the request."""
    caplog.set_level(0)
    b2.add(responses.POST, LIST, status=400, body=body)
    said = [refusal(native, "masters"), caplog.text, *(str(each.message) for each in recwarn)]
    assert [each for each in said if SECRET in each] == []
