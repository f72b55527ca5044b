"""What script/operations says of operations and assets, line by line."""

import json
from typing import Any

import pytest

from b2_iconik.cli.text import asset_in_full, in_full, json_parts, row_line

TOLD: dict[str, Any] = {
    "title": "Add to LucidLink",
    "result": "running",
    "operation_id": "1b9d",
    "user_id": "ada",
    "selection": "1 asset",
    "formats": ["ORIGINAL"],
    "recorded": "then",
    "ended": None,
    "counts": {"assets": 1},
    "retry_of": None,
    "stopped_by": None,
    "failure": None,
}
ASSET: dict[str, Any] = {
    "operation_id": "1b9d",
    "asset_id": "a1",
    "asset": "a1",
    "report": [
        {"asset_id": "a1", "format": "ORIGINAL", "kind": "copied", "reason": "", "what_to_do": ""}
    ],
    "looks_again_in_seconds": None,
    "failures": 0,
}
COPY = {"job_id": "j1", "format_name": "", "ended": True, "assets": 0, "followed_seconds": None}


def said(**more: Any) -> list[str]:
    return list(in_full({**TOLD, **more}, []))


def test_who_clicked_is_said() -> None:
    assert "  clicked by      user ada" in said()
    assert "  clicked by      user unknown" in said(user_id=None)
    assert "  clicked by      Ada Editor" in said(user="Ada Editor")


def test_what_proved_the_removed_formats_is_counted() -> None:
    counts = {"assets": 3, "removed": 3, "by_checksum": 2, "by_size": 1, "by_records": 1}
    lines = said(counts=counts)
    assert "  total           3 assets, 3 removed" in lines
    proven = "2 by checksum, 1 by size, 1 of them by iconik's records alone"
    assert f"  proven          {proven}" in lines


def test_a_running_operation_has_not_ended() -> None:
    assert "  recorded        then, not ended yet" in said()


def test_each_thing_it_waits_for_has_a_line() -> None:
    lines = said(waits_for=["iconik to list its assets", "iconik"], looks_again_in_seconds=61)
    assert lines[-3:] == [
        "  waits for       iconik to list its assets",
        "  waits for       iconik",
        "  next check      in 1 min 1 s",
    ]


def test_what_looks_now_looks_at_once() -> None:
    assert said(looks_again_in_seconds=0)[-1] == "  next check      now"


@pytest.mark.parametrize(
    ("job", "line"),
    [
        ({}, "  copy job        j1 ended"),
        (
            {"format_name": "ORIGINAL", "ended": False, "assets": 1, "followed_seconds": 3},
            "  copy job        j1 ORIGINAL for 1 asset, followed for 3 s",
        ),
        (
            {"ended": False, "assets": 1200, "followed_seconds": 60},
            "  copy job        j1 for 1,200 assets, followed for 1 min",
        ),
        (
            {"ended": False, "assets": 2, "followed_seconds": 60, "progress": 0},
            "  copy job        j1 for 2 assets, followed for 1 min: 0 %",
        ),
    ],
)
def test_its_copy_jobs_have_a_line_each(job: dict[str, Any], line: str) -> None:
    assert said(copies=[{**COPY, **job}], copy_jobs=1)[-1] == line


def test_copy_jobs_that_were_left_are_told() -> None:
    left = {"ended": False, "assets": 1, "followed_seconds": 9}
    lines = said(
        ended="then", left_to_iconik="1 copy job was left", copies=[{**COPY, **left}], copy_jobs=1
    )
    assert lines[-2:] == [
        "  left over       1 copy job was left",
        "  copy job        j1 left to iconik",
    ]


def test_of_many_copy_jobs_it_is_said_how_many_more_there_are() -> None:
    assert said(copies=[COPY], copy_jobs=2001)[-1] == "  copy job        … and 2,000 more"


# One asset


def test_an_asset_that_is_done_waits_for_nothing() -> None:
    assert list(asset_in_full(ASSET))[1:] == ["  copied          ORIGINAL"]


@pytest.mark.parametrize(
    ("kind", "line"),
    [("without", "  no such format  PROXY"), ("undone", "  not finished    PROXY")],
)
def test_an_outcome_is_said_in_words_that_explain_it(kind: str, line: str) -> None:
    row = {"format": "PROXY", "kind": kind, "reason": "", "what_to_do": ""}
    assert list(asset_in_full({**ASSET, "report": [row]}))[1:] == [line]


def test_what_can_be_done_about_an_asset_is_said() -> None:
    row = {"format": "ORIGINAL", "kind": "kept", "reason": "it differs", "what_to_do": "Try again."}
    assert list(asset_in_full({**ASSET, "report": [row]}))[1:] == [
        "  kept on LucidLink  ORIGINAL: it differs",
        "                  Try again.",
    ]


def test_what_can_be_done_about_a_failure_is_said() -> None:
    assert said(failure="no token", what_to_do="Click again.")[-2:] == [
        "  failure         no token",
        "  what to do      Click again.",
    ]


@pytest.mark.parametrize(("failures", "which"), [(1, "attempt"), (2, "2 attempts")])
def test_an_asset_that_waits_says_how_long_and_why(failures: int, which: str) -> None:
    told = {**ASSET, "looks_again_in_seconds": 5, "failures": failures}
    assert list(asset_in_full(told))[2:] == [
        "  next check      in 5 s",
        f"  no answer       the last {which} got no usable answer from iconik",
    ]


TITLED = {**ASSET, "asset": "Beach"}


def test_an_asset_is_named_by_its_title_and_by_the_id_that_commands_take() -> None:
    assert next(asset_in_full(TITLED)) == "Asset Beach (a1) of operation 1b9d"


def test_an_asset_without_a_known_title_is_named_by_its_id() -> None:
    assert next(asset_in_full(ASSET)) == "Asset a1 of operation 1b9d"


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ({"asset": "Beach"}, "  kept on LucidLink  Beach (a1) ORIGINAL: it differs"),
        ({"asset": "a1"}, "  kept on LucidLink  a1 ORIGINAL: it differs"),
        ({"asset": "Beach", "format": ""}, "  kept on LucidLink  Beach (a1): it differs"),
    ],
)
def test_an_outcome_names_its_asset_as_commands_take_it(row: dict[str, str], line: str) -> None:
    told = {"asset_id": "a1", "format": "ORIGINAL", "kind": "kept", "reason": "it differs"}
    assert row_line({**told, **row}) == line


# JSON


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": 1}, {"b": 'x"\n'}]])
def test_json_in_parts_is_json(rows: list[dict[str, Any]]) -> None:
    text = "".join(json_parts({"one": 1, "two": [2]}, {"rows": rows, "more": rows}))
    assert json.loads(text) == {"one": 1, "two": [2], "rows": rows, "more": rows}
