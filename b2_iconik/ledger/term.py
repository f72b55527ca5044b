"""A process's term of running operations, and its clock. There is one term at a time."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.clock import Clock
from b2_iconik.common.errors import Stopped
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.tables import terms


def begin_term(engine: sa.Engine, began_ms: int) -> int:
    """Begin a term, which ends that of the previous process. Returns the number of the new term."""
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
    """A transaction of the process that runs operations in the current term.

    Args:
        term: from ``begin_term``.
        is_vital: as in ``database.writing``.

    Raises:
        Stopped: another process has taken over. So a late process can't undo the work of the new
            one.
    """
    with writing(engine, is_vital=is_vital) as connection:
        if _newest_term(connection) != term:
            raise Stopped
        yield connection


class LeaderQueries:
    """Queries of the process that runs operations. Each method is one transaction.

    Args:
        engine: SQLAlchemy engine of the ledger's database.
        term: the leader's term, from ``begin_term``.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` when the database fails; those that write
    raise ``Stopped`` when another process has taken over.
    """

    def __init__(self, engine: sa.Engine, term: int) -> None:
        self._engine = engine
        self._term = term

    def _rows(self, query: sa.Executable) -> Sequence[Any]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    def _value(self, query: sa.Executable) -> Any | None:
        """The first column of the first row; None if there is no row."""
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def _writing(self, *, is_vital: bool = False) -> AbstractContextManager[sa.Connection]:
        return writing_in_term(self._engine, self._term, is_vital=is_vital)


def _newest_term(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.max(terms.c.term))).scalar() or 0


def time_kept(engine: sa.Engine) -> int:
    """The last recorded time of the clock of operations, in milliseconds."""
    with engine.connect() as connection:
        kept = connection.execute(sa.select(sa.func.max(terms.c.clock_ms)))
        return int(kept.scalar_one())


def keep_time(engine: sa.Engine, term: int, clock_ms: int) -> None:
    """Record the time of the clock of operations; raises ``Stopped`` like ``writing_in_term``."""
    with writing_in_term(engine, term) as connection:
        connection.execute(sa.update(terms).values(clock_ms=clock_ms))


@dataclass(frozen=True)
class Leadership:
    """The term in which this process runs operations.

    Attributes:
        engine: the ledger's database.
        term: the number of the term, from ``begin_term``; a higher one ends it.
        stopping: set when the term is over.
        clock: the clock of operations.
        others_wait: whether another operation waits for a thread.
    """

    engine: sa.Engine
    term: int
    stopping: threading.Event
    clock: Clock = field(default_factory=Clock)
    others_wait: Callable[[], bool] = lambda: False

    def check(self, deletes: bool) -> None:
        """Check that the term isn't over, right before each request to iconik and each retry.

        Args:
            deletes: whether the request deletes files. If so, the ledger is checked, too: a process
                that was suspended doesn't know yet that another has taken over.

        Raises:
            Stopped: the term is over.
        """
        if self.stopping.is_set():
            raise Stopped
        if deletes:
            with self.engine.connect() as connection:
                newest = _newest_term(connection)
            if newest != self.term:
                raise Stopped
