"""What B2 confirms to who has an application key: the real b2sdk, against the simulator."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from b2_iconik.bucket.confirm import Confirmation
from b2_iconik.bucket.session import ATTEMPTS
from b2_iconik.common.errors import BucketUnavailable
from iconik_http.records import File
from tests.bucket.conftest import Library, Open, a_pair, a_storage, no_url

Make = Callable[..., Library]
BY_SIZE = Confirmation("key")
BY_CHECKSUM = Confirmation("key", by_checksum=True)
LIST = "POST b2_list_file_versions"
SHA1_OF_X = "11f6ad8ec52a2984abaafd7c3b516503785c2072"  # of the letter x
CLIP = {"name": "clip.mov", "content": "x"}


def test_an_object_of_the_size_in_the_record_is_confirmed(library: Make) -> None:
    assert library({"name": "clip.mov", "size": 18_000}).confirm() == BY_SIZE


@pytest.mark.parametrize("checksum", [SHA1_OF_X, f"sha1:{SHA1_OF_X.upper()}"])
@pytest.mark.parametrize("stated", ["small", "large"])
def test_an_object_of_the_same_sha1_is_confirmed_by_checksum(
    library: Make, checksum: str, stated: str
) -> None:
    clip = library(CLIP)
    clip.change("clip.mov", "state_sha1", sha1=stated)
    assert clip.confirm(checksum=checksum) == BY_CHECKSUM


@pytest.mark.parametrize("stated", ["none", "unverified"])
def test_a_sha1_that_b2_does_not_know_confirms_nothing(library: Make, stated: str) -> None:
    clip = library(CLIP)
    clip.change("clip.mov", "state_sha1", sha1=stated)
    assert clip.confirm(checksum=SHA1_OF_X) == BY_SIZE


def test_one_file_without_a_checksum_leaves_all_to_their_sizes(library: Make) -> None:
    clip = library(CLIP, {"name": "other.mov", "content": "y"})
    pairs = [
        pair._replace(file=replace(pair.file, checksum=SHA1_OF_X if is_clip else None))
        for pair in clip.pairs()
        for is_clip in [pair.twin.name == "clip.mov"]
    ]
    assert clip.bucket.confirm(clip.storage, pairs, no_url) == BY_SIZE


def test_another_sha1_is_an_objection(library: Make) -> None:
    other = "0" * 40
    assert library(CLIP).confirm(checksum=other).objection == (
        f"clip.mov differs on B2: SHA-1 {other} on LucidLink, but {SHA1_OF_X} in the bucket"
    )


@pytest.mark.parametrize(
    ("do", "more", "held"),
    [
        ("remove", {}, "no object '{}'"),
        ("hide", {}, "hidden the object '{}'"),
        ("truncate", {"size": 0}, "0 bytes"),
        ("truncate", {"size": 2}, "2 bytes"),
    ],
)
def test_what_was_done_behind_iconiks_back_is_an_objection(
    library: Make, do: str, more: dict[str, Any], held: str
) -> None:
    clip = library(CLIP)
    clip.change("clip.mov", do, **more)
    held = held.format(f"b2/{clip.directory}/clip.mov")
    assert clip.confirm().objection.endswith(f": iconik lists 1 bytes, but the bucket has {held}")


def test_an_object_of_the_same_size_that_took_its_place_is_an_objection(library: Make) -> None:
    clip = library(CLIP)
    clip.change("clip.mov", "replace")
    assert "differs on B2: SHA-1" in clip.confirm(checksum=SHA1_OF_X).objection


def test_an_object_that_was_put_back_is_confirmed(library: Make) -> None:
    clip = library(CLIP)
    clip.change("clip.mov", "hide")
    clip.confirm()
    clip.change("clip.mov", "restore")
    assert clip.confirm() == BY_SIZE


def test_a_frame_that_is_hidden_is_an_objection_to_the_sequence(library: Make) -> None:
    sequence = library(*({"name": f"{n:04}.dpx", "size": n + 1} for n in range(100)))
    sequence.change("0050.dpx", "hide")
    assert sequence.confirm().objection.startswith("0050.dpx is gone from B2")


def test_a_sequence_is_one_request_and_is_not_asked_about_again(library: Make) -> None:
    sequence = library(*({"name": f"{n:04}.dpx", "size": n + 1} for n in range(200)))
    assert (sequence.confirm(), sequence.confirm()) == (BY_SIZE, BY_SIZE)
    assert sequence.asked()[LIST] == 1


def test_b2_is_sent_nothing_of_iconiks(library: Make) -> None:
    clip = library(CLIP)
    clip.confirm()
    assert clip.desk.control("GET", "buckets/")["leaked"] == {}


def test_no_byte_of_the_object_is_read(library: Make) -> None:
    clip = library({"name": "clip.mov", "size": 100_000})
    clip.confirm()
    assert clip.desk.control("GET", "buckets/")["content_bytes"] == {}


def test_a_bucket_joined_by_s3_is_confirmed_as_well(library: Make) -> None:
    clip = library(CLIP)
    settings = {"bucket": "b2", "endpoint": "https://s3.us-west-004.backblazeb2.com"}
    clip.storage = replace(clip.storage, method="S3", settings=settings)
    assert clip.confirm() == BY_SIZE


# The object that a record stands for


def test_a_signed_url_of_another_object_is_an_objection(library: Make) -> None:
    clip = library(CLIP)
    clip.change_storage(path="wrong")
    place = f"b2/{clip.directory}/clip.mov"
    assert clip.confirm().objection == (
        f"clip.mov is not confirmed by B2: iconik's signed URL reads '{place}', but the "
        f"storage's path and the file's record give '{place.replace('b2/', 'b2/wrong/')}'"
    )


def test_a_signed_url_of_another_object_is_an_objection_though_it_was_confirmed(
    library: Make,
) -> None:
    clip = library(CLIP)
    clip.confirm()
    (pair,) = clip.pairs()
    other = replace(pair.twin, url=pair.twin.url.replace("clip.mov", "other.mov"))
    said = clip.bucket.confirm(clip.storage, [pair._replace(twin=other)], no_url)
    assert "iconik's signed URL reads" in said.objection


def test_without_a_signed_url_the_record_alone_tells_the_object(library: Make) -> None:
    clip = library(CLIP)
    pairs = [pair._replace(twin=replace(pair.twin, url="")) for pair in clip.pairs()]
    assert clip.bucket.confirm(clip.storage, pairs, unasked) == BY_SIZE


@pytest.mark.parametrize(
    "url", ["https://cdn.example.com/other.mov", "http://127.0.0.1/b2api/v4/b2_download_file_by_id"]
)
def test_a_url_that_tells_no_object_of_b2_is_no_objection(library: Make, url: str) -> None:
    clip = library(CLIP)
    pairs = [pair._replace(twin=replace(pair.twin, url=url)) for pair in clip.pairs()]
    assert clip.bucket.confirm(clip.storage, pairs, no_url) == BY_SIZE


def test_two_records_of_one_object_are_both_compared(library: Make) -> None:
    clip = library(CLIP)
    (pair,) = clip.pairs()
    other = pair._replace(twin=replace(pair.twin, id="other", size=2))
    said = clip.bucket.confirm(clip.storage, [pair, other], no_url)
    assert said.objection.endswith("iconik lists 2 bytes, but the bucket has 1 bytes")


def test_a_storage_whose_settings_name_no_bucket_is_an_objection(open_bucket: Open) -> None:
    bucket = open_bucket(b2_key_id="id", b2_key="key")
    said = bucket.confirm(a_storage(bucket_name=None), [a_pair()], no_url)
    assert said.objection == (
        "clip.mov is not confirmed by B2: the settings of storage 'Masters' name no bucket for "
        "the application key"
    )


# A key that does not work


def test_a_wrong_key_is_an_objection_and_no_url_is_asked_instead(library: Make) -> None:
    clip = library(CLIP, key="wrong")
    assert clip.confirm().objection == (
        "clip.mov is not confirmed by B2: B2 does not accept the application key for bucket 'b2': "
        "correct B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY, and give the key listFiles"
    )
    assert "GET signed URL" not in clip.asked()


def test_where_b2_must_confirm_a_key_is_enough(library: Make) -> None:
    assert library(CLIP, b2_check="required").confirm() == BY_SIZE


def test_trouble_of_b2_names_the_files_that_were_asked_about_and_passes(library: Make) -> None:
    clip = library(CLIP, {"name": "other.mov", "content": "y"})
    fault = {"bucket": "status:503", "path": "b2api/*", "times": ATTEMPTS}
    clip.desk.control("POST", "faults", fault)
    with pytest.raises(BucketUnavailable) as raised:
        clip.confirm()
    first = clip.pairs()[0].twin.name
    assert str(raised.value) == f"could not ask B2 about {first} and 1 more: B2 answered 503"
    assert clip.confirm() == BY_SIZE


def unasked(_: File) -> str:
    """What must not be asked of iconik."""
    raise AssertionError


def test_what_a_preview_asked_is_asked_again_for_a_remove(library: Make) -> None:
    clip = library(CLIP)
    preview = {"is_preview": True}
    for _ in range(2):
        assert clip.bucket.confirm(clip.storage, clip.pairs(), no_url, **preview) == BY_SIZE
    clip.change("clip.mov", "remove")
    assert clip.confirm().objection
    assert clip.bucket.confirm(clip.storage, clip.pairs(), no_url, **preview) == BY_SIZE
