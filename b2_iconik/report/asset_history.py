"""What operations did with single assets: all of them with one, and later ones with several."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import TROUBLE, Outcome, told_time
from b2_iconik.domain.reasons import Cause
from b2_iconik.ledger import protections
from b2_iconik.ledger.operations import read_operation
from b2_iconik.ledger.protections import Protection
from b2_iconik.ledger.tables import assets, has_marked, holdings, operations
from b2_iconik.report import outcome_rows, view
from b2_iconik.report.history import TITLED, History, title_of
from b2_iconik.report.reported import Reported

OPERATIONS_A_PAGE = 50
# By kind of outcome, where it says that the files are.
PLACES = {
    "copied": "on LucidLink since",
    "restored": "on LucidLink since",
    "there": "on LucidLink, last seen",
    "removed": "removed from LucidLink",
    "absent": "not on LucidLink, last checked",
    "without": "no such format, last checked",
    "removable": "on LucidLink, last seen",
    "uncopied": "on LucidLink, last seen",
    "kept": "kept on LucidLink",
    "failed": "unknown since",
    "vanished": "no longer in iconik, last checked",
}


class AssetHistory:
    """What operations did with single assets, read-only.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` if the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._reported = Reported(engine)
        self._history = History(engine)

    def of(self, asset_id: str, before: int | None = None) -> dict[str, Any] | None:
        """Return what operations did with an asset, the newest first.

        Args:
            before: only operations with a lower number.

        Returns:
            JSON values, with the number to continue before; None if the asset is unknown: no
            stored operation has it, it is not protected, and not known to be on LucidLink.
        """
        mine = sa.select(assets.c.number).where(assets.c.asset_id == asset_id)
        chosen = sa.select(operations).where(operations.c.number.in_(mine))
        if before is not None:
            chosen = chosen.where(operations.c.number < before)
        newest = chosen.order_by(operations.c.number.desc()).limit(OPERATIONS_A_PAGE + 1)
        marked = (
            sa.select(operations.c.id, operations.c.undo_until_ms)
            .join(assets, assets.c.number == operations.c.number)
            .where(
                assets.c.asset_id == asset_id,
                has_marked(),
                operations.c.undo_until_ms > now_ms(),
            )
            .order_by(operations.c.number.desc())
        )
        held = sa.select(holdings.c.title).where(holdings.c.asset_id == asset_id)
        with self._engine.connect() as connection:
            found = [read_operation(row) for row in connection.execute(newest)]
            protection = protections.of(connection, asset_id).get(asset_id)
            to_be_purged = connection.execute(marked.limit(1)).first()
            held_titles = connection.execute(held).scalars().all()
        shown, clock_ms = found[:OPERATIONS_A_PAGE], self._history.clock()
        lines = [self._line(operation, asset_id, clock_ms) for operation in shown]
        if not (lines or protection or held_titles):
            return None
        titles = [row["asset"] for line in lines for row in line["formats"]]
        # Operations are forgotten sooner.
        titles += [*held_titles, protection and protection.title]
        return {
            "asset_id": asset_id,
            "asset": next((each for each in titles if each and each != asset_id), None),
            "protection": protection and protection_in_json(protection),
            # What the newest Remove has marked deleted, and can still be undone.
            "to_be_purged": to_be_purged
            and {"operation_id": to_be_purged.id, "after": told_time(to_be_purged.undo_until_ms)},
            # An older page does not show the newest outcomes.
            "places": places(lines) if before is None else [],
            "operations": lines,
            "before": shown[-1].number if len(found) > len(shown) else None,
        }

    def _line(self, operation: Operation, asset_id: str, clock_ms: int) -> dict[str, Any]:
        mine = self._reported.some(operation, [asset_id])
        told = view.summary(operation, {}, now_ms())
        return {
            **{name: told[name] for name in view.BRIEF},
            "action": operation.action,
            "user": view.person(told),
            "user_id": operation.user_id,
            "ended": told["ended"],
            "ll_storage_id": operation.ll_storage_id,
            "ll_storage": told["ll_storage"],
            "formats": list(outcome_rows.asset_rows(operation, mine, clock_ms)),
        }

    def resolved(
        self, operation: Operation, asset_ids: Collection[str]
    ) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the later operations that did what an operation left undone.

        Returns:
            By asset id and format, the id and the title of the operation with the newest outcome,
            unless that is a problem, too.
        """
        later = (
            sa.select(assets.c.asset_id, assets.c.outcomes, *TITLED)
            .join(operations, operations.c.number == assets.c.number)
            .where(
                assets.c.asset_id.in_(asset_ids),
                assets.c.number > operation.number,
                # A preview does nothing.
                operations.c.action != "preview",
                operations.c.ended_ms.is_not(None),
                operations.c.ll_storage_id == operation.ll_storage_id,
            )
            .order_by(assets.c.number)
        )
        found: dict[tuple[str, str], dict[str, Any]] = {}
        with self._engine.connect() as connection:
            for row in connection.execute(later):
                done = {"operation_id": row.id, "title": title_of(row)}
                for name, stored in row.outcomes.items():
                    kind = Outcome.read(stored).kind
                    if kind in TROUBLE:
                        found.pop((row.asset_id, name), None)
                    elif kind != "superseded":
                        found[row.asset_id, name] = done
        return found


def protection_in_json(protection: Protection) -> dict[str, str]:
    """Return a protection as JSON values."""
    return {
        "by": protection.by,
        "since": told_time(protection.since_ms),
        "until": protection.until,
    }


def places(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return where the files of an asset are, as far as its newest outcomes tell.

    Args:
        lines: what operations did with the asset, the newest first.

    Returns:
        For each LucidLink storage and format: ``place``, in words that a time follows, ``since``,
        ``reason`` and ``what_to_do``.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for line in lines:
        for row in line["formats"]:
            key = (line["ll_storage_id"], row["format"])
            told = {"format": key[1], "ll_storage_id": key[0], "ll_storage": line["ll_storage"]}
            # A preview that could not look has changed nothing. Nobody looks at what is protected.
            has_failed = line["action"] == "preview" and row["kind"] == "failed"
            is_unseen = has_failed or row["cause"] == Cause.PROTECTED.value
            if row["kind"] in PLACES and not is_unseen:
                since = line["ended"] or line["recorded"]
                place = {"place": PLACES[row["kind"]], "since": since}
                place |= {name: row[name] for name in ("reason", "what_to_do")}
                if key not in found or found[key]["since"] is None:
                    found[key] = {**told, "kind": row["kind"], **place}
            else:
                unknown = {
                    "kind": "",
                    "place": "unknown",
                    "since": None,
                    "reason": "",
                    "what_to_do": "",
                }
                found.setdefault(key, {**told, **unknown})
    return list(found.values())
