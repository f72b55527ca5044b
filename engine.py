"""All that is DBOS's but recording: running operations, in one process at a time.

Every process has an ``Executor``, whose thread waits for a lock; the one that holds it runs the
operations that ``recorder.py`` has written down.
"""

import logging
import threading
import time
from collections.abc import Callable, Container
from datetime import timedelta
from typing import Any, Protocol

from dbos import DBOS

import logs
from cipher import Cipher
from custom_action import CustomAction
from database import connect, engine_url
from errors import SettingsError, Stopped
from ledger import Ledger
from lock import only_one
from recorder import APPLICATION, QUEUE, WORKFLOW
from settings import Settings
from turn import Clock, Turn, now_ms

log = logging.getLogger(__name__)

# Changed only when operations under way could not be carried on by new code: those would be left.
APPLICATION_VERSION = "1"
EXECUTOR = "executor"
EXECUTOR_PATIENCE = 30.0
LOCK_INTERVAL = 0.5
RESTART_INTERVAL = 1.0
COMPLAIN_INTERVAL = 60.0
KEEP = timedelta(days=30)
PURGE_INTERVAL = 3600.0
WATCH_INTERVAL = 3.0
PURGED_AT_ONCE = 500


class Runner(Protocol):
    """Carries an operation on until it ends; called again after whatever interrupted it."""

    def __call__(self, operation_id: str, click: CustomAction, turn: Turn) -> dict[str, Any]:
        """Returns the operation's counts; raises ``Stopped`` when told to stop."""
        ...


class Executor:
    """Waits until no other process runs operations, and then runs them.

    Args:
        run: what an operation does.
    """

    def __init__(self, settings: Settings, run: Runner) -> None:
        self._settings = settings
        self._run = run
        self._cipher = Cipher(settings.secrets)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to wait, in a thread of this process."""
        self._thread = threading.Thread(target=self._wait, name="executor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let go of everything, leaving operations to be carried on by another process."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def _wait(self) -> None:
        while not self._stopping.is_set():
            try:
                with only_one(self._settings.database_url) as still_only_one:
                    if still_only_one is not None:
                        self._lead(still_only_one)
            except SettingsError as error:
                log.error("%s", error)
                self._stopping.wait(COMPLAIN_INTERVAL)
            except Stopped:
                log.warning("another process may run the operations: this one stops, and waits")
            except Exception:
                log.exception("the executor failed, and will start again")
                self._stopping.wait(RESTART_INTERVAL)
            self._stopping.wait(LOCK_INTERVAL)

    def _lead(self, still_only_one: Callable[[], bool]) -> None:
        engine = connect(self._settings.database_url, EXECUTOR_PATIENCE, is_all_vital=False)
        ledger = Ledger(engine)
        # First, as it gives up in time; the engine waits for a lock without end.
        ledger.create()
        DBOS.migrate(engine_url(self._settings.database_url, EXECUTOR_PATIENCE))
        unreadable = [
            each for each in ledger.running() if each.key not in self._cipher.fingerprints
        ]
        if unreadable:
            # The engine would end them with an error, and their clicks would be lost.
            engine.dispose()
            raise SettingsError(
                f"{len(unreadable)} running operations were recorded with another "
                "BZ_SHARED_SECRET: set BZ_SHARED_SECRET_PREVIOUS to it; until then none is run"
            )
        # Not the event that stops this process: losing the lock must stop the operations, too.
        term = ledger.begin_term(now_ms())
        turn = Turn(engine, term, threading.Event(), Clock(ledger.time_kept()))
        purged, watched = 0.0, time.monotonic()
        active, idle = set[str](), set[str]()
        try:
            self._launch(turn, active)
            log.info("this process runs the operations now")
            while not self._stopping.wait(LOCK_INTERVAL):
                if not still_only_one():
                    log.warning("the lock that lets but one process run operations is lost")
                    raise Stopped
                if time.monotonic() - purged > PURGE_INTERVAL or not purged:
                    _purge(Ledger(engine, turn.term))
                    purged = time.monotonic()
                if time.monotonic() - watched > WATCH_INTERVAL:
                    idle = _take_up_idle(Ledger(engine, turn.term), active, idle)
                    if idle or active:
                        Ledger(engine, turn.term).keep_time(turn.clock.now_ms())
                    watched = time.monotonic()
        finally:
            turn.stopping.set()
            DBOS.destroy(workflow_completion_timeout_sec=10, destroy_registry=True)
            engine.dispose()

    def _launch(self, turn: Turn, active: set[str]) -> None:
        DBOS(
            config={
                "name": APPLICATION,
                "application_version": APPLICATION_VERSION,
                "executor_id": EXECUTOR,
                "system_database_url": self._settings.database_url,
                "system_database_engine": turn.engine,
                "serializer": self._cipher,
                "run_migrations": False,
                "log_level": "WARNING",
            }
        )

        @DBOS.step(name="run")
        def run(click: dict[str, Any]) -> dict[str, Any]:
            operation_id = str(DBOS.workflow_id)
            active.add(operation_id)
            try:
                return self._run_safely(operation_id, click, turn)
            finally:
                active.discard(operation_id)

        # A kill is no fault of the operation's, so any number of them is survived.
        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=1_000_000)
        def operation(click: dict[str, Any]) -> dict[str, Any]:
            # The engine's own lines, too, and only as long as its thread works on it.
            with logs.about(str(DBOS.workflow_id)):
                return run(click)

        DBOS.launch()
        DBOS.register_queue(QUEUE, polling_interval_sec=1.0)
        _give_up_stranded(Ledger(turn.engine, turn.term))

    def _run_safely(self, operation_id: str, click: dict[str, Any], turn: Turn) -> dict[str, Any]:
        """Run an operation; should a fault of our own end it, its report says so."""
        try:
            return self._run(operation_id, CustomAction(**click), turn)
        except Exception as error:
            log.exception("operation %s met a fault of the plugin's own", operation_id)
            ledger = Ledger(turn.engine, turn.term)
            operation = ledger.operation(operation_id)
            if operation:
                fault = f"a fault of the plugin's own ({type(error).__name__}), see its log"
                ledger.fail(operation.number, fault, now_ms())
                ledger.sum_up(operation_id)
            return {}


def _give_up_stranded(ledger: Ledger, suspects: Container[str] | None = None) -> None:
    """End operations that the engine won't run any more, so that none waits for ever in silence.

    Args:
        suspects: the ids of those to look at; all that are running if not given.
    """
    for operation in ledger.running():
        if suspects is not None and operation.id not in suspects:
            continue
        status = DBOS.get_workflow_status(operation.id)
        if status is None or status.status not in ("ENQUEUED", "PENDING", "DELAYED"):
            state = status.status if status else "no longer there"
            log.error("operation %s was stranded: the engine says %s", operation.id, state)
            ledger.fail(operation.number, "it was interrupted by a fault; click again", now_ms())
            ledger.sum_up(operation.id)
        elif suspects is not None and status.status == "PENDING":
            log.warning("operation %s was idle; this process takes it up", operation.id)
            DBOS.resume_workflow(operation.id)


def _take_up_idle(ledger: Ledger, active: Container[str], before: Container[str]) -> set[str]:
    """Have operations run that are under way for the engine, but that nobody runs.

    A process whose turn is over, but that hasn't noticed yet, may still take one from the engine's
    queue, and lets it lie.

    Args:
        active: the ids of the operations that this process runs.
        before: what this returned the last time: one that is idle twice is not just being begun.

    Returns:
        The ids of the operations that are idle now.
    """
    idle = {each.id for each in ledger.running() if each.id not in active}
    _give_up_stranded(ledger, {each for each in idle if each in before})
    return idle


def _purge(ledger: Ledger) -> None:
    ids = ledger.ended_before(now_ms() - KEEP // timedelta(milliseconds=1))
    for start in range(0, len(ids), PURGED_AT_ONCE):
        some = ids[start : start + PURGED_AT_ONCE]
        # The engine's rows hold tokens: they go first, and so are not left behind.
        DBOS.delete_workflows(some)
        ledger.forget(some)
    if ids:
        log.info("purged %s operations that ended over %s days ago", len(ids), KEEP.days)
