"""An operation is stopped by another process, in the middle, and across a kill."""

import json
import os
import subprocess
import sys

import pytest

from dev.harness import ROOT, Service, Simulator, wait_for
from tests.system.media import asset, collection, files, unproven_deletions
from tests.system.points import PURGE_MANY, hang_at, kill_at

MANY = 120
PURGE = "files/v1/assets/*/purge/"


def stop(service: Service, operation_id: str) -> None:
    assert service.ask_to_stop(operation_id, "Ada")


@pytest.mark.promise
def test_a_remove_of_many_assets_is_stopped_and_deletes_no_more(
    simulator: Simulator, service: Service
) -> None:
    top = collection(simulator, "top")
    simulator.control("PATCH", "settings", {"latency_ms": 20})
    fill = {
        "count": MANY,
        "formats": {"ORIGINAL": 1},
        "on": ["b2", "lucidlink"],
        "collection_ids": [top],
    }
    simulator.control("POST", "fill", fill)
    operation_id = service.click("remove", "ORIGINAL", collection_ids=[top]).json()["operation_id"]
    wait_for("deletions", lambda: len(files(simulator.lucidlink)) < MANY - 10, 120)
    stop(service, operation_id)
    report = service.report(operation_id)
    left = len(files(simulator.lucidlink))
    assert (report["result"], report["stopped_by"]) == ("stopped", "Ada")
    assert 0 < left < MANY - 10
    assert report["counts"]["removed"] == MANY - left
    assert report["counts"]["undone"] == left
    assert unproven_deletions(simulator) == 0


def test_a_stop_is_heeded_by_whoever_runs_it_after_a_kill(
    simulator: Simulator, service: Service
) -> None:
    clips = [asset(simulator, f"clip{number}", on="both") for number in range(3)]
    hang_at(simulator, "POST", PURGE_MANY)
    operation_id = service.click("remove", "ORIGINAL", asset_ids=clips).json()["operation_id"]
    kill_at(service)
    stop(service, operation_id)
    service.start()
    report = service.report(operation_id)
    # What a deletion had begun for was brought to its end, and nothing is half deleted.
    removed = report["counts"]["removed"]
    assert report["result"] in ("stopped", "done")
    assert removed + report["counts"]["undone"] == len(clips)
    assert len(files(simulator.lucidlink)) == len(clips) - removed
    assert [each for each in report["problems"] if each["kind"] == "failed"] == []
    assert unproven_deletions(simulator) == 0


def test_a_click_after_a_stop_waits_for_the_copy_that_was_left(
    simulator: Simulator, service: Service
) -> None:
    clip = asset(simulator, "clip")
    simulator.control("PATCH", "settings", {"copies_paused": True})
    added = service.click("add", "ORIGINAL", asset_ids=[clip]).json()["operation_id"]
    wait_for("copy", lambda: service.progress(added).get("copying"), 120)
    stop(service, added)
    report = service.report(added)
    assert report["result"] == "stopped"
    assert "the requested copy may still be running in iconik" in report["problems"][0]["reason"]
    removed = service.click("remove", "ORIGINAL", asset_ids=[clip]).json()["operation_id"]
    wait_for("the same copy", lambda: service.progress(removed).get("copying"), 120)
    simulator.control("PATCH", "settings", {"copies_paused": False})
    # Had it not waited, the copy would have come after it, and stayed.
    assert service.report(removed)["counts"]["removed"] == 1
    assert files(simulator.lucidlink) == []
    assert unproven_deletions(simulator) == 0


def shell(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run script/operations' program beside the service, as its administrator would."""
    return subprocess.run(
        [sys.executable, "show_operations.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **service.environment, "SUDO_USER": "ada"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_operation_is_stopped_tried_again_and_watched_from_the_shell(
    simulator: Simulator, service: Service
) -> None:
    clips = [asset(simulator, f"clip{number}") for number in range(3)]
    simulator.control("PATCH", "settings", {"copies_paused": True})
    token = "a-token-that-expires"
    simulator.control("POST", "tokens", {"token": token})
    click = {"context": "BULK", "asset_ids": clips, "auth_token": token}
    first = service.post("add", click, "ORIGINAL").json()["operation_id"]
    wait_for("copies", lambda: service.progress(first).get("copying") == 3, 120)
    # The service's own goes on, for what is tried again, too.
    simulator.control("DELETE", f"tokens/{token}")
    assert (
        shell(service, "stop", first).stdout == "The operation will stop at its next safe point.\n"
    )
    assert service.report(first)["stopped_by"] == "ada with script/operations"
    said = shell(service, "retry", first, "--json")
    assert said.returncode == 0, said.stderr
    second = json.loads(said.stdout)["operation_id"]
    simulator.control("PATCH", "settings", {"copies_paused": False})
    watched = shell(service, "watch", second)
    assert ", nothing to do\n  clicked by  " in watched.stdout
    assert service.report(second)["counts"]["assets"] == 3
    assert service.operation(second).origin_of == first
    assert len(files(simulator.lucidlink)) == 3
    assert token not in said.stdout + said.stderr + watched.stdout
