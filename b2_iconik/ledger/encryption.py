"""Encrypts clicks for the database, because each holds a token."""

import base64
import json
import pickle
from dataclasses import asdict
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from b2_iconik.domain.click import CustomAction


class Cipher:
    """Encrypts clicks as Fernet tokens over JSON.

    Args:
        secrets: the shared secrets, the current one first; older ones still decrypt.

    Attributes:
        fingerprints: identify the secrets' keys without revealing anything about them.
    """

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._fernet = MultiFernet([Fernet(_key(secret)) for secret in secrets])
        self.fingerprints = tuple(_derive(secret, b"fingerprint").hex()[:16] for secret in secrets)

    def seal(self, click: CustomAction) -> str:
        """Encrypt a click."""
        return self._fernet.encrypt(json.dumps(asdict(click)).encode()).decode()

    def open(self, sealed: str) -> CustomAction:
        """Decrypt a click; raises ``cryptography.fernet.InvalidToken`` for another secret's."""
        told = self._fernet.decrypt(sealed)
        if not told.startswith(b"{"):
            # An earlier version of this service pickled it. This is safe: nobody else has the key.
            return CustomAction(**pickle.loads(told)["args"][0])  # noqa: S301
        fields: dict[str, Any] = json.loads(told)
        lists = {name: tuple(each) for name, each in fields.items() if isinstance(each, list)}
        return CustomAction(**{**fields, **lists})


def _key(secret: str) -> bytes:
    return base64.urlsafe_b64encode(_derive(secret, b"at rest"))


def _derive(secret: str, purpose: bytes) -> bytes:
    info = b"b2-iconik-plugin " + purpose
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())
