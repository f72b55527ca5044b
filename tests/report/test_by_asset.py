"""The rows of a report, put together by asset."""

from typing import Any

import pytest

from b2_iconik.report import outcome_rows


def row(kind: str, name: str | None = "ORIGINAL", **fields: Any) -> dict[str, Any]:
    given = {
        "asset_id": "a1",
        "asset": "Beach",
        "reason": "",
        "cause": "",
        "what_to_do": "",
        "newer": None,
        "resolved": None,
    }
    return {**given, "format": name, "kind": kind, **fields}


def one(*rows: dict[str, Any], show: str = "") -> dict[str, Any]:
    """The only asset of rows."""
    (asset,) = outcome_rows.by_asset(rows, show)
    return asset


def told(asset: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return [(each["reason"], each["formats"]) for each in asset["reasons"]]


def test_the_rows_of_an_asset_are_put_together_in_order() -> None:
    rows = [row("removed"), row("kept", "PROXY"), row("kept", asset_id="a2")]
    assets = list(outcome_rows.by_asset(rows, ""))
    assert [(each["asset_id"], each["rows"]) for each in assets] == [
        ("a1", rows[:2]),
        ("a2", rows[2:]),
    ]


@pytest.mark.parametrize(("title", "told"), [("Beach", "Beach"), ("a1", None)])
def test_an_unknown_title_is_none(title: str, told: str | None) -> None:
    assert one(row("kept", asset=title))["title"] == told


@pytest.mark.parametrize(
    ("show", "worst"), [("", "kept"), ("removed", "removed"), ("without", "kept")]
)
def test_where_there_is_room_for_one_outcome_it_is_the_worst_or_the_one_searched_for(
    show: str, worst: str
) -> None:
    asset = one(row("removed"), row("kept", "PROXY"), row("under way", "OTHER"), show=show)
    assert asset["worst"]["kind"] == worst


def test_that_a_deletion_was_not_verified_is_left_to_json_and_csv() -> None:
    removed = row("removed", reason="iconik accepted the deletion", cause="unverified")
    assert told(one(removed, row("kept", "PROXY", reason="it differs"))) == [
        ("it differs", ["PROXY"])
    ]


def test_a_reason_that_all_formats_have_is_told_once() -> None:
    both = row("kept", reason="it differs"), row("kept", "PROXY", reason="it differs")
    assert told(one(*both)) == [("it differs", [])]


def test_reasons_that_differ_name_their_formats() -> None:
    asset = one(
        row("kept", reason="it differs"),
        row("failed", "PROXY", reason="no answer"),
        row("kept", "OTHER", reason="it differs"),
        row("removed", "LAST"),
    )
    assert told(asset) == [("it differs", ["ORIGINAL", "OTHER"]), ("no answer", ["PROXY"])]


def test_a_reason_has_the_operation_that_it_names() -> None:
    newer = {"operation_id": "o2", "title": "Add", "user": None}
    asset = one(row("superseded", reason="a newer Add took over", newer=newer))
    assert asset["reasons"][0]["newer"] == newer


def test_what_a_later_operation_has_done_is_not_to_do() -> None:
    later = {"operation_id": "o2", "title": "Remove"}
    asset = one(row("kept", what_to_do="Wait.", resolved=later))
    assert (asset["what_to_do"], asset["resolved"]) == ("", later)


def test_what_to_do_is_about_the_most_important_problem() -> None:
    asset = one(
        row("removed"),
        row("kept", "PROXY", what_to_do="Wait."),
        row("failed", "OTHER", what_to_do="Look."),
    )
    assert asset["what_to_do"] == "Look."
    assert one(row("removed"))["what_to_do"] == ""


def test_every_kind_of_row_has_its_place() -> None:
    assert set(outcome_rows.HINTS) - {"unopened"} | {"under way"} == set(outcome_rows.KINDS)
