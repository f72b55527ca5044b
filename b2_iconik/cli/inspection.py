"""The state of one operation and its assets' outcomes, read in parts for the shell."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from b2_iconik.cli.lookup import CANDIDATES, only_asset
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import COUNTED_AS, PREVIEWED, TROUBLE
from b2_iconik.domain.reasons import Cause
from b2_iconik.report import outcome_rows
from b2_iconik.report.contents import Contents

Row = dict[str, Any]

# The states of an asset that is inspected once it is due.
DUE = ("queued", "recheck")
# The members of an operation that the result of a preview has, too.
OF_PREVIEW = (
    "operation_id", "title", "result", "recorded", "ended", "failure", "what_to_do", "stopped_by",
)  # fmt: skip


def page(contents: Contents, operation: Operation) -> dict[str, Any]:
    """Return an operation with the members that the JSON of its page has besides its rows."""
    told = contents.in_full(operation)
    return {**told, "unopened_shown": told["unopened"], "matching": told["assets"], "more": None}


def previewed(contents: Contents, operation: Operation) -> dict[str, Any]:
    """Return what a Remove would do, as a preview found out, without the rows.

    Returns:
        Some of the members of ``Contents.in_full``, and:

        - ``formats``: by format and kind of outcome, the number of ``assets``, their ``bytes``, and
        how many of them are proven ``by_checksum``, ``by_size`` and ``by_records``.
        - ``bytes``: what a Remove would free at ``once``, and ``later``, after copies to B2.
        - ``removed_as``: the operations that remove what was found removable.
    """
    told = contents.in_full(operation)
    formats = {
        name: {
            kind: Counter(assets=kinds[kind], bytes=0)
            for kind in (*PREVIEWED, *kinds)
            if kinds.get(kind)
        }
        for name, kinds in told["by_format"].items()
    }
    for each in contents.reported.totals(operation.number):
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


def problems(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows that a report lists as problems."""
    for row in rows:
        if row["kind"] in TROUBLE or row["reason"].cause == Cause.LEFT_TO_ICONIK:
            yield row


def asset(contents: Contents, operation: Operation, text: str) -> dict[str, Any]:
    """Return one asset of an operation as JSON values.

    Args:
        text: what names it; see ``Reported.named``.

    Raises:
        NotFound: the operation includes no such asset, or several.
    """
    found = contents.reported.named(operation, text, CANDIDATES + 1)
    one = only_asset(found, operation, text)
    is_open = operation.ended_ms is None and one.state != "done"
    clock_ms = contents.history.clock()
    wait_ms = max(0, one.not_before_ms - clock_ms)
    return {
        "operation_id": operation.id,
        "asset_id": one.asset_id,
        "asset": one.title or one.asset_id,
        "report": list(contents.asset_rows(operation, [one])),
        "waits_for": outcome_rows.under_way(one, clock_ms) if is_open else None,
        "looks_again_in_seconds": wait_ms // 1000 if is_open and one.state in DUE else None,
        "failures": one.progress.failures,
    }
