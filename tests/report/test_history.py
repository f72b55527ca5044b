"""What operations did, read in pages."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import Hint
from b2_iconik.domain.reasons import Reason
from b2_iconik.report.history import STATES, Filters, History, Newer
from tests.makers import (
    a_click,
    a_database,
    a_ledger,
    claims_of,
    clicked,
    completion,
    expanded,
    found,
)
from tests.report.reporting import ended

NOW = 1_000_000
UUID = "0b5c1d9e-3f7a-4c52-9d0e-6a1f2b3c4d5e"
KEPT = Outcome("kept", Reason("clip.mov differs"))
REMOVED = Outcome("removed")


@pytest.fixture
def history(engine: sa.Engine) -> History:
    return History(engine)


def failed(engine: sa.Engine, failure: str = "no token is good any more") -> Operation:
    operation = clicked(engine, a_click())
    completion(engine).fail(operation.number, failure, NOW)
    completion(engine).sum_up(operation.id)
    return operation


def stopped(engine: sa.Engine, by: str = "Ada") -> Operation:
    operation = expanded(engine, a_click(), ["s1"])
    ledger = a_ledger(engine)
    ledger.ask_to_stop(operation.id, by, NOW)
    claims_of(engine, operation).leave()
    completion(engine).end(found(engine, operation.id), NOW)
    completion(engine).sum_up(operation.id)
    return operation


def listed(history: History, limit: int = 100, skip: int = 0, **filters: Any) -> list[int]:
    """The numbers of the operations that are listed."""
    return [each.number for each in history.operations(Filters(**filters), limit, skip)]


def test_the_newest_come_first_and_the_next_page_goes_on(
    engine: sa.Engine, history: History
) -> None:
    for _ in range(3):
        clicked(engine, a_click())
    assert listed(history, 2) == [3, 2]
    assert listed(history, 2, skip=2) == [1]
    assert history.matching(Filters()) == 3


def test_operations_are_found_by_how_they_stand(engine: sa.Engine, history: History) -> None:
    clicked(engine, a_click())
    failed(engine)
    stopped(engine)
    ended(engine, {"a1": {"ORIGINAL": REMOVED}})
    ended(engine, {"a2": {"ORIGINAL": KEPT}})
    ended(engine, {"a3": {"ORIGINAL": REMOVED}, "a4": {"ORIGINAL": KEPT}})
    ended(engine, {"a5": {"ORIGINAL": Outcome("absent")}})
    assert {state: listed(history, state=state) for state in STATES} == {
        "running": [1],
        "failed": [5, 2],
        "stopped": [3],
        "done": [4],
        "partly done": [6],
        "nothing to do": [7],
    }
    assert history.running() == 1


def test_bytes_are_counted_for_operations_whose_sizes_are_known(
    engine: sa.Engine, history: History
) -> None:
    known, unknown = clicked(engine, a_click()), clicked(engine, a_click())
    ledger = a_ledger(engine)
    ledger.expand(known.number, {"a1": Hint(size=5), "a2": Hint(size=7)}, {})
    ledger.expand(unknown.number, {"a3": Hint(size=5), "a4": Hint()}, {})
    claims = claims_of(engine, found(engine, known.id))
    claims.note(claims.take(1, NOW)[0], "done", {"ORIGINAL": REMOVED})
    assert history.bytes_done([known.number, unknown.number]) == {known.number: (5, 12)}


@pytest.mark.parametrize(("outcome", "state"), [(REMOVED, "done"), (KEPT, "failed")])
def test_one_that_ended_just_now_is_found_by_its_true_result(
    engine: sa.Engine, history: History, outcome: Outcome, state: str
) -> None:
    operation = expanded(engine, a_click("remove"), ["a1"])
    claims = claims_of(engine, operation)
    claims.note(claims.take(1, NOW)[0], "done", {"ORIGINAL": outcome})
    completion(engine).end(operation, NOW)
    assert listed(history, state=state) == [1]


def test_one_that_was_stopped_just_now_is_found_as_stopped(
    engine: sa.Engine, history: History
) -> None:
    operation = expanded(engine, a_click(), ["s1"])
    a_ledger(engine).ask_to_stop(operation.id, "Ada", NOW)
    claims_of(engine, operation).leave()
    completion(engine).end(found(engine, operation.id), NOW)
    assert listed(history, state="stopped") == [1]
    assert listed(history, state="done") == []


def test_operations_are_found_by_action(engine: sa.Engine, history: History) -> None:
    clicked(engine, a_click("add"))
    clicked(engine, a_click("remove"))
    assert listed(history, action="remove") == [2]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("operation-1", [1]),
        ("U-GRACE", [2]),
        ("no token", [3]),
        ("ada", [4]),
        ("RUSHES of", [1]),
        ("s1", [4]),
        ("s2", []),
        ("%", []),
        ("_", []),
    ],
)
def test_operations_are_found_by_text(
    engine: sa.Engine, history: History, text: str, numbers: list[int]
) -> None:
    clicked(engine, a_click())
    a_ledger(engine).note_title(1, "Add to LucidLink: 12 assets (Rushes of day 3)")
    clicked(engine, a_click(user_id="u-grace"))
    failed(engine)
    stopped(engine)
    assert listed(history, text=text) == numbers


@pytest.mark.parametrize(
    ("user", "numbers"),
    [
        (UUID, [1]),
        (UUID.upper(), [1]),
        ("ruiz", [2, 1]),
        ("Zoë", [3]),
        ("zoë", [3]),
        (UUID[:8], []),
        ("%", []),
    ],
)
def test_operations_are_found_by_user(
    engine: sa.Engine, history: History, user: str, numbers: list[int]
) -> None:
    for user_id, name in ((UUID, "Ana Ruiz"), ("u-2", "Bea RUIZ"), ("u-3", "Zoë"), ("u-4", "")):
        clicked(engine, a_click(user_id=user_id))
        a_ledger(engine).note_user(user_id, name)
    clicked(engine, a_click())
    assert listed(history, user=user) == numbers


def test_operations_are_found_by_text_in_the_name_of_the_user(
    engine: sa.Engine, history: History
) -> None:
    clicked(engine, a_click(user_id="u-1"))
    clicked(engine, a_click(user_id="u-2"))
    a_ledger(engine).note_user("u-2", "Ana Ruiz")
    assert listed(history, text="ana r") == [2]


# What took over


def test_the_newest_operation_that_took_over_is_known(engine: sa.Engine, history: History) -> None:
    operation = expanded(engine, a_click("remove"), ["a1"])
    for user in ("ana", "ben"):
        expanded(engine, a_click("add", user_id=user), ["a1"])
    a_ledger(engine).note_user("ben", "Ben")
    newer = Newer("operation-3", "add", "Add to LucidLink: 1 collection", "Ben")
    assert history.newer(operation, ["a1"]) == {("a1", "ORIGINAL"): newer}


def test_a_retry_is_of_who_requested_it(engine: sa.Engine, history: History) -> None:
    operation = expanded(engine, a_click("remove"), ["a1"])
    newer = expanded(engine, a_click("add", user_id="ana"), ["a1"])
    a_ledger(engine).note_user("ana", "Ana Ruiz")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE plugin_operations SET retry_by = 'Ben' WHERE number = 2")
    (told,) = history.newer(operation, ["a1"]).values()
    assert (told.operation_id, told.user) == (newer.id, "Ben")


def test_each_format_may_be_left_to_another(engine: sa.Engine, history: History) -> None:
    both = ("ORIGINAL", "PROXY")
    operation = expanded(engine, a_click("remove", formats=both), ["a1"])
    expanded(engine, a_click("add", formats=both), ["a1"])
    expanded(engine, a_click("add", formats=("PROXY",)), ["a1"])
    found = history.newer(operation, ["a1"])
    assert {name: each.operation_id for (_, name), each in found.items()} == {
        "ORIGINAL": "operation-2",
        "PROXY": "operation-3",
    }


@pytest.mark.parametrize(
    ("click", "assets", "seen"),
    [
        (a_click("remove"), "a1", True),
        (a_click("add"), "a2", True),
        (a_click("add"), "a1", False),
        (a_click("add", ll_storage_id="another"), "a1", True),
    ],
    ids=["the same action", "another asset", "an asset it has not seen", "another storage"],
)
def test_nothing_else_takes_over(
    engine: sa.Engine, history: History, click: CustomAction, assets: str, seen: bool
) -> None:
    expanded(engine, a_click("add"), ["a1"])
    operation = expanded(engine, a_click("remove"), ["a1"])
    expanded(engine, click, [assets], seen=seen)
    assert history.newer(operation, ["a1"]) == {}


def test_progress_is_told_of_several_at_once(engine: sa.Engine, history: History) -> None:
    first, second = (expanded(engine, a_click(), [f"a{each}", "b"]) for each in (1, 2))
    claims = claims_of(engine, first)
    claims.note(claims.take(1, NOW)[0], "done", {"ORIGINAL": REMOVED})
    assert history.progress([first.number, second.number]) == {
        1: {"done": 1, "queued": 1},
        2: {"queued": 2},
    }
    assert history.progress([]) == {}


def test_copies_are_told_with_those_under_way_first(engine: sa.Engine, history: History) -> None:
    operation = expanded(engine, a_click(), ["a1", "a2", "a3"])
    claims = claims_of(engine, operation)
    claims.copies.begin(claims.take(1, NOW), {"job-1": "ORIGINAL"}, NOW)
    claims.copies.begin(claims.take(2, NOW), {"job-2": "ORIGINAL"}, NOW + 1)
    claims.copies.ended(claims.copies.under_way()[0], {}, "")
    told = ("job_id", "ended", "assets", "followed_seconds")
    copies = history.copies(operation.number, 9, NOW + 60_001)
    assert [tuple(each[name] for name in told) for each in copies] == [
        ("job-2", False, 2, 60),
        ("job-1", True, 0, None),
    ]
    assert len(history.copies(operation.number, 1, NOW)) == 1
    assert history.copies_in_all(operation.number) == (1, 2)
    assert history.copies_in_all(99) == (0, 0)


def test_what_is_unfinished_is_told_the_oldest_first(engine: sa.Engine, history: History) -> None:
    operation = expanded(engine, a_click(), ["a1", "a2", "a3", "a4"])
    claims = claims_of(engine, operation)
    growing = (("b", NOW), ("a", NOW), ("old", NOW - 1), ("", NOW - 2))
    for claimed, (what, since_ms) in zip(claims.take(4, NOW), growing, strict=True):
        claimed.progress = replace(claimed.progress, unfinished=what, unfinished_ms=since_ms)
        claims.note(claimed, "recheck", {}, NOW)
    assert history.unfinished(operation.number) == [("old", NOW - 1), ("a", NOW), ("b", NOW)]


def test_what_is_unfinished_is_not_told_while_it_is_read(
    engine: sa.Engine, history: History
) -> None:
    operation = expanded(engine, a_click())
    claims = claims_of(engine, operation)
    (claimed,) = claims.take(1, NOW)
    claimed.progress = replace(claimed.progress, unfinished="a", unfinished_ms=NOW)
    claims.note(claimed, "claimed", {})
    assert history.unfinished(operation.number) == []


def test_when_the_next_look_is_due_is_known(engine: sa.Engine, history: History) -> None:
    operation = expanded(engine, a_click(), ["a1", "a2"])
    claims = claims_of(engine, operation)
    assert history.next_due(operation.number) is None
    for number, claimed in enumerate(claims.take(2, NOW)):
        claims.note(claimed, "recheck", {}, NOW + number)
    assert history.next_due(operation.number) == NOW
    assert history.clock() == NOW


def test_a_database_that_nobody_has_run_operations_on_has_no_clock(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with a_database(tmp_path / "new") as engine:
        assert History(engine).clock() == 0


def test_what_could_not_be_opened_is_told(engine: sa.Engine, history: History) -> None:
    operation = clicked(engine, a_click())
    a_ledger(engine).expand(operation.number, {}, {"collection c": "no", "collection b": "no"})
    assert history.unopened(operation.number) == [("collection b", "no"), ("collection c", "no")]
    assert history.unopened(operation.number, 1) == [("collection b", "no")]
    assert history.unopened_in_all(operation.number) == 2
