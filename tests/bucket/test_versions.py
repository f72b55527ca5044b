"""What a list of versions says, and how objects differ from records."""

from typing import Any

import pytest

from b2_iconik.bucket.versions import Version, difference, is_same_content, newest, sha1_of
from tests.bucket.conftest import a_pair
from tests.makers import on_ll

ONE = "a9993e364706816aba3e25717850c26c9cd0d89d"
OTHER = "81fe8bfe87576c3ecb22426f8e57847382917acf"


def entry(**fields: Any) -> dict[str, Any]:
    """An entry of b2_list_file_versions."""
    given = {
        "action": "upload",
        "fileName": "a.mov",
        "contentLength": 1000,
        "contentSha1": ONE,
        "fileInfo": {},
    }
    return {**given, **fields}


def only(*entries: dict[str, Any]) -> Version:
    """The newest version of the one object that is listed."""
    (version,) = newest(list(entries)).values()
    return version


def test_the_first_version_of_an_object_is_the_newest() -> None:
    assert only(entry(contentLength=2), entry(contentLength=1)).size == 2


def test_an_object_below_a_hide_marker_is_hidden() -> None:
    assert only(entry(action="hide", contentLength=0), entry()).is_hidden


def test_an_upload_above_a_hide_marker_is_not_hidden() -> None:
    assert not only(entry(), entry(action="hide")).is_hidden


def test_an_unfinished_upload_leaves_the_version_below() -> None:
    assert only(entry(action="start", contentLength=0), entry()) == Version(1000, ONE)


def test_an_unfinished_upload_alone_is_no_object() -> None:
    assert newest([entry(action="start")]) == {}


def test_an_action_that_is_not_known_is_no_object_to_read() -> None:
    assert only(entry(action="other")).is_hidden


@pytest.mark.parametrize(
    ("fields", "sha1"),
    [
        ({}, ONE),
        ({"contentSha1": ONE.upper()}, ONE),
        ({"contentSha1": "none", "fileInfo": {"large_file_sha1": OTHER}}, OTHER),
        ({"contentSha1": None, "fileInfo": {"large_file_sha1": OTHER}}, OTHER),
        ({"contentSha1": f"unverified:{ONE}"}, ""),
        ({"contentSha1": f"unverified:{ONE}", "fileInfo": {"large_file_sha1": OTHER}}, ""),
        ({"contentSha1": "none", "fileInfo": {"large_file_sha1": f"unverified:{OTHER}"}}, ""),
        ({"contentSha1": "none"}, ""),
        ({"contentSha1": None, "fileInfo": None}, ""),
        ({"contentSha1": 7}, ""),
        ({"contentSha1": ONE[:-1]}, ""),
    ],
)
def test_the_sha1_of_a_version_is_known_or_it_is_not(fields: dict[str, Any], sha1: str) -> None:
    assert only(entry(**fields)).sha1 == sha1


@pytest.mark.parametrize("size", [None, "1000", 1000.0])
def test_a_size_that_is_no_whole_number_is_not_known(size: object) -> None:
    assert only(entry(contentLength=size)).size is None


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (
            None,
            "clip.mov is gone from B2: iconik lists 1,000 bytes, but the bucket has no object "
            "'masters/clip.mov'",
        ),
        (
            Version(0, is_hidden=True),
            "clip.mov is gone from B2: iconik lists 1,000 bytes, but the bucket has hidden the "
            "object 'masters/clip.mov'",
        ),
        (
            Version(999),
            "clip.mov differs on B2: iconik lists 1,000 bytes, but the bucket has 999 bytes",
        ),
        (
            Version(None),
            "clip.mov differs on B2: iconik lists 1,000 bytes, but the bucket has no known size",
        ),
    ],
)
def test_a_difference_names_the_file_and_both_sides(version: Version | None, said: str) -> None:
    assert difference(a_pair(), version, "masters/clip.mov") == said


def test_where_only_a_url_is_known_no_key_is_named() -> None:
    said = "clip.mov is gone from B2: iconik lists 1,000 bytes, but the bucket has no object"
    assert difference(a_pair(), None) == said


def test_an_object_as_listed_does_not_differ() -> None:
    assert difference(a_pair(checksum=ONE), Version(1000, ONE)) == ""


@pytest.mark.parametrize("checksum", [None, ONE, f"sha1:{ONE}", f"md5:{OTHER[:32]}", "x" * 40])
def test_a_checksum_that_cannot_be_compared_or_is_the_same_does_not_differ(
    checksum: str | None,
) -> None:
    assert difference(a_pair(checksum=checksum), Version(1000, ONE)) == ""


def test_another_sha1_on_lucidlink_is_a_difference() -> None:
    pair = a_pair()._replace(file=on_ll(checksum=f"SHA-1:{OTHER}"))
    said = f"clip.mov differs on B2: SHA-1 {OTHER} on LucidLink, but {ONE} in the bucket"
    assert difference(pair, Version(1000, ONE)) == said


def test_another_sha1_in_iconiks_own_record_is_a_difference() -> None:
    pair = a_pair(checksum=OTHER)._replace(file=on_ll())
    said = f"SHA-1 {OTHER} in iconik's record of B2, but {ONE} in the bucket"
    assert said in difference(pair, Version(1000, ONE))


@pytest.mark.parametrize(
    ("checksum", "version", "is_same"),
    [
        (ONE.upper(), Version(1000, ONE), True),
        (None, Version(1000, ONE), False),
        (OTHER, Version(1000, ONE), False),
        (None, Version(1000), False),
        (ONE, Version(1000), False),
        (ONE, None, False),
    ],
)
def test_content_is_the_same_where_both_sides_have_the_same_sha1(
    checksum: str | None, version: Version | None, is_same: bool
) -> None:
    assert is_same_content(a_pair(checksum=checksum), version) is is_same


@pytest.mark.parametrize("checksum", [f"sha256:{ONE}", ONE[:32], ONE + ONE, "", None, "md5:1"])
def test_what_is_no_sha1_is_not_taken_for_one(checksum: str | None) -> None:
    assert sha1_of(on_ll(checksum=checksum)) == ""
