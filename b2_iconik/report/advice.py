"""Advice on each failed outcome, in one or two sentences. Pure: no I/O.

A reason says what happened. Its cause determines what to do. docs/troubleshooting.md has the same
advice in more detail.
"""

from b2_iconik.domain.outcomes import TROUBLE
from b2_iconik.domain.reasons import Cause

USUAL = "Fix the problem described in the reason, then try again."
REMEDIES: dict[Cause, str] = {
    Cause.HALF_DELETED: "Find the file set in iconik's delete queue before iconik empties the "
    "queue, and do what the reason says.",
    Cause.RESTORED: "The file set is still on LucidLink. To remove it, try again.",
    Cause.NOT_RESTORED: "iconik deleted the file set although it was no longer proven safe. Check "
    "the files on B2 now, and restore missing files from LucidLink's snapshots.",
    Cause.NOT_DELETED: "iconik accepted the deletion but did not carry it out. Try again. If the "
    "file set is still there, delete it in iconik.",
    Cause.TOKEN_EXPIRED: "The click's token expired before this was read. Click again in iconik.",
    Cause.NOT_PERMITTED: "Once an iconik administrator has given this role, or access, try "
    "again. Or ask somebody to click who has both.",
    Cause.TOO_SLOW: "iconik or the network was too busy to accept the deletion before its proof "
    "expired. Try again later.",
    Cause.NO_ANSWER: "iconik or B2 was unavailable for too long. Try again when it is back.",
    Cause.LOST_IN_BUCKET: "The file on LucidLink may be the only intact copy. Restore the object "
    "in the B2 bucket, or upload the file to B2 as a new asset or version. Then try again.",
    Cause.NOT_CONFIRMED: "B2 gave no confirmation, for the reason shown. Fix the cause, then try "
    "again. check_setup.py shows whether B2 can be asked by application key or by signed URL.",
    Cause.DIFFERS: "Somebody edited the file on LucidLink. To keep the edit, upload it to B2 as a "
    "new asset or version. To discard it, restore the master on LucidLink. Then try again.",
    Cause.SHARED_FILE: "Another file set uses this file, so one click must prove and remove both. "
    "If the click does not include its format, create a custom action for both formats "
    "(--formats), then click it. If the other file set is not proven safe, fix that first, then "
    "try again.",
    Cause.CHECKSUMS: "The checksums do not show whether the two files are the same. Compare the "
    "files yourself, or copy the file from B2 to LucidLink again. Then try again.",
    Cause.SEQUENCE: "Check that B2 has every frame, then delete the file set in iconik.",
    Cause.BAD_COPY: "If nobody has edited the file on LucidLink since the copy, check in iconik "
    "that another storage still has the source, and delete the file set on LucidLink in iconik. "
    "Then try again.",
    Cause.LOST: "The file is on neither LucidLink nor B2. Look for it in a backup.",
    Cause.STORAGE_CLOSED: "Allow this in iconik's storage settings, then try again.",
    Cause.COPY_FAILED: "Find out in iconik's jobs list why the copy failed, then try again.",
    Cause.NO_SOURCE: "Check the asset's files in iconik. Try again when one storage has all of "
    "them.",
    Cause.VANISHED: "If the asset was deleted on purpose, do nothing. Otherwise restore it in "
    "iconik, and click again.",
    Cause.BEING_WRITTEN: "A render or a copy is still running. Try again when it is done.",
    Cause.UNCLEAR_RECORDS: "iconik's records contradict each other. Have iconik scan the storage "
    "again, then try again.",
    Cause.REFUSED: "iconik refused the request, for the reason shown. Fix the cause, then try "
    "again.",
    Cause.BAD_TWIN: "Check the file on B2. Wait until its upload ends, or upload it again. Then "
    "try again.",
    Cause.LEFT_OUT: "Only assets have files. If none of these objects should be an asset, do "
    "nothing.",
    Cause.BAD_FILE: "Check the file on LucidLink. Repair it, or move it manually. Then try again.",
    Cause.LEFT_TO_ICONIK: "Follow the copy in iconik's jobs list. If it fails, try again.",
    Cause.NOT_STARTED: "To complete it, try again.",
    Cause.TOKEN_REJECTED: "The click's token is no longer valid. Click again in iconik. If the "
    "service has an ICONIK_TOKEN, operations can continue without the click's token.",
    Cause.FAULT: "Try again. If it fails again, ask the service's operator to check the log.",
}


def what_to_do(kind: str, cause: Cause | None) -> str:
    """Return what to do about one row of a report; "" if there is nothing to do.

    Args:
        kind: the outcome's kind, or 'undone'; 'failed' for a whole operation.
        cause: the cause of its reason; None if it has none.
    """
    if kind not in TROUBLE | {"undone"}:
        return ""
    return REMEDIES.get(cause, USUAL) if cause else USUAL
