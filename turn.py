"""A process's turn at running operations, of which there is one at a time."""

import threading
import time
from dataclasses import dataclass

import sqlalchemy as sa

from errors import Stopped
from tables import executors


@dataclass(frozen=True)
class Turn:
    """What whoever runs operations works with.

    Attributes:
        engine: the ledger's database.
        term: the turn's number, from ``Ledger.begin_term``; a higher one ends it.
        stopping: set when it is over.
    """

    engine: sa.Engine
    term: int
    stopping: threading.Event

    def check(self, method: str) -> None:
        """See that it isn't over, right before a request to iconik, each repetition included.

        Args:
            method: of the request. Before a DELETE the ledger is asked, too: a process that was
                held up for long doesn't know yet that another has taken over.

        Raises:
            Stopped: it is over.
        """
        if self.stopping.is_set():
            raise Stopped
        if method == "DELETE":
            with self.engine.connect() as connection:
                newest = connection.execute(sa.select(sa.func.max(executors.c.term))).scalar()
            if newest != self.term:
                raise Stopped


def now_ms() -> int:
    """The time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
