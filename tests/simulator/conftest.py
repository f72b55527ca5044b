"""A simulator for the tests of the simulator: one process, set back after every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulator.desk import Desk


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A simulator that copies fast and limits no one."""
    desk = Desk(
        tmp_path_factory.mktemp("desk"), "--copy-seconds", "0.01", "--rate-limit", "1000000"
    )
    yield desk
    printed = desk.stop()
    assert printed == ("", ""), "it prints nothing but its ready line"


@pytest.fixture
def desk(running: Desk) -> Iterator[Desk]:
    """The simulator, behaving as it did when it started."""
    settings = running.control("GET", "settings")
    yield running
    running.control("DELETE", "faults")
    running.control("PATCH", "settings", settings)


@pytest.fixture
def own_desk(tmp_path: Path) -> Iterator[Desk]:
    """A simulator for one test, just started."""
    desk = Desk(tmp_path)
    yield desk
    desk.stop()
