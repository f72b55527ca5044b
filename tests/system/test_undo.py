"""Removals that can be undone (PURGE=later), and what brings their files back: Undo and Add."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.harness import SECRET, Service, Simulator, wait_for
from tests.system.desk import CLIP, FILE_SET, ROLES, Desk, only_problem
from tests.system.media import PROXY, asset, files, unproven_deletions
from tests.system.points import asked, hang_at, kill_at

RESTORE = "files/v1/assets/*/file_sets/*/restore/"
SETTINGS = "settings/v1/system/current/"
LATER = {"PURGE": "later"}
DAY = 24 * 3600
# The usual roles allow no restoration.
ROLES_FOR_UNDO = [*ROLES, "can_write_files"]


@pytest.fixture(scope="module")
def desk_environment() -> dict[str, str]:
    return LATER


@pytest.fixture
def service(tmp_path: Path, simulator: Simulator) -> Iterator[Service]:
    """One that leaves the purge to iconik, for tests that kill it."""
    service = Service(tmp_path, simulator, environment=LATER)
    yield service
    service.stop()


def undo(service: Service, operation_id: str) -> str:
    """Undo a Remove that left the same formats of all its assets; returns the new operation."""
    answer = service.press("undo", operation_id)
    assert answer.status_code == 200, answer.text
    (new_id,) = answer.json()["operation_ids"]
    return str(new_id)


def restore(service: Service, action: str, operation_id: str, *asset_ids: str) -> str:
    """Undo a Remove, or add its assets; returns the new operation."""
    if action == "undo":
        return undo(service, operation_id)
    answer = service.click("add", "ORIGINAL", asset_ids=list(asset_ids))
    return str(answer.json()["operation_id"])


def undone(service: Service, operation_id: str) -> dict[str, Any]:
    """Undo a Remove; returns the report."""
    return service.report(undo(service, operation_id))


def page_of(service: Service, operation_id: str) -> dict[str, Any]:
    """What the page of an operation tells programs."""
    answer = requests.get(
        f"{service.url}/operations/{operation_id}",
        auth=("ada", SECRET),
        headers={"Accept": "application/json"},
        timeout=30,
    )
    told: dict[str, Any] = answer.json()
    return told


def remove(service: Service, *asset_ids: str, formats: str = "ORIGINAL") -> str:
    """Remove assets, and wait for the end; returns the operation's id."""
    answer = service.click("remove", formats, asset_ids=list(asset_ids))
    operation_id = str(answer.json()["operation_id"])
    assert service.report(operation_id)["result"] == "done"
    return operation_id


def removed(desk: Desk, *asset_ids: str, **click: Any) -> str:
    """Remove assets, and wait for the end; returns the operation's id."""
    operation_id = desk.click("remove", *asset_ids, **click)
    desk.report(operation_id)
    return operation_id


def marked_and_killed(service: Service) -> tuple[str, str]:
    """An asset whose file set is marked deleted, of which a killed Remove has no record."""
    clip = asset(service.simulator, "clip", on="both")
    hang_at(service.simulator, "DELETE", FILE_SET)
    answer = service.click("remove", "ORIGINAL", asset_ids=[clip])
    kill_at(service)
    wait_for("mark", lambda: steps(service.simulator) == ["delete"], 60)
    return clip, str(answer.json()["operation_id"])


def a_day_later(simulator: Simulator) -> None:
    """Have iconik empty its delete queue."""
    simulator.control("PATCH", "settings", {"clock_ahead_seconds": DAY + 60})


def steps(simulator: Simulator) -> list[str]:
    """What was done to file sets: 'delete', 'purge' and 'restore', in order."""
    return [each["step"] for each in simulator.control("GET", "deletions")["objects"]]


def counted(report: dict[str, Any], *kinds: str) -> Sequence[int]:
    return [report["counts"][kind] for kind in kinds]


# A Remove


@pytest.mark.promise
def test_a_remove_only_marks_and_iconik_frees_the_space_a_day_later(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    operation_id = desk.click("remove", clip)
    report = desk.report(operation_id)
    assert counted(report, "removed") == [1]
    assert report["undo"].startswith("can be undone until ")
    assert (desk.deletions(clip), desk.on_lucidlink(clip)) == (["delete"], ["clip.mov"])
    a_day_later(desk.simulator)
    assert (desk.deletions(clip), desk.on_lucidlink(clip)) == (["delete", "purge"], [])


@pytest.mark.parametrize("fault", ["status:403", "status:503", "html"])
def test_a_grace_period_that_is_not_told_is_about_a_day(desk: Desk, fault: str) -> None:
    desk.let(fault, "GET", SETTINGS, times=None)
    report = desk.do("remove", desk.asset(b2=CLIP, lucidlink=CLIP))
    assert counted(report, "removed") == [1]
    assert report["undo"].startswith("can be undone until about ")


def test_a_second_remove_finds_nothing_and_the_first_can_still_be_undone(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    first = removed(desk, clip)
    assert counted(desk.do("remove", clip), "absent") == [1]
    assert counted(undone(desk.service, first), "restored") == [1]


# An Undo


@pytest.mark.promise
def test_an_undo_brings_back_what_then_stays(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    operation_id = removed(desk, clip)
    report = undone(desk.service, operation_id)
    assert (report["result"], report["bytes"]) == ("done", {"restored": 300})
    a_day_later(desk.simulator)
    assert (desk.deletions(clip), desk.on_lucidlink(clip)) == (["delete", "restore"], ["clip.mov"])
    assert desk.service.press("undo", operation_id).status_code == 409


def test_an_undo_after_the_purge_came_too_late(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    operation_id = removed(desk, clip)
    a_day_later(desk.simulator)
    reason = only_problem(undone(desk.service, operation_id), "failed")
    assert reason.endswith("the undo came too late")


@pytest.mark.promise
def test_a_restoration_that_is_refused_is_told_with_what_to_do(desk: Desk) -> None:
    clip, user = desk.asset(b2=CLIP, lucidlink=CLIP), desk.user(roles=ROLES)
    operation_id = removed(desk, clip, user=user)
    reason = only_problem(undone(desk.service, operation_id), "failed")
    assert "can_write_files" in reason
    assert "from iconik's delete queue before iconik empties it" in reason


def test_a_remove_after_an_undo_removes_again(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    first = removed(desk, clip)
    undone(desk.service, first)
    second = desk.click("remove", clip)
    assert counted(desk.report(second), "removed") == [1]
    assert counted(undone(desk.service, second), "restored") == [1]
    assert desk.deletions(clip) == ["delete", "restore", "delete", "restore"]


def test_a_remove_that_overtakes_an_undo_wins(desk: Desk) -> None:
    clips = [desk.asset(b2=CLIP, lucidlink=CLIP) for _ in range(3)]
    first = removed(desk, *clips)
    desk.let("hang:60", "PUT", RESTORE, times=1)
    undo_id = undo(desk.service, first)
    desk.wait_until_taken()
    second = desk.click("remove", *clips)
    desk.heal()
    desk.report(undo_id)
    desk.report(second)
    sets = [each for clip in clips for each in desk.file_sets(clip, "lucidlink")]
    assert [each["status"] for each in sets] == ["DELETED"] * 3


def test_an_undo_that_is_stopped_leaves_the_rest_to_another_one(desk: Desk) -> None:
    clips = [desk.asset(b2=CLIP, lucidlink=CLIP) for _ in range(60)]
    operation_id = removed(desk, *clips)
    # The first batch has eight assets, and only one more begins before it is done.
    desk.let("hang:60", "PUT", RESTORE, times=8)
    undo_id = undo(desk.service, operation_id)
    desk.wait_until_taken()
    assert desk.service.ask_to_stop(undo_id, "a test")
    desk.heal()
    stopped = desk.service.report(undo_id)
    again = undone(desk.service, operation_id)
    assert stopped["result"] == "stopped"
    assert counted(stopped, "restored")[0] + counted(again, "restored")[0] == 60
    a_day_later(desk.simulator)
    assert all(desk.on_lucidlink(clip) == ["clip.mov"] for clip in clips)


# An Add


@pytest.mark.promise
@pytest.mark.parametrize("hints", [True, False])
def test_an_add_restores_and_requests_no_copy_next_to_what_is_marked(
    desk: Desk, hints: bool
) -> None:
    desk.set(listing_hints=hints)
    clips = [desk.asset(b2=CLIP, lucidlink=CLIP) for _ in range(30)]
    top = desk.collection(*clips)
    desk.do("remove", collection_ids=[top])
    assert counted(desk.do("add", collection_ids=[top]), "restored") == [30]
    assert desk.copies_asked_for() == []
    a_day_later(desk.simulator)
    assert all(desk.on_lucidlink(clip) == ["clip.mov"] for clip in clips)


@pytest.mark.promise
def test_an_add_that_may_not_restore_fails_and_copies_nothing(desk: Desk) -> None:
    clip, user = desk.asset(b2=CLIP, lucidlink=CLIP), desk.user(roles=ROLES)
    desk.do("remove", clip, user=user)
    assert "can_write_files" in only_problem(desk.do("add", clip, user=user), "failed")
    assert desk.copies_asked_for() == []


# Kills


@pytest.mark.promise
def test_a_mark_whose_record_was_lost_is_proven_again_and_not_purged(
    simulator: Simulator, service: Service
) -> None:
    clip, operation_id = marked_and_killed(service)
    simulator.control("DELETE", "requests")
    service.start()
    assert counted(service.report(operation_id), "removed") == [1]
    assert asked(simulator, "GET", f"assets/{clip}/files/")
    assert steps(simulator) == ["delete"]
    assert counted(undone(service, operation_id), "restored") == [1]
    a_day_later(simulator)
    assert files(simulator.lucidlink) == ["clip_original.mov"]
    assert unproven_deletions(simulator) == 0


@pytest.mark.promise
def test_an_edit_between_a_mark_and_its_record_is_given_back(
    simulator: Simulator, service: Service
) -> None:
    clip, operation_id = marked_and_killed(service)
    simulator.edit_on_lucidlink(clip, "another cut")
    service.start()
    report = service.report(operation_id)
    assert counted(report, "removed", "failed") == [0, 1]
    a_day_later(simulator)
    assert files(simulator.lucidlink) == ["clip_original.mov"]


@pytest.mark.promise
@pytest.mark.parametrize("action", ["add", "undo"])
def test_a_restoration_whose_record_was_lost_is_repeated(
    simulator: Simulator, service: Service, action: str
) -> None:
    clip = asset(simulator, "clip", on="both")
    operation_id = remove(service, clip)
    hang_at(simulator, "PUT", RESTORE)
    second = restore(service, action, operation_id, clip)
    kill_at(service)
    wait_for("restoration", lambda: steps(simulator) == ["delete", "restore"], 60)
    service.start()
    assert counted(service.report(second), "restored") == [1]
    a_day_later(simulator)
    assert files(simulator.lucidlink) == ["clip_original.mov"]
    assert steps(simulator) == ["delete", "restore"]


@pytest.mark.promise
@pytest.mark.parametrize("action", ["add", "undo"])
def test_a_restoration_that_was_not_carried_out_before_a_kill_is_carried_out_then(
    simulator: Simulator, service: Service, action: str
) -> None:
    clips = [asset(simulator, f"clip{number}", on="both") for number in range(3)]
    operation_id = remove(service, *clips)
    fault = {"fault": "status:503", "method": "PUT", "path": RESTORE, "times": None}
    simulator.control("POST", "faults", fault)
    second = restore(service, action, operation_id, *clips)
    wait_for("attempt", lambda: asked(simulator, "PUT", "/restore/"), 60)
    service.process.kill()
    simulator.control("DELETE", "faults")
    service.start()
    assert counted(service.report(second), "restored") == [3]
    a_day_later(simulator)
    assert len(files(simulator.lucidlink)) == 3


@pytest.mark.promise
@pytest.mark.parametrize(
    ("before", "after", "done"),
    [("later", "now", ["delete", "purge"]), ("now", "later", ["delete"])],
)
def test_a_remove_that_is_resumed_with_another_setting_goes_by_that(
    tmp_path: Path, simulator: Simulator, before: str, after: str, done: list[str]
) -> None:
    service = Service(tmp_path, simulator, environment={"PURGE": before})
    _, operation_id = marked_and_killed(service)
    service.environment["PURGE"] = after
    service.start()
    assert counted(service.report(operation_id), "removed") == [1]
    assert (steps(simulator), unproven_deletions(simulator)) == (done, 0)
    assert page_of(service, operation_id)["can_be_undone"] == (after == "later")
    service.stop()


# Formats that share a file


@pytest.mark.promise
def test_what_shares_a_file_with_what_is_added_is_restored_with_it(
    simulator: Simulator, service: Service
) -> None:
    side = [{"name": "clip.mov", "content": "the same for both"}]
    formats = {name: {"b2": side, "lucidlink": side} for name in ("ORIGINAL", PROXY)}
    clip = simulator.control("POST", "assets", {"title": "clip", "formats": formats})["id"]
    remove(service, clip, formats=f"ORIGINAL,{PROXY}")
    answer = service.click("add", "ORIGINAL", asset_ids=[clip])
    assert counted(service.report(str(answer.json()["operation_id"])), "restored") == [1]
    a_day_later(simulator)
    assert files(simulator.lucidlink) == ["clip.mov"]


# Shortly before the purge


def marked(simulator: Simulator, service: Service) -> tuple[str, str]:
    """An asset whose original a Remove has marked deleted, for an hour, and the Remove."""
    simulator.control("PATCH", "settings", {"delete_grace_period": 1})
    clip = asset(simulator, "clip", on="both")
    return clip, remove(service, clip)


def restart(simulator: Simulator, service: Service, clip: str) -> None:
    """Have the service check what iconik purges soon."""
    service.process.stop()
    simulator.control("DELETE", "requests")
    service.start()
    wait_for("check", lambda: asked(simulator, "GET", f"assets/{clip}/files/"), 10)


@pytest.mark.promise
def test_an_edit_before_the_purge_is_given_back_and_stays(
    simulator: Simulator, service: Service
) -> None:
    clip, _ = marked(simulator, service)
    simulator.edit_on_lucidlink(clip, "another cut")
    restart(simulator, service, clip)
    wait_for("restoration", lambda: steps(simulator) == ["delete", "restore"], 60)
    a_day_later(simulator)
    assert files(simulator.lucidlink) == ["clip_original.mov"]
    assert unproven_deletions(simulator) == 0


def test_people_see_that_the_service_undid_a_removal_and_why(
    simulator: Simulator, service: Service
) -> None:
    clip, operation_id = marked(simulator, service)
    simulator.edit_on_lucidlink(clip, "another cut")
    restart(simulator, service, clip)
    (new,) = wait_for("undo", lambda: page_of(service, operation_id)["retried_as"], 60)
    assert counted(service.report(new["operation_id"]), "restored") == [1]
    told = page_of(service, new["operation_id"])
    assert (told["origin"], told["retried_by"]) == ("unsafe", "the service")
    assert "differs from its master: 11 bytes on LucidLink" in service.log()


@pytest.mark.promise
def test_a_master_that_is_lost_before_the_purge_is_missed_in_time(
    simulator: Simulator, service: Service
) -> None:
    clip, _ = marked(simulator, service)
    for each in simulator.control("GET", "buckets/objects")["objects"]:
        change = {"storage": "b2", "key": each["key"], "do": "remove"}
        simulator.control("POST", "buckets/objects", change)
    restart(simulator, service, clip)
    wait_for("restoration", lambda: steps(simulator) == ["delete", "restore"], 60)
    a_day_later(simulator)
    assert files(simulator.lucidlink) == ["clip_original.mov"]


@pytest.mark.parametrize("are_listed", [True, False])
def test_what_is_still_proven_or_no_longer_listed_is_left_to_iconik(
    simulator: Simulator, service: Service, are_listed: bool
) -> None:
    clip, _ = marked(simulator, service)
    simulator.control("PATCH", "settings", {"deleted_files_listed": are_listed})
    restart(simulator, service, clip)
    a_day_later(simulator)
    assert steps(simulator) == ["delete", "purge"]
