"""The newest click wins, however two overlap."""

import pytest

from tests.system.desk import CLIP, Desk

pytestmark = pytest.mark.promise


def test_remove_after_an_add_whose_copies_still_run_leaves_lucidlink_empty(desk: Desk) -> None:
    desk.set(copies_paused=True)
    clip = desk.asset(b2=CLIP)
    operations = [desk.click(action, clip) for action in ("add", "remove")]
    desk.set(copies_paused=False)
    for each in operations:
        desk.report(each)
    assert desk.on_lucidlink(clip) == []


def test_only_the_assets_that_overlap_are_left_to_the_newer_click(desk: Desk) -> None:
    desk.set(copies_paused=True)
    wanted, unwanted = desk.asset(lucidlink=CLIP), desk.asset(lucidlink=CLIP)
    remove = desk.click("remove", wanted, unwanted)
    add = desk.click("add", wanted)
    desk.set(copies_paused=False)
    assert desk.report(remove)["counts"]["superseded"] == 1
    desk.report(add)
    assert (desk.on_lucidlink(wanted), desk.on_lucidlink(unwanted)) == (["clip.mov"], [])


def test_a_third_click_that_equals_the_first_is_the_newest_wish(desk: Desk) -> None:
    desk.set(copies_paused=True)
    clip = desk.asset(b2=CLIP)
    operations = [desk.click(action, clip) for action in ("add", "remove", "add")]
    desk.set(copies_paused=False)
    for each in operations:
        desk.report(each)
    assert len(set(operations)) == 3
    assert desk.on_lucidlink(clip) == ["clip.mov"]
