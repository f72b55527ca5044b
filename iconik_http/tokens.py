"""The tokens that iconik is asked with: the click's own, and the application's in its place."""

import logging
import threading
from contextvars import ContextVar

from iconik_http.errors import TokenExpired, TokenRejected

log = logging.getLogger(__name__)

OF_CLICK = "the click's token"
OF_APPLICATION = "ICONIK_TOKEN"
# Whose token the last request of this thread had, for the audit line.
acting_as: ContextVar[str] = ContextVar("acting_as", default="no token")


class Tokens:
    """A click's token, and what takes its place once iconik has rejected it (401).

    Args:
        click: the click's own; "" where it has none, and that of the application is as good.
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
        """The token to use now.

        Args:
            call: the intended request, for the message.
            is_known: whether it is about what the click's own token has read before, or about
                nothing of a user's: only then another may take its place.

        Raises:
            TokenRejected: none is good any more.
            TokenExpired: none is good for this.
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
