"""Copies: what they leave, and how their jobs tell it."""

from pathlib import Path

import pytest

from tests.simulator.desk import Desk, wait_for


def test_a_copy_is_real(desk: Desk) -> None:
    made = desk.asset({"name": "a.mov", "directory": "day 1/card", "content": "frames"})
    job = desk.copy(made["id"])

    assert (job["status"], job["type"], job["has_children"]) == ("FINISHED", "TRANSFER", True)
    assert (job["progress"], job["children_progress"]) == (100, {"FINISHED": 1})
    (child,) = desk.children(job["id"])
    assert (child["object_id"], child["object_type"]) == (made["id"], "assets")
    assert (child["status"], child["parent_id"]) == ("FINISHED", job["id"])
    (master,), (copy,) = desk.files(made["id"], "b2"), desk.files(made["id"], "lucidlink")
    assert Path(copy["path"]) == desk.lucidlink / "day 1/card/a.mov"
    assert Path(copy["path"]).read_text() == "frames"
    for field in ("format_id", "size", "checksum", "original_name", "directory_path", "status"):
        assert copy[field] == master[field]


def test_many_files_and_directories(desk: Desk) -> None:
    frames = [{"name": f"{n}.dpx", "directory": f"seq/{n % 2}", "size": 20 + n} for n in range(12)]
    made = desk.asset({"name": "seq", "directory": "", "type": "DIRECTORY"}, *frames)
    assert desk.copy(made["id"])["status"] == "FINISHED"
    copies = desk.files(made["id"], "lucidlink")
    assert len(copies) == 13
    for copy in copies[1:]:
        assert Path(copy["path"]).stat().st_size == copy["size"] > 0


def test_while_it_runs_its_files_are_open_and_empty(desk: Desk) -> None:
    desk.control("PATCH", "settings", {"copy_seconds": 60})
    made = desk.asset()
    job_id = desk.start_copy(made["id"])
    (copy,) = wait_for("file record", lambda: desk.files(made["id"], "lucidlink"))
    assert (copy["status"], copy["size"], copy["exists"]) == ("OPEN", 0, False)
    job = desk.get(f"jobs/v1/jobs/{job_id}/")
    assert (job["status"], job["progress"]) == ("STARTED", 0)

    (again,) = desk.children(desk.copy(made["id"])["id"])
    assert (again["status"], again["message"]) == ("SKIPPED", "Already being transferred")
    desk.ask("PUT", "jobs/v1/jobs/state/", {"action": "ABORT", "job_ids": [job_id]})
    assert desk.ended(job_id)["status"] == "FAILED"
    assert [c["status"] for c in desk.children(job_id)] == ["ABORTED"]


def test_what_is_there_is_skipped(desk: Desk) -> None:
    made = desk.asset(on=("b2", "lucidlink"))
    job = desk.copy(made["id"])
    assert (job["status"], job["children_progress"]) == ("FINISHED", {"SKIPPED": 1})


def test_some_fail_and_all_fail(desk: Desk) -> None:
    good, bad = desk.asset()["id"], desk.control("POST", "assets", {"title": "Empty"})["id"]
    job = desk.copy(good, bad)
    assert job["status"] == "FINISHED_WITH_WARNING"
    (failed,) = desk.get("jobs/v1/jobs/", parent_id=job["id"], status="FAILED")["objects"]
    assert (failed["object_id"], failed["error_message"]) == (bad, "Asset has no format ORIGINAL")
    assert desk.copy(bad)["status"] == "FAILED"
    before = desk.control("GET")["failed_children"]
    gone = "00000000-0000-4000-8000-00000000dead"
    assert desk.children(desk.copy(gone)["id"])[0]["error_message"] == "Asset does not exist"
    assert desk.control("GET")["failed_children"] == before + 1


def test_nothing_to_copy_from(desk: Desk) -> None:
    made = desk.asset({"name": "a.mov", "status": "OPEN"})
    (child,) = desk.children(desk.copy(made["id"])["id"])
    assert child["error_message"] == "No storage to transfer ORIGINAL from"
    made = desk.asset({"name": "a.mov", "exists": False})
    (child,) = desk.children(desk.copy(made["id"])["id"])
    assert (child["status"], desk.files(made["id"], "lucidlink")) == ("FAILED", [])


def test_the_preferred_source(desk: Desk) -> None:
    third = desk.control("POST", "storages", {"name": "nas"})["id"]
    formats = {
        "ORIGINAL": {
            "b2": [{"name": "a.mov", "directory": "pref", "content": "from b2"}],
            third: [{"name": "a.mov", "directory": "pref", "content": "from nas"}],
        }
    }
    made = desk.asset(formats=formats)
    desk.copy(made["id"], preferred_original_storage_id=third)
    assert (desk.lucidlink / "pref/a.mov").read_text() == "from nas"


def test_back_to_b2_from_whatever_has_it(desk: Desk) -> None:
    made = desk.asset(on=("lucidlink",))
    preferred = {"preferred_original_storage_id": desk.ll_id}
    assert desk.copy(made["id"], storage_id=desk.b2_id, **preferred)["status"] == "FINISHED"
    assert desk.files(made["id"], "b2")[0]["exists"]


@pytest.mark.parametrize(("path", "day"), [("projects/2026", "day1"), ("/projects/2026/", "day2")])
def test_a_directory_to_put_copies_under(desk: Desk, path: str, day: str) -> None:
    made = desk.asset({"name": "a.mov", "directory": day})
    desk.copy(made["id"], file_path=path)
    (copied,) = desk.files(made["id"], "lucidlink")
    assert (copied["directory_path"], copied["exists"]) == (f"projects/2026/{day}", True)
    assert (desk.lucidlink / f"projects/2026/{day}/a.mov").exists()


def test_another_file_is_never_overwritten_unasked(desk: Desk) -> None:
    made = desk.asset({"name": "a.mov", "directory": "taken", "content": "mine"})
    (desk.lucidlink / "taken").mkdir()
    (desk.lucidlink / "taken/a.mov").write_text("somebody's")
    (child,) = desk.children(desk.copy(made["id"])["id"])
    assert (child["status"], child["error_message"]) == (
        "FAILED",
        "a.mov exists on the storage and differs",
    )
    assert (desk.lucidlink / "taken/a.mov").read_text() == "somebody's"
    assert desk.copy(made["id"], overwrite=True)["status"] == "FINISHED"
    assert (desk.lucidlink / "taken/a.mov").read_text() == "mine"


def test_a_broken_file_set_is_copied_anew(desk: Desk) -> None:
    broken = {"name": "a.mov", "directory": "broken", "content": "half", "status": "FAILED"}
    formats = {
        "ORIGINAL": {
            "b2": [{"name": "a.mov", "directory": "broken", "content": "whole"}],
            "lucidlink": [{**broken, "exists": True}],
        }
    }
    made = desk.asset(formats=formats)
    assert desk.copy(made["id"])["status"] == "FINISHED"
    assert (desk.lucidlink / "broken/a.mov").read_text() == "whole"
    (copy,) = desk.files(made["id"], "lucidlink")
    assert copy["file_set_id"] == made["file_set_ids"]["ORIGINAL"]["lucidlink"]


def test_a_storage_that_adds_ids_to_names_and_knows_another_checksum(desk: Desk) -> None:
    made = desk.asset({"name": "a.b.mov"})
    desk.control("PATCH", "storages/lucidlink", {"unique_names": True, "checksum": "sha1"})
    desk.copy(made["id"])
    desk.control("PATCH", "storages/lucidlink", {"unique_names": False, "checksum": "md5"})
    (copy,) = desk.files(made["id"], "lucidlink")
    assert copy["original_name"] == "a.b.mov"
    assert (copy["name"][:4], copy["name"][-4:]) == ("a.b_", ".mov")
    assert (copy["exists"], len(copy["checksum"])) == (True, 40)


def test_collections_and_saved_searches_are_copied_too(desk: Desk) -> None:
    collection = desk.control("POST", "collections", {"title": "Deep"})["id"]
    inner = desk.control("POST", "collections", {"title": "Deeper", "parent_id": collection})["id"]
    desk.control("POST", f"collections/{inner}/contents", {"ids": [collection]})
    ids = desk.control("POST", "fill", {"count": 3, "collection_ids": [inner]})["asset_ids"]
    path = f"files/v1/storages/{desk.ll_id}/bulk/"
    for object_type, object_id in (
        ("collections", collection),
        ("saved_searches", desk.control("POST", "saved_searches", {"ids": [inner]})["id"]),
    ):
        body = {"object_ids": [object_id], "object_type": object_type}
        job_id = desk.ask("POST", path, body).json()["job_id"]
        assert desk.ended(job_id)["status"] == "FINISHED"
        assert {c["object_id"] for c in desk.children(job_id)} == set(ids)


def test_copies_wait_while_the_gateway_is_offline(desk: Desk) -> None:
    desk.control("PATCH", "settings", {"copies_paused": True})
    job_id = desk.start_copy(desk.asset()["id"])
    assert desk.get(f"jobs/v1/jobs/{job_id}/")["status"] == "READY"
    state = desk.control("GET")
    assert (state["running_jobs"], state["waiting_copies"]) == (1, 1)
    desk.control("PATCH", "settings", {"copies_paused": False})
    assert desk.ended(job_id)["status"] == "FINISHED"


def test_so_many_at_once(desk: Desk) -> None:
    desk.control("PATCH", "settings", {"copies_at_once": 3, "copy_seconds": 60})
    ids = desk.control("POST", "fill", {"count": 5})["asset_ids"]
    job_id = desk.start_copy(*ids)

    def numbers() -> tuple[int, int]:
        state = desk.control("GET")
        return state["running_copies"], state["waiting_copies"]

    wait_for("three running copies", lambda: numbers() == (3, 2))
    desk.ask("PUT", "jobs/v1/jobs/state/", {"action": "ABORT", "job_ids": [job_id]})
    wait_for("end", lambda: desk.get(f"jobs/v1/jobs/{job_id}/")["status"] == "FAILED")


@pytest.mark.parametrize(
    ("fault", "status", "state"),
    [
        ("finish_without_file", "FINISHED", []),
        ("leave_open", "FINISHED", [("OPEN", 0, False)]),
        ("wrong_size", "FINISHED", [("CLOSED", 50, True)]),
        ("wrong_content", "FINISHED", [("CLOSED", 100, True)]),
        ("FAILED", "FAILED", []),
        ("ABORTED", "FAILED", []),
        ("DISCARDED", "FAILED", []),
        ("SKIPPED", "FINISHED", []),
    ],
)
def test_faults_of_copies(
    desk: Desk, fault: str, status: str, state: list[tuple[str, int, bool]]
) -> None:
    made = desk.asset({"name": "a.mov", "size": 100})
    desk.control("POST", "faults", {"copy": fault, "asset_id": made["id"]})
    job = desk.copy(made["id"])
    assert job["status"] == status
    assert list(job["children_progress"]) == [fault if fault.isupper() else "FINISHED"]
    copies = desk.files(made["id"], "lucidlink")
    assert [(c["status"], c["size"], c["exists"]) for c in copies] == state
    if fault == "wrong_content":
        assert copies[0]["checksum"] != desk.files(made["id"], "b2")[0]["checksum"]
    assert desk.control("GET", "faults")["copies"] == [], "it happens once"


def test_a_copy_that_never_ends(desk: Desk) -> None:
    made = desk.asset()
    fault = {"copy": "never_ends", "format": "ORIGINAL", "storage_id": desk.ll_id}
    desk.control("POST", "faults", fault)
    job_id = desk.start_copy(made["id"])
    wait_for("start", lambda: desk.files(made["id"], "lucidlink"))
    assert desk.copy(desk.asset()["id"])["status"] == "FINISHED", "others go on"
    assert desk.get(f"jobs/v1/jobs/{job_id}/")["status"] == "STARTED"
    desk.ask("PUT", "jobs/v1/jobs/state/", {"action": "ABORT", "job_ids": [job_id]})
    wait_for("clearing up", lambda: not desk.files(made["id"], "lucidlink"))
    assert desk.copy(made["id"])["children_progress"] == {"FINISHED": 1}


def test_a_job_that_is_lost(desk: Desk) -> None:
    made = desk.asset()
    desk.control("POST", "faults", {"copy": "lose_job", "asset_id": made["id"]})
    job_id = desk.start_copy(made["id"])

    def is_lost() -> bool:
        return desk.ask("GET", f"jobs/v1/jobs/{job_id}/").status_code == 404

    wait_for("loss of the job", is_lost)
    assert desk.children(job_id) == []
    wait_for("copy", lambda: [f for f in desk.files(made["id"], "lucidlink") if f["exists"]])


def test_the_asset_vanishes_meanwhile(desk: Desk) -> None:
    desk.control("PATCH", "settings", {"copies_paused": True})
    made = desk.asset()
    job_id = desk.start_copy(made["id"])
    desk.control("DELETE", f"assets/{made['id']}")
    desk.control("PATCH", "settings", {"copies_paused": False})
    assert desk.ended(job_id)["status"] == "FAILED"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"object_ids": []}, "object_ids"),
        ({"object_ids": ["00000000-0000-4000-8000-000000000000"] * 501}, "object_ids"),
        ({"object_ids": ["no id"]}, "object_ids"),
        ({"object_ids": None}, "object_ids"),
        ({"object_type": "clips"}, "object_type"),
        ({"format_name": 5}, "format_name"),
        ({"format_names": ["ORIGINAL"]}, "format_names"),
        ({"overwrite": "no"}, "overwrite"),
        ({"preferred_original_storage_id": "b2"}, "preferred_original_storage_id"),
        ({"delete_original": True}, "delete_original"),
        ({"file_path": "a/../../b"}, "file_path"),
        ({"file_path": 5}, "file_path"),
    ],
)
def test_a_wrong_request(desk: Desk, body: dict[str, object], field: str) -> None:
    good = {"object_ids": ["00000000-0000-4000-8000-000000000000"], "object_type": "assets"}
    path = f"files/v1/storages/{desk.ll_id}/bulk/"
    response = desk.ask("POST", path, {**good, **body})
    assert response.status_code == 400
    assert list(response.json()["errors"]) == [field]


def test_a_target_that_takes_nothing(desk: Desk) -> None:
    body = {"object_ids": [desk.asset()["id"]], "object_type": "assets"}
    unknown = "files/v1/storages/00000000-0000-4000-8000-00000000dead/bulk/"
    assert desk.ask("POST", unknown, body).status_code == 404
    path = f"files/v1/storages/{desk.ll_id}/bulk/"
    desk.control("PATCH", "storages/lucidlink", {"settings": {"write": False}})
    assert desk.ask("POST", path, body).status_code == 403
    inactive = {"settings": {"write": True}, "status": "INACTIVE"}
    desk.control("PATCH", "storages/lucidlink", inactive)
    assert desk.ask("POST", path, body).status_code == 400
    desk.control("PATCH", "storages/lucidlink", {"status": "ACTIVE"})
    assert desk.ask("POST", path, body).status_code == 202
