"""The tokens for requests to iconik: the click's own, and the application's as its replacement."""

import logging
import threading
from contextvars import ContextVar

from iconik_http.errors import TokenExpired, TokenRejected

log = logging.getLogger(__name__)

OF_CLICK = "the click's token"
OF_APPLICATION = "ICONIK_TOKEN"
# The owner of the token in this thread's last request, for the audit log.
acting_as: ContextVar[str] = ContextVar("acting_as", default="no token")


class Tokens:
    """A click's token, and its replacement once iconik has rejected it (401).

    Args:
        click: the click's own token; "" if it has none, and the application's counts as its own.
        application: ``ICONIK_TOKEN``; "" if there is none.
    """

    def __init__(self, click: str, application: str = "") -> None:
        self._owners = {click: OF_CLICK} if click else {}
        if application:
            self._owners.setdefault(application, OF_APPLICATION)
        self._left = list(self._owners)
        self._own = click or application
        self._lock = threading.Lock()

    def current(self, call: str, *, is_known: bool = True) -> str:
        """Return the token to use now.

        Args:
            call: the intended call, for the message.
            is_known: whether the call concerns an object that the click's own token has read
                before, or no object of a user's. Only then may another token replace it.

        Raises:
            TokenRejected: no token is valid any more.
            TokenExpired: no valid token may be used for this call.
        """
        with self._lock:
            if not self._left:
                raise TokenRejected(
                    call,
                    "iconik no longer accepts any token (401): set ICONIK_TOKEN to an application "
                    "token, so that operations can outlive the click's token; then click again",
                )
            token = self._left[0]
        if token != self._own and not is_known:
            raise TokenExpired(
                call,
                "the click's token has expired (401), and ICONIK_TOKEN may only continue with what "
                "that token has already read: click again",
            )
        acting_as.set(self._owners[token])
        return token

    def reject(self, token: str) -> None:
        """Stop using a token."""
        with self._lock:
            if token in self._left:
                self._left.remove(token)
                log.warning("iconik rejected a token (401); tokens left: %s", len(self._left))
