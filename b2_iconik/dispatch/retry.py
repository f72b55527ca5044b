"""Retries operations, removes what a preview found removable, and undoes Removes.

All of these are recorded like clicks, with the data of the original click.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from b2_iconik.common.errors import RetryError
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.click import CustomAction, of_assets
from b2_iconik.domain.operation import Operation, Origin, kind_and_id
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.precedence import opposites
from b2_iconik.ledger.tables import assets, operations

# Outcomes that may change on the next attempt.
WORTH_TRYING = frozenset({"kept", "failed"})


def try_again(
    recorder: Recorder, operation_id: str, by: str, *, everything: bool = False
) -> tuple[str, bool]:
    """Record a new operation that retries an ended one.

    It has the storages, formats and token of the original click. It is the newest operation, so it
    takes over from all later clicks. Therefore, unless ``everything`` is set, it leaves out the
    assets for which the opposite action was clicked since. Those assets must be known. So no
    collection is opened again once the opposite action was clicked for any assets.

    Args:
        by: who requests the retry.
        everything: whether to retry the whole selection, and not only the assets of which something
            was kept, failed or undone, and the collections that could not be opened.

    Returns:
        The operation's id, and whether it is new. It isn't if the same operation already runs.

    Raises:
        RetryError: the operation can't be retried; the message says why.
        RecordingError: the retry is not recorded.
        SQLAlchemyError, OSError: the database can't be used now.
    """
    engine = recorder.prepare()
    operation = Ledger(engine).operation(operation_id)
    if operation is None:
        raise RetryError("it does not exist")
    if operation.ended_ms is None:
        raise RetryError("it is still running: wait until it ends, or stop it first")
    click, origin = recorder.click_of(operation_id), Origin(operation.id, by)
    if everything:
        return recorder.record(click, origin)
    with engine.connect() as connection:
        since = opposites(connection, operation)
    # If its assets were never listed, all of it is undone.
    undone = _undone(engine, operation, click) if operation.is_expanded else click
    left = _left_of(engine, undone, since)

    def last_look(connection: sa.Connection) -> None:
        if _numbers(opposites(connection, operation)) != _numbers(since):
            raise RetryError("the opposite action was clicked just now: try again")

    return recorder.record(left, origin, last_look)


def remove_previewed(recorder: Recorder, operation_id: str, by: str) -> list[str]:
    """Record the removal of exactly the assets and formats that a preview found removable.

    There is one operation for each set of formats; see ``click.of_assets``. Each proves everything
    again. An asset for which an Add was clicked since the preview is left out.

    Args:
        by: who requests the removal.

    Returns:
        The ids of the new operations, at least one.

    Raises:
        RetryError: nothing can be removed; the message says why.
        RecordingError: the removal is not recorded.
        SQLAlchemyError, OSError: the database can't be used now.
    """
    engine = recorder.prepare()
    operation = Ledger(engine).operation(operation_id)
    if operation is None or operation.action != "preview":
        raise RetryError("it is not a preview")
    if operation.ended_ms is None:
        raise RetryError("the preview is still running: wait until it ends, or stop it first")
    click, origin = recorder.click_of(operation_id), Origin(operation.id, by, "preview")
    as_remove = replace(operation, action="remove")
    with engine.connect() as connection:
        since = opposites(connection, as_remove)
    taken = _taken(engine, since)
    removable = _chosen(engine, operation, _removable)
    left = [(asset_id, formats) for asset_id, formats in removable if asset_id not in taken]
    clicks = of_assets(replace(click, action="remove"), left)
    if not clicks:
        also = ", or an Add has been clicked since then" if taken else ""
        raise RetryError(f"the preview found nothing removable{also}")

    def last_look(connection: sa.Connection) -> None:
        if _numbers(opposites(connection, as_remove)) != _numbers(since):
            raise RetryError("an Add was clicked just now: try again")
        before = sa.select(operations.c.id).where(
            operations.c.retry_of == operation.id, operations.c.action == "remove"
        )
        if connection.execute(before).first():
            raise RetryError("the removal has been recorded already: see the page of the preview")

    return [each for each, _ in recorder.record_all(clicks, origin, last_look)]


def undo_removal(recorder: Recorder, operation_id: str, by: str) -> list[str]:
    """Record the undo of exactly what a Remove has only marked deleted (PURGE=later).

    There is one operation for each set of formats; see ``click.of_assets``. It is the newest, so it
    takes over from all later clicks. What an Add has taken over since is no longer left to undo.
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
    marked = _chosen(engine, operation, _marked)
    if not marked and operation.undo_until_ms is None:
        raise RetryError("it removed nothing, or its files were purged at once")
    if not marked:
        raise RetryError("nothing is left to undo: later operations have taken all of it over")
    click, origin = recorder.click_of(operation_id), Origin(operation.id, by, "undo")
    clicks = of_assets(replace(click, action="undo"), marked)

    def last_look(connection: sa.Connection) -> None:
        running = sa.select(operations.c.id).where(
            operations.c.retry_of == operation.id,
            operations.c.origin == "undo",
            operations.c.ended_ms.is_(None),
        )
        if connection.execute(running).first():
            raise RetryError("it is already being undone: see its page")

    return [each for each, _ in recorder.record_all(clicks, origin, last_look)]


def _chosen(
    engine: sa.Engine,
    operation: Operation,
    choose: Callable[[AssetProgress, Mapping[str, Outcome]], Set[str]],
) -> list[tuple[str, list[str]]]:
    """Assets of an operation, each with the formats chosen by its progress and outcomes."""
    found = list[tuple[str, list[str]]]()
    for asset_id, progress, outcomes in Ledger(engine).outcomes(operation.number):
        chosen = choose(progress, outcomes)
        formats = [name for name in operation.formats if name in chosen]
        if formats:
            found.append((asset_id, formats))
    return found


def _removable(_: AssetProgress, outcomes: Mapping[str, Outcome]) -> set[str]:
    return {name for name, each in outcomes.items() if each.kind == "removable"}


def _marked(progress: AssetProgress, _: Mapping[str, Outcome]) -> set[str]:
    return {each.name for each in progress.marked.values()}


def _undone(engine: sa.Engine, operation: Operation, click: CustomAction) -> CustomAction:
    """A click on what an expanded operation has left undone."""
    ledger = Ledger(engine)
    undone = [
        asset_id
        for asset_id, _, outcomes in ledger.outcomes(operation.number)
        if any(
            name not in outcomes or outcomes[name].kind in WORTH_TRYING
            for name in operation.formats
        )
    ]
    unopened = defaultdict[str, list[str]](list)
    for kind, object_id in map(kind_and_id, ledger.gone(operation.number)):
        unopened[kind].append(object_id)
    return replace(
        click,
        context="BULK",
        asset_ids=tuple(undone),
        collection_ids=tuple(unopened["collection"]),
        saved_search_ids=tuple(unopened["saved search"]),
        playlist_ids=tuple(unopened["playlist"]),
    )


def _left_of(engine: sa.Engine, undone: CustomAction, since: Sequence[sa.Row[Any]]) -> CustomAction:
    """A click on what was undone, without assets for which the opposite was clicked since."""
    if since and not undone.tells_assets:
        raise RetryError(
            "the opposite action has been clicked since then, possibly for assets in the "
            "collections, saved searches and playlists that were not listed: click in iconik "
            "instead"
        )
    taken = _taken(engine, since)
    left = replace(undone, asset_ids=tuple(each for each in undone.asset_ids if each not in taken))
    if not left.selection:
        also = ", or the opposite action has been clicked since then" if taken else ""
        raise RetryError(f"nothing is left to retry: all of it was done{also}")
    return left


def _taken(engine: sa.Engine, since: Sequence[sa.Row[Any]]) -> set[str]:
    """The ids of the assets for which the opposite action was clicked since."""
    if any(row.ended_ms is None and not row.is_expanded for row in since):
        raise RetryError(
            "the opposite action has been clicked since then, and its assets are not known yet: "
            "try again in a minute"
        )
    of_opposites = sa.and_(
        assets.c.number.in_(_numbers(since)),
        # An operation that could not see the asset has left it.
        sa.or_(assets.c.seen, assets.c.state != "done"),
    )
    with engine.connect() as connection:
        return set(connection.execute(sa.select(assets.c.asset_id).where(of_opposites)).scalars())


def _numbers(since: Sequence[sa.Row[Any]]) -> list[int]:
    return [row.number for row in since]
