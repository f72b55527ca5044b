"""The line that is logged of each deletion: who had what deleted, and what proved it safe."""

import logging

import logs
from custody import Safe
from entries import Held
from tokens import acting_as

log = logging.getLogger(logs.AUDIT)


def deleted(held: Held, format_name: str, file_set_id: str, proof: Safe | None) -> None:
    """Log that a file set is gone from LucidLink, right after iconik has said so.

    At least once: after a kill between the deletion and its note in the ledger, again.

    Args:
        held: the asset.
        proof: what proved it safe; None where iconik no longer listed its files when an interrupted
            deletion was brought to its end: the proof was before.
    """
    size = f"{proof.size:,} bytes" if proof else "of unknown size"
    how = ("size and checksum" if proof.by_checksum else "size") if proof else None
    proven = f"by {how} of file set {proof.twin_id} on B2" if proof else "before an interruption"
    retry = held.retry
    again = f", tried again by {retry.by} (retry of {retry.of})" if retry else ""
    log.info(
        "audit: deleted %s of asset %s: file set %s, %s, clicked by user %s%s, with %s, proven %s",
        format_name,
        held.asset_id,
        file_set_id,
        size,
        held.user_id or "unknown",
        again,
        acting_as.get(),
        proven,
        extra={
            "details": {
                "event": "deleted",
                "user_id": held.user_id,
                "token": acting_as.get(),
                "retry_of": retry.of if retry else None,
                "retried_by": retry.by if retry else None,
                "asset_id": held.asset_id,
                "format": format_name,
                "file_set_id": file_set_id,
                "bytes": proof.size if proof else None,
                "twin_file_set_id": proof.twin_id if proof else None,
                "proven_by": how,
            }
        },
    )
