"""Deleting, purging, restoring; and the judge who looks at the real bytes."""

from pathlib import Path
from typing import Any

import pytest

from tests.simulator.desk import Desk

BOTH = ("b2", "lucidlink")


def test_the_file_stays_until_the_purge(desk: Desk) -> None:
    made = desk.asset(on=BOTH)
    path = desk.file_set(made, "lucidlink")
    (real,) = (Path(f["path"]) for f in desk.files(made["id"], "lucidlink"))

    assert desk.ask("DELETE", f"{path}purge/").status_code == 400, "it isn't deleted yet"
    deleted = desk.ask("DELETE", path)
    assert (deleted.status_code, deleted.json()["status"]) == (200, "DELETED")
    assert desk.ask("DELETE", path).status_code == 200, "twice does no harm"
    assert real.exists()
    queue = desk.get("files/v1/delete_queue/file_sets/", per_page=100)["objects"]
    assert made["file_set_ids"]["ORIGINAL"]["lucidlink"] in [each["id"] for each in queue]

    assert desk.ask("DELETE", f"{path}purge/").status_code == 204
    assert not real.exists()
    assert desk.files(made["id"], "lucidlink") == []
    assert desk.files(made["id"], "b2")[0]["exists"]
    assert desk.ask("DELETE", f"{path}purge/").status_code == 404
    assert desk.ask("DELETE", path).status_code == 404
    assert desk.judged(path) == [("delete", True), ("purge", True)]


def test_restoring(desk: Desk) -> None:
    made = desk.asset(on=BOTH)
    path = desk.file_set(made, "lucidlink")
    assert desk.ask("PUT", f"{path}restore/").status_code == 400
    desk.ask("DELETE", path)
    before = desk.control("GET")["deletions"]
    assert desk.ask("PUT", f"{path}restore/").json()["status"] == "ACTIVE"
    restored = desk.get(path)
    assert (restored["status"], "date_deleted" in restored) == ("ACTIVE", False)
    assert desk.ask("DELETE", f"{path}purge/").status_code == 400
    listed = desk.get(f"files/v1/assets/{made['id']}/files/")["objects"]
    assert {each["file_set_status"] for each in listed} == {"ACTIVE"}
    assert desk.judged(path) == [("delete", True), ("restore", True)]
    assert desk.control("GET")["deletions"] == before, "it is no deletion"


def test_purging_many(desk: Desk) -> None:
    made = [desk.asset(on=BOTH) for _ in range(3)]
    for each in made[:2]:
        desk.ask("DELETE", desk.file_set(each, "lucidlink"))
    ids = [each["file_set_ids"]["ORIGINAL"]["lucidlink"] for each in made]
    queue = "files/v1/delete_queue/file_sets/purge/"
    assert desk.ask("POST", queue, {"ids": ids}).status_code == 204
    assert [len(desk.files(each["id"], "lucidlink")) for each in made] == [0, 0, 1]
    assert desk.ask("POST", queue, {"ids": "all"}).status_code == 400


def test_keeping_the_source(desk: Desk) -> None:
    made = desk.asset(on=BOTH)
    path = desk.file_set(made, "lucidlink")
    (file,) = desk.files(made["id"], "lucidlink")
    desk.ask("DELETE", path, keep_source="true")
    desk.ask("DELETE", f"{path}purge/")
    assert desk.files(made["id"], "lucidlink") == []
    assert Path(file["path"]).exists()


def test_a_storage_that_allows_no_deletion(desk: Desk) -> None:
    made = desk.asset(on=BOTH)
    desk.control("PATCH", "storages/lucidlink", {"settings": {"delete": False}})
    response = desk.ask("DELETE", desk.file_set(made, "lucidlink"))
    desk.control("PATCH", "storages/lucidlink", {"settings": {"delete": True}})
    assert response.status_code == 403
    assert desk.judged(desk.file_set(made, "lucidlink")) == []


def test_copied_again_before_the_purge(desk: Desk) -> None:
    """The new copy keeps its real file, unless iconik should take purging literally."""
    for literally in (False, True):
        desk.control("PATCH", "settings", {"purge_takes_shared": literally})
        made = desk.asset(on=BOTH)
        path = desk.file_set(made, "lucidlink")
        desk.ask("DELETE", path)
        assert desk.copy(made["id"])["status"] == "FINISHED"
        desk.ask("DELETE", f"{path}purge/")
        (file,) = desk.files(made["id"], "lucidlink")
        assert (file["status"], file["exists"]) == ("CLOSED", not literally)


# The judge


def _edited(desk: Desk, made: dict[str, object], storage: str, **changes: object) -> None:
    (file,) = desk.files(str(made["id"]), storage)
    desk.control("PATCH", f"files/{file['id']}", changes)


@pytest.mark.parametrize(
    ("storage", "changes", "reason"),
    [
        ("b2", {"status": "OPEN"}, "no closed record"),
        ("b2", {"status": "MISSING"}, "no closed record"),
        ("b2", {"size": 0}, "no closed record"),
        ("b2", {"original_name": "other.mov"}, "no closed record"),
        ("b2", {"content": "edited"}, "the real files differ"),
        ("b2", {"name": "elsewhere.mov"}, "or one is missing"),
        ("lucidlink", {"content": "edited in place"}, "the real files differ"),
    ],
)
def test_dangers(desk: Desk, storage: str, changes: dict[str, object], reason: str) -> None:
    made = desk.asset(on=BOTH)
    _edited(desk, made, storage, **changes)
    before = desk.control("GET")["deletions"]
    path = desk.file_set(made, "lucidlink")
    assert desk.ask("DELETE", path).status_code == 200, "iconik deletes whatever it is told to"
    assert desk.judged(path) == [("delete", False)]
    assert reason in desk.control("GET", "deletions")["objects"][-1]["reason"]
    after = desk.control("GET")["deletions"]
    assert (after["checked"], after["unproven"]) == (before["checked"] + 1, before["unproven"] + 1)


def test_the_master_is_deleted_before_the_purge(desk: Desk) -> None:
    made = desk.asset(on=BOTH)
    path = desk.file_set(made, "lucidlink")
    desk.ask("DELETE", path)
    desk.ask("DELETE", desk.file_set(made, "b2"))
    desk.ask("DELETE", f"{path}purge/")
    assert desk.judged(path) == [("delete", True), ("purge", False)]
    assert desk.judged(desk.file_set(made, "b2")) == [("delete", False)], "it isn't on LucidLink"


def test_one_frame_of_many_is_missing(desk: Desk) -> None:
    frames = [{"name": f"{n}.dpx", "size": 10 + n} for n in range(5)]
    formats = {"ORIGINAL": {"b2": frames[:4], "lucidlink": frames}}
    path = desk.file_set(made := desk.asset(formats=formats), "lucidlink")
    desk.ask("DELETE", path)
    assert desk.judged(path) == [("delete", False)]
    whole = desk.asset(*frames, {"name": "d", "type": "DIRECTORY"}, on=BOTH)
    desk.ask("DELETE", desk.file_set(whole, "lucidlink"))
    assert desk.judged(desk.file_set(whole, "lucidlink")) == [("delete", True)]
    assert made["id"] != whole["id"]


def test_another_format_is_no_twin(desk: Desk) -> None:
    same = [{"name": "a.mov", "content": "same"}]
    formats = {"ORIGINAL": {"lucidlink": same}, "PPRO_PROXY": {"b2": same}}
    path = desk.file_set(desk.asset(formats=formats), "lucidlink")
    desk.ask("DELETE", path)
    assert desk.judged(path) == [("delete", False)]


def test_a_file_set_without_files(desk: Desk) -> None:
    formats = {"ORIGINAL": {"b2": [{"name": "a.mov"}], "lucidlink": [{"files": []}]}}
    path = desk.file_set(desk.asset(formats=formats), "lucidlink")
    desk.ask("DELETE", path)
    assert desk.judged(path) == [("delete", False)]


# The newer ways


def test_the_newer_ways_are_off_at_first(desk: Desk) -> None:
    made = desk.asset(on=BOTH)
    ids = list(made["file_set_ids"]["ORIGINAL"].values())
    bulk = f"files/v1/assets/{made['id']}/file_sets/bulk/"
    assert desk.ask("POST", bulk, {"ids": ids}).status_code in (404, 405)
    path = desk.file_set(made, "lucidlink")
    assert desk.ask("DELETE", path, immediately="true").status_code == 200
    assert desk.files(made["id"], "lucidlink")[0]["exists"], "the parameter is not known"


def test_deleting_immediately(desk: Desk) -> None:
    desk.control("PATCH", "settings", {"bulk_deletion": True})
    made = desk.asset(on=BOTH)
    path = desk.file_set(made, "lucidlink")
    response = desk.ask("DELETE", path, immediately="true")
    assert (response.status_code, response.content) == (204, b"")
    assert desk.files(made["id"], "lucidlink") == []
    assert desk.judged(path) == [("delete", True), ("purge", True)]


def test_deleting_many_with_a_net(desk: Desk) -> None:
    desk.control("PATCH", "settings", {"bulk_deletion": True})
    proxy = {"lucidlink": [{"name": "p.mov"}]}
    original = {"b2": [{"name": "a.mov"}], "lucidlink": [{"name": "a.mov"}]}
    made = desk.asset(formats={"ORIGINAL": original, "PPRO_PROXY": proxy})
    bulk = f"files/v1/assets/{made['id']}/file_sets/bulk/"
    safe = made["file_set_ids"]["ORIGINAL"]["lucidlink"]
    last = made["file_set_ids"]["PPRO_PROXY"]["lucidlink"]
    options: dict[str, Any] = {"immediately": "true", "do_not_delete_last_copy": "true"}

    assert desk.ask("POST", bulk, {"ids": [safe, last]}, **options).status_code == 400
    assert len(desk.files(made["id"], "lucidlink")) == 2, "all or none"
    assert desk.ask("POST", bulk, {"ids": [safe]}, **options).status_code == 204
    assert [f["name"] for f in desk.files(made["id"], "lucidlink")] == ["p.mov"]
    assert desk.ask("POST", bulk, {"ids": [safe]}, **options).status_code == 404
    assert desk.ask("POST", bulk, {"ids": []}).status_code == 400
    assert desk.ask("POST", bulk, {"ids": [last]}).status_code == 204, "without the net"
    assert desk.files(made["id"], "lucidlink")[0]["file_set_status"] == "DELETED"
