"""Counts the results of operations and of their assets since the database was created.

Results are counted in the transaction that ends an operation. So each counts exactly once, even if
a process is killed. Counts are kept when the operation is forgotten. They take a few dozen rows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome, report
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.domain.reasons import Cause
from b2_iconik.ledger.tables import assets, counters, insert_new, operations
from b2_iconik.ledger.totals import Totals, totals


class Tally(NamedTuple):
    """The key of a counter.

    Attributes:
        what: 'operation'; 'format' for a format of an asset; 'unopened' for a collection or saved
            search that could not be opened.
        action: one of ``click.ACTIONS``.
        outcome: an operation's result or a format's outcome, as in reports; 'failed' if unopened.
        reason: the label of a reason, see ``reasons``; "" for none.
    """

    what: str
    action: str
    outcome: str
    reason: str = ""


class Standing(NamedTuple):
    """The state of all operations.

    Attributes:
        ended: the counts of results.
        running: operations that haven't ended, by action.
        pending: assets that aren't done, by action and state.
        oldest_ms: when the oldest running operation was clicked, in milliseconds since 1970.
        held: how much is on LucidLink.
    """

    ended: dict[Tally, int]
    running: dict[str, int]
    pending: dict[tuple[str, str], int]
    oldest_ms: int | None
    held: Totals = Totals()


def count(
    operation: Operation,
    outcomes: Iterable[tuple[str, AssetProgress, Mapping[str, Outcome]]],
    gone: Mapping[str, str],
) -> Counter[Tally]:
    """Count the results of an operation that ends now.

    Args:
        operation: the operation before its end is recorded.
        outcomes: asset id, progress, and outcomes by format.
        gone: by collection, saved search or playlist, why it could not be listed.
    """
    counts: Counter[Tally] = Counter()

    def counted() -> Iterator[tuple[str, AssetProgress, Mapping[str, Outcome]]]:
        for each in outcomes:
            for outcome in each[2].values():
                label = outcome.reason.label
                counts[Tally("format", operation.action, outcome.kind, label)] += 1
            yield each

    told = report(replace(operation, ended_ms=operation.recorded_ms), counted(), gone)
    # Unfinished deletions may have no outcomes, but the report lists them.
    halves = told["counts"]["failed"] - sum(
        times for tally, times in counts.items() if tally.outcome == "failed"
    )
    if halves:
        counts[Tally("format", operation.action, "failed", Cause.HALF_DELETED.value)] += halves
    if gone:
        counts[Tally("unopened", operation.action, "failed")] = len(gone)
    counts[Tally("operation", operation.action, told["result"])] += 1
    return counts


def add(connection: sa.Connection, counts: Mapping[Tally, int]) -> None:
    """Add counts to the stored ones, in a transaction of ``writing``."""
    for tally, number in counts.items():
        here = [counters.c[name] == value for name, value in tally._asdict().items()]
        connection.execute(insert_new(connection, counters).values(**tally._asdict(), times=0))
        connection.execute(sa.update(counters).where(*here).values(times=counters.c.times + number))


def standing(engine: sa.Engine) -> Standing:
    """The current state: a few short queries, however many assets there are.

    Raises:
        SQLAlchemyError: the database fails.
    """
    is_running = operations.c.ended_ms.is_(None)
    with engine.connect() as connection:
        ended = connection.execute(sa.select(counters))
        counts = {Tally(row.what, row.action, row.outcome, row.reason): row.times for row in ended}
        running = connection.execute(
            sa.select(operations.c.action, sa.func.count(), sa.func.min(operations.c.recorded_ms))
            .where(is_running)
            .group_by(operations.c.action)
        ).all()
        pending = connection.execute(
            sa.select(operations.c.action, assets.c.state, sa.func.count())
            .join(assets, assets.c.number == operations.c.number)
            .where(is_running, assets.c.state != "done")
            .group_by(operations.c.action, assets.c.state)
        )
        return Standing(
            counts,
            {row.action: row[1] for row in running},
            {(row.action, row.state): row[2] for row in pending},
            min((row[2] for row in running), default=None),
            totals(connection, now_ms()),
        )
