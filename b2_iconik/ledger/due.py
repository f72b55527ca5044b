"""Assets whose time on LucidLink is up: their removal is recorded like a click."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.keeping import ATTEMPT_INTERVAL_MS, MOST_ATTEMPTS
from b2_iconik.domain.operation import Origin
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.holdings import KEY, is_in_hand, is_with, removals
from b2_iconik.ledger.intake import SERVICE, record_own
from b2_iconik.ledger.tables import CHUNK, holdings, is_expanded, operations, protections
from b2_iconik.ledger.term import LeaderQueries

# How many formats of assets are due in one transaction. Clicks wait meanwhile.
AT_ONCE = 10_000


class Due(LeaderQueries):
    """What is due. Times are iconik's."""

    def any_asset(self) -> str | None:
        """The id of some asset whose time matters; None if there is none."""
        every = sa.union_all(sa.select(holdings.c.asset_id), sa.select(protections.c.asset_id))
        return self._value(every.limit(1))

    def advance(self, earliest_ms: int, latest_ms: int) -> None:
        """Do what the time alone decides: end protections, and begin times that wait for it.

        Args:
            earliest_ms, latest_ms: the limits of the time; see ``ServerClock``.
        """
        is_over = protections.c.until_ms <= earliest_ms
        # A time that somebody has chosen since stays.
        is_undated = sa.and_(holdings.c.since_ms == 0, holdings.c.until_by.is_(None))
        over = sa.select(protections.c.asset_id).where(is_over)
        undated = sa.select(holdings.c.asset_id).where(is_undated)
        if self._rows(over.limit(1)) or self._rows(undated.limit(1)):
            with self._writing() as connection:
                connection.execute(sa.delete(protections).where(is_over))
                connection.execute(
                    sa.update(holdings)
                    .where(is_undated)
                    .values(since_ms=latest_ms, until_ms=latest_ms + holdings.c.keep_ms)
                )

    def is_any(self, now_ms: int) -> bool:
        """Whether a removal can be recorded; see ``record``."""
        # In any order: there may be very much that is not due.
        return bool(self._rows(_due(now_ms).order_by(None).limit(1)))

    def record(self, cipher: Cipher, now_ms: int) -> list[CustomAction]:
        """Record the removal of what is due, as far as no other operation has it in hand.

        An Add that still waits wins, because it is newer than the time that is up. What is
        protected stays. Each attempt is followed by the next one after a day, until there were
        ``MOST_ATTEMPTS``.

        Args:
            cipher: encrypts the recorded operations.
            now_ms: the time that iconik's clock has certainly reached.

        Returns:
            What was recorded.
        """
        with self._writing() as connection:
            rows = connection.execute(_due(now_ms).limit(AT_ONCE)).all()
            return [
                self._record_one(connection, cipher, now_ms, click, is_last=is_last)
                for click, is_last in _grouped(rows)
            ]

    def _record_one(
        self,
        connection: sa.Connection,
        cipher: Cipher,
        now_ms: int,
        click: CustomAction,
        *,
        is_last: bool,
    ) -> CustomAction:
        origin = Origin(None, SERVICE, "last" if is_last else "due")
        operation_id = record_own(connection, cipher, click, origin)
        for start in range(0, len(click.asset_ids), CHUNK):
            connection.execute(
                sa.update(holdings)
                .where(
                    holdings.c.ll_storage_id == click.ll_storage_id,
                    holdings.c.asset_id.in_(click.asset_ids[start : start + CHUNK]),
                    holdings.c.format_name.in_(click.formats),
                )
                .values(
                    attempts=holdings.c.attempts + 1,
                    next_attempt_ms=now_ms + ATTEMPT_INTERVAL_MS,
                    attempt_id=operation_id,
                )
            )
        return click


def _due(now_ms: int) -> sa.Select[Any]:
    """A query of the formats of assets whose removal is due and can be recorded."""
    is_protected = (
        sa.select(protections.c.asset_id)
        .where(protections.c.asset_id == holdings.c.asset_id)
        .exists()
    )
    # Of a collection that is still being listed, any asset may be in it.
    unlisted = sa.select(operations.c.ll_storage_id).where(
        operations.c.ended_ms.is_(None),
        operations.c.action != "preview",
        ~is_expanded,
    )
    return (
        sa.select(holdings)
        .where(
            holdings.c.until_ms <= now_ms,
            sa.or_(
                holdings.c.next_attempt_ms.is_(None),
                holdings.c.next_attempt_ms <= now_ms,
            ),
            holdings.c.attempts < MOST_ATTEMPTS,
            holdings.c.ll_storage_id.not_in(unlisted),
            ~is_protected,
            ~is_with(is_in_hand()),
        )
        .order_by(*KEY)
    )


def _grouped(rows: Sequence[sa.Row[Any]]) -> Iterator[tuple[CustomAction, bool]]:
    """Yield the clicks that remove what is due, and whether each is the last attempt."""
    for is_last in (True, False):
        some = [row for row in rows if (row.attempts + 1 >= MOST_ATTEMPTS) == is_last]
        for click in removals(some):
            yield click, is_last
