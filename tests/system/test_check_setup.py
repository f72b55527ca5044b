"""The command that tells what is wrong with a set-up, on a real service and its iconik."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import check_setup
import create_custom_actions
import list_custom_actions
from b2_iconik.setup.findings import wrong as wrong_finding
from dev.harness import ROOT, SECRET, Service, Simulator, stop_all, wait_for
from simulator.b2_keys import KEY, KEY_ID
from simulator.job_records import FINAL
from tests.setup.test_check_roles import ONLY_FOR_SOME, PATHS
from tests.system.media import asset, files

OTHER_TOKEN = "token-of-few-roles"

Findings = list[tuple[str, str, str]]
Check = Callable[..., tuple[int, Findings]]


class Bench:
    """A service, its iconik, and the scripts in their environment."""

    def __init__(self, directory: Path) -> None:
        self.simulator = Simulator(directory, "--copy-seconds", "0.05")
        # A check asks a few questions only, and needn't wait for its turn.
        faster = {"ICONIK_REQUESTS_PER_SECOND": "1000"}
        self.service = Service(directory, self.simulator, ["-w", "1"], faster)
        self.storages = {"b2_storage_id": "B2", "ll_storage_id": "LucidLink"}

    def create(self, *more: str) -> None:
        """Create the custom actions."""
        named = [text for name, value in self.storages.items() for text in (f"--{name}", value)]
        assert create_custom_actions.main(["--endpoint", self.service.url, *named, *more]) == 0

    def click(self, context: str, **selection: Any) -> Any:
        """Pick Add to LucidLink in iconik; returns what the service answered."""
        return self.simulator.control(
            "POST", "click", {"title": "Add to LucidLink", "context": context, **selection}
        )

    def state(self) -> Any:
        """All that a check must leave as it is, when what was clicked before has ended."""
        wait_for("end of all operations", self.service.is_idle, 120)
        wait_for("end of all jobs", lambda: all(map(ended, self._listed("jobs/v1/jobs/"))), 120)
        there = self.simulator.control("GET", "")
        counts = {name: there[name] for name in ("running_jobs", "assets", "deletions")}
        lists = [self._listed(each) for each in ("jobs/v1/jobs/", "assets/v1/custom_actions/")]
        everything = [files(self.simulator.b2), files(self.simulator.lucidlink)]
        return counts, lists, everything, self.service.newest()

    def _listed(self, path: str) -> Any:
        headers = {"App-ID": self.simulator.app_id, "Auth-Token": self.simulator.token}
        url = f"{self.simulator.url}/API/{path}"
        return requests.get(url, headers=headers, timeout=60).json()["objects"]


def ended(job: Any) -> bool:
    """Whether nothing moves a job any more."""
    return job["status"] in FINAL


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One bench for all tests here."""
    yield Bench(tmp_path_factory.mktemp("setup"))
    stop_all()


@pytest.fixture
def bench(shared: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bench]:
    """The bench, with its environment that of this process; put right again afterwards."""
    for name, value in shared.service.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    yield shared
    shared.simulator.control("PATCH", "settings", {"down": False, "delete_grace_period": 24})
    for storage in ("b2", "lucidlink"):
        right = {"purpose": "FILES", "settings": {"read": True, "write": True, "delete": True}}
        shared.simulator.control("PATCH", f"storages/{storage}", right)


@pytest.fixture
def check(bench: Bench, capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs the command; returns its exit code and what it found. No secret is ever shown."""

    def run(*options: str) -> tuple[int, Findings]:
        capsys.readouterr()
        code = check_setup.main(["--endpoint", bench.service.url, "--json", *options])
        told = capsys.readouterr()
        for secret in (SECRET, bench.simulator.token, OTHER_TOKEN):
            assert secret not in told.out + told.err
        said = json.loads(told.out)
        assert said["ok"] == (code == 0)
        return code, [(each["what"], each["state"], each["detail"]) for each in said["findings"]]

    return run


def wrong(found: tuple[int, Findings]) -> list[tuple[str, str]]:
    """What is wrong, and why; the command must end with 1 for it, and else with 0."""
    code, findings = found
    problems = [(what, detail) for what, state, detail in findings if state == "wrong"]
    assert code == bool(problems)
    return problems


def test_a_set_up_is_checked_from_nothing_to_the_first_click(
    bench: Bench, check: Check, capsys: pytest.CaptureFixture[str]
) -> None:
    ((what, detail),) = wrong(check())
    assert what == "custom actions"
    assert detail.endswith("run create_custom_actions.py")
    bench.create("--path", "projects/2026", "--context", "SAVED_SEARCH")
    before = bench.state()
    assert wrong(check()) == []
    assert bench.state() == before
    clip = asset(bench.simulator, "clip")
    assert bench.click("ASSET", asset_ids=[clip])["status"] == 200
    there = bench.simulator.lucidlink / "projects/2026" / clip / "clip_original.mov"
    wait_for("the copy", there.exists, 120)
    capsys.readouterr()
    list_custom_actions.main(["--endpoint", bench.service.url])
    assert capsys.readouterr().out.count("HEALTHY") == 8


def test_an_add_for_a_while_is_clicked_with_its_time(bench: Bench, check: Check) -> None:
    bench.create("--keep", "2w")
    assert wrong(check()) == []
    clip = asset(bench.simulator, "kept")
    entry = {"title": "Add to LucidLink for 14 days", "context": "ASSET"}
    answer = bench.simulator.control("POST", "click", {**entry, "asset_ids": [clip]})
    clicked = bench.service.operation(answer["body"]["operation_id"])
    assert clicked.keep_ms == 14 * 24 * 3_600_000


def test_a_check_leaves_everything_as_it_is(
    bench: Bench, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.create()
    asset(bench.simulator, "bystander", on="both")
    before = bench.state()
    # To tell its requests from those of the service.
    bench.simulator.control("POST", "tokens", {"token": OTHER_TOKEN, "roles": None})
    monkeypatch.setenv("ICONIK_TOKEN", OTHER_TOKEN)
    bench.simulator.control("DELETE", "requests")
    assert wrong(check()) == []
    seen = bench.simulator.control("GET", "requests")["objects"]
    mine = [each for each in seen if each["token"] == OTHER_TOKEN]
    changing = [each for each in mine if each["method"] != "GET"]
    assert [(each["method"], each["status"]) for each in changing] == [
        ("POST", 400), ("DELETE", 404), ("PUT", 404), ("POST", 204), ("PATCH", 404),
        ("POST", 200), ("PATCH", 404), ("DELETE", 404), ("POST", 200),
    ]  # fmt: skip
    assert {changing[each]["path"] for each in (5, 8)} == {"/API/search/v1/search/"}
    assert bench.state() == before


@pytest.mark.parametrize(
    "role", ["can_read_storages", "can_delete_files", "can_purge_files", "can_read_custom_actions"]
)
def test_a_missing_role_is_named(
    bench: Bench, check: Check, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    bench.create()
    roles = [each for each in PATHS if each != role]
    bench.simulator.control("POST", "tokens", {"token": OTHER_TOKEN, "roles": roles})
    monkeypatch.setenv("ICONIK_TOKEN", OTHER_TOKEN)
    found = check()
    lacking = [what for what, state, _ in found[1] if what in PATHS and state in ("wrong", "note")]
    assert lacking == [role]
    assert [what for what, _ in wrong(found)] == ([] if role in ONLY_FOR_SOME else [role])


@pytest.mark.parametrize(("hours", "told"), [(36, []), (0, ["PURGE"])])
def test_whether_removals_can_be_undone_is_checked(
    bench: Bench, check: Check, monkeypatch: pytest.MonkeyPatch, hours: int, told: list[str]
) -> None:
    bench.create()
    monkeypatch.setenv("PURGE", "later")
    bench.simulator.control("PATCH", "settings", {"delete_grace_period": hours})
    found = check()
    assert "PURGE" in [what for what, _, _ in found[1]]
    assert [what for what, _ in wrong(found)] == told


def test_the_ways_to_ask_b2_are_tried_on_a_file(
    bench: Bench, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.create()
    asset(bench.simulator, "clip")
    for name, value in {
        "B2_APPLICATION_KEY_ID": KEY_ID,
        "B2_APPLICATION_KEY": KEY,
        "B2_API_URL": bench.simulator.url,
    }.items():
        monkeypatch.setenv(name, value)
    _, found = check()
    ways = {what: (state, detail) for what, state, detail in found if what.startswith("B2 by")}
    works = ("ok", "confirms 'clip_original.mov' on 'B2'")
    assert ways == {"B2 by application key": works, "B2 by signed URL": works}


def test_a_token_that_ended_is_told(
    bench: Bench, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICONIK_TOKEN", "an-expired-token")
    ((what, detail),) = wrong(check())
    assert what == "ICONIK_TOKEN"
    assert "iconik rejects ICONIK_TOKEN (401) for this ICONIK_ID" in detail


@pytest.mark.parametrize("token", ["an-expired-token", "ein-gültiges?", ""])
def test_with_a_bad_token_all_else_is_checked(
    bench: Bench, check: Check, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    for name, value in {
        "ICONIK_TOKEN": token,
        "B2_APPLICATION_KEY_ID": KEY_ID,
        "B2_APPLICATION_KEY": KEY,
        "B2_API_URL": bench.simulator.url,
    }.items():
        monkeypatch.setenv(name, value)
    _, findings = check()
    assert {"database", "health", "the service's secret", "B2 by application key"} <= {
        what for what, state, _ in findings if state == "ok"
    }
    assert ("roles, custom actions and storages", "unknown") in {each[:2] for each in findings}


def test_an_iconik_that_is_away_is_told(bench: Bench, check: Check, waits: list[float]) -> None:
    bench.simulator.control("PATCH", "settings", {"down": True})
    ((what, detail),) = wrong(check())
    assert what == "iconik"
    assert f"check ICONIK_URL ({bench.simulator.url})" in detail


@pytest.mark.parametrize(
    ("status", "what", "why"),
    [
        (410, "custom actions", "could not list the custom actions: iconik answered 410"),
        (401, "ICONIK_TOKEN", "iconik rejects ICONIK_TOKEN (401) for this ICONIK_ID"),
    ],
)
def test_an_iconik_that_refuses_in_mid_check_is_told(
    bench: Bench, check: Check, status: int, what: str, why: str
) -> None:
    fault = {"fault": f"status:{status}", "method": "GET", "path": "assets/v1/custom_actions/"}
    bench.simulator.control("POST", "faults", {**fault, "times": None})
    ((told, detail),) = wrong(check())
    bench.simulator.control("DELETE", "faults")
    assert (told, why in detail) == (what, True)


def test_given_storages_are_checked_before_there_are_actions(bench: Bench, check: Check) -> None:
    ((what, detail),) = wrong(check("--b2_storage_id", "B2", "--ll_storage_id", "Lucid"))
    assert what == "ll_storage_id"
    assert "iconik has no storage 'Lucid'; available: 'B2' (B2 FILES, " in detail


def test_a_service_that_is_down_is_told(bench: Bench, check: Check) -> None:
    bench.create()
    bench.service.process.stop()
    told = dict(wrong(check()))
    bench.service.start()
    assert "Connection refused" in told["endpoint"]
    assert told["operations"] == "no process is running them: start the service, or see its log"


def test_whatever_a_finding_says_secrets_are_left_out(
    bench: Bench, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"it said\x1b {SECRET} and {bench.simulator.token}"
    telling = wrong_finding("data\nbase", said)
    monkeypatch.setattr("b2_iconik.setup.check_database.check", lambda _: [telling])
    _, found = check()
    assert (r"data\nbase", "wrong", r"it said\x1b *** and ***") in found


def test_settings_that_are_not_whole_are_told_first(
    bench: Bench, check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOG_LEVEL", "loud")
    _, found = check()
    assert [each[:2] for each in found] == [("settings", "wrong"), ("everything else", "unknown")]


def test_without_an_endpoint_the_rest_is_checked(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_setup.main([]) == 0
    told = capsys.readouterr().out
    assert "unknown  endpoint: give --endpoint" in told
    assert "ok       can_delete_files: " in told


def test_http_to_another_machine_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        check_setup.main(["--endpoint", "http://plugin.test"])
    assert caught.value.code == 2
    assert "--insecure" in capsys.readouterr().err


def test_an_interrupt_ends_it_quietly(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("b2_iconik.setup.check_database.check", interrupt)
    assert check_setup.main([]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("environment", "code", "last"),
    [
        ({}, 0, "Nothing is wrong."),
        ({"LOG_LEVEL": "loud"}, 1, "One thing is wrong."),
        ({"LOG_LEVEL": "loud", "COPY_TIMEOUT": "x"}, 1, "2 things are wrong."),
    ],
)
def test_it_runs_as_a_script(
    bench: Bench, environment: dict[str, str], code: int, last: str
) -> None:
    bench.create()
    done = subprocess.run(
        [sys.executable, ROOT / "check_setup.py", "--endpoint", bench.service.url],
        env={**bench.service.environment, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.splitlines()[-1] == last
