"""How the engine's values lie in the database: encrypted, for a click's token is among them."""

import base64
import pickle
from typing import Any, NoReturn

from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from dbos import DBOSPortableJSONSerializer, Serializer
from dbos._serialization import DefaultSerializer


class NotEncrypted(Exception):
    """A row of the engine's says that its value is not encrypted: it isn't this service's."""


class Cipher(Serializer):
    """Encrypted pickles, which can hold exceptions, too.

    Args:
        secrets: the shared secrets, the current one first; older ones still decrypt.

    Attributes:
        fingerprints: tell the secrets' keys apart without giving anything of them away.
    """

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._fernet = MultiFernet([Fernet(_key(secret)) for secret in secrets])
        self.fingerprints = tuple(_derive(secret, b"fingerprint").hex()[:16] for secret in secrets)

    def serialize(self, data: Any) -> str:
        """Encrypt a value."""
        return self._fernet.encrypt(pickle.dumps(data)).decode()

    def deserialize(self, serialized_data: str) -> Any:
        """Decrypt a value; raises ``cryptography.fernet.InvalidToken`` for another secret's."""
        # Only what was encrypted with our own key is ever unpickled.
        return pickle.loads(self._fernet.decrypt(serialized_data))  # noqa: S301

    def name(self) -> str:
        """What the engine calls this way of storing; never to be changed."""
        return "encrypted_pickle"


def _key(secret: str) -> bytes:
    return base64.urlsafe_b64encode(_derive(secret, b"at rest"))


def _derive(secret: str, purpose: bytes) -> bytes:
    info = b"b2-iconik-plugin " + purpose
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret.encode())


def _refuse(self: Serializer, serialized_data: str | None) -> NoReturn:
    raise NotEncrypted(f"a value in the database is said to be {self.name()}: it is not read")


# The engine reads a value as its row says, be that a plain pickle: whoever could write one into the
# database could run code here. There is no setting against it.
for _each in (DefaultSerializer, DBOSPortableJSONSerializer):
    _each.deserialize = _refuse  # type: ignore[method-assign, assignment]
