"""What Remove leaves marked deleted, and what brings it back, with an iconik in memory."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.domain.operation import AssetProgress, ClaimedAsset, Deletion, UndoWindow
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import ENDED, Cause
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.due import Due
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.operation import grace_period
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.execution import process_add, process_remove, process_undo
from b2_iconik.operation.grace_period import GracePeriod
from b2_iconik.operation.interrupted import restore_leftovers, resume
from b2_iconik.operation.snapshot import Patience
from b2_iconik.operation.storages import Checks, Preflight
from iconik import acting_as
from iconik_http.errors import IconikRefused, IconikUnavailable, NotFound, NotPermitted
from iconik_http.records import File
from tests.makers import (
    ASSET,
    LL,
    FakeIconik,
    a_click,
    a_format,
    a_ledger,
    a_removal,
    a_term,
    expanded,
    found,
    half_done,
    held,
    on_b2,
    on_ll,
)
from tests.operation.test_interrupted import MARKED, noted

LL_SET, OTHER_SET = on_ll().file_set_id, "set-of-another-version"
NOW, SETTLE, HOUR = 1_000_000, 60_000, 3_600_000
PATIENCE = Patience(NOW, SETTLE)
AWAY = IconikUnavailable("restore it", "no answer")


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock stands still."""
    monkeypatch.setattr(grace_period, "now_ms", lambda: NOW)


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


@pytest.fixture
def claims(engine: sa.Engine) -> Claims:
    """Those of a Remove of one asset's ORIGINAL, with nobody else about."""
    return Claims(engine, expanded(engine, a_click("remove")), a_term(engine))


@pytest.fixture
def claimed(claims: Claims) -> ClaimedAsset:
    (claimed,) = claims.take(1, NOW)
    return claimed


def remove(iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset) -> AssetResult:
    removal = a_removal(iconik, claims, grace_period=GracePeriod(iconik))
    return process_remove(removal, claimed, PATIENCE)


def to_restore(*file_set_ids: str, formats: tuple[str, ...] = ("ORIGINAL",)) -> ClaimedAsset:
    """An asset of an Undo or an Add that has taken over such file sets, of ORIGINAL."""
    deletion = replace(noted(on_ll(), on_b2()), accepted_ms=None)
    return ClaimedAsset(
        ASSET, formats, AssetProgress(deletions=dict.fromkeys(file_set_ids, deletion))
    )


# The grace period


@pytest.mark.parametrize("hours", [0.0, 0.5, 24.0, 1000.0])
def test_the_window_is_as_long_as_iconik_says(iconik: FakeIconik, hours: float) -> None:
    iconik.grace_period = hours
    until_ms = NOW + int(hours * HOUR)
    assert GracePeriod(iconik).begin() == UndoWindow(NOW, until_ms, is_about=False)


def test_a_window_of_which_iconik_tells_nothing_is_about_a_day(iconik: FakeIconik) -> None:
    iconik.grace_period = None
    assert GracePeriod(iconik).begin() == UndoWindow(NOW, NOW + 24 * HOUR, is_about=True)


@pytest.mark.parametrize("problem", [NotPermitted, NotFound, IconikUnavailable])
def test_that_iconik_does_not_tell_is_no_failure_and_is_not_asked_again(
    iconik: FakeIconik, problem: type[IconikRefused]
) -> None:
    iconik.problems["delete_grace_period"] = problem("read the settings", "no")
    period = GracePeriod(iconik)
    assert [period.begin().is_about for _ in range(2)] == [True, True]
    assert len(iconik.calls) == 1


# A Remove


def test_what_is_proven_safe_is_only_marked(
    engine: sa.Engine, iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset
) -> None:
    iconik.has(on_ll(), on_b2())
    result = remove(iconik, claims, claimed)
    assert (result.outcomes["ORIGINAL"].kind, result.marked) == ("removed", ())
    assert iconik.called("delete_file_set", "purge_file_set", "delete_file_sets") == [
        ("delete_file_set", ASSET, LL_SET)
    ]
    assert list(claimed.progress.accepted) == list(claimed.progress.marked) == [LL_SET]
    assert found(engine, "operation-1").undo_until_ms == NOW + 24 * HOUR


def test_no_grace_period_is_asked_for_where_nothing_is_marked(
    iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset
) -> None:
    iconik.has(on_ll(size=7), on_b2())
    remove(iconik, claims, claimed)
    assert not iconik.called("delete_grace_period")


def test_what_iconik_does_not_know_is_not_marked(
    iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.unknown.add(LL_SET)
    remove(iconik, claims, claimed)
    assert (claimed.progress.accepted[LL_SET].is_doubted, claimed.progress.marked) == (True, {})


def test_of_file_sets_that_iconik_refuses_in_part_the_others_stay_marked(
    iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset
) -> None:
    old = {"format_id": "old", "directory_path": "old"}
    versions = [a_format(date_created="2026"), a_format(id="old", date_created="2025")]
    iconik.has(on_ll(), on_b2(), on_ll(**old), on_b2(**old), formats=versions)
    no = IconikRefused("delete it", "no (409)")
    iconik.before["delete_file_set"] = lambda: iconik.before.update(
        delete_file_set=lambda: iconik.problems.update(delete_file_set=no)
    )
    result = remove(iconik, claims, claimed)
    assert result.outcomes["ORIGINAL"].kind == "failed"
    assert len(claimed.progress.marked) == len(claimed.progress.deletions) == 1


def test_what_shares_its_path_with_another_format_is_noted(
    iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset
) -> None:
    proxy = on_b2(format_id="format-proxy")
    iconik.has(on_ll(), on_b2(), proxy, formats=[a_format(), a_format("PROXY")])
    remove(iconik, claims, claimed)
    assert claimed.progress.marked[LL_SET].shared_with == ("PROXY",)


def test_what_was_marked_is_audited(
    caplog: pytest.LogCaptureFixture, iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset
) -> None:
    caplog.set_level("INFO")
    iconik.has(on_ll(), on_b2())
    remove(iconik, claims, claimed)
    assert caplog.messages[-1].startswith("audit: marked deleted ORIGINAL of asset asset-1")


# A Remove that was interrupted


def test_a_mark_that_was_not_recorded_is_proven_again_and_stays(
    engine: sa.Engine, iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset
) -> None:
    claimed.progress = claimed.progress.with_deletions({LL_SET: noted(on_ll(), on_b2())})
    iconik.has(on_ll(**MARKED), on_b2())
    removal = a_removal(iconik, claims, grace_period=GracePeriod(iconik))
    assert resume(removal, claimed, NOW).outcomes["ORIGINAL"].kind == "removed"
    assert not iconik.called("purge_file_set", "restore_file_set")
    assert list(claimed.progress.marked) == [LL_SET]
    assert found(engine, "operation-1").undo_is_about


def test_a_mark_that_is_no_longer_proven_is_given_back(
    iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset
) -> None:
    claimed.progress = claimed.progress.with_deletions({LL_SET: noted(on_ll(), on_b2())})
    iconik.has(on_ll(**MARKED))
    removal = a_removal(iconik, claims, grace_period=GracePeriod(iconik))
    assert resume(removal, claimed, NOW).outcomes["ORIGINAL"].kind == "failed"
    assert (len(iconik.called("restore_file_set")), claimed.progress.marked) == (1, {})


def test_a_proof_of_which_the_pairs_are_not_stored_is_made_anew(
    iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset
) -> None:
    begun = noted(on_ll(), on_b2())
    assert begun.proof
    claimed.progress = claimed.progress.with_deletions(
        {LL_SET: replace(begun, proof=replace(begun.proof, pairs=()))}
    )
    iconik.has(on_ll(**MARKED), on_b2())
    outcomes = resume(a_removal(iconik, claims), claimed, NOW).outcomes
    assert outcomes["ORIGINAL"].kind == "removed"


# What was restored since the delete queue was listed


@pytest.mark.parametrize(("is_still_queued", "kind"), [(False, "removed"), (True, "kept")])
def test_a_list_of_the_delete_queue_that_contradicts_is_read_again(
    iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset, is_still_queued: bool, kind: str
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.queue = [LL_SET]
    preflight = Preflight(iconik, a_click("remove"), Checks(), NOW)
    preflight()
    if not is_still_queued:
        iconik.queue.clear()
    removal = a_removal(iconik, claims, preflight=preflight)
    assert process_remove(removal, claimed, PATIENCE).outcomes["ORIGINAL"].kind == kind
    assert len(iconik.called("deleted_file_sets")) == 2


# An Undo


def test_what_a_remove_marked_is_restored(
    caplog: pytest.LogCaptureFixture, iconik: FakeIconik
) -> None:
    caplog.set_level("INFO")
    iconik.has(on_ll(**MARKED), on_b2())
    claimed = to_restore(LL_SET)
    (outcome,) = process_undo(iconik, claimed, LL).outcomes.values()
    assert (outcome, outcome.size) == (Outcome("restored"), 1000)
    assert claimed.progress == AssetProgress()
    assert iconik.called("files") == []
    assert caplog.messages == [
        f"audit: restored ORIGINAL of asset {ASSET}: file set {LL_SET}, with {acting_as.get()}"
    ]


def test_what_has_no_proof_is_restored_with_an_unknown_size(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED))
    claimed = ClaimedAsset(
        ASSET, ("ORIGINAL",), AssetProgress(deletions=half_done({LL_SET: "ORIGINAL"}))
    )
    (outcome,) = process_undo(iconik, claimed, LL).outcomes.values()
    assert (outcome.kind, outcome.size) == ("restored", None)


def test_what_iconik_has_purged_came_too_late(iconik: FakeIconik) -> None:
    iconik.has(on_b2())
    iconik.problems["restore_file_set"] = NotFound("restore it", "no such thing (404)")
    claimed = to_restore(LL_SET)
    (outcome,) = process_undo(iconik, claimed, LL).outcomes.values()
    assert (outcome.kind, outcome.reason.cause) == ("failed", Cause.TOO_LATE)
    assert claimed.progress == AssetProgress()


@pytest.mark.parametrize("problem", [NotFound, IconikRefused])
def test_a_restoration_that_is_repeated_succeeds(
    iconik: FakeIconik, problem: type[IconikRefused]
) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.problems["restore_file_set"] = problem("restore it", "it is not deleted")
    (outcome,) = process_undo(iconik, to_restore(LL_SET), LL).outcomes.values()
    assert outcome.kind == "restored"


def test_what_may_not_be_restored_is_told_and_stays_to_be_restored(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED))
    iconik.problems["restore_file_set"] = NotPermitted("restore it", "no", "can_write_files")
    claimed = to_restore(LL_SET)
    (outcome,) = process_undo(iconik, claimed, LL).outcomes.values()
    assert outcome.reason == (
        "the removal is not undone; could not restore it: no (requires can_write_files); restore "
        f"file set {LL_SET} from iconik's delete queue before iconik empties it"
    )
    assert list(claimed.progress.unaccepted) == [LL_SET]


def test_of_several_versions_one_that_came_too_late_is_told(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED))
    iconik.problems["restore_file_set"] = NotFound("restore it", "no such thing (404)")
    iconik.before["restore_file_set"] = lambda: iconik.has(on_ll())
    claimed = to_restore(LL_SET, OTHER_SET)
    (outcome,) = process_undo(iconik, claimed, LL).outcomes.values()
    assert outcome.reason == (f"iconik no longer has file set {OTHER_SET}: the undo came too late")


def test_without_an_answer_all_is_restored_again_later(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED))
    iconik.before["restore_file_set"] = lambda: iconik.before.update(
        restore_file_set=lambda: iconik.problems.update(restore_file_set=AWAY)
    )
    claimed = to_restore(LL_SET, OTHER_SET)
    with pytest.raises(IconikUnavailable):
        process_undo(iconik, claimed, LL)
    assert list(claimed.progress.unaccepted) == [LL_SET, OTHER_SET]


@pytest.mark.parametrize(
    ("files", "kind"), [([on_ll()], "there"), ([on_ll(**MARKED)], "failed"), ([], "failed")]
)
def test_what_others_have_taken_over_is_looked_for(
    iconik: FakeIconik, files: list[object], kind: str
) -> None:
    iconik.has(*files)  # type: ignore[arg-type]
    assert process_undo(iconik, to_restore(), LL).outcomes["ORIGINAL"].kind == kind


def test_a_format_that_the_asset_lacks_now_is_not_brought_back(iconik: FakeIconik) -> None:
    iconik.has(formats=[a_format("PROXY")])
    assert process_undo(iconik, to_restore(), LL).outcomes["ORIGINAL"].kind == "failed"


def test_an_asset_that_is_gone_is_told(iconik: FakeIconik) -> None:
    assert process_undo(iconik, to_restore(), LL).outcomes["ORIGINAL"].kind == "vanished"


def test_what_was_brought_back_before_a_kill_needs_no_look(iconik: FakeIconik) -> None:
    claimed = replace(to_restore(), outcomes={"ORIGINAL": ("restored", "")})
    assert process_undo(iconik, claimed, LL).outcomes == {}
    assert iconik.calls == []


# An Add


def test_an_add_brings_back_what_a_remove_marked(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED), on_b2())
    result = process_add(iconik, to_restore(LL_SET), LL, PATIENCE)
    outcome = result.outcomes["ORIGINAL"]
    assert (outcome.kind, outcome.size, result.copies) == ("restored", 1000, ())


def test_an_add_copies_what_was_purged(iconik: FakeIconik) -> None:
    iconik.has(on_b2())
    iconik.problems["restore_file_set"] = NotFound("restore it", "no such thing (404)")
    result = process_add(iconik, to_restore(LL_SET), LL, PATIENCE)
    assert result == AssetResult(copies=("ORIGINAL",))


def test_an_add_tries_again_what_iconik_gave_no_answer_to(iconik: FakeIconik) -> None:
    iconik.has(on_ll(**MARKED), on_b2())
    iconik.problems["restore_file_set"] = AWAY
    claimed = to_restore(LL_SET)
    with pytest.raises(IconikUnavailable):
        process_add(iconik, claimed, LL, PATIENCE)
    assert list(claimed.progress.unaccepted) == [LL_SET]


def test_what_is_there_besides_what_was_purged_is_there(iconik: FakeIconik) -> None:
    iconik.has(on_ll(), on_b2())
    iconik.problems["restore_file_set"] = NotFound("restore it", "no such thing (404)")
    result = process_add(iconik, to_restore(OTHER_SET), LL, PATIENCE)
    assert result.outcomes["ORIGINAL"].kind == "there"


@pytest.mark.parametrize(
    ("files", "told"), [([on_ll(**MARKED), on_b2()], {"ORIGINAL": "restored"}), ([on_b2()], {})]
)
def test_what_an_add_only_finishes_is_told_if_it_is_back(
    iconik: FakeIconik, files: list[File], told: dict[str, str]
) -> None:
    iconik.has(*files)
    if not told:
        iconik.problems["restore_file_set"] = NotFound("restore it", "no such thing (404)")
    # It was stopped, or a newer Remove has the asset.
    result = process_add(iconik, to_restore(LL_SET, formats=()), LL, PATIENCE)
    assert {name: each.kind for name, each in result.outcomes.items()} == told


# What they leave behind


@pytest.mark.parametrize(("action", "kind"), [("undo", "restored"), ("remove", "failed")])
def test_what_is_restored_after_an_undo_has_ended_is_brought_back(
    engine: sa.Engine, iconik: FakeIconik, action: str, kind: str
) -> None:
    operation = expanded(engine, a_click(action))  # type: ignore[arg-type]
    claims = Claims(engine, operation, a_term(engine))
    (claimed,) = claims.take(1, NOW)
    claimed.progress = AssetProgress(deletions={LL_SET: Deletion("ORIGINAL")})
    claims.note(claimed, "done", {})
    iconik.has(on_ll(**MARKED))
    leftovers = Leftovers(engine, a_term(engine))
    restore_leftovers(iconik, leftovers, leftovers.of(operation.number), ENDED)
    ((_, progress, outcomes),) = a_ledger(engine).outcomes(operation.number)
    assert (progress, outcomes["ORIGINAL"].kind) == (AssetProgress(), kind)


def test_what_is_restored_after_an_add_has_ended_is_kept_for_its_time(
    engine: sa.Engine, iconik: FakeIconik
) -> None:
    operation = expanded(engine, a_click(keep_ms=HOUR, user_id="u1"))
    claims = Claims(engine, operation, a_term(engine))
    (claimed,) = claims.take(1, NOW)
    claimed.progress = AssetProgress(deletions={LL_SET: Deletion("ORIGINAL")})
    claims.note(claimed, "done", {})
    iconik.has(on_ll(**MARKED))
    leftovers = Leftovers(engine, a_term(engine))
    restore_leftovers(iconik, leftovers, leftovers.of(operation.number), ENDED)
    Due(engine, a_term(engine)).advance(NOW, NOW + 1)
    assert held(engine, "asset_id", "user_id", "until_ms") == [(ASSET, "u1", NOW + 1 + HOUR)]


def test_a_restoration_changes_nothing_that_others_have_taken_over_meanwhile(
    engine: sa.Engine, iconik: FakeIconik, claims: Claims, claimed: ClaimedAsset
) -> None:
    marked = {OTHER_SET: Deletion("ORIGINAL")}
    claimed.progress = AssetProgress(deletions={LL_SET: Deletion("ORIGINAL")}, marked=marked)
    claims.note(claimed, "done", {})
    leftovers = Leftovers(engine, a_term(engine))
    (left,) = leftovers.of(1)
    claimed.progress = replace(claimed.progress, marked={})
    claims.note(claimed, "done", {})
    leftovers.note(left, {})
    ((_, progress, _),) = a_ledger(engine).outcomes(1)
    assert (list(progress.deletions), progress.marked) == ([LL_SET], {})
