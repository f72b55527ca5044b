"""Whether somebody has asked a running operation to stop."""

import time

import sqlalchemy as sa

from b2_iconik.ledger.tables import operations

# In seconds. Each check is a query, and there is one before each asset.
INTERVAL = 0.25


def is_stop_requested(connection: sa.Connection, number: int) -> bool:
    """Whether somebody has asked an operation to stop, by its number."""
    asked = sa.select(operations.c.stop_ms).where(operations.c.number == number)
    return connection.execute(asked).scalar() is not None


class StopRequest:
    """A request to stop an operation, which any process may record.

    Args:
        engine: SQLAlchemy engine of the ledger's database.
        number: the operation's number.

    Attributes:
        is_handled: whether the operation already only finishes what it has begun.
    """

    def __init__(self, engine: sa.Engine, number: int) -> None:
        self._engine = engine
        self._number = number
        self.is_handled = False
        self._is_there = False
        self._looked = float("-inf")

    def is_pending(self) -> bool:
        """Whether the request exists, as of a moment ago, and is not handled yet."""
        now = time.monotonic()
        if not self._is_there and now - self._looked >= INTERVAL:
            self._looked = now
            with self._engine.connect() as connection:
                self._is_there = is_stop_requested(connection, self._number)
        return self._is_there and not self.is_handled
