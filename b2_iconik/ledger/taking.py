"""Which assets an operation may touch: the newest click wins, and operations don't interfere.

Before an operation touches an asset, it leaves to newer operations what they want, and waits for
older ones that have begun something for it and are not done. So a newer operation always
inspects what the older ones have left behind, and its result lasts. ``precedence`` defines which
operation may take over an asset. While an older operation has an asset, a newer one only checks
whether it can see the asset at all.

A protected asset is kept: a Remove begins nothing for it, and waits for nobody. It takes it over
neither from an Add nor from an operation that left something behind.

When an operation is stopped or fails, the next operation on the asset follows the copies that it
left behind. That operation also looks for copies whose requests had no answer, and takes over
deletions that have begun. An Add or an Undo takes over what a Remove has left marked deleted, but
only for the formats that it still has: otherwise it would undo what a newer Remove found done.
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms as wall_ms
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome, merged
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset
from b2_iconik.domain.reasons import TAKEN_BY_NEWER
from b2_iconik.ledger import holdings, leftovers, protections
from b2_iconik.ledger.asset_rows import change_assets
from b2_iconik.ledger.copies import Copies
from b2_iconik.ledger.precedence import Precedence, formats_left
from b2_iconik.ledger.protections import Protection
from b2_iconik.ledger.stop_request import is_stop_requested
from b2_iconik.ledger.tables import assets, progress_has_deletion

SUPERSEDED = Outcome("superseded", TAKEN_BY_NEWER)


class Taking:
    """The assets that an operation may take now, as one transaction sees them.

    Args:
        connection: of the transaction.
        operation: the operation.
        user_name: the name of the user who clicked; "" if unknown.
    """

    def __init__(self, connection: sa.Connection, operation: Operation, user_name: str) -> None:
        self._connection = connection
        self._operation = operation
        self._user_name = user_name
        self._others = Precedence(connection, operation)

    def take(self, limit: int, now_ms: int, copies: Copies) -> list[ClaimedAsset]:
        """Claim the next assets, at most ``limit``, in a transaction of ``writing_in_term``."""
        is_stopping = is_stop_requested(self._connection, self._operation.number)
        takeable = self._takeable(now_ms, is_stopping).limit(limit)
        claimed: list[ClaimedAsset] = []
        # Returning nothing means that nothing is left, so go on if newer operations took all
        # these, or all these are kept.
        while not claimed and (rows := self._connection.execute(takeable).all()):
            kept = {} if is_stopping else self._protections(rows)
            if not (is_stopping or self._operation.action == "preview"):
                taken = self._take_over([row for row in rows if row.asset_id not in kept], copies)
                # The rows of the assets that are taken over are out of date.
                rows = [row for row in rows if row.asset_id not in taken]
            claimed = self._claim(rows, kept, is_stopping)
        return claimed

    def is_any_free(self, now_ms: int) -> bool:
        """Whether there is an asset that need not wait."""
        takeable = self._takeable(now_ms, is_stopping=False).limit(1)
        return self._connection.execute(takeable).first() is not None

    def contested(self, limit: int, now_ms: int) -> list[ClaimedAsset]:
        """Assets claimed by older operations, which keep them if this operation can't see them."""
        rows = self._connection.execute(
            sa.select(assets)
            .where(
                assets.c.number == self._operation.number,
                assets.c.state == "queued",
                assets.c.not_before_ms <= now_ms,
                ~assets.c.seen,
                ~protections.are_kept_from(self._operation.action),
                self._others.have_in_hand(),
                self._others.may_lose(),
            )
            .limit(limit)
        )
        return [self._claimed(row, self._operation.formats) for row in rows]

    def may_delete(self, asset_id: str, formats: Set[str]) -> bool:
        """Whether deletions of some formats of a claimed asset may begin.

        A newer click, a stop, or a protection of the asset may have come in between.
        """
        number, connection = self._operation.number, self._connection
        this = sa.select(self._others.may_take_over()).where(
            assets.c.number == number, assets.c.asset_id == asset_id
        )
        if self._others.is_any_unknown or connection.execute(this).scalar():
            return False
        left = formats_left(connection, self._operation, [asset_id])
        if not formats <= set(left[asset_id]) or is_stop_requested(connection, number):
            return False
        return not protections.of(connection, asset_id)

    def _takeable(self, now_ms: int, is_stopping: bool) -> sa.Select[Any]:
        is_free = ~self._others.have_in_hand()
        # An operation that must stop begins nothing. It only finishes what it has begun.
        if not is_stopping:
            is_known = sa.false() if self._others.is_any_unknown else ~self._others.may_take_over()
            # What is kept waits for nobody, unless something has begun.
            is_kept = sa.and_(
                protections.are_kept_from(self._operation.action),
                assets.c.state == "queued",
                ~progress_has_deletion(),
            )
            is_free = sa.or_(sa.and_(is_free, is_known), is_kept)
        return sa.select(assets).where(
            assets.c.number == self._operation.number,
            assets.c.state.in_(("queued", "recheck")),
            assets.c.not_before_ms <= now_ms,
            is_free,
        )

    def _protections(self, rows: Sequence[Any]) -> Mapping[str, Protection]:
        """The protections that keep some assets from this operation, by id."""
        if self._operation.action not in protections.KEPT_FROM:
            return {}
        return protections.of(self._connection, *(row.asset_id for row in rows))

    def _take_over(self, rows: Sequence[Any], copies: Copies) -> set[str]:
        """Take over what others left unfinished for some assets; returns for which."""
        taken = leftovers.take_over(self._connection, self._operation, rows)
        # An Undo follows no copy: it may take longer than iconik keeps what is marked.
        if self._operation.action != "undo":
            rest = [row for row in rows if row.asset_id not in taken]
            taken |= copies.take_over(self._connection, rest)
        return taken

    def _claim(
        self, rows: Sequence[Any], kept: Mapping[str, Protection], is_stopping: bool
    ) -> list[ClaimedAsset]:
        """Claim the assets that aren't left to newer operations or kept; the others are done."""
        connection, operation = self._connection, self._operation
        asset_ids = [row.asset_id for row in rows]
        left = formats_left(connection, operation, asset_ids)
        formats = {
            each: () if is_stopping or each in kept else names for each, names in left.items()
        }
        seen = {row.asset_id: formats[row.asset_id] for row in rows if row.seen}
        taken = leftovers.take_marked(connection, operation, seen)
        unseen = [each for each in asset_ids if each not in seen]
        must_be_seen = leftovers.must_be_seen(connection, operation, unseen)
        due = holdings.why_due(connection, operation, asset_ids)
        claimed, changes = [], {}
        for row in rows:
            asset = self._claimed(row, formats[row.asset_id])
            asset.progress = taken.get(row.asset_id, asset.progress)
            asset.due = due.get(row.asset_id, {})
            asset.must_be_seen = row.asset_id in must_be_seen
            # A deletion that has begun is finished even if a newer operation exists: otherwise a
            # file set would vanish while the newer operation works on it. A copy that may be
            # under way is followed, because it would undo what the newer operation does. What has
            # begun for an asset before it was protected is finished, too.
            is_claimed = bool(asset.formats) or asset.progress.must_be_finished
            if is_claimed:
                claimed.append(asset)
            mine = set(left[row.asset_id])
            told = {name: SUPERSEDED for name in operation.formats if name not in mine}
            if row.asset_id in kept:
                # What has an outcome was dealt with before.
                new = mine - row.outcomes.keys()
                told |= dict.fromkeys(new, kept[row.asset_id].outcome)
            changes[row.asset_id] = {
                "state": "claimed" if is_claimed else "done",
                "outcomes": merged(row.outcomes, told),
            }
        change_assets(connection, operation.number, changes)
        return claimed

    def _claimed(self, row: sa.Row[Any], formats: tuple[str, ...]) -> ClaimedAsset:
        return claimed_asset(row, self._operation, formats, self._user_name)


def claimed_asset(
    row: sa.Row[Any], operation: Operation, formats: tuple[str, ...], user_name: str
) -> ClaimedAsset:
    """Convert a row of ``assets`` to an asset with the formats to process."""
    progress = AssetProgress.from_json(row.progress).with_current_hint(
        wall_ms(), is_new=row.state == "queued", is_add=operation.action == "add"
    )
    return ClaimedAsset(
        row.asset_id,
        formats,
        progress,
        operation.user_id,
        operation.origin,
        row.outcomes,
        row.seen,
        row.title or "",
        user_name,
    )
