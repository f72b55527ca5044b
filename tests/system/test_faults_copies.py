"""Copies that go wrong in every way: LucidLink keeps its file, and the report says why."""

from collections.abc import Mapping
from typing import Any

import pytest

from b2_iconik.domain.progress import LISTING_LAG_MS
from dev.harness import wait_for
from tests.system.desk import BULK, CLIP, PATIENCE, Desk, only_problem

THOUGH = ", although the requested copy to B2 has ended"


@pytest.fixture(scope="module")
def desk_environment() -> dict[str, str]:
    """A minute's patience with copies, and less with files that stay unfinished."""
    return {"COPY_TIMEOUT": "1m", "COPY_SETTLE_TIME": "1s"}


def refusal(kind: str) -> str:
    """What the report says where iconik refuses to copy to a storage."""
    return (
        f"could not copy ORIGINAL of 1 asset to the {kind} storage: iconik answered 400: This is a "
        "fault that was asked for"
    )


def job_of(desk: Desk, operation_id: str) -> str:
    """The job of an operation's only copy."""
    with desk.database() as database:
        (job_id,) = database.execute(
            "SELECT job_id FROM plugin_copies WHERE number = ?",
            (desk.service.operation(operation_id).number,),
        ).fetchone()
    return str(job_id)


def reasons(desk: Desk, clicked: Mapping[str, str], kind: str) -> dict[str, str]:
    """The reason of the only problem of each operation, which is of a kind."""
    return {name: only_problem(desk.report(each), kind) for name, each in clicked.items()}


# What a copy to B2 leaves there


LEFT_ON_B2 = {
    "finish_without_file": f"clip.mov has no matching file on B2{THOUGH}",
    "leave_open": f"clip.mov is incomplete on B2 (OPEN){THOUGH}",
    "wrong_size": "clip.mov differs from its master: 300 bytes on LucidLink, 150 bytes on B2",
    "FAILED": f"clip.mov has no matching file on B2{THOUGH}: Made to end FAILED",
    "ABORTED": f"clip.mov has no matching file on B2{THOUGH}: job status FAILED",
    "SKIPPED": f"clip.mov has no matching file on B2{THOUGH}",
    "DISCARDED": f"clip.mov has no matching file on B2{THOUGH}: job status FAILED",
}


def test_a_copy_to_b2_that_left_no_twin_deletes_nothing(desk: Desk) -> None:
    clips = {fault: desk.asset(lucidlink=CLIP) for fault in LEFT_ON_B2}
    for fault, clip in clips.items():
        desk.let_copy(fault, asset_id=clip)
    clicked = {fault: desk.click("remove", clip) for fault, clip in clips.items()}
    assert reasons(desk, clicked, "kept") == LEFT_ON_B2
    assert all(desk.on_lucidlink(clip) == ["clip.mov"] for clip in clips.values())


def test_a_copy_to_b2_of_other_content_deletes_nothing(desk: Desk) -> None:
    rendered = desk.asset(lucidlink=CLIP)
    desk.let_copy("wrong_content", asset_id=rendered)
    reason = only_problem(desk.do("remove", rendered), "kept")
    assert reason.startswith("the checksums of clip.mov cannot be compared ")
    assert desk.on_lucidlink(rendered) == ["clip.mov"]


ENDED_EARLY = {
    "FINISHED": "",
    "FINISHED_WITH_WARNING": ": job status FINISHED_WITH_WARNING",
    "FAILED": ": job status FAILED",
    "ABORTED": ": job status ABORTED",
    "SKIPPED": ": job status SKIPPED",
}


def test_a_job_that_ends_before_anything_was_copied_deletes_nothing(desk: Desk) -> None:
    clips = {status: desk.asset(lucidlink=CLIP) for status in ENDED_EARLY}
    desk.set(copies_paused=True)
    clicked = {status: desk.click("remove", clip) for status, clip in clips.items()}
    for status, operation_id in clicked.items():
        desk.wait_until(operation_id, "copying")
        job_id = job_of(desk, operation_id)
        desk.ask_iconik("PATCH", f"jobs/v1/jobs/{job_id}/", {"status": status})
    assert reasons(desk, clicked, "kept") == {
        status: f"clip.mov has no matching file on B2{THOUGH}{told}"
        for status, told in ENDED_EARLY.items()
    }
    assert all(desk.on_lucidlink(clip) == ["clip.mov"] for clip in clips.values())


# What is on B2 already


@pytest.mark.parametrize("record", [{"status": "OPEN"}, {"status": "MISSING"}])
def test_what_a_copy_makes_whole_on_b2_is_removed(desk: Desk, record: dict[str, Any]) -> None:
    clip = desk.asset(b2=[{**CLIP[0], **record}], lucidlink=CLIP)
    assert desk.do("remove", clip)["counts"]["removed"] == 1
    assert (desk.on_lucidlink(clip), desk.on_b2(clip)) == ([], ["clip.mov"])


# Copies whose end nobody hears of


def let_a_minute_go_by(desk: Desk, operation_id: str) -> None:
    """Have a copy been asked for so long ago that iconik's listings should know its job."""
    with desk.database() as database:
        database.execute(
            "UPDATE plugin_copies SET asked_ms = asked_ms - ? WHERE number = ?",
            (LISTING_LAG_MS, desk.service.operation(operation_id).number),
        )


def test_a_copy_to_b2_that_never_ends_is_given_up(desk: Desk) -> None:
    rendered = desk.asset(lucidlink=CLIP)
    desk.let_copy("never_ends", asset_id=rendered)
    operation_id = desk.click("remove", rendered)
    desk.wait_until(operation_id, "copying")
    wait_for("its beginning", lambda: desk.file_sets(rendered, "b2"), PATIENCE)
    let_a_minute_go_by(desk, operation_id)
    reason = only_problem(desk.report(operation_id), "kept")
    assert reason.startswith(
        f"clip.mov is incomplete on B2 (OPEN){THOUGH}: gave up waiting: the copy job "
    )
    assert reason.endswith(" is still STARTED")
    assert desk.on_lucidlink(rendered) == ["clip.mov"]


@pytest.mark.parametrize("action", ["add", "remove"])
def test_a_job_that_iconik_forgets_is_judged_by_its_files(desk: Desk, action: str) -> None:
    clip = desk.asset(b2=CLIP) if action == "add" else desk.asset(lucidlink=CLIP)
    desk.set(copies_paused=True)
    operation_id = desk.click(action, clip)
    desk.wait_until(operation_id, "copying")
    job_id = job_of(desk, operation_id)
    desk.ask_iconik("DELETE", f"jobs/v1/jobs/{job_id}/")
    let_a_minute_go_by(desk, operation_id)
    told = ": the copy job no longer exists in iconik"
    report = desk.report(operation_id)
    if action == "add":
        reason = f"the copy to LucidLink has ended, but the file is not there{told}"
        assert only_problem(report, "failed") == reason
        assert desk.on_b2(clip) == ["clip.mov"]
    else:
        assert only_problem(report, "kept") == f"clip.mov has no matching file on B2{THOUGH}{told}"
        assert desk.on_lucidlink(clip) == ["clip.mov"]


def test_a_job_that_iconik_forgets_is_no_problem_once_its_files_are_there(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP)
    desk.let_copy("lose_job", asset_id=clip)
    desk.set(copy_seconds=1)
    operation_id = desk.click("add", clip)
    desk.wait_until(operation_id, "copying")
    let_a_minute_go_by(desk, operation_id)
    assert desk.report(operation_id)["counts"]["copied"] == 1


# Copies to LucidLink


LEFT_ON_LUCIDLINK = {
    "finish_without_file": "the file is not there",
    "leave_open": "clip.mov has been unfinished on LucidLink (OPEN)",
    "FAILED": "the file is not there: Made to end FAILED",
    "ABORTED": "the file is not there: job status FAILED",
    "SKIPPED": "the file is not there",
}


def test_a_copy_to_lucidlink_that_brought_nothing_has_failed(desk: Desk) -> None:
    clips = {fault: desk.asset(b2=CLIP) for fault in LEFT_ON_LUCIDLINK}
    for fault, clip in clips.items():
        desk.let_copy(fault, asset_id=clip)
    clicked = {fault: desk.click("add", clip) for fault, clip in clips.items()}
    told = reasons(desk, clicked, "failed")
    # How long is a question of how fast this machine is.
    assert {fault: reason.partition(" for ")[0] for fault, reason in told.items()} == {
        fault: f"the copy to LucidLink has ended, but {state}"
        for fault, state in LEFT_ON_LUCIDLINK.items()
    }
    assert all(desk.on_b2(clip) == ["clip.mov"] for clip in clips.values())


def test_a_copy_to_lucidlink_that_is_refused_has_failed(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP)
    desk.let("status:400", "POST", BULK)
    told = only_problem(desk.do("add", clip), "failed")
    refused = refusal("LucidLink")
    assert told == f"the copy to LucidLink has ended, but the file is not there: {refused}"
