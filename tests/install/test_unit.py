"""The systemd unit, looked at by systemd's own tools."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev.harness import ROOT

UNIT = "b2-iconik-plugin.service"
# Out of 10.
LARGEST_EXPOSURE = 2.0

pytestmark = pytest.mark.skipif(
    not (shutil.which("systemd-analyze") or os.environ.get("REQUIRE_SERVERS")),
    reason="systemd is not installed",
)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as it is for a program that is there, as the README has people edit it."""
    shipped = (ROOT / UNIT).read_text()
    gunicorn = "/opt/b2-iconik-plugin/.venv/bin/gunicorn"
    assert gunicorn in shipped
    edited = tmp_path / UNIT
    edited.write_text(shipped.replace(gunicorn, sys.executable))
    return edited


def test_systemd_finds_nothing_wrong_with_it(unit: Path) -> None:
    done = analyze("verify", "--man=no", str(unit))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_is_exposed_to_little(unit: Path) -> None:
    tenths = str(int(LARGEST_EXPOSURE * 10))
    done = analyze("security", "--offline=true", f"--threshold={tenths}", str(unit))
    assert done.returncode == 0, done.stdout


def test_systemd_and_nginx_speak_of_the_same_socket() -> None:
    socket = "unix:/run/b2-iconik-plugin/plugin.sock"
    assert f"--bind {socket} " in (ROOT / UNIT).read_text()
    assert f"server {socket} " in (ROOT / "deploy" / "nginx.conf").read_text()
