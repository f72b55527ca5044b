"""The service under Gunicorn and the simulator, as processes of their own, talking over HTTP."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.harness import SECRET, Process, Service, Simulator, stop_all
from tests.system.desk import Desk
from tests.system.servers import FLASK


@pytest.fixture
def start_simulator(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Starts a simulator with the given options; all are ended with the test."""
    yield lambda *options: Simulator(tmp_path, *options)
    stop_all()


@pytest.fixture
def simulator(start_simulator: Callable[..., Simulator]) -> Simulator:
    """A simulator whose copies take next to no time."""
    return start_simulator("--copy-seconds", "0.05", "--copies-at-once", "8")


@pytest.fixture
def service(tmp_path: Path, simulator: Simulator) -> Iterator[Service]:
    """The service as it is shipped."""
    service = Service(tmp_path, simulator)
    yield service
    service.stop()


@pytest.fixture(scope="module")
def desk_environment() -> dict[str, str]:
    """What the service of a module's desk is told besides; for modules to say."""
    return {}


@pytest.fixture(scope="module")
def shared_desk(
    tmp_path_factory: pytest.TempPathFactory, desk_environment: dict[str, str]
) -> Iterator[Desk]:
    """One service and one simulator for all tests of a module."""
    desk = Desk(tmp_path_factory.mktemp("desk"), desk_environment)
    yield desk
    desk.stop()


@pytest.fixture
def desk(shared_desk: Desk) -> Iterator[Desk]:
    """The module's desk; whatever a test does there, the promises are kept."""
    with shared_desk.kept():
        yield shared_desk


@pytest.fixture(scope="module")
def desk_alone(shared_desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The same iconik, with a service that has no token of its own."""
    environment = {"ICONIK_TOKEN": ""}
    alone = Desk(tmp_path_factory.mktemp("alone"), environment, shared_desk.simulator)
    yield alone
    alone.stop()


@pytest.fixture
def alone(desk: Desk, desk_alone: Desk) -> Iterator[Desk]:
    """That desk; the promises are kept there, too."""
    with desk_alone.kept():
        yield desk_alone


@pytest.fixture
def flask_url(tmp_path: Path, simulator: Simulator) -> Iterator[str]:
    """The plugin on Flask's development server."""
    environment = {
        "ICONIK_ID": simulator.app_id,
        "ICONIK_URL": simulator.url,
        "BZ_SHARED_SECRET": SECRET,
        "STATE_DIRECTORY": str(tmp_path),
    }
    process = Process([sys.executable, "-m", *FLASK], environment, tmp_path / "flask.log")
    yield process.wait_for_line(r"Running on (http://\S+)")[1]
    process.stop()
