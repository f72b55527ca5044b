"""Rows as CSV files, for spreadsheets."""

import csv
import io
from typing import Any

import pytest

from b2_iconik.report.outcome_rows import COLUMNS, HEADINGS
from b2_iconik.web.answers import csv_lines, harmless


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "|calc", "%0A", "\n=1"]
)
def test_no_cell_is_taken_for_a_formula(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("x;=cmd|' /C calc'!A0.mov", "x;'=cmd|' /C calc'!A0.mov"),
        ("x; +1;-1;\t@a", "x;' +1;'-1;'\t@a"),
        ('x;"=1";""=1', 'x;\'"=1";\'""=1'),
        (";;=1", ";;'=1"),
    ],
)
def test_no_part_of_a_cell_is_taken_for_a_formula_where_a_semicolon_separates(
    cell: str, shown: str
) -> None:
    assert harmless(cell) == shown


@pytest.mark.parametrize(
    "cell", ["", "clip.mov differs = twice", "kept", "a1-b2", "'=", "one; two = 2; 3"]
)
def test_other_cells_are_as_they_are(cell: str) -> None:
    assert harmless(cell) == cell


def test_a_row_of_csv_can_be_read_back() -> None:
    row: dict[str, Any] = {
        "asset_id": "a1",
        "asset": "Beach",
        "format": None,
        "kind": "kept",
        "reason": 'a "b", c\nd',
    }
    row |= {"what_to_do": "-", "size": 1000, "cause": "differs"}
    text = "".join(csv_lines([row], HEADINGS, COLUMNS)).removeprefix("\ufeff")
    told = ["a1", "Beach", "", "kept", 'a "b", c\nd', "'-", "1000", "differs"]
    assert list(csv.reader(io.StringIO(text, newline=""))) == [list(HEADINGS), told]
