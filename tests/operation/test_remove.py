"""What Remove does with one asset, in front of an iconik in memory."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.bucket.confirm import Confirmation
from b2_iconik.common.errors import OperationFailed
from b2_iconik.domain.custody import Safe
from b2_iconik.domain.operation import AssetProgress, ClaimedAsset
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import NO_REASON, Cause, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.execution import process_remove
from b2_iconik.operation.snapshot import Patience
from b2_iconik.operation.storages import Checked, Checks, Preflight
from iconik_http import expiry
from iconik_http.errors import (
    IconikError,
    IconikUnavailable,
    NotFound,
    NotPermitted,
    TokenRejected,
    TooLate,
)
from iconik_http.records import FileSet
from tests.makers import (
    ASSET,
    LL,
    ORIGINAL,
    FakeIconik,
    a_check,
    a_click,
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
B2_SET = on_b2().file_set_id
DELETION = [("delete_file_set", ASSET, LL_SET), ("purge_file_set", ASSET, LL_SET)]
NOW = 1_000_000
SETTLE = 60_000
FORMATS = ("ORIGINAL", "PROXY")
PROXY = {"format_id": "format-proxy", "directory_path": "proxies"}


@pytest.fixture
def claims(engine: sa.Engine) -> Claims:
    """Those of a Remove of one asset's ORIGINAL and PROXY, with nobody else about."""
    operation = expanded(engine, a_click("remove", formats=FORMATS))
    return Claims(engine, operation, a_term(engine))


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


@pytest.fixture
def claimed(claims: Claims) -> ClaimedAsset:
    (claimed,) = claims.take(1, NOW)
    return claimed


def look(iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, now: int = NOW) -> AssetResult:
    """Look, and purge what it only marked."""
    return process_and_purge(a_removal(iconik, claims), claimed, Patience(now, SETTLE))


def deletions(iconik: FakeIconik) -> list[tuple[str, ...]]:
    return iconik.called("delete_file_set", "purge_file_set")


# Decisions


def test_what_is_proven_safe_is_deleted_by_its_id_and_purged(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    assert look(iconik, claimed, claims).outcomes["ORIGINAL"] == Outcome(
        "removed", NO_REASON, "size"
    )
    assert deletions(iconik) == DELETION


def test_what_was_missing_already_frees_nothing(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(status="MISSING"), on_b2())
    outcome = look(iconik, claimed, claims).outcomes["ORIGINAL"]
    assert (outcome.kind, outcome.reason.cause) == ("removed", Cause.WAS_MISSING)
    assert outcome.size == 0


def test_what_iconik_has_accepted_is_still_to_be_verified(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    look(iconik, claimed, claims)
    (accepted,) = claimed.progress.accepted.values()
    assert (accepted.name, accepted.accepted_ms, accepted.is_doubted) == ("ORIGINAL", NOW, False)
    assert accepted.proof
    assert (accepted.proof.twin_id, accepted.proof.pairs) == (B2_SET, ())


def test_what_iconik_does_not_know_when_it_is_deleted_is_doubted(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.unknown.add(LL_SET)
    look(iconik, claimed, claims)
    assert claimed.progress.accepted[LL_SET].is_doubted
    assert iconik.called("purge_file_set") == []


@pytest.mark.parametrize(("twin", "kind"), [(1000, "removed"), (900, "kept")])
def test_an_outcome_has_the_size_of_the_files_on_lucidlink(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, twin: int, kind: str
) -> None:
    iconik.has(on_ll(size=1000), on_b2(size=twin))
    told = look(iconik, claimed, claims).outcomes["ORIGINAL"]
    assert (told.kind, told.size) == (kind, 1000)


def test_a_format_that_the_asset_lacks_is_told(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    assert look(iconik, claimed, claims).outcomes["PROXY"] == Outcome("without")


def test_a_format_that_is_not_on_lucidlink_is_told(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_b2())
    assert look(iconik, claimed, claims).outcomes["ORIGINAL"] == Outcome("absent")
    assert deletions(iconik) == []


@pytest.mark.parametrize("status", ["ACTIVE", "ARCHIVED"])
def test_a_file_set_on_lucidlink_without_files_is_kept(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, status: str
) -> None:
    iconik.has(on_b2())
    iconik.known_statuses[ASSET] = {"empty-set": status}
    kept = Outcome("kept", Reason("iconik lists a file set on LucidLink, but no file in it"))
    assert look(iconik, claimed, claims).outcomes["ORIGINAL"] == kept
    assert iconik.called("file_sets") == [("file_sets", ASSET)]


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
    iconik: FakeIconik,
    claimed: ClaimedAsset,
    claims: Claims,
    monkeypatch: pytest.MonkeyPatch,
    other: FileSet,
) -> None:
    iconik.has(on_b2())
    monkeypatch.setattr(iconik, "file_sets", lambda *_: [other])
    assert look(iconik, claimed, claims).outcomes["ORIGINAL"] == Outcome("absent")


def test_that_a_format_is_not_absent_takes_no_request(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    look(iconik, claimed, claims)
    assert iconik.called("file_sets") == []


def test_storages_that_can_not_do_their_part_any_more_end_everything(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    def preflight() -> Checked:
        raise OperationFailed("the B2 storage 'Masters' is INACTIVE")

    iconik.has(on_ll(), on_b2())
    with pytest.raises(OperationFailed):
        process_remove(
            a_removal(iconik, claims, preflight=preflight), claimed, Patience(NOW, SETTLE)
        )
    assert deletions(iconik) == []


def test_nothing_is_deleted_once_the_check_of_the_storages_is_too_old(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    removal = a_removal(iconik, claims, preflight=lambda: a_check(until=expiry.now()))
    with pytest.raises(TooLate):
        process_remove(removal, claimed, Patience(NOW, SETTLE))
    assert deletions(iconik) == []


def test_a_contradiction_of_iconik_counts_against_the_deletion(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.queue = [B2_SET]
    preflight = Preflight(iconik, a_click("remove"), Checks(), NOW)
    removal = a_removal(iconik, claims, preflight=preflight)
    found = process_remove(removal, claimed, Patience(NOW, SETTLE))
    reason = f"file set {B2_SET} is in iconik's delete queue, but iconik lists its files as ACTIVE"
    assert found.outcomes["ORIGINAL"] == Outcome("kept", Reason(reason))
    assert (found.copies, deletions(iconik)) == ((), [])


def test_what_the_bucket_objects_to_is_kept(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    asked: list[tuple[str, str]] = []

    def confirm(asset_id: str, proof: Safe) -> Confirmation:
        asked.append((asset_id, proof.twin_id))
        return Confirmation("key", Reason("clip.mov is not in the bucket"))

    iconik.has(on_ll(), on_b2())
    removal = a_removal(iconik, claims, confirm=confirm)
    found = process_remove(removal, claimed, Patience(NOW, SETTLE))
    assert found.outcomes["ORIGINAL"] == Outcome("kept", Reason("clip.mov is not in the bucket"))
    assert (asked, deletions(iconik)) == ([(ASSET, B2_SET)], [])


def test_how_the_bucket_confirmed_a_proof_is_noted(
    engine: sa.Engine, iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.problems["delete_file_set"] = IconikUnavailable("delete", "no answer")
    removal = a_removal(iconik, claims, confirm=lambda asset_id, safe: Confirmation("key"))
    with pytest.raises(IconikUnavailable):
        process_remove(removal, claimed, Patience(NOW, SETTLE))
    ((_, progress, _),) = a_ledger(engine).outcomes(1)
    assert progress.deletions[LL_SET].way == "key"


def test_an_asset_that_iconik_knows_no_more_is_told(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    gone = Outcome("vanished", Reason("the asset no longer exists in iconik"))
    assert look(iconik, claimed, claims).outcomes == {"ORIGINAL": gone, "PROXY": gone}


def test_what_differs_from_its_master_is_kept_and_never_copied(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(size=5), on_b2())
    found = look(iconik, claimed, claims)
    assert found.outcomes["ORIGINAL"].kind == "kept"
    assert "differs from its master" in found.outcomes["ORIGINAL"].reason
    assert (found.copies, deletions(iconik)) == ((), [])


def test_what_is_not_on_b2_is_copied_first(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = replace(claimed.progress, unfinished_ms=5)
    iconik.has(on_ll())
    found = look(iconik, claimed, claims)
    assert (found.copies, found.outcomes.get("ORIGINAL")) == (("ORIGINAL",), None)
    assert claimed.progress.unfinished_ms is None


@pytest.mark.parametrize(("said", "told"), [("", ""), ("no space left", ": no space left")])
def test_what_a_copy_did_not_bring_to_b2_is_kept(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, said: str, told: str
) -> None:
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": Reason(said)})
    iconik.has(on_ll())
    reason = (
        f"clip.mov has no matching file on B2, although the requested copy to B2 has ended{told}"
    )
    assert look(iconik, claimed, claims).unless_copied["ORIGINAL"] == Outcome(
        "kept", Reason(reason)
    )


@pytest.mark.parametrize("why", [Cause.NOT_PERMITTED, None])
def test_why_iconik_refused_a_copy_explains_more_than_that_it_failed(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, why: Cause | None
) -> None:
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": Reason("no", why)})
    iconik.has(on_ll())
    found = look(iconik, claimed, claims).unless_copied["ORIGINAL"]
    assert found.reason.cause == (why or Cause.COPY_FAILED)


def test_where_nothing_can_be_copied_no_copy_is_asked_for(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll())
    removal = a_removal(iconik, claims, preflight=lambda: a_check(obstacle="B2 is read-only"))
    found = process_remove(removal, claimed, Patience(NOW, SETTLE))
    assert found.outcomes["ORIGINAL"] == Outcome(
        "kept", Reason("clip.mov has no matching file on B2, and B2 is read-only")
    )
    assert found.copies == ()


def test_what_is_being_written_on_b2_is_waited_for(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2(status="OPEN"))
    found = look(iconik, claimed, claims)
    told = "clip.mov is incomplete on B2 (OPEN),"
    assert (found.unfinished, found.copies, deletions(iconik)) == (told, (), [])
    assert claimed.progress.unfinished_ms == NOW


def test_how_long_it_was_waited_is_not_forgotten(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = replace(claimed.progress, unfinished_ms=NOW - 1)
    iconik.has(on_ll(), on_b2(status="OPEN"))
    assert look(iconik, claimed, claims).unfinished
    assert claimed.progress.unfinished_ms == NOW - 1


def test_what_is_never_finished_on_b2_is_copied_once(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = replace(claimed.progress, unfinished_ms=NOW - SETTLE)
    iconik.has(on_ll(), on_b2(status="OPEN"))
    assert look(iconik, claimed, claims).copies == ("ORIGINAL",)


def test_formats_are_proven_one_by_one(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    files = [on_ll(), on_b2(), on_ll(**PROXY), on_b2(**PROXY, size=5)]
    iconik.has(*files, formats=[a_format(), a_format("PROXY")])
    outcomes = look(iconik, claimed, claims).outcomes
    assert {name: each.kind for name, each in outcomes.items()} == {
        "ORIGINAL": "removed",
        "PROXY": "kept",
    }
    assert deletions(iconik) == DELETION


def test_every_version_of_a_format_must_be_safe(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    old = {"format_id": "format-old", "directory_path": "old"}
    iconik.has(
        *(on_ll(), on_b2(), on_ll(**old, size=5), on_b2(**old)),
        formats=[a_format(), a_format(id="format-old")],
    )
    assert look(iconik, claimed, claims).outcomes["ORIGINAL"].kind == "kept"
    assert deletions(iconik) == DELETION


def test_a_file_of_a_format_that_no_list_names_is_not_passed_over(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_b2(), on_ll("old.mov", format_id="format-lost"))
    outcome = look(iconik, claimed, claims).outcomes["ORIGINAL"]
    assert outcome.kind == "kept"
    assert outcome.reason.startswith("old.mov is on LucidLink, but iconik does not say which of")


def test_file_set_statuses_are_asked_for_where_files_lack_them(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(file_set_status=None), on_b2(file_set_status=None))
    iconik.known_statuses[ASSET] = {LL_SET: "ACTIVE", B2_SET: "DELETED"}
    assert look(iconik, claimed, claims).copies == ("ORIGINAL",)
    assert deletions(iconik) == []


# What a listing suggests

KNOWN = {ORIGINAL: "ORIGINAL"}
BOTH_KNOWN = {**KNOWN, PROXY["format_id"]: "PROXY"}
READY = AssetProgress(format_names=KNOWN, ready=("ORIGINAL",))


def test_what_a_listing_shows_only_on_lucidlink_is_copied_without_a_look(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = READY
    assert look(iconik, claimed, claims) == AssetResult(copies=("ORIGINAL",))
    assert iconik.calls == []


def test_where_nothing_can_be_copied_what_a_listing_shows_is_not_copied_either(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = READY
    iconik.has(on_ll())
    removal = a_removal(iconik, claims, preflight=lambda: a_check(obstacle="B2 is read-only"))
    found = process_remove(removal, claimed, Patience(NOW, SETTLE))
    assert (found.copies, found.outcomes["ORIGINAL"].kind) == ((), "kept")


def test_what_a_listing_shows_is_copied_once(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = READY.with_copy_results({"ORIGINAL": None})
    iconik.has(on_ll(), on_b2())
    assert look(iconik, claimed, claims).outcomes["ORIGINAL"].kind == "removed"


def test_after_a_deletion_that_was_interrupted_the_asset_is_read_whatever_a_listing_shows(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.problems["purge_file_set"] = IconikUnavailable("purge it", "no answer")
    with pytest.raises(IconikUnavailable):
        look(iconik, claimed, claims)
    iconik.problems.clear()
    claimed.progress = replace(claimed.progress, ready=("ORIGINAL",))
    assert look(iconik, claimed, claims).outcomes["ORIGINAL"].kind == "removed"


def test_formats_that_a_listing_shows_are_not_asked_for(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = AssetProgress(format_names=BOTH_KNOWN)
    iconik.has(on_ll(), on_b2())
    assert look(iconik, claimed, claims).outcomes["ORIGINAL"].kind == "removed"
    assert not iconik.called("formats")


@pytest.mark.parametrize("shown", [KNOWN, {**BOTH_KNOWN, "format-preview": "PREVIEW"}])
def test_formats_are_asked_for_where_a_listing_shows_others_than_the_wanted_ones(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, shown: dict[str, str]
) -> None:
    claimed.progress = AssetProgress(format_names=shown)
    iconik.has(on_ll(), on_b2())
    assert look(iconik, claimed, claims).outcomes["ORIGINAL"].kind == "removed"
    assert iconik.called("formats") == [("formats", ASSET)]


def test_formats_are_asked_for_where_a_listing_does_not_show_those_of_all_files(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed = replace(
        claimed, progress=AssetProgress(format_names={"v1": "ORIGINAL", "v2": "PROXY"})
    )
    files = [on_ll(), on_b2(), on_ll(**PROXY), on_b2(**PROXY)]
    iconik.has(*files, formats=[a_format(), a_format("PROXY")])
    assert look(iconik, claimed, claims).outcomes["PROXY"].kind == "removed"


def test_a_listing_that_exchanges_the_names_of_formats_has_no_other_format_deleted(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    exchanged = AssetProgress(format_names={ORIGINAL: "PROXY", PROXY["format_id"]: "ORIGINAL"})
    claimed = replace(claimed, formats=("ORIGINAL",), progress=exchanged)
    files = [on_ll(), on_b2(), on_ll(**PROXY), on_b2(**PROXY)]
    iconik.has(*files, formats=[a_format(), a_format("PROXY")])
    look(iconik, claimed, claims)
    assert deletions(iconik) == DELETION


def test_if_no_list_shows_the_format_of_a_file_nothing_is_deleted(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    claimed.progress = AssetProgress(format_names={ORIGINAL: "ORIGINAL", "another": "PROXY"})
    iconik.has(on_ll(**PROXY), on_b2(**PROXY))
    iconik.problems["formats"] = NotFound("list the formats", "iconik knows no such object")
    look(iconik, claimed, claims)
    assert deletions(iconik) == []


# Newer clicks


def test_a_newer_click_that_nobody_has_looked_into_yet_stops_a_deletion(
    engine: sa.Engine, iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.before["files"] = lambda: clicked(engine, a_click("add"))
    found = look(iconik, claimed, claims)
    assert (found.must_be_requeued, deletions(iconik)) == (True, [])


def test_what_was_not_deleted_after_all_is_not_reported_as_removed(
    engine: sa.Engine, iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.before["files"] = lambda: clicked(engine, a_click("add"))
    assert look(iconik, claimed, claims).outcomes == {"PROXY": Outcome("without")}


def test_a_newer_click_for_the_asset_stops_a_deletion(
    engine: sa.Engine, iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.before["files"] = lambda: expanded(engine, a_click("add"))
    assert look(iconik, claimed, claims).must_be_requeued
    assert deletions(iconik) == []


def test_a_newer_click_for_another_asset_is_in_nobodys_way(
    engine: sa.Engine, iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.before["files"] = lambda: expanded(engine, a_click("add"), ["asset-2"])
    look(iconik, claimed, claims)
    assert deletions(iconik) == DELETION


# Refusals


def test_a_refused_deletion_is_told_of_the_format_that_it_was_about(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2(), formats=[a_format(), a_format("PROXY")])
    iconik.problems["delete_file_set"] = NotPermitted("delete it", "it needs can_delete_files")
    assert look(iconik, claimed, claims).outcomes == {
        "ORIGINAL": Outcome(
            "failed",
            Reason(
                "the person who clicked may not delete it: ask an iconik administrator for access "
                "(it needs can_delete_files)"
            ),
        ),
        "PROXY": Outcome("absent"),
    }
    assert claimed.progress.deletions == {}


def test_what_iconik_refuses_to_purge_is_restored(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.problems["purge_file_set"] = NotPermitted("purge it", "it needs can_delete_files")
    reason = (
        "the person who clicked may not purge it: ask an iconik administrator for access (it needs "
        f"can_delete_files), so file set {LL_SET} was restored"
    )
    assert look(iconik, claimed, claims).outcomes["ORIGINAL"] == Outcome("failed", Reason(reason))
    assert iconik.called("restore_file_set") == [("restore_file_set", ASSET, LL_SET)]
    assert claimed.progress.deletions == {}


@pytest.mark.parametrize("at", ["delete_file_set", "purge_file_set"])
def test_a_rejected_token_ends_everything_and_what_was_begun_is_remembered(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, at: str
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.problems[at] = TokenRejected("delete it", "no token is good (401)")
    with pytest.raises(TokenRejected):
        look(iconik, claimed, claims)
    assert list(claimed.progress.unaccepted) == [LL_SET]


@pytest.mark.parametrize("at", ["formats", "files"])
def test_nothing_is_deleted_where_iconik_gives_no_answer(
    iconik: FakeIconik, claimed: ClaimedAsset, claims: Claims, at: str
) -> None:
    problem: IconikError = IconikUnavailable("look", "no answer")
    iconik.has(on_ll(), on_b2())
    iconik.problems[at] = problem
    with pytest.raises(IconikUnavailable):
        look(iconik, claimed, claims)
    assert deletions(iconik) == []
