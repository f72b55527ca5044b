"""Records clicks as operations, durably, before they are answered.

It only records and answers. ``leader.py`` runs operations.
"""

import hmac
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress

import sqlalchemy as sa
from cryptography.fernet import InvalidToken
from sqlalchemy.exc import SQLAlchemyError

from b2_iconik.common.clock import now_ms
from b2_iconik.common.errors import RecordingError, RetryError, SettingsError
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.deadline import Deadline
from b2_iconik.dispatch.leader_lock import is_taken
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Origin
from b2_iconik.ledger import intake
from b2_iconik.ledger.counters import Standing, standing
from b2_iconik.ledger.database import check_pages, connect, writing
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.operations import Ledger

log = logging.getLogger(__name__)

WEB_PATIENCE = 5.0
# iconik waits about ten seconds for an answer.
ANSWER_WITHIN = 8.0
# To check whether a SQLite file is damaged, all of it is read. The first limits its size in bytes:
# reading that much takes a second or two. The others set the pause until the next check: in
# seconds, and as a multiple of the time that the check took.
LARGEST_READ = 512 * 1024 * 1024
READ_INTERVAL = 10.0
READ_RARELY = 100

# Reads within the transaction that records, and raises an error if a click must not be recorded.
LastLook = Callable[[sa.Connection], None]


def prepare_database(settings: Settings) -> None:
    """Check that the database is this service's, before any process uses it.

    It is not an error if the database can't be used now: each process tries again.

    Raises:
        SettingsError: it belongs to another program, or to a newer version of this service.
    """
    with suppress(SQLAlchemyError, OSError):
        engine = connect(settings.database_url, WEB_PATIENCE)
        try:
            Ledger(engine).create()
        finally:
            # Processes that are forked later must not share its connections.
            engine.dispose()


class Recorder:
    """Records clicks before they are answered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cipher = Cipher(settings.secrets)
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None
        self._read_next = 0.0

    def prepare(self) -> sa.Engine:
        """Open the database, with all tables.

        Raises:
            SQLAlchemyError, OSError: the database can't be used now.
            SettingsError: it belongs to another program, or to a newer version of this service.
        """
        # A click must not wait for all clicks before it, one timeout after the other.
        if not self._lock.acquire(timeout=WEB_PATIENCE):
            raise TimeoutError("the database is still being opened")
        try:
            if self._engine is None:
                engine = connect(self._settings.database_url, WEB_PATIENCE)
                Ledger(engine).create()
                self._engine = engine
            return self._engine
        finally:
            self._lock.release()

    def open(self) -> None:
        """Open the database early, so that the first click need not wait for it.

        Raises:
            SettingsError: it belongs to another program, or to a newer version of this service.
        """
        try:
            self.prepare()
        except (SQLAlchemyError, OSError) as error:
            log.error("the database cannot be opened yet: %s", brief(error))

    def record(
        self, click: CustomAction, origin: Origin | None = None, last_look: LastLook | None = None
    ) -> tuple[str, bool]:
        """Record a click as an operation, durably.

        Args:
            origin: where it comes from; None for a click in iconik.
            last_look: a last check, in the same transaction: no other click comes in between.

        Returns:
            The operation's id, and whether it is a new one: see ``intake.not_begun``.

        Raises:
            RecordingError: the click is not recorded.
            PluginError: what ``last_look`` raises.
        """
        (recorded,) = self.record_all([click], origin, last_look)
        return recorded

    def record_all(
        self,
        clicks: Sequence[CustomAction],
        origin: Origin | None = None,
        last_look: LastLook | None = None,
    ) -> list[tuple[str, bool]]:
        """Record several clicks, all or none; see ``record``."""
        deadline = Deadline(ANSWER_WITHIN)
        sealed = [(click, self._cipher.seal(click)) for click in clicks]

        def record() -> list[tuple[str, bool]]:
            with writing(self.prepare()) as connection:
                if last_look:
                    last_look(connection)
                recorded = [self._record_one(connection, *each, origin) for each in sealed]
                # A click that was answered with a refusal must not be carried out after all. This
                # can still happen if the disk is slow in the very last step.
                deadline.check()
            return recorded

        try:
            return deadline.wait_for(record)
        except (SQLAlchemyError, OSError, SettingsError) as error:
            log.error("a click could not be recorded: %s", brief(error))
            raise RecordingError("the operation could not be recorded; try again later") from error

    def click_of(self, operation_id: str) -> CustomAction:
        """The click that an operation was recorded for, its token included.

        Raises:
            RetryError: it can't be read any more.
            SQLAlchemyError, OSError: the database can't be used now.
        """
        try:
            return self._cipher.open(Ledger(self.prepare()).sealed(operation_id))
        except InvalidToken:
            raise RetryError(
                "its click cannot be read: it was recorded with a different BZ_SHARED_SECRET, or "
                "is no longer stored; click again in iconik"
            ) from None

    def _record_one(
        self, connection: sa.Connection, click: CustomAction, sealed: str, origin: Origin | None
    ) -> tuple[str, bool]:
        digest = hmac.digest(self._settings.secret.encode(), click.digest.encode(), "sha256").hex()
        same = intake.not_begun(connection, click, digest)
        if same:
            return same, False
        operation_id = str(uuid.uuid4())
        intake.record(
            connection,
            operation_id,
            click,
            digest=digest,
            sealed=sealed,
            key=self._cipher.fingerprints[0],
            now_ms=now_ms(),
            origin=origin,
        )
        return operation_id, True

    def close(self) -> None:
        """Close the database."""
        if self._engine:
            self._engine.dispose()

    def standing(self) -> Standing | None:
        """The state of all operations; None if it can't be read."""
        try:
            return standing(self.prepare())
        except (SQLAlchemyError, OSError, SettingsError) as error:
            log.error("the metrics of operations cannot be read: %s", brief(error))
            return None

    def has_leader(self) -> bool:
        """Whether some process runs the operations, as far as that can be seen."""
        try:
            return is_taken(self._settings.database_url)
        except (SQLAlchemyError, OSError) as error:
            log.error(
                "cannot find out whether a process is running the operations: %s", brief(error)
            )
            return False

    def check(self) -> str | None:
        """What prevents operations from being recorded or run; None if nothing does."""
        try:
            if not Deadline(ANSWER_WITHIN).wait_for(self._try):
                return "no process is running the operations"
        except (SQLAlchemyError, OSError, SettingsError) as error:
            # The answer is public, and the error may name hosts and paths.
            log.error("operations cannot be recorded: %s", brief(error))
            return "operations cannot be recorded; see the service's log"
        return None

    def _try(self) -> bool:
        """Write a test value. Returns whether some process runs the operations."""
        Ledger(self.prepare()).try_writing()
        began = time.monotonic()
        if began >= self._read_next:
            check_pages(self._settings.database_url, LARGEST_READ)
            took = time.monotonic() - began
            self._read_next = began + max(READ_INTERVAL, READ_RARELY * took)
        return is_taken(self._settings.database_url)


def brief(error: BaseException) -> str:
    """An error without the statement and values that SQLAlchemy would show."""
    return str(error.orig) if isinstance(error, sa.exc.DBAPIError) else str(error)
