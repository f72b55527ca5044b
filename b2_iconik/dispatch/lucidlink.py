"""Carries out what people ask for on the page of what is on LucidLink.

Each function acts on exactly the chosen holdings that still exist, in one transaction, and logs
who asked for it.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from b2_iconik.common import logs
from b2_iconik.common.errors import HoldingsError
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.keeping import UNITS_MS
from b2_iconik.domain.operation import Origin
from b2_iconik.domain.outcomes import told_time
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.holdings import IS_THIS, NOT_ATTEMPTED, removals, this
from b2_iconik.ledger.tables import assets, holdings, is_expanded, operations

log = logging.getLogger(__name__)

# The LucidLink storage, the asset and the format.
Key = tuple[str, str, str]

# A clock that is wrong by more is noticed.
TOLERANCE_MS = UNITS_MS["h"]
GONE = "Nothing that you selected is still on LucidLink, as far as the service knows."


class Done(NamedTuple):
    """What was done.

    Attributes:
        assets: the number of assets that were changed.
        longer: the number of assets that were left alone, because they are kept longer already.
        gone: the number of chosen assets that are no longer on LucidLink.
        operation_ids: the operations that were recorded.
    """

    assets: int
    longer: int = 0
    gone: int = 0
    operation_ids: tuple[str, ...] = ()


def remove_now(recorder: Recorder, chosen: Collection[Key], by: str) -> Done:
    """Record the removal of holdings, with the token of the application.

    There is one operation for each pair of storages and set of formats.

    Args:
        by: who requests it.

    Raises:
        HoldingsError: nothing is removed; the message says why.
        RecordingError: the removal is not recorded.
        SQLAlchemyError, OSError: the database can't be used now.
    """
    with recorder.prepare().connect() as connection:
        rows = _existing(connection, chosen)

    def last_look(connection: sa.Connection) -> None:
        if _numbers(_existing(connection, chosen)) != _numbers(rows):
            raise HoldingsError("The selected assets have just changed. Reload the page.")

    recorded = recorder.record_all(removals(rows), Origin(None, by, "page"), last_look)
    ids = tuple(operation_id for operation_id, _ in recorded)
    for each in ids:
        with logs.about(each):
            log.info("%s recorded operation %s", by, each)
    return Done(_count(rows), gone=_gone(chosen, rows), operation_ids=ids)


def keep_until(engine: sa.Engine, chosen: Collection[Key], until_ms: int | None, by: str) -> Done:
    """Set until when holdings are kept. The attempts to remove them begin anew after that.

    A time is only ever extended. What has none gets one.

    Args:
        until_ms: when they are to be removed, by iconik's clock in milliseconds since 1970; None to
            keep them until people remove them.
        by: who requests it.

    Raises:
        HoldingsError: nothing is changed; the message says why.
        SQLAlchemyError: the database fails.
    """
    with writing(engine) as connection:
        rows = _existing(connection, chosen)
        _check_stays(connection, rows)
        _check_dated(rows, until_ms)
        changed = [row for row in rows if until_ms is None or (row.until_ms or 0) <= until_ms]
        _change(connection, changed, {"until_ms": until_ms, "until_by": by, **NOT_ATTEMPTED})
    until = "it is removed by hand" if until_ms is None else told_time(until_ms)
    for row in changed:
        _log("%s keeps %s until %s", by, row, until)
    count = _count(changed)
    return Done(count, longer=_count(rows) - count, gone=_gone(chosen, rows))


def look_again(engine: sa.Engine, chosen: Collection[Key], by: str) -> Done:
    """Have iconik asked again whether holdings are still on LucidLink, as soon as possible.

    Raises:
        HoldingsError: none of them is, as far as the ledger knows.
        SQLAlchemyError: the database fails.
    """
    with writing(engine) as connection:
        rows = _existing(connection, chosen)
        _change(connection, rows, {"checked_ms": 0})
    for row in rows:
        _log("%s requested a check of %s", by, row)
    return Done(_count(rows), gone=_gone(chosen, rows))


def clock_ms(engine: sa.Engine, now_ms: int) -> int:
    """Return the time by iconik's clock, as far as it can be known without asking iconik.

    Args:
        now_ms: the time by this machine's clock, in milliseconds since 1970.

    Raises:
        HoldingsError: this machine's clock is wrong.
        SQLAlchemyError: the database fails.
    """
    with engine.connect() as connection:
        newest = connection.execute(sa.select(sa.func.max(holdings.c.since_ms))).scalar() or 0
    if newest > now_ms + TOLERANCE_MS:
        raise HoldingsError(
            "The clock of the plugin's machine is behind iconik's, so days cannot be counted from "
            "now. Set the clock, or enter a date."
        )
    return max(now_ms, int(newest))


def _existing(connection: sa.Connection, chosen: Collection[Key]) -> list[sa.Row[Any]]:
    """Return those of the chosen holdings that exist, in the order of their keys."""
    ids, wanted = {asset_id for _, asset_id, _ in chosen}, set(chosen)
    rows = connection.execute(sa.select(holdings).where(holdings.c.asset_id.in_(ids)))
    found = sorted((row for row in rows if _key(row) in wanted), key=_key)
    if not found:
        raise HoldingsError(GONE)
    return found


def _check_stays(connection: sa.Connection, rows: Iterable[sa.Row[Any]]) -> None:
    """Refuse to keep longer what a running Remove covers: it would not stop for that."""
    removing = connection.execute(
        sa.select(
            operations.c.number,
            operations.c.ll_storage_id,
            operations.c.formats,
            is_expanded.label("is_expanded"),
        ).where(operations.c.action == "remove", operations.c.ended_ms.is_(None))
    ).all()
    for operation in removing:
        mine = {
            row.asset_id: row.title or "An untitled asset"
            for row in rows
            if row.ll_storage_id == operation.ll_storage_id and row.format_name in operation.formats
        }
        if mine and not operation.is_expanded:
            raise HoldingsError(
                "A Remove is still listing its assets, which may be these. Try again in a minute."
            )
        unfinished = sa.select(assets.c.asset_id).where(
            assets.c.number == operation.number,
            assets.c.asset_id.in_(mine),
            assets.c.state != "done",
        )
        for asset_id in connection.execute(unfinished.limit(1)).scalars():
            raise HoldingsError(
                f"{mine[asset_id]} is being removed now. Stop that operation, or wait until it "
                "ends and add the asset again."
            )


def _check_dated(rows: Iterable[sa.Row[Any]], until_ms: int | None) -> None:
    """Refuse to limit a time that has not begun: it may last longer."""
    for row in rows:
        is_undated = row.since_ms == 0 and row.keep_ms is not None and row.until_by is None
        if is_undated and until_ms is not None:
            title = row.title or "an untitled asset"
            raise HoldingsError(
                f"The time of {title} begins as soon as iconik has told what time it is. Try again "
                "in a minute."
            )


def _change(connection: sa.Connection, rows: Sequence[sa.Row[Any]], new: Mapping[str, Any]) -> None:
    """Give holdings the same new values."""
    if rows:
        one = sa.update(holdings).where(IS_THIS)
        connection.execute(one, [{**this(*_key(row)), **new} for row in rows])


def _key(row: sa.Row[Any]) -> Key:
    return row.ll_storage_id, row.asset_id, row.format_name


def _numbers(rows: Iterable[sa.Row[Any]]) -> list[tuple[Key, int]]:
    """Return which holdings these are, and which operations wanted them there."""
    return [(_key(row), row.number) for row in rows]


def _count(rows: Iterable[sa.Row[Any]]) -> int:
    """Return the number of assets that holdings belong to; one on two storages counts twice."""
    return len({_key(row)[:2] for row in rows})


def _gone(chosen: Iterable[Key], rows: Sequence[sa.Row[Any]]) -> int:
    """Return the number of chosen assets of which no holding exists."""
    return len({key[:2] for key in chosen}) - _count(rows)


def _log(text: str, by: str, row: sa.Row[Any], *more: str) -> None:
    what = f"{row.format_name} of {row.title or 'an untitled asset'} ({row.asset_id}) on LucidLink"
    log.info(text, by, what, *more)
