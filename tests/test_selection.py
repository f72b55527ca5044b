"""Which assets a click is about."""

import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import logs
from errors import IconikUnavailable, NotFound, NotPermitted, Stopped, TokenRejected
from paging import Map
from records import Listed
from selection import MOST_FAILURES, Selection
from tests.makers import FakeIconik, a_click


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


def found(iconik: FakeIconik, **selected: Any) -> tuple[list[str], dict[str, str]]:
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
        Selection(a_click(collection_ids=("c1",)), iconik, check).expand()
    assert iconik.calls == [("collection_contents", "c1")]


def test_gone_is_more_than_refused(iconik: FakeIconik) -> None:
    iconik.problems["saved_search_results"] = NotFound("run it", "no such object (404)")
    assert found(iconik, saved_search_ids=("s1",))[1]["saved search s1"].endswith("no more")


def test_what_is_to_be_kept_of_a_listing_is_kept(iconik: FakeIconik) -> None:
    iconik.contents = {"c1": [("assets", "a1", {"title": "One"})]}
    click = a_click(asset_ids=("a0",), collection_ids=("c1",))
    assets, _ = Selection(click, iconik, lambda: None, lambda listed: listed.record).expand()
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

    def found(self) -> tuple[list[str], dict[str, str]]:
        assets, gone = self.selection.expand()
        return list(assets), gone


FAILED = f"iconik answered 500, {MOST_FAILURES} times over"


def test_what_iconik_fails_to_list_is_given_up_after_many_times_and_the_rest_is_listed(
    iconik: FakeIconik,
) -> None:
    iconik.contents = {"c2": [("assets", "a1")]}
    broken = Broken(iconik, "c1")
    broken.fails(MOST_FAILURES - 1)
    reason = (
        f"could not list collection c1: {FAILED}, so nothing in it was done: click again when "
        "iconik lists it"
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
        f"could not list collection c1: {FAILED}, so only 2 of the assets and collections in it "
        "were listed, and done: click again when iconik lists it"
    )
    assert broken.found() == (["a1", "a3"], {"collection c1": reason})


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
