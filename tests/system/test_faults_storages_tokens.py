"""Storages that can't do their part, and tokens that may not: told in words that say what to do."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.system.desk import CLIP, PURGE, ROLES, Desk, only_problem

WHOLE = {
    "purpose": "FILES",
    "status": "ACTIVE",
    "settings": {"read": True, "write": True, "delete": True},
}


@pytest.fixture(autouse=True)
def whole_storages(desk: Desk) -> Iterator[None]:
    """Storages as they were, after each test."""
    yield
    for key in ("b2", "lucidlink"):
        desk.simulator.control("PATCH", f"storages/{key}", WHOLE)


def name_of(desk: Desk, key: str) -> str:
    """What a storage is called in iconik."""
    return str(desk.simulator.control("PATCH", f"storages/{key}", {})["name"])


# Storages


COPY = (
    "nothing can be copied to LucidLink: in iconik's storage settings, allow reading from '{b2}' "
    "and writing to '{lucidlink}'"
)
DELETE = (
    "nothing can be deleted from LucidLink: in iconik's storage settings, allow deleting from "
    "'{lucidlink}'"
)

OFF = (
    "the B2 storage '{b2}' is INACTIVE: activate it in iconik's storage settings, or create "
    "the custom actions again with a different storage"
)
PURPOSE = (
    "the purpose of the LucidLink storage '{lucidlink}' is PROXIES, not FILES: create the custom "
    "actions again with a different storage"
)


@pytest.mark.parametrize(
    ("action", "key", "change", "failure"),
    [
        ("add", "b2", {"settings": {"read": False}}, COPY),
        ("remove", "lucidlink", {"settings": {"delete": False}}, DELETE),
        ("add", "b2", {"status": "INACTIVE"}, OFF),
        ("remove", "lucidlink", {"purpose": "PROXIES"}, PURPOSE),
    ],
)
def test_a_storage_that_cannot_do_its_part_is_seen_before_anything_is_asked(
    desk: Desk, action: str, key: str, change: dict[str, Any], failure: str
) -> None:
    desk.simulator.control("PATCH", f"storages/{key}", change)
    copy_needed = desk.asset(b2=CLIP) if action == "add" else desk.asset(lucidlink=CLIP)
    both = desk.asset(b2=CLIP, lucidlink=CLIP)
    report = desk.do(action, copy_needed, both)
    assert report["result"] == "failed"
    names = {each: name_of(desk, each) for each in ("b2", "lucidlink")}
    assert report["failure"] == failure.format(**names)
    asked = [(each["method"], each["path"].split("/")[4]) for each in desk.asked()]
    assert set(asked) == {("GET", "storages")}
    assert desk.on_lucidlink(both) == ["clip.mov"]


@pytest.mark.parametrize(
    ("action", "key", "kind"), [("add", "b2", "B2"), ("remove", "ll", "LucidLink")]
)
def test_an_unknown_storage_is_named(desk: Desk, action: str, key: str, kind: str) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    report = desk.do(action, clip, storages={f"{key}_storage_id": str(uuid.uuid4())})
    assert report["failure"] == (
        f"the custom action's {kind} storage does not exist in iconik: "
        "create the custom actions again with the right ids"
    )
    assert desk.on_lucidlink(clip) == ["clip.mov"]


# Roles


def a_token_without(desk: Desk, role: str) -> str:
    """A new token with all roles that the plugin needs but one."""
    roles = [each for each in ROLES if each != role]
    return str(desk.simulator.control("POST", "tokens", {"roles": roles})["token"])


def test_a_role_that_is_missing_is_named(desk: Desk) -> None:
    clicked, kept = {}, {}
    for role in ROLES:
        gone = desk.asset(b2=CLIP)
        desk.simulator.control("DELETE", f"assets/{gone}")
        rendered, both = desk.asset(lucidlink=CLIP), desk.asset(b2=CLIP, lucidlink=CLIP)
        search = desk.simulator.control("POST", "saved_searches", {"ids": [both]})
        clicked[role] = desk.click(
            "remove",
            gone,
            token=a_token_without(desk, role),
            collection_ids=[desk.collection(rendered)],
            saved_search_ids=[search["id"]],
        )
        kept[role] = (rendered, both)
    reports = {role: desk.report(each) for role, each in clicked.items()}
    unnamed = [
        role
        for role, report in reports.items()
        if f"ask an iconik administrator for the role {role}, or" not in json.dumps(report)
    ]
    assert unnamed == []
    assert {report["result"] for report in reports.values()} == {"failed", "partly done"}
    for role in ("can_read_storages", "can_read_formats", "can_read_files", "can_delete_files"):
        assert [desk.on_lucidlink(each) for each in kept[role]] == [["clip.mov"]] * 2


@pytest.mark.parametrize("role", ["can_write_transfers", "can_read_jobs"])
def test_a_role_that_add_lacks_is_named(desk: Desk, role: str) -> None:
    report = desk.do("add", desk.asset(b2=CLIP), token=a_token_without(desk, role))
    assert f"ask an iconik administrator for the role {role}, or" in json.dumps(report)


# Tokens


def expired_while_copying(desk: Desk, action: str, asset_id: str) -> str:
    """Click with a token that expires while the copy runs; returns the operation's id."""
    token = desk.user().token
    desk.set(copies_paused=True)
    operation_id = desk.click(action, asset_id, token=token)
    desk.wait_until(operation_id, "copying")
    desk.simulator.control("DELETE", f"tokens/{token}")
    desk.set(copies_paused=False)
    return operation_id


def test_a_token_that_expires_half_way_is_replaced_by_that_of_the_application(desk: Desk) -> None:
    clip, rendered = desk.asset(b2=CLIP), desk.asset(lucidlink=CLIP)
    add = expired_while_copying(desk, "add", clip)
    assert desk.report(add)["counts"]["copied"] == 1
    remove = expired_while_copying(desk, "remove", rendered)
    assert desk.report(remove)["counts"]["removed"] == 1
    assert (desk.on_lucidlink(clip), desk.on_lucidlink(rendered)) == (["clip.mov"], [])


@pytest.mark.parametrize("action", ["add", "remove"])
def test_without_another_token_an_operation_says_what_to_do(alone: Desk, action: str) -> None:
    clip = alone.asset(b2=CLIP) if action == "add" else alone.asset(lucidlink=CLIP)
    report = alone.report(expired_while_copying(alone, action, clip))
    assert report["result"] == "failed"
    assert report["failure"] == (
        "could not follow 1 job: iconik no longer accepts any token (401): set ICONIK_TOKEN to an "
        "application token, so that operations can outlive the click's token; then click again"
    )
    assert report["counts"]["undone"] == 1
    assert action == "add" or alone.on_lucidlink(clip) == ["clip.mov"]


def expired_between_delete_and_purge(desk: Desk, asset_id: str) -> str:
    """Click with a token that expires after the file set is marked; returns the operation's id."""
    token = desk.user().token
    desk.let("hang:50", "DELETE", PURGE)
    operation_id = desk.click("remove", asset_id, token=token)
    desk.wait_until_taken()
    desk.simulator.control("DELETE", f"tokens/{token}")
    desk.heal()
    return operation_id


def test_a_token_that_expires_between_delete_and_purge_is_replaced(desk: Desk) -> None:
    both = desk.asset(b2=CLIP, lucidlink=CLIP)
    operation_id = expired_between_delete_and_purge(desk, both)
    assert desk.report(operation_id)["counts"]["removed"] == 1
    assert 401 in [each["status"] for each in desk.seen("DELETE", "/purge/")]
    assert (desk.on_lucidlink(both), desk.on_b2(both)) == ([], ["clip.mov"])


def test_what_was_marked_but_not_purged_for_want_of_a_token_is_told(alone: Desk) -> None:
    both = alone.asset(b2=CLIP, lucidlink=CLIP)
    (file_set,) = alone.file_sets(both, "lucidlink")
    report = alone.report(expired_between_delete_and_purge(alone, both))
    assert report["failure"].startswith("could not purge the file set of the asset: ")
    assert only_problem(report, "failed").startswith(
        f"the deletion was not finished, and file set {file_set['id']} may be in iconik's delete "
        "queue: restore it there before iconik empties the queue, or click again"
    )
    assert alone.on_lucidlink(both) == ["clip.mov"]


def test_a_click_whose_token_never_worked_is_reported(alone: Desk) -> None:
    both = alone.asset(b2=CLIP, lucidlink=CLIP)
    report = alone.do("remove", both, token="nobody's")
    assert report["failure"].startswith("could not read the B2 storage: ")
    assert "iconik no longer accepts any token (401)" in report["failure"]
    assert alone.on_lucidlink(both) == ["clip.mov"]
