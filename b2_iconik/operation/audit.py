"""The audit log line of each deletion: who requested it, what was deleted, what proved it safe."""

import logging

from b2_iconik.common import logs
from b2_iconik.domain.operation import Origin, named_user
from b2_iconik.domain.progress import RECORDS_ALONE, ClaimedAsset, Deletion
from iconik import acting_as

log = logging.getLogger(logs.AUDIT)


def deleted(
    asset: ClaimedAsset, file_set_id: str, deletion: Deletion, *, is_marked: bool = False
) -> None:
    """Log a deletion of a file set from LucidLink, right after iconik has accepted it.

    Each deletion is logged at least once. It is logged again if this process is killed between
    the deletion and its record in the ledger.

    Args:
        deletion: has no proof if an earlier version of this service began it.
        is_marked: whether iconik only marks the file set deleted, and purges it later.
    """
    proof, format_name = deletion.proof, deletion.name
    size = f"{proof.size:,} bytes" if proof else "of unknown size"
    how = ("size and checksum" if proof.by_checksum else "size") if proof else None
    judged = "before an interruption"
    if proof:
        asked = RECORDS_ALONE if deletion.way == RECORDS_ALONE else f"B2 asked by {deletion.way}"
        judged = f"by {how} of file set {proof.twin_id} on B2 ({asked})"
    origin, due = asset.origin, asset.due.get(format_name)
    again = f", {_origin(origin)}" if origin else ""
    user = named_user(asset.user_name, asset.user_id)
    log.info(
        "audit: %s %s of %s: file set %s, %s, %s, with %s, proven %s",
        "marked deleted" if is_marked else "deleted",
        format_name,
        asset.named,
        file_set_id,
        size,
        due or f"clicked by {user}{again}",
        acting_as.get(),
        judged,
        extra={
            "details": {
                "event": "marked deleted" if is_marked else "deleted",
                "user_id": asset.user_id,
                "user": asset.user_name or None,
                "token": acting_as.get(),
                "retry_of": origin.of if origin else None,
                "retried_by": origin.by if origin else None,
                "origin": origin.kind if origin else None,
                "due": due,
                "asset_id": asset.asset_id,
                "asset": asset.title or None,
                "format": format_name,
                "file_set_id": file_set_id,
                "bytes": proof.size if proof else None,
                "twin_file_set_id": proof.twin_id if proof else None,
                "proven_by": how,
                "confirmed_by": deletion.way or None,
            }
        },
    )


def restored(asset: ClaimedAsset, file_set_id: str, format_name: str) -> None:
    """Log that a file set that was marked deleted is restored on LucidLink."""
    log.info(
        "audit: restored %s of %s: file set %s, with %s",
        format_name,
        asset.named,
        file_set_id,
        acting_as.get(),
        extra={
            "details": {
                "event": "restored",
                "user_id": asset.user_id,
                "user": asset.user_name or None,
                "token": acting_as.get(),
                "asset_id": asset.asset_id,
                "asset": asset.title or None,
                "format": format_name,
                "file_set_id": file_set_id,
            }
        },
    )


def _origin(origin: Origin) -> str:
    """Where an operation comes from, in words."""
    if origin.kind == "retry":
        return f"retried by {origin.by} (retry of {origin.of})"
    after = f" (after preview {origin.of})" if origin.kind == "preview" else ""
    return f"requested by {origin.by}{after}"


def still_there(asset: ClaimedAsset, file_set_id: str) -> None:
    """Log that a file set is still there although its deletion was accepted and logged."""
    log.warning(
        "audit: not deleted: file set %s of %s, although iconik accepted the deletion",
        file_set_id,
        asset.named,
        extra={
            "details": {
                "event": "not deleted",
                "asset_id": asset.asset_id,
                "file_set_id": file_set_id,
            }
        },
    )
