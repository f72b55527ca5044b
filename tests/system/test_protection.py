"""Protected assets under Gunicorn: every Remove keeps them, until somebody lifts the protection."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dev.harness import Service, wait_for
from tests.system.desk import CLIP, FILES, Desk, only_problem
from tests.system.media import asset, files, unproven_deletions
from tests.system.points import hang_at

# The last day of a protection.
DAY = (datetime.now(tz=timezone.utc) + timedelta(days=30)).date().isoformat()
KEPT = f"protected by ada until {DAY}"
PATIENCE = 120.0


def send(service: Service, asset_id: str, form: str, **fields: str) -> dict[str, Any]:
    """Send a form of an asset's page; returns the answer."""
    answer = service.submit(f"assets/{asset_id}/{form}", **fields)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def protect(service: Service, asset_id: str) -> str:
    """Protect an asset that an operation has touched; returns what the service says."""
    return str(send(service, asset_id, "protect", until=DAY)["message"])


def asked_about(desk: Desk, asset_id: str) -> list[str]:
    """The requests about an asset since the test began, but for those that show the work."""
    return [each["path"] for each in desk.asked() if asset_id in each["path"]]


@pytest.mark.promise
def test_a_protected_asset_stays_until_the_protection_is_lifted(desk: Desk) -> None:
    clip, other = desk.asset(b2=CLIP, lucidlink=CLIP), desk.asset(b2=CLIP, lucidlink=CLIP)
    desk.do("add", clip)
    assert protect(desk.service, clip).startswith("The asset is protected: no Remove will")
    desk.simulator.control("DELETE", "requests")
    remove = desk.click("remove", clip, other)
    told = desk.report(remove)
    assert only_problem(told, "kept") == KEPT
    assert (told["result"], told["counts"]["removed"]) == ("partly done", 1)
    assert (desk.on_lucidlink(clip), desk.on_lucidlink(other)) == (["clip.mov"], [])
    assert asked_about(desk, clip) == []
    assert send(desk.service, clip, "lift", reason="the cut is locked")["protection"] is None
    retry = desk.report(desk.try_again(remove))
    assert (retry["result"], retry["counts"]["removed"]) == ("done", 1)
    assert desk.on_lucidlink(clip) == []
    log = desk.service.log()
    assert f"audit: protected asset {clip} (clip) until {DAY}, by ada" in log
    lifted = f"audit: lifted the protection of asset {clip} (clip) by ada until {DAY}, by ada:"
    assert f"{lifted} the cut is locked" in log


def test_a_protection_that_is_set_while_the_asset_is_read_keeps_it(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    desk.let("hang:3", "GET", FILES)
    remove = desk.click("remove", clip)
    desk.wait_until_taken()
    protect(desk.service, clip)
    desk.heal()
    assert only_problem(desk.report(remove), "kept") == KEPT
    assert (desk.on_lucidlink(clip), desk.deletions(clip)) == (["clip.mov"], [])


def test_a_deletion_that_had_begun_is_finished_after_a_kill_and_nothing_else_begins(
    service: Service,
) -> None:
    simulator = service.simulator
    begun, new = asset(simulator, "begun", "both"), asset(simulator, "new", "both")
    service.report(service.click("preview", asset_ids=[begun, new]).json()["operation_id"])
    hang_at(simulator, "*", "files/v1/*purge/")
    first = service.click("remove", asset_ids=[begun]).json()["operation_id"]
    wait_for("purge", lambda: not simulator.control("GET", "faults")["requests"], PATIENCE)
    assert "a Remove had already begun to delete it, and will finish" in protect(service, begun)
    assert protect(service, new).startswith("The asset is protected: no Remove will")
    service.process.kill()
    service.start()
    second = service.click("remove", asset_ids=[begun, new]).json()["operation_id"]
    assert service.report(first)["counts"]["removed"] == 1
    assert service.report(second)["counts"]["removed"] == 0
    assert files(simulator.lucidlink) == ["new_original.mov"]
    assert unproven_deletions(simulator) == 0
