"""The delete queue, which iconik empties by itself, and what the judge says of that."""

import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.simulator.desk import Desk

BOTH = ("b2", "lucidlink")
HOUR = 3600
SETTINGS = "settings/v1/system/current/"


def wait_hours(desk: Desk, hours: float) -> None:
    """Let iconik's clock be so many hours ahead."""
    desk.control("PATCH", "settings", {"clock_ahead_seconds": hours * HOUR})


def deleted(desk: Desk, *files: dict[str, Any], on: tuple[str, ...] = BOTH) -> tuple[Any, str]:
    """Make an asset, and mark its file set on LucidLink deleted; returns it and the path."""
    made = desk.asset(*files, on=on)
    path = desk.file_set(made, "lucidlink")
    assert desk.ask("DELETE", path).ok
    return made, path


def hide_from_iconik(desk: Desk, file_set: str) -> None:
    """Mark a file set deleted without iconik's API."""
    file_set_id = file_set.rstrip("/").rpartition("/")[2]
    desk.control("PATCH", f"file_sets/{file_set_id}", {"status": "DELETED"})


def at_one_place() -> dict[str, Any]:
    """A file for several file sets, in a directory that no other test has."""
    return {"name": "a.mov", "directory": str(uuid.uuid4()), "content": "the same"}


def last_purge(desk: Desk, file_set: str) -> Any:
    """The record of the purge of a file set."""
    file_set_id = file_set.rstrip("/").rpartition("/")[2]
    seen = desk.control("GET", "deletions")["objects"]
    (purge,) = (d for d in seen if (d["step"], d["file_set_id"]) == ("purge", file_set_id))
    return purge


def test_the_system_settings_tell_the_grace_period_unless_they_lack_it(desk: Desk) -> None:
    assert desk.get(SETTINGS)["delete_grace_period"] == 24
    desk.control("PATCH", "settings", {"delete_grace_period": 336})
    assert desk.get(SETTINGS)["delete_grace_period"] == 336
    desk.control("PATCH", "settings", {"grace_period_shown": False})
    assert "delete_grace_period" not in desk.get(SETTINGS)


def test_a_deleted_file_set_stays_during_the_grace_period(desk: Desk) -> None:
    made, path = deleted(desk)
    wait_hours(desk, 23.9)
    assert desk.files(made["id"], "lucidlink")[0]["exists"]
    assert desk.judged(path) == [("delete", True)]


def test_a_deleted_file_set_is_purged_when_the_grace_period_is_over(desk: Desk) -> None:
    made, _ = deleted(desk)
    (file,) = desk.files(made["id"], "lucidlink")
    wait_hours(desk, 24.1)
    assert not Path(file["path"]).exists()
    assert desk.files(made["id"], "lucidlink") == []
    assert desk.files(made["id"], "b2")[0]["exists"]


def test_only_a_purge_that_nobody_requested_is_automatic(desk: Desk) -> None:
    _, path = deleted(desk)
    wait_hours(desk, 24.1)
    assert last_purge(desk, path)["automatic"] is True
    assert desk.judged(path) == [("delete", True), ("purge", True)]
    _, path = deleted(desk)
    desk.ask("DELETE", f"{path}purge/")
    assert last_purge(desk, path)["automatic"] is False


def test_a_purged_file_set_cannot_be_restored(desk: Desk) -> None:
    _, path = deleted(desk)
    wait_hours(desk, 24.1)
    assert desk.ask("PUT", f"{path}restore/").status_code == 404


def test_a_restored_file_set_is_not_purged(desk: Desk) -> None:
    made, path = deleted(desk)
    assert desk.ask("PUT", f"{path}restore/").ok
    wait_hours(desk, 24.1)
    assert desk.files(made["id"], "lucidlink")[0]["exists"]


@pytest.mark.parametrize("path", ["API/files/v1/storages/", "_simulator/faults"])
def test_every_request_empties_the_queue(desk: Desk, path: str) -> None:
    """Without a grace period, nothing but the next request is needed."""
    made = desk.asset(on=BOTH)
    (file,) = desk.files(made["id"], "lucidlink")
    desk.control("PATCH", "settings", {"delete_grace_period": 0})
    desk.ask("DELETE", desk.file_set(made, "lucidlink"))
    assert Path(file["path"]).exists()
    headers = {"App-ID": desk.app_id, "Auth-Token": desk.token}
    assert requests.get(f"{desk.url}/{path}", headers=headers, timeout=60).ok
    assert not Path(file["path"]).exists()


def test_an_automatic_purge_keeps_the_source_if_the_deletion_asked_for_it(desk: Desk) -> None:
    made = desk.asset(on=BOTH)
    (file,) = desk.files(made["id"], "lucidlink")
    desk.ask("DELETE", desk.file_set(made, "lucidlink"), keep_source="true")
    wait_hours(desk, 24.1)
    assert desk.files(made["id"], "lucidlink") == []
    assert Path(file["path"]).exists()


def test_a_storage_that_allows_no_deletion_keeps_its_queue(desk: Desk) -> None:
    made, _ = deleted(desk)
    desk.control("PATCH", "storages/lucidlink", {"settings": {"delete": False}})
    wait_hours(desk, 24.1)
    kept = desk.files(made["id"], "lucidlink")
    desk.control("PATCH", "storages/lucidlink", {"settings": {"delete": True}})
    assert kept[0]["exists"]
    assert desk.files(made["id"], "lucidlink") == []


def test_an_asset_made_with_a_deleted_file_set_is_in_the_queue_since_then(desk: Desk) -> None:
    sides = {
        "b2": [{"name": "b.mov"}],
        "lucidlink": [{"files": [{"name": "b.mov"}], "status": "DELETED"}],
    }
    made = desk.asset(formats={"ORIGINAL": sides})
    wait_hours(desk, 23.9)
    assert desk.get(desk.file_set(made, "lucidlink"))["date_deleted"]
    wait_hours(desk, 24.1)
    assert desk.ask("GET", desk.file_set(made, "lucidlink")).status_code == 404


# The same real file


def test_the_real_file_of_a_newer_copy_is_purged_too(desk: Desk) -> None:
    made, path = deleted(desk)
    assert desk.copy(made["id"])["status"] == "FINISHED"
    wait_hours(desk, 24.1)
    (copy,) = desk.files(made["id"], "lucidlink")
    assert (copy["status"], copy["file_set_status"], copy["exists"]) == ("CLOSED", "ACTIVE", False)
    assert last_purge(desk, path)["proven"], "its master is in B2"


def test_the_real_file_of_a_newer_copy_stays_if_iconik_looks(desk: Desk) -> None:
    desk.control("PATCH", "settings", {"purge_takes_shared": False})
    made, _ = deleted(desk)
    assert desk.copy(made["id"])["status"] == "FINISHED"
    wait_hours(desk, 24.1)
    assert desk.files(made["id"], "lucidlink")[0]["exists"]


@pytest.mark.parametrize(
    ("storage", "change"),
    [("lucidlink", {"content": "another cut"}), ("b2", {"status": "MISSING"})],
    ids=["edited", "without a master"],
)
def test_a_purge_of_what_has_changed_since_the_deletion_is_unproven(
    desk: Desk, storage: str, change: dict[str, Any]
) -> None:
    made, path = deleted(desk)
    if storage == "lucidlink":
        desk.copy(made["id"])
    (file,) = (
        each for each in desk.files(made["id"], storage) if each["file_set_status"] == "ACTIVE"
    )
    desk.control("PATCH", f"files/{file['id']}", change)
    wait_hours(desk, 24.1)
    assert desk.judged(path) == [("delete", True), ("purge", False)]


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ({"name": "a.mov"}, "a.mov"),
        (
            {
                "name": "f_[0001-0002].dpx",
                "type": "SEQUENCE",
                "template": "f_{frame:04d}.dpx",
            },
            "f_0002.dpx",
        ),
    ],
    ids=["a file", "a sequence"],
)
@pytest.mark.parametrize("is_safe", [True, False])
def test_a_purge_of_another_assets_file_is_proven_only_if_that_is_safe(
    desk: Desk, other: dict[str, Any], name: str, is_safe: bool
) -> None:
    here = at_one_place()
    desk.asset({**here, **other}, on=BOTH if is_safe else ("lucidlink",))
    real = desk.lucidlink / here["directory"] / name
    _, path = deleted(desk, {**here, "name": name, "content": real.read_text()})
    wait_hours(desk, 24.1)
    assert not real.exists()
    purge = last_purge(desk, path)
    assert (purge["proven"], "also a file of ORIGINAL" in purge["reason"]) == (is_safe, not is_safe)


def test_a_file_that_only_has_the_same_name_is_not_in_danger(desk: Desk) -> None:
    desk.asset(at_one_place(), on=("lucidlink",))
    _, path = deleted(desk, at_one_place())
    wait_hours(desk, 24.1)
    assert last_purge(desk, path)["proven"]


def test_two_deleted_file_sets_may_have_had_the_same_real_file(desk: Desk) -> None:
    """Nothing is left when the second one is purged, so it loses nothing."""
    made, first = deleted(desk)
    desk.copy(made["id"])
    (second,) = (
        f"files/v1/assets/{made['id']}/file_sets/{each['id']}/"
        for each in desk.get(f"files/v1/assets/{made['id']}/file_sets/")["objects"]
        if (each["storage_id"], each["status"]) == (desk.ll_id, "ACTIVE")
    )
    desk.ask("DELETE", second)
    wait_hours(desk, 24.1)
    assert desk.judged(first) == desk.judged(second) == [("delete", True), ("purge", True)]


# What the simulator's own API has deleted


@pytest.mark.parametrize("storage", BOTH)
def test_what_a_test_has_deleted_is_purged_and_nobody_is_blamed(desk: Desk, storage: str) -> None:
    made = desk.asset(on=(storage,))
    hide_from_iconik(desk, desk.file_set(made, storage))
    wait_hours(desk, 24.1)
    assert desk.judged(desk.file_set(made, storage)) == [("purge", True)]
    assert desk.files(made["id"], storage) == []


def test_what_a_test_has_deleted_may_take_the_file_of_another(desk: Desk) -> None:
    here = at_one_place()
    made = desk.asset(here, on=BOTH)
    desk.asset(here, on=("lucidlink",))
    hide_from_iconik(desk, desk.file_set(made, "lucidlink"))
    wait_hours(desk, 24.1)
    assert desk.judged(desk.file_set(made, "lucidlink")) == [("purge", False)]
