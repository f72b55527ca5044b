"""Proves again, before iconik purges it, what Removes have only marked deleted (PURGE=later).

The files stay on LucidLink until then, so somebody may edit them, and B2 may lose an object.
"""

import logging
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
from b2_iconik.operation.together import groups
from iconik import Iconik
from iconik_http.errors import IconikError, IconikRefused

log = logging.getLogger(__name__)

# How long before iconik may purge it. At iconik's rate limit, this is enough for 80,000 assets.
AHEAD_MS = 3_600_000


class Recheck:
    """Requests the undo of what is no longer proven; called now and then while a process leads.

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
        # The operations that need no further check, each with the time of its purge.
        self._checked = set[tuple[int, int | None]]()

    def __call__(self, leadership: Leadership) -> None:
        """Check what iconik purges within ``AHEAD_MS``, each Remove once.

        What iconik does not answer about is checked again in the next call.

        Raises:
            Stopped: the term is over.
            SQLAlchemyError: the database failed.
        """
        leftovers, now = Leftovers(leadership.engine, leadership.term), now_ms()
        for operation, marked in leftovers.about_to_be_purged(now, now + AHEAD_MS):
            key = (operation.number, operation.undo_until_ms)
            if key not in self._checked and self._check(leadership, operation, marked):
                self._checked.add(key)

    def _check(
        self, leadership: Leadership, operation: Operation, marked: Sequence[ClaimedAsset]
    ) -> bool:
        """Check what one Remove has marked. Returns whether iconik answered about all of it."""
        removal = self._context(leadership, operation)
        leftovers = Leftovers(leadership.engine, leadership.term)
        is_complete = True
        for some in groups(marked):
            with self._pool.share() as share:
                found = list(share.map(partial(_unproven, removal), some))
            formats = {
                each.asset_id: sorted(names)
                for each, names in zip(some, found, strict=True)
                if names
            }
            if formats:
                log.warning("undoing the removal of %s", many(len(formats), "asset"))
                leftovers.record_undo(self._cipher, operation, formats)
            is_complete = is_complete and None not in found
            if all(names is None for names in found):
                # Neither will they answer about the rest.
                return False
        return is_complete

    def _context(self, leadership: Leadership, operation: Operation) -> RemoveContext:
        b2_id, ll_id = operation.b2_storage_id, operation.ll_storage_id
        iconik = self._connect("", leadership)
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


def _unproven(removal: RemoveContext, asset: ClaimedAsset) -> set[str] | None:
    """The names of the formats that are no longer proven; None if there was no usable answer.

    What iconik no longer lists can't be judged, and counts as proven: it was, when it was marked.
    """

    def as_before(snapshot: Snapshot) -> Snapshot:
        for file_set_id, begun in asset.progress.marked.items():
            snapshot = standing_in(file_set_id, begun, snapshot)
        return snapshot

    def judge_all(snapshot: Snapshot) -> Mapping[str, list[Verdict]]:
        listed = {file.file_set_id for file in snapshot.files}
        return {
            name: [
                judge_again(file_set_id, begun, snapshot, removal.storages)
                for file_set_id, begun in asset.progress.marked.items()
                if begun.name == name and file_set_id in listed
            ]
            for name in {begun.name for begun in asset.progress.marked.values()}
        }

    try:
        judged = prove(removal, asset.asset_id, judge_all, as_before)
    except IconikRefused as refusal:
        log.warning("%s cannot be checked before iconik purges it: %s", asset.named, refusal)
        return set()
    except (IconikError, OperationFailed) as error:
        log.info("%s is not checked now: %s", asset.named, error)
        return None
    names = set()
    for name, verdicts in judged.verdicts.items() if judged else ():
        for verdict in verdicts:
            if isinstance(verdict, Unproven):
                log.warning("%s: %s, found before iconik purges it", asset.named, verdict.reason)
                names.add(name)
    return names
