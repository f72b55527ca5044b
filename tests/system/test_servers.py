"""The ways to serve the plugin, and what it says when it can't be."""

import os
import signal
from pathlib import Path

import pytest
import requests

from dev.harness import SECRET, Service, Simulator, wait_for
from tests.system.media import asset, files
from tests.system.points import database_of
from tests.system.servers import SERVERS, refused_start


def test_four_workers_run_each_operation_once(tmp_path: Path, simulator: Simulator) -> None:
    service = Service(tmp_path, simulator, ["-w", "4"])
    clips = [asset(simulator, f"clip{n}") for n in range(8)]
    ids = [service.click("add", asset_ids=[clip]).json()["operation_id"] for clip in clips]
    assert all(service.report(each)["counts"]["copied"] == 1 for each in ids)
    assert service.log().count("this process now runs the operations") == 1
    service.stop()
    assert len(files(simulator.lucidlink)) == 8


def leader(service: Service) -> int:
    """The id of the process that runs operations: it is what holds the lock."""
    inode = Path(f"{database_of(service)}.lock").stat().st_ino
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    (found,) = [fields[4] for fields in locks if fields[5].endswith(f":{inode}")]
    return int(found)


def test_a_click_is_answered_though_the_worker_that_answers_is_held_up(
    simulator: Simulator, service: Service
) -> None:
    first = service.click("add", asset_ids=[asset(simulator, "before")])
    service.report(first.json()["operation_id"])
    (answering,) = set(service.workers()) - {leader(service)}
    os.kill(answering, signal.SIGSTOP)
    try:
        answer = service.click("add", asset_ids=[asset(simulator, "clip")])
    finally:
        os.kill(answering, signal.SIGCONT)
    assert answer.status_code == 200
    assert service.report(answer.json()["operation_id"])["counts"]["copied"] == 1


def test_flask_serves_it_too(flask_url: str, simulator: Simulator) -> None:
    answer = requests.post(
        f"{flask_url}/add",
        params={
            "b2_storage_id": simulator.b2_storage_id,
            "ll_storage_id": simulator.ll_storage_id,
        },
        json={
            "context": "ASSET",
            "asset_ids": [asset(simulator, "clip")],
            "auth_token": simulator.token,
        },
        headers={"x-bz-secret": SECRET},
        timeout=60,
    )
    assert answer.status_code == 200
    wait_for("copy", lambda: files(simulator.lucidlink) == ["clip_original.mov"], 120)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the service needs, but for one setting."""
    id_ = "11111111-1111-4111-8111-111111111111"
    return {"ICONIK_ID": id_, "BZ_SHARED_SECRET": "", "STATE_DIRECTORY": str(tmp_path)}


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server[0])
def test_a_missing_setting_stops_the_start_with_one_line(
    environment: dict[str, str], server: list[str]
) -> None:
    told = refused_start(server, environment)
    assert [line for line in told.splitlines() if "BZ_SHARED_SECRET is not set" in line]
