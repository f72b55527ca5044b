"""Deletions that iconik does not carry out, or that outlive their proof: never reported as done."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.harness import wait_for
from tests.system.desk import CLIP, FILE_SET, PATIENCE, PURGE, ROLES, Desk, only_problem
from tests.system.points import PURGE_MANY

BULK = "files/v1/assets/{}/file_sets/bulk/"
EMPTY: dict[str, object] = {}


def of(asset_id: str, path: str) -> str:
    """A path that is about one asset alone."""
    return path.replace("assets/*", f"assets/{asset_id}").format(asset_id)


def on_both(desk: Desk) -> str:
    return desk.asset(b2=CLIP, lucidlink=CLIP)


def reasons(desk: Desk, operation_id: str) -> dict[str, str]:
    """What is told of each asset of which something failed."""
    problems = desk.report(operation_id)["problems"]
    return {each["asset_id"]: each["reason"] for each in problems}


def still_there(desk: Desk, asset_id: str) -> str:
    """What is told of an asset whose file set is still there; it must be."""
    (file_set,) = desk.file_sets(asset_id, "lucidlink")
    assert (file_set["status"], desk.on_lucidlink(asset_id)) == ("ACTIVE", ["clip.mov"])
    return f"iconik accepted the deletion, but file set {file_set['id']} is still there"


@pytest.fixture(scope="module")
def desk_environment() -> dict[str, str]:
    """A token that iconik does not accept: an operation has its click's alone."""
    return {"ICONIK_TOKEN": "worthless"}


# What was accepted and not done; each takes a minute, so several are looked at together


def test_what_a_newer_iconik_accepts_and_does_not_do_has_failed(desk: Desk) -> None:
    desk.set(bulk_deletion=True)
    done, not_done, slow = (on_both(desk) for _ in range(3))
    desk.let("status:202", "POST", of(not_done, BULK), body=EMPTY)
    desk.let("status:202", "POST", of(slow, BULK), body=EMPTY)
    operation_id = desk.click("remove", done, not_done, slow)
    wait_for("the two", lambda: len(desk.seen("POST", "/bulk/")) == 3, PATIENCE)
    (late,) = desk.file_sets(slow, "lucidlink")
    desk.ask_iconik("POST", of(slow, BULK) + "?immediately=true", {"ids": [late["id"]]})
    assert reasons(desk, operation_id) == {not_done: still_there(desk, not_done)}
    assert desk.report(operation_id)["counts"]["removed"] == 2
    assert (desk.on_lucidlink(done), desk.on_lucidlink(slow)) == ([], [])


def test_what_an_older_iconik_accepts_and_does_not_do_has_failed(desk: Desk) -> None:
    unknown, unpurged, done = (on_both(desk) for _ in range(3))
    for path in (FILE_SET, PURGE):
        desk.let("status:404", "DELETE", of(unknown, path), times=None)
    desk.let("status:204", "DELETE", of(unpurged, FILE_SET), body=EMPTY)
    operation_id = desk.click("remove", unknown, unpurged, done)
    assert reasons(desk, operation_id) == {
        each: still_there(desk, each) for each in (unknown, unpurged)
    }
    assert desk.report(operation_id)["counts"]["removed"] == 1


@pytest.mark.parametrize("hints", [True, False], ids=["searched for", "listed"])
def test_of_many_assets_that_which_was_not_deleted_has_failed(desk: Desk, hints: bool) -> None:
    desk.set(bulk_deletion=True, listing_hints=hints)
    clips = [on_both(desk) for _ in range(6)]
    wrong = clips if not hints else clips[:1]
    for each in wrong:
        desk.let("status:202", "POST", of(each, BULK), body=EMPTY)
    operation_id = desk.click("remove", *clips)
    assert reasons(desk, operation_id) == {each: still_there(desk, each) for each in wrong}
    listed = Counter(each["path"] for each in desk.seen("GET", "/file_sets/"))
    # The intervals double until iconik has had its minute: 2, 4, 8, 16 and 32 s after the deletion.
    assert max(listed[path] for path in listed if "/assets/" in path) <= 7


# What is refused in words of its own


@pytest.mark.parametrize("path", [FILE_SET, PURGE])
def test_a_deletion_that_is_answered_with_errors_has_failed(desk: Desk, path: str) -> None:
    clip = on_both(desk)
    desk.let("status:200", "DELETE", of(clip, path), body={"errors": ["a lock is held"]})
    reason = only_problem(desk.do("remove", clip), "failed")
    assert "iconik answered 200 with errors: a lock is held" in reason
    (file_set,) = desk.file_sets(clip, "lucidlink")
    assert (file_set["status"], desk.on_lucidlink(clip)) == ("ACTIVE", ["clip.mov"])


def test_what_somebody_restores_before_its_purge_is_not_reported_as_removed(desk: Desk) -> None:
    clip = on_both(desk)
    desk.let("hang:50", "DELETE", of(clip, PURGE))
    operation_id = desk.click("remove", clip)
    desk.wait_until_taken()
    (file_set,) = desk.file_sets(clip, "lucidlink")
    desk.ask_iconik("PUT", f"files/v1/assets/{clip}/file_sets/{file_set['id']}/restore/")
    desk.heal()
    reason = only_problem(desk.report(operation_id), "failed")
    assert reason.endswith(f"file set {file_set['id']} was restored")
    assert desk.on_lucidlink(clip) == ["clip.mov"]


# What outlives its proof


def interrupted(desk: Desk) -> tuple[str, str]:
    """An asset whose file set is marked deleted, and whose purge is not answered; the operation.

    iconik lists no files of what is deleted.
    """
    clip = on_both(desk)
    desk.set(deleted_files_listed=False)
    desk.let("status:503", "DELETE", PURGE, times=None)
    desk.let("status:503", "POST", PURGE_MANY, times=None)
    operation_id = desk.click("remove", clip)
    desk.wait_for_request("DELETE", "/purge/")
    return clip, operation_id


@pytest.mark.parametrize("size", [299, 301])
def test_a_purge_does_not_outlive_the_master_that_proved_it(desk: Desk, size: int) -> None:
    clip, operation_id = interrupted(desk)
    desk.change_file(clip, "b2", size=size, content="x" * size)
    desk.heal()
    reason = only_problem(desk.report(operation_id), "failed")
    assert reason.startswith(f"clip.mov differs from its master: 300 bytes on LucidLink, {size}")
    assert "purge" not in desk.deletions(clip)
    assert still_there(desk, clip)


def test_a_purge_whose_proof_holds_is_finished(desk: Desk) -> None:
    clip, operation_id = interrupted(desk)
    desk.heal()
    assert desk.report(operation_id)["counts"]["removed"] == 1
    assert (desk.deletions(clip), desk.on_lucidlink(clip)) == (["delete", "purge"], [])


# What an ended operation has left


@pytest.fixture
def leader(tmp_path: Path, shared_desk: Desk) -> Iterator[Desk]:
    """A service with a token of its own."""
    environment = {"ICONIK_TOKEN": "the-application-s-token"}
    desk = Desk(tmp_path, environment, shared_desk.simulator)
    with desk.kept():
        yield desk
    desk.stop()


def left_by_a_failed_one(desk: Desk) -> str:
    """An asset whose file set a Remove has marked deleted before its tokens became worthless."""
    clip = on_both(desk)
    there = desk.simulator.control
    there("POST", "tokens", {"token": "a-click-s-token", "roles": ROLES})
    desk.let("hang:50", "DELETE", of(clip, PURGE))
    operation_id = desk.click("remove", clip, token="a-click-s-token")
    desk.wait_until_taken()
    there("DELETE", "tokens/a-click-s-token")
    desk.heal()
    assert desk.report(operation_id)["result"] == "failed"
    (file_set,) = desk.file_sets(clip, "lucidlink")
    assert file_set["status"] == "DELETED"
    return clip


def test_the_next_remove_finishes_what_a_failed_one_has_left(desk: Desk) -> None:
    clip = left_by_a_failed_one(desk)
    report = desk.do("remove", clip)
    assert (report["counts"]["removed"], report["counts"]["absent"]) == (1, 0)
    assert desk.on_lucidlink(clip) == []


def test_the_next_add_restores_what_a_failed_remove_has_left(desk: Desk) -> None:
    clip = left_by_a_failed_one(desk)
    assert desk.do("add", clip)["counts"]["restored"] == 1
    assert still_there(desk, clip)
    assert desk.copies_asked_for() == []


def test_the_leader_restores_what_a_failed_remove_has_left(leader: Desk) -> None:
    clip = left_by_a_failed_one(leader)
    leader.simulator.control("POST", "tokens", {"token": "the-application-s-token"})
    leader.service.process.kill()
    leader.service.start()
    wait_for("restoration", lambda: leader.seen("PUT", "/restore/"), PATIENCE)
    wait_for(
        "the file set",
        lambda: leader.file_sets(clip, "lucidlink")[0]["status"] == "ACTIVE",
        PATIENCE,
    )
    assert leader.on_lucidlink(clip) == ["clip.mov"]


# What contradicts itself


def test_that_the_files_of_an_asset_are_not_found_does_not_make_it_absent(desk: Desk) -> None:
    clip = on_both(desk)
    desk.let("status:404", "GET", f"files/v1/assets/{clip}/files/", times=None)
    report = desk.do("remove", clip)
    assert "although the asset exists" in only_problem(report, "failed")
    assert report["counts"]["absent"] == 0
