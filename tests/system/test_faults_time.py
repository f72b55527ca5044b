"""What changes while an operation runs: what is read last decides."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.harness import wait_for
from iconik_http.expiry import HOLDS
from tests.system.desk import (
    CLIP,
    EDITED,
    FILES,
    PATIENCE,
    Desk,
    only_problem,
)
from tests.system.points import stood_still


def clicked_while_copies_wait(desk: Desk, *asset_ids: str, **more: Any) -> str:
    """Click on Remove, and have the copies of one asset asked for but not begun."""
    desk.set(copies_paused=True)
    operation_id = desk.click("remove", *asset_ids, **more)
    desk.wait_until(operation_id, "copying")
    return operation_id


def copied_and_not_looked_at(desk: Desk) -> tuple[str, str]:
    """An asset whose copy to B2 has ended, while its last look hangs; the Remove of it."""
    rendered = desk.asset(lucidlink=CLIP)
    operation_id = clicked_while_copies_wait(desk, rendered)
    desk.let("hang:50", "GET", FILES)
    desk.set(copies_paused=False)
    desk.wait_until_taken()
    return rendered, operation_id


def test_what_is_put_into_a_collection_in_mid_remove_stays(desk: Desk) -> None:
    rendered, late = desk.asset(lucidlink=CLIP), desk.asset(b2=CLIP, lucidlink=CLIP)
    top = desk.collection(rendered)
    operation_id = clicked_while_copies_wait(desk, collection_ids=[top])
    desk.put_into(top, late)
    desk.set(copies_paused=False)
    report = desk.report(operation_id)
    assert (report["counts"]["assets"], report["counts"]["removed"]) == (1, 1)
    assert (desk.on_lucidlink(rendered), desk.on_lucidlink(late)) == ([], ["clip.mov"])


def test_a_click_on_it_again_takes_what_was_put_into_a_collection_meanwhile(desk: Desk) -> None:
    rendered, late = desk.asset(lucidlink=CLIP), desk.asset(b2=CLIP, lucidlink=CLIP)
    top = desk.collection(rendered)
    operation_id = clicked_while_copies_wait(desk, collection_ids=[top])
    desk.put_into(top, late)
    again = desk.click("remove", collection_ids=[top])
    desk.set(copies_paused=False)
    counts = [desk.report(each)["counts"] for each in (operation_id, again)]
    assert [each["assets"] for each in counts] == [1, 2]
    assert sum(each["removed"] for each in counts) == 2
    assert (desk.on_lucidlink(rendered), desk.on_lucidlink(late)) == ([], [])


def test_an_asset_that_is_deleted_meanwhile_is_reported_and_its_files_stay(desk: Desk) -> None:
    rendered = desk.asset(lucidlink=CLIP)
    operation_id = clicked_while_copies_wait(desk, rendered)
    desk.simulator.control("DELETE", f"assets/{rendered}")
    desk.set(copies_paused=False)
    reason = only_problem(desk.report(operation_id), "vanished")
    assert reason == "the asset no longer exists in iconik"
    assert desk.on_lucidlink(rendered) == ["clip.mov"]


def test_a_file_set_that_is_deleted_meanwhile_on_lucidlink_is_not_purged(desk: Desk) -> None:
    rendered = desk.asset(lucidlink=CLIP)
    operation_id = clicked_while_copies_wait(desk, rendered)
    (file_set,) = desk.file_sets(rendered, "lucidlink")
    desk.simulator.control("PATCH", f"file_sets/{file_set['id']}", {"status": "DELETED"})
    desk.set(copies_paused=False)
    # Whoever deleted it may want it back.
    assert desk.report(operation_id)["counts"]["absent"] == 1
    assert desk.deletions(rendered) == []
    assert desk.on_lucidlink(rendered) == ["clip.mov"]


def test_a_master_whose_file_set_is_deleted_meanwhile_proves_nothing(desk: Desk) -> None:
    rendered, operation_id = copied_and_not_looked_at(desk)
    (master,) = desk.file_sets(rendered, "b2")
    desk.simulator.control("PATCH", f"file_sets/{master['id']}", {"status": "DELETED"})
    desk.heal()
    reason = only_problem(desk.report(operation_id), "kept")
    ended = "although the requested copy to B2 has ended"
    assert reason == f"clip.mov has no matching file on B2, {ended}"
    assert desk.on_lucidlink(rendered) == ["clip.mov"]


def test_an_edit_after_its_copy_has_ended_is_seen(desk: Desk) -> None:
    rendered, operation_id = copied_and_not_looked_at(desk)
    desk.edit_on_lucidlink(rendered)
    desk.heal()
    assert only_problem(desk.report(operation_id), "kept") == EDITED
    assert desk.on_lucidlink(rendered) == ["clip.mov"]


@pytest.fixture
def fresh_desk(tmp_path: Path, shared_desk: Desk) -> Iterator[Desk]:
    """One whose service hasn't found out yet how this iconik deletes."""
    desk = Desk(tmp_path, simulator=shared_desk.simulator)
    with desk.kept():
        yield desk
    desk.stop()


def test_an_edit_while_a_deletion_has_to_wait_for_another_is_seen(fresh_desk: Desk) -> None:
    desk = fresh_desk
    first, edited = (desk.asset(b2=CLIP, lucidlink=CLIP) for _ in range(2))
    # Until the first has shown whether this iconik can, the other waits to be deleted.
    desk.let("hang:50", "POST", f"files/v1/assets/{first}/file_sets/bulk/")
    desk.let("hang:3", "GET", f"files/v1/assets/{edited}/files/")
    operation_id = desk.click("remove", first, edited)
    desk.wait_until_taken()
    desk.wait_for_request("GET", f"/{edited}/files/")
    seen = time.monotonic()
    desk.edit_on_lucidlink(edited)
    wait_for("the proof to be old", lambda: time.monotonic() > seen + HOLDS, PATIENCE)
    desk.heal()
    assert only_problem(desk.report(operation_id), "kept") == EDITED
    assert (desk.on_lucidlink(first), desk.on_lucidlink(edited)) == ([], ["clip.mov"])


def test_an_edit_while_the_list_of_files_is_long_on_its_way_is_seen(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    # What it tells is from before.
    desk.let("hang:50", "GET", f"files/v1/assets/{clip}/files/", after=True)
    operation_id = desk.click("remove", clip)
    desk.wait_until_taken()
    seen = time.monotonic()
    desk.edit_on_lucidlink(clip)
    wait_for("the proof to be old", lambda: time.monotonic() > seen + HOLDS, PATIENCE)
    desk.heal()
    assert only_problem(desk.report(operation_id), "kept") == EDITED
    assert desk.on_lucidlink(clip) == ["clip.mov"]


FRAMES_OF_TWO_PAGES = [{"name": f"frame_{number:02}.dpx", "size": 100} for number in range(60)]


def test_an_edit_while_the_second_page_of_files_has_to_wait_is_seen(desk: Desk) -> None:
    shot = desk.asset(b2=FRAMES_OF_TWO_PAGES, lucidlink=FRAMES_OF_TWO_PAGES)
    (mine,) = desk.file_sets(shot, "lucidlink")
    first = min(mine["files"], key=lambda each: str(each["id"]))
    pages = f"files/v1/assets/{shot}/files/"
    desk.let("hang:0.1", "GET", pages, after=True)
    desk.let("429", "GET", pages, retry_after=8)
    operation_id = desk.click("remove", shot)
    desk.wait_until_taken()
    edit = {"content": "another cut", "size": 11, "checksum": None}
    desk.simulator.control("PATCH", f"files/{first['id']}", edit)
    reason = only_problem(desk.report(operation_id), "kept")
    assert reason.startswith(f"{first['name']} differs from its master")
    assert len(desk.on_lucidlink(shot)) == len(FRAMES_OF_TWO_PAGES)


def test_between_the_last_look_and_a_deletion_nothing_is_asked(desk: Desk) -> None:
    first, clip = (desk.asset(b2=CLIP, lucidlink=CLIP) for _ in range(2))
    # It is found out once how this iconik deletes.
    desk.do("remove", first)
    assert desk.do("remove", clip)["counts"]["removed"] == 1
    seen = [
        (each["method"], each["path"].split("/")[6:])
        for each in desk.asked()
        if clip in each["path"]
    ]
    (file_set_id,) = {path[1] for method, path in seen if method == "DELETE"}
    expected = [
        ("GET", ["formats", ""]),
        ("GET", ["files", ""]),
        ("DELETE", ["file_sets", file_set_id, ""]),
        ("DELETE", ["file_sets", file_set_id, "purge", ""]),
        # That it is gone is seen.
        ("GET", ["file_sets", ""]),
    ]
    assert seen == expected or stood_still(desk.simulator)
