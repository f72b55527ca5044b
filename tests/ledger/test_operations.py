"""What this service has taken on: written down in order, and never lost."""

from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.operation import AssetProgress
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import CHUNK, assets, insert_new
from tests.makers import (
    a_click,
    a_term,
    answered,
    expanded,
    found,
)

NOW = 1_000_000


def take_all(engine: sa.Engine, operation_id: str = "operation-1") -> Claims:
    """Have an operation hold its assets."""
    claims = Claims(engine, found(engine, operation_id), a_term(engine))
    claims.take(100, NOW)
    return claims


# What an operation is about


def test_assets_are_listed_once(engine: sa.Engine, ledger: Ledger) -> None:
    expanded(engine, a_click(), ["a1", "a2"])
    ledger.expand(1, ["a2", "a3"], {})
    assert [each[0] for each in ledger.outcomes(1)] == ["a1", "a2", "a3"]
    assert ledger.progress(1) == {"queued": 3}


def test_any_number_of_assets_is_listed(engine: sa.Engine, ledger: Ledger) -> None:
    expanded(engine, a_click(), [f"a{number}" for number in range(2 * CHUNK + 1)])
    assert ledger.progress(1) == {"queued": 2 * CHUNK + 1}


def test_an_older_version_s_operation_that_was_clicked_again_is_listed_again(
    engine: sa.Engine, ledger: Ledger
) -> None:
    expanded(engine, a_click(), ["a1"])
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE plugin_operations SET clicks = 2")
    assert not found(engine, "operation-1").is_expanded
    ledger.expand(1, ["a1", "a2"], {})
    assert found(engine, "operation-1").is_expanded
    assert ledger.progress(1) == {"queued": 2}


def test_what_could_not_be_listed_is_known_as_of_the_last_time(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(), "first")
    ledger.expand(1, [], {"collection c1": "gone", "collection c2": "gone"})
    ledger.expand(1, [], {"collection c2": "still gone"})
    assert ledger.gone(1) == {"collection c2": "still gone"}


def test_why_something_could_not_be_listed_is_known_afterwards(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(), "first")
    ledger.expand(1, [], {"collection c1": Reason("no role", Cause.NOT_PERMITTED)})
    assert ledger.gone(1)["collection c1"].cause == Cause.NOT_PERMITTED


# Tables, and PostgreSQL's dialect


def test_creating_what_is_there_changes_nothing(engine: sa.Engine, ledger: Ledger) -> None:
    expanded(engine, a_click())
    ledger.create()
    assert ledger.progress(1) == {"queued": 1}


def test_a_memo_is_stored_without_what_is_empty() -> None:
    assert AssetProgress().as_json() == {}
    assert AssetProgress(copy_results={"ORIGINAL": None}, unfinished_ms=0).as_json() == {
        "copy_results": {"ORIGINAL": None},
        "unfinished_ms": 0,
    }


def test_rows_that_are_there_are_passed_over_on_postgresql_too() -> None:
    dialect: Any = sa.make_url("postgresql+psycopg://").get_dialect()()
    connection: Any = SimpleNamespace(dialect=dialect)
    statement = insert_new(connection, assets).compile(dialect=dialect)
    assert "ON CONFLICT DO NOTHING" in str(statement)
