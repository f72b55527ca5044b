"""A process's turn at running operations, of which there is one at a time."""

import threading
import time
from dataclasses import dataclass, field

import sqlalchemy as sa

from errors import Stopped
from tables import executors


def now_ms() -> int:
    """The time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Clock:
    """The time as operations count it: it goes on only while they are run, and never jumps.

    Due times and patience outlast a process, so they can't be the machine's monotonic time; and its
    wall clock may be set at any moment: then an operation would wait for years, or give up at once.

    Attributes:
        start_ms: what it began with: the wall clock's time for the very first, and then what was
            noted in the ledger.
    """

    start_ms: int = field(default_factory=now_ms)
    _began: float = field(default_factory=time.monotonic)

    def now_ms(self) -> int:
        """The time, in milliseconds since about 1970."""
        return self.start_ms + int((time.monotonic() - self._began) * 1000)


@dataclass(frozen=True)
class Turn:
    """What whoever runs operations works with.

    Attributes:
        engine: the ledger's database.
        term: the turn's number, from ``Ledger.begin_term``; a higher one ends it.
        stopping: set when it is over.
        clock: what time it is for operations.
    """

    engine: sa.Engine
    term: int
    stopping: threading.Event
    clock: Clock = field(default_factory=Clock)

    def check(self, deletes: bool) -> None:
        """See that it isn't over, right before a request to iconik, each repetition included.

        Args:
            deletes: whether the request deletes files. Then the ledger is asked, too: a process
                that was held up for long doesn't know yet that another has taken over.

        Raises:
            Stopped: it is over.
        """
        if self.stopping.is_set():
            raise Stopped
        if deletes:
            with self.engine.connect() as connection:
                newest = connection.execute(sa.select(sa.func.max(executors.c.term))).scalar()
            if newest != self.term:
                raise Stopped
