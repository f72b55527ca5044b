"""What is shown of operations."""

from dataclasses import replace
from typing import Any

import pytest

from b2_iconik.domain.advice import REMEDIES, USUAL
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome, report
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.domain.reasons import (
    LEFT,
    LEFT_AND_ENDED,
    NOT_COME_TO,
    TAKEN_BY_NEWER,
    Cause,
    Reason,
)
from b2_iconik.report import outcome_rows, view
from b2_iconik.report.history import Newer
from b2_iconik.report.reported import Asset, Total
from b2_iconik.report.view import Moment
from tests.makers import an_operation, half_done

NOW = 1_700_000_000_000
MINUTE = 60_000


def moment(**fields: Any) -> Moment:
    given: dict[str, Any] = {
        "now_ms": NOW,
        "clock_ms": NOW,
        "progress": {},
        "totals": [],
        "copies_under_way": 0,
        "copies": 0,
    }
    return Moment(**{**given, **fields})


def running(**fields: Any) -> Operation:
    return an_operation(**{"recorded_ms": NOW - 5 * MINUTE, "is_expanded": True, **fields})


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({}, "running"),
        ({"stop_ms": NOW}, "stopping"),
        ({"ended_ms": NOW}, "ended"),
        ({"ended_ms": NOW, "result": "done"}, "done"),
        ({"ended_ms": NOW, "result": "partly done"}, "partly done"),
        ({"ended_ms": NOW, "stop_ms": NOW, "result": "stopped"}, "stopped"),
        ({"ended_ms": NOW, "failure": "no token"}, "failed"),
    ],
)
def test_a_result_is_told_in_the_words_of_the_report(fields: dict[str, Any], result: str) -> None:
    assert view.result_of(running(**fields)) == result


def test_a_running_operation_tells_how_far_it_is() -> None:
    told = view.summary(running(), {"done": 4, "queued": 6}, NOW)
    assert (told["assets"], told["assets_done"], told["took_seconds"]) == (10, 4, 300)
    assert view.in_short(told) == "4 of 10 assets"


def test_an_operation_has_the_title_of_its_job_where_that_is_known() -> None:
    title = "Add to LucidLink: 12 assets (Rushes)"
    assert view.summary(running(title=title), {}, NOW)["title"] == title
    assert view.summary(running(), {}, NOW)["title"] == "Add to LucidLink: 1 asset"


def test_an_operation_that_was_not_begun_says_so() -> None:
    assert view.in_short(view.summary(running(), {}, NOW)) == "listing assets"


def test_an_ended_operation_tells_what_came_of_it() -> None:
    counts = {"assets": 3, "removed": 2, "kept": 1}
    operation = running(ended_ms=NOW - MINUTE, counts=counts, result="partly done")
    told = view.summary(operation, {"done": 3}, NOW)
    assert (told["took_seconds"], view.in_short(told)) == (
        240,
        "3 assets, 2 removed, 1 kept on LucidLink",
    )


def test_one_whose_counts_are_not_noted_tells_its_assets() -> None:
    told = view.summary(running(ended_ms=NOW), {"done": 1}, NOW)
    assert view.in_short(told) == "1 asset"


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    assert view.summary(running(recorded_ms=NOW + MINUTE), {}, NOW)["took_seconds"] == 0


def test_an_operation_is_final_once_its_report_is_noted() -> None:
    ended = running(ended_ms=NOW, result="done")
    assert [
        view.in_full(operation, moment())["is_final"]
        for operation in (running(), ended, replace(ended, counts={"assets": 1}))
    ] == [False, False, True]


@pytest.mark.parametrize(
    ("fields", "known", "can_be"),
    [
        ({"result": "done"}, {}, False),
        ({"result": "partly done"}, {"totals": [Total("ORIGINAL", "vanished", 1, 0)]}, False),
        ({"result": "partly done"}, {"totals": [Total("ORIGINAL", "kept", 1, 0)]}, True),
        ({"counts": {"undone": 1}}, {}, True),
        ({"result": "partly done"}, {"unopened": 1}, True),
        ({"result": "stopped"}, {}, True),
        ({"failure": Reason("no token is good")}, {}, True),
        ({"ended_ms": None}, {"totals": [Total("ORIGINAL", "kept", 1, 0)]}, False),
    ],
)
def test_what_came_to_nothing_can_be_tried_again_once_it_has_ended(
    fields: dict[str, Any], known: dict[str, Any], can_be: bool
) -> None:
    operation = running(**{"ended_ms": NOW, **fields})
    assert view.in_full(operation, moment(**known))["can_be_tried_again"] is can_be


def test_while_it_runs_outcomes_are_counted_as_far_as_they_are_known() -> None:
    totals = [
        Total("ORIGINAL", "removed", 1, 70, "checksum"),
        Total("ORIGINAL", "removed", 1, 0, "size"),
        Total("ORIGINAL", "absent", 1, 0),
    ]
    told = view.in_full(running(), moment(progress={"done": 3}, totals=totals))
    assert (told["counts"]["removed"], told["counts"]["kept"]) == (2, 0)
    assert told["by_format"] == {"ORIGINAL": {"removed": 2, "absent": 1}}
    assert told["bytes"] == {"removed": 70}


def test_its_pace_says_how_long_the_rest_takes() -> None:
    told = view.summary(running(), {"done": 1, "copying": 3}, NOW, (300_000_000, 1_200_000_000))
    assert (told["bytes_per_second"], told["seconds_left"]) == (1_000_000, 900)
    assert view.in_short(told) == ("1 of 4 assets, 300 MB of 1.2 GB, 1 MB/s, about 15 min left")


@pytest.mark.parametrize(
    ("fields", "done"), [({"recorded_ms": NOW - 9_000}, (5, 10)), ({}, (0, 10)), ({}, None)]
)
def test_without_a_pace_nothing_is_said_about_the_rest(
    fields: dict[str, Any], done: tuple[int, int] | None
) -> None:
    assert view.summary(running(**fields), {"done": 1}, NOW, done)["seconds_left"] is None


def waits(operation: Operation, **fields: Any) -> list[str]:
    waits_for: list[str] = view.in_full(operation, moment(**fields))["waits_for"]
    return waits_for


def test_what_it_waits_for_is_said_in_sentences() -> None:
    states = {"copying": 40, "recheck": 1, "claimed": 2, "queued": 1_234}
    assert waits(running(), progress=states, copies_under_way=1, not_before_ms=NOW + 90_000) == [
        "1 copy job in iconik, for 40 assets",
        "files of 1 asset that are still being written or moved: next check in 1 min 30 s",
        "iconik's answers about 2 assets",
        "its turn to process 1,234 assets, or another operation to finish there",
    ]


def test_what_is_due_is_looked_at_next() -> None:
    (line,) = waits(running(), progress={"recheck": 1}, not_before_ms=NOW)
    assert line.endswith("next check now")


UNLISTED = "iconik to list the assets of a newer click: some may be in this operation, too"


def test_deletions_that_iconik_is_still_to_carry_out_are_waited_for() -> None:
    (line,) = waits(running(), progress={"verifying": 2})
    assert line == "iconik to finish deleting the LucidLink files of 2 assets"


def test_what_waits_until_a_newer_click_is_listed_waits_for_nothing_else() -> None:
    states = {"copying": 1, "recheck": 1, "queued": 1}
    lines = waits(running(), progress=states, copies_under_way=1, is_newer_unlisted=True)
    assert lines == ["1 copy job in iconik, for 1 asset", UNLISTED]


def test_one_that_is_to_stop_waits_for_no_newer_click() -> None:
    assert UNLISTED not in waits(running(stop_ms=NOW), is_newer_unlisted=True)


def test_an_outage_comes_first() -> None:
    lines = waits(running(outage="could not read storage s: it answered 503", is_expanded=False))
    assert lines == [
        "a usable answer from iconik: could not read storage s: it answered 503",
        "iconik to list its assets",
    ]


def test_one_that_is_to_stop_waits_for_its_safe_point() -> None:
    assert waits(running(stop_ms=NOW))[0].startswith("a safe point to stop")


def test_what_has_ended_waits_for_nothing() -> None:
    told = view.in_full(running(ended_ms=NOW, outage="x"), moment(progress={"done": 1}))
    assert (told["waits_for"], told["looks_again"]) == ([], None)


@pytest.mark.parametrize(
    ("next_check_ms", "seconds"), [(NOW + 20_500, 20), (NOW - 5, 0), (None, 0)]
)
def test_when_it_looks_again_is_told(next_check_ms: int | None, seconds: int) -> None:
    told = view.in_full(running(next_check_ms=next_check_ms), moment())
    assert told["looks_again_in_seconds"] == seconds


def an_asset(
    state: str = "done", progress: AssetProgress | None = None, **outcomes: Outcome
) -> Asset:
    return Asset("a1", state, 0, progress or AssetProgress(), outcomes)


def rows(operation: Operation, asset: Asset) -> list[tuple[str, str, str]]:
    return [
        (each["format"], each["kind"], each["reason"])
        for each in outcome_rows.asset_rows(operation, [asset], NOW)
    ]


def test_each_format_of_an_asset_has_a_row() -> None:
    operation = running(formats=("ORIGINAL", "PROXY"))
    asset = an_asset("copying", ORIGINAL=Outcome("kept", Reason("it differs")))
    assert rows(operation, asset) == [
        ("ORIGINAL", "kept", "it differs"),
        ("PROXY", "under way", "being copied by iconik"),
    ]


GROWING = AssetProgress(unfinished="beach.mov has been growing", unfinished_ms=NOW - 12 * MINUTE)


@pytest.mark.parametrize(
    ("state", "told"),
    [("recheck", "beach.mov has been growing for 12 min"), ("claimed", "being checked")],
)
def test_what_is_unfinished_is_told_with_its_age(state: str, told: str) -> None:
    assert rows(running(), an_asset(state, GROWING)) == [("ORIGINAL", "under way", told)]


def test_what_is_waited_for_is_named_the_first_three_of_many() -> None:
    unfinished = [(f"{each}.mov has been growing", NOW - MINUTE) for each in "abcd"]
    (line,) = waits(running(), progress={"recheck": 4}, unfinished=unfinished)
    assert line == (
        "files of 4 assets that are still being written or moved (a.mov has been growing for 1 min;"
        " b.mov has been growing for 1 min; c.mov has been growing for 1 min; …): next check now"
    )


def test_what_is_waited_for_is_named() -> None:
    (line,) = waits(running(), progress={"recheck": 1}, unfinished=[("a is open", NOW - 5_000)])
    assert line.startswith("files of 1 asset that are still being written or moved (a is open for ")


def test_what_was_not_come_to_is_undone() -> None:
    operation = running(ended_ms=NOW)
    assert rows(operation, an_asset()) == [("ORIGINAL", "undone", NOT_COME_TO)]
    left = an_asset("done", AssetProgress(copy_results={"ORIGINAL": None}))
    assert rows(operation, replace(left, is_being_copied=True)) == [("ORIGINAL", "undone", LEFT)]
    assert rows(operation, left) == [("ORIGINAL", "undone", LEFT_AND_ENDED)]


@pytest.mark.parametrize(
    ("copies", "ended_ms", "told"),
    [
        (1, NOW, "1 copy job was left to iconik and may still be running"),
        (1200, NOW, "1,200 copy jobs were left to iconik and may still be running"),
        (0, NOW, None),
        (1, None, None),
    ],
)
def test_what_an_ended_operation_left_to_iconik_is_told(
    copies: int, ended_ms: int | None, told: str | None
) -> None:
    full = view.in_full(running(ended_ms=ended_ms), moment(copies_under_way=copies))
    assert full["left_to_iconik"] == told


@pytest.mark.parametrize("failure", ["no token is good", None])
def test_a_half_done_deletion_has_the_rows_that_the_report_has(failure: str | None) -> None:
    operation = running(ended_ms=NOW, failure=failure, formats=("ORIGINAL", "PROXY"))
    progress = AssetProgress(deletions=half_done({"set-1": "ORIGINAL"}))
    asset = an_asset(
        progress=progress, PROXY=Outcome("superseded", Reason("a newer click took over"))
    )
    problems = report(operation, [("a1", progress, asset.outcomes)], {})["problems"]
    (half, left) = outcome_rows.asset_rows(operation, [asset], NOW)
    told = {
        **problems[0],
        "asset": "a1",
        "what_to_do": REMEDIES[Cause.HALF_DELETED],
        "size": None,
        "newer": None,
        "cause": "half_deleted",
    }
    assert told == half
    assert (half["kind"], left["kind"]) == ("failed", "superseded")
    assert "file set set-1 may be in iconik's delete queue" in half["reason"]


def test_what_could_not_be_opened_has_a_row() -> None:
    (row,) = outcome_rows.unopened_rows(running(), [("collection c", Reason("no"))])
    cells = [row[name] for name in outcome_rows.COLUMNS]
    assert cells == ["collection c", "a collection", None, "failed", "no", USUAL, None, ""]


@pytest.mark.parametrize(
    ("path", "asset"), [("Projects / Spring", "Projects / Spring"), (None, "Spring")]
)
def test_a_selected_collection_that_could_not_be_opened_has_its_name(
    path: str | None, asset: str
) -> None:
    subject = {"kind": "collection", "id": "c", "name": "Spring", "path": path}
    operation = running(names={"subjects": [subject]})
    (row,) = outcome_rows.unopened_rows(operation, [("collection c", Reason("no"))])
    assert row["asset"] == asset


SUPERSEDED = Outcome("superseded", TAKEN_BY_NEWER)


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        ("Ana Ruiz", "a newer Remove by Ana Ruiz took over"),
        (None, "a newer Remove took over"),
    ],
)
def test_what_took_over_is_told_by_name(user: str | None, reason: str) -> None:
    newer = Newer("7", "remove", "Remove from LucidLink: 1 asset", user)
    asset = an_asset(ORIGINAL=SUPERSEDED)
    takers = {("a1", "ORIGINAL"): newer}
    (row,) = outcome_rows.asset_rows(running(ended_ms=NOW), [asset], NOW, takers)
    assert (row["reason"], row["reason"].cause) == (reason, Cause.NEWER_CLICK)
    assert row["newer"] == {"operation_id": "7", "title": newer.title, "user": user}


def test_what_took_over_and_is_forgotten_is_told_without_a_name() -> None:
    (row,) = outcome_rows.asset_rows(running(ended_ms=NOW), [an_asset(ORIGINAL=SUPERSEDED)], NOW)
    assert (row["reason"], row["newer"]) == (TAKEN_BY_NEWER, None)


def test_only_what_was_left_to_it_names_a_newer_operation() -> None:
    newer = Newer("7", "remove", "Remove from LucidLink: 1 asset", None)
    asset = an_asset(ORIGINAL=Outcome("copied"))
    takers = {("a1", "ORIGINAL"): newer}
    (row,) = outcome_rows.asset_rows(running(ended_ms=NOW), [asset], NOW, takers)
    assert row["newer"] is None


def test_an_operation_is_told_by_names() -> None:
    subject = {"kind": "asset", "id": "a1", "name": "beach", "path": None}
    names = {"storages": {"b2": "Masters", "ll": "Filespace"}, "subjects": [subject]}
    operation = running(user_id="ana", user_name="Ana Ruiz", names=names, path="projects/2026")
    told = view.summary(operation, {}, NOW)
    assert {
        name: told[name] for name in ("user", "b2_storage", "ll_storage", "subjects", "path")
    } == {
        "user": "Ana Ruiz",
        "b2_storage": "Masters",
        "ll_storage": "Filespace",
        "subjects": [subject],
        "path": "projects/2026",
    }


@pytest.mark.parametrize(
    "fields",
    [{}, {"user_name": "", "names": {"storages": {"b2": "", "ll": ""}}}],
    ids=["not known yet", "not to be read"],
)
def test_names_may_be_missing(fields: dict[str, Any]) -> None:
    told = view.summary(running(**fields), {}, NOW)
    assert [told[name] for name in ("user", "b2_storage", "ll_storage", "path")] == [None] * 4
    assert told["subjects"] == []


@pytest.mark.parametrize(
    ("done", "assets", "ended", "drawn"),
    [(0, 4, None, "░░░░"), (2, 4, None, "██░░"), (0, 0, None, "░░░░"), (0, 0, "then", "████")],
)
def test_a_bar_is_as_long_as_what_is_done(
    done: int, assets: int, ended: str | None, drawn: str
) -> None:
    assert view.bar({"assets_done": done, "assets": assets, "ended": ended}, 4) == drawn
