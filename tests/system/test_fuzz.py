"""Thousands of odd requests over real HTTP: none may harm the service, or be recorded unasked."""

import http.client
import json
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from http import HTTPStatus
from urllib.parse import quote, urlencode, urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dev.harness import SECRET, Service, Simulator, stop_all, wait_for

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
GOOD_QUERY = {"b2_storage_id": ID, "ll_storage_id": OTHER}
GOOD = {"context": "ASSET", "asset_ids": [ID], "auth_token": "token"}
SECONDS = 120.0

# Texts


def mangled(text: str) -> st.SearchStrategy[str]:
    """A text, or one of its kind with a piece cut out, doubled or replaced."""

    def mangle(start: int, length: int, other: str) -> str:
        return text[:start] + other + text[start + length :]

    where = st.integers(0, len(text))
    return st.builds(mangle, where, st.integers(0, 4), st.text(max_size=4))


ids = st.sampled_from([ID, OTHER, ID.upper()]) | st.uuids().map(str) | mangled(ID)
odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    odd | ids,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
lists = st.lists(ids, max_size=5) | st.lists(ids | odd, max_size=3) | values
fields = st.fixed_dictionaries(
    {},
    optional={
        "context": st.sampled_from(["ASSET", "COLLECTION", "BULK", "SAVED_SEARCH"]) | values,
        "asset_ids": lists,
        "collection_ids": lists,
        "saved_search_ids": lists,
        "user_id": ids | values,
        "auth_token": st.text("abc-._~ \"'\\", max_size=20) | values,
        "date_created": values,
    },
)
clicks = fields.map(lambda changed: json.dumps({**GOOD, **changed}).encode("utf-8", "replace"))
bodies = (
    clicks
    | values.map(lambda value: json.dumps(value).encode())
    | mangled(json.dumps(GOOD)).map(lambda text: text.encode("utf-8", "replace"))
    | st.binary(max_size=200)
)
queries = st.just(urlencode(GOOD_QUERY)) | st.text(max_size=30).map(
    lambda text: quote(text, safe="&=%+;,/?", errors="replace")
)
secrets = st.just(SECRET) | st.just("") | mangled(SECRET)


# The service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all of these: none of them may harm it."""
    directory = tmp_path_factory.mktemp("fuzz")
    yield Service(directory, Simulator(directory))
    stop_all()


class Client:
    """Keeps a connection to the service as long as the service does."""

    def __init__(self, service: Service) -> None:
        parts = urlsplit(service.url)
        self.address = (str(parts.hostname), parts.port or 80)
        self._connection = http.client.HTTPConnection(*self.address, timeout=SECONDS)

    def send(
        self, method: str, target: str, body: bytes, sent: dict[str, str], is_chunked: bool
    ) -> tuple[int, bytes]:
        """Send one request; returns the status and the body."""
        pieces = iter([body[:7], body[7:]] if len(body) > 7 else [body] if body else [])
        for attempt in range(2):
            # The service may close a kept connection at any moment, and then has not heard it.
            with suppress(ConnectionError, http.client.RemoteDisconnected):
                self._connection.request(
                    method, target, pieces if is_chunked else body, sent, encode_chunked=is_chunked
                )
                response = self._connection.getresponse()
                return response.status, response.read()
            assert attempt == 0, "the service gave no answer"
            self._connection.close()
            pieces = iter([body] if body else [])
        raise AssertionError

    def send_raw(self, sent: bytes) -> bytes:
        """Send bytes that need not be HTTP; returns all that comes back."""
        with socket.create_connection(self.address, SECONDS) as client:
            told = []
            with suppress(ConnectionError):
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                while part := client.recv(65_536):
                    told.append(part)
            return b"".join(told)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    """Whoever sends all this."""
    client = Client(service)
    yield client
    client.close()


def recorded(service: Service) -> set[str]:
    """The ids of all operations."""
    path = service.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=SECONDS)) as database:
        return {row[0] for row in database.execute("SELECT id FROM plugin_operations")}


def is_well(service: Service, workers: list[int]) -> bool:
    """Whether no process has died, nothing has failed, and a click is answered and done."""
    assert service.process.children() == workers
    assert "Traceback" not in service.log()
    assert requests.get(f"{service.url}/healthz", timeout=SECONDS).ok
    answer = service.post("add", {**GOOD, "asset_ids": [OTHER]})
    wait_for("end", lambda: service.has_ended(answer.json()["operation_id"]), SECONDS)
    return answer.ok


MANY = settings(max_examples=600, suppress_health_check=list(HealthCheck), deadline=None)
FEWER = settings(MANY, max_examples=400)


def test_no_request_for_an_action_is_a_fault_or_passes_without_the_secret(
    service: Service, client: Client
) -> None:
    accepted: set[str] = set()
    workers = service.workers()

    @MANY
    @given(
        path=st.sampled_from(["/add", "/remove"]),
        query=queries,
        body=bodies,
        secret=secrets,
        is_chunked=st.booleans(),
    )
    def request(path: str, query: str, body: bytes, secret: str, is_chunked: bool) -> None:
        sent = {"x-bz-secret": quote(secret, safe="")} if secret else {}
        status, text = client.send("POST", f"{path}?{query}", body, sent, is_chunked)
        answer = json.loads(text)
        assert isinstance(answer["message"], str)
        assert status in ((200, 400) if secret == SECRET else (401,))
        if status == HTTPStatus.OK:
            accepted.add(answer["operation_id"])

    request()
    assert accepted
    assert recorded(service) == accepted
    assert is_well(service, workers)


targets = (
    st.sampled_from([b"/add", b"/remove", b"/", b"/healthz", b"*", b"http://x/add", b"//add"])
    | st.binary(max_size=20)
)  # fmt: skip
lines = st.sampled_from(
    [
        b"Host: x", b"Content-Length: 10", b"Content-Length: -1", b"Content-Length: 1e3",
        b"Content-Length: 99999999999999999999", b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: identity",
        b"transfer-encoding:\tchunked", b"Connection: close",
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", b"Expect: 100-continue", b" folded",
        b"x_bz_secret: " + SECRET.encode(), b"X-Forwarded-Proto: https", b"Trailer: x-bz-secret",
    ]
) | st.binary(max_size=30)  # fmt: skip
ends = (
    st.sampled_from(
        [b"", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello", b"fffffffff\r\n",
         b"-1\r\n", b"0\r\nx-bz-secret: " + SECRET.encode() + b"\r\n\r\n", b"x;=\r\n",
         json.dumps(GOOD).encode()]
    )
    | st.binary(max_size=60)
)  # fmt: skip
requests_in_bytes = st.builds(
    lambda method, target, version, some, end: (
        b"%s %s %s\r\n" % (method, target, version) + b"\r\n".join([*some, b"", b""]) + end
    ),
    st.sampled_from([b"POST", b"GET", b"HEAD", b"TRACE", b"CONNECT", b"PRI"])
    | st.binary(max_size=5),
    targets,
    st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9"]) | st.binary(max_size=9),
    st.lists(lines, max_size=6),
    ends,
)  # fmt: skip


def test_nothing_that_is_no_http_is_a_fault_or_passes_without_the_secret(
    service: Service, client: Client
) -> None:
    before = recorded(service)
    workers = service.workers()

    @FEWER
    @given(sent=requests_in_bytes | st.binary(max_size=300))
    def send(sent: bytes) -> None:
        told = client.send_raw(sent)
        assert told == b"" or told.startswith(b"HTTP/1.")
        statuses = re.findall(rb"^HTTP/1\.[01] (\d+)", told, re.MULTILINE)
        # 501 is the answer to a transfer coding that the server does not know.
        assert not [each for each in statuses if each >= b"500" and each != b"501"]

    send()
    assert recorded(service) == before
    assert is_well(service, workers)
