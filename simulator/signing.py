"""Signed URLs of objects, valid for one method and for a limited time."""

import calendar
import hashlib
import hmac
import secrets
import time
from urllib.parse import quote, urlencode

from simulator.records import Storage
from simulator.settings import Settings

ALGORITHM = "AWS4-HMAC-SHA256"
METHOD = "GET"


class Signer:
    """Signs and checks URLs in the form of S3's, with a key that only this process has."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = secrets.token_bytes()

    def url(self, host: str, bucket: Storage, key: str) -> str:
        """Return a URL that reads an object.

        Args:
            host: the simulator's own address, without a path.
        """
        now = time.gmtime()
        query = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"simulated/{time.strftime('%Y%m%d', now)}/b2/s3/aws4_request",
            "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", now),
            "X-Amz-Expires": f"{self._settings.signed_url_seconds:.0f}",
            "X-Amz-SignedHeaders": "host",
        }
        path = f"/bucket/{bucket.bucket_name}/{key}"
        query["X-Amz-Signature"] = self._sign(METHOD, path, query)
        # A name may contain undecodable bytes, like a file name.
        return f"{host}{quote(path, errors='surrogateescape')}?{urlencode(query)}"

    def refuse(self, method: str, path: str, query: dict[str, str]) -> tuple[str, str] | None:
        """Return what is wrong with a request: S3's error code and a message; None if it is valid.

        Args:
            path: its path, decoded.
            query: its query, decoded.
        """
        given = {name: value for name, value in query.items() if name.startswith("X-Amz-")}
        signature = given.pop("X-Amz-Signature", None)
        if signature is None:
            return "AccessDenied", "Access Denied"
        if not hmac.compare_digest(signature, self._sign(method, path, given)):
            return "SignatureDoesNotMatch", "The request signature we calculated does not match"
        # A signed query is well-formed, because only ``url`` signs.
        signed = calendar.timegm(time.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
        if time.time() - signed >= float(given["X-Amz-Expires"]):
            return "AccessDenied", "Request has expired"
        return None

    def _sign(self, method: str, path: str, query: dict[str, str]) -> str:
        text = "\n".join((method, path, urlencode(sorted(query.items()))))
        return hmac.new(
            self._key, text.encode(errors="surrogateescape"), hashlib.sha256
        ).hexdigest()
