"""The size of an object, asked of B2 through the URL that iconik signed for reading it.

Such a URL is valid only for GET. So one byte is requested, and the answer tells the whole size.
"""

import re
from collections.abc import Mapping

import requests
from urllib3.exceptions import HTTPError

from b2_iconik.bucket.session import BucketSession, NotConfirmed, Pace, Passing, repeated

# https://www.rfc-editor.org/rfc/rfc9110#field.content-range
OF_A_BYTE = re.compile(r"bytes 0-0/([0-9]{1,18})")
OF_NOTHING = "bytes */0"
ASKED = {"Range": "bytes=0-0"}


class SignedUrls:
    """Asks B2 through signed URLs.

    Args:
        pace: shared by all who ask B2.
    """

    def __init__(self, pace: Pace) -> None:
        self._session = BucketSession("signed URL", pace)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def size(self, url: str) -> int | None:
        """The size in bytes of the object that a URL reads; None if there is no such object.

        At most one byte of the object is read.

        Args:
            url: a secret, which is in no error.

        Raises:
            NotConfirmed: the answer is no proof of an object.
            Passing: B2 gave no usable answer after a few attempts.
        """
        return repeated(lambda: self._ask(url))

    def _ask(self, url: str) -> int | None:
        with self._session.request("GET", url, headers=ASKED) as response:
            size = size_told(response.status_code, response.headers)
            if size and not _has_byte(response):
                raise Passing("B2's answer was cut off")
            return size


def size_told(status: int, headers: Mapping[str, str]) -> int | None:
    """The size of an object by the head of an answer to a request for its first byte.

    Returns:
        Bytes; None if there is no such object.

    A 200 is no proof: B2 honors Range, so a server that answers with the whole object, or says so,
    is not B2. The Content-Length of such an answer may as well be that of a login page.

    Raises:
        NotConfirmed: the head tells no size.
    """
    told = headers.get("Content-Range", "")
    match = OF_A_BYTE.fullmatch(told)
    if status == requests.codes.partial_content and match and int(match[1]) > 0:
        return int(match[1])
    if status == requests.codes.requested_range_not_satisfiable and told == OF_NOTHING:
        return 0
    if status == requests.codes.not_found:
        return None
    if status in (requests.codes.unauthorized, requests.codes.forbidden):
        raise NotConfirmed(f"B2 does not accept iconik's signed URL ({status})")
    raise NotConfirmed(
        f"B2 does not give the object's size (it answered {status} to a request for one byte)"
    )


def _has_byte(response: requests.Response) -> bool:
    """Whether the body's first byte arrives. Once it is read, the connection can be used again."""
    try:
        return len(response.raw.read(1, decode_content=False)) == 1
    except (HTTPError, OSError):
        return False
