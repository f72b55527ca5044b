"""Checks that the two storages can be used, before anything is requested of them."""

import logging
import threading
from dataclasses import dataclass, field
from itertools import islice

from b2_iconik.common.clock import now_ms
from b2_iconik.common.errors import OperationFailed
from b2_iconik.domain.click import CustomAction
from iconik import Iconik
from iconik_http import expiry
from iconik_http.errors import IconikError, NotFound, TokenRejected
from iconik_http.records import Storage

log = logging.getLogger(__name__)

# In seconds: when the storages are checked again, and how long a check is valid. The difference
# leaves time for a deletion that was prepared in between.
RENEWED_AFTER = 30.0
HOLDS = 60.0
# A longer delete queue is not read to its end, because each page takes a request.
MOST_QUEUED = 2_000
# The names to display for storages whose own names are not known yet.
B2, LUCIDLINK = "the B2 storage", "the LucidLink storage"
ANOTHER = "create the custom actions again with a different storage"


@dataclass(frozen=True)
class Checked:
    """The two storages of an operation, which can be used.

    Attributes:
        obstacle: why nothing can be copied to B2, as the rest of a sentence; "" if it can.
        deleted: the ids of the file sets in iconik's delete queue; None if they aren't known.
        until: when this check expires, by ``expiry.now``.
    """

    b2: Storage
    lucidlink: Storage
    obstacle: str = ""
    deleted: frozenset[str] | None = None
    until: float = field(default=0.0, compare=False)


@dataclass
class _Latest:
    """The latest check: when it began, by ``expiry.now``, and its result or failure."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    began: float = float("-inf")
    checked: Checked | None = None
    failure: Exception | None = None


class Checks:
    """Checks of storages, shared by the operations of one token.

    Many small clicks in a short time would otherwise read the same storages again and again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[tuple[str, str, str], _Latest] = {}

    def since(self, since: float, iconik: Iconik, click: CustomAction) -> Checked:
        """The result of a check that began at a time or later, and less than half a minute ago.

        Args:
            since: by ``expiry.now``.

        Raises:
            OperationFailed, IconikError: as ``check``. Only those who waited for a check share its
                failure.
        """
        key, asked = (click.action, click.b2_storage_id, click.ll_storage_id), expiry.now()
        with self._lock:
            latest = self._by_key.setdefault(key, _Latest())
        with latest.lock:
            if latest.failure and latest.began >= asked:
                raise latest.failure
            earliest = max(since, expiry.now() - RENEWED_AFTER)
            if latest.checked is None or latest.began < earliest:
                latest.began, latest.checked, latest.failure = expiry.now(), None, None
                try:
                    latest.checked = check(iconik, click)
                except Exception as error:
                    latest.failure = error
                    raise
            return latest.checked


class Preflight:
    """Checks the storages of an operation, again every half minute.

    A storage may be switched off, or the two may be exchanged, while a copy runs for days. All
    inspections of an operation share the result.

    Args:
        checks: those of other operations. Only what was checked after this click can be used.
        clicked_ms: the time of the click, in milliseconds since 1970.

    Attributes:
        names: by id, the names to display for the storages, as far as known.
    """

    def __init__(
        self, iconik: Iconik, click: CustomAction, checks: Checks, clicked_ms: int
    ) -> None:
        self._iconik = iconik
        self._click = click
        self._checks = checks
        self.names = {click.b2_storage_id: B2, click.ll_storage_id: LUCIDLINK}
        # The clock of the host that recorded the click may be ahead.
        self._since = expiry.now() - max(0, now_ms() - clicked_ms) / 1000

    def forget(self) -> None:
        """Check again on the next call, however soon it comes."""
        self._since = expiry.now()

    def __call__(self) -> Checked:
        """The result of a check less than half a minute ago, or of a new one.

        Raises:
            OperationFailed, IconikError: as ``check``.
        """
        checked = self._checks.since(self._since, self._iconik, self._click)
        self.names = {
            self._click.b2_storage_id: f"{B2} '{checked.b2.name}'",
            self._click.ll_storage_id: f"{LUCIDLINK} '{checked.lucidlink.name}'",
        }
        return checked


def check(iconik: Iconik, click: CustomAction) -> Checked:
    """Check that an operation can have any effect.

    Raises:
        OperationFailed: it can't; the message says what to change in iconik.
        IconikError: iconik gave no usable answer, or refused.
    """
    until = expiry.now() + HOLDS
    b2 = _storage(iconik, "B2", click.b2_storage_id)
    ll = _storage(iconik, "LucidLink", click.ll_storage_id)
    # This repeats the check of the setup scripts: the URL of an action can be changed by hand, and
    # if the two storages were exchanged, the masters would be deleted.
    if ll.is_b2:
        raise OperationFailed(_of_another_method("LucidLink", ll))
    if click.action != "add" and not b2.is_b2:
        raise OperationFailed(_of_another_method("B2", b2))
    if click.action == "add" and not (b2.allows("read") and ll.allows("write")):
        raise OperationFailed(
            "nothing can be copied to LucidLink: in iconik's storage settings, allow reading "
            f"from '{b2.name}' and writing to '{ll.name}'"
        )
    if click.action != "add" and not ll.allows("delete"):
        raise OperationFailed(
            "nothing can be deleted from LucidLink: in iconik's storage settings, allow deleting "
            f"from '{ll.name}'"
        )
    obstacle = ""
    if not (ll.allows("read") and b2.allows("write")):
        obstacle = (
            "nothing can be copied there: in iconik's storage settings, allow reading from "
            f"'{ll.name}' and writing to '{b2.name}'"
        )
    deleted = None if click.action == "add" else _deleted(iconik)
    return Checked(b2, ll, obstacle, deleted, until)


def _deleted(iconik: Iconik) -> frozenset[str] | None:
    """The ids of the file sets in the delete queue; None if iconik doesn't list all of them."""
    try:
        queued = list(islice(iconik.deleted_file_sets(), MOST_QUEUED + 1))
    except TokenRejected:
        raise
    except IconikError as error:
        log.info(
            "the delete queue cannot be listed (%s), so each asset's file sets are read", error
        )
        return None
    if len(queued) > MOST_QUEUED:
        log.info("the delete queue is too long, so the file sets of each asset are read")
        return None
    return frozenset(each.id for each in queued)


def _storage(iconik: Iconik, kind: str, storage_id: str) -> Storage:
    try:
        storage = iconik.storage(storage_id)
    except NotFound:
        raise OperationFailed(
            f"the custom action's {kind} storage does not exist in iconik: create the custom "
            "actions again with the right ids"
        ) from None
    if storage.purpose not in ("", "FILES"):
        raise OperationFailed(
            f"the purpose of the {kind} storage '{storage.name}' is {storage.purpose}, not FILES: "
            f"{ANOTHER}"
        )
    if storage.status == "INACTIVE":
        raise OperationFailed(
            f"the {kind} storage '{storage.name}' is INACTIVE: activate it in iconik's storage "
            f"settings, or {ANOTHER}"
        )
    return storage


def _of_another_method(kind: str, storage: Storage) -> str:
    method = storage.method or "unknown"
    return (
        f"the custom action names '{storage.name}' as its {kind} storage, but its method is "
        f"{method}: create the custom actions again with the right ids"
    )
