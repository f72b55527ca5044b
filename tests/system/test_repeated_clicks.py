"""The same click again never ends worse than if it had been the only one."""

from pathlib import Path

import pytest

from b2_iconik.dispatch.leader_lock import is_taken, only_one
from dev.harness import wait_for
from tests.system.desk import CLIP, FORMATS, PATIENCE, Desk, only_problem

ACTIONS = pytest.mark.parametrize("action", ["add", "remove"])


# A copy that an earlier operation requested counts as that operation's.
SUCCESSFUL = ("done", "nothing to do")


def needs_a_copy(desk: Desk, action: str) -> str:
    """An asset that the action has to copy first."""
    return desk.asset(b2=CLIP) if action == "add" else desk.asset(lucidlink=CLIP)


def is_done(desk: Desk, action: str, asset_id: str) -> bool:
    return desk.on_lucidlink(asset_id) == (["clip.mov"] if action == "add" else [])


@ACTIONS
def test_a_click_again_outlives_the_operation_whose_token_expires(alone: Desk, action: str) -> None:
    clip, ada = needs_a_copy(alone, action), alone.user()
    alone.set(copies_paused=True)
    first = alone.click(action, clip, user=ada)
    alone.wait_until(first, "copying")
    second = alone.click(action, clip, user=alone.with_new_token(ada))
    alone.expire(ada.token)
    alone.set(copies_paused=False)
    assert alone.report(first)["result"] == "failed"
    assert alone.report(second)["result"] in SUCCESSFUL
    assert is_done(alone, action, clip)


@ACTIONS
def test_an_operation_never_uses_the_token_of_another_user_s_click(
    alone: Desk, action: str
) -> None:
    clip, ada, ben = needs_a_copy(alone, action), alone.user(), alone.user()
    alone.set(copies_paused=True)
    first = alone.click(action, clip, user=ada)
    alone.wait_until(first, "copying")
    # Ben may see nothing, so all that is done with his token comes to nothing.
    ben = alone.with_new_token(ben, roles=[])
    second = alone.click(action, clip, user=ben)
    alone.expire(ada.token)
    alone.set(copies_paused=False)
    assert "iconik no longer accepts any token" in alone.report(first)["failure"]
    assert "ask an iconik administrator for the role can_" in alone.report(second)["failure"]


@ACTIONS
def test_a_click_again_is_done_though_the_first_was_just_aborted_in_iconik(
    desk: Desk, action: str
) -> None:
    clip = needs_a_copy(desk, action)
    desk.set(copies_paused=True)
    first = desk.click(action, clip)
    desk.wait_until(first, "copying")
    job_id = wait_for("job", lambda: desk.service.job(first), PATIENCE)
    desk.ask_iconik("PATCH", f"jobs/v1/jobs/{job_id}/", {"status": "ABORTED"})
    second = desk.click(action, clip)
    assert desk.report(first)["result"] == "stopped"
    desk.set(copies_paused=False)
    assert desk.report(second)["result"] in SUCCESSFUL
    assert is_done(desk, action, clip)


@ACTIONS
def test_a_click_again_by_somebody_with_more_rights_is_done(desk: Desk, action: str) -> None:
    clips = [needs_a_copy(desk, action) for _ in range(2)]
    ada, ben = desk.user(*clips), desk.user()
    desk.let("hang:50", "GET", FORMATS)
    first = desk.click(action, *clips, user=ada)
    desk.wait_until_taken()
    second = desk.click(action, *clips, user=ben)
    desk.heal()
    assert desk.report(first)["counts"]["failed"] == 2
    done = "copied" if action == "add" else "removed"
    assert desk.report(second)["counts"][done] == 2
    assert all(is_done(desk, action, clip) for clip in clips)


@ACTIONS
def test_a_click_again_by_somebody_with_fewer_rights_takes_nothing_away(
    desk: Desk, action: str
) -> None:
    clip, ada = needs_a_copy(desk, action), desk.user()
    # Ben sees the asset, but may neither have it copied nor delete its files.
    ben = desk.user(roles=["can_read_storages", "can_read_formats", "can_read_files"])
    desk.set(copies_paused=True)
    first = desk.click(action, clip, user=ada)
    desk.wait_until(first, "copying")
    second = desk.click(action, clip, user=ben)
    desk.set(copies_paused=False)
    assert desk.report(first)["result"] == "done"
    assert desk.report(second)["result"] == "nothing to do"
    assert is_done(desk, action, clip)


@ACTIONS
def test_the_same_click_many_times_over_is_done_once(desk: Desk, action: str) -> None:
    clips = [needs_a_copy(desk, action) for _ in range(3)]
    operations = [desk.click(action, *clips) for _ in range(5)]
    reports = [desk.report(each)["counts"] for each in operations]
    done, idle = ("copied", "there") if action == "add" else ("removed", "absent")
    assert sum(each[done] for each in reports) == len(clips)
    assert sum(each[idle] for each in reports) == len(clips) * 4
    assert all(is_done(desk, action, clip) for clip in clips)


def test_the_same_click_while_nothing_of_it_has_begun_is_one_operation(
    desk: Desk, tmp_path: Path
) -> None:
    clip, ada, ben = desk.asset(b2=CLIP), desk.user(), desk.user()
    top = desk.collection(clip)
    waiting = Desk(tmp_path, simulator=desk.simulator)
    waiting.service.process.kill()
    database = waiting.service.environment["DATABASE_URL"]
    wait_for("end of the killed", lambda: not is_taken(database), PATIENCE)
    # As long as another has the lock, no process runs operations.
    with only_one(database) as mine:
        assert mine
        waiting.service.start()
        clicked = [waiting.click("add", collection_ids=[top], user=ada) for _ in range(3)]
        others = waiting.click("add", collection_ids=[top], user=ben)
        again = waiting.click("add", collection_ids=[top], user=waiting.with_new_token(ada))
    assert len(set(clicked)) == 1
    assert len({*clicked, others, again}) == 3
    reports = [waiting.report(each) for each in (clicked[0], others, again)]
    assert sorted(each["result"] for each in reports) == ["done", "nothing to do", "nothing to do"]
    assert waiting.on_lucidlink(clip) == ["clip.mov"]
    waiting.stop()


def test_a_click_again_tells_why_it_could_not_do_what_the_first_did_not(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP)
    ada = desk.user(clip)
    reports = [desk.do("add", clip, user=ada) for _ in range(2)]
    for each in reports:
        assert "ask an iconik administrator for the role can_" in only_problem(each, "failed")
