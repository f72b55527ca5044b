"""The state of one operation and its assets' outcomes, read in parts for the shell."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from b2_iconik.cli.lookup import CANDIDATES, only_asset
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import COUNTED_AS, PREVIEWED, TROUBLE
from b2_iconik.domain.reasons import Cause
from b2_iconik.report import outcome_rows
from b2_iconik.report.contents import Contents
from b2_iconik.report.reported import Asset, Reported

Row = dict[str, Any]

# The states of an asset that is inspected once it is due.
DUE = ("queued", "recheck")
# The members of an operation that the result of a preview has, too.
OF_PREVIEW = (
    "operation_id", "title", "result", "recorded", "ended", "failure", "what_to_do", "stopped_by",
)  # fmt: skip


class OperationDetails:
    """One operation, read-only.

    A row describes one format of an asset, or a collection that could not be listed. It has the
    columns of ``outcome_rows.COLUMNS``.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` if the database fails.
    """

    def __init__(self, engine: sa.Engine, operation: Operation) -> None:
        self._contents = Contents(engine)
        self._reported = Reported(engine)
        self._operation = operation

    def in_full(self) -> dict[str, Any]:
        """Return the operation in full as JSON values, without the rows."""
        return self._contents.in_full(self._operation)

    def page(self) -> dict[str, Any]:
        """Return the same with the members that the JSON of a page has besides its rows."""
        told = self.in_full()
        return {
            **told,
            "unopened_shown": told["unopened"],
            "matching": told["assets"],
            "more": None,
        }

    def previewed(self) -> dict[str, Any]:
        """Return what a Remove would do, as the operation, a preview, found out; without the rows.

        Returns:
            Some of the members of ``in_full``, and:

            - ``formats``: by format and kind of outcome, the number of ``assets``, their ``bytes``,
            and how many of them are proven ``by_checksum``, ``by_size`` and ``by_records``.
            - ``bytes``: what a Remove would free at ``once``, and ``later``, after copies to B2.
            - ``removed_as``: the operations that remove what was found removable.
        """
        told = self.in_full()
        formats = {
            name: {
                kind: Counter(assets=kinds[kind], bytes=0)
                for kind in (*PREVIEWED, *kinds)
                if kinds.get(kind)
            }
            for name, kinds in told["by_format"].items()
        }
        for each in self._reported.totals(self._operation.number):
            found = formats[each.format_name][each.kind]
            found["bytes"] += each.size
            found.update(dict.fromkeys(COUNTED_AS.get(each.proof, ()), each.assets))
        sizes = told["bytes"]
        return {
            **{name: told[name] for name in OF_PREVIEW},
            "formats": formats,
            "bytes": {"once": sizes.get("removable", 0), "later": sizes.get("uncopied", 0)},
            "removed_as": [each for each in told["retried_as"] if each["origin"] == "preview"],
        }

    def rows(self) -> Iterator[Row]:
        """Yield the outcomes of every asset, and of what could not be listed; problems first."""
        return self._contents.rows(self._operation)

    def problems(self) -> Iterator[Row]:
        """Yield the rows that a report lists as problems."""
        for row in self.rows():
            if row["kind"] in TROUBLE or row["reason"].cause == Cause.LEFT_TO_ICONIK:
                yield row

    def asset(self, text: str) -> dict[str, Any]:
        """Return one asset as JSON values.

        Args:
            text: what names it; see ``Reported.named``.

        Raises:
            NotFound: the operation includes no such asset, or several.
        """
        found = self._reported.named(self._operation, text, CANDIDATES + 1)
        return self._told(only_asset(found, self._operation, text))

    def others(self) -> Iterator[Row]:
        """Yield the rows about which there is nothing to do."""
        return (row for row in self.rows() if not row["what_to_do"])

    def advised(self) -> Iterator[Row]:
        """Yield the rows about which there is something to do."""
        return (row for row in self.rows() if row["what_to_do"])

    def _told(self, asset: Asset) -> dict[str, Any]:
        is_open = self._operation.ended_ms is None and asset.state != "done"
        clock_ms = self._contents.history.clock()
        wait_ms = max(0, asset.not_before_ms - clock_ms)
        return {
            "operation_id": self._operation.id,
            "asset_id": asset.asset_id,
            "asset": asset.title or asset.asset_id,
            "report": list(self._contents.asset_rows(self._operation, [asset])),
            "waits_for": outcome_rows.under_way(asset, clock_ms) if is_open else None,
            "looks_again_in_seconds": wait_ms // 1000 if is_open and asset.state in DUE else None,
            "failures": asset.progress.failures,
        }
