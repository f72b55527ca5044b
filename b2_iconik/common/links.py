"""Signed links, each of which opens the page of one operation for a while. Pure: no I/O.

A link travels as a query parameter: the time at which it expires, and a signature of that and the
operation's id.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from itsdangerous import BadSignature, Signer

# The query parameter.
PARAMETER = "link"
EXPIRES_AFTER = timedelta(days=7)
DAY_MS = 86_400_000


class Links:
    """Makes and checks the links.

    Args:
        public_url: where people reach the service; None if no links are made.
        secrets: the shared secrets, the current one first. It signs; the others are still accepted.
    """

    def __init__(self, public_url: str | None, secrets: Sequence[str]) -> None:
        self._public_url = public_url
        # The salt makes the key differ from every other key derived from the secret.
        self._signer = Signer(
            list(reversed(secrets)),
            salt=b"b2-iconik-plugin link to an operation",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )

    def to(self, operation_id: str, since_ms: int) -> str | None:
        """Return a link to the page of an operation; None if no links are made.

        Args:
            since_ms: when the link begins to age, in milliseconds since 1970.
        """
        if not self._public_url:
            return None
        expires = since_ms // 1000 + int(EXPIRES_AFTER.total_seconds())
        signed = self._signer.sign(f"{operation_id}.{expires}").decode()
        value = signed.removeprefix(f"{operation_id}.")
        return f"{self._public_url}/operations/{operation_id}?{PARAMETER}={value}"

    def is_valid(self, operation_id: str, value: str, now_ms: int) -> bool:
        """Return whether the value of a query parameter opens the page of an operation now."""
        try:
            signed = self._signer.unsign(f"{operation_id}.{value}").decode()
        except BadSignature:
            return False
        return now_ms < int(signed.rpartition(".")[2]) * 1000


def today(now_ms: int) -> int:
    """Return the beginning of the day, in UTC: links that age since then change once a day."""
    return now_ms - now_ms % DAY_MS
