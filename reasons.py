"""Kinds of reasons: a few fixed words for what a report says in many. Pure.

A metric has a row for each value of its labels, so a label must not hold a sentence with a file's
name. What a sentence is about doesn't matter here; only that like ones count as one.
"""

from outcomes import Outcome

OTHER = "other"
HALF_DELETED = "half_deleted"
RESTORED = "restored"
WAS_MISSING = "was_missing"
UNVERIFIED = "unverified"
# The first part that is in the sentence tells; the most telling ones are first.
KINDS: tuple[tuple[str, str], ...] = (
    ("though its files are listed", "unclear_records"),
    ("were already missing from LucidLink", WAS_MISSING),
    ("iconik's delete queue", HALF_DELETED),
    ("can't be restored", "not_restored"),
    ("is still there", "not_deleted"),
    ("could not be verified", UNVERIFIED),
    ("the click's token has expired", "token_expired"),
    ("does not permit it", "not_permitted"),
    ("had to wait for so long", "too_slow"),
    (" times over", "no_answer"),
    ("could not be read completely", "no_answer"),
    ("also belongs to another file set", "shared_file"),
    ("is gone from B2", "lost_in_bucket"),
    ("differs on B2", "lost_in_bucket"),
    ("is not confirmed by B2", "not_confirmed"),
    ("differs from its master", "differs"),
    ("cannot be compared", "checksums"),
    ("no checksum on both sides", "checksums"),
    ("in a single record", "sequence"),
    ("nothing can be copied there", "storage_closed"),
    ("though a copy to B2 was asked for", "copy_failed"),
    ("the copy to LucidLink ended", "copy_failed"),
    (" arrived on LucidLink", "bad_copy"),
    ("did not arrive on LucidLink", "bad_copy"),
    ("nothing can be copied: ", "lost"),
    ("no storage has complete files", "no_source"),
    ("a newer click took over", "newer_click"),
    ("knows the asset no more", "vanished"),
    ("is still being written", "being_written"),
    ("is being written anew", "being_written"),
    ("iconik lists", "unclear_records"),
    ("iconik counts", "unclear_records"),
    ("iconik doesn't say", "unclear_records"),
    ("no such thing (404), though", "unclear_records"),
    ("could not ", "refused"),
    (" on B2", "bad_twin"),
    (" on LucidLink", "bad_file"),
    ("is no ordinary file", "bad_file"),
    ("left out: ", "left_out"),
    ("was restored", RESTORED),
    ("its deletion was not finished", RESTORED),
)


def kind_of(outcome: Outcome) -> str:
    """The kind of an outcome's reason: one of a few words; "" where it has none."""
    if not outcome.reason:
        return ""
    return next((kind for part, kind in KINDS if part in outcome.reason), OTHER)


def expected(action: str) -> tuple[tuple[str, str], ...]:
    """What may come of a format of an asset: pairs of an outcome's kind and the kind of its reason.

    Args:
        action: 'add' or 'remove'.
    """
    is_add = action == "add"
    done = ("copied", "there", "without") if is_add else ("removed", "absent", "without")
    trouble = ("failed",) if is_add else ("kept", "failed")
    # Those that have an outcome of their own.
    own = (("vanished", "vanished"), ("superseded", "newer_click"))
    causes = dict.fromkeys((*(kind for _, kind in KINDS), OTHER))
    for cause in (*(cause for _, cause in own), UNVERIFIED, WAS_MISSING):
        del causes[cause]
    return (
        *((kind, "") for kind in done),
        *(
            (("there", RESTORED),)
            if is_add
            else (("removed", UNVERIFIED), ("removed", WAS_MISSING))
        ),
        *own,
        *((kind, cause) for kind in trouble for cause in causes),
    )
