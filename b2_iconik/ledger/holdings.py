"""What is on LucidLink through this service, since when, and until when.

A row is written in the transaction that records an outcome: an Add's or an Undo's writes it, and a
Remove's deletes it. The newest click decides, so an operation changes no row of a newer one. A
format that an Add could not put there keeps the time that it had.

The times are iconik's; see ``iconik_http.server_clock``. They survive the operations, which are
forgotten after a while.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.click import CustomAction, of_assets
from b2_iconik.domain.keeping import told_why
from b2_iconik.domain.operation import Operation, named_user
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import ClaimedAsset
from b2_iconik.ledger.tables import assets, holdings, insert_into, operations, progress_has_deletion
from b2_iconik.ledger.term import LeaderQueries

# The kinds of outcomes after which a format is on LucidLink, and after which it is not. An asset
# that seems to have vanished may only be hidden from the user who clicked.
HELD = frozenset({"copied", "there", "restored"})
GONE = frozenset({"removed", "absent", "without"})

# What identifies a row, and a condition for one, with the parameters of ``this``.
KEY = (holdings.c.ll_storage_id, holdings.c.asset_id, holdings.c.format_name)
IS_THIS = sa.and_(*(each == sa.bindparam(f"this_{each.name}") for each in KEY))
# The values of a row whose removal was not attempted since its time was last set.
NOT_ATTEMPTED = {"attempts": 0, "next_attempt_ms": None, "attempt_id": None}


def this(ll_storage_id: str, asset_id: str, format_name: str) -> dict[str, str]:
    """The parameters of ``IS_THIS`` for one row."""
    values = (ll_storage_id, asset_id, format_name)
    return {f"this_{each.name}": value for each, value in zip(KEY, values, strict=True)}


def note(
    connection: sa.Connection,
    operation: Operation,
    noted: Iterable[tuple[ClaimedAsset, Mapping[str, Outcome]]],
    stored: Mapping[str, Mapping[str, Sequence[Any]]],
    user_name: str,
    now_ms: int | None,
) -> None:
    """Record what outcomes of an operation say about what is on LucidLink.

    Args:
        connection: of the transaction that records the outcomes.
        noted: assets, each with the outcomes that are known now, by format name.
        stored: by asset id and format name, all outcomes, as in ``Outcome.stored``.
        now_ms: iconik's time; None if it isn't known.
    """
    if operation.action == "remove":
        removed = [
            this(operation.ll_storage_id, asset.asset_id, name)
            for asset, _ in noted
            for name, (kind, *_) in stored[asset.asset_id].items()
            # A deletion that is not verified may turn out not to be carried out.
            if kind in GONE and name not in asset.progress.formats_being_deleted
        ]
        if removed:
            is_older = holdings.c.number < operation.number
            connection.execute(sa.delete(holdings).where(IS_THIS, is_older), removed)
    elif operation.action != "preview":
        _hold(connection, operation, noted, user_name, now_ms)


def _hold(
    connection: sa.Connection,
    operation: Operation,
    noted: Iterable[tuple[ClaimedAsset, Mapping[str, Outcome]]],
    user_name: str,
    now_ms: int | None,
) -> None:
    """Record what is on LucidLink now."""
    keep_ms = operation.keep_ms
    same = {
        "number": operation.number,
        "operation_id": operation.id,
        "b2_storage_id": operation.b2_storage_id,
        "user_id": operation.user_id,
        "user_name": user_name or None,
        "since_ms": now_ms or 0,
        "keep_ms": keep_ms,
        "until_ms": None if keep_ms is None or now_ms is None else now_ms + keep_ms,
        "until_by": None,
        "checked_ms": now_ms or 0,
        **NOT_ATTEMPTED,
    }
    rows = [
        {
            **same,
            "ll_storage_id": operation.ll_storage_id,
            "asset_id": asset.asset_id,
            "format_name": name,
            "title": asset.title or None,
            "size": each.size,
        }
        for asset, outcomes in noted
        for name, each in outcomes.items()
        if each.kind in HELD
    ]
    if rows:
        insert = insert_into(connection, holdings)
        new, known = insert.excluded, holdings.c
        changed = {name: new[name] for name in same}
        for name in ("title", "size"):
            changed[name] = sa.func.coalesce(new[name], known[name])
        upsert = insert.on_conflict_do_update(
            index_elements=KEY, set_=changed, where=known.number < new.number
        )
        connection.execute(upsert, rows)


def why_due(
    connection: sa.Connection, operation: Operation, asset_ids: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Why an operation removes assets whose time is up, by asset id and format name.

    Empty for other operations.
    """
    told: dict[str, dict[str, str]] = defaultdict(dict)
    if operation.is_due:
        mine = sa.and_(
            holdings.c.ll_storage_id == operation.ll_storage_id,
            holdings.c.asset_id.in_(asset_ids),
            holdings.c.attempt_id == operation.id,
        )
        for row in connection.execute(sa.select(holdings).where(mine)):
            user = named_user(row.user_name, row.user_id)
            told[row.asset_id][row.format_name] = told_why(
                row.since_ms, row.keep_ms, row.until_ms, row.until_by, user
            )
    return told


def removals(rows: Iterable[sa.Row[Any]]) -> list[CustomAction]:
    """The clicks that remove holdings: one for each pair of storages and set of formats.

    Args:
        rows: the rows of the table, in the order of ``KEY``.
    """
    formats: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        formats[row.b2_storage_id, row.ll_storage_id][row.asset_id].append(row.format_name)
    return [
        click
        for (b2_id, ll_id), by_asset in formats.items()
        for click in of_assets(
            CustomAction("remove", b2_id, ll_id, (), "BULK", ()), by_asset.items()
        )
    ]


@dataclass(frozen=True)
class Holding:
    """One format of an asset that is on LucidLink, as far as the ledger knows.

    Attributes:
        number: the newest operation that wanted it there.
    """

    ll_storage_id: str
    asset_id: str
    format_name: str
    number: int
    title: str | None = field(default=None, compare=False)
    size: int | None = field(default=None, compare=False)

    @property
    def named(self) -> str:
        """The format as logs name it."""
        title = f" ({self.title})" if self.title else ""
        return f"{self.format_name} of asset {self.asset_id}{title}"


class Holdings(LeaderQueries):
    """Checks of what is still on LucidLink."""

    def to_check(self, before_ms: int, limit: int) -> list[Holding]:
        """What was last checked before a time, and no operation has in hand; the oldest first."""
        chosen = sa.select(*KEY, holdings.c.number, holdings.c.title, holdings.c.size).where(
            holdings.c.checked_ms < before_ms, ~_is_unsettled()
        )
        rows = self._rows(chosen.order_by(holdings.c.checked_ms, *KEY).limit(limit))
        return [Holding(**row._mapping) for row in rows]

    def note_checked(self, there: Iterable[Holding], gone: Iterable[Holding], now_ms: int) -> None:
        """Record the results of a check.

        What was changed since is left as it is.

        Args:
            there: what is still there, or may be, with its title and size.
            gone: what is no longer on LucidLink.
        """
        same = sa.and_(IS_THIS, holdings.c.number == sa.bindparam("this_number"))
        change = {
            each: sa.bindparam(f"new_{each}", type_=holdings.c[each].type)
            for each in ("title", "size")
        }
        statements = (
            (sa.update(holdings).where(same).values(**change, checked_ms=now_ms), there),
            (sa.delete(holdings).where(same, ~_is_unsettled()), gone),
        )
        with self._writing() as connection:
            for statement, some in statements:
                rows = [_as_parameters(each) for each in some]
                if rows:
                    connection.execute(statement, rows)


def _as_parameters(holding: Holding) -> dict[str, Any]:
    return {
        **this(holding.ll_storage_id, holding.asset_id, holding.format_name),
        "this_number": holding.number,
        "new_title": holding.title,
        "new_size": holding.size,
    }


def is_with(*how: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether an operation that changes LucidLink has an asset in a certain way."""
    return (
        sa.select(assets.c.asset_id)
        .join(operations, operations.c.number == assets.c.number)
        .where(
            assets.c.asset_id == holdings.c.asset_id,
            operations.c.ll_storage_id == holdings.c.ll_storage_id,
            operations.c.action != "preview",
            *how,
        )
        .exists()
    )


def is_in_hand() -> sa.ColumnElement[bool]:
    """Whether an operation has not finished an asset yet; for ``is_with``."""
    return sa.and_(operations.c.ended_ms.is_(None), assets.c.state != "done")


def _is_unsettled() -> sa.ColumnElement[bool]:
    """Whether what is on LucidLink may just change: file sets may be marked deleted for a while."""
    return is_with(sa.or_(is_in_hand(), progress_has_deletion()))
