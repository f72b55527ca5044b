"""How operations end, and how they are forgotten long afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import report
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.counters import Tally, add, count
from b2_iconik.ledger.operations import Ledger, read_operation
from b2_iconik.ledger.tables import assets, copies, is_expanded, operations, unlisted
from b2_iconik.ledger.term import LeaderQueries


class Completion(LeaderQueries):
    """The ends of operations.

    Attributes:
        ledger: the operations.
    """

    def __init__(self, engine: sa.Engine, term: int) -> None:
        super().__init__(engine, term)
        self.ledger = Ledger(engine, term)

    def end(self, operation: Operation, now_ms: int) -> bool:
        """End an operation, if nothing is left to do.

        An operation that was asked to stop ends once its assets are released; see ``Claims.leave``.
        """
        open_assets = sa.select(assets.c.asset_id).where(
            assets.c.number == operation.number, assets.c.state != "done"
        )
        if self._rows(open_assets.limit(1)):
            return False
        # Before the transaction: clicks must not wait while a hundred thousand are counted.
        counts = self._count(operation)
        is_ready = (
            operations.c.stop_ms.is_not(None)
            if operation.stop_ms
            else sa.and_(is_expanded, operations.c.stop_ms.is_(None))
        )
        with self._writing() as connection:
            done = connection.execute(
                sa.update(operations)
                .where(operations.c.number == operation.number, is_ready, ~open_assets.exists())
                # At once, so that nobody takes it for a successful operation in the meantime.
                .values(ended_ms=now_ms, result=_result(counts))
            )
            if done.rowcount == 1:
                add(connection, counts)
            return done.rowcount == 1

    def fail(self, number: int, failure: str, now_ms: int) -> None:
        """End an operation that failed as a whole, and release its assets."""
        why = Reason.of(failure)
        (row,) = self._rows(sa.select(operations).where(operations.c.number == number))
        operation = read_operation(row)
        # An operation that had ended was counted then.
        has_ended = operation.ended_ms is not None
        counts = {} if has_ended else self._count(replace(operation, failure=why))
        with self._writing() as connection:
            add(connection, counts)
            connection.execute(
                sa.update(assets).where(assets.c.number == number).values(state="done")
            )
            connection.execute(
                sa.update(operations)
                .where(operations.c.number == number)
                .values(ended_ms=now_ms, failure=why, failure_cause=why.stored)
            )

    def sum_up(self, operation_id: str) -> dict[str, Any]:
        """Make the report of an operation, and store its result and counts for lists.

        Returns:
            The report, see ``outcomes.report``.

        Raises:
            LookupError: there is no such operation.
        """
        operation = self.ledger.operation(operation_id)
        if operation is None:
            raise LookupError(f"operation {operation_id} is not in the ledger")
        number, ledger = operation.number, self.ledger
        told = report(operation, ledger.outcomes(number), ledger.gone(number))
        if operation.ended_ms is not None:
            with self._writing() as connection:
                connection.execute(
                    sa.update(operations)
                    .where(operations.c.number == number)
                    .values(
                        result=told["result"],
                        counts=told["counts"],
                        totals={name: told[name] for name in ("by_format", "bytes")},
                    )
                )
        return told

    def close(self, operation_id: str, now_ms: int) -> None:
        """Record that nothing is left to do for an operation that has ended."""
        ended = sa.and_(operations.c.id == operation_id, operations.c.ended_ms.is_not(None))
        with self._writing() as connection:
            connection.execute(sa.update(operations).where(ended).values(closed_ms=now_ms))

    def ended_before(self, moment_ms: int) -> list[str]:
        """The ids of the operations that ended before a time, and that no other still depends on.

        An older operation that still runs must see that a newer click took over, however long ago.
        An Add must see what a Remove has left marked deleted, for as long again after iconik should
        have purged it.
        """
        oldest = sa.select(sa.func.min(operations.c.number)).where(operations.c.ended_ms.is_(None))
        first = self._value(oldest)
        rows = self._rows(
            sa.select(operations.c.id).where(
                operations.c.ended_ms < moment_ms,
                sa.func.coalesce(operations.c.undo_until_ms, 0) < moment_ms,
                sa.true() if first is None else operations.c.number < first,
            )
        )
        return [row.id for row in rows]

    def forget(self, operation_ids: Sequence[str]) -> None:
        """Forget operations and all that belongs to them."""
        with self._writing() as connection:
            numbers = sa.select(operations.c.number).where(operations.c.id.in_(operation_ids))
            for table in (assets, copies, unlisted, operations):
                connection.execute(sa.delete(table).where(table.c.number.in_(numbers)))

    def _count(self, operation: Operation) -> Mapping[Tally, int]:
        number, ledger = operation.number, self.ledger
        return count(operation, ledger.outcomes(number), ledger.gone(number))


def _result(counts: Mapping[Tally, int]) -> str:
    """The result of an operation, from its counts."""
    return next(each.outcome for each in counts if each.what == "operation")
