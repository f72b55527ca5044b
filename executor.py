"""Which process runs operations, and when: one at a time, and only while there are any.

Every process has an ``Executor``, whose thread waits for a lock; the one that holds it has
``engine.py`` run the operations that ``recorder.py`` has written down.
"""

import logging
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

import engine
from cipher import Cipher
from database import FileReplaced, connect
from endings import Endings
from engine import Runner
from errors import SettingsError, Stopped
from ledger import Ledger
from lock import only_one
from recorder import brief, make_tables
from settings import Settings
from turn import Clock, Turn, begin_term, keep_time, now_ms, time_kept

log = logging.getLogger(__name__)

PATIENCE = 30.0
LOCK_INTERVAL = 0.5
WORK_INTERVAL = 0.25
RESTART_INTERVAL = 1.0
COMPLAIN_INTERVAL = 60.0
PURGE_INTERVAL = 3600.0
TIDY_INTERVAL = 600.0
# Seconds that the wall clock is to go on evenly before anything is forgotten by it, and by how many
# it may differ from that.
STEADY_FOR = 300.0
LEAP = 60.0
WATCH_INTERVAL = 3.0
# The engine looks for work all the time, and so takes some even where there is none.
REST_AFTER = 10.0
LEFT_BEHIND = "what ended operations left could not be restored"


class Executor:
    """Waits until no other process runs operations, and then runs them.

    Args:
        run: what an operation does.
        tidy: sees to what operations left that have ended; called now and then.

    Attributes:
        leads: whether this process is the one, as of a moment ago.
    """

    def __init__(
        self, settings: Settings, run: Runner, tidy: Callable[[Turn], None] = lambda turn: None
    ) -> None:
        self.leads = False
        self._tidy = tidy
        self._settings = settings
        self._run = run
        self._cipher = Cipher(settings.secrets)
        self._purged = float("-inf")
        # By how much the wall clock is ahead of the monotonic one, and since when it is that.
        self._ahead = float("inf")
        self._steady_since = 0.0
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
            except (SettingsError, FileReplaced) as error:
                log.error("%s", error)
                self._stopping.wait(COMPLAIN_INTERVAL)
            except Stopped:
                log.warning("another process may run the operations: this one stops, and waits")
            except SQLAlchemyError as error:
                log.error("the executor failed, and will start again: %s", brief(error))
                self._stopping.wait(RESTART_INTERVAL)
            except Exception:
                log.exception("the executor failed, and will start again")
                self._stopping.wait(RESTART_INTERVAL)
            self._stopping.wait(LOCK_INTERVAL)

    def _lead(self, still_only_one: Callable[[], bool]) -> None:
        database = connect(self._settings.database_url, PATIENCE, is_all_vital=False)
        stopping = threading.Event()
        try:
            ledger = Ledger(database)
            make_tables(database, self._settings.database_url, PATIENCE)
            self._refuse_unreadable(ledger)
            term = begin_term(database, now_ms())
            endings = Endings(database, term)
            clock = Clock(time_kept(database))
            self.leads = True
            log.info("this process runs the operations now")
            self._tidy_aside(Turn(database, term, stopping, clock))
            # The one before may have ended an operation, but not have told of it.
            if engine.has_work(database, self._cipher):
                self._work(database, term, clock, still_only_one)
            while self._goes_on(still_only_one):
                if ledger.running() or (self._is_time_to_purge() and engine.has_to_purge(endings)):
                    self._refuse_unreadable(ledger)
                    self._work(database, term, clock, still_only_one)
        finally:
            self.leads = False
            stopping.set()
            database.dispose()

    def _tidy_aside(self, turn: Turn) -> None:
        """Tidy now and then, in a thread of its own: iconik may take its time."""

        def tidy() -> None:
            while not turn.stopping.is_set():
                try:
                    self._tidy(turn)
                except Stopped:
                    return
                except SQLAlchemyError as error:
                    if not turn.stopping.is_set():
                        log.error(LEFT_BEHIND + ": %s", brief(error))
                except Exception:
                    log.exception(LEFT_BEHIND)
                turn.stopping.wait(TIDY_INTERVAL)

        threading.Thread(target=tidy, name="tidy", daemon=True).start()

    def _work(
        self, database: sa.Engine, term: int, clock: Clock, still_only_one: Callable[[], bool]
    ) -> None:
        """Run operations until there have been none for a while."""
        # Not the event that stops this process: losing the lock must stop the operations, too.
        turn = Turn(database, term, threading.Event(), clock)
        endings = Endings(database, term)
        idle = set[str]()
        with engine.launched(self._settings, self._cipher, self._run, turn) as active:
            if self._has_steady_clock():
                engine.purge(endings)
            worked = watched = time.monotonic()
            while self._goes_on(still_only_one):
                now = time.monotonic()
                if self._is_time_to_purge():
                    engine.purge(endings)
                if now - watched > WATCH_INTERVAL:
                    # Of other hosts some may have a newer secret.
                    self._refuse_unreadable(endings.ledger)
                    idle = engine.take_up_idle(endings, active, idle)
                    watched = now
                    if idle or active:
                        keep_time(database, term, clock.now_ms())
                        worked = now
                    elif now - worked > REST_AFTER:
                        return

    def _goes_on(self, still_only_one: Callable[[], bool]) -> bool:
        """Wait a moment; returns whether this process isn't to stop.

        Raises:
            Stopped: another process may run operations by now.
        """
        if self._stopping.wait(WORK_INTERVAL):
            return False
        if not still_only_one():
            log.warning("the lock that lets but one process run operations is lost")
            raise Stopped
        return True

    def _is_time_to_purge(self) -> bool:
        """Whether it is, once each time."""
        if not self._has_steady_clock() or time.monotonic() - self._purged < PURGE_INTERVAL:
            return False
        self._purged = time.monotonic()
        return True

    def _has_steady_clock(self) -> bool:
        """Whether the wall clock has gone on evenly for a while.

        By one that is wrong, and is set right soon, all reports would be taken for old ones.
        """
        now, ahead = time.monotonic(), time.time() - time.monotonic()
        if abs(ahead - self._ahead) > LEAP:
            self._ahead, self._steady_since = ahead, now
        return now - self._steady_since >= STEADY_FOR

    def _refuse_unreadable(self, ledger: Ledger) -> None:
        unreadable = [
            each for each in ledger.running() if each.key not in self._cipher.fingerprints
        ]
        if unreadable:
            # The engine would end them with an error, and their clicks would be lost.
            raise SettingsError(
                f"{len(unreadable)} running operations",
                "were recorded with another BZ_SHARED_SECRET: set "
                "BZ_SHARED_SECRET_PREVIOUS to it; until then none is run",
            )
