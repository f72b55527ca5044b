"""The one process that runs operations: it takes them from the ledger and runs them to their end.

It takes the oldest first.

Each process of the service waits for the lock. The process that gets it begins a new term, which
ends the term of the previous holder; see ``term``.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

from cryptography.fernet import InvalidToken
from sqlalchemy.exc import SQLAlchemyError

from b2_iconik.common import logs
from b2_iconik.common.clock import Clock, SteadyClock, Step, now_ms
from b2_iconik.common.errors import SettingsError, Stopped
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.leader_lock import only_one
from b2_iconik.dispatch.recorder import brief
from b2_iconik.dispatch.schedule import Schedule
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.reasons import FAULT, UNREADABLE, Reason
from b2_iconik.ledger.completion import Completion
from b2_iconik.ledger.database import FileReplaced, connect
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import Leadership, begin_term, keep_time, time_kept

log = logging.getLogger(__name__)

# How many passes of operations, and updates of their jobs in iconik, run at once.
PASSES_AT_ONCE = 16
JOBS_AT_ONCE = 4
STOP_WITHIN = 10.0
PATIENCE = 30.0
LOCK_INTERVAL = 1.0
WORK_INTERVAL = 0.25
RESTART_INTERVAL = 1.0
COMPLAIN_INTERVAL = 60.0
FORGET_INTERVAL = 3600.0
KEEP_INTERVAL = 10.0
TIDY_INTERVAL = 600.0
WATCH_INTERVAL = 3.0
DATABASE_WAIT = 5.0
KEEP = timedelta(days=30)
FORGOTTEN_AT_ONCE = 500
LEFT_BEHIND = "could not restore file sets that ended operations left marked deleted"
NOT_KEPT = "could not look for what must be removed or undone by now"

# Makes the steps of an operation. The last step ends it.
Begin = Callable[[str, CustomAction, Leadership], Step]
# Makes the steps that show an operation in iconik. The last step shows how it ended. None if there
# are none.
Show = Callable[[str, CustomAction, Leadership], Step | None]


class Leader:
    """Waits until no other process runs operations, and then runs them.

    Args:
        begin: makes the steps of an operation.
        show: makes the steps that show it in iconik.
        tidy: cleans up what ended operations left behind; called now and then.
        keep: requests what is due by now; see ``Operations.keep``. Called often.
    """

    def __init__(
        self,
        settings: Settings,
        begin: Begin,
        show: Show = lambda *_: None,
        tidy: Callable[[Leadership], None] = lambda leadership: None,
        keep: Callable[[Leadership], None] = lambda leadership: None,
    ) -> None:
        self._begin = begin
        self._show = show
        self._tidy = tidy
        self._keep = keep
        self._settings = settings
        self._cipher = Cipher(settings.secrets)
        self._forgot = float("-inf")
        self._steady_clock = SteadyClock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to wait, in a thread of this process."""
        self._thread = threading.Thread(target=self._wait, name="leader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Release everything, so that another process can continue the operations."""
        self._stopping.set()
        if self._thread:
            self._thread.join()

    def _wait(self) -> None:
        while not self._stopping.is_set():
            try:
                with only_one(self._settings.database_url) as still_only_one:
                    if still_only_one is not None:
                        self._lead(still_only_one)
            except (SettingsError, FileReplaced) as error:
                log.error("%s", error)
                self._stopping.wait(COMPLAIN_INTERVAL)
            except Stopped:
                log.warning(
                    "another process may be running the operations: this one stops running them, "
                    "and waits"
                )
            except SQLAlchemyError as error:
                log.error("the leader failed, and will restart: %s", brief(error))
                self._stopping.wait(RESTART_INTERVAL)
            except Exception:
                log.exception("the leader failed, and will restart")
                self._stopping.wait(RESTART_INTERVAL)
            self._stopping.wait(LOCK_INTERVAL)

    def _lead(self, still_only_one: Callable[[], bool]) -> None:
        database = connect(self._settings.database_url, PATIENCE, is_all_vital=False)
        # Not the event that stops this process: losing the lock must stop the operations, too.
        stopping = threading.Event()
        try:
            Ledger(database).create()
            term, clock = begin_term(database, now_ms()), Clock(time_kept(database))
            passes, jobs = Schedule(PASSES_AT_ONCE, "pass"), Schedule(JOBS_AT_ONCE, "job")
            leadership = Leadership(database, term, stopping, clock, passes.is_behind)
            log.info("this process now runs the operations")
            self._tidy_aside(leadership)
            try:
                self._run(
                    OpenOperations(self._cipher, leadership, self._begin, self._show, passes, jobs),
                    still_only_one,
                )
            finally:
                stopping.set()
                passes.stop(STOP_WITHIN)
                jobs.stop(STOP_WITHIN)
        finally:
            database.dispose()

    def _run(self, operations: "OpenOperations", still_only_one: Callable[[], bool]) -> None:
        watched = time.monotonic()
        while True:
            operations.begin_open()
            if self._is_time_to_forget():
                operations.forget_old()
            if self._stopping.wait(WORK_INTERVAL):
                return
            if not still_only_one():
                log.warning(
                    "this process has lost the lock that lets only one process run operations"
                )
                raise Stopped
            if time.monotonic() - watched > WATCH_INTERVAL:
                watched = time.monotonic()
                operations.keep_time()

    def _tidy_aside(self, leadership: Leadership) -> None:
        """Keep and tidy now and then, in a separate thread, because iconik may be slow."""

        def attempt(task: Callable[[Leadership], None], failure: str) -> None:
            try:
                task(leadership)
            except SQLAlchemyError as error:
                if not leadership.stopping.is_set():
                    log.error("%s: %s", failure, brief(error))
            except Exception:
                log.exception(failure)

        def tidy() -> None:
            tidied = float("-inf")
            with suppress(Stopped):
                while not leadership.stopping.is_set():
                    attempt(self._keep, NOT_KEPT)
                    if time.monotonic() - tidied >= TIDY_INTERVAL:
                        attempt(self._tidy, LEFT_BEHIND)
                        tidied = time.monotonic()
                    leadership.stopping.wait(min(KEEP_INTERVAL, TIDY_INTERVAL))

        threading.Thread(target=tidy, name="tidy", daemon=True).start()

    def _is_time_to_forget(self) -> bool:
        """Whether to forget old operations now. Returns True once per interval.

        If the clock is wrong and is corrected soon after, all reports would seem to be old.
        """
        is_steady = self._steady_clock.now_ms() is not None
        if not is_steady or time.monotonic() - self._forgot < FORGET_INTERVAL:
            return False
        self._forgot = time.monotonic()
        return True


class OpenOperations:
    """The open operations, which this process runs for as long as it leads."""

    def __init__(
        self,
        cipher: Cipher,
        leadership: Leadership,
        begin: Begin,
        show: Show,
        passes: Schedule,
        jobs: Schedule,
    ) -> None:
        self.completion = Completion(leadership.engine, leadership.term)
        self._cipher = cipher
        self._leadership = leadership
        self._begin = begin
        self._show = show
        self._passes = passes
        self._jobs = jobs
        self._lock = threading.Lock()
        # By the id of each active operation, the schedules that still run its steps.
        self._active: dict[str, set[Schedule]] = {}
        # The first steps that show operations which have not begun.
        self._unshown: dict[str, Step] = {}

    def begin_open(self) -> None:
        """Begin all open operations that are not active yet, oldest first.

        Raises:
            SettingsError: another host's secret is needed to read some.
        """
        with self._lock:
            known = set(self._active)
        new = self.completion.ledger.open(known)
        fingerprints = self._cipher.fingerprints
        unreadable = [each for each in new if not each.ended_ms and each.key not in fingerprints]
        if unreadable:
            # Another host may be able to read them. Newer clicks must not overtake them meanwhile.
            raise SettingsError(
                "BZ_SHARED_SECRET",
                f"is not the one that running operations were recorded with ({len(unreadable)}): "
                "set BZ_SHARED_SECRET_PREVIOUS to the old one; until then, no operation runs",
            )
        for operation in new:
            with logs.about(operation.id):
                self._take_up(operation)

    def keep_time(self) -> None:
        """Record the time of the clock of operations, while any operation is active."""
        if self._active:
            keep_time(
                self._leadership.engine, self._leadership.term, self._leadership.clock.now_ms()
            )

    def forget_old(self) -> None:
        """Forget operations that ended long ago."""
        ids = self.completion.ended_before(now_ms() - KEEP // timedelta(milliseconds=1))
        for start in range(0, len(ids), FORGOTTEN_AT_ONCE):
            self.completion.forget(ids[start : start + FORGOTTEN_AT_ONCE])
        if ids:
            log.info("purged operations that ended over %s days ago: %s", KEEP.days, len(ids))

    def _take_up(self, operation: Operation) -> None:
        try:
            click = self._cipher.open(self.completion.ledger.sealed(operation.id))
        except InvalidToken:
            log.error("the stored click of operation %s cannot be read", operation.id)
            self._fail(operation.id, UNREADABLE)
            self.completion.close(operation.id, now_ms())
            return
        begun = (operation.id, click, self._leadership)
        step, shown = self._begin(*begun), self._show(*begun)
        with self._lock:
            self._active[operation.id] = {self._passes, self._jobs} if shown else {self._passes}
            if shown:
                self._unshown[operation.id] = partial(self._step, operation.id, self._jobs, shown)
        self._passes.add(operation.id, partial(self._step, operation.id, self._passes, step))

    def _step(self, operation_id: str, schedule: Schedule, step: Step) -> float | None:
        """Run a step, which ends with the term. Unexpected errors don't end it silently."""
        with self._lock:
            shown = self._unshown.pop(operation_id, None)
        if shown:
            # Among many, it is shown only once its turn has come: often it ends soon after that.
            self._jobs.add(operation_id, shown)
        with logs.about(operation_id):
            try:
                seconds = self._try(operation_id, schedule, step)
                if seconds is None:
                    self._end(operation_id, schedule)
            except Stopped:
                return None
            except SQLAlchemyError as error:
                log.error("the database failed (%s); trying again", type(error).__name__)
                return DATABASE_WAIT
            except Exception:
                # Not even its failure could be recorded. The thread is needed for other operations.
                log.exception(
                    "operation %s cannot continue until the service restarts", operation_id
                )
                return None
            return seconds

    def _try(self, operation_id: str, schedule: Schedule, step: Step) -> float | None:
        try:
            return step()
        except SQLAlchemyError:
            raise
        except Exception as error:
            name = type(error).__name__
            if schedule is self._jobs:
                # The job is a courtesy: its failures must not affect the operation.
                log.warning("the operation's job in iconik is no longer updated: %s", name)
            else:
                log.exception(
                    "internal error in the plugin while running operation %s", operation_id
                )
                self._fail(operation_id, FAULT(error=name))
            return None

    def _end(self, operation_id: str, schedule: Schedule) -> None:
        """Close an operation once all its tasks have ended."""
        self._jobs.hasten(operation_id)
        with self._lock:
            rest = self._active[operation_id] - {schedule}
        if not rest:
            self.completion.close(operation_id, now_ms())
        with self._lock:
            self._active[operation_id] = rest
            if not rest:
                del self._active[operation_id]

    def _fail(self, operation_id: str, failure: Reason) -> None:
        operation = self.completion.ledger.operation(operation_id)
        if operation:
            self.completion.fail(operation.number, failure, now_ms())
            self.completion.sum_up(operation_id)
