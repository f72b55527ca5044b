"""Advice on each failed outcome, in one or two sentences. Pure: no I/O.

A reason says what happened. Its cause determines what to do. docs/troubleshooting.md has the same
advice in more detail.
"""

from b2_iconik.domain.outcomes import TROUBLE
from b2_iconik.domain.reasons import OTHER, Cause

USUAL = "Fix the problem described in the reason, then try again."
# Each begins with what to do, and explains afterwards.
REMEDIES: dict[Cause, str] = {
    Cause.HALF_DELETED: "Find the file set in iconik's delete queue before iconik empties the "
    "queue, and do what the reason says.",
    Cause.RESTORED: "Try again to remove it: the file set is still on LucidLink.",
    Cause.NOT_RESTORED: "Check the files on B2 now, and restore missing files from LucidLink's "
    "snapshots. iconik deleted the file set although it was no longer proven safe.",
    Cause.TOO_LATE: "Click Add to LucidLink in iconik, which copies the files from B2. iconik "
    "purged them before they were brought back.",
    Cause.NOT_DELETED: "Try again. If the file set is still there then, delete it in iconik.",
    Cause.TOKEN_EXPIRED: "Click again in iconik. The click's token expired before this was read.",
    Cause.NOT_PERMITTED: "Try again once an iconik administrator has given this role or access; or "
    "ask somebody who has both to click.",
    Cause.TOO_SLOW: "Try again later. iconik or the network was too busy to accept the deletion "
    "before its proof expired.",
    Cause.NO_ANSWER: "Try again when iconik and B2 are available.",
    Cause.LOST_IN_BUCKET: "Restore the object in the B2 bucket, or upload the file to B2 as a new "
    "asset or version. Then try again. The file on LucidLink may be the only intact copy.",
    Cause.NOT_CONFIRMED: "Fix the cause shown in the reason, then try again. check_setup.py shows "
    "whether B2 can be asked by application key or by signed URL.",
    Cause.DIFFERS: "Open the file on LucidLink: it was edited, or is damaged. To keep an edit, "
    "upload it to B2 as a new asset or version. Otherwise, restore the master on LucidLink. Then "
    "try again.",
    Cause.SHARED_FILE: "Click an action that includes both formats; create one with --formats. "
    "Another file set uses this file, so one click must prove and remove both. If the other file "
    "set is not proven safe, fix that first.",
    Cause.CHECKSUMS: "Compare the files yourself, or copy the file from B2 to LucidLink again. "
    "Then try again.",
    Cause.SEQUENCE: "Check that B2 has every frame, then delete the file set in iconik.",
    Cause.BAD_COPY: "Check in iconik that another storage still has the source, and that nobody "
    "has edited the file on LucidLink since the copy. Then delete the file set on LucidLink in "
    "iconik, and try again.",
    Cause.LOST: "Look for the file in a backup. It is on neither LucidLink nor B2.",
    Cause.STORAGE_CLOSED: "Allow this in iconik's storage settings, then try again.",
    Cause.COPY_FAILED: "Find out in iconik's jobs list why the copy failed, then try again.",
    Cause.NO_SOURCE: "Check the asset's files in iconik. Try again when one storage has all of "
    "them.",
    Cause.BEING_DELETED: "Try again when that operation has ended. If it left the deletion "
    "unfinished, click Remove from LucidLink, which finishes it or restores the file set.",
    Cause.PROTECTED: "Lift the protection on the asset's page, then try again. Or wait until it "
    "ends.",
    Cause.VANISHED: "Restore the asset in iconik, and click again. If it was deleted on purpose, "
    "do nothing.",
    Cause.BEING_WRITTEN: "Try again when the render or the copy that writes the file is done.",
    Cause.UNCLEAR_RECORDS: "Have iconik scan the storage again, then try again. iconik's records "
    "contradict each other.",
    Cause.REFUSED: "Fix the cause shown in the reason, then try again.",
    Cause.BAD_TWIN: "Check the file on B2. Wait until its upload ends, or upload it again. Then "
    "try again.",
    Cause.LEFT_OUT: "Check whether these objects should be assets. If none of them should, do "
    "nothing: only assets have files.",
    Cause.BAD_FILE: "Check the file on LucidLink. Repair it, or move it manually. Then try again.",
    Cause.LEFT_TO_ICONIK: "Follow the copy in iconik's jobs list. If it fails, try again.",
    Cause.NOT_STARTED: "Try again to complete it.",
    Cause.TOKEN_REJECTED: "Click again in iconik: the click's token is no longer valid. If the "
    "service has an ICONIK_TOKEN, operations can continue without the click's token.",
    Cause.FAULT: "Try again. If it fails again, ask the service's operator to check the log.",
}
# Each cause in a few words.
HEADINGS: dict[Cause, str] = {
    Cause.HALF_DELETED: "Deletion not finished",
    Cause.NOT_RESTORED: "Deleted, and not restored",
    Cause.TOO_LATE: "Too late to undo",
    Cause.NOT_DELETED: "Not deleted by iconik",
    Cause.UNVERIFIED: "Deletion not verified",
    Cause.TOKEN_EXPIRED: "Token expired",
    Cause.NOT_PERMITTED: "Not permitted",
    Cause.TOO_SLOW: "Too slow for its proof",
    Cause.NO_ANSWER: "No answer from iconik or B2",
    Cause.SHARED_FILE: "File shared with another file set",
    Cause.LOST_IN_BUCKET: "Missing or different in the bucket",
    Cause.NOT_CONFIRMED: "Not confirmed by B2",
    Cause.DIFFERS: "Differs from its master",
    Cause.CHECKSUMS: "Checksums cannot be compared",
    Cause.SEQUENCE: "Image sequence in one record",
    Cause.STORAGE_CLOSED: "Not allowed by the storage",
    Cause.COPY_FAILED: "Copy failed",
    Cause.BAD_COPY: "Copy incomplete or different",
    Cause.LOST: "Missing on LucidLink and B2",
    Cause.NO_SOURCE: "No complete source",
    Cause.BEING_WRITTEN: "Still being written",
    Cause.UNCLEAR_RECORDS: "Contradictory records",
    Cause.REFUSED: "Refused by iconik",
    Cause.BAD_TWIN: "No usable file on B2",
    Cause.BAD_FILE: "No usable file on LucidLink",
    Cause.LEFT_OUT: "Not an asset",
    Cause.RESTORED: "Restored on LucidLink",
    Cause.WAS_MISSING: "Already missing",
    Cause.BEING_DELETED: "Being deleted by another operation",
    Cause.PROTECTED: "Protected",
    Cause.NEWER_CLICK: "Newer click",
    Cause.VANISHED: "No longer in iconik",
    Cause.LEFT_TO_ICONIK: "Left to iconik",
    Cause.NOT_STARTED: "Not started",
    Cause.TOKEN_REJECTED: "Token no longer valid",
    Cause.FAULT: "Internal error",
}
# The labels of reasons; see ``Reason.label``.
LABELS = (*(cause.value for cause in Cause), OTHER)


def what_to_do(kind: str, cause: Cause | None) -> str:
    """Return what to do about one row of a report; "" if there is nothing to do.

    Args:
        kind: the outcome's kind, or 'undone'; 'failed' for a whole operation.
        cause: the cause of its reason; None if it has none.
    """
    if kind not in TROUBLE | {"undone"}:
        return ""
    return REMEDIES.get(cause, USUAL) if cause else USUAL


def heading(label: str) -> str:
    """Return a cause in a few words.

    Args:
        label: as in ``Reason.label``; any other text for an unknown cause.
    """
    known = {cause.value: words for cause, words in HEADINGS.items()}
    return known.get(label, "Other reasons")


def causes_named(text: str) -> list[str]:
    """Return the values of the causes that a text names by value or heading; [] for none."""
    words = " ".join(text.lower().replace("_", " ").split())
    return [
        cause.value
        for cause, told in HEADINGS.items()
        if words in (cause.value.replace("_", " "), told.lower())
    ]
