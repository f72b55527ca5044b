"""Clicks as they become operations: written down in order, and the same one once."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.click import Action
from b2_iconik.ledger import intake
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.operations import Ledger
from tests.makers import (
    CLICKED,
    a_click,
    a_ledger,
    an_operation,
    answered,
    claims_of,
    completion,
    finish,
    found,
    newest,
)


def test_the_assets_of_a_click_are_known_with_it(engine: sa.Engine) -> None:
    answered(engine, a_click(asset_ids=("a1", "a2")), "first")
    claims = claims_of(engine, found(engine, "first"))
    assert {claimed.asset_id for claimed in claims.take(9, CLICKED)} == {"a1", "a2"}


@pytest.mark.parametrize(
    "selection",
    [
        {"asset_ids": tuple(f"a{number}" for number in range(intake.KNOWN_AT_ONCE + 1))},
        {"asset_ids": ("a1",), "collection_ids": ("c1",)},
        {"asset_ids": ("a1",), "saved_search_ids": ("s1",)},
    ],
)
def test_what_has_to_be_listed_is_not_known_with_the_click(
    engine: sa.Engine, selection: dict[str, Any]
) -> None:
    answered(engine, a_click(**selection), "first")
    assert not found(engine, "first").is_expanded
    assert a_ledger(engine).progress(1) == {}


def test_a_click_is_written_down(engine: sa.Engine) -> None:
    answered(engine, a_click("remove", user_id="u1", asset_ids=("a1",)), "first")
    assert found(engine, "first") == an_operation(
        id="first", action="remove", user_id="u1", recorded_ms=CLICKED, is_expanded=True
    )


def test_what_was_not_committed_is_not_written_down(engine: sa.Engine, ledger: Ledger) -> None:
    def record_and_fail() -> None:
        with writing(engine) as connection:
            intake.record(
                connection, "first", a_click(), digest="d", sealed="", key="key", now_ms=CLICKED
            )
            raise RuntimeError

    with pytest.raises(RuntimeError):
        record_and_fail()
    assert ledger.operation("first") is None


def test_later_clicks_have_higher_numbers(engine: sa.Engine, ledger: Ledger) -> None:
    for name in ("first", "second", "third"):
        answered(engine, a_click(), name, digest=name)
    assert [each.id for each in ledger.running()] == ["first", "second", "third"]
    assert [each.id for each in newest(engine, 2)] == ["third", "second"]


def test_a_number_is_never_given_twice(engine: sa.Engine, ledger: Ledger) -> None:
    answered(engine, a_click(), "first")
    finish(engine, "first")
    completion(engine).forget(["first"])
    answered(engine, a_click(), "second")
    assert found(engine, "second").number == 2


def test_the_same_click_before_anything_of_it_has_begun_is_one_operation(
    engine: sa.Engine,
) -> None:
    assert answered(engine, a_click(), "first") == answered(engine, a_click(), "second") == "first"


@pytest.mark.parametrize(
    "begin",
    [
        lambda engine: a_ledger(engine).expand(1, dict.fromkeys(["a1"]), {}),
        lambda engine: a_ledger(engine).note_job(1, ""),
        lambda engine: finish(engine, "first"),
    ],
    ids=["its assets are known", "it can be aborted in iconik", "it has ended"],
)
def test_the_same_click_once_it_has_begun_is_another_operation(
    engine: sa.Engine, begin: Callable[[sa.Engine], object]
) -> None:
    answered(engine, a_click(), "first")
    begin(engine)
    assert answered(engine, a_click(), "second") == "second"


def test_a_click_that_asks_for_something_else_is_another_operation(engine: sa.Engine) -> None:
    answered(engine, a_click(), "first", digest="one")
    assert answered(engine, a_click(), "second", digest="other") == "second"


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("has_ended", [True, False])
def test_a_click_repeats_nothing_once_something_else_was_clicked(
    engine: sa.Engine, has_ended: bool, action: Action
) -> None:
    answered(engine, a_click("add"), "first")
    answered(engine, a_click(action), "second", digest="else")
    if has_ended:
        finish(engine, "second")
    assert answered(engine, a_click("add"), "third") == "third"


def test_a_click_repeats_another_whatever_was_clicked_about_another_storage(
    engine: sa.Engine,
) -> None:
    answered(engine, a_click("add"), "first")
    answered(engine, a_click("remove", ll_storage_id="other"), "second", digest="else")
    assert answered(engine, a_click("add"), "third") == "first"


@pytest.mark.parametrize("action", ["add", "remove"])
def test_a_preview_in_between_does_not_make_a_repeated_click_another(
    engine: sa.Engine, action: Any
) -> None:
    click = a_click(action, collection_ids=("c1",))
    first = answered(engine, click, "first", "same")
    answered(engine, a_click("preview", collection_ids=("c1",)), "preview", "other")
    assert answered(engine, click, "second", "same") == first
    preview = a_click("preview", collection_ids=("c1",))
    assert answered(engine, preview, "again", "other") == "preview"
