"""What runs an operation."""

import pytest
import sqlalchemy as sa

from b2_iconik.operation import run as run_module
from tests.operation.benches import Bench


@pytest.fixture
def bench(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(engine, monkeypatch)
    # Each wait is one wait.
    bench.patch(run_module, "STOP_INTERVAL", 3600.0)
    return bench
