"""Trying an operation again: recorded like a click, with what the click said that began it."""

from collections.abc import Iterator
from dataclasses import replace

import sqlalchemy as sa

from custom_action import CustomAction
from entries import Operation, Retry
from errors import RetryError
from ledger import Ledger
from recorder import Recorder
from tables import assets, operations

# What came to nothing, and may come to something the next time.
WORTH_TRYING = frozenset({"kept", "failed"})


def try_again(
    recorder: Recorder, operation_id: str, by: str, *, everything: bool = False
) -> tuple[str, bool]:
    """Record a new operation that does again what an ended one was to do.

    It has the storages, formats and token of the click, and is the newest of all: so it takes over
    from what was clicked since. That is why, unless everything is to be done again, it leaves out
    the assets that the opposite was clicked for since then; and it must be known which those are.

    Args:
        by: who asks for it.
        everything: its whole selection, and not only the assets of which something was kept, failed
            or undone, and the collections that could not be opened.

    Returns:
        The operation's id, and whether it is a new one: if the same runs already, it is that.

    Raises:
        RetryError: it can't be; the message says why.
        RecordingError: it is not written down.
        SQLAlchemyError, OSError: the database can't be used now.
    """
    engine, _ = recorder.prepare()
    operation = Ledger(engine).operation(operation_id)
    if operation is None:
        raise RetryError(f"there is no operation {operation_id}")
    if operation.ended_ms is None:
        raise RetryError("it hasn't ended: wait for its end, or stop it first")
    click = recorder.click_of(operation_id)
    # Where its assets were never listed, all of it is undone.
    if not everything and operation.is_expanded:
        click = _left_of(engine, operation, click)
    return recorder.record(click, Retry(operation.id, by))


def _left_of(engine: sa.Engine, operation: Operation, click: CustomAction) -> CustomAction:
    """A click on what is left of an operation."""
    ledger = Ledger(engine)
    taken = set(_clicked_since(engine, operation))
    left = [
        asset_id
        for asset_id, _, outcomes in ledger.outcomes(operation.number)
        if asset_id not in taken
        and any(
            name not in outcomes or outcomes[name].kind in WORTH_TRYING
            for name in operation.formats
        )
    ]
    unopened = ledger.gone(operation.number)
    narrowed = replace(
        click,
        context="BULK",
        asset_ids=tuple(left),
        collection_ids=_named(unopened, "collection"),
        saved_search_ids=_named(unopened, "saved search"),
    )
    if not narrowed.selection:
        since = ", or was clicked for the opposite since" if taken else ""
        raise RetryError(f"nothing is left to try again: all of it was done{since}")
    return narrowed


def _clicked_since(engine: sa.Engine, operation: Operation) -> Iterator[str]:
    """The assets for which the opposite of an operation was clicked after it."""
    opposite = sa.select(operations).where(
        operations.c.number > operation.number,
        operations.c.action != operation.action,
        operations.c.ll_storage_id == operation.ll_storage_id,
    )
    with engine.connect() as connection:
        newer = [
            row for row in connection.execute(opposite) if set(row.formats) & set(operation.formats)
        ]
        if any(row.ended_ms is None and row.expanded < row.clicks for row in newer):
            raise RetryError(
                "the opposite was clicked since, and which assets that is about isn't known yet: "
                "try again in a minute"
            )
        numbers = [row.number for row in newer]
        since = sa.select(assets.c.asset_id).where(assets.c.number.in_(numbers))
        yield from connection.execute(since).scalars()


def _named(unopened: dict[str, str], kind: str) -> tuple[str, ...]:
    """The ids of the collections, or saved searches, that could not be opened."""
    return tuple(what.removeprefix(f"{kind} ") for what in unopened if what.startswith(f"{kind} "))
