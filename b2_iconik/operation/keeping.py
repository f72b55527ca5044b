"""Removes assets whose time on LucidLink is up, and notices what has left LucidLink elsewhere.

It only records ordinary Removes, which prove everything as usual. The time is iconik's, never that
of a clock that somebody may set; see ``iconik_http.server_clock``.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain

from b2_iconik.common.clock import SteadyClock
from b2_iconik.common.settings import Settings
from b2_iconik.domain.custody import wanted_formats
from b2_iconik.domain.matching import media
from b2_iconik.domain.outcomes import many
from b2_iconik.domain.shared_paths import unlisted
from b2_iconik.domain.sizes import size_of
from b2_iconik.ledger.due import Due
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.holdings import Holding, Holdings
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation.hints import LONGEST_TITLE, files_of
from b2_iconik.operation.together import MOST
from iconik import Iconik, ServerClock
from iconik_http.errors import (
    IconikError,
    IconikRefused,
    NotFound,
)
from iconik_http.records import File, Format, Listed

log = logging.getLogger(__name__)

CHECK_INTERVAL_MS = 86_400_000
# How many formats are checked in one go, in hundreds. Whatever is due waits meanwhile.
SEARCHES_AT_ONCE = 10
# In seconds: how long to ask nothing after iconik gave no usable answer, or did not tell the time.
PAUSE = 600.0


class Keeper:
    """Requests the removal of what is due; called often by the process that runs operations.

    Args:
        connect: returns an ``Iconik``; see ``Operations.iconik``.
        clock: hears iconik's time from the answers to all requests.
    """

    def __init__(
        self, settings: Settings, connect: Callable[..., Iconik], clock: ServerClock
    ) -> None:
        self._has_token = bool(settings.iconik_token)
        self._cipher = Cipher(settings.secrets)
        self._connect = connect
        self._clock = clock
        self._wall_clock = SteadyClock()
        # Until then, by the monotonic clock, nothing is requested.
        self._quiet_until = self._untold_until = float("-inf")
        self._has_warned = False

    def __call__(self, leadership: Leadership) -> None:
        """Do what is due now.

        Raises:
            Stopped: the term is over.
            SQLAlchemyError: the database failed.
        """
        due = Due(leadership.engine, leadership.term)
        # Read each time, so that a leap is noticed.
        wall_ms = self._wall_clock.now_ms()
        asset_id = due.any_asset()
        if asset_id is None:
            return
        iconik = self._connect("", leadership) if self._has_token else None
        limits = self._limits(wall_ms, iconik, asset_id)
        if limits is None:
            return
        earliest_ms, latest_ms = limits
        due.advance(earliest_ms, latest_ms)
        if due.is_any(earliest_ms):
            self._remove(due, earliest_ms)
        if iconik:
            holdings = Holdings(leadership.engine, leadership.term)
            self._try(lambda: self._check(iconik, holdings, earliest_ms))

    def _limits(
        self, wall_ms: int | None, iconik: Iconik | None, asset_id: str
    ) -> tuple[int, int] | None:
        """The limits of the time; None if it isn't known. Any request finds it out."""
        if self._heard() is None and iconik and time.monotonic() >= self._untold_until:
            self._untold_until = time.monotonic() + PAUSE
            self._try(lambda: iconik.asset_exists(asset_id))
        heard = self._heard()
        if heard is None and self._clock.is_silent and wall_ms is not None:
            return wall_ms, wall_ms
        return heard

    def _heard(self) -> tuple[int, int] | None:
        earliest_ms, latest_ms = self._clock.earliest_ms(), self._clock.latest_ms()
        return None if earliest_ms is None or latest_ms is None else (earliest_ms, latest_ms)

    def _remove(self, due: Due, now_ms: int) -> None:
        if not self._has_token:
            if not self._has_warned:
                log.warning(
                    "the time of assets on LucidLink is up, but they are not removed: set "
                    "ICONIK_TOKEN, or remove them by hand"
                )
            self._has_warned = True
            return
        for click in due.record(self._cipher, now_ms):
            log.info(
                "recorded the removal of %s whose time on LucidLink is up",
                many(len(click.asset_ids), "asset"),
            )

    def _try(self, request: Callable[[], object]) -> None:
        """Make requests, unless iconik gave no usable answer lately."""
        if time.monotonic() < self._quiet_until:
            return
        try:
            request()
        except IconikError as error:
            log.debug("what is on LucidLink is not checked now: %s", error)
            self._quiet_until = time.monotonic() + PAUSE

    def _check(self, iconik: Iconik, holdings: Holdings, now_ms: int) -> None:
        """Find out what has left LucidLink elsewhere, for what was not checked today."""
        for _ in range(SEARCHES_AT_ONCE):
            some = holdings.to_check(now_ms - CHECK_INTERVAL_MS, MOST)
            if not some:
                return
            by_asset = defaultdict[str, list[Holding]](list)
            for each in some:
                by_asset[each.asset_id].append(each)
            left: dict[str, Sequence[Holding]] = {}
            try:
                listed = _search(iconik, list(by_asset))
                for asset_id, held in by_asset.items():
                    # Checked, even if iconik gives no answer: the next one is another's.
                    left[asset_id] = held
                    left[asset_id] = _still_there(iconik, held, listed.get(asset_id))
            finally:
                gone = [each for name in left for each in by_asset[name] if each not in left[name]]
                for each in gone:
                    log.info("%s is no longer on LucidLink", each.named)
                holdings.note_checked(chain(*left.values()), gone, now_ms)


def _search(iconik: Iconik, asset_ids: Sequence[str]) -> dict[str, Listed]:
    """What the index shows of some assets, by id. It lags, and may omit any of them."""
    try:
        return {each.id: each for each in iconik.search_assets(asset_ids)}
    except IconikRefused:
        return {}


def _still_there(
    iconik: Iconik, held: Sequence[Holding], listed: Listed | None
) -> Sequence[Holding]:
    """The formats of an asset that are still on LucidLink, with their titles and sizes of today.

    Only the asset's own files show that one is not.

    Args:
        listed: the asset as the index shows it; None if it does not.
    """
    if listed:
        title = listed.title[:LONGEST_TITLE]
        shown = _with_files(held, listed.formats, files_of(listed), title)
        if len(shown) == len(held):
            return shown
    asset_id = held[0].asset_id
    try:
        files = iconik.files(asset_id)
        formats = iconik.formats(asset_id, all_versions=True)
    except NotFound:
        return []
    except IconikRefused:
        return held
    shown = _with_files(held, formats, files, "")
    # A file may be of any format that is not listed.
    return [
        *shown,
        *(
            each
            for each in held
            if each not in shown and unlisted(formats, files, each.ll_storage_id)
        ),
    ]


def _with_files(
    held: Iterable[Holding], formats: Sequence[Format], files: Sequence[File], title: str
) -> list[Holding]:
    """Those of the formats that have files on LucidLink."""
    found = []
    for each in held:
        ll, name = each.ll_storage_id, each.format_name
        ids = {one.id for one in wanted_formats(formats, name)}
        here = [file for file in media(files) if file.storage_id == ll and not file.is_deleted]
        if any(file.format_id in ids for file in here):
            size = size_of(name, formats, files, ll) or each.size
            found.append(replace(each, title=title or each.title, size=size))
    return found
