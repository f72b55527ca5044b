"""The times and protections of assets on LucidLink, and whether the service has kept to them."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import requests
import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.operation import DUE
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.ledger.holdings import HELD
from b2_iconik.ledger.tables import assets, holdings, operations, protections
from b2_iconik.report.lucidlink import key_of
from dev.harness import Service, Simulator
from dev.people import FORMATS

# In milliseconds: assets that are due so soon may be removed while somebody changes them.
SOON = 15_000
# The longest that keeping them longer adds, and that a protection lasts.
DAYS = 2
FAR = 2**62


class Keeping:
    """Presses the buttons about times and protections, and checks what was deleted.

    All times are in milliseconds since 1970 by iconik's clock, except where the wall clock is
    named.
    """

    def __init__(self, simulator: Simulator, service: Service) -> None:
        self._simulator = simulator
        self._service = service
        ahead = simulator.control("GET", "settings")["clock_ahead_seconds"]
        # From which wall time on iconik's clock was ahead of it, by how many milliseconds.
        self._ahead = [(0, int(ahead * 1000))]
        self._protected: dict[str, int] = {}
        self._ended_protections: list[tuple[str, int, int]] = []
        # By asset and format, the wall time at which its time was last prolonged.
        self._prolonged: dict[tuple[str, str], int] = {}
        # By asset, format and number of the operation that added it, until when it is kept.
        self._until: dict[tuple[str, str, int], int] = {}

    def protects(self, asset_id: str) -> bool:
        """Return whether an asset is protected."""
        return asset_id in self._protected

    def is_over_for_all(self) -> bool:
        """Return whether each removal that the time alone requires was attempted."""
        protected = sa.select(protections.c.asset_id)
        waiting = sa.select(holdings.c.asset_id).where(
            holdings.c.keep_ms.is_not(None),
            holdings.c.until_by.is_(None),
            holdings.c.attempts == 0,
            holdings.c.asset_id.not_in(protected),
        )
        return not self._service.rows(waiting.limit(1))

    def uncertain(self) -> set[str]:
        """Return the assets that are due soon, or have something in iconik's delete queue."""
        is_undated = sa.and_(holdings.c.keep_ms.is_not(None), holdings.c.since_ms == 0)
        is_soon = holdings.c.until_ms <= self._now() + SOON
        due = self._service.rows(sa.select(holdings.c.asset_id).where(is_undated | is_soon))
        last = {each["file_set_id"]: each for each in self._deletions()}
        marked = {each["asset_id"] for each in last.values() if each["step"] == "delete"}
        return marked | {row.asset_id for row in due}

    def let_time_pass(self, seconds: float) -> None:
        """Advance iconik's clock, while the service is down."""
        for row in self._service.rows(sa.select(holdings).where(holdings.c.until_ms.is_not(None))):
            self._until[row.asset_id, row.format_name, row.number] = row.until_ms
        ahead = self._simulator.control("GET", "settings")["clock_ahead_seconds"] + seconds
        self._simulator.control("PATCH", "settings", {"clock_ahead_seconds": ahead})
        self._ahead.append((now_ms(), int(ahead * 1000)))

    def protect(self, asset_id: str) -> requests.Response:
        """Protect an asset."""
        until = datetime.now(timezone.utc).date() + timedelta(days=DAYS)
        answer = self._service.submit(f"assets/{asset_id}/protect", until=str(until))
        if answer.ok:
            # A deletion that had begun is finished.
            since = FAR if answer.json()["is_late"] else self._now()
            self._protected.setdefault(asset_id, since)
        return answer

    def lift(self, asset_id: str) -> requests.Response:
        """Lift the protection of an asset."""
        until = self._now()
        answer = self._service.submit(f"assets/{asset_id}/lift", reason="It is needed no longer.")
        if answer.ok:
            self._ended_protections.append((asset_id, self._protected.pop(asset_id), until))
        return answer

    def held(self, asset_ids: Collection[str]) -> list[str]:
        """Return those of some assets that the page of what is on LucidLink lists."""
        listed = {row.asset_id for row in self._service.rows(sa.select(holdings.c.asset_id))}
        return [each for each in asset_ids if each in listed]

    def on_lucidlink(self, button: str, asset_id: str) -> requests.Response:
        """Press a button for an asset on the page of what is on LucidLink.

        Args:
            button: 'keep' or 'remove'.
        """
        # What is not there, or no longer, is not changed.
        row = key_of(
            {
                "ll_storage_id": self._simulator.ll_storage_id,
                "asset_id": asset_id,
                "formats": [{"format": each} for each in FORMATS],
            }
        )
        days = {"days": str(DAYS)} if button == "keep" else {}
        answer = self._service.submit(f"lucidlink/{button}", row=row, **days)
        if button == "keep" and answer.ok:
            self._prolonged.update({(asset_id, each): now_ms() for each in FORMATS})
        return answer

    def broken(self, asset_ids: Collection[str]) -> Iterator[str]:
        """Yield what was deleted although its asset was protected, and what was due early."""
        windows = [
            *self._ended_protections,
            *((each, since, self._now()) for each, since in self._protected.items()),
        ]
        for each in self._deletions():
            moment = datetime.fromisoformat(each["time"]).timestamp() * 1000
            is_kept = any(
                each["asset_id"] == asset_id and since < moment < until
                for asset_id, since, until in windows
            )
            if is_kept and each["step"] != "restore" and not each["automatic"]:
                yield f"{each['format']} of the protected asset {each['asset_id']} was deleted"
        yield from self._removed_early(asset_ids)

    def _removed_early(self, asset_ids: Collection[str]) -> Iterator[str]:
        """Yield the removals for which no time was over."""
        columns = ("id", "number", "origin", "formats", "recorded_ms", "keep_ms")
        processed = (
            sa.select(
                assets.c.asset_id, assets.c.outcomes, *(operations.c[each] for each in columns)
            )
            .join(operations, operations.c.number == assets.c.number)
            .where(assets.c.asset_id.in_(asset_ids))
        )
        added: dict[tuple[str, str], sa.Row[Any]] = {}
        for row in self._service.rows(processed.order_by(operations.c.number)):
            for name in row.formats:
                key = (row.asset_id, name)
                if row.origin in DUE:
                    if not self._is_over(key, added.get(key), row.recorded_ms):
                        yield f"{name} of asset {row.asset_id} was due early, as {row.id}"
                elif name in row.outcomes and Outcome.read(row.outcomes[name]).kind in HELD:
                    added[key] = row

    def _is_over(self, key: tuple[str, str], added: sa.Row[Any] | None, due_ms: int) -> bool:
        """Return whether the time of a format was over when its removal was recorded.

        Args:
            added: the operation that has put it on LucidLink last.
            due_ms: when that removal was recorded, by the wall clock.
        """
        prolonged_ms = self._prolonged.get(key, 0)
        if added is None or added.keep_ms is None or added.recorded_ms < prolonged_ms < due_ms:
            return False
        until_ms = self._until.get((*key, added.number), 0)
        return max(until_ms, self._at(added.recorded_ms) + int(added.keep_ms)) <= self._at(due_ms)

    def _at(self, wall_ms: int) -> int:
        return wall_ms + next(ahead for since, ahead in reversed(self._ahead) if since <= wall_ms)

    def _now(self) -> int:
        return self._at(now_ms())

    def _deletions(self) -> list[dict[str, str]]:
        return list(self._simulator.control("GET", "deletions")["objects"])
