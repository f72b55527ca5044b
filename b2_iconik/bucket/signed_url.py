"""Read the size of an object from B2 through the signed URL that iconik offers for reading it.

Such a URL is valid only for GET. The request is for one byte, and the answer states the total size.
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
        pace: shared by everything that sends requests to B2.
    """

    def __init__(self, pace: Pace) -> None:
        self._session = BucketSession("signed URL", pace)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def size(self, url: str) -> int | None:
        """Return the size, in bytes, of the object that a URL reads; None if it does not exist.

        At most one byte of the object is read.

        Args:
            url: a secret. No error contains it.

        Raises:
            NotConfirmed: the answer doesn't prove an object.
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
    """Return an object's size from the head of an answer to a request for its first byte.

    A 200 is no proof: B2 supports Range, so a server that answers with the whole object, or claims
    to, is not B2. The Content-Length of such an answer may be that of a login page.

    Returns:
        The size in bytes; None if the object does not exist.

    Raises:
        NotConfirmed: the head doesn't state a size.
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
    """Return whether the body's first byte arrives. Reading it frees the connection for reuse."""
    try:
        return len(response.raw.read(1, decode_content=False)) == 1
    except (HTTPError, OSError):
        return False
