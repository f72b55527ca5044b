"""What came of the assets of operations, read in pages."""

from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import Hint
from b2_iconik.domain.reasons import Reason
from b2_iconik.report.reported import FIRST, Place, Reported
from tests.makers import (
    a_click,
    a_ledger,
    claims_of,
    completion,
    expanded,
    found,
    half_done,
)
from tests.report.reporting import ended

NOW = 1_000_000
PIER = "1b9d1b9d-0000-4000-8000-000000000000"
KEPT = Outcome("kept", Reason("clip.mov differs"))
REMOVED = Outcome("removed")


@pytest.fixture
def reported(engine: sa.Engine) -> Reported:
    return Reported(engine)


def test_outcomes_are_counted_by_kind(engine: sa.Engine, reported: Reported) -> None:
    both = {"ORIGINAL": REMOVED, "PROXY": KEPT}
    operation = ended(
        engine, {"a1": both, "a2": {"ORIGINAL": REMOVED}}, formats=("ORIGINAL", "PROXY")
    )
    assert reported.totals(operation.number) == [
        ("ORIGINAL", "removed", 2, 0, ""),
        ("PROXY", "kept", 1, 0, ""),
    ]


def test_outcomes_are_counted_by_proof(engine: sa.Engine, reported: Reported) -> None:
    by_checksum = Outcome("removed", proof="checksum", size=70)
    outcomes = {"a1": by_checksum, "a2": by_checksum, "a3": Outcome("removed", proof="size")}
    operation = ended(engine, {each: {"ORIGINAL": one} for each, one in outcomes.items()})
    assert reported.totals(operation.number) == [
        ("ORIGINAL", "removed", 2, 140, "checksum"),
        ("ORIGINAL", "removed", 1, 0, "size"),
    ]


def test_assets_are_read_in_pages(engine: sa.Engine, reported: Reported) -> None:
    operation = ended(engine, {f"a{number}": {"ORIGINAL": REMOVED} for number in range(5)})
    assert [each.asset_id for each in reported.page(operation, 2)] == ["a0", "a1"]
    second = reported.page(operation, 2, after=Place(is_problem=False, asset_id="a1"))
    assert [each.asset_id for each in second] == ["a2", "a3"]
    assert [each.asset_id for each in reported.every(operation, 2)] == [
        "a0", "a1", "a2", "a3", "a4",
    ]  # fmt: skip


def test_assets_are_found_by_outcome_and_id(engine: sa.Engine, reported: Reported) -> None:
    outcomes = {"a1": {"ORIGINAL": REMOVED}, "a2": {"ORIGINAL": KEPT}, "b": {}}
    operation = ended(engine, outcomes)
    (kept,) = reported.page(operation, 9, show="kept")
    assert (kept.asset_id, kept.outcomes) == ("a2", {"ORIGINAL": KEPT})
    assert [each.asset_id for each in reported.page(operation, 9, show="undone")] == ["b"]
    assert [each.asset_id for each in reported.page(operation, 9, text="A")] == ["a2", "a1"]
    assert reported.page(operation, 9, text="%") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("beach", ["a1"]),
        ("EACH", ["a1"]),
        (PIER, [PIER]),
        (f"https://app.iconik.io/asset/{PIER}/?x=1", [PIER]),
        ("École", ["a2"]),
        ("École DE", ["a2"]),
        ("COLE de", ["a2"]),
        ("%", []),
    ],
)
def test_assets_are_found_by_title_and_by_their_address(
    engine: sa.Engine, reported: Reported, text: str, found: list[str]
) -> None:
    operation = expanded(engine, a_click("remove"), ["a1", "a2", PIER])
    titles = {"a1": "Beach", "a2": "École de Paris", PIER: "Pier"}
    hints = {each: Hint(title) for each, title in titles.items()}
    a_ledger(engine).note_hints(operation.number, hints)
    assert [each.asset_id for each in reported.page(operation, 9, text=text)] == found


def in_pages(reported: Reported, operation: Operation, limit: int, **only: Any) -> list[list[str]]:
    """The ids of the assets of an operation, page by page, as a person leafs through them."""
    pages, place = [], FIRST
    while some := reported.page(operation, limit, after=place, **only):
        pages.append([each.asset_id for each in some])
        place = some[-1].place
    return pages


TROUBLED = {
    "a1": {"ORIGINAL": REMOVED},
    "a2": {"ORIGINAL": KEPT},
    "a3": {"ORIGINAL": Outcome("superseded")},
    "a4": {},
    "a5": {"ORIGINAL": Outcome("failed", Reason("no"))},
    "a6": {"ORIGINAL": Outcome("vanished", Reason("no"))},
}


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 7])
def test_assets_with_a_problem_come_first_however_long_a_page_is(
    engine: sa.Engine, reported: Reported, limit: int
) -> None:
    operation = expanded(engine, a_click("remove"), list(TROUBLED))
    claims = claims_of(engine, operation)
    for claimed in claims.take(9, NOW):
        claims.note(claimed, "done", TROUBLED[claimed.asset_id])
    completion(engine).fail(operation.number, "no token is good", NOW)
    operation = found(engine, operation.id)
    ids = ["a2", "a4", "a5", "a6", "a1", "a3"]
    pages = in_pages(reported, operation, limit)
    assert [each for page in pages for each in page] == ids
    assert {len(page) for page in pages[:-1]} <= {limit}
    assert [each.asset_id for each in reported.every(operation, limit)] == ids


@pytest.mark.parametrize("failure", ["no token is good", ""])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 7])
def test_whoever_leafs_back_sees_the_same_assets(
    engine: sa.Engine, reported: Reported, limit: int, failure: str
) -> None:
    operation = expanded(engine, a_click("remove"), list(TROUBLED))
    claims = claims_of(engine, operation)
    for claimed in claims.take(9, NOW):
        claims.note(claimed, "done", TROUBLED[claimed.asset_id] if failure else {})
    if failure:
        completion(engine).fail(operation.number, failure, NOW)
        operation = found(engine, operation.id)
    every = list(reported.every(operation, limit))
    for number, asset in enumerate(every):
        before = reported.page(operation, limit, before=asset.place)
        assert before == every[max(0, number - limit) : number]


def test_the_assets_of_all_pages_are_counted(engine: sa.Engine, reported: Reported) -> None:
    outcomes = {"a1": {"ORIGINAL": REMOVED}, "a2": {"ORIGINAL": KEPT}, "b": {"ORIGINAL": KEPT}}
    operation = ended(engine, outcomes)
    asked = (("", ""), ("kept", ""), ("", "a"), ("kept", "a"), ("failed", ""))
    assert [reported.matching(operation, *each) for each in asked] == [3, 2, 2, 1, 0]


def test_the_order_holds_among_what_is_searched_for(engine: sa.Engine, reported: Reported) -> None:
    both = {"ORIGINAL": REMOVED, "PROXY": KEPT}
    outcomes = {"a1": {"ORIGINAL": REMOVED, "PROXY": REMOVED}, "a2": both, "b": both}
    operation = ended(engine, outcomes, formats=("ORIGINAL", "PROXY"))
    assert in_pages(reported, operation, 1, text="a") == [["a2"], ["a1"]]
    assert in_pages(reported, operation, 2, show="removed") == [["a2", "b"], ["a1"]]


def test_what_is_still_to_come_is_no_problem(engine: sa.Engine, reported: Reported) -> None:
    operation = expanded(engine, a_click(), ["a1", "a2"])
    claims = claims_of(engine, operation)
    _, second = claims.take(2, NOW)
    claims.note(second, "done", {"ORIGINAL": Outcome("failed", Reason("no"))})
    assert in_pages(reported, operation, 9) == [["a2", "a1"]]


@pytest.mark.parametrize("failure", ["no token is good", ""])
def test_half_done_deletions_are_found_among_what_failed(
    engine: sa.Engine, reported: Reported, failure: str
) -> None:
    operation = expanded(engine, a_click("remove"), ["a1", "a2", "a3"])
    claims = claims_of(engine, operation)
    first, second, third = claims.take(3, NOW)
    assert claims.begin_deletions(first, half_done({"set-1": "ORIGINAL"}))
    claims.note(second, "done", {"ORIGINAL": Outcome("failed", Reason("no"))})
    claims.note(third, "done", {"ORIGINAL": REMOVED})
    assert [each.asset_id for each in reported.page(operation, 9, show="failed")] == ["a2"]
    if failure:
        completion(engine).fail(operation.number, failure, NOW)
    else:
        claims.note(first, "done", {"ORIGINAL": REMOVED})
        assert completion(engine).end(operation, NOW)
    completion(engine).sum_up(operation.id)
    ended = found(engine, operation.id)
    assert [each.asset_id for each in reported.page(ended, 9, show="failed")] == ["a1", "a2"]
    assert [each.is_problem for each in reported.page(ended, 9)] == [True, True, False]
