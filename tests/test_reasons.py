"""Kinds of reasons, for metrics: every sentence that a report may have is of one of a few."""

import pytest

from outcomes import Outcome
from reasons import KINDS, OTHER, expected, kind_of

CALL = "could not list the files of asset a55e7: "


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("", ""),
        ("clip.mov differs from its master: 2 bytes on LucidLink, 3 bytes on B2", "differs"),
        ("clip.mov differs from its master: checksum a on LucidLink, b on B2", "differs"),
        ("clip.mov is gone from B2: iconik lists 2 bytes, but the bucket has no", "lost_in_bucket"),
        ("clip.mov differs on B2: iconik lists 2 bytes, but the bucket has 3", "lost_in_bucket"),
        ("clip.mov is not confirmed by B2: its URL is malformed", "not_confirmed"),
        ("could not ask B2 about clip.mov: B2 answered 503, 10 times over", "no_answer"),
        ("clip.mov has no twin on B2, though a copy to B2 was asked for and ended", "copy_failed"),
        ("clip.mov has 0 bytes on B2, though a copy to B2 was asked for and ended", "copy_failed"),
        ("clip.mov has no twin on B2, and nothing can be copied there: in …", "storage_closed"),
        ("clip.mov is still being written on LucidLink (GROWING)", "being_written"),
        ("clip.mov is being written anew on B2", "being_written"),
        ("clip.mov is MISSING on LucidLink", "bad_file"),
        ("clip.mov has 0 bytes on LucidLink", "bad_file"),
        ("clip is no ordinary file but SYMLINK", "bad_file"),
        ("clip.mov is MISSING on B2", "bad_twin"),
        ("iconik lists clip.mov on B2 more than once, and each time as another", "unclear_records"),
        ("iconik lists clip.mov twice on LucidLink", "unclear_records"),
        ("iconik lists no file of it on LucidLink", "unclear_records"),
        ("iconik doesn't say which file set it belongs to", "unclear_records"),
        ("the copy to LucidLink ended, but the file is not there: no space left", "copy_failed"),
        ("no storage has complete files of it that could be copied to LucidLink", "no_source"),
        (f"{CALL}iconik answered 503, 10 times over", "no_answer"),
        (f"{CALL}it had to wait for so long that all must be read again, 10 times", "too_slow"),
        (f"{CALL}iconik does not permit it (403, it needs can_read_files): no", "not_permitted"),
        (f"{CALL}iconik answered 400: bad", "refused"),
        (
            "clip.mov is MISSING on B2, seen after its file set was marked deleted: could not "
            "restore it: no (403); restore file set 41d0 from iconik's delete queue before …",
            "half_deleted",
        ),
        (
            "clip.mov also belongs to another file set on LucidLink (PROXY, 41d0), which is not "
            "proven safe",
            "shared_file",
        ),
        (
            "the checksums of clip.mov cannot be compared, as their algorithms are not known: "
            "checksum a on LucidLink, b on B2",
            "checksums",
        ),
        ("clip.mov has no checksum on both sides to compare", "checksums"),
        ("f_[1-9].dpx on B2 is an image sequence in a single record, which can't", "sequence"),
        ("clip.mov: 100 KB of 200 KB arrived on LucidLink: its job ended FAILED", "bad_copy"),
        ("clip.mov arrived on LucidLink with another checksum: a, and b at its", "bad_copy"),
        ("clip.mov did not arrive on LucidLink", "bad_copy"),
        (
            "clip.mov has no twin on B2, and nothing can be copied: clip.mov is MISSING on "
            "LucidLink",
            "lost",
        ),
        (f"{CALL}it could not be read completely: 6 of 8 objects", "no_answer"),
        ("2 of the 9 results are not assets and were left out: 2 playlists", "left_out"),
        (
            "clip.mov is MISSING on B2, seen after …: file set 41d0 can't be restored",
            "not_restored",
        ),
        ("clip.mov is MISSING on B2, seen after …: file set 41d0 was restored", "bad_twin"),
        ("the operation ended before …: file set 41d0 was restored", "restored"),
        ("its deletion was not finished, and is left to a newer click", "restored"),
        ("iconik accepted the deletion, but file set 41d0 is still there", "not_deleted"),
        ("iconik accepted the deletion; that … could not be verified", "unverified"),
        (
            "file set 41d0 is in iconik's delete queue, though its files are listed as ACTIVE ones",
            "unclear_records",
        ),
        ("iconik counts 4 files in file set 41d0, and lists 3", "unclear_records"),
        (f"{CALL}iconik knows no such thing (404), though it knows the asset", "unclear_records"),
        ("iconik knows the asset no more", "vanished"),
        ("a newer click took over", "newer_click"),
        ("something nobody has thought of", OTHER),
    ],
)
def test_a_reason_is_of_a_kind(reason: str, kind: str) -> None:
    assert kind_of(Outcome("kept", reason)) == kind


def test_there_are_few_kinds_and_each_is_one_word() -> None:
    kinds = {kind for _, kind in KINDS}
    assert len(kinds) < 35
    assert all(kind.replace("_", "").isalpha() for kind in kinds)


NOT_TROUBLE = {"vanished", "newer_click", "unverified", "was_missing"}


def test_whatever_may_go_wrong_is_expected_of_both_actions() -> None:
    kinds = {kind for _, kind in KINDS} - NOT_TROUBLE | {OTHER}
    for kind in kinds:
        assert ("failed", kind) in expected("add")
        assert ("failed", kind) in expected("remove")
        assert ("kept", kind) in expected("remove")


def test_what_comes_of_formats_is_expected_of_the_action_that_does_it() -> None:
    assert set(expected("add")) - set(expected("remove")) == {
        ("copied", ""),
        ("there", ""),
        ("there", "restored"),
    }
    of_remove_alone = {kind for kind, _ in set(expected("remove")) - set(expected("add"))}
    assert of_remove_alone == {"removed", "absent", "kept"}
    for action in ("add", "remove"):
        both = {("without", ""), ("vanished", "vanished"), ("superseded", "newer_click")}
        assert both <= set(expected(action))
