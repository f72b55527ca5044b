"""Cases from the field against the running service, where they are at hand; and their loader."""

import copy
import os
from pathlib import Path
from typing import Any

import pytest

from tests.system.desk import Desk
from tests.system.field_cases import FieldCase, case_files, read

SAFE: dict[str, Any] = {
    "click": "remove",
    "asset": {
        "title": "pier",
        "formats": {"o": {"name": "ORIGINAL"}},
        "file_sets": {
            "on the filespace": {"storage": "LL", "format": "o", "files": [{"name": "pier.mov"}]},
            "in the bucket": {"storage": "B2", "format": "o", "files": [{"name": "pier.mov"}]},
        },
    },
    "expect": {"gone": ["on the filespace"], "stay": ["in the bucket"], "not_asked": True},
}


@pytest.mark.parametrize("path", case_files(), ids=lambda path: path.stem)
def test_case(desk: Desk, path: Path) -> None:
    FieldCase(desk, read(path)).run()


def test_the_cases_are_there_where_they_are_required() -> None:
    assert case_files() or not os.environ.get("REQUIRE_FIELD_CASES")


def test_the_loader_passes_what_comes_as_expected(desk: Desk) -> None:
    FieldCase(desk, SAFE).run()


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ({"gone": ["in the bucket"]}, "in the bucket was not deleted"),
        ({"stay": ["on the filespace"]}, "on the filespace was deleted"),
        ({"copied_to_ll": ["ORIGINAL"]}, "ORIGINAL was not copied"),
        ({"says": ["a reason"]}, "none of"),
    ],
)
def test_the_loader_fails_what_comes_otherwise(
    desk: Desk, expect: dict[str, Any], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        FieldCase(desk, {**SAFE, "expect": expect}).run()


def test_the_loader_tells_a_copy_that_was_asked_for(desk: Desk) -> None:
    case = copy.deepcopy(SAFE)
    del case["asset"]["file_sets"]["on the filespace"]
    case.update(click="add", expect={"copied_to_ll": ["ORIGINAL"]})
    FieldCase(desk, case).run()
    with pytest.raises(AssertionError, match="a copy was asked for"):
        FieldCase(desk, {**case, "expect": {"not_asked": True}}).run()


@pytest.mark.parametrize("field", ["expect", "asset"])
def test_the_loader_refuses_what_it_does_not_know(desk: Desk, field: str) -> None:
    case = {**SAFE, field: {**SAFE[field], "something new": 1}}
    with pytest.raises(ValueError, match="something new"):
        FieldCase(desk, case)
