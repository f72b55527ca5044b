"""An answered click is kept: kills, restarts, and an iconik that is away only delay it."""

import pytest

from dev.harness import Service, Simulator, wait_for
from tests.system.media import asset, collection, files, requests_seen, unproven_deletions

pytestmark = pytest.mark.promise


def test_a_click_is_answered_while_iconik_is_away_and_done_when_it_is_back(
    simulator: Simulator, service: Service
) -> None:
    clip = asset(simulator, "clip")
    simulator.control("PATCH", "settings", {"down": True})
    answer = service.click("add", asset_ids=[clip])
    assert answer.status_code == 200
    wait_for("failed request", lambda: "continuing when iconik is back" in service.log(), 120)
    simulator.control("PATCH", "settings", {"down": False})
    service.report(answer.json()["operation_id"])
    assert files(simulator.lucidlink) == ["clip_original.mov"]


def test_a_hanging_iconik_does_not_hold_up_an_answer(
    simulator: Simulator, service: Service
) -> None:
    clip = asset(simulator, "clip")
    simulator.control("POST", "faults", {"fault": "hang:50", "times": None})
    before = requests_seen(simulator)
    answer = service.click("add", asset_ids=[clip])
    assert answer.status_code == 200
    assert requests_seen(simulator) == before
    simulator.control("DELETE", "faults")
    service.report(answer.json()["operation_id"])


def wait_until_left(simulator: Simulator, number: int) -> None:
    """Wait until at most so many files are left on LucidLink."""
    wait_for("deletions", lambda: len(files(simulator.lucidlink)) <= number, 120)


def test_a_remove_that_is_killed_again_and_again_ends_right_by_itself(
    simulator: Simulator, service: Service
) -> None:
    top = collection(simulator, "top")
    simulator.control("PATCH", "settings", {"latency_ms": 20})
    simulator.control(
        "POST",
        "fill",
        {
            "count": 90,
            "formats": {"ORIGINAL": 1, "PPRO_PROXY": 1},
            "on": ["b2", "lucidlink"],
            "collection_ids": [top],
        },
    )
    asset(simulator, "render", on="lucidlink", collection_ids=(top,))
    operation_id = service.click("remove", collection_ids=[top]).json()["operation_id"]
    left = len(files(simulator.lucidlink))
    for _ in range(3):
        wait_until_left(simulator, left - 30)
        assert not service.has_ended(operation_id)
        service.process.kill()
        left = len(files(simulator.lucidlink))
        service.start()
    report = service.report(operation_id, 120)
    assert files(simulator.lucidlink) == []
    assert report["result"] == "done"
    assert report["counts"]["removed"] == 181
    assert unproven_deletions(simulator) == 0
