"""Assets that are kept on LucidLink for a while: removed when the time is up, and never early."""

from contextlib import closing
from typing import Any

import pytest
import requests

from dev.harness import Service, Simulator, wait_for
from tests.system.desk import FILE_SET, FILES
from tests.system.media import asset, files, unproven_deletions
from tests.system.points import PURGE, allow, asked, hang_at, kill_at, open_database, refuse

SECONDS = 120.0
DAY = 86_400_000
CLIP = "clip_original.mov"


def add(service: Service, *asset_ids: str, keep: str = "") -> str:
    """Click on Add, for a while if ``keep`` says so; returns the operation's id."""
    body = {"context": "BULK", "auth_token": service.simulator.token, "asset_ids": asset_ids}
    answer = service.post("add", body, "ORIGINAL", keep)
    assert answer.status_code == 200
    return str(answer.json()["operation_id"])


def kept(service: Service, keep: str = "14d", title: str = "clip") -> str:
    """Make an asset and add it for a while; returns its id."""
    clip = asset(service.simulator, title)
    assert service.report(add(service, clip, keep=keep))["counts"]["copied"] == 1
    return clip


def rows(service: Service, columns: str = "asset_id") -> list[tuple[Any, ...]]:
    """What is on LucidLink, as far as the ledger knows."""
    with (
        open_database(service) as connection,
        closing(
            connection.execute(f"SELECT {columns} FROM plugin_holdings ORDER BY asset_id")  # noqa: S608
        ) as found,
    ):
        return found.fetchall()


def let_pass(service: Service, milliseconds: int) -> None:
    """Have everything on LucidLink be there for so much longer, as if the time had passed."""
    times = ("since_ms", "until_ms", "next_attempt_ms")
    change = ", ".join(f"{each} = {each} - {milliseconds}" for each in times)
    with open_database(service) as connection:
        connection.execute(f"UPDATE plugin_holdings SET {change}")  # noqa: S608


def removals(service: Service) -> list[str]:
    """The ids of the Removes, newest first."""
    newest = [service.operation(each) for each in service.newest()]
    return [each.id for each in newest if each.action == "remove"]


def removal(service: Service, number: int = 1) -> str:
    """Wait for the Remove that is recorded next; returns its id."""
    wait_for("removal", lambda: len(removals(service)) >= number, SECONDS)
    assert len(removals(service)) == number
    return removals(service)[0]


@pytest.mark.promise
def test_what_was_added_for_a_while_is_removed_when_the_time_is_over(
    service: Service, simulator: Simulator
) -> None:
    clip = kept(service)
    let_pass(service, 14 * DAY - 60_000)
    service.process.kill()
    simulator.control("DELETE", "requests")
    service.start()
    # Each start asks iconik for the time, and then looks for what is due.
    wait_for("look", lambda: asked(simulator, "GET", f"/assets/v1/assets/{clip}/"), SECONDS)
    other = kept(service, keep="15d", title="other")
    assert removals(service) == []
    let_pass(service, 60_000)
    removed = removal(service)
    told = service.report(removed)
    assert (told["result"], told["counts"]["removed"]) == ("done", 1)
    assert service.operation(removed).is_due
    assert files(simulator.lucidlink) == ["other_original.mov"]
    assert files(simulator.b2) == [CLIP, "other_original.mov"]
    assert rows(service) == [(other,)]
    assert unproven_deletions(simulator) == 0
    (line,) = [each for each in service.log().splitlines() if "audit: deleted" in each]
    assert f"of asset {clip}" in line
    assert "kept for 14 days after 20" in line
    assert "by user unknown, with ICONIK_TOKEN, proven by" in line


def test_the_time_is_iconiks_own(service: Service, simulator: Simulator) -> None:
    kept(service, keep="1h")
    service.process.kill()
    simulator.control("PATCH", "settings", {"clock_ahead_seconds": 3_600})
    service.start()
    assert service.report(removal(service))["counts"]["removed"] == 1
    assert rows(service) == []


# Kills


def removed_after_a_kill(service: Service) -> None:
    """Start the service again, and have it finish the only removal there is."""
    service.start()
    removed = removal(service)
    assert service.report(removed)["counts"]["removed"] == 1
    assert service.operation(removed).is_due
    wait_for("no row", lambda: rows(service) == [], SECONDS)
    assert files(service.simulator.lucidlink) == []
    assert files(service.simulator.b2) == [CLIP]
    assert unproven_deletions(service.simulator) == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", FILES), ("DELETE", FILE_SET), ("DELETE", PURGE)],
    ids=["before it is inspected", "before it is purged", "before that is noted"],
)
def test_a_kill_between_the_record_and_the_end_of_a_removal(
    service: Service, simulator: Simulator, method: str, path: str
) -> None:
    kept(service)
    hang_at(simulator, method, path)
    let_pass(service, 14 * DAY)
    kill_at(service)
    assert rows(service, "attempts") == [(1,)]
    removed_after_a_kill(service)


@pytest.mark.parametrize(
    "event",
    ["INSERT ON plugin_operations", "UPDATE OF attempts ON plugin_holdings"],
)
def test_a_kill_while_a_removal_is_recorded(service: Service, event: str) -> None:
    kept(service)
    refuse(service, event)
    let_pass(service, 14 * DAY)
    failed = "could not look for what must be removed or undone by now"
    wait_for("refusal", lambda: failed in service.log(), SECONDS)
    service.process.kill()
    assert (removals(service), rows(service, "attempts")) == ([], [(0,)])
    allow(service)
    removed_after_a_kill(service)


def test_a_kill_between_a_deletion_and_its_note(service: Service, simulator: Simulator) -> None:
    kept(service)
    refuse(service, "DELETE ON plugin_holdings")
    let_pass(service, 14 * DAY)
    wait_for("refusal", lambda: "the database failed" in service.log(), SECONDS)
    service.process.kill()
    assert files(simulator.lucidlink) == []
    assert len(rows(service)) == 1
    allow(service)
    service.start()
    told = service.report(removal(service))
    assert told["counts"]["removed"] + told["counts"]["absent"] == 1
    assert rows(service) == []


def test_a_kill_while_an_add_is_noted(service: Service, simulator: Simulator) -> None:
    clip = asset(simulator, "clip")
    refuse(service, "INSERT ON plugin_holdings")
    operation_id = add(service, clip, keep="14d")
    wait_for("refusal", lambda: "the database failed" in service.log(), SECONDS)
    assert not service.has_ended(operation_id)
    service.process.kill()
    allow(service)
    service.start()
    counts = service.report(operation_id)["counts"]
    assert counts["copied"] + counts["there"] == 1
    ((keep_ms, since_ms, until_ms),) = rows(service, "keep_ms, since_ms, until_ms")
    assert (keep_ms, until_ms - since_ms) == (14 * DAY, 14 * DAY)


# The newest click


def test_an_add_that_is_clicked_while_a_removal_runs_takes_it_over(
    service: Service, simulator: Simulator
) -> None:
    clip = kept(service)
    simulator.control("POST", "faults", {"fault": "hang:60", "method": "GET", "path": FILES})
    let_pass(service, 14 * DAY)
    older = removal(service)
    wait_for("request", lambda: not simulator.control("GET", "faults")["requests"], SECONDS)
    newer = add(service, clip, keep="7d")
    simulator.control("DELETE", "faults")
    assert service.report(older)["counts"]["superseded"] == 1
    assert service.report(newer)["counts"]["there"] == 1
    assert rows(service, "keep_ms, attempts") == [(7 * DAY, 0)]
    assert files(simulator.lucidlink) == [CLIP]


# Elsewhere


def test_what_was_deleted_elsewhere_is_noticed(service: Service, simulator: Simulator) -> None:
    clip, other = kept(service), kept(service, title="other")
    formats = simulator.control("GET", f"assets/{clip}")["formats"]
    (there,) = [each["id"] for each in formats[0]["file_sets"] if each["storage"] == "lucidlink"]
    for step in ("", "purge/"):
        answer = requests.delete(
            f"{simulator.url}/API/files/v1/assets/{clip}/file_sets/{there}/{step}",
            headers={"App-ID": simulator.app_id, "Auth-Token": simulator.token},
            timeout=30,
        )
        answer.raise_for_status()
    with open_database(service) as connection:
        connection.execute("UPDATE plugin_holdings SET checked_ms = 0")
    wait_for("notice", lambda: rows(service) == [(other,)], SECONDS)
    assert removals(service) == []
