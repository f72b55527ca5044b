"""A database that takes nothing down: who clicks is told so, and nothing is lost."""

import os
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import psutil
import pytest
import requests

from dev.harness import WORKERS, Service, Simulator, wait_for
from tests.system.media import asset, files
from tests.system.points import asked, database_of, open_database
from tests.system.servers import GUNICORN, SERVERS, refused_start

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


@pytest.mark.parametrize("hindered", [full_disk, locked])
def test_a_click_while_nothing_can_be_written_is_told_to_come_again(
    simulator: Simulator,
    service: Service,
    hindered: Callable[[Service], AbstractContextManager[None]],
) -> None:
    before = begun(simulator, service)
    clip = asset(simulator, "clip")
    with hindered(service):
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


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server[0])
def test_a_database_of_a_newer_version_stops_the_start(service: Service, server: list[str]) -> None:
    service.process.kill()
    with open_database(service) as connection:
        connection.execute("UPDATE plugin_schema SET version = 1000")
    told = refused_start(server, service.environment)
    assert "a database of a newer version of this service" in told


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


def progress(service: Service, asset_id: str) -> str:
    """What is remembered of an asset."""
    with open_database(service) as connection:
        found = connection.execute(
            "SELECT memo FROM plugin_assets WHERE asset_id = ?", (asset_id,)
        ).fetchone()
    return str(found)


@pytest.mark.parametrize(
    ("jump", "is_running"),
    [(YEAR, True), (-YEAR, False)],
    ids=["forwards while it runs", "backwards while it is down"],
)
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
    wait_for("look", lambda: "unfinished_ms" in progress(service, clip), SECONDS)
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


# The file itself


def click_twice_then_health(simulator: Simulator, service: Service) -> list[int]:
    """The statuses that two clicks and a look at the service's health are answered."""
    clips = [asset(simulator, f"clip{number}") for number in range(2)]
    clicks = [service.click("add", "ORIGINAL", asset_ids=[each]) for each in clips]
    return [*(each.status_code for each in clicks), health(service)]


def test_a_deleted_database_file_takes_no_click(simulator: Simulator, service: Service) -> None:
    before = begun(simulator, service)
    path = Path(database_of(service))
    path.rename(path.with_suffix(".away"))
    assert click_twice_then_health(simulator, service) == [503, 503, 503]
    # The message stands on one line, and nothing was made in the file's place.
    assert "the database file was deleted or replaced" in service.log()
    assert "Traceback" not in service.log()
    assert not path.exists()
    path.with_suffix(".away").rename(path)
    wait_for("good health", lambda: health(service) == 200, 90.0)
    works_again(simulator, service, before)


def test_a_replaced_database_file_takes_no_click(simulator: Simulator, service: Service) -> None:
    begun(simulator, service)
    path = Path(database_of(service))
    with closing(sqlite3.connect(path)) as one:
        one.execute("VACUUM INTO ?", (str(path.with_suffix(".backup")),))
    path.rename(path.with_suffix(".away"))
    # A backup takes its place.
    path.with_suffix(".backup").rename(path)
    assert click_twice_then_health(simulator, service) == [503, 503, 503]
    service.process.kill()
    for journal in path.parent.glob(f"{path.name}-*"):
        journal.unlink()
    service.start()
    wait_for("good health", lambda: health(service) == 200, SECONDS)
    answer = service.click("add", "ORIGINAL", asset_ids=[asset(simulator, "after")])
    assert answer.status_code == 200
    simulator.control("PATCH", "settings", {"copies_paused": False})
    both = ["after_original.mov", "before_original.mov"]
    wait_for("copies", lambda: files(simulator.lucidlink) == both, SECONDS)


def test_a_service_whose_workers_start_anew_makes_no_file_in_place_of_a_deleted_one(
    simulator: Simulator, service: Service
) -> None:
    path = Path(database_of(service))
    path.rename(path.with_suffix(".away"))
    before = service.workers()
    os.kill(service.process.pid, signal.SIGHUP)
    wait_for("other workers", lambda: not set(before) & set(service.workers()), SECONDS)
    assert click_twice_then_health(simulator, service) == [503, 503, 503]
    assert not path.exists()


def test_of_two_services_on_one_file_only_one_runs_operations(
    tmp_path: Path, simulator: Simulator, service: Service
) -> None:
    path = Path(database_of(service))
    other = path.with_name("link.sqlite")
    other.symlink_to(path)
    wait_for("good health", lambda: health(service) == 200, SECONDS)
    environment = {"DATABASE_URL": f"sqlite:///{other}"}
    second = Service(tmp_path / "second", simulator, environment=environment)
    wait_for("good health", lambda: health(second) == 200, SECONDS)
    clips = [asset(simulator, f"clip{number}") for number in range(2)]
    for each, clip in zip((service, second), clips, strict=True):
        answer = each.click("add", "ORIGINAL", asset_ids=[clip])
        assert service.report(answer.json()["operation_id"])["counts"]["copied"] == 1
    assert [turns(service), turns(second)] == [1, 0]
    second.stop()


def turns(service: Service) -> int:
    """How often a process of it has begun to run the operations."""
    return service.log().count("this process now runs the operations")


def test_a_file_with_a_second_hard_link_is_refused(
    tmp_path: Path, simulator: Simulator, service: Service
) -> None:
    path = Path(database_of(service))

    def users() -> list[int]:
        opened = {each: psutil.Process(each).open_files() for each in service.workers()}
        return [each for each, files in opened.items() if path in [Path(f.path) for f in files]]

    # A worker that opens it later is refused, too, and ends the whole service.
    wait_for("both workers", lambda: len(users()) == WORKERS, SECONDS)
    other = tmp_path / "hard.sqlite"
    other.hardlink_to(path)
    environment = {**service.environment, "DATABASE_URL": f"sqlite:///{other}"}
    told = refused_start(GUNICORN, environment)
    assert "names a file that has a second name (a hard link)" in told
    # Whoever uses it already is not disturbed.
    assert click_twice_then_health(simulator, service) == [200, 200, 200]


@pytest.mark.parametrize("damage", ["its end", "its head"])
def test_the_health_of_a_damaged_database_is_told_in_one_line(
    simulator: Simulator, service: Service, damage: str
) -> None:
    wait_for("good health", lambda: health(service) == 200, SECONDS)
    service.process.kill()
    path = Path(database_of(service))
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    service.start()
    wait_for("good health", lambda: health(service) == 200, SECONDS)
    with path.open("r+b") as file:
        if damage == "its end":
            file.truncate(size // 2)
        else:
            file.write(b"\xff" * 100)

    def told() -> tuple[int, object]:
        answer = requests.get(f"{service.url}/healthz", timeout=30)
        return answer.status_code, answer.json()["message"]

    # The process that runs the operations may find the damage before the pages are read.
    expected = 503, "operations cannot be recorded; see the service's log"
    wait_for("bad health", lambda: told() == expected, 90.0)
    assert "Traceback" not in service.log()
