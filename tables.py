"""The tables of the ledger, and the values read from them. They lie in the engine's database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from custom_action import Action

# Rows written in one transaction.
CHUNK = 2_000

# The states of an asset that its operation has in hand, and those that are none of its business any
# more; see ``claims``.
TOUCHING = ("held", "copying", "settling")
LET_GO = ("done", "left")

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
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("clicks", sa.Integer, nullable=False),
    sa.Column("expanded", sa.Integer, nullable=False),
    sa.Column("recorded_ms", sa.BigInteger, nullable=False),
    sa.Column("ended_ms", sa.BigInteger),
    sa.Column("failure", sa.Text),
    # Who asked to stop it, and when.
    sa.Column("stop_by", sa.Text),
    sa.Column("stop_ms", sa.BigInteger),
    # The operation it tries again, and who asked for that.
    sa.Column("retry_of", sa.Text),
    sa.Column("retry_by", sa.Text),
    # Of its report, once it has ended.
    sa.Column("result", sa.Text),
    sa.Column("counts", sa.JSON),
    # When it looks again, and what iconik failed at, if it waits for that.
    sa.Column("looks_ms", sa.BigInteger),
    sa.Column("outage", sa.Text),
    # Of all that were ever clicked, few are running; and those are looked for all the time.
    sa.Index(
        "plugin_operations_running",
        "number",
        sqlite_where=sa.text("ended_ms IS NULL"),
        postgresql_where=sa.text("ended_ms IS NULL"),
    ),
    sqlite_autoincrement=True,
)
assets = sa.Table(
    "plugin_assets",
    metadata,
    sa.Column("number", _number, primary_key=True, autoincrement=False),
    sa.Column("asset_id", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("due_ms", sa.BigInteger, nullable=False),
    sa.Column("batch", sa.Integer),
    sa.Column("memo", sa.JSON, nullable=False),
    sa.Column("outcomes", sa.JSON, nullable=False),
    sa.Index("plugin_assets_by_asset", "asset_id"),
    sa.Index("plugin_assets_by_state", "number", "state", "due_ms"),
)
copies = sa.Table(
    "plugin_copies",
    metadata,
    sa.Column("number", _number, primary_key=True, autoincrement=False),
    sa.Column("job_id", sa.Text, primary_key=True),
    sa.Column("batch", sa.Integer, nullable=False),
    sa.Column("format_name", sa.Text, nullable=False),
    sa.Column("asked_ms", sa.BigInteger, nullable=False),
    sa.Column("ended", sa.Boolean, nullable=False),
)
vanished = sa.Table(
    "plugin_vanished",
    metadata,
    sa.Column("number", _number, primary_key=True, autoincrement=False),
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
)


executors = sa.Table(
    "plugin_executors",
    metadata,
    sa.Column("term", _number, primary_key=True, autoincrement=True),
    sa.Column("began_ms", sa.BigInteger, nullable=False),
    # How far the clock of operations has come.
    sa.Column("clock_ms", sa.BigInteger, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
# Which version of this service the tables are of.
schema = sa.Table(
    "plugin_schema",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
)
# How often clients have given a wrong secret for the operations page.
refusals = sa.Table(
    "plugin_refusals",
    metadata,
    sa.Column("client", sa.Text, primary_key=True),
    sa.Column("since_ms", sa.BigInteger, nullable=False, index=True),
    sa.Column("failures", sa.Integer, nullable=False),
)
# What is written here only shows that something can be written.
health = sa.Table(
    "plugin_health",
    metadata,
    sa.Column("checked_ms", sa.BigInteger, nullable=False),
)


# The job that shows an operation in iconik's jobs list.
jobs = sa.Table(
    "plugin_jobs",
    metadata,
    sa.Column("number", _number, primary_key=True, autoincrement=False),
    # Empty from before iconik is asked for it until its answer is there.
    sa.Column("job_id", sa.Text, nullable=False),
)
# The title of that job, which names some of what was selected.
titles = sa.Table(
    "plugin_titles",
    metadata,
    sa.Column("number", _number, primary_key=True, autoincrement=False),
    sa.Column("title", sa.Text, nullable=False),
)
# What has come of all operations that ever ended; those of ``operations`` are forgotten one day.
tallies = sa.Table(
    "plugin_tallies",
    metadata,
    # 'operation', 'format' for a format of an asset, or 'unopened' for a collection or search.
    sa.Column("what", sa.Text, primary_key=True),
    sa.Column("action", sa.Text, primary_key=True),
    sa.Column("outcome", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("times", sa.BigInteger, nullable=False),
)


@dataclass(frozen=True)
class Retry:
    """Why an operation is there that nobody clicked in iconik.

    Attributes:
        of: the id of the operation that it tries again.
        by: who asked for it.
    """

    of: str
    by: str


# The token of the last click that asked for what an operation does already, encrypted.
newest_tokens = sa.Table(
    "plugin_tokens",
    metadata,
    sa.Column("number", _number, primary_key=True, autoincrement=False),
    sa.Column("sealed", sa.Text, nullable=False),
)


@dataclass(frozen=True)
class Operation:
    """One accepted click, or several that asked for the same while it ran.

    Attributes:
        number: its place in the order of clicks; the higher, the newer.
        id: the UUID that was answered.
        formats: names of the formats it is about.
        key: fingerprint of the key that its arguments are encrypted with.
        clicks: how often it was asked for.
        expanded: how many of those clicks its assets were listed for.
        recorded_ms, ended_ms: milliseconds since 1970; ended_ms is None while it runs.
        failure: why it came to nothing as a whole, if it did.
        stop_by, stop_ms: who asked to stop it, and when.
        retry_of, retry_by: the id of the operation that it tries again, and who asked for that.
        result, counts: of its report; the counts are None until that is made, right after its end.
        looks_ms: when it looks at iconik again, where that is not at once.
        outage: what iconik gave no usable answer to, while it waits for iconik.
    """

    number: int
    id: str
    action: Action
    b2_storage_id: str
    ll_storage_id: str
    formats: tuple[str, ...]
    selection: str
    user_id: str | None
    key: str
    clicks: int
    expanded: int
    recorded_ms: int
    ended_ms: int | None
    failure: str | None
    stop_by: str | None = None
    stop_ms: int | None = None
    retry_of: str | None = None
    retry_by: str | None = None
    result: str | None = None
    counts: Mapping[str, int] | None = None
    looks_ms: int | None = None
    outage: str | None = None

    @property
    def is_expanded(self) -> bool:
        """Whether its assets are known, as of its newest click."""
        return self.expanded >= self.clicks

    @property
    def retry(self) -> Retry | None:
        """What it tries again, and who asked for that; None where somebody clicked in iconik."""
        return Retry(self.retry_of, self.retry_by) if self.retry_of and self.retry_by else None


@dataclass
class Memo:
    """What has to be remembered of an asset from one look to the next.

    Attributes:
        asked: by format, what was said of the copy that was asked for; "" for nothing bad.
        unfinished_ms: when an unfinished file was first seen, since the last copy; None for not.
        deleting: the format name of each file set whose deletion may have begun, by its id.
        formats: by name, the id of each wanted format, once copies were asked for.
        hint: by name, the ids of formats that a listing said could be copied at once.
        asking: copies were about to be asked for, and it isn't known whether iconik heard it.
        failures: how often in a row iconik gave no usable answer about this asset.
    """

    asked: dict[str, str] = field(default_factory=dict)
    unfinished_ms: int | None = None
    deleting: dict[str, str] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)
    hint: dict[str, str] = field(default_factory=dict)
    asking: bool = False
    failures: int = 0

    def as_json(self) -> dict[str, Any]:
        """What is stored: only what differs from an empty memo."""
        empty = vars(Memo())
        return {name: value for name, value in vars(self).items() if value != empty[name]}


@dataclass(frozen=True)
class Held:
    """An asset that an operation may touch now, for which of its formats, and who wanted that."""

    asset_id: str
    formats: tuple[str, ...]
    memo: Memo
    user_id: str | None = field(default=None, compare=False)
    retry: Retry | None = field(default=None, compare=False)


def insert_new(connection: sa.Connection, table: sa.Table) -> Any:
    """An INSERT into a table that passes over rows that are there already."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table).on_conflict_do_nothing()


def insert_assets(
    connection: sa.Connection, number: int, memos: Mapping[str, Mapping[str, Any]]
) -> None:
    """Note that an operation is about some assets, with their memos, unless it is noted already."""
    new = {"number": number, "state": "waiting", "due_ms": 0, "outcomes": {}}
    rows = [{**new, "asset_id": each, "memo": memo} for each, memo in memos.items()]
    connection.execute(insert_new(connection, assets), rows)


def change_assets(
    connection: sa.Connection, number: int, changes: Mapping[str, Mapping[str, Any]]
) -> None:
    """Change assets of an operation: by id, new values by column, of the same columns for all."""
    if changes:
        # In one go, as clicks wait meanwhile.
        one = sa.update(assets).where(
            assets.c.number == number, assets.c.asset_id == sa.bindparam("this")
        )
        connection.execute(one, [{"this": each, **new} for each, new in changes.items()])


def read_operation(row: sa.Row[Any]) -> Operation:
    """A row of ``operations`` as a value."""
    return Operation(
        number=row.number,
        id=row.id,
        action=row.action,
        b2_storage_id=row.b2_storage_id,
        ll_storage_id=row.ll_storage_id,
        formats=tuple(row.formats),
        selection=row.selection,
        user_id=row.user_id,
        key=row.key,
        clicks=row.clicks,
        expanded=row.expanded,
        recorded_ms=row.recorded_ms,
        ended_ms=row.ended_ms,
        failure=row.failure,
        stop_by=row.stop_by,
        stop_ms=row.stop_ms,
        retry_of=row.retry_of,
        retry_by=row.retry_by,
        result=row.result,
        counts=row.counts,
        looks_ms=row.looks_ms,
        outage=row.outage,
    )
