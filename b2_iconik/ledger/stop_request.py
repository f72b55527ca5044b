"""Whether somebody has asked a running operation to stop, for the code that runs it."""

import time

from b2_iconik.ledger.operations import Ledger

# Each check is a query, and there is one before each asset.
INTERVAL = 0.25


class StopRequest:
    """A request to stop an operation.

    Args:
        ledger: where any process may have recorded the request.
        number: the operation's number.
    """

    def __init__(self, ledger: Ledger, number: int) -> None:
        self._ledger = ledger
        self._number = number
        self._is_there = False
        self._looked = float("-inf")

    def is_there(self) -> bool:
        """Whether the request exists, as of a moment ago."""
        now = time.monotonic()
        if not self._is_there and now - self._looked >= INTERVAL:
            self._looked = now
            self._is_there = self._ledger.is_asked_to_stop(self._number)
        return self._is_there
