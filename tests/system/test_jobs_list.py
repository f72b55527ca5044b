"""Operations in iconik's own jobs list, as the people who clicked see them there."""

import os
import signal
import time
from typing import Any

import pytest
import requests

from b2_iconik.domain.advice import REMEDIES
from b2_iconik.domain.reasons import Cause
from b2_iconik.operation.job import BY, INTERVAL
from dev.harness import SECRET, wait_for
from tests.system.desk import CLIP, EDITED, JOBS, PATIENCE, ROLES, Desk

JOB = "jobs/v1/jobs/*/"


def shown(desk: Desk, operation_id: str) -> list[dict[str, Any]]:
    """The jobs in iconik's list that stand for an operation."""
    found = desk.ask_iconik("GET", "jobs/v1/jobs/?type=CUSTOM&per_page=100")["objects"]
    return [each for each in found if each["metadata"]["operation_id"] == operation_id]


def end_of(desk: Desk, operation_id: str) -> dict[str, Any]:
    """The only job of an operation, once it has ended."""

    def find() -> dict[str, Any] | None:
        jobs = shown(desk, operation_id)
        assert len(jobs) <= 1
        ended = [each for each in jobs if each["status"] not in ("STARTED", "ABORT_PENDING")]
        return ended[0] if ended else None

    return wait_for("end of the job", find, PATIENCE)


def mine(desk: Desk) -> list[str]:
    """What was asked of iconik for the jobs list, in order."""
    seen = desk.simulator.control("GET", "requests")["objects"]
    about = {"POST /API/jobs/v1/jobs/", "PATCH", "GET /API/assets/v1/assets/"}
    lines = [f"{each['method']} {each['path']}" for each in seen]
    return [each.split()[0] for each in lines if any(each.startswith(one) for one in about)]


def test_an_add_is_shown_with_names_and_progress_and_ends_finished(desk: Desk) -> None:
    clips = [desk.asset(b2=CLIP) for _ in range(5)]
    began = time.monotonic()
    operation_id = desk.click("add", *clips)
    job = end_of(desk, operation_id)
    assert job["title"] == "Add to LucidLink: 5 assets (clip, clip, clip and 2 more)"
    assert job["type"] == "CUSTOM"
    assert job["status"] == "FINISHED"
    assert job["message"] == "5 assets, 5 copied (1.5 KB copied)"
    assert (job["progress_processed"], job["progress_total"]) == (5, 5)
    assert [each["object_id"] for each in job["related_objects"]] == clips
    # The job, and its end if that took longer than two seconds. A search showed the titles.
    asked = mine(desk)
    assert [each for each in asked if each != "PATCH"] == ["POST"]
    assert asked.count("PATCH") <= 1 + (time.monotonic() - began) / INTERVAL


def test_a_remove_of_a_collection_says_what_was_kept_and_why(desk: Desk) -> None:
    good, edited = desk.asset(b2=CLIP, lucidlink=CLIP), desk.asset(b2=CLIP, lucidlink=CLIP)
    desk.edit_on_lucidlink(edited)
    top = desk.collection(good, edited)
    job = end_of(desk, desk.click("remove", collection_ids=[top]))
    assert job["title"] == "Remove from LucidLink: 2 assets (top)"
    assert job["status"] == "FINISHED_WITH_WARNING"
    assert (
        job["message"]
        == "2 assets, 1 removed, 1 kept on LucidLink (300 bytes freed, 11 bytes kept on "
        "LucidLink). Proven safe: 1 by checksum. Kept on LucidLink: clip: "
        f"{EDITED}. What to do: {REMEDIES[Cause.DIFFERS].removesuffix('.')}"
    )
    assert (job["object_id"], job["object_type"]) == (top, "collections")


def test_an_operation_that_comes_to_nothing_ends_failed_and_says_why(desk: Desk) -> None:
    missing = "0b5c1d9e-3f7a-4c52-9d0e-6a1f2b3c4d5e"
    clip = desk.asset(b2=CLIP)
    job = end_of(desk, desk.click("add", clip, storages={"b2_storage_id": missing}))
    assert job["status"] == "FAILED"
    why = "the custom action's B2 storage does not exist in iconik"
    assert job["error_message"].startswith(why)


def test_who_aborts_the_job_in_iconik_stops_the_operation(desk: Desk) -> None:
    desk.set(copies_paused=True)
    operation_id = desk.click("add", desk.asset(b2=CLIP))
    desk.wait_until(operation_id, "copying")
    (job,) = wait_for("job", lambda: shown(desk, operation_id), PATIENCE)
    desk.ask_iconik("PUT", "jobs/v1/jobs/state/", {"action": "ABORT", "job_ids": [job["id"]]})
    report = desk.report(operation_id)
    assert (report["result"], report["stopped_by"]) == ("stopped", BY)
    assert end_of(desk, operation_id)["status"] == "ABORTED"


def test_a_restarted_service_goes_on_with_the_same_job(desk: Desk) -> None:
    desk.set(copies_paused=True)
    operation_id = desk.click("add", desk.asset(b2=CLIP))
    desk.wait_until(operation_id, "copying")
    wait_for("job", lambda: shown(desk, operation_id), PATIENCE)
    for worker in desk.service.process.children():
        os.kill(worker, signal.SIGKILL)
    desk.set(copies_paused=False)
    assert end_of(desk, operation_id)["status"] == "FINISHED"


def test_a_job_whose_making_is_not_answered_is_the_only_one(desk: Desk) -> None:
    desk.let("reset", "POST", JOBS, after=True)
    operation_id = desk.click("add", desk.asset(b2=CLIP))
    assert end_of(desk, operation_id)["status"] == "FINISHED"


def told(desk: Desk, operation_id: str) -> dict[str, Any]:
    """What the operations page says of an operation, as JSON."""
    answer = requests.get(
        f"{desk.service.url}/operations/{operation_id}?format=json",
        auth=("ada", SECRET),
        timeout=PATIENCE,
    )
    shown: dict[str, Any] = answer.json()
    return shown


def test_people_and_what_they_selected_are_shown_by_name(desk: Desk) -> None:
    ana, ben = desk.user(), desk.user(roles=ROLES)
    names = {ana: {"first_name": "Ana", "last_name": "Ruiz"}, ben: {"email": "ben@example.com"}}
    for user, name in names.items():
        desk.simulator.control("PUT", f"users/{user.id}", name)
    spring = desk.simulator.control("POST", "collections", {"title": "Spring"})["id"]
    day = {"title": "Day 1", "parent_id": spring}
    day_id = desk.simulator.control("POST", "collections", day)["id"]
    clip = desk.asset(b2=CLIP)
    desk.put_into(day_id, clip)
    added = desk.click("add", user=ana, path="cut", collection_ids=[day_id])
    assert end_of(desk, added)["title"] == "Add to LucidLink: 1 asset (Day 1)"
    # Ben lacks can_write_jobs and can_read_users; the application has both.
    removed = desk.click("remove", clip, user=ben)
    assert end_of(desk, removed)["title"] == "Remove from LucidLink: 1 asset (clip)"
    shown = [told(desk, each) for each in (added, removed)]
    assert [each["user"] for each in shown] == ["Ana Ruiz", "ben@example.com"]
    assert [each["path"] for each in shown] == ["cut", None]
    assert [(each["b2_storage"], each["ll_storage"]) for each in shown] == [("B2", "LucidLink")] * 2
    collection = {"kind": "collection", "id": day_id, "name": "Day 1", "path": "Spring / Day 1"}
    assert shown[0]["subjects"] == [collection]
    assert shown[1]["subjects"] == [{"kind": "asset", "id": clip, "name": "clip", "path": None}]


def test_a_collection_is_not_named_to_whom_it_is_hidden_from(desk: Desk) -> None:
    top = desk.collection(desk.asset(b2=CLIP))
    ana = desk.user(top)
    operation_id = desk.click("add", user=ana, collection_ids=[top])
    assert end_of(desk, operation_id)["title"] == "Add to LucidLink: 0 assets"
    (subject,) = told(desk, operation_id)["subjects"]
    assert subject["name"] is None


@pytest.mark.parametrize("fault", ["status:503", "status:403"])
def test_users_who_cannot_be_read_never_harm_the_work(desk: Desk, fault: str) -> None:
    ana = desk.user()
    desk.let(fault, "GET", f"users/v1/users/{ana.id}/", times=None)
    operation_id = desk.click("add", desk.asset(b2=CLIP), user=ana)
    assert desk.report(operation_id)["counts"]["copied"] == 1
    assert end_of(desk, operation_id)["status"] == "FINISHED"
    assert told(desk, operation_id)["user"] is None


@pytest.mark.parametrize("fault", ["status:503", "hang:2", "status:400"])
def test_a_jobs_list_that_fails_never_harms_the_work(desk: Desk, fault: str) -> None:
    for path in (JOBS, JOB):
        for method in ("POST", "PATCH"):
            desk.let(fault, method, path, times=None)
    assert desk.do("add", desk.asset(b2=CLIP))["counts"]["copied"] == 1
