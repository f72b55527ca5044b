"""Clicks as they become operations: which repeats one that runs, and how a new one is written down.

All within one transaction, that of the recorder, which also hands the operation to the engine.
"""

import sqlalchemy as sa

import tokens
from custom_action import CustomAction
from entries import Retry
from tables import insert_assets, operations

# More would keep the next click waiting.
KNOWN_AT_ONCE = 500


def same_running(
    connection: sa.Connection, click: CustomAction, digest: str, sealed: str = ""
) -> str | None:
    """The running operation that this click repeats, told that it was asked for again.

    A click repeats nothing if something else was clicked since: that may have taken over some of
    its assets, and have ended without what this click wants for them.

    Args:
        connection: from ``writing``.
        digest: equal for clicks that ask for the same.
        sealed: the click's token, encrypted; it may outlive that of the first one.
    """
    found = connection.execute(
        sa.select(operations.c.number, operations.c.id)
        .where(
            operations.c.digest == digest,
            operations.c.ended_ms.is_(None),
            # One that is being stopped would let the click come to nothing.
            operations.c.stop_ms.is_(None),
        )
        .order_by(operations.c.number.desc())
        .limit(1)
    ).first()
    if found is None:
        return None
    newer = sa.select(operations.c.number).where(
        operations.c.number > found.number,
        operations.c.ll_storage_id == click.ll_storage_id,
    )
    if connection.execute(newer.limit(1)).first():
        return None
    connection.execute(
        sa.update(operations)
        .where(operations.c.number == found.number)
        .values(clicks=operations.c.clicks + 1)
    )
    if sealed:
        tokens.keep(connection, found.number, sealed)
    return str(found.id)


def record(
    connection: sa.Connection,
    operation_id: str,
    click: CustomAction,
    *,
    digest: str,
    key: str,
    now_ms: int,
    retry: Retry | None = None,
) -> None:
    """Write down a new operation, the newest of all, in a transaction of ``writing``.

    A few assets are written down with it: then older operations needn't wait to know them.
    """
    is_known = click.tells_assets and 0 < len(click.asset_ids) <= KNOWN_AT_ONCE
    made = connection.execute(
        sa.insert(operations).values(
            id=operation_id,
            action=click.action,
            b2_storage_id=click.b2_storage_id,
            ll_storage_id=click.ll_storage_id,
            formats=list(click.formats),
            selection=click.selection,
            user_id=click.user_id,
            digest=digest,
            key=key,
            clicks=1,
            expanded=int(is_known),
            recorded_ms=now_ms,
            retry_of=retry.of if retry else None,
            retry_by=retry.by if retry else None,
        )
    )
    if is_known:
        number = made.inserted_primary_key[0]  # type: ignore[index]  # it has one
        insert_assets(connection, number, {each: {} for each in click.asset_ids})
