"""The assets of a running operation: how it claims them, and what it records about them.

An asset of an operation is in one of these states:

``queued``     nothing of this operation is under way for it
``claimed``    it is being inspected, or deleted from, right now
``copying``    copies of it were requested and haven't ended
``recheck``    something is under way for it, so it must be inspected again
``verifying``  iconik has accepted its deletions; one search verifies those of many assets
``done``       its outcome is known, or the operation has ended without one

``taking`` decides which assets it may claim, and delete from.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.operation import Operation, UndoWindow
from b2_iconik.domain.outcomes import Outcome, merged
from b2_iconik.domain.progress import LISTING_LAG_MS, AssetProgress, ClaimedAsset, Deletion
from b2_iconik.ledger import holdings
from b2_iconik.ledger.asset_rows import change_assets, of_others
from b2_iconik.ledger.copies import Copies
from b2_iconik.ledger.tables import TOUCHING, assets, operations, progress_has_deletion
from b2_iconik.ledger.taking import Taking, claimed_asset
from b2_iconik.ledger.term import LeaderQueries

# A request of the killed process may still be on its way through iconik.
GRACE_MS = 5_000
LEFT_AT_ONCE = 500


class Claims(LeaderQueries):
    """The assets of one operation.

    Args:
        iconik_ms: returns iconik's time, from which on assets are kept; None if it isn't known.

    Attributes:
        copies: the requested copies, and the assets that wait for them.
    """

    def __init__(
        self,
        engine: sa.Engine,
        operation: Operation,
        term: int,
        iconik_ms: Callable[[], int | None] = lambda: None,
    ) -> None:
        super().__init__(engine, term)
        self._iconik_ms = iconik_ms
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
        with self._writing() as connection:
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
        with self._writing() as connection:
            # It is usually found while the operation runs.
            self._user_name = self._user_name or self._read_user_name(connection)
            return self._taking(connection).take(limit, now_ms, self.copies)

    def contested(self, limit: int, now_ms: int) -> list[ClaimedAsset]:
        """Assets claimed by older operations, which keep them if this operation can't see them.

        They are not claimed: this operation only checks whether it can see them, and records that.
        """
        with self._engine.connect() as connection:
            return self._taking(connection).contested(limit, now_ms)

    def is_any_free(self, now_ms: int) -> bool:
        """Whether there is an asset that need not wait."""
        with self._engine.connect() as connection:
            return self._taking(connection).is_any_free(now_ms)

    def _taking(self, connection: sa.Connection) -> Taking:
        return Taking(connection, self._operation, self._user_name)

    def _read_user_name(self, connection: sa.Connection) -> str:
        name = sa.select(operations.c.user_name).where(operations.c.number == self._number)
        return connection.execute(name).scalar() or ""

    def accepted(self, limit: int, now_ms: int) -> list[ClaimedAsset]:
        """The next assets whose accepted deletions must be verified now, at most ``limit``."""
        due = sa.select(assets).where(
            self._mine, assets.c.state == "verifying", assets.c.not_before_ms <= now_ms
        )
        rows = self._rows(due.order_by(assets.c.not_before_ms).limit(limit))
        return [claimed_asset(row, self._operation, self.formats, self._user_name) for row in rows]

    def next_verification_ms(self, now_ms: int) -> int | None:
        """When the next accepted deletion is to be verified, if any is later than now."""
        due = sa.select(sa.func.min(assets.c.not_before_ms)).where(
            self._mine, assets.c.state == "verifying", assets.c.not_before_ms > now_ms
        )
        return self._value(due)

    def being_deleted(self, asset_id: str) -> dict[str, str]:
        """The file sets of an asset that other operations have begun to delete, by format name.

        Only for an operation that takes over nothing.
        """
        begun = of_others(self._operation, [asset_id], assets.c.progress)
        rows = self._rows(begun.where(progress_has_deletion()).order_by(assets.c.number))
        return {
            one.name: file_set_id
            for row in rows
            for file_set_id, one in AssetProgress.from_json(row.progress).unaccepted.items()
        }

    def begin_deletions(
        self,
        asset: ClaimedAsset,
        deletions: Mapping[str, Deletion],
        window: UndoWindow | None = None,
    ) -> bool:
        """Record that deletions begin, unless something has come in between.

        Args:
            asset: the asset. Its progress has the deletions once they are recorded.
            deletions: the deletions, by file set id.
            window: how long they can be undone, if the file sets are only marked deleted.

        Returns:
            Whether they are recorded.
        """
        with self._writing(is_vital=True) as connection:
            names = {each.name for each in deletions.values()}
            if not self._taking(connection).may_delete(asset.asset_id, names):
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
        with self._writing() as connection:
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
        with self._writing() as connection:
            connection.execute(
                sa.update(assets).where(self._mine, assets.c.state == "queued").values(state="done")
            )
        last = ""
        touched = sa.select(assets.c.asset_id, assets.c.state, assets.c.progress).where(
            self._mine, assets.c.state.in_(TOUCHING)
        )
        # Many short transactions: clicks are recorded in between.
        while True:
            with self._writing() as connection:
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
        changes = {}
        for row in rows:
            if not AssetProgress.from_json(row.progress).must_be_finished:
                changes[row.asset_id] = {"state": "done", "not_before_ms": 0}
            elif row.state not in ("recheck", "verifying"):
                changes[row.asset_id] = {"state": "recheck", "not_before_ms": 0}
        change_assets(connection, self._number, changes)

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
        with self._writing() as connection:
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
        with self._writing(is_vital=True) as connection:
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
        user_name, iconik_ms = self._user_name, self._iconik_ms()
        holdings.note(connection, self._operation, inspected, stored, user_name, iconik_ms)

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return assets.c.number == self._number
