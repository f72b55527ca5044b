"""The time of assets is up: their removal is recorded, unless a newer click has them."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common.errors import Stopped
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.keeping import ATTEMPT_INTERVAL_MS, MOST_ATTEMPTS
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.ledger import due as due_module
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.due import Due
from b2_iconik.ledger.encryption import Cipher
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import holdings
from b2_iconik.ledger.taking import SUPERSEDED
from b2_iconik.ledger.term import begin_term
from tests.makers import (
    ASSET,
    B2,
    CLICKED,
    LL,
    a_click,
    a_ledger,
    a_term,
    carried_out,
    claims_of,
    clicked,
    completion,
    expanded,
    found,
    half_done,
    held,
    newest,
    protect,
)

DAY = 86_400_000
ADD = a_click(keep_ms=14 * DAY, user_id="u1")
OVER = CLICKED + 14 * DAY
CIPHER = Cipher(("s" * 32,))


def due(engine: sa.Engine) -> Due:
    return Due(engine, a_term(engine))


def recorded(engine: sa.Engine, now_ms: int = OVER) -> list[CustomAction]:
    """Record what is due at some time."""
    is_any = due(engine).is_any(now_ms)
    clicks = due(engine).record(CIPHER, now_ms)
    assert bool(clicks) is is_any
    return clicks


def take(engine: sa.Engine, operation: Operation) -> list[tuple[str, tuple[str, ...]]]:
    claims = claims_of(engine, found(engine, operation.id))
    return [(each.asset_id, each.formats) for each in claims.take(9, 0)]


def change(engine: sa.Engine, **values: Any) -> None:
    """Change all that is on LucidLink, as its page does."""
    with writing(engine) as connection:
        connection.execute(sa.update(holdings).values(**values))


# Recording


def test_nothing_is_due_early(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    assert recorded(engine, OVER - 1) == []
    assert len(recorded(engine, OVER)) == 1


def test_what_is_due_is_removed_like_after_a_click(engine: sa.Engine) -> None:
    carried_out(engine, ADD, "a1", "a2")
    (click,) = recorded(engine)
    assert click == CustomAction("remove", B2, LL, ("ORIGINAL",), "BULK", ("a1", "a2"))
    operation = newest(engine, 1)[0]
    assert CIPHER.open(Ledger(engine).sealed(operation.id)) == click
    assert operation.key == CIPHER.fingerprints[0]
    assert (operation.origin and operation.origin.kind, operation.user_id) == ("due", None)
    assert take(engine, operation) == [("a1", ("ORIGINAL",)), ("a2", ("ORIGINAL",))]


def test_what_is_kept_without_a_limit_is_never_due(engine: sa.Engine) -> None:
    carried_out(engine, a_click())
    assert recorded(engine, 10**15) == []


def test_assets_with_the_same_storages_and_formats_are_removed_together(engine: sa.Engine) -> None:
    both = ("ORIGINAL", "PROXY")
    carried_out(engine, ADD, "a1", "a2")
    carried_out(engine, replace(ADD, formats=both), "a3")
    carried_out(engine, replace(ADD, ll_storage_id="other"), "a1")
    carried_out(engine, replace(ADD, b2_storage_id="older"), "a4")
    told = {
        (each.b2_storage_id, each.ll_storage_id, each.formats): each for each in recorded(engine)
    }
    assert {key: each.asset_ids for key, each in told.items()} == {
        (B2, LL, ("ORIGINAL",)): ("a1", "a2"),
        (B2, LL, both): ("a3",),
        (B2, "other", ("ORIGINAL",)): ("a1",),
        ("older", LL, ("ORIGINAL",)): ("a4",),
    }


def test_what_is_due_from_several_adds_is_removed_together(engine: sa.Engine) -> None:
    carried_out(engine, ADD, "a1")
    carried_out(engine, replace(ADD, formats=("PROXY",)), "a1")
    (click,) = recorded(engine)
    assert click.formats == ("ORIGINAL", "PROXY")


def test_of_very_much_some_is_removed_first(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_module, "AT_ONCE", 2)
    monkeypatch.setattr(due_module, "CHUNK", 1)
    carried_out(engine, ADD, "a1", "a2", "a3")
    assert [each.asset_ids for _ in range(3) for each in recorded(engine)] == [
        ("a1", "a2"),
        ("a3",),
    ]


def test_a_leader_whose_term_is_over_records_nothing(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    before = due(engine)
    begin_term(engine, 0)
    with pytest.raises(Stopped):
        before.record(CIPHER, OVER)
    assert newest(engine, 1)[0].action == "add"


# Attempts


def test_it_is_attempted_daily_for_a_week_and_then_no_more(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    kinds = []
    for day in range(MOST_ATTEMPTS + 2):
        now_ms = OVER + day * ATTEMPT_INTERVAL_MS
        if recorded(engine, now_ms):
            operation = newest(engine, 1)[0]
            kinds.append(operation.origin and operation.origin.kind)
            completion(engine).fail(operation.number, "the storage is closed", 0)
        assert recorded(engine, now_ms + ATTEMPT_INTERVAL_MS - 1) == []
    assert kinds == ["due"] * 7 + ["last"]
    assert held(engine, "attempts", "until_ms") == [(MOST_ATTEMPTS, OVER)]


def test_last_attempts_are_operations_of_their_own(engine: sa.Engine) -> None:
    carried_out(engine, ADD, "a1", "a2")
    with writing(engine) as connection:
        first = holdings.c.asset_id == "a1"
        connection.execute(sa.update(holdings).where(first).values(attempts=MOST_ATTEMPTS - 1))
    assert [each.asset_ids for each in recorded(engine)] == [("a1",), ("a2",)]


def test_what_somebody_stopped_is_attempted_again_tomorrow(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    recorded(engine)
    operation = newest(engine, 1)[0]
    assert Ledger(engine).ask_to_stop(operation.id, "Ben", 1)
    claims_of(engine, operation).leave()
    assert completion(engine).end(found(engine, operation.id), 0)
    assert recorded(engine, OVER + DAY - 1) == []
    assert len(recorded(engine, OVER + DAY)) == 1


def test_an_attempt_that_is_still_running_is_not_repeated(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    recorded(engine)
    assert recorded(engine, OVER + DAY) == []


def test_a_new_time_begins_with_no_attempts(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    recorded(engine)
    completion(engine).fail(newest(engine, 1)[0].number, "the storage is closed", 0)
    carried_out(engine, ADD, iconik_ms=OVER)
    assert recorded(engine, OVER + 14 * DAY - 1) == []
    assert len(recorded(engine, OVER + 14 * DAY)) == 1


# Newer clicks


def test_an_add_that_still_waits_wins(engine: sa.Engine) -> None:
    carried_out(engine, ADD, "a1", "a2")
    waiting = clicked(engine, a_click(asset_ids=("a1",)))
    (click,) = recorded(engine)
    assert click.asset_ids == ("a2",)
    claims = Claims(engine, waiting, a_term(engine), lambda: OVER)
    (claimed,) = claims.take(1, 0)
    claims.note(claimed, "done", {"ORIGINAL": Outcome("there")})
    assert recorded(engine, 10**15) == []


def test_a_collection_that_is_not_listed_yet_may_have_any_asset(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    carried_out(engine, replace(ADD, ll_storage_id="other"))
    waiting = clicked(engine, a_click(collection_ids=("c1",)))
    (click,) = recorded(engine)
    assert click.ll_storage_id == "other"
    a_ledger(engine).expand(waiting.number, {}, {})
    (click,) = recorded(engine)
    assert click.ll_storage_id == LL


def test_a_preview_holds_nothing_up(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    clicked(engine, a_click("preview", asset_ids=(ASSET,)))
    clicked(engine, a_click("preview", collection_ids=("c1",)))
    assert len(recorded(engine)) == 1


def test_an_add_for_another_storage_holds_nothing_up(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    clicked(engine, a_click(asset_ids=(ASSET,), ll_storage_id="other"))
    assert len(recorded(engine)) == 1


def test_an_add_that_is_clicked_while_it_is_removed_takes_it_over(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    recorded(engine)
    removal = newest(engine, 1)[0]
    add = expanded(engine, a_click())
    assert take(engine, removal) == []
    claims = Claims(engine, add, a_term(engine), lambda: OVER)
    (claimed,) = claims.take(1, 0)
    claims.note(claimed, "done", {"ORIGINAL": Outcome("there")})
    assert held(engine, "number", "until_ms", "attempts") == [(add.number, None, 0)]


@pytest.mark.parametrize(
    "change_of_time",
    [
        {"until_ms": OVER + DAY, "attempts": 0, "next_attempt_ms": None, "attempt_id": None},
        {"until_ms": None, "attempts": 0},
        {"attempt_id": "another"},
    ],
)
def test_what_is_kept_longer_just_now_is_not_removed(
    engine: sa.Engine, change_of_time: dict[str, Any]
) -> None:
    carried_out(engine, ADD)
    recorded(engine)
    removal = newest(engine, 1)[0]
    change(engine, **change_of_time)
    assert take(engine, removal) == []
    (_, _, outcomes) = next(Ledger(engine).outcomes(removal.number))
    assert outcomes == {"ORIGINAL": SUPERSEDED}


def test_what_is_kept_longer_right_before_it_is_deleted_is_not_deleted(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    recorded(engine)
    claims = claims_of(engine, newest(engine, 1)[0])
    (claimed,) = claims.take(1, 0)
    change(engine, until_ms=OVER + DAY, attempts=0, attempt_id=None)
    assert not claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))


def test_a_removal_by_a_person_does_not_ask_for_the_time(engine: sa.Engine) -> None:
    carried_out(engine, ADD)
    assert take(engine, expanded(engine, a_click("remove"))) == [(ASSET, ("ORIGINAL",))]


def test_what_is_removed_is_known_with_the_reason(engine: sa.Engine) -> None:
    carried_out(engine, replace(ADD, keep_ms=10 * DAY), "a1", iconik_ms=1_795_867_200_000)
    carried_out(engine, ADD, "a2")
    a_ledger(engine).note_user("u1", "Ann Baker")
    carried_out(engine, a_click(keep_ms=DAY, user_id=None), "a3")
    recorded(engine, 2_000_000_000_000)
    told = {
        each.asset_id: dict(each.due) for each in claims_of(engine, newest(engine, 1)[0]).take(9, 0)
    }
    assert told["a1"] == {"ORIGINAL": "kept for 10 days after 2026-11-28 12:00 UTC by Ann Baker"}
    assert told["a3"]["ORIGINAL"].endswith("by user unknown")
    (claimed,) = Claims(engine, expanded(engine, a_click("remove")), a_term(engine)).take(9, 0)
    assert claimed.due == {}


# Protection, and times that wait


def test_what_is_protected_stays_until_the_protection_is_over(engine: sa.Engine) -> None:
    carried_out(engine, ADD, "a1", "a2")
    protect(engine, "a1", OVER + DAY)
    due(engine).advance(OVER + DAY - 1, OVER + DAY - 1)
    assert [each.asset_ids for each in recorded(engine)] == [("a2",)]
    due(engine).advance(OVER + DAY, OVER + DAY)
    assert [each.asset_ids for each in recorded(engine, OVER + DAY)] == [("a1",)]


def test_a_time_that_waits_for_iconiks_begins_late_and_not_early(engine: sa.Engine) -> None:
    carried_out(engine, ADD, "a1", iconik_ms=None)
    carried_out(engine, a_click(), "a2", iconik_ms=None)
    assert recorded(engine, 10**15) == []
    due(engine).advance(CLICKED, CLICKED + 5)
    assert held(engine, "since_ms", "until_ms") == [
        (CLICKED + 5, OVER + 5),
        (CLICKED + 5, None),
    ]


def test_a_time_that_somebody_has_chosen_meanwhile_stays(engine: sa.Engine) -> None:
    carried_out(engine, ADD, iconik_ms=None)
    change(engine, until_ms=77, until_by="Ben")
    due(engine).advance(CLICKED, CLICKED)
    assert held(engine, "until_ms") == [77]


def test_it_is_known_whether_the_time_matters(engine: sa.Engine) -> None:
    assert due(engine).any_asset() is None
    protect(engine, "a1", OVER)
    assert due(engine).any_asset() == "a1"
