"""How operations write the rows of their assets, and find those of others."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.progress import AssetProgress, Hint
from b2_iconik.ledger.tables import assets, insert_new, operations


def insert_assets(connection: sa.Connection, number: int, hints: Mapping[str, Hint | None]) -> None:
    """Record that an operation covers some assets, with their hints; existing rows stay."""
    new = {"number": number, "state": "queued", "not_before_ms": 0, "outcomes": {}, "seen": False}
    columns = hinted(connection, number, hints)
    rows = [{**new, "asset_id": each, **values} for each, values in columns.items()]
    connection.execute(insert_new(connection, assets), rows)


def hinted(
    connection: sa.Connection, number: int, hints: Mapping[str, Hint | None]
) -> dict[str, dict[str, Any]]:
    """The columns of new assets with a hint, by id. None leaves an asset to be looked up.

    An asset that another operation has not finished is read before it is copied: by then, the hint
    is wrong.
    """
    unfinished = sa.select(assets.c.asset_id).join(
        operations, operations.c.number == assets.c.number
    )
    rows = connection.execute(
        unfinished.where(
            assets.c.asset_id.in_(hints),
            assets.c.number != number,
            assets.c.state != "done",
            operations.c.ended_ms.is_(None),
        )
    )
    in_use, columns = {row.asset_id for row in rows}, {}
    for asset_id, hint in hints.items():
        progress = AssetProgress()
        if hint and hint.format_names:
            ready = () if asset_id in in_use else hint.ready
            progress = AssetProgress(
                format_names=hint.format_names, ready=ready, hinted_ms=now_ms()
            )
        columns[asset_id] = {
            "title": hint and hint.title,
            "size": hint and hint.size,
            "progress": progress.as_json(),
        }
    return columns


def inherit_seen(connection: sa.Connection, number: int) -> None:
    """Record that an operation has seen what the retried one has: they share a token."""
    retry_of = sa.select(operations.c.retry_of).where(operations.c.number == number)
    of = operations.c.id == retry_of.scalar_subquery()
    before = sa.select(operations.c.number).where(of).scalar_subquery()
    seen = sa.select(assets.c.asset_id).where(assets.c.number == before, assets.c.seen)
    mine = sa.and_(assets.c.number == number, assets.c.asset_id.in_(seen))
    connection.execute(sa.update(assets).where(mine).values(seen=True))


def change_assets(
    connection: sa.Connection, number: int, changes: Mapping[str, Mapping[str, Any]]
) -> None:
    """Change assets of an operation: by id, new values by column, of the same columns for all."""
    if changes:
        # In one call, because clicks wait meanwhile.
        one = sa.update(assets).where(
            assets.c.number == number, assets.c.asset_id == sa.bindparam("this")
        )
        connection.execute(one, [{"this": each, **new} for each, new in changes.items()])


def of_others(
    operation: Operation, asset_ids: Collection[str], *columns: Any
) -> sa.Select[tuple[Any, ...]]:
    """A query of some assets as other operations on the same LucidLink storage have them."""
    return (
        sa.select(*columns)
        .join(operations, operations.c.number == assets.c.number)
        .where(
            assets.c.asset_id.in_(asset_ids),
            assets.c.number != operation.number,
            operations.c.ll_storage_id == operation.ll_storage_id,
        )
    )
