"""Which tables a database has, and how those of an older version of this service become today's."""

from typing import Any

import sqlalchemy as sa

from errors import SettingsError
from tables import assets, executors, metadata, operations, schema

# The columns that each version from the second on has added. They have defaults or may be empty, so
# that a row from before is a good one; what else a version changes would need more than this.
ADDED: tuple[tuple[sa.Column[Any], ...], ...] = (
    (executors.c.clock_ms,),
    (
        operations.c.stop_by,
        operations.c.stop_ms,
        operations.c.retry_of,
        operations.c.retry_by,
        operations.c.result,
        operations.c.counts,
        operations.c.looks_ms,
        operations.c.outage,
    ),
    # And a version that stores another kind of memo, which an older one can't read.
    (assets.c.seen,),
)
VERSION = len(ADDED) + 1
# No version from this one on needs what is in them; a process of an older one may still look there.
EMPTIED = ("plugin_tokens", "plugin_refusals")


def bring_up_to_date(connection: sa.Connection) -> None:
    """Create the tables, or what they lack since an older version.

    Args:
        connection: from ``writing``.

    Raises:
        SettingsError: they are those of a newer version, or were made by somebody else.
    """
    metadata.create_all(connection)
    version = connection.execute(sa.select(sa.func.max(schema.c.version))).scalar() or 1
    if version > VERSION:
        raise SettingsError(
            f"DATABASE_URL is a database of a newer version of this service ({version}; this one "
            f"knows {VERSION}): run that one, or give this one another database"
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
                f"DATABASE_URL is a database whose table {table.name} lacks "
                f"{', '.join(sorted(lacking))}: it was not made by this service; give it another"
            )
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    for name in EMPTIED:
        if sa.inspect(connection).has_table(name):
            connection.execute(sa.delete(sa.table(name)))
    connection.execute(sa.delete(schema))
    connection.execute(sa.insert(schema).values(version=VERSION))


def _columns(connection: sa.Connection, table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(connection).get_columns(table)}
