"""Deletions that were interrupted, in front of an iconik in memory."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.bucket.confirm import Confirmation
from b2_iconik.domain.custody import Safe, judge
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset, Deletion
from b2_iconik.domain.reasons import NO_REASON, Reason
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.deletion_results import CARRIED_OUT_AFTER_MS, verify
from b2_iconik.operation.interrupted import restore_all
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
    clicked,
    on_b2,
    on_ll,
)
from tests.operation.benches import NOW, AssetBench

LL_SET = on_ll().file_set_id
REMOVED = Outcome("removed", NO_REASON, "size")
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
def bench(engine: sa.Engine) -> AssetBench:
    """A Remove of one asset's ORIGINAL."""
    return AssetBench(engine, a_click("remove"))


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


def proof_of(*files: File) -> Safe:
    """What proved a file set safe when these were all files of its asset."""
    (safe,) = judge(files[0].format_id, files, LL, B2)
    assert isinstance(safe, Safe)
    return safe


def noted(*files: File) -> Deletion:
    """The deletion as it is read back from the ledger, of what these files proved."""
    begun = Deletion("ORIGINAL", proof_of(*files))
    return Deletion.from_json(files[0].file_set_id, begun.as_json())


def an_asset(deletions: dict[str, Deletion]) -> ClaimedAsset:
    """An asset that is held only for deletions that have begun."""
    return ClaimedAsset(ASSET, (), AssetProgress(deletions=deletions))


def marked(bench: AssetBench, *files: File, progress: AssetProgress | None = None) -> None:
    """Have the asset's only file set on LucidLink be marked deleted and then forgotten of.

    Args:
        files: what iconik lists now.
    """
    bench.iconik.has(*files)
    bench.iconik.known_statuses[ASSET] = {LL_SET: "DELETED"}
    bench.claimed = an_asset({LL_SET: noted(on_ll(), on_b2())})
    bench.claimed.progress = progress or bench.claimed.progress


def begun(bench: AssetBench, *proven: File) -> None:
    """Have a deletion begin of what these files proved safe: a file and its twin if not given."""
    deletion = noted(*(proven or (on_ll(), on_b2())))
    file_set_id = proven[0].file_set_id if proven else LL_SET
    bench.claimed.progress = bench.claimed.progress.with_deletions({file_set_id: deletion})


def purges(bench: AssetBench) -> int:
    return len(bench.iconik.called("purge_file_set"))


def restored(reason: str, file_set_id: str = LL_SET) -> Outcome:
    told = f"{reason}, found after its file set was marked deleted, so file set {file_set_id} was"
    return Outcome("failed", Reason(f"{told} restored"))


# Where the proof holds


@pytest.mark.parametrize("files", [[on_ll(**MARKED), on_b2()], [on_b2()]], ids=["listed", "not"])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_deletion_whose_proof_holds_is_finished(
    bench: AssetBench, files: list[File], is_told: bool
) -> None:
    marked(bench, *files)
    if not is_told:
        bench.iconik.known_statuses[ASSET] = {}
    assert bench.resume().outcomes == {"ORIGINAL": REMOVED}
    assert (purges(bench), list(bench.claimed.progress.accepted)) == (1, [LL_SET])


def test_several_files_that_are_no_longer_listed_are_proven_by_their_twins(
    bench: AssetBench,
) -> None:
    frames = [side(f"{n}.dpx") for side in (on_ll, on_b2) for n in range(3)]
    marked(bench, *frames[3:], progress=AssetProgress(deletions={LL_SET: noted(*frames)}))
    assert bench.resume().outcomes == {"ORIGINAL": REMOVED}


def test_the_bucket_is_asked_again_with_what_was_proven(bench: AssetBench) -> None:
    asked: list[Safe] = []

    def confirm(asset_id: str, proof: Safe) -> Confirmation:
        asked.append(proof)
        return Confirmation("key")

    marked(bench, on_b2(checksum="a" * 32))
    before = [on_ll(checksum="a" * 32), on_b2(checksum="a" * 32)]
    begun(bench, *before)
    bench.resume(confirm=confirm)
    assert [(proof, proof.pairs) for proof in asked] == [
        (proof_of(*before), proof_of(*before).pairs)
    ]


def test_a_deletion_of_an_earlier_version_is_finished_where_its_files_are_listed(
    bench: AssetBench,
) -> None:
    progress = AssetProgress.from_json(
        {"deleting": {LL_SET: "ORIGINAL"}, "versions": {LL_SET: ORIGINAL}}
    )
    marked(bench, on_ll(**MARKED), on_b2(), progress=progress)
    assert bench.resume().outcomes == {"ORIGINAL": REMOVED}


def test_an_asset_of_which_deletions_get_on_is_given_up_no_sooner(bench: AssetBench) -> None:
    marked(bench, on_ll(**MARKED), on_b2())
    bench.claimed.progress = replace(bench.claimed.progress, failures=9)
    bench.resume()
    assert bench.claimed.progress.failures == 0


def test_a_purge_of_what_iconik_does_not_know_is_doubted(bench: AssetBench) -> None:
    marked(bench, on_b2())
    bench.iconik.unknown.add(LL_SET)
    bench.resume()
    assert bench.claimed.progress.accepted[LL_SET].is_doubted


def test_a_deletion_that_was_finished_is_noted_before_anything_else_is_done(
    bench: AssetBench,
) -> None:
    begun(bench)
    bench.iconik.has(on_ll(**MARKED), on_b2())
    away = {"formats": IconikUnavailable("list the formats", "no answer")}
    bench.iconik.before["purge_file_set"] = lambda: bench.iconik.problems.update(away)
    with pytest.raises(IconikUnavailable):
        bench.remove()
    ((_, progress, outcomes),) = a_ledger(bench.engine).outcomes(1)
    assert (list(progress.accepted), outcomes) == ([LL_SET], {"ORIGINAL": REMOVED})


def test_what_was_removed_before_the_interruption_counts_as_removed(bench: AssetBench) -> None:
    begun(bench)
    bench.iconik.has(on_ll(**MARKED), on_b2())
    assert bench.remove().outcomes["ORIGINAL"] == REMOVED


# Where it does not

CHANGED = "the file on B2 that proved clip.mov safe has changed"


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
        ([on_b2(id="another")], CHANGED),
        ([on_b2(checksum="a" * 32)], CHANGED),
        ([on_b2(file_set_id="another")], CHANGED),
        ([on_b2(directory_path="projects/two")], CHANGED),
    ],
)
def test_what_is_no_longer_proven_is_restored(
    bench: AssetBench, files: list[File], objection: str
) -> None:
    marked(bench, *files)
    found = bench.resume()
    assert found.outcomes == {"ORIGINAL": restored(objection)}
    assert bench.iconik.called("restore_file_set") == [("restore_file_set", ASSET, LL_SET)]
    assert (purges(bench), bench.claimed.progress) == (0, AssetProgress())


def test_what_the_bucket_objects_to_by_now_is_restored(bench: AssetBench) -> None:
    marked(bench, on_b2())
    objection = Confirmation("key", Reason("clip.mov is 7 bytes in the bucket"))
    assert bench.resume(confirm=lambda asset_id, safe: objection).outcomes == {
        "ORIGINAL": restored("clip.mov is 7 bytes in the bucket")
    }
    assert purges(bench) == 0


def test_what_an_earlier_version_noted_without_proof_is_restored_where_nothing_is_listed(
    bench: AssetBench,
) -> None:
    marked(bench, on_b2(), progress=AssetProgress.from_json({"deleting": {LL_SET: "ORIGINAL"}}))
    reason = "iconik no longer lists its files, and the proof that they are safe was not recorded"
    assert bench.resume().outcomes == {"ORIGINAL": restored(reason)}


def test_a_purge_is_proven_by_the_files_of_its_own_file_set(bench: AssetBench) -> None:
    edited = on_ll(file_set_id="another-set", size=7, directory_path="elsewhere")
    marked(bench, edited, on_ll(**MARKED), on_b2())
    bench.iconik.known_statuses[ASSET]["another-set"] = "ACTIVE"
    assert bench.resume().outcomes == {"ORIGINAL": REMOVED}


def test_another_version_on_b2_is_no_ground_for_a_purge(bench: AssetBench) -> None:
    bench.iconik.has(on_b2(), formats=BOTH_VERSIONS)
    bench.iconik.known_statuses[ASSET] = {OLD_SET: "DELETED"}
    bench.claimed = an_asset({OLD_SET: noted(on_ll(**OLD_FILES), on_b2(**OLD_FILES))})
    found = bench.resume()
    assert found.outcomes == {"ORIGINAL": restored("clip.mov has no matching file on B2", OLD_SET)}


def test_a_refused_purge_is_restored(bench: AssetBench) -> None:
    marked(bench, on_ll(**MARKED), on_b2())
    bench.iconik.problems["purge_file_set"] = IconikRefused("purge it", "no (409)")
    failed = Outcome(
        "failed", Reason(f"could not purge it: no (409), so file set {LL_SET} was restored")
    )
    assert bench.resume().outcomes == {"ORIGINAL": failed}


def test_a_restoration_that_iconik_refuses_is_told_with_what_to_do(bench: AssetBench) -> None:
    marked(bench, on_ll(**MARKED))
    bench.iconik.problems["restore_file_set"] = NotPermitted(
        "restore it", "it needs can_write_files"
    )
    (outcome,) = bench.resume().outcomes.values()
    assert outcome.reason == (
        "clip.mov has no matching file on B2, found after its file set was marked deleted; could "
        f"not restore it: it needs can_write_files; restore file set {LL_SET} "
        "from iconik's delete queue "
        "before iconik empties it"
    )
    assert list(bench.claimed.progress.unaccepted) == [LL_SET]


def test_what_somebody_else_has_restored_meanwhile_needs_no_restoration(bench: AssetBench) -> None:
    marked(bench, on_ll(**MARKED))
    bench.iconik.problems["restore_file_set"] = IconikRefused(
        "restore it", "it is not deleted (400)"
    )
    bench.iconik.before["restore_file_set"] = lambda: bench.iconik.known_statuses[ASSET].update(
        {LL_SET: "ACTIVE"}
    )
    found = bench.resume()
    assert found.outcomes == {"ORIGINAL": restored("clip.mov has no matching file on B2")}
    assert bench.claimed.progress == AssetProgress()


def test_what_can_not_be_restored_any_more_is_told(bench: AssetBench) -> None:
    marked(bench, on_ll(**MARKED))
    bench.iconik.problems["restore_file_set"] = NotFound("restore it", "no such thing (404)")
    (outcome,) = bench.resume().outcomes.values()
    assert outcome.reason.endswith(
        f"file set {LL_SET} cannot be restored: it no longer exists in iconik (404)"
    )
    assert bench.claimed.progress == AssetProgress()


# Where nothing is to be finished


def test_nothing_is_done_with_an_asset_that_is_gone(bench: AssetBench) -> None:
    bench.claimed = an_asset({LL_SET: noted(on_ll(), on_b2())})
    gone = Outcome("vanished", Reason("the asset no longer exists in iconik"))
    assert bench.resume().outcomes == {"ORIGINAL": gone}
    assert not bench.iconik.called("purge_file_set", "restore_file_set")


@pytest.mark.parametrize("status", ["ACTIVE", "ARCHIVED", "None"])
def test_what_is_not_deleted_is_never_purged_without_a_new_proof(
    bench: AssetBench, status: str
) -> None:
    marked(bench, on_ll(file_set_status=status), on_b2())
    bench.iconik.known_statuses[ASSET] = {LL_SET: status}
    assert bench.resume() == AssetResult()
    assert (purges(bench), bench.claimed.progress) == (0, AssetProgress())


def test_a_deletion_that_never_began_is_proven_anew(bench: AssetBench) -> None:
    begun(bench)
    bench.iconik.has(on_ll(), on_b2(status="MISSING"))
    found = bench.remove()
    assert (found.copies, purges(bench)) == (("ORIGINAL",), 0)


# Deletions that failed, of an asset with two versions

EDITED = restored(
    "clip.mov differs from its master: 7 bytes on LucidLink, 1,000 bytes on B2", OLD_SET
)


def edited_after_its_mark(bench: AssetBench, *others: File) -> None:
    """Have the older of two versions edited after it was marked deleted."""
    files = [on_ll(**OLD_FILES, **MARKED, size=7), on_b2(**OLD_FILES)]
    bench.iconik.has(*files, *others, formats=BOTH_VERSIONS)
    begun(bench, on_ll(**OLD_FILES), on_b2(**OLD_FILES))


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
    bench: AssetBench, others: list[File]
) -> None:
    edited_after_its_mark(bench, *others)
    assert bench.remove().outcomes["ORIGINAL"] == EDITED


def test_what_was_restored_is_told_though_another_version_is_doubted(bench: AssetBench) -> None:
    edited_after_its_mark(bench, on_ll())
    bench.iconik.known_files[ASSET][0] = replace(bench.iconik.known_files[ASSET][0], size=1000)
    begun(bench, on_ll(**OLD_FILES), on_b2(**OLD_FILES, id="another"))
    bench.claimed.progress = bench.claimed.progress.with_copy_results({"ORIGINAL": None})
    bench.iconik.before["restore_file_set"] = lambda: bench.iconik.known_files[ASSET].pop(0)
    found = bench.remove()
    assert found.unless_copied == {"ORIGINAL": restored(CHANGED, OLD_SET)}


def test_what_was_restored_is_told_though_a_newer_click_comes_in_between(bench: AssetBench) -> None:
    edited_after_its_mark(bench, on_ll(), on_b2())
    bench.iconik.before["files"] = lambda: clicked(bench.engine, a_click("add"))
    found = bench.remove()
    assert (found.must_be_requeued, found.outcomes["ORIGINAL"]) == (True, EDITED)


@pytest.mark.parametrize("order", [(OLD_SET, LL_SET), (LL_SET, OLD_SET)])
def test_what_was_restored_is_told_where_another_version_was_purged(
    bench: AssetBench, order: Sequence[str]
) -> None:
    edited_after_its_mark(bench, on_ll(**MARKED), on_b2())
    both = {**bench.claimed.progress.deletions, LL_SET: noted(on_ll(), on_b2())}
    bench.claimed.progress = replace(
        bench.claimed.progress, deletions={each: both[each] for each in order}
    )
    found = bench.resume()
    assert found.outcomes["ORIGINAL"] == EDITED
    assert bench.iconik.called("purge_file_set") == [("purge_file_set", ASSET, LL_SET)]
    assert list(bench.claimed.progress.deletions) == [LL_SET]


def test_each_that_was_restored_is_told(bench: AssetBench) -> None:
    edited_after_its_mark(bench, on_ll(**MARKED))
    begun(bench)
    (outcome,) = bench.resume().outcomes.values()
    other = restored("clip.mov has no matching file on B2")
    assert outcome == Outcome("failed", Reason(f"{EDITED.reason}; {other.reason}"))


def test_what_is_proven_anew_right_after_it_was_restored_is_no_failure(bench: AssetBench) -> None:
    edited_after_its_mark(bench)
    put_back = [on_ll(**OLD_FILES), on_b2(**OLD_FILES)]
    bench.iconik.before["restore_file_set"] = lambda: bench.iconik.has(
        *put_back, formats=BOTH_VERSIONS
    )
    assert bench.remove().outcomes["ORIGINAL"] == REMOVED


def test_a_refused_purge_is_told_beside_what_was_restored(bench: AssetBench) -> None:
    edited_after_its_mark(bench, on_ll(), on_b2())
    bench.iconik.problems["purge_file_set"] = IconikRefused("purge it", "no (409)")
    found = bench.remove()
    told = f"could not purge it: no (409), so file set {LL_SET} was restored"
    assert found.outcomes["ORIGINAL"] == Outcome("failed", Reason(f"{EDITED.reason}; {told}"))


# What iconik has accepted

ACCEPTED = Deletion("ORIGINAL", accepted_ms=NOW)


def listed(status: str | None) -> dict[str, str]:
    """The statuses that iconik lists; None if it no longer lists the file set."""
    return {} if status is None else {LL_SET: status}


@pytest.mark.parametrize("status", [None, "DELETED", "ARCHIVED"])
def test_what_is_no_longer_active_is_done(status: str | None) -> None:
    claimed = an_asset({LL_SET: ACCEPTED})
    assert verify(claimed, listed(status), NOW) == {}
    assert claimed.progress == AssetProgress()


def test_what_is_active_for_less_than_a_minute_may_still_be_carried_out() -> None:
    claimed = an_asset({LL_SET: ACCEPTED})
    assert verify(claimed, listed("ACTIVE"), NOW + CARRIED_OUT_AFTER_MS - 1) == {}
    assert claimed.progress.accepted == {LL_SET: replace(ACCEPTED, is_doubted=True)}


def test_what_is_still_active_after_a_minute_has_failed(caplog: pytest.LogCaptureFixture) -> None:
    claimed = an_asset({LL_SET: ACCEPTED})
    assert verify(claimed, listed("ACTIVE"), NOW + CARRIED_OUT_AFTER_MS) == {
        LL_SET: ("ORIGINAL", f"iconik accepted the deletion, but file set {LL_SET} is still there")
    }
    assert claimed.progress == AssetProgress()
    assert caplog.messages == [
        f"audit: not deleted: file set {LL_SET} of asset {ASSET}, although "
        "iconik accepted the deletion"
    ]


def test_a_later_look_tells_what_is_still_there(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2(status="OPEN"))
    bench.claimed.progress = bench.claimed.progress.with_deletions({LL_SET: ACCEPTED})
    found = bench.remove(NOW + CARRIED_OUT_AFTER_MS)
    assert found.outcomes["ORIGINAL"].kind == "failed"
    assert "is still there" in found.outcomes["ORIGINAL"].reason


# Giving back


def test_all_that_is_marked_deleted_is_given_back(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED), on_ll(**OLD_FILES, **MARKED))
    claimed = an_asset({LL_SET: Deletion("ORIGINAL"), OLD_SET: ACCEPTED})
    told = f"it is over, so file set {LL_SET} was restored"
    assert restore_all(iconik, claimed, Reason("it is over")) == (
        {"ORIGINAL": Outcome("failed", Reason(told))},
        True,
    )
    assert claimed.progress == AssetProgress(deletions={OLD_SET: ACCEPTED})


def test_what_iconik_gives_no_answer_to_is_not_tried_again(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED))
    iconik.problems["restore_file_set"] = AWAY
    claimed = an_asset({LL_SET: ACCEPTED, "a": Deletion("A"), "b": Deletion("B")})
    assert restore_all(iconik, claimed, Reason("it is over")) == ({}, False)
    assert len(iconik.called("restore_file_set")) == 1


@pytest.mark.parametrize("problem", [NotPermitted, NotFound])
def test_that_file_sets_can_not_be_listed_does_not_hide_a_refusal(
    iconik: FakeIconik, problem: type[IconikError]
) -> None:
    iconik.has(on_ll(**MARKED), formats=[a_format()])
    iconik.problems["restore_file_set"] = IconikRefused("restore it", "no (409)")
    iconik.problems["file_sets"] = problem("list them", "no")
    claimed = an_asset({LL_SET: Deletion("ORIGINAL")})
    outcomes, _ = restore_all(iconik, claimed, Reason("it is over"))
    assert outcomes["ORIGINAL"].reason == (
        f"it is over; could not restore it: no (409); restore file set {LL_SET} from iconik's "
        "delete queue before iconik empties it"
    )


def test_a_token_that_is_rejected_meanwhile_ends_the_restoration(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED))
    iconik.problems["restore_file_set"] = IconikRefused("restore it", "no (409)")
    iconik.problems["file_sets"] = TokenRejected("list them", "no token is good (401)")
    claimed = an_asset({LL_SET: Deletion("ORIGINAL")})
    assert restore_all(iconik, claimed, Reason("it is over")) == ({}, False)
    assert list(claimed.progress.unaccepted) == [LL_SET]
