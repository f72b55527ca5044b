"""Deletes from LucidLink file sets that were proven safe, in the cheapest way iconik offers.

A newer iconik deletes several file sets of an asset at once, files included. Others mark each file
set deleted, and then purge many at once, across assets. Every iconik can purge one by one. With
PURGE=later, each file set is only marked deleted.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from b2_iconik.domain.progress import ClaimedAsset
from b2_iconik.domain.reasons import Reason, reason_of
from b2_iconik.operation.decisions import AssetResult
from iconik import Iconik
from iconik_http.errors import IconikRefused, NotFound, NotOffered, NotPermitted

log = logging.getLogger(__name__)


class OptionalCall:
    """A call that iconik may not offer. Whether it does is found out once.

    Args:
        lacking: the log message for when iconik doesn't offer it.
    """

    def __init__(self, lacking: str) -> None:
        self._lacking = lacking
        self._lock = threading.Lock()
        self._is_offered: bool | None = None
        self._doubted = set[str]()

    @contextmanager
    def trying(self) -> Iterator[bool]:
        """Yields whether to try the call. While that isn't known, one thread at a time tries it."""
        if self._is_offered is None:
            with self._lock:
                # Otherwise, the previous holder of the lock has found out.
                if self._is_offered is None:
                    yield True
                    return
        yield self._is_offered is not False

    @property
    def is_lacking(self) -> bool:
        """Whether iconik is known not to offer the call."""
        return self._is_offered is False

    def doubt(self, ids: Iterable[str]) -> None:
        """Remember ids that the call did not find, until another call shows why."""
        self._doubted.update(ids)

    def is_doubted(self, ids: Iterable[str]) -> bool:
        """Whether another way must still show why the call had no effect for one of these ids."""
        return not self._doubted.isdisjoint(ids)

    def found(self, is_offered: bool, why: object = "") -> None:
        """Remember whether iconik offers the call. The first finding stands."""
        if self._is_offered is None:
            self._is_offered = is_offered
            self._doubted.clear()
            if not is_offered:
                log.info("%s: %s", self._lacking, why)


@dataclass
class Done:
    """iconik's answer to a deletion. It has accepted every file set that is in none of these.

    Attributes:
        marked: ids of file sets that are only marked deleted; their files are still there.
        unknown: ids of file sets that iconik said it doesn't know (404). They may or may not be
            gone.
        refusals: iconik's refusals, by file set id.
    """

    marked: list[str] = field(default_factory=list)
    unknown: set[str] = field(default_factory=set)
    refusals: dict[str, Reason] = field(default_factory=dict)


class DeletionCapabilities:
    """The optional ways to delete, as far as one operation has found out about them.

    Args:
        known: findings to share. All operations use the same iconik, but not the same token.
    """

    def __init__(self, known: "DeletionCapabilities | None" = None) -> None:
        if known is None:
            self.bulk_deletion = OptionalCall("this iconik cannot delete several file sets at once")
            self.bulk_purge = OptionalCall("this iconik cannot purge several file sets at once")
        else:
            self.bulk_deletion, self.bulk_purge = known.bulk_deletion, known.bulk_purge
        self.permitted_purge = OptionalCall("this token may not purge several file sets at once")
        self.search = OptionalCall("the search index does not show whether file sets are gone")


def delete(
    iconik: Iconik,
    capabilities: DeletionCapabilities,
    asset_id: str,
    file_set_ids: Sequence[str],
    until: float,
) -> Done:
    """Delete file sets of an asset that were proven safe.

    Args:
        until: when the proof expires, by ``expiry.now``.

    Raises:
        IconikUnavailable: iconik didn't answer, or the proof is too old. It isn't known which file
            sets were deleted.
        TokenRejected: iconik no longer accepts any token.
    """
    bulk_deletion, done = capabilities.bulk_deletion, Done()
    # Whether an earlier bulk deletion of these answered 404, and their proof expired meanwhile.
    is_doubted = bulk_deletion.is_doubted(file_set_ids)
    with nullcontext(False) if is_doubted else bulk_deletion.trying() as is_offered:
        if is_offered:
            done = _delete_at_once(iconik, bulk_deletion, asset_id, file_set_ids, until)
            file_set_ids = [each for each in file_set_ids if each in done.unknown]
        # These requests show why the bulk deletion found nothing.
        rest = mark(iconik, asset_id, file_set_ids, until)
        if rest.marked:
            bulk_deletion.found(False, "it answered 404")
    return Done(rest.marked, rest.unknown, done.refusals | rest.refusals)


def _delete_at_once(
    iconik: Iconik, call: OptionalCall, asset_id: str, file_set_ids: Sequence[str], until: float
) -> Done:
    """Delete file sets in one request. Those that are then unknown must be deleted one by one."""
    try:
        iconik.delete_file_sets(asset_id, file_set_ids, until=until)
    except NotOffered as refusal:
        call.found(False, refusal)
        return Done(unknown=set(file_set_ids))
    except NotFound:
        call.doubt(file_set_ids)
        return Done(unknown=set(file_set_ids))
    except IconikRefused as refusal:
        if len(file_set_ids) == 1 or isinstance(refusal, NotPermitted):
            return Done(refusals=dict.fromkeys(file_set_ids, reason_of(refusal)))
        # One file set makes iconik refuse them all. What it refuses here must not be deleted in
        # any other way.
        done = Done()
        for one in file_set_ids:
            alone = _delete_at_once(iconik, call, asset_id, [one], until)
            done.unknown |= alone.unknown
            done.refusals |= alone.refusals
        return done
    call.found(True)
    return Done()


def mark(iconik: Iconik, asset_id: str, file_set_ids: Sequence[str], until: float) -> Done:
    """Mark file sets of an asset deleted, one request each; see ``delete``."""
    done = Done()
    for each in file_set_ids:
        try:
            was_there = iconik.delete_file_set(asset_id, each, until=until)
        except IconikRefused as refusal:
            done.refusals[each] = reason_of(refusal)
            continue
        if was_there:
            done.marked.append(each)
        else:
            done.unknown.add(each)
    return done


def purge(
    iconik: Iconik, capabilities: DeletionCapabilities, marked: Mapping[str, str], until: float
) -> Done:
    """Remove the files of file sets that are marked deleted.

    Args:
        marked: the asset's id by file set id.
        until: when the first of their proofs expires, by ``expiry.now``.

    Raises:
        IconikUnavailable: iconik didn't answer, or a proof is too old. It isn't known which file
            sets were purged.
        TokenRejected: iconik no longer accepts any token.
    """
    if len(marked) > 1:
        with (
            capabilities.bulk_purge.trying() as is_offered,
            capabilities.permitted_purge.trying() as is_permitted,
        ):
            if (
                is_offered
                and is_permitted
                and _purge_at_once(iconik, capabilities, list(marked), until)
            ):
                return Done()
    return purge_one_by_one(iconik, marked, until)


def _purge_at_once(
    iconik: Iconik, capabilities: DeletionCapabilities, file_set_ids: Sequence[str], until: float
) -> bool:
    try:
        iconik.purge_file_sets(file_set_ids, until=until)
    except (NotFound, NotOffered) as refusal:
        capabilities.bulk_purge.found(False, refusal)
        return False
    except NotPermitted as refusal:
        capabilities.permitted_purge.found(False, refusal)
        return False
    except IconikRefused as refusal:
        log.warning("%s; purging them one by one", refusal)
        return False
    capabilities.bulk_purge.found(True)
    capabilities.permitted_purge.found(True)
    return True


def purge_one_by_one(iconik: Iconik, marked: Mapping[str, str], until: float) -> Done:
    """Remove the files of file sets that are marked deleted, one request each; see ``purge``."""
    done = Done()
    for file_set_id, asset_id in marked.items():
        try:
            if not iconik.purge_file_set(asset_id, file_set_id, until=until):
                done.unknown.add(file_set_id)
        except IconikRefused as refusal:
            done.refusals[file_set_id] = reason_of(refusal)
    return done


class PurgeQueue:
    """Assets whose file sets are marked deleted, and will be purged soon.

    Gathering more of them needs fewer requests, but leaves more time between the proof and the
    purge.

    Args:
        most: how many file sets to gather.
        seconds: how long the first of them waits for more.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._lock = threading.Lock()
        self._waiting: list[tuple[ClaimedAsset, AssetResult]] = []
        self._since = 0.0

    def add(
        self, asset: ClaimedAsset, result: AssetResult
    ) -> list[tuple[ClaimedAsset, AssetResult]]:
        """Add an asset. Returns all gathered assets if they must be purged now."""
        with self._lock:
            if not self._waiting:
                self._since = time.monotonic()
            self._waiting.append((asset, result))
            is_enough = sum(len(result.marked) for _, result in self._waiting) >= self._most
            if not is_enough and time.monotonic() - self._since < self._seconds:
                return []
        return self.rest()

    def overdue(self) -> list[tuple[ClaimedAsset, AssetResult]]:
        """All gathered assets, if the first has waited long enough; none otherwise."""
        with self._lock:
            if time.monotonic() - self._since < self._seconds:
                return []
        return self.rest()

    def rest(self) -> list[tuple[ClaimedAsset, AssetResult]]:
        """All remaining assets, to be purged."""
        with self._lock:
            rest, self._waiting = self._waiting, []
            return rest
