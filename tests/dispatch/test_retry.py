"""Trying again what an operation left undone: with what its click said, as the newest of all."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common.errors import RecordingError, RetryError
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.recorder import LastLook, Recorder
from b2_iconik.dispatch.retry import remove_previewed, try_again
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Operation, Origin
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import begin_term
from tests.makers import a_click, a_ledger, completion, newest

pytestmark = pytest.mark.usefixtures("opened_later")

NOW = 1_000_000
CLICK = a_click(
    "remove",
    formats=("ORIGINAL", "PROXY"),
    asset_ids=("a1", "a2"),
    user_id="u1",
    auth_token="token-of-the-click",
)
DONE = {"ORIGINAL": Outcome("removed"), "PROXY": Outcome("absent")}


@pytest.fixture
def ledger(engine: sa.Engine) -> Ledger:
    return Ledger(engine, begin_term(engine, NOW))


def operation_of(ledger: Ledger, operation_id: str) -> Operation:
    operation = ledger.operation(operation_id)
    assert operation is not None
    return operation


class Desk:
    """Operations that have ended, and what is recorded of them anew."""

    def __init__(self, engine: sa.Engine, recorder: Recorder) -> None:
        self.engine = engine
        self.recorder = recorder

    def ended(
        self,
        outcomes: dict[str, dict[str, Outcome]],
        click: CustomAction = CLICK,
        gone: dict[str, str] | None = None,
    ) -> str:
        """An operation that ended, with these outcomes by asset and format; returns its id."""
        term = begin_term(self.engine, NOW)
        ledger = Ledger(self.engine, term)
        operation_id, _ = self.recorder.record(click)
        operation = operation_of(ledger, operation_id)
        ledger.expand(operation.number, dict.fromkeys(outcomes), gone or {})
        claims = Claims(self.engine, operation, term)
        for claimed in claims.take(len(outcomes), NOW):
            claimed.seen = True
            claims.note(claimed, "done", outcomes[claimed.asset_id])
        assert completion(self.engine).end(operation, NOW)
        return operation_id

    def failed_unlisted(self, click: CustomAction) -> str:
        """The first operation, which failed before its assets were listed; returns its id."""
        operation_id, _ = self.recorder.record(click)
        completion(self.engine).fail(1, "no token is good", NOW)
        return operation_id

    def retried(self, operation_id: str, *, everything: bool = False) -> CustomAction:
        """Try an operation again; returns the click of the new one."""
        second, _ = try_again(self.recorder, operation_id, "Ada", everything=everything)
        return self.recorder.click_of(second)


@pytest.fixture
def desk(engine: sa.Engine, recorder: Recorder) -> Desk:
    return Desk(engine, recorder)


@pytest.mark.parametrize("kind", ["kept", "failed"])
def test_only_what_came_to_nothing_is_tried_again(desk: Desk, kind: str) -> None:
    came_to_nothing = {**DONE, "PROXY": Outcome(kind, Reason("why"))}  # type: ignore[arg-type]
    first = desk.ended({"a1": DONE, "a2": came_to_nothing})
    second, is_new = try_again(desk.recorder, first, "Ada")
    assert is_new
    assert desk.recorder.click_of(second) == replace(CLICK, context="BULK", asset_ids=("a2",))


@pytest.mark.parametrize("kind", ["vanished", "superseded", "without"])
def test_what_cannot_come_to_anything_else_is_not_tried_again(desk: Desk, kind: str) -> None:
    hopeless = {**DONE, "PROXY": Outcome(kind, Reason("why"))}  # type: ignore[arg-type]
    first = desk.ended({"a1": hopeless})
    with pytest.raises(RetryError, match="all of it was done"):
        desk.retried(first)


def test_what_a_stop_left_undone_is_tried_again(desk: Desk) -> None:
    ledger = Ledger(desk.engine, begin_term(desk.engine, NOW))
    first, _ = desk.recorder.record(CLICK)
    operation = operation_of(ledger, first)
    ledger.expand(operation.number, dict.fromkeys(["a1", "a2"]), {})
    claims = Claims(desk.engine, operation, 1)
    claims.note(claims.take(1, NOW)[0], "done", DONE)
    ledger.ask_to_stop(first, "Ada", NOW)
    claims.leave()
    completion(desk.engine).end(operation_of(ledger, first), NOW)
    assert desk.retried(first).asset_ids == ("a2",)


def test_where_nothing_was_listed_the_whole_selection_is_tried_again(desk: Desk) -> None:
    first, _ = desk.recorder.record(CLICK)
    completion(desk.engine).fail(1, "no token is good", NOW)
    assert desk.retried(first) == CLICK


def test_everything_can_be_done_again(desk: Desk) -> None:
    first = desk.ended({"a1": DONE, "a2": DONE})
    assert desk.retried(first, everything=True) == CLICK


def test_what_could_not_be_opened_is_opened_again(desk: Desk) -> None:
    gone = {"collection c1": "no", "saved search s1": "no", "playlist p1": "no"}
    click = replace(CLICK, asset_ids=(), collection_ids=("c1", "c2"), saved_search_ids=("s1",))
    first = desk.ended({"a1": DONE}, click, gone)
    again = desk.retried(first)
    assert (again.asset_ids, again.collection_ids) == ((), ("c1",))
    assert (again.saved_search_ids, again.playlist_ids) == (("s1",), ("p1",))


def test_it_is_told_of_what_it_tries_again_and_who_asked(desk: Desk, ledger: Ledger) -> None:
    first = desk.ended({"a1": {}})
    second, _ = try_again(desk.recorder, first, "Ada")
    operation = operation_of(ledger, second)
    assert (operation.origin, operation.user_id) == (Origin(first, "Ada"), "u1")
    assert operation.number > operation_of(ledger, first).number


def test_what_was_clicked_for_the_opposite_since_is_left_alone(desk: Desk) -> None:
    first = desk.ended({"a1": {}, "a2": {}})
    desk.ended({"a1": {}}, replace(CLICK, action="add", asset_ids=("a1",)))
    assert desk.retried(first).asset_ids == ("a2",)


def test_while_it_is_not_known_what_was_clicked_for_the_opposite_nothing_is_tried_again(
    desk: Desk,
) -> None:
    first = desk.ended({"a1": {}})
    desk.recorder.record(replace(CLICK, action="add", asset_ids=(), collection_ids=("c1",)))
    with pytest.raises(RetryError, match="its assets are not known yet"):
        desk.retried(first)


def test_where_all_was_clicked_for_the_opposite_since_it_says_so(desk: Desk) -> None:
    first = desk.ended({"a1": {}})
    desk.ended({"a1": {}}, replace(CLICK, action="add"))
    with pytest.raises(RetryError, match="done, or the opposite action has been clicked"):
        desk.retried(first)


OPENED = replace(CLICK, asset_ids=(), collection_ids=("c1",), context="COLLECTION")


@pytest.mark.parametrize(
    "selection",
    [
        {"collection_ids": ("c1",)},
        {"saved_search_ids": ("s1",)},
        {"playlist_ids": ("p1",)},
        {"asset_ids": ("a2",), "collection_ids": ("c1",)},
    ],
)
def test_what_was_never_listed_does_not_take_over_from_the_opposite(
    desk: Desk, selection: dict[str, Any]
) -> None:
    click = replace(CLICK, **{"asset_ids": (), **selection})
    first = desk.failed_unlisted(click)
    desk.ended({"a1": DONE}, replace(CLICK, action="add", asset_ids=("a1",)))
    with pytest.raises(RetryError, match="click in iconik instead"):
        desk.retried(first)


def test_what_was_never_listed_does_not_take_over_from_the_opposite_that_runs(desk: Desk) -> None:
    first = desk.failed_unlisted(OPENED)
    desk.recorder.record(replace(OPENED, action="add"))
    with pytest.raises(RetryError, match="click in iconik instead"):
        desk.retried(first)


def test_what_could_not_be_opened_does_not_take_over_from_the_opposite(desk: Desk) -> None:
    first = desk.ended({"a2": DONE}, OPENED, {"collection c1": "no"})
    desk.ended({"a1": DONE}, replace(CLICK, action="add", asset_ids=("a1",)))
    with pytest.raises(RetryError, match="click in iconik instead"):
        desk.retried(first)


def test_what_was_never_listed_is_left_alone_where_the_opposite_was_clicked_for_it_by_name(
    desk: Desk,
) -> None:
    first = desk.failed_unlisted(CLICK)
    desk.ended({"a1": DONE}, replace(CLICK, action="add", asset_ids=("a1",)))
    assert desk.retried(first).asset_ids == ("a2",)


@pytest.mark.parametrize(
    "other",
    [
        {"action": "remove", "asset_ids": ("a1",)},
        {"action": "add", "ll_storage_id": "another"},
        {"action": "add", "formats": ("EDIT_PROXY",)},
    ],
)
def test_what_was_never_listed_is_tried_again_after_a_click_that_is_not_the_opposite(
    desk: Desk, other: dict[str, Any]
) -> None:
    first = desk.failed_unlisted(OPENED)
    desk.recorder.record(replace(CLICK, **other))
    assert desk.retried(first) == OPENED


def test_everything_is_done_again_even_after_the_opposite(desk: Desk) -> None:
    first = desk.failed_unlisted(OPENED)
    desk.recorder.record(replace(OPENED, action="add"))
    assert desk.retried(first, everything=True) == OPENED


class Overtaken(Recorder):
    """A recorder where somebody clicks right before a retry is recorded."""

    click = replace(CLICK, action="add", asset_ids=("a1",))

    def record(
        self, click: CustomAction, origin: Origin | None = None, last_look: LastLook | None = None
    ) -> tuple[str, bool]:
        super().record(self.click)
        return super().record(click, origin, last_look)


@pytest.fixture
def overtaken(settings: Settings) -> Iterator[Recorder]:
    recorder = Overtaken(settings)
    yield recorder
    recorder.close()


def test_the_opposite_that_is_clicked_at_the_very_last_moment_is_not_overlooked(
    desk: Desk, ledger: Ledger, overtaken: Recorder
) -> None:
    first = desk.ended({"a1": {}, "a2": {}})
    with pytest.raises(RetryError, match="clicked just now: try again"):
        try_again(overtaken, first, "Ada")
    assert [operation.action for operation in ledger.running()] == ["add"]


def test_the_opposite_that_is_clicked_once_more_at_the_last_moment_is_not_overlooked(
    desk: Desk, overtaken: Recorder
) -> None:
    first = desk.ended({"a1": {}, "a2": {}})
    opposite, _ = desk.recorder.record(Overtaken.click)
    ledger = a_ledger(desk.engine)
    ledger.expand(operation_of(ledger, opposite).number, dict.fromkeys(["a1"]), {})
    with pytest.raises(RetryError, match="clicked just now: try again"):
        try_again(overtaken, first, "Ada")


@pytest.mark.parametrize(
    "other",
    [
        {"action": "remove", "asset_ids": ("a1",)},
        {"action": "add", "ll_storage_id": "another"},
        {"action": "add", "formats": ("EDIT_PROXY",)},
    ],
)
def test_what_was_clicked_for_something_else_since_is_tried_again(
    desk: Desk, other: dict[str, Any]
) -> None:
    first = desk.ended({"a1": {}, "a2": DONE})
    desk.ended({"a1": {}}, replace(CLICK, **other))
    assert desk.retried(first).asset_ids == ("a1",)


def test_the_same_again_while_it_runs_is_one_operation(desk: Desk) -> None:
    first = desk.ended({"a1": {}})
    second, _ = try_again(desk.recorder, first, "Ada")
    assert try_again(desk.recorder, first, "Grace") == (second, False)


def test_what_runs_is_not_tried_again(desk: Desk) -> None:
    first, _ = desk.recorder.record(CLICK)
    with pytest.raises(RetryError, match="it is still running"):
        desk.retried(first)


def test_what_is_nowhere_is_not_tried_again(desk: Desk) -> None:
    with pytest.raises(RetryError, match="it does not exist"):
        desk.retried("unknown")


def test_what_another_secret_encrypted_is_not_tried_again(desk: Desk, settings: Settings) -> None:
    first = desk.ended({"a1": {}})
    other = Recorder(replace(settings, secret="t" * 32))
    with pytest.raises(RetryError, match="recorded with a different BZ_SHARED_SECRET"):
        try_again(other, first, "Ada")
    other.close()


def test_what_an_older_secret_encrypted_is_tried_again(desk: Desk, settings: Settings) -> None:
    first = desk.ended({"a1": {}})
    newer = Recorder(replace(settings, secret="t" * 32, previous_secret=settings.secret))
    second, _ = try_again(newer, first, "Ada")
    assert newer.click_of(second).auth_token == CLICK.auth_token
    newer.close()


def test_what_cannot_be_written_down_is_not_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = desk.ended({"a1": {}})
    with desk.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON plugin_operations "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    with pytest.raises(RecordingError):
        desk.retried(first)


# Removing what a preview found removable

PREVIEW = replace(CLICK, action="preview", collection_ids=("c1",))
REMOVABLE, UNCOPIED = Outcome("removable"), Outcome("uncopied", Reason("why"))


def test_exactly_what_was_removable_is_removed(desk: Desk) -> None:
    outcomes = {
        "a1": {"ORIGINAL": REMOVABLE, "PROXY": REMOVABLE},
        "a2": {"ORIGINAL": REMOVABLE, "PROXY": UNCOPIED},
        "a3": {"ORIGINAL": Outcome("kept", Reason("why")), "PROXY": Outcome("absent")},
        "a4": {"ORIGINAL": REMOVABLE},
    }
    preview = desk.ended(outcomes, PREVIEW)
    both, original = remove_previewed(desk.recorder, preview, "Ada")
    assert desk.recorder.click_of(both) == replace(CLICK, context="BULK", asset_ids=("a1",))
    assert desk.recorder.click_of(original) == replace(
        CLICK, context="BULK", formats=("ORIGINAL",), asset_ids=("a2", "a4")
    )
    operation = Ledger(desk.engine).operation(both)
    assert operation
    assert operation.origin == Origin(preview, "Ada", "preview")


def test_it_is_removed_only_once(desk: Desk) -> None:
    preview = desk.ended({"a1": {"ORIGINAL": REMOVABLE}}, PREVIEW)
    remove_previewed(desk.recorder, preview, "Ada")
    with pytest.raises(RetryError, match="recorded already"):
        remove_previewed(desk.recorder, preview, "Ben")
    assert len(newest(desk.engine, 9)) == 2


@pytest.mark.parametrize("left", [[], ["a2"]])
def test_what_was_added_since_the_preview_stays(desk: Desk, left: list[str]) -> None:
    outcomes = {each: {"ORIGINAL": REMOVABLE} for each in ["a1", *left]}
    preview = desk.ended(outcomes, PREVIEW)
    add = replace(CLICK, action="add", asset_ids=("a1",))
    desk.ended({"a1": {"ORIGINAL": Outcome("there")}}, add)
    if left:
        (removal,) = remove_previewed(desk.recorder, preview, "Ada")
        assert desk.recorder.click_of(removal).asset_ids == ("a2",)
        return
    with pytest.raises(RetryError, match="nothing removable, or an Add has been clicked"):
        remove_previewed(desk.recorder, preview, "Ada")


def test_an_add_that_is_clicked_just_now_prevents_a_removal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = desk.ended({"a1": {"ORIGINAL": REMOVABLE}}, PREVIEW)
    record_all = desk.recorder.record_all

    def later(clicks: Any, origin: Any, last_look: LastLook) -> Any:
        monkeypatch.undo()
        desk.recorder.record(replace(CLICK, action="add"))
        return record_all(clicks, origin, last_look)

    monkeypatch.setattr(desk.recorder, "record_all", later)
    with pytest.raises(RetryError, match="clicked just now"):
        remove_previewed(desk.recorder, preview, "Ada")


def test_only_an_ended_preview_leads_to_a_removal(desk: Desk) -> None:
    remove = desk.ended({"a1": DONE})
    for operation_id in (remove, "unknown"):
        with pytest.raises(RetryError, match="it is not a preview"):
            remove_previewed(desk.recorder, operation_id, "Ada")
    running, _ = desk.recorder.record(PREVIEW)
    with pytest.raises(RetryError, match="still running"):
        remove_previewed(desk.recorder, running, "Ada")


def test_a_preview_that_found_nothing_leads_to_no_removal(desk: Desk) -> None:
    preview = desk.ended({"a1": {"ORIGINAL": UNCOPIED}}, PREVIEW)
    with pytest.raises(RetryError, match=r"found nothing removable$"):
        remove_previewed(desk.recorder, preview, "Ada")


def test_a_preview_can_be_tried_again(desk: Desk) -> None:
    kept = {"ORIGINAL": Outcome("kept", Reason("why")), "PROXY": REMOVABLE}
    click = replace(PREVIEW, collection_ids=())
    preview = desk.ended({"a1": kept}, click)
    assert desk.retried(preview) == replace(click, context="BULK", asset_ids=("a1",))
