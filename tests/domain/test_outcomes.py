"""What a report says."""

from typing import Any

import pytest

from b2_iconik.domain.outcomes import (
    COUNTED,
    PROOFS,
    Kind,
    Outcome,
    bytes_in_words,
    in_words,
    merged,
    report,
    told_time,
)
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.domain.reasons import NOT_RESTORED, UNFINISHED, Reason
from tests.makers import an_operation, half_done

KEPT = Outcome("kept", Reason("clip.mov differs from its master"))
Asset = tuple[str, AssetProgress, dict[str, Outcome]]


def told(*assets: Asset, gone: dict[str, str] | None = None, **operation: Any) -> dict[str, Any]:
    return report(an_operation(**{"ended_ms": 1, **operation}), assets, gone or {})


def an_asset(
    asset_id: str = "a1", progress: AssetProgress | None = None, **outcomes: Outcome
) -> Asset:
    return asset_id, progress or AssetProgress(), outcomes


def problem(reason: str, kind: str = "kept") -> dict[str, str]:
    return {"asset_id": "a1", "format": "ORIGINAL", "kind": kind, "reason": reason}


# One look after another


def test_a_first_outcome_is_taken_as_it_is() -> None:
    assert merged({}, {"ORIGINAL": KEPT}) == {"ORIGINAL": ("kept", KEPT.reason)}


@pytest.mark.parametrize(
    "stored",
    [
        ("absent", ""),
        ("kept", "why"),
        ("removed", "", "size"),
        ("removed", "why", "size", "was_missing"),
        ("kept", "why", "", "differs"),
        ("copied", "", "", "", 1000),
    ],
)
def test_an_outcome_is_read_as_it_was_stored(stored: tuple[Any, ...]) -> None:
    assert Outcome.read(stored).stored == stored


def test_outcomes_of_other_formats_stay() -> None:
    both = merged({"PROXY": ["there", ""]}, {"ORIGINAL": Outcome("copied")})
    assert both == {"PROXY": ("there", ""), "ORIGINAL": ("copied", "")}


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("removed", "absent"),
        ("copied", "there"),
        ("removed", "superseded"),
        ("copied", "superseded"),
    ],
)
def test_what_was_done_stays_done(was: str, now: Any) -> None:
    assert merged({"ORIGINAL": [was, ""]}, {"ORIGINAL": Outcome(now)}) == {"ORIGINAL": (was, "")}


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("removed", "kept"),
        ("copied", "failed"),
        ("kept", "removed"),
        ("there", "copied"),
        ("kept", "superseded"),
    ],
)
def test_any_other_outcome_is_replaced_by_a_newer_one(was: str, now: Any) -> None:
    assert merged({"ORIGINAL": [was, "x"]}, {"ORIGINAL": Outcome(now)}) == {"ORIGINAL": (now, "")}


# Reports


def test_a_report_of_no_assets_is_empty() -> None:
    assert report(an_operation(action="remove"), [], {}) == {
        "title": "Remove from LucidLink",
        "stopped_by": None,
        "undo_until": None,
        "undo": None,
        "result": "running",
        "failure": None,
        "counts": dict.fromkeys(("assets", *COUNTED, "undone", *PROOFS), 0),
        "by_format": {"ORIGINAL": {}},
        "bytes": {},
        "problems": [],
    }


def test_a_time_is_told_in_utc() -> None:
    assert told_time(1_700_000_000_000) == "2023-11-14T22:13:20+00:00"


def test_outcomes_are_counted_format_by_format() -> None:
    found = told(an_asset(ORIGINAL=Outcome("removed"), PROXY=KEPT), an_asset("a2"))
    counts = {name: count for name, count in found["counts"].items() if count}
    assert counts == {"assets": 2, "removed": 1, "kept": 1}


@pytest.mark.parametrize("kind", ["kept", "failed", "vanished"])
def test_trouble_is_told_one_by_one(kind: Any) -> None:
    found = told(an_asset(ORIGINAL=Outcome(kind, Reason("why"))))
    assert found["problems"] == [problem("why", kind)]


@pytest.mark.parametrize("kind", sorted(set(COUNTED) - {"kept", "failed", "vanished"}))
def test_what_went_as_it_should_is_no_problem(kind: Any) -> None:
    assert told(an_asset(ORIGINAL=Outcome(kind)))["problems"] == []


@pytest.mark.parametrize(
    ("kinds", "result"),
    [
        ([], "nothing to do"),
        (["there"], "nothing to do"),
        (["absent", "without"], "nothing to do"),
        (["copied"], "done"),
        (["removed", "absent", "without"], "done"),
        (["kept", "removed"], "partly done"),
        (["failed", "there"], "partly done"),
        (["vanished", "absent"], "partly done"),
        (["superseded"], "partly done"),
        (["superseded", "failed"], "partly done"),
        (["kept"], "failed"),
        (["failed", "without"], "failed"),
        (["vanished"], "failed"),
    ],
)
def test_the_result_says_whether_anything_succeeded(kinds: list[Any], result: str) -> None:
    assets = [an_asset(f"a{number}", ORIGINAL=Outcome(kind)) for number, kind in enumerate(kinds)]
    assert told(*assets)["result"] == result


def test_a_collection_that_could_not_be_listed_makes_an_operation_fail_if_nothing_succeeded() -> (
    None
):
    gone = {"collection c1": "it no longer exists in iconik"}
    both = told(gone=gone), told(an_asset(ORIGINAL=Outcome("copied")), gone=gone)
    assert [each["result"] for each in both] == ["failed", "partly done"]


def test_outcomes_are_counted_by_format_so_that_they_add_up() -> None:
    left = AssetProgress(deletions=half_done({"set-1": "ORIGINAL", "set-2": "ORIGINAL"}))
    found = told(
        an_asset("a1", ORIGINAL=Outcome("removed"), PROXY=KEPT),
        an_asset("a2", ORIGINAL=Outcome("removed"), PROXY=Outcome("without")),
        an_asset("a3", left),
        formats=("ORIGINAL", "PROXY"),
        failure="no token is good",
    )
    assert found["by_format"] == {
        "ORIGINAL": {"removed": 2, "failed": 1},
        "PROXY": {"kept": 1, "without": 1, "undone": 1},
    }


def test_the_bytes_of_each_kind_of_outcome_are_added_up() -> None:
    found = told(
        an_asset("a1", ORIGINAL=Outcome("removed", size=5), PROXY=Outcome("kept", size=2)),
        an_asset("a2", ORIGINAL=Outcome("removed", size=7), PROXY=Outcome("absent")),
    )
    assert found["bytes"] == {"removed": 12, "kept": 2}


def test_problems_of_an_asset_come_in_the_order_of_formats() -> None:
    found = told(an_asset(PROXY=KEPT, ORIGINAL=KEPT))
    assert [each["format"] for each in found["problems"]] == ["ORIGINAL", "PROXY"]


def test_a_collection_that_could_not_be_listed_is_a_problem() -> None:
    found = told(gone={"collection c1": "it no longer exists in iconik"})
    assert found["problems"] == [
        {
            "asset_id": "collection c1",
            "format": None,
            "kind": "failed",
            "reason": "it no longer exists in iconik",
        }
    ]


def test_a_failed_operation_tells_how_many_assets_it_never_came_to() -> None:
    found = told(an_asset(), an_asset("a2", ORIGINAL=KEPT), failure="no token is good")
    assert (found["result"], found["failure"]) == ("failed", "no token is good")
    assert found["counts"]["undone"] == 1


def test_an_operation_that_goes_on_has_left_nothing_undone() -> None:
    assert told(an_asset(), ended_ms=None)["counts"]["undone"] == 0


def test_a_failed_operation_tells_of_half_done_deletions() -> None:
    half = an_asset(progress=AssetProgress(deletions=half_done({"set-1": "ORIGINAL"})))
    (found,) = told(half, failure="no token is good")["problems"]
    assert found["kind"] == "failed"
    assert "file set set-1 may be in iconik's delete queue" in found["reason"]


def test_a_half_done_deletion_counts_as_failed_and_not_as_undone() -> None:
    half = an_asset(
        progress=AssetProgress(deletions=half_done({"set-1": "ORIGINAL", "set-2": "ORIGINAL"}))
    )
    counts = told(half, failure="no token is good")["counts"]
    assert {name: count for name, count in counts.items() if count} == {"assets": 1, "failed": 1}


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({}, "partly done"),
        ({"stop_ms": 1, "is_expanded": True}, "partly done"),
        ({"stop_ms": 1}, "stopped"),
        ({"failure": "no token is good"}, "failed"),
    ],
    ids=["done", "stopped too late", "stopped", "failed"],
)
@pytest.mark.parametrize("kind", ["removed", "superseded"])
def test_a_half_done_deletion_is_told_however_its_operation_ended(
    operation: dict[str, Any], result: str, kind: Any
) -> None:
    half = an_asset(
        progress=AssetProgress(deletions=half_done({"set-1": "ORIGINAL"})),
        ORIGINAL=Outcome(kind, Reason("why")),
    )
    found = told(half, **operation)
    assert (found["result"], found["counts"]["failed"]) == (result, 1)
    assert problem(UNFINISHED(file_set_id="set-1"), "failed") in found["problems"]


def test_a_half_done_deletion_that_its_outcome_tells_is_not_told_again() -> None:
    reason = NOT_RESTORED(reason="why", refusal="no (403)", file_set_id="set-1")
    failed = Outcome("failed", reason)
    found = told(
        an_asset(
            progress=AssetProgress(deletions=half_done({"set-1": "ORIGINAL"})), ORIGINAL=failed
        )
    )
    assert (found["problems"], found["counts"]["failed"]) == ([problem(reason, "failed")], 1)


def test_a_half_done_deletion_of_a_format_that_failed_otherwise_is_told_and_counted_once() -> None:
    failed = Outcome("failed", Reason("could not delete file set set-1 of asset a1: no (403)"))
    found = told(
        an_asset(
            progress=AssetProgress(deletions=half_done({"set-1": "ORIGINAL"})), ORIGINAL=failed
        )
    )
    reasons = [each["reason"] for each in found["problems"]]
    assert (reasons, found["counts"]["failed"]) == (
        [failed.reason, UNFINISHED(file_set_id="set-1")],
        1,
    )


def test_an_operation_that_ended_by_itself_tells_of_no_copy_that_it_left() -> None:
    assert told(an_asset(progress=AssetProgress(copy_results={"ORIGINAL": None})))["problems"] == []


def test_an_operation_that_goes_on_may_yet_end_its_deletions() -> None:
    assert told(
        an_asset(progress=AssetProgress(deletions=half_done({"set-1": "ORIGINAL"}))), ended_ms=None
    ) == told(an_asset(), ended_ms=None)


# In words


@pytest.mark.parametrize(
    ("assets", "by_format", "words"),
    [
        (0, {"ORIGINAL": {}}, "0 assets"),
        (1, {"ORIGINAL": {"removed": 1}}, "1 asset, 1 removed"),
        (
            12,
            {"ORIGINAL": {"kept": 3, "removed": 9}},
            "12 assets, 9 removed, 3 kept on LucidLink",
        ),
        (
            3,
            {"ORIGINAL": {"without": 1, "undone": 2}},
            "3 assets, 1 no such format, 2 not finished",
        ),
        (
            2_000,
            {"ORIGINAL": {"copied": 2_000}, "PROXY": {"copied": 1_999, "failed": 1}},
            "2,000 assets. ORIGINAL: 2,000 copied; PROXY: 1,999 copied, 1 failed",
        ),
    ],
)
def test_counts_are_told_by_format_without_zeros(
    assets: int, by_format: dict[str, dict[str, int]], words: str
) -> None:
    assert in_words({"counts": {"assets": assets}, "by_format": by_format}) == words


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (
            {"assets": 12, "removed": 9, "kept": 3, "by_size": 9},
            "12 assets, 9 removed, 3 kept on LucidLink",
        ),
        ({"assets": 2}, "2 assets"),
    ],
)
def test_counts_of_an_earlier_version_are_told_without_formats(
    counts: dict[str, int], words: str
) -> None:
    assert in_words({"counts": counts, "by_format": None}) == words


def test_bytes_are_told_by_what_became_of_them() -> None:
    sizes = {"there": 1, "kept": 3_000_000, "removed": 1_200_000_000}
    assert bytes_in_words({"bytes": sizes}) == "1.2 GB freed, 3 MB kept on LucidLink"


# Previews


@pytest.mark.parametrize(
    ("kinds", "result"),
    [
        (["removable", "absent", "without"], "done"),
        (["removable", "uncopied"], "partly done"),
        (["uncopied"], "partly done"),
        (["kept"], "partly done"),
        (["absent", "failed"], "partly done"),
        (["failed", "vanished", "without"], "failed"),
        (["absent", "without"], "nothing to do"),
        ([], "nothing to do"),
    ],
)
def test_a_preview_is_done_if_everything_could_be_removed(kinds: list[Kind], result: str) -> None:
    operation = an_operation(action="preview", is_expanded=True, ended_ms=1)
    assets = [
        (f"a{n}", AssetProgress(), {"ORIGINAL": Outcome(kind, size=1000)})
        for n, kind in enumerate(kinds)
    ]
    told = report(operation, assets, {})
    assert told["result"] == result
    assert told["bytes"] == dict.fromkeys(kinds, 1000)
