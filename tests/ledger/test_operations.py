"""What this service has taken on: written down in order, and never lost."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.domain.progress import AssetProgress, Hint
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger import asset_rows
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import CHUNK, operations
from tests.makers import (
    a_click,
    a_term,
    answered,
    claims_of,
    clicked,
    expanded,
    found,
)

NOW = 1_000_000


def take_all(engine: sa.Engine, operation_id: str = "operation-1") -> Claims:
    """Have an operation hold its assets."""
    claims = claims_of(engine, found(engine, operation_id))
    claims.take(100, NOW)
    return claims


SUGGESTED = AssetProgress(
    format_names={"f2": "ORIGINAL", "f1": "PROXY"}, ready=("ORIGINAL",), hinted_ms=NOW
)


@pytest.fixture
def wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listings are read at ``NOW``."""
    monkeypatch.setattr(asset_rows, "now_ms", lambda: NOW)


def begin_one(engine: sa.Engine, progress: AssetProgress, state: str) -> None:
    """Have an operation begin with its only asset, a1, and note how it stands."""
    claims = Claims(engine, expanded(engine, a_click(), ["a1"]), a_term(engine))
    (claimed,) = claims.take(1, NOW)
    claimed.progress = progress
    claims.note(claimed, state, {})


# What an operation is about


def test_assets_are_listed_once(engine: sa.Engine, ledger: Ledger) -> None:
    expanded(engine, a_click(), ["a1", "a2"])
    ledger.expand(1, dict.fromkeys(["a2", "a3"]), {})
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
    ledger.expand(1, dict.fromkeys(["a1", "a2"]), {})
    assert found(engine, "operation-1").is_expanded
    assert ledger.progress(1) == {"queued": 2}


def test_what_could_not_be_listed_is_known_as_of_the_last_time(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(), "first")
    ledger.expand(1, {}, {"collection c1": "gone", "collection c2": "gone"})
    ledger.expand(1, {}, {"collection c2": "still gone"})
    assert ledger.gone(1) == {"collection c2": "still gone"}


def test_why_something_could_not_be_listed_is_known_afterwards(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(), "first")
    ledger.expand(1, {}, {"collection c1": Reason("no role", Cause.NOT_PERMITTED)})
    assert ledger.gone(1)["collection c1"].cause == Cause.NOT_PERMITTED


# What listings suggest about assets

BEACH = Hint("Beach", {"f2": "ORIGINAL", "f1": "PROXY"}, ("ORIGINAL",))


def progress_by_id(ledger: Ledger, number: int = 1) -> dict[str, AssetProgress]:
    return {each: progress for each, progress, _ in ledger.outcomes(number)}


def test_an_asset_that_no_listing_has_shown_is_to_be_looked_up(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(), "first")
    ledger.expand(1, {"a1": BEACH, "a2": None, "a3": Hint()}, {})
    assert ledger.not_looked_up(1) == ["a2"]


def test_assets_that_were_clicked_one_by_one_are_to_be_looked_up(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(asset_ids=("a1", "a2")), "first")
    assert sorted(ledger.not_looked_up(1)) == ["a1", "a2"]


def test_the_assets_of_another_operation_are_not_looked_up_for_this_one(
    engine: sa.Engine, ledger: Ledger
) -> None:
    for digest in ("first", "second"):
        answered(engine, a_click(asset_ids=(digest,)), digest, digest)
    assert ledger.not_looked_up(1) == ["first"]


@pytest.mark.usefixtures("wall_clock")
def test_what_a_listing_suggests_is_known_when_work_on_an_asset_begins(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(), "first")
    ledger.expand(1, {"a1": BEACH}, {})
    assert progress_by_id(ledger) == {"a1": SUGGESTED}


def test_formats_are_known_in_the_order_of_the_listing(engine: sa.Engine, ledger: Ledger) -> None:
    answered(engine, a_click(), "first")
    ledger.expand(1, {"a1": BEACH}, {})
    assert list(progress_by_id(ledger)["a1"].format_names) == ["f2", "f1"]


@pytest.mark.usefixtures("wall_clock")
def test_what_the_index_suggests_is_known_when_work_on_an_asset_begins(
    engine: sa.Engine, ledger: Ledger
) -> None:
    expanded(engine, a_click(), ["a1"])
    ledger.note_hints(1, {"a1": BEACH})
    assert progress_by_id(ledger) == {"a1": SUGGESTED}


@pytest.mark.parametrize("hint", [BEACH, Hint()])
def test_an_asset_is_looked_up_once(engine: sa.Engine, ledger: Ledger, hint: Hint) -> None:
    expanded(engine, a_click(), ["a1"])
    ledger.note_hints(1, {"a1": hint})
    assert ledger.not_looked_up(1) == []


def test_an_asset_that_is_done_need_not_be_looked_up(engine: sa.Engine, ledger: Ledger) -> None:
    begin_one(engine, AssetProgress(), "done")
    assert ledger.not_looked_up(1) == []


@pytest.mark.usefixtures("wall_clock")
@pytest.mark.parametrize("state", ["queued", "claimed", "copying", "recheck", "verifying"])
def test_what_another_operation_has_not_done_is_not_copied_without_a_look(
    engine: sa.Engine, ledger: Ledger, state: str
) -> None:
    begin_one(engine, AssetProgress(), state)
    answered(engine, a_click(), "second")
    ledger.expand(2, {"a1": BEACH}, {})
    assert progress_by_id(ledger, 2)["a1"] == replace(SUGGESTED, ready=())


def test_what_the_index_shows_of_an_asset_that_another_operation_has_is_not_copied_without_a_look(
    engine: sa.Engine, ledger: Ledger
) -> None:
    for _ in range(2):
        expanded(engine, a_click(), ["a1"])
    ledger.note_hints(2, {"a1": BEACH})
    assert progress_by_id(ledger, 2)["a1"].ready == ()


@pytest.mark.parametrize(("state", "ended_ms"), [("done", None), ("queued", NOW)])
def test_what_another_operation_has_done_or_has_left_at_its_end_is_copied_without_a_look(
    engine: sa.Engine, ledger: Ledger, state: str, ended_ms: int | None
) -> None:
    begin_one(engine, AssetProgress(), state)
    with engine.begin() as connection:
        connection.execute(sa.update(operations).values(ended_ms=ended_ms))
    answered(engine, a_click(), "second")
    ledger.expand(2, {"a1": BEACH}, {})
    assert progress_by_id(ledger, 2)["a1"].ready == ("ORIGINAL",)


def test_what_another_operation_has_holds_up_no_copy_of_another_asset(
    engine: sa.Engine, ledger: Ledger
) -> None:
    begin_one(engine, AssetProgress(), "queued")
    answered(engine, a_click(), "second")
    ledger.expand(2, {"a1": BEACH, "a2": BEACH}, {})
    assert progress_by_id(ledger, 2)["a2"].ready == ("ORIGINAL",)


def test_when_a_listing_that_shows_no_formats_was_read_is_of_no_interest(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(), "first")
    ledger.expand(1, {"a1": Hint("Beach")}, {})
    assert progress_by_id(ledger) == {"a1": AssetProgress()}


def test_what_the_index_suggests_about_one_asset_changes_no_other(
    engine: sa.Engine, ledger: Ledger
) -> None:
    expanded(engine, a_click(), ["a1", "a2"])
    ledger.note_hints(1, {"a1": BEACH})
    assert progress_by_id(ledger)["a2"] == AssetProgress()


def test_what_the_index_suggests_for_one_operation_changes_no_other(
    engine: sa.Engine, ledger: Ledger
) -> None:
    for _ in range(2):
        expanded(engine, a_click(), ["a1"])
    ledger.note_hints(2, {"a1": BEACH})
    assert progress_by_id(ledger) == {"a1": AssetProgress()}


@pytest.mark.parametrize("state", ["claimed", "copying", "recheck", "verifying", "done"])
def test_what_the_index_suggests_does_not_change_work_that_has_begun(
    engine: sa.Engine, ledger: Ledger, state: str
) -> None:
    begin_one(engine, AssetProgress(), state)
    ledger.note_hints(1, {"a1": BEACH})
    assert progress_by_id(ledger) == {"a1": AssetProgress()}


def test_what_the_index_suggests_does_not_change_work_that_was_put_off(
    engine: sa.Engine, ledger: Ledger
) -> None:
    begin_one(engine, AssetProgress(failures=2), "queued")
    ledger.note_hints(1, {"a1": BEACH})
    assert progress_by_id(ledger) == {"a1": AssetProgress(failures=2)}


@pytest.mark.parametrize("state", ["queued", "recheck"])
def test_the_title_that_the_index_shows_is_known_even_if_work_has_begun(
    engine: sa.Engine, ledger: Ledger, state: str
) -> None:
    begin_one(engine, AssetProgress(failures=2), state)
    ledger.note_hints(1, {"a1": BEACH})
    assert ledger.titles(1, ["a1"]) == {"a1": "Beach"}


def test_only_titles_that_are_known_and_asked_for_are_told(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(), "first")
    ledger.expand(1, {"a1": BEACH, "a2": None, "a3": Hint(), "a4": Hint("Pier")}, {})
    assert ledger.titles(1, ["a1", "a2", "a3", "unknown"]) == {"a1": "Beach"}


def test_a_title_that_another_operation_knows_is_not_told(
    engine: sa.Engine, ledger: Ledger
) -> None:
    for _ in range(2):
        expanded(engine, a_click(), ["a1"])
    ledger.note_hints(1, {"a1": BEACH})
    assert ledger.titles(2, ["a1"]) == {}


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


# Names


def test_names_that_were_noted_before_stay(engine: sa.Engine, ledger: Ledger) -> None:
    clicked(engine, a_click())
    ledger.note_names(1, storages={"b2": "Masters", "ll": "Filespace"})
    ledger.note_names(1, subjects=[])
    assert found(engine, "operation-1").names == {
        "storages": {"b2": "Masters", "ll": "Filespace"},
        "subjects": [],
    }


def test_names_are_harmless_where_they_are_shown(engine: sa.Engine, ledger: Ledger) -> None:
    clicked(engine, a_click(user_id="ana"))
    ledger.note_names(1, storages={"b2": "a\nb"})
    ledger.note_user("ana", "a\x1bb")
    operation = found(engine, "operation-1")
    assert (operation.names, operation.user_name) == ({"storages": {"b2": "a\\nb"}}, "a\\x1bb")


def test_a_user_is_named_in_all_of_their_operations(engine: sa.Engine, ledger: Ledger) -> None:
    for user in ("ana", "ben", "ana"):
        clicked(engine, a_click(user_id=user))
    ledger.note_user("ana", "Ana Ruiz")
    names = [found(engine, f"operation-{number}").user_name for number in (1, 2, 3)]
    assert names == ["Ana Ruiz", None, "Ana Ruiz"]


@pytest.mark.parametrize(
    ("names", "last"),
    [(("", "Ana Ruiz"), "Ana Ruiz"), (("Ana Ruiz", ""), "Ana Ruiz"), (("Ana", "Ana Ruiz"), "Ana")],
)
def test_a_name_stays_once_it_is_known(
    engine: sa.Engine, ledger: Ledger, names: tuple[str, str], last: str
) -> None:
    clicked(engine, a_click(user_id="ana"))
    for name in names:
        ledger.note_user("ana", name)
    assert found(engine, "operation-1").user_name == last


def test_the_destination_of_a_click_is_known(engine: sa.Engine) -> None:
    assert clicked(engine, a_click(path="projects/2026")).path == "projects/2026"
    assert clicked(engine, a_click()).path is None


def test_an_asset_is_claimed_for_a_user_with_a_name(engine: sa.Engine, ledger: Ledger) -> None:
    operation = expanded(engine, a_click(user_id="ana"), ["a1"])
    claims = claims_of(engine, operation)
    # It is found while the operation runs.
    ledger.note_user("ana", "Ana Ruiz")
    (claimed,) = claims.take(1, NOW)
    assert claimed.user_name == "Ana Ruiz"


def test_an_asset_is_claimed_for_a_user_without_a_name(engine: sa.Engine) -> None:
    operation = expanded(engine, a_click(user_id="ana"), ["a1"])
    (claimed,) = claims_of(engine, operation).take(1, NOW)
    assert claimed.user_name == ""
