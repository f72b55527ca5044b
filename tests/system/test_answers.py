"""What the service answers to whom, over real HTTP."""

import http.client
import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from b2_iconik.common.version import VERSION
from dev.harness import SECRET, Service, Simulator, stop_all

pytestmark = pytest.mark.promise

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
STORAGES = f"b2_storage_id={ID}&ll_storage_id={OTHER}"
GOOD = {"context": "ASSET", "asset_ids": [ID], "auth_token": "token"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all of these: none of them may harm it."""
    directory = tmp_path_factory.mktemp("answers")
    yield Service(directory, Simulator(directory))
    stop_all()


def send(
    service: Service, method: str, target: str, body: bytes, headers: dict[str, str]
) -> tuple[int, Any]:
    """One request exactly as given; returns the status and the JSON."""
    parts = urlsplit(service.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=60)
    try:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def body(**changes: Any) -> bytes:
    """A good body, with some fields changed."""
    return json.dumps({**GOOD, **changes}).encode()


# What a server in between may choke on; which others are refused is tested without one.
BAD_BODIES = {
    "empty": b"",
    "half of it": b'{"context": "ASSET"',
    "a form": b"context=ASSET&asset_ids=1",
    "invalid UTF-8": b'{"context": "\xff\xfe"}',
    "a null byte": b'{"context": "ASSET\x00"}',
    "very deep": b"[" * 200_000,
    "a huge number": b"9" * 100_000,
    "one bad among good": body(asset_ids=[ID, "x"]),
    "token with a line break": body(auth_token="a\r\nApp-ID: b"),
    "lone surrogate": b'{"context": "\\ud800", "asset_ids": []}',
}
BAD_QUERIES = {
    "none": "",
    "a storage twice": f"{STORAGES}&b2_storage_id={ID}",
    "formats unprintable": f"{STORAGES}&formats=A%00B",
    "no ASCII": f"b2_storage_id=%ff%fe&ll_storage_id={OTHER}",
}


@pytest.mark.parametrize("bad", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_malformed_body_is_a_bad_request(service: Service, bad: bytes) -> None:
    status, answer = send(service, "POST", f"/remove?{STORAGES}", bad, {"x-bz-secret": SECRET})
    assert status == 400
    assert answer["message"]


@pytest.mark.parametrize("query", BAD_QUERIES.values(), ids=BAD_QUERIES.keys())
def test_a_malformed_url_is_a_bad_request(service: Service, query: str) -> None:
    status, answer = send(service, "POST", f"/add?{query}", body(), {"x-bz-secret": SECRET})
    assert status == 400
    assert answer["message"].split(":")[0] in ("b2_storage_id", "ll_storage_id", "formats")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_another_method_is_not_allowed(service: Service, method: str) -> None:
    answer = requests.request(method, f"{service.url}/add", timeout=60)
    assert answer.status_code == 405
    assert method == "HEAD" or answer.json() == {
        "message": "The method is not allowed for the requested URL."
    }


@pytest.mark.parametrize("path", ["/add/", "/%00", "/../add"])
def test_an_unknown_path_is_not_found(service: Service, path: str) -> None:
    status, answer = send(service, "POST", path, body(), {"x-bz-secret": SECRET})
    assert status == 404
    assert answer["message"]


def test_a_body_over_4_mib_is_too_large(service: Service) -> None:
    large = b" " * (4 * 1024 * 1024 + 1)
    status, answer = send(service, "POST", f"/add?{STORAGES}", large, {"x-bz-secret": SECRET})
    assert status == 413
    assert answer["message"]


def test_a_body_over_4_mib_in_chunks_is_too_large(service: Service) -> None:
    chunks = (b" " * 65_536 for _ in range(65))
    answer = requests.post(
        f"{service.url}/add?{STORAGES}", data=chunks, headers={"x-bz-secret": SECRET}, timeout=20
    )
    assert answer.status_code == 413


def test_a_hundred_thousand_ids_are_not_too_many(service: Service) -> None:
    ids = [f"{n:08x}-1111-4111-8111-111111111111" for n in range(100_000)]
    compact = json.dumps({**GOOD, "asset_ids": ids}, separators=(",", ":")).encode()
    status, _ = send(service, "POST", f"/add?{STORAGES}", compact, {"x-bz-secret": SECRET})
    assert status == 200


@pytest.mark.parametrize("secret", [None, "wrong"])
def test_without_the_secret_nothing_is_done(service: Service, secret: str | None) -> None:
    # What others have clicked on may still be worked on.
    asset_id, before = str(uuid.uuid4()), service.newest()
    posted = json.dumps({**GOOD, "asset_ids": [asset_id]}).encode()
    headers = {} if secret is None else {"x-bz-secret": secret}
    status, _ = send(service, "POST", f"/remove?{STORAGES}", posted, headers)
    assert status == 401
    assert service.newest() == before
    seen = service.simulator.control("GET", "requests")["objects"]
    assert not [each for each in seen if asset_id in each["path"]]


def test_who_has_no_secret_is_told_how_to_authenticate_before_the_body_is_read(
    service: Service,
) -> None:
    parts = urlsplit(service.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=60)
    connection.putrequest("POST", f"/add?{STORAGES}")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 401
    assert response.getheader("WWW-Authenticate")
    connection.close()


def test_it_answers_well_after_all_that(service: Service) -> None:
    assert requests.get(f"{service.url}/", timeout=60).json() == {
        "message": "The B2 storage plugin for iconik is ready.",
        "version": VERSION,
    }
    assert requests.get(f"{service.url}/healthz", timeout=60).status_code == 200
    status, answer = send(
        service, "POST", f"/add?{STORAGES}", body(collection_ids=None), {"x-bz-secret": SECRET}
    )
    assert status == 200
    assert answer["message"] == "OK"
    assert "Traceback" not in service.log()
