"""What script/operations says of operations and assets, line by line."""

import json
from typing import Any

import pytest

from b2_iconik.cli.text import asset_in_full, in_full, json_parts, wrapped

TOLD: dict[str, Any] = {
    "title": "Add to LucidLink: Beach",
    "result": "running",
    "operation_id": "1b9d",
    "user_id": "ada",
    "user": None,
    "selection": "1 asset",
    "formats": ["ORIGINAL"],
    "recorded": "1970-01-01T00:00:00+00:00",
    "ended": None,
    "counts": {"assets": 1},
    "bytes": None,
    "origin": None,
    "retry_of": None,
    "stopped_by": None,
    "failure": None,
    "what_to_do": None,
    "waits_for": [],
    "looks_again_in_seconds": None,
    "copies": [],
    "copy_jobs": 0,
    "left_to_iconik": "",
    "undo": None,
}
ROW: dict[str, Any] = {
    "asset_id": "a1",
    "asset": "Beach",
    "format": "ORIGINAL",
    "kind": "kept",
    "reason": "it differs",
    "what_to_do": "Upload it.",
}
ASSET: dict[str, Any] = {
    "operation_id": "1b9d",
    "asset_id": "a1",
    "asset": "Beach",
    "report": [{**ROW, "kind": "copied", "reason": "", "what_to_do": ""}],
    "looks_again_in_seconds": None,
    "failures": 0,
}
COPY = {
    "job_id": "j1",
    "format_name": "",
    "ended": True,
    "assets": 0,
    "followed_seconds": None,
    "progress": None,
}
LAST = "  operation       1b9d"


def said(**more: Any) -> list[str]:
    """The lines about an operation, without the id."""
    *lines, last = in_full({**TOLD, **more}, [])
    assert last == LAST
    return lines


def of_rows(*rows: dict[str, Any]) -> list[str]:
    """The lines about rows for which there is something to do; each row changes ``ROW``."""
    lines = list(in_full(TOLD, [{**ROW, **each} for each in rows]))
    before = lines.index("")
    assert lines[before - 1] == LAST
    return lines[before + 1 :]


def of_others(*rows: dict[str, Any]) -> list[str]:
    """The lines about rows for which there is nothing to do."""
    done = {"kind": "copied", "reason": "", "what_to_do": ""}
    lines = list(in_full(TOLD, [], [{**ROW, **done, **each} for each in rows]))
    return lines[lines.index("") + 1 :]


@pytest.mark.parametrize(
    ("who", "line"),
    [
        ({"user_id": None}, "  clicked by      user unknown"),
        ({"user": "Ada Lovelace"}, "  clicked by      Ada Lovelace"),
        ({}, "  clicked by      user ada"),
    ],
)
def test_who_clicked_is_said_by_name_if_that_is_known(who: dict[str, Any], line: str) -> None:
    assert line in said(**who)


def test_nobody_has_clicked_what_is_removed_because_its_time_is_up() -> None:
    lines = said(user_id=None, origin="due", retry_of=None, retried_by="the service")
    assert not [each for each in lines if "clicked by" in each]
    assert "  origin          time is up, by the service" in lines


def test_a_retry_says_who_clicked_first() -> None:
    lines = said(user_id=None, origin="retry", retry_of="2c0e", retried_by="ada")
    assert "  clicked by      user unknown" in lines


def test_how_many_bytes_were_moved_is_said() -> None:
    assert "  bytes           2 GB copied" in said(bytes={"copied": 2_000_000_000})


def test_what_proved_the_removed_formats_is_counted() -> None:
    counts = {"assets": 3, "removed": 3, "by_checksum": 2, "by_size": 1, "by_records": 1}
    lines = said(counts=counts)
    assert "  total           3 assets, 3 removed" in lines
    proven = "2 by checksum, 1 by size, 1 of them by iconik's records alone"
    assert f"  proven          {proven}" in lines


@pytest.mark.usefixtures("in_new_york")
def test_times_are_local_and_name_their_zone() -> None:
    (line,) = (each for each in said(ended="1970-07-01T00:00:00+00:00") if "clicked  " in each)
    assert line == "  clicked         1969-12-31 19:00:00 EST, ended 1970-06-30 20:00:00 EDT"


@pytest.mark.usefixtures("in_new_york")
def test_a_running_operation_has_not_ended() -> None:
    assert "  clicked         1969-12-31 19:00:00 EST, not ended yet" in said()


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
        ({}, "  copy job        ended j1"),
        (
            {"format_name": "ORIGINAL", "ended": False, "assets": 1, "followed_seconds": 3},
            "  copy job        ORIGINAL for 1 asset, followed for 3 s j1",
        ),
        (
            {"ended": False, "assets": 1200, "followed_seconds": 60},
            "  copy job        for 1,200 assets, followed for 1 min j1",
        ),
        (
            {"ended": False, "assets": 2, "followed_seconds": 60, "progress": 0},
            "  copy job        for 2 assets, followed for 1 min: 0 % j1",
        ),
    ],
)
def test_its_copy_jobs_have_a_line_each(job: dict[str, Any], line: str) -> None:
    assert said(copies=[{**COPY, **job}], copy_jobs=1)[-1] == line


def test_copy_jobs_that_were_left_are_told() -> None:
    left = {"ended": False, "assets": 1, "followed_seconds": 9}
    lines = said(
        ended="1970-01-01T00:01:00+00:00",
        left_to_iconik="1 copy job was left",
        copies=[{**COPY, **left}],
        copy_jobs=1,
    )
    assert lines[-2:] == [
        "  left over       1 copy job was left",
        "  copy job        left to iconik j1",
    ]


def test_of_many_copy_jobs_it_is_said_how_many_more_there_are() -> None:
    assert said(copies=[COPY], copy_jobs=2001)[-1] == "  copy job        … and 2,000 more"


def test_what_can_be_done_about_a_failure_is_said() -> None:
    assert said(failure="no token", what_to_do="Click again.")[-2:] == [
        "  failure         no token",
        "  what to do      Click again.",
    ]


# The outcomes of assets


def test_an_asset_has_one_line_with_its_formats() -> None:
    assert of_rows({}, {"format": "PROXY"}) == [
        "  kept on LucidLink  Beach ORIGINAL, PROXY: it differs",
        "  what to do      Upload it.",
    ]


def test_what_to_do_is_said_once_for_all_assets_with_the_same_cause() -> None:
    rows = [{"asset_id": f"a{number}", "asset": f"Clip {number}"} for number in range(40)]
    lines = of_rows(*rows)
    assert lines[-1] == "  what to do      Upload it."
    assert lines[:-1] == [f"  kept on LucidLink  Clip {n} ORIGINAL: it differs" for n in range(40)]


def test_assets_with_the_same_cause_are_together_wherever_they_come() -> None:
    other = {"asset_id": "a2", "asset": "Dunes", "what_to_do": "Wait."}
    assert of_rows({}, other, {"asset_id": "a3", "asset": "Cliffs"}) == [
        "  kept on LucidLink  Beach ORIGINAL: it differs",
        "  kept on LucidLink  Cliffs ORIGINAL: it differs",
        "  what to do      Upload it.",
        "  kept on LucidLink  Dunes ORIGINAL: it differs",
        "  what to do      Wait.",
    ]


def test_formats_that_fared_differently_say_so_on_the_line_of_their_asset() -> None:
    assert of_rows({}, {"format": "PROXY", "reason": "it is gone"})[0] == (
        "  kept on LucidLink  Beach ORIGINAL: it differs; PROXY: it is gone"
    )
    assert of_rows({}, {"format": "PROXY", "kind": "failed"})[0] == (
        "  kept on LucidLink  Beach ORIGINAL: it differs; failed PROXY: it differs"
    )


def test_what_could_not_be_listed_is_named_as_it_is() -> None:
    what = {"asset_id": "collection c", "asset": "collection c", "format": None, "kind": "failed"}
    assert of_rows(what)[0] == "  failed          collection c: it differs"


def test_what_could_not_be_listed_is_known_by_its_id_if_it_has_no_name() -> None:
    what = {"asset_id": "collection c1d2e3f4a5", "asset": "a collection", "format": None}
    assert of_rows(what)[0] == "  kept on LucidLink  collection c1d2e3f4: it differs"


def test_an_asset_without_a_title_is_told_by_the_start_of_its_id() -> None:
    untitled = {"asset_id": "a9f3c2d15e", "asset": "a9f3c2d15e"}
    assert (
        of_rows(untitled)[0] == "  kept on LucidLink  untitled asset a9f3c2d1 ORIGINAL: it differs"
    )


def test_assets_of_the_same_title_are_not_taken_for_one() -> None:
    assert len(of_rows({}, {"asset_id": "a2"})) == 3


def test_what_is_done_has_one_line_for_each_asset() -> None:
    lines = of_others({}, {"format": "PROXY", "kind": "without"}, {"asset_id": "a2"})
    assert lines == [
        "  copied          Beach ORIGINAL; no such format PROXY",
        "  copied          Beach ORIGINAL",
    ]


# One asset


def test_an_asset_that_is_done_waits_for_nothing() -> None:
    assert list(asset_in_full(ASSET)) == [
        "Beach",
        "  copied          ORIGINAL",
        "  asset           a1",
        LAST,
    ]


@pytest.mark.parametrize(
    ("kind", "line"),
    [("without", "  no such format  PROXY"), ("undone", "  not finished    PROXY")],
)
def test_an_outcome_is_said_in_words_that_explain_it(kind: str, line: str) -> None:
    row = {"format": "PROXY", "kind": kind, "reason": "", "what_to_do": ""}
    assert list(asset_in_full({**ASSET, "report": [row]}))[1] == line


def test_what_can_be_done_about_an_asset_is_said_once() -> None:
    report = [ROW, {**ROW, "format": "PROXY"}, {**ROW, "format": "CUT", "reason": "it is gone"}]
    assert list(asset_in_full({**ASSET, "report": report}))[1:-2] == [
        "  kept on LucidLink  ORIGINAL, PROXY: it differs",
        "  kept on LucidLink  CUT: it is gone",
        "  what to do      Upload it.",
    ]


@pytest.mark.parametrize(("failures", "which"), [(1, "attempt"), (2, "2 attempts")])
def test_an_asset_that_waits_says_how_long_and_why(failures: int, which: str) -> None:
    told = {**ASSET, "looks_again_in_seconds": 5, "failures": failures}
    assert list(asset_in_full(told))[2:-2] == [
        "  next check      in 5 s",
        f"  no answer       the last {which} got no usable answer from iconik",
    ]


def test_a_single_asset_without_a_title_is_named_by_the_start_of_its_id() -> None:
    assert next(asset_in_full({**ASSET, "asset": "a1"})) == "untitled asset a1"


# On a terminal


def test_a_long_line_goes_on_below_its_text() -> None:
    line = "  kept            Beach ORIGINAL: it differs from its master in many ways"
    assert wrapped(line, 50).splitlines() == [
        "  kept            Beach ORIGINAL: it differs from",
        "                  its master in many ways",
    ]


def test_an_id_or_a_name_is_never_broken() -> None:
    line = f"  operation       {'1b9d-' * 20}"
    assert [each.strip() for each in wrapped(line, 60).splitlines()] == ["operation", "1b9d-" * 20]


@pytest.mark.parametrize("width", [None, 39])
def test_in_a_pipe_or_a_very_narrow_terminal_no_line_is_broken(width: int | None) -> None:
    assert wrapped("word " * 50, width) == "word " * 50


# JSON


@pytest.mark.parametrize("rows", [[], [{"a": 1}], [{"a": 1}, {"b": 'x"\n'}]])
def test_json_in_parts_is_json(rows: list[dict[str, Any]]) -> None:
    text = "".join(json_parts({"one": 1, "two": [2]}, {"rows": rows, "more": rows}))
    assert json.loads(text) == {"one": 1, "two": [2], "rows": rows, "more": rows}
