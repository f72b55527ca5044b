"""How much is on LucidLink, and how much of it is due. Only displayed, by this machine's clock."""

from typing import NamedTuple

import sqlalchemy as sa

from b2_iconik.domain.keeping import OVERDUE_AFTER_MS, UNITS_MS
from b2_iconik.ledger.tables import holdings

DAY_MS = UNITS_MS["d"]


class Totals(NamedTuple):
    """How much is on LucidLink.

    An asset on two LucidLink storages counts twice. It counts as due if one of its formats is.

    Attributes:
        assets: the number of assets.
        bytes: the size of their formats, as far as it is known.
        due: the assets that are due within a day and not overdue.
        overdue: the assets that are still there more than a week after their time.
    """

    assets: int = 0
    bytes: int = 0
    due: int = 0
    overdue: int = 0


def is_overdue(now_ms: int) -> sa.ColumnElement[bool]:
    """Build a condition: a holding is 'overdue'; see ``keeping.state_of``."""
    return holdings.c.until_ms < now_ms - OVERDUE_AFTER_MS


def is_due(now_ms: int, within_ms: int = DAY_MS) -> sa.ColumnElement[bool]:
    """Build a condition: a holding is due within some time, and not overdue."""
    return sa.and_(holdings.c.until_ms <= now_ms + within_ms, ~is_overdue(now_ms))


def totals(connection: sa.Connection, now_ms: int) -> Totals:
    """Count what is on LucidLink.

    Args:
        now_ms: the time, in milliseconds since 1970.
    """
    (due, _), (overdue, _) = (count(connection, each(now_ms)) for each in (is_due, is_overdue))
    return Totals(*count(connection), due, overdue)


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
