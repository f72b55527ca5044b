"""Undoing a Remove: recorded like a click, for what it has left marked deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.common.errors import RetryError
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.dispatch.retry import undo_removal
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Origin, UndoWindow
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress
from b2_iconik.ledger.tables import assets
from tests.makers import a_click, a_ledger, claims_of, completion, found, half_done

pytestmark = pytest.mark.usefixtures("opened_later")

NOW = 1_000_000
CLICK = a_click(
    "remove",
    formats=("ORIGINAL", "PROXY"),
    collection_ids=("c1",),
    user_id="u1",
    auth_token="token-of-the-click",
)


def removed(
    engine: sa.Engine,
    recorder: Recorder,
    marked: Mapping[str, Sequence[str]],
    click: CustomAction = CLICK,
    *,
    has_window: bool = True,
) -> str:
    """The id of a Remove that has ended, and left these formats of its assets marked deleted."""
    operation_id, _ = recorder.record(click)
    a_ledger(engine).expand(found(engine, operation_id).number, dict.fromkeys(marked), {})
    operation = found(engine, operation_id)
    claims = claims_of(engine, operation)
    for claimed in claims.take(100, NOW):
        names = {f"{claimed.asset_id}-{name}": name for name in marked[claimed.asset_id]}
        claimed.progress = AssetProgress(marked=half_done(names))
        claimed.seen = True
        claims.note(claimed, "done", {"ORIGINAL": Outcome("removed")})
    if has_window:
        claims.open_window(UndoWindow(NOW, NOW + 1, is_about=False))
    assert completion(engine).end(operation, NOW)
    return operation_id


def test_exactly_what_is_left_marked_is_undone(engine: sa.Engine, recorder: Recorder) -> None:
    marked = {"a1": ["PROXY", "ORIGINAL"], "a2": ["PROXY"], "a3": [], "a4": ["PROXY"]}
    remove = removed(engine, recorder, marked)
    both, proxies = undo_removal(recorder, remove, "Ada")
    undo = replace(CLICK, action="undo", context="BULK", collection_ids=(), asset_ids=("a1",))
    assert recorder.click_of(both) == undo
    assert recorder.click_of(proxies) == replace(undo, formats=("PROXY",), asset_ids=("a2", "a4"))
    assert found(engine, both).origin == Origin(remove, "Ada", "undo")


def test_an_asset_whose_progress_only_mentions_marks_is_left_out(
    engine: sa.Engine, recorder: Recorder
) -> None:
    remove = removed(engine, recorder, {"a1": ["ORIGINAL"], "a2": []})
    named_so = AssetProgress(format_names={"f1": "marked"})
    with engine.begin() as connection:
        this = sa.update(assets).where(assets.c.asset_id == "a2")
        connection.execute(this.values(progress=named_so.as_json()))
    (undo,) = undo_removal(recorder, remove, "Ada")
    assert recorder.click_of(undo).asset_ids == ("a1",)


def test_an_undo_may_use_the_application_s_token_for_what_the_remove_has_seen(
    engine: sa.Engine, recorder: Recorder
) -> None:
    (undo,) = undo_removal(recorder, removed(engine, recorder, {"a1": ["ORIGINAL"]}), "Ada")
    operation = found(engine, undo)
    a_ledger(engine).expand(operation.number, {"a1": None}, {})
    (claimed,) = claims_of(engine, found(engine, undo)).take(1, NOW)
    assert claimed.seen


def test_an_undo_is_recorded_once_while_it_runs(engine: sa.Engine, recorder: Recorder) -> None:
    remove = removed(engine, recorder, {"a1": ["ORIGINAL"]})
    undo_removal(recorder, remove, "Ada")
    with pytest.raises(RetryError, match="it is already being undone"):
        undo_removal(recorder, remove, "Grace")


def test_what_runs_is_not_undone(engine: sa.Engine, recorder: Recorder) -> None:
    remove, _ = recorder.record(CLICK)
    with pytest.raises(RetryError, match="it is still running"):
        undo_removal(recorder, remove, "Ada")


def test_only_a_remove_is_undone(engine: sa.Engine, recorder: Recorder) -> None:
    add = removed(engine, recorder, {"a1": []}, replace(CLICK, action="add"))
    for operation_id in (add, "unknown"):
        with pytest.raises(RetryError, match="it is not a Remove"):
            undo_removal(recorder, operation_id, "Ada")


@pytest.mark.parametrize(
    ("has_window", "why"),
    [(True, "later operations have taken all of it over"), (False, "purged at once")],
)
def test_why_nothing_is_left_to_undo_is_told(
    engine: sa.Engine, recorder: Recorder, has_window: bool, why: str
) -> None:
    remove = removed(engine, recorder, {"a1": []}, has_window=has_window)
    with pytest.raises(RetryError, match=why):
        undo_removal(recorder, remove, "Ada")
