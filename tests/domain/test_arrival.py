"""What a copy has brought, held against its source."""

from dataclasses import replace
from typing import Any

import pytest

from b2_iconik.domain.arrival import shortfall, unfinished
from b2_iconik.domain.reasons import Cause
from iconik_http.records import File
from tests.makers import B2, LL, ORIGINAL, a_file, on_b2, on_ll

MD5, OTHER_MD5 = "md5:" + "a" * 32, "md5:" + "b" * 32


def wrong(*files: File) -> str:
    """What is wrong with the copy on LucidLink."""
    return shortfall(ORIGINAL, files, LL)


# What is as its source


def test_a_copy_that_is_as_its_source_is_whole() -> None:
    assert wrong(on_b2("a"), on_b2("b"), on_ll("a"), on_ll("b")) == ""


def test_a_copy_of_which_there_is_no_source_is_held_against_nothing() -> None:
    assert wrong(on_ll()) == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "MISSING"},
        {"size": None},
        {"file_set_status": "DELETED"},
        {"format_id": "format-v2"},
        {"type": "DIRECTORY"},
    ],
)
def test_what_is_no_source_says_nothing_about_a_copy(fields: dict[str, Any]) -> None:
    assert wrong(on_b2(**{"size": 5, **fields}), on_ll()) == ""


def test_a_copy_may_be_of_any_source() -> None:
    assert wrong(on_b2(size=5), a_file("storage-other"), on_ll()) == ""


def test_an_empty_file_may_arrive_empty() -> None:
    assert wrong(on_b2("a"), on_b2("b", size=0), on_ll("a"), on_ll("b", size=0)) == ""


def test_a_copy_in_two_directories_has_arrived_if_it_is_whole_in_one() -> None:
    short = on_ll(directory_path="projects/one", size=5, id="short")
    whole = on_ll(directory_path="projects/two")
    assert wrong(on_b2(directory_path=""), short, whole) == ""


def test_a_copy_that_is_still_being_written_does_not_excuse_a_short_one() -> None:
    unfinished = on_ll(file_set_id="second", status="OPEN")
    assert wrong(on_b2(), on_ll(size=5), unfinished).startswith("clip.mov: ")


def test_one_copy_that_is_as_its_source_is_enough() -> None:
    assert wrong(on_b2(), on_ll(file_set_id="older", size=5), on_ll()) == ""


def test_a_copy_may_lie_under_another_directory_and_have_another_stored_name() -> None:
    source = [on_b2("f", directory_path=f"card/{each}", size=ord(each)) for each in "AB"]
    copy = [
        on_ll("f_1", original_name="f", directory_path=f"projects/card/{each}", size=ord(each))
        for each in "AB"
    ]
    assert wrong(*source, *copy) == ""


def test_a_copy_in_other_places_is_told_by_its_names() -> None:
    source = [on_b2(each, directory_path=f"card/{each}") for each in "AB"]
    assert wrong(*source, on_ll("A"), on_ll("B")) == ""


def test_a_name_may_be_in_either_unicode_form() -> None:
    assert wrong(on_b2("caf\u00e9"), on_ll("cafe\u0301")) == ""


@pytest.mark.parametrize("here", [None, "a" * 40, "sha1:" + "b" * 32, MD5.upper()])
def test_a_checksum_of_another_kind_tells_nothing(here: str | None) -> None:
    assert wrong(on_b2(checksum=MD5), on_ll(checksum=here)) == ""


def test_frames_may_be_listed_one_by_one() -> None:
    source = on_b2("f_[1-2].dpx", type="SEQUENCE", size=2000)
    assert wrong(source, on_ll("f_1.dpx"), on_ll("f_2.dpx")) == ""


# What isn't


def test_a_part_is_told_with_both_sizes() -> None:
    found = wrong(on_b2(size=200_000), on_ll(size=100_000))
    assert found == "clip.mov: 100 KB of 200 KB arrived on LucidLink"


def test_sizes_that_look_the_same_are_told_to_the_byte() -> None:
    found = wrong(on_b2(size=2_000_000), on_ll(size=1_999_999))
    assert found == "clip.mov: 1,999,999 bytes of 2,000,000 bytes arrived on LucidLink"


def test_nothing_of_a_file_is_told() -> None:
    files = [on_b2("a"), on_b2("b", size=5), on_ll("a"), on_ll("b", size=0)]
    assert wrong(*files) == "b: 0 bytes of 5 bytes arrived on LucidLink"


def test_more_than_the_source_has_is_told() -> None:
    found = wrong(on_b2(size=1000), on_ll(size=2000))
    assert found == "clip.mov arrived on LucidLink with 2 KB, but its source has 1 KB"


def test_another_checksum_is_told() -> None:
    found = wrong(on_b2(checksum=MD5), on_ll(checksum=OTHER_MD5))
    assert found == (
        f"clip.mov arrived on LucidLink with a different checksum: {OTHER_MD5}, "
        f"but its source has {MD5}"
    )


def test_a_checksum_that_may_be_of_another_kind_is_told_with_that() -> None:
    found = wrong(on_b2(checksum="a" * 32), on_ll(checksum="b" * 32))
    assert found == (
        f"clip.mov arrived on LucidLink with a different checksum: {'b' * 32}, but its source has "
        f"{'a' * 32}, if both use the same algorithm"
    )


def test_a_file_that_did_not_arrive_is_told() -> None:
    files = [on_b2("a"), on_b2("b"), on_ll("a"), on_ll("c")]
    assert wrong(*files) == "b did not arrive on LucidLink"


def test_a_part_of_an_image_sequence_in_one_record_is_told() -> None:
    files = [
        make("f_[1-9].dpx", type="SEQUENCE", size=size) for make, size in ((on_b2, 9), (on_ll, 4))
    ]
    assert wrong(*files) == "f_[1-9].dpx: 4 bytes of 9 bytes arrived on LucidLink"


def test_of_several_files_the_first_is_told_and_the_others_are_counted() -> None:
    names = ("c", "a", "b")
    files = [*(on_b2(name, size=9) for name in names), *(on_ll(name, size=4) for name in names)]
    assert wrong(*files) == (
        "all 3 files arrived only in part on LucidLink, such as a: 4 bytes of 9 bytes"
    )


def test_a_copy_is_held_against_the_source_that_it_is_most_like() -> None:
    other = [a_file("storage-other", name, size=4) for name in "ab"]
    source = [on_b2(name, size=size) for name, size in (("a", 9), ("b", 5))]
    copy = [on_ll(name, size=size) for name, size in (("a", 8), ("b", 5))]
    assert wrong(*other, *source, *copy) == "a: 8 bytes of 9 bytes arrived on LucidLink"


def test_one_of_two_files_that_may_be_the_copy_is_enough() -> None:
    copy = [on_ll("1", original_name="clip.mov"), on_ll("2", original_name="clip.mov", size=5)]
    assert wrong(on_b2(), *copy) == ""


# What is being written


def test_the_first_of_what_is_unfinished_is_told_with_its_status() -> None:
    told = unfinished(ORIGINAL, [on_ll("b", status="OPEN"), on_ll("a")], LL)
    assert told == "b has been unfinished on LucidLink (OPEN)"
    assert told.cause == Cause.COPY_FAILED


def test_what_grows_is_told_before_what_is_only_open() -> None:
    files = [on_ll("a", status="OPEN"), on_ll("b", status="GROWING")]
    told = unfinished(ORIGINAL, files, LL)
    assert told == "b has been growing on LucidLink"
    assert told.cause == Cause.BEING_WRITTEN


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "DIRECTORY"},
        {"format_id": "format-v2"},
        {"file_set_status": "DELETED"},
        {"storage_id": B2},
        {"status": "CLOSED"},
    ],
)
def test_what_grows_elsewhere_is_not_told(fields: dict[str, Any]) -> None:
    other = replace(on_ll("a", status="GROWING"), **fields)
    told = unfinished(ORIGINAL, [other, on_ll("b", status="AWAITED"), on_ll("c")], LL)
    assert told == "b has been unfinished on LucidLink (AWAITED)"


def test_of_several_that_grow_their_number_is_told() -> None:
    files = [on_ll(name, status="GROWING") for name in "cab"]
    told = "3 of 4 files have been growing on LucidLink (a, b, c)"
    assert unfinished(ORIGINAL, [*files, on_ll("d")], LL) == told
