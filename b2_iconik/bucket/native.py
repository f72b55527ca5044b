"""Read objects' newest versions through B2's native API, with an application key and b2sdk."""

import io
import json
import re
from collections.abc import Callable, Collection, Iterator
from functools import partial
from os.path import commonprefix
from threading import Lock
from typing import Any

import requests
from b2sdk.v3 import B2Api, B2HttpApiConfig, InMemoryAccountInfo
from b2sdk.v3.exception import (
    B2Error,
    NonExistentBucket,
    RestrictedBucket,
    Unauthorized,
)

from b2_iconik.bucket.session import (
    USER_AGENT,
    BucketSession,
    NotConfirmed,
    Pace,
    Passing,
    Result,
    repeated,
)
from b2_iconik.bucket.versions import Version, newest
from iconik_http import http_limits

# The maximum number of names that B2 counts as one transaction.
NAMES_A_REQUEST = 1_000
CODE = re.compile("[a-z_]{1,50}")
CORRECT = "correct B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY"


class NativeApi:
    """Asks B2 with an application key. The key needs only listFiles for the bucket.

    A key that isn't restricted to buckets also needs listBuckets, to look up the id of a bucket.

    Args:
        url: scheme and host where the key is authorized.
        pace: shared by everything that sends requests to B2.
    """

    def __init__(self, url: str, key_id: str, key: str, pace: Pace) -> None:
        self._url = url
        self._key_id, self._key = key_id, key
        self._session = _WholeAnswers("key", pace)
        config = B2HttpApiConfig(
            http_session_factory=lambda: self._session,
            # The hook changes the locale of the process.
            install_clock_skew_hook=False,
            user_agent_append=USER_AGENT,
            # Otherwise b2sdk replaces the session's adapters.
            decode_content=True,
        )
        # With the default account info, b2sdk would write the key to a file in the home directory.
        self._api = B2Api(InMemoryAccountInfo(), api_config=config)
        self._lock = Lock()
        self._is_authorized = False

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def check_key(self) -> None:
        """Have B2 accept the application key, whatever it allows.

        Raises:
            NotConfirmed: B2 refuses it.
            Passing: B2 gave no usable answer after a few attempts.
        """
        try:
            repeated(partial(_read, self._authorize))
        except B2Error as error:
            reason = f"B2 does not accept the application key ({type(error).__name__}): {CORRECT}"
            raise NotConfirmed(reason) from None

    def newest(self, bucket: str, keys: Collection[str]) -> Iterator[tuple[str, Version | None]]:
        """Yield the newest version of each object, or None if the object does not exist.

        Each request lists up to 1,000 versions, starting at an object that is still unknown. The
        frames of an image sequence therefore need one request per thousand, and scattered objects
        need one request each. The absence of an object is never concluded from the order of a list:
        an object is absent only if the list that starts at its key lacks it.

        Args:
            keys: the objects' keys; requested in sorted order.

        Raises:
            NotConfirmed: B2 refuses.
            Passing: B2 gave no usable answer after a few attempts.
        """
        bucket_id = self._ask(partial(self._bucket_id, bucket), bucket)
        pending = sorted(set(keys))
        while pending:
            first = pending[0]
            # A prefix of the names, not of their directories: a list of frames must not start in
            # another sequence.
            prefix = commonprefix(pending)  # noqa: RUF071
            page = self._ask(partial(self._list, bucket_id, first, prefix), bucket)
            yield first, page.get(first)
            yield from ((key, page[key]) for key in pending[1:] if key in page)
            pending = [key for key in pending[1:] if key not in page]

    def _list(self, bucket_id: str, first: str, prefix: str) -> dict[str, Version]:
        listed = self._api.session.list_file_versions(
            bucket_id, first, max_file_count=NAMES_A_REQUEST, prefix=prefix
        )
        return newest(listed["files"])

    def _authorize(self) -> None:
        self._api.authorize_account(self._key_id, self._key, realm=self._url)
        self._is_authorized = True

    def _bucket_id(self, bucket: str) -> str:
        with self._lock:
            if not self._is_authorized:
                self._authorize()
            # b2sdk caches this. The authorization of a restricted key includes the id.
            return str(self._api.get_bucket_by_name(bucket).id_)

    def _ask(self, work: Callable[[], Result], bucket: str) -> Result:
        try:
            return repeated(partial(_read, work))
        except Unauthorized:
            reason = (
                f"B2 does not accept the application key for bucket '{bucket}': {CORRECT}, and "
            )
            raise NotConfirmed(f"{reason}give the key listFiles") from None
        except RestrictedBucket:
            reason = f"the application key does not allow bucket '{bucket}'"
            raise NotConfirmed(f"{reason}: {CORRECT}, or unset both") from None
        except NonExistentBucket:
            raise NotConfirmed(f"the application key's account has no bucket '{bucket}'") from None
        except B2Error as error:
            raise NotConfirmed(
                f"B2 refused to list bucket '{bucket}' ({type(error).__name__})"
            ) from None


def _read(work: Callable[[], Result]) -> Result:
    try:
        return work()
    except _Carried as carried:
        raise carried.error from None
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
        # b2sdk doesn't validate the structure of an answer.
        problem = "B2's answer is malformed"
    raise Passing(problem)


class _Carried(B2Error):  # type: ignore[misc] # b2sdk has no types
    """Carries an error of ours through b2sdk, which would repeat the request after any other error.

    b2sdk's own rules may wait for minutes.
    """

    def __init__(self, error: NotConfirmed | Passing) -> None:
        super().__init__()
        self.error = error


class _WholeAnswers(BucketSession):
    """A session that limits the size and time of answers, because b2sdk doesn't."""

    def request(self, method: Any, url: Any, *_: Any, **options: Any) -> requests.Response:
        """Send a request, and read the answer.

        Raises:
            _Carried: see ``BucketSession.request``; or the answer can't be read.
        """
        try:
            return self._whole(method, url, **options)
        except (NotConfirmed, Passing) as error:
            raise _Carried(error) from None

    def _whole(self, method: Any, url: Any, **options: Any) -> requests.Response:
        response = super().request(method, url, **options)
        problem = ""
        try:
            body = http_limits.read(response)
        except requests.RequestException as error:
            problem = http_limits.network_problem(error, "B2")
        if problem:
            raise Passing(problem)
        whole = requests.Response()
        status = response.status_code
        whole.status_code, whole.headers, whole.url = status, response.headers, url
        whole.raw = io.BytesIO(body if status == 200 else _without_text(status, body))
        return whole


def _without_text(status: int, body: bytes) -> bytes:
    """Remove the text from a B2 error: it may repeat the request, and b2sdk logs it."""
    try:
        code = json.loads(body)["code"]
    except (ValueError, LookupError, TypeError, RecursionError):
        code = ""
    is_code = isinstance(code, str) and CODE.fullmatch(code)
    return json.dumps({"status": status, "code": code if is_code else "", "message": ""}).encode()
