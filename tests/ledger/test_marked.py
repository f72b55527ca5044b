"""What a Remove leaves marked deleted: who takes it over, and how long it can be undone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.click import Action
from b2_iconik.domain.operation import Operation, Origin, UndoWindow
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, Deletion
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.leftovers import Leftovers
from b2_iconik.ledger.tables import assets
from tests import makers
from tests.makers import (
    a_click,
    a_ledger,
    a_term,
    claims_of,
    completion,
    expanded,
    found,
    half_done,
    let_see,
)

NOW, DAY = 1_000_000, 86_400_000
BOTH = ("ORIGINAL", "PROXY")
WINDOW = UndoWindow(NOW, NOW + DAY, is_about=False)


def marked(
    engine: sa.Engine,
    *deletions: Deletion,
    asset_ids: Sequence[str] = ("a1",),
    formats: tuple[str, ...] = BOTH,
) -> Operation:
    """A Remove that has ended, and left the same marked deleted of each of its assets."""
    operation = expanded(engine, a_click("remove", formats=formats), asset_ids)
    claims = claims_of(engine, operation)
    for claimed in claims.take(1000, NOW):
        marks = {f"{claimed.asset_id}-{each.name}": each for each in deletions}
        claimed.progress = AssetProgress(marked=marks)
        outcomes = {each.name: Outcome("removed") for each in deletions}
        claims.note(claimed, "done", outcomes)
    assert completion(engine).end(operation, NOW)
    return found(engine, operation.id)


def clicked(
    engine: sa.Engine,
    action: Action,
    of: str = "",
    asset_ids: Sequence[str] = ("a1",),
    formats: tuple[str, ...] = BOTH,
) -> Operation:
    """A newer operation on such assets.

    Args:
        of: the operation that it undoes, or retries.
    """
    click = a_click(action, formats=formats, asset_ids=tuple(asset_ids))
    operation = makers.clicked(engine, click, origin=Origin(of, "Ada", "undo") if of else None)
    if not operation.is_expanded:
        a_ledger(engine).expand(operation.number, dict.fromkeys(asset_ids), {})
    let_see(engine, operation)
    return operation


def to_restore(engine: sa.Engine, operation: Operation) -> dict[str, list[str]]:
    """What an operation has to restore of each asset that it claims."""
    taken = claims_of(engine, operation).take(1000, NOW)
    return {each.asset_id: sorted(each.progress.unaccepted) for each in taken}


def left(engine: sa.Engine, operation: Operation) -> dict[str, list[str]]:
    """What is still marked deleted by an operation, by asset."""
    rows = a_ledger(engine).outcomes(operation.number)
    return {asset_id: sorted(progress.marked) for asset_id, progress, _ in rows}


ORIGINAL, PROXY = Deletion("ORIGINAL", accepted_ms=NOW), Deletion("PROXY", accepted_ms=NOW)


@pytest.mark.parametrize("action", ["add", "undo"])
def test_what_a_remove_marked_is_taken_over_to_be_restored(
    engine: sa.Engine, action: Action
) -> None:
    remove = marked(engine, ORIGINAL, PROXY)
    second = clicked(engine, action, of=remove.id)
    assert to_restore(engine, second) == {"a1": ["a1-ORIGINAL", "a1-PROXY"]}
    assert left(engine, remove) == {"a1": []}
    ((_, progress, _),) = a_ledger(engine).outcomes(second.number)
    assert sorted(progress.unaccepted) == ["a1-ORIGINAL", "a1-PROXY"]


@pytest.mark.parametrize("is_marked", [True, False])
def test_an_add_that_has_not_seen_the_asset_takes_nothing_over(
    engine: sa.Engine, is_marked: bool
) -> None:
    remove = marked(engine, ORIGINAL)
    if not is_marked:
        begun = AssetProgress(deletions=half_done({"a1-ORIGINAL": "ORIGINAL"}))
        with writing(engine) as connection:
            connection.execute(sa.update(assets).values(progress=begun.as_json()))
    before = list(a_ledger(engine).outcomes(remove.number))
    add = expanded(engine, a_click(formats=BOTH), ["a1"], seen=False)
    (claimed,) = claims_of(engine, add).take(1, NOW)
    assert (claimed.must_be_seen, claimed.progress) == (True, AssetProgress())
    assert list(a_ledger(engine).outcomes(remove.number)) == before


@pytest.mark.parametrize("ll_storage_id", ["storage-ll", "other"])
def test_an_asset_of_which_nothing_is_left_need_not_be_seen_first(
    engine: sa.Engine, ll_storage_id: str
) -> None:
    if ll_storage_id == "other":
        marked(engine, ORIGINAL)
    click = a_click(formats=BOTH, ll_storage_id=ll_storage_id)
    add = expanded(engine, click, ["a1"], seen=False)
    (claimed,) = claims_of(engine, add).take(1, NOW)
    assert not claimed.must_be_seen


def test_what_it_says_about_its_outcome_stays(engine: sa.Engine) -> None:
    remove = marked(engine, ORIGINAL)
    to_restore(engine, clicked(engine, "add"))
    ((_, _, outcomes),) = a_ledger(engine).outcomes(remove.number)
    assert outcomes == {"ORIGINAL": Outcome("removed")}


@pytest.mark.parametrize("action", ["remove", "preview"])
def test_others_leave_it_marked(engine: sa.Engine, action: Action) -> None:
    remove = marked(engine, ORIGINAL)
    assert to_restore(engine, clicked(engine, action)) == {"a1": []}
    assert left(engine, remove) == {"a1": ["a1-ORIGINAL"]}


def test_formats_that_a_click_is_not_about_stay_marked(engine: sa.Engine) -> None:
    remove = marked(engine, ORIGINAL, PROXY)
    add = clicked(engine, "add", formats=("PROXY",))
    assert to_restore(engine, add) == {"a1": ["a1-PROXY"]}
    assert left(engine, remove) == {"a1": ["a1-ORIGINAL"]}


def test_a_click_on_other_formats_takes_nothing_over(engine: sa.Engine) -> None:
    remove = marked(engine, ORIGINAL)
    assert to_restore(engine, clicked(engine, "add", formats=("PROXY",))) == {"a1": []}
    assert left(engine, remove) == {"a1": ["a1-ORIGINAL"]}


def test_what_shares_a_file_with_what_is_added_is_restored_as_a_part_of_it(
    engine: sa.Engine,
) -> None:
    marked(engine, replace(ORIGINAL, shared_with=("PROXY",)))
    add = clicked(engine, "add", formats=("PROXY",))
    (claimed,) = claims_of(engine, add).take(1, NOW)
    assert {each: one.name for each, one in claimed.progress.unaccepted.items()} == {
        "a1-ORIGINAL": "PROXY"
    }


def test_an_add_of_many_assets_requests_no_copy_next_to_a_mark(engine: sa.Engine) -> None:
    ids = [f"a{number:03}" for number in range(50)]
    marked(engine, ORIGINAL, asset_ids=ids)
    add = clicked(engine, "add", asset_ids=ids)
    ready = AssetProgress(format_names={"f": "ORIGINAL"}, ready=("ORIGINAL",), hinted_ms=NOW)
    with writing(engine) as connection:
        hinted = sa.update(assets).where(assets.c.number == add.number)
        connection.execute(hinted.values(progress=ready.as_json()))
    claimed = claims_of(engine, add).take(50, NOW)
    assert [each.asset_id for each in claimed] == ids
    assert all(each.progress.ready == () and each.progress.unaccepted for each in claimed)


def test_what_several_removes_marked_of_an_asset_is_restored_together(engine: sa.Engine) -> None:
    marked(engine, ORIGINAL)
    marked(engine, PROXY)
    assert to_restore(engine, clicked(engine, "add")) == {"a1": ["a1-ORIGINAL", "a1-PROXY"]}


def test_an_undo_leaves_what_another_remove_marked(engine: sa.Engine) -> None:
    first, second = marked(engine, ORIGINAL), marked(engine, PROXY)
    assert to_restore(engine, clicked(engine, "undo", of=second.id)) == {"a1": ["a1-PROXY"]}
    assert left(engine, first) == {"a1": ["a1-ORIGINAL"]}


def test_a_retry_of_an_undo_restores_what_that_had_not_come_to(engine: sa.Engine) -> None:
    remove = marked(engine, ORIGINAL)
    undo = clicked(engine, "undo", of=remove.id)
    a_ledger(engine).ask_to_stop(undo.id, "Ada", NOW)
    claims_of(engine, undo).leave()
    assert completion(engine).end(found(engine, undo.id), NOW)
    assert to_restore(engine, clicked(engine, "undo", of=undo.id)) == {"a1": ["a1-ORIGINAL"]}


def test_an_undo_of_what_is_no_longer_stored_restores_nothing(engine: sa.Engine) -> None:
    remove = marked(engine, ORIGINAL)
    assert to_restore(engine, clicked(engine, "undo", of="forgotten")) == {"a1": []}
    assert left(engine, remove) == {"a1": ["a1-ORIGINAL"]}


@pytest.mark.parametrize("action", ["add", "undo"])
def test_what_a_newer_remove_has_taken_over_stays_marked(engine: sa.Engine, action: Action) -> None:
    remove = marked(engine, ORIGINAL)
    second = clicked(engine, action, of=remove.id)
    newest = clicked(engine, "remove")
    (claimed,) = claims_of(engine, newest).take(1, NOW)
    claims_of(engine, newest).note(claimed, "done", {"ORIGINAL": Outcome("absent")})
    assert to_restore(engine, second) == {}
    assert left(engine, remove) == {"a1": ["a1-ORIGINAL"]}


def test_a_stopped_undo_takes_nothing_more_over(engine: sa.Engine) -> None:
    remove = marked(engine, ORIGINAL)
    undo = clicked(engine, "undo", of=remove.id)
    a_ledger(engine).ask_to_stop(undo.id, "Ada", NOW)
    assert to_restore(engine, undo) == {}
    assert left(engine, remove) == {"a1": ["a1-ORIGINAL"]}


def test_what_an_undo_could_not_restore_is_left_over(engine: sa.Engine) -> None:
    undo = clicked(engine, "undo", of=marked(engine, ORIGINAL).id)
    (claimed,) = claims_of(engine, undo).take(1, NOW)
    claims_of(engine, undo).note(claimed, "done", {})
    assert completion(engine).end(found(engine, undo.id), NOW)
    (one,) = Leftovers(engine, a_term(engine)).of_ended()
    assert (one.action, list(one.asset.progress.unaccepted)) == ("undo", ["a1-ORIGINAL"])


def test_an_undo_does_not_wait_for_a_copy_that_was_left_to_iconik(engine: sa.Engine) -> None:
    remove = expanded(engine, a_click("remove", formats=BOTH), ["a1"])
    claims = claims_of(engine, remove)
    (claimed,) = claims.take(1, NOW)
    claimed.progress = AssetProgress(marked={"fs": ORIGINAL}, copy_results={"PROXY": None})
    claims.copies.begin([claimed], {"job-1": "PROXY"}, NOW)
    completion(engine).fail(remove.number, "no token is good", NOW)
    undo = clicked(engine, "undo", of=remove.id)
    assert to_restore(engine, undo) == {"a1": ["fs"]}


# How long it can be undone


def begun(engine: sa.Engine, **fields: Any) -> tuple[Claims, Operation]:
    operation = expanded(engine, a_click("remove", **fields), ["a1", "a2"])
    return claims_of(engine, operation), operation


def window_after(engine: sa.Engine, *windows: UndoWindow) -> tuple[int | None, bool]:
    """Until when an operation can be undone that marks something at such times."""
    claims, operation = begun(engine)
    (claimed,) = claims.take(1, NOW)
    for window in windows:
        assert claims.begin_deletions(claimed, half_done({"fs": "ORIGINAL"}), window)
    now = found(engine, operation.id)
    return now.undo_until_ms, now.undo_is_about


def test_what_is_purged_at_once_can_not_be_undone(engine: sa.Engine) -> None:
    claims, operation = begun(engine)
    (claimed,) = claims.take(1, NOW)
    assert claims.begin_deletions(claimed, half_done({"fs": "ORIGINAL"}))
    assert found(engine, operation.id).undo_until_ms is None


def test_the_first_mark_decides_until_when_all_can_be_undone(engine: sa.Engine) -> None:
    later = UndoWindow(NOW + 1, NOW + 1 + DAY, is_about=True)
    assert window_after(engine, WINDOW, later) == (NOW + DAY, False)


def test_after_that_the_next_mark_decides(engine: sa.Engine) -> None:
    later = UndoWindow(NOW + DAY, NOW + 2 * DAY, is_about=True)
    assert window_after(engine, WINDOW, later) == (NOW + 2 * DAY, True)


def test_a_deletion_that_is_resumed_does_not_prolong_it(engine: sa.Engine) -> None:
    claims, operation = begun(engine)
    claims.open_window(WINDOW)
    claims.open_window(UndoWindow(NOW + DAY, NOW + 2 * DAY, is_about=True))
    assert found(engine, operation.id).undo_until_ms == NOW + DAY


# Its end


@pytest.mark.parametrize(
    ("moment_ms", "forgotten"), [(NOW + 1, []), (NOW + DAY, []), (NOW + DAY + 1, ["operation-1"])]
)
def test_an_operation_is_not_forgotten_while_it_can_be_undone(
    engine: sa.Engine, moment_ms: int, forgotten: list[str]
) -> None:
    claims, operation = begun(engine)
    claims.open_window(WINDOW)
    completion(engine).fail(operation.number, "no token is good", NOW)
    assert completion(engine).ended_before(moment_ms) == forgotten


def test_a_mark_is_read_back_as_it_was_stored() -> None:
    progress = AssetProgress(marked={"fs": replace(ORIGINAL, shared_with=("PROXY", "WAV"))})
    assert AssetProgress.from_json(progress.as_json()) == progress
