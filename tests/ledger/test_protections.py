"""Protected assets: what a Remove begins for them, also if they are protected meanwhile."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger import protections
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.database import connect, writing
from b2_iconik.ledger.leftovers import Leftovers, is_being_deleted
from b2_iconik.ledger.protections import Protection
from b2_iconik.ledger.taking import SUPERSEDED
from tests.makers import (
    a_click,
    a_ledger,
    a_term,
    claims_of,
    completion,
    expanded,
    found,
    half_done,
)

NOW = 1_000_000
# When 31 December 2026 is over in every time zone.
UNTIL = 1_798_804_800_000
KEPT = Outcome("kept", Reason("protected by Ada until 2026-12-31", Cause.PROTECTED))
BOTH = ("ORIGINAL", "PROXY")
SECONDS = 60.0


def protect(engine: sa.Engine, asset_id: str = "a1") -> None:
    with writing(engine) as connection:
        protections.write(connection, Protection(asset_id, "Beach", NOW, UNTIL, "Ada"))


def clicked_for(
    engine: sa.Engine, asset_ids: Sequence[str] = ("a1",), *, seen: bool = True, **click: Any
) -> tuple[Claims, Operation]:
    """The claims of the newest operation, a Remove if not said otherwise; its assets are listed."""
    given = a_click(**{"action": "remove", **click})
    operation = expanded(engine, given, asset_ids, seen=seen)
    return claims_of(engine, operation), operation


def taken(claims: Claims) -> dict[str, tuple[str, ...]]:
    return {claimed.asset_id: claimed.formats for claimed in claims.take(100, NOW)}


def states(engine: sa.Engine, operation: Operation) -> dict[str, str]:
    chosen = sa.text("SELECT asset_id, state FROM plugin_assets WHERE number = :number")
    with engine.connect() as connection:
        rows = connection.execute(chosen, {"number": operation.number})
        return {row.asset_id: row.state for row in rows}


def outcomes(engine: sa.Engine, operation: Operation) -> Mapping[str, Mapping[str, Outcome]]:
    """The outcomes of an operation, by asset and format."""
    return {each: told for each, _, told in a_ledger(engine).outcomes(operation.number)}


# Claiming


@pytest.mark.parametrize("action", ["remove", "preview"])
def test_a_protected_asset_is_kept_and_the_others_are_taken(engine: sa.Engine, action: str) -> None:
    protect(engine)
    claims, operation = clicked_for(engine, ["a1", "a2"], action=action, formats=BOTH)
    assert taken(claims) == {"a2": BOTH}
    assert states(engine, operation) == {"a1": "done", "a2": "claimed"}
    assert outcomes(engine, operation) == {"a1": {"ORIGINAL": KEPT, "PROXY": KEPT}, "a2": {}}


def test_if_all_assets_are_protected_nothing_is_taken(engine: sa.Engine) -> None:
    protect(engine)
    claims, operation = clicked_for(engine)
    assert claims.is_any_free(NOW)
    assert (taken(claims), states(engine, operation)) == ({}, {"a1": "done"})


def test_an_add_takes_a_protected_asset(engine: sa.Engine) -> None:
    protect(engine)
    claims, _ = clicked_for(engine, action="add")
    assert taken(claims) == {"a1": ("ORIGINAL",)}


def test_an_asset_whose_protection_is_lifted_is_taken(engine: sa.Engine) -> None:
    protect(engine)
    with writing(engine) as connection:
        protections.delete(connection, "a1")
    claims, _ = clicked_for(engine)
    assert taken(claims) == {"a1": ("ORIGINAL",)}


def test_a_protection_counts_until_its_row_is_deleted(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        protections.write(connection, Protection("a1", "", NOW, NOW - 1, "Ada"))
    claims, _ = clicked_for(engine)
    assert taken(claims) == {}


def test_a_later_protection_takes_the_place_of_an_earlier_one(engine: sa.Engine) -> None:
    protect(engine)
    later = Protection("a1", "", NOW, UNTIL + 1, "Ben")
    with writing(engine) as connection:
        protections.write(connection, later)
        assert protections.of(connection, "a1", "a2") == {"a1": later}


def test_all_assets_of_a_batch_are_looked_up_at_once(engine: sa.Engine) -> None:
    claims, _ = clicked_for(engine, [f"a{number}" for number in range(50)])
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("SELECT plugin_protections"):
            asked.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    assert len(taken(claims)) == 50
    assert len(asked) == 1


def test_a_stopped_operation_reports_nothing_of_protected_assets(engine: sa.Engine) -> None:
    protect(engine)
    claims, operation = clicked_for(engine)
    assert a_ledger(engine).ask_to_stop(operation.id, "Ben", NOW)
    assert taken(claims) == {}
    assert outcomes(engine, operation) == {"a1": {}}


# Other operations


def test_a_format_that_a_newer_add_took_over_is_left_to_it(engine: sa.Engine) -> None:
    protect(engine)
    claims, operation = clicked_for(engine, formats=BOTH)
    clicked_for(engine, action="add", formats=("PROXY",))
    assert taken(claims) == {}
    assert outcomes(engine, operation)["a1"] == {"ORIGINAL": KEPT, "PROXY": SUPERSEDED}


def test_a_remove_takes_a_protected_asset_over_from_no_add(engine: sa.Engine) -> None:
    protect(engine)
    add, adding = clicked_for(engine, action="add")
    assert taken(add) == {"a1": ("ORIGINAL",)}
    remove, removing = clicked_for(engine, seen=False)
    assert remove.contested(9, NOW) == []
    assert taken(remove) == {}
    assert outcomes(engine, removing) == {"a1": {"ORIGINAL": KEPT}}
    # The Add goes on.
    add.recover(NOW - 60_000)
    assert taken(add) == {"a1": ("ORIGINAL",)}
    assert outcomes(engine, adding) == {"a1": {}}


def test_a_remove_takes_over_no_copy_of_a_protected_asset(engine: sa.Engine) -> None:
    add, adding = clicked_for(engine, action="add")
    add.copies.begin(add.take(1, NOW), {"job-1": "ORIGINAL"}, NOW)
    a_ledger(engine).ask_to_stop(adding.id, "Ben", NOW)
    add.leave()
    assert completion(engine).end(found(engine, adding.id), NOW)
    protect(engine)
    remove, removing = clicked_for(engine)
    assert taken(remove) == {}
    assert states(engine, removing) == {"a1": "done"}
    assert remove.copies.under_way() == []


def half_deleted(engine: sa.Engine) -> Operation:
    """A Remove that failed and left a deletion unfinished."""
    claims, operation = clicked_for(engine)
    (claimed,) = claims.take(1, NOW)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    completion(engine).fail(operation.number, "no token is good", NOW)
    return found(engine, operation.id)


def test_an_unfinished_deletion_of_a_protected_asset_is_left_to_be_restored(
    engine: sa.Engine,
) -> None:
    failed = half_deleted(engine)
    protect(engine)
    claims, operation = clicked_for(engine)
    assert taken(claims) == {}
    assert outcomes(engine, operation) == {"a1": {"ORIGINAL": KEPT}}
    assert completion(engine).end(operation, NOW)
    (left,) = Leftovers(engine, a_term(engine)).of_ended()
    assert (left.number, list(left.asset.progress.deletions)) == (failed.number, ["set-1"])


# Meanwhile


def a_claim(engine: sa.Engine, **click: Any) -> tuple[Claims, Operation, ClaimedAsset]:
    """A Remove that has claimed its asset."""
    claims, operation = clicked_for(engine, **click)
    (claimed,) = claims.take(1, NOW)
    return claims, operation, claimed


def test_of_an_asset_that_is_protected_after_it_was_claimed_no_deletion_begins(
    engine: sa.Engine,
) -> None:
    claims, operation, claimed = a_claim(engine)
    protect(engine)
    assert not claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    assert claimed.progress.deletions == {}
    claims.note(claimed, "queued", {})
    assert taken(claims) == {}
    assert outcomes(engine, operation) == {"a1": {"ORIGINAL": KEPT}}


def test_a_protection_of_another_asset_is_in_nobodys_way(engine: sa.Engine) -> None:
    claims, _, claimed = a_claim(engine)
    protect(engine, "a2")
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))


def test_a_deletion_that_had_begun_is_finished(engine: sa.Engine) -> None:
    claims, operation, claimed = a_claim(engine, formats=BOTH)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    protect(engine)
    claims.note(claimed, "recheck", {})
    (again,) = claims.take(1, NOW)
    assert (again.formats, list(again.progress.deletions)) == ((), ["set-1"])
    again.progress = AssetProgress()
    claims.note(again, "done", {"ORIGINAL": Outcome("removed")})
    assert outcomes(engine, operation)["a1"] == {"ORIGINAL": Outcome("removed"), "PROXY": KEPT}


def test_a_format_that_was_dealt_with_before_keeps_its_outcome(engine: sa.Engine) -> None:
    claims, operation, claimed = a_claim(engine, formats=BOTH)
    protect(engine)
    claims.note(claimed, "recheck", {"ORIGINAL": Outcome("removed")})
    assert taken(claims) == {}
    assert outcomes(engine, operation)["a1"] == {"ORIGINAL": Outcome("removed"), "PROXY": KEPT}


def test_a_deletion_that_was_taken_over_waits_for_others_as_ever(engine: sa.Engine) -> None:
    half_deleted(engine)
    older, _ = clicked_for(engine)
    newer, operation = clicked_for(engine, ["a1", "a2"])
    assert taken(newer) == {"a2": ("ORIGINAL",)}
    assert taken(older) == {"a1": ("ORIGINAL",)}
    protect(engine)
    assert taken(newer) == {}
    assert states(engine, operation)["a1"] == "queued"


def test_it_is_known_whether_a_deletion_has_begun(engine: sa.Engine) -> None:
    claims, _, claimed = a_claim(engine)
    with engine.connect() as connection:
        assert not is_being_deleted(connection, "a1")
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    with engine.connect() as connection:
        assert (is_being_deleted(connection, "a1"), is_being_deleted(connection, "a2")) == (
            True,
            False,
        )


# At the same time, in two processes


@pytest.fixture
def another(engine: sa.Engine) -> Iterator[sa.Engine]:
    """The same database, as another process opens it."""
    url = engine.url.render_as_string(hide_password=False)
    another = connect(url, SECONDS)
    yield another
    another.dispose()


def test_a_deletion_waits_for_whoever_protects_the_asset_and_then_does_not_begin(
    engine: sa.Engine, another: sa.Engine
) -> None:
    _, operation, claimed = a_claim(engine)
    claims = Claims(another, operation, a_term(engine))
    has_begun: list[bool] = []
    asks = threading.Event()
    sa.event.listen(another, "before_cursor_execute", lambda *_: asks.set())

    def begin() -> None:
        has_begun.append(claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"})))

    thread = threading.Thread(target=begin)
    with writing(engine) as connection:
        protections.write(connection, Protection("a1", "", NOW, UNTIL, "Ada"))
        thread.start()
        assert asks.wait(SECONDS)
    thread.join(SECONDS)
    assert has_begun == [False]


def test_a_person_who_protects_an_asset_waits_for_a_deletion_that_is_just_begun(
    engine: sa.Engine, another: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims, _, claimed = a_claim(engine)
    told: list[bool] = []
    asks = threading.Event()
    sa.event.listen(another, "before_cursor_execute", lambda *_: asks.set())

    def protect_it() -> None:
        with writing(another) as connection:
            protections.write(connection, Protection("a1", "", NOW, UNTIL, "Ada"))
            told.append(is_being_deleted(connection, "a1"))

    thread = threading.Thread(target=protect_it)
    of = protections.of

    def looked_up(connection: sa.Connection, *asset_ids: str) -> dict[str, Protection]:
        looked_up = of(connection, *asset_ids)
        thread.start()
        assert asks.wait(SECONDS)
        return looked_up

    monkeypatch.setattr(protections, "of", looked_up)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL"}))
    thread.join(SECONDS)
    assert told == [True]
