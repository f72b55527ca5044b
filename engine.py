"""All that is DBOS's: recording operations, and running them in one process at a time.

The web side only records: it enqueues through ``DBOSClient`` and answers. Every process also has an
``Executor``, whose thread waits for a lock; the one that holds it runs the operations.
"""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Container
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from dbos import DBOS, DBOSClient
from sqlalchemy.exc import SQLAlchemyError

import logs
from cipher import Cipher
from custom_action import CustomAction
from database import connect, engine_url, writing
from deadline import Deadline
from errors import RecordingError, RetryError, SettingsError, Stopped
from ledger import Ledger
from lock import is_taken, only_one
from settings import Settings
from tables import Retry
from tallies import Standing
from turn import Clock, Turn, now_ms

log = logging.getLogger(__name__)

APPLICATION = "b2-iconik-plugin"
# Changed only when operations under way could not be carried on by new code: those would be left.
APPLICATION_VERSION = "1"
EXECUTOR = "executor"
QUEUE = "operations"
WORKFLOW = "operation"
WEB_PATIENCE = 5.0
# iconik waits about ten seconds for an answer.
ANSWER_WITHIN = 8.0
EXECUTOR_PATIENCE = 30.0
LOCK_INTERVAL = 0.5
RESTART_INTERVAL = 1.0
COMPLAIN_INTERVAL = 60.0
KEEP = timedelta(days=30)
PURGE_INTERVAL = 3600.0
WATCH_INTERVAL = 3.0
PURGED_AT_ONCE = 500


class Recorder:
    """Writes clicks down, before they are answered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cipher = Cipher(settings.secrets)
        self._lock = threading.Lock()
        self._client: DBOSClient | None = None
        self._engine: sa.Engine | None = None

    def prepare(self) -> tuple[sa.Engine, DBOSClient]:
        """Open the database, with all tables; returns it and the engine's client.

        Raises:
            SQLAlchemyError, OSError: the database can't be used now.
            SettingsError: it is not this service's, or that of a newer version.
        """
        # Whoever clicks must not wait for all those who clicked before, each with their patience.
        if not self._lock.acquire(timeout=WEB_PATIENCE):
            raise TimeoutError("the database is still being opened")
        try:
            if self._engine is None or self._client is None:
                engine = connect(self._settings.database_url, WEB_PATIENCE)
                # First, as it gives up in time; the engine waits for a lock without end.
                Ledger(engine).create()
                DBOS.migrate(engine_url(self._settings.database_url, WEB_PATIENCE))
                self._client = DBOSClient(
                    system_database_engine=engine,
                    serializer=self._cipher,
                    application_name=APPLICATION,
                    lazy=True,
                    retry_connection_errors=False,
                )
                self._engine = engine
            return self._engine, self._client
        finally:
            self._lock.release()

    def open(self) -> None:
        """Open the database early, so that the first click need not wait for it.

        Raises:
            SettingsError: it is not this service's, or that of a newer version.
        """
        try:
            self.prepare()
        except (SQLAlchemyError, OSError) as error:
            log.error("the database can't be opened yet: %s", _brief(error))

    def record(self, click: CustomAction, retry: Retry | None = None) -> tuple[str, bool]:
        """Write a click down as an operation, durably.

        Args:
            retry: which operation is tried again, where nobody clicked in iconik.

        Returns:
            The operation's id, and whether it is a new one: the same click while one runs is that.

        Raises:
            RecordingError: it is not written down.
        """
        deadline = Deadline(ANSWER_WITHIN)
        try:
            return deadline.wait_for(lambda: self._record(click, retry, deadline))
        except (SQLAlchemyError, OSError, SettingsError) as error:
            log.error("a click could not be recorded: %s", _brief(error))
            raise RecordingError("the operation could not be recorded; try again later") from error

    def click_of(self, operation_id: str) -> CustomAction:
        """The click that an operation was recorded for, its token included.

        Raises:
            RetryError: it can't be read any more.
            SQLAlchemyError, OSError: the database can't be used now.
        """
        _, client = self.prepare()
        found = client.list_workflows(workflow_ids=[operation_id], load_output=False)
        given = found[0].input if found else None
        # What another secret encrypted is handed over as it is.
        if not isinstance(given, dict):
            raise RetryError(
                "its click can't be read any more: it was recorded with another BZ_SHARED_SECRET, "
                "or is forgotten; click again in iconik"
            )
        return CustomAction(**given["args"][0])

    def _record(
        self, click: CustomAction, retry: Retry | None, deadline: Deadline
    ) -> tuple[str, bool]:
        digest = click.digest
        engine, client = self.prepare()
        ledger = Ledger(engine)
        with writing(engine) as connection:
            running = ledger.same_running(connection, click, digest)
            if running:
                return running, False
            operation_id = str(uuid.uuid4())
            ledger.record(
                connection,
                operation_id,
                click,
                digest=digest,
                key=self._cipher.fingerprints[0],
                now_ms=now_ms(),
                retry=retry,
            )
            client.enqueue_in_transaction(
                connection,
                {"workflow_name": WORKFLOW, "queue_name": QUEUE, "workflow_id": operation_id},
                asdict(click),
            )
            # What was answered with a refusal is not to be done after all.
            deadline.check()
        return operation_id, True

    def close(self) -> None:
        """Close the database."""
        if self._client and self._engine:
            self._client.destroy()
            self._engine.dispose()

    def standing(self) -> Standing | None:
        """How it stands with all operations; None if that can't be read."""
        try:
            return Ledger(self.prepare()[0]).standing()
        except (SQLAlchemyError, OSError, SettingsError) as error:
            log.error("the metrics lack the operations: %s", _brief(error))
            return None

    def has_executor(self) -> bool:
        """Whether some process runs the operations, as far as that can be seen."""
        try:
            return is_taken(self._settings.database_url)
        except (SQLAlchemyError, OSError) as error:
            log.error("can't see whether a process runs the operations: %s", _brief(error))
            return False

    def check(self) -> str | None:
        """What keeps operations from being recorded or run, if anything does."""
        try:
            if not Deadline(ANSWER_WITHIN).wait_for(self._try):
                return "no process runs the operations"
        except (SQLAlchemyError, OSError, SettingsError) as error:
            # Anybody may ask, and the error may name hosts and paths.
            log.error("operations can't be recorded: %s", _brief(error))
            return "operations can't be recorded; the log says why"
        return None

    def _try(self) -> bool:
        """Write something; returns whether some process runs the operations."""
        engine, _ = self.prepare()
        Ledger(engine).try_writing(now_ms())
        return is_taken(self._settings.database_url)


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


def _brief(error: BaseException) -> str:
    """An error without the statement and values that SQLAlchemy would show."""
    return str(error.orig) if isinstance(error, sa.exc.DBAPIError) else str(error)
