"""A process's turn at running operations, of which there is one at a time: its term, its clock."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from b2_iconik.clock import Clock
from b2_iconik.errors import Stopped
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.tables import terms


def begin_term(engine: sa.Engine, began_ms: int) -> int:
    """Begin to run operations; ends the term of whoever ran them before. Returns its number."""
    with writing(engine) as connection:
        kept = connection.execute(sa.select(sa.func.max(terms.c.clock_ms))).scalar()
        connection.execute(sa.insert(terms).values(began_ms=began_ms, clock_ms=kept or began_ms))
        term = _newest_term(connection)
        connection.execute(sa.delete(terms).where(terms.c.term < term))
        return term


@contextmanager
def writing_in_term(
    engine: sa.Engine, term: int, *, is_vital: bool = False
) -> Iterator[sa.Connection]:
    """A transaction of the process whose turn it is to run operations.

    Args:
        term: from ``begin_term``.
        is_vital: as in ``database.writing``.

    Raises:
        Stopped: another process has taken over; one that is late undoes nothing of its work.
    """
    with writing(engine, is_vital=is_vital) as connection:
        if _newest_term(connection) != term:
            raise Stopped
        yield connection


def _newest_term(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.max(terms.c.term))).scalar() or 0


def time_kept(engine: sa.Engine) -> int:
    """How far the clock of operations had come when it was last noted, in milliseconds."""
    with engine.connect() as connection:
        kept = connection.execute(sa.select(sa.func.max(terms.c.clock_ms)))
        return int(kept.scalar_one())


def keep_time(engine: sa.Engine, term: int, clock_ms: int) -> None:
    """Note how far the clock of operations has come; raises ``Stopped`` as ``writing_in_term``."""
    with writing_in_term(engine, term) as connection:
        connection.execute(sa.update(terms).values(clock_ms=clock_ms))


@dataclass(frozen=True)
class Leadership:
    """What whoever runs operations works with.

    Attributes:
        engine: the ledger's database.
        term: the turn's number, from ``begin_term``; a higher one ends it.
        stopping: set when it is over.
        clock: what time it is for operations.
        others_wait: whether another operation waits for a thread.
    """

    engine: sa.Engine
    term: int
    stopping: threading.Event
    clock: Clock = field(default_factory=Clock)
    others_wait: Callable[[], bool] = lambda: False

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
                newest = _newest_term(connection)
            if newest != self.term:
                raise Stopped
