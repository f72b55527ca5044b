"""Listings that lag, lack fields or are wrong save requests, and nothing else rests on them."""

import pytest

from tests.system.desk import CLIP, EDITED, Desk, only_problem

pytestmark = pytest.mark.promise

OTHER = [{"name": "clip.mov", "content": "another cut"}]


@pytest.fixture(autouse=True)
def listings_show_formats_and_files(desk: Desk) -> None:
    """Let iconik be a newer one."""
    desk.set(listing_hints=True)


def of_each_kind(desk: Desk) -> dict[str, str]:
    """Assets on either side, on both, and with different content on the two."""
    return {
        "both": desk.asset(b2=CLIP, lucidlink=CLIP),
        "lucidlink": desk.asset(lucidlink=CLIP),
        "b2": desk.asset(b2=CLIP),
        "edited": desk.asset(b2=CLIP, lucidlink=OTHER),
    }


def there(desk: Desk, clips: dict[str, str]) -> tuple[list[str], list[str]]:
    """Which of some assets have a file on LucidLink, and which on B2."""
    on_lucidlink = [name for name, each in clips.items() if desk.on_lucidlink(each)]
    return on_lucidlink, [name for name, each in clips.items() if desk.on_b2(each)]


@pytest.mark.parametrize("setting", ["wrong_hints", "poor_hints", "listing_hints"])
def test_whatever_listings_show_remove_deletes_only_what_is_proven(
    desk: Desk, setting: str
) -> None:
    desk.set(**{setting: True})
    clips = of_each_kind(desk)
    report = desk.do("remove", collection_ids=[desk.collection(*clips.values())])
    assert only_problem(report, "kept") == EDITED
    assert there(desk, clips) == (["edited"], list(clips))


@pytest.mark.parametrize("setting", ["wrong_hints", "poor_hints", "listing_hints"])
def test_whatever_listings_show_add_copies_what_is_lacking(desk: Desk, setting: str) -> None:
    desk.set(**{setting: True})
    clips = of_each_kind(desk)
    report = desk.do("add", collection_ids=[desk.collection(*clips.values())])
    assert (report["counts"]["copied"], report["counts"]["there"]) == (1, 3)
    assert there(desk, clips)[0] == list(clips)


def test_copies_that_listings_show_late_are_confirmed_without_reading_the_assets(
    desk: Desk,
) -> None:
    desk.set(listing_lag_seconds=1)
    clips = [desk.asset(b2=CLIP) for _ in range(3)]
    report = desk.do("add", collection_ids=[desk.collection(*clips)])
    assert report["counts"]["copied"] == 3
    assert desk.seen("GET", "/files/") == []


def test_a_copy_that_is_cut_short_is_not_taken_for_whole(desk: Desk) -> None:
    desk.let_copy("wrong_size")
    clip = desk.asset(b2=CLIP)
    report = desk.do("add", collection_ids=[desk.collection(clip)])
    assert "150 bytes" in only_problem(report, "failed")


def test_an_asset_removed_and_added_again_at_once_is_copied_though_listings_lag(
    desk: Desk,
) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    in_collection = desk.collection(clip)
    desk.set(listing_lag_seconds=5)
    desk.do("remove", collection_ids=[in_collection])
    report = desk.do("add", collection_ids=[in_collection])
    assert report["counts"]["copied"] == 1
    assert desk.on_lucidlink(clip) == ["clip.mov"]
