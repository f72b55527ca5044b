"""A database that takes nothing down: who clicks is told so, and nothing is lost."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from simulator.harness import Service, Simulator, wait_for
from tests.system.media import asset, files
from tests.system.points import database_of, open_database

SECONDS = 30.0


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
    assert service.newest() == [after, before]
    assert files(simulator.lucidlink) == ["after_original.mov", "before_original.mov"]


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
