"""Metrics of the real service: several workers, one of them killed, and the development server."""

import os
import signal
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from b2_iconik.common.metric_files import PREFIX
from dev.harness import Service, Simulator, wait_for
from tests.system.media import asset

CLICKS = 30
ADDED = 'b2_iconik_operations_total{action="add",result="done"}'


def scrape(url: str) -> dict[str, float]:
    """Every sample, by its name and labels."""
    answer = requests.get(f"{url}/metrics", timeout=60)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def refused(url: str) -> float:
    return scrape(url).get('b2_iconik_clicks_total{action="add",answer="401"}', 0)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the service's processes share their counters."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    return tmp_path


def test_all_workers_are_counted_and_the_death_of_one_takes_nothing_away(
    place: Path, simulator: Simulator, service: Service
) -> None:
    clip = asset(simulator, "clip")
    operation_id = service.click("add", asset_ids=[clip]).json()["operation_id"]
    assert service.report(operation_id)["result"] == "done"
    for _ in range(CLICKS):
        # Each over a connection of its own, so that every worker gets some.
        assert requests.post(f"{service.url}/add", timeout=60).status_code == 401
    before = scrape(service.url)
    assert before['b2_iconik_clicks_total{action="add",answer="200"}'] == 1
    assert before['b2_iconik_clicks_total{action="add",answer="401"}'] == CLICKS
    assert before['b2_iconik_answer_seconds_count{action="add"}'] == CLICKS + 1
    assert before[ADDED] == 1
    assert before['b2_iconik_formats_total{action="add",outcome="copied",reason=""}'] == 1
    assert before["b2_iconik_executor_present{}"] == 1
    assert before["b2_iconik_last_good_answer_timestamp_seconds{}"] > 1_000_000_000
    copies = 'b2_iconik_requests_total{call="POST files/v1/storages/{}/bulk/",status="200"}'
    assert before.get(copies) or before[copies.replace("200", "202")] == 1

    workers = service.workers()
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    wait_for(
        "new workers",
        lambda: len(set(service.process.children()) - set(workers)) == len(workers),
        120,
    )
    wait_for("executor", lambda: scrape(service.url)["b2_iconik_executor_present{}"], 120)
    after = scrape(service.url)
    for name, value in before.items():
        if "_total{" in name or "_count{" in name:
            assert after[name] >= value, name
    assert refused(service.url) == CLICKS
    # The new workers have taken the slots of those that died.
    (directory,) = place.glob(f"{PREFIX}*")
    assert len(list(directory.glob("counter_*.db"))) <= len(workers)
    assert not [line for line in service.log().splitlines() if "Traceback" in line]


def test_a_restart_keeps_what_came_of_operations_and_leaves_no_files(
    place: Path, simulator: Simulator, service: Service
) -> None:
    operation_id = service.click("add", asset_ids=[asset(simulator, "clip")]).json()["operation_id"]
    service.report(operation_id)
    service.process.stop()
    assert not list(place.glob(f"{PREFIX}*"))
    service.start()
    assert scrape(service.url)[ADDED] == 1
    service.process.kill()
    service.start()
    assert len(list(place.glob(f"{PREFIX}*"))) == 1


def test_the_development_server_has_metrics_too(flask_url: str) -> None:
    requests.post(f"{flask_url}/add", timeout=60)
    assert refused(flask_url) == 1
