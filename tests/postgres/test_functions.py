"""The plugin in Google's functions-framework, on PostgreSQL, does what it does under Gunicorn."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import yaml

from dev.harness import ROOT, SECRET, START, Process, Service, Simulator, stop_all, wait_for
from tests.ports import free_port
from tests.postgres.conftest import Server, make_database
from tests.system.media import asset, files, unproven_deletions
from tests.system.points import PURGE_MANY, hang_at

SECONDS = 120.0
CLIPS = 12
FRAMEWORK = [sys.executable, "-m", "functions_framework", "--target", "iconik_handler"]
# As Cloud Run sets it.
ON_CLOUD_RUN = {"K_SERVICE": "b2-iconik-plugin"}
ID = "11111111-1111-4111-8111-111111111111"
STORAGES = "b2_storage_id=22222222-2222-4222-8222-222222222222&ll_storage_id=" + ID
CLICK = json.dumps({"context": "ASSET", "asset_ids": [ID], "auth_token": "token"})
OURS = {"x-bz-secret": SECRET}


class Function(Service):
    """The plugin, served by functions-framework."""

    def start(self) -> None:
        """Start it, again if it was killed; nobody asks it anything."""
        port = free_port()
        command = [*FRAMEWORK, "--host", "127.0.0.1", "--port", str(port)]
        self.process = Process(command, {**self.environment, **ON_CLOUD_RUN}, self._log)
        self.url = f"http://127.0.0.1:{port}"

    def wait(self) -> "Function":
        """Wait until it answers."""
        wait_for("answer of the function", self._is_ready, START)
        return self


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    yield Simulator(tmp_path, "--copy-seconds", "0.05")
    stop_all()


@pytest.fixture
def function(tmp_path: Path, simulator: Simulator, database_url: str) -> Iterator[Function]:
    function = Function(
        tmp_path / "function", simulator, environment={"DATABASE_URL": database_url}
    )
    yield function
    function.stop()


class Both(NamedTuple):
    """The plugin under Gunicorn and in the framework, which answer from the same database."""

    gunicorn: Service
    function: Service


@pytest.fixture(scope="module")
def both(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    directory = tmp_path_factory.mktemp("both")
    environment = {"DATABASE_URL": make_database(server, "test_both")}
    simulator = Simulator(directory)
    # Nothing ends meanwhile, so the same click is the same operation.
    simulator.control("PATCH", "settings", {"down": True})
    gunicorn = Service(directory / "gunicorn", simulator, ["-w", "1"], environment)
    function = Function(directory / "function", simulator, environment=environment).wait()
    yield Both(gunicorn, function)
    for each in (gunicorn, function):
        each.stop()
    stop_all()


class Case(NamedTuple):
    """A request, and the status it is answered with."""

    status: int
    method: str
    path: str
    body: str
    headers: dict[str, str]


def answer(service: Service, case: Case) -> Any:
    """All of an answer that iconik or a person may look at."""
    answered = requests.request(
        case.method,
        f"{service.url}{case.path}",
        data=case.body,
        headers=case.headers,
        timeout=30,
    )
    told = {"Content-Type", "Content-Length", "Allow", "WWW-Authenticate", "Retry-After"}
    shown = {
        name: sorted(value.split(", ")) for name, value in answered.headers.items() if name in told
    }
    # Each click is another operation.
    text = re.sub('"operation_id":"[^"]+"', '"operation_id":"…"', answered.text)
    return answered.status_code, shown, text


CASES = {
    "front page": Case(200, "GET", "/", "", {}),
    "its head": Case(200, "HEAD", "/", "", {}),
    "a POST to it": Case(405, "POST", "/", "{}", {}),
    "health": Case(200, "GET", "/healthz", "", {}),
    "an Add": Case(200, "POST", f"/add?{STORAGES}", CLICK, OURS),
    "a Remove": Case(200, "POST", f"/remove?{STORAGES}", CLICK, OURS),
    "a GET of Add": Case(405, "GET", "/add", "", OURS),
    "a GET of Remove": Case(405, "GET", "/remove", "", OURS),
    "another method": Case(405, "DELETE", "/add", "", OURS),
    "the options": Case(405, "OPTIONS", "/add", "", {}),
    "no secret": Case(401, "POST", f"/add?{STORAGES}", CLICK, {}),
    "a wrong secret": Case(401, "POST", f"/remove?{STORAGES}", CLICK, {"x-bz-secret": "wrong"}),
    "no storages": Case(400, "POST", "/add", CLICK, OURS),
    "no JSON": Case(400, "POST", f"/add?{STORAGES}", "nothing of the kind", OURS),
    "a form": Case(400, "POST", f"/add?{STORAGES}", "a=1", {**OURS, "Content-Type": "x/y"}),
    "no body": Case(400, "POST", f"/add?{STORAGES}", "", OURS),
    "too large": Case(413, "POST", f"/add?{STORAGES}", " " * (4 * 1024 * 1024 + 1), OURS),
    "unknown path": Case(404, "POST", "/ad", CLICK, OURS),
    "a path below": Case(404, "POST", "/add/x", CLICK, OURS),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_it_answers_as_under_gunicorn(both: Both, case: Case) -> None:
    under_gunicorn = answer(both.gunicorn, case)
    assert under_gunicorn[0] == case.status
    assert answer(both.function, case) == under_gunicorn


def test_an_add_and_a_remove_come_to_their_ends(simulator: Simulator, function: Function) -> None:
    function.wait()
    clips = [asset(simulator, f"clip{number}") for number in range(3)]
    add = function.click("add", "ORIGINAL", asset_ids=clips).json()["operation_id"]
    assert function.report(add, SECONDS)["counts"]["copied"] == 3
    assert len(files(simulator.lucidlink)) == 3
    remove = function.click("remove", "ORIGINAL", asset_ids=clips).json()["operation_id"]
    assert function.report(remove, SECONDS)["counts"]["removed"] == 3
    assert files(simulator.lucidlink) == []
    assert unproven_deletions(simulator) == 0


def test_what_a_lost_instance_has_begun_the_next_one_ends_before_anybody_clicks(
    simulator: Simulator, function: Function
) -> None:
    function.wait()
    clips = [asset(simulator, f"clip{number}", on="both") for number in range(CLIPS)]
    hang_at(simulator, "POST", PURGE_MANY)
    answered = function.click("remove", "ORIGINAL", asset_ids=clips)
    wait_for("purge", lambda: not simulator.control("GET", "faults")["requests"], SECONDS)
    function.process.kill()
    operation_id = answered.json()["operation_id"]
    assert not function.has_ended(operation_id)
    function.start()
    assert function.report(operation_id, SECONDS)["counts"]["removed"] == CLIPS
    assert files(simulator.lucidlink) == []
    assert unproven_deletions(simulator) == 0


@pytest.fixture
def uploaded(tmp_path: Path) -> Path:
    """What gcloud would upload from this checkout, and nothing else."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    ignored = ["--ignored", "--exclude-from", ".gcloudignore"]

    def names(*command: str) -> set[str]:
        told = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
        return set(told.stdout.split("\0")) - {""}

    kept = names(*listed) - names(*listed[:3], "--cached", *ignored)
    kept -= names(*listed[:3], "--others", *ignored)
    for name in kept:
        copy = tmp_path / "uploaded" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((ROOT / name).read_bytes())
    return tmp_path / "uploaded"


def test_what_is_uploaded_is_the_plugin_and_no_more(uploaded: Path, tmp_path: Path) -> None:
    names = {path.name for path in uploaded.iterdir()}
    assert {"main.py", "plugin.py", "requirements.txt"} <= names
    assert not names & {".env", ".git", "requirements-dev.txt"}
    directories = {path.name for path in uploaded.iterdir() if path.is_dir()}
    assert directories == {"b2_iconik", "iconik_http"}
    ended = subprocess.run(
        [sys.executable, "-c", "import main, plugin; print(main.__file__); plugin.start()"],
        cwd=uploaded,
        env={
            "PATH": os.environ["PATH"],
            "STATE_DIRECTORY": str(tmp_path),
            "BZ_SHARED_SECRET": SECRET,
            **yaml.safe_load((ROOT / ".env.example.yaml").read_text()),
            "ICONIK_ID": ID,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == str(uploaded / "main.py")


def test_without_postgresql_it_does_not_start_and_says_so_in_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*FRAMEWORK, "--host", "127.0.0.1", "--port", str(free_port())],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "ICONIK_ID": ID,
            "BZ_SHARED_SECRET": SECRET,
            "STATE_DIRECTORY": str(tmp_path),
            **ON_CLOUD_RUN,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("b2-iconik-plugin: DATABASE_URL must be a postgresql:// address")
