"""Undoes a Remove, as far as it has only marked file sets deleted (PURGE=later).

An undo is recorded like a click, with the data of the Remove's click.
"""

from dataclasses import replace

import sqlalchemy as sa

from b2_iconik.common.errors import RetryError
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.click import of_assets
from b2_iconik.domain.operation import AssetProgress, Operation, Origin
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import assets, has_marked, operations


def undo_removal(recorder: Recorder, operation_id: str, by: str) -> list[str]:
    """Record the undo of exactly the assets and formats that a Remove has left marked deleted.

    The formats differ between assets, and a click has the same formats for all of its assets. So
    there is one operation for each set of formats. It is the newest one, so it takes over from all
    later clicks. What an Add has taken over since is no longer left to undo.

    Whether it comes too late is decided by iconik.

    Args:
        by: who requests the undo.

    Returns:
        The ids of the new operations, at least one.

    Raises:
        RetryError: nothing can be undone; the message says why.
        RecordingError: the undo is not recorded.
        SQLAlchemyError, OSError: the database can't be used now.
    """
    engine = recorder.prepare()
    operation = Ledger(engine).operation(operation_id)
    if operation is None or operation.action != "remove":
        raise RetryError("it is not a Remove")
    if operation.ended_ms is None:
        raise RetryError("it is still running: wait until it ends, or stop it first")
    marked = _marked(engine, operation)
    if not marked and operation.undo_until_ms is None:
        raise RetryError("it removed nothing, or its files were purged at once")
    if not marked:
        raise RetryError("nothing is left to undo: later operations have taken all of it over")
    click, origin = recorder.click_of(operation_id), Origin(operation.id, by, "undo")
    clicks = of_assets(replace(click, action="undo"), marked)

    def last_look(connection: sa.Connection) -> None:
        running = sa.select(operations.c.id).where(
            operations.c.retry_of == operation.id,
            operations.c.action == "undo",
            operations.c.ended_ms.is_(None),
        )
        if connection.execute(running).first():
            raise RetryError("it is already being undone: see its page")

    return [each for each, _ in recorder.record_all(clicks, origin, last_look)]


def _marked(engine: sa.Engine, operation: Operation) -> list[tuple[str, list[str]]]:
    """The assets that are left marked deleted, each with the formats that are."""
    found = list[tuple[str, list[str]]]()
    chosen = sa.select(assets.c.asset_id, assets.c.progress).where(
        assets.c.number == operation.number, has_marked()
    )
    with engine.connect() as connection:
        for row in connection.execute(chosen.order_by(assets.c.asset_id)):
            names = {each.name for each in AssetProgress.from_json(row.progress).marked.values()}
            formats = [name for name in operation.formats if name in names]
            if formats:
                found.append((row.asset_id, formats))
    return found
