"""Which operation may touch which asset: the newest click wins, and operations don't interfere.

An asset of an operation is in one of these states:

``queued``     nothing of this operation is under way for it
``claimed``    it is being inspected, or deleted from, right now
``copying``    copies of it were requested and haven't ended
``recheck``    something is under way for it, so it must be inspected again
``verifying``  iconik has accepted its deletions; one search verifies those of many assets
``done``       its outcome is known, or the operation has ended without one

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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import (
    LISTING_LAG_MS,
    AssetProgress,
    ClaimedAsset,
    Deletion,
    Operation,
    UndoWindow,
)
from b2_iconik.domain.outcomes import Outcome, merged
from b2_iconik.domain.reasons import TAKEN_BY_NEWER
from b2_iconik.ledger import holdings, leftovers, protections
from b2_iconik.ledger.copies import Copies
from b2_iconik.ledger.precedence import Precedence, formats_left
from b2_iconik.ledger.protections import Protection
from b2_iconik.ledger.tables import (
    TOUCHING,
    assets,
    change_assets,
    operations,
    progress_has_deletion,
)
from b2_iconik.ledger.term import writing_in_term

# A request of the killed process may still be on its way through iconik.
GRACE_MS = 5_000
LEFT_AT_ONCE = 500
SUPERSEDED = Outcome("superseded", TAKEN_BY_NEWER)


class Claims:
    """The assets of one operation. Each method is one transaction.

    Args:
        engine: SQLAlchemy engine of the ledger's database.
        operation: the operation.
        term: the leader's term, from ``term.begin_term``.
        iconik_ms: returns iconik's time, from which on assets are kept; None if it isn't known.

    Attributes:
        copies: the requested copies, and the assets that wait for them.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` when the database fails; those that write
    raise ``Stopped`` when another process has taken over.
    """

    def __init__(
        self,
        engine: sa.Engine,
        operation: Operation,
        term: int,
        iconik_ms: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._iconik_ms = iconik_ms
        self._term = term
        self._operation = operation
        self._number = operation.number
        self._user_name = operation.user_name or ""
        self.copies = Copies(engine, operation, term)

    @property
    def formats(self) -> tuple[str, ...]:
        """Names of the formats that the operation is about, in the order of the click."""
        return self._operation.formats

    @property
    def is_add(self) -> bool:
        """Whether the operation adds the assets to LucidLink, rather than removing them."""
        return self._operation.action == "add"

    def recover(self, now_ms: int) -> None:
        """Queue what a killed process had claimed for another inspection.

        It comes ahead of other operations.
        """
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(
                sa.update(assets)
                .where(
                    self._mine,
                    sa.or_(
                        assets.c.state == "claimed",
                        # After a crash, the clock resumes from its last stored value.
                        sa.and_(
                            assets.c.state == "recheck", assets.c.not_before_ms > now_ms + GRACE_MS
                        ),
                    ),
                )
                .values(state="recheck", not_before_ms=now_ms + GRACE_MS)
            )

    def take(self, limit: int, now_ms: int) -> list[ClaimedAsset]:
        """Claim the next assets, at most ``limit``; none if there are none, or all must wait."""
        with writing_in_term(self._engine, self._term) as connection:
            is_stopping = self._is_stopping(connection)
            self._user_name = self._user_name or self._read_user_name(connection)
            takeable = self._takeable(connection, now_ms, is_stopping).limit(limit)
            claimed: list[ClaimedAsset] = []
            # Returning nothing means that nothing is left, so go on if newer operations took all
            # these, or all these are kept.
            while not claimed and (rows := connection.execute(takeable).all()):
                kept = {} if is_stopping else self._protections(connection, rows)
                if not (is_stopping or self._operation.action == "preview"):
                    # The rows of the assets that are taken over are out of date then.
                    free = [row for row in rows if row.asset_id not in kept]
                    taken = leftovers.take_over(connection, self._operation, free)
                    free = [row for row in free if row.asset_id not in taken]
                    # An Undo follows no copy: it may take longer than iconik keeps what is marked.
                    if self._operation.action != "undo":
                        taken |= self.copies.take_over(connection, free)
                    rows = [row for row in rows if row.asset_id not in taken]
                claimed = self._claim(connection, rows, kept, is_stopping)
            return claimed

    def contested(self, limit: int, now_ms: int) -> list[ClaimedAsset]:
        """Assets claimed by older operations, which keep them if this operation can't see them.

        They are not claimed: this operation only checks whether it can see them, and records that.
        """
        with self._engine.connect() as connection:
            others = Precedence(connection, self._operation)
            rows = connection.execute(
                sa.select(assets)
                .where(
                    self._mine,
                    assets.c.state == "queued",
                    assets.c.not_before_ms <= now_ms,
                    ~assets.c.seen,
                    ~protections.are_kept_from(self._operation.action),
                    others.have_in_hand(),
                    others.may_lose(),
                )
                .limit(limit)
            )
            return [self._claimed(row, self.formats) for row in rows]

    def accepted(self, limit: int, now_ms: int) -> list[ClaimedAsset]:
        """The next assets whose accepted deletions must be verified now, at most ``limit``."""
        due = sa.select(assets).where(
            self._mine, assets.c.state == "verifying", assets.c.not_before_ms <= now_ms
        )
        with self._engine.connect() as connection:
            rows = connection.execute(due.order_by(assets.c.not_before_ms).limit(limit))
            return [self._claimed(row, self._operation.formats) for row in rows]

    def next_verification_ms(self, now_ms: int) -> int | None:
        """When the next accepted deletion is to be verified, if any is later than now."""
        due = sa.select(sa.func.min(assets.c.not_before_ms)).where(
            self._mine, assets.c.state == "verifying", assets.c.not_before_ms > now_ms
        )
        with self._engine.connect() as connection:
            return connection.execute(due).scalar()

    def is_any_free(self, now_ms: int) -> bool:
        """Whether there is an asset that need not wait."""
        with self._engine.connect() as connection:
            takeable = self._takeable(connection, now_ms, is_stopping=False).limit(1)
            return connection.execute(takeable).first() is not None

    def _takeable(
        self, connection: sa.Connection, now_ms: int, is_stopping: bool
    ) -> sa.Select[Any]:
        others = Precedence(connection, self._operation)
        is_free = ~others.have_in_hand()
        # An operation that must stop begins nothing. It only finishes what it has begun.
        if not is_stopping:
            is_known = sa.false() if others.is_any_unknown else ~others.may_take_over()
            # What is kept waits for nobody, unless something has begun.
            is_kept = sa.and_(
                protections.are_kept_from(self._operation.action),
                assets.c.state == "queued",
                ~progress_has_deletion(),
            )
            is_free = sa.or_(sa.and_(is_free, is_known), is_kept)
        columns = (assets.c.asset_id, assets.c.state, assets.c.progress, assets.c.outcomes)
        return sa.select(*columns, assets.c.seen, assets.c.title).where(
            self._mine,
            assets.c.state.in_(("queued", "recheck")),
            assets.c.not_before_ms <= now_ms,
            is_free,
        )

    def _protections(
        self, connection: sa.Connection, rows: Sequence[Any]
    ) -> Mapping[str, Protection]:
        """The protections that keep some assets from this operation, by id."""
        if self._operation.action not in protections.KEPT_FROM:
            return {}
        return protections.of(connection, *(row.asset_id for row in rows))

    def _claim(
        self,
        connection: sa.Connection,
        rows: Sequence[Any],
        kept: Mapping[str, Protection],
        is_stopping: bool,
    ) -> list[ClaimedAsset]:
        """Claim the assets that aren't left to newer operations or kept; the others are done."""
        asset_ids = [row.asset_id for row in rows]
        left = formats_left(connection, self._operation, asset_ids)
        formats = {
            each: () if is_stopping or each in kept else names for each, names in left.items()
        }
        seen = {row.asset_id: formats[row.asset_id] for row in rows if row.seen}
        taken = leftovers.take_marked(connection, self._operation, seen)
        unseen = [each for each in asset_ids if each not in seen]
        must_be_seen = leftovers.must_be_seen(connection, self._operation, unseen)
        due = holdings.why_due(connection, self._operation, asset_ids)
        claimed, changes = [], {}
        for row in rows:
            asset = self._claimed(row, formats[row.asset_id])
            asset.progress = taken.get(row.asset_id, asset.progress)
            asset.due = due.get(row.asset_id, {})
            asset.must_be_seen = row.asset_id in must_be_seen
            protection = kept.get(row.asset_id)
            # A deletion that has begun is finished even if a newer operation exists: otherwise a
            # file set would vanish while the newer operation works on it. A copy that may be
            # under way is followed, because it would undo what the newer operation does. What has
            # begun for an asset before it was protected is finished, too.
            is_claimed = bool(asset.formats) or asset.progress.must_be_finished
            if is_claimed:
                claimed.append(asset)
            mine = set(left[row.asset_id])
            told = {name: SUPERSEDED for name in self._operation.formats if name not in mine}
            if protection:
                # What has an outcome was dealt with before.
                told |= dict.fromkeys(mine - row.outcomes.keys(), protection.outcome)
            changes[row.asset_id] = {
                "state": "claimed" if is_claimed else "done",
                "outcomes": merged(row.outcomes, told),
            }
        change_assets(connection, self._number, changes)
        return claimed

    def _claimed(self, row: sa.Row[Any], formats: tuple[str, ...]) -> ClaimedAsset:
        operation, progress = self._operation, AssetProgress.from_json(row.progress)
        progress = progress.with_current_hint(
            now_ms(), is_new=row.state == "queued", is_add=self.is_add
        )
        whose = (operation.user_id, operation.origin)
        return ClaimedAsset(
            row.asset_id,
            formats,
            progress,
            *whose,
            row.outcomes,
            row.seen,
            row.title or "",
            self._user_name,
        )

    def _read_user_name(self, connection: sa.Connection) -> str:
        """The name of the user who clicked. It is usually found while the operation runs."""
        name = sa.select(operations.c.user_name).where(operations.c.number == self._number)
        return connection.execute(name).scalar() or ""

    def being_deleted(self, asset_id: str) -> dict[str, str]:
        """The file sets of an asset that other operations have begun to delete, by format name."""
        with self._engine.connect() as connection:
            return leftovers.being_deleted(connection, self._operation, asset_id)

    def begin_deletions(
        self,
        asset: ClaimedAsset,
        deletions: Mapping[str, Deletion],
        window: UndoWindow | None = None,
    ) -> bool:
        """Record that deletions begin, unless something has come in between.

        This is a newer click, a stop, or a protection of the asset.

        Args:
            asset: the asset. Its progress has the deletions once they are recorded.
            deletions: the deletions, by file set id.
            window: how long they can be undone, if the file sets are only marked deleted.

        Returns:
            Whether they are recorded.
        """
        with writing_in_term(self._engine, self._term, is_vital=True) as connection:
            others = Precedence(connection, self._operation)
            this = sa.select(others.may_take_over()).where(
                self._mine, assets.c.asset_id == asset.asset_id
            )
            if others.is_any_unknown or connection.execute(this).scalar():
                return False
            left = formats_left(connection, self._operation, [asset.asset_id])
            if not {each.name for each in deletions.values()} <= set(left[asset.asset_id]):
                return False
            if self._is_stopping(connection) or protections.of(connection, asset.asset_id):
                return False
            asset.progress = asset.progress.with_deletions(deletions)
            change = {"progress": asset.progress.as_json(), "seen": asset.seen}
            change_assets(connection, self._number, {asset.asset_id: change})
            if window:
                # An operation may last longer than iconik keeps what it marked first.
                is_over = operations.c.undo_until_ms <= window.since_ms
                self._open(connection, window, is_over)
            return True

    def open_window(self, window: UndoWindow) -> None:
        """Record how long an interrupted deletion can be undone, if that is not known yet."""
        with writing_in_term(self._engine, self._term) as connection:
            self._open(connection, window)

    def _open(
        self, connection: sa.Connection, window: UndoWindow, *more: sa.ColumnElement[bool]
    ) -> None:
        is_new = sa.or_(operations.c.undo_until_ms.is_(None), *more)
        connection.execute(
            sa.update(operations)
            .where(operations.c.number == self._number, is_new)
            .values(undo_until_ms=window.until_ms, undo_is_about=window.is_about)
        )

    def leave(self) -> None:
        """Release all assets in order to stop, except those with work that must be finished.

        That work is deletions that may have begun, or copies that iconik may or may not have been
        asked for. Copies that are under way continue in iconik.
        """
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(
                sa.update(assets).where(self._mine, assets.c.state == "queued").values(state="done")
            )
        last = ""
        touched = sa.select(assets.c.asset_id, assets.c.state, assets.c.progress).where(
            self._mine, assets.c.state.in_(TOUCHING)
        )
        # Many short transactions: clicks are recorded in between.
        while True:
            with writing_in_term(self._engine, self._term) as connection:
                rows = connection.execute(
                    touched.where(assets.c.asset_id > last)
                    .order_by(assets.c.asset_id)
                    .limit(LEFT_AT_ONCE)
                ).all()
                if not rows:
                    return
                last = rows[-1].asset_id
                self._leave(connection, rows)

    def _leave(self, connection: sa.Connection, rows: Sequence[Any]) -> None:
        """Release some claimed assets."""
        states: dict[str, list[str]] = {}
        for row in rows:
            progress = AssetProgress.from_json(row.progress)
            if progress.must_be_finished:
                state = "recheck" if row.state not in ("recheck", "verifying") else ""
            else:
                state = "done"
            states.setdefault(state, []).append(row.asset_id)
        states.pop("", None)
        for state, asset_ids in states.items():
            connection.execute(
                sa.update(assets)
                .where(self._mine, assets.c.asset_id.in_(asset_ids))
                .values(state=state, not_before_ms=0)
            )

    def _is_stopping(self, connection: sa.Connection) -> bool:
        asked = sa.select(operations.c.stop_ms).where(operations.c.number == self._number)
        return connection.execute(asked).scalar() is not None

    def note(
        self,
        asset: ClaimedAsset,
        state: str,
        outcomes: Mapping[str, Outcome],
        not_before_ms: int = 0,
    ) -> None:
        """Record the state of an asset. Every state but ``claimed`` releases it.

        Args:
            asset: the asset, with its current progress.
            state: its new state.
            outcomes: what is known now, by format name; those of other formats stay.
            not_before_ms: when to inspect it again, if it must be inspected again.
        """
        self.note_all([(asset, outcomes)], state, not_before_ms)

    def note_all(
        self,
        inspected: Sequence[tuple[ClaimedAsset, Mapping[str, Outcome]]],
        state: str,
        not_before_ms: int = 0,
    ) -> None:
        """Record the same state for several assets, each with its own outcomes; see ``note``."""
        with writing_in_term(self._engine, self._term) as connection:
            self._note(connection, inspected, state, not_before_ms)

    def begin_copies(
        self, wanted: Sequence[tuple[ClaimedAsset, Mapping[str, Outcome]]], now_ms: int
    ) -> None:
        """Record that copies of claimed assets are about to be requested.

        Args:
            wanted: the assets, and what is known now, by format name.
        """
        # A copy to B2 that nobody knows of does no harm; one to LucidLink would undo a Remove.
        until_ms = now_ms + LISTING_LAG_MS if self.is_add else now_ms
        with writing_in_term(self._engine, self._term, is_vital=True) as connection:
            for asset, _ in wanted:
                asset.progress = replace(asset.progress, unanswered_until_ms=until_ms)
            self._note(connection, wanted, "claimed", 0)

    def _note(
        self,
        connection: sa.Connection,
        inspected: Sequence[tuple[ClaimedAsset, Mapping[str, Outcome]]],
        state: str,
        not_before_ms: int,
    ) -> None:
        asset_ids = [asset.asset_id for asset, _ in inspected]
        rows = connection.execute(
            sa.select(assets.c.asset_id, assets.c.outcomes).where(
                self._mine, assets.c.asset_id.in_(asset_ids)
            )
        )
        before = {row.asset_id: row.outcomes for row in rows}
        stored = {
            asset.asset_id: merged(before[asset.asset_id], outcomes)
            for asset, outcomes in inspected
        }
        changes = {
            asset.asset_id: {
                "state": state,
                "not_before_ms": not_before_ms,
                "progress": asset.progress.as_json(),
                "seen": asset.seen,
                "outcomes": stored[asset.asset_id],
            }
            for asset, _ in inspected
        }
        change_assets(connection, self._number, changes)
        whose = (self._user_name, self._iconik_ms())
        holdings.note(connection, self._operation, inspected, stored, *whose)

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return assets.c.number == self._number
