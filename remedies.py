"""What a person can do about what came to nothing, in a sentence or two. Pure.

A reason says what happened; its kind says what helps. docs/troubleshooting.md has the same at
length.
"""

from outcomes import LEFT, TROUBLE, Outcome
from reasons import kind_of

USUAL = "Mend what the reason says, then try again."
# By the kind of the reason.
REMEDIES: dict[str, str] = {
    "half_deleted": "Look for the file set in iconik's delete queue before that is emptied, and do "
    "there what the reason says.",
    "restored": "The file set is on LucidLink as before. Try again if it is to be removed.",
    "not_restored": "iconik deleted the file set while its proof no longer held. Check the files "
    "on B2 now, and bring back what is missing from LucidLink's snapshots.",
    "not_deleted": "iconik accepted the deletion and did not carry it out. Try again; if it stays, "
    "delete the file set in iconik.",
    "token_expired": "The click's own token expired before this was read: click again in iconik.",
    "not_permitted": "Whoever clicked lacks that role, or may not see the asset: an administrator "
    "of iconik can give both. Then try again.",
    "too_slow": "iconik, or the way to it, was so busy that no deletion came through while its "
    "proof held. Try again when it is quieter.",
    "no_answer": "iconik, or B2, failed for too long. Try again when it answers.",
    "lost_in_bucket": "The file on LucidLink may be the only whole copy. Restore the object in the "
    "B2 bucket, or upload the file there as a new asset or version. Then try again.",
    "not_confirmed": "B2 could not be asked, for the reason shown. Fix that, then try again; "
    "check_setup.py shows which way to B2 works.",
    "differs": "Somebody edited the file on LucidLink. If the edit counts, upload it to B2 as a "
    "new asset or version; if not, put the master back. Then try again.",
    "shared_file": "The file goes when every format that refers to it is removed by one click: "
    "create an action for all of them (--formats), and click that.",
    "checksums": "Nobody can tell whether the two are the same. Compare the files by hand, or copy "
    "the one from B2 to LucidLink anew. Then try again.",
    "sequence": "Check that B2 has every frame, then delete the file set in iconik.",
    "bad_copy": "Unless somebody has edited the file since, delete the file set on LucidLink in "
    "iconik: B2 still has its source. Then try again.",
    "lost": "Neither LucidLink nor B2 has the file any more: look for it in a backup.",
    "storage_closed": "Allow it in iconik's storage settings, then try again.",
    "copy_failed": "See in iconik's jobs list what became of the copy, then try again.",
    "no_source": "See the asset's files in iconik: none of its storages has them whole. Once one "
    "has, try again.",
    "vanished": "Nothing, if it was deleted on purpose. Else restore it in iconik, and click "
    "again.",
    "being_written": "A render or a copy is still under way. Try again when it is done.",
    "unclear_records": "iconik's records contradict each other: have it scan the storage anew, "
    "then try again.",
    "refused": "iconik refused, for the reason that it gives. Mend that, then try again.",
    "bad_twin": "See to the file on B2: wait for its upload to end, or upload it anew. Then try "
    "again.",
    "left_out": "Nothing, unless one of them should have been an asset: only assets have files.",
    "bad_file": "See to the file on LucidLink: bring it in order, or move it by hand. Then "
    "try again.",
}
# By a part of what made a whole operation fail.
FAILURES: tuple[tuple[str, str], ...] = (
    ("accepts no token", "The click's own token has ended: click again in iconik. Whoever runs the "
     "service can set ICONIK_TOKEN, so that operations go on by themselves."),
    ("no usable answer", "iconik was away for too long. Try again when it answers."),
    ("fault", "Try again. If it ends alike, whoever runs the service finds why in its log."),
)  # fmt: skip


def what_to_do(kind: str, reason: str) -> str:
    """What to do about one row of a report; "" where nothing is to be done.

    Args:
        kind: of the outcome, or 'undone'.
    """
    if kind == "undone":
        return (
            "See the copy in iconik's jobs list; try again if it never ends well."
            if reason == LEFT
            else "Try again when you want it done."
        )
    if kind not in TROUBLE:
        return ""
    return REMEDIES.get(kind_of(Outcome("failed", reason)), USUAL)


def about_failure(failure: str) -> str:
    """What to do about what made a whole operation fail."""
    found = next((remedy for part, remedy in FAILURES if part in failure), None)
    return found or what_to_do("failed", failure)
