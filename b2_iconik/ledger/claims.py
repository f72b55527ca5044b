"""Which operation may touch which asset: the newest click wins, and operations don't interfere.

An asset of an operation is in one of these states:

``waiting``    nothing of this operation is under way for it
``held``       it is claimed: being inspected, or deleted from, right now
``copying``    copies of it were requested and haven't ended
``settling``   its copies have ended, but iconik's records aren't final yet
``verifying``  iconik has accepted its deletions, which must still be verified
``done``       its outcome is known, or the operation has ended without one
``left``       like ``done``, but no operation follows its requested copies any more

Before an operation touches an asset, it leaves to newer operations what they want, and waits for
older ones for which the asset is held, copying, settling or verifying. So a newer operation always
inspects what the older ones have left behind, and its result lasts. ``precedence`` defines which
operation may take over an asset. While an older operation has an asset, a newer one only checks
whether it can see the asset at all.

When an operation is stopped or fails, the next operation on the asset follows the copies that it
left behind. That operation also looks for copies whose requests had no answer, and takes over
deletions that have begun.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.operation import SOME_TIME, AssetProgress, ClaimedAsset, Deletion, Operation
from b2_iconik.domain.outcomes import Outcome, merged
from b2_iconik.domain.reasons import TAKEN_BY_NEWER
from b2_iconik.ledger import leftovers
from b2_iconik.ledger.copies import Copies
from b2_iconik.ledger.precedence import Precedence, formats_left
from b2_iconik.ledger.tables import TOUCHING, assets, change_assets, operations
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
        term: the executor's term, from ``term.begin_term``.

    Attributes:
        copies: the requested copies, and the assets that wait for them.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` when the database fails; those that write
    raise ``Stopped`` when another process has taken over.
    """

    def __init__(self, engine: sa.Engine, operation: Operation, term: int) -> None:
        self._engine = engine
        self._term = term
        self._operation = operation
        self._number = operation.number
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
        """Have what a killed process had claimed inspected again, ahead of other operations."""
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(
                sa.update(assets)
                .where(
                    self._mine,
                    sa.or_(
                        assets.c.state == "held",
                        # The clock may have been set back by what it went since its last note.
                        sa.and_(assets.c.state == "settling", assets.c.due_ms > now_ms + GRACE_MS),
                    ),
                )
                .values(state="settling", due_ms=now_ms + GRACE_MS)
            )

    def take(self, limit: int, now_ms: int) -> list[ClaimedAsset]:
        """Claim the next assets, at most ``limit``; none if there are none, or all must wait."""
        with writing_in_term(self._engine, self._term) as connection:
            is_stopping = self._is_stopping(connection)
            takeable = self._takeable(connection, now_ms, is_stopping).limit(limit)
            held: list[ClaimedAsset] = []
            # Assets that are all left to newer operations must not look like the last ones.
            while not held and (rows := connection.execute(takeable).all()):
                if not is_stopping:
                    # The rows of the assets that are taken over are out of date then.
                    taken = leftovers.take_over(connection, self._operation, rows)
                    rows = [row for row in rows if row.asset_id not in taken]
                    followed = self.copies.take_over(connection, rows)
                    rows = [row for row in rows if row.asset_id not in followed]
                held = self._hold(connection, rows, is_stopping)
            return held

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
                    assets.c.state == "waiting",
                    assets.c.due_ms <= now_ms,
                    ~assets.c.seen,
                    others.have_in_hand(),
                    others.may_lose(),
                )
                .limit(limit)
            )
            return [self._held(row, self.formats) for row in rows]

    def accepted(self, limit: int, now_ms: int) -> list[ClaimedAsset]:
        """The next assets whose accepted deletions must be verified now, at most ``limit``."""
        due = sa.select(assets).where(
            self._mine, assets.c.state == "verifying", assets.c.due_ms <= now_ms
        )
        with self._engine.connect() as connection:
            rows = connection.execute(due.order_by(assets.c.due_ms).limit(limit))
            return [self._held(row, self._operation.formats) for row in rows]

    def next_verification_ms(self, now_ms: int) -> int | None:
        """When the next accepted deletion is to be verified, if any is later than now."""
        due = sa.select(sa.func.min(assets.c.due_ms)).where(
            self._mine, assets.c.state == "verifying", assets.c.due_ms > now_ms
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
            is_free = sa.and_(is_free, is_known)
        columns = (assets.c.asset_id, assets.c.state, assets.c.memo, assets.c.outcomes)
        return sa.select(*columns, assets.c.seen).where(
            self._mine,
            assets.c.state.in_(("waiting", "settling")),
            assets.c.due_ms <= now_ms,
            is_free,
        )

    def _hold(
        self, connection: sa.Connection, rows: Sequence[Any], is_stopping: bool
    ) -> list[ClaimedAsset]:
        """Claim the assets that aren't left to newer operations, and mark the others as done."""
        left = formats_left(connection, self._operation, [row.asset_id for row in rows])
        held, changes = [], {}
        for row in rows:
            formats = () if is_stopping else left[row.asset_id]
            asset = self._held(row, formats)
            # A deletion that has begun is finished even if a newer operation exists: otherwise a
            # file set would vanish while the newer operation works on it. A copy that may be
            # under way is followed, because it would undo what the newer operation does.
            is_held = bool(formats or asset.memo.deleting or asset.memo.asking)
            if is_held:
                held.append(asset)
            mine = set(left[row.asset_id])
            lost = {name: SUPERSEDED for name in self._operation.formats if name not in mine}
            changes[row.asset_id] = {
                "state": "held" if is_held else "done",
                "outcomes": merged(row.outcomes, lost),
            }
        change_assets(connection, self._number, changes)
        return held

    def _held(self, row: sa.Row[Any], formats: tuple[str, ...]) -> ClaimedAsset:
        operation, memo = self._operation, AssetProgress.from_json(row.memo)
        whose = (operation.user_id, operation.retry)
        return ClaimedAsset(row.asset_id, formats, memo, *whose, row.outcomes, row.seen)

    def begin_deletions(self, held: ClaimedAsset, deletions: Mapping[str, Deletion]) -> bool:
        """Record that deletions begin, unless a newer click or a stop has come in between.

        Args:
            held: the asset. The deletions are stored in its progress.
            deletions: the deletions, by file set id.
        """
        with writing_in_term(self._engine, self._term, is_vital=True) as connection:
            others = Precedence(connection, self._operation)
            this = sa.select(others.may_take_over()).where(
                self._mine, assets.c.asset_id == held.asset_id
            )
            if others.is_any_unknown or connection.execute(this).scalar():
                return False
            left = formats_left(connection, self._operation, [held.asset_id])
            if not {each.name for each in deletions.values()} <= set(left[held.asset_id]):
                return False
            if self._is_stopping(connection):
                return False
            held.memo.deleting.update(deletions)
            change = {"memo": held.memo.as_json(), "seen": held.seen}
            change_assets(connection, self._number, {held.asset_id: change})
            return True

    def leave(self) -> None:
        """Release all assets in order to stop, except those with something that must be finished.

        These are deletions that may have begun, and copies that iconik may or may not have been
        asked for. Copies that are under way continue in iconik.
        """
        with writing_in_term(self._engine, self._term) as connection:
            connection.execute(
                sa.update(assets)
                .where(self._mine, assets.c.state == "waiting")
                .values(state="done")
            )
        last = ""
        touched = sa.select(assets.c.asset_id, assets.c.state, assets.c.memo).where(
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
            memo = AssetProgress.from_json(row.memo)
            if memo.deleting or memo.asking:
                state = "settling" if row.state not in ("settling", "verifying") else ""
            else:
                state = "left" if row.state == "copying" else "done"
            states.setdefault(state, []).append(row.asset_id)
        states.pop("", None)
        for state, asset_ids in states.items():
            connection.execute(
                sa.update(assets)
                .where(self._mine, assets.c.asset_id.in_(asset_ids))
                .values(state=state, due_ms=0)
            )

    def _is_stopping(self, connection: sa.Connection) -> bool:
        asked = sa.select(operations.c.stop_ms).where(operations.c.number == self._number)
        return connection.execute(asked).scalar() is not None

    def note(
        self, held: ClaimedAsset, state: str, outcomes: Mapping[str, Outcome], due_ms: int = 0
    ) -> None:
        """Record the state of an asset after an inspection, and release it.

        Args:
            held: the asset, with its current progress.
            state: its new state.
            outcomes: what is known now, by format name; those of other formats stay.
            due_ms: when to inspect it again, if it must be inspected again.
        """
        self.note_all([(held, outcomes)], state, due_ms)

    def note_all(
        self,
        looked_at: Sequence[tuple[ClaimedAsset, Mapping[str, Outcome]]],
        state: str,
        due_ms: int = 0,
    ) -> None:
        """Record the same state for several assets, each with its own outcomes; see ``note``."""
        with writing_in_term(self._engine, self._term) as connection:
            self._note(connection, looked_at, state, due_ms)

    def asking(
        self, wanted: Sequence[tuple[ClaimedAsset, Mapping[str, Outcome]]], now_ms: int
    ) -> None:
        """Record that copies of claimed assets are about to be requested.

        Args:
            wanted: the assets, and what is known now, by format name.
        """
        with writing_in_term(self._engine, self._term, is_vital=True) as connection:
            for held, _ in wanted:
                held.memo.asking = now_ms if self.is_add else SOME_TIME
            self._note(connection, wanted, "held", 0)

    def _note(
        self,
        connection: sa.Connection,
        looked_at: Sequence[tuple[ClaimedAsset, Mapping[str, Outcome]]],
        state: str,
        due_ms: int,
    ) -> None:
        asset_ids = [held.asset_id for held, _ in looked_at]
        rows = connection.execute(
            sa.select(assets.c.asset_id, assets.c.outcomes).where(
                self._mine, assets.c.asset_id.in_(asset_ids)
            )
        )
        before = {row.asset_id: row.outcomes for row in rows}
        changes = {
            held.asset_id: {
                "state": state,
                "due_ms": due_ms,
                "memo": held.memo.as_json(),
                "seen": held.seen,
                "outcomes": merged(before[held.asset_id], outcomes),
            }
            for held, outcomes in looked_at
        }
        change_assets(connection, self._number, changes)

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return assets.c.number == self._number
