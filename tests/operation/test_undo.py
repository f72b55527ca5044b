"""What Remove leaves marked deleted, and what brings it back, with an iconik in memory."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.domain.click import Action
from b2_iconik.domain.operation import UndoWindow
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset, Deletion
from b2_iconik.domain.reasons import ENDED, Cause
from b2_iconik.ledger.due import Due
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.operation import grace_period
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.execution import process_add, process_undo
from b2_iconik.operation.grace_period import GracePeriod
from b2_iconik.operation.interrupted import restore_leftovers
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
    a_term,
    found,
    half_done,
    held,
    on_b2,
    on_ll,
)
from tests.operation.benches import NOW, SETTLE, AssetBench
from tests.operation.test_interrupted import MARKED, begun, noted

LL_SET, OTHER_SET = on_ll().file_set_id, "set-of-another-version"
HOUR = 3_600_000
PATIENCE = Patience(NOW, SETTLE)
AWAY = IconikUnavailable("restore it", "no answer")


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock stands still."""
    monkeypatch.setattr(grace_period, "now_ms", lambda: NOW)


@pytest.fixture
def bench(engine: sa.Engine) -> AssetBench:
    """A Remove of one asset's ORIGINAL that leaves the purge to iconik."""
    bench = AssetBench(engine, a_click("remove"))
    bench.given = {"grace_period": GracePeriod(bench.iconik)}
    return bench


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


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


def test_what_is_proven_safe_is_only_marked(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    result = bench.remove()
    assert (result.outcomes["ORIGINAL"].kind, result.marked) == ("removed", ())
    assert bench.iconik.called("delete_file_set", "purge_file_set", "delete_file_sets") == [
        ("delete_file_set", ASSET, LL_SET)
    ]
    assert list(bench.claimed.progress.accepted) == list(bench.claimed.progress.marked) == [LL_SET]
    assert found(bench.engine, "operation-1").undo_until_ms == NOW + 24 * HOUR


def test_no_grace_period_is_asked_for_where_nothing_is_marked(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(size=7), on_b2())
    bench.remove()
    assert not bench.iconik.called("delete_grace_period")


def test_what_iconik_does_not_know_is_not_marked(bench: AssetBench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.unknown.add(LL_SET)
    bench.remove()
    progress = bench.claimed.progress
    assert (progress.accepted[LL_SET].is_doubted, progress.marked) == (True, {})


def test_of_file_sets_that_iconik_refuses_in_part_the_others_stay_marked(bench: AssetBench) -> None:
    old = {"format_id": "old", "directory_path": "old"}
    versions = [a_format(date_created="2026"), a_format(id="old", date_created="2025")]
    bench.iconik.has(on_ll(), on_b2(), on_ll(**old), on_b2(**old), formats=versions)
    no = IconikRefused("delete it", "no (409)")
    bench.iconik.before["delete_file_set"] = lambda: bench.iconik.before.update(
        delete_file_set=lambda: bench.iconik.problems.update(delete_file_set=no)
    )
    result = bench.remove()
    assert result.outcomes["ORIGINAL"].kind == "failed"
    assert len(bench.claimed.progress.marked) == len(bench.claimed.progress.deletions) == 1


def test_what_shares_its_path_with_another_format_is_noted(bench: AssetBench) -> None:
    proxy = on_b2(format_id="format-proxy")
    bench.iconik.has(on_ll(), on_b2(), proxy, formats=[a_format(), a_format("PROXY")])
    bench.remove()
    assert bench.claimed.progress.marked[LL_SET].shared_with == ("PROXY",)


def test_what_was_marked_is_audited(bench: AssetBench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench.iconik.has(on_ll(), on_b2())
    bench.remove()
    assert caplog.messages[-1].startswith("audit: marked deleted ORIGINAL of asset asset-1")


# A Remove that was interrupted


def test_a_mark_that_was_not_recorded_is_proven_again_and_stays(bench: AssetBench) -> None:
    begun(bench)
    bench.iconik.has(on_ll(**MARKED), on_b2())
    assert bench.resume().outcomes["ORIGINAL"].kind == "removed"
    assert not bench.iconik.called("purge_file_set", "restore_file_set")
    assert list(bench.claimed.progress.marked) == [LL_SET]
    assert found(bench.engine, "operation-1").undo_is_about


def test_a_mark_that_is_no_longer_proven_is_given_back(bench: AssetBench) -> None:
    begun(bench)
    bench.iconik.has(on_ll(**MARKED))
    assert bench.resume().outcomes["ORIGINAL"].kind == "failed"
    assert (len(bench.iconik.called("restore_file_set")), bench.claimed.progress.marked) == (1, {})


def test_a_proof_of_which_the_pairs_are_not_stored_is_made_anew(bench: AssetBench) -> None:
    deletion = noted(on_ll(), on_b2())
    assert deletion.proof
    bench.claimed.progress = bench.claimed.progress.with_deletions(
        {LL_SET: replace(deletion, proof=replace(deletion.proof, pairs=()))}
    )
    bench.iconik.has(on_ll(**MARKED), on_b2())
    assert bench.resume().outcomes["ORIGINAL"].kind == "removed"


# What was restored since the delete queue was listed


@pytest.mark.parametrize(("is_still_queued", "kind"), [(False, "removed"), (True, "kept")])
def test_a_list_of_the_delete_queue_that_contradicts_is_read_again(
    bench: AssetBench, is_still_queued: bool, kind: str
) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.queue = [LL_SET]
    preflight = Preflight(bench.iconik, a_click("remove"), Checks(), NOW)
    preflight()
    if not is_still_queued:
        bench.iconik.queue.clear()
    assert bench.remove(preflight=preflight).outcomes["ORIGINAL"].kind == kind
    assert len(bench.iconik.called("deleted_file_sets")) == 2


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
    iconik: FakeIconik, files: list[File], kind: str
) -> None:
    iconik.has(*files)
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


def restore_what_was_left(bench: AssetBench) -> None:
    """Restore what an operation has left marked, as the leader does once that has ended."""
    bench.claimed.progress = AssetProgress(deletions={LL_SET: Deletion("ORIGINAL")})
    bench.claims.note(bench.claimed, "done", {})
    bench.iconik.has(on_ll(**MARKED))
    leftovers = Leftovers(bench.engine, a_term(bench.engine))
    restore_leftovers(bench.iconik, leftovers, leftovers.of(1), ENDED)


@pytest.mark.parametrize(("action", "kind"), [("undo", "restored"), ("remove", "failed")])
def test_what_is_restored_after_an_undo_has_ended_is_brought_back(
    engine: sa.Engine, action: Action, kind: str
) -> None:
    restore_what_was_left(AssetBench(engine, a_click(action)))
    ((_, progress, outcomes),) = a_ledger(engine).outcomes(1)
    assert (progress, outcomes["ORIGINAL"].kind) == (AssetProgress(), kind)


def test_what_is_restored_after_an_add_has_ended_is_kept_for_its_time(engine: sa.Engine) -> None:
    restore_what_was_left(AssetBench(engine, a_click(keep_ms=HOUR, user_id="u1")))
    Due(engine, a_term(engine)).advance(NOW, NOW + 1)
    assert held(engine, "asset_id", "user_id", "until_ms") == [(ASSET, "u1", NOW + 1 + HOUR)]


def test_a_restoration_changes_nothing_that_others_have_taken_over_meanwhile(
    bench: AssetBench,
) -> None:
    marked = {OTHER_SET: Deletion("ORIGINAL")}
    bench.claimed.progress = AssetProgress(deletions={LL_SET: Deletion("ORIGINAL")}, marked=marked)
    bench.claims.note(bench.claimed, "done", {})
    leftovers = Leftovers(bench.engine, a_term(bench.engine))
    (left,) = leftovers.of(1)
    bench.claimed.progress = replace(bench.claimed.progress, marked={})
    bench.claims.note(bench.claimed, "done", {})
    leftovers.note(left, {})
    ((_, progress, _),) = a_ledger(bench.engine).outcomes(1)
    assert (list(progress.deletions), progress.marked) == ([LL_SET], {})
