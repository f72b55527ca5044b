"""The rows of a report: one for each format of each asset, and those of one asset together. Pure.

The operations page, its JSON and CSV and the command line show them.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from b2_iconik.common.texts import age
from b2_iconik.domain.advice import what_to_do
from b2_iconik.domain.operation import Operation, kind_and_id
from b2_iconik.domain.outcomes import left_over, undo_in_words
from b2_iconik.domain.reasons import LEFT, LEFT_AND_ENDED, NOT_COME_TO, TAKEN_BY, Cause, Reason
from b2_iconik.report.history import Newer
from b2_iconik.report.reported import Asset

# The advice on each kind of outcome.
HINTS: dict[str, str] = {
    "kept": "Still on LucidLink, because it is protected, or not proven safe in B2. Do what the "
    "report says, then try again.",
    "failed": "Could not be done. Fix the problem described in the reason, then try again.",
    "unopened": "These collections, saved searches and playlists could not be listed completely, "
    "or hold objects that are not assets. See each reason.",
    "vanished": "These assets no longer exist in iconik, so nothing was done. If that is wrong, "
    "restore them in iconik, and click again there.",
    "undone": "Not done when the operation ended. Each reason says whether iconik may still be "
    "copying. To complete it, try again.",
    "superseded": "A newer click on these assets took over.",
    "without": "No such format, so there was nothing to do.",
    "there": "Were already on LucidLink.",
    "absent": "Were not on LucidLink.",
    "copied": "Copied to LucidLink.",
    "restored": "Were marked as deleted, and are back on LucidLink.",
    "removed": "Proven safe in B2, and deleted from LucidLink.",
    "removable": "Proven safe in B2 now. A Remove would delete these from LucidLink at once.",
    "uncopied": "Not in B2 yet. A Remove would first have iconik copy these to B2.",
}
COLUMNS = ("asset_id", "asset", "format", "kind", "reason", "what_to_do", "size", "cause")
# The kinds of rows, the most important one for people first.
KINDS = ("failed", "kept", "vanished", "undone", "under way", "uncopied", "removed", "removable",
         "copied", "restored", "superseded", "there", "absent", "without")  # fmt: skip
# The headings of a CSV file.
HEADINGS = (*COLUMNS[:-3], "what to do", "bytes", "cause")
NOBODY: Mapping[tuple[str, str], Newer] = {}
# The states of an asset whose outcome isn't known yet.
UNDER_WAY: dict[str, str] = {
    "queued": "waiting for its turn",
    "claimed": "being checked",
    "copying": "being copied by iconik",
    "recheck": "waiting for its next check",
    "verifying": "waiting until its deletion is verified",
    "done": "its outcome will be shown when the operation ends",
}


def so_far(unfinished: str, since_ms: int, clock_ms: int) -> str:
    """Say for how long files have been unfinished: '… has been growing on LucidLink for 2 min'."""
    return f"{unfinished} for {age(max(0, clock_ms - since_ms))}"


def asset_rows(
    operation: Operation,
    assets: Iterable[Asset],
    clock_ms: int,
    newer: Mapping[tuple[str, str], Newer] = NOBODY,
) -> Iterator[dict[str, Any]]:
    """Yield rows of ``COLUMNS`` and ``newer``, one or more for each format of each asset.

    Args:
        clock_ms: the time by the clock of operations.
        newer: by asset and format, the operation that took over.
    """
    places = {name: place for place, name in enumerate(operation.formats)}
    names = _names(operation)
    for asset in assets:
        undoable = {each.name for each in asset.progress.marked.values()}
        rows: list[tuple[str, str, Reason, int | None]] = [
            (name, each.kind, _with_undo(operation, each.reason), each.size)
            if name in undoable
            else (name, each.kind, each.reason, each.size)
            for name, each in asset.outcomes.items()
            if name in places
        ]
        if operation.ended_ms is None:
            rows += [
                (name, "under way", Reason(under_way(asset, clock_ms)), None)
                for name in operation.formats
                if name not in asset.outcomes
            ]
        else:
            for name, kind, reason in left_over(operation, asset.progress, asset.outcomes):
                is_over = reason is LEFT and not asset.is_being_copied
                rows.append((name, kind, LEFT_AND_ENDED if is_over else reason, None))
        for name, kind, reason, size in sorted(rows, key=lambda row: places[row[0]]):
            taker = newer.get((asset.asset_id, name)) if kind == "superseded" else None
            if taker:
                reason = TAKEN_BY(action=_action_of(taker))
            title = asset.title or names.get(asset.asset_id) or asset.asset_id
            yield _row(asset.asset_id, title, name, kind, reason, size, taker)


def _with_undo(operation: Operation, reason: Reason) -> Reason:
    """Return the reason of a row, and until when it can be undone."""
    return Reason("; ".join(filter(None, (reason, undo_in_words(operation)))), reason.cause)


def under_way(asset: Asset, clock_ms: int) -> str:
    """Return what an asset without an outcome waits for."""
    progress = asset.progress
    if asset.state == "recheck" and progress.unfinished and progress.unfinished_ms is not None:
        return so_far(progress.unfinished, progress.unfinished_ms, clock_ms)
    return UNDER_WAY.get(asset.state, "")


def unopened_rows(
    operation: Operation, unopened: Iterable[tuple[str, Reason]]
) -> Iterator[dict[str, Any]]:
    """Yield such a row for each collection, saved search or playlist that could not be listed."""
    names = _names(operation)
    for what, reason in unopened:
        kind, object_id = kind_and_id(what)
        yield _row(what, names.get(object_id) or f"a {kind}", None, "failed", reason)


def _names(operation: Operation) -> dict[str, str | None]:
    """Return the names of some of what was selected, by id."""
    subjects = (operation.names or {}).get("subjects", ())
    return {each["id"]: each["path"] or each["name"] for each in subjects}


def operation_row(operation: Operation) -> dict[str, Any]:
    """Return such a row for an operation that ended before its assets were known."""
    reason = operation.failure or NOT_COME_TO
    return _row("", "", None, "failed" if operation.failure else "undone", reason)


def _row(
    subject: str,
    title: str,
    name: str | None,
    kind: str,
    reason: Reason,
    size: int | None = None,
    newer: Newer | None = None,
) -> dict[str, Any]:
    advice = what_to_do(kind, reason.cause)
    cells = (subject, title, name, kind, reason, advice, size, reason.stored)
    shown = ("operation_id", "title", "user")
    told = {each: getattr(newer, each) for each in shown} if newer else None
    return {**dict(zip(COLUMNS, cells, strict=True)), "newer": told}


def _action_of(newer: Newer) -> str:
    """Return what took over, as in 'a newer … took over': 'Remove by Ana Ruiz'."""
    by = f" by {newer.user}" if newer.user else ""
    return f"{newer.action.capitalize()}{by}"


def by_asset(rows: Iterable[Mapping[str, Any]], show: str) -> Iterator[dict[str, Any]]:
    """Yield a dictionary for each asset, made from its consecutive rows.

    Args:
        rows: the rows, from ``asset_rows`` or ``unopened_rows``.
        show: the kind of outcome that is searched for; "" for any.

    Yields:
        A dictionary with these members:

        - ``asset_id`` and ``title``; None for an unknown title.
        - ``rows``: its rows.
        - ``worst``: the row to show if there is room for one: one that is searched for, or the most
        important one.
        - ``reasons``: each ``reason`` with the ``formats`` that it applies to, none for all of
        them; and the ``newer`` operation that it names. Of removed formats, that only some of their
        deletions were verified is left out.
        - ``what_to_do``: what to do about the most important row that still needs something.
        - ``resolved``: a later operation that did what one of its rows had left undone.
    """
    for asset_id, several in groupby(rows, key=itemgetter("asset_id")):
        every = list(several)
        by_importance = sorted(every, key=lambda row: KINDS.index(row["kind"]))
        reasons: dict[str, list[Mapping[str, Any]]] = {}
        for row in every:
            if row["reason"] and row["cause"] != Cause.UNVERIFIED.value:
                reasons.setdefault(row["reason"], []).append(row)
        open_rows = (row for row in by_importance if row["what_to_do"] and not row["resolved"])
        yield {
            "asset_id": asset_id,
            "title": every[0]["asset"] if every[0]["asset"] != asset_id else None,
            "rows": every,
            "worst": next((row for row in every if row["kind"] == show), by_importance[0]),
            "reasons": [
                {
                    "reason": reason,
                    "formats": [row["format"] for row in rows] if len(rows) < len(every) else [],
                    "newer": rows[0]["newer"],
                }
                for reason, rows in reasons.items()
            ],
            "what_to_do": next((row["what_to_do"] for row in open_rows), ""),
            "resolved": next(filter(None, (row["resolved"] for row in every)), None),
        }


def alone(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a report for people who may see nothing of other operations.

    It still tells whether one of them has done what this one had left undone.
    """
    unnamed = {"operation_id": None, "title": None}
    return {**row, "newer": None, "resolved": row["resolved"] and unnamed}
