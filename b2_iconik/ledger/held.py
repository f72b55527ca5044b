"""What is on LucidLink, in numbers, and conditions for its rows: what is due, what is overdue.

Times are iconik's. They are compared with the wall clock here, so this is for display only.
"""

from typing import NamedTuple

import sqlalchemy as sa

from b2_iconik.domain.keeping import ATTEMPT_INTERVAL_MS, MOST_ATTEMPTS, UNITS_MS
from b2_iconik.ledger.tables import holdings

DAY_MS = UNITS_MS["d"]


class Held(NamedTuple):
    """How much is on LucidLink.

    An asset on two LucidLink storages counts twice. It counts as due if one of its formats is.

    Attributes:
        assets: the number of assets.
        bytes: the size of their formats, as far as it is known.
        due: the assets that are due within a day and not overdue.
        overdue: the assets whose removal is no longer attempted although their time is up.
    """

    assets: int = 0
    bytes: int = 0
    due: int = 0
    overdue: int = 0


def is_overdue(now_ms: int) -> sa.ColumnElement[bool]:
    """Build a condition: a holding is 'overdue'; see ``keeping.state_of``."""
    until_ms = holdings.c.until_ms
    return sa.or_(
        until_ms <= now_ms - MOST_ATTEMPTS * ATTEMPT_INTERVAL_MS,
        sa.and_(until_ms <= now_ms, holdings.c.attempts >= MOST_ATTEMPTS),
    )


def is_due(now_ms: int, within_ms: int = DAY_MS) -> sa.ColumnElement[bool]:
    """Build a condition: a holding is due within some time, and not overdue."""
    return sa.and_(holdings.c.until_ms <= now_ms + within_ms, ~is_overdue(now_ms))


def held(connection: sa.Connection, now_ms: int) -> Held:
    """Count what is on LucidLink.

    Args:
        now_ms: the time, in milliseconds since 1970.
    """
    (due, _), (overdue, _) = (count(connection, each(now_ms)) for each in (is_due, is_overdue))
    return Held(*count(connection), due, overdue)


def count(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> tuple[int, int]:
    """Return the number of assets with a holding that meets some conditions, and their bytes."""
    by_asset = (
        sa.select(sa.func.sum(holdings.c.size).label("size"))
        .where(*conditions)
        .group_by(holdings.c.ll_storage_id, holdings.c.asset_id)
        .subquery()
    )
    row = connection.execute(sa.select(sa.func.count(), sa.func.sum(by_asset.c.size))).one()
    return int(row[0]), int(row[1] or 0)
