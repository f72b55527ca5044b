"""A click is carried out with the rights of whoever clicked, and takes nothing away without any."""

import pytest

from tests.system.desk import CLIP, FILE_SET, PURGE, Desk, User, only_problem


def forbidden(desk: Desk) -> int:
    """How many deletions the simulator saw that were beyond a user's rights."""
    return int(desk.simulator.control("GET", "")["deletions"]["forbidden"])


# A click without rights takes nothing away


@pytest.mark.parametrize("may", ["nothing", "read other assets"])
def test_an_add_without_rights_leaves_a_running_remove_alone(desk: Desk, may: str) -> None:
    clip, ada = desk.asset(lucidlink=CLIP), desk.user()
    ben = desk.user(roles=[]) if may == "nothing" else desk.user(clip)
    desk.set(copies_paused=True)
    remove = desk.click("remove", clip, user=ada)
    desk.wait_until(remove, "copying")
    add = desk.click("add", clip, user=ben)
    refused = desk.report(add)
    assert (
        "ask an iconik administrator for the role can_"
        in f"{refused['failure']} {refused['problems']}"
    )
    desk.set(copies_paused=False)
    assert desk.report(remove)["counts"]["removed"] == 1
    assert desk.on_lucidlink(clip) == []


@pytest.mark.parametrize("may", ["nothing", "read other assets"])
def test_a_remove_without_rights_leaves_a_waiting_add_alone(desk: Desk, may: str) -> None:
    clip, ada = desk.asset(b2=CLIP), desk.user()
    ben = desk.user(roles=[]) if may == "nothing" else desk.user(clip)
    top = desk.collection(clip)
    # The Add doesn't know its assets yet when Ben clicks.
    desk.let("hang:50", "GET", f"assets/v1/collections/{top}/contents/")
    add = desk.click("add", collection_ids=[top], user=ada)
    desk.wait_until_taken()
    remove = desk.click("remove", clip, user=ben)
    refused = desk.report(remove)
    assert (
        "ask an iconik administrator for the role can_"
        in f"{refused['failure']} {refused['problems']}"
    )
    desk.heal()
    assert desk.report(add)["counts"]["copied"] == 1
    assert desk.on_lucidlink(clip) == ["clip.mov"]


def test_an_add_with_rights_takes_over_while_the_remove_waits_for_its_copy(desk: Desk) -> None:
    clip, ada, ben = desk.asset(lucidlink=CLIP), desk.user(), desk.user()
    desk.set(copies_paused=True)
    remove = desk.click("remove", clip, user=ada)
    desk.wait_until(remove, "copying")
    add = desk.click("add", clip, user=ben)
    desk.wait_for_request("GET", f"{clip}/files/")
    desk.set(copies_paused=False)
    assert desk.report(remove)["counts"]["superseded"] == 1
    assert desk.report(add)["counts"]["there"] == 1
    assert desk.on_lucidlink(clip) == ["clip.mov"]
    assert desk.deletions(clip) == []


# A token that stops working half-way


def expired_before_a_look(desk: Desk, action: str, asset_id: str, user: User) -> str:
    """Click with a token that expires while the asset is first looked at."""
    desk.let("hang:50", "GET", f"files/v1/assets/{asset_id}/formats/")
    operation_id = desk.click(action, asset_id, user=user)
    desk.wait_until_taken()
    desk.expire(user.token)
    desk.heal()
    return operation_id


@pytest.mark.parametrize("action", ["add", "remove"])
def test_the_application_does_not_go_on_with_what_the_click_s_token_never_saw(
    desk: Desk, action: str
) -> None:
    sides = {"b2": CLIP} if action == "add" else {"b2": CLIP, "lucidlink": CLIP}
    clip = desk.asset(**sides)
    before = forbidden(desk)
    report = desk.report(expired_before_a_look(desk, action, clip, desk.user(clip)))
    assert only_problem(report, "failed") == (
        "could not list the formats of the asset: the click's token has expired (401), and "
        "ICONIK_TOKEN may only continue with what that token has already read: click again"
    )
    assert desk.on_lucidlink(clip) == ([] if action == "add" else ["clip.mov"])
    assert forbidden(desk) == before


def test_a_collection_is_not_opened_with_the_token_of_the_application(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    top, ada = desk.collection(clip), desk.user(clip)
    desk.let("hang:50", "GET", f"assets/v1/collections/{top}/contents/")
    operation_id = desk.click("remove", collection_ids=[top], user=ada)
    desk.wait_until_taken()
    desk.expire(ada.token)
    desk.heal()
    report = desk.report(operation_id)
    (problem,) = report["problems"]
    assert problem["reason"].startswith("could not list the collection: the click's token has")
    assert report["counts"]["assets"] == 0
    assert desk.on_lucidlink(clip) == ["clip.mov"]


def test_the_application_goes_on_with_what_the_click_s_token_saw_and_nothing_else(
    desk: Desk,
) -> None:
    seen, hidden = desk.asset(lucidlink=CLIP), desk.asset(b2=CLIP, lucidlink=CLIP)
    ada = desk.user(hidden)
    before = forbidden(desk)
    desk.set(copies_paused=True)
    desk.let("hang:50", "GET", f"files/v1/assets/{hidden}/formats/")
    operation_id = desk.click("remove", seen, hidden, user=ada)
    desk.wait_until_taken()
    desk.wait_for_request("GET", f"{seen}/files/")
    desk.expire(ada.token)
    desk.heal()
    desk.set(copies_paused=False)
    report = desk.report(operation_id)
    assert (report["counts"]["removed"], report["counts"]["failed"]) == (1, 1)
    assert (desk.on_lucidlink(seen), desk.on_lucidlink(hidden)) == ([], ["clip.mov"])
    assert forbidden(desk) == before


def test_what_a_lost_token_has_seen_is_tried_again_with_that_of_the_application(
    desk: Desk,
) -> None:
    clip, ada = desk.asset(b2=CLIP, lucidlink=CLIP), desk.user()
    desk.let("status:400", "DELETE", FILE_SET)
    first = desk.click("remove", clip, user=ada)
    assert desk.report(first)["counts"]["failed"] == 1
    desk.expire(ada.token)
    again = desk.try_again(first)
    assert desk.report(again)["counts"]["removed"] == 1
    assert desk.on_lucidlink(clip) == []


# Whose click, and whose token


def audit_line(desk: Desk, asset_id: str) -> str:
    """The line that was logged of the only deletion of an asset."""
    (line,) = [
        each
        for each in desk.service.log().splitlines()
        if "audit: deleted" in each and asset_id in each
    ]
    return line


def test_the_audit_line_tells_when_the_application_s_token_went_on(desk: Desk) -> None:
    clip, ada = desk.asset(b2=CLIP, lucidlink=CLIP), desk.user()
    desk.let("hang:50", "DELETE", PURGE)
    operation_id = desk.click("remove", clip, user=ada)
    desk.wait_until_taken()
    desk.expire(ada.token)
    desk.heal()
    assert desk.report(operation_id)["counts"]["removed"] == 1
    assert f"clicked by user {ada.id}, with ICONIK_TOKEN, proven" in audit_line(desk, clip)
