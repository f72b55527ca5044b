"""What is on LucidLink, as the ledger knows it: by asset in pages, or by format as rows."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.common.texts import age
from b2_iconik.domain.keeping import MOST_ATTEMPTS, last_day, state_of
from b2_iconik.domain.keeping import in_words as keep_in_words
from b2_iconik.domain.outcomes import many, told_time
from b2_iconik.domain.sizes import in_units
from b2_iconik.ledger.holdings import KEY
from b2_iconik.ledger.tables import holdings, operations, protections
from b2_iconik.ledger.totals import DAY_MS, Totals, count, is_due, is_overdue, totals
from b2_iconik.report.conditions import contains, ids_in, is_of_user, is_on_days

ASSETS_A_PAGE = 50
READ_AT_ONCE = 1000
# What the filter for due dates may ask for, in words.
DUE = {
    "overdue": "overdue",
    "day": "due within a day",
    "week": "due within a week",
    "unlimited": "until removed by hand",
}
COLUMNS = ("asset_id", "asset", "format", "bytes", "since", "user", "until", "state", "until_by",
           "attempts", "next_attempt", "protected_until", "checked", "ll_storage",
           "ll_storage_id", "operation_id")  # fmt: skip
HEADINGS = tuple(each.replace("_", " ") if "_id" not in each else each for each in COLUMNS)


@dataclass(frozen=True)
class Filters:
    """Which formats of which assets to list. Empty filters are ignored.

    Attributes:
        due: one of ``DUE``.
        text: the id of an asset, or its start; the address of an asset's page; or a part of a
            title, or of the name of the person who added it or changed its time.
        user: the id of the user who added it, or a part of their name.
        format_name: the name of a format.
        since, until: the first and the last day on which it is due, in UTC.
    """

    due: str = ""
    text: str = ""
    user: str = ""
    format_name: str = ""
    since: date | None = None
    until: date | None = None


class OnLucidLink:
    """What is on LucidLink, read-only.

    All methods raise ``sqlalchemy.exc.SQLAlchemyError`` if the database fails.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def listed(self, filters: Filters, limit: int, page: int = 1) -> dict[str, Any]:
        """Return a page of assets as JSON values: what is due first comes first.

        An asset is listed with the formats that match. The page is the last one if there are fewer.
        """
        now = now_ms()
        conditions = list(_conditions(filters, now))
        place = (holdings.c.ll_storage_id, holdings.c.asset_id)
        first_due = sa.func.min(holdings.c.until_ms)
        title = sa.func.min(holdings.c.title)
        keys = sa.select(*place).where(*conditions).group_by(*place)
        keys = keys.order_by(first_due.is_(None), first_due, title, *place).limit(limit)
        with self._engine.connect() as connection:
            total = totals(connection, now)
            matching, size = (
                count(connection, *conditions) if conditions else (total.assets, total.bytes)
            )
            page = max(1, min(page, -(-matching // limit)))
            shown = [tuple(key) for key in connection.execute(keys.offset((page - 1) * limit))]
            ids = {asset_id for _, asset_id in shown}
            mine = sa.select(holdings).where(holdings.c.asset_id.in_(ids), *conditions)
            rows = connection.execute(mine.order_by(*KEY)).all()
            about = _About(connection, rows)
        formats: dict[tuple[str, ...], list[dict[str, Any]]] = {key: [] for key in shown}
        for row in rows:
            formats.get((row.ll_storage_id, row.asset_id), []).append(about.row(row, now))
        return {
            "assets": [_asset(several) for several in formats.values() if several],
            "total": _told(total),
            "matching": matching,
            "matching_bytes": size,
            "page": page,
        }

    def rows(self, filters: Filters) -> Iterator[dict[str, Any]]:
        """Yield a row of ``COLUMNS`` for each format of each asset, reading them in parts."""
        now = now_ms()
        some = sa.select(holdings).where(*_conditions(filters, now)).order_by(*KEY)
        last: tuple[str, ...] | None = None
        while True:
            after = some.where(sa.tuple_(*KEY) > last) if last else some
            with self._engine.connect() as connection:
                rows = connection.execute(after.limit(READ_AT_ONCE)).all()
                about = _About(connection, rows)
            for row in rows:
                yield about.row(row, now)
            if len(rows) < READ_AT_ONCE:
                return
            last = (rows[-1].ll_storage_id, rows[-1].asset_id, rows[-1].format_name)

    def formats(self) -> list[str]:
        """Return the names of all formats that are on LucidLink."""
        names = sa.select(holdings.c.format_name).distinct().order_by(holdings.c.format_name)
        with self._engine.connect() as connection:
            return list(connection.execute(names).scalars())


class _About:
    """What else is known about some rows of ``holdings``: protections, storages, operations."""

    def __init__(self, connection: sa.Connection, rows: Sequence[sa.Row[Any]]) -> None:
        ids = {row.asset_id for row in rows}
        protected = sa.select(protections).where(protections.c.asset_id.in_(ids))
        self._protections = {row.asset_id: row for row in connection.execute(protected)}
        operation_ids = {row.operation_id for row in rows} | {row.attempt_id for row in rows}
        known = sa.select(operations.c.id).where(operations.c.id.in_(operation_ids - {None}))
        self._operations = set(connection.execute(known).scalars())
        self._storages = {
            storage_id: _name_of(connection, storage_id)
            for storage_id in {row.ll_storage_id for row in rows}
        }

    def row(self, row: sa.Row[Any], now_ms: int) -> dict[str, Any]:
        """Return one row as JSON values. Operations are only named if they are still stored."""
        protection = self._protections.get(row.asset_id)
        state = state_of(row.until_ms, now_ms)
        due = _due_in_words(state, row.until_ms, row.attempts, now_ms)
        if row.since_ms == 0 and row.keep_ms is not None and row.until_by is None:
            # Its time begins as soon as iconik has told what time it is.
            state, due = "timed", f"for {keep_in_words(row.keep_ms)}, not begun yet"
        return {
            "asset_id": row.asset_id,
            "asset": row.title or row.asset_id,
            "format": row.format_name,
            "bytes": row.size,
            "since": told_time(row.since_ms) if row.since_ms else None,
            "user_id": row.user_id,
            "user": row.user_name or None,
            "until": told_time(row.until_ms) if row.until_ms is not None else None,
            "until_by": row.until_by,
            "state": state,
            "due": due,
            "attempts": row.attempts,
            "next_attempt": told_time(row.next_attempt_ms)
            if row.next_attempt_ms and row.attempts < MOST_ATTEMPTS
            else None,
            "attempt_id": row.attempt_id if row.attempt_id in self._operations else None,
            "protected_until": last_day(protection.until_ms) if protection else None,
            "protected_by": protection.by if protection else None,
            "checked": told_time(row.checked_ms) if row.checked_ms else None,
            "ll_storage": self._storages[row.ll_storage_id],
            "ll_storage_id": row.ll_storage_id,
            "operation_id": row.operation_id if row.operation_id in self._operations else None,
        }


# The members of a row that are the same for all formats of an asset.
_OF_ASSET = ("asset_id", "asset", "ll_storage", "ll_storage_id", "protected_until", "protected_by")


def _asset(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    sizes = [row["bytes"] for row in rows if row["bytes"] is not None]
    formats = [{name: row[name] for name in row if name not in _OF_ASSET} for row in rows]
    return {
        **{name: rows[0][name] for name in _OF_ASSET},
        "bytes": sum(sizes) if sizes else None,
        "formats": formats,
    }


def together(
    formats: Iterable[Mapping[str, Any]], names: Sequence[str]
) -> list[tuple[list[str], Mapping[str, Any]]]:
    """Group the formats of an asset by some of their members.

    Returns:
        For each group the names of its formats, none if there is only one group, and the first.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for each in formats:
        groups.setdefault(tuple(each[name] for name in names), []).append(each)
    is_one = len(groups) == 1
    return [
        ([] if is_one else [each["format"] for each in some], some[0]) for some in groups.values()
    ]


def key_of(asset: Mapping[str, Any]) -> str:
    """Return the name of an asset and its listed formats in forms; see ``keys_in``."""
    formats = [each["format"] for each in asset["formats"]]
    return json.dumps([asset["ll_storage_id"], asset["asset_id"], formats])


def keys_in(name: str) -> list[tuple[str, str, str]]:
    """Return the storage, asset and format of each holding that ``key_of`` has named.

    Raises:
        ValueError: the name was not made by ``key_of``.
    """
    try:
        storage_id, asset_id, formats = json.loads(name)
    except (ValueError, TypeError, RecursionError):
        storage_id = asset_id = formats = None
    # PostgreSQL rejects null characters, and no database takes a lone surrogate.
    is_named = isinstance(formats, list) and all(
        isinstance(each, str) and each.isprintable() for each in (storage_id, asset_id, *formats)
    )
    if not is_named:
        raise ValueError("names no asset with formats")
    return [(storage_id, asset_id, each) for each in formats]


def in_words(assets: int, size: int) -> str:
    """Say how much is listed: '12 assets, 34 GB'."""
    return ", ".join([many(assets, "asset"), *([in_units(size)] if size else [])])


def _told(total: Totals) -> dict[str, int]:
    return {
        "assets": total.assets,
        "bytes": total.bytes,
        "due_within_a_day": total.due,
        "overdue": total.overdue,
    }


def _due_in_words(state: str, until_ms: int | None, attempts: int, now_ms: int) -> str:
    if state == "unlimited" or until_ms is None:
        return "until removed by hand"
    if state == "timed":
        return f"due in {age(until_ms - now_ms)}"
    since = f"overdue for {age(now_ms - until_ms)}" if state == "overdue" else "due now"
    return since + (f", removal tried {many(attempts, 'time')}" if attempts else "")


def _name_of(connection: sa.Connection, ll_storage_id: str) -> str | None:
    """Return the name of a LucidLink storage, if the newest operations there tell."""
    newest = (
        sa.select(operations.c.names)
        .where(operations.c.ll_storage_id == ll_storage_id, operations.c.names.is_not(None))
        .order_by(operations.c.number.desc())
        .limit(1)
    )
    names = connection.execute(newest).scalar() or {}
    name: str | None = names.get("storages", {}).get("ll")
    return name or None


def _conditions(filters: Filters, now_ms: int) -> Iterator[sa.ColumnElement[bool]]:
    until_ms = holdings.c.until_ms
    if filters.due == "overdue":
        yield is_overdue(now_ms)
    elif filters.due == "unlimited":
        # The time of the others has not begun.
        has_no_time = sa.or_(holdings.c.keep_ms.is_(None), holdings.c.since_ms != 0)
        yield until_ms.is_(None)
        yield sa.or_(has_no_time, holdings.c.until_by.is_not(None))
    elif filters.due:
        yield is_due(now_ms, DAY_MS if filters.due == "day" else 7 * DAY_MS)
    yield from is_on_days(until_ms, filters.since, filters.until)
    if filters.format_name:
        yield holdings.c.format_name == filters.format_name
    if filters.user:
        yield is_of_user(holdings, filters.user)
    if filters.text:
        ids = ids_in(filters.text)
        starts = holdings.c.asset_id.startswith(filters.text.lower(), autoescape=True)
        shown = (holdings.c.title, holdings.c.user_name, holdings.c.until_by)
        named = sa.or_(starts, *(contains(column, filters.text) for column in shown))
        yield holdings.c.asset_id.in_(ids) if ids else named
