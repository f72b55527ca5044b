"""Which assets a click is about."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from b2_iconik.common.errors import Stopped
from b2_iconik.common.worker_pool import WorkerPool
from b2_iconik.domain.progress import Hint
from b2_iconik.domain.reasons import Reason
from b2_iconik.operation.selection import FEW, MOST_FAILURES, MOST_INCOMPLETE, Selection
from iconik_http.errors import (
    IconikRefused,
    IconikUnavailable,
    Incomplete,
    NotPermitted,
    TokenRejected,
)
from iconik_http.paging import Map
from iconik_http.records import Listed
from tests.makers import FakeIconik, a_click


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


def found(iconik: FakeIconik, **selected: Any) -> tuple[list[str], dict[str, Reason]]:
    """The ids of the assets, and what could not be opened."""
    assets, gone = Selection(a_click(**selected), iconik, lambda: None).expand()
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


def test_playlists_are_opened(iconik: FakeIconik) -> None:
    iconik.contents = {"p1": [("assets", "a1"), ("segments", "a1"), ("assets", "a2")]}
    assert found(iconik, playlist_ids=("p1",)) == (["a1", "a2"], {})
    assert iconik.calls == [("playlist_items", "p1")]


def test_what_is_neither_asset_nor_collection_is_counted_and_told(iconik: FakeIconik) -> None:
    others = [("playlists", "p1"), ("playlists", "p2"), ("assets", ""), ("None", "none")]
    iconik.contents = {"s1": [*others, ("assets", "a1")]}
    reason = (
        "4 of 5 results are not assets and were left out: playlists (2), assets without id (1), "
        "None (1)"
    )
    assert found(iconik, saved_search_ids=("s1",)) == (["a1"], {"saved search s1": reason})


def test_one_thing_that_is_left_out_is_told_as_one(iconik: FakeIconik) -> None:
    iconik.contents = {"c1": [("sequences", "s1")]}
    reason = "1 of 1 results is not an asset and was left out: sequences (1)"
    assert found(iconik, collection_ids=("c1",)) == ([], {"collection c1": reason})


def test_of_what_is_left_out_only_some_types_are_named_and_not_at_length(
    iconik: FakeIconik,
) -> None:
    types = [*("abcdef"), "x" * 100, "\x1b[31m", "\x1b[31m"]
    iconik.contents = {"c1": [(each, "x") for each in types]}
    reason = found(iconik, collection_ids=("c1",))[1]["collection c1"]
    assert reason.endswith("left out: unknown type (2), a (1), b (1), c (1), d (1), …")
    iconik.contents = {"c1": [("x" * 100, "x")]}
    assert found(iconik, collection_ids=("c1",))[1]["collection c1"].endswith(f" {'x' * 40} (1)")


def test_of_a_segment_nothing_is_kept_of_the_listing(iconik: FakeIconik) -> None:
    iconik.contents = {"s1": [("segments", "a1", {"title": "A part"})]}
    click = a_click(saved_search_ids=("s1",))
    assert Selection(click, iconik, lambda: None).expand()[0] == {"a1": None}


def test_what_is_kept_of_an_asset_is_not_lost_to_a_segment_of_it(iconik: FakeIconik) -> None:
    iconik.contents = {"s1": [("assets", "a1", {"title": "One"}), ("segments", "a1")]}
    click = a_click(saved_search_ids=("s1",))
    assert Selection(click, iconik, lambda: None).expand()[0] == {"a1": Hint("One")}


def test_a_search_that_may_have_more_results_than_iconik_lists_is_told(
    iconik: FakeIconik, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("b2_iconik.operation.selection.SEARCH_WINDOW", 2)
    iconik.contents = {"s1": [("assets", "a1"), ("assets", "a2")]}
    assets, gone = found(iconik, saved_search_ids=("s1",))
    assert assets == ["a1", "a2"]
    assert "iconik lists at most 2 results" in gone["saved search s1"]
    iconik.contents["s1"].append(("assets", "a3"))
    assert found(iconik, saved_search_ids=("s1",)) == (["a1", "a2", "a3"], {})


def test_a_collection_that_is_gone_is_told_and_the_rest_is_listed(iconik: FakeIconik) -> None:
    iconik.contents = {"c1": [("collections", "c2"), ("assets", "a1")]}
    gone = {"collection c2": "the collection no longer exists in iconik"}
    assert found(iconik, collection_ids=("c1",)) == (["a1"], gone)


@pytest.mark.parametrize(
    ("field", "kind"), [("saved_search_ids", "saved search"), ("playlist_ids", "playlist")]
)
def test_what_else_is_gone_is_told(iconik: FakeIconik, field: str, kind: str) -> None:
    gone = {f"{kind} x1": f"the {kind} no longer exists in iconik"}
    assert found(iconik, **{field: ("x1",)}) == ([], gone)


def test_a_collection_that_may_not_be_seen_is_told(iconik: FakeIconik) -> None:
    iconik.problems["collection_contents"] = NotPermitted("list it", "it needs a role")
    told = "the person who clicked may not list it: ask an iconik administrator for access"
    gone = {"collection c1": f"{told} (it needs a role)"}
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
        Selection(a_click(collection_ids=("c1",)), iconik, check).expand()
    assert iconik.calls == [("collection_contents", "c1")]


def test_what_is_to_be_kept_of_a_listing_is_kept(iconik: FakeIconik) -> None:
    iconik.contents = {"c1": [("assets", "a1", {"title": "One"})]}
    click = a_click(asset_ids=("a0",), collection_ids=("c1",))
    assets, _ = Selection(click, iconik, lambda: None).expand()
    assert assets == {"a0": None, "a1": Hint("One")}


def test_many_collections_are_opened_side_by_side(iconik: FakeIconik) -> None:
    ids = tuple(f"c{n}" for n in range(FEW + 1))
    together = threading.Barrier(len(ids))

    def collection_contents(collection_id: str, _: Any) -> list[Listed]:
        together.wait(10)
        return [Listed("assets", f"in-{collection_id}")]

    iconik.answers_with("collection_contents", collection_contents)
    with WorkerPool(len(ids)).share() as pool:
        selection = Selection(
            a_click(collection_ids=ids), iconik, lambda: None, side_by_side=pool.map
        )
        assert list(selection.expand()[0]) == [f"in-{each}" for each in ids]


def test_the_pages_of_a_few_collections_are_listed_side_by_side(iconik: FakeIconik) -> None:
    together = threading.Barrier(3)

    def collection_contents(collection_id: str, side_by_side: Map) -> list[Listed]:
        list(side_by_side(lambda _: {"waited": together.wait(10)}, [1, 2, 3]))
        return []

    iconik.answers_with("collection_contents", collection_contents)
    with WorkerPool(3).share() as pool:
        selection = Selection(
            a_click(collection_ids=("c1",)), iconik, lambda: None, side_by_side=pool.map
        )
        assert selection.expand() == ({}, {})


# What iconik fails to list


class Broken:
    """A selection of which iconik fails to list some collections, until they are mended.

    Attributes:
        listed_first: what iconik lists of a broken collection before it fails.
    """

    def __init__(self, iconik: FakeIconik, *broken: str) -> None:
        self.iconik = iconik
        self.broken = set(broken)
        self.listed_first: list[Listed] = []
        self._contents = iconik.collection_contents
        iconik.collection_contents = self._list  # type: ignore[method-assign]
        self.selection = Selection(a_click(collection_ids=("c1", "c2")), iconik, lambda: None)

    def _list(self, collection_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        if collection_id not in self.broken:
            yield from self._contents(collection_id, side_by_side)
            return
        yield from self.listed_first
        raise IconikUnavailable(f"list collection {collection_id}", "iconik answered 500")

    def fails(self, times: int) -> None:
        """Have iconik fail so often."""
        for _ in range(times):
            with pytest.raises(IconikUnavailable):
                self.selection.expand()

    def found(self) -> tuple[list[str], dict[str, Reason]]:
        assets, gone = self.selection.expand()
        return list(assets), gone


FAILED = f"iconik answered 500 ({MOST_FAILURES} attempts)"


def test_what_iconik_fails_to_list_is_given_up_after_many_times_and_the_rest_is_listed(
    iconik: FakeIconik,
) -> None:
    iconik.contents = {"c2": [("assets", "a1")]}
    broken = Broken(iconik, "c1")
    broken.fails(MOST_FAILURES - 1)
    reason = (
        f"could not list collection c1: {FAILED}, so nothing in it was processed: click again when "
        "iconik can list it"
    )
    assert broken.found() == (["a1"], {"collection c1": reason})


def test_what_was_listed_before_iconik_failed_is_taken_and_told_to_be_a_part(
    iconik: FakeIconik,
) -> None:
    iconik.contents = {"c2": [], "c3": [("assets", "a3")]}
    broken = Broken(iconik, "c1")
    broken.listed_first = [Listed("assets", "a1"), Listed("collections", "c3")]
    broken.fails(MOST_FAILURES - 1)
    reason = (
        f"could not list collection c1: {FAILED}, so only 2 of its assets and collections "
        "could be processed: click again when iconik can list it"
    )
    assert broken.found() == (["a1", "a3"], {"collection c1": reason})


def test_what_is_refused_half_way_is_told_to_be_a_part(iconik: FakeIconik) -> None:
    def refuse(_: str, __: Map) -> Iterator[Listed]:
        yield Listed("assets", "a1")
        raise IconikRefused("run saved search s1", "iconik answered 400: window too large")

    iconik.answers_with("saved_search_results", refuse)
    reason = (
        "could not run saved search s1: iconik answered 400: window too large, so only 1 of its "
        "assets and collections could be processed"
    )
    assert found(iconik, saved_search_ids=("s1",)) == (["a1"], {"saved search s1": reason})


def test_a_list_that_stays_incomplete_is_taken_soon_and_told_to_be_a_part(
    iconik: FakeIconik,
) -> None:
    def end_early(collection_id: str, _: Map) -> Iterator[Listed]:
        yield Listed("assets", "a1")
        lack = "the list is incomplete: 1 of 2 objects"
        raise Incomplete(f"list collection {collection_id}", lack)

    iconik.answers_with("collection_contents", end_early)
    selection = Selection(a_click(collection_ids=("c1",)), iconik, lambda: None)
    for _ in range(MOST_INCOMPLETE - 1):
        with pytest.raises(Incomplete):
            selection.expand()
    reason = (
        "could not list collection c1: the list is incomplete: 1 of 2 objects "
        f"({MOST_INCOMPLETE} attempts), so only 1 of its assets and collections "
        "could be processed: "
        "click again when iconik can list it"
    )
    assert selection.expand() == ({"a1": Hint()}, {"collection c1": reason})


def test_what_iconik_fails_to_list_side_by_side_is_given_up_together(iconik: FakeIconik) -> None:
    broken = Broken(iconik, "c1", "c2")
    broken.fails(MOST_FAILURES - 1)
    assert list(broken.found()[1]) == ["collection c1", "collection c2"]


def test_while_iconik_is_away_nothing_is_given_up(iconik: FakeIconik) -> None:
    broken = Broken(iconik, "c1")
    iconik.problems["storage"] = IconikUnavailable("read storage", "iconik answered 503")
    broken.fails(2 * MOST_FAILURES)
    iconik.problems.clear()
    broken.fails(MOST_FAILURES - 1)


def test_only_failures_in_a_row_count(iconik: FakeIconik) -> None:
    iconik.contents = {"c1": [], "c2": []}
    broken = Broken(iconik, "c1")
    broken.fails(MOST_FAILURES - 1)
    broken.broken = {"c2"}
    broken.fails(1)
    broken.broken = {"c1"}
    broken.fails(MOST_FAILURES - 1)
