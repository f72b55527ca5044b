"""The tables of the ledger."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from b2_iconik.common.texts import plain, plain_values

# Rows written in one transaction.
CHUNK = 2_000

# The states of an asset for which its operation has begun something; see ``claims``.
TOUCHING = ("claimed", "copying", "recheck", "verifying")


class Shown(sa.types.TypeDecorator[str]):
    """Text for people. Anything from outside is escaped here, once, so that no reader has to."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Escape it."""
        return value if value is None else plain(value)


class ShownJson(sa.types.TypeDecorator[Any]):
    """JSON that holds text for people; see ``Shown``."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """Escape them."""
        return plain_values(value)


metadata = sa.MetaData()
_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

operations = sa.Table(
    "plugin_operations",
    metadata,
    sa.Column("number", _number, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("b2_storage_id", sa.Text, nullable=False),
    sa.Column("ll_storage_id", sa.Text, nullable=False),
    sa.Column("formats", sa.JSON, nullable=False),
    sa.Column("selection", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text),
    sa.Column("digest", sa.Text, nullable=False, index=True),
    # The click, encrypted, and the fingerprint of the key.
    sa.Column("sealed", sa.Text),
    sa.Column("key", sa.Text, nullable=False),
    # An older version counted the clicks, and for how many of them the operation was expanded.
    sa.Column("clicks", sa.Integer, key="request_count", nullable=False, default=1),
    sa.Column("expanded", sa.Integer, nullable=False),
    sa.Column("recorded_ms", sa.BigInteger, nullable=False),
    sa.Column("ended_ms", sa.BigInteger),
    # When everything was done, including its job in iconik.
    sa.Column("closed_ms", sa.BigInteger),
    sa.Column("failure", Shown),
    # Who asked to stop it, and when.
    sa.Column("stop_by", Shown),
    sa.Column("stop_ms", sa.BigInteger),
    # The operation that it retries, and who requested that.
    sa.Column("retry_of", sa.Text),
    sa.Column("retry_by", Shown),
    # From its report, once it has ended.
    sa.Column("result", sa.Text),
    sa.Column("counts", sa.JSON),
    # Also from its report: ``by_format`` and ``bytes``.
    sa.Column("totals", sa.JSON),
    # When it asks iconik again, and how iconik failed, if it waits for that.
    sa.Column("looks_ms", sa.BigInteger, key="next_check_ms"),
    sa.Column("outage", Shown),
    sa.Column("failure_cause", sa.Text),
    # The job that shows it in iconik's jobs list, and the job's title, which names some of what was
    # selected. The id is empty from before the job is requested until iconik has answered.
    sa.Column("job_id", sa.Text),
    sa.Column("title", Shown),
    # The name of the user who clicked; empty if it can't be read, and NULL if it isn't known yet.
    sa.Column("user_name", Shown),
    # The directory that an Add copies into.
    sa.Column("path", Shown),
    # The names of the storages and of what was selected; see ``Ledger.note_names``.
    sa.Column("names", ShownJson),
    # Where it comes from; see ``operation.OriginKind``. Earlier versions only knew retries.
    sa.Column("origin", sa.Text),
    # How long an Add keeps its assets on LucidLink; NULL for no limit.
    sa.Column("keep_ms", sa.BigInteger),
    # When iconik may begin to purge what a Remove has only marked deleted.
    sa.Column("undo_until_ms", sa.BigInteger),
    # Whether that time is estimated.
    sa.Column("undo_is_about", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("plugin_operations_by_user", "user_id", "user_name"),
    # Few operations are running, and they are queried all the time.
    sa.Index(
        "plugin_operations_running",
        "number",
        sqlite_where=sa.text("ended_ms IS NULL"),
        postgresql_where=sa.text("ended_ms IS NULL"),
    ),
    sa.Index(
        "plugin_operations_open",
        "number",
        sqlite_where=sa.text("closed_ms IS NULL"),
        postgresql_where=sa.text("closed_ms IS NULL"),
    ),
    sqlite_autoincrement=True,
)
assets = sa.Table(
    "plugin_assets",
    metadata,
    sa.Column("number", _number, primary_key=True, autoincrement=False),
    sa.Column("asset_id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("due_ms", sa.BigInteger, key="not_before_ms", nullable=False),
    sa.Column("batch", sa.Integer),
    sa.Column("memo", sa.JSON, key="progress", nullable=False),
    sa.Column("outcomes", ShownJson, nullable=False),
    # As a listing showed it; empty if the listing lacked it, and NULL if there was no listing yet.
    sa.Column("title", Shown),
    # The bytes of the clicked formats, as a listing showed them; only displayed.
    sa.Column("size", sa.BigInteger),
    # Whether the click's own token has read it. Rows of an older version count as seen.
    sa.Column("seen", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Index("plugin_assets_by_asset", "asset_id"),
    sa.Index("plugin_assets_by_state", "number", "state", "not_before_ms"),
)
copies = sa.Table(
    "plugin_copies",
    metadata,
    sa.Column("number", _number, primary_key=True, autoincrement=False),
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("batch", sa.Integer, nullable=False),
    sa.Column("format_name", sa.Text, nullable=False),
    sa.Column("asked_ms", sa.BigInteger, key="requested_ms", nullable=False),
    sa.Column("ended", sa.Boolean, nullable=False),
    # In percent, as far as iconik tells.
    sa.Column("progress", sa.Integer),
)
unlisted = sa.Table(
    "plugin_vanished",
    metadata,
    sa.Column("number", _number, primary_key=True, autoincrement=False),
    # Its kind and its id; see ``operation.kind_and_id``.
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("reason", Shown, nullable=False),
    sa.Column("cause", sa.Text),
)
# What operations have put on LucidLink, or found there when it was to be added, and not removed.
holdings = sa.Table(
    "plugin_holdings",
    metadata,
    sa.Column("ll_storage_id", sa.Text, primary_key=True),
    sa.Column("asset_id", sa.Text, primary_key=True),
    sa.Column("format_name", sa.Text, primary_key=True),
    # The newest operation that wanted it there. Operations are forgotten; holdings aren't.
    sa.Column("number", _number, nullable=False),
    sa.Column("operation_id", sa.Text, nullable=False),
    sa.Column("b2_storage_id", sa.Text, nullable=False),
    sa.Column("title", Shown),
    sa.Column("size", sa.BigInteger),
    sa.Column("user_id", sa.Text),
    sa.Column("user_name", Shown),
    # By iconik's clock, in milliseconds since 1970: since when it is there, how long it was to be
    # kept, and when it is to be removed; NULL for no limit. The first is 0 while the time is not
    # known, and then there is no limit yet.
    sa.Column("since_ms", sa.BigInteger, nullable=False),
    sa.Column("keep_ms", sa.BigInteger),
    sa.Column("until_ms", sa.BigInteger, index=True),
    # Who has changed that time, and how often a removal was attempted since, when it is attempted
    # next, and as which operation it was attempted last.
    sa.Column("until_by", Shown),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("next_attempt_ms", sa.BigInteger),
    sa.Column("attempt_id", sa.Text),
    # When iconik's listings were last read for it; 0 to read them again at once.
    sa.Column("checked_ms", sa.BigInteger, nullable=False, server_default="0", index=True),
    sa.Index("plugin_holdings_by_asset", "asset_id"),
    # In SQLite, rows of an asset are stored together, so that counting by asset reads them in turn.
    sqlite_with_rowid=False,
)
# The assets that no Remove may remove. A row holds until it is deleted, whatever its time says.
protections = sa.Table(
    "plugin_protections",
    metadata,
    sa.Column("asset_id", sa.Text, primary_key=True),
    sa.Column("title", Shown),
    sa.Column("since_ms", sa.BigInteger, nullable=False),
    # By iconik's clock. The leader deletes the row after this time.
    sa.Column("until_ms", sa.BigInteger, nullable=False),
    sa.Column("by", Shown, nullable=False),
)

terms = sa.Table(
    "plugin_executors",
    metadata,
    sa.Column("term", _number, primary_key=True, autoincrement=True),
    sa.Column("began_ms", sa.BigInteger, nullable=False),
    # The time of the clock of operations.
    sa.Column("clock_ms", sa.BigInteger, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
# The version of the tables.
schema = sa.Table(
    "plugin_schema",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
)
# The results of all operations that ever ended. They stay when the operations are forgotten.
counters = sa.Table(
    "plugin_tallies",
    metadata,
    # 'operation', 'format' for a format of an asset, or 'unopened' for a collection or search.
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("action", sa.Text, primary_key=True),
    sa.Column("outcome", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("times", sa.BigInteger, nullable=False),
)

# Whether the assets of an operation are known.
is_expanded = operations.c.expanded >= operations.c.request_count


def progress_has_deletion() -> sa.ColumnElement[bool]:
    """Whether an asset has deletions that may have begun and aren't known to have ended."""
    # If there is none, the key is not in the text.
    return sa.cast(assets.c.progress, sa.Text).contains('"deletions"')


def has_marked() -> sa.ColumnElement[bool]:
    """Whether something of an asset is left marked deleted, and can be restored."""
    return sa.cast(assets.c.progress, sa.Text).contains('"marked"')


def insert_into(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT into a table, which can say what to do with rows that exist already."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def insert_new(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT into a table that skips rows that exist already."""
    return insert_into(connection, table).on_conflict_do_nothing()
