"""Recording and running operations on a real PostgreSQL server."""

import threading

import pytest
import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.common.errors import Stopped
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader import Leader
from b2_iconik.dispatch.leader_lock import is_taken, only_one
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.ledger.completion import Completion
from b2_iconik.ledger.counters import Tally
from b2_iconik.ledger.term import Leadership, begin_term, keep_time, time_kept
from tests.dispatch.runner import CLICK, Runner, is_closed, wait_until
from tests.makers import found
from tests.postgres.conftest import end_the_leader_s_session


def test_a_click_that_has_not_begun_is_recorded_once_and_run(
    settings: Settings, recorder: Recorder, engine: sa.Engine
) -> None:
    operation_id, is_new = recorder.record(CLICK)
    assert is_new
    assert recorder.record(CLICK) == (operation_id, False)
    leader = Leader(settings, Runner())
    leader.start()
    wait_until(lambda: is_closed(engine, operation_id))
    leader.stop()
    told = recorder.standing()
    assert told is not None
    assert told.ended == {Tally("operation", "add", "nothing to do"): 1}
    assert told.running == {}


def test_the_job_of_an_operation_is_noted(recorder: Recorder, engine: sa.Engine) -> None:
    operation_id, _ = recorder.record(CLICK)
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


def test_a_process_that_was_overtaken_notes_nothing_more(engine: sa.Engine) -> None:
    late, newest = begin_term(engine, 0), begin_term(engine, 0)
    with pytest.raises(Stopped):
        keep_time(engine, late, 1)
    with pytest.raises(Stopped):
        Leadership(engine, late, threading.Event()).check(True)
    keep_time(engine, newest, 2)
    assert time_kept(engine) == 2


def test_only_one_process_is_the_executor(database_url: str) -> None:
    with only_one(database_url) as still_mine, only_one(database_url) as others:
        assert still_mine is not None
        assert still_mine()
        assert others is None
        assert is_taken(database_url)
    # The server notices by and by that a connection was closed.
    wait_until(lambda: not is_taken(database_url))


def test_an_executor_notices_that_the_server_ended_its_session(
    database_url: str, engine: sa.Engine
) -> None:
    with only_one(database_url) as still_mine:
        assert still_mine is not None
        end_the_leader_s_session(engine)
        assert not still_mine()
