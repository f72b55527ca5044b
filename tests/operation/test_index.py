"""What iconik's search index shows, and what becomes of its failures."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from b2_iconik.operation.deletion import DeletionCapabilities
from b2_iconik.operation.index import Index
from b2_iconik.operation.together import Together
from iconik import Iconik
from iconik_http.errors import (
    IconikError,
    IconikRefused,
    IconikUnavailable,
    NotOffered,
    NotPermitted,
    TokenRejected,
)
from iconik_http.records import Listed
from tests.makers import FakeIconik, a_format, on_b2, on_ll

WAIT = 10


@pytest.fixture
def iconik() -> FakeIconik:
    """An iconik whose index shows two assets."""
    iconik = FakeIconik()
    iconik.shows_files = True
    iconik.titles = {"a1": "beach"}
    iconik.has(on_b2(), on_ll(), asset_id="a1")
    iconik.has(on_b2(), asset_id="a2")
    return iconik


def an_index(iconik: Iconik, together: Together[Listed] | None = None) -> Index:
    return Index(iconik, DeletionCapabilities().search, together or Together())


@pytest.fixture
def index(iconik: FakeIconik) -> Index:
    return an_index(iconik)


def searches(iconik: FakeIconik) -> list[tuple[Any, ...]]:
    return iconik.called("search_assets")


def test_one_request_finds_many_assets(iconik: FakeIconik, index: Index) -> None:
    assert list(index.find(["a1", "a2"])) == ["a1", "a2"]
    assert searches(iconik) == [("search_assets", ["a1", "a2"])]


def test_titles_formats_and_files_are_found(index: Index) -> None:
    found = index.find(["a1"])["a1"]
    assert (found.title, found.formats) == ("beach", [a_format()])
    assert found.files == [on_b2(), on_ll()]


def test_an_asset_that_the_index_does_not_know_is_left_out(index: Index) -> None:
    assert list(index.find(["a1", "unknown"])) == ["a1"]


def test_an_index_that_knows_none_of_them_may_help_with_others(index: Index) -> None:
    assert index.find(["unknown"]) == {}
    assert not index.is_lacking


def test_nothing_is_searched_for_no_ids(iconik: FakeIconik, index: Index) -> None:
    assert index.find([]) == {}
    assert iconik.calls == []


def test_what_others_have_searched_for_at_the_same_time_is_left_out(iconik: FakeIconik) -> None:
    class Crowded(Together[Listed]):
        def ask(
            self, ids: Sequence[str], request: Callable[[Sequence[str]], Mapping[str, Listed]]
        ) -> Mapping[str, Listed]:
            return request([*ids, "a2"])

    assert list(an_index(iconik, Crowded()).find(["a1"])) == ["a1"]


def test_only_what_the_token_of_the_click_may_see_is_found(iconik: FakeIconik) -> None:
    limits: list[bool] = []

    def limited(is_known: Callable[[], bool]) -> Iconik:
        limits.append(is_known())
        return iconik

    iconik.answers_with("limited", limited)
    an_index(iconik).find(["a1"])
    assert limits == [False]


def test_until_it_is_known_whether_the_index_helps_nobody_waits_for_another_search(
    iconik: FakeIconik,
) -> None:
    capabilities, both = DeletionCapabilities(), threading.Barrier(2)
    indexes = [Index(iconik, capabilities.search, Together()) for _ in range(2)]
    search = iconik.search_assets

    def search_with_another(ids: Sequence[str]) -> list[Listed]:
        both.wait(WAIT)
        return search(ids)

    iconik.answers_with("search_assets", search_with_another)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(Index.find, indexes, [["a1"], ["a2"]]))
    assert [list(each) for each in found] == [["a1"], ["a2"]]


# An index that doesn't help


@pytest.mark.parametrize(
    "refusal",
    [
        NotPermitted("search", "it needs can_search"),
        NotOffered("search", "no such path (404)"),
        IconikRefused("search", "no (400)"),
    ],
)
def test_after_a_refusal_nothing_is_searched_for_any_more(
    iconik: FakeIconik, index: Index, refusal: IconikError
) -> None:
    iconik.problems["search_assets"] = refusal
    assert index.find(["a1"]) == {}
    assert index.is_lacking
    iconik.problems.clear()
    assert index.find(["a1"]) == {}
    assert len(searches(iconik)) == 1


def test_an_index_that_shows_no_files_is_searched_once(iconik: FakeIconik, index: Index) -> None:
    iconik.shows_files = False
    index.find(["a1"])
    assert index.is_lacking
    assert index.find(["a1"]) == {}
    assert len(searches(iconik)) == 1


def test_an_index_that_has_shown_files_is_searched_even_if_it_shows_none_of_another_asset(
    iconik: FakeIconik, index: Index
) -> None:
    index.find(["a1"])
    iconik.has(asset_id="a2")
    index.find(["a2"])
    assert not index.is_lacking


def test_what_iconik_has_not_answered_is_searched_for_again(
    iconik: FakeIconik, index: Index
) -> None:
    iconik.problems["search_assets"] = IconikUnavailable("search", "no answer")
    with pytest.raises(IconikUnavailable):
        index.find(["a1"])
    iconik.problems.clear()
    assert list(index.find(["a1"])) == ["a1"]


def test_a_rejected_token_says_nothing_about_the_index(iconik: FakeIconik, index: Index) -> None:
    iconik.problems["search_assets"] = TokenRejected("search", "no token is good (401)")
    with pytest.raises(TokenRejected):
        index.find(["a1"])
    assert not index.is_lacking
