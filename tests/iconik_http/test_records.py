"""What iconik's records become: nothing is guessed."""

from typing import Any

import pytest

from iconik_http.records import File, Format, Job, Listed, Storage

FILE = {
    "id": "f1",
    "file_set_id": "s1",
    "format_id": "o1",
    "storage_id": "st1",
    "name": "clip_1f.mov",
    "original_name": "clip.mov",
    "directory_path": "projects/one",
    "type": "FILE",
    "status": "CLOSED",
    "size": 1000,
    "checksum": "abcd",
    "file_set_status": "ACTIVE",
}
ODD: list[Any] = [None, 5, True, ["x"], {"x": "y"}]


def test_a_file_is_read_field_by_field() -> None:
    assert File.from_json({**FILE, "more": 1}) == File(**FILE)  # type: ignore[arg-type]


IDS = ("id", "file_set_id", "format_id", "storage_id", "object_id", "parent_id")


@pytest.mark.parametrize("kind", [File, Format, Job, Storage])
def test_ids_are_read_in_lower_case_and_nothing_else_is(kind: Any) -> None:
    record = {**FILE, "object_id": "a1", "parent_id": "p1", "name": "Clip.MOV"}
    shouted = {name: str(each).upper() if name in IDS else each for name, each in record.items()}
    assert kind.from_json(shouted) == kind.from_json(record)
    assert getattr(kind.from_json(shouted), "name", "Clip.MOV") == "Clip.MOV"


def test_an_empty_record_is_a_file_of_which_nothing_is_known() -> None:
    assert File.from_json({}) == File("", "", "", "", "", "", "", "", "", None, None, None)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("field", ["id", "file_set_id", "format_id", "storage_id", "status"])
def test_a_text_that_is_none_is_not_known(field: str, odd: object) -> None:
    assert getattr(File.from_json({**FILE, field: odd}), field) == ""


@pytest.mark.parametrize("odd", [*ODD, ""])
@pytest.mark.parametrize("field", ["checksum", "file_set_status"])
def test_what_may_be_lacking_is_none_rather_than_odd(field: str, odd: object) -> None:
    assert getattr(File.from_json({**FILE, field: odd}), field) is None


@pytest.mark.parametrize("size", [0, -1, 1, 2**63])
def test_a_size_is_taken_as_it_is(size: int) -> None:
    assert File.from_json({**FILE, "size": size}).size == size


@pytest.mark.parametrize("size", [None, True, False, 1000.0, "1000", [1000]])
def test_a_size_that_is_no_whole_number_is_not_known(size: object) -> None:
    assert File.from_json({**FILE, "size": size}).size is None


@pytest.mark.parametrize("original", [None, "", 5])
def test_a_file_without_an_original_name_has_its_stored_one(original: object) -> None:
    assert File.from_json({**FILE, "original_name": original}).original_name == "clip_1f.mov"


def test_a_format_is_read_field_by_field() -> None:
    record = {"id": "o1", "name": "ORIGINAL", "date_created": "2024-01-01", "status": "ACTIVE"}
    assert Format.from_json(record) == Format("o1", "ORIGINAL", "2024-01-01")


def test_a_storage_is_read_field_by_field() -> None:
    record = {
        "id": "st1",
        "name": "Masters",
        "purpose": "FILES",
        "method": "B2",
        "status": "ACTIVE",
        "settings": {"delete": False},
    }
    assert Storage.from_json(record) == Storage(**record)  # type: ignore[arg-type]


def a_storage(method: str, endpoint: object = None) -> Storage:
    """A storage of a method, with an endpoint."""
    return Storage.from_json({"method": method, "settings": {"endpoint": endpoint}})


@pytest.mark.parametrize(
    "endpoint",
    [
        "s3.us-west-004.backblazeb2.com",
        "S3.EU-CENTRAL-003.BackblazeB2.com",
        "s3.us-west-004.backblazeb2.com:443",
        "https://s3.us-west-004.backblazeb2.com/",
        " https://s3.us-west-004.backblazeb2.com. ",
    ],
)
def test_a_bucket_that_was_joined_through_s3_is_on_b2(endpoint: str) -> None:
    assert a_storage("S3", endpoint).is_b2


def test_a_storage_of_method_b2_is_on_b2() -> None:
    assert a_storage("B2").is_b2


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "",
        ["s3.us-west-004.backblazeb2.com"],
        "s3.eu-west-1.amazonaws.com",
        "s3.us-west-004.notbackblazeb2.com",
        "s3.us-west-004.backblazeb2.com.example.com",
        "https://example.com/s3.us-west-004.backblazeb2.com",
        "https://s3.us-west-004.backblazeb2.com@example.com",
        "https://[s3.backblazeb2.com",
    ],
)
def test_another_bucket_of_method_s3_is_not_on_b2(endpoint: object) -> None:
    assert not a_storage("S3", endpoint).is_b2


@pytest.mark.parametrize("method", ["FILE", "", "GCS", "b2"])
def test_a_storage_of_another_method_is_not_on_b2_whatever_its_endpoint(method: str) -> None:
    assert not a_storage(method, "s3.us-west-004.backblazeb2.com").is_b2


@pytest.mark.parametrize(
    ("object_type", "kind"),
    [
        *((each, "asset") for each in ("assets", "asset", "ASSETS", "Asset", " assets ")),
        *((each, "asset") for each in ("segments", "Segment")),
        *((each, "collection") for each in ("collections", "COLLECTION")),
        *((each, "other") for each in ("", "s", "playlists", "sequences", "assetss")),
    ],
)
def test_what_is_listed_is_told_by_its_type_however_it_is_spelled(
    object_type: str, kind: str
) -> None:
    assert Listed(object_type, "a1").kind == kind


@pytest.mark.parametrize("object_type", ["assets", "segments", "collections"])
def test_what_is_listed_without_an_id_is_neither_asset_nor_collection(object_type: str) -> None:
    assert Listed(object_type, "").kind == "other"


@pytest.mark.parametrize("settings", ODD[:4])
def test_settings_that_are_no_object_are_empty(settings: object) -> None:
    assert Storage.from_json({"settings": settings}).settings == {}


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [({}, True), ({"delete": None}, True), ({"delete": True}, True), ({"delete": False}, False)],
)
def test_a_storage_allows_what_is_not_switched_off(
    settings: dict[str, object], allowed: bool
) -> None:
    assert Storage.from_json({"settings": settings}).allows("delete") is allowed


def test_a_job_is_read_field_by_field() -> None:
    record = {"id": "j1", "status": "FAILED", "object_id": "a1", "message": "no space left"}
    assert Job.from_json(record) == Job("j1", "FAILED", "a1", "no space left")


def test_an_error_message_says_more_than_a_message() -> None:
    assert Job.from_json({"message": "copying", "error_message": "no space"}).message == "no space"


@pytest.mark.parametrize(
    ("record", "percent"),
    [
        ({}, None),
        ({"progress": 42}, 42),
        ({"progress": "42"}, None),
        ({"progress": 400}, 100),
        ({"progress": -1}, 0),
        ({"progress_processed": 1, "progress_total": 3}, 33),
        ({"progress_processed": 1, "progress_total": 3, "progress": 0}, 33),
        ({"progress_processed": 1, "progress_total": 0, "progress": 5}, 5),
        ({"progress_processed": 7, "progress_total": -7, "progress": 5}, 5),
        ({"progress_total": 3, "progress": 5}, 5),
        ({"progress_processed": 9, "progress_total": 3}, 100),
        ({"progress_processed": True, "progress_total": True}, None),
    ],
)
def test_how_much_of_a_job_is_done_is_told_in_percent(
    record: dict[str, object], percent: int | None
) -> None:
    assert Job.from_json(record).progress == percent


@pytest.mark.parametrize(
    "status", ["FINISHED", "FINISHED_WITH_WARNING", "FAILED", "ABORTED", "SKIPPED", "DISCARDED"]
)
def test_a_job_of_a_final_status_has_ended(status: str) -> None:
    assert Job("j1", status).ended


@pytest.mark.parametrize(
    "status", ["READY", "STARTED", "WAITING", "PAUSED", "ABORT_PENDING", "PENDING_USER", "", "NEW"]
)
def test_a_job_of_any_other_status_has_not(status: str) -> None:
    assert not Job("j1", status).ended
