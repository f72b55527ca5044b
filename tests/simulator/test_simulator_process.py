"""The process: how it starts, how it ends, what it leaves."""

import signal
from pathlib import Path

import psutil
import pytest
import requests

from tests.simulator.desk import Desk, wait_for

BOUND = 60.0


def family(desk: Desk) -> list[psutil.Process]:
    """Its processes."""
    parent = psutil.Process(desk.process.pid)
    return [parent, *parent.children(recursive=True)]


def is_alive(process: psutil.Process) -> bool:
    """Whether a process does anything; one that nobody has waited for does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_its_ready_line_says_all_that_is_needed(tmp_path: Path) -> None:
    own = "0a0a0a0a-0000-4000-8000-00000000000{}"
    options = {
        "--app-id": own.format(1),
        "--token": "my-token",
        "--b2-storage-id": own.format(2),
        "--ll-storage-id": own.format(3),
    }
    desk = Desk(tmp_path, *(word for option in options.items() for word in option))
    assert desk.ready == (
        f"simulator ready at {desk.url} app_id={own.format(1)} token=my-token"
        f" b2_storage_id={own.format(2)} ll_storage_id={own.format(3)}\n"
    )
    assert desk.get(f"files/v1/storages/{own.format(3)}/")["method"] == "FILE"
    assert desk.stop() == ("", "")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_it_ends_at_once_and_leaves_no_process(tmp_path: Path, sign: signal.Signals) -> None:
    desk = Desk(tmp_path)
    desk.control("PATCH", "settings", {"hang_seconds": 60})
    with pytest.raises(requests.Timeout):
        desk.session.get(
            f"{desk.url}/API/files/v1/storages/", headers={"App-ID": desk.app_id}, timeout=0.1
        )
    processes = family(desk)
    # It answers in a minute.
    desk.process.send_signal(sign)
    desk.process.wait(BOUND)
    wait_for("end", lambda: not any(map(is_alive, processes)), BOUND)
    desk.stop()


def test_it_does_not_live_on_with_its_memory_lost(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    _, worker = family(desk)
    worker.kill()
    desk.process.wait(BOUND)
    assert "its process has died" in desk.stop()[1]


def test_settings_that_make_no_sense(own_desk: Desk) -> None:
    before = own_desk.control("GET", "settings")
    wrongs = ({"speed": 1}, {"down": 1}, {"latency_ms": "1"}, {"rate_limit": -1}, {"down": None})
    for wrong in wrongs:
        answer = requests.patch(f"{own_desk.url}/_simulator/settings", json=wrong, timeout=60)
        assert answer.status_code == 400
        assert next(iter(wrong)) in answer.json()["errors"][0]
    both = {"copy_seconds": 3, "speed": 1}
    requests.patch(f"{own_desk.url}/_simulator/settings", json=both, timeout=60)
    assert own_desk.control("GET", "settings") == before, "all or nothing"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("assets", {"formats": {"ORIGINAL": {"b2": [{"name": "../../escaped.mov"}]}}}),
        ("assets", {"formats": {"ORIGINAL": {"b2": [{"name": "a", "directory": "/escaped"}]}}}),
        ("assets", {"formats": {"ORIGINAL": {"b2": [{"size": 5}]}}}),
        ("assets", {"formats": {"ORIGINAL": {"b2": [{"name": "a", "colour": "red"}]}}}),
        ("assets", {"formats": {"ORIGINAL": {"tape": [{"name": "a"}]}}}),
        ("assets", {"collection_ids": ["nowhere"]}),
        ("fill", {"number": 5}),
        ("click", {"label": "Add"}),
        ("storages", {"name": "../outside"}),
        ("collections", []),
    ],
)
def test_wrong_requests_of_the_simulator_itself(desk: Desk, path: str, body: object) -> None:
    before = desk.control("GET")["assets"]
    answer = requests.post(f"{desk.url}/_simulator/{path}", json=body, timeout=60)
    assert (answer.status_code, list(answer.json())) == (400, ["errors"])
    assert desk.control("GET")["assets"] == before
    assert not list(desk.b2.parent.parent.rglob("*escaped*"))


@pytest.mark.parametrize("field", ["name", "original_name", "directory_path"])
def test_no_record_leads_out_of_its_storage(desk: Desk, field: str) -> None:
    """What is purged or copied is what records name, so none may name a stranger's file."""
    file_id = desk.asset()["file_ids"]["ORIGINAL"]["b2"][0]
    url = f"{desk.url}/_simulator/files/{file_id}"
    assert requests.patch(url, json={field: "../../etc"}, timeout=60).status_code == 400
    assert requests.patch(url, json={field: "elsewhere"}, timeout=60).status_code == 200


def test_a_kind_of_checksum_nobody_knows(desk: Desk) -> None:
    url = f"{desk.url}/_simulator/storages/b2"
    assert requests.patch(url, json={"checksum": "crc"}, timeout=60).status_code == 400
    assert requests.patch(url, json={"colour": "red"}, timeout=60).status_code == 400
