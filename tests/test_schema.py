"""A database of another version of this service, or of somebody else."""

import pytest
import sqlalchemy as sa

from errors import SettingsError
from ledger import Ledger
from rivals import formats_left
from schema import VERSION
from tables import metadata
from tests.makers import a_click, clicked, found
from turn import begin_term, time_kept


def change(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def columns(engine: sa.Engine) -> set[str]:
    """Every column of every table of ours."""
    seen = sa.inspect(engine)
    return {
        f"{table}.{column['name']}"
        for table in seen.get_table_names()
        if table.startswith("plugin_")
        for column in seen.get_columns(table)
    }


def indexes(engine: sa.Engine) -> set[str]:
    """Every index of ours."""
    with engine.connect() as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE '%plugin_%'"
        return set(connection.exec_driver_sql(query).scalars())


def version(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT version FROM plugin_schema").scalar_one())


def test_a_new_database_is_of_this_version(engine: sa.Engine) -> None:
    assert version(engine) == VERSION


def test_an_index_that_an_older_version_did_not_have_is_made(engine: sa.Engine) -> None:
    today = indexes(engine)
    change(engine, "DROP INDEX plugin_operations_running")
    Ledger(engine).create()
    assert indexes(engine) == today


def test_a_database_of_the_first_version_becomes_todays_and_keeps_its_operations(
    engine: sa.Engine,
) -> None:
    today = columns(engine)
    operation = clicked(engine, a_click())
    begin_term(engine, 1_000)
    change(
        engine,
        "DROP TABLE plugin_schema",
        "DROP TABLE plugin_health",
        "ALTER TABLE plugin_executors DROP COLUMN clock_ms",
        "ALTER TABLE plugin_assets DROP COLUMN seen",
        *(
            f"ALTER TABLE plugin_operations DROP COLUMN {column}"
            for column in (
                "stop_by",
                "stop_ms",
                "retry_of",
                "retry_by",
                "result",
                "counts",
                "looks_ms",
                "outage",
            )
        ),
    )
    Ledger(engine).create()
    assert columns(engine) == today
    assert version(engine) == VERSION
    assert found(engine, operation.id) == operation
    begin_term(engine, 2_000)
    assert time_kept(engine) == 2_000


def test_what_an_older_version_has_noted_counts_as_seen(engine: sa.Engine) -> None:
    older = clicked(engine, a_click("remove", asset_ids=("a1",)))
    clicked(engine, a_click("add", asset_ids=("a1",)))
    change(
        engine,
        "ALTER TABLE plugin_assets DROP COLUMN seen",
        "UPDATE plugin_schema SET version = version - 1",
    )
    Ledger(engine).create()
    with engine.connect() as connection:
        assert formats_left(connection, older, ["a1"]) == {"a1": ()}


@pytest.mark.parametrize("table", ["plugin_tokens", "plugin_refusals"])
def test_what_only_an_older_version_needs_is_forgotten(engine: sa.Engine, table: str) -> None:
    old = sa.table(table, sa.column("kept"))
    change(engine, f"CREATE TABLE {table} (kept TEXT)")
    with engine.begin() as connection:
        connection.execute(sa.insert(old).values(kept="it"))
    Ledger(engine).create()
    with engine.connect() as connection:
        assert connection.execute(sa.select(old)).all() == []


def test_a_table_that_is_missing_is_made(engine: sa.Engine) -> None:
    today = columns(engine)
    change(engine, "DROP TABLE plugin_schema", "DROP TABLE plugin_executors")
    Ledger(engine).create()
    assert columns(engine) == today


def test_a_database_of_a_newer_version_is_left_alone(engine: sa.Engine) -> None:
    change(engine, "UPDATE plugin_schema SET version = version + 1")
    with pytest.raises(SettingsError, match="newer version of this service"):
        Ledger(engine).create()
    assert version(engine) == VERSION + 1


def test_a_table_that_is_not_ours_is_named(engine: sa.Engine) -> None:
    change(
        engine,
        "ALTER TABLE plugin_copies DROP COLUMN format_name",
        "ALTER TABLE plugin_copies DROP COLUMN asked_ms",
    )
    with pytest.raises(SettingsError, match="plugin_copies lacks asked_ms, format_name"):
        Ledger(engine).create()


def test_every_table_of_ours_has_our_name() -> None:
    assert all(table.startswith("plugin_") for table in metadata.tables)
