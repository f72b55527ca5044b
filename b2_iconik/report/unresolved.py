"""What operations left undone, and no later operation has resolved.

An outcome of a format of an asset is resolved as soon as a later operation on the same LucidLink
storage has ended with an outcome for the same format of the same asset. If that is a problem, only
the newest counts. Previews leave nothing undone, and resolve nothing. Nothing is stored for this:
each answer is queried anew.
"""

from typing import Any, NamedTuple

import sqlalchemy as sa

from b2_iconik.domain.operation import REPEATING
from b2_iconik.domain.reasons import OTHER, Cause
from b2_iconik.ledger.tables import assets, is_expanded, operations, unlisted
from b2_iconik.report.conditions import each_outcome, has_problem, json_text, may_have

# More problems than anybody reads. A page is quick even then.
MOST = 50_000
# What a retry may complete. That an asset no longer exists is nothing to do.
OPEN = ("kept", "failed")


class Left(NamedTuple):
    """One thing that is left to do.

    Attributes:
        number: the number of the operation that left it.
        asset_id: the asset; or the collection, saved search or playlist, like 'collection <id>'; ""
            for the whole operation.
        format_name: None unless it is an asset.
        label: the label of its cause.
    """

    number: int
    asset_id: str
    format_name: str | None
    label: str


def unresolved(engine: sa.Engine) -> list[Left]:
    """Return what is left to do, that of the newest operations first.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database fails.
    """
    is_sqlite = engine.dialect.name == "sqlite"
    both = sa.union_all(_problems(), _undone(is_sqlite)).subquery()
    of_assets = sa.select(both).order_by(both.c.number.desc(), both.c.asset_id).limit(MOST)
    with engine.connect() as connection:
        rows = [
            *connection.execute(of_assets).all(),
            *connection.execute(_unopened()).all(),
            *connection.execute(_unbegun()).all(),
        ]
    found = [Left(number, what, name, cause or OTHER) for number, what, name, cause in rows]
    return sorted(found, key=lambda one: -one.number)


# Queries for the number of an operation, what is left, its format and the value of its cause.

_later, _later_operation = sa.alias(assets, "later"), sa.alias(operations, "later_operation")


def _problems() -> sa.Select[Any]:
    """Select what was kept or failed."""
    each, later = each_outcome(assets), each_outcome(_later, "later_outcome")
    has_outcome = (
        sa.exists()
        .select_from(later)
        .where(later.c.key == each.c.key, json_text(later, 0) != "superseded")
        .correlate(_later, each)
    )
    return (
        sa.select(assets.c.number, assets.c.asset_id, each.c.key, json_text(each, 3))
        .select_from(_assets_of_operations().join(each, sa.true()))
        .where(
            assets.c.number.in_(_ended(may_have(OPEN))),
            has_problem(OPEN),
            json_text(each, 0).in_(OPEN),
            ~_is_later(has_outcome, each),
        )
    )


def _undone(is_sqlite: bool) -> sa.Select[Any]:
    """Select what operations that failed or were stopped have no outcome for."""
    each, name = each_outcome(assets), _names(operations, "name", is_sqlite)
    later_name = _names(_later_operation, "later_name", is_sqlite)
    has_outcome = sa.exists().select_from(each).where(each.c.key == name.c.value)
    has_format = sa.exists().select_from(later_name).where(later_name.c.value == name.c.value)
    is_cut_short = sa.or_(operations.c.failure.is_not(None), operations.c.stop_ms.is_not(None))
    progress = sa.cast(assets.c.progress, sa.Text)
    cause = sa.case(
        (progress.contains('"deletions"'), Cause.HALF_DELETED.value),
        (progress.contains('"copy_results"'), Cause.LEFT_TO_ICONIK.value),
        else_=Cause.NOT_STARTED.value,
    )
    return (
        sa.select(assets.c.number, assets.c.asset_id, name.c.value, cause)
        .select_from(_assets_of_operations().join(name, sa.true()))
        .where(
            assets.c.number.in_(_ended(is_cut_short, may_have(("failed", "undone")))),
            ~has_outcome.correlate(assets, name),
            ~_is_later(has_format.correlate(_later_operation, name), name),
        )
    )


def _unopened() -> sa.Select[Any]:
    """Select what could not be listed, of operations that were not retried."""
    return (
        sa.select(unlisted.c.number, unlisted.c.what, sa.null(), unlisted.c.cause)
        .join(operations, operations.c.number == unlisted.c.number)
        .where(_has_acted(operations), _is_not_retried())
        .order_by(unlisted.c.number.desc(), unlisted.c.what)
        .limit(MOST)
    )


def _unbegun() -> sa.Select[Any]:
    """Select the operations that ended before their assets were known, and were not retried."""
    has_assets = sa.exists().where(assets.c.number == operations.c.number)
    has_failed = operations.c.failure.is_not(None)
    cause = sa.case((has_failed, operations.c.failure_cause), else_=Cause.NOT_STARTED.value)
    return (
        sa.select(operations.c.number, sa.literal(""), sa.null(), cause)
        .where(
            _has_acted(operations),
            sa.or_(has_failed, ~is_expanded),
            ~has_assets,
            _is_not_retried(),
        )
        .order_by(operations.c.number.desc())
        .limit(MOST)
    )


def _assets_of_operations() -> Any:
    return operations.join(assets, assets.c.number == operations.c.number)


def _ended(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Select the numbers of ended operations: few, so that only their assets are read."""
    ended = sa.select(operations.c.number).where(_has_acted(operations), *conditions)
    # Not those of the query around it.
    return ended.correlate(None)


def _is_later(how: sa.ColumnElement[bool], each: Any) -> sa.ColumnElement[bool]:
    """Whether a later operation that has ended meets a condition for the same asset."""
    return (
        sa.exists()
        .select_from(_later.join(_later_operation, _later_operation.c.number == _later.c.number))
        .where(
            _later.c.asset_id == assets.c.asset_id,
            _later.c.number > assets.c.number,
            _has_acted(_later_operation),
            _later_operation.c.ll_storage_id == operations.c.ll_storage_id,
            how,
        )
        .correlate(assets, operations, each)
    )


def _has_acted(of: Any) -> sa.ColumnElement[bool]:
    """Whether an operation has ended, and is not a preview."""
    return sa.and_(of.c.ended_ms.is_not(None), of.c.action != "preview")


def _is_not_retried() -> sa.ColumnElement[bool]:
    retry = sa.alias(operations, "retry")
    repeats = sa.or_(retry.c.origin.is_(None), retry.c.origin.in_(REPEATING))
    retried = sa.select(retry.c.retry_of).where(retry.c.retry_of.is_not(None), repeats)
    return operations.c.id.not_in(retried)


def _names(of: Any, name: str, is_sqlite: bool) -> Any:
    """Return the formats of an operation as rows of ``value``."""
    read = sa.func.json_each if is_sqlite else sa.func.json_array_elements_text
    return read(of.c.formats).table_valued("value", name=name)
