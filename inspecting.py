"""How one operation stands and what came of its assets, read for the shell bit by bit."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

import operations_view as view
from history import Asset, History
from ledger import Ledger
from outcomes import LEFT, TROUBLE, report
from tables import LET_GO, Operation

Row = dict[str, Any]

JOBS_SHOWN = 20
READ_AT_ONCE = 1000
# The states of an asset that is to be looked at when it is due.
DUE = ("waiting", "settling")


class Inspection:
    """One operation, to be looked at; nothing is written.

    Args:
        engine: SQLAlchemy engine of the ledger's database.

    A row is about one format of an asset, or a collection that could not be opened: ``asset_id``,
    ``format``, ``kind``, ``reason``.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` when the database fails.
    """

    def __init__(self, engine: sa.Engine, operation: Operation) -> None:
        self._history = History(engine)
        self._ledger = Ledger(engine)
        self._operation = operation

    def in_full(self, now_ms: int) -> dict[str, Any]:
        """All of it, as JSON would hold it, but for the rows."""
        there, operation, number = self._history, self._operation, self._operation.number
        under_way, copies = there.copies_in_all(number)
        clock_ms = there.clock()
        moment = view.Moment(
            now_ms=now_ms,
            clock_ms=clock_ms,
            progress=there.progress([number])[number],
            kinds={} if operation.counts else there.kinds(number),
            copies_under_way=under_way,
            copies=copies,
            due_ms=there.next_due(number),
        )
        jobs = there.copies(number, JOBS_SHOWN)
        return {**view.in_full(operation, moment), "copies": list(view.copy_rows(jobs, clock_ms))}

    def rows(self) -> Iterator[Row]:
        """What came of every asset, and of what could not be opened."""
        for asset in self._history.all_assets(self._operation, READ_AT_ONCE):
            yield from self._of(asset)
        gone = self._ledger.gone(self._operation.number)
        yield from view.unopened_rows(sorted(gone.items()))

    def problems(self) -> Iterator[Row]:
        """Those of ``rows`` that a report has as its problems."""
        return (row for row in self.rows() if row["kind"] in TROUBLE or row["reason"] == LEFT)

    def asset(self, asset_id: str) -> dict[str, Any] | None:
        """One asset, as JSON would hold it; None if the operation is not about it."""
        # All that begin so come after it.
        for asset in self._history.assets(self._operation, 1, text=asset_id):
            if asset.asset_id == asset_id.lower():
                return self._told(asset)
        return None

    def _told(self, asset: Asset) -> dict[str, Any]:
        is_open = self._operation.ended_ms is None and asset.state not in LET_GO
        wait_ms = max(0, asset.due_ms - self._history.clock())
        return {
            "operation_id": self._operation.id,
            "asset_id": asset.asset_id,
            "report": list(self._of(asset)),
            "waits_for": view.UNDER_WAY[asset.state] if is_open else None,
            "looks_again_in_seconds": wait_ms // 1000 if is_open and asset.state in DUE else None,
            "failures": asset.memo.failures,
        }

    def _of(self, asset: Asset) -> Iterator[Row]:
        rows = list(view.asset_rows(self._operation, [asset]))
        yield from rows
        if asset.memo.deleting:
            # A failure of the whole operation leaves those without an outcome, but not untold.
            told = report(self._operation, [(asset.asset_id, asset.memo, asset.outcomes)], {})
            yield from (each for each in told["problems"] if each not in rows)
