"""What is on LucidLink through this service, and until when: the newest click decides."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.domain.click import Action
from b2_iconik.domain.outcomes import Kind, Outcome
from b2_iconik.domain.progress import AssetProgress, Deletion
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.holdings import Holding, Holdings
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import holdings
from tests.makers import (
    ASSET,
    CLICKED,
    LL,
    a_click,
    a_ledger,
    a_term,
    carried_out,
    claims_of,
    completion,
    expanded,
    half_done,
    held,
)

DAY = 86_400_000
BOTH = ("ORIGINAL", "PROXY")
ADD = a_click(user_id="u1", keep_ms=14 * DAY)
WHOSE = ("number", "since_ms", "keep_ms", "until_ms")


def change(engine: sa.Engine, **values: object) -> None:
    """Change all that is on LucidLink, as others do."""
    with writing(engine) as connection:
        connection.execute(sa.update(holdings).values(**values))


# What Adds record


def test_an_add_records_what_is_on_lucidlink_since_when_and_until_when(engine: sa.Engine) -> None:
    operation = carried_out(engine, ADD, outcome=Outcome("copied", size=300))
    assert held(engine, "ll_storage_id", "asset_id", "format_name", *WHOSE, "size", "user_id") == [
        (LL, ASSET, "ORIGINAL", operation.number, CLICKED, 14 * DAY, CLICKED + 14 * DAY, 300, "u1")
    ]
    # It was seen there just now.
    assert held(engine, "operation_id", "checked_ms") == [(operation.id, CLICKED)]


@pytest.mark.parametrize("kind", ["copied", "there", "restored"])
def test_whatever_an_add_finds_or_puts_there_is_there(engine: sa.Engine, kind: Kind) -> None:
    carried_out(engine, ADD, outcome=Outcome(kind))
    assert held(engine, "asset_id") == [ASSET]


@pytest.mark.parametrize("kind", ["failed", "without", "vanished"])
def test_what_an_add_could_not_put_there_is_not_there(engine: sa.Engine, kind: Kind) -> None:
    carried_out(engine, ADD, outcome=Outcome(kind))
    assert held(engine, "asset_id") == []


def test_without_a_time_it_stays_until_it_is_removed(engine: sa.Engine) -> None:
    carried_out(engine, a_click())
    assert held(engine, "since_ms", "keep_ms", "until_ms") == [(CLICKED, None, None)]


def test_a_later_add_sets_a_new_time(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    change(engine, attempts=3, next_attempt_ms=5, attempt_id="o", until_by="Ben")
    later = carried_out(engine, replace(ADD, keep_ms=DAY), iconik_ms=CLICKED + 10)
    assert held(engine, *WHOSE) == [(later.number, CLICKED + 10, DAY, CLICKED + 10 + DAY)]
    assert held(engine, "attempts", "next_attempt_ms", "attempt_id", "until_by") == [
        (0, None, None, None)
    ]


def test_a_later_add_without_a_time_ends_the_time(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    carried_out(engine, a_click())
    assert held(engine, "keep_ms", "until_ms") == [(None, None)]


def test_an_undo_brings_it_back_without_a_time(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    carried_out(engine, a_click("remove"))
    carried_out(engine, a_click("undo"), outcome=Outcome("restored", size=300))
    assert held(engine, "keep_ms", "until_ms", "size") == [(None, None, 300)]


def test_a_format_that_a_later_add_could_not_put_there_keeps_its_time(engine: sa.Engine) -> None:
    carried_out(engine, replace(ADD, formats=BOTH))
    later = expanded(engine, a_click(formats=BOTH))
    claims = Claims(engine, later, a_term(engine), lambda: CLICKED)
    (claimed,) = claims.take(1, 0)
    claims.note(claimed, "done", {"ORIGINAL": Outcome("there"), "PROXY": Outcome("failed")})
    assert held(engine, "format_name", "until_ms") == [
        ("ORIGINAL", None),
        ("PROXY", CLICKED + 14 * DAY),
    ]


def test_an_older_add_that_ends_later_changes_nothing(engine: sa.Engine) -> None:
    older = expanded(engine, ADD)
    claims = Claims(engine, older, a_term(engine), lambda: CLICKED)
    (claimed,) = claims.take(1, 0)
    newer = expanded(engine, a_click())
    of_newer = Claims(engine, newer, a_term(engine), lambda: CLICKED)
    of_newer.note(claimed, "done", {"ORIGINAL": Outcome("there")})
    claims.note(claimed, "done", {"ORIGINAL": Outcome("copied")})
    assert held(engine, "number", "until_ms") == [(newer.number, None)]


def test_what_is_noted_twice_stays_as_it_was_noted_first(engine: sa.Engine) -> None:
    claims = Claims(engine, expanded(engine, ADD), a_term(engine), iter([5, 9]).__next__)
    (claimed,) = claims.take(1, 0)
    claims.note(claimed, "recheck", {"ORIGINAL": Outcome("copied")})
    change(engine, until_ms=77, until_by="Ben")
    claims.note(claimed, "done", {"ORIGINAL": Outcome("there")})
    assert held(engine, "since_ms", "until_ms", "until_by") == [(5, 77, "Ben")]


def test_what_an_add_noted_before_a_remove_does_not_come_back(engine: sa.Engine) -> None:
    claims = Claims(engine, expanded(engine, ADD), a_term(engine), lambda: CLICKED)
    (claimed,) = claims.take(1, 0)
    claims.note(claimed, "recheck", {"ORIGINAL": Outcome("copied")})
    with writing(engine) as connection:
        connection.execute(sa.delete(holdings))
    claims.note(claimed, "done", {})
    assert held(engine, "asset_id") == []


def test_two_lucidlink_storages_have_their_own_times(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    carried_out(engine, replace(ADD, ll_storage_id="other", keep_ms=DAY))
    carried_out(engine, a_click("remove"))
    assert held(engine, "ll_storage_id", "keep_ms") == [("other", DAY)]


def test_a_title_and_a_size_that_are_not_known_now_stay(engine: sa.Engine) -> None:
    carried_out(engine, ADD, outcome=Outcome("copied", size=300))
    change(engine, title="clip")
    carried_out(engine, ADD, outcome=Outcome("there"))
    assert held(engine, "title", "size") == [("clip", 300)]


def test_the_name_of_the_user_is_added_when_it_is_known(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    carried_out(engine, replace(ADD, user_id="u2"), "other")
    a_ledger(engine).note_user("u1", "")
    assert held(engine, "user_name") == [None, None]
    a_ledger(engine).note_user("u1", "Ann Baker")
    assert held(engine, "asset_id", "user_name") == [(ASSET, "Ann Baker"), ("other", None)]


def test_while_iconiks_time_is_unknown_no_time_begins(engine: sa.Engine) -> None:
    carried_out(engine, ADD, iconik_ms=None)
    assert held(engine, "since_ms", "keep_ms", "until_ms") == [(0, 14 * DAY, None)]


def test_it_outlasts_the_operation(engine: sa.Engine) -> None:
    operation = carried_out(engine, ADD)
    completion(engine).forget([operation.id])
    assert Ledger(engine).operation(operation.id) is None
    assert held(engine, "operation_id") == [operation.id]


# What Removes record


@pytest.mark.parametrize("kind", ["removed", "absent", "without"])
def test_what_a_remove_has_removed_or_not_found_is_gone(engine: sa.Engine, kind: Kind) -> None:
    carried_out(engine, ADD)
    carried_out(engine, a_click("remove"), outcome=Outcome(kind))
    assert held(engine, "asset_id") == []


@pytest.mark.parametrize("kind", ["kept", "failed", "superseded", "vanished"])
def test_what_a_remove_leaves_keeps_its_time(engine: sa.Engine, kind: Kind) -> None:
    carried_out(engine, ADD)
    carried_out(engine, a_click("remove"), outcome=Outcome(kind))
    assert held(engine, "until_ms") == [CLICKED + 14 * DAY]


def test_only_the_formats_of_a_remove_are_gone(engine: sa.Engine) -> None:
    carried_out(engine, replace(ADD, formats=BOTH))
    carried_out(engine, a_click("remove", formats=("PROXY",)))
    assert held(engine, "format_name") == ["ORIGINAL"]


@pytest.mark.parametrize("action", ["add", "preview"])
def test_what_others_do_not_find_stays(engine: sa.Engine, action: Action) -> None:
    carried_out(engine, ADD)
    carried_out(engine, a_click(action), outcome=Outcome("absent"))
    assert held(engine, "asset_id") == [ASSET]


def test_a_deletion_that_is_not_verified_yet_counts_for_nothing(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    claims = Claims(engine, expanded(engine, a_click("remove")), a_term(engine))
    (claimed,) = claims.take(1, 0)
    claimed.progress = AssetProgress(deletions={"set-1": Deletion("ORIGINAL", accepted_ms=1)})
    claims.note(claimed, "verifying", {"ORIGINAL": Outcome("removed")})
    assert held(engine, "asset_id") == [ASSET]
    (claimed,) = claims.accepted(1, 0)
    claimed.progress = AssetProgress()
    claims.note(claimed, "done", {})
    assert held(engine, "asset_id") == []


def test_an_older_remove_that_ends_later_takes_nothing_away(engine: sa.Engine) -> None:
    older = expanded(engine, a_click("remove"))
    claims = claims_of(engine, older)
    (claimed,) = claims.take(1, 0)
    of_newer = claims_of(engine, expanded(engine, ADD))
    of_newer.note(claimed, "done", {"ORIGINAL": Outcome("there")})
    claims.note(claimed, "done", {"ORIGINAL": Outcome("absent")})
    assert held(engine, "asset_id") == [ASSET]


# Checks of what is still there


def checks(engine: sa.Engine) -> Holdings:
    return Holdings(engine, a_term(engine))


def test_what_was_checked_longest_ago_is_checked_first(engine: sa.Engine) -> None:
    for number, asset_id in enumerate(("a3", "a2", "a1")):
        carried_out(engine, ADD, asset_id, iconik_ms=CLICKED + number)
    assert checks(engine).to_check(CLICKED, 9) == []
    found_ones = checks(engine).to_check(CLICKED + 2, 9)
    assert [each.asset_id for each in found_ones] == ["a3", "a2"]
    assert len(checks(engine).to_check(CLICKED + 9, 2)) == 2


def test_a_check_brings_titles_and_sizes_up_to_date(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    (seen,) = checks(engine).to_check(CLICKED + 1, 9)
    checks(engine).note_checked([replace(seen, title="cl\nip", size=400)], [], CLICKED + 5)
    assert held(engine, "title", "size", "checked_ms") == [(r"cl\nip", 400, CLICKED + 5)]
    assert held(engine, "until_ms") == [CLICKED + 14 * DAY]


def test_what_is_gone_is_forgotten(engine: sa.Engine) -> None:
    carried_out(engine, ADD, "a1", "a2", "a3", "a4")
    seen = checks(engine).to_check(CLICKED + 1, 9)
    assert seen[0].named == "ORIGINAL of asset a1"
    checks(engine).note_checked(seen[2:], seen[:2], CLICKED + 5)
    assert held(engine, "asset_id", "checked_ms") == [("a3", CLICKED + 5), ("a4", CLICKED + 5)]


def test_what_was_added_again_since_it_was_found_gone_stays(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    seen = checks(engine).to_check(CLICKED + 1, 9)
    again = carried_out(engine, ADD)
    checks(engine).note_checked([], seen, CLICKED + 5)
    assert held(engine, "number") == [again.number]


@pytest.mark.parametrize("is_over", [False, True])
def test_what_a_remove_may_restore_is_not_found_gone(engine: sa.Engine, is_over: bool) -> None:
    carried_out(engine, ADD)
    seen = checks(engine).to_check(CLICKED + 1, 9)
    remove = expanded(engine, a_click("remove"))
    claims = claims_of(engine, remove)
    (claimed,) = claims.take(1, 0)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    if is_over:
        completion(engine).fail(remove.number, "no token is good", 0)
    checks(engine).note_checked([], seen, CLICKED + 5)
    assert held(engine, "asset_id") == [ASSET]
    assert checks(engine).to_check(CLICKED + 1, 9) == []


def test_a_format_is_named_with_its_title() -> None:
    assert Holding(LL, ASSET, "PROXY", 1, "clip").named == "PROXY of asset asset-1 (clip)"
