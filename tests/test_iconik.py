"""Each call of the client: its method, path, query and body, and what it makes of the answer."""

import re
from typing import Any

import pytest
from requests import ReadTimeout
from responses import RequestsMock, matchers

from iconik import Iconik, Transport
from iconik_http.errors import (
    IconikRefused,
    IconikUnavailable,
    NotFound,
    NotPermitted,
    TokenRejected,
)
from iconik_http.records import Collection, File, FileSet, Format, Job, Listed, Storage
from tests.fake_iconik import API
from tests.makers import FOR_EVER

ASSET = "a55e7000-0000-4000-8000-000000000001"
FILE_SET = "f11e5e70-0000-4000-8000-000000000001"
STORAGE = "b2b2b2b2-0000-4000-8000-000000000000"
OTHER = "11111111-0000-4000-8000-000000000000"
ASSET_FILES = f"{API}files/v1/assets/{ASSET}/"
JOBS = f"{API}jobs/v1/jobs/"
ACTIONS = f"{API}assets/v1/custom_actions/"
NEW_JOB = {"title": "Add to LucidLink: 1 asset", "type": "CUSTOM", "status": "STARTED"}
ACTION: dict[str, Any] = {"context": "ASSET", "title": "Add to LucidLink", "url": "https://h/add"}


def of(**query: str) -> Any:
    """Matches the query of a list's first page."""
    return [matchers.query_param_matcher({**query, "per_page": "100"})]


def listing(*objects: dict[str, Any]) -> dict[str, Any]:
    """A list of one page."""
    return {"objects": list(objects), "next_url": None}


def test_what_is_not_known_is_asked_with_the_click_s_own_token_alone(
    transport: Transport, http: RequestsMock
) -> None:
    http.get(f"{API}files/v1/storages/{STORAGE}/", status=401)
    with pytest.raises(IconikRefused, match="click again"):
        Iconik(transport).limited(lambda: False).storage(STORAGE)


# Storages


def test_a_storage_is_read(iconik: Iconik, http: RequestsMock) -> None:
    answer = {
        "id": STORAGE,
        "name": "Masters",
        "method": "B2",
        "purpose": "FILES",
        "status": "ACTIVE",
        "settings": {"delete": False},
    }
    http.get(f"{API}files/v1/storages/{STORAGE}/", json=answer)
    assert iconik.storage(STORAGE) == Storage(
        STORAGE, "Masters", "FILES", "B2", "ACTIVE", {"delete": False}
    )


def test_the_storages_are_listed(iconik: Iconik, http: RequestsMock) -> None:
    http.get(f"{API}files/v1/storages/", json={"objects": [{"id": STORAGE, "name": "Masters"}]})
    assert [(each.id, each.name) for each in iconik.storages()] == [(STORAGE, "Masters")]


def test_copies_are_asked_for_by_format(iconik: Iconik, http: RequestsMock) -> None:
    body = {
        "object_ids": [ASSET, OTHER],
        "object_type": "assets",
        "format_name": "PPRO_PROXY",
        "preferred_original_storage_id": OTHER,
    }
    url = f"{API}files/v1/storages/{STORAGE}/bulk/"
    http.post(url, json={"job_id": ID}, status=202, match=[matchers.json_params_matcher(body)])
    assert iconik.copy_to_storage(STORAGE, "PPRO_PROXY", (ASSET, OTHER), OTHER) == ID


def test_copies_are_put_under_a_directory(iconik: Iconik, http: RequestsMock) -> None:
    body = matchers.json_params_matcher({"file_path": "projects/2026"}, strict_match=False)
    url = f"{API}files/v1/storages/{STORAGE}/bulk/"
    http.post(url, json={"job_id": ID}, status=202, match=[body])
    assert iconik.copy_to_storage(STORAGE, "ORIGINAL", [ASSET], OTHER, "projects/2026") == ID


@pytest.mark.parametrize("answer", [{}, {"job_id": None}, {"job_id": 1}, {"job_id": "../1"}])
def test_copies_without_a_job_are_no_success(
    iconik: Iconik, http: RequestsMock, answer: dict[str, Any]
) -> None:
    http.post(f"{API}files/v1/storages/{STORAGE}/bulk/", json=answer)
    with pytest.raises(IconikUnavailable, match="names no job"):
        iconik.copy_to_storage(STORAGE, "ORIGINAL", [ASSET], OTHER)


def test_copies_that_may_have_been_heard_of_are_not_asked_for_twice(
    iconik: Iconik, http: RequestsMock
) -> None:
    answer = http.post(f"{API}files/v1/storages/{STORAGE}/bulk/", body=ReadTimeout())
    with pytest.raises(IconikUnavailable):
        iconik.copy_to_storage(STORAGE, "ORIGINAL", [ASSET], OTHER)
    assert answer.call_count == 1


# What assets have


@pytest.mark.parametrize(("status", "exists"), [(200, True), (404, False)])
def test_an_asset_exists_if_iconik_knows_it(
    iconik: Iconik, http: RequestsMock, status: int, exists: bool
) -> None:
    http.get(f"{API}assets/v1/assets/{ASSET}/", json={"errors": []}, status=status)
    assert iconik.asset_exists(ASSET) is exists


def test_an_asset_that_may_not_be_read_is_not_taken_for_gone(
    iconik: Iconik, http: RequestsMock
) -> None:
    http.get(f"{API}assets/v1/assets/{ASSET}/", status=403, json={"errors": ["No"]})
    with pytest.raises(NotPermitted):
        iconik.asset_exists(ASSET)


def test_deleted_formats_are_left_out(iconik: Iconik, http: RequestsMock) -> None:
    answer = listing(
        {"id": "1", "name": "ORIGINAL", "status": "ACTIVE", "date_created": "2026"},
        {"id": "2", "name": "PPRO_PROXY", "status": "DELETED"},
        {"id": "3", "name": "EDIT_PROXY"},
    )
    http.get(f"{ASSET_FILES}formats/", json=answer, match=of())
    assert iconik.formats(ASSET) == [Format("1", "ORIGINAL", "2026"), Format("3", "EDIT_PROXY")]


VERSIONS = of(include_all_versions="true")


def test_formats_of_older_versions_are_asked_for_where_they_are_wanted(
    iconik: Iconik, http: RequestsMock
) -> None:
    http.get(f"{ASSET_FILES}formats/", json=listing({"id": "2", "name": "ORIGINAL"}), match=of())
    older = listing({"id": "1", "name": "ORIGINAL"}, {"id": "2", "name": "ORIGINAL"})
    http.get(f"{ASSET_FILES}formats/", json=older, match=VERSIONS)
    assert [each.id for each in iconik.formats(ASSET)] == ["2"]
    assert [each.id for each in iconik.formats(ASSET, all_versions=True)] == ["1", "2"]


def test_an_iconik_that_refuses_to_list_older_versions_is_asked_for_them_once(
    iconik: Iconik, http: RequestsMock
) -> None:
    refused = http.get(
        f"{ASSET_FILES}formats/", status=400, json={"errors": ["No"]}, match=VERSIONS
    )
    http.get(f"{ASSET_FILES}formats/", json=listing({"id": "2", "name": "ORIGINAL"}), match=of())
    for _ in range(2):
        # Each asset has a client of its own.
        limited = iconik.limited(lambda: True)
        assert [each.id for each in limited.formats(ASSET, all_versions=True)] == ["2"]
    assert refused.call_count == 1


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (403, NotPermitted)])
def test_that_an_asset_has_no_formats_is_no_lack_of_older_versions(
    iconik: Iconik, http: RequestsMock, status: int, error: type[Exception]
) -> None:
    asked = http.get(f"{ASSET_FILES}formats/", status=status, json={"errors": ["No"]})
    with pytest.raises(error):
        iconik.formats(ASSET, all_versions=True)
    assert asked.call_count == 1


def test_a_refusal_to_list_only_the_newest_formats_is_passed_on(
    iconik: Iconik, http: RequestsMock
) -> None:
    asked = http.get(f"{ASSET_FILES}formats/", status=400, json={"errors": ["No"]})
    with pytest.raises(IconikRefused):
        iconik.formats(ASSET)
    assert asked.call_count == 1


def test_formats_that_are_refused_either_way_are_asked_for_older_versions_again(
    iconik: Iconik, http: RequestsMock
) -> None:
    http.get(f"{ASSET_FILES}formats/", status=400, json={"errors": ["No"]})
    for _ in range(2):
        with pytest.raises(IconikRefused):
            iconik.formats(ASSET, all_versions=True)
    assert len(http.calls) == 4


def test_files_are_read_with_all_that_is_known(iconik: Iconik, http: RequestsMock) -> None:
    record: dict[str, Any] = {
        "id": "1",
        "file_set_id": FILE_SET,
        "format_id": "2",
        "storage_id": STORAGE,
        "name": "clip_1.mov",
        "original_name": "clip.mov",
        "directory_path": "day 1",
        "type": "FILE",
        "status": "CLOSED",
        "size": 12,
        "checksum": "abc",
        "file_set_status": "ACTIVE",
    }
    query = of(generate_signed_url="false")
    http.get(f"{ASSET_FILES}files/", json=listing(record), match=query)
    assert iconik.files(ASSET) == [File(**record)]


def test_file_sets_are_read_with_their_status(iconik: Iconik, http: RequestsMock) -> None:
    told = {"status": "ACTIVE", "format_id": OTHER, "storage_id": STORAGE, "file_count": 3}
    answer = listing({"id": FILE_SET, **told}, {"id": OTHER, "status": "DELETED"})
    http.get(f"{ASSET_FILES}file_sets/", json=answer, match=of(file_count="true"))
    assert iconik.file_sets(ASSET) == [
        FileSet(FILE_SET, "ACTIVE", OTHER, STORAGE, 3),
        FileSet(OTHER, "DELETED"),
    ]


def test_the_delete_queue_is_that_of_all_assets(iconik: Iconik, http: RequestsMock) -> None:
    answer = listing({"id": FILE_SET, "status": "DELETED"})
    http.get(f"{API}files/v1/delete_queue/file_sets/", json=answer, match=of())
    assert list(iconik.deleted_file_sets()) == [FileSet(FILE_SET, "DELETED")]


def test_one_search_shows_many_assets_and_their_files(iconik: Iconik, http: RequestsMock) -> None:
    shown = {"object_type": "assets", "id": ASSET, "files": [{"file_set_id": FILE_SET}]}
    query = {"per_page": "100", "generate_signed_url": "false", "save_search_history": "false"}
    call = http.post(
        f"{API}search/v1/search/",
        json={"objects": [shown, "odd"]},
        match=[
            matchers.query_param_matcher(query),
            matchers.json_params_matcher(
                {
                    "doc_types": ["assets"],
                    "include_fields": ["id", "object_type", "title", "formats", "files"],
                    "filter": {
                        "operator": "AND",
                        "terms": [{"name": "id", "value_in": [ASSET, OTHER]}],
                    },
                }
            ),
        ],
    )
    (found,) = iconik.search_assets([ASSET, OTHER])
    assert (found.id, [each.file_set_id for each in found.files]) == (ASSET, [FILE_SET])
    assert call.call_count == 1


def test_a_search_without_a_list_shows_nothing(iconik: Iconik, http: RequestsMock) -> None:
    http.post(f"{API}search/v1/search/", json={"objects": None})
    assert iconik.search_assets([ASSET]) == []


@pytest.mark.parametrize("what", ["formats", "files", "file_sets"])
def test_a_list_of_an_asset_that_ends_early_is_no_evidence(
    iconik: Iconik, http: RequestsMock, what: str
) -> None:
    http.get(re.compile(re.escape(ASSET_FILES)), json={**listing({"id": "1"}), "total": 2})
    with pytest.raises(IconikUnavailable, match="the list is incomplete: 1 of 2 objects"):
        getattr(iconik, what)(ASSET)


def test_ids_of_file_sets_are_read_in_lower_case(iconik: Iconik, http: RequestsMock) -> None:
    answer = listing({"id": FILE_SET.upper(), "status": "ACTIVE"})
    http.get(f"{ASSET_FILES}file_sets/", json=answer)
    assert iconik.file_sets(ASSET) == [FileSet(FILE_SET, "ACTIVE")]


def test_the_id_of_a_job_is_read_in_lower_case(iconik: Iconik, http: RequestsMock) -> None:
    http.post(re.compile(re.escape(API)), json={"job_id": FILE_SET.upper()})
    assert iconik.copy_to_storage(OTHER, "ORIGINAL", [ASSET], OTHER) == FILE_SET


@pytest.mark.parametrize("what", ["formats", "files"])
def test_the_files_of_an_unknown_asset_are_not_taken_for_none(
    iconik: Iconik, http: RequestsMock, what: str
) -> None:
    http.get(f"{ASSET_FILES}{what}/", status=404, json={"errors": ["No"]})
    with pytest.raises(NotFound):
        getattr(iconik, what)(ASSET)


@pytest.mark.parametrize(
    ("answer", "url"),
    [
        (
            {"json": {"url": "https://f004.backblazeb2.com/file/a/b?x=1"}},
            "https://f004.backblazeb2.com/file/a/b?x=1",
        ),
        ({"json": {"url": None}}, ""),
        ({"json": {}}, ""),
        ({"status": 400, "json": {"errors": ["no URL for this storage"]}}, ""),
        ({"status": 404, "json": {"errors": ["No"]}}, ""),
        ({"status": 405, "json": {"errors": ["No"]}}, ""),
    ],
)
def test_a_signed_url_is_asked_for_where_iconik_offers_one(
    iconik: Iconik, http: RequestsMock, answer: dict[str, Any], url: str
) -> None:
    http.get(f"{ASSET_FILES}files/{FILE_SET}/download_url/", **answer)
    assert iconik.download_url(ASSET, FILE_SET) == url


@pytest.mark.parametrize("status", [401, 403])
def test_a_signed_url_that_the_token_may_not_have_is_not_taken_for_none(
    iconik: Iconik, http: RequestsMock, status: int
) -> None:
    http.get(f"{ASSET_FILES}files/{FILE_SET}/download_url/", status=status, json={"errors": ["no"]})
    with pytest.raises((NotPermitted, TokenRejected)):
        iconik.download_url(ASSET, FILE_SET)


# Deletion


@pytest.mark.parametrize("status", [204, 404])
@pytest.mark.parametrize(("name", "path"), [("delete_file_set", ""), ("purge_file_set", "purge/")])
def test_a_file_set_is_deleted_and_purged_by_id(
    iconik: Iconik, http: RequestsMock, name: str, path: str, status: int
) -> None:
    url = f"{ASSET_FILES}file_sets/{FILE_SET}/{path}"
    call = http.delete(url, status=status, body="" if status < 400 else '{"errors": []}')
    assert getattr(iconik, name)(ASSET, FILE_SET, until=FOR_EVER) is (status == 204)
    assert call.call_count == 1


def test_file_sets_of_an_asset_are_deleted_at_once_but_for_the_last_copy(
    iconik: Iconik, http: RequestsMock
) -> None:
    call = http.post(
        f"{ASSET_FILES}file_sets/bulk/",
        status=204,
        match=[
            matchers.query_param_matcher(
                {"immediately": "true", "do_not_delete_last_copy": "true"}
            ),
            matchers.json_params_matcher({"ids": [FILE_SET, OTHER]}),
        ],
    )
    iconik.delete_file_sets(ASSET, [FILE_SET, OTHER], until=FOR_EVER)
    assert call.call_count == 1


def test_many_file_sets_are_purged_at_once(iconik: Iconik, http: RequestsMock) -> None:
    call = http.post(
        f"{API}files/v1/delete_queue/file_sets/purge/",
        status=204,
        match=[matchers.json_params_matcher({"ids": [FILE_SET, OTHER]})],
    )
    iconik.purge_file_sets([FILE_SET, OTHER], until=FOR_EVER)
    assert call.call_count == 1


@pytest.mark.parametrize("bad", ["", ".", "..", "../../?x#", "1", f"{FILE_SET}/"])
@pytest.mark.parametrize("call", ["delete_file_set", "purge_file_set"])
def test_what_would_lead_to_the_asset_itself_is_no_id(
    iconik: Iconik, http: RequestsMock, call: str, bad: str
) -> None:
    with pytest.raises(IconikRefused, match="not an iconik id"):
        getattr(iconik, call)(ASSET, bad, until=FOR_EVER)
    assert len(http.calls) == 0


def test_a_file_set_is_restored_from_the_delete_queue(iconik: Iconik, http: RequestsMock) -> None:
    call = http.put(f"{ASSET_FILES}file_sets/{FILE_SET}/restore/", json={"id": FILE_SET})
    iconik.restore_file_set(ASSET, FILE_SET)
    assert call.call_count == 1


# Selections


def test_the_contents_of_a_collection_are_told_by_type_and_id(
    iconik: Iconik, http: RequestsMock
) -> None:
    answer = listing(
        {"object_type": "assets", "id": ASSET.upper()},
        {"object_type": "collections", "id": OTHER},
        {"object_type": "assets", "id": None},
        {"id": ASSET},
    )
    url = f"{API}assets/v1/collections/{STORAGE}/contents/"
    http.get(url, json=answer, match=of(object_types="assets,collections"))
    assert list(iconik.collection_contents(STORAGE)) == [
        Listed("assets", ASSET),
        Listed("collections", OTHER),
        Listed("assets", ""),
        # What iconik does not say to be anything else is an asset.
        Listed("assets", ASSET),
    ]


def test_a_saved_search_is_run(iconik: Iconik, http: RequestsMock) -> None:
    answer = listing({"object_type": "assets", "id": ASSET})
    http.get(f"{API}search/v1/search/saved/{OTHER}/", json=answer, match=of())
    assert list(iconik.saved_search_results(OTHER)) == [Listed("assets", ASSET)]


@pytest.mark.parametrize("spelling", ["segments", "segment", "SEGMENTS"])
def test_a_segment_stands_for_its_asset(iconik: Iconik, http: RequestsMock, spelling: str) -> None:
    segment = {"object_type": spelling, "id": OTHER, "asset_id": ASSET.upper(), "files": [{}]}
    nameless = {"object_type": spelling, "id": STORAGE}
    http.get(f"{API}search/v1/search/saved/{OTHER}/", json=listing(segment, nameless))
    found = list(iconik.saved_search_results(OTHER))
    assert found == [Listed(spelling, ASSET), Listed(spelling, "")]
    # What it shows besides is not its asset's.
    assert found[0].record == {}


@pytest.mark.parametrize(
    ("item", "listed"),
    [
        ({"id": OTHER, "object_id": ASSET.upper()}, Listed("assets", ASSET)),
        ({"id": OTHER, "asset_id": ASSET}, Listed("assets", ASSET)),
        ({"id": ASSET}, Listed("assets", ASSET)),
        ({"id": OTHER, "asset_id": ASSET, "object_type": "segments"}, Listed("segments", ASSET)),
        (
            {"id": OTHER, "object_id": STORAGE, "object_type": "sequences"},
            Listed("sequences", STORAGE),
        ),
    ],
)
def test_the_items_of_a_playlist_stand_for_assets(
    iconik: Iconik, http: RequestsMock, item: dict[str, str], listed: Listed
) -> None:
    http.get(f"{API}assets/v1/playlists/{OTHER}/items/", json=listing(item), match=of())
    assert list(iconik.playlist_items(OTHER)) == [listed]


# Jobs


def test_jobs_are_followed_together(iconik: Iconik, http: RequestsMock) -> None:
    answer = listing({"id": "1", "status": "STARTED"}, {"id": "2", "status": "FINISHED"})
    http.get(JOBS, json=answer, match=of(ids=f"{ASSET},{OTHER},{STORAGE}", facets="false"))
    jobs = iconik.jobs([ASSET, OTHER, STORAGE])
    assert jobs == {"1": Job("1", "STARTED"), "2": Job("2", "FINISHED")}
    assert [job.ended for job in jobs.values()] == [False, True]


def test_of_a_list_of_jobs_that_ends_early_what_it_holds_is_taken(
    iconik: Iconik, http: RequestsMock
) -> None:
    http.get(JOBS, json={**listing({"id": "1", "status": "STARTED"}), "total": 2})
    assert iconik.jobs([ASSET, OTHER]) == {"1": Job("1", "STARTED")}


def test_a_job_is_read_unless_iconik_forgot_it(iconik: Iconik, http: RequestsMock) -> None:
    answer = {"id": OTHER, "status": "FAILED", "error_message": "disk full"}
    http.get(f"{JOBS}{OTHER}/", json=answer)
    http.get(f"{JOBS}{ASSET}/", status=404, json={"errors": ["No"]})
    assert iconik.job(OTHER) == Job(OTHER, "FAILED", "", "disk full")
    assert iconik.job(ASSET) is None


def test_the_failed_copies_of_a_job_are_listed(iconik: Iconik, http: RequestsMock) -> None:
    answer = listing({"id": "2", "status": "FAILED", "object_id": ASSET, "message": "no format"})
    http.get(JOBS, json=answer, match=of(parent_id=OTHER, status="FAILED", facets="false"))
    assert iconik.failed_children(OTHER) == [Job("2", "FAILED", ASSET, "no format")]


def test_the_copies_of_an_asset_are_listed(iconik: Iconik, http: RequestsMock) -> None:
    answer = listing({"id": "2", "status": "STARTED", "object_id": ASSET})
    http.get(JOBS, json=answer, match=of(object_id=ASSET, type="TRANSFER", facets="false"))
    assert iconik.transfers(ASSET) == [Job("2", "STARTED", ASSET)]


# Custom actions


def test_custom_actions_are_listed(iconik: Iconik, http: RequestsMock) -> None:
    http.get(ACTIONS, json=listing(ACTION), match=of())
    assert iconik.custom_actions() == [ACTION]


def test_a_custom_action_is_created_in_its_context(iconik: Iconik, http: RequestsMock) -> None:
    match = [matchers.json_params_matcher(ACTION)]
    call = http.post(f"{ACTIONS}ASSET/", json=ACTION, status=201, match=match)
    iconik.create_custom_action(ACTION)
    assert call.call_count == 1


def test_a_custom_action_is_updated_in_its_place(iconik: Iconik, http: RequestsMock) -> None:
    match = [matchers.json_params_matcher(ACTION)]
    call = http.put(f"{ACTIONS}ASSET/{OTHER}/", json=ACTION, match=match)
    iconik.update_custom_action(OTHER, ACTION)
    assert call.call_count == 1


@pytest.mark.parametrize("status", [204, 404])
def test_a_custom_action_is_deleted(iconik: Iconik, http: RequestsMock, status: int) -> None:
    call = http.delete(
        f"{ACTIONS}BULK/{OTHER}/", status=status, body="" if status < 400 else '{"errors": []}'
    )
    iconik.delete_custom_action("BULK", OTHER)
    assert call.call_count == 1


def test_a_job_of_ours_is_made_and_updated(iconik: Iconik, http: RequestsMock) -> None:
    made = {**NEW_JOB, "id": OTHER}
    match = [matchers.json_params_matcher(NEW_JOB)]
    http.post(JOBS, json=made, status=201, match=match)
    assert iconik.create_job(NEW_JOB) == Job(OTHER, "STARTED")
    match = [matchers.json_params_matcher({"message": "half"})]
    aborted = {**made, "status": "ABORT_PENDING"}
    http.patch(f"{JOBS}{OTHER}/", json=aborted, match=match)
    assert iconik.update_job(OTHER, {"message": "half"}).status == "ABORT_PENDING"


@pytest.mark.parametrize(
    ("metadata", "found"),
    [({"operation_id": "1b9d"}, OTHER), ({"operation_id": "other"}, None), ("1b9d", None)],
)
def test_a_job_of_ours_is_found_by_its_metadata(
    iconik: Iconik, http: RequestsMock, metadata: object, found: str | None
) -> None:
    query = {"type": "CUSTOM", "date_created": "5;*", "facets": "false"}
    listed = {"objects": [{"id": ASSET}, {**NEW_JOB, "id": OTHER, "metadata": metadata}]}
    http.get(JOBS, json=listed, match=of(**query))
    assert iconik.job_with_metadata("operation_id", "1b9d", 5) == found


def test_of_very_many_jobs_only_some_are_searched(
    iconik: Iconik, http: RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iconik.MOST_JOBS_SEARCHED", 2)
    mine = {**NEW_JOB, "id": OTHER, "metadata": {"operation_id": "1b9d"}}
    http.get(JOBS, json=listing({}, {}, mine))
    assert iconik.job_with_metadata("operation_id", "1b9d", 5) is None


@pytest.mark.parametrize(("answer", "title"), [({"title": "beach"}, "beach"), ({}, "")])
def test_titles_are_read(
    iconik: Iconik, http: RequestsMock, answer: dict[str, str], title: str
) -> None:
    for kind in ("assets", "collections", "playlists"):
        http.get(f"{API}assets/v1/{kind}/{ASSET}/", json=answer)
    assert iconik.asset_title(ASSET) == title
    assert iconik.collection(ASSET).title == title
    assert iconik.playlist_title(ASSET) == title


@pytest.mark.parametrize(
    ("parent", "parent_id"),
    [
        ({}, ""),
        ({"parent_id": None}, ""),
        ({"parent_id": 7}, ""),
        ({"parent_id": OTHER.upper()}, OTHER),
    ],
)
def test_a_collection_may_name_its_parent(
    iconik: Iconik, http: RequestsMock, parent: dict[str, Any], parent_id: str
) -> None:
    http.get(f"{API}assets/v1/collections/{ASSET}/", json={"title": "Spring", **parent})
    assert iconik.collection(ASSET) == Collection("Spring", parent_id)


@pytest.mark.parametrize(("answer", "name"), [({"name": "Rushes"}, "Rushes"), ({"name": None}, "")])
def test_a_saved_search_is_named_without_its_results(
    iconik: Iconik, http: RequestsMock, answer: dict[str, Any], name: str
) -> None:
    query = matchers.query_param_matcher({"include_results": "false", "per_page": "1"})
    http.get(f"{API}search/v1/search/saved/{ASSET}/", json=answer, match=[query])
    assert iconik.saved_search_name(ASSET) == name


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ({"first_name": "Ana", "last_name": "Ruiz", "email": "ana@example.com"}, "Ana Ruiz"),
        ({"first_name": " Ana ", "last_name": None}, "Ana"),
        ({"first_name": None, "last_name": "Ruiz"}, "Ruiz"),
        ({"first_name": "", "email": "ana@example.com"}, "ana@example.com"),
        ({"first_name": 7, "email": None}, ""),
        ({}, ""),
    ],
)
def test_a_user_is_named_as_far_as_iconik_says(
    iconik: Iconik, http: RequestsMock, answer: dict[str, Any], name: str
) -> None:
    http.get(f"{API}users/v1/users/{ASSET}/", json=answer)
    assert iconik.user_name(ASSET) == name


ID = ASSET


@pytest.mark.parametrize(
    ("told", "hours"),
    [
        ({"delete_grace_period": 24}, 24.0),
        ({"delete_grace_period": 0}, 0.0),
        ({"delete_grace_period": 0.5}, 0.5),
        ({"delete_grace_period": -1}, None),
        ({"delete_grace_period": 10**9}, None),
        ({"delete_grace_period": "24"}, None),
        ({"delete_grace_period": True}, None),
        ({"delete_grace_period": None}, None),
        ({}, None),
    ],
)
def test_how_long_deleted_file_sets_are_kept_is_read_tolerantly(
    iconik: Iconik, http: RequestsMock, told: dict[str, Any], hours: float | None
) -> None:
    http.get(f"{API}settings/v1/system/current/", json=told)
    assert iconik.delete_grace_period() == hours


CALLS: list[tuple[str, tuple[Any, ...], str]] = [
    ("storage", (ID,), "can_read_storages"),
    ("storages", (), "can_read_storages"),
    ("copy_to_storage", (ID, "ORIGINAL", [ID], ID), "can_write_transfers"),
    ("asset_exists", (ID,), "can_read_assets"),
    ("formats", (ID,), "can_read_formats"),
    ("files", (ID,), "can_read_files"),
    ("download_url", (ID, ID), "can_read_files"),
    ("file_sets", (ID,), "can_read_files"),
    ("deleted_file_sets", (), "can_read_files"),
    ("search_assets", ([ID],), "can_search"),
    # It needs no role.
    ("delete_grace_period", (), "settings"),
    ("restore_file_set", (ID, ID), "can_write_files"),
    ("delete_file_set", (ID, ID), "can_delete_files"),
    ("purge_file_set", (ID, ID), "can_delete_files"),
    ("delete_file_sets", (ID, [ID]), "can_delete_files"),
    ("purge_file_sets", ([ID],), "can_purge_files"),
    ("collection_contents", (ID,), "can_read_collections"),
    ("saved_search_results", (ID,), "can_read_saved_searches"),
    ("playlist_items", (ID,), "can_read_playlists"),
    ("jobs", ([ID],), "can_read_jobs"),
    ("job", (ID,), "can_read_jobs"),
    ("failed_children", (ID,), "can_read_jobs"),
    ("transfers", (ID,), "can_read_jobs"),
    ("create_job", (NEW_JOB,), "can_write_jobs"),
    ("update_job", (ID, {}), "can_write_jobs"),
    ("job_with_metadata", ("operation_id", ID, 0), "can_read_jobs"),
    ("asset_title", (ID,), "can_read_assets"),
    ("collection", (ID,), "can_read_collections"),
    ("saved_search_name", (ID,), "can_read_saved_searches"),
    ("playlist_title", (ID,), "can_read_playlists"),
    ("user_name", (ID,), "can_read_users"),
    ("custom_actions", (), "can_read_custom_actions"),
    ("create_custom_action", (ACTION,), "can_write_custom_actions"),
    ("update_custom_action", (ID, ACTION), "can_write_custom_actions"),
    ("delete_custom_action", ("ASSET", ID), "can_delete_custom_actions"),
]


LIMITS = {
    name: {"until": FOR_EVER}
    for name in ("delete_file_set", "purge_file_set", "delete_file_sets", "purge_file_sets")
}


@pytest.mark.parametrize(("name", "arguments", "role"), CALLS)
def test_a_call_that_is_not_permitted_names_its_role(
    iconik: Iconik, forbidding: RequestsMock, name: str, arguments: tuple[Any, ...], role: str
) -> None:
    with pytest.raises(NotPermitted, match=role):
        # Some answer with a generator, which asks only when it is read.
        list(getattr(iconik, name)(*arguments, **LIMITS.get(name, {})))


@pytest.fixture
def forbidding(http: RequestsMock) -> RequestsMock:
    """Answers 403 to whatever is asked."""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        http.add(method, re.compile(re.escape(API)), status=403, json={"errors": ["No"]})
    return http


def test_no_call_is_forgotten_here() -> None:
    public = {name for name in vars(Iconik) if not name.startswith("_")} - {"limited"}
    assert {name for name, _, _ in CALLS} == public
