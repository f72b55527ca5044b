"""Shows each operation in iconik's own jobs list, and minds when somebody aborts it there.

It is a courtesy: a thread of its own asks iconik rarely, each time but once, and whatever it meets
neither stops nor delays the work.
"""

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from custom_action import CustomAction
from errors import IconikRefused, IconikUnavailable, NotFound, NotPermitted, Stopped
from iconik import Iconik
from job_texts import Fields, broken
from ledger import Ledger
from operation_job import OperationJob
from pacing import Pacer
from settings import Settings
from tokens import of_operation
from transport import Transport
from turn import Turn

log = logging.getLogger(__name__)

# Seconds; the shortest and the longest time between two requests while an operation runs.
INTERVAL = 5.0
LONGEST_INTERVAL = 15.0
# While iconik gives no usable answer.
LONGEST_OUTAGE_INTERVAL = 60.0
TIMEOUT = 10.0
# So long the end is tried to be told.
FAREWELL = 300.0
FIRST_FAREWELL_INTERVAL = 1.0
JOIN_INTERVAL = 0.1
# So long nobody is asked for a user again, whose token lacks the role.
REFUSED = 600.0
FAULT = "the plugin met a fault of its own, and its log has the details; click again"

Runner = Callable[[str, CustomAction, Turn], dict[str, Any]]


class Shown:
    """An ``engine.Runner`` whose operations are shown in iconik while another runs them.

    Args:
        run: what an operation does.
        pacer: that of all requests to iconik.
    """

    def __init__(self, settings: Settings, run: Runner, pacer: Pacer) -> None:
        self._settings = settings
        self._run = run
        self._pacer = pacer
        # By user, when a token of theirs was found to lack the role.
        self._refused: dict[str | None, float] = {}

    def __call__(self, operation_id: str, click: CustomAction, turn: Turn) -> dict[str, Any]:
        """Run an operation, and show it."""
        settings = self._settings
        refused = self._refused.get(click.user_id)
        if refused is not None and time.monotonic() - refused < REFUSED:
            return self._run(operation_id, click, turn)
        transport = Transport(
            settings.iconik_url,
            settings.iconik_id,
            of_operation(click, settings),
            self._pacer,
            1,
            turn.check,
            timeout=TIMEOUT,
            attempts=1,
        )
        with _shown(Progress(operation_id, click, turn, Iconik(transport), self._refuse)):
            return self._run(operation_id, click, turn)

    def _refuse(self, click: CustomAction, error: NotPermitted) -> None:
        if not self._refused:
            log.warning("operations are not shown in iconik's jobs list: %s", error)
        self._refused[click.user_id] = time.monotonic()


@contextmanager
def _shown(progress: "Progress") -> Iterator[None]:
    """Show an operation while it runs, and how it ends."""
    progress.start()
    try:
        yield
    except Exception:
        # Not for long: whatever waits for the end of the operation waits for this, too.
        progress.end(broken(FAULT), TIMEOUT)
        raise
    except BaseException:
        progress.abandon()
        raise
    progress.end()


class Progress:
    """Tells the job of one operation how it stands, in a thread.

    Args:
        iconik: a client of its own, which asks but once and not for long.
        refuse: told when the role can_write_jobs is missing.
    """

    def __init__(
        self,
        operation_id: str,
        click: CustomAction,
        turn: Turn,
        iconik: Iconik,
        refuse: Callable[[CustomAction, NotPermitted], None],
    ) -> None:
        self._click = click
        self._turn = turn
        self._iconik = iconik
        self._refuse = refuse
        self._job = OperationJob(operation_id, click, Ledger(turn.engine, turn.term), iconik)
        self._is_over = threading.Event()
        self._is_abandoned = threading.Event()
        self._ending: Fields | None = None
        self._patience = 0.0
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._keep_up,), name="progress", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        try:
            self._thread.start()
        except RuntimeError as error:
            log.warning("iconik's jobs list won't show it: %s", error)

    def end(self, ending: Fields | None = None, patience: float | None = None) -> None:
        """Tell how it ended; returns when iconik knows, or that was tried for long enough.

        Args:
            ending: what to say where the ledger doesn't know.
            patience: in seconds; ``FAREWELL`` if not given.

        Raises:
            Stopped: this process is to stop meanwhile; another will find it ended, and say so.
        """
        self._ending = ending
        self._patience = FAREWELL if patience is None else patience
        self._is_over.set()
        while self._thread.is_alive():
            self._thread.join(JOIN_INTERVAL)
            if self._turn.stopping.is_set():
                self.abandon()
                raise Stopped

    def abandon(self) -> None:
        """Leave the job as it is."""
        self._is_abandoned.set()
        self._is_over.set()
        if self._thread.is_alive():
            # For no longer than a request takes that is under way.
            self._thread.join(TIMEOUT)

    def _keep_up(self) -> None:
        try:
            self._tell_all()
        except (NotFound, Stopped):
            # Somebody took it off the list, or another process goes on.
            pass
        except NotPermitted as error:
            self._refuse(self._click, error)
        except IconikRefused as error:
            log.warning("iconik's jobs list no longer shows it: %s", error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not matter
            if not self._is_abandoned.is_set():
                log.warning("iconik's jobs list no longer shows it: %s", type(error).__name__)
        finally:
            self._iconik.close()

    def _tell_all(self) -> None:
        """Tell how it stands now and then, until its end was told."""
        pause = INTERVAL
        while not self._is_over.is_set() and not self._job.is_told:
            pause = self._tell(pause)
            self._is_over.wait(0 if self._job.is_told else pause)
        deadline, pause = time.monotonic() + self._patience, FIRST_FAREWELL_INTERVAL
        while not self._is_abandoned.is_set() and not self._job.is_told:
            if time.monotonic() > deadline:
                log.warning("iconik's jobs list doesn't show that it has ended")
                return
            pause = self._tell(pause)
            self._is_abandoned.wait(0 if self._job.is_told else pause)

    def _tell(self, pause: float) -> float:
        """Tell how it stands; returns how long to wait before the next time."""
        try:
            return INTERVAL if self._job.tell(self._ending) else min(pause * 1.5, LONGEST_INTERVAL)
        except IconikUnavailable as error:
            log.debug("iconik's jobs list must wait: %s", error)
            return min(pause * 2, LONGEST_OUTAGE_INTERVAL)
