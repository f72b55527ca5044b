"""The newest click wins: what other operations leave of an asset to one, asset by asset.

All of it is read inside the transaction that acts on it, so that there is one order for all.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from entries import Operation
from tables import TOUCHING, assets, operations


def is_any_unknown(connection: sa.Connection, operation: Operation) -> bool:
    """Whether nobody knows yet which assets a newer click is about."""
    rows = connection.execute(
        sa.select(operations.c.formats).where(
            _on_the_same_storage(operation),
            operations.c.number > operation.number,
            operations.c.ended_ms.is_(None),
            operations.c.expanded < operations.c.clicks,
        )
    )
    return any(_overlap(row.formats, operation) for row in rows)


def formats_left(
    connection: sa.Connection, operation: Operation, asset_ids: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """By asset, those of an operation's formats that no newer one wants, ended or not."""
    taken: dict[str, set[str]] = {asset_id: set() for asset_id in asset_ids}
    rows = connection.execute(
        sa.select(assets.c.asset_id, operations.c.formats)
        .join(operations, operations.c.number == assets.c.number)
        .where(
            _on_the_same_storage(operation),
            assets.c.number > operation.number,
            assets.c.asset_id.in_(asset_ids),
        )
    )
    for row in rows:
        taken[row.asset_id].update(row.formats)
    return {
        asset_id: tuple(name for name in operation.formats if name not in lost)
        for asset_id, lost in taken.items()
    }


def is_in_older_hands(connection: sa.Connection, operation: Operation) -> sa.ColumnElement[bool]:
    """Whether an asset, as a row of ``assets``, is in the hands of an older running operation."""
    rows = connection.execute(
        sa.select(operations.c.number, operations.c.formats).where(
            _on_the_same_storage(operation),
            operations.c.number < operation.number,
            operations.c.ended_ms.is_(None),
        )
    )
    older = [row.number for row in rows if _overlap(row.formats, operation)]
    if not older:
        return sa.false()
    theirs = sa.alias(assets)
    return (
        sa.select(theirs.c.asset_id)
        .where(
            theirs.c.asset_id == assets.c.asset_id,
            theirs.c.number.in_(older),
            theirs.c.state.in_(TOUCHING),
        )
        .exists()
    )


def opposites(connection: sa.Connection, operation: Operation) -> list[sa.Row[Any]]:
    """The newer operations that do the opposite of one, for whichever assets, ended or not.

    Returns:
        Their numbers, formats, clicks, expanded, and ended_ms.
    """
    columns = ("number", "formats", "clicks", "expanded", "ended_ms")
    rows = connection.execute(
        sa.select(*(operations.c[name] for name in columns)).where(
            _on_the_same_storage(operation),
            operations.c.number > operation.number,
            operations.c.action != operation.action,
        )
    )
    return [row for row in rows if _overlap(row.formats, operation)]


def _on_the_same_storage(operation: Operation) -> sa.ColumnElement[bool]:
    return operations.c.ll_storage_id == operation.ll_storage_id


def _overlap(formats: Sequence[str], operation: Operation) -> bool:
    return bool(set(formats) & set(operation.formats))
