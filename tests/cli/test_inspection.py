"""How an operation stands, and what came of its assets, as the shell is told of it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.cli import inspection
from b2_iconik.cli.lookup import NotFound
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome, given_up, report
from b2_iconik.domain.reasons import LEFT, Reason
from b2_iconik.ledger.asset_rows import change_assets
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.database import writing
from b2_iconik.report import contents
from b2_iconik.report.contents import Contents
from b2_iconik.report.history import History
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

NOW = 1_000_000
BOTH = ("ORIGINAL", "PROXY")
REMOVED, KEPT = Outcome("removed"), Outcome("kept", Reason("clip.mov differs"))


def begun(engine: sa.Engine, *asset_ids: str) -> tuple[Operation, Claims]:
    """A Remove of two formats of some assets, which runs."""
    operation = expanded(engine, a_click("remove", formats=BOTH), asset_ids)
    return operation, claims_of(engine, operation)


def rows_of(engine: sa.Engine, operation: Operation) -> Iterator[dict[str, Any]]:
    return Contents(engine).rows(found(engine, operation.id))


def asset_of(engine: sa.Engine, operation: Operation, text: str) -> dict[str, Any]:
    return inspection.asset(Contents(engine), found(engine, operation.id), text)


def said(rows: Iterator[Mapping[str, object]]) -> list[tuple[object, ...]]:
    return [(row["asset_id"], row["format"], row["kind"]) for row in rows]


# What a row has besides a problem of a report.
HIDDEN = ("what_to_do", "asset", "newer", "size", "cause", "resolved")


def without_remedy(row: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in row.items() if name not in HIDDEN}


def test_every_format_of_every_asset_has_a_row_and_so_has_what_could_not_be_opened(
    engine: sa.Engine,
) -> None:
    operation, claims = begun(engine, "a1", "a2")
    a_ledger(engine).expand(
        operation.number, dict.fromkeys(["a1", "a2"]), {"collection c": "no such"}
    )
    (claimed,) = claims.take(1, NOW)
    claims.note(claimed, "done", {"ORIGINAL": REMOVED, "PROXY": Outcome("absent")})
    assert said(rows_of(engine, operation)) == [
        ("collection c", None, "failed"),
        ("a1", "ORIGINAL", "removed"),
        ("a1", "PROXY", "absent"),
        ("a2", "ORIGINAL", "under way"),
        ("a2", "PROXY", "under way"),
    ]


def test_many_assets_are_read_bit_by_bit(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "READ_AT_ONCE", 3)
    operation, _ = begun(engine, *(f"a{number}" for number in range(8)))
    assert len(list(rows_of(engine, operation))) == 16


def test_its_problems_are_those_of_its_report(engine: sa.Engine) -> None:
    operation, claims = begun(engine, "a1", "a2", "a3", "a4", "a5")
    ledger = a_ledger(engine)
    ledger.expand(operation.number, {}, {"collection c": "no such", "collection b": "no such"})
    done, given, asked, deleting, _ = claims.take(5, NOW)
    claims.note(done, "done", {"ORIGINAL": REMOVED, "PROXY": KEPT})
    claims.begin_deletions(given, half_done({"set-1": "ORIGINAL"}))
    claims.note(
        given, "done", given_up(BOTH, given.progress.deletions, Reason("iconik answered 400"))
    )
    asked.progress = asked.progress.with_copy_results({"PROXY": None})
    claims.note(
        asked, "claimed", {"ORIGINAL": Outcome("vanished", Reason("it no longer exists in iconik"))}
    )
    claims.copies.begin([asked], {"job-1": "PROXY"}, NOW)
    claims.begin_deletions(deleting, half_done({"set-2": "ORIGINAL"}))
    completion(engine).fail(operation.number, "no token is good any more", NOW)
    of_report = report(
        found(engine, operation.id),
        ledger.outcomes(operation.number),
        dict(sorted(ledger.gone(operation.number).items())),
    )["problems"]
    problems = [without_remedy(each) for each in inspection.problems(rows_of(engine, operation))]
    assert [each for each in of_report if each not in problems] == []
    assert [each for each in problems if each not in of_report] == []
    said = [str(each["reason"]) for each in problems]
    for start in ("the deletion was not finished", LEFT, "clip.mov differs"):
        assert any(each.startswith(start) for each in said)


def test_what_waits_for_a_newer_click_to_be_listed_says_so(engine: sa.Engine) -> None:
    operation, claims = begun(engine, "a1")
    (claimed,) = claims.take(1, NOW)
    claims.note(claimed, "recheck", {})
    newer = clicked(engine, a_click("add", collection_ids=("c1",)))
    (told,) = Contents(engine).in_full(found(engine, operation.id))["waits_for"]
    assert told.startswith("iconik to list the assets of a newer click")
    a_ledger(engine).expand(newer.number, {}, {})
    (told,) = Contents(engine).in_full(found(engine, operation.id))["waits_for"]
    assert told.startswith("files of 1 asset")


# One asset


def test_an_asset_has_all_its_formats(engine: sa.Engine) -> None:
    operation, claims = begun(engine, "a1", "a10")
    (claimed, _) = claims.take(2, NOW)
    claims.note(claimed, "done", {"ORIGINAL": REMOVED, "PROXY": KEPT})
    told = asset_of(engine, operation, "A1")
    told["report"] = [without_remedy(each) for each in told["report"]]
    assert told == {
        "operation_id": operation.id,
        "asset_id": "a1",
        "asset": "a1",
        "report": [
            {
                "asset_id": "a1",
                "format": "ORIGINAL",
                "kind": "removed",
                "reason": "",
            },
            {
                "asset_id": "a1",
                "format": "PROXY",
                "kind": "kept",
                "reason": "clip.mov differs",
            },
        ],
        "waits_for": None,
        "looks_again_in_seconds": None,
        "failures": 0,
    }


def test_an_asset_that_is_not_done_says_what_it_waits_for_and_how_long(engine: sa.Engine) -> None:
    operation, claims = begun(engine, "a1")
    (claimed,) = claims.take(1, NOW)
    claimed.progress = replace(claimed.progress, failures=2)
    claims.note(claimed, "recheck", {}, not_before_ms=History(engine).clock() + 9_999)
    told = asset_of(engine, operation, "a1")
    assert told["waits_for"] == "waiting for its next check"
    assert (told["looks_again_in_seconds"], told["failures"]) == (9, 2)


def test_an_asset_whose_copy_is_under_way_is_not_due(engine: sa.Engine) -> None:
    operation, claims = begun(engine, "a1")
    claims.copies.begin(claims.take(1, NOW), {"job-1": "ORIGINAL"}, NOW)
    told = asset_of(engine, operation, "a1")
    assert told["waits_for"] == "being copied by iconik"
    assert told["looks_again_in_seconds"] is None


@pytest.mark.parametrize("text", ["a", "a11", "b1", "%", "_1"])
def test_an_asset_that_it_is_not_about_is_refused(engine: sa.Engine, text: str) -> None:
    operation, _ = begun(engine, "a1")
    with pytest.raises(NotFound, match=re.escape(f"asset {text}: operation {operation.id} ")):
        asset_of(engine, operation, text)


def titled(engine: sa.Engine, titles: Mapping[str, str]) -> Operation:
    """An operation with assets of these titles, by id."""
    operation, _ = begun(engine, *titles)
    with writing(engine) as connection:
        change_assets(
            connection, operation.number, {each: {"title": titles[each]} for each in titles}
        )
    return operation


BEACH, DUNES = "a9f3c2d1-0000-4000-8000-000000000001", "a9f3c2ee-0000-4000-8000-000000000002"


@pytest.mark.parametrize(
    "text",
    [
        BEACH,
        BEACH.upper(),
        "a9f3c2d",
        "Beach",
        "beach",
        "eac",
        f"https://app.iconik.io/asset/{BEACH}?x=1",
    ],
)
def test_an_asset_is_found_by_whatever_names_it(engine: sa.Engine, text: str) -> None:
    operation = titled(engine, {BEACH: "Beach", DUNES: "Dunes"})
    assert asset_of(engine, operation, text)["asset_id"] == BEACH


def test_an_exact_title_is_not_taken_for_a_part_of_another(engine: sa.Engine) -> None:
    operation = titled(engine, {BEACH: "Clip 10", DUNES: "Clip 1"})
    assert asset_of(engine, operation, "Clip 1")["asset_id"] == DUNES


def test_an_ambiguous_title_is_refused_with_the_candidates(engine: sa.Engine) -> None:
    operation = titled(engine, {BEACH: "Clip 10", DUNES: "Clip 1"})
    with pytest.raises(NotFound) as refused:
        asset_of(engine, operation, "clip")
    assert str(refused.value) == ("asset clip is ambiguous: Clip 10 (a9f3c2d1); Clip 1 (a9f3c2ee)")


def test_an_ambiguous_id_is_refused_with_longer_ids(engine: sa.Engine) -> None:
    alike = BEACH.replace("1", "2")
    operation = titled(engine, {BEACH: "Beach", BEACH[:-1] + "9": "", alike: "No"})
    with pytest.raises(NotFound) as refused:
        asset_of(engine, operation, BEACH[:-1])
    assert str(refused.value).endswith(
        f"is ambiguous: Beach ({BEACH}); untitled asset ({BEACH[:-1]}9)"
    )


def test_of_many_candidates_only_some_are_listed(engine: sa.Engine) -> None:
    operation = titled(engine, {f"{number}-{BEACH}": f"Clip {number}" for number in range(9)})
    with pytest.raises(NotFound) as refused:
        asset_of(engine, operation, "Clip")
    assert str(refused.value).count("Clip ") == 6
    assert str(refused.value).endswith("; …")


@pytest.mark.parametrize("text", ["a9f", "a9"])
def test_a_start_of_an_id_that_is_too_short_finds_nothing(engine: sa.Engine, text: str) -> None:
    with pytest.raises(NotFound):
        asset_of(engine, titled(engine, {BEACH: "Beach"}), text)
