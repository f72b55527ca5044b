"""All processes killed at every point of an operation: it ends right, by itself, and once."""

import random
from pathlib import Path

import pytest

from dev.harness import Service, Simulator, wait_for
from tests.system.desk import FILE_SET
from tests.system.media import PROXY, asset, collection, files, unproven_deletions
from tests.system.points import PURGE, allow, asked, database_of, hang_at, kill_at, refuse

COPY = "files/v1/storages/*/bulk/"
SECONDS = 120.0


def clicked(service: Service, action: str, formats: str = "ORIGINAL", **selection: object) -> str:
    answer = service.click(action, formats, **selection)  # type: ignore[arg-type]
    assert answer.status_code == 200
    return str(answer.json()["operation_id"])


def ended(service: Service, operation_id: str) -> dict[str, int]:
    """The counts of an operation's report, which must be the only one of all there are."""
    report = service.report(operation_id)
    # Nothing is left to do where a copy has arrived that no answer has told about.
    assert report["result"] in ("done", "nothing to do")
    assert service.newest() == [operation_id]
    counts = {name: number for name, number in report["counts"].items() if number}
    # How a file was proven safe is not what these tests are about.
    counts.pop("by_checksum", None)
    return counts


@pytest.mark.promise
def test_between_the_note_of_a_deletion_and_the_delete(
    simulator: Simulator, service: Service
) -> None:
    left, edited = asset(simulator, "left", on="both"), asset(simulator, "edited", on="both")
    # Iconik hears of no deletion: it is refused before it has done anything.
    fault = {"fault": "status:503", "method": "DELETE", "times": None}
    simulator.control("POST", "faults", fault)
    operation_id = clicked(service, "remove", asset_ids=[left, edited])
    wait_for(
        "deletions",
        lambda: len({each["path"] for each in asked(simulator, "DELETE", "/")}) == 2,
        120,
    )
    service.process.kill()
    simulator.control("DELETE", "faults")
    simulator.edit_on_lucidlink(edited, "a longer cut " * 100)
    service.start()
    counts = service.report(operation_id)["counts"]
    assert (counts["removed"], counts["kept"]) == (1, 1)
    assert files(simulator.lucidlink) == ["edited_original.mov"]
    assert unproven_deletions(simulator) == 0


@pytest.mark.promise
def test_between_the_steps_of_a_deletion_and_before_its_note(
    simulator: Simulator, service: Service
) -> None:
    clip = asset(simulator, "clip", on="both")
    hang_at(simulator, "DELETE", FILE_SET)
    operation_id = clicked(service, "remove", asset_ids=[clip])
    kill_at(service)
    assert files(simulator.lucidlink) == ["clip_original.mov"]
    hang_at(simulator, "DELETE", PURGE)
    service.start()
    kill_at(service)
    # The request had come, but may not have been carried out yet.
    wait_for("purge", lambda: not files(simulator.lucidlink), SECONDS)
    service.start()
    assert ended(service, operation_id) == {"assets": 1, "removed": 1}
    assert files(simulator.b2) == ["clip_original.mov"]
    assert unproven_deletions(simulator) == 0


@pytest.mark.promise
@pytest.mark.parametrize("action", ["add", "remove"])
def test_between_a_request_for_copies_and_the_note_of_its_job(
    simulator: Simulator, service: Service, action: str
) -> None:
    clip = asset(simulator, "clip", on="b2" if action == "add" else "lucidlink")
    hang_at(simulator, "POST", COPY)
    operation_id = clicked(service, action, asset_ids=[clip])
    kill_at(service)
    service.start()
    counts = ended(service, operation_id)
    assert counts in (
        {"assets": 1, "there": 1},
        {"assets": 1, "copied": 1},
        {"assets": 1, "removed": 1},
    )
    assert files(simulator.lucidlink) == (["clip_original.mov"] if action == "add" else [])
    assert files(simulator.b2) == ["clip_original.mov"]
    assert unproven_deletions(simulator) == 0


def test_a_copy_whose_job_was_not_noted_does_not_outlast_a_newer_remove(
    simulator: Simulator, service: Service
) -> None:
    simulator.control("PATCH", "settings", {"copies_paused": True})
    clip = asset(simulator, "clip")
    hang_at(simulator, "POST", COPY)
    add = clicked(service, "add", asset_ids=[clip])
    kill_at(service)
    service.start()
    remove = clicked(service, "remove", asset_ids=[clip])
    # Either it waits for the copy, or it has ended: both take longer than the grace.
    wait_for(
        "look",
        lambda: service.has_ended(remove) or service.progress(add).get("copying"),
        SECONDS,
    )
    simulator.control("PATCH", "settings", {"copies_paused": False})
    service.report(add)
    service.report(remove)
    wait_for("copies", lambda: not simulator.control("GET", "")["running_jobs"], SECONDS)
    assert files(simulator.lucidlink) == []


def test_while_a_collection_is_being_opened(simulator: Simulator, service: Service) -> None:
    top = collection(simulator, "top")
    below = collection(simulator, "below", top)
    for number in range(3):
        asset(simulator, f"clip{number}", collection_ids=(below,))
    point = f"assets/v1/collections/{below}/contents/"
    hang_at(simulator, "GET", point)
    operation_id = clicked(service, "add", collection_ids=[top])
    kill_at(service)
    service.start()
    assert ended(service, operation_id) == {"assets": 3, "copied": 3}
    assert len(files(simulator.lucidlink)) == 3


@pytest.mark.parametrize(
    ("event", "has_ended"),
    [
        ("UPDATE OF ended_ms ON plugin_operations", False),
        ("UPDATE OF counts ON plugin_operations", True),
        ("UPDATE OF closed_ms ON plugin_operations", True),
    ],
    ids=["before the end is noted", "before its counts are noted", "before it is closed"],
)
def test_around_the_end_of_an_operation(
    simulator: Simulator, service: Service, event: str, has_ended: bool
) -> None:
    clip = asset(simulator, "clip", on="both")
    refuse(service, event)
    operation_id = clicked(service, "remove", asset_ids=[clip])
    if has_ended:
        wait_for("end", lambda: service.has_ended(operation_id), SECONDS)
    else:
        wait_for("refusal", lambda: "the database failed" in service.log(), SECONDS)
        assert not service.has_ended(operation_id)
    before = service.operation(operation_id).ended_ms
    service.process.kill()
    allow(service)
    service.start()
    # A newer one has its turn when the older was taken up.
    service.report(clicked(service, "add", asset_ids=[asset(simulator, "other")]))
    report = service.report(operation_id)
    assert report["result"] == "done"
    assert report["counts"]["removed"] == 1
    assert before in (None, service.operation(operation_id).ended_ms)


def test_when_the_lock_file_is_removed_another_process_takes_over(
    simulator: Simulator, service: Service
) -> None:
    simulator.control("PATCH", "settings", {"latency_ms": 100})
    clips = [asset(simulator, f"clip{number}", "both") for number in range(40)]
    operation_id = clicked(service, "remove", asset_ids=clips)
    wait_for("deletion", lambda: len(files(simulator.lucidlink)) < 40, SECONDS)
    Path(f"{database_of(service)}.lock").unlink()
    turn = "this process now runs the operations"
    wait_for("another turn", lambda: service.log().count(turn) == 2, SECONDS)
    assert ended(service, operation_id) == {"assets": 40, "removed": 40}
    assert files(simulator.lucidlink) == []
    assert unproven_deletions(simulator) == 0


@pytest.mark.promise
def test_at_random_moments(simulator: Simulator, service: Service) -> None:
    chance = random.Random(7)
    simulator.control("PATCH", "settings", {"latency_ms": 10})
    here = [asset(simulator, f"here{n}", "both", ("ORIGINAL", PROXY)) for n in range(20)]
    made = [asset(simulator, f"made{n}", "lucidlink", ("ORIGINAL", PROXY)) for n in range(5)]
    away = [asset(simulator, f"away{n}", "b2", ("ORIGINAL", PROXY)) for n in range(10)]
    remove = clicked(service, "remove", f"ORIGINAL,{PROXY}", asset_ids=here + made)
    add = clicked(service, "add", f"ORIGINAL,{PROXY}", asset_ids=away)
    for _ in range(3):
        # So many requests from now: a moment that is the same on a fast machine and a slow one.
        start, later = len(asked(simulator, "*", "")), chance.randrange(1, 40)
        wait_for(
            "moment",
            lambda start=start, later=later: (  # type: ignore[misc]
                len(asked(simulator, "*", "")) >= start + later
                or (service.has_ended(remove) and service.has_ended(add))
            ),
            SECONDS,
        )
        service.process.kill()
        service.start()
    assert service.report(remove)["counts"]["removed"] == 50
    added = service.report(add)["counts"]
    assert added["copied"] + added["there"] == 20
    assert len(files(simulator.lucidlink)) == 20
    assert len(files(simulator.b2)) == 70
    assert unproven_deletions(simulator) == 0
