"""HTTP sessions with B2: paced, limited in time and size, and without URLs in the log."""

import re
import threading
import time
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate, SingleBucketFactory
from tenacity import Retrying, nap, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from b2_iconik.common import logs, meters
from b2_iconik.common.meters import Way
from b2_iconik.common.settings import LOOPBACK
from b2_iconik.common.version import VERSION
from b2_iconik.domain.reasons import Reason
from iconik_http import http_limits

# By default, B2 allows an account 500: https://www.backblaze.com/docs/cloud-storage-rate-limits
REQUESTS_PER_SECOND = 400
CONNECTIONS = 16
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
ATTEMPTS = 4
CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0
# In seconds, between two attempts. If B2 asks for a longer pause, the asset is postponed.
LONGEST_WAIT = 20.0
B2_HOST = re.compile(r"([a-z0-9-]{1,63}\.)+backblazeb2\.com")
USER_AGENT = f"b2-iconik-plugin/{VERSION}"

Result = TypeVar("Result")


class NotConfirmed(Exception):
    """B2 does not confirm a file. It never leaves this package.

    Args:
        reason: why, as part of a sentence.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = Reason.of(reason)


class Passing(Exception):
    """A failed attempt that is worth repeating. It never leaves this package.

    Args:
        problem: what B2 returned, as the rest of a sentence.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Pace:
    """Keeps all threads within B2's rate limit, and observes the pauses that B2 requests."""

    def __init__(self) -> None:
        self._bucket = InMemoryBucket([Rate(REQUESTS_PER_SECOND, Duration.SECOND)])
        # Otherwise it empties the bucket in a thread, which fails if the bucket is already empty.
        self._limiter = Limiter(SingleBucketFactory(self._bucket, schedule_leak=False), buffer_ms=2)
        self._lock = threading.Lock()
        self._resumes = 0.0

    def wait(self) -> None:
        """Block until the next request may be sent.

        Raises:
            Passing: the wait would exceed ``LONGEST_WAIT``.
        """
        left = self._resumes - time.monotonic()
        if left > LONGEST_WAIT:
            raise Passing(f"B2 asked for a pause, which ends in {left:.0f} s")
        if left > 0:
            nap.sleep(left)
        self._limiter.try_acquire("B2")
        # The library has no type for the result.
        self._bucket.leak(self._bucket.now())  # type: ignore[no-untyped-call]

    def pause(self, seconds: float) -> None:
        """Send nothing for some seconds."""
        with self._lock:
            self._resumes = max(self._resumes, time.monotonic() + seconds)


class BucketSession(requests.Session):
    """A connection pool for B2.

    Args:
        way: how B2 is asked, for the metrics.
        pace: shared by all sessions.
    """

    def __init__(self, way: Way, pace: Pace) -> None:
        super().__init__()
        logs.hide_urls()
        self._way = way
        self._pace = pace
        self.headers["User-Agent"] = USER_AGENT
        # A compressed answer would have a different size.
        self.headers["Accept-Encoding"] = "identity"
        # Otherwise a .netrc file would add a password.
        self.auth = lambda request: request
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = http_limits.BoundedAdapter(pool_connections=4, pool_maxsize=CONNECTIONS)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: follow no redirect, and don't let ``requests`` read its body."""
        return None

    def request(self, method: Any, url: Any, *_: Any, **options: Any) -> requests.Response:
        """Send a request once, without reading the body of the answer.

        Raises:
            NotConfirmed: the URL must not be requested.
            Passing: there was no answer, or B2 has temporary problems.
        """
        against = objection(url)
        if against:
            raise NotConfirmed(against)
        self._pace.wait()
        options.update(
            stream=True,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            # A proxy would see plain http requests, which are only for this machine.
            proxies={"http": ""},
        )
        problem, status, began = "", meters.NO_ANSWER, time.monotonic()
        try:
            response = super().request(method, url, **options)
            status = str(response.status_code)
        except requests.RequestException as error:
            problem = http_limits.network_problem(error, "B2")
        finally:
            meters.asked_bucket(self._way, status, time.monotonic() - began)
        # Raised outside the handler, so that no traceback includes the library's error with the
        # URL.
        if problem:
            raise Passing(problem)
        if response.status_code in PASSING:
            self._pace.pause(http_limits.number(response, "Retry-After") or 0.0)
            response.close()
            raise Passing(f"B2 answered {status}")
        return response


def repeated(work: Callable[[], Result]) -> Result:
    """Run a function that sends requests to B2, and repeat it while it raises ``Passing``.

    Raises:
        Passing: every attempt failed.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(Passing),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT),
        reraise=True,
    )
    return retrying(work)


def objection(url: str) -> str:
    """Return why a URL must not be requested, without the URL; "" if it may be."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "its URL is malformed"
    if not url.isprintable() or "@" in parts.netloc:
        return "its URL is malformed"
    if host in LOOPBACK and parts.scheme in ("http", "https"):
        return ""
    # At another host, a cache may still return an object that is gone.
    if not B2_HOST.fullmatch(host):
        return f"its URL leads to {host or 'no host'}, which is not Backblaze"
    return "" if parts.scheme == "https" else "its URL is not https"
