"""A database that takes nothing down: who clicks is told so, and nothing is lost."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from simulator.harness import ROOT, Service, Simulator, wait_for
from tests.system.media import asset, files
from tests.system.points import asked, database_of, open_database

SECONDS = 120.0


@contextmanager
def full_disk(service: Service) -> Iterator[None]:
    """Let no file of the service grow any more, as on a full disk."""
    journal = Path(f"{database_of(service)}-wal").stat().st_size
    limits = {each: resource.prlimit(each, resource.RLIMIT_FSIZE) for each in pids(service)}
    try:
        for each, (_, hard) in limits.items():
            resource.prlimit(each, resource.RLIMIT_FSIZE, (journal, hard))
        yield
    finally:
        for each, limit in limits.items():
            resource.prlimit(each, resource.RLIMIT_FSIZE, limit)


def pids(service: Service) -> list[int]:
    return [service.process.pid, *service.process.children()]


@contextmanager
def locked(service: Service) -> Iterator[None]:
    """Have somebody else write to the database all the while."""
    with open_database(service) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def health(service: Service) -> int:
    return requests.get(f"{service.url}/healthz", timeout=30).status_code


def begun(simulator: Simulator, service: Service) -> str:
    """An Add that waits for its copy."""
    simulator.control("PATCH", "settings", {"copies_paused": True})
    answer = service.click("add", "ORIGINAL", asset_ids=[asset(simulator, "before")])
    operation_id = str(answer.json()["operation_id"])
    wait_for("copy", lambda: service.progress(operation_id).get("copying"), SECONDS)
    return operation_id


def works_again(simulator: Simulator, service: Service, before: str) -> None:
    """What was under way ends right, and so does another click."""
    wait_for("good health", lambda: health(service) == 200, SECONDS)
    answer = service.click("add", "ORIGINAL", asset_ids=[asset(simulator, "after")])
    assert answer.status_code == 200
    after = str(answer.json()["operation_id"])
    simulator.control("PATCH", "settings", {"copies_paused": False})
    assert service.report(before)["counts"]["copied"] == 1
    assert service.report(after)["counts"]["copied"] == 1
    assert service.newest()[:2] == [after, before]
    assert {"after_original.mov", "before_original.mov"} <= set(files(simulator.lucidlink))


def test_a_click_while_the_disk_is_full_is_told_to_come_again(
    simulator: Simulator, service: Service
) -> None:
    before = begun(simulator, service)
    clip = asset(simulator, "clip")
    with full_disk(service):
        answer = service.click("remove", asset_ids=[clip])
        assert (answer.status_code, health(service)) == (503, 503)
        assert int(answer.headers["Retry-After"]) > 0
    works_again(simulator, service, before)


def test_a_click_while_the_database_is_locked_is_told_to_come_again(
    simulator: Simulator, service: Service
) -> None:
    before = begun(simulator, service)
    clip = asset(simulator, "clip")
    with locked(service):
        answer = service.click("remove", asset_ids=[clip])
        assert (answer.status_code, health(service)) == (503, 503)
        assert int(answer.headers["Retry-After"]) > 0
    works_again(simulator, service, before)


def test_a_service_that_starts_while_the_database_is_locked_works_afterwards(
    simulator: Simulator, service: Service
) -> None:
    before = begun(simulator, service)
    service.process.kill()
    clip = asset(simulator, "clip")
    with locked(service):
        service.start()
        answer = service.click("remove", asset_ids=[clip])
        assert (answer.status_code, health(service)) == (503, 503)
    works_again(simulator, service, before)


@pytest.mark.parametrize(
    "server",
    [
        ["gunicorn", "-b", "127.0.0.1:0", "plugin:app"],
        ["flask", "--app", "plugin", "run", "--port", "0"],
    ],
    ids=["gunicorn", "flask"],
)
def test_a_database_of_a_newer_version_stops_the_start(
    simulator: Simulator, service: Service, server: list[str]
) -> None:
    service.process.kill()
    with open_database(service) as connection:
        connection.execute("UPDATE plugin_schema SET version = 1000")
    ended = subprocess.run(
        [sys.executable, "-m", *server],
        cwd=ROOT,
        env={**os.environ, **service.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "a database of a newer version of this service" in ended.stderr
    assert "Traceback" not in ended.stderr


CLOCK = """
import time
from pathlib import Path

wall, wall_ns, offset = time.time, time.time_ns, Path({offset!r})
time.time = lambda: wall() + int(offset.read_text())
time.time_ns = lambda: wall_ns() + int(offset.read_text()) * 1_000_000_000
"""
YEAR = 366 * 24 * 3600


def leap(offset: Path, seconds: int) -> None:
    """Set the clock at once: a file that is read half written would be no clock at all."""
    new = offset.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(offset)


def memo(service: Service, asset_id: str) -> str:
    """What is remembered of an asset."""
    with open_database(service) as connection:
        found = connection.execute(
            "SELECT memo FROM plugin_assets WHERE asset_id = ?", (asset_id,)
        ).fetchone()
    return str(found)


@pytest.mark.parametrize("jump", [-YEAR, YEAR], ids=["backwards", "forwards"])
@pytest.mark.parametrize("is_running", [True, False], ids=["while it runs", "while it is down"])
def test_a_clock_that_jumps_neither_ends_an_operation_nor_holds_it_up(
    tmp_path: Path, simulator: Simulator, jump: int, is_running: bool
) -> None:
    offset = tmp_path / "offset"
    leap(offset, 0)
    # Python runs this by itself before anything else.
    (tmp_path / "sitecustomize.py").write_text(CLOCK.format(offset=str(offset)))
    service = Service(tmp_path, simulator, environment={"PYTHONPATH": str(tmp_path)})
    simulator.control("POST", "faults", {"copy": "leave_open"})
    clip = asset(simulator, "unfinished")
    unfinished = str(service.click("add", "ORIGINAL", asset_ids=[clip]).json()["operation_id"])
    # From the first look on, patience with it is counted.
    wait_for("look", lambda: "unfinished_ms" in memo(service, clip), SECONDS)
    before = begun(simulator, service)
    looks = f"{clip}/files/"
    seen = len(asked(simulator, "GET", looks))
    if is_running:
        leap(offset, jump)
    else:
        service.process.kill()
        leap(offset, jump)
        service.start()
    works_again(simulator, service, before)
    # It is looked at again, and patience with it is not over.
    wait_for("looks", lambda: len(asked(simulator, "GET", looks)) >= seen + 2, SECONDS)
    assert not service.has_ended(unfinished)
    for file_set in simulator.control("GET", f"assets/{clip}")["formats"][0]["file_sets"]:
        for file in file_set["files"]:
            simulator.control("PATCH", f"files/{file['id']}", {"status": "CLOSED", "size": 300})
    assert service.report(unfinished)["counts"]["copied"] == 1
    service.stop()
