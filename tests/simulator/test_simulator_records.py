"""Records as found in the field: sequences, versions, lists that end early, odd answers."""

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.simulator.desk import Desk

BOTH = ("b2", "lucidlink")
SEQUENCE = {
    "name": "f_[0008-0011].dpx",
    "type": "SEQUENCE",
    "template": "f_{frame:04d}.dpx",
    "template_engine": "python",
    "size": 4003,
}
FRAMES = ["f_0008.dpx", "f_0009.dpx", "f_0010.dpx", "f_0011.dpx"]


def files(made: Any) -> str:
    """The path of an asset's list of files."""
    return f"files/v1/assets/{made['id']}/files/"


def real(root: Path, made: Any) -> dict[str, int]:
    """The real files of an asset below a directory, with their sizes."""
    return {path.name: path.stat().st_size for path in sorted((root / made["id"]).iterdir())}


# Image sequences in one record


def test_a_sequence_is_one_record_and_many_files(desk: Desk) -> None:
    made = desk.asset(SEQUENCE)
    (record,) = desk.get(files(made))["objects"]
    assert {name: record[name] for name in SEQUENCE} == SEQUENCE
    assert (record["status"], record["checksum"]) == ("CLOSED", None)
    assert real(desk.b2, made) == dict(zip(FRAMES, (1000, 1000, 1000, 1003), strict=True))


def test_a_sequence_is_copied_judged_and_purged_frame_by_frame(desk: Desk) -> None:
    made = desk.asset(SEQUENCE)
    assert desk.copy(made["id"])["status"] == "FINISHED"
    (copied,) = desk.files(made["id"], "lucidlink")
    assert {name: copied[name] for name in SEQUENCE} == SEQUENCE
    assert real(desk.lucidlink, made) == real(desk.b2, made)
    path = f"files/v1/assets/{made['id']}/file_sets/{copied['file_set_id']}/"
    desk.ask("DELETE", path)
    (desk.b2 / made["id"] / FRAMES[2]).write_bytes(bytes(1000))
    desk.ask("DELETE", f"{path}purge/")
    assert desk.judged(path) == [("delete", True), ("purge", False)]
    assert real(desk.lucidlink, made) == {}


@pytest.mark.parametrize(
    "changes", [{"template": None}, {"template": "f.dpx"}, {"name": "f_%04d.dpx"}]
)
def test_a_sequence_that_cannot_be_counted_is_one_file(desk: Desk, changes: dict[str, Any]) -> None:
    sequence = {**SEQUENCE, **changes}
    made = desk.asset(sequence)
    assert real(desk.b2, made) == {sequence["name"]: 4003}


# Versions


def test_formats_of_older_versions_are_listed_on_demand(desk: Desk) -> None:
    file = [{"name": "a.mov"}]
    formats = [
        {"name": "ORIGINAL", "b2": file, "older_version": True},
        {"name": "ORIGINAL", "b2": file},
    ]
    made = desk.asset(formats=formats)
    path = f"files/v1/assets/{made['id']}/formats/"
    (newest,) = desk.get(path)["objects"]
    every = desk.get(path, include_all_versions="true")["objects"]
    versions = desk.get(f"assets/v1/assets/{made['id']}/")["versions"]
    assert versions[-1]["id"] == newest["version_id"]
    assert {each["version_id"] for each in every} == {each["id"] for each in versions}
    assert len(desk.get(files(made))["objects"]) == 2, "files are listed of all versions"
    desk.control("PATCH", "settings", {"all_versions": False})
    assert desk.get(path, include_all_versions="true")["objects"] == [newest]


# Lists that are not the whole truth


def test_a_list_that_ends_early(desk: Desk) -> None:
    made = desk.asset(*({"name": f"{n}.dpx"} for n in range(4)), on=BOTH, cut_list=7)
    page = desk.get(files(made), per_page=100)
    assert (page["total"], page["pages"], "next_url" in page) == (8, 2, False)
    names = sorted((file["name"], file["storage_id"]) for file in page["objects"])
    assert len(names) == 7
    assert ("3.dpx", desk.ll_id) not in names, "what was made last is missing"
    desk.control("PATCH", f"assets/{made['id']}", {"cut_list": None})
    assert len(desk.get(files(made), per_page=100)["objects"]) == 8


def test_only_a_later_page_is_missing(desk: Desk) -> None:
    made = desk.asset({"name": "a"}, {"name": "b"})
    fault = {"fault": "status:404", "path": "files/v1/assets/*/files/", "query": "*last_id=*"}
    desk.control("POST", "faults", fault)
    first = desk.get(files(made), per_page=1)
    following = first["next_url"].removeprefix("/API/")
    assert desk.ask("GET", following).status_code == 404
    assert desk.ask("GET", following).status_code == 200, "once only"


def test_files_are_counted_on_demand(desk: Desk) -> None:
    made = desk.asset({"name": "a"}, {"name": "b"})
    path = f"files/v1/assets/{made['id']}/file_sets/"
    assert "file_count" not in desk.get(path)["objects"][0]
    assert desk.get(path, file_count="true")["objects"][0]["file_count"] == 2
    file_set_id = made["file_set_ids"]["ORIGINAL"]["b2"]
    desk.control("PATCH", f"file_sets/{file_set_id}", {"told_count": 9})
    assert desk.get(path, file_count="true")["objects"][0]["file_count"] == 9


def test_files_may_contradict_the_status_of_their_file_set(desk: Desk) -> None:
    made = desk.asset(on=BOTH)
    file_set_id = made["file_set_ids"]["ORIGINAL"]["lucidlink"]
    change = {"status": "DELETED", "status_in_files": "ACTIVE"}
    desk.control("PATCH", f"file_sets/{file_set_id}", change)
    told = {file["file_set_status"] for file in desk.get(files(made))["objects"]}
    queue = desk.get("files/v1/delete_queue/file_sets/", per_page=100)["objects"]
    assert told == {"ACTIVE"}
    assert desk.get(desk.file_set(made, "lucidlink"))["status"] == "DELETED"
    assert file_set_id in [each["id"] for each in queue]
    desk.control("PATCH", f"file_sets/{file_set_id}", {"status": "ACTIVE"})
    queue = desk.get("files/v1/delete_queue/file_sets/", per_page=100)["objects"]
    assert file_set_id not in [each["id"] for each in queue]


# Answers that claim what did not happen


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ({"fault": "status:202", "body": {}}, 202, {}),
        ({"fault": "status:200", "body": {"errors": ["no"]}}, 200, {"errors": ["no"]}),
        ({"fault": "status:204"}, 204, None),
    ],
)
def test_a_bulk_deletion_that_does_nothing(
    desk: Desk, fault: dict[str, Any], status: int, body: Any
) -> None:
    desk.control("PATCH", "settings", {"bulk_deletion": True})
    desk.control("POST", "faults", {"path": "files/v1/assets/*/file_sets/bulk/", **fault})
    made = desk.asset(on=BOTH)
    ids = [made["file_set_ids"]["ORIGINAL"]["lucidlink"]]
    answer = desk.ask("POST", f"files/v1/assets/{made['id']}/file_sets/bulk/", {"ids": ids})
    assert answer.status_code == status
    assert (answer.json() if answer.content else None) == body
    assert desk.get(desk.file_set(made, "lucidlink"))["status"] == "ACTIVE"


# What else can be selected

SEGMENT = {"object_type": "segments", "asset_id": "33333333-0000-4000-8000-000000000001"}


@pytest.mark.parametrize(
    ("kind", "path", "name"),
    [
        ("saved_searches", "search/v1/search/saved/{}/", "id"),
        ("playlists", "assets/v1/playlists/{}/items/", "object_id"),
    ],
)
def test_lists_of_assets_and_of_parts_of_them(desk: Desk, kind: str, path: str, name: str) -> None:
    made = desk.asset()
    body = {"ids": [made["id"]], "objects": [SEGMENT, {"object_type": "users", "id": "u"}]}
    listed = path.format(desk.control("POST", kind, body)["id"])
    asset, segment, user = desk.get(listed)["objects"]
    assert (asset[name], asset["object_type"]) == (made["id"], "assets")
    assert {each: segment[each] for each in SEGMENT} == SEGMENT
    assert (user[name], user["object_type"]) == ("u", "users")
    assert desk.get(listed, per_page=1)["total"] == 3
    assert desk.ask("GET", path.format(made["id"])).status_code == 404


def test_an_object_without_a_type_is_refused(desk: Desk) -> None:
    body = {"objects": [{"id": "u"}]}
    answer = requests.post(f"{desk.url}/_simulator/playlists", json=body, timeout=5)
    assert answer.status_code == 400


def test_a_saved_search_of_segments_is_copied_by_asset(desk: Desk) -> None:
    made = desk.asset()
    search = {"objects": [{"object_type": "segments", "asset_id": made["id"]}]}
    search_id = desk.control("POST", "saved_searches", search)["id"]
    wanted = {"object_ids": [search_id], "object_type": "saved_searches"}
    answer = desk.ask("POST", f"files/v1/storages/{desk.ll_id}/bulk/", wanted)
    assert desk.ended(answer.json()["job_id"])["status"] == "FINISHED"
    assert desk.files(made["id"], "lucidlink")


# The judge


def marked(desk: Desk, made: Any, format_: str = "ORIGINAL") -> bool:
    """Mark the file set on LucidLink deleted; returns whether the judge found that safe."""
    path = desk.file_set(made, "lucidlink", format_)
    desk.ask("DELETE", path)
    ((step, proven),) = desk.judged(path)
    assert step == "delete"
    return proven


@pytest.mark.parametrize("do", ["remove", "hide", "truncate", "replace"])
def test_the_judge_looks_into_the_bucket(desk: Desk, do: str) -> None:
    made = desk.asset(on=BOTH)
    body = {"file_id": made["file_ids"]["ORIGINAL"]["b2"][0], "do": do, "size": 5}
    desk.control("POST", "buckets/objects", body)
    assert not marked(desk, made)


def test_an_empty_file_beside_others_is_safe(desk: Desk) -> None:
    assert marked(desk, desk.asset({"name": "a"}, {"name": "a.lck", "size": 0}, on=BOTH))
    assert not marked(desk, desk.asset({"name": "a.lck", "size": 0}, on=BOTH))


def test_an_empty_file_that_is_not_empty_in_the_bucket_is_not(desk: Desk) -> None:
    lock = {"name": "a.lck", "size": 0}
    formats = {
        "b2": [{"name": "a"}, {**lock, "bucket": {"size": 1}}],
        "lucidlink": [{"name": "a"}, lock],
    }
    assert not marked(desk, desk.asset(formats={"ORIGINAL": formats}))


def test_accents_may_be_written_in_two_ways(desk: Desk) -> None:
    formats = {"b2": [{"name": "caf\u00e9"}], "lucidlink": [{"name": "cafe\u0301"}]}
    assert marked(desk, desk.asset(formats={"ORIGINAL": formats}))


@pytest.mark.parametrize(("size", "is_safe"), [(1000, True), (999, False)])
def test_what_is_missing_on_lucidlink_is_safe_if_the_bucket_has_it(
    desk: Desk, size: int, is_safe: bool
) -> None:
    gone = {"name": "a", "status": "MISSING", "size": size}
    formats = {"b2": [{"name": "a"}], "lucidlink": [gone]}
    assert marked(desk, desk.asset(formats={"ORIGINAL": formats})) is is_safe


@pytest.mark.parametrize("other_on_b2", [True, False])
def test_a_file_of_two_formats_is_safe_if_both_are(desk: Desk, other_on_b2: bool) -> None:
    file = [{"name": "a.mov", "content": "the same"}]
    mezzanine = {"lucidlink": file, **({"b2": file} if other_on_b2 else {})}
    formats = {"ORIGINAL": {"b2": file, "lucidlink": file}, "MEZZANINE": mezzanine}
    made = desk.asset(formats=formats)
    assert marked(desk, made) is other_on_b2
    if not other_on_b2:
        reason = desk.control("GET", "deletions")["objects"][-1]["reason"]
        assert "MEZZANINE" in reason
