"""A PostgreSQL that hangs: a click is refused in time, and is not done after all."""

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from b2_iconik.common.errors import RecordingError
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch import recorder as recorder_module
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.ledger.database import (
    POSTGRES_WRITING,
    SERVER_LIMITS,
    client_limits,
    connect,
    writing,
)
from b2_iconik.ledger.operations import Ledger
from plugin import create_app
from tests.dispatch.runner import CLICK
from tests.postgres.relay import Relay

# What hangs never comes to its end.
BOUND = 60.0
HOLDS = {
    "a table of the ledger": "LOCK TABLE plugin_operations IN ACCESS EXCLUSIVE MODE",
    "the turn to write": f"SELECT pg_advisory_xact_lock({POSTGRES_WRITING})",
}


@pytest.fixture
def recorder(recorder: Recorder) -> Recorder:
    """One that has opened the database."""
    recorder.open()
    return recorder


def within(seconds: float, do: Callable[[], object]) -> object:
    """What something returns or raises, if it doesn't take longer than so."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(do).result(seconds)
    finally:
        pool.shutdown(wait=False)


def refused_in_time(recorder: Recorder) -> None:
    with pytest.raises(RecordingError):
        within(BOUND, lambda: recorder.record(CLICK))


@pytest.mark.parametrize("held", HOLDS)
def test_a_click_is_refused_in_time_while_somebody_holds(
    recorder: Recorder, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    monkeypatch.setattr(recorder_module, "ANSWER_WITHIN", 1.0)
    with engine.connect() as other:
        other.exec_driver_sql(HOLDS[held])
        refused_in_time(recorder)
        assert recorder.check() is not None
    monkeypatch.setattr(recorder_module, "ANSWER_WITHIN", BOUND)
    assert recorder.record(CLICK)[1]


@pytest.mark.parametrize("held", HOLDS)
def test_who_waits_for_a_lock_gives_up(engine: sa.Engine, database_url: str, held: str) -> None:
    impatient = connect(database_url, 0.1)
    wants = {
        "a table of the ledger": lambda: Ledger(impatient).running(),
        "the turn to write": lambda: Ledger(impatient).create(),
    }
    with engine.connect() as other:
        other.exec_driver_sql(HOLDS[held])
        with pytest.raises(SQLAlchemyError, match="lock timeout"):
            within(BOUND, wants[held])
    impatient.dispose()


def test_a_writer_that_is_frozen_loses_its_turn(
    recorder: Recorder, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SERVER_LIMITS, "idle_in_transaction_session_timeout", 100)
    frozen = connect(database_url, 5)
    with pytest.raises(SQLAlchemyError), writing(frozen):
        # It does nothing any more, while others go on.
        assert within(BOUND, lambda: recorder.record(CLICK)[1])
    frozen.dispose()


def test_a_click_is_refused_in_time_when_the_server_falls_silent(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Relay(settings.database_url) as relay:
        recorder = Recorder(Settings(**{**vars(settings), "database_url": relay.url}))
        assert recorder.record(CLICK)[1]
        monkeypatch.setattr(recorder_module, "ANSWER_WITHIN", 1.0)
        relay.fall_silent()
        assert within(BOUND, recorder.check) is not None
        refused_in_time(recorder)
        refused_in_time(recorder)
    recorder.close()


def test_a_click_that_was_refused_is_not_recorded_after_all(
    recorder: Recorder, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "ANSWER_WITHIN", 0.5)
    with engine.connect() as other:
        other.exec_driver_sql(HOLDS["a table of the ledger"])
        refused_in_time(recorder)
    # Whoever waited for the lock goes on now, and has the turn to write until it ends.
    with writing(engine):
        pass
    assert Ledger(engine).running() == []


@pytest.mark.parametrize("patience", [5.0, 30.0])
def test_a_connection_lasts_no_longer_than_who_is_at_its_ends(
    database_url: str, patience: float
) -> None:
    engine = connect(database_url, patience)
    with engine.connect() as connection:
        connection.rollback()
    with engine.connect() as connection:
        ours: Any = connection.connection.driver_connection
        given = ours.info.get_parameters()
        rows = connection.execute(sa.text("SELECT name, setting FROM pg_settings")).all()
    engine.dispose()
    theirs = {row.name: row.setting for row in rows}
    milliseconds = str(int(patience * 1000))
    assert (given["connect_timeout"], given["tcp_user_timeout"], given["keepalives_idle"]) == (
        str(int(patience)),
        milliseconds,
        "5",
    )
    assert (theirs["lock_timeout"], theirs["idle_in_transaction_session_timeout"]) == (
        milliseconds,
        "15000",
    )


def test_the_server_is_told_to_notice_a_host_that_is_gone(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"tcp_keepalives_idle", "tcp_user_timeout"} <= SERVER_LIMITS.keys()
    # What it was told shows on a connection over TCP only; that it is told all, like this.
    monkeypatch.setitem(SERVER_LIMITS, "no_such_setting", 1)
    with pytest.raises(SQLAlchemyError, match="no_such_setting"):
        connect(database_url, 5).connect()


def test_what_the_address_says_itself_is_left_as_it_is() -> None:
    url = sa.make_url("postgresql+psycopg://user:word@127.0.0.1:1/name?connect_timeout=77")
    limits = client_limits(url, 5)
    assert "connect_timeout" not in limits
    assert limits["tcp_user_timeout"] == 5000


@pytest.fixture
def silent_url() -> Iterator[str]:
    """Where connections are accepted, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"postgresql+psycopg://user:word@127.0.0.1:{listener.getsockname()[1]}/name"


def test_a_server_that_never_answers_keeps_no_service_from_starting_and_takes_no_click(
    silent_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "WEB_PATIENCE", 1.0)
    settings = Settings(**{**vars(settings), "database_url": silent_url})
    recorder = Recorder(settings)
    within(BOUND, recorder.open)
    client = create_app(settings, recorder).test_client()
    answer: Any = within(
        BOUND,
        lambda: client.post(
            "/remove",
            query_string={
                "b2_storage_id": CLICK.b2_storage_id,
                "ll_storage_id": CLICK.ll_storage_id,
            },
            json={
                "context": "COLLECTION",
                "auth_token": "t",
                "collection_ids": CLICK.collection_ids,
            },
            headers={"x-bz-secret": settings.secret},
        ),
    )
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
