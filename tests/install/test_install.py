"""script/install and script/uninstall, on a machine with a real systemd and nginx."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from dotenv import dotenv_values

from b2_iconik.common.version import VERSION
from dev.harness import ROOT, Simulator, stop_all, wait_for
from tests.documented import documented
from tests.install.machine import CHECKOUT, Machine, can_be_had
from tests.nginx.certificate import make_certificate
from tests.system.media import asset, files, unproven_deletions
from tests.system.points import PURGE_MANY, hang_at

STATE = "/var/lib/b2-iconik-plugin"
UNIT = "/etc/systemd/system/b2-iconik-plugin.service"
SOCKET = "/run/b2-iconik-plugin/plugin.sock"
INSTALL = (
    "script/install --yes --nginx localhost --certificate {0}/fullchain.pem --key {0}/privkey.pem"
)
CERTIFICATES = "/etc/ssl/b2-iconik-plugin"
CLIPS = 12
WORKERS = 3
# What systemd would wait for, at most.
STOP = 15.0

pytestmark = pytest.mark.skipif(
    not (can_be_had() or os.environ.get("REQUIRE_SERVERS")),
    reason="a machine with a real systemd needs root and the package systemd-container",
)


class Installed:
    """The service as it was installed.

    Attributes:
        first_run: what the first run of script/install printed, without settings.
        second_run: what the second one printed, with settings.
    """

    def __init__(self, directory: Path, machine: Machine) -> None:
        self.machine = machine
        self.simulator = Simulator(directory, "--copy-seconds", "0.05")
        make_certificate(directory)
        self._trusted = str(directory / "fullchain.pem")
        machine.path(CERTIFICATES).mkdir()
        for name in ("fullchain.pem", "privkey.pem"):
            machine.path(f"{CERTIFICATES}/{name}").write_bytes((directory / name).read_bytes())
        install = INSTALL.format(CERTIFICATES)
        self.first_run = machine.run(install)
        env = machine.path(f"{CHECKOUT}/.env")
        filled_in = env.read_text().replace("ICONIK_ID=\n", f"ICONIK_ID={self.simulator.app_id}\n")
        env.write_text(f"{filled_in}ICONIK_URL={self.simulator.url}\n")
        self.secret = re.findall(r"^BZ_SHARED_SECRET=(\S+)$", filled_in, re.MULTILINE)[0]
        machine.path("/etc/default/b2-iconik-plugin").write_text(
            f"GUNICORN_CMD_ARGS=-w {WORKERS}\n"
        )
        self.second_run = machine.run(install)

    def get(self, path: str) -> requests.Response:
        return requests.get(f"https://localhost{path}", verify=self._trusted, timeout=60)

    def click(self, action: str, *asset_ids: str) -> str:
        """Click through nginx, for the ORIGINAL; returns the operation's id."""
        answer = requests.post(
            f"https://localhost/{action}",
            params={
                "b2_storage_id": self.simulator.b2_storage_id,
                "ll_storage_id": self.simulator.ll_storage_id,
                "formats": "ORIGINAL",
            },
            json={"context": "BULK", "asset_ids": asset_ids, "auth_token": self.simulator.token},
            headers={"x-bz-secret": self.secret},
            verify=self._trusted,
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["operation_id"])

    def shown(self, operation_id: str) -> dict[str, Any]:
        """What script/operations shows to root."""
        shown = self.machine.run(f"script/operations show {operation_id} --json")
        assert shown.ok, shown
        told: dict[str, Any] = json.loads(shown.output)
        return told

    def report(self, operation_id: str) -> dict[str, Any]:
        """Wait for the end of an operation; returns its report."""
        wait_for("end", lambda: self.shown(operation_id)["ended"], 120)
        return self.shown(operation_id)

    def property(self, name: str) -> str:
        """What systemd knows of the service."""
        shown = self.machine.run(f"systemctl show --property {name} --value b2-iconik-plugin")
        return shown.output.strip()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The service, installed by two runs of script/install."""
    directory = tmp_path_factory.mktemp("install")
    machine = Machine(directory)
    with machine.network():
        yield Installed(directory, machine)
    machine.stop()
    stop_all()


def test_without_settings_the_first_run_says_what_is_missing(installed: Installed) -> None:
    assert installed.first_run.ok
    assert "Not started yet: ICONIK_ID is not set" in installed.first_run.output


def test_the_second_run_starts_it(installed: Installed) -> None:
    assert installed.second_run.ok, installed.second_run
    assert f"Version {VERSION} is running." in installed.second_run.output
    assert installed.property("ActiveState") == "active"
    assert installed.property("StatusText") == f"version {VERSION} is ready"
    assert installed.property("UnitFileState") == "enabled"


def test_what_it_says_shows_more_can_be_run_from_anywhere(installed: Installed) -> None:
    shown = re.findall(r"^  (?:sudo )?(.+)$", installed.second_run.output, re.MULTILINE)
    assert [each.split()[0] for each in shown] == [
        "systemctl", "journalctl", f"{CHECKOUT}/script/operations",
    ]  # fmt: skip
    ended = [installed.machine.run(f"cd / && {each}") for each in shown]
    assert [each for each in ended if not each.ok] == []


def test_the_password_of_the_operations_page_is_shown_as_documented(installed: Installed) -> None:
    command = documented("grep BZ_SHARED_SECRET=", "docs/operations-page.md")
    assert installed.machine.run(command).output == f"BZ_SHARED_SECRET={installed.secret}\n"


def test_gunicorn_takes_arguments_from_where_debian_has_them(installed: Installed) -> None:
    main = installed.property("MainPID")
    children = installed.machine.path(f"/proc/{main}/task/{main}/children").read_text()
    assert len(children.split()) == WORKERS


def test_a_checkout_that_the_service_cannot_read_is_refused(installed: Installed) -> None:
    module = installed.machine.path(f"{CHECKOUT}/b2_iconik/dispatch/leader.py")
    module.chmod(0o600)
    refused = installed.machine.run(INSTALL.format(CERTIFICATES))
    module.chmod(0o644)
    assert not refused.ok
    assert "user b2-iconik-plugin cannot read all of /opt" in refused.output


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("--nginx plugin.example.com", "get a certificate for plugin.example.com first"),
        ("--nginx 'a;b'", "--nginx needs a host name"),
        ("--nginx", "--nginx needs a value"),
        ("--ngingx x", "unknown option --ngingx"),
    ],
)
def test_what_cannot_be_installed_is_refused_before_anything_is_done(
    installed: Installed, options: str, reason: str
) -> None:
    refused = installed.machine.run(f"script/install --yes {options}")
    assert not refused.ok
    assert reason in refused.output
    assert "+ " not in refused.output


def test_a_dry_run_shows_the_commands_and_runs_none(installed: Installed) -> None:
    shown = installed.machine.run(f"{INSTALL.format(CERTIFICATES)} --dry-run")
    assert shown.ok
    assert "  systemctl restart b2-iconik-plugin\n" in shown.output
    assert "+ " not in shown.output


def test_without_a_yes_nothing_is_done(installed: Installed) -> None:
    asked = installed.machine.run("echo n | script/install")
    assert not asked.ok
    assert "Nothing was done." in asked.output
    assert "+ " not in asked.output


def test_the_second_run_makes_nothing_twice(installed: Installed) -> None:
    for step in ("useradd", "make_settings", "name_database", "write_site"):
        assert f"+ {step}" in installed.first_run.output
        assert f"+ {step}" not in installed.second_run.output


@pytest.mark.parametrize(
    "line",
    [
        "DATABASE_URL=postgresql://database/plugin",
        "DATABASE_URL = postgresql://database/plugin",
        "export DATABASE_URL=postgresql://database/plugin",
        "  export\t'DATABASE_URL' = 'postgresql://database/plugin'",
        'DATABASE_URL="postgresql://database/plugin"',
        "DATABASE_URL=",
        "DATABASE_URL=''",
        "#DATABASE_URL=postgresql://database/plugin",
        "OLD_DATABASE_URL=postgresql://database/plugin",
    ],
)
def test_a_database_is_named_just_where_the_settings_name_none(
    installed: Installed, line: str
) -> None:
    env = installed.machine.path(f"{CHECKOUT}/.env")
    before = env.read_text()
    env.write_text(f"{line}\n")
    is_named = bool(dotenv_values(env, interpolate=False).get("DATABASE_URL"))
    shown = installed.machine.run("script/install --dry-run").output
    env.write_text(before)
    assert "systemctl restart" in shown
    assert ("  name_database " in shown) is not is_named


def test_a_click_goes_through_nginx_to_the_end(installed: Installed) -> None:
    clip = asset(installed.simulator, "clip")
    report = installed.report(installed.click("add", clip))
    assert report["counts"]["copied"] == 1
    assert installed.get("/healthz").json() == {"message": "OK"}
    report = installed.report(installed.click("remove", clip))
    assert report["counts"]["removed"] == 1


def test_only_nginx_may_speak_to_it(installed: Installed) -> None:
    ask = f"curl --silent --fail --unix-socket {SOCKET} http://localhost/"
    assert installed.machine.run(f"runuser -u www-data -- {ask}").ok
    assert not installed.machine.run(f"runuser -u nobody -- {ask}").ok


@pytest.mark.parametrize("secret", [f"{CHECKOUT}/.env", STATE, f"{STATE}/b2-iconik-plugin.sqlite"])
def test_nobody_else_may_read_its_secrets(installed: Installed, secret: str) -> None:
    there = installed.machine.path(secret)
    assert there.exists()
    assert there.stat().st_mode & 0o077 == 0
    assert not installed.machine.run(f"runuser -u www-data -- test -r {secret}").ok


def test_it_can_write_to_its_database_and_see_little_else(installed: Installed) -> None:
    inside = f"nsenter --target {installed.property('MainPID')} --mount sh -c"
    assert installed.machine.run(f"{inside} 'touch {STATE}/x && rm {STATE}/x'").ok
    for place in ("/", "/etc", "/usr", "/var", "/var/lib", CHECKOUT):
        tried = installed.machine.run(f"{inside} 'touch {place}/x'")
        assert "Read-only file system" in tried.output
    assert installed.machine.run(f"{inside} 'ls -A /root /home'").output == "/home:\n\n/root:\n"


def test_it_has_no_powers(installed: Installed) -> None:
    status = installed.machine.path(f"/proc/{installed.property('MainPID')}/status").read_text()
    for expected in (r"NoNewPrivs:\t1", r"Seccomp:\t2", r"CapBnd:\t0+$", r"CapEff:\t0+$"):
        assert re.search(expected, status, re.MULTILINE), expected


def test_systemd_calls_it_exposed_to_as_little_as_the_page_says(installed: Installed) -> None:
    page = " ".join((ROOT / "docs" / "deployment.md").read_text().split())
    command, level = re.findall(
        r"`(systemd-analyze security [^`]+)` rates its exposure ([0-9.]+) out of 10", page
    )[0]
    told = installed.machine.run(command).output
    found = re.findall(r"exposure level for b2-iconik-plugin.service: ([0-9.]+)", told)
    assert [float(each) <= float(level) for each in found] == [True], told


def test_a_stop_in_mid_remove_takes_little_time_and_the_next_start_ends_it(
    installed: Installed,
) -> None:
    simulator = installed.simulator
    clips = [asset(simulator, f"stopped{number}", on="both") for number in range(CLIPS)]
    hang_at(simulator, "POST", PURGE_MANY)
    operation_id = installed.click("remove", *clips)
    wait_for("purge", lambda: not simulator.control("GET", "faults")["requests"], 120)
    assert installed.machine.run("systemctl stop b2-iconik-plugin", STOP).ok
    assert installed.property("Result") == "success"
    assert not installed.shown(operation_id)["ended"]
    assert installed.machine.run("systemctl start b2-iconik-plugin").ok
    assert installed.report(operation_id)["counts"]["removed"] == CLIPS
    assert files(simulator.lucidlink) == []
    assert unproven_deletions(simulator) == 0


def test_when_all_of_it_is_killed_it_comes_back_and_goes_on(installed: Installed) -> None:
    simulator = installed.simulator
    simulator.control("PATCH", "settings", {"copies_paused": True})
    operation_id = installed.click("add", asset(simulator, "killed"))
    wait_for("copy", lambda: simulator.control("GET", "")["running_jobs"], 120)
    # It may say "Failed to send signal", because processes end while others are signalled.
    installed.machine.run("systemctl kill --signal=KILL b2-iconik-plugin")
    wait_for("restart", lambda: installed.property("NRestarts") == "1", 120)
    wait_for("active service", lambda: installed.property("ActiveState") == "active", 120)
    simulator.control("PATCH", "settings", {"copies_paused": False})
    assert installed.report(operation_id)["counts"]["copied"] == 1


def test_prometheus_has_an_address_of_its_own_with_the_pages_lines(installed: Installed) -> None:
    machine = installed.machine
    page = (ROOT / "docs" / "monitoring.md").read_text()
    (lines,) = re.findall(r"```ini\n(\[Service\].+?)```", page, re.DOTALL)
    edited = machine.path(f"{UNIT}.d/override.conf")
    edited.parent.mkdir()
    edited.write_text(lines)
    restart = "systemctl daemon-reload && systemctl restart b2-iconik-plugin"
    assert machine.run(restart).ok
    told = machine.run("curl --silent --fail http://127.0.0.1:8000/metrics")
    edited.unlink()
    edited.parent.rmdir()
    assert machine.run(restart).ok
    assert "b2_iconik_" in told.output
    assert installed.get("/metrics").status_code == 404


def test_a_backup_that_is_restored_has_what_was_under_way_and_it_goes_on(
    installed: Installed,
) -> None:
    simulator, machine = installed.simulator, installed.machine
    simulator.control("PATCH", "settings", {"copies_paused": True})
    operation_id = installed.click("add", asset(simulator, "backed up"))
    wait_for("copy", lambda: simulator.control("GET", "")["running_jobs"], 120)
    back_up = documented('sh -c "umask 077 && sqlite3')
    done = [machine.run(back_up), machine.run(back_up)]
    backup = machine.path("/var/backups/b2-iconik-plugin.sqlite")
    assert backup.stat().st_mode & 0o777 == 0o600
    lost = installed.click("add", asset(simulator, "clicked after the backup"))
    done += [
        machine.run(documented(step))
        for step in (
            "systemctl stop b2-iconik-plugin",
            f"rm -f {STATE}",
            "install -m 600 -o b2-iconik-plugin -g b2-iconik-plugin /var/backups/",
            "systemctl start b2-iconik-plugin",
        )
    ]
    assert [each for each in done if not each.ok] == []
    simulator.control("PATCH", "settings", {"copies_paused": False})
    assert installed.report(operation_id)["ended"]
    assert not machine.run(f"script/operations show {lost}").ok


def test_its_log_names_operations_and_no_secret(installed: Installed) -> None:
    operation_id = installed.click("add", asset(installed.simulator, "logged"))

    def logged_so_far() -> str:
        return installed.machine.run("journalctl --unit b2-iconik-plugin --no-pager").output

    # The journal takes it up by and by.
    wait_for("its line", lambda: operation_id in logged_so_far(), 120)
    logged = logged_so_far()
    assert "Traceback" not in logged
    assert installed.secret not in logged


def is_served(installed: Installed) -> bool:
    try:
        installed.get("/")
    except requests.ConnectionError:
        return False
    return True


def test_uninstalling_keeps_the_operations_unless_they_are_purged(installed: Installed) -> None:
    operation_id = installed.click("add", asset(installed.simulator, "kept"))
    groups = "id --groups --name www-data"
    assert "b2-iconik-plugin" in installed.machine.run(groups).output.split()
    assert installed.machine.run("script/uninstall --yes").ok
    assert "b2-iconik-plugin" not in installed.machine.run(groups).output.split()
    assert installed.property("LoadState") == "not-found"
    for gone in (SOCKET, f"{CHECKOUT}/.venv", "/etc/nginx/conf.d/b2-iconik-plugin.conf"):
        assert not installed.machine.path(gone).exists()
    # nginx reloads by and by.
    wait_for("nginx to leave it", lambda: not is_served(installed), 120)
    kept = installed.machine.run(f"sqlite3 {STATE}/b2-iconik-plugin.sqlite .dump")
    assert operation_id in kept.output
    assert installed.machine.run("script/uninstall --yes --purge").ok
    assert not installed.machine.path(STATE).exists()
    assert not installed.machine.path(f"{CHECKOUT}/.env").exists()
    assert not installed.machine.run("getent passwd b2-iconik-plugin").ok
    assert installed.machine.run("script/uninstall --dry-run --purge").output == ""
