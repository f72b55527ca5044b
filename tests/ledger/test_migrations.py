"""A database of another version of this service, or of somebody else."""

import pytest
import sqlalchemy as sa

from b2_iconik.common.errors import SettingsError, Stopped
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.progress import AssetProgress, Deletion
from b2_iconik.ledger.completion import Completion
from b2_iconik.ledger.counters import Tally, standing
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.ledger.migrations import VERSION
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.precedence import formats_left
from b2_iconik.ledger.tables import metadata
from b2_iconik.ledger.term import begin_term, time_kept, writing_in_term
from tests.makers import a_click, clicked, finish, found, newest


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
        "ALTER TABLE plugin_executors DROP COLUMN clock_ms",
        "ALTER TABLE plugin_assets DROP COLUMN seen",
        "ALTER TABLE plugin_assets DROP COLUMN title",
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
        "UPDATE plugin_schema SET version = 3",
    )
    Ledger(engine).create()
    with engine.connect() as connection:
        assert formats_left(connection, older, ["a1"]) == {"a1": ()}


@pytest.mark.parametrize(
    ("before", "now"),
    [("waiting", "queued"), ("held", "claimed"), ("settling", "recheck"), ("left", "done")],
)
def test_the_states_of_an_older_version_get_todays_names(
    engine: sa.Engine, before: str, now: str
) -> None:
    operation = clicked(engine, a_click(asset_ids=("a1",)))
    change(
        engine,
        f"UPDATE plugin_assets SET state = '{before}'",  # noqa: S608 - of this test
        "UPDATE plugin_schema SET version = 5",
    )
    ledger = Ledger(engine)
    ledger.create()
    assert ledger.progress(operation.number) == {now: 1}


def test_a_half_done_deletion_of_an_older_version_is_found(engine: sa.Engine) -> None:
    operation = clicked(engine, a_click("remove", asset_ids=("a1",)))
    change(
        engine,
        """UPDATE plugin_assets SET state = 'left', memo = '{"deleting": {"set-1": "ORIGINAL"}}'""",
        "UPDATE plugin_schema SET version = 5",
    )
    Ledger(engine).create()
    (left,) = Leftovers(engine, begin_term(engine, 1_000)).of(operation.number)
    assert left.asset.progress.deletions == {"set-1": Deletion("ORIGINAL")}


@pytest.mark.parametrize("before", [5, 6])
def test_the_term_of_a_leader_of_an_older_version_ends(engine: sa.Engine, before: int) -> None:
    term = begin_term(engine, 1_000)
    change(engine, f"UPDATE plugin_schema SET version = {before}")  # noqa: S608 - of this test
    Ledger(engine).create()
    with pytest.raises(Stopped), writing_in_term(engine, term):
        pass


def as_of_version_six(engine: sa.Engine, memo: str = "{}") -> Operation:
    """Make a database of version 6, with one asset and what that version noted about it."""
    operation = clicked(engine, a_click(asset_ids=("a1",)))
    change(
        engine,
        f"UPDATE plugin_assets SET memo = '{memo}'",  # noqa: S608 - of this test
        "ALTER TABLE plugin_assets DROP COLUMN title",
        "UPDATE plugin_schema SET version = 6",
    )
    return operation


def test_a_database_of_version_six_becomes_todays(engine: sa.Engine) -> None:
    today = columns(engine)
    as_of_version_six(engine)
    Ledger(engine).create()
    assert (columns(engine), version(engine)) == (today, VERSION)


def test_the_assets_of_version_six_are_to_be_looked_up(engine: sa.Engine) -> None:
    operation = as_of_version_six(engine)
    Ledger(engine).create()
    assert Ledger(engine).not_looked_up(operation.number) == ["a1"]


def test_what_version_six_noted_only_to_save_requests_is_dropped(engine: sa.Engine) -> None:
    memo = '{"failures": 2, "formats": {"ORIGINAL": "f1"}, "hint": {"ORIGINAL": "f1"}}'
    operation = as_of_version_six(engine, memo)
    Ledger(engine).create()
    ((_, progress, _),) = Ledger(engine).outcomes(operation.number)
    assert progress == AssetProgress(failures=2)


def test_the_results_of_version_seven_get_todays_names(engine: sa.Engine) -> None:
    for _ in range(3):
        finish(engine, clicked(engine, a_click()).id)
    change(
        engine,
        "UPDATE plugin_operations SET result = 'finished' WHERE number = 1",
        "UPDATE plugin_operations SET result = 'finished with warnings' WHERE number = 2",
        "UPDATE plugin_operations SET result = 'stopped' WHERE number = 3",
        "DELETE FROM plugin_tallies",
        "INSERT INTO plugin_tallies VALUES ('operation', 'add', 'finished', '', 5)",
        "UPDATE plugin_schema SET version = 7",
    )
    Ledger(engine).create()
    assert [each.result for each in newest(engine, 3)] == ["stopped", "partly done", "done"]
    assert standing(engine).ended == {Tally("operation", "add", "done"): 5}


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


# From a version that had DBOS run the operations

IN_DBOS = (
    "CREATE TABLE workflow_status (workflow_uuid TEXT, status TEXT)",
    "CREATE TABLE workflow_input (workflow_uuid TEXT, inputs TEXT)",
)


def as_with_dbos(engine: sa.Engine, **statuses: str) -> None:
    """Make a database of such a version; by the names of operations, how DBOS says they stand."""
    change(
        engine,
        *IN_DBOS,
        "ALTER TABLE plugin_operations DROP COLUMN sealed",
        "DROP INDEX plugin_operations_open",
        "ALTER TABLE plugin_operations DROP COLUMN closed_ms",
        "UPDATE plugin_schema SET version = 4",
    )
    for name, status in statuses.items():
        record_in_dbos(engine, name.replace("_", "-"), status)


def record_in_dbos(engine: sa.Engine, operation_id: str, status: str) -> None:
    change(
        engine,
        f"INSERT INTO workflow_status VALUES ('{operation_id}', '{status}')",  # noqa: S608
        f"INSERT INTO workflow_input VALUES ('{operation_id}', 'sealed {operation_id}')",  # noqa: S608
    )


def ids(operations: list[Operation]) -> list[str]:
    return [each.id for each in operations]


def test_the_clicks_that_dbos_held_are_taken_over(engine: sa.Engine) -> None:
    clicked(engine, a_click("add"))
    as_with_dbos(engine, operation_1="PENDING")
    Ledger(engine).create()
    assert Ledger(engine).sealed("operation-1") == "sealed operation-1"
    with engine.connect() as connection:
        for table in ("workflow_status", "workflow_input"):
            left = connection.exec_driver_sql(f"SELECT count(*) FROM {table}")  # noqa: S608
            assert left.scalar() == 0


def test_what_dbos_had_not_brought_to_its_end_is_open_and_nothing_else(engine: sa.Engine) -> None:
    for action in ("add", "remove", "add"):
        clicked(engine, a_click(action))
    for number in (1, 2):
        finish(engine, f"operation-{number}")
    as_with_dbos(engine, operation_1="SUCCESS", operation_2="PENDING", operation_3="ENQUEUED")
    Ledger(engine).create()
    assert ids(Ledger(engine).open(())) == ["operation-2", "operation-3"]


def test_who_runs_operations_with_dbos_ends_nothing_any_more(engine: sa.Engine) -> None:
    clicked(engine, a_click("add"))
    term = begin_term(engine, 0)
    as_with_dbos(engine, operation_1="PENDING")
    Ledger(engine).create()
    with pytest.raises(Stopped):
        Completion(engine, term).fail(1, "it was interrupted by a fault", 1)


def test_a_click_that_another_host_records_with_dbos_meanwhile_is_taken_over(
    engine: sa.Engine,
) -> None:
    change(engine, *IN_DBOS)
    clicked(engine, a_click("add"))
    change(engine, "UPDATE plugin_operations SET sealed = NULL")
    record_in_dbos(engine, "operation-1", "ENQUEUED")
    assert ids(Ledger(engine, begin_term(engine, 0)).open(())) == ["operation-1"]
    assert Ledger(engine).sealed("operation-1") == "sealed operation-1"


def test_a_database_of_that_version_without_the_tables_of_dbos_is_brought_up_to_date(
    engine: sa.Engine,
) -> None:
    clicked(engine, a_click("add"))
    as_with_dbos(engine)
    change(engine, "DROP TABLE workflow_status", "DROP TABLE workflow_input")
    Ledger(engine).create()
    assert Ledger(engine).sealed("operation-1") == ""


def test_the_job_and_title_of_an_operation_are_moved_to_it(engine: sa.Engine) -> None:
    operation = clicked(engine, a_click())
    change(
        engine,
        "CREATE TABLE plugin_jobs (number INTEGER, job_id TEXT)",
        "CREATE TABLE plugin_titles (number INTEGER, title TEXT)",
        "INSERT INTO plugin_jobs VALUES (1, 'job-1')",
        "INSERT INTO plugin_titles VALUES (1, 'Add to LucidLink: 1 asset (beach)')",
        "ALTER TABLE plugin_operations DROP COLUMN job_id",
        "ALTER TABLE plugin_operations DROP COLUMN title",
        "UPDATE plugin_schema SET version = 5",
    )
    Ledger(engine).create()
    Ledger(engine).create()
    moved = found(engine, operation.id)
    assert (moved.job_id, moved.title) == ("job-1", "Add to LucidLink: 1 asset (beach)")


def as_of_version_seven(engine: sa.Engine) -> Operation:
    """Make a database of version 7, with one operation."""
    operation = clicked(engine, a_click(user_id="ana"))
    change(
        engine,
        "DROP INDEX plugin_operations_by_user",
        *(
            f"ALTER TABLE plugin_operations DROP COLUMN {column}"
            for column in ("user_name", "path", "names")
        ),
        "UPDATE plugin_schema SET version = 7",
    )
    return operation


def test_a_database_of_version_seven_becomes_todays(engine: sa.Engine) -> None:
    today = columns(engine), indexes(engine)
    as_of_version_seven(engine)
    Ledger(engine).create()
    assert (columns(engine), indexes(engine)) == today
    assert version(engine) == VERSION


def test_an_operation_of_version_seven_has_no_names(engine: sa.Engine) -> None:
    operation = as_of_version_seven(engine)
    Ledger(engine).create()
    assert found(engine, operation.id) == operation


def test_a_user_of_version_seven_is_named_with_their_next_click(engine: sa.Engine) -> None:
    operation = as_of_version_seven(engine)
    Ledger(engine).create()
    Ledger(engine, begin_term(engine, 1_000)).note_user("ana", "Ana Ruiz")
    assert found(engine, operation.id).user_name == "Ana Ruiz"
