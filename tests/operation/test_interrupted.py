"""Deletions that were interrupted, in front of an iconik in memory."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.bucket.confirm import Confirmation
from b2_iconik.domain.custody import Safe, judge
from b2_iconik.domain.operation import AssetProgress, ClaimedAsset, Deletion
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import NO_REASON, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.deletion_results import CARRIED_OUT_AFTER_MS, verify
from b2_iconik.operation.execution import process_remove
from b2_iconik.operation.interrupted import restore_all, resume
from b2_iconik.operation.snapshot import Patience
from iconik_http.errors import (
    IconikError,
    IconikRefused,
    IconikUnavailable,
    NotFound,
    NotPermitted,
    TokenRejected,
)
from iconik_http.records import File, Format
from tests.makers import (
    ASSET,
    B2,
    LL,
    ORIGINAL,
    FakeIconik,
    a_click,
    a_file,
    a_format,
    a_ledger,
    a_removal,
    a_term,
    clicked,
    expanded,
    on_b2,
    on_ll,
    process_and_purge,
)

LL_SET = on_ll().file_set_id
REMOVED = Outcome("removed", NO_REASON, "size")
NOW = 1_000_000
SETTLE = 60_000
OLD = "format-old"
OLD_SET = f"set-{LL}-{OLD}"
BOTH_VERSIONS = [
    Format(OLD, "ORIGINAL", "2026-01-01"),
    Format(ORIGINAL, "ORIGINAL", "2026-02-01"),
]
OLD_FILES = {"format_id": OLD, "directory_path": "old"}
MARKED = {"file_set_status": "DELETED"}
AWAY = IconikUnavailable("restore it", "no answer")


@pytest.fixture
def claims(engine: sa.Engine) -> Claims:
    """Those of a Remove of one asset's ORIGINAL, with nobody else about."""
    return Claims(engine, expanded(engine, a_click("remove")), a_term(engine))


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


@pytest.fixture
def claimed(claims: Claims) -> ClaimedAsset:
    (claimed,) = claims.take(1, NOW)
    return claimed


def proof_of(*files: File) -> Safe:
    """What proved a file set safe when these were all files of its asset."""
    (safe,) = judge(files[0].format_id, files, LL, B2)
    assert isinstance(safe, Safe)
    return safe


def noted(*files: File) -> Deletion:
    """The deletion as it is read back from the ledger, of what these files proved."""
    begun = Deletion("ORIGINAL", proof_of(*files))
    return Deletion.from_json(files[0].file_set_id, begun.as_json())


def marked(iconik: FakeIconik, *files: File, progress: AssetProgress | None = None) -> ClaimedAsset:
    """An asset whose only file set on LucidLink was marked deleted and then forgotten of.

    Args:
        files: what iconik lists now.
    """
    iconik.has(*files)
    iconik.known_statuses[ASSET] = {LL_SET: "DELETED"}
    return ClaimedAsset(
        ASSET, (), progress or AssetProgress(deletions={LL_SET: noted(on_ll(), on_b2())})
    )


def purges(iconik: FakeIconik) -> int:
    return len(iconik.called("purge_file_set"))


def restored(reason: str, file_set_id: str = LL_SET) -> Outcome:
    told = f"{reason}, found after its file set was marked deleted, so file set {file_set_id} was"
    return Outcome("failed", Reason(f"{told} restored"))


# Where the proof holds


@pytest.mark.parametrize("files", [[on_ll(**MARKED), on_b2()], [on_b2()]], ids=["listed", "not"])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_deletion_whose_proof_holds_is_finished(
    iconik: FakeIconik, claims: Claims, files: list[File], is_told: bool
) -> None:
    claimed = marked(iconik, *files)
    if not is_told:
        iconik.known_statuses[ASSET] = {}
    assert resume(a_removal(iconik, claims), claimed, NOW).outcomes == {"ORIGINAL": REMOVED}
    assert (purges(iconik), list(claimed.progress.accepted)) == (1, [LL_SET])


def test_several_files_that_are_no_longer_listed_are_proven_by_their_twins(
    iconik: FakeIconik, claims: Claims
) -> None:
    frames = [side(f"{n}.dpx") for side in (on_ll, on_b2) for n in range(3)]
    claimed = marked(
        iconik, *frames[3:], progress=AssetProgress(deletions={LL_SET: noted(*frames)})
    )
    assert resume(a_removal(iconik, claims), claimed, NOW).outcomes == {"ORIGINAL": REMOVED}


def test_the_bucket_is_asked_again_with_what_was_proven(iconik: FakeIconik, claims: Claims) -> None:
    asked: list[Safe] = []

    def confirm(asset_id: str, proof: Safe) -> Confirmation:
        asked.append(proof)
        return Confirmation("key")

    claimed = marked(iconik, on_b2(checksum="a" * 32))
    before = [on_ll(checksum="a" * 32), on_b2(checksum="a" * 32)]
    claimed.progress = claimed.progress.with_deletions({LL_SET: noted(*before)})
    resume(a_removal(iconik, claims, confirm=confirm), claimed, NOW)
    assert [(proof, proof.pairs) for proof in asked] == [
        (proof_of(*before), proof_of(*before).pairs)
    ]


def test_a_deletion_of_an_earlier_version_is_finished_where_its_files_are_listed(
    iconik: FakeIconik, claims: Claims
) -> None:
    progress = AssetProgress.from_json(
        {"deleting": {LL_SET: "ORIGINAL"}, "versions": {LL_SET: ORIGINAL}}
    )
    claimed = marked(iconik, on_ll(**MARKED), on_b2(), progress=progress)
    assert resume(a_removal(iconik, claims), claimed, NOW).outcomes == {"ORIGINAL": REMOVED}


def test_an_asset_of_which_deletions_get_on_is_given_up_no_sooner(
    iconik: FakeIconik, claims: Claims
) -> None:
    claimed = marked(iconik, on_ll(**MARKED), on_b2())
    claimed.progress = replace(claimed.progress, failures=9)
    resume(a_removal(iconik, claims), claimed, NOW)
    assert claimed.progress.failures == 0


def test_a_purge_of_what_iconik_does_not_know_is_doubted(
    iconik: FakeIconik, claims: Claims
) -> None:
    claimed = marked(iconik, on_b2())
    iconik.unknown.add(LL_SET)
    resume(a_removal(iconik, claims), claimed, NOW)
    assert claimed.progress.accepted[LL_SET].is_doubted


def test_a_deletion_that_was_finished_is_noted_before_anything_else_is_done(
    engine: sa.Engine, iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = claimed.progress.with_deletions({LL_SET: noted(on_ll(), on_b2())})
    iconik.has(on_ll(**MARKED), on_b2())
    away = {"formats": IconikUnavailable("list the formats", "no answer")}
    iconik.before["purge_file_set"] = lambda: iconik.problems.update(away)
    with pytest.raises(IconikUnavailable):
        process_remove(a_removal(iconik, claims), claimed, Patience(NOW, SETTLE))
    ((_, progress, outcomes),) = a_ledger(engine).outcomes(1)
    assert (list(progress.accepted), outcomes) == ([LL_SET], {"ORIGINAL": REMOVED})


def test_what_was_removed_before_the_interruption_counts_as_removed(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = claimed.progress.with_deletions({LL_SET: noted(on_ll(), on_b2())})
    iconik.has(on_ll(**MARKED), on_b2())
    found = process_and_purge(a_removal(iconik, claims), claimed, Patience(NOW, SETTLE))
    assert found.outcomes["ORIGINAL"] == REMOVED


# Where it does not


@pytest.mark.parametrize(
    ("files", "objection"),
    [
        (
            [on_ll(size=7, **MARKED), on_b2()],
            "clip.mov differs from its master: 7 bytes on LucidLink, 1,000 bytes on B2",
        ),
        ([on_ll(**MARKED)], "clip.mov has no matching file on B2"),
        ([on_ll(**MARKED), on_b2(status="OPEN")], "clip.mov is incomplete on B2 (OPEN)"),
        ([a_file("another", file_set_id=LL_SET), on_b2()], "its files are no longer on LucidLink"),
        ([on_b2(format_id="format-proxy")], "clip.mov has no matching file on B2"),
        (
            [on_b2(size=7)],
            "clip.mov differs from its master: 1,000 bytes on LucidLink, 7 bytes on B2",
        ),
        ([on_b2(id="another")], "the file on B2 that proved clip.mov safe has changed"),
        ([on_b2(checksum="a" * 32)], "the file on B2 that proved clip.mov safe has changed"),
        (
            [on_b2(file_set_id="another")],
            "the file on B2 that proved clip.mov safe has changed",
        ),
        (
            [on_b2(directory_path="projects/two")],
            "the file on B2 that proved clip.mov safe has changed",
        ),
    ],
)
def test_what_is_no_longer_proven_is_restored(
    iconik: FakeIconik, claims: Claims, files: list[File], objection: str
) -> None:
    claimed = marked(iconik, *files)
    found = resume(a_removal(iconik, claims), claimed, NOW)
    assert found.outcomes == {"ORIGINAL": restored(objection)}
    assert iconik.called("restore_file_set") == [("restore_file_set", ASSET, LL_SET)]
    assert (purges(iconik), claimed.progress) == (0, AssetProgress())


def test_what_the_bucket_objects_to_by_now_is_restored(iconik: FakeIconik, claims: Claims) -> None:
    claimed = marked(iconik, on_b2())
    objection = Confirmation("key", Reason("clip.mov is 7 bytes in the bucket"))
    removal = a_removal(iconik, claims, confirm=lambda asset_id, safe: objection)
    assert resume(removal, claimed, NOW).outcomes == {
        "ORIGINAL": restored("clip.mov is 7 bytes in the bucket")
    }
    assert purges(iconik) == 0


def test_what_an_earlier_version_noted_without_proof_is_restored_where_nothing_is_listed(
    iconik: FakeIconik, claims: Claims
) -> None:
    claimed = marked(
        iconik, on_b2(), progress=AssetProgress.from_json({"deleting": {LL_SET: "ORIGINAL"}})
    )
    reason = "iconik no longer lists its files, and the proof that they are safe was not recorded"
    assert resume(a_removal(iconik, claims), claimed, NOW).outcomes == {
        "ORIGINAL": restored(reason)
    }


def test_a_purge_is_proven_by_the_files_of_its_own_file_set(
    iconik: FakeIconik, claims: Claims
) -> None:
    edited = on_ll(file_set_id="another-set", size=7, directory_path="elsewhere")
    claimed = marked(iconik, edited, on_ll(**MARKED), on_b2())
    iconik.known_statuses[ASSET]["another-set"] = "ACTIVE"
    assert resume(a_removal(iconik, claims), claimed, NOW).outcomes == {"ORIGINAL": REMOVED}


def test_another_version_on_b2_is_no_ground_for_a_purge(iconik: FakeIconik, claims: Claims) -> None:
    iconik.has(on_b2(), formats=BOTH_VERSIONS)
    iconik.known_statuses[ASSET] = {OLD_SET: "DELETED"}
    begun = noted(on_ll(**OLD_FILES), on_b2(**OLD_FILES))
    claimed = ClaimedAsset(ASSET, (), AssetProgress(deletions={OLD_SET: begun}))
    found = resume(a_removal(iconik, claims), claimed, NOW)
    assert found.outcomes == {"ORIGINAL": restored("clip.mov has no matching file on B2", OLD_SET)}


def test_a_refused_purge_is_restored(iconik: FakeIconik, claims: Claims) -> None:
    claimed = marked(iconik, on_ll(**MARKED), on_b2())
    iconik.problems["purge_file_set"] = IconikRefused("purge it", "no (409)")
    failed = Outcome(
        "failed", Reason(f"could not purge it: no (409), so file set {LL_SET} was restored")
    )
    assert resume(a_removal(iconik, claims), claimed, NOW).outcomes == {"ORIGINAL": failed}


def test_a_restoration_that_iconik_refuses_is_told_with_what_to_do(
    iconik: FakeIconik, claims: Claims
) -> None:
    claimed = marked(iconik, on_ll(**MARKED))
    iconik.problems["restore_file_set"] = NotPermitted("restore it", "it needs can_write_files")
    (outcome,) = resume(a_removal(iconik, claims), claimed, NOW).outcomes.values()
    assert outcome.reason == (
        "clip.mov has no matching file on B2, found after its file set was marked deleted; could "
        f"not restore it: it needs can_write_files; restore file set {LL_SET} "
        "from iconik's delete queue "
        "before iconik empties it"
    )
    assert list(claimed.progress.unaccepted) == [LL_SET]


def test_what_somebody_else_has_restored_meanwhile_needs_no_restoration(
    iconik: FakeIconik, claims: Claims
) -> None:
    claimed = marked(iconik, on_ll(**MARKED))
    iconik.problems["restore_file_set"] = IconikRefused("restore it", "it is not deleted (400)")
    iconik.before["restore_file_set"] = lambda: iconik.known_statuses[ASSET].update(
        {LL_SET: "ACTIVE"}
    )
    found = resume(a_removal(iconik, claims), claimed, NOW)
    assert found.outcomes == {"ORIGINAL": restored("clip.mov has no matching file on B2")}
    assert claimed.progress == AssetProgress()


def test_what_can_not_be_restored_any_more_is_told(iconik: FakeIconik, claims: Claims) -> None:
    claimed = marked(iconik, on_ll(**MARKED))
    iconik.problems["restore_file_set"] = NotFound("restore it", "no such thing (404)")
    (outcome,) = resume(a_removal(iconik, claims), claimed, NOW).outcomes.values()
    assert outcome.reason.endswith(
        f"file set {LL_SET} cannot be restored: it no longer exists in iconik (404)"
    )
    assert claimed.progress == AssetProgress()


# Where nothing is to be finished


def test_nothing_is_done_with_an_asset_that_is_gone(iconik: FakeIconik, claims: Claims) -> None:
    claimed = ClaimedAsset(ASSET, (), AssetProgress(deletions={LL_SET: noted(on_ll(), on_b2())}))
    gone = Outcome("vanished", Reason("the asset no longer exists in iconik"))
    assert resume(a_removal(iconik, claims), claimed, NOW).outcomes == {"ORIGINAL": gone}
    assert not iconik.called("purge_file_set", "restore_file_set")


@pytest.mark.parametrize("status", ["ACTIVE", "ARCHIVED", "None"])
def test_what_is_not_deleted_is_never_purged_without_a_new_proof(
    iconik: FakeIconik, claims: Claims, status: str
) -> None:
    claimed = marked(iconik, on_ll(file_set_status=status), on_b2())
    iconik.known_statuses[ASSET] = {LL_SET: status}
    assert resume(a_removal(iconik, claims), claimed, NOW) == AssetResult()
    assert (purges(iconik), claimed.progress) == (0, AssetProgress())


def test_a_deletion_that_never_began_is_proven_anew(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = claimed.progress.with_deletions({LL_SET: noted(on_ll(), on_b2())})
    iconik.has(on_ll(), on_b2(status="MISSING"))
    found = process_remove(a_removal(iconik, claims), claimed, Patience(NOW, SETTLE))
    assert (found.copies, purges(iconik)) == (("ORIGINAL",), 0)


# Deletions that failed, of an asset with two versions

EDITED = restored(
    "clip.mov differs from its master: 7 bytes on LucidLink, 1,000 bytes on B2", OLD_SET
)


def edited_after_its_mark(iconik: FakeIconik, claimed: ClaimedAsset, *others: File) -> None:
    """Have the older of two versions edited after it was marked deleted."""
    files = [on_ll(**OLD_FILES, **MARKED, size=7), on_b2(**OLD_FILES)]
    iconik.has(*files, *others, formats=BOTH_VERSIONS)
    claimed.progress = claimed.progress.with_deletions(
        {OLD_SET: noted(on_ll(**OLD_FILES), on_b2(**OLD_FILES))}
    )


@pytest.mark.parametrize(
    "others",
    [
        [on_ll(), on_b2()],
        [on_ll(size=5), on_b2()],
        [on_ll()],
        [on_ll(), on_b2(status="OPEN")],
        [on_b2()],
    ],
    ids=["removed", "kept", "copied first", "waited for", "absent"],
)
def test_what_was_restored_is_told_whatever_becomes_of_another_version(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, others: list[File]
) -> None:
    edited_after_its_mark(iconik, claimed, *others)
    found = process_and_purge(a_removal(iconik, claims), claimed, Patience(NOW, SETTLE))
    assert found.outcomes["ORIGINAL"] == EDITED


def test_what_was_restored_is_told_though_another_version_is_doubted(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    edited_after_its_mark(iconik, claimed, on_ll())
    iconik.known_files[ASSET][0] = replace(iconik.known_files[ASSET][0], size=1000)
    claimed.progress = claimed.progress.with_deletions(
        {OLD_SET: noted(on_ll(**OLD_FILES), on_b2(**OLD_FILES, id="another"))}
    )
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    iconik.before["restore_file_set"] = lambda: iconik.known_files[ASSET].pop(0)
    found = process_remove(a_removal(iconik, claims), claimed, Patience(NOW, SETTLE))
    assert found.unless_copied == {
        "ORIGINAL": restored("the file on B2 that proved clip.mov safe has changed", OLD_SET)
    }


def test_what_was_restored_is_told_though_a_newer_click_comes_in_between(
    engine: sa.Engine, iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    edited_after_its_mark(iconik, claimed, on_ll(), on_b2())
    iconik.before["files"] = lambda: clicked(engine, a_click("add"))
    found = process_remove(a_removal(iconik, claims), claimed, Patience(NOW, SETTLE))
    assert (found.must_be_requeued, found.outcomes["ORIGINAL"]) == (True, EDITED)


@pytest.mark.parametrize("order", [(OLD_SET, LL_SET), (LL_SET, OLD_SET)])
def test_what_was_restored_is_told_where_another_version_was_purged(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, order: Sequence[str]
) -> None:
    edited_after_its_mark(iconik, claimed, on_ll(**MARKED), on_b2())
    both = {**claimed.progress.deletions, LL_SET: noted(on_ll(), on_b2())}
    claimed.progress = replace(claimed.progress, deletions={each: both[each] for each in order})
    found = resume(a_removal(iconik, claims), claimed, NOW)
    assert found.outcomes["ORIGINAL"] == EDITED
    assert iconik.called("purge_file_set") == [("purge_file_set", ASSET, LL_SET)]
    assert list(claimed.progress.deletions) == [LL_SET]


def test_each_that_was_restored_is_told(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    edited_after_its_mark(iconik, claimed, on_ll(**MARKED))
    claimed.progress = claimed.progress.with_deletions({LL_SET: noted(on_ll(), on_b2())})
    (outcome,) = resume(a_removal(iconik, claims), claimed, NOW).outcomes.values()
    other = restored("clip.mov has no matching file on B2")
    assert outcome == Outcome("failed", Reason(f"{EDITED.reason}; {other.reason}"))


def test_what_is_proven_anew_right_after_it_was_restored_is_no_failure(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    edited_after_its_mark(iconik, claimed)
    put_back = [on_ll(**OLD_FILES), on_b2(**OLD_FILES)]
    iconik.before["restore_file_set"] = lambda: iconik.has(*put_back, formats=BOTH_VERSIONS)
    found = process_and_purge(a_removal(iconik, claims), claimed, Patience(NOW, SETTLE))
    assert found.outcomes["ORIGINAL"] == REMOVED


def test_a_refused_purge_is_told_beside_what_was_restored(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    edited_after_its_mark(iconik, claimed, on_ll(), on_b2())
    iconik.problems["purge_file_set"] = IconikRefused("purge it", "no (409)")
    found = process_and_purge(a_removal(iconik, claims), claimed, Patience(NOW, SETTLE))
    told = f"could not purge it: no (409), so file set {LL_SET} was restored"
    assert found.outcomes["ORIGINAL"] == Outcome("failed", Reason(f"{EDITED.reason}; {told}"))


# What iconik has accepted

ACCEPTED = Deletion("ORIGINAL", accepted_ms=NOW)


def listed(status: str | None) -> dict[str, str]:
    """The statuses that iconik lists; None if it no longer lists the file set."""
    return {} if status is None else {LL_SET: status}


@pytest.mark.parametrize("status", [None, "DELETED", "ARCHIVED"])
def test_what_is_no_longer_active_is_done(status: str | None) -> None:
    claimed = ClaimedAsset(ASSET, (), AssetProgress(deletions={LL_SET: ACCEPTED}))
    assert verify(claimed, listed(status), NOW) == {}
    assert claimed.progress == AssetProgress()


def test_what_is_active_for_less_than_a_minute_may_still_be_carried_out() -> None:
    claimed = ClaimedAsset(ASSET, (), AssetProgress(deletions={LL_SET: ACCEPTED}))
    assert verify(claimed, listed("ACTIVE"), NOW + CARRIED_OUT_AFTER_MS - 1) == {}
    assert claimed.progress.accepted == {LL_SET: replace(ACCEPTED, is_doubted=True)}


def test_what_is_still_active_after_a_minute_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    claimed = ClaimedAsset(ASSET, (), AssetProgress(deletions={LL_SET: ACCEPTED}))
    assert verify(claimed, listed("ACTIVE"), NOW + CARRIED_OUT_AFTER_MS) == {
        LL_SET: ("ORIGINAL", f"iconik accepted the deletion, but file set {LL_SET} is still there")
    }
    assert claimed.progress == AssetProgress()
    assert caplog.messages == [
        f"audit: not deleted: file set {LL_SET} of asset {ASSET}, although "
        "iconik accepted the deletion"
    ]


def test_a_later_look_tells_what_is_still_there(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2(status="OPEN"))
    claimed.progress = claimed.progress.with_deletions({LL_SET: ACCEPTED})
    now = Patience(NOW + CARRIED_OUT_AFTER_MS, SETTLE)
    found = process_remove(a_removal(iconik, claims), claimed, now)
    assert found.outcomes["ORIGINAL"].kind == "failed"
    assert "is still there" in found.outcomes["ORIGINAL"].reason


# Giving back


def test_all_that_is_marked_deleted_is_given_back(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED), on_ll(**OLD_FILES, **MARKED))
    claimed = ClaimedAsset(
        ASSET, (), AssetProgress(deletions={LL_SET: Deletion("ORIGINAL"), OLD_SET: ACCEPTED})
    )
    told = f"it is over, so file set {LL_SET} was restored"
    assert restore_all(iconik, claimed, Reason("it is over")) == (
        {"ORIGINAL": Outcome("failed", Reason(told))},
        True,
    )
    assert claimed.progress == AssetProgress(deletions={OLD_SET: ACCEPTED})


def test_what_iconik_gives_no_answer_to_is_not_tried_again(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED))
    iconik.problems["restore_file_set"] = AWAY
    claimed = ClaimedAsset(
        ASSET,
        (),
        AssetProgress(deletions={LL_SET: ACCEPTED, "a": Deletion("A"), "b": Deletion("B")}),
    )
    assert restore_all(iconik, claimed, Reason("it is over")) == ({}, False)
    assert len(iconik.called("restore_file_set")) == 1


@pytest.mark.parametrize("problem", [NotPermitted, NotFound])
def test_that_file_sets_can_not_be_listed_does_not_hide_a_refusal(
    iconik: FakeIconik, problem: type[IconikError]
) -> None:
    iconik.has(on_ll(**MARKED), formats=[a_format()])
    iconik.problems["restore_file_set"] = IconikRefused("restore it", "no (409)")
    iconik.problems["file_sets"] = problem("list them", "no")
    claimed = ClaimedAsset(ASSET, (), AssetProgress(deletions={LL_SET: Deletion("ORIGINAL")}))
    outcomes, _ = restore_all(iconik, claimed, Reason("it is over"))
    assert outcomes["ORIGINAL"].reason == (
        f"it is over; could not restore it: no (409); restore file set {LL_SET} from iconik's "
        "delete queue before iconik empties it"
    )


def test_a_token_that_is_rejected_meanwhile_ends_the_restoration(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED))
    iconik.problems["restore_file_set"] = IconikRefused("restore it", "no (409)")
    iconik.problems["file_sets"] = TokenRejected("list them", "no token is good (401)")
    claimed = ClaimedAsset(ASSET, (), AssetProgress(deletions={LL_SET: Deletion("ORIGINAL")}))
    assert restore_all(iconik, claimed, Reason("it is over")) == ({}, False)
    assert list(claimed.progress.unaccepted) == [LL_SET]
