"""Which assets a click is about."""

import contextvars
import threading
from typing import Any

import pytest

import logs
from errors import IconikUnavailable, NotFound, NotPermitted, Stopped, TokenRejected
from paging import Map
from records import Listed
from selection import expand
from tests.makers import FakeIconik, a_click


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


def found(iconik: FakeIconik, **selected: Any) -> tuple[list[str], dict[str, str]]:
    """The ids of the assets, and what could not be opened."""
    assets, gone = expand(a_click(**selected), iconik, lambda: None)
    return list(assets), gone


def test_selected_assets_are_themselves(iconik: FakeIconik) -> None:
    assert found(iconik, asset_ids=("a2", "a1")) == (["a2", "a1"], {})
    assert iconik.calls == []


def test_collections_are_opened_to_any_depth(iconik: FakeIconik) -> None:
    iconik.contents = {
        "c1": [("assets", "a1"), ("collections", "c2")],
        "c2": [("collections", "c3")],
        "c3": [("assets", "a2")],
    }
    assert found(iconik, collection_ids=("c1",)) == (["a1", "a2"], {})


def test_an_asset_in_many_places_is_listed_once(iconik: FakeIconik) -> None:
    iconik.contents = {"c1": [("assets", "a1")], "c2": [("assets", "a1")], "s1": [("assets", "a1")]}
    selected = {
        "asset_ids": ("a1",),
        "collection_ids": ("c1", "c2"),
        "saved_search_ids": ("s1",),
    }
    assert found(iconik, **selected) == (["a1"], {})


def test_a_collection_within_itself_is_opened_once(iconik: FakeIconik) -> None:
    iconik.contents = {
        "c1": [("collections", "c2")],
        "c2": [("collections", "c1"), ("assets", "a1")],
    }
    assert found(iconik, collection_ids=("c1", "c2")) == (["a1"], {})
    assert len(iconik.calls) == 2


def test_collections_that_a_saved_search_finds_are_opened(iconik: FakeIconik) -> None:
    iconik.contents = {"s1": [("collections", "c1")], "c1": [("assets", "a1")]}
    assert found(iconik, saved_search_ids=("s1",)) == (["a1"], {})


def test_what_is_neither_asset_nor_collection_is_passed_over(iconik: FakeIconik) -> None:
    iconik.contents = {"s1": [("segments", "x"), ("None", "none"), ("assets", "a1")]}
    assert found(iconik, saved_search_ids=("s1",)) == (["a1"], {})


def test_a_collection_that_is_gone_is_told_and_the_rest_is_listed(iconik: FakeIconik) -> None:
    iconik.contents = {"c1": [("collections", "c2"), ("assets", "a1")]}
    gone = {"collection c2": "iconik knows the collection no more"}
    assert found(iconik, collection_ids=("c1",)) == (["a1"], gone)


def test_a_saved_search_that_is_gone_is_told(iconik: FakeIconik) -> None:
    gone = {"saved search s1": "iconik knows the saved search no more"}
    assert found(iconik, saved_search_ids=("s1",)) == ([], gone)


def test_a_collection_that_may_not_be_seen_is_told(iconik: FakeIconik) -> None:
    iconik.problems["collection_contents"] = NotPermitted("list it", "it needs a role")
    gone = {"collection c1": "could not list it: it needs a role"}
    assert found(iconik, collection_ids=("c1",)) == ([], gone)


@pytest.mark.parametrize("problem", [TokenRejected, IconikUnavailable])
def test_a_selection_is_never_cut_short_in_silence(
    iconik: FakeIconik, problem: type[TokenRejected | IconikUnavailable]
) -> None:
    iconik.problems["collection_contents"] = problem("list it", "no")
    with pytest.raises(problem):
        found(iconik, collection_ids=("c1",))


def test_it_can_be_stopped_before_each_collection(iconik: FakeIconik) -> None:
    def check() -> None:
        if iconik.calls:
            raise Stopped

    iconik.contents = {"c1": [("collections", "c2")]}
    with pytest.raises(Stopped):
        expand(a_click(collection_ids=("c1",)), iconik, check)
    assert iconik.calls == [("collection_contents", "c1")]


def test_gone_is_more_than_refused(iconik: FakeIconik) -> None:
    iconik.problems["saved_search_results"] = NotFound("run it", "no such object (404)")
    assert found(iconik, saved_search_ids=("s1",))[1]["saved search s1"].endswith("no more")


def test_what_is_to_be_kept_of_a_listing_is_kept(iconik: FakeIconik) -> None:
    iconik.contents = {"c1": [("assets", "a1", {"title": "One"})]}
    click = a_click(asset_ids=("a0",), collection_ids=("c1",))
    assets, _ = expand(click, iconik, lambda: None, lambda listed: listed.record)
    assert assets == {"a0": {}, "a1": {"title": "One"}}


def test_collections_are_opened_side_by_side(
    iconik: FakeIconik, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(3)

    def collection_contents(collection_id: str, _: Any) -> list[Listed]:
        together.wait(10)
        return [Listed("assets", f"in-{collection_id}")]

    monkeypatch.setattr(iconik, "collection_contents", collection_contents)
    assert found(iconik, collection_ids=("c1", "c2", "c3"))[0] == ["in-c1", "in-c2", "in-c3"]


def test_lines_of_the_log_name_the_operation_whoever_writes_them(
    iconik: FakeIconik, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[dict[str, Any]] = []

    def collection_contents(_: str, side_by_side: Map) -> list[Listed]:
        named.extend(side_by_side(lambda _: {"name": logs.operation_id.get()}, [1]))
        named.append({"name": logs.operation_id.get()})
        return []

    monkeypatch.setattr(iconik, "collection_contents", collection_contents)
    contextvars.copy_context().run(
        lambda: (logs.operation_id.set("mine"), found(iconik, collection_ids=("c1",)))
    )
    assert named == [{"name": "mine"}, {"name": "mine"}]
