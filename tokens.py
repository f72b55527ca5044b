"""The tokens that iconik is asked with: the next one where it rejects one, and what comes after."""

import logging
import threading
from collections.abc import Callable, Iterable

import sqlalchemy as sa
from cryptography.fernet import InvalidToken

from cipher import Cipher
from custom_action import CustomAction
from errors import TokenRejected
from settings import Settings
from tables import insert_new, newest_tokens, operations

log = logging.getLogger(__name__)


class Tokens:
    """Some tokens, tried in order; when iconik rejects one (401), the next is used from then on.

    Args:
        tokens: those that are known; empty ones are passed over.
        renewed: asked when none is left; returns another one, or "".
    """

    def __init__(self, tokens: Iterable[str], renewed: Callable[[], str] = lambda: "") -> None:
        self._left = list(dict.fromkeys(token for token in tokens if token))
        self._renewed = renewed
        self._rejected: set[str] = set()
        self._lock = threading.Lock()

    def current(self, call: str) -> str:
        """The token to use now.

        Args:
            call: what iconik is to be asked, for the message.

        Raises:
            TokenRejected: none is good any more.
        """
        with self._lock:
            if not self._left:
                token = self._renewed()
                if not token or token in self._rejected:
                    raise TokenRejected(
                        call,
                        "iconik accepts no token any more (401): click again, and set ICONIK_TOKEN "
                        "to an application token to have long operations outlive the click's own",
                    )
                self._left.append(token)
            return self._left[0]

    def reject(self, token: str) -> None:
        """Use a token no more."""
        with self._lock:
            self._rejected.add(token)
            if token in self._left:
                self._left.remove(token)
                log.warning("iconik rejected a token (401); %s left", len(self._left))


def of_operation(
    operation_id: str, click: CustomAction, settings: Settings, engine: sa.Engine
) -> Tokens:
    """The tokens of an operation: that of its click, the application's, and that of the last click
    that asked for the same since."""

    def renewed() -> str:
        newest = (
            sa.select(newest_tokens.c.sealed)
            .join(operations, operations.c.number == newest_tokens.c.number)
            .where(operations.c.id == operation_id)
        )
        with engine.connect() as connection:
            sealed = connection.execute(newest).scalar()
        return _unsealed(sealed, settings) if sealed else ""

    return Tokens((click.auth_token, settings.iconik_token or ""), renewed)


def _unsealed(sealed: str, settings: Settings) -> str:
    """A token, decrypted; "" if none of this host's secrets fits."""
    try:
        return str(Cipher(settings.secrets).deserialize(sealed))
    except InvalidToken:
        log.warning(
            "the token of the last click can't be read: it was encrypted with another "
            "BZ_SHARED_SECRET, so this host goes without it; give all hosts the same secrets"
        )
        return ""


def keep(connection: sa.Connection, number: int, sealed: str) -> None:
    """Note the token of a click that asks for what an operation does already.

    Args:
        connection: from ``writing``.
        sealed: the token as ``Cipher.serialize`` returns it.
    """
    connection.execute(insert_new(connection, newest_tokens).values(number=number, sealed=""))
    connection.execute(
        sa.update(newest_tokens).where(newest_tokens.c.number == number).values(sealed=sealed)
    )
