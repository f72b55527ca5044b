"""An operation that somebody asks to stop: what it still does, leaves, and tells."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.bucket.confirm import Bucket
from b2_iconik.common.errors import Stopped
from b2_iconik.common.settings import Settings
from b2_iconik.common.worker_pool import WorkerPool
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import AssetProgress, Operation
from b2_iconik.domain.outcomes import Outcome, report
from b2_iconik.domain.reasons import LEFT, Reason
from b2_iconik.ledger import intake, stop_request
from b2_iconik.ledger.claims import GRACE_MS, LEFT_AT_ONCE, Claims
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.stop_request import StopRequest
from b2_iconik.ledger.term import Leadership, begin_term
from b2_iconik.operation import batches
from b2_iconik.operation import run as run_module
from b2_iconik.operation.deletion import DeletionCapabilities
from b2_iconik.operation.run import Run, Shared
from b2_iconik.operation.verification import Verification
from iconik_http.errors import IconikUnavailable
from iconik_http.records import Job
from tests.makers import (
    ASSET,
    B2,
    LL,
    FakeIconik,
    Waits,
    a_click,
    a_database,
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

NOW = 1_000_000
AWAY = IconikUnavailable("list the files", "iconik answered 503")
ADD = a_click("add", asset_ids=(ASSET,))
REMOVE = a_click("remove", asset_ids=(ASSET,))
COPYING = AssetProgress(copy_results={"ORIGINAL": None})


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    with a_database(tmp_path) as engine:
        begin_term(engine, 0)
        yield engine


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


def stop(engine: sa.Engine, operation_id: str = "operation-1", by: str = "Ada") -> bool:
    return Ledger(engine).ask_to_stop(operation_id, by, NOW)


def claims_of(engine: sa.Engine, operation: Operation) -> Claims:
    return Claims(engine, operation, a_term(engine))


def states(engine: sa.Engine, number: int = 1) -> dict[str, int]:
    return a_ledger(engine).progress(number)


@pytest.fixture
def run(
    engine: sa.Engine, iconik: FakeIconik, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Runs an operation to its end; returns its report."""
    monkeypatch.setattr(stop_request, "INTERVAL", 0.0)
    # Nobody waits for an index.
    monkeypatch.setattr(Verification, "first_due_ms", lambda _: 0)

    def run(
        operation: Operation, click: CustomAction, at_wait: Callable[[int], object] = lambda _: None
    ) -> dict[str, Any]:
        waits = Waits(at_wait)
        time = SimpleNamespace(monotonic=waits.monotonic)
        monkeypatch.setattr(run_module, "time", time)
        leadership = Leadership(engine, a_term(engine), waits)
        settings = Settings(iconik_id=ASSET, secret="s" * 32)
        pool = WorkerPool(batches.CONNECTIONS).share()
        bucket = Bucket(settings)
        shared = (settings, DeletionCapabilities(), bucket, Shared(), pool)
        run = Run(operation.id, click, leadership, iconik, iconik, *shared)
        waits.bring_to_end(run.step)
        now, ledger = found(engine, operation.id), a_ledger(engine)
        return report(now, ledger.outcomes(now.number), ledger.gone(now.number))

    return run


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
    assert not request.is_there()
    stop(engine)
    # It was looked for a moment ago.
    monkeypatch.setattr(stop_request, "INTERVAL", 3600.0)
    assert not request.is_there()
    monkeypatch.setattr(stop_request, "INTERVAL", 0.0)
    assert request.is_there()


# Letting go


def test_what_was_not_begun_is_let_go_of(engine: sa.Engine) -> None:
    operation = expanded(engine, ADD, ["a1", "a2"])
    claims = claims_of(engine, operation)
    claims.take(1, NOW)
    stop(engine)
    claims.leave()
    assert states(engine) == {"done": 2}
    assert completion(engine).end(found(engine, operation.id), NOW)


def test_copies_under_way_are_left_to_iconik(engine: sa.Engine) -> None:
    operation = expanded(engine, ADD)
    claims = claims_of(engine, operation)
    (claimed,) = claims.take(1, NOW)
    claims.copies.begin([claimed], {"job-1": "ORIGINAL"}, NOW)
    stop(engine)
    claims.leave()
    assert states(engine) == {"done": 1}
    assert completion(engine).end(found(engine, operation.id), NOW)


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
    operation = expanded(engine, REMOVE)
    claims = claims_of(engine, operation)
    (claimed,) = claims.take(1, NOW)
    vars(claimed.progress).update(vars(progress))
    claims.note(claimed, state, {})
    stop(engine)
    claims.leave()
    assert not completion(engine).end(found(engine, operation.id), NOW)
    (again,) = claims.take(1, NOW)
    assert (again.asset_id, again.formats, again.progress) == (ASSET, (), progress)


def test_what_must_be_seen_to_its_end_does_not_wait_for_a_newer_click_to_be_listed(
    engine: sa.Engine,
) -> None:
    claims = claims_of(engine, expanded(engine, REMOVE))
    (claimed,) = claims.take(1, NOW)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    claims.note(claimed, "recheck", {})
    clicked(engine, a_click("add", collection_ids=("c1",)))
    assert claims.take(1, NOW) == []
    stop(engine)
    claims.leave()
    (again,) = claims.take(1, NOW)
    assert (again.formats, again.progress.deletions) == ((), half_done({"set-1": "ORIGINAL"}))


def test_after_a_kill_a_deletion_is_given_time_before_it_is_looked_at(engine: sa.Engine) -> None:
    operation = expanded(engine, REMOVE)
    claims = claims_of(engine, operation)
    (claimed,) = claims.take(1, NOW)
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
    claims = claims_of(engine, expanded(engine, REMOVE))
    (claimed,) = claims.take(1, NOW)
    stop(engine)
    assert not claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    assert claimed.progress == AssetProgress()


def test_what_a_newer_click_took_over_is_told_so_all_the_same(engine: sa.Engine) -> None:
    claims = claims_of(engine, expanded(engine, REMOVE))
    (claimed,) = claims.take(1, NOW)
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
    assert completion(engine).end(found(engine, operation.id), NOW)


# What is left behind


def left_behind(engine: sa.Engine, action: Any = "add") -> None:
    """An operation that was stopped while its copy was under way."""
    operation = expanded(engine, a_click(action))
    claims = claims_of(engine, operation)
    claims.copies.begin(claims.take(1, NOW), {"job-1": "ORIGINAL"}, NOW)
    stop(engine, operation.id)
    claims.leave()
    assert completion(engine).end(found(engine, operation.id), NOW)


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
    claims = claims_of(engine, expanded(engine, ADD))
    claims.copies.begin(claims.take(1, NOW), {"job-1": "ORIGINAL"}, NOW)
    completion(engine).fail(1, "no token is good", NOW)
    newer = claims_of(engine, expanded(engine, REMOVE))
    assert newer.take(1, NOW) == []
    assert [copy.job_id for copy in newer.copies.under_way()] == ["job-1"]


def test_a_copy_that_was_left_when_the_operation_fails_in_the_end_is_followed_too(
    engine: sa.Engine,
) -> None:
    claims = claims_of(engine, expanded(engine, ADD))
    claims.copies.begin(claims.take(1, NOW), {"job-1": "ORIGINAL"}, NOW)
    stop(engine)
    claims.leave()
    completion(engine).fail(1, "no token is good", NOW)
    newer = claims_of(engine, expanded(engine, REMOVE))
    assert newer.take(1, NOW) == []
    assert [copy.job_id for copy in newer.copies.under_way()] == ["job-1"]


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
    engine: sa.Engine, iconik: FakeIconik, run: Callable[..., dict[str, Any]]
) -> None:
    failed_unanswered(engine)
    iconik.has(on_b2())
    iconik.known_transfers[ASSET] = [Job("job-1", "READY", ASSET)]
    iconik.known_jobs["job-1"] = Job("job-1", "READY")

    def land(wait: int) -> None:
        if wait == 3:
            iconik.has(on_b2(), on_ll())
            iconik.known_transfers[ASSET] = []
            iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")

    assert run(clicked(engine, REMOVE), REMOVE, land)["counts"]["removed"] == 1


def test_it_is_minded_besides_the_copies_that_are_followed(engine: sa.Engine) -> None:
    failed_unanswered(engine, {"job-1": "ORIGINAL"})
    claims = claims_of(engine, expanded(engine, REMOVE))
    assert claims.take(1, NOW) == []
    (copy,) = claims.copies.under_way()
    claims.copies.ended(copy, {}, "")
    (claimed,) = claims.take(1, NOW)
    assert claimed.progress.unanswered_until_ms


def test_a_copy_that_was_left_beside_such_a_request_is_followed_too(engine: sa.Engine) -> None:
    claims = claims_of(engine, expanded(engine, ADD))
    (claimed,) = claims.take(1, NOW)
    claims.begin_copies([(claimed, {})], NOW)
    claims.copies.begin([claimed], {"job-1": "ORIGINAL"}, NOW)
    stop(engine)
    claims.leave()
    (claimed,) = claims.take(1, NOW)
    claimed.progress = replace(claimed.progress, unanswered_until_ms=None)
    claims.note(claimed, "done", {})
    assert completion(engine).end(found(engine, "operation-1"), NOW)
    newer = claims_of(engine, expanded(engine, REMOVE))
    assert newer.take(1, NOW) == []
    assert [copy.job_id for copy in newer.copies.under_way()] == ["job-1"]


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
    claims = claims_of(engine, expanded(engine, REMOVE))
    (claimed,) = claims.take(1, NOW)
    claimed.progress = replace(claimed.progress, unanswered_until_ms=None)
    claims.note(claimed, "done", {})
    (claimed,) = claims_of(engine, expanded(engine, ADD)).take(1, NOW)
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
    (claimed,) = claims_of(engine, expanded(engine, REMOVE)).take(1, NOW)
    assert claimed.progress.unanswered_until_ms


def test_what_was_given_up_with_such_a_request_is_minded_too(engine: sa.Engine) -> None:
    claims = claims_of(engine, expanded(engine, ADD))
    (claimed,) = claims.take(1, NOW)
    claimed.progress = replace(claimed.progress, unanswered_until_ms=NOW)
    claims.note(claimed, "done", {"ORIGINAL": Outcome("failed", Reason("iconik answered 503"))})
    (claimed,) = claims_of(engine, expanded(engine, REMOVE)).take(1, NOW)
    assert claimed.progress.unanswered_until_ms


@pytest.mark.parametrize("other", [{"formats": ("EDIT_PROXY",)}, {"ll_storage_id": "another"}])
def test_a_request_for_something_else_is_not_minded(
    engine: sa.Engine, other: dict[str, Any]
) -> None:
    failed_unanswered(engine)
    (claimed,) = claims_of(engine, expanded(engine, a_click("remove", **other))).take(1, NOW)
    assert not claimed.progress.unanswered_until_ms


# Running


def test_one_that_was_never_begun_asks_nothing_of_iconik(
    engine: sa.Engine, iconik: FakeIconik, run: Callable[..., dict[str, Any]]
) -> None:
    operation = clicked(engine, REMOVE)
    stop(engine)
    told = run(operation, REMOVE)
    assert (told["result"], told["stopped_by"]) == ("stopped", "Ada")
    assert iconik.calls == []
    assert found(engine, operation.id).result == "stopped"


def test_assets_are_no_longer_looked_at(
    engine: sa.Engine, iconik: FakeIconik, run: Callable[..., dict[str, Any]]
) -> None:
    asset_ids = [f"a{number}" for number in range(100)]
    for asset_id in asset_ids:
        iconik.has(on_b2(), on_ll(file_set_id=f"ll-{asset_id}"), asset_id=asset_id)
    click = a_click("remove", asset_ids=tuple(asset_ids))
    operation = clicked(engine, click)
    iconik.before["delete_file_set"] = lambda: stop(engine)
    told = run(operation, click)
    counts = told["counts"]
    assert told["result"] == "stopped"
    # The first two batches were begun by then.
    assert 1 <= counts["removed"] <= 3 * batches.FIRST_BATCH
    assert counts["removed"] + counts["undone"] == 100
    # Each deletion that was begun was brought to its end.
    assert len(iconik.called("purge_file_set")) == len(iconik.called("delete_file_set"))
    assert len(iconik.called("delete_file_set")) == counts["removed"]


def test_assets_that_were_begun_but_not_looked_at_are_let_go_of(
    engine: sa.Engine,
    iconik: FakeIconik,
    run: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One after the other, so that the rest of the batch is still to be looked at.
    monkeypatch.setattr(batches, "CONNECTIONS", 1)
    click = a_click("remove", asset_ids=("a1", "a2", "a3"))
    for asset_id in click.asset_ids:
        iconik.has(on_b2(), on_ll(file_set_id=f"ll-{asset_id}"), asset_id=asset_id)
    iconik.before["files"] = lambda: stop(engine)
    told = run(clicked(engine, click), click)
    assert (told["result"], told["counts"]["undone"]) == ("stopped", 3)
    assert len(iconik.called("files")) == 1


def test_nothing_is_deleted_that_was_proven_before_the_stop(
    engine: sa.Engine, iconik: FakeIconik, run: Callable[..., dict[str, Any]]
) -> None:
    iconik.has(on_b2(), on_ll())
    operation = clicked(engine, REMOVE)
    iconik.before["files"] = lambda: stop(engine)
    told = run(operation, REMOVE)
    assert (told["result"], told["counts"]["undone"]) == ("stopped", 1)
    assert not iconik.called("delete_file_set")


def test_no_copy_is_asked_for_that_was_found_missing_before_the_stop(
    engine: sa.Engine, iconik: FakeIconik, run: Callable[..., dict[str, Any]]
) -> None:
    iconik.has(on_b2())
    operation = clicked(engine, ADD)
    iconik.before["files"] = lambda: stop(engine)
    told = run(operation, ADD)
    assert (told["result"], told["counts"]["undone"], told["problems"]) == ("stopped", 1, [])
    assert not iconik.called("copy_to_storage", "transfers")


def test_a_copy_that_was_asked_for_is_told_of(
    engine: sa.Engine, iconik: FakeIconik, run: Callable[..., dict[str, Any]]
) -> None:
    iconik.has(on_b2())
    iconik.known_jobs["job-1"] = Job("job-1", "STARTED")
    operation = clicked(engine, ADD)
    told = run(operation, ADD, lambda wait: wait == 3 and stop(engine))
    assert told["result"] == "stopped"
    assert [(each["kind"], each["reason"]) for each in told["problems"]] == [("undone", LEFT)]


def test_a_long_wait_ends_soon(
    engine: sa.Engine,
    iconik: FakeIconik,
    run: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "FIRST_WAIT", 30.0)
    iconik.has(on_b2())
    iconik.known_jobs["job-1"] = Job("job-1", "STARTED")
    waited: list[int] = []

    def at_wait(wait: int) -> None:
        waited.append(wait)
        if wait == 2:
            stop(engine)

    run(clicked(engine, ADD), ADD, at_wait)
    assert waited == [1, 2]


def test_a_selection_that_is_being_opened_is_left(
    engine: sa.Engine, iconik: FakeIconik, run: Callable[..., dict[str, Any]]
) -> None:
    click = a_click("remove", collection_ids=("c1",))
    iconik.contents.update({"c1": [("collections", "c2")], "c2": [("assets", ASSET)]})
    iconik.before["collection_contents"] = lambda: stop(engine)
    told = run(clicked(engine, click), click)
    assert (told["result"], told["counts"]["assets"]) == ("stopped", 0)
    assert len(iconik.called("collection_contents")) == 1


def test_a_deletion_that_was_begun_ends_before_it_stops(
    engine: sa.Engine, iconik: FakeIconik, run: Callable[..., dict[str, Any]]
) -> None:
    iconik.has(on_b2(), on_ll())
    away = {"purge_file_set": AWAY, "storage": AWAY, "files": AWAY, "file_set_statuses": AWAY}
    iconik.before["purge_file_set"] = lambda: iconik.problems.update(away)

    def at_wait(wait: int) -> None:
        if wait == 1:
            stop(engine)
        if wait == 9:
            assert found(engine, "operation-1").ended_ms is None
            iconik.problems.clear()

    told = run(clicked(engine, REMOVE), REMOVE, at_wait)
    assert (told["result"], told["counts"]["removed"]) == ("done", 1)
    assert len(iconik.called("delete_file_set")) == 1


def test_another_process_stops_it_where_this_one_was_killed(
    engine: sa.Engine, iconik: FakeIconik, run: Callable[..., dict[str, Any]]
) -> None:
    iconik.has(on_b2(), on_ll())
    operation = clicked(engine, REMOVE)

    def die() -> None:
        stop(engine)
        raise Stopped

    iconik.before["files"] = die
    with pytest.raises(Stopped):
        run(operation, REMOVE)
    begin_term(engine, NOW)
    assert run(operation, REMOVE)["result"] == "stopped"
    assert not iconik.called("delete_file_set")


def test_when_it_looks_again_and_what_it_waits_for_can_be_read(
    engine: sa.Engine, iconik: FakeIconik, run: Callable[..., dict[str, Any]]
) -> None:
    iconik.has(on_b2(), on_ll())
    iconik.problems["storage"] = AWAY
    seen: list[Operation] = []

    def at_wait(wait: int) -> None:
        if wait == 9:
            seen.append(found(engine, "operation-1"))
            iconik.problems.clear()

    run(clicked(engine, ADD), ADD, at_wait)
    assert seen[0].outage == "could not list the files: iconik answered 503"
    assert seen[0].next_check_ms is not None
    assert found(engine, "operation-1").outage is None


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
