"""Which assets a click is about."""

from typing import Any

import pytest

from errors import IconikUnavailable, NotFound, NotPermitted, Stopped, TokenRejected
from selection import expand
from tests.makers import FakeIconik, a_click


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


def found(iconik: FakeIconik, **selected: Any) -> tuple[list[str], dict[str, str]]:
    return expand(a_click(**selected), iconik, lambda: None)


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


def test_it_can_be_stopped_before_each_request(iconik: FakeIconik) -> None:
    def check() -> None:
        if iconik.calls:
            raise Stopped

    iconik.contents = {"c1": []}
    with pytest.raises(Stopped):
        expand(a_click(collection_ids=("c1", "c2")), iconik, check)
    assert len(iconik.calls) == 1


def test_gone_is_more_than_refused(iconik: FakeIconik) -> None:
    iconik.problems["saved_search_results"] = NotFound("run it", "no such object (404)")
    assert found(iconik, saved_search_ids=("s1",))[1]["saved search s1"].endswith("no more")
