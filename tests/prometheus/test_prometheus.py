"""The shipped alerts and dashboard, with a real Prometheus that reads a real service's metrics."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from dev.harness import ROOT, Process, Service, Simulator, stop_all, wait_for
from tests.ports import free_port
from tests.system.media import asset

# Where script/test unpacks what Debian's package has.
UNPACKED = ROOT / ".venv-dev" / "prometheus" / "usr" / "bin"
PROMTOOL = shutil.which("promtool") or shutil.which("promtool", path=str(UNPACKED))
PROMETHEUS = shutil.which("prometheus") or shutil.which("prometheus", path=str(UNPACKED))
RULES = ROOT / "deploy" / "prometheus-rules.yml"
DASHBOARD = ROOT / "deploy" / "grafana-dashboard.json"
RULES_TEST = Path(__file__).parent / "rules_test.yml"
METRIC = re.compile(r"\bb2_iconik_[a-z_]+")
# What all hosts on one database know alike.
OF_LEDGER = re.compile(
    r"\bb2_iconik_(?:operations|formats|assets|lucidlink|unopened|oldest)_[a-z_]+"
)
# What Grafana puts in for its variables.
VARIABLES = {
    "$instance": ".*",
    "$__rate_interval": "1m",
    "$__range": "24h",
}

pytestmark = pytest.mark.skipif(
    not ((PROMTOOL and PROMETHEUS) or os.environ.get("REQUIRE_SERVERS")),
    reason="Prometheus is not installed",
)


def promtool(*arguments: str | Path, given: str | None = None) -> str:
    """Run promtool; returns what it said, and fails if it found something wrong."""
    ended = subprocess.run(
        [str(PROMTOOL), *map(str, arguments)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    return said


def queries(**variables: str) -> list[str]:
    """Every query of the dashboard, as Grafana would send it."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel["targets"]]
    for name, value in {**VARIABLES, **{f"${each}": variables[each] for each in variables}}.items():
        found = [each.replace(name, value) for each in found]
    return found


# The files by themselves


def test_the_alerts_are_well_formed() -> None:
    assert "SUCCESS" in promtool("check", "rules", RULES)


def test_each_alert_fires_when_it_should_and_not_when_it_should_not(tmp_path: Path) -> None:
    here = tmp_path / "rules_test.yml"
    here.write_text(RULES_TEST.read_text().replace("RULES", str(RULES), 2))
    assert "SUCCESS" in promtool("test", "rules", here)


def test_what_two_hosts_know_of_one_database_is_shown_once(tmp_path: Path) -> None:
    known = sorted(set(OF_LEDGER.findall(" ".join(queries()))))
    labels = ", ".join(f'{each}="x"' for each in ("action", "state", "result", "reason"))
    series = [
        {"series": f'{name}{{instance="{host}", outcome="kept", {labels}}}', "values": "0+60x60"}
        for name in known
        for host in ("a", "b")
    ]
    both, one = (queries(instance=each, __rate_interval="5m") for each in (".*", "a"))
    same = [
        {
            "expr": f"max({each}) == bool max({its})",
            "eval_time": "30m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for each, its in zip(both, one, strict=True)
        if OF_LEDGER.search(each)
    ]
    assert len(same) > 5
    test = {"interval": "1m", "input_series": series, "promql_expr_test": same}
    here = tmp_path / "dashboard_test.yml"
    here.write_text(json.dumps({"rule_files": [], "tests": [test]}))
    assert "SUCCESS" in promtool("test", "rules", here)


def test_no_alert_is_without_a_test_and_words() -> None:
    rules, tests = RULES.read_text(), RULES_TEST.read_text()
    names = re.findall(r"- alert: (\w+)", rules)
    assert len(names) > 5
    for name in names:
        assert f"alertname: {name}, exp_alerts: []" in tests
        assert f'alertname="{name}", severity=' in tests
    for word in ("severity: ", "summary: ", "description: "):
        assert rules.count(word) >= len(names), word


def test_the_dashboard_is_one_that_grafana_can_read() -> None:
    board = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids) > 5
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    assert "$" not in " ".join(queries())


# With a real service and a real Prometheus


class Desk(NamedTuple):
    """A service that has done something, a Prometheus that watches it, and what it reads."""

    service: Service
    prometheus: str
    scraped: str

    def ask(self, path: str, **query: str) -> Any:
        """Ask Prometheus something."""
        answer = requests.get(f"{self.prometheus}/api/v1/{path}", params=query, timeout=60)
        assert answer.ok, answer.text
        return answer.json()["data"]

    def value(self, query: str) -> float | None:
        """The only value of a query; None if it has none yet."""
        found = self.ask("query", query=query)["result"]
        return float(found[0]["value"][1]) if found else None


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    directory = tmp_path_factory.mktemp("prometheus")
    simulator = Simulator(directory, "--copy-seconds", "0.05")
    service = Service(directory, simulator)
    clip = asset(simulator, "clip")
    added = service.click("add", "ORIGINAL", asset_ids=[clip]).json()["operation_id"]
    assert service.report(added)["result"] == "done"
    removed = service.click("remove", "ORIGINAL", asset_ids=[clip]).json()["operation_id"]
    assert service.report(removed)["result"] == "done"
    # One that runs on.
    simulator.control("PATCH", "settings", {"copies_paused": True})
    waiting = service.click("add", "ORIGINAL", asset_ids=[clip]).json()["operation_id"]
    wait_for("copy", lambda: service.progress(waiting).get("copying"), 120)
    prometheus = f"http://127.0.0.1:{free_port()}"
    (directory / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n"
        f"rule_files: ['{RULES}']\n"
        f"scrape_configs:\n"
        f"  - job_name: b2-iconik-plugin\n"
        f"    static_configs: [{{targets: ['{urlsplit(service.url).netloc}']}}]\n"
    )
    Process(
        [
            str(PROMETHEUS),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address={urlsplit(prometheus).netloc}",
        ],
        {},
        directory / "prometheus.log",
    ).wait_for_line("Server is ready to receive web requests")
    scraped = requests.get(f"{service.url}/metrics", timeout=60).text
    yield Desk(service, prometheus, scraped)
    stop_all()


def test_prometheus_finds_nothing_wrong_with_the_metrics(desk: Desk) -> None:
    promtool("check", "metrics", given=desk.scraped)


def test_every_metric_that_is_named_exists(desk: Desk) -> None:
    samples = {
        sample.name
        for family in text_string_to_metric_families(desk.scraped)
        for sample in family.samples
    }
    for path in (RULES, DASHBOARD, RULES_TEST):
        named = set(METRIC.findall(path.read_text()))
        assert len(named) > 5
        assert named <= samples, path.name


def test_no_metric_is_about_a_single_asset_or_user(desk: Desk) -> None:
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", desk.scraped)
    assert len(desk.scraped.splitlines()) < 600


def test_prometheus_reads_them_and_no_alert_fires(desk: Desk) -> None:
    expected = {
        "b2_iconik_executor_present": 1,
        'up{job="b2-iconik-plugin"}': 1,
        'sum(b2_iconik_operations_total{result="done"})': 2,
        "sum(b2_iconik_operations_running)": 1,
    }

    def is_read() -> bool:
        return {query: desk.value(query) for query in expected} == expected

    # A reading that takes longer than a second is given up, and there is another.
    wait_for("reading", is_read, 120)

    def is_looked_at() -> bool:
        (group,) = desk.ask("rules")["groups"]
        return {rule["health"] for rule in group["rules"]} == {"ok"}

    wait_for("look at the rules", is_looked_at, 120)
    # Nor is one about to.
    wait_for("calm", lambda: not desk.ask("alerts")["alerts"], 120)


@pytest.mark.parametrize("query", queries())
def test_prometheus_answers_each_query_of_the_dashboard(desk: Desk, query: str) -> None:
    assert "result" in desk.ask("query", query=query)
