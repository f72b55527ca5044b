"""A process's turn at running operations, of which there is one at a time."""

import threading
import time
from dataclasses import dataclass

import sqlalchemy as sa


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


def now_ms() -> int:
    """The time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
