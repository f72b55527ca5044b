"""The property list for macOS's launchd, read as launchd reads it, and started without it."""

import plistlib
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.harness import ROOT, SECRET, Process, wait_for
from tests.ports import free_port

CHECKOUT = "/opt/b2-iconik-plugin"


@pytest.fixture
def job() -> dict[str, Any]:
    """What launchd is told."""
    with (ROOT / "deploy" / "b2-iconik-plugin.plist").open("rb") as file:
        told: dict[str, Any] = plistlib.load(file)
    return told


def test_launchd_keeps_it_running_as_its_own_user(job: dict[str, Any]) -> None:
    assert job["Label"] == "b2-iconik-plugin"
    assert job["UserName"] not in ("root", "nobody")
    assert job["RunAtLoad"] is True
    assert job["KeepAlive"] is True
    assert job["Umask"] == 0o077


def test_launchd_waits_longer_than_gunicorn_does(job: dict[str, Any]) -> None:
    assert job["ExitTimeOut"] > 10


def test_its_command_starts_the_service(job: dict[str, Any], tmp_path: Path) -> None:
    program, *arguments = job["ProgramArguments"]
    assert (program, job["WorkingDirectory"]) == (f"{CHECKOUT}/.venv/bin/gunicorn", CHECKOUT)
    url = f"http://localhost:{free_port()}"
    assert "STATE_DIRECTORY" in job["EnvironmentVariables"]
    given = [each.replace("localhost:8000", url.removeprefix("http://")) for each in arguments]
    assert given != arguments
    environment = {
        **job["EnvironmentVariables"],
        "STATE_DIRECTORY": str(tmp_path),
        "ICONIK_ID": "11111111-1111-4111-8111-111111111111",
        "BZ_SHARED_SECRET": SECRET,
    }
    service = Process(
        [sys.executable, "-m", "gunicorn", *given], environment, tmp_path / "service.log"
    )

    def answers() -> bool:
        assert service.is_running(), service.output()
        try:
            return requests.get(f"{url}/healthz", timeout=60).ok
        except requests.ConnectionError:
            return False

    wait_for("health", answers, 120)
    assert (tmp_path / "b2-iconik-plugin.sqlite").exists()
    service.stop()
