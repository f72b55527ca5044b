"""What an operation's job in iconik's list says."""

from typing import Any

import pytest

from b2_iconik.domain.advice import REMEDIES
from b2_iconik.domain.operation import Origin
from b2_iconik.domain.outcomes import Outcome, report
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.operation.job_texts import (
    LONGEST_MESSAGE,
    LONGEST_NAME,
    MOST_TIED,
    Fields,
    ended,
    tie,
    title,
    under_way,
)
from tests.makers import a_click, an_operation

ASSETS = tuple(f"asset-{number}" for number in range(12))
TWELVE = a_click("remove", asset_ids=ASSETS)
FOLDER = a_click("add", asset_ids=("asset-1",), collection_ids=("collection-1",))
SEARCH = a_click("add", saved_search_ids=("search-1",))


@pytest.mark.parametrize(
    ("total", "names", "others", "shown"),
    [
        (12, ["beach", "pier", "market"], 9, "12 assets (beach, pier, market and 9 more)"),
        (12, ["beach"], 0, "12 assets (beach)"),
        (1, [], 1, "1 asset"),
        (None, [], 12, "12 assets"),
        (None, ["beach"], 11, "12 assets (beach and 11 more)"),
    ],
)
def test_the_title_says_what_is_done_to_how_much_and_names_some(
    total: int | None, names: list[str], others: int, shown: str
) -> None:
    assert title(TWELVE, total, names, others) == f"Remove from LucidLink: {shown}"


def test_the_title_of_a_collection_says_how_many_assets_once_that_is_known() -> None:
    assert title(FOLDER, None, ["Rushes"], 1) == (
        "Add to LucidLink: 1 asset, 1 collection (Rushes and 1 more)"
    )
    assert (
        title(FOLDER, 5000, ["Rushes"], 1) == "Add to LucidLink: 5,000 assets (Rushes and 1 more)"
    )


def test_long_names_are_cut() -> None:
    assert title(TWELVE, 1, ["x" * 500], 0).endswith(f"({'x' * (LONGEST_NAME - 1)}…)")


def test_a_job_about_one_object_is_tied_to_that() -> None:
    click = a_click("add", asset_ids=("asset-1",))
    assert tie(click, []) == {"object_id": "asset-1", "object_type": "assets"}


def test_a_job_about_several_is_tied_to_each_the_collections_first() -> None:
    assert tie(FOLDER, []) == {
        "related_objects": [
            {"object_id": "collection-1", "object_type": "collections"},
            {"object_id": "asset-1", "object_type": "assets"},
        ]
    }


def test_a_job_about_very_many_is_tied_to_some() -> None:
    many = a_click("add", asset_ids=tuple(map(str, range(5000))))
    assert len(tie(many, [])["related_objects"]) == MOST_TIED


def test_a_job_about_a_saved_search_is_tied_to_what_that_has_found() -> None:
    assert tie(SEARCH, []) == {}
    assert tie(SEARCH, ["asset-1"]) == {"object_id": "asset-1", "object_type": "assets"}


def test_before_the_assets_are_known_it_says_so() -> None:
    assert under_way(an_operation(), {}) == {
        "message": "listing the assets of the selection: 1 asset"
    }


def test_under_way_it_says_how_far() -> None:
    states = {"done": 4, "copying": 7, "claimed": 1}
    assert under_way(an_operation(is_expanded=True), states) == {
        "progress_total": 12,
        "progress_processed": 4,
        "message": "4 of 12 assets done, 7 being copied",
    }
    assert (
        under_way(an_operation(is_expanded=True), {"queued": 2})["message"] == "0 of 2 assets done"
    )


TITLES = {f"asset-{number}": f"clip{number}" for number in range(9)}
DIFFERS = Outcome("kept", Reason("it differs", Cause.DIFFERS))
UPLOAD = REMEDIES[Cause.DIFFERS].removesuffix(".")


def over(*outcomes: Outcome, **operation: Any) -> Fields:
    """How an operation ended that had as many assets as outcomes."""
    assets = [
        (f"asset-{n}", AssetProgress(), {"ORIGINAL": each}) for n, each in enumerate(outcomes)
    ]
    it = an_operation(is_expanded=True, ended_ms=1, **operation)
    return ended(it, report(it, assets, {}), TITLES)


def test_a_good_end_says_what_was_done() -> None:
    assert over(Outcome("removed"), Outcome("absent")) == {
        "status": "FINISHED",
        "progress_total": 2,
        "progress_processed": 2,
        "message": "2 assets, 1 removed, 1 already off LucidLink",
    }


def test_an_end_says_how_many_bytes_were_freed() -> None:
    assert over(Outcome("removed", size=2_500_000))["message"] == (
        "1 asset, 1 removed (2.5 MB freed)"
    )


def test_an_end_says_what_proved_the_files() -> None:
    assert over(Outcome("removed", proof="size"))["message"] == (
        "1 asset, 1 removed. Proven safe: 1 by size"
    )


@pytest.mark.parametrize(
    ("fields", "who"),
    [
        ({"user_name": "Ana Ruiz"}, "Ana Ruiz"),
        ({"user_name": "Ana Ruiz", "origin": Origin("o1", "Ben")}, "Ben"),
    ],
)
def test_an_end_says_who_wanted_it(fields: dict[str, Any], who: str) -> None:
    assert over(Outcome("removed"), **fields)["message"] == (
        f"1 asset, 1 removed. Requested by {who}"
    )


def test_an_end_with_problems_names_the_assets_and_says_what_to_do() -> None:
    fields = over(Outcome("removed"), DIFFERS, DIFFERS)
    assert fields["status"] == "FINISHED_WITH_WARNING"
    assert fields["message"] == (
        "3 assets, 1 removed, 2 kept on LucidLink. "
        f"Kept on LucidLink: clip1, clip2: for example, it differs. What to do: {UPLOAD}"
    )


def test_an_operation_of_which_nothing_succeeded_says_why_as_its_error() -> None:
    fields = over(DIFFERS)
    assert (fields["status"], fields["message"]) == ("FAILED", "1 asset, 1 kept on LucidLink")
    assert fields["error_message"] == (
        f"Kept on LucidLink: clip0: it differs. What to do: {UPLOAD}"
    )


def test_no_message_is_endless() -> None:
    fields = over(*[Outcome("kept", Reason(f"{n}" * 900)) for n in range(3)])
    assert len(fields["error_message"]) == LONGEST_MESSAGE


def test_a_failure_says_why_and_what_to_do() -> None:
    why = Reason("the click's token is no longer valid", Cause.TOKEN_REJECTED)
    fields = over(Outcome("removed"), failure=why)
    assert fields["status"] == "FAILED"
    remedy = REMEDIES[Cause.TOKEN_REJECTED].removesuffix(".")
    assert fields["error_message"] == f"{why}. What to do: {remedy}"
    assert fields["message"] == "1 asset, 1 removed"


def test_an_operation_with_nothing_to_do_is_finished() -> None:
    assert over(Outcome("absent"))["status"] == "FINISHED"


def test_a_stop_says_who_stopped_it_and_what_was_done() -> None:
    it = an_operation(is_expanded=True, ended_ms=2, stop_ms=1, stop_by="Ada")
    fields = ended(it, report(it, [("asset-9", AssetProgress(), {})], {}), {})
    assert fields["status"] == "ABORTED"
    assert fields["message"] == "Stopped by Ada. 1 asset, 1 not finished"
