"""Detects the tables of a database, and migrates those of an older version of this service."""

from typing import Any

import sqlalchemy as sa

from b2_iconik.common.errors import SettingsError
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.ledger.asset_rows import change_assets
from b2_iconik.ledger.tables import (
    assets,
    copies,
    counters,
    metadata,
    operations,
    schema,
    terms,
    unlisted,
)

# The columns that each version since the second has added. They have defaults or may be empty, so
# that older rows stay valid. Any other kind of change would need more than this.
ADDED: tuple[tuple[sa.Column[Any], ...], ...] = (
    (terms.c.clock_ms,),
    (
        operations.c.stop_by,
        operations.c.stop_ms,
        operations.c.retry_of,
        operations.c.retry_by,
        operations.c.result,
        operations.c.counts,
        operations.c.next_check_ms,
        operations.c.outage,
    ),
    # This version also stores another kind of progress, which an older one can't read.
    (assets.c.seen,),
    # This version also runs operations without DBOS, and stores the causes of outcomes.
    (
        operations.c.sealed,
        operations.c.closed_ms,
        operations.c.failure_cause,
        unlisted.c.cause,
    ),
    # This version also has other states, and other words for progress.
    (operations.c.job_id, operations.c.title),
    # This version also stores another kind of progress, which an older one can't read.
    (assets.c.title,),
    # This version also stores another kind of progress, which an older one cannot read, and has
    # other results; see ``RENAMED_RESULTS``.
    (
        operations.c.totals,
        operations.c.user_name,
        operations.c.path,
        operations.c.names,
        assets.c.size,
        copies.c.progress,
    ),
    # This version also has another action, other kinds of outcomes and more progress, which an
    # older one can't read, and tables of what is on LucidLink.
    (
        operations.c.origin,
        operations.c.keep_ms,
        operations.c.undo_until_ms,
        operations.c.undo_is_about,
    ),
)
VERSION = len(ADDED) + 1
# No version since this one needs their contents, but a process of an older one may still read them.
EMPTIED = ("plugin_tokens", "plugin_refusals", "plugin_jobs", "plugin_titles", "plugin_health")
# The states of assets up to version 5, and what they are called now.
RENAMED_STATES = {"waiting": "queued", "held": "claimed", "settling": "recheck", "left": "done"}
# The results of operations up to version 7, and what they are called now.
RENAMED_RESULTS = {"finished": "done", "finished with warnings": "partly done"}
# The parts of progress that are searched for as text, as version 5 called them.
SEARCHED_KEYS = ('"deleting"', '"asking"')
# Up to this version a library, DBOS, stored the clicks, and when they had ended.
LAST_WITH_DBOS = 4
LAST_WITH_OLD_STATES = 5
LAST_WITH_OLD_RESULTS = 7
UNDONE = ("ENQUEUED", "PENDING", "DELAYED")


def bring_up_to_date(connection: sa.Connection) -> None:
    """Create the tables, or add what they lack since an older version.

    Args:
        connection: from ``writing``.

    Raises:
        SettingsError: the tables are those of a newer version, or of another program.
    """
    metadata.create_all(connection)
    version = connection.execute(sa.select(sa.func.max(schema.c.version))).scalar() or 1
    if version > VERSION:
        raise SettingsError(
            "DATABASE_URL",
            f"names a database of a newer version of this service (schema {version}, this one "
            f"knows {VERSION}): run the newer version, or give this one a different database",
        )
    for columns in ADDED[version - 1 :]:
        for column in columns:
            if column.name not in _columns(connection, column.table.name):
                shown = sa.schema.CreateColumn(column).compile(connection)
                connection.exec_driver_sql(f"ALTER TABLE {column.table.name} ADD COLUMN {shown}")
    for table in metadata.sorted_tables:
        lacking = {column.name for column in table.columns} - _columns(connection, table.name)
        if lacking:
            raise SettingsError(
                "DATABASE_URL",
                f"names a database whose table {table.name} lacks {', '.join(sorted(lacking))}: "
                "another program created it; give this service its own database",
            )
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    for name, moved in (("plugin_jobs", "job_id"), ("plugin_titles", "title")):
        _move(connection, name, moved)
    for name in EMPTIED:
        if sa.inspect(connection).has_table(name):
            connection.execute(sa.delete(sa.table(name)))
    if version <= LAST_WITH_DBOS:
        _leave_dbos(connection)
    if version <= LAST_WITH_OLD_STATES:
        _rename_states(connection)
        _rewrite_progress(connection)
    if version <= LAST_WITH_OLD_RESULTS:
        _rename_results(connection)
    if version < VERSION:
        _end_term(connection)
    connection.execute(sa.delete(schema))
    connection.execute(sa.insert(schema).values(version=VERSION))


def adopt(connection: sa.Connection) -> None:
    """Take over the clicks that a version of this service with DBOS has recorded, encrypted.

    Another host may still run such a version.
    """
    statuses, inputs = _table_of_dbos(connection, "status"), _table_of_dbos(connection, "input")
    if statuses is None or inputs is None:
        return
    is_its = operations.c.id == inputs.c.workflow_uuid
    connection.execute(
        sa.update(operations)
        .where(operations.c.sealed.is_(None))
        .values(sealed=sa.select(inputs.c.inputs).where(is_its).scalar_subquery())
    )
    _rename_states(connection)
    adopted = sa.select(operations.c.id).where(operations.c.sealed.is_not(None))
    for table in (inputs, statuses):
        connection.execute(sa.delete(table).where(table.c.workflow_uuid.in_(adopted)))


def _move(connection: sa.Connection, name: str, column: str) -> None:
    """Move a column from a table that older versions had to the operations, if it is there."""
    if sa.inspect(connection).has_table(name):
        old = sa.table(name, sa.column("number"), sa.column(column))
        moved = sa.select(old.c[column]).where(old.c.number == operations.c.number)
        connection.execute(
            sa.update(operations)
            .where(operations.c.number.in_(sa.select(old.c.number)))
            .values({column: moved.scalar_subquery()})
        )


def _rename_states(connection: sa.Connection) -> None:
    """Give the states of assets the names that they have today."""
    for old, new in RENAMED_STATES.items():
        connection.execute(sa.update(assets).where(assets.c.state == old).values(state=new))


def _rename_results(connection: sa.Connection) -> None:
    """Give the results of operations, and their counters, the names that they have today."""
    for old, new in RENAMED_RESULTS.items():
        connection.execute(
            sa.update(operations).where(operations.c.result == old).values(result=new)
        )
        connection.execute(
            sa.update(counters)
            .where(counters.c.what == "operation", counters.c.outcome == old)
            .values(outcome=new)
        )


def _rewrite_progress(connection: sa.Connection) -> None:
    """Store progress with today's keys, where it is searched for as text."""
    text = sa.cast(assets.c.progress, sa.Text)
    chosen = sa.select(assets.c.number, assets.c.asset_id, assets.c.progress).where(
        sa.or_(*(text.contains(key) for key in SEARCHED_KEYS))
    )
    for row in connection.execute(chosen).all():
        progress = AssetProgress.from_json(row.progress).as_json()
        change_assets(connection, row.number, {row.asset_id: {"progress": progress}})


def _end_term(connection: sa.Connection) -> None:
    """End the term of a leader of an older version, which another host may still run.

    It would not understand what this version stores. With DBOS, it would consider the operations
    that DBOS does not know lost, and would end them.
    """
    clock = connection.execute(sa.select(sa.func.max(terms.c.clock_ms))).scalar()
    if clock is not None:
        connection.execute(sa.insert(terms).values(began_ms=clock, clock_ms=clock))


def _leave_dbos(connection: sa.Connection) -> None:
    """Take over the operations of a version with DBOS."""
    statuses = _table_of_dbos(connection, "status")
    undone: sa.Select[Any] | tuple[str, ...] = ()
    if statuses is not None:
        undone = sa.select(statuses.c.workflow_uuid).where(statuses.c.status.in_(UNDONE))
    connection.execute(
        sa.update(operations)
        .where(operations.c.ended_ms.is_not(None), operations.c.id.not_in(undone))
        .values(closed_ms=operations.c.ended_ms)
    )
    adopt(connection)


def _table_of_dbos(connection: sa.Connection, name: str) -> sa.TableClause | None:
    """A table of DBOS's; None if it is not in this database."""
    schema_name = None if connection.dialect.name == "sqlite" else "dbos"
    table = f"workflow_{name}"
    if not sa.inspect(connection).has_table(table, schema=schema_name):
        return None
    columns: list[sa.ColumnClause[str]] = [
        sa.column(each) for each in ("workflow_uuid", "status", "inputs")
    ]
    return sa.table(table, *columns, schema=schema_name)


def _columns(connection: sa.Connection, table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns(table)}
