"""What operations left undone, and what later ones have resolved."""

from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import Hint
from b2_iconik.domain.reasons import OTHER, Cause, Reason
from b2_iconik.ledger.tables import operations
from b2_iconik.report import todo, unresolved
from b2_iconik.report.todo import ToDo, grouped
from b2_iconik.report.unresolved import Left
from tests.makers import (
    a_click,
    a_ledger,
    claims_of,
    clicked,
    completion,
    expanded,
    found,
    half_done,
)
from tests.report.reporting import ended, running

NOW = 1_000_000
KEPT = Outcome("kept", Reason("clip.mov differs", Cause.DIFFERS))
FAILED = Outcome("failed", Reason("iconik answered 503", Cause.NO_ANSWER))
REMOVED = Outcome("removed")
BOTH = ("ORIGINAL", "PROXY")


@pytest.fixture
def to_do(engine: sa.Engine) -> ToDo:
    return ToDo(engine)


def failed(engine: sa.Engine, *asset_ids: str, **click: Any) -> Operation:
    """An operation that failed before it began any of its assets."""
    operation = expanded(engine, a_click(**{"action": "remove", **click}), asset_ids)
    completion(engine).fail(operation.number, Reason("no token", Cause.TOKEN_REJECTED), NOW)
    completion(engine).sum_up(operation.id)
    return operation


def left(to_do: ToDo, label: str = "") -> list[tuple[str, str, str, str]]:
    return [
        (row["operation_id"], row["asset_id"], row["format"], row["cause"])
        for row in to_do.rows(label)
    ]


# What is left to do


def test_what_was_kept_or_failed_is_left_to_do(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}, "a2": {"ORIGINAL": FAILED}})
    assert left(to_do) == [
        ("operation-1", "a2", "ORIGINAL", "no_answer"),
        ("operation-1", "a1", "ORIGINAL", "differs"),
    ]


@pytest.mark.parametrize("kind", ["removed", "absent", "without", "vanished", "superseded"])
def test_any_other_outcome_is_not_left_to_do(engine: sa.Engine, to_do: ToDo, kind: Any) -> None:
    ended(engine, {"a1": {"ORIGINAL": Outcome(kind)}})
    assert left(to_do) == []


def test_what_a_running_operation_has_kept_may_still_change(engine: sa.Engine, to_do: ToDo) -> None:
    running(engine, {"a1": {"ORIGINAL": KEPT}})
    assert left(to_do) == []


def test_what_a_failed_operation_did_not_begin_was_not_started(
    engine: sa.Engine, to_do: ToDo
) -> None:
    failed(engine, "a1", formats=BOTH)
    assert left(to_do) == [
        ("operation-1", "a1", "ORIGINAL", "not_started"),
        ("operation-1", "a1", "PROXY", "not_started"),
    ]


def test_what_a_stopped_operation_did_not_begin_was_not_started(
    engine: sa.Engine, to_do: ToDo
) -> None:
    operation = expanded(engine, a_click(), ["a1"])
    a_ledger(engine).ask_to_stop(operation.id, "Ada", NOW)
    claims_of(engine, operation).leave()
    completion(engine).end(found(engine, operation.id), NOW)
    assert left(to_do) == [("operation-1", "a1", "ORIGINAL", "not_started")]


def test_a_copy_that_was_left_to_iconik_is_told_apart(engine: sa.Engine, to_do: ToDo) -> None:
    operation = expanded(engine, a_click(), ["a1"])
    claims = claims_of(engine, operation)
    (claimed,) = claims.take(1, NOW)
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    claims.note(claimed, "copying", {})
    completion(engine).fail(operation.number, "no token", NOW)
    assert left(to_do, "left_to_iconik") == [
        ("operation-1", "a1", "ORIGINAL", "left_to_iconik"),
    ]


def test_a_deletion_that_was_not_finished_is_left_to_do(engine: sa.Engine, to_do: ToDo) -> None:
    operation = expanded(engine, a_click("remove"), ["a1"])
    claims = claims_of(engine, operation)
    claims.begin_deletions(claims.take(1, NOW)[0], half_done({"s1": "ORIGINAL", "s2": "ORIGINAL"}))
    completion(engine).fail(operation.number, "no token", NOW)
    assert left(to_do) == [("operation-1", "a1", "ORIGINAL", "half_deleted")]


def test_what_a_failed_operation_had_done_is_not_left_to_do(engine: sa.Engine, to_do: ToDo) -> None:
    operation = running(engine, {"a1": {"ORIGINAL": REMOVED}})
    completion(engine).fail(operation.number, "no token", NOW)
    assert left(to_do) == []


def test_a_reason_of_an_earlier_version_has_no_cause(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": Outcome("kept", Reason("it differs"))}})
    assert left(to_do, OTHER) == [("operation-1", "a1", "ORIGINAL", "")]


# What is resolved


@pytest.mark.parametrize("kind", ["removed", "absent", "without", "vanished", "there"])
def test_what_a_later_operation_did_is_resolved(engine: sa.Engine, to_do: ToDo, kind: Any) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(engine, {"a1": {"ORIGINAL": Outcome(kind)}})
    assert left(to_do) == []


def test_the_opposite_action_resolves_it_too(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(engine, {"a1": {"ORIGINAL": Outcome("there")}}, action="add")
    assert left(to_do) == []


def test_what_is_kept_again_is_left_once_by_the_newest(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(engine, {"a1": {"ORIGINAL": FAILED}})
    assert left(to_do) == [("operation-2", "a1", "ORIGINAL", "no_answer")]


def test_another_format_resolves_nothing(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(engine, {"a1": {"PROXY": REMOVED}}, formats=("PROXY",))
    assert left(to_do) == [("operation-1", "a1", "ORIGINAL", "differs")]


def test_another_storage_resolves_nothing(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(engine, {"a1": {"ORIGINAL": REMOVED}}, ll_storage_id="another")
    assert left(to_do) == [("operation-1", "a1", "ORIGINAL", "differs")]


def test_an_older_operation_resolves_nothing(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": REMOVED}})
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    assert left(to_do) == [("operation-2", "a1", "ORIGINAL", "differs")]


def test_an_operation_resolves_nothing_before_it_has_ended(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    running(engine, {"a1": {"ORIGINAL": REMOVED}})
    assert left(to_do) == [("operation-1", "a1", "ORIGINAL", "differs")]


def test_what_was_left_to_a_newer_click_resolves_nothing(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(engine, {"a1": {"ORIGINAL": Outcome("superseded")}})
    assert left(to_do) == [("operation-1", "a1", "ORIGINAL", "differs")]


def test_what_no_operation_came_to_is_left_once_by_the_newest(
    engine: sa.Engine, to_do: ToDo
) -> None:
    failed(engine, "a1")
    failed(engine, "a1")
    assert left(to_do) == [("operation-2", "a1", "ORIGINAL", "not_started")]


def test_what_was_not_started_again_does_not_hide_why_it_was_kept(
    engine: sa.Engine, to_do: ToDo
) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    failed(engine, "a1")
    assert [cause for *_, cause in left(to_do)] == ["differs", "not_started"]


# What was not opened


def unopened(engine: sa.Engine) -> Operation:
    operation = clicked(engine, a_click(collection_ids=("c1",)))
    reason = Reason("iconik answered 404", Cause.NO_ANSWER)
    a_ledger(engine).expand(operation.number, {}, {"collection c1": reason})
    completion(engine).end(found(engine, operation.id), NOW)
    completion(engine).sum_up(operation.id)
    return operation


def retried(engine: sa.Engine, operation: Operation) -> None:
    with engine.begin() as connection:
        later = clicked(engine, a_click())
        change = sa.update(operations).where(operations.c.number == later.number)
        connection.execute(change.values(retry_of=operation.id))


def test_a_collection_that_could_not_be_opened_is_left_to_do(
    engine: sa.Engine, to_do: ToDo
) -> None:
    unopened(engine)
    (row,) = to_do.rows()
    assert (row["asset_id"], row["format"], row["reason"]) == (
        "collection c1",
        None,
        "iconik answered 404",
    )


def test_of_several_collections_each_is_left(engine: sa.Engine, to_do: ToDo) -> None:
    operation = clicked(engine, a_click(collection_ids=("c1", "c2")))
    no, not_so = Reason("no", Cause.NO_ANSWER), Reason("no", Cause.REFUSED)
    gone = {"collection c1": no, "collection c2": not_so}
    a_ledger(engine).expand(operation.number, {}, gone)
    completion(engine).end(found(engine, operation.id), NOW)
    assert [what for _, what, *_ in left(to_do, "refused")] == ["collection c2"]


def test_an_operation_that_failed_before_its_assets_were_known_is_left_to_do(
    engine: sa.Engine, to_do: ToDo
) -> None:
    operation = clicked(engine, a_click(collection_ids=("c1",)))
    completion(engine).fail(operation.number, Reason("no token", Cause.TOKEN_REJECTED), NOW)
    (row,) = to_do.rows()
    assert (row["asset_id"], row["kind"], row["reason"]) == ("", "failed", "no token")


def test_an_operation_that_was_stopped_before_its_assets_were_known_is_left_to_do(
    engine: sa.Engine, to_do: ToDo
) -> None:
    operation = clicked(engine, a_click(collection_ids=("c1",)))
    a_ledger(engine).ask_to_stop(operation.id, "Ada", NOW)
    completion(engine).end(found(engine, operation.id), NOW)
    (row,) = to_do.rows()
    assert (row["kind"], row["cause"]) == ("undone", "not_started")


@pytest.mark.parametrize("make", [unopened, lambda engine: failed(engine)])
def test_what_could_not_be_opened_is_resolved_by_its_retry(
    engine: sa.Engine, to_do: ToDo, make: Any
) -> None:
    operation = make(engine)
    assert len(list(to_do.rows())) == 1
    retried(engine, operation)
    assert list(to_do.rows()) == []


# How it is shown


def test_groups_come_in_the_order_of_significance() -> None:
    labels = (OTHER, "not_started", "differs", "half_deleted")
    every = [Left(1, "a1", "ORIGINAL", label) for label in labels]
    assert list(grouped(every)) == ["half_deleted", "differs", "not_started", OTHER]


def test_a_group_tells_its_cause_its_remedy_and_its_assets(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT, "PROXY": KEPT}, "a2": {"ORIGINAL": KEPT}}, formats=BOTH)
    told, _ = to_do.listed()
    (group,) = told["groups"]
    assert (group["heading"], group["assets"], group["left"]) == ("Differs from its master", 2, 3)
    assert group["what_to_do"].startswith("Open the file on LucidLink")
    assert [each["operation_id"] for each in group["operations"]] == ["operation-1"]


def test_a_group_without_a_known_cause_has_a_heading(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": Outcome("kept", Reason("it differs"))}})
    told, _ = to_do.listed()
    assert told["groups"][0]["heading"] == "Other reasons"


def test_a_group_shows_its_first_rows(
    engine: sa.Engine, to_do: ToDo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(todo, "ROWS_A_GROUP", 2)
    ended(engine, {f"a{number}": {"ORIGINAL": KEPT} for number in range(5)})
    told, start = to_do.listed()
    (group,) = told["groups"]
    assert (len(group["rows"]), group["left"], start) == (2, 5, None)


def test_one_cause_is_shown_in_pages(
    engine: sa.Engine, to_do: ToDo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(todo, "ROWS_A_PAGE", 2)
    ended(engine, {f"a{number}": {"ORIGINAL": KEPT} for number in range(4)})
    assert to_do.listed("differs")[1] == 2
    told, start = to_do.listed("differs", 2)
    shown = [row["asset_id"] for row in told["groups"][0]["rows"]]
    assert (shown, start) == (["a2", "a3"], None)


def test_more_than_anybody_reads_is_not_read(
    engine: sa.Engine, to_do: ToDo, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (todo, unresolved):
        monkeypatch.setattr(module, "MOST", 2)
    ended(engine, {f"a{number}": {"ORIGINAL": KEPT} for number in range(4)})
    told, _ = to_do.listed()
    assert (told["assets"], told["is_complete"]) == (2, False)


def test_a_row_names_the_asset_and_its_operation(engine: sa.Engine, to_do: ToDo) -> None:
    operation = expanded(engine, a_click("remove"), ["a1"])
    a_ledger(engine).note_hints(operation.number, {"a1": Hint("Beach")})
    completion(engine).fail(operation.number, "no token", NOW)
    (row,) = to_do.rows()
    assert (row["asset"], row["operation"]) == ("Beach", operation.title or row["operation"])
    assert row["ended"] == "1970-01-01T00:16:40+00:00"


def test_many_are_read_in_parts(
    engine: sa.Engine, to_do: ToDo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(todo, "READ_AT_ONCE", 2)
    for _ in range(2):
        ended(engine, {f"a{number}": {"ORIGINAL": KEPT} for number in range(3)})
    ended(engine, {f"b{number}": {"ORIGINAL": KEPT} for number in range(3)})
    assert [asset_id for _, asset_id, *_ in left(to_do)] == ["b0", "b1", "b2", "a0", "a1", "a2"]


# Previews


def test_a_preview_leaves_nothing_to_do_and_does_nothing(engine: sa.Engine, to_do: ToDo) -> None:
    ended(engine, {"a1": {"ORIGINAL": KEPT}})
    ended(
        engine,
        {"a1": {"ORIGINAL": Outcome("removable")}, "a2": {"ORIGINAL": KEPT}},
        action="preview",
    )
    failed(engine, "a3", action="preview")
    failed(engine, action="preview")
    assert left(to_do) == [("operation-1", "a1", "ORIGINAL", "differs")]
