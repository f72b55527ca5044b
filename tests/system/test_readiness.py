"""What systemd hears of the service, on a real notification socket."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa

from b2_iconik.common.version import VERSION
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import schema
from dev.harness import SECRET, Process, stop_all

PATIENCE = 120.0


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd would listen."""
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(PATIENCE)
        yield listening


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    """Starts the service as systemd does."""
    environment = {
        "ICONIK_ID": "11111111-1111-4111-8111-111111111111",
        "ICONIK_URL": "http://127.0.0.1:9",
        "BZ_SHARED_SECRET": SECRET,
        "STATE_DIRECTORY": str(tmp_path),
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
    }
    command = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:0", "plugin:app"]
    yield lambda: Process(command, environment, tmp_path / "service.log")
    stop_all()


def test_systemd_hears_that_it_is_ready_from_who_answers(
    systemd: socket.socket, start: Callable[[], Process]
) -> None:
    service = start()
    assert systemd.recv(4096).decode() == f"READY=1\nSTATUS=version {VERSION} is ready"
    url = service.wait_for_line(r"Listening at: (http://\S+)")[1]
    assert requests.get(f"{url}/", timeout=PATIENCE).ok


def test_systemd_hears_nothing_of_what_can_never_answer(
    systemd: socket.socket, start: Callable[[], Process], tmp_path: Path
) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'b2-iconik-plugin.sqlite'}", PATIENCE)
    Ledger(engine).create()
    with engine.begin() as connection:
        connection.execute(sa.update(schema).values(version=99))
    engine.dispose()
    service = start()
    assert service.exit_status() != 0
    assert "a database of a newer version" in service.output()
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(4096)
