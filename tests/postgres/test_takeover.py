"""The whole service, twice, on one PostgreSQL server: one of them runs the operations."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from dev.harness import Service, Simulator, stop_all, wait_for
from tests.postgres.conftest import Server, end_the_leader_s_session
from tests.system.media import asset, files, unproven_deletions

SECONDS = 120.0
CLIPS = 24


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    """A simulator so far away that a Remove takes some seconds."""
    yield Simulator(tmp_path, "--copy-seconds", "0.05", "--latency-ms", "100")
    stop_all()


@pytest.fixture
def services(tmp_path: Path, simulator: Simulator, database_url: str) -> Iterator[list[Service]]:
    """Two services, as on two hosts; the first is the one that runs the operations."""
    environment = {"DATABASE_URL": database_url, "ICONIK_REQUESTS_PER_SECOND": "20"}
    services: list[Service] = []
    for name in ("first", "second"):
        services.append(Service(tmp_path / name, simulator, ["-w", "1"], environment))
        wait_for("leader", lambda: turns(services[0]) == 1, SECONDS)
    yield services
    for each in services:
        each.stop()


def turns(service: Service) -> int:
    """How often a process of it has begun to run the operations."""
    return service.log().count("this process now runs the operations")


def removing(simulator: Simulator, service: Service) -> str:
    """A Remove in the midst of its deletions."""
    clips = [asset(simulator, f"clip{number}", on="both") for number in range(CLIPS)]
    answer = service.click("remove", "ORIGINAL", asset_ids=clips)
    assert answer.status_code == 200
    wait_for("deletion", lambda: len(files(simulator.lucidlink)) < CLIPS, SECONDS)
    return str(answer.json()["operation_id"])


def has_removed_all(simulator: Simulator, service: Service, operation_id: str) -> None:
    report = service.report(operation_id, SECONDS)
    assert report["counts"]["removed"] == CLIPS
    assert files(simulator.lucidlink) == []
    assert unproven_deletions(simulator) == 0


def test_another_host_ends_what_a_killed_one_has_begun(
    simulator: Simulator, services: list[Service]
) -> None:
    first, second = services
    operation_id = removing(simulator, first)
    other = second.click("add", "ORIGINAL", asset_ids=[asset(simulator, "other", on="both")])
    first.process.kill()
    assert not second.has_ended(operation_id)
    assert second.report(operation_id, SECONDS)["counts"]["removed"] == CLIPS
    assert second.report(other.json()["operation_id"])["counts"]["there"] == 1
    assert files(simulator.lucidlink) == ["other_original.mov"]
    assert unproven_deletions(simulator) == 0


def test_another_host_takes_over_from_a_suspended_one_which_ends_nothing_when_it_resumes(
    simulator: Simulator, services: list[Service]
) -> None:
    first, second = services
    operation_id = removing(simulator, first)
    first.process.suspend()
    try:
        wait_for("another term", lambda: turns(second) == 1, SECONDS)
        has_removed_all(simulator, second, operation_id)
    finally:
        first.process.resume()
    stopped = (
        "another process may be running the operations: this one stops running them, and waits"
    )
    wait_for("notice of that", lambda: stopped in first.log(), SECONDS)
    assert (turns(first), unproven_deletions(simulator)) == (1, 0)


def test_one_takes_over_when_the_session_that_holds_the_lock_is_ended(
    simulator: Simulator, services: list[Service], engine: sa.Engine
) -> None:
    operation_id = removing(simulator, services[1])
    end_the_leader_s_session(engine)
    wait_for("another turn", lambda: sum(map(turns, services)) == 2, SECONDS)
    # It notices before the turn of the other ends its own.
    lost = "this process has lost the lock that lets only one process run operations"
    wait_for("notice of that", lambda: lost in services[0].log(), SECONDS)
    has_removed_all(simulator, services[1], operation_id)
    assert sum(map(turns, services)) == 2


def test_a_restart_of_the_server_only_delays(
    simulator: Simulator, services: list[Service], server: Server
) -> None:
    operation_id = removing(simulator, services[1])
    server.stop()
    # What was on its way to iconik comes to its end, and nothing else is sent.
    wait_for("failure", lambda: "the leader failed" in services[0].log(), SECONDS)
    left = files(simulator.lucidlink)
    assert services[1].click("add", asset_ids=[asset(simulator, "other")]).status_code == 503
    assert files(simulator.lucidlink) == left
    server.start()
    wait_for("another turn", lambda: sum(map(turns, services)) >= 2, SECONDS)
    has_removed_all(simulator, services[1], operation_id)


def test_hosts_that_are_upgraded_one_after_the_other_lose_no_click(
    simulator: Simulator, services: list[Service]
) -> None:
    first, second = services
    operations = [removing(simulator, second)]
    first.process.stop()
    operations.append(clicked(second, asset(simulator, "while the first is away")))
    wait_for("another turn", lambda: turns(second) == 1, SECONDS)
    first.start()
    operations.append(clicked(first, asset(simulator, "while both are there")))
    second.process.stop()
    operations.append(clicked(first, asset(simulator, "while the second is away")))
    second.start()
    reports = [services[n % 2].report(each, SECONDS) for n, each in enumerate(operations)]
    assert [each["counts"]["removed"] for each in reports[:1]] == [CLIPS]
    assert [each["counts"]["copied"] for each in reports[1:]] == [1, 1, 1]
    assert unproven_deletions(simulator) == 0


def test_clicks_on_both_hosts_are_run_by_one_of_them(
    simulator: Simulator, services: list[Service]
) -> None:
    clips = [asset(simulator, f"clip{number}") for number in range(6)]
    operations = [clicked(services[n % 2], clip) for n, clip in enumerate(clips)]
    assert len(set(operations)) == len(clips)
    # The other host knows all of them, too.
    assert set(services[0].newest()) == set(services[1].newest()) == set(operations)
    reports = [services[n % 2].report(each, SECONDS) for n, each in enumerate(operations)]
    assert [each["counts"]["copied"] for each in reports] == [1] * len(clips)
    assert [turns(each) for each in services] == [1, 0]


def clicked(service: Service, asset_id: str) -> str:
    """An Add of an asset's original; returns the operation's id."""
    answer = service.click("add", "ORIGINAL", asset_ids=[asset_id])
    assert answer.status_code == 200
    return str(answer.json()["operation_id"])
