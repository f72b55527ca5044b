"""An operation that somebody asks to stop: what it still does, leaves, and tells."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common.errors import Stopped
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome, report
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset
from b2_iconik.domain.reasons import LEFT, Reason
from b2_iconik.ledger import intake, stop_request
from b2_iconik.ledger.claims import GRACE_MS, LEFT_AT_ONCE, Claims
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.stop_request import StopRequest
from b2_iconik.ledger.term import begin_term
from b2_iconik.operation import batches
from b2_iconik.operation import run as run_module
from iconik_http.errors import IconikUnavailable
from iconik_http.records import Job
from tests.makers import (
    ASSET,
    B2,
    LL,
    a_click,
    a_ledger,
    a_term,
    an_operation,
    clicked,
    completion,
    expanded,
    found,
    half_done,
    on_b2,
    on_ll,
)
from tests.operation.benches import ADD, NOW, REMOVE, Bench

AWAY = IconikUnavailable("list the files", "iconik answered 503")
COPYING = AssetProgress(copy_results={"ORIGINAL": None})


@pytest.fixture
def engine(engine: sa.Engine) -> sa.Engine:
    begin_term(engine, 0)
    return engine


@pytest.fixture
def bench(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(engine, monkeypatch)


def stop(engine: sa.Engine, operation_id: str = "operation-1", by: str = "Ada") -> bool:
    return Ledger(engine).ask_to_stop(operation_id, by, NOW)


def claims_of(engine: sa.Engine, operation: Operation) -> Claims:
    return Claims(engine, operation, a_term(engine))


def held_by(engine: sa.Engine, click: CustomAction) -> tuple[Claims, ClaimedAsset]:
    """A new operation, and the asset that it has in hand."""
    claims = claims_of(engine, expanded(engine, click))
    (claimed,) = claims.take(1, NOW)
    return claims, claimed


def copying(engine: sa.Engine) -> Claims:
    """A new Add, which iconik copies for."""
    claims, claimed = held_by(engine, ADD)
    claims.copies.begin([claimed], {"job-1": "ORIGINAL"}, NOW)
    return claims


def is_followed_by_the_next(engine: sa.Engine) -> bool:
    """Whether a new Remove waits for the copy that was left to it."""
    newer = claims_of(engine, expanded(engine, REMOVE))
    is_waiting = newer.take(1, NOW) == []
    return is_waiting and [copy.job_id for copy in newer.copies.under_way()] == ["job-1"]


def states(engine: sa.Engine, number: int = 1) -> dict[str, int]:
    return a_ledger(engine).progress(number)


# Asking


def test_the_first_who_asks_is_named(engine: sa.Engine) -> None:
    clicked(engine, ADD)
    assert stop(engine, by="Ada")
    assert stop(engine, by="Grace")
    operation = found(engine, "operation-1")
    assert (operation.stop_by, operation.stop_ms) == ("Ada", NOW)


def test_what_has_ended_is_not_stopped(engine: sa.Engine) -> None:
    operation = clicked(engine, ADD)
    completion(engine).fail(operation.number, "no token is good", NOW)
    assert not stop(engine)
    assert found(engine, "operation-1").stop_ms is None


def test_what_is_nowhere_is_not_stopped(engine: sa.Engine) -> None:
    assert not stop(engine, "unknown")


def test_the_same_click_is_no_repetition_of_what_is_being_stopped(engine: sa.Engine) -> None:
    click = a_click("add", collection_ids=("c1",))
    operation = clicked(engine, click)
    with writing(engine) as connection:
        assert intake.not_begun(connection, click, "add") == operation.id
    stop(engine)
    with writing(engine) as connection:
        assert intake.not_begun(connection, click, "add") is None


def test_a_request_is_seen_once_it_is_there(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicked(engine, ADD)
    request = StopRequest(engine, 1)
    assert not request.is_pending()
    stop(engine)
    # It was looked for a moment ago.
    monkeypatch.setattr(stop_request, "INTERVAL", 3600.0)
    assert not request.is_pending()
    monkeypatch.setattr(stop_request, "INTERVAL", 0.0)
    assert request.is_pending()


# Letting go


def test_what_was_not_begun_is_let_go_of(engine: sa.Engine) -> None:
    operation = expanded(engine, ADD, ["a1", "a2"])
    claims = claims_of(engine, operation)
    claims.take(1, NOW)
    stop(engine)
    claims.leave()
    assert states(engine) == {"done": 2}
    assert completion(engine).end(found(engine, "operation-1"), NOW)


def test_copies_under_way_are_left_to_iconik(engine: sa.Engine) -> None:
    claims = copying(engine)
    stop(engine)
    claims.leave()
    assert states(engine) == {"done": 1}
    assert completion(engine).end(found(engine, "operation-1"), NOW)


@pytest.mark.parametrize(
    "progress",
    [
        AssetProgress(deletions=half_done({"set-1": "ORIGINAL"})),
        AssetProgress(unanswered_until_ms=NOW),
    ],
)
@pytest.mark.parametrize("state", ["claimed", "copying", "recheck"])
def test_what_must_be_seen_to_its_end_is_not_let_go_of(
    engine: sa.Engine, progress: AssetProgress, state: str
) -> None:
    claims, claimed = held_by(engine, REMOVE)
    vars(claimed.progress).update(vars(progress))
    claims.note(claimed, state, {})
    stop(engine)
    claims.leave()
    assert not completion(engine).end(found(engine, "operation-1"), NOW)
    (again,) = claims.take(1, NOW)
    assert (again.asset_id, again.formats, again.progress) == (ASSET, (), progress)


def test_what_must_be_seen_to_its_end_does_not_wait_for_a_newer_click_to_be_listed(
    engine: sa.Engine,
) -> None:
    claims, claimed = held_by(engine, REMOVE)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    claims.note(claimed, "recheck", {})
    clicked(engine, a_click("add", collection_ids=("c1",)))
    assert claims.take(1, NOW) == []
    stop(engine)
    claims.leave()
    (again,) = claims.take(1, NOW)
    assert (again.formats, again.progress.deletions) == ((), half_done({"set-1": "ORIGINAL"}))


def test_after_a_kill_a_deletion_is_given_time_before_it_is_looked_at(engine: sa.Engine) -> None:
    claims, claimed = held_by(engine, REMOVE)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    stop(engine)
    claims.recover(NOW)
    claims.leave()
    assert claims.take(1, NOW + GRACE_MS - 1) == []
    assert len(claims.take(1, NOW + GRACE_MS)) == 1


def test_any_number_of_assets_is_let_go_of(engine: sa.Engine) -> None:
    operation = expanded(engine, ADD, [f"a{number:04}" for number in range(LEFT_AT_ONCE + 2)])
    claims = claims_of(engine, operation)
    claims.copies.begin(claims.take(LEFT_AT_ONCE + 1, NOW), {"job-1": "ORIGINAL"}, NOW)
    claims.leave()
    assert states(engine) == {"done": LEFT_AT_ONCE + 2}


def test_no_deletion_begins_any_more(engine: sa.Engine) -> None:
    claims, claimed = held_by(engine, REMOVE)
    stop(engine)
    assert not claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    assert claimed.progress == AssetProgress()


def test_what_a_newer_click_took_over_is_told_so_all_the_same(engine: sa.Engine) -> None:
    claims, claimed = held_by(engine, REMOVE)
    claims.note(claimed, "recheck", {})
    expanded(engine, ADD)
    stop(engine)
    assert claims.take(1, NOW) == []
    ((_, _, outcomes),) = a_ledger(engine).outcomes(1)
    assert outcomes["ORIGINAL"].kind == "superseded"


def test_it_does_not_end_as_usual_once_a_stop_is_asked_for(engine: sa.Engine) -> None:
    operation = expanded(engine, ADD, [])
    stop(engine)
    assert not completion(engine).end(operation, NOW)
    assert completion(engine).end(found(engine, "operation-1"), NOW)


# What is left behind


def left_behind(engine: sa.Engine) -> None:
    """An operation that was stopped while its copy was under way."""
    claims = copying(engine)
    stop(engine)
    claims.leave()
    assert completion(engine).end(found(engine, "operation-1"), NOW)


def test_the_next_operation_follows_a_copy_that_was_left(engine: sa.Engine) -> None:
    left_behind(engine)
    claims = claims_of(engine, expanded(engine, REMOVE, [ASSET, "another"]))
    assert [claimed.asset_id for claimed in claims.take(9, NOW)] == ["another"]
    (copy,) = claims.copies.under_way()
    assert (copy.job_id, copy.format_name, copy.requested_ms) == ("job-1", "ORIGINAL", NOW)
    claims.copies.ended(copy, {}, "")
    assert [claimed.asset_id for claimed in claims.take(9, NOW)] == [ASSET]


def test_a_copy_that_was_left_is_followed_once(engine: sa.Engine) -> None:
    left_behind(engine)
    claims = claims_of(engine, expanded(engine, REMOVE))
    assert claims.take(1, NOW) == []
    (copy,) = claims.copies.under_way()
    claims.copies.ended(copy, {}, "")
    (claimed,) = claims.take(1, NOW)
    # As when a newer click came in between.
    claims.note(claimed, "queued", {})
    assert len(claims.take(1, NOW)) == 1
    assert claims.copies.under_way() == []


def test_all_that_a_copy_was_left_for_waits_for_it_however_few_are_taken_at_once(
    engine: sa.Engine,
) -> None:
    three = ["a1", "a2", "a3"]
    older = claims_of(engine, expanded(engine, ADD, three))
    older.copies.begin(older.take(9, NOW), {"job-1": "ORIGINAL"}, NOW)
    stop(engine)
    older.leave()
    assert completion(engine).end(found(engine, "operation-1"), NOW)
    claims = claims_of(engine, expanded(engine, REMOVE, three))
    assert claims.take(1, NOW) == []
    assert a_ledger(engine).progress(2) == {"copying": 3}
    (copy,) = claims.copies.under_way()
    claims.copies.ended(copy, {}, "")
    assert {claimed.asset_id for claimed in claims.take(9, NOW)} == set(three)


@pytest.mark.parametrize("other", [{"formats": ("EDIT_PROXY",)}, {"ll_storage_id": "another"}])
def test_a_copy_of_something_else_is_not_waited_for(
    engine: sa.Engine, other: dict[str, Any]
) -> None:
    left_behind(engine)
    assert len(claims_of(engine, expanded(engine, a_click("remove", **other))).take(1, NOW)) == 1


def test_a_copy_that_a_failed_operation_left_is_followed_too(engine: sa.Engine) -> None:
    copying(engine)
    completion(engine).fail(1, "no token is good", NOW)
    assert is_followed_by_the_next(engine)


def test_a_copy_that_was_left_when_the_operation_fails_in_the_end_is_followed_too(
    engine: sa.Engine,
) -> None:
    claims = copying(engine)
    stop(engine)
    claims.leave()
    completion(engine).fail(1, "no token is good", NOW)
    assert is_followed_by_the_next(engine)


def failed_unanswered(
    engine: sa.Engine, jobs: dict[str, str] | None = None, click: CustomAction = ADD
) -> None:
    """An operation that failed after a request for copies that had no answer, but for some jobs."""
    claims = claims_of(engine, expanded(engine, click))
    claimed = claims.take(1, NOW)
    claims.begin_copies([(each, {}) for each in claimed], NOW)
    claims.copies.begin(claimed, jobs or {}, NOW)
    completion(engine).fail(1, "no token is good", NOW)


def test_a_request_for_copies_that_a_failed_operation_had_no_answer_to_is_minded(
    bench: Bench,
) -> None:
    failed_unanswered(bench.engine)
    bench.iconik.has(on_b2())
    bench.iconik.known_transfers[ASSET] = [Job("job-1", "READY", ASSET)]
    bench.iconik.known_jobs["job-1"] = Job("job-1", "READY")

    def land() -> None:
        bench.iconik.has(on_b2(), on_ll())
        bench.iconik.known_transfers[ASSET] = []
        bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")

    bench.at_wait(3, land)
    assert bench.do(REMOVE)["counts"]["removed"] == 1


def test_it_is_minded_besides_the_copies_that_are_followed(engine: sa.Engine) -> None:
    failed_unanswered(engine, {"job-1": "ORIGINAL"})
    claims = claims_of(engine, expanded(engine, REMOVE))
    assert claims.take(1, NOW) == []
    (copy,) = claims.copies.under_way()
    claims.copies.ended(copy, {}, "")
    (claimed,) = claims.take(1, NOW)
    assert claimed.progress.unanswered_until_ms


def test_a_copy_that_was_left_beside_such_a_request_is_followed_too(engine: sa.Engine) -> None:
    claims, claimed = held_by(engine, ADD)
    claims.begin_copies([(claimed, {})], NOW)
    claims.copies.begin([claimed], {"job-1": "ORIGINAL"}, NOW)
    stop(engine)
    claims.leave()
    (claimed,) = claims.take(1, NOW)
    claimed.progress = replace(claimed.progress, unanswered_until_ms=None)
    claims.note(claimed, "done", {})
    assert completion(engine).end(found(engine, "operation-1"), NOW)
    assert is_followed_by_the_next(engine)


def test_it_is_minded_even_after_a_kill(engine: sa.Engine) -> None:
    failed_unanswered(engine)
    operation = expanded(engine, REMOVE)
    claims_of(engine, operation).take(1, NOW)
    begin_term(engine, NOW)
    claims = claims_of(engine, operation)
    claims.recover(NOW)
    (claimed,) = claims.take(1, NOW + GRACE_MS)
    assert claimed.progress.unanswered_until_ms


def test_it_is_minded_by_the_next_alone(engine: sa.Engine) -> None:
    failed_unanswered(engine)
    claims, claimed = held_by(engine, REMOVE)
    claimed.progress = replace(claimed.progress, unanswered_until_ms=None)
    claims.note(claimed, "done", {})
    _, claimed = held_by(engine, ADD)
    assert not claimed.progress.unanswered_until_ms


def test_it_is_minded_by_the_next_for_each_format(engine: sa.Engine) -> None:
    both = ("ORIGINAL", "PROXY")
    failed_unanswered(engine, click=replace(ADD, formats=both))
    for name in both:
        claims = claims_of(engine, expanded(engine, replace(REMOVE, formats=(name,))))
        (claimed,) = claims.take(1, NOW)
        assert claimed.progress.unanswered_until_ms


def test_it_is_minded_by_the_next_but_one_if_the_next_fails_first(engine: sa.Engine) -> None:
    failed_unanswered(engine)
    claims_of(engine, expanded(engine, REMOVE)).take(1, NOW)
    completion(engine).fail(2, "no token is good", NOW)
    _, claimed = held_by(engine, REMOVE)
    assert claimed.progress.unanswered_until_ms


def test_what_was_given_up_with_such_a_request_is_minded_too(engine: sa.Engine) -> None:
    claims, claimed = held_by(engine, ADD)
    claimed.progress = replace(claimed.progress, unanswered_until_ms=NOW)
    claims.note(claimed, "done", {"ORIGINAL": Outcome("failed", Reason("iconik answered 503"))})
    _, claimed = held_by(engine, REMOVE)
    assert claimed.progress.unanswered_until_ms


@pytest.mark.parametrize("other", [{"formats": ("EDIT_PROXY",)}, {"ll_storage_id": "another"}])
def test_a_request_for_something_else_is_not_minded(
    engine: sa.Engine, other: dict[str, Any]
) -> None:
    failed_unanswered(engine)
    _, claimed = held_by(engine, a_click("remove", **other))
    assert not claimed.progress.unanswered_until_ms


# Running


def of_removable_assets(bench: Bench, number: int) -> CustomAction:
    """A Remove of assets that are safe on B2."""
    asset_ids = tuple(f"a{each}" for each in range(number))
    for each in asset_ids:
        bench.iconik.has(on_b2(), on_ll(file_set_id=f"ll-{each}"), asset_id=each)
    return a_click("remove", asset_ids=asset_ids)


def test_one_that_was_never_begun_asks_nothing_of_iconik(bench: Bench) -> None:
    operation_id = bench.click(REMOVE)
    bench.stop()
    told = bench.run(operation_id, REMOVE)
    assert (told["result"], told["stopped_by"]) == ("stopped", "Ada")
    assert bench.iconik.calls == []
    assert found(bench.engine, operation_id).result == "stopped"


def test_assets_are_no_longer_looked_at(bench: Bench) -> None:
    bench.iconik.before["delete_file_set"] = bench.stop
    told = bench.do(of_removable_assets(bench, 100))
    counts = told["counts"]
    assert told["result"] == "stopped"
    # The first two batches were begun by then.
    assert 1 <= counts["removed"] <= 3 * batches.FIRST_BATCH
    assert counts["removed"] + counts["undone"] == 100
    # Each deletion that was begun was brought to its end.
    assert len(bench.iconik.called("purge_file_set")) == len(bench.iconik.called("delete_file_set"))
    assert len(bench.iconik.called("delete_file_set")) == counts["removed"]


def test_assets_that_were_begun_but_not_looked_at_are_let_go_of(bench: Bench) -> None:
    # One after the other, so that the rest of the batch is still to be looked at.
    bench.patch(batches, "CONNECTIONS", 1)
    bench.iconik.before["files"] = bench.stop
    told = bench.do(of_removable_assets(bench, 3))
    assert (told["result"], told["counts"]["undone"]) == ("stopped", 3)
    assert len(bench.iconik.called("files")) == 1


def test_nothing_is_deleted_that_was_proven_before_the_stop(bench: Bench) -> None:
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.before["files"] = bench.stop
    told = bench.do(REMOVE)
    assert (told["result"], told["counts"]["undone"]) == ("stopped", 1)
    assert not bench.iconik.called("delete_file_set")


def test_no_copy_is_asked_for_that_was_found_missing_before_the_stop(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    bench.iconik.before["files"] = bench.stop
    told = bench.do(ADD)
    assert (told["result"], told["counts"]["undone"], told["problems"]) == ("stopped", 1, [])
    assert not bench.iconik.called("copy_to_storage", "transfers")


def test_a_copy_that_was_asked_for_is_told_of(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED")
    bench.at_wait(3, bench.stop)
    told = bench.do(ADD)
    assert told["result"] == "stopped"
    assert [(each["kind"], each["reason"]) for each in told["problems"]] == [("undone", LEFT)]


def test_a_long_wait_ends_soon(bench: Bench) -> None:
    bench.patch(run_module, "FIRST_WAIT", 30.0)
    bench.iconik.has(on_b2())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED")
    bench.at_wait(2, bench.stop)
    bench.do(ADD)
    assert len(bench.stopping.waits) == 2


def test_a_selection_that_is_being_opened_is_left(bench: Bench) -> None:
    click = a_click("remove", collection_ids=("c1",))
    bench.iconik.contents.update({"c1": [("collections", "c2")], "c2": [("assets", ASSET)]})
    bench.iconik.before["collection_contents"] = bench.stop
    told = bench.do(click)
    assert (told["result"], told["counts"]["assets"]) == ("stopped", 0)
    assert len(bench.iconik.called("collection_contents")) == 1


def test_a_deletion_that_was_begun_ends_before_it_stops(bench: Bench) -> None:
    bench.iconik.has(on_b2(), on_ll())
    away = {"purge_file_set": AWAY, "storage": AWAY, "files": AWAY, "file_set_statuses": AWAY}
    bench.iconik.before["purge_file_set"] = lambda: bench.iconik.problems.update(away)

    def at_wait(wait: int) -> None:
        if wait == 1:
            bench.stop()
        if wait == 9:
            assert found(bench.engine, "operation-1").ended_ms is None
            bench.iconik.problems.clear()

    bench.stopping.at_wait = at_wait
    told = bench.do(REMOVE)
    assert (told["result"], told["counts"]["removed"]) == ("done", 1)
    assert len(bench.iconik.called("delete_file_set")) == 1


def test_another_process_stops_it_where_this_one_was_killed(bench: Bench) -> None:
    bench.iconik.has(on_b2(), on_ll())

    def die() -> None:
        bench.stop()
        raise Stopped

    bench.iconik.before["files"] = die
    with pytest.raises(Stopped):
        bench.do(REMOVE)
    bench.term = begin_term(bench.engine, NOW)
    assert bench.run("operation-1", REMOVE)["result"] == "stopped"
    assert not bench.iconik.called("delete_file_set")


def test_when_it_looks_again_and_what_it_waits_for_can_be_read(bench: Bench) -> None:
    bench.patch(run_module, "STOP_INTERVAL", 2.0)
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.problems["storage"] = AWAY
    seen: list[Operation] = []

    def look() -> None:
        seen.append(found(bench.engine, "operation-1"))
        bench.iconik.problems.clear()

    bench.at_wait(9, look)
    bench.do(ADD)
    assert seen[0].outage == "could not list the files: iconik answered 503"
    assert seen[0].next_check_ms is not None
    assert found(bench.engine, "operation-1").outage is None


# The report


def test_a_stop_that_came_when_all_was_done_has_stopped_nothing() -> None:
    operation = an_operation(is_expanded=True, ended_ms=NOW, stop_ms=NOW, stop_by="Ada")
    told = report(operation, [(ASSET, AssetProgress(), {"ORIGINAL": Outcome("removed")})], {})
    assert told["result"] == "done"


def test_an_operation_that_is_to_stop_is_stopping() -> None:
    operation = an_operation(stop_ms=NOW, stop_by="Ada")
    told = report(operation, [(ASSET, COPYING, {})], {})
    assert (told["result"], told["counts"]["undone"], told["problems"]) == ("stopping", 0, [])


def test_an_asset_is_undone_if_one_of_its_formats_is() -> None:
    operation = an_operation(
        formats=("ORIGINAL", "PROXY"), ended_ms=NOW, stop_ms=NOW, is_expanded=True
    )
    told = report(operation, [(ASSET, AssetProgress(), {"ORIGINAL": Outcome("removed")})], {})
    assert (told["result"], told["counts"]["undone"]) == ("stopped", 1)


def test_the_sum_of_an_operation_that_is_nowhere_is_a_fault(engine: sa.Engine) -> None:
    with pytest.raises(LookupError, match="unknown is not in the ledger"):
        completion(engine).sum_up("unknown")


def test_the_sum_of_a_running_operation_is_not_kept(engine: sa.Engine) -> None:
    operation = expanded(engine, a_click("remove", b2_storage_id=B2, ll_storage_id=LL))
    assert completion(engine).sum_up(operation.id)["result"] == "running"
    assert found(engine, operation.id).result is None
