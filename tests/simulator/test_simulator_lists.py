"""What is where, and how lists are paged."""

from typing import Any

import pytest

from tests.simulator.desk import Desk, wait_for

UNKNOWN = "00000000-0000-4000-8000-00000000dead"


def follow(desk: Desk, path: str, **params: Any) -> tuple[list[Any], int]:
    """All objects of a list, by next_url, and how many pages that took."""
    answer, pages = desk.get(path, **params), 1
    objects = answer["objects"]
    while answer.get("next_url"):
        assert answer["next_url"].startswith("/API/")
        answer, pages = desk.get(answer["next_url"].removeprefix("/API/")), pages + 1
        objects += answer["objects"]
    return objects, pages


def test_files_page_by_last_id(desk: Desk) -> None:
    made = desk.asset(*({"name": f"{n:03}.dpx", "size": 9} for n in range(25)))
    objects, pages = follow(desk, f"files/v1/assets/{made['id']}/files/")
    assert (len({each["id"] for each in objects}), pages) == (25, 3)
    objects, pages = follow(desk, f"files/v1/assets/{made['id']}/files/", per_page=25)
    assert (len(objects), pages) == (25, 1)


def test_a_collection_pages_by_number_and_keeps_its_query(desk: Desk) -> None:
    collection = desk.control("POST", "collections", {"title": "Rushes"})["id"]
    desk.control("POST", "fill", {"count": 12, "collection_ids": [collection]})
    sub = desk.control("POST", "collections", {"title": "Day 1", "parent_id": collection})["id"]
    desk.control("POST", f"collections/{collection}/contents", {"ids": [collection]})
    path = f"assets/v1/collections/{collection}/contents/"

    objects, pages = follow(desk, path, per_page=5)
    assert (len(objects), pages) == (14, 3)
    assert [each["id"] for each in objects[-2:]] == [sub, collection]
    assert {each["object_type"] for each in objects} == {"assets", "collections"}
    objects, pages = follow(desk, path, per_page=5, object_types="assets")
    assert (len(objects), pages) == (12, 3)
    desk.control("DELETE", f"collections/{collection}/contents", {"ids": [sub, collection]})
    assert desk.get(path)["total"] == 12


@pytest.mark.parametrize("per_page", ["0", "101", "-1", "many"])
def test_per_page_out_of_bounds(desk: Desk, per_page: str) -> None:
    asset_id = desk.asset()["id"]
    for path in ("files/v1/storages/", f"files/v1/assets/{asset_id}/files/", "jobs/v1/jobs/"):
        response = desk.ask("GET", path, per_page=per_page)
        assert response.status_code == 400
        assert list(response.json()["errors"]) == ["per_page"]


def test_a_page_that_does_not_exist(desk: Desk) -> None:
    assert desk.ask("GET", "files/v1/storages/", page=2).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "files/v1/assets/{}/files/",
        "files/v1/assets/{}/formats/",
        "files/v1/assets/{}/file_sets/",
        "files/v1/storages/{}/",
        "assets/v1/assets/{}/",
        "assets/v1/collections/{}/contents/",
        "search/v1/search/saved/{}/",
        "jobs/v1/jobs/{}/",
    ],
)
def test_unknown_things(desk: Desk, path: str) -> None:
    for wrong in (UNKNOWN, "not-an-id"):
        response = desk.ask("GET", path.format(wrong))
        assert response.status_code == 404
        assert response.json()["errors"]


def test_paths_that_are_none(desk: Desk) -> None:
    assert desk.ask("GET", "files/v1/nothing/").json()["errors"]
    assert desk.ask("GET", "files/v1/nothing/").status_code == 404
    assert desk.ask("PATCH", "files/v1/storages/").status_code == 405
    assert desk.ask("GET", "files/v1/storages").status_code == 404, "without the last slash"


def test_an_asset_with_all_that_can_be_said(desk: Desk) -> None:
    made = desk.control(
        "POST",
        "assets",
        {
            "title": "Card",
            "formats": {
                "ORIGINAL": {
                    "b2": [
                        {"name": "CLIPS", "directory": "card", "type": "DIRECTORY"},
                        {"name": "a.mov", "directory": "card/CLIPS", "content": "one"},
                        {"name": "b.mov", "directory": "card/CLIPS", "size": 7, "checksum": None},
                    ],
                    "lucidlink": [
                        {"files": [{"name": "a.mov", "status": "MISSING"}], "status": "DELETED"},
                        {"files": [{"name": "x_1.mov", "original_name": "x.mov"}]},
                    ],
                },
                "PPRO_PROXY": {"status": "DELETED", "b2": [{"name": "p.mov", "status": "OPEN"}]},
            },
        },
    )
    listed = desk.get(f"files/v1/assets/{made['id']}/files/", per_page=100)["objects"]
    files = {(f["name"], f["storage_id"]): f for f in listed}

    one = files["a.mov", desk.b2_id]
    assert (desk.b2 / "card/CLIPS/a.mov").read_text() == "one"
    assert (one["size"], one["directory_path"], one["status"]) == (3, "card/CLIPS", "CLOSED")
    assert one["checksum"] == "f97c5d29941bfb1b2fdab0874906ab82"
    assert (files["b.mov", desk.b2_id]["checksum"], files["b.mov", desk.b2_id]["size"]) == (None, 7)
    assert files["CLIPS", desk.b2_id]["type"] == "DIRECTORY"
    missing = files["a.mov", desk.ll_id]
    assert (missing["status"], missing["file_set_status"]) == ("MISSING", "DELETED")
    assert not (desk.lucidlink / missing["directory_path"] / "a.mov").exists()
    assert files["x_1.mov", desk.ll_id]["original_name"] == "x.mov"
    proxy = files["p.mov", desk.b2_id]
    assert (proxy["size"], proxy["status"], proxy["format_status"]) == (0, "OPEN", "DELETED")
    sets = desk.get(f"files/v1/assets/{made['id']}/file_sets/")["objects"]
    assert {s["base_dir"] for s in sets if s["storage_id"] == desk.b2_id} == {"card", made["id"]}


def test_twins_agree_unless_told_otherwise(desk: Desk) -> None:
    made = desk.asset({"name": "a.mov"}, on=("b2", "lucidlink"))
    master, copy = desk.files(made["id"], "b2")[0], desk.files(made["id"], "lucidlink")[0]
    assert (master["size"], master["checksum"]) == (copy["size"], copy["checksum"])
    assert master["path"] != copy["path"]


def test_hidden_files_of_deleted_file_sets(desk: Desk) -> None:
    made = desk.asset(on=("b2", "lucidlink"))
    desk.ask("DELETE", desk.file_set(made, "lucidlink"))
    path = f"files/v1/assets/{made['id']}/files/"
    assert [f["file_set_status"] for f in desk.get(path)["objects"]].count("DELETED") == 1
    desk.control("PATCH", "settings", {"deleted_files_listed": False})
    assert [f["file_set_status"] for f in desk.get(path)["objects"]] == ["ACTIVE"]


def test_searches(desk: Desk) -> None:
    collection = desk.control("POST", "collections", {"title": "Zebra crossing"})["id"]
    made = desk.asset(title="Zebra at noon", collection_ids=[collection])["id"]
    saved = desk.control("POST", "saved_searches", {"ids": [made, collection]})["id"]

    found = desk.get(f"search/v1/search/saved/{saved}/")["objects"]
    kinds = [(made, "assets"), (collection, "collections")]
    assert [(each["id"], each["object_type"]) for each in found] == kinds
    found = desk.ask("POST", "search/v1/search/", {"query": "ZEBRA"}).json()["objects"]
    assert [each["id"] for each in found] == [made, collection]
    terms = {"operator": "AND", "terms": [{"name": "id", "value_in": [made]}]}
    found = desk.ask("POST", "search/v1/search/", {"filter": terms}).json()["objects"]
    assert [each["id"] for each in found] == [made]


def test_saved_searches_and_playlists_have_names(desk: Desk) -> None:
    saved = desk.control("POST", "saved_searches", {"name": "Best takes"})["id"]
    told = desk.get(f"search/v1/search/saved/{saved}/", include_results="false")
    assert told == {"id": saved, "name": "Best takes"}
    playlist = desk.control("POST", "playlists", {"title": "Reel"})["id"]
    assert desk.get(f"assets/v1/playlists/{playlist}/") == {"id": playlist, "title": "Reel"}
    gone = desk.ask("GET", f"assets/v1/playlists/{saved}/")
    assert gone.status_code == 404


def test_listings_may_hint_and_may_lag(desk: Desk) -> None:
    collection = desk.control("POST", "collections", {"title": "Lagging"})["id"]
    made = desk.asset(collection_ids=[collection])
    path = f"assets/v1/collections/{collection}/contents/"
    assert "formats" not in desk.get(path)["objects"][0]
    desk.control("PATCH", "settings", {"listing_hints": True})
    assert desk.get(path)["objects"][0]["formats"][0]["name"] == "ORIGINAL"

    desk.control("DELETE", f"assets/{made['id']}?keep_in_listings=true")
    assert [each["id"] for each in desk.get(path)["objects"]] == [made["id"]]
    assert desk.ask("GET", f"files/v1/assets/{made['id']}/files/").status_code == 404


HINTS = {"listing_hints": True}


def searched(desk: Desk, asset_id: str) -> Any:
    """An asset as a search shows it."""
    terms = {"operator": "AND", "terms": [{"name": "id", "value_in": [asset_id]}]}
    (found,) = desk.ask("POST", "search/v1/search/", {"filter": terms}).json()["objects"]
    return found


def storages(shown: Any) -> set[str]:
    """The storages of an asset's files."""
    return {each["storage_id"] for each in shown["files"]}


def test_a_search_hints_as_other_listings_do(desk: Desk) -> None:
    made = desk.asset(title="Beach")["id"]
    assert "files" not in searched(desk, made)
    desk.control("PATCH", "settings", HINTS)
    shown = searched(desk, made)
    assert (shown["title"], shown["formats"][0]["name"]) == ("Beach", "ORIGINAL")
    assert storages(shown) == {desk.b2_id}


def test_a_listing_that_lags_shows_a_change_in_the_end(desk: Desk) -> None:
    desk.control("PATCH", "settings", {**HINTS, "listing_lag_seconds": 0.05})
    made = desk.asset()["id"]
    searched(desk, made)
    desk.copy(made, format_name="ORIGINAL")
    both = {desk.b2_id, desk.ll_id}
    wait_for("the change", lambda: storages(searched(desk, made)) == both)


def test_a_listing_that_lags_shows_a_restore_in_the_end(desk: Desk) -> None:
    made = desk.asset(on=("b2", "lucidlink"))
    path = desk.file_set(made, "lucidlink")
    desk.ask("DELETE", path)

    def statuses() -> set[str]:
        return {each["file_set_status"] for each in searched(desk, made["id"])["files"]}

    desk.control("PATCH", "settings", {**HINTS, "listing_lag_seconds": 60})
    desk.control("PATCH", "settings", {"clock_ahead_seconds": 3600})
    assert statuses() == {"ACTIVE", "DELETED"}
    desk.ask("PUT", f"{path}restore/")
    assert statuses() == {"ACTIVE", "DELETED"}
    desk.control("PATCH", "settings", {"clock_ahead_seconds": 7200})
    assert statuses() == {"ACTIVE"}


def test_all_listings_that_lag_show_an_asset_as_before(desk: Desk) -> None:
    desk.control("PATCH", "settings", {**HINTS, "listing_lag_seconds": 3600})
    collection = desk.control("POST", "collections", {})["id"]
    made = desk.asset(collection_ids=[collection])["id"]
    searched(desk, made)
    desk.copy(made, format_name="ORIGINAL")
    (listed,) = desk.get(f"assets/v1/collections/{collection}/contents/")["objects"]
    assert storages(listed) == storages(searched(desk, made)) == {desk.b2_id}


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("formats", {"version_id", "date_created"}),
        ("files", {"file_set_status", "version_id", "date_created"}),
    ],
)
def test_poor_hints_lack_what_some_versions_of_iconik_leave_out(
    desk: Desk, kind: str, missing: set[str]
) -> None:
    made = desk.asset()["id"]
    desk.control("PATCH", "settings", HINTS)
    (rich,) = searched(desk, made)[kind]
    desk.control("PATCH", "settings", {"poor_hints": True})
    (poor,) = searched(desk, made)[kind]
    assert rich.keys() - poor.keys() == missing


def test_wrong_hints_exchange_the_names_of_formats(desk: Desk) -> None:
    proxy = {"b2": [{"name": "p.mov"}]}
    made = desk.asset(formats={"ORIGINAL": {"b2": [{"name": "a.mov"}]}, "PPRO_PROXY": proxy})["id"]
    desk.control("PATCH", "settings", HINTS)
    right = {each["id"]: each["name"] for each in searched(desk, made)["formats"]}
    desk.control("PATCH", "settings", {"wrong_hints": True})
    wrong = {each["id"]: each["name"] for each in searched(desk, made)["formats"]}
    assert dict(zip(right, reversed(right.values()), strict=True)) == wrong


def test_wrong_hints_show_files_that_do_not_exist_and_change_nothing(desk: Desk) -> None:
    made = desk.asset(title="Beach")["id"]
    before = desk.get(f"files/v1/assets/{made}/files/")["objects"]
    desk.control("PATCH", "settings", {**HINTS, "wrong_hints": True})
    shown = searched(desk, made)
    (file,) = shown["files"]
    assert (shown["title"], file["name"], file["size"]) == ("Wrong", "wrong.mov", 1)
    real = desk.get(f"files/v1/assets/{made}/files/")["objects"]
    assert real == before
    assert file["id"] not in {each["id"] for each in real}


def test_a_search_shows_assets_in_the_order_of_their_ids_in_the_request(desk: Desk) -> None:
    ids = [desk.asset()["id"] for _ in range(3)]
    terms = {"operator": "AND", "terms": [{"name": "id", "value_in": ids[::-1]}]}
    found = desk.ask("POST", "search/v1/search/", {"filter": terms}).json()["objects"]
    assert [each["id"] for each in found] == ids[::-1]


def test_a_filled_library(desk: Desk) -> None:
    before = desk.control("GET")["assets"]
    ids = desk.control(
        "POST",
        "fill",
        {
            "count": 6,
            "formats": {"ORIGINAL": 1, "PPRO_PROXY": 3, "EDIT_PROXY": 0},
            "on": ["b2", "lucidlink"],
            "size": 10,
        },
    )["asset_ids"]
    assert desk.control("GET")["assets"] == before + 6
    names = [
        sorted(f["name"] for f in desk.get(f"files/v1/assets/{id_}/formats/")["objects"])
        for id_ in ids
    ]
    both = ["ORIGINAL", "PPRO_PROXY"]
    assert names == [both, both, ["ORIGINAL"], both, both, ["ORIGINAL"]]
    files = desk.files(ids[0], "lucidlink")
    assert [(f["size"], f["exists"]) for f in files] == [(10, True)] * 2
