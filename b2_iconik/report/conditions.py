"""Conditions on operations, assets and their outcomes that several readers share."""

import json
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.clock import midnight_ms
from b2_iconik.ledger.tables import assets, operations
from b2_iconik.ledger.totals import DAY_MS
from iconik_http.records import UUID


def contains(column: Any, text: str, lower: str | None = None) -> sa.ColumnElement[bool]:
    """Build a condition: a column contains a text, in upper or lower case.

    Args:
        lower: the text in lower case, if it is escaped.
    """
    return sa.or_(
        sa.func.lower(column).contains(lower or text.lower(), autoescape=True),
        # SQLite lowers only ASCII letters.
        column.contains(text, autoescape=True),
    )


def ids_in(text: str) -> list[str]:
    """Return the ids in a text, such as the address of an asset's page in iconik."""
    return [each[0] for each in UUID.finditer(text.lower())]


def is_of_user(table: sa.Table, user: str) -> sa.ColumnElement[bool]:
    """Build a condition: a row has this user's id, or a user name that contains this text."""
    return sa.or_(table.c.user_id == user.lower(), contains(table.c.user_name, user))


def is_on_days(
    column: sa.ColumnElement[Any], since: date | None, until: date | None
) -> Iterator[sa.ColumnElement[bool]]:
    """Yield conditions: a time is on one of these days, in UTC; None for no limit."""
    if since:
        yield column >= midnight_ms(since)
    if until:
        yield column < midnight_ms(until) + DAY_MS


def each_outcome(of: Any, name: str = "outcome") -> Any:
    """Return the outcomes of an asset as rows of ``key``, a format, and ``value``, a JSON array.

    Args:
        of: ``assets``, or an alias of it.
        name: the name of these rows in the query.
    """
    return sa.func.json_each(of.c.outcomes).table_valued("key", "value", name=name)


def json_text(each: Any, place: int) -> Any:
    """Return the text at a place of such a row's value; see ``Outcome.stored``."""
    return sa.type_coerce(each.c.value, sa.JSON)[place].as_string()


def may_have(kinds: Iterable[str]) -> sa.ColumnElement[bool]:
    """Build a condition: the stored counts of an operation don't rule out some outcomes."""
    counted = (sa.func.coalesce(operations.c.counts[kind].as_integer(), 1) for kind in kinds)
    return sa.or_(*(number > 0 for number in counted))


def has_problem(kinds: Iterable[str]) -> sa.ColumnElement[bool]:
    """Build a condition: the outcomes of an asset may include such a kind. It is a quick one."""
    return sa.or_(*(_stored().contains(f'["{kind}"') for kind in kinds))


def has_cause(cause: str) -> sa.ColumnElement[bool]:
    """Build a condition: an outcome of an asset has this value as its cause."""
    each = each_outcome(assets)
    of_cause = sa.exists().select_from(each).where(json_text(each, 3) == cause)
    # The text rules out most assets quickly.
    return sa.and_(_stored().contains(f'"{cause}"'), of_cause)


def is_about(text: str) -> sa.ColumnElement[bool]:
    """Build a condition: an asset has this text in its title or a reason, or its id in this text.

    A text that has ids is about those alone, such as the address of an asset's page in iconik.
    """
    ids = ids_in(text)
    if ids:
        return assets.c.asset_id.in_(ids)
    return sa.or_(
        assets.c.asset_id.startswith(text.lower(), autoescape=True),
        contains(assets.c.title, text),
        _has_reason(text),
    )


def _has_reason(text: str) -> sa.ColumnElement[bool]:
    """Build a condition: a reason of an asset contains a text, such as the name of a file."""
    each = each_outcome(assets)
    of_text = sa.exists().select_from(each).where(contains(json_text(each, 1), text))
    escaped = (json.dumps(each)[1:-1] for each in (text, text.lower()))
    return sa.and_(contains(_stored(), *escaped), of_text)


def _stored() -> Any:
    return sa.cast(assets.c.outcomes, sa.Text)
