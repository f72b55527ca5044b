"""Turns clicks into operations: detects repeated clicks, and records new ones.

All of it runs in one transaction, the recorder's.
"""

import uuid

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms as wall_ms
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Origin
from b2_iconik.ledger.asset_rows import inherit_seen, insert_assets
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.precedence import OPPOSITES
from b2_iconik.ledger.tables import is_expanded, operations

# Who requests what the service records of its own accord.
SERVICE = "the service"
# More would keep the next click waiting.
KNOWN_AT_ONCE = 500


def not_begun(connection: sa.Connection, click: CustomAction, digest: str) -> str | None:
    """The newest operation, if a click repeats it and it has not begun.

    Whether previews were clicked in between makes no difference to other clicks.

    An operation that has begun may have lost its token, or been aborted in iconik, without this
    service knowing that yet. Then the click would be lost with it. A second operation does no harm:
    it finds little left to do.

    Args:
        connection: from ``writing``.
        digest: equal for clicks of the same user that request the same, with the same token.
    """
    newest = connection.execute(
        sa.select(
            operations.c.id,
            sa.and_(
                operations.c.digest == digest,
                operations.c.ended_ms.is_(None),
                operations.c.stop_ms.is_(None),
                ~is_expanded,
                # Once it is shown in iconik, it can be aborted there.
                operations.c.job_id.is_(None),
            ).label("is_same"),
        )
        .where(
            operations.c.ll_storage_id == click.ll_storage_id,
            operations.c.action.in_([click.action, *OPPOSITES[click.action]]),
        )
        .order_by(operations.c.number.desc())
        .limit(1)
    ).first()
    return str(newest.id) if newest and newest.is_same else None


def record(
    connection: sa.Connection,
    operation_id: str,
    click: CustomAction,
    *,
    digest: str,
    sealed: str,
    key: str,
    now_ms: int,
    origin: Origin | None = None,
) -> None:
    """Record a new operation, the newest of all, in a transaction of ``writing``.

    If the click selects only a few assets, they are recorded with it, so that older operations
    know them at once.

    Args:
        sealed: the click, encrypted by ``Cipher.seal``.
        key: the fingerprint of the key that encrypted it.
        origin: where it comes from; None for a click in iconik.
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
            path=click.path or None,
            digest=digest,
            sealed=sealed,
            key=key,
            expanded=int(is_known),
            recorded_ms=now_ms,
            retry_of=origin.of if origin else None,
            retry_by=origin.by if origin else None,
            origin=origin.kind if origin else None,
            keep_ms=click.keep_ms,
        )
    )
    if is_known:
        number = made.inserted_primary_key[0]  # type: ignore[index]  # it has one
        insert_assets(connection, number, dict.fromkeys(click.asset_ids))
        if origin:
            inherit_seen(connection, number)


def record_own(
    connection: sa.Connection, cipher: Cipher, click: CustomAction, origin: Origin
) -> str:
    """Record an operation that the service itself requests. Returns its id.

    Args:
        connection: from ``writing_in_term``.
        cipher: encrypts the click.
    """
    operation_id = str(uuid.uuid4())
    record(
        connection,
        operation_id,
        click,
        # It repeats no click, and no click repeats it.
        digest=operation_id,
        sealed=cipher.seal(click),
        key=cipher.fingerprints[0],
        now_ms=wall_ms(),
        origin=origin,
    )
    return operation_id
