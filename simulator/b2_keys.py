"""Application keys of the B2 account, and the tokens issued for them."""

import secrets
from dataclasses import asdict, dataclass
from threading import Lock

from simulator.records import Json

ACCOUNT_ID = "50a51a7ed000"
KEY_ID = "simulated-key-id"
KEY = "simulated-key"
ALL_CAPABILITIES = (
    "listBuckets",
    "listAllBucketNames",
    "readBuckets",
    "listFiles",
    "readFiles",
    "shareFiles",
    "writeFiles",
    "deleteFiles",
)


@dataclass(frozen=True)
class ApplicationKey:
    """A key, and what it allows.

    Attributes:
        key_id: the public id of the key.
        key: the secret part.
        capabilities: the capabilities, by B2's names.
        buckets: ids of the storages that it is restricted to; None for all buckets.
        prefix: the prefix of the names that it is restricted to; None for all names.
    """

    key_id: str
    key: str
    capabilities: tuple[str, ...] = ALL_CAPABILITIES
    buckets: tuple[str, ...] | None = None
    prefix: str | None = None

    def json(self) -> Json:
        """Return the key as the control API shows it."""
        return asdict(self)


class Keyring:
    """All keys and tokens. It starts with one key that allows everything."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys = {KEY_ID: ApplicationKey(KEY_ID, KEY)}
        self._tokens: dict[str, str] = {}
        self._expired: set[str] = set()

    def add(self, key: ApplicationKey) -> None:
        """Create a key, or replace the one with the same id. Its tokens then use the new key."""
        with self._lock:
            self._keys[key.key_id] = key

    def revoke(self, key_id: str) -> None:
        """Delete a key and its tokens."""
        with self._lock:
            self._keys.pop(key_id, None)

    def expire_tokens(self) -> None:
        """Make all tokens expire."""
        with self._lock:
            self._expired.update(self._tokens)
            self._tokens.clear()

    def authorize(self, key_id: str, key: str) -> tuple[str, ApplicationKey] | None:
        """Return a new token for a key, and the key; None if there is no such key."""
        with self._lock:
            found = self._keys.get(key_id)
            if found is None or found.key != key:
                return None
            token = secrets.token_urlsafe(32)
            self._tokens[token] = key_id
            return token, found

    def key_of(self, token: str) -> ApplicationKey | None:
        """Return the key that a token was issued for; None if the token is not valid."""
        with self._lock:
            return self._keys.get(self._tokens.get(token, ""))

    def is_expired(self, token: str) -> bool:
        """Return whether a token has expired."""
        with self._lock:
            return token in self._expired
