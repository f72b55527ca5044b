"""Proves again, before iconik purges it, what Removes have only marked deleted (PURGE=later).

The files stay on LucidLink until then, so somebody may edit them, and B2 may lose an object. What
is no longer proven is brought back by an Undo, which the service records.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from b2_iconik.bucket.confirm import Bucket
from b2_iconik.common.clock import now_ms
from b2_iconik.common.errors import OperationFailed
from b2_iconik.common.settings import Settings
from b2_iconik.common.worker_pool import WorkerPool
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.custody import Unproven, Verdict
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import many
from b2_iconik.domain.progress import ClaimedAsset
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation.deletion import DeletionCapabilities
from b2_iconik.operation.proving import RemoveContext, confirm, judge_again, prove, standing_in
from b2_iconik.operation.snapshot import Snapshot
from b2_iconik.operation.storages import Checks, Preflight
from iconik import Iconik
from iconik_http.errors import IconikError, IconikRefused, TokenRejected
from iconik_http.records import DELETED

log = logging.getLogger(__name__)

# How long before the purge something is checked, and how soon again if it is not purged by then: a
# Remove that waits for copies marks for hours, and only the time of its first mark is recorded.
AHEAD_MS = 3_600_000
# How many assets are checked at once. Other duties of the leader wait meanwhile.
AT_ONCE = 200
# In seconds: how often to look for what is due, and for what iconik has not answered about.
LOOK_INTERVAL = 600.0

Marked = tuple[Operation, ClaimedAsset]


class Recheck:
    """Requests the undo of what is no longer proven; called often while this process leads.

    Args:
        connect: returns an ``Iconik``; see ``Operations.iconik``.
        bucket, pool: shared with all operations.
    """

    def __init__(
        self,
        settings: Settings,
        connect: Callable[..., Iconik],
        bucket: Bucket,
        pool: WorkerPool,
    ) -> None:
        self._settings = settings
        self._cipher = Cipher(settings.secrets)
        self._connect = connect
        self._bucket = bucket
        self._pool = pool
        self._due = deque[Marked]()
        self._looked = float("-inf")
        # By number of a Remove and asset id, when to check again, in milliseconds since 1970.
        self._next_ms: dict[tuple[int, str], int] = {}

    def __call__(self, leadership: Leadership) -> None:
        """Check some of what iconik purges within ``AHEAD_MS``.

        Raises:
            Stopped: the term is over.
            SQLAlchemyError: the database failed.
        """
        leftovers = Leftovers(leadership.engine, leadership.term)
        if not self._due and time.monotonic() - self._looked >= LOOK_INTERVAL:
            self._looked = time.monotonic()
            self._look(leftovers)
        some = [self._due.popleft() for _ in range(min(AT_ONCE, len(self._due)))]
        if not some:
            return
        try:
            found = self._check(leadership, some)
        except TokenRejected as error:
            log.warning("what is marked deleted is not proven again before the purge: %s", error)
            found = [None] * len(some)
        if all(names is None for names in found):
            # Neither will iconik answer about the rest now.
            self._due.clear()
        self._note(leftovers, some, found)

    def _look(self, leftovers: Leftovers) -> None:
        now = now_ms()
        soon = leftovers.about_to_be_purged(now, now + AHEAD_MS)
        known = {(operation.number, asset.asset_id) for operation, asset in soon}
        self._next_ms = {key: at for key, at in self._next_ms.items() if key in known}
        self._due.extend(
            (operation, asset)
            for operation, asset in soon
            if self._next_ms.get((operation.number, asset.asset_id), 0) <= now
        )

    def _check(
        self, leadership: Leadership, some: Sequence[Marked]
    ) -> Sequence[frozenset[str] | None]:
        """What ``_unproven`` says about each asset."""
        iconik = self._connect("", leadership)
        contexts: dict[tuple[str, str], RemoveContext] = {}
        for operation, _ in some:
            storages = (operation.ll_storage_id, operation.b2_storage_id)
            if storages not in contexts:
                contexts[storages] = self._context(leadership, operation, iconik)

        def check(marked: Marked) -> frozenset[str] | None:
            operation, asset = marked
            removal = contexts[operation.ll_storage_id, operation.b2_storage_id]
            return _unproven(removal, asset)

        with self._pool.share() as share:
            return list(share.map(check, some))

    def _context(
        self, leadership: Leadership, operation: Operation, iconik: Iconik
    ) -> RemoveContext:
        b2_id, ll_id = operation.b2_storage_id, operation.ll_storage_id
        click = CustomAction("remove", b2_id, ll_id, operation.formats, "BULK", ())
        preflight = Preflight(iconik, click, Checks(), now_ms())
        return RemoveContext(
            iconik,
            Claims(leadership.engine, operation, leadership.term),
            DeletionCapabilities(),
            ll_id,
            b2_id,
            preflight,
            partial(confirm, self._bucket, iconik, preflight),
            self._settings.require_checksum,
        )

    def _note(
        self,
        leftovers: Leftovers,
        some: Sequence[Marked],
        found: Sequence[frozenset[str] | None],
    ) -> None:
        unproven = defaultdict[str, dict[str, frozenset[str]]](dict)
        by_id = {operation.id: operation for operation, _ in some}
        for (operation, asset), names in zip(some, found, strict=True):
            if names:
                unproven[operation.id][asset.asset_id] = names
            if names is not None:
                self._next_ms[operation.number, asset.asset_id] = now_ms() + AHEAD_MS
        for operation_id, formats in unproven.items():
            leftovers.record_undo(self._cipher, by_id[operation_id], formats)
            log.warning(
                "the removal of %s is undone: no longer proven safe", many(len(formats), "asset")
            )


def _unproven(removal: RemoveContext, asset: ClaimedAsset) -> frozenset[str] | None:
    """The names of the formats that are marked deleted and no longer proven.

    What iconik no longer lists can't be judged, and counts as proven: it was, when it was marked.

    Returns:
        None if iconik or B2 gave no usable answer, or refused.

    Raises:
        TokenRejected: iconik no longer accepts any token.
    """
    marked, listed = asset.progress.marked, set[str]()

    def as_before(snapshot: Snapshot) -> Snapshot:
        # What somebody has restored meanwhile is no longer ours.
        listed.clear()
        listed.update(
            file.file_set_id for file in snapshot.files if file.file_set_status == DELETED
        )
        for file_set_id, begun in marked.items():
            snapshot = standing_in(file_set_id, begun, snapshot)
        return snapshot

    def judge_all(snapshot: Snapshot) -> Mapping[str, list[Verdict]]:
        return {
            name: [
                judge_again(file_set_id, begun, snapshot, removal.storages)
                for file_set_id, begun in marked.items()
                if begun.name == name and file_set_id in listed
            ]
            for name in {begun.name for begun in marked.values()}
        }

    try:
        judged = prove(removal, asset.asset_id, judge_all, as_before)
    except TokenRejected:
        raise
    except OperationFailed as failure:
        # The storages can't prove anything any more.
        log.warning("%s: %s", asset.named, failure)
        return frozenset(begun.name for begun in marked.values())
    except IconikRefused as refusal:
        log.warning("%s cannot be checked before iconik purges it: %s", asset.named, refusal)
        return None
    except IconikError as error:
        log.info("%s is not checked now: %s", asset.named, error)
        return None
    if judged is None:
        return frozenset()
    if not judged.snapshot.formats:
        log.warning("%s cannot be checked: iconik lists no formats of it", asset.named)
        return None
    names = set()
    for name, verdicts in judged.verdicts.items():
        for verdict in verdicts:
            if isinstance(verdict, Unproven):
                log.warning("%s: %s, found before iconik purges it", asset.named, verdict.reason)
                names.add(name)
    return frozenset(names)
