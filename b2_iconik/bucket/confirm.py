"""Have B2 confirm that the objects that prove a file set exist, with their recorded sizes.

There are two ways to ask B2. With an application key, it lists the newest versions and their SHA-1.
Without a key, iconik's signed URLs show the size. If a key does not work, there is no fallback to
URLs: a key was set to get the stronger proof.
"""

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from b2_iconik.bucket.confirmed import VALID_FOR, Confirmed
from b2_iconik.bucket.object_key import Place, object_place, place_in_url
from b2_iconik.bucket.session import CONNECTIONS, NotConfirmed, Pace, Passing, objection
from b2_iconik.bucket.signed_url import SignedUrls
from b2_iconik.bucket.versions import Version, difference, is_same_content
from b2_iconik.common import meters
from b2_iconik.common.errors import BucketUnavailable
from b2_iconik.common.meters import Way
from b2_iconik.common.settings import Settings
from b2_iconik.domain.custody import Pair
from b2_iconik.domain.reasons import NO_REASON, NOT_CONFIRMED, Reason
from iconik_http import expiry
from iconik_http.records import File, Storage

if TYPE_CHECKING:
    from b2_iconik.bucket.native import NativeApi

# The number of files of one file set checked at once, before other file sets get their turn.
SIDE_BY_SIDE = 4 * CONNECTIONS
DownloadUrl = Callable[[File], str]
SET_KEY = "set B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY"


@dataclass(frozen=True)
class Confirmation:
    """What B2 says about the objects that prove a file set.

    Attributes:
        way: how B2 was asked; 'records alone' if it wasn't.
        objection: why B2 does not confirm them; empty if it does.
        by_checksum: whether B2's SHA-1 of every object equals the one on LucidLink.
    """

    way: Way
    objection: Reason = NO_REASON
    by_checksum: bool = False


class _Fact(NamedTuple):
    """Everything that a confirmation depends on."""

    storage_id: str
    place: Place
    file_id: str
    directory_path: str
    name: str
    size: int | None
    checksum: str | None
    checksum_on_lucidlink: str | None


Facts = Mapping[_Fact, Pair]
# The newest version of each object; None if the object does not exist.
Answers = Generator[tuple[_Fact, Version | None], None, None]


class Bucket:
    """The access to B2 of one process, shared by all operations and threads.

    A confirmation is valid for ten minutes. Within that time it is not repeated unless a record or
    the storage changes. What a preview asks confirms nothing to a Remove: people expect that a
    Remove after a preview proves everything again.

    Args:
        settings: ``b2_check`` and the application key are used.
    """

    def __init__(self, settings: Settings) -> None:
        self._check = settings.b2_check
        pace = Pace()
        self._signed_urls = SignedUrls(pace)
        self._native = _native(settings, pace)
        # The tasks of this pool never wait for other tasks of it, so they can't deadlock.
        self._pool = ThreadPoolExecutor(CONNECTIONS, "bucket")
        self._confirmed = Confirmed()
        # Storages for which iconik has offered a signed URL, and for each of the others, the time
        # by ``expiry.now`` before which iconik is not asked again.
        self._offered: set[str] = set()
        self._not_offered_until: dict[str, float] = {}

    def close(self) -> None:
        """Close the connections, and end the threads once their current requests are answered."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._signed_urls.close()
        if self._native:
            self._native.close()

    def confirm(
        self,
        storage: Storage,
        pairs: Sequence[Pair],
        download_url: DownloadUrl,
        *,
        is_preview: bool = False,
    ) -> Confirmation:
        """Have B2 confirm every twin of a file set.

        Args:
            storage: the B2 storage, with its settings.
            pairs: every file with each of its twins on that storage; at least one.
            download_url: requests a signed URL from iconik for a twin whose record has none;
                returns "" if iconik offers none. Its exceptions are passed on.
            is_preview: whether a preview asks.

        Raises:
            BucketUnavailable: B2 gave no usable answer. The message names the file.
            ValueError: ``pairs`` is empty.
        """
        if not pairs:
            raise ValueError("no file on B2 to confirm")
        way = self._way(storage, pairs, download_url)
        if way == "records alone":
            meters.confirmed(way, "not_asked")
            return Confirmation(way)
        try:
            by_checksum = self._ask(storage, pairs, download_url, is_preview=is_preview)
        except NotConfirmed as error:
            meters.confirmed(way, "objection")
            return Confirmation(way, error.reason)
        except BucketUnavailable:
            meters.confirmed(way, "unavailable")
            raise
        meters.confirmed(way, "confirmed")
        return Confirmation(way, by_checksum=by_checksum)

    def _way(self, storage: Storage, pairs: Sequence[Pair], download_url: DownloadUrl) -> Way:
        """Return how to ask B2; 'records alone' if checks are off or iconik offers no way."""
        if self._check == "off":
            return "records alone"
        if self._native:
            return "key"
        if storage.id in self._offered or self._check == "required":
            return "signed URL"
        now = expiry.now()
        is_offered = any(pair.twin.url for pair in pairs)
        if not is_offered and now < self._not_offered_until.get(storage.id, 0.0):
            return "records alone"
        if is_offered or download_url(pairs[0].twin):
            self._offered.add(storage.id)
            return "signed URL"
        self._not_offered_until[storage.id] = now + VALID_FOR
        return "records alone"

    def _ask(
        self, storage: Storage, pairs: Sequence[Pair], offer: DownloadUrl, *, is_preview: bool
    ) -> bool:
        """Have every twin confirmed; return whether a checksum confirmed every one of them."""
        asked = expiry.now()
        facts = {_fact(storage, pair): pair for pair in pairs}
        if self._native:
            _check_places(storage, facts)
        known = {fact: self._confirmed.get((is_preview, fact)) for fact in facts}
        unknown = {fact: pair for fact, pair in facts.items() if known[fact] is None}
        answers = (
            _ask_by_key(self._native, unknown) if self._native else self._ask_by_url(unknown, offer)
        )
        with closing(answers):
            for fact, version in answers:
                where = str(fact.place) if self._native else ""
                different = difference(facts[fact], version, where)
                if different:
                    raise NotConfirmed(different)
                known[fact] = by_checksum = is_same_content(facts[fact], version)
                self._confirmed.add((is_preview, fact), by_checksum, asked)
        return all(known.values())

    def _ask_by_url(self, facts: Facts, offer: DownloadUrl) -> Answers:
        todo = iter(facts.items())
        while some := list(islice(todo, SIDE_BY_SIDE)):
            # Run each task in a copy of the context, so that its log lines name the operation.
            futures = [
                self._pool.submit(copy_context().run, self._ask_one, pair.twin, offer)
                for _, pair in some
            ]
            try:
                for (fact, _), future in zip(some, futures, strict=True):
                    yield fact, future.result()
            finally:
                for future in futures:
                    future.cancel()

    def _ask_one(self, twin: File, offer: DownloadUrl) -> Version | None:
        url = twin.url or offer(twin)
        with _about(twin.label):
            if not url:
                do = f"{SET_KEY}, or B2_CHECK=auto" if self._check == "required" else SET_KEY
                raise NotConfirmed(f"iconik offers no signed URL for it: {do}")
            size = self._signed_urls.size(url)
        return None if size is None else Version(size)


def _native(settings: Settings, pace: Pace) -> "NativeApi | None":
    if not (settings.b2_key_id and settings.b2_key):
        return None
    # b2sdk takes 9 MiB, and most services have no key.
    from b2_iconik.bucket.native import NativeApi

    return NativeApi(settings.b2_api_url, settings.b2_key_id, settings.b2_key, pace)


def _ask_by_key(native: "NativeApi", facts: Facts) -> Answers:
    by_key: dict[str, list[_Fact]] = defaultdict(list)
    for fact in facts:
        by_key[fact.place.key].append(fact)
    if not facts:
        return
    first, *others = facts
    more = f" and {len(others):,} more" if others else ""
    with _about(f"{facts[first].twin.label}{more}"):
        for key, version in native.newest(first.place.bucket, by_key):
            for fact in by_key[key]:
                yield fact, version


def _check_places(storage: Storage, facts: Facts) -> None:
    """Check that each object is the one that iconik's signed URL reads, if there is a URL."""
    for fact, (_, twin) in facts.items():
        with _about(twin.label):
            if not fact.place.bucket:
                raise NotConfirmed(
                    f"the settings of storage '{storage.name}' name no bucket for the application "
                    "key"
                )
            read = place_in_url(twin.url) if twin.url and not objection(twin.url) else None
            if read and not read.is_same(fact.place):
                raise NotConfirmed(
                    f"iconik's signed URL reads '{read}', but the storage's path and the file's "
                    f"record give '{fact.place}'"
                )


@contextmanager
def _about(name: str) -> Iterator[None]:
    """Add a file's name to any error raised in this context."""
    try:
        yield
    except NotConfirmed as error:
        raise NotConfirmed(NOT_CONFIRMED(name=name, problem=error.reason)) from None
    except Passing as passing:
        raise BucketUnavailable(f"ask B2 about {name}", passing.problem) from None


def _fact(storage: Storage, pair: Pair) -> _Fact:
    file, twin = pair
    return _Fact(
        storage.id,
        object_place(storage, twin),
        twin.id,
        twin.directory_path,
        twin.name,
        twin.size,
        twin.checksum,
        file.checksum,
    )
