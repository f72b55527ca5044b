"""Which URLs may be asked, at which pace, and that no log has any of them."""

import logging
import threading
import time
from collections.abc import Iterator

import pytest
from responses import RequestsMock

from b2_iconik.bucket.session import (
    ATTEMPTS,
    LONGEST_WAIT,
    REQUESTS_PER_SECOND,
    BucketSession,
    NotConfirmed,
    Pace,
    Passing,
    objection,
)
from b2_iconik.bucket.signed_url import SignedUrls
from b2_iconik.common.logs import LOGGERS_OF_URLS
from tests.bucket.conftest import HOST, SIGNATURE, add, counted, signed, told_size
from tests.bucket.raw_server import RawServer

MALFORMED = "its URL is malformed"
A_BYTE = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\nContent-Range: bytes 0-0/1\r\n"
# With a line that is no header.
ODD = A_BYTE + b"odd\r\n\r\n"


@pytest.fixture
def pace() -> Pace:
    """The pace that a test shares with what asks B2."""
    return Pace()


@pytest.fixture
def urls(pace: Pace) -> Iterator[SignedUrls]:
    """Asks B2 through signed URLs."""
    made = SignedUrls(pace)
    yield made
    made.close()


# Which URLs may be asked


@pytest.mark.parametrize(
    "url",
    [
        signed(),
        "https://f004.backblazeb2.com/file/masters/clip.mov",
        "https://F004.BackblazeB2.com:443/file/masters/clip.mov",
        "http://127.0.0.1:8800/bucket/masters/clip.mov",
        "http://[::1]:8800/bucket/masters/clip.mov",
        "https://localhost/bucket/masters/clip.mov",
    ],
)
def test_urls_of_b2_and_of_this_machine_may_be_asked(url: str) -> None:
    assert objection(url) == ""


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://f004.backblazeb2.com/file/a/b", "its URL is not https"),
        ("ftp://f004.backblazeb2.com/file/a/b", "its URL is not https"),
        ("ftp://127.0.0.1/a", "its URL leads to 127.0.0.1, which is not Backblaze"),
        ("https://cdn.example.com/a", "its URL leads to cdn.example.com, which is not Backblaze"),
        ("https://backblazeb2.com.example.com/a", None),
        ("https://evilbackblazeb2.com/a", None),
        ("https://backblazeb2.com/a", None),
        ("https://a..backblazeb2.com/a", None),
        (f"https://{'a' * 64}.backblazeb2.com/a", None),
        ("https://169.254.169.254/latest/meta-data", None),
        ("/file/a/b", "its URL leads to no host, which is not Backblaze"),
        ("", "its URL leads to no host, which is not Backblaze"),
        ("https://user:password@f004.backblazeb2.com/a", MALFORMED),
        ("https://f004.backblazeb2.com\\@evil.example/a", MALFORMED),
        ("https://f004.backblazeb2.com:port/a", MALFORMED),
        ("https://[f004.backblazeb2.com/a", MALFORMED),
        ("https://f004.backblazeb2.com/a\r\nHost: evil.example", MALFORMED),
    ],
)
def test_no_other_url_is_asked(
    urls: SignedUrls, b2: RequestsMock, url: str, reason: str | None
) -> None:
    with pytest.raises(NotConfirmed, match="its URL") as raised:
        urls.size(url)
    assert reason is None or raised.value.reason == reason
    assert not b2.calls


def test_a_redirect_is_not_followed_and_its_body_is_not_read(pace: Pace) -> None:
    redirect = (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /other\r\nContent-Length: 5\r\n\r\nbegin"
    )
    with RawServer(redirect) as server, BucketSession("signed URL", pace) as session:
        response = session.request("GET", server.host)
        assert (response.status_code, response.raw.tell(), len(server.heads)) == (307, 0, 1)
        response.close()


# The pace


def test_a_second_has_no_more_requests_than_its_limit(pace: Pace) -> None:
    sent: list[float] = []
    lock = threading.Lock()

    def send() -> None:
        for _ in range(REQUESTS_PER_SECOND // 6):
            pace.wait()
            with lock:
                sent.append(time.monotonic())

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The clock is read a moment after the limiter has let a request pass.
    first, beyond = sorted(sent)[0], sorted(sent)[REQUESTS_PER_SECOND + REQUESTS_PER_SECOND // 8]
    assert beyond - first > 0.9


def test_what_the_limiter_remembers_is_bounded(pace: Pace) -> None:
    for _ in range(10):
        pace.wait()
    pace._bucket.leak(pace._bucket.now() + 5_000)  # type: ignore[no-untyped-call]
    pace.wait()
    assert pace._bucket.count() == 1


def test_a_pause_is_waited_for_by_all(
    urls: SignedUrls, b2: RequestsMock, pace: Pace, naps: list[float]
) -> None:
    pace.pause(7)
    pace.pause(3)
    add(b2, signed(), **told_size(1))
    urls.size(signed())
    assert [round(each) for each in naps] == [7]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_makes_a_pause_for_others(
    urls: SignedUrls, b2: RequestsMock, pace: Pace, naps: list[float], status: int
) -> None:
    add(b2, signed(), status=status, headers={"Retry-After": "15"})
    with pytest.raises(Passing):
        urls.size(signed())
    naps.clear()
    other = BucketSession("key", pace)
    add(b2, HOST, status=200)
    with other:
        other.request("GET", HOST).close()
    assert [round(each) for each in naps] == [15]


def test_nobody_waits_for_a_long_pause(urls: SignedUrls, b2: RequestsMock, pace: Pace) -> None:
    pace.pause(LONGEST_WAIT * 10)
    with pytest.raises(Passing, match="asked for a pause, which ends in 200 s"):
        urls.size(signed())
    assert not b2.calls


def test_waits_between_attempts_are_bounded(
    urls: SignedUrls, b2: RequestsMock, naps: list[float]
) -> None:
    add(b2, signed(), status=500)
    with pytest.raises(Passing):
        urls.size(signed())
    assert len(naps) == ATTEMPTS - 1
    assert max(naps) <= LONGEST_WAIT


# No log has a URL


@pytest.mark.parametrize("name", ["urllib3", *LOGGERS_OF_URLS, "requests"])
def test_no_log_of_any_level_has_the_url(
    urls: SignedUrls, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger=name)
    with RawServer(A_BYTE + b"\r\nx") as server:
        urls.size(signed(host=server.host))
    assert SIGNATURE not in caplog.text


def test_a_malformed_head_logs_no_url(urls: SignedUrls, caplog: pytest.LogCaptureFixture) -> None:
    with RawServer(ODD + b"x") as server:
        assert urls.size(signed(host=server.host)) == 1
    assert SIGNATURE not in caplog.text


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "urllib3.connection"])
def test_the_library_would_have_logged_it(
    urls: SignedUrls, caplog: pytest.LogCaptureFixture, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the tests above prove nothing."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logging.getLogger(name), "filters", [])
    with RawServer(ODD + b"x") as server:
        urls.size(signed(host=server.host))
    assert SIGNATURE in caplog.text


# What is counted


def test_requests_are_counted_by_way_and_class_of_status(
    urls: SignedUrls, b2: RequestsMock
) -> None:
    names = ("b2_iconik_bucket_requests_total", "b2_iconik_bucket_request_seconds_count")
    labels = [{"way": "signed_url", "status": "4xx"}, {"way": "signed_url"}]
    before = [counted(name, **label) for name, label in zip(names, labels, strict=True)]
    add(b2, signed(), status=404)
    urls.size(signed())
    after = [counted(name, **label) for name, label in zip(names, labels, strict=True)]
    assert [late - early for late, early in zip(after, before, strict=True)] == [1, 1]


def test_a_request_without_an_answer_is_counted_as_none(urls: SignedUrls, b2: RequestsMock) -> None:
    before = counted("b2_iconik_bucket_requests_total", way="signed_url", status="none")
    with pytest.raises(Passing):
        urls.size(signed())
    after = counted("b2_iconik_bucket_requests_total", way="signed_url", status="none")
    assert after - before == ATTEMPTS
