"""Signed URLs of the simulated bucket, and what happens to objects behind iconik's back."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests

from tests.simulator.desk import Desk, wait_for

FIRST = {"Range": "bytes=0-0"}
S3 = {"method": "S3", "settings": {"endpoint": "https://s3.us-west-004.backblazeb2.com"}}


@pytest.fixture
def bucket(desk: Desk) -> Desk:
    """The simulator, with an empty log of what was asked of buckets."""
    desk.control("DELETE", "buckets/requests")
    return desk


def url(desk: Desk, made: Any, number: int = 0) -> str:
    """The signed URL of a file on B2, asked for alone."""
    return str(desk.get(f"{files(made)}{file_id(made, number)}/download_url/")["url"])


def files(made: Any) -> str:
    """The path of an asset's list of files."""
    return f"files/v1/assets/{made['id']}/files/"


def file_id(made: Any, number: int = 0) -> str:
    """The id of a file on B2."""
    return str(made["file_ids"]["ORIGINAL"]["b2"][number])


def read(address: str, method: str = "GET", **headers: str) -> requests.Response:
    """Send a request to a bucket, with nothing but these headers."""
    return requests.request(method, address, headers=headers, timeout=30, allow_redirects=False)


def code(answer: requests.Response) -> str:
    """S3's error code."""
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]


# Where they are


def test_records_of_files_on_b2_have_one(bucket: Desk) -> None:
    made = bucket.asset(on=("b2", "lucidlink"))
    for file in bucket.get(files(made), per_page=100)["objects"]:
        assert ("url" in file) == (file["storage_id"] == bucket.b2_id)
        if "url" in file:
            assert read(file["url"], **FIRST).status_code == 206
    quick = bucket.get(files(made), per_page=100, generate_signed_url="false")["objects"]
    assert not any("url" in file for file in quick)


def test_a_list_may_have_them_on_demand_only(bucket: Desk) -> None:
    bucket.control("PATCH", "settings", {"urls_by_default": False})
    listing = files(bucket.asset())
    assert "url" not in bucket.get(listing)["objects"][0]
    assert "url" in bucket.get(listing, generate_signed_url="true")["objects"][0]


def test_a_file_on_lucidlink_has_none(bucket: Desk) -> None:
    made = bucket.asset(on=("lucidlink",))
    mine = made["file_ids"]["ORIGINAL"]["lucidlink"][0]
    assert bucket.ask("GET", f"{files(made)}{mine}/download_url/").status_code == 400


def test_an_account_may_offer_none(bucket: Desk) -> None:
    bucket.control("PATCH", "settings", {"signed_urls": False})
    made = bucket.asset()
    assert "url" not in bucket.get(files(made))["objects"][0]
    assert bucket.ask("GET", f"{files(made)}{file_id(made)}/download_url/").status_code == 400


def test_a_bucket_joined_by_s3_has_them_too(bucket: Desk) -> None:
    made = bucket.asset()
    bucket.control("PATCH", "storages/b2", S3)
    (file,) = bucket.get(files(made))["objects"]
    other = {"settings": {"endpoint": "https://s3.example.com/backblazeb2.com"}}
    bucket.control("PATCH", "storages/b2", other)
    (without,) = bucket.get(files(made))["objects"]
    back = {"method": "B2", "settings": {"endpoint": None}}
    assert "endpoint" not in bucket.control("PATCH", "storages/b2", back)["settings"]
    assert ("url" in file, "url" in without) == (True, False)


@pytest.mark.parametrize(
    ("prefix", "directory", "name", "path"),
    [
        ("", "", "a.mov", "/bucket/b2/a.mov"),
        ("", "day 1/é", "100%?#[1]+&.mov", "/bucket/b2/day 1/é/100%?#[1]+&.mov"),
        ("/media/", "day1", "a.mov", "/bucket/b2/media/day1/a.mov"),
        ("", "Card\\A", "a.mov", "/bucket/b2/Card\\A/a.mov"),
    ],
)
def test_the_path_is_bucket_and_key(
    bucket: Desk, prefix: str, directory: str, name: str, path: str
) -> None:
    made = bucket.asset({"name": name, "directory": directory, "size": 77})
    bucket.control("PATCH", "storages/b2", {"settings": {"path": prefix}})
    signed = url(bucket, made)
    answer = read(signed, **FIRST)
    bucket.control("PATCH", "storages/b2", {"settings": {"path": None}})
    assert unquote(urlsplit(signed).path) == path
    assert answer.headers["Content-Range"] == "bytes 0-0/77"


# Ranges


@pytest.mark.parametrize(
    ("range_", "status", "content_range", "body"),
    [
        ("bytes=0-0", 206, "bytes 0-0/10", "0"),
        ("bytes=2-4", 206, "bytes 2-4/10", "234"),
        ("bytes=8-", 206, "bytes 8-9/10", "89"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=8-99", 206, "bytes 8-9/10", "89"),
        ("bytes=10-", 416, "bytes */10", None),
        ("bytes=1-2,4-5", 200, None, "0123456789"),
        ("bytes=4-2", 200, None, "0123456789"),
        ("lines=0-0", 200, None, "0123456789"),
        ("", 200, None, "0123456789"),
    ],
)
def test_ranges(
    bucket: Desk, range_: str, status: int, content_range: str | None, body: str | None
) -> None:
    signed = url(bucket, bucket.asset({"name": "a.mov", "content": "0123456789"}))
    answer = read(signed, **({"Range": range_} if range_ else {}))
    assert (answer.status_code, answer.headers.get("Content-Range")) == (status, content_range)
    assert answer.text == body if body else code(answer) == "InvalidRange"
    content_bytes = bucket.control("GET", "buckets/")["content_bytes"]
    assert content_bytes == ({"b2": len(body)} if body else {})


def test_an_empty_object(bucket: Desk) -> None:
    signed = url(bucket, bucket.asset({"name": "a.lck", "size": 0}))
    answer = read(signed, **FIRST)
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */0")
    whole = read(signed)
    assert (whole.status_code, whole.headers["Content-Length"]) == (200, "0")


def test_an_ignored_range_sends_little_to_a_client_that_does_not_read(bucket: Desk) -> None:
    size = 50_000_000
    signed = url(bucket, bucket.asset({"name": "a.mov", "size": size}))
    bucket.control("POST", "faults", {"bucket": "ignore_range"})
    with requests.get(signed, headers=FIRST, stream=True, timeout=30) as answer:
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, str(size))
    (seen,) = bucket.control("GET", "buckets/requests")["objects"]
    assert (seen["range"], seen["status"]) == ("bytes=0-0", 200)
    assert seen["content_bytes"] < size / 10


# Who may read


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "POST"])
def test_they_are_valid_for_get_only(bucket: Desk, method: str) -> None:
    answer = read(url(bucket, bucket.asset()), method, **FIRST)
    assert answer.status_code == 403
    assert code(answer) == ("" if method == "HEAD" else "SignatureDoesNotMatch")


def test_another_signature_or_object_is_refused(bucket: Desk) -> None:
    signed = url(bucket, made := bucket.asset({"name": "a.mov"}, {"name": "b.mov"}))
    other = url(bucket, made, 1)
    changed = signed[:-1] + ("0" if signed[-1] != "0" else "1")
    for refused in (changed, f"{other.partition('?')[0]}?{signed.partition('?')[2]}"):
        answer = read(refused, **FIRST)
        assert (answer.status_code, code(answer)) == (403, "SignatureDoesNotMatch")
    unsigned = read(signed.partition("?")[0])
    assert (unsigned.status_code, code(unsigned)) == (403, "AccessDenied")


def test_an_expired_one_is_refused(bucket: Desk) -> None:
    bucket.control("PATCH", "settings", {"signed_url_seconds": 0})
    answer = read(url(bucket, bucket.asset()), **FIRST)
    assert (answer.status_code, code(answer)) == (403, "AccessDenied")
    assert "expired" in answer.text


def test_headers_that_must_not_arrive_are_noted(bucket: Desk) -> None:
    signed = url(bucket, bucket.asset())
    assert read(signed, **FIRST, **{"App-ID": "a", "Auth-Token": "t"}).status_code == 206
    assert read(signed, **FIRST, Authorization="Bearer t").status_code == 400
    summary = bucket.control("GET", "buckets/")
    assert summary["leaked"] == {"App-ID": 1, "Auth-Token": 1, "Authorization": 1}
    assert summary["requests"] == {"GET signed URL": 2}
    seen = bucket.control("GET", "buckets/requests")["objects"]
    assert [each["leaked"] for each in seen] == [["App-ID", "Auth-Token"], ["Authorization"]]
    assert not any("X-Amz" in str(each) for each in seen)


# Behind iconik's back


def change(desk: Desk, made: Any, do: str, **more: Any) -> Any:
    """Do something to the object of a file on B2."""
    body = {"file_id": file_id(made), "do": do, **more}
    return desk.control("POST", "buckets/objects", body)


@pytest.mark.parametrize("do", ["remove", "hide"])
def test_an_object_is_gone_and_comes_back(bucket: Desk, do: str) -> None:
    made = bucket.asset({"name": "a.mov", "content": "0123456789"})
    signed = url(bucket, made)
    assert change(bucket, made, do)["size"] is None
    answer = read(signed, **FIRST)
    assert (answer.status_code, code(answer)) == (404, "NoSuchKey")
    (record,) = bucket.get(files(made))["objects"]
    assert (record["status"], record["size"]) == ("CLOSED", 10), "iconik knows nothing of it"
    change(bucket, made, "restore")
    assert read(signed).text == "0123456789"


@pytest.mark.parametrize("size", [0, 9, 11, 10**12])
def test_an_object_has_another_size(bucket: Desk, size: int) -> None:
    made = bucket.asset({"name": "a.mov", "content": "0123456789"})
    changed = change(bucket, made, "truncate", size=size)
    assert [each["size"] for each in changed["versions"]] == [size, 10]
    answer = read(url(bucket, made), **FIRST)
    assert answer.headers["Content-Range"].rpartition("/")[2] == str(size)
    change(bucket, made, "restore")
    assert read(url(bucket, made)).text == "0123456789"


def test_an_object_is_replaced(bucket: Desk) -> None:
    made = bucket.asset({"name": "a.mov", "content": "0123456789"})
    before, after = change(bucket, made, "replace")["versions"][::-1]
    assert (before["size"], after["size"]) == (10, 10)
    assert before["sha1"] != after["sha1"]
    assert read(url(bucket, made)).text != "0123456789"


def test_an_unfinished_upload_above_an_object_hides_nothing(bucket: Desk) -> None:
    made = bucket.asset({"name": "a.mov", "content": "0123456789"})
    actions = [each["action"] for each in change(bucket, made, "start")["versions"]]
    assert actions == ["start", "upload"]
    assert read(url(bucket, made)).text == "0123456789"


def test_a_copy_to_b2_puts_an_object_above_a_hide_marker(bucket: Desk) -> None:
    made = bucket.asset()
    change(bucket, made, "hide")
    bucket.ask("DELETE", bucket.file_set(made, "b2"))
    bucket.ask("DELETE", f"{bucket.file_set(made, 'b2')}purge/")
    (key,) = [
        each for each in bucket.control("GET", "buckets/objects")["objects"]
        if each["key"].startswith(made["id"])
    ]  # fmt: skip
    assert [each["action"] for each in key["versions"]] == ["hide"]

    both = bucket.asset(on=("b2", "lucidlink"))
    change(bucket, both, "hide")
    assert read(url(bucket, both), **FIRST).status_code == 404
    bucket.copy(both["id"], storage_id=bucket.b2_id, overwrite=True)
    (copied,) = [
        file for file in bucket.get(files(both))["objects"]
        if file["storage_id"] == bucket.b2_id
    ]  # fmt: skip
    assert read(copied["url"], **FIRST).status_code == 206


def test_a_purge_on_b2_takes_the_object(bucket: Desk) -> None:
    made = bucket.asset()
    change(bucket, made, "truncate", size=5)
    signed = url(bucket, made)
    bucket.ask("DELETE", bucket.file_set(made, "b2"))
    assert read(signed, **FIRST).status_code == 206, "it is marked, and not purged"
    bucket.ask("DELETE", f"{bucket.file_set(made, 'b2')}purge/")
    assert read(signed, **FIRST).status_code == 404


@pytest.mark.parametrize(
    ("about", "status", "total"),
    [
        ({"gone": True}, 404, ""),
        ({"hidden": True}, 404, ""),
        ({"size": 5}, 206, "5"),
        ({"size": 0}, 416, "0"),
        ({"replaced": True}, 206, "10"),
    ],
)
def test_an_asset_is_made_with_objects_that_differ(
    bucket: Desk, about: dict[str, Any], status: int, total: str
) -> None:
    made = bucket.asset({"name": "a.mov", "size": 10, "bucket": about})
    answer = read(url(bucket, made), **FIRST)
    assert answer.status_code == status
    assert answer.headers.get("Content-Range", "").rpartition("/")[2] == total


@pytest.mark.parametrize(
    "body",
    [
        {"do": "explode"},
        {"do": "truncate"},
        {"do": "truncate", "size": -1},
        {"do": "state_sha1", "sha1": "sha256"},
    ],
)
def test_no_such_change(bucket: Desk, body: dict[str, Any]) -> None:
    made = bucket.asset()
    sent = {"file_id": file_id(made), **body}
    answer = requests.post(f"{bucket.url}/_simulator/buckets/objects", json=sent, timeout=5)
    assert (answer.status_code, list(answer.json())) == (400, ["errors"])


@pytest.mark.parametrize(
    "place", [{"key": "no/such.mov"}, {"storage": "lucidlink", "key": "a"}, {"file_id": "none"}]
)
def test_no_such_object(bucket: Desk, place: dict[str, str]) -> None:
    sent = {"do": "hide", **place}
    answer = requests.post(f"{bucket.url}/_simulator/buckets/objects", json=sent, timeout=5)
    assert answer.status_code == 404


def test_a_key_outside_of_the_bucket_is_refused(bucket: Desk) -> None:
    for key in ("../a.mov", "/etc/a", "a//b", "a/./b", ""):
        sent = {"do": "put", "key": key, "content": "x"}
        answer = requests.post(f"{bucket.url}/_simulator/buckets/objects", json=sent, timeout=5)
        assert answer.status_code == 400, key
    assert not (bucket.b2.parent / "a.mov").exists()


# Faults and limits


@pytest.mark.parametrize(
    ("fault", "status", "header"),
    [
        ({"bucket": "status:503", "retry_after": 2}, 503, ("Retry-After", "2")),
        ({"bucket": "status:429"}, 429, ("Content-Type", "application/xml")),
        ({"bucket": "status:500"}, 500, ("Content-Type", "application/xml")),
        ({"bucket": "html"}, 200, ("Content-Type", "text/html")),
        ({"bucket": "no_total"}, 206, ("Content-Range", "bytes 0-0/*")),
    ],
)
def test_faults(bucket: Desk, fault: dict[str, Any], status: int, header: tuple[str, str]) -> None:
    signed = url(bucket, bucket.asset())
    bucket.control("POST", "faults", {"path": "bucket/b2/*.mov", **fault})
    answer = read(signed, **FIRST)
    assert (answer.status_code, answer.headers[header[0]]) == (status, header[1])
    assert read(signed, **FIRST).headers["Content-Range"] == "bytes 0-0/1000", "once only"


def test_a_redirect_leads_to_the_same_place(bucket: Desk) -> None:
    signed = url(bucket, bucket.asset())
    bucket.control("POST", "faults", {"bucket": "redirect"})
    answer = read(signed, **FIRST)
    assert answer.status_code == 307
    assert unquote(answer.headers["Location"]) == unquote(signed)


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_a_lost_connection(bucket: Desk, fault: str) -> None:
    signed = url(bucket, bucket.asset())
    bucket.control("POST", "faults", {"bucket": fault})
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        read(signed, **FIRST)
    assert bucket.control("GET", "buckets/")["statuses"] == {"lost": 1}


@pytest.mark.parametrize("fault", ["hang:60", "trickle:60"])
def test_what_takes_long_ends_when_faults_are_cleared(bucket: Desk, fault: str) -> None:
    signed = url(bucket, bucket.asset())
    bucket.control("POST", "faults", {"bucket": fault})
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(read, signed, **FIRST)
        wait_for("fault", lambda: not bucket.control("GET", "faults")["buckets"])
        bucket.control("DELETE", "faults")
        assert waiting.result().status_code == (206 if fault.startswith("hang") else 200)


def test_faults_of_iconik_do_not_reach_buckets(bucket: Desk) -> None:
    signed = url(bucket, bucket.asset())
    bucket.control("POST", "faults", {"fault": "status:503"})
    assert read(signed, **FIRST).status_code == 206
    assert bucket.ask("GET", "files/v1/storages/").status_code == 503


def test_the_rate_limit(bucket: Desk) -> None:
    signed = url(bucket, bucket.asset())
    bucket.control("PATCH", "settings", {"bucket_rate_limit": 0})
    answer = read(signed, **FIRST)
    assert (answer.status_code, code(answer)) == (503, "SlowDown")
    assert answer.headers["Retry-After"] == "1"
