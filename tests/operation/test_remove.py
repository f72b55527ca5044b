"""What Remove does with one asset, in front of an iconik in memory."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.bucket.confirm import Confirmation
from b2_iconik.common.errors import OperationFailed
from b2_iconik.domain.custody import Safe
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.domain.reasons import NO_REASON, Cause, Reason
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.storages import Checked, Checks, Preflight
from iconik_http import expiry
from iconik_http.errors import IconikUnavailable, NotFound, NotPermitted, TokenRejected, TooLate
from iconik_http.records import FileSet
from tests.makers import (
    ASSET,
    LL,
    ORIGINAL,
    a_click,
    a_format,
    a_ledger,
    clicked,
    expanded,
    on_b2,
    on_ll,
)
from tests.operation.benches import NOW, REMOVE, SETTLE, AssetBench, a_check

LL_SET = on_ll().file_set_id
B2_SET = on_b2().file_set_id
DELETION = [("delete_file_set", ASSET, LL_SET), ("purge_file_set", ASSET, LL_SET)]
PROXY = {"format_id": "format-proxy", "directory_path": "proxies"}


@pytest.fixture
def bench(engine: sa.Engine) -> AssetBench:
    """A Remove of one asset's ORIGINAL and PROXY."""
    return AssetBench(engine, a_click("remove", formats=("ORIGINAL", "PROXY")))


# Decisions


def test_what_is_proven_safe_is_deleted_by_its_id_and_purged(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    assert bench.remove().outcomes["ORIGINAL"] == Outcome("removed", NO_REASON, "size")
    assert bench.deletions() == DELETION


def test_what_was_missing_already_frees_nothing(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(status="MISSING"), on_b2())
    outcome = bench.remove().outcomes["ORIGINAL"]
    assert (outcome.kind, outcome.reason.cause) == ("removed", Cause.WAS_MISSING)
    assert outcome.size == 0


def test_what_iconik_has_accepted_is_still_to_be_verified(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.remove()
    (accepted,) = bench.claimed.progress.accepted.values()
    assert (accepted.name, accepted.accepted_ms, accepted.is_doubted) == ("ORIGINAL", NOW, False)
    assert accepted.proof
    assert (accepted.proof.twin_id, accepted.proof.pairs) == (B2_SET, ())


def test_what_iconik_does_not_know_when_it_is_deleted_is_doubted(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.unknown.add(LL_SET)
    bench.remove()
    assert bench.claimed.progress.accepted[LL_SET].is_doubted
    assert bench.iconik.called("purge_file_set") == []


@pytest.mark.parametrize(("twin", "kind"), [(1000, "removed"), (900, "kept")])
def test_an_outcome_has_the_size_of_the_files_on_lucidlink(
    bench: AssetBench, twin: int, kind: str
) -> None:
    bench.iconik.has(on_ll(size=1000), on_b2(size=twin))
    told = bench.remove().outcomes["ORIGINAL"]
    assert (told.kind, told.size) == (kind, 1000)


def test_a_format_that_the_asset_lacks_is_told(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    assert bench.remove().outcomes["PROXY"] == Outcome("without")


def test_a_format_that_is_not_on_lucidlink_is_told(bench: AssetBench) -> None:
    bench.iconik.has(on_b2())
    assert bench.remove().outcomes["ORIGINAL"] == Outcome("absent")
    assert bench.deletions() == []


@pytest.mark.parametrize("status", ["ACTIVE", "ARCHIVED"])
def test_a_file_set_on_lucidlink_without_files_is_kept(bench: AssetBench, status: str) -> None:
    bench.iconik.has(on_b2())
    bench.iconik.known_statuses[ASSET] = {"empty-set": status}
    kept = Outcome("kept", Reason("iconik lists a file set on LucidLink, but no file in it"))
    assert bench.remove().outcomes["ORIGINAL"] == kept
    assert bench.iconik.called("file_sets") == [("file_sets", ASSET)]


@pytest.mark.parametrize(
    "other",
    [
        FileSet("s", "DELETED", ORIGINAL, LL),
        FileSet("s", "ACTIVE", "format-proxy", LL),
        FileSet("s", "ACTIVE", ORIGINAL, "another-storage"),
    ],
    ids=["deleted", "of another format", "on another storage"],
)
def test_another_file_set_does_not_hide_that_a_format_is_absent(
    bench: AssetBench, other: FileSet
) -> None:
    bench.iconik.has(on_b2())
    bench.iconik.answers_with("file_sets", lambda *_: [other])
    assert bench.remove().outcomes["ORIGINAL"] == Outcome("absent")


def test_that_a_format_is_not_absent_takes_no_request(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.remove()
    assert bench.iconik.called("file_sets") == []


def test_storages_that_can_not_do_their_part_any_more_end_everything(bench: AssetBench) -> None:
    def preflight() -> Checked:
        raise OperationFailed("the B2 storage 'Masters' is INACTIVE")

    bench.iconik.has(on_ll(), on_b2())
    with pytest.raises(OperationFailed):
        bench.remove(preflight=preflight)
    assert bench.deletions() == []


def test_nothing_is_deleted_once_the_check_of_the_storages_is_too_old(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    with pytest.raises(TooLate):
        bench.remove(preflight=lambda: a_check(until=expiry.now()))
    assert bench.deletions() == []


def test_a_contradiction_of_iconik_counts_against_the_deletion(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.queue = [B2_SET]
    found = bench.remove(preflight=Preflight(bench.iconik, REMOVE, Checks(), NOW))
    reason = f"file set {B2_SET} is in iconik's delete queue, but iconik lists its files as ACTIVE"
    assert found.outcomes["ORIGINAL"] == Outcome("kept", Reason(reason))
    assert (found.copies, bench.deletions()) == ((), [])


def test_what_the_bucket_objects_to_is_kept(bench: AssetBench) -> None:
    asked: list[tuple[str, str]] = []

    def confirm(asset_id: str, proof: Safe) -> Confirmation:
        asked.append((asset_id, proof.twin_id))
        return Confirmation("key", Reason("clip.mov is not in the bucket"))

    bench.iconik.has(on_ll(), on_b2())
    found = bench.remove(confirm=confirm)
    assert found.outcomes["ORIGINAL"] == Outcome("kept", Reason("clip.mov is not in the bucket"))
    assert (asked, bench.deletions()) == ([(ASSET, B2_SET)], [])


def test_how_the_bucket_confirmed_a_proof_is_noted(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.problems["delete_file_set"] = IconikUnavailable("delete", "no answer")
    with pytest.raises(IconikUnavailable):
        bench.remove(confirm=lambda asset_id, safe: Confirmation("key"))
    ((_, progress, _),) = a_ledger(bench.engine).outcomes(1)
    assert progress.deletions[LL_SET].way == "key"


def test_an_asset_that_iconik_knows_no_more_is_told(bench: AssetBench) -> None:
    gone = Outcome("vanished", Reason("the asset no longer exists in iconik"))
    assert bench.remove().outcomes == {"ORIGINAL": gone, "PROXY": gone}


def test_what_differs_from_its_master_is_kept_and_never_copied(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(size=5), on_b2())
    found = bench.remove()
    assert found.outcomes["ORIGINAL"].kind == "kept"
    assert "differs from its master" in found.outcomes["ORIGINAL"].reason
    assert (found.copies, bench.deletions()) == ((), [])


def test_what_is_not_on_b2_is_copied_first(bench: AssetBench) -> None:
    bench.claimed.progress = replace(bench.claimed.progress, unfinished_ms=5)
    bench.iconik.has(on_ll())
    found = bench.remove()
    assert (found.copies, found.outcomes.get("ORIGINAL")) == (("ORIGINAL",), None)
    assert bench.claimed.progress.unfinished_ms is None


@pytest.mark.parametrize(("said", "told"), [("", ""), ("no space left", ": no space left")])
def test_what_a_copy_did_not_bring_to_b2_is_kept(bench: AssetBench, said: str, told: str) -> None:
    bench.claimed.progress = bench.claimed.progress.with_copy_results({"ORIGINAL": Reason(said)})
    bench.iconik.has(on_ll())
    reason = (
        f"clip.mov has no matching file on B2, although the requested copy to B2 has ended{told}"
    )
    assert bench.remove().unless_copied["ORIGINAL"] == Outcome("kept", Reason(reason))


@pytest.mark.parametrize("why", [Cause.NOT_PERMITTED, None])
def test_why_iconik_refused_a_copy_explains_more_than_that_it_failed(
    bench: AssetBench, why: Cause | None
) -> None:
    bench.claimed.progress = bench.claimed.progress.with_copy_results(
        {"ORIGINAL": Reason("no", why)}
    )
    bench.iconik.has(on_ll())
    found = bench.remove().unless_copied["ORIGINAL"]
    assert found.reason.cause == (why or Cause.COPY_FAILED)


def test_where_nothing_can_be_copied_no_copy_is_asked_for(bench: AssetBench) -> None:
    bench.iconik.has(on_ll())
    found = bench.remove(preflight=lambda: a_check(obstacle="B2 is read-only"))
    assert found.outcomes["ORIGINAL"] == Outcome(
        "kept", Reason("clip.mov has no matching file on B2, and B2 is read-only")
    )
    assert found.copies == ()


def test_what_is_being_written_on_b2_is_waited_for(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2(status="OPEN"))
    found = bench.remove()
    told = "clip.mov is incomplete on B2 (OPEN),"
    assert (found.unfinished, found.copies, bench.deletions()) == (told, (), [])
    assert bench.claimed.progress.unfinished_ms == NOW


def test_how_long_it_was_waited_is_not_forgotten(bench: AssetBench) -> None:
    bench.claimed.progress = replace(bench.claimed.progress, unfinished_ms=NOW - 1)
    bench.iconik.has(on_ll(), on_b2(status="OPEN"))
    assert bench.remove().unfinished
    assert bench.claimed.progress.unfinished_ms == NOW - 1


def test_what_is_never_finished_on_b2_is_copied_once(bench: AssetBench) -> None:
    bench.claimed.progress = replace(bench.claimed.progress, unfinished_ms=NOW - SETTLE)
    bench.iconik.has(on_ll(), on_b2(status="OPEN"))
    assert bench.remove().copies == ("ORIGINAL",)


def test_formats_are_proven_one_by_one(bench: AssetBench) -> None:
    files = [on_ll(), on_b2(), on_ll(**PROXY), on_b2(**PROXY, size=5)]
    bench.iconik.has(*files, formats=[a_format(), a_format("PROXY")])
    outcomes = bench.remove().outcomes
    assert {name: each.kind for name, each in outcomes.items()} == {
        "ORIGINAL": "removed",
        "PROXY": "kept",
    }
    assert bench.deletions() == DELETION


def test_every_version_of_a_format_must_be_safe(bench: AssetBench) -> None:
    old = {"format_id": "format-old", "directory_path": "old"}
    bench.iconik.has(
        *(on_ll(), on_b2(), on_ll(**old, size=5), on_b2(**old)),
        formats=[a_format(), a_format(id="format-old")],
    )
    assert bench.remove().outcomes["ORIGINAL"].kind == "kept"
    assert bench.deletions() == DELETION


def test_a_file_of_a_format_that_no_list_names_is_not_passed_over(bench: AssetBench) -> None:
    bench.iconik.has(on_b2(), on_ll("old.mov", format_id="format-lost"))
    outcome = bench.remove().outcomes["ORIGINAL"]
    assert outcome.kind == "kept"
    assert outcome.reason.startswith("old.mov is on LucidLink, but iconik does not say which of")


def test_file_set_statuses_are_asked_for_where_files_lack_them(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(file_set_status=None), on_b2(file_set_status=None))
    bench.iconik.known_statuses[ASSET] = {LL_SET: "ACTIVE", B2_SET: "DELETED"}
    assert bench.remove().copies == ("ORIGINAL",)
    assert bench.deletions() == []


# What a listing suggests

KNOWN = {ORIGINAL: "ORIGINAL"}
BOTH_KNOWN = {**KNOWN, PROXY["format_id"]: "PROXY"}
READY = AssetProgress(format_names=KNOWN, ready=("ORIGINAL",))


def test_what_a_listing_shows_only_on_lucidlink_is_copied_without_a_look(bench: AssetBench) -> None:
    bench.claimed.progress = READY
    assert bench.remove() == AssetResult(copies=("ORIGINAL",))
    assert bench.iconik.calls == []


def test_where_nothing_can_be_copied_what_a_listing_shows_is_not_copied_either(
    bench: AssetBench,
) -> None:
    bench.claimed.progress = READY
    bench.iconik.has(on_ll())
    found = bench.remove(preflight=lambda: a_check(obstacle="B2 is read-only"))
    assert (found.copies, found.outcomes["ORIGINAL"].kind) == ((), "kept")


def test_what_a_listing_shows_is_copied_once(bench: AssetBench) -> None:
    bench.claimed.progress = READY.with_copy_results({"ORIGINAL": None})
    bench.iconik.has(on_ll(), on_b2())
    assert bench.remove().outcomes["ORIGINAL"].kind == "removed"


def test_after_a_deletion_that_was_interrupted_the_asset_is_read_whatever_a_listing_shows(
    bench: AssetBench,
) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.problems["purge_file_set"] = IconikUnavailable("purge it", "no answer")
    with pytest.raises(IconikUnavailable):
        bench.remove()
    bench.iconik.problems.clear()
    bench.claimed.progress = replace(bench.claimed.progress, ready=("ORIGINAL",))
    assert bench.remove().outcomes["ORIGINAL"].kind == "removed"


def test_formats_that_a_listing_shows_are_not_asked_for(bench: AssetBench) -> None:
    bench.claimed.progress = AssetProgress(format_names=BOTH_KNOWN)
    bench.iconik.has(on_ll(), on_b2())
    assert bench.remove().outcomes["ORIGINAL"].kind == "removed"
    assert not bench.iconik.called("formats")


@pytest.mark.parametrize("shown", [KNOWN, {**BOTH_KNOWN, "format-preview": "PREVIEW"}])
def test_formats_are_asked_for_where_a_listing_shows_others_than_the_wanted_ones(
    bench: AssetBench, shown: dict[str, str]
) -> None:
    bench.claimed.progress = AssetProgress(format_names=shown)
    bench.iconik.has(on_ll(), on_b2())
    assert bench.remove().outcomes["ORIGINAL"].kind == "removed"
    assert bench.iconik.called("formats") == [("formats", ASSET)]


def test_formats_are_asked_for_where_a_listing_does_not_show_those_of_all_files(
    bench: AssetBench,
) -> None:
    bench.claimed = replace(
        bench.claimed, progress=AssetProgress(format_names={"v1": "ORIGINAL", "v2": "PROXY"})
    )
    files = [on_ll(), on_b2(), on_ll(**PROXY), on_b2(**PROXY)]
    bench.iconik.has(*files, formats=[a_format(), a_format("PROXY")])
    assert bench.remove().outcomes["PROXY"].kind == "removed"


def test_a_listing_that_exchanges_the_names_of_formats_has_no_other_format_deleted(
    bench: AssetBench,
) -> None:
    exchanged = AssetProgress(format_names={ORIGINAL: "PROXY", PROXY["format_id"]: "ORIGINAL"})
    bench.claimed = replace(bench.claimed, formats=("ORIGINAL",), progress=exchanged)
    files = [on_ll(), on_b2(), on_ll(**PROXY), on_b2(**PROXY)]
    bench.iconik.has(*files, formats=[a_format(), a_format("PROXY")])
    bench.remove()
    assert bench.deletions() == DELETION


def test_if_no_list_shows_the_format_of_a_file_nothing_is_deleted(bench: AssetBench) -> None:
    bench.claimed.progress = AssetProgress(format_names={ORIGINAL: "ORIGINAL", "another": "PROXY"})
    bench.iconik.has(on_ll(**PROXY), on_b2(**PROXY))
    bench.iconik.problems["formats"] = NotFound("list the formats", "iconik knows no such object")
    bench.remove()
    assert bench.deletions() == []


# Newer clicks


def test_a_newer_click_that_nobody_has_looked_into_yet_stops_a_deletion(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.before["files"] = lambda: clicked(bench.engine, a_click("add"))
    found = bench.remove()
    assert (found.must_be_requeued, bench.deletions()) == (True, [])
    assert found.outcomes == {"PROXY": Outcome("without")}


def test_a_newer_click_for_the_asset_stops_a_deletion(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.before["files"] = lambda: expanded(bench.engine, a_click("add"))
    assert bench.remove().must_be_requeued
    assert bench.deletions() == []


def test_a_newer_click_for_another_asset_is_in_nobodys_way(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.before["files"] = lambda: expanded(bench.engine, a_click("add"), ["asset-2"])
    bench.remove()
    assert bench.deletions() == DELETION


# Refusals


def test_a_refused_deletion_is_told_of_the_format_that_it_was_about(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2(), formats=[a_format(), a_format("PROXY")])
    bench.iconik.problems["delete_file_set"] = NotPermitted(
        "delete it", "it needs can_delete_files"
    )
    assert bench.remove().outcomes == {
        "ORIGINAL": Outcome(
            "failed",
            Reason(
                "the person who clicked may not delete it: ask an iconik administrator for access "
                "(it needs can_delete_files)"
            ),
        ),
        "PROXY": Outcome("absent"),
    }
    assert bench.claimed.progress.deletions == {}


def test_what_iconik_refuses_to_purge_is_restored(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.problems["purge_file_set"] = NotPermitted("purge it", "it needs can_delete_files")
    reason = (
        "the person who clicked may not purge it: ask an iconik administrator for access (it needs "
        f"can_delete_files), so file set {LL_SET} was restored"
    )
    assert bench.remove().outcomes["ORIGINAL"] == Outcome("failed", Reason(reason))
    assert bench.iconik.called("restore_file_set") == [("restore_file_set", ASSET, LL_SET)]
    assert bench.claimed.progress.deletions == {}


@pytest.mark.parametrize("at", ["delete_file_set", "purge_file_set"])
def test_a_rejected_token_ends_everything_and_what_was_begun_is_remembered(
    bench: AssetBench, at: str
) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.problems[at] = TokenRejected("delete it", "no token is good (401)")
    with pytest.raises(TokenRejected):
        bench.remove()
    assert list(bench.claimed.progress.unaccepted) == [LL_SET]


@pytest.mark.parametrize("at", ["formats", "files"])
def test_nothing_is_deleted_where_iconik_gives_no_answer(bench: AssetBench, at: str) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.problems[at] = IconikUnavailable("look", "no answer")
    with pytest.raises(IconikUnavailable):
        bench.remove()
    assert bench.deletions() == []
