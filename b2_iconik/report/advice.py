"""Advice on each failed outcome, in one or two sentences. Pure: no I/O.

A reason says what happened. Its cause determines what to do. docs/troubleshooting.md has the same
advice in more detail.
"""

from b2_iconik.domain.outcomes import TROUBLE
from b2_iconik.domain.reasons import Cause

USUAL = "Mend what the reason says, then try again."
REMEDIES: dict[Cause, str] = {
    Cause.HALF_DELETED: "Look for the file set in iconik's delete queue before that is emptied, "
    "and do there what the reason says.",
    Cause.RESTORED: "The file set is on LucidLink as before. Try again if it is to be removed.",
    Cause.NOT_RESTORED: "iconik deleted the file set while its proof no longer held. Check the "
    "files on B2 now, and bring back what is missing from LucidLink's snapshots.",
    Cause.NOT_DELETED: "iconik accepted the deletion and did not carry it out. Try again; if it "
    "stays, delete the file set in iconik.",
    Cause.TOKEN_EXPIRED: "The click's own token expired before this was read: click again in "
    "iconik.",
    Cause.NOT_PERMITTED: "Whoever clicked lacks that role, or may not see the asset: an "
    "administrator of iconik can give both. Then try again.",
    Cause.TOO_SLOW: "iconik, or the way to it, was so busy that no deletion came through while its "
    "proof held. Try again when it is quieter.",
    Cause.NO_ANSWER: "iconik, or B2, failed for too long. Try again when it answers.",
    Cause.LOST_IN_BUCKET: "The file on LucidLink may be the only whole copy. Restore the object in "
    "the B2 bucket, or upload the file there as a new asset or version. Then try again.",
    Cause.NOT_CONFIRMED: "B2 could not be asked, for the reason shown. Fix that, then try again; "
    "check_setup.py shows which way to B2 works.",
    Cause.DIFFERS: "Somebody edited the file on LucidLink. If the edit counts, upload it to B2 as "
    "a new asset or version; if not, put the master back. Then try again.",
    Cause.SHARED_FILE: "The file goes when every format that refers to it is removed by one click: "
    "create an action for all of them (--formats), and click that.",
    Cause.CHECKSUMS: "Nobody can tell whether the two are the same. Compare the files by hand, or "
    "copy the one from B2 to LucidLink anew. Then try again.",
    Cause.SEQUENCE: "Check that B2 has every frame, then delete the file set in iconik.",
    Cause.BAD_COPY: "Unless somebody has edited the file since, delete the file set on LucidLink "
    "in iconik: B2 still has its source. Then try again.",
    Cause.LOST: "Neither LucidLink nor B2 has the file any more: look for it in a backup.",
    Cause.STORAGE_CLOSED: "Allow it in iconik's storage settings, then try again.",
    Cause.COPY_FAILED: "See in iconik's jobs list what became of the copy, then try again.",
    Cause.NO_SOURCE: "See the asset's files in iconik: none of its storages has them whole. Once "
    "one has, try again.",
    Cause.VANISHED: "Nothing, if it was deleted on purpose. Else restore it in iconik, and click "
    "again.",
    Cause.BEING_WRITTEN: "A render or a copy is still under way. Try again when it is done.",
    Cause.UNCLEAR_RECORDS: "iconik's records contradict each other: have it scan the storage anew, "
    "then try again.",
    Cause.REFUSED: "iconik refused, for the reason that it gives. Mend that, then try again.",
    Cause.BAD_TWIN: "See to the file on B2: wait for its upload to end, or upload it anew. Then "
    "try again.",
    Cause.LEFT_OUT: "Nothing, unless one of them should have been an asset: only assets have "
    "files.",
    Cause.BAD_FILE: "See to the file on LucidLink: bring it in order, or move it by hand. Then try "
    "again.",
    Cause.LEFT_TO_ICONIK: "See the copy in iconik's jobs list; try again if it never ends well.",
    Cause.NOT_STARTED: "Try again when you want it done.",
    Cause.TOKEN_REJECTED: "The click's own token has ended: click again in iconik. Whoever runs "
    "the service can set ICONIK_TOKEN, so that operations go on by themselves.",
    Cause.FAULT: "Try again. If it ends alike, whoever runs the service finds why in its log.",
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
