"""What this service has taken on: written down in order, and never lost."""

from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from claims import Claims
from entries import Memo
from ledger import Ledger
from outcomes import Outcome
from tables import CHUNK, assets, insert_new
from tests.makers import (
    a_click,
    a_ledger,
    a_term,
    answered,
    expanded,
    found,
    half_done,
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
    ledger.expand(1, 1, ["a2", "a3"], {})
    assert [each[0] for each in ledger.outcomes(1)] == ["a1", "a2", "a3"]
    assert ledger.progress(1) == {"waiting": 3}


def test_any_number_of_assets_is_listed(engine: sa.Engine, ledger: Ledger) -> None:
    expanded(engine, a_click(), [f"a{number}" for number in range(2 * CHUNK + 1)])
    assert ledger.progress(1) == {"waiting": 2 * CHUNK + 1}


def test_an_operation_is_expanded_as_of_the_clicks_that_were_known(engine: sa.Engine) -> None:
    answered(engine, a_click(), "first")
    before = found(engine, "first")
    answered(engine, a_click(), "second")
    a_ledger(engine).expand(before.number, before.clicks, [], {})
    assert not found(engine, "first").is_expanded


def test_what_could_not_be_listed_is_known_as_of_the_last_click(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(), "first")
    ledger.expand(1, 1, [], {"collection c1": "gone", "collection c2": "gone"})
    ledger.expand(1, 1, [], {"collection c2": "still gone"})
    assert ledger.gone(1) == {"collection c2": "still gone"}


def test_assets_that_were_done_with_are_looked_at_again_when_it_is_asked_again(
    engine: sa.Engine, ledger: Ledger
) -> None:
    expanded(engine, a_click(), ["a1"])
    claims = Claims(engine, found(engine, "operation-1"), a_term(engine))
    (held,) = claims.take(1, NOW)
    held.memo.asked["ORIGINAL"] = "no space left"
    claims.note(held, "done", {"ORIGINAL": Outcome("failed", "no space left")}, due_ms=NOW + 9)
    ledger.expand(1, 2, ["a1"], {})
    assert list(ledger.outcomes(1)) == [
        ("a1", Memo(), {"ORIGINAL": Outcome("failed", "no space left")})
    ]
    assert [each.asset_id for each in claims.take(1, NOW)] == ["a1"]


def test_a_deletion_that_was_not_brought_to_its_end_is_remembered_when_it_is_asked_again(
    engine: sa.Engine, ledger: Ledger
) -> None:
    begun = Memo(deleting=half_done({"set-1": "ORIGINAL"}))
    expanded(engine, a_click("remove"), ["a1", "a2"])
    claims = Claims(engine, found(engine, "operation-1"), a_term(engine))
    for held in claims.take(2, NOW):
        held.memo.asked["ORIGINAL"] = ""
        if held.asset_id == "a1":
            held.memo.deleting.update(begun.deleting)
        claims.note(held, "done", {"ORIGINAL": Outcome("failed", "no (409)")})
    ledger.expand(1, 2, ["a1", "a2"], {})
    memos = {asset_id: memo for asset_id, memo, _ in ledger.outcomes(1)}
    assert memos == {"a1": begun, "a2": Memo()}


def test_assets_in_hand_stay_in_hand_when_it_is_asked_again(
    engine: sa.Engine, ledger: Ledger
) -> None:
    expanded(engine, a_click(), ["a1"])
    take_all(engine)
    ledger.expand(1, 2, ["a1"], {})
    assert ledger.progress(1) == {"held": 1}


# Tables, and PostgreSQL's dialect


def test_creating_what_is_there_changes_nothing(engine: sa.Engine, ledger: Ledger) -> None:
    expanded(engine, a_click())
    ledger.create()
    assert ledger.progress(1) == {"waiting": 1}


def test_a_memo_is_stored_without_what_is_empty() -> None:
    assert Memo().as_json() == {}
    assert Memo(asked={"ORIGINAL": ""}, unfinished_ms=0).as_json() == {
        "asked": {"ORIGINAL": ""},
        "unfinished_ms": 0,
    }


def test_rows_that_are_there_are_passed_over_on_postgresql_too() -> None:
    dialect: Any = sa.make_url("postgresql+psycopg://").get_dialect()()
    connection: Any = SimpleNamespace(dialect=dialect)
    statement = insert_new(connection, assets).compile(dialect=dialect)
    assert "ON CONFLICT DO NOTHING" in str(statement)
