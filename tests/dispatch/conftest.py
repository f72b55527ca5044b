"""A SQLite file, and leaders that run operations in it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader import Leader
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.operations import Ledger
from tests.dispatch.runner import COLLECTION, Runner


@pytest.fixture(autouse=True)
def patient_recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    """No click is refused because this machine is slow: the first one makes all tables."""
    monkeypatch.setattr("b2_iconik.dispatch.recorder.ANSWER_WITHIN", 60.0)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        iconik_id=COLLECTION,
        secret="s" * 32,
        database_url=f"sqlite:///{tmp_path / 'operations.sqlite'}",
    )


@pytest.fixture
def recorder(settings: Settings) -> Iterator[Recorder]:
    recorder = Recorder(settings)
    yield recorder
    recorder.close()


@pytest.fixture
def database(settings: Settings) -> Iterator[sa.Engine]:
    engine = connect(settings.database_url, 5)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(database: sa.Engine) -> Ledger:
    return Ledger(database)


@pytest.fixture
def start(settings: Settings) -> Iterator[Callable[[Runner], Leader]]:
    leaders: list[Leader] = []

    def start(runner: Runner) -> Leader:
        leader = Leader(settings, runner)
        leaders.append(leader)
        leader.start()
        return leader

    yield start
    for leader in leaders:
        leader.stop()
