"""What is read of operations, from a real PostgreSQL: its JSON is read in another way there."""

import sqlalchemy as sa

from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.report.asset_history import AssetHistory
from b2_iconik.report.history import Filters, History
from b2_iconik.report.reported import Reported
from b2_iconik.report.todo import ToDo
from tests.makers import (
    a_click,
    a_ledger,
    a_term,
    claims_of,
    completion,
    expanded,
    found,
    half_done,
)

NOW = 1_000_000


def test_outcomes_are_counted_and_found_by_kind(engine: sa.Engine) -> None:
    click = a_click("remove", formats=("ORIGINAL", "PROXY"))
    operation = expanded(engine, click, ["a1", "a2", "b"])
    claims = claims_of(engine, operation)
    removed, kept = Outcome("removed"), Outcome("kept", Reason("it differs"), size=300)
    outcomes = {"a1": {"ORIGINAL": removed, "PROXY": kept}, "a2": {"ORIGINAL": removed}, "b": {}}
    for claimed in claims.take(9, NOW):
        claims.note(claimed, "done", outcomes[claimed.asset_id])
    history, reported = History(engine), Reported(engine)
    assert reported.totals(operation.number) == [
        ("ORIGINAL", "removed", 2, 0, ""),
        ("PROXY", "kept", 1, 300, ""),
    ]
    assert [each.asset_id for each in reported.page(operation, 9, show="kept")] == ["a1"]
    assert [each.asset_id for each in reported.page(operation, 9, show="undone")] == ["a2", "b"]
    assert history.progress([operation.number]) == {operation.number: {"done": 3}}
    assert completion(engine).end(found(engine, operation.id), NOW)
    over = found(engine, operation.id)
    (first,) = reported.page(over, 1)
    others = reported.page(over, 9, after=first.place)
    assert [each.asset_id for each in (first, *others)] == ["a1", "a2", "b"]
    claims.note(ClaimedAsset("a2", (), AssetProgress()), "done", {"PROXY": removed})
    assert [each.asset_id for each in reported.every(over, 1)] == ["a1", "b", "a2"]


def test_half_done_deletions_are_found_among_what_failed(engine: sa.Engine) -> None:
    operation = expanded(engine, a_click("remove"), ["a1", "a2"])
    claims = claims_of(engine, operation)
    assert claims.begin_deletions(claims.take(1, NOW)[0], half_done({"set-1": "ORIGINAL"}))
    completion(engine).fail(operation.number, "no token is good", NOW)
    (half,) = Reported(engine).page(found(engine, operation.id), 9, show="failed")
    assert half.progress.deletions == half_done({"set-1": "ORIGINAL"})


def test_operations_are_found_and_stopped(engine: sa.Engine) -> None:
    operation = expanded(engine, a_click(user_id="U-Grace"), ["a1"])
    ledger = a_ledger(engine)
    claims = claims_of(engine, operation)
    claims.copies.begin(claims.take(1, NOW), {"job-1": "ORIGINAL"}, NOW)
    history = History(engine)
    assert [
        (each["job_id"], each["assets"]) for each in history.copies(operation.number, 9, 0)
    ] == [("job-1", 1)]
    assert ledger.ask_to_stop(operation.id, "Ada", NOW)
    claims.leave()
    assert completion(engine).end(found(engine, operation.id), NOW)
    assert completion(engine).sum_up(operation.id)["result"] == "stopped"
    for text in ("u-g", "ADA", "a1", operation.id):
        found_ids = [each.id for each in history.operations(Filters("stopped", "add", text), 9)]
        assert found_ids == [operation.id]
    newer = Claims(engine, expanded(engine, a_click("remove"), ["a1"]), a_term(engine))
    assert newer.take(1, NOW) == []
    assert [copy.job_id for copy in newer.copies.under_way()] == ["job-1"]


def test_what_is_left_to_do_is_found_until_a_later_operation_has_done_it(
    engine: sa.Engine,
) -> None:
    differs = Outcome("kept", Reason('"Mädchen".mov differs', Cause.DIFFERS))
    first = expanded(engine, a_click("remove"), ["a1"])
    claims = claims_of(engine, first)
    claims.note(claims.take(1, NOW)[0], "done", {"ORIGINAL": differs})
    assert completion(engine).end(first, NOW)
    completion(engine).sum_up(first.id)
    expanded(engine, a_click("remove"), ["a2"])
    second = expanded(engine, a_click("remove", formats=("ORIGINAL", "PROXY")), ["a1"])
    completion(engine).fail(second.number, "no token", NOW)
    to_do, history = ToDo(engine), History(engine)
    left = [(row["asset_id"], row["format"], row["cause"]) for row in to_do.rows()]
    assert left == [
        ("a1", "ORIGINAL", "differs"),
        ("a1", "ORIGINAL", "not_started"),
        ("a1", "PROXY", "not_started"),
    ]
    for filters in (Filters(cause="differs"), Filters(text='"mädchen"'), Filters(text="differs")):
        assert [each.id for each in history.operations(filters, 9)] == [first.id]
    third = expanded(engine, a_click("remove", formats=("ORIGINAL", "PROXY")), ["a1"])
    claims = claims_of(engine, third)
    removed = Outcome("removed")
    claims.note(claims.take(1, NOW)[0], "done", {"ORIGINAL": removed, "PROXY": removed})
    assert completion(engine).end(third, NOW)
    assert list(to_do.rows()) == []
    resolved = AssetHistory(engine).resolved(first, ["a1"])
    assert resolved["a1", "ORIGINAL"]["operation_id"] == third.id


def test_people_and_what_they_selected_are_known_by_name(engine: sa.Engine) -> None:
    operation = expanded(engine, a_click("remove", user_id="ana"), ["a1"])
    ledger, history = a_ledger(engine), History(engine)
    ledger.note_names(operation.number, storages={"b2": "Masters", "ll": "Filespace"})
    ledger.note_names(operation.number, subjects=[])
    ledger.note_user("ana", "Ana Ruiz")
    told = found(engine, operation.id)
    assert told.names == {"storages": {"b2": "Masters", "ll": "Filespace"}, "subjects": []}
    for filters in (Filters(user="ana"), Filters(user="RUIZ"), Filters(text="ana r")):
        assert [each.id for each in history.operations(filters, 9)] == [operation.id]
    newer = expanded(engine, a_click("add"), ["a1"])
    (taker,) = history.newer(operation, ["a1"]).values()
    assert (taker.operation_id, taker.user) == (newer.id, None)
