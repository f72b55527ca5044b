"""The steps by hand in docs/deployment.md, on a machine with a real systemd."""

import os
import re
from collections.abc import Iterator

import pytest

from dev.harness import ROOT, SECRET
from tests.install.machine import CHECKOUT, Machine, can_be_had
from tests.install.test_first_click import SUDO
from tests.test_docs import BLOCK

ASK = (
    "curl --silent --fail --unix-socket /run/b2-iconik-plugin/plugin.sock http://localhost/healthz"
)

pytestmark = pytest.mark.skipif(
    not (can_be_had() or os.environ.get("REQUIRE_SERVERS")),
    reason="a machine with a real systemd needs root and the package systemd-container",
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which all the steps were taken, and .env filled in between."""
    machine = Machine(tmp_path_factory.mktemp("by-hand"))
    page = (ROOT / "docs" / "deployment.md").read_text()
    section = page.split("\n### By hand\n")[1].split("\n## ")[0]
    prepare, start = (block[2] for block in BLOCK.finditer(section))
    prepared = machine.run(f"set -e; {SUDO}{prepare}")
    assert prepared.ok, prepared
    env = machine.path(f"{CHECKOUT}/.env")
    filled_in = re.sub(
        "(?m)^ICONIK_ID=$", f"ICONIK_ID={'1' * 8}-0000-4000-8000-{'1' * 12}", env.read_text()
    )
    env.write_text(filled_in.replace("BZ_SHARED_SECRET=\n", f"BZ_SHARED_SECRET={SECRET}\n", 1))
    started = machine.run(f"set -e; {SUDO}{start}")
    assert started.ok, started
    assert "Active: active (running)" in started.output
    yield machine
    machine.stop()


def test_it_runs_and_scripts_look_where_it_does(machine: Machine) -> None:
    assert machine.run(ASK).ok
    listed = machine.run("script/operations list")
    assert (listed.ok, listed.output) == (True, "No operations.\n")


def test_its_settings_are_for_its_user_alone(machine: Machine) -> None:
    assert (
        machine.run("stat --format '%U:%G %a' .env").output
        == "b2-iconik-plugin:b2-iconik-plugin 600\n"
    )


def test_nginx_may_use_its_socket_once_it_is_let(machine: Machine) -> None:
    as_nginx = f"runuser -u www-data -- {ASK}"
    assert not machine.run(as_nginx).ok
    (let,) = re.findall("usermod -aG .*", (ROOT / "deploy" / "nginx.conf").read_text())
    assert machine.run(let).ok
    assert machine.run(as_nginx).ok
