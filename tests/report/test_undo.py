"""What people are told of a Remove that can be undone: on its page, in its job and messages."""

from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.cli.text import in_full as in_lines
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome, bytes_in_words, report
from b2_iconik.domain.progress import AssetProgress, Deletion
from b2_iconik.domain.reasons import ACCEPTED
from b2_iconik.operation.job_texts import ended
from b2_iconik.report import outcome_rows, view
from b2_iconik.report.contents import Contents
from b2_iconik.report.history import History
from b2_iconik.report.notification import message
from b2_iconik.report.reported import Asset
from tests.makers import a_click, an_operation, claims_of, expanded

# 29 November 2026, 14:05 UTC.
UNTIL = 1_795_961_100_000
DAY = 86_400_000
CAN = "can be undone until 29 Nov 14:05 UTC; the space is freed then"
MARKED = AssetProgress(marked={"fs": Deletion("ORIGINAL")})
REMOVED = Outcome("removed", size=2_500_000)


def removal(**fields: Any) -> Operation:
    """A Remove that has ended a day before it can no longer be undone."""
    return an_operation(
        **{
            "action": "remove",
            "is_expanded": True,
            "ended_ms": UNTIL - DAY,
            "counts": {"assets": 1, "removed": 1},
            "undo_until_ms": UNTIL,
            **fields,
        }
    )


def told(progress: AssetProgress = MARKED, **fields: Any) -> dict[str, Any]:
    return report(removal(**fields), [("a1", progress, {"ORIGINAL": REMOVED})], {})


def shown(now_ms: int, *, is_marked: bool = True, **fields: Any) -> dict[str, Any]:
    """What the page and the command line tell at a moment."""
    moment = view.Moment(now_ms, 0, {"done": 1}, [], 0, 0, is_marked=is_marked)
    return {**view.in_full(removal(**fields), moment), "copies": []}


def test_a_report_says_until_when_it_can_be_undone() -> None:
    assert (told()["undo"], told()["undo_until"]) == (CAN, "2026-11-29T14:05:00+00:00")


def test_a_report_says_nothing_of_it_once_nothing_is_left() -> None:
    assert told(AssetProgress())["undo"] is None


def test_what_can_be_undone_is_not_called_freed() -> None:
    assert bytes_in_words(told()) == "2.5 MB removed"
    assert bytes_in_words(told(AssetProgress(), undo_until_ms=None)) == "2.5 MB freed"


def test_a_job_says_it() -> None:
    assert ended(removal(), told(), {})["message"] == (
        "1 asset, 1 removed (2.5 MB removed). Can be undone until 29 Nov 14:05 UTC; the space is "
        "freed then"
    )


def test_a_message_says_it() -> None:
    lines = message(removal(), told(), {}, None).body.splitlines()
    assert "Can be undone until 29 Nov 14:05 UTC; the space is freed then." in lines


def test_the_command_line_says_it() -> None:
    assert f"  undo            {CAN}" in list(in_lines(shown(UNTIL - 1), []))


@pytest.mark.parametrize(
    ("given", "can_be_undone"),
    [
        ({"now_ms": UNTIL - 1}, True),
        ({"now_ms": UNTIL}, False),
        ({"now_ms": UNTIL - 1, "is_marked": False}, False),
        ({"now_ms": UNTIL - 1, "ended_ms": None}, False),
    ],
)
def test_it_is_offered_until_then_while_something_is_left(
    given: dict[str, Any], can_be_undone: bool
) -> None:
    assert shown(**given)["can_be_undone"] is can_be_undone


def test_a_page_says_so_afterwards() -> None:
    assert shown(UNTIL)["undo"] == CAN.replace("can", "could", 1)


def test_a_page_says_nothing_once_others_have_taken_it_over() -> None:
    assert shown(UNTIL - 1, is_marked=False)["undo"] is None


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(REMOVED, CAN), (Outcome("removed", ACCEPTED), f"{ACCEPTED}; {CAN}")],
)
def test_each_row_says_it(outcome: Outcome, reason: str) -> None:
    asset = Asset("a1", "done", 0, MARKED, {"ORIGINAL": outcome})
    (row,) = outcome_rows.asset_rows(removal(), [asset], 0)
    assert (row["reason"], row["cause"]) == (reason, outcome.reason.stored)


def test_a_row_of_another_format_does_not() -> None:
    asset = Asset("a1", "done", 0, MARKED, {"PROXY": REMOVED})
    (row, _) = outcome_rows.asset_rows(removal(formats=("PROXY", "ORIGINAL")), [asset], 0)
    assert row["reason"] == ""


def test_it_is_known_whether_anything_is_left(engine: sa.Engine) -> None:
    operation = expanded(engine, a_click("remove"))
    claims = claims_of(engine, operation)
    assert not History(engine).has_marked(operation.number)
    (claimed,) = claims.take(1, 0)
    claimed.progress = MARKED
    claims.note(claimed, "done", {"ORIGINAL": REMOVED})
    assert History(engine).has_marked(operation.number)
    assert not Contents(engine).in_full(operation)["can_be_undone"]
