"""Remove from LucidLink, from a click to the files."""

import pytest

from dev.harness import wait_for
from tests.system.desk import CLIP, PATIENCE, Desk
from tests.system.media import PROXY, asset

pytestmark = pytest.mark.promise

BOTH = ("ORIGINAL", PROXY)


@pytest.mark.parametrize("on", ["both", "lucidlink"])
def test_what_is_deleted_stays_in_b2_where_it_is_copied_first_if_it_is_not_there(
    desk: Desk, on: str
) -> None:
    clip = asset(desk.simulator, "clip", on, BOTH)
    assert desk.do("remove", clip, formats="")["counts"]["removed"] == 2
    assert desk.on_lucidlink(clip) == []
    assert desk.on_b2(clip) == ["clip_original.mov", "clip_ppro_proxy.mov"]


def test_a_file_edited_on_lucidlink_is_kept_and_named(desk: Desk) -> None:
    edited, other = desk.asset(b2=CLIP, lucidlink=CLIP), desk.asset(b2=CLIP, lucidlink=CLIP)
    desk.simulator.edit_on_lucidlink(edited, "a longer cut " * 100)
    report = desk.do("remove", edited, other)
    assert (desk.on_lucidlink(edited), desk.on_lucidlink(other)) == (["clip.mov"], [])
    assert report["problems"] == [
        {
            "asset_id": edited,
            "format": "ORIGINAL",
            "kind": "kept",
            "reason": "clip.mov differs from its master: 1,300 bytes on LucidLink, 300 bytes on B2",
        }
    ]


def test_only_the_formats_that_were_asked_for_leave(desk: Desk) -> None:
    clip = asset(desk.simulator, "clip", "both", BOTH)
    desk.do("remove", clip)
    assert desk.on_lucidlink(clip) == ["clip_ppro_proxy.mov"]


def test_assets_that_are_proven_at_once_do_not_wait_for_the_others(desk: Desk) -> None:
    desk.set(copies_paused=True)
    proven, unproven = desk.asset(b2=CLIP, lucidlink=CLIP), desk.asset(lucidlink=CLIP)
    operation_id = desk.click("remove", unproven, proven)
    wait_for("removal of the proven asset", lambda: not desk.on_lucidlink(proven), PATIENCE)
    assert desk.on_lucidlink(unproven) == ["clip.mov"]
    assert not desk.service.has_ended(operation_id)
    desk.set(copies_paused=False)
    desk.report(operation_id)
    assert desk.on_lucidlink(unproven) == []


@pytest.mark.parametrize(("is_offered", "left"), [(True, []), (False, ["v1.mov"])])
def test_older_versions_leave_where_iconik_lists_them(
    desk: Desk, is_offered: bool, left: list[str]
) -> None:
    desk.set(all_versions=is_offered)
    versions = [[{"name": "v1.mov", "size": 300}], [{"name": "v2.mov", "size": 400}]]
    formats = [
        {"name": "ORIGINAL", "b2": each, "lucidlink": each, "older_version": each is versions[0]}
        for each in versions
    ]
    clip = desk.simulator.control("POST", "assets", {"title": "clip", "formats": formats})["id"]
    desk.do("remove", clip)
    assert desk.on_lucidlink(clip) == left
