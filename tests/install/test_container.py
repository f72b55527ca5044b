"""The Dockerfile and compose.yaml, without an engine: none runs where the tests do.

The Dockerfile's own commands are carried out, one by one, in a root directory of this machine's
files. What stays unseen is the image it begins with, and what only an engine does.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import settings as environment
from simulator.harness import ROOT, SECRET, Process, stop_all, wait_for
from tests.install.machine import can_be_had

ID = "11111111-1111-4111-8111-111111111111"
VENV = "/venv"
TOOLS = Path(sys.executable).parent
INSTRUCTION = re.compile(r"^([A-Z]+) (.+)$", re.MULTILINE)

# The image to begin with has no files of ours, and a program that is called python.
BEGIN = """
set -eu
cd "$1"
mount -t tmpfs tmpfs .
mkdir changes work root
mount -t overlay overlay -o lowerdir=/,upperdir=changes,workdir=work root
ln -sf /usr/bin/python3 root/usr/local/bin/python
mount -t proc proc root/proc
mount -t tmpfs tmpfs root/tmp
"""


def instructions() -> list[tuple[str, str]]:
    """What the Dockerfile has done, in order."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    return INSTRUCTION.findall(text)


def told(name: str) -> list[str]:
    return [what for instruction, what in instructions() if instruction == name]


def build() -> str:
    """The Dockerfile as a shell script that carries it out in the directory root."""
    lines, variables, place = [BEGIN], "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin", "/"
    for instruction, what in instructions():
        if instruction == "RUN":
            command = f"cd {place} && {what}"
            lines.append(f"chroot root env -i {variables} sh -euc {shlex.quote(command)}")
        elif instruction == "COPY" and not what.startswith("--from"):
            *sources, target = what.split()
            there = f"root{target if target.startswith('/') else f'{place}/{target}'}"
            found = [path for each in sources for path in sorted(ROOT.glob(each))]
            # Of a directory, its content is copied.
            named = shlex.join(f"{path}/." if path.is_dir() else str(path) for path in found)
            lines.append(f"mkdir -p {there}; cp -r {named} {there}")
        elif instruction == "WORKDIR":
            place = what
        elif instruction == "ENV":
            variables = what.replace("$PATH", variables.removeprefix("PATH="))
    command = shlex.join(json.loads(told("CMD")[0]))
    command = command.replace("--bind=0.0.0.0:8000", "--bind=127.0.0.1:0")
    given = f"{variables} ICONIK_ID={ID} BZ_SHARED_SECRET={SECRET}"
    inside = f"cd {place} && exec env -i {given} {command}"
    lines.append(
        f"exec chroot --userspec={told('USER')[0]} --groups= root sh -c {shlex.quote(inside)}"
    )
    return "\n".join(lines)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Process]:
    """What the Dockerfile makes, started."""
    place = tmp_path / "container"
    place.mkdir()
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", build(), "build"]
    yield Process([*command, str(place)], {}, tmp_path / "container.log")
    stop_all()


def is_healthy(container: Process, url: str) -> bool:
    """Whether the Dockerfile's health check succeeds in a container that serves at an address."""
    command = json.loads(told("HEALTHCHECK")[0].split("CMD ", 1)[1])
    checked = subprocess.run(
        [
            *("nsenter", "--target", str(container.pid), "--mount", "--root", "--wd"),
            *("env", "-i", f"PATH={VENV}/bin"),
            *(part.replace("http://127.0.0.1:8000", url) for part in command),
        ],
        capture_output=True,
        timeout=30,
        check=False,
    )
    return checked.returncode == 0


@pytest.mark.skipif(
    not (can_be_had() or os.environ.get("REQUIRE_SERVERS")), reason="a root directory needs root"
)
def test_the_commands_of_the_dockerfile_make_a_service_that_is_healthy(
    container: Process,
) -> None:
    url = container.wait_for_line(r"Listening at: (http://\S+)", 240)[1]
    wait_for("health", lambda: is_healthy(container, url), 120)
    status = Path(f"/proc/{container.pid}/status").read_text()
    assert re.findall(r"^(?:Uid|Gid):\t(\d+)", status, re.MULTILINE) == ["10001", "10001"]
    assert re.findall(r"^Groups:\t *(.*?) *$", status, re.MULTILINE) == [""]
    inside = Path(f"/proc/{container.pid}/root")
    database = inside / "var" / "lib" / "b2-iconik-plugin" / "b2-iconik-plugin.sqlite"
    assert database.stat().st_mode & 0o777 == 0o600
    assert not is_healthy(container, "http://127.0.0.1:9")


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
    others = {".ci", "benchmark", "deploy", "docs", "script", "simulator", "tests"}
    copied = {source for what in told("COPY") for source in what.split()[:-1]}
    assert directories - others <= copied


def test_what_the_dockerfile_copies_is_not_ignored() -> None:
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    copied = [what.split()[:-1] for what in told("COPY") if not what.startswith("--from")]
    assert {name for names in copied for name in names} == kept


# compose.yaml


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
