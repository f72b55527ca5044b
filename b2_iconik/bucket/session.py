"""The one way to B2: paced, bounded in time and size, and silent about what it asks for."""

import logging
import re
import threading
import time
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from b2sdk.v3.exception import B2Error
from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate, SingleBucketFactory
from tenacity import Retrying, nap, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential

from b2_iconik.common import meters
from b2_iconik.common.meters import Way
from b2_iconik.common.settings import LOOPBACK
from b2_iconik.common.version import VERSION
from b2_iconik.domain.reasons import Reason
from iconik_http import http_limits

# B2 allows 500 for an account by default: https://www.backblaze.com/docs/cloud-storage-rate-limits
REQUESTS_PER_SECOND = 400
CONNECTIONS = 16
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
ATTEMPTS = 4
CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0
# Between two attempts. If B2 asks for a longer pause, the asset is postponed instead of waiting.
LONGEST_WAIT = 20.0
B2_HOST = re.compile(r"([a-z0-9-]{1,63}\.)+backblazeb2\.com")
USER_AGENT = f"b2-iconik-plugin/{VERSION}"
# Their lines contain URLs with the signature: at DEBUG of every request, and as a warning where the
# head of an answer is malformed.
LOGGERS_OF_URLS = (
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.poolmanager",
    "urllib3.util.retry",
)

Result = TypeVar("Result")


class NotConfirmed(B2Error):  # type: ignore[misc] # b2sdk has no types
    """B2 does not confirm a file; never leaves this package.

    Like ``Passing``, it is an error of b2sdk's so that b2sdk passes it on.

    Args:
        reason: why, as part of a sentence.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = Reason.of(reason)


class Passing(B2Error):  # type: ignore[misc] # b2sdk has no types
    """A failed attempt that is worth another one; never leaves this package.

    It is an error of b2sdk's so that b2sdk passes it on, and does not repeat the request by its own
    rules, which wait for minutes.

    Args:
        problem: what came back, as the rest of a sentence.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Pace:
    """Keeps all threads within B2's rate limit, and the pauses that it asks for."""

    def __init__(self) -> None:
        self._bucket = InMemoryBucket([Rate(REQUESTS_PER_SECOND, Duration.SECOND)])
        # It would empty the bucket in a thread, which complains if there is nothing left to empty.
        self._limiter = Limiter(SingleBucketFactory(self._bucket, schedule_leak=False), buffer_ms=2)
        self._lock = threading.Lock()
        self._resumes = 0.0

    def wait(self) -> None:
        """Return when the next request may be sent.

        Raises:
            Passing: that is too long from now.
        """
        left = self._resumes - time.monotonic()
        if left > LONGEST_WAIT:
            raise Passing(f"B2 asked for a pause, which ends in {left:.0f} s")
        if left > 0:
            nap.sleep(left)
        self._limiter.try_acquire("B2")
        # The library doesn't say what it returns.
        self._bucket.leak(self._bucket.now())  # type: ignore[no-untyped-call]

    def pause(self, seconds: float) -> None:
        """Send nothing for a while."""
        with self._lock:
            self._resumes = max(self._resumes, time.monotonic() + seconds)


class BucketSession(requests.Session):
    """A pool of connections to B2.

    Args:
        way: how B2 is asked, for the metrics.
        pace: shared by all sessions.
    """

    def __init__(self, way: Way, pace: Pace) -> None:
        super().__init__()
        for name in LOGGERS_OF_URLS:
            logging.getLogger(name).addFilter(_drop)
        self._way = way
        self._pace = pace
        self.headers["User-Agent"] = USER_AGENT
        # A compressed answer would have another size.
        self.headers["Accept-Encoding"] = "identity"
        # Else a .netrc would add a password.
        self.auth = lambda request: request
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = http_limits.BoundedAdapter(pool_connections=4, pool_maxsize=CONNECTIONS)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: no redirect is followed, nor is its body read, which ``requests`` would do."""
        return None

    def request(self, method: Any, url: Any, *_: Any, **options: Any) -> requests.Response:
        """Send a request, once; the answer's body is still to be read.

        Raises:
            NotConfirmed: the URL must not be asked.
            Passing: there was no answer, or B2 is in trouble.
        """
        against = objection(url)
        if against:
            raise NotConfirmed(against)
        self._pace.wait()
        options.update(
            stream=True,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            # A proxy would see what http sends; that is for this machine alone.
            proxies={"http": ""},
        )
        problem, status, began = "", meters.NO_ANSWER, time.monotonic()
        try:
            response = super().request(method, url, **options)
            status = str(response.status_code)
        except requests.RequestException as error:
            problem = network_problem(error)
        finally:
            meters.asked_bucket(self._way, status, time.monotonic() - began)
        # Raised here, so that no trace holds the library's error, which has the URL.
        if problem:
            raise Passing(problem)
        if response.status_code in PASSING:
            self._pace.pause(http_limits.number(response, "Retry-After") or 0.0)
            response.close()
            raise Passing(f"B2 answered {status}")
        return response


def repeated(work: Callable[[], Result]) -> Result:
    """Run some work that asks B2, and repeat it while it fails with ``Passing``.

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


def network_problem(error: requests.RequestException) -> str:
    """Why a request had no answer, without the contents of the request."""
    if isinstance(error, http_limits.TooLong):
        return "B2's answer is too long"
    if isinstance(error, requests.Timeout):
        return "B2 did not answer in time"
    return f"the connection to B2 failed ({type(error).__name__})"


def objection(url: str) -> str:
    """Why a URL must not be asked, as part of a sentence without the URL; "" if it may be."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "its URL is malformed"
    if not url.isprintable() or "@" in parts.netloc:
        return "its URL is malformed"
    if host in LOOPBACK and parts.scheme in ("http", "https"):
        return ""
    # Elsewhere a cache may answer for an object that is gone.
    if not B2_HOST.fullmatch(host):
        return f"its URL leads to {host or 'no host'}, which is not Backblaze"
    return "" if parts.scheme == "https" else "its URL is not https"


def _drop(_: logging.LogRecord) -> bool:
    return False
