"""Recording and running operations on a real PostgreSQL server."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from b2_iconik.common.clock import Step, now_ms
from b2_iconik.common.errors import Stopped
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader import Leader
from b2_iconik.dispatch.leader_lock import POSTGRES_LEADER, is_taken, only_one
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.click import CustomAction
from b2_iconik.ledger.completion import Completion
from b2_iconik.ledger.counters import Tally
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import Leadership, begin_term, keep_time, time_kept
from tests.makers import found

SECONDS = 120.0
ASSET = "11111111-1111-4111-8111-111111111111"
CLICK = CustomAction(
    action="remove",
    b2_storage_id="b2b2b2b2-0000-4000-8000-000000000000",
    ll_storage_id="11111111-0000-4000-8000-000000000000",
    formats=("ORIGINAL",),
    context="COLLECTION",
    collection_ids=(ASSET,),
)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(iconik_id=ASSET, secret="s" * 32, database_url=database_url)


@pytest.fixture
def recorder(settings: Settings) -> Iterator[Recorder]:
    recorder = Recorder(settings)
    yield recorder
    recorder.close()


def end_at_once(operation_id: str, click: CustomAction, turn: Leadership) -> Step:
    """Steps that end an operation as soon as it is about anything."""

    def step() -> None:
        ledger = Ledger(turn.engine, turn.term)
        operation = ledger.operation(operation_id)
        assert operation
        ledger.expand(operation.number, dict.fromkeys([ASSET]), {})
        Completion(turn.engine, turn.term).fail(operation.number, "this is only a test", now_ms())

    return step


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def test_a_click_that_has_not_begun_is_recorded_once_and_run(
    settings: Settings, recorder: Recorder
) -> None:
    operation_id, is_new = recorder.record(CLICK)
    assert is_new
    assert recorder.record(CLICK) == (operation_id, False)
    engine = connect(settings.database_url, 5)
    ledger = Ledger(engine)
    leader = Leader(settings, end_at_once)
    leader.start()
    wait_until(lambda: not ledger.running())
    leader.stop()
    told = recorder.standing()
    assert told is not None
    assert told.ended[Tally("operation", "remove", "failed")] >= 1
    assert told.running == {}
    engine.dispose()


def test_the_job_of_an_operation_is_noted(settings: Settings, recorder: Recorder) -> None:
    operation_id, _ = recorder.record(CLICK)
    engine = connect(settings.database_url, 5)
    completion = Completion(engine, begin_term(engine, now_ms()))
    ledger = completion.ledger
    operation = found(engine, operation_id)
    assert operation.job_id is None
    for noted in ("", "job-1", "job-1"):
        ledger.note_job(operation.number, noted)
        assert found(engine, operation_id).job_id == noted
    completion.fail(operation.number, "this is only a test", now_ms())
    completion.forget([operation_id])
    assert ledger.operation(operation_id) is None
    engine.dispose()


def test_a_process_that_was_overtaken_notes_nothing_more(database_url: str) -> None:
    engine = connect(database_url, 5)
    Ledger(engine).create()
    late, newest = begin_term(engine, 0), begin_term(engine, 0)
    with pytest.raises(Stopped):
        keep_time(engine, late, 1)
    with pytest.raises(Stopped):
        Leadership(engine, late, threading.Event()).check(True)
    keep_time(engine, newest, 2)
    assert time_kept(engine) == 2
    engine.dispose()


def test_only_one_process_is_the_executor(database_url: str) -> None:
    with only_one(database_url) as still_mine, only_one(database_url) as others:
        assert still_mine is not None
        assert still_mine()
        assert others is None
        assert is_taken(database_url)
    # The server notices by and by that a connection was closed.
    wait_until(lambda: not is_taken(database_url))


def test_an_executor_notices_that_the_server_ended_its_session(database_url: str) -> None:
    engine = connect(database_url, 5)
    with only_one(database_url) as still_mine:
        assert still_mine is not None
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
                    "AND ((classid::bigint << 32) | objid::bigint) = :key"
                ),
                {"key": POSTGRES_LEADER},
            )
        assert not still_mine()
    engine.dispose()
