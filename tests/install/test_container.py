"""The container image, built and run with buildah; the Dockerfile; compose.yaml."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from b2_iconik.common import settings as environment
from dev.harness import ROOT, SECRET, Process, Simulator, stop_all, wait_for
from tests.install.image import Engine, built, can_be_built
from tests.system.media import asset

ID = "11111111-1111-4111-8111-111111111111"
TOOLS = Path(sys.executable).parent
INSTRUCTION = re.compile(r"^([A-Z]+) (.+)$", re.MULTILINE)
# Seconds. docs/deployment.md and compose.yaml give it this long to stop.
GRACE = 15.0

needs_buildah = [
    pytest.mark.skipif(
        not (can_be_built() or os.environ.get("REQUIRE_SERVERS")),
        reason="building the image needs root and the packages buildah and debootstrap",
    ),
    # The first run creates a Debian as the base image.
    pytest.mark.timeout(900),
]


def told(name: str) -> list[str]:
    """What follows each instruction of a name in the Dockerfile."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    return [what for instruction, what in INSTRUCTION.findall(text) if instruction == name]


# The image


class Container:
    """A container that runs the service against a simulator.

    Args:
        engine: the engine that has built the image.
        simulator: the simulated iconik.
        log: the file for the container's output.
    """

    def __init__(self, engine: Engine, simulator: Simulator, log: Path) -> None:
        self._engine = engine
        self._log = log
        self._id = engine.create()
        self._variables = {
            "ICONIK_ID": simulator.app_id,
            "ICONIK_URL": simulator.url,
            "BZ_SHARED_SECRET": SECRET,
        }
        self._simulator = simulator
        self.start()

    def start(self) -> None:
        """Start it, and wait until it is healthy."""
        # The container shares this machine's network, where port 8000 may be in use.
        command = [
            part.replace("0.0.0.0:8000", "127.0.0.1:0")
            for part in self._engine.configuration()["Cmd"]
        ]
        run = self._engine.run(self._id, command, **self._variables)
        self.process = Process(run, {}, self._log)
        line = self.process.wait_for_line(r"Listening at: (\S+) \((\d+)\)")
        self.url, self.main_pid = line[1], int(line[2])
        wait_for("health", self.is_healthy, 120)

    def stop(self) -> int:
        """Stop it as ``docker stop --time 15`` does; returns its exit status.

        Raises:
            TimeoutError: it still runs when Docker would kill it.
        """
        number = signal.Signals[self._engine.configuration()["StopSignal"]]
        os.kill(self.main_pid, number)
        wait_for("end of the container", lambda: not self.process.is_running(), GRACE)
        return self.process.exit_status()

    def is_healthy(self, url: str | None = None) -> bool:
        """Whether the image's health check succeeds, at another address if one is given."""
        kind, *check = self._engine.configuration()["Healthcheck"]["Test"]
        assert kind == "CMD"
        address = url or self.url
        check = [part.replace("http://127.0.0.1:8000", address) for part in check]
        return self.run(*check).returncode == 0

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as ``docker exec`` does."""
        return subprocess.run(
            self._engine.run(self._id, command, **self._variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def add(self, asset_id: str) -> str:
        """Click Add on an asset; returns the operation's id."""
        answer = requests.post(
            f"{self.url}/add",
            params={
                "b2_storage_id": self._simulator.b2_storage_id,
                "ll_storage_id": self._simulator.ll_storage_id,
                "formats": "ORIGINAL",
            },
            json={
                "context": "BULK",
                "asset_ids": [asset_id],
                "auth_token": self._simulator.token,
            },
            headers={"x-bz-secret": SECRET},
            timeout=30,
        )
        assert answer.ok, answer.text
        return str(answer.json()["operation_id"])

    def operation(self, operation_id: str) -> dict[str, Any]:
        """An operation as the operations page returns it."""
        answer = requests.get(
            f"{self.url}/operations/{operation_id}?format=json",
            auth=("anybody", SECRET),
            timeout=30,
        )
        assert answer.ok, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def counts(self, operation_id: str) -> dict[str, int]:
        """Wait until an operation has ended; returns its counts."""
        wait_for("end", lambda: self.operation(operation_id)["is_final"], 120)
        counts: dict[str, int] = self.operation(operation_id)["counts"]
        return counts


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """An engine that has built the image."""
    with built() as engine:
        yield engine
        stop_all()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    made = Simulator(tmp_path_factory.mktemp("simulator"), "--copy-seconds", "0.05")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def container(
    engine: Engine, simulator: Simulator, tmp_path_factory: pytest.TempPathFactory
) -> Container:
    """A running, healthy container."""
    return Container(engine, simulator, tmp_path_factory.mktemp("container") / "container.log")


class TestImage:
    """The image, built from the Dockerfile."""

    pytestmark = needs_buildah

    def test_it_runs_as_an_unprivileged_user(self, container: Container) -> None:
        status = Path(f"/proc/{container.main_pid}/status").read_text()
        assert re.findall(r"^(?:Uid|Gid):\t(\d+)", status, re.MULTILINE) == ["10001", "10001"]

    def test_nobody_else_can_read_its_database(self, container: Container) -> None:
        shown = container.run(
            "stat", "-c", "%a %u", "/var/lib/b2-iconik-plugin/b2-iconik-plugin.sqlite"
        )
        assert shown.stdout == "600 10001\n"

    def test_its_health_check_fails_without_a_service(self, container: Container) -> None:
        assert not container.is_healthy("http://127.0.0.1:9")

    def test_an_add_ends_with_the_file_on_lucidlink(
        self, container: Container, simulator: Simulator
    ) -> None:
        operation_id = container.add(asset(simulator, "Beach"))
        assert container.counts(operation_id)["copied"] == 1
        (copied,) = simulator.lucidlink.glob("*/beach_original.mov")
        assert copied.stat().st_size == 300

    def test_a_command_in_the_container_lists_its_operations(
        self, container: Container, simulator: Simulator
    ) -> None:
        operation_id = container.add(asset(simulator, "Harbour"))
        shown = container.run("python", "show_operations.py", "list")
        assert operation_id[:8] in shown.stdout, shown.stderr

    def test_it_stops_in_time_and_finishes_after_a_restart(
        self, container: Container, simulator: Simulator
    ) -> None:
        simulator.control("PATCH", "settings", {"copies_paused": True})
        operation_id = container.add(asset(simulator, "Pier"))
        wait_for("copy", lambda: container.operation(operation_id)["copy_jobs_under_way"], 120)
        assert container.stop() == 0
        simulator.control("PATCH", "settings", {"copies_paused": False})
        container.start()
        assert container.counts(operation_id)["copied"] == 1


# The Dockerfile


def test_the_linter_finds_nothing_wrong_with_the_dockerfile() -> None:
    done = subprocess.run(
        [TOOLS / "hadolint", "Dockerfile"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_dockerfile_copies_all_that_the_service_is_made_of() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, check=True, text=True
    )
    directories = {name.split("/")[0] for name in listed.stdout.splitlines() if "/" in name}
    others = {".ci", "deploy", "dev", "docs", "script", "simulator", "tests"}
    copied = {source for what in told("COPY") for source in what.split()[:-1]}
    assert directories - others <= copied


def test_what_the_dockerfile_copies_is_not_ignored() -> None:
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    copied = [what.split()[:-1] for what in told("COPY") if not what.startswith("--from")]
    assert {name for names in copied for name in names} == kept


# compose.yaml


COMPOSE = ["docker", "compose"]


def compose_is_here() -> bool:
    """Whether Docker's client has its plugin for compose files; neither needs a daemon."""
    if shutil.which(COMPOSE[0]) is None:
        return False
    return subprocess.run([*COMPOSE, "version"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def services() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def filled_in(text: str, variables: dict[str, str]) -> str:
    """A value of compose.yaml with its variables, as an engine would fill them in."""

    def value(match: re.Match[str]) -> str:
        name, kind, otherwise = match.groups()
        if name not in variables and kind == ":?":
            raise LookupError(f"{name} {otherwise}")
        return variables.get(name, otherwise)

    return re.sub(r"\$\{(\w+)(:[-?])(.*?)\}", value, text)


def test_compose_follows_the_specification() -> None:
    done = subprocess.run(
        [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not compose_is_here(), reason="docker compose is not installed")
def test_docker_compose_accepts_compose_yaml(tmp_path: Path) -> None:
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in GIVEN.items()))
    done = subprocess.run(
        [*COMPOSE, "--project-directory", tmp_path, "config", "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    plugin = json.loads(done.stdout)["services"]["plugin"]
    assert plugin["environment"]["BZ_SHARED_SECRET"] == SECRET
    assert plugin["environment"]["DATABASE_URL"].endswith(f":{'p' * 32}@database/plugin")


GIVEN = {"ICONIK_ID": ID, "BZ_SHARED_SECRET": SECRET, "POSTGRES_PASSWORD": "p" * 32}


def test_compose_tells_the_plugin_what_is_in_env_but_for_its_database(services: Any) -> None:
    assert services["plugin"]["env_file"] == ".env"
    # As script/install leaves it there.
    in_file = {**GIVEN, "LOG_FORMAT": "json", "DATABASE_URL": "sqlite:////var/lib/some.sqlite"}
    over_it = {
        name: filled_in(text, in_file) for name, text in services["plugin"]["environment"].items()
    }
    settings = environment.load({**in_file, **over_it}, Path("no.env"))
    assert (settings.secret, settings.log_format) == (SECRET, "json")
    assert settings.database_url == f"postgresql+psycopg://plugin:{'p' * 32}@database/plugin"


def test_compose_gives_the_database_the_same_password(services: Any) -> None:
    told_it = {
        name: filled_in(text, GIVEN) for name, text in services["database"]["environment"].items()
    }
    assert told_it == {
        "POSTGRES_USER": "plugin",
        "POSTGRES_DB": "plugin",
        "POSTGRES_PASSWORD": "p" * 32,
    }


@pytest.mark.parametrize("service", ["plugin", "database"])
def test_compose_does_not_start_without_a_password(services: Any, service: str) -> None:
    everything = "\n".join(services[service]["environment"].values())
    with pytest.raises(LookupError, match=r"POSTGRES_PASSWORD is missing in .env"):
        filled_in(everything, {})


def test_compose_waits_for_the_database_and_lets_nobody_else_in(services: Any) -> None:
    assert services["plugin"]["depends_on"]["database"]["condition"] == "service_healthy"
    assert services["database"]["healthcheck"]["test"][0] == "CMD"
    assert services["plugin"]["ports"] == ["127.0.0.1:8000:8000"]
    assert "ports" not in services["database"]
