"""A SQLite file, and leaders that run operations in it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader import Leader
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.ledger.operations import Ledger
from tests.dispatch.runner import COLLECTION, Runner


@pytest.fixture(autouse=True)
def patient_recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    """No click is refused because this machine is slow: the first one makes all tables."""
    monkeypatch.setattr("b2_iconik.dispatch.recorder.ANSWER_WITHIN", 60.0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a service on the file that ``engine`` opens."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    return Settings(iconik_id=COLLECTION, secret="s" * 32, database_url=url)


@pytest.fixture
def recorder(settings: Settings) -> Iterator[Recorder]:
    recorder = Recorder(settings)
    yield recorder
    recorder.close()


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    """What is in the file, as somebody has it who runs no operations."""
    return Ledger(engine)


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[..., Leader]]:
    """Starts a leader with a runner, and with other settings if some are given; it is stopped."""
    leaders: list[Leader] = []

    def start(
        runner: Runner | None = None, *more: Any, own: Settings = settings, **named: Any
    ) -> Leader:
        leader = Leader(own, runner or Runner(), *more, **named)
        leaders.append(leader)
        leader.start()
        return leader

    yield start
    for leader in leaders:
        leader.stop()
