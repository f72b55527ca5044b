"""What is hidden from a user, and the judge who sees whether a deletion stays within rights."""

import uuid
from typing import Any

import pytest

from tests.simulator.desk import Desk

BOTH = ("b2", "lucidlink")


class Person:
    """A user from whom an asset is hidden."""

    def __init__(self, desk: Desk, *hidden: str) -> None:
        self.id = str(uuid.uuid4())
        self.headers = {"Auth-Token": desk.control("POST", "tokens", {"user_id": self.id})["token"]}
        desk.control("PUT", f"users/{self.id}/hidden", {"asset_ids": list(hidden)})


def permitted(desk: Desk, asset_id: str) -> list[bool]:
    """What the judge said of the deletions of an asset."""
    seen = desk.control("GET", "deletions")["objects"]
    return [each["permitted"] for each in seen if each["asset_id"] == asset_id]


@pytest.mark.parametrize("path", ["assets/v1/assets/{}/", "files/v1/assets/{}/files/"])
def test_a_hidden_asset_is_forbidden_and_others_are_not(desk: Desk, path: str) -> None:
    hidden, shown = desk.asset(on=BOTH)["id"], desk.asset(on=BOTH)["id"]
    person = Person(desk, hidden)
    assert desk.ask("GET", path.format(hidden), headers=person.headers).status_code == 403
    assert desk.ask("GET", path.format(shown), headers=person.headers).status_code == 200
    assert desk.ask("GET", path.format(hidden)).status_code == 200


def test_a_hidden_asset_is_not_listed(desk: Desk) -> None:
    hidden, shown = desk.asset(on=BOTH)["id"], desk.asset(on=BOTH)["id"]
    top = desk.control("POST", "collections", {})["id"]
    desk.control("POST", f"collections/{top}/contents", {"ids": [hidden, shown]})
    headers = Person(desk, hidden).headers
    listed = desk.ask("GET", f"assets/v1/collections/{top}/contents/", headers=headers).json()
    assert [each["id"] for each in listed["objects"]] == [shown]


def test_a_hidden_asset_is_not_found_by_a_search(desk: Desk) -> None:
    hidden, shown = desk.asset(on=BOTH)["id"], desk.asset(on=BOTH)["id"]
    terms = {"operator": "AND", "terms": [{"name": "id", "value_in": [hidden, shown]}]}
    headers = Person(desk, hidden).headers
    found = desk.ask("POST", "search/v1/search/", {"filter": terms}, headers=headers).json()
    assert [each["id"] for each in found["objects"]] == [shown]


def test_a_hidden_asset_is_neither_copied_nor_purged_with_others(desk: Desk) -> None:
    hidden, shown = desk.asset(on=BOTH), desk.asset(on=BOTH)
    headers = Person(desk, hidden["id"]).headers
    sent: dict[str, Any] = {
        "object_ids": [hidden["id"], shown["id"]],
        "object_type": "assets",
        "format_name": "ORIGINAL",
    }
    copies = desk.ask("POST", f"files/v1/storages/{desk.ll_id}/bulk/", sent, headers=headers)
    assert copies.status_code == 403
    for each in (hidden, shown):
        desk.ask("DELETE", desk.file_set(each, "lucidlink"))
    ids = {"ids": [each["file_set_ids"]["ORIGINAL"]["lucidlink"] for each in (hidden, shown)]}
    purge = "files/v1/delete_queue/file_sets/purge/"
    assert desk.ask("POST", purge, ids, headers=headers).status_code == 403
    assert [len(desk.files(each["id"], "lucidlink")) for each in (hidden, shown)] == [1, 1]


@pytest.mark.parametrize("has_read", [True, False])
def test_the_application_may_delete_what_is_hidden_from_somebody_if_a_user_has_read_it(
    desk: Desk, has_read: bool
) -> None:
    made = desk.asset(on=BOTH)
    Person(desk, made["id"])
    reader = Person(desk)
    if has_read:
        path = f"files/v1/assets/{made['id']}/files/"
        assert desk.ask("GET", path, headers=reader.headers).ok
    before = desk.control("GET")["deletions"]["forbidden"]
    desk.ask("DELETE", desk.file_set(made, "lucidlink"))
    assert permitted(desk, made["id"]) == [has_read]
    assert desk.control("GET")["deletions"]["forbidden"] == before + (not has_read)


def test_a_user_may_delete_what_they_see(desk: Desk) -> None:
    made = desk.asset(on=BOTH)
    Person(desk, made["id"])
    path = desk.file_set(made, "lucidlink")
    assert desk.ask("DELETE", path, headers=Person(desk).headers).ok
    assert permitted(desk, made["id"]) == [True]


@pytest.mark.parametrize("has_read", [True, False])
def test_the_application_may_restore_what_it_may_delete(desk: Desk, has_read: bool) -> None:
    made = desk.asset(on=BOTH)
    path = desk.file_set(made, "lucidlink")
    desk.ask("DELETE", path)
    Person(desk, made["id"])
    if has_read:
        files = f"files/v1/assets/{made['id']}/files/"
        assert desk.ask("GET", files, headers=Person(desk).headers).ok
    desk.ask("PUT", f"{path}restore/")
    assert permitted(desk, made["id"]) == [True, has_read]


def test_a_token_without_the_role_restores_nothing(desk: Desk) -> None:
    token = desk.control("POST", "tokens", {"roles": ["can_delete_files"]})["token"]
    path = desk.file_set(desk.asset(on=BOTH), "lucidlink")
    desk.ask("DELETE", path)
    answer = desk.ask("PUT", f"{path}restore/", headers={"Auth-Token": token})
    assert answer.json() == {"errors": ["Required roles: can_write_files"]}
    assert desk.judged(path) == [("delete", True)]


def test_a_user_has_a_name(desk: Desk) -> None:
    user_id = str(uuid.uuid4())
    name = {"first_name": "Ana", "last_name": "Ruiz"}
    desk.control("PUT", f"users/{user_id}", name)
    told = desk.get(f"users/v1/users/{user_id}/")
    assert {each: told[each] for each in ("first_name", "last_name", "email")} == {
        **name,
        "email": None,
    }


def test_an_unknown_user_is_not_found(desk: Desk) -> None:
    assert desk.ask("GET", f"users/v1/users/{uuid.uuid4()}/").status_code == 404


def test_a_token_without_the_role_reads_no_user(desk: Desk) -> None:
    token = desk.control("POST", "tokens", {"roles": ["can_read_assets"]})["token"]
    user_id = desk.get("users/v1/users/current/")["id"]
    answer = desk.ask("GET", f"users/v1/users/{user_id}/", headers={"Auth-Token": token})
    assert answer.status_code == 403
    assert answer.json() == {"errors": ["Required roles: can_read_users"]}
