"""All that is DBOS's but recording: running operations, for as long as it is launched.

``recorder.py`` has written them down; ``executor.py`` says which process launches this, and when.
"""

import logging
from collections.abc import Container, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from dbos import DBOS, DBOSClient

import logs
from cipher import Cipher
from custom_action import CustomAction
from endings import Endings
from entries import Operation
from errors import Stopped
from ledger import Ledger
from reasons import FAULT, INTERRUPTED
from recorder import APPLICATION, QUEUE, WORKFLOW, queue_of
from settings import Settings
from turn import Turn, now_ms

log = logging.getLogger(__name__)

# Changed only when operations under way could not be carried on by new code: those would be left.
APPLICATION_VERSION = "1"
EXECUTOR = "executor"
STOP_WITHIN = 10
KEEP = timedelta(days=30)
PURGED_AT_ONCE = 500
UNDONE = ["ENQUEUED", "PENDING", "DELAYED"]


class Runner(Protocol):
    """Carries an operation on until it ends; called again after whatever interrupted it."""

    def __call__(self, operation_id: str, click: CustomAction, turn: Turn) -> dict[str, Any]:
        """Returns the operation's counts; raises ``Stopped`` when told to stop."""
        ...


@contextmanager
def launched(
    settings: Settings, cipher: Cipher, run: Runner, turn: Turn
) -> Iterator[Container[str]]:
    """Run whatever is recorded, for as long as this context lasts; then stop it, to be carried on.

    Args:
        run: what an operation does.
        turn: set to stopping at the end.

    Yields:
        The ids of the operations that are being run.
    """
    active = set[str]()
    try:
        _launch(settings, cipher, run, turn, active)
        yield active
    finally:
        turn.stopping.set()
        DBOS.destroy(workflow_completion_timeout_sec=STOP_WITHIN, destroy_registry=True)


def _launch(
    settings: Settings, cipher: Cipher, run_one: Runner, turn: Turn, active: set[str]
) -> None:
    DBOS(
        config={
            "name": APPLICATION,
            "application_version": APPLICATION_VERSION,
            "executor_id": EXECUTOR,
            "system_database_url": settings.database_url,
            "system_database_engine": turn.engine,
            "serializer": cipher,
            "run_migrations": False,
            "log_level": "WARNING",
        }
    )

    @DBOS.step(name="run")
    def run(click: dict[str, Any]) -> dict[str, Any]:
        operation_id = str(DBOS.workflow_id)
        if operation_id in active:
            # It was so slow to begin that it was taken for idle.
            log.warning("operation %s is run already", operation_id)
            raise Stopped
        active.add(operation_id)
        try:
            return _run_safely(run_one, operation_id, click, turn)
        finally:
            active.discard(operation_id)

    # A kill is no fault of the operation's, so any number of them is survived.
    @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1_000_000)
    def operation(click: dict[str, Any]) -> dict[str, Any]:
        # The engine's own lines, too, and only as long as its thread works on it.
        with logs.about(str(DBOS.workflow_id)):
            return run(click)

    DBOS.listen_queues([QUEUE, *map(queue_of, cipher.fingerprints)])
    DBOS.launch()
    _give_up_stranded(Endings(turn.engine, turn.term))


def _run_safely(
    run: Runner, operation_id: str, click: dict[str, Any], turn: Turn
) -> dict[str, Any]:
    """Run an operation; should a fault of our own end it, its report says so."""
    try:
        return run(operation_id, CustomAction(**click), turn)
    except Exception as error:
        log.exception("operation %s met a fault of the plugin's own", operation_id)
        endings = Endings(turn.engine, turn.term)
        operation = endings.ledger.operation(operation_id)
        if operation:
            fault = FAULT(error=type(error).__name__)
            endings.fail(operation.number, fault, now_ms())
            endings.sum_up(operation_id)
        return {}


def _give_up_stranded(endings: Endings, suspects: Container[str] | None = None) -> None:
    """End operations that the engine won't run any more, so that none waits for ever in silence.

    Args:
        suspects: the ids of those to look at; all that are running if not given.
    """
    for operation in endings.ledger.running():
        if suspects is not None and operation.id not in suspects:
            continue
        with logs.about(operation.id):
            _see_to(endings, operation, may_be_idle=suspects is not None)


def _see_to(endings: Endings, operation: Operation, *, may_be_idle: bool) -> None:
    """End an operation that is stranded, or have it taken up if it is idle."""
    status = DBOS.get_workflow_status(operation.id)
    if status is None or status.status not in UNDONE:
        # The engine hears of an end after the ledger does: it may have ended since that was read.
        if not _is_running(endings.ledger, operation.id):
            return
        state = status.status if status else "no longer there"
        log.error("operation %s was stranded: the engine says %s", operation.id, state)
        endings.fail(operation.number, INTERRUPTED, now_ms())
        endings.sum_up(operation.id)
    elif may_be_idle and status.status == "PENDING":
        log.warning("operation %s was idle; this process takes it up", operation.id)
        DBOS.resume_workflow(operation.id)


def _is_running(ledger: Ledger, operation_id: str) -> bool:
    operation = ledger.operation(operation_id)
    return operation is not None and operation.ended_ms is None


def take_up_idle(endings: Endings, active: Container[str], before: Container[str]) -> set[str]:
    """Have operations run that are under way for the engine, but that nobody runs.

    A process whose turn is over, but that hasn't noticed yet, may still take one from the engine's
    queue, and lets it lie.

    Args:
        active: the ids of the operations that this process runs.
        before: what this returned the last time: one that is idle twice is not just being begun.

    Returns:
        The ids of the operations that are idle now.
    """
    idle = {each.id for each in endings.ledger.running() if each.id not in active}
    _give_up_stranded(endings, {each for each in idle if each in before})
    return idle


def has_work(database: sa.Engine, cipher: Cipher) -> bool:
    """Whether the engine has anything to run, be it only to tell of an operation that has ended."""
    client = DBOSClient(
        system_database_engine=database,
        serializer=cipher,
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=False,
    )
    try:
        return bool(client.list_workflows(status=UNDONE, limit=1, load_input=False))
    finally:
        client.destroy()


def has_to_purge(endings: Endings) -> bool:
    """Whether there are operations that ended so long ago that they are to be forgotten."""
    return bool(_outdated(endings))


def purge(endings: Endings) -> None:
    """Forget operations that ended long ago."""
    ids = _outdated(endings)
    for start in range(0, len(ids), PURGED_AT_ONCE):
        some = ids[start : start + PURGED_AT_ONCE]
        # The engine's rows hold tokens: they go first, and so are not left behind.
        DBOS.delete_workflows(some)
        endings.forget(some)
    if ids:
        log.info("purged %s operations that ended over %s days ago", len(ids), KEEP.days)


def _outdated(endings: Endings) -> list[str]:
    return endings.ended_before(now_ms() - KEEP // timedelta(milliseconds=1))
