"""Add to LucidLink, from a click to the files."""

import uuid

import pytest

from tests.system.desk import CLIP, Desk, only_problem
from tests.system.media import PROXY, asset, collection

pytestmark = pytest.mark.promise


@pytest.fixture(scope="module")
def desk_environment() -> dict[str, str]:
    """A thousand requests a second, where iconik permits them."""
    return {"ICONIK_REQUESTS_PER_SECOND": "1000"}


def test_add_copies_the_wanted_formats_that_are_not_there_yet_and_asks_for_no_others(
    desk: Desk,
) -> None:
    whole = asset(desk.simulator, "whole", formats=("ORIGINAL", PROXY))
    bare, there = desk.asset(b2=CLIP), desk.asset(b2=CLIP, lucidlink=CLIP)
    report = desk.do("add", whole, bare, there, formats="")
    assert report["counts"] | {"copied": 3, "there": 1, "without": 2} == report["counts"]
    assert desk.on_lucidlink(whole) == ["whole_original.mov", "whole_ppro_proxy.mov"]
    assert desk.on_lucidlink(bare) == ["clip.mov"]
    assert desk.simulator.control("GET", "")["failed_children"] == 0


def test_a_collection_is_opened_to_any_depth_and_each_asset_counts_once(desk: Desk) -> None:
    top = collection(desk.simulator, "top")
    below = collection(desk.simulator, "below", top)
    deep = collection(desk.simulator, "deep", below)
    desk.put_into(deep, top, deep)
    in_two = asset(desk.simulator, "in_two", collection_ids=(below, deep))
    at_the_top = asset(desk.simulator, "at_the_top", collection_ids=(top,))
    assert desk.do("add", collection_ids=[top])["counts"]["assets"] == 2
    for each in (in_two, at_the_top):
        assert len(desk.on_lucidlink(each)) == 1


def test_a_saved_search_selects_what_it_finds(desk: Desk) -> None:
    in_collection, found = desk.asset(b2=CLIP), desk.asset(b2=CLIP)
    contents = [found, desk.collection(in_collection)]
    search = desk.simulator.control("POST", "saved_searches", {"ids": contents})["id"]
    desk.do("add", saved_search_ids=[search])
    for each in (in_collection, found):
        assert desk.on_lucidlink(each) == ["clip.mov"]


def test_what_has_vanished_is_reported_and_the_rest_is_done(desk: Desk) -> None:
    kept, gone, unknown = desk.asset(b2=CLIP), desk.asset(b2=CLIP), str(uuid.uuid4())
    desk.simulator.control("DELETE", f"assets/{gone}")
    report = desk.do("add", kept, gone, collection_ids=[unknown])
    assert desk.on_lucidlink(kept) == ["clip.mov"]
    assert {(each["asset_id"], each["reason"]) for each in report["problems"]} == {
        (gone, "the asset no longer exists in iconik"),
        (f"collection {unknown}", "the collection no longer exists in iconik"),
    }


def test_a_click_on_more_assets_than_are_recorded_at_once_is_done(desk: Desk) -> None:
    # At iconik's own pace this would take half a minute.
    desk.set(rate_limit=100_000, copies_at_once=64)
    fill = {"count": 600, "formats": {"ORIGINAL": 1}, "on": ["b2"]}
    clips = desk.simulator.control("POST", "fill", fill)["asset_ids"]
    assert desk.do("add", *clips)["counts"]["copied"] == 600
    assert len(list(desk.simulator.lucidlink.glob("fill-*/*/*.mov"))) == 600


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("wrong_size", "clip.mov: 150 bytes of 300 bytes arrived on LucidLink"),
        ("wrong_content", "clip.mov arrived on LucidLink with a different checksum: "),
    ],
)
def test_a_copy_that_is_not_as_its_source_is_told(desk: Desk, fault: str, told: str) -> None:
    for storage in ("b2", "lucidlink"):
        desk.simulator.control("PATCH", f"storages/{storage}", {"checksum": "md5"})
    clip = desk.asset(b2=CLIP)
    desk.let_copy(fault, asset_id=clip)
    assert told in only_problem(desk.do("add", clip), "failed")
