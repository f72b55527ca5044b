"""The line that is logged of each deletion: who had what deleted, and what proved it safe."""

import logging

import logs
from custody import Safe
from entries import Held

log = logging.getLogger(logs.AUDIT)


def deleted(held: Held, format_name: str, file_set_id: str, proof: Safe) -> None:
    """Log that iconik has accepted the deletion of a file set from LucidLink.

    At least once: after a kill between the deletion and its note in the ledger, again.

    Args:
        held: the asset.
        proof: what proved it safe.
    """
    how = "size and checksum" if proof.by_checksum else "size"
    retry = held.retry
    again = f", tried again by {retry.by} (retry of {retry.of})" if retry else ""
    log.info(
        "audit: deleted %s of asset %s: file set %s, %s bytes, clicked by user %s%s, proven by %s "
        "of file set %s on B2",
        format_name,
        held.asset_id,
        file_set_id,
        f"{proof.size:,}",
        held.user_id or "unknown",
        again,
        how,
        proof.twin_id,
        extra={
            "details": {
                "event": "deleted",
                "user_id": held.user_id,
                "retry_of": retry.of if retry else None,
                "retried_by": retry.by if retry else None,
                "asset_id": held.asset_id,
                "format": format_name,
                "file_set_id": file_set_id,
                "bytes": proof.size,
                "twin_file_set_id": proof.twin_id,
                "proven_by": how,
            }
        },
    )


def still_there(held: Held, file_set_id: str) -> None:
    """Log that a file set is still there, though its deletion was accepted and logged."""
    log.warning(
        "audit: not deleted: file set %s of asset %s, though iconik accepted it",
        file_set_id,
        held.asset_id,
        extra={
            "details": {
                "event": "not deleted",
                "asset_id": held.asset_id,
                "file_set_id": file_set_id,
            }
        },
    )
