"""Add to a directory of LucidLink, and Remove of what was put there, from clicks to the files."""

from pathlib import Path

import pytest

from tests.system.desk import CLIP, FRAMES, Desk, only_problem

PATH = "projects/2026"
CARD = [
    {"name": "clip.mov", "directory": "card/A", "size": 300},
    {"name": "clip.mov", "directory": "card/B", "size": 400},
    {"name": "index.xml", "directory": "card", "size": 50},
]


def below(desk: Desk, directory: str) -> list[str]:
    """The real files of LucidLink below a directory, as paths from there, in order."""
    root: Path = desk.simulator.lucidlink / directory
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("files", [CLIP, FRAMES], ids=["a clip", "a sequence"])
def test_copies_are_put_under_the_directory_and_removed_from_there(
    desk: Desk, files: list[dict[str, object]]
) -> None:
    asset_id = desk.asset(b2=files)
    assert desk.do("add", asset_id, path=PATH)["counts"]["copied"] == 1
    assert below(desk, f"{PATH}/{asset_id}") == [each["name"] for each in files]
    assert desk.on_lucidlink(asset_id) == []
    assert desk.do("remove", asset_id)["counts"]["removed"] == 1
    assert below(desk, f"{PATH}/{asset_id}") == []
    assert desk.on_b2(asset_id) == [each["name"] for each in files]


def test_what_lies_in_directories_of_its_own_keeps_them_there(desk: Desk) -> None:
    asset_id = desk.asset(b2=CARD)
    desk.do("add", asset_id, path=PATH)
    assert below(desk, f"{PATH}/card") == ["A/clip.mov", "B/clip.mov", "index.xml"]
    assert desk.do("remove", asset_id)["counts"]["removed"] == 1
    assert below(desk, f"{PATH}/card") == []


def test_an_edit_in_the_directory_is_kept(desk: Desk) -> None:
    asset_id = desk.asset(b2=CLIP)
    desk.do("add", asset_id, path=PATH)
    desk.edit_on_lucidlink(asset_id)
    assert "clip.mov differs from its master" in only_problem(desk.do("remove", asset_id), "kept")
    assert below(desk, f"{PATH}/{asset_id}") == ["clip.mov"]


def test_twins_of_a_card_are_told_apart_there(desk: Desk) -> None:
    asset_id = desk.asset(b2=CARD)
    desk.do("add", asset_id, path=PATH)
    desk.change_file(asset_id, "b2", size=400, checksum=None)
    reason = only_problem(desk.do("remove", asset_id), "kept")
    assert "300 bytes on LucidLink, 400 bytes on B2" in reason
    assert below(desk, f"{PATH}/card") == ["A/clip.mov", "B/clip.mov", "index.xml"]


def test_what_is_on_lucidlink_already_stays_where_it_is(desk: Desk) -> None:
    asset_id = desk.asset(b2=CLIP, lucidlink=CLIP)
    assert desk.do("add", asset_id, path=PATH)["counts"]["there"] == 1
    assert desk.on_lucidlink(asset_id) == ["clip.mov"]
    assert desk.copies_asked_for() == []
