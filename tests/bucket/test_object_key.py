"""Which object a record stands for, and which one a signed URL reads."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2_iconik.bucket.object_key import Place, bucket_name, object_place, place_in_url
from tests.bucket.conftest import a_storage, signed
from tests.makers import on_b2


@pytest.mark.parametrize(
    ("root", "directory", "key"),
    [
        (None, "projects/one", "projects/one/clip.mov"),
        ("masters/2026", "projects/one", "masters/2026/projects/one/clip.mov"),
        ("/masters/", "/projects//one/", "masters/projects/one/clip.mov"),
        ("", "", "clip.mov"),
        (7, "one", "one/clip.mov"),
    ],
)
def test_the_key_is_root_path_directory_and_name(root: object, directory: str, key: str) -> None:
    file = on_b2(directory_path=directory, original_name="other.mov")
    assert object_place(a_storage(path=root), file) == Place("masters", key)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "masters"),
        ({"bucket_name": None, "bucket": "footage"}, "footage"),
        ({"bucket_name": "", "bucket": 7}, ""),
        ({"bucket_name": None}, ""),
    ],
)
def test_the_settings_of_a_storage_name_its_bucket(settings: dict[str, object], name: str) -> None:
    assert bucket_name(a_storage(**settings)) == name


@pytest.mark.parametrize(
    "url",
    [
        "https://masters.s3.us-west-004.backblazeb2.com/a%20b/c.mov?X-Amz-Signature=1",
        "https://s3.us-west-004.backblazeb2.com/masters/a%20b/c.mov?X-Amz-Signature=1",
        "https://f004.backblazeb2.com/file/masters/a%20b/c.mov?Authorization=1",
        "http://127.0.0.1:8800/bucket/masters/a%20b/c.mov?X-Amz-Signature=1",
    ],
)
def test_every_form_of_a_signed_url_tells_its_object(url: str) -> None:
    assert place_in_url(url) == Place("masters", "a b/c.mov")


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://f004.backblazeb2.com/file/masters/a+b%2Bc.mov", "a b+c.mov"),
        ("https://masters.s3.us-west-004.backblazeb2.com/a+b%2Bc.mov", "a+b+c.mov"),
        ("https://s3.us-west-004.backblazeb2.com/masters/a+b%2Bc.mov", "a+b+c.mov"),
    ],
)
def test_a_plus_is_a_space_in_b2s_own_urls_alone(url: str, key: str) -> None:
    assert place_in_url(url) == Place("masters", key)


def test_a_url_by_the_id_of_an_object_tells_no_key() -> None:
    url = "https://f004.backblazeb2.com/b2api/v4/b2_download_file_by_id?fileId=4_z1"
    assert place_in_url(url) is None


def test_an_object_in_a_directory_named_like_the_bucket_is_another_one() -> None:
    place = place_in_url("https://s3.us-west-004.backblazeb2.com/masters/masters/c.mov")
    assert place == Place("masters", "masters/c.mov")


def test_the_case_of_a_key_matters() -> None:
    assert not Place("masters", "Clip.mov").is_same(Place("masters", "clip.mov"))


def test_the_case_of_a_bucket_does_not_matter() -> None:
    assert Place("Masters", "clip.mov").is_same(Place("masters", "clip.mov"))


# A key may have any character but these, and no empty part: https://www.backblaze.com/docs/cloud-storage-files
PART = st.text(
    st.characters(exclude_characters="/", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20
)


@given(st.lists(PART, min_size=2, max_size=4))
def test_the_url_of_any_key_tells_the_same_key_as_the_record(parts: list[str]) -> None:
    file = on_b2(parts[-1], directory_path="/".join(parts[:-1]))
    place = object_place(a_storage(), file)
    assert place_in_url(signed(quote(place.key))) == place
