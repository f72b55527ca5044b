"""The assets that people have protected from every Remove.

A Remove reads this in the transactions that claim an asset and that begin its deletions. All of
them come one after the other with those that protect an asset: see ``database.writing``. So a
deletion has begun before an asset is protected, or it never begins.

A protection counts until its row is deleted. Nothing here compares times.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from b2_iconik.domain.click import Action
from b2_iconik.domain.keeping import last_day
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import PROTECTED
from b2_iconik.ledger.tables import assets, protections

# The actions that a protected asset is kept from, or that say so.
KEPT_FROM: tuple[Action, ...] = ("remove", "preview")


@dataclass(frozen=True)
class Protection:
    """A protection of one asset, in all formats and on all storages.

    Attributes:
        title: the asset's title; "" if unknown.
        since_ms: when it was set, in milliseconds since 1970.
        until_ms: when its last day is over in every time zone, in milliseconds since 1970.
        by: who set it, for display.
    """

    asset_id: str
    title: str
    since_ms: int
    until_ms: int
    by: str

    @property
    def until(self) -> str:
        """Its last day: '2027-03-31'."""
        return last_day(self.until_ms)

    @property
    def named(self) -> str:
        """The asset as logs name it."""
        return f"asset {self.asset_id}" + (f" ({self.title})" if self.title else "")

    @property
    def outcome(self) -> Outcome:
        """The outcome of each format of the asset in a Remove."""
        return Outcome("kept", PROTECTED(by=self.by, until=self.until))


def of(connection: sa.Connection, *asset_ids: str) -> dict[str, Protection]:
    """The protections of some assets, by id, with one query."""
    rows = connection.execute(sa.select(protections).where(protections.c.asset_id.in_(asset_ids)))
    return {
        row.asset_id: Protection(row.asset_id, row.title or "", row.since_ms, row.until_ms, row.by)
        for row in rows
    }


def are_kept_from(action: Action) -> sa.ColumnElement[bool]:
    """A condition: an asset, as a row of ``assets``, is protected from operations of an action."""
    if action not in KEPT_FROM:
        return sa.false()
    this = protections.c.asset_id == assets.c.asset_id
    return sa.select(protections.c.asset_id).where(this).exists()


def write(connection: sa.Connection, protection: Protection) -> None:
    """Protect an asset, in place of an earlier protection, in a transaction of ``writing``."""
    delete(connection, protection.asset_id)
    connection.execute(sa.insert(protections).values(vars(protection)))


def delete(connection: sa.Connection, asset_id: str) -> None:
    """End the protection of an asset, in a transaction of ``writing``."""
    connection.execute(sa.delete(protections).where(protections.c.asset_id == asset_id))
