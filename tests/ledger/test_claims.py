"""Who may touch which asset: one wish a test, and then any clicks in any order."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from b2_iconik.common.errors import Stopped
from b2_iconik.domain.click import ACTIONS, Action, CustomAction
from b2_iconik.domain.operation import Operation, Origin, UndoWindow
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import HINT_HOLDS_MS, AssetProgress, ClaimedAsset, Deletion
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger import intake, taking
from b2_iconik.ledger.claims import GRACE_MS, Claims
from b2_iconik.ledger.copies import Copy
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.ledger.tables import assets
from b2_iconik.ledger.taking import SUPERSEDED
from b2_iconik.ledger.term import begin_term
from tests.makers import (
    a_click,
    a_database,
    a_ledger,
    a_term,
    claims_of,
    clicked,
    completion,
    expanded,
    found,
    half_done,
    newest,
)

NOW = 1_000_000
BOTH = ("ORIGINAL", "PROXY")
REMOVED = Outcome("removed")


def clicked_for(
    engine: sa.Engine, asset_ids: Sequence[str] = ("a1",), **click: Any
) -> tuple[Claims, Operation]:
    """The claims of the newest operation, whose assets are listed."""
    operation = expanded(engine, a_click(**click), asset_ids)
    return claims_of(engine, operation), operation


def taken(claims: Claims, now_ms: int = NOW, limit: int = 100) -> dict[str, tuple[str, ...]]:
    return {claimed.asset_id: claimed.formats for claimed in claims.take(limit, now_ms)}


def stands(engine: sa.Engine, number: int, asset_id: str = "a1") -> tuple[str, AssetProgress, Any]:
    """State, progress and outcomes of an asset of an operation."""
    with engine.connect() as connection:
        state = connection.execute(
            sa.text("SELECT state FROM plugin_assets WHERE number = :n AND asset_id = :a"),
            {"n": number, "a": asset_id},
        ).scalar_one()
    for found_id, progress, outcomes in a_ledger(engine).outcomes(number):
        if found_id == asset_id:
            return state, progress, outcomes
    raise AssertionError(asset_id)


# Taking


def test_assets_are_held_for_the_formats_of_the_click(engine: sa.Engine) -> None:
    claims, _ = clicked_for(engine, ["a1", "a2"], formats=BOTH)
    assert claims.take(10, NOW) == [
        ClaimedAsset("a1", BOTH, AssetProgress()),
        ClaimedAsset("a2", BOTH, AssetProgress()),
    ]


def test_of_what_is_taken_it_is_known_who_clicked_and_who_tried_again(engine: sa.Engine) -> None:
    click, origin = a_click(asset_ids=("a1",), user_id="ada"), Origin("operation-0", "ben")
    (claimed,) = claims_of(engine, clicked(engine, click, origin=origin)).take(1, NOW)
    assert (claimed.user_id, claimed.origin) == ("ada", origin)


def test_no_more_are_held_than_asked_for(engine: sa.Engine) -> None:
    claims, _ = clicked_for(engine, ["a1", "a2", "a3"])
    assert [len(claims.take(2, NOW)) for _ in range(3)] == [2, 1, 0]


def test_an_asset_waits_until_it_is_due(engine: sa.Engine) -> None:
    claims, _ = clicked_for(engine)
    (claimed,) = claims.take(1, NOW)
    claims.note(claimed, "recheck", {}, not_before_ms=NOW + 1)
    assert (taken(claims, NOW), taken(claims, NOW + 1)) == ({}, {"a1": ("ORIGINAL",)})


def test_what_is_done_is_not_taken_again(engine: sa.Engine) -> None:
    claims, operation = clicked_for(engine)
    (claimed,) = claims.take(1, NOW)
    claims.note(claimed, "done", {"ORIGINAL": REMOVED})
    assert taken(claims) == {}
    assert stands(engine, operation.number) == ("done", AssetProgress(), {"ORIGINAL": REMOVED})


def test_a_memo_is_what_it_was_when_it_is_taken_again(engine: sa.Engine) -> None:
    claims, _ = clicked_for(engine)
    (claimed,) = claims.take(1, NOW)
    failed = {"ORIGINAL": Reason("no space left")}
    claimed.progress = AssetProgress(failed, unfinished_ms=5)
    claims.note(claimed, "recheck", {})
    assert claims.take(1, NOW) == [
        ClaimedAsset(
            "a1",
            ("ORIGINAL",),
            AssetProgress({"ORIGINAL": Reason("no space left")}, unfinished_ms=5),
        )
    ]


def test_a_later_look_at_other_formats_leaves_the_outcome_of_one(engine: sa.Engine) -> None:
    claims, operation = clicked_for(engine, formats=BOTH)
    (claimed,) = claims.take(1, NOW)
    claims.note(claimed, "recheck", {"ORIGINAL": REMOVED})
    claims.note(claimed, "done", {"PROXY": Outcome("kept", Reason("why"))})
    assert stands(engine, operation.number)[2] == {
        "ORIGINAL": REMOVED,
        "PROXY": Outcome("kept", Reason("why")),
    }


@pytest.mark.parametrize(
    "write",
    [
        lambda claims, _: claims.recover(NOW),
        lambda claims, _: claims.take(1, NOW),
        lambda claims, claimed: claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"})),
        lambda claims, claimed: claims.note(claimed, "done", {}),
        lambda claims, claimed: claims.copies.begin([claimed], {}, NOW),
        lambda claims, _: claims.copies.ended(Copy("job-1", "ORIGINAL", NOW), {}, ""),
    ],
    ids=["recover", "take", "begin_deletions", "note", "copies.begin", "copies.ended"],
)
def test_whoever_is_late_leaves_everything_to_the_process_that_took_over(
    engine: sa.Engine, write: Callable[[Claims, ClaimedAsset], object]
) -> None:
    claims, operation = clicked_for(engine)
    (claimed,) = claims.take(1, NOW)
    begin_term(engine, NOW)
    with pytest.raises(Stopped):
        write(claims, claimed)
    assert stands(engine, operation.number) == ("claimed", AssetProgress(), {})


# What listings suggest


def taken_progress(
    engine: sa.Engine, progress: AssetProgress, action: Action = "add", state: str = "queued"
) -> AssetProgress:
    """The progress of an asset when it is taken, after it was noted in a state."""
    claims, _ = clicked_for(engine, action=action)
    (claimed,) = claims.take(1, NOW)
    claimed.progress = progress
    claims.note(claimed, state, {})
    (claimed,) = claims.take(1, NOW)
    return claimed.progress


@pytest.fixture
def wall_clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time, in milliseconds since 1970."""
    wall_clock = [NOW]
    monkeypatch.setattr(taking, "wall_ms", lambda: wall_clock[0])
    return wall_clock


HINTED = AssetProgress(
    format_names={"f1": "ORIGINAL"}, ready=("ORIGINAL",), hinted_ms=NOW - HINT_HOLDS_MS
)
OLD = replace(HINTED, hinted_ms=NOW - HINT_HOLDS_MS - 1)
# The wall clock was set back.
AHEAD = replace(HINTED, hinted_ms=NOW + HINT_HOLDS_MS + 1)


@pytest.mark.usefixtures("wall_clock")
@pytest.mark.parametrize("action", ["add", "remove"])
def test_what_a_listing_suggests_is_used_for_half_an_hour(
    engine: sa.Engine, action: Action
) -> None:
    assert taken_progress(engine, HINTED, action) == HINTED


@pytest.mark.usefixtures("wall_clock")
@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("hinted", [OLD, AHEAD])
def test_what_a_listing_suggested_too_long_ago_is_not_copied_without_a_look(
    engine: sa.Engine, action: Action, hinted: AssetProgress
) -> None:
    assert taken_progress(engine, hinted, action).ready == ()


def test_what_a_listing_suggested_at_an_unknown_time_is_not_copied_without_a_look(
    engine: sa.Engine,
) -> None:
    assert taken_progress(engine, replace(HINTED, hinted_ms=None)).ready == ()


@pytest.mark.usefixtures("wall_clock")
@pytest.mark.parametrize("action", ["add", "remove"])
def test_what_a_listing_suggests_is_not_copied_without_a_look_once_work_has_begun(
    engine: sa.Engine, action: Action
) -> None:
    assert taken_progress(engine, HINTED, action, "recheck").ready == ()


@pytest.mark.usefixtures("wall_clock")
@pytest.mark.parametrize("hinted", [HINTED, OLD])
def test_what_was_copied_is_remembered_to_have_been_lacking(
    engine: sa.Engine, hinted: AssetProgress
) -> None:
    copied = hinted.with_copy_results({"ORIGINAL": None})
    assert taken_progress(engine, copied, state="recheck").ready == ("ORIGINAL",)


@pytest.mark.usefixtures("wall_clock")
def test_a_remove_asks_for_the_formats_that_a_listing_showed_too_long_ago(
    engine: sa.Engine,
) -> None:
    assert taken_progress(engine, OLD, "remove").format_names == {}


@pytest.mark.usefixtures("wall_clock")
def test_a_remove_whose_copy_took_long_asks_for_the_formats_again(engine: sa.Engine) -> None:
    copied = OLD.with_copy_results({"ORIGINAL": None})
    assert taken_progress(engine, copied, "remove", "recheck").format_names == {}


@pytest.mark.usefixtures("wall_clock")
def test_an_add_knows_formats_however_long_ago_they_were_shown(engine: sa.Engine) -> None:
    assert taken_progress(engine, OLD).format_names == OLD.format_names


# Newer clicks


def test_an_older_operation_leaves_an_asset_to_a_newer_one(engine: sa.Engine) -> None:
    older, operation = clicked_for(engine, ["a1", "a2"], action="add")
    newer, _ = clicked_for(engine, ["a1"], action="remove")
    assert taken(older) == {"a2": ("ORIGINAL",)}
    assert stands(engine, operation.number) == ("done", AssetProgress(), {"ORIGINAL": SUPERSEDED})
    assert taken(newer) == {"a1": ("ORIGINAL",)}


def test_an_older_operation_leaves_a_format_to_a_newer_one(engine: sa.Engine) -> None:
    older, operation = clicked_for(engine, action="add", formats=BOTH)
    clicked_for(engine, action="remove", formats=("PROXY",))
    assert taken(older) == {"a1": ("ORIGINAL",)}
    assert stands(engine, operation.number)[2] == {"PROXY": SUPERSEDED}


def test_operations_of_different_formats_are_in_nobodys_way(engine: sa.Engine) -> None:
    older, _ = clicked_for(engine, formats=("ORIGINAL",))
    newer, _ = clicked_for(engine, formats=("PROXY",))
    assert taken(older) == {"a1": ("ORIGINAL",)}
    assert taken(newer) == {"a1": ("PROXY",)}


def test_operations_of_different_storages_are_in_nobodys_way(engine: sa.Engine) -> None:
    older, _ = clicked_for(engine)
    newer, _ = clicked_for(engine, ll_storage_id="storage-other")
    assert taken(older) == {"a1": ("ORIGINAL",)}
    assert taken(newer) == {"a1": ("ORIGINAL",)}


def test_an_older_operation_waits_until_it_is_known_what_a_newer_one_wants(
    engine: sa.Engine,
) -> None:
    older, _ = clicked_for(engine)
    newer = clicked(engine, a_click("remove"))
    assert taken(older) == {}
    a_ledger(engine).expand(newer.number, dict.fromkeys(["a2"]), {})
    assert taken(older) == {"a1": ("ORIGINAL",)}


def test_an_older_operation_does_not_wait_for_one_that_came_to_nothing(engine: sa.Engine) -> None:
    older, _ = clicked_for(engine)
    newer = clicked(engine, a_click("remove"))
    completion(engine).fail(newer.number, "no token is good", NOW)
    assert taken(older) == {"a1": ("ORIGINAL",)}


@pytest.mark.parametrize("state", ["claimed", "recheck", "copying"])
def test_a_newer_operation_waits_for_an_older_one_that_touches_an_asset(
    engine: sa.Engine, state: str
) -> None:
    older, _ = clicked_for(engine)
    (claimed,) = older.take(1, NOW)
    if state == "recheck":
        older.note(claimed, "recheck", {}, NOW + 9)
    if state == "copying":
        older.copies.begin([claimed], {"job-1": "ORIGINAL"}, NOW)
    newer, _ = clicked_for(engine, ["a1", "a2"], action="remove")
    assert taken(newer) == {"a2": ("ORIGINAL",)}


@pytest.mark.parametrize("state", ["done", "queued"])
def test_a_newer_operation_goes_on_once_the_older_has_let_go(engine: sa.Engine, state: str) -> None:
    older, _ = clicked_for(engine)
    (claimed,) = older.take(1, NOW)
    newer, _ = clicked_for(engine, action="remove")
    older.note(claimed, state, {})
    assert taken(newer) == {"a1": ("ORIGINAL",)}


def test_whether_an_asset_is_free_is_seen_without_taking_it(engine: sa.Engine) -> None:
    older, _ = clicked_for(engine)
    (claimed,) = older.take(1, NOW)
    newer, _ = clicked_for(engine, action="remove")
    assert not newer.is_any_free(NOW)
    older.note(claimed, "done", {})
    assert newer.is_any_free(NOW)
    assert taken(newer) == {"a1": ("ORIGINAL",)}


def test_no_asset_is_free_until_it_is_known_what_a_newer_click_wants(engine: sa.Engine) -> None:
    older, _ = clicked_for(engine)
    clicked(engine, a_click("remove"))
    assert not older.is_any_free(NOW)


def test_what_was_done_is_not_hidden_by_a_newer_click(engine: sa.Engine) -> None:
    older, operation = clicked_for(engine, action="remove", formats=BOTH)
    (claimed,) = older.take(1, NOW)
    older.note(claimed, "recheck", {"ORIGINAL": REMOVED})
    clicked_for(engine, action="add", formats=BOTH)
    assert taken(older) == {}
    outcomes = stands(engine, operation.number)[2]
    assert outcomes == {"ORIGINAL": REMOVED, "PROXY": SUPERSEDED}


def test_assets_that_a_newer_click_took_over_hide_no_others(engine: sa.Engine) -> None:
    asset_ids = [f"a{number}" for number in range(10)]
    older, _ = clicked_for(engine, asset_ids)
    clicked_for(engine, asset_ids[:-1], action="remove")
    assert taken(older, limit=2) == {"a9": ("ORIGINAL",)}


# What a newer operation has not seen


def unseen_for(
    engine: sa.Engine, asset_ids: Sequence[str] = ("a1",), **click: Any
) -> tuple[Claims, Operation]:
    """The claims of the newest operation, whose click's token has not read its assets yet."""
    operation = expanded(engine, a_click(**click), asset_ids, seen=False)
    return claims_of(engine, operation), operation


def put(engine: sa.Engine, number: int, **change: Any) -> None:
    """Change the assets of an operation behind its back."""
    with engine.begin() as connection:
        mine = assets.c.number == number
        connection.execute(sa.update(assets).where(mine).values(**change))


def test_an_older_operation_waits_until_a_newer_one_has_seen_an_asset(engine: sa.Engine) -> None:
    older, operation = clicked_for(engine, ["a1", "a2"])
    newer, _ = unseen_for(engine, action="remove")
    assert taken(older) == {"a2": ("ORIGINAL",)}
    assert stands(engine, operation.number)[0] == "queued"
    (claimed,) = newer.take(1, NOW)
    claimed.seen = True
    newer.note(claimed, "done", {})
    assert taken(older) == {}
    assert stands(engine, operation.number)[2] == {"ORIGINAL": SUPERSEDED}


@pytest.mark.parametrize("end", ["asset", "operation", "stop"])
def test_an_asset_that_a_newer_operation_never_saw_stays_with_the_older(
    engine: sa.Engine, end: str
) -> None:
    older, _ = clicked_for(engine)
    newer, operation = unseen_for(engine, action="remove")
    if end == "asset":
        (claimed,) = newer.take(1, NOW)
        newer.note(claimed, "done", {"ORIGINAL": Outcome("failed", Reason("no (403)"))})
    elif end == "operation":
        completion(engine).fail(operation.number, "no (403)", NOW)
    else:
        newer.leave()
    assert taken(older) == {"a1": ("ORIGINAL",)}


def test_nothing_is_deleted_while_a_newer_operation_may_still_take_it_over(
    engine: sa.Engine,
) -> None:
    older, _ = clicked_for(engine, action="remove")
    (claimed,) = older.take(1, NOW)
    newer, _ = unseen_for(engine, action="add")
    assert not older.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    older.note(claimed, "recheck", {})
    (contested,) = newer.contested(9, NOW)
    newer.note(contested, "done", {})
    (claimed,) = older.take(1, NOW)
    assert older.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))


def test_what_has_been_seen_is_known_when_it_is_taken_again(engine: sa.Engine) -> None:
    claims, _ = unseen_for(engine, ["a1", "a2", "a3"], action="remove")
    deleted, noted, copied = claims.take(3, NOW)
    assert not any(each.seen for each in (deleted, noted, copied))
    for each in (deleted, noted, copied):
        each.seen = True
    assert claims.begin_deletions(deleted, half_done({"set-1": "ORIGINAL"}))
    claims.note(noted, "recheck", {})
    claims.copies.begin([copied], {}, NOW)
    claims.recover(NOW)
    assert [each.seen for each in claims.take(3, NOW + GRACE_MS)] == [True] * 3


@pytest.mark.parametrize("hands", ["opposite", "same"])
def test_what_others_have_in_hand_is_to_be_seen_if_an_older_opposite_is_about_it(
    engine: sa.Engine, hands: str
) -> None:
    opposite, same = (unseen_for(engine, action=each)[1].number for each in ("remove", "add"))
    put(engine, opposite if hands == "opposite" else same, state="claimed")
    newer, _ = unseen_for(engine, ["a1", "a2"], action="add")
    assert [each.asset_id for each in newer.contested(9, NOW)] == ["a1"]
    assert newer.contested(9, -1) == []


def test_what_only_the_same_action_has_in_hand_need_not_be_seen(engine: sa.Engine) -> None:
    older, _ = clicked_for(engine)
    older.take(1, NOW)
    newer, _ = unseen_for(engine)
    assert newer.contested(9, NOW) == []


def test_what_has_been_seen_need_not_be_seen_again(engine: sa.Engine) -> None:
    older, _ = clicked_for(engine)
    older.take(1, NOW)
    newer, _ = unseen_for(engine, action="remove")
    (contested,) = newer.contested(9, NOW)
    contested.seen = True
    newer.note(contested, "queued", {})
    assert newer.contested(9, NOW) == []


# The same action again


def test_a_newer_click_on_the_same_action_takes_nothing_over(engine: sa.Engine) -> None:
    older, _ = clicked_for(engine)
    newer, _ = clicked_for(engine)
    assert taken(older) == {"a1": ("ORIGINAL",)}
    assert taken(newer) == {}


def test_an_older_operation_waits_for_a_newer_one_on_the_same_action_that_was_faster(
    engine: sa.Engine,
) -> None:
    older, _ = clicked_for(engine)
    newer, _ = clicked_for(engine)
    (claimed,) = newer.take(1, NOW)
    assert taken(older) == {}
    newer.note(claimed, "recheck", {})
    assert taken(older) == {}
    (claimed,) = newer.take(1, NOW)
    newer.note(claimed, "done", {})
    assert taken(older) == {"a1": ("ORIGINAL",)}


def test_an_unlisted_click_on_the_same_action_holds_up_nothing(engine: sa.Engine) -> None:
    older, _ = clicked_for(engine)
    clicked(engine, a_click())
    assert taken(older) == {"a1": ("ORIGINAL",)}


@pytest.mark.parametrize("count", [2, intake.KNOWN_AT_ONCE + 1])
def test_what_is_tried_again_was_seen_if_the_operation_before_has_seen_it(
    engine: sa.Engine, count: int
) -> None:
    asset_ids = tuple(f"a{number}" for number in range(count))
    _, before = unseen_for(engine, ["a0", "a1", "b"])
    put(engine, before.number, seen=assets.c.asset_id == "a1")
    completion(engine).fail(before.number, "no token is good", NOW)
    again = clicked(engine, a_click(asset_ids=asset_ids), origin=Origin(before.id, "ben"))
    if not again.is_expanded:
        a_ledger(engine).expand(again.number, dict.fromkeys(asset_ids), {})
    claimed = claims_of(engine, again).take(count, NOW)
    assert len(claimed) == count
    assert [each.asset_id for each in claimed if each.seen] == ["a1"]


# Deletions


def test_a_deletion_is_noted_before_it_begins(engine: sa.Engine) -> None:
    claims, operation = clicked_for(engine, action="remove")
    (claimed,) = claims.take(1, NOW)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    noted = AssetProgress(deletions=half_done({"set-1": "ORIGINAL"}))
    assert stands(engine, operation.number)[1] == claimed.progress == noted


@pytest.mark.parametrize("is_known", [True, False])
def test_nothing_is_deleted_once_a_newer_click_may_want_it(
    engine: sa.Engine, is_known: bool
) -> None:
    claims, operation = clicked_for(engine, action="remove")
    (claimed,) = claims.take(1, NOW)
    newer = clicked(engine, a_click("add"))
    if is_known:
        a_ledger(engine).expand(newer.number, dict.fromkeys(["a1"]), {})
    assert not claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    assert claimed.progress == stands(engine, operation.number)[1] == AssetProgress()


def test_a_newer_click_for_another_format_stops_no_deletion(engine: sa.Engine) -> None:
    claims, _ = clicked_for(engine, action="remove", formats=BOTH)
    (claimed,) = claims.take(1, NOW)
    clicked_for(engine, action="add", formats=("PROXY",))
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    assert not claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL", "set-2": "PROXY"}))


def test_a_deletion_that_has_begun_is_brought_to_its_end_whoever_is_newer(
    engine: sa.Engine,
) -> None:
    older, _ = clicked_for(engine, action="remove")
    (claimed,) = older.take(1, NOW)
    older.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    newer, _ = clicked_for(engine, action="add")
    older.recover(NOW)
    assert taken(newer, NOW + GRACE_MS) == {}
    assert older.take(1, NOW + GRACE_MS) == [
        ClaimedAsset("a1", (), AssetProgress(deletions=half_done({"set-1": "ORIGINAL"})))
    ]


def test_accepted_deletions_are_verified_when_they_are_due(engine: sa.Engine) -> None:
    claims, _ = clicked_for(engine, ["a1", "a2", "a3"], action="remove")
    for due, claimed in enumerate(claims.take(3, NOW)):
        claims.note(claimed, "verifying", {"ORIGINAL": REMOVED}, NOW - due)
    assert [each.asset_id for each in claims.accepted(2, NOW)] == ["a3", "a2"]
    assert [each.asset_id for each in claims.accepted(9, NOW - 1)] == ["a3", "a2"]
    (first, *_) = claims.accepted(9, NOW)
    assert (first.formats, first.outcomes["ORIGINAL"][0]) == (("ORIGINAL",), "removed")
    assert claims.take(9, NOW) == []


# Crashes


def test_what_a_killed_process_had_in_hand_is_looked_at_again(engine: sa.Engine) -> None:
    claims, operation = clicked_for(engine)
    claims.take(1, NOW)
    claims.recover(NOW)
    assert taken(claims, NOW) == {}
    assert taken(claims, NOW + GRACE_MS) == {"a1": ("ORIGINAL",)}
    assert stands(engine, operation.number)[0] == "claimed"


def test_what_a_killed_process_had_in_hand_is_looked_at_before_anyone_else_may(
    engine: sa.Engine,
) -> None:
    older, _ = clicked_for(engine)
    older.take(1, NOW)
    newer, _ = clicked_for(engine, action="remove")
    older.recover(NOW)
    assert taken(newer, NOW + GRACE_MS) == {}
    assert taken(older, NOW + GRACE_MS) == {}
    assert taken(newer, NOW + GRACE_MS) == {"a1": ("ORIGINAL",)}


def test_only_what_was_in_hand_is_recovered(engine: sa.Engine) -> None:
    claims, operation = clicked_for(engine, ["a1", "a2"])
    first, second = claims.take(2, NOW)
    claims.note(first, "done", {})
    claims.copies.begin([second], {"job-1": "ORIGINAL"}, NOW)
    claims.recover(NOW)
    states = [stands(engine, operation.number, each)[0] for each in ("a1", "a2")]
    assert states == ["done", "copying"]


def test_what_was_to_be_looked_at_late_is_looked_at_soon_by_the_next_process(
    engine: sa.Engine,
) -> None:
    claims, _ = clicked_for(engine, ["a1", "a2"])
    late, soon = claims.take(2, NOW)
    claims.note(late, "recheck", {}, not_before_ms=NOW + 10 * GRACE_MS)
    claims.note(soon, "recheck", {}, not_before_ms=NOW)
    claims.recover(NOW)
    assert taken(claims, NOW) == {"a2": ("ORIGINAL",)}
    assert taken(claims, NOW + GRACE_MS) == {"a1": ("ORIGINAL",)}


# Copies


def test_copies_are_known_until_they_have_ended(engine: sa.Engine) -> None:
    claims, operation = clicked_for(engine, formats=BOTH)
    (claimed,) = claims.take(1, NOW)
    claims.copies.begin([claimed], {"job-1": "ORIGINAL", "job-2": "PROXY"}, NOW)
    first, second = claims.copies.under_way()
    assert (first, second) == (Copy("job-1", "ORIGINAL", NOW), Copy("job-2", "PROXY", NOW))
    claims.copies.ended(first, {}, "")
    assert claims.copies.under_way() == [second]
    assert stands(engine, operation.number)[0] == "copying"
    claims.copies.ended(second, {}, "")
    assert claims.copies.under_way() == []
    assert stands(engine, operation.number)[0] == "recheck"


def test_a_copy_that_ends_is_of_no_other_batch(engine: sa.Engine) -> None:
    claims, operation = clicked_for(engine, ["a1", "a2"])
    for claimed, job_id in zip(claims.take(2, NOW), ["job-1", "job-2"], strict=True):
        claims.copies.begin([claimed], {job_id: "ORIGINAL"}, NOW)
    claims.copies.ended(claims.copies.under_way()[0], {}, "")
    states = [stands(engine, operation.number, each)[0] for each in ("a1", "a2")]
    assert states == ["recheck", "copying"]


def test_what_went_wrong_is_remembered_asset_by_asset(engine: sa.Engine) -> None:
    claims, operation = clicked_for(engine, ["a1", "a2", "a3"])
    several = claims.take(3, NOW)
    for claimed in several[:2]:
        claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    claims.copies.begin(several, {"job-1": "ORIGINAL"}, NOW)
    claims.copies.ended(Copy("job-1", "ORIGINAL", NOW), {"a1": "no space"}, "it failed")
    asked = [stands(engine, operation.number, each)[1].copy_results for each in ("a1", "a2", "a3")]
    assert asked == [{"ORIGINAL": "no space"}, {"ORIGINAL": "it failed"}, {}]


def test_a_copy_that_went_well_leaves_what_was_said(engine: sa.Engine) -> None:
    claims, operation = clicked_for(engine)
    (claimed,) = claims.take(1, NOW)
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
    claims.copies.begin([claimed], {"job-1": "ORIGINAL"}, NOW)
    claims.copies.ended(Copy("job-1", "ORIGINAL", NOW), {}, "")
    assert stands(engine, operation.number)[1].copy_results == {"ORIGINAL": None}


def test_an_asset_of_which_no_copy_began_is_looked_at_again(engine: sa.Engine) -> None:
    claims, _ = clicked_for(engine)
    (claimed,) = claims.take(1, NOW)
    claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": Reason("iconik refused")})
    claims.copies.begin([claimed], {}, NOW)
    assert claims.take(1, NOW) == [claimed]


def test_an_asset_whose_job_was_followed_to_its_end_before_is_looked_at_again(
    engine: sa.Engine,
) -> None:
    claims, _ = clicked_for(engine, ["a1", "a2"])
    first, second = claims.take(2, NOW)
    claims.copies.begin([first], {"job-1": "ORIGINAL"}, NOW)
    claims.copies.ended(Copy("job-1", "ORIGINAL", NOW), {}, "")
    claims.copies.begin([second], {"job-1": "ORIGINAL"}, NOW)
    assert taken(claims).keys() == {"a1", "a2"}


# Any clicks in any order

ASSETS = ("a1", "a2", "a3")
FORMATS = st.sampled_from([("ORIGINAL",), ("PROXY",), BOTH])


# Actions of which a newer one takes assets over from an older one, the other way round, too.
OPPOSED = ({"add", "remove"}, {"undo", "remove"})


class Hands:
    """An operation, and what a process has of its assets in hand."""

    def __init__(self, operation_id: str, click: CustomAction, claims: Claims) -> None:
        self.id = operation_id
        self.click = click
        self.claims = claims
        self.claimed: list[ClaimedAsset] = []

    @property
    def changes(self) -> bool:
        """Whether it changes anything. Of previews, nobody takes any notice."""
        return self.click.action != "preview"

    def opposes(self, other: "Hands") -> bool:
        return {self.click.action, other.click.action} in OPPOSED


class Clicks(RuleBasedStateMachine):
    """People click, operations go on step by step, and processes die."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        directory = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.engine = self.stack.enter_context(a_database(Path(directory)))
        self.ledger = a_ledger(self.engine)
        self.all: list[Hands] = []
        self.acted: dict[tuple[str, str], int] = {}
        self.now = NOW
        self.jobs = 0
        # What was noted as marked deleted, until somebody has restored it.
        self.marks = set[str]()
        self.made = 0
        self.term = a_term(self.engine)

    @initialize()
    def begin(self) -> None:
        with self.engine.connect() as connection:
            # Nobody pulls the plug of the machine here.
            connection.exec_driver_sql("PRAGMA synchronous=OFF")
        self.crash()

    def operations(self) -> dict[str, Operation]:
        return {operation.id: operation for operation in newest(self.engine, 1000)}

    def operation(self, hands: Hands) -> Operation:
        return self.operations()[hands.id]

    def running(self) -> list[Hands]:
        now = self.operations()
        return [hands for hands in self.all if now[hands.id].ended_ms is None]

    def newer_rivals(self, hands: Hands, formats: Sequence[str]) -> list[Hands]:
        return [
            each
            for each in self.all[self.all.index(hands) + 1 :]
            if set(each.click.formats) & set(formats)
        ]

    def wanted_by_newer(self, hands: Hands, asset_id: str, formats: Sequence[str]) -> bool:
        """Whether a newer operation on the opposite has seen an asset, or still may."""
        return any(
            self.may_want(each, asset_id)
            for each in self.newer_rivals(hands, formats)
            if each.opposes(hands)
        )

    def may_want(self, hands: Hands, asset_id: str) -> bool:
        with self.engine.connect() as connection:
            row = connection.execute(
                sa.select(assets.c.seen, assets.c.state).where(
                    assets.c.number == self.operation(hands).number,
                    assets.c.asset_id == asset_id,
                )
            ).first()
        return row is not None and (row.seen or row.state != "done")

    def act(self, hands: Hands, claimed: ClaimedAsset, formats: Sequence[str]) -> None:
        """Note that an operation changed something: never after a newer one on the opposite did."""
        number = self.all.index(hands)
        for name in formats:
            key = (claimed.asset_id, name)
            last = self.acted.get(key, -1)
            assert last <= number or not self.all[last].opposes(hands)
            self.acted[key] = max(last, number)

    def busy(self) -> list[Hands]:
        return [hands for hands in self.all if hands.claimed]

    def changing(self) -> list[Hands]:
        return [hands for hands in self.busy() if hands.changes]

    def rows_of_others(self, hands: Hands) -> Sequence[Any]:
        """All that is recorded about the assets of the other operations."""
        others = sa.select(assets).where(assets.c.number != self.operation(hands).number)
        with self.engine.connect() as connection:
            return connection.execute(others.order_by(assets.c.number, assets.c.asset_id)).all()

    def waiting(self, hands: Hands) -> int:
        """How many assets of an operation are due."""
        due = sa.select(sa.func.count()).where(
            assets.c.number == self.operation(hands).number,
            assets.c.state.in_(("queued", "recheck")),
            assets.c.not_before_ms <= self.now,
        )
        with self.engine.connect() as connection:
            return int(connection.execute(due).scalar_one())

    def ready(self) -> list[Hands]:
        now = self.operations()
        return [hands for hands in self.running() if now[hands.id].is_expanded]

    def unexpanded(self) -> list[Hands]:
        now = self.operations()
        return [hands for hands in self.running() if not now[hands.id].is_expanded]

    @rule(
        action=st.sampled_from(ACTIONS),
        formats=FORMATS,
        asset_ids=st.sets(st.sampled_from(ASSETS), min_size=1),
        is_listed=st.booleans(),
        data=st.data(),
    )
    def click(
        self,
        action: Any,
        formats: tuple[str, ...],
        asset_ids: set[str],
        is_listed: bool,
        data: st.DataObject,
    ) -> None:
        removes = [each.id for each in self.all if each.click.action == "remove"]
        origin = None
        if action == "undo":
            if not removes:
                return
            origin = Origin(data.draw(st.sampled_from(removes)), "Ada", "undo")
        click = a_click(action, formats=formats, asset_ids=tuple(sorted(asset_ids)))
        digest = f"{action} {formats} {click.asset_ids}"
        operation_id = f"operation-{len(self.all)}"
        with writing(self.engine) as connection:
            again = intake.not_begun(connection, click, digest)
            if again is None:
                intake.record(
                    connection,
                    operation_id,
                    click,
                    digest=digest,
                    sealed="",
                    key="key",
                    now_ms=self.now,
                    origin=origin,
                )
        if again is None:
            claims = Claims(self.engine, found(self.engine, operation_id), self.term)
            self.all.append(Hands(operation_id, click, claims))
            if is_listed:
                self.expand_one(self.all[-1])

    @precondition(lambda self: self.unexpanded())
    @rule(data=st.data())
    def expand(self, data: st.DataObject) -> None:
        self.expand_one(data.draw(st.sampled_from(self.unexpanded())))

    def expand_one(self, hands: Hands) -> None:
        operation = self.operation(hands)
        self.ledger.expand(operation.number, dict.fromkeys(hands.click.asset_ids), {})

    @precondition(lambda self: self.ready())
    @rule(data=st.data(), limit=st.integers(1, 3))
    def take(self, data: st.DataObject, limit: int) -> None:
        self.take_some(data.draw(st.sampled_from(self.ready())), limit)

    def take_some(self, hands: Hands, limit: int) -> None:
        unexpanded, others, waiting = (
            self.unexpanded(),
            self.rows_of_others(hands),
            self.waiting(hands),
        )
        found = hands.claims.take(limit, self.now)
        if not hands.changes:
            # It waits for nobody, and takes nothing from anybody.
            is_stopping = self.operation(hands).stop_ms is not None
            assert len(found) == (0 if is_stopping else min(limit, waiting))
            assert self.rows_of_others(hands) == others
        for claimed in found:
            if hands.click.action == "add":
                # A copy next to what is marked deleted would be purged with it.
                left = self.stored(claimed.asset_id, "marked", only_done=True)
                assert not {each.name for each in left.values()} & set(claimed.formats)
            assert not self.wanted_by_newer(hands, claimed.asset_id, claimed.formats)
            assert all(
                newer not in unexpanded
                for newer in self.newer_rivals(hands, hands.click.formats)
                if newer.opposes(hands)
            )
            hands.claimed.append(claimed)

    @precondition(lambda self: self.ready())
    @rule(data=st.data(), may=st.booleans())
    def see(self, data: st.DataObject, may: bool) -> None:
        """Read what others have in hand, with the rights for it or without."""
        self.see_contested(data.draw(st.sampled_from(self.ready())), may=may)

    def see_contested(self, hands: Hands, *, may: bool) -> None:
        for claimed in hands.claims.contested(1, self.now):
            claimed.seen = may
            hands.claims.note(claimed, "queued" if may else "done", {})

    @precondition(lambda self: self.changing())
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        hands = data.draw(st.sampled_from(self.changing()))
        claimed = hands.claimed[-1]
        claimed.seen = True
        formats = claimed.formats[: data.draw(st.integers(1, 2))]
        if hands.claims.begin_deletions(
            claimed, half_done({f"set-{name}": name for name in formats})
        ):
            assert not self.wanted_by_newer(hands, claimed.asset_id, formats)
            self.act(hands, claimed, formats)

    def stored(self, asset_id: str, where: str, *, only_done: bool = False) -> dict[str, Deletion]:
        """The deletions of an asset that are stored with any operation, by file set id."""
        chosen = sa.select(assets.c.progress).where(assets.c.asset_id == asset_id)
        if only_done:
            chosen = chosen.where(assets.c.state == "done")
        found_here: dict[str, Deletion] = {}
        with self.engine.connect() as connection:
            for progress in connection.execute(chosen).scalars():
                more = getattr(AssetProgress.from_json(progress), where)
                marks = {each: one for each, one in more.items() if each.startswith("mark")}
                # Nobody restores what somebody else restores, too.
                assert not found_here.keys() & marks
                found_here |= marks
        return found_here

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def mark(self, data: st.DataObject) -> None:
        """Leave what is marked deleted to iconik's delete queue."""
        hands = data.draw(st.sampled_from(self.busy()))
        claimed = hands.claimed[-1]
        if hands.click.action != "remove" or claimed.progress.deletions:
            return
        claimed.seen = True
        self.made += 1
        marked = half_done({f"mark-{self.made}-{name}": name for name in claimed.formats})
        window = UndoWindow(self.now, self.now + 1, is_about=False)
        if marked and hands.claims.begin_deletions(claimed, marked, window):
            self.act(hands, claimed, claimed.formats)
            hands.claimed.pop()
            both = {**claimed.progress.marked, **marked}
            claimed.progress = replace(claimed.progress, deletions={}, marked=both)
            hands.claims.note(claimed, "done", {})
            self.marks |= marked.keys()

    @precondition(lambda self: self.busy())
    @rule(
        data=st.data(),
        is_deleted=st.booleans(),
        is_seen=st.booleans(),
        state=st.sampled_from(["done", "recheck", "queued"]),
    )
    def note(self, data: st.DataObject, is_deleted: bool, is_seen: bool, state: str) -> None:
        hands = data.draw(st.sampled_from(self.busy()))
        claimed = hands.claimed.pop()
        claimed.seen = claimed.seen or is_seen
        if is_deleted:
            self.marks -= claimed.progress.deletions.keys()
            claimed.progress = replace(claimed.progress, deletions={})
        is_touched = claimed.progress.deletions or claimed.progress.copy_results
        hands.claims.note(claimed, "recheck" if is_touched and state == "queued" else state, {})

    @precondition(lambda self: self.changing())
    @rule(data=st.data(), has_job=st.booleans())
    def copy(self, data: st.DataObject, has_job: bool) -> None:
        hands = data.draw(st.sampled_from(self.changing()))
        claimed = hands.claimed.pop()
        claimed.seen = True
        self.act(hands, claimed, claimed.formats)
        self.jobs += 1
        claimed.progress = claimed.progress.with_copy_results({"ORIGINAL": None})
        jobs = {f"job-{self.jobs}": "ORIGINAL"} if has_job else {}
        hands.claims.copies.begin([claimed], jobs, self.now)

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def copies_end(self, data: st.DataObject) -> None:
        hands = data.draw(st.sampled_from(self.running()))
        for copy in hands.claims.copies.under_way():
            hands.claims.copies.ended(copy, {"a1": "no space left"}, "")

    @rule()
    def crash(self) -> None:
        self.term = begin_term(self.engine, self.now)
        self.ledger = a_ledger(self.engine)
        for hands in self.all:
            hands.claimed.clear()
            hands.claims = Claims(self.engine, self.operation(hands), self.term)
        for hands in self.running():
            hands.claims.recover(self.now)
        self.now += GRACE_MS

    @precondition(lambda self: self.running())
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        hands = data.draw(st.sampled_from(self.running()))
        assert self.ledger.ask_to_stop(hands.id, "Ada", self.now)
        # What it has in hand is held by this process alone.
        hands.claimed.clear()
        hands.claims.leave()

    @precondition(lambda self: self.running())
    @rule(data=st.data(), is_lost=st.integers(0, 5))
    def end(self, data: st.DataObject, is_lost: int) -> None:
        hands = data.draw(st.sampled_from(self.running()))
        if is_lost == 5:
            hands.claimed.clear()
            completion(self.engine).fail(self.operation(hands).number, "no token is good", self.now)
        elif completion(self.engine).end(self.operation(hands), self.now):
            assert not hands.claimed

    @invariant()
    def no_two_have_the_same_in_hand(self) -> None:
        in_hand = [
            (claimed.asset_id, name)
            for hands in self.changing()
            for claimed in hands.claimed
            for name in {
                *claimed.formats,
                *(each.name for each in claimed.progress.deletions.values()),
            }
        ]
        assert len(in_hand) == len(set(in_hand))

    @invariant()
    def no_mark_is_forgotten_before_it_is_restored(self) -> None:
        known = {
            each
            for asset_id in ASSETS
            for where in ("marked", "deletions")
            for each in self.stored(asset_id, where)
        }
        assert self.marks <= known

    def teardown(self) -> None:
        with self.stack:
            for _ in range(4 * len(self.all) + 4):
                for hands in self.running():
                    self.go_on(hands)
            assert self.ledger.running() == []

    def go_on(self, hands: Hands) -> None:
        """All that an operation can do now."""
        if not self.operation(hands).is_expanded:
            self.expand_one(hands)
        self.see_contested(hands, may=True)
        self.take_some(hands, 2)
        while hands.claimed:
            claimed = hands.claimed.pop()
            claimed.progress = replace(claimed.progress, deletions={})
            hands.claims.note(claimed, "done", {})
        for copy in hands.claims.copies.under_way():
            hands.claims.copies.ended(copy, {}, "")
        completion(self.engine).end(self.operation(hands), self.now)


TestClicks = pytest.mark.full(Clicks.TestCase)
TestClicks.settings = settings(
    max_examples=50,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


# A power cut


@pytest.fixture
def waits_for_disk(engine: sa.Engine) -> list[bool]:
    """Of each commit of the executor's, whether it waited for the disk."""
    seen: list[bool] = []

    @sa.event.listens_for(engine, "commit")
    def look(connection: sa.Connection) -> None:
        sqlite: Any = connection.connection.driver_connection
        seen.append(sqlite.execute("PRAGMA synchronous").fetchone() == (2,))

    with engine.connect() as connection:
        sqlite: Any = connection.connection.driver_connection
        sqlite.execute("PRAGMA synchronous=NORMAL")
    return seen


def test_what_cannot_be_undone_is_on_disk_before_it_is_done(
    engine: sa.Engine, waits_for_disk: list[bool]
) -> None:
    claims, _ = clicked_for(engine, action="remove")
    (claimed,) = claims.take(1, NOW)
    waits_for_disk.clear()
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    claims.begin_copies([(claimed, {})], NOW)
    assert waits_for_disk == [True, True]


def test_what_can_be_found_out_again_does_not_wait_for_the_disk(
    engine: sa.Engine, waits_for_disk: list[bool]
) -> None:
    claims, _ = clicked_for(engine, action="remove")
    (claimed,) = claims.take(1, NOW)
    claims.note(claimed, "done", {"ORIGINAL": REMOVED})
    assert waits_for_disk
    assert not any(waits_for_disk)


# Previews


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("comes_first", [True, False])
def test_a_preview_and_others_take_no_notice_of_each_other(
    engine: sa.Engine, action: Any, comes_first: bool
) -> None:
    first, second = ("preview", action) if comes_first else (action, "preview")
    claims = [clicked_for(engine, action=each)[0] for each in (first, second)]
    assert [taken(each) for each in claims] == [{"a1": ("ORIGINAL",)}] * 2
    assert [each.contested(10, NOW) for each in claims] == [[], []]


@pytest.mark.parametrize("action", ["add", "remove"])
def test_nobody_waits_for_a_preview_whose_assets_are_unknown(
    engine: sa.Engine, action: Any
) -> None:
    claims, _ = clicked_for(engine, action=action)
    clicked(engine, a_click("preview", collection_ids=("c1",)))
    (claimed,) = claims.take(1, NOW)
    assert claims.begin_deletions(claimed, half_done({"fs1": "ORIGINAL"}))


def test_a_preview_takes_no_deletion_over(engine: sa.Engine) -> None:
    remove, operation = clicked_for(engine, action="remove")
    (claimed,) = remove.take(1, NOW)
    remove.begin_deletions(claimed, half_done({"fs1": "ORIGINAL"}))
    remove.note(claimed, "done", {})
    preview, _ = clicked_for(engine, action="preview")
    (mine,) = preview.take(1, NOW)
    assert mine.progress == AssetProgress()
    assert stands(engine, operation.number)[1].deletions.keys() == {"fs1"}


def test_what_an_ended_operation_left_is_restored_while_a_preview_runs(engine: sa.Engine) -> None:
    remove, operation = clicked_for(engine, action="remove")
    (claimed,) = remove.take(1, NOW)
    remove.begin_deletions(claimed, half_done({"fs1": "ORIGINAL"}))
    completion(engine).fail(operation.number, "no token is good", NOW)
    clicked_for(engine, action="preview")
    (left,) = Leftovers(engine, a_term(engine)).of_ended()
    assert left.operation_id == operation.id
