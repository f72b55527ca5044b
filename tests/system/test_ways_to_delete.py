"""The ways to delete that not every iconik offers, and what listings tell of newer ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import Service, Simulator, wait_for
from tests.system.desk import ROLES
from tests.system.media import (
    PROXY,
    asset,
    files,
    requests_seen,
    unproven_deletions,
)
from tests.system.points import PURGE, PURGE_MANY, asked, hang_at, kill_at, stood_still

BOTH = ("ORIGINAL", PROXY)
BULK = "files/v1/assets/*/file_sets/bulk/"
BULK_CALL = "POST files/v1/assets/{}/file_sets/bulk/"
MARK_CALL = "DELETE files/v1/assets/{}/file_sets/{}/"
PURGE_CALL = "DELETE files/v1/assets/{}/file_sets/{}/purge/"
QUEUE_CALL = "POST files/v1/delete_queue/file_sets/purge/"


@pytest.fixture
def newer(start_simulator: Callable[..., Simulator]) -> Simulator:
    """An iconik with all that newer ones have."""
    return start_simulator("--bulk-deletion", "--listing-hints", "--copy-seconds", "0.05")


@pytest.fixture
def newer_service(tmp_path: Path, newer: Simulator, stopped: Callable[..., Service]) -> Service:
    """The service as it is shipped, in front of a newer iconik."""
    return stopped(Service(tmp_path, newer))


@pytest.fixture
def stopped(request: pytest.FixtureRequest) -> Callable[[Service], Service]:
    """Sees to it that a service is stopped at the end."""

    def stop_later(service: Service) -> Service:
        request.addfinalizer(service.stop)
        return service

    return stop_later


def removed(service: Service, *asset_ids: str) -> int:
    """Remove assets in both formats; returns how many formats of assets were removed."""
    answer = service.click("remove", ",".join(BOTH), asset_ids=list(asset_ids))
    report = service.report(answer.json()["operation_id"])
    assert report["problems"] == []
    return int(report["counts"]["removed"])


def on_both(simulator: Simulator, number: int) -> list[str]:
    """Assets that are on B2 and on LucidLink."""
    return [asset(simulator, f"clip{n}", on="both", formats=BOTH) for n in range(number)]


def test_a_newer_iconik_is_asked_twice_an_asset(newer: Simulator, newer_service: Service) -> None:
    clips = on_both(newer, 5)
    newer.control("DELETE", "requests")
    assert removed(newer_service, *clips) == 10
    seen = requests_seen(newer)
    asked_for = (seen[BULK_CALL], seen["GET files/v1/assets/{}/files/"])
    assert asked_for == (5, 5) or stood_still(newer)
    assert "GET files/v1/assets/{}/formats/" not in seen
    assert not any(each.startswith("DELETE") or each == QUEUE_CALL for each in seen)
    assert (files(newer.lucidlink), unproven_deletions(newer)) == ([], 0)


def test_where_many_can_be_purged_they_are_purged_by_one_request(
    simulator: Simulator, service: Service
) -> None:
    assert removed(service, *on_both(simulator, 5)) == 10
    seen = requests_seen(simulator)
    assert seen[MARK_CALL] == 10
    if not stood_still(simulator):
        # Or by two, where it takes seconds to mark them.
        assert seen[QUEUE_CALL] in (1, 2)
        assert PURGE_CALL not in seen
    # That there is no better way was found out once.
    assert seen[BULK_CALL] == 1
    assert (files(simulator.lucidlink), unproven_deletions(simulator)) == ([], 0)


def test_without_the_role_for_it_each_is_purged_by_itself(
    simulator: Simulator, service: Service
) -> None:
    simulator.control("POST", "tokens", {"token": simulator.token, "roles": ROLES})
    assert removed(service, *on_both(simulator, 3)) == 6
    seen = requests_seen(simulator)
    assert (seen[MARK_CALL], seen[PURGE_CALL]) == (6, 6)
    assert stood_still(simulator) or seen[QUEUE_CALL] == 1
    assert files(simulator.lucidlink) == []


def test_killed_while_many_are_purged_all_are_brought_to_their_end(
    simulator: Simulator, service: Service
) -> None:
    clips = on_both(simulator, 4)
    hang_at(simulator, "POST", PURGE_MANY)
    answer = service.click("remove", ",".join(BOTH), asset_ids=clips)
    kill_at(service)
    service.start()
    report = service.report(answer.json()["operation_id"])
    assert (report["counts"]["removed"], report["problems"]) == (8, [])
    assert (files(simulator.lucidlink), unproven_deletions(simulator)) == ([], 0)


def test_what_was_marked_with_others_is_proven_anew_where_their_purge_was_lost(
    simulator: Simulator, service: Service
) -> None:
    kept, gone = (asset(simulator, title, on="both") for title in ("kept", "gone"))
    fault = {"fault": "reset", "method": "POST", "path": PURGE_MANY}
    simulator.control("POST", "faults", fault)
    # Nor is either purged by itself before it was edited.
    lasting = {"fault": "status:503", "method": "DELETE", "path": PURGE, "times": None}
    simulator.control("POST", "faults", lasting)
    answer = service.click("remove", "ORIGINAL", asset_ids=[kept, gone])
    wait_for("purge", lambda: asked(simulator, "POST", "/file_sets/purge/"), 120)
    simulator.edit_on_lucidlink(kept, "a longer cut " * 100)
    simulator.control("DELETE", "faults")
    report = service.report(answer.json()["operation_id"])
    (problem,) = report["problems"]
    assert (problem["asset_id"], problem["kind"]) == (kept, "failed")
    assert problem["reason"].endswith("was restored")
    assert files(simulator.lucidlink) == ["kept_original.mov"]


@pytest.mark.parametrize("fault", ["reset", "status:503"])
def test_a_bulk_deletion_whose_answer_is_lost_is_not_repeated_blindly(
    newer: Simulator, newer_service: Service, fault: str
) -> None:
    (clip,) = on_both(newer, 1)
    body = {"fault": fault, "method": "POST", "path": BULK, "after": True}
    newer.control("POST", "faults", body)
    assert removed(newer_service, clip) == 2
    assert len(asked(newer, "POST", "/bulk/")) == 1
    assert (files(newer.lucidlink), unproven_deletions(newer)) == ([], 0)


def test_killed_in_a_bulk_deletion_it_is_brought_to_its_end(
    newer: Simulator, newer_service: Service
) -> None:
    clips = on_both(newer, 3)
    hang_at(newer, "POST", BULK)
    answer = newer_service.click("remove", ",".join(BOTH), asset_ids=clips)
    kill_at(newer_service)
    newer_service.start()
    report = newer_service.report(answer.json()["operation_id"])
    assert (report["counts"]["removed"], report["problems"]) == (6, [])
    assert (files(newer.lucidlink), unproven_deletions(newer)) == ([], 0)
