"""The size of an object by its signed URL: what proves it, and how little is read."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from responses import RequestsMock

from b2_iconik.bucket.session import ATTEMPTS, NotConfirmed, Pace, Passing
from b2_iconik.bucket.signed_url import SignedUrls, size_told
from iconik_http import http_limits
from tests.bucket.conftest import SIGNATURE, add, signed, told_size
from tests.bucket.raw_server import RawServer

A_BYTE = (
    b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\nContent-Range: bytes 0-0/%d\r\n\r\nx"
)
REFUSED = "B2 does not give the object's size (it answered {} to a request for one byte)"


@pytest.fixture
def urls() -> Iterator[SignedUrls]:
    """Asks B2 through signed URLs."""
    made = SignedUrls(Pace())
    yield made
    made.close()


@pytest.mark.parametrize("size", [1, 18_000, 10**13])
def test_a_206_tells_the_size(urls: SignedUrls, b2: RequestsMock, size: int) -> None:
    add(b2, signed(), **told_size(size))
    assert urls.size(signed()) == size


def test_a_416_of_nothing_is_an_empty_object(urls: SignedUrls, b2: RequestsMock) -> None:
    add(b2, signed(), **told_size(0))
    assert urls.size(signed()) == 0


def test_a_404_is_no_object(urls: SignedUrls, b2: RequestsMock) -> None:
    add(b2, signed(), status=404)
    assert urls.size(signed()) is None


@pytest.mark.parametrize(
    "told",
    [
        None,
        "bytes 0-0/*",
        "bytes 0-0/0",
        "bytes 0-1/18000",
        "bytes 1-1/18000",
        "bytes 0-0/18000 ",
        "bytes 0-0/-1",
        "bytes 0-0/1e4",
        "bytes 0-0/\u0661",
        "bytes */0",
        "bytes */18000",
        "octets 0-0/18000",
        "bytes 0-0/" + "9" * 5000,
    ],
)
def test_a_206_that_tells_no_total_of_a_byte_proves_nothing(told: str | None) -> None:
    with pytest.raises(NotConfirmed):
        size_told(206, {} if told is None else {"Content-Range": told})


@pytest.mark.parametrize("told", [None, "bytes */18000", "bytes 0-0/0", "bytes */*", "*/0"])
def test_a_416_that_does_not_tell_of_nothing_proves_nothing(told: str | None) -> None:
    with pytest.raises(NotConfirmed):
        size_told(416, {} if told is None else {"Content-Range": told})


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 400, 405, 410, 418])
def test_any_other_status_proves_nothing(urls: SignedUrls, b2: RequestsMock, status: int) -> None:
    headers = {"Content-Range": "bytes 0-0/18000", "Location": signed("other.mov")}
    add(b2, signed(), status=status, headers=headers, body=b"x")
    with pytest.raises(NotConfirmed) as raised:
        urls.size(signed())
    assert raised.value.reason == REFUSED.format(status)


@pytest.mark.parametrize("status", [401, 403])
def test_a_signature_that_b2_refuses_is_told(
    urls: SignedUrls, b2: RequestsMock, status: int
) -> None:
    add(b2, signed(), status=status)
    with pytest.raises(NotConfirmed, match=f"does not accept iconik's signed URL .{status}."):
        urls.size(signed())


def test_what_is_refused_is_asked_once(urls: SignedUrls, b2: RequestsMock) -> None:
    add(b2, signed(), status=403)
    with pytest.raises(NotConfirmed):
        urls.size(signed())
    assert len(b2.calls) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_passing_trouble_is_asked_again(urls: SignedUrls, b2: RequestsMock, status: int) -> None:
    for _ in range(ATTEMPTS - 1):
        add(b2, signed(), status=status)
    add(b2, signed(), **told_size(18_000))
    assert urls.size(signed()) == 18_000


def test_trouble_that_stays_is_given_up(urls: SignedUrls, b2: RequestsMock) -> None:
    add(b2, signed(), status=503)
    with pytest.raises(Passing) as raised:
        urls.size(signed())
    assert (raised.value.problem, len(b2.calls)) == ("B2 answered 503", ATTEMPTS)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (requests.ConnectionError("x"), "the connection to B2 failed (ConnectionError)"),
        (requests.Timeout("x"), "B2 did not answer in time"),
        (http_limits.TooLong("x"), "B2's answer is too long"),
    ],
)
def test_no_answer_is_given_up_in_words(
    urls: SignedUrls, b2: RequestsMock, error: Exception, problem: str
) -> None:
    add(b2, signed(), body=error)
    with pytest.raises(Passing) as raised:
        urls.size(signed())
    assert raised.value.problem == problem


def test_no_error_has_the_url(urls: SignedUrls, b2: RequestsMock) -> None:
    add(b2, signed(), body=requests.ConnectionError(signed()))
    with pytest.raises(Passing) as raised:
        urls.size(signed())
    error: BaseException | None = raised.value
    while error is not None:
        assert SIGNATURE not in repr(error)
        error = error.__context__ or error.__cause__


# What is sent and read, on a real connection


def test_one_byte_is_asked_for_and_nothing_of_iconiks_is_sent(urls: SignedUrls) -> None:
    with RawServer(A_BYTE % 18_000) as server:
        urls.size(signed(host=server.host))
    lines = server.heads[0].lower().split("\r\n")
    names = {line.partition(":")[0] for line in lines[1:] if line}
    assert "range: bytes=0-0" in lines
    assert names == {"host", "range", "user-agent", "accept", "accept-encoding", "connection"}


def test_a_cookie_is_not_sent_back(urls: SignedUrls) -> None:
    cookie = A_BYTE.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n")
    with RawServer(cookie % 1, A_BYTE % 1) as server:
        for _ in range(2):
            urls.size(signed(host=server.host))
    assert "cookie" not in server.heads[1].lower()


def test_a_netrc_adds_no_password(
    urls: SignedUrls, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("default login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with RawServer(A_BYTE % 1) as server:
        urls.size(signed(host=server.host))
    assert "authorization" not in server.heads[0].lower()


def test_a_proxy_sees_no_url_of_this_machine(
    urls: SignedUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RawServer(A_BYTE % 7) as server:
        assert urls.size(signed(host=server.host)) == 7


def test_a_connection_is_used_again(urls: SignedUrls) -> None:
    with RawServer(A_BYTE % 1, A_BYTE % 2) as server:
        assert [urls.size(signed(host=server.host)) for _ in range(2)] == [1, 2]
    assert server.connections == 1


@pytest.mark.parametrize(
    "head",
    [
        b"200 OK\r\nContent-Length: 100000000000\r\n",
        b"307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 100000000000\r\n",
        b"403 Forbidden\r\nContent-Length: 100000000000\r\n",
    ],
)
def test_the_body_of_what_proves_nothing_is_not_read(urls: SignedUrls, head: bytes) -> None:
    """It would wait for the rest, which never comes."""
    with RawServer(b"HTTP/1.1 " + head + b"\r\nbegin", A_BYTE % 1) as server:
        with pytest.raises(NotConfirmed):
            urls.size(signed(host=server.host))
        # The connection was ended, or this would be answered with what is left of the first body.
        assert urls.size(signed(host=server.host)) == 1


def test_no_more_than_a_byte_of_a_206_is_read(urls: SignedUrls) -> None:
    long = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 100000000000\r\n"
    with RawServer(long + b"Content-Range: bytes 0-0/18000\r\n\r\nx") as server:
        assert urls.size(signed(host=server.host)) == 18_000


@pytest.mark.parametrize(
    "cut",
    [
        b"Content-Length: 1\r\nContent-Range: bytes 0-0/18000\r\n",
        b"Content-Length: 0\r\nContent-Range: bytes 0-0/18000\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Range: bytes 0-0/18000\r\n",
    ],
)
def test_a_206_whose_byte_never_comes_is_asked_again(urls: SignedUrls, cut: bytes) -> None:
    broken = b"HTTP/1.1 206 Partial Content\r\nConnection: close\r\n" + cut + b"\r\n"
    with RawServer(broken, A_BYTE % 18_000) as server:
        assert urls.size(signed(host=server.host)) == 18_000
    assert len(server.heads) == 2


def test_an_answer_that_drips_in_is_given_up(
    urls: SignedUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "ANSWER_TIME", 0.0)
    with RawServer(*[A_BYTE % 1] * ATTEMPTS) as server, pytest.raises(Passing) as raised:
        urls.size(signed(host=server.host))
    assert raised.value.problem == "B2 did not answer in time"
