"""A preview of a removal, from a click to its report, and the removal of what it found."""

import uuid

import pytest

from dev.harness import Service, wait_for
from dev.people import HARMLESS
from tests.system.desk import CLIP, EDITED, FILES, ROLES, Desk
from tests.system.media import PROXY, asset, files, unproven_deletions
from tests.system.points import hang_at, kill_at

READ_ONLY = [role for role in ROLES if role.startswith("can_read_")]


def changes(desk: Desk) -> list[str]:
    """The requests since the test began that change something, but for those that show the work."""
    calls = [f"{each['method']} {each['path']}" for each in desk.asked()]
    return [each for each in calls if not HARMLESS.match(each)]


def remove_what_can_be_removed(service: Service, operation_id: str) -> list[str]:
    """Press the button on the page of a preview; returns the ids of the new operations."""
    answer = service.press("remove", operation_id)
    assert answer.status_code == 200
    return list(answer.json()["operation_ids"])


@pytest.mark.promise
def test_a_preview_changes_nothing_and_needs_no_role_that_may(desk: Desk) -> None:
    reader = desk.user(roles=READ_ONLY)
    safe, edited = desk.asset(b2=CLIP, lucidlink=CLIP), desk.asset(b2=CLIP, lucidlink=CLIP)
    new, away = desk.asset(lucidlink=CLIP), desk.asset(b2=CLIP)
    without = str(desk.simulator.control("POST", "assets", {"title": "x", "formats": {}})["id"])
    failing, gone = desk.asset(b2=CLIP, lucidlink=CLIP), str(uuid.uuid4())
    desk.edit_on_lucidlink(edited)
    desk.let("status:400", "GET", f"files/v1/assets/{failing}/files/", times=None)
    every = (safe, edited, new, away, without, failing, gone)
    desk.simulator.control("DELETE", "requests")
    preview = desk.click("preview", *every, user=reader)
    told = desk.report(preview)
    assert changes(desk) == []
    counts = {name: number for name, number in told["counts"].items() if number}
    assert counts == {
        "assets": 7,
        "removable": 1,
        "kept": 1,
        "uncopied": 1,
        "absent": 1,
        "without": 1,
        "by_checksum": 1,
        "failed": 1,
        "vanished": 1,
    }
    assert (told["result"], told["bytes"]["removable"]) == ("partly done", 300)
    assert EDITED in [each["reason"] for each in told["problems"]]
    for each in (safe, edited, new):
        assert desk.on_lucidlink(each) == ["clip.mov"]
    assert "audit:" not in desk.service.log()
    (removal,) = remove_what_can_be_removed(desk.service, preview)
    # The reader may not delete.
    assert desk.report(removal)["counts"]["removed"] == 0


@pytest.mark.promise
def test_exactly_what_was_removable_is_removed(desk: Desk) -> None:
    safe, edited = desk.asset(b2=CLIP, lucidlink=CLIP), desk.asset(b2=CLIP, lucidlink=CLIP)
    new = desk.asset(lucidlink=CLIP)
    desk.edit_on_lucidlink(edited)
    preview = desk.click("preview", safe, edited, new)
    assert desk.report(preview)["counts"]["removable"] == 1
    (removal,) = remove_what_can_be_removed(desk.service, preview)
    told = desk.report(removal)
    assert (told["counts"]["assets"], told["counts"]["removed"]) == (1, 1)
    assert desk.service.operation(removal).origin_of == preview
    assert [desk.on_lucidlink(each) for each in (safe, edited, new)] == [
        [],
        ["clip.mov"],
        ["clip.mov"],
    ]


@pytest.mark.promise
def test_what_was_edited_since_the_preview_is_kept(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    preview = desk.click("preview", clip)
    desk.report(preview)
    desk.edit_on_lucidlink(clip)
    (removal,) = remove_what_can_be_removed(desk.service, preview)
    assert desk.report(removal)["counts"]["kept"] == 1
    assert desk.on_lucidlink(clip) == ["clip.mov"]


def test_a_preview_continues_after_a_kill(service: Service) -> None:
    simulator = service.simulator
    clips = [asset(simulator, f"clip{n}", "both", ("ORIGINAL", PROXY)) for n in range(4)]
    hang_at(simulator, "GET", FILES)
    preview = service.click("preview", asset_ids=clips).json()["operation_id"]
    kill_at(service)
    service.start()
    told = service.report(preview)
    assert (told["result"], told["counts"]["removable"]) == ("done", 8)
    assert len(files(simulator.lucidlink)) == 8
    hang_at(simulator, "GET", FILES)
    (removal,) = remove_what_can_be_removed(service, preview)
    kill_at(service)
    service.start()
    assert service.report(removal)["counts"]["removed"] == 8
    wait_for("deletions", lambda: not files(simulator.lucidlink), 60)
    assert unproven_deletions(simulator) == 0
