"""Protect an asset from every Remove until a day, and lift that, each with an audit log line."""

import logging

import sqlalchemy as sa

from b2_iconik.common import logs
from b2_iconik.common.errors import ProtectionError
from b2_iconik.ledger import protections
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.leftovers import is_being_deleted
from b2_iconik.ledger.protections import Protection

log = logging.getLogger(logs.AUDIT)


def protect(engine: sa.Engine, protection: Protection) -> bool:
    """Protect an asset, or prolong its protection.

    Returns:
        Whether a deletion had begun for the asset, which is finished.

    Raises:
        ProtectionError: the asset is protected for longer.
        sqlalchemy.exc.SQLAlchemyError: the database failed.
    """
    asset_id = protection.asset_id
    with writing(engine, is_vital=True) as connection:
        earlier = protections.of(connection, asset_id).get(asset_id)
        if earlier and earlier.until_ms > protection.until_ms:
            # Nobody ends the protection of somebody else without a reason.
            raise ProtectionError(
                f"the asset is {earlier.outcome.reason}; to set an earlier day, lift that "
                "protection first"
            )
        protections.write(connection, protection)
        is_late = is_being_deleted(connection, asset_id)
    log.info(
        "audit: protected %s until %s, by %s",
        protection.named,
        protection.until,
        protection.by,
        extra=_details("protected", protection),
    )
    return is_late


def lift(engine: sa.Engine, asset_id: str, reason: str, by: str) -> Protection:
    """Lift the protection of an asset.

    Args:
        reason: why, from ``keeping.parse_reason``.
        by: who lifts it, for display.

    Returns:
        The lifted protection.

    Raises:
        ProtectionError: the asset is not protected.
        sqlalchemy.exc.SQLAlchemyError: the database failed.
    """
    with writing(engine, is_vital=True) as connection:
        lifted = protections.of(connection, asset_id).get(asset_id)
        if lifted is None:
            raise ProtectionError("the asset is not protected, or its protection has ended")
        protections.delete(connection, asset_id)
    log.info(
        "audit: lifted the protection of %s by %s until %s, by %s: %s",
        lifted.named,
        lifted.by,
        lifted.until,
        by,
        reason,
        extra=_details("protection lifted", lifted, lifted_by=by, reason=reason),
    )
    return lifted


def _details(event: str, protection: Protection, **more: str) -> dict[str, dict[str, str | None]]:
    """What a program reads of an audit log line."""
    return {
        "details": {
            "event": event,
            "asset_id": protection.asset_id,
            "asset": protection.title or None,
            "protected_by": protection.by,
            "until": protection.until,
            **more,
        }
    }
