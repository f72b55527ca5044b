"""The newest click wins: which formats of an asset other operations leave to an operation.

Only an operation with the opposite action takes over an asset from an older one, and only after it
has seen the asset with its own click's token. So a click without rights takes nothing away. Clicks
on the same action take nothing from each other. They touch an asset one after the other. Previews
change nothing, so they take no part in this: they wait for nobody, and nobody waits for them.

Precedence is always read in the transaction that acts on it, so that all operations see one order.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.click import CHANGING_ACTIONS, Action
from b2_iconik.domain.operation import Operation
from b2_iconik.ledger.tables import TOUCHING, assets, holdings, is_expanded, operations

OPPOSITES: dict[Action, tuple[Action, ...]] = {
    "add": ("remove",),
    "remove": ("add", "undo"),
    "undo": ("remove",),
    "preview": (),
}
# The same assets, as rows of other operations.
theirs = sa.alias(assets)


class Precedence:
    """The other running operations that share formats with an operation, on the same storage.

    Args:
        connection: of the transaction that acts on the result.
        operation: the operation.

    Methods that return a condition apply it to an asset of the operation, as a row of ``assets``.
    """

    def __init__(self, connection: sa.Connection, operation: Operation) -> None:
        rows = connection.execute(
            sa.select(
                operations.c.number,
                operations.c.action,
                operations.c.formats,
                is_expanded.label("is_expanded"),
            ).where(
                _on_the_same_storage(operation),
                operations.c.number != operation.number,
                operations.c.ended_ms.is_(None),
                operations.c.action.in_(CHANGING_ACTIONS if OPPOSITES[operation.action] else ()),
            )
        )
        number, opposite = operation.number, OPPOSITES[operation.action]
        overlapping = [row for row in rows if _overlap(row.formats, operation)]
        opposites = [row for row in overlapping if row.action in opposite]
        newer = [row for row in opposites if row.number > number]
        self._newer = [row.number for row in newer]
        self._older = [row.number for row in opposites if row.number < number]
        # A newer operation with the opposite action never blocks it: it takes over or does nothing.
        self._first = [
            row.number for row in overlapping if row.number < number or row not in opposites
        ]
        self.is_any_unknown = any(not row.is_expanded for row in newer)

    def have_in_hand(self) -> sa.ColumnElement[bool]:
        """Whether an operation that comes first has claimed an asset."""
        return _is_with(self._first, theirs.c.state.in_(TOUCHING))

    def may_take_over(self) -> sa.ColumnElement[bool]:
        """Whether a newer operation may still take over an asset it has neither seen nor left."""
        return _is_with(self._newer, ~theirs.c.seen, theirs.c.state != "done")

    def may_lose(self) -> sa.ColumnElement[bool]:
        """Whether an older operation must leave an asset to this one, if this one can see it."""
        return _is_with(self._older, theirs.c.state != "done")


def _is_with(numbers: Sequence[int], *how: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether one of some operations has an asset that meets some conditions."""
    if not numbers:
        return sa.false()
    of_them = (theirs.c.asset_id == assets.c.asset_id, theirs.c.number.in_(numbers))
    return sa.select(theirs.c.asset_id).where(*of_them, *how).exists()


def formats_left(
    connection: sa.Connection, operation: Operation, asset_ids: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """By asset, the operation's formats that no newer operation, ended or not, took over.

    If the operation removes assets whose time is up, these are the formats whose time was not
    changed since.
    """
    taken: dict[str, set[str]] = {asset_id: set() for asset_id in asset_ids}
    for row in connection.execute(takers(operation, asset_ids)):
        taken[row.asset_id].update(row.formats)
    if operation.is_due:
        for row in connection.execute(_kept_longer(operation, asset_ids)):
            taken[row.asset_id].add(row.format_name)
    return {
        asset_id: tuple(name for name in operation.formats if name not in lost)
        for asset_id, lost in taken.items()
    }


def takers(
    operation: Operation, asset_ids: Sequence[str], *more: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    """A query of the newer operations that took over some assets: ``asset_id`` and ``formats``.

    Args:
        more: other columns of ``operations``.
    """
    return (
        sa.select(assets.c.asset_id, operations.c.formats, *more)
        .join(operations, operations.c.number == assets.c.number)
        .where(_newer_opposites(operation), assets.c.asset_id.in_(asset_ids), assets.c.seen)
    )


def _kept_longer(operation: Operation, asset_ids: Sequence[str]) -> sa.Select[Any]:
    """A query of the formats that are no longer due as when an operation was recorded for them."""
    is_still_due = sa.and_(holdings.c.attempts > 0, holdings.c.attempt_id == operation.id)
    return sa.select(holdings.c.asset_id, holdings.c.format_name).where(
        holdings.c.ll_storage_id == operation.ll_storage_id,
        holdings.c.asset_id.in_(asset_ids),
        sa.not_(sa.func.coalesce(is_still_due, sa.false())),
    )


def opposites(connection: sa.Connection, operation: Operation) -> list[sa.Row[Any]]:
    """The newer operations with the opposite action, for any assets, ended or not.

    Returns:
        Their numbers, formats, is_expanded, and ended_ms.
    """
    rows = connection.execute(
        sa.select(
            operations.c.number,
            operations.c.formats,
            operations.c.ended_ms,
            is_expanded.label("is_expanded"),
        ).where(_newer_opposites(operation))
    )
    return [row for row in rows if _overlap(row.formats, operation)]


def _newer_opposites(operation: Operation) -> sa.ColumnElement[bool]:
    return sa.and_(
        _on_the_same_storage(operation),
        operations.c.number > operation.number,
        operations.c.action.in_(OPPOSITES[operation.action]),
    )


def _on_the_same_storage(operation: Operation) -> sa.ColumnElement[bool]:
    return operations.c.ll_storage_id == operation.ll_storage_id


def _overlap(formats: Sequence[str], operation: Operation) -> bool:
    return bool(set(formats) & set(operation.formats))
