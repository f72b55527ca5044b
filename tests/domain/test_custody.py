"""What is proven safe on B2, and what isn't: one doubt a test."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from b2_iconik.domain.custody import (
    Presence,
    Safe,
    Unproven,
    Verdict,
    judge,
    presence,
    proven_by_size_alone,
    wanted_formats,
)
from b2_iconik.domain.reasons import Reason
from iconik_http.records import File
from tests.makers import B2, LL, ORIGINAL, a_file, a_format, on_b2, on_ll

LL_SET = f"set-{LL}-{ORIGINAL}"
B2_SET = f"set-{B2}-{ORIGINAL}"
MD5 = "0123456789abcdef0123456789abcdef"
OTHER_MD5 = "f" * 32
SHA1 = "a" * 40
# A clip and the empty lock file beside it, with their sizes.
CARD = (("c.mxf", 9000), ("c.lck", 0))


def verdict(*files: File) -> Verdict:
    """The judgement of the only file set on LucidLink."""
    verdicts = judge(ORIGINAL, files, LL, B2)
    assert len(verdicts) == 1
    return verdicts[0]


def unproven(*files: File) -> Unproven:
    """Why the only file set on LucidLink must stay."""
    found = verdict(*files)
    assert isinstance(found, Unproven)
    return found


def is_safe(*files: File) -> bool:
    """Whether the only file set on LucidLink may go."""
    return isinstance(verdict(*files), Safe)


# What proves


def test_a_closed_twin_of_the_same_size_proves_a_file() -> None:
    assert verdict(on_ll(), on_b2()) == Safe(LL_SET, B2_SET, by_checksum=False)


def test_how_much_may_be_deleted_is_told() -> None:
    found = verdict(
        on_ll("1", size=30), on_ll("2", size=12), on_b2("1", size=30), on_b2("2", size=12)
    )
    assert isinstance(found, Safe)
    assert found.size == 42


def test_equal_checksums_are_told_of() -> None:
    assert verdict(on_ll(checksum=MD5), on_b2(checksum=MD5)) == Safe(LL_SET, B2_SET, True)


def test_one_file_without_a_checksum_is_told_of_too() -> None:
    files = [
        *(on_ll("a", checksum=MD5), on_ll("b")),
        *(on_b2("a", checksum=MD5), on_b2("b", checksum=MD5)),
    ]
    assert verdict(*files) == Safe(LL_SET, B2_SET, by_checksum=False)


def test_the_master_may_lie_in_another_directory() -> None:
    assert is_safe(on_ll(directory_path="edit/one"), on_b2(directory_path="masters/2024/05"))


def test_stored_names_may_differ_where_original_names_agree() -> None:
    assert is_safe(on_ll("clip_1f.mov", original_name="clip.mov"), on_b2("clip.mov"))


def test_a_file_set_with_more_files_on_b2_proves_the_fewer_on_lucidlink() -> None:
    assert is_safe(on_ll("1.dpx"), on_b2("1.dpx"), on_b2("2.dpx"))


def test_one_of_two_file_sets_on_b2_is_enough() -> None:
    wrong = on_b2(directory_path="old", file_set_id="wrong", size=1)
    assert verdict(on_ll(), wrong, on_b2()) == Safe(LL_SET, B2_SET, by_checksum=False)


def test_two_file_sets_on_lucidlink_may_have_the_same_twin() -> None:
    verdicts = judge(ORIGINAL, [on_ll(), on_ll(file_set_id="second"), on_b2()], LL, B2)
    assert verdicts == [Safe(LL_SET, B2_SET, False), Safe("second", B2_SET, False)]


def test_each_file_set_on_lucidlink_is_judged_by_itself() -> None:
    edited = on_ll("other.mov", file_set_id="edited", size=7)
    verdicts = judge(ORIGINAL, [on_ll(), edited, on_b2(), on_b2("other.mov")], LL, B2)
    assert [type(each) for each in verdicts] == [Safe, Unproven]


def test_files_may_share_a_name_in_different_directories() -> None:
    files = [
        make("clip.mov", directory_path=f"{top}/{below}", size=size)
        for make, top in ((on_ll, "card"), (on_b2, "masters/card"))
        for below, size in (("A", 1), ("B", 2), (".", 3))
    ]
    assert is_safe(*files)


def test_files_that_share_a_name_and_a_directory_are_told_apart_by_their_stored_names() -> None:
    files = [
        make(f"{name}.mov", original_name="clip.mov", size=size)
        for make in (on_ll, on_b2)
        for name, size in (("one", 1), ("two", 2))
    ]
    assert is_safe(*files)


@pytest.mark.parametrize("path", ["/card/A", "card/A/", "card//A", "./card/./A"])
def test_a_directory_is_the_same_however_it_is_written(path: str) -> None:
    there = [on_b2("x", directory_path="card/A"), on_b2("x", directory_path="card/B", size=9)]
    assert is_safe(
        on_ll("x", directory_path=path), on_ll("x", directory_path="card/B", size=9), *there
    )


def test_a_directory_that_holds_a_listed_file_needs_no_twin() -> None:
    card = on_ll("A", type="DIRECTORY", directory_path="card", size=None)
    assert is_safe(card, on_ll(directory_path="card/A"), on_b2(directory_path="card/A"))


@pytest.mark.parametrize(("path", "name"), [("", ""), ("", "card"), ("card", "A")])
def test_a_directory_holds_what_lies_further_down_too(path: str, name: str) -> None:
    directory = on_ll(name, type="DIRECTORY", directory_path=path)
    assert is_safe(directory, on_ll(directory_path="card/A"), on_b2())


def test_the_size_of_a_directory_contradicts_no_file() -> None:
    assert is_safe(on_ll(), on_b2(), on_b2(type="DIRECTORY", size=5, file_set_id="other"))


def test_equal_checksums_of_different_kinds_prove_no_more_than_the_size() -> None:
    files = on_ll(checksum=f"md5:{MD5}"), on_b2(checksum=f"xxh128:{MD5}")
    assert verdict(*files) == Safe(LL_SET, B2_SET, by_checksum=False)


def test_a_checksum_whose_kind_is_not_said_may_contradict_one_whose_kind_is() -> None:
    assert not is_safe(on_ll(checksum=MD5), on_b2(checksum=f"md5:{OTHER_MD5}"))


def test_a_checksum_that_is_no_digest_may_contradict_one_of_its_length() -> None:
    assert not is_safe(on_ll(checksum="z" * 32), on_b2(checksum=f"md5:{MD5}"))


def test_a_directory_on_b2_is_no_file() -> None:
    assert unproven(on_ll(), on_b2(type="DIRECTORY")).remedy == "copy"


# What LucidLink's side can lack


def test_nothing_on_lucidlink_needs_no_judgement() -> None:
    assert judge(ORIGINAL, [on_b2()], LL, B2) == []


def test_a_file_set_that_is_deleted_already_needs_no_judgement() -> None:
    assert judge(ORIGINAL, [on_ll(file_set_status="DELETED"), on_b2()], LL, B2) == []


def test_a_file_set_of_an_unknown_status_is_judged() -> None:
    assert not is_safe(on_ll(file_set_status=None))


def test_a_format_without_an_id_is_not_judged() -> None:
    assert judge("", [on_ll(format_id=""), on_b2(format_id="")], LL, B2) == []


def test_a_file_without_a_file_set_stays() -> None:
    found = unproven(on_ll(file_set_id=""), on_b2())
    assert (found.reason, found.remedy) == (
        "iconik does not say which file set this format's files belong to",
        "none",
    )


def test_a_file_set_without_any_file_stays() -> None:
    assert unproven(on_ll(type="DIRECTORY"), on_b2()).reason == (
        "iconik lists a file set on LucidLink, but no file in it"
    )


def test_a_directory_whose_files_are_not_listed_stays() -> None:
    bundle = on_ll("clip.rdc", type="DIRECTORY")
    assert unproven(on_ll(), bundle, on_b2()).reason == (
        "iconik lists no file in directory clip.rdc on LucidLink"
    )


def test_a_directory_that_is_still_being_written_stays() -> None:
    card = on_ll("A", type="DIRECTORY", directory_path="card", status="GROWING")
    inside = {"directory_path": "card/A"}
    assert unproven(card, on_ll(**inside), on_b2(**inside)).reason == (
        "A is still being written on LucidLink (GROWING)"
    )


@pytest.mark.parametrize(("kind", "told"), [("SYMLINK", "SYMLINK"), ("", "of unknown type")])
def test_what_is_no_ordinary_file_stays(kind: str, told: str) -> None:
    found = unproven(on_ll(), on_ll("link", type=kind), on_b2(), on_b2("link"))
    assert (found.reason, found.remedy) == (f"link is not a regular file but {told}", "none")


@pytest.mark.parametrize("status", ["OPEN", "GROWING", "AWAITED"])
def test_what_is_still_being_written_stays(status: str) -> None:
    found = unproven(on_ll(status=status), on_b2())
    assert found.reason == f"clip.mov is still being written on LucidLink ({status})"


@pytest.mark.parametrize("status", ["FAILED", "ARCHIVED", "REDISCOVERED", "DELETED"])
def test_only_a_closed_or_missing_file_may_go(status: str) -> None:
    assert unproven(on_ll(status=status), on_b2()).reason == f"clip.mov is {status} on LucidLink"


@pytest.mark.parametrize("status", ["", "closed", "NEW"])
def test_a_status_that_iconik_does_not_document_proves_nothing(status: str) -> None:
    assert not is_safe(on_ll(status=status), on_b2())
    assert not is_safe(on_ll(), on_b2(status=status))


@pytest.mark.parametrize(("size", "told"), [(None, "no known size"), (0, "0 bytes"), (-1, "-1 b")])
def test_a_file_without_content_stays(size: int | None, told: str) -> None:
    assert unproven(on_ll(size=size), on_b2(size=size)).reason.startswith(f"clip.mov has {told}")


@pytest.mark.parametrize(("size", "told"), [(None, "no known size"), (0, "0 bytes")])
def test_a_file_without_content_stays_though_its_master_has_some(
    size: int | None, told: str
) -> None:
    assert unproven(on_ll(size=size), on_b2()).reason == f"clip.mov has {told} on LucidLink"
    assert unproven(on_ll(), on_b2(size=size)).reason == f"clip.mov has {told} on B2"


def test_a_status_that_is_not_said_is_told_so() -> None:
    assert unproven(on_ll(status="")).reason == "clip.mov is of unknown status on LucidLink"
    assert unproven(on_ll(), on_b2(status="")).reason == "clip.mov is of unknown status on B2"


@pytest.mark.parametrize(
    ("stored", "original", "told"),
    [
        ("1f.mov", "clip.mov", "clip.mov"),
        ("1f.mov", "", "1f.mov"),
        ("", "clip.mov", "clip.mov"),
        ("", "", "a file without a name"),
    ],
)
def test_a_file_is_called_what_a_person_knows_it_by(stored: str, original: str, told: str) -> None:
    found = unproven(on_ll(stored, original_name=original, status="OPEN"))
    assert found.reason == f"{told} is still being written on LucidLink (OPEN)"


def test_the_records_may_come_one_by_one() -> None:
    disputed = [on_ll(), on_b2(), on_b2(file_set_id="second", size=5)]
    assert [type(each) for each in judge(ORIGINAL, iter(disputed), LL, B2)] == [Unproven]


def test_a_file_without_a_name_stays() -> None:
    found = unproven(on_ll("", size=5), on_b2("", size=5))
    assert found.reason == "iconik lists one of the files on LucidLink without a name"


def test_a_file_that_is_listed_twice_stays() -> None:
    found = unproven(on_ll(), on_ll(id="again"), on_b2(), on_b2(id="again"))
    assert found.reason == "iconik lists clip.mov twice on LucidLink"


def test_a_file_set_that_is_partly_deleted_is_judged_whole() -> None:
    gone = on_ll("2.dpx", file_set_status="DELETED")
    assert (
        unproven(on_ll("1.dpx"), gone, on_b2("1.dpx")).reason == "2.dpx has no matching file on B2"
    )


@pytest.mark.parametrize("other", [{"format_id": "format-proxy"}, {"format_id": ""}])
def test_a_file_set_that_holds_files_of_another_format_stays(other: dict[str, str]) -> None:
    stray = on_ll("stray.mov", **other, file_set_id=LL_SET)
    found = unproven(on_ll(), stray, on_b2(), on_b2("stray.mov"))
    assert found.reason == "iconik also lists files of other formats or storages in its file set"


@pytest.mark.parametrize("storage_id", [B2, "storage-other", ""])
def test_a_file_set_that_lies_on_two_storages_stays(storage_id: str) -> None:
    stray = a_file(storage_id, "stray.mov", file_set_id=LL_SET)
    assert not is_safe(on_ll(), stray, on_b2(), on_b2("stray.mov"))


def test_a_file_set_never_proves_itself() -> None:
    assert not is_safe(on_ll(file_set_id="same"), on_b2(file_set_id="same"))


def test_a_storage_never_proves_itself() -> None:
    with pytest.raises(ValueError, match=r"itself$"):
        judge(ORIGINAL, [on_ll(), on_ll(file_set_id="second")], LL, LL)


# What B2's side can lack


def test_what_is_not_on_b2_must_be_copied_first() -> None:
    found = unproven(on_ll())
    assert (found.reason, found.remedy) == ("clip.mov has no matching file on B2", "copy")


@pytest.mark.parametrize("status", ["DELETED", "ARCHIVED", "active", "", None])
def test_a_file_set_on_b2_that_is_not_active_proves_nothing(status: str | None) -> None:
    assert unproven(on_ll(), on_b2(file_set_status=status)).remedy == "copy"


def test_a_file_set_on_b2_of_two_statuses_proves_nothing() -> None:
    assert not is_safe(on_ll(), on_b2(), on_b2("other.mov", file_set_status="DELETED"))


def test_files_on_b2_of_no_known_file_set_prove_nothing() -> None:
    assert not is_safe(on_ll(), on_b2(file_set_id=""))


@pytest.mark.parametrize(
    "other",
    [
        {"format_id": "format-proxy"},
        {"storage_id": "storage-other"},
        {"storage_id": ""},
        {"original_name": "CLIP.MOV"},
        {"original_name": "clip.mov "},
    ],
)
def test_another_file_on_b2_proves_nothing(other: dict[str, Any]) -> None:
    assert not is_safe(on_ll(), replace(on_b2(), **other))


@pytest.mark.parametrize("status", ["OPEN", "GROWING", "AWAITED"])
def test_what_is_not_finished_on_b2_is_waited_for(status: str) -> None:
    found = unproven(on_ll(), on_b2(status=status))
    assert (found.reason, found.remedy) == (f"clip.mov is incomplete on B2 ({status})", "wait")


@pytest.mark.parametrize("status", ["FAILED", "ARCHIVED", "MISSING", "REDISCOVERED", "DELETED"])
def test_only_a_closed_file_on_b2_is_a_twin(status: str) -> None:
    found = unproven(on_ll(), on_b2(status=status))
    assert (found.reason, found.remedy) == (f"clip.mov is {status} on B2", "copy")


@pytest.mark.parametrize("size", [None, 0, -1000])
def test_a_file_on_b2_without_content_is_no_twin(size: int | None) -> None:
    assert unproven(on_ll(), on_b2(size=size)).remedy == "copy"


def test_a_file_that_differs_from_its_master_stays() -> None:
    found = unproven(on_ll(size=16100), on_b2(size=18000))
    assert (found.reason, found.remedy) == (
        "clip.mov differs from its master: 16,100 bytes on LucidLink, 18,000 bytes on B2",
        "none",
    )


@pytest.mark.parametrize("missing", ["1.dpx", "2.dpx", "3.dpx"])
def test_one_missing_twin_keeps_all(missing: str) -> None:
    names = ["1.dpx", "2.dpx", "3.dpx"]
    twins = [on_b2(name) for name in names if name != missing]
    assert unproven(*map(on_ll, names), *twins).reason == f"{missing} has no matching file on B2"


def test_twins_in_two_file_sets_on_b2_do_not_add_up() -> None:
    assert not is_safe(on_ll("1"), on_ll("2"), on_b2("1"), on_b2("2", file_set_id="second"))


def test_what_only_a_person_can_help_is_told_first() -> None:
    files = [on_ll("1"), on_ll("2"), on_b2("2", size=5)]
    assert unproven(*files).remedy == "none"


def test_a_master_that_is_listed_twice_in_its_file_set_must_be_right_both_times() -> None:
    found = unproven(on_ll(), on_b2(), on_b2(id="again", status="MISSING"))
    assert found.reason == "clip.mov is MISSING on B2"


def test_of_masters_with_one_name_the_one_with_the_same_stored_name_counts() -> None:
    decoy = on_b2("clip_2.mov", original_name="clip.mov")
    assert not is_safe(on_ll(), on_b2(status="MISSING"), decoy)


def test_a_master_with_the_same_stored_name_needs_no_other_of_its_name() -> None:
    decoy = on_b2("clip_2.mov", original_name="clip.mov", status="FAILED")
    assert is_safe(on_ll(), on_b2(), decoy)


def test_masters_with_one_name_must_all_be_right_where_stored_names_do_not_tell() -> None:
    masters = [
        on_b2("clip_1.mov", original_name="clip.mov"),
        on_b2("clip_2.mov", original_name="clip.mov", status="FAILED"),
    ]
    assert not is_safe(on_ll(), *masters)


def test_two_files_of_one_name_need_masters_with_their_stored_names() -> None:
    here = [on_ll(name, original_name="clip.mov") for name in ("1.mov", "2.mov")]
    there = [on_b2(name, original_name="clip.mov") for name in ("1.mov", "3.mov")]
    assert unproven(*here, *there).remedy == "copy"


@pytest.mark.parametrize("facts", [{"size": 999}, {"checksum": OTHER_MD5}])
def test_a_master_that_another_record_contradicts_proves_nothing(facts: dict[str, Any]) -> None:
    newer = on_b2(file_set_id="second", format_id="format-v2", **facts)
    found = unproven(on_ll(), on_b2(checksum=MD5), newer)
    assert (found.reason, found.remedy) == (
        "iconik lists clip.mov on B2 more than once, with different sizes or checksums",
        "none",
    )


def test_a_file_that_another_record_contradicts_stays() -> None:
    edited = on_ll(file_set_id="second", format_id="format-v2", size=999)
    assert unproven(on_ll(), edited, on_b2()).reason == (
        "iconik lists clip.mov on LucidLink more than once, with different sizes or checksums"
    )


@pytest.mark.parametrize(
    "facts", [{"file_set_status": "DELETED"}, {"status": "FAILED"}, {"size": None}, {"size": 0}]
)
def test_a_record_of_nothing_contradicts_no_other(facts: dict[str, Any]) -> None:
    stale = on_b2(**{"size": 999, "file_set_id": "stale", **facts})
    assert is_safe(on_ll(), stale, on_b2())


@pytest.mark.parametrize("status", ["OPEN", "GROWING", "AWAITED"])
@pytest.mark.parametrize(("make", "where"), [(on_ll, "LucidLink"), (on_b2, "B2")])
def test_a_file_that_is_being_written_anew_proves_nothing_and_stays(
    make: Callable[..., File], where: str, status: str
) -> None:
    newer = make(file_set_id="second", format_id="format-v2", status=status, size=None)
    found = unproven(on_ll(), on_b2(), newer)
    assert found == Unproven(LL_SET, Reason(f"clip.mov is being overwritten on {where}"), "wait")


def test_what_was_being_written_anew_but_is_deleted_counts_no_more() -> None:
    stale = on_b2(file_set_id="stale", status="OPEN", size=None, file_set_status="DELETED")
    assert is_safe(on_ll(), stale, on_b2())


def test_the_smallest_whole_source_tells_how_many_files_there_must_be() -> None:
    sources = [on_b2("1"), *(on_b2(name, file_set_id="larger") for name in ("1", "2", "3"))]
    assert presence(ORIGINAL, [on_ll("1"), *sources], LL).state == "there"


# Which directory on B2 is meant


def card(top: str, *places: str, make: Any = on_b2, **fields: Any) -> list[File]:
    """Files of one name and size, below a directory."""
    return [make("f.dpx", directory_path=f"{top}/{place}", **fields) for place in places]


def test_a_file_of_the_same_name_in_a_neighbouring_directory_is_no_twin() -> None:
    here = card("edit", "100", make=on_ll)
    missing = card("masters", "100", status="MISSING")
    assert unproven(*here, *missing, *card("masters", "101")).reason == "f.dpx is MISSING on B2"


def test_a_file_of_the_same_name_further_up_is_no_twin() -> None:
    here = card("edit", "100", make=on_ll)
    beside = on_b2("g.dpx", directory_path="masters/100")
    assert (
        unproven(*here, *card("masters", "."), beside).reason == "f.dpx has no matching file on B2"
    )


def test_a_master_that_lies_too_far_up_is_no_twin() -> None:
    here = [*card("edit", "a/b", make=on_ll), on_ll("g.dpx", directory_path="edit")]
    assert not is_safe(*here, *card("b", "."), on_b2("g.dpx", directory_path=""))


def test_part_of_a_card_is_proven_by_a_master_at_the_root() -> None:
    at_the_root = [on_b2("f.dpx", directory_path=place) for place in ("100", "101", "102")]
    assert is_safe(*card("edit", "100", "101", make=on_ll), *at_the_root)


def test_of_directories_that_may_be_meant_those_that_hold_all_files_are() -> None:
    here = [on_ll(name, directory_path="edit") for name in ("1.dpx", "2.dpx")]
    whole = [on_b2(name, directory_path="whole") for name in ("1.dpx", "2.dpx")]
    assert is_safe(*here, *whole, on_b2("1.dpx", directory_path="part", size=5))


def test_directories_that_hold_a_part_each_do_not_add_up() -> None:
    here = [on_ll(name, directory_path="edit") for name in ("1.dpx", "2.dpx", "3.dpx")]
    others = [on_b2(name, directory_path=top) for top in "bcdefg" for name in ("1.dpx", "2.dpx")]
    first = [on_b2(name, directory_path="a") for name in ("1.dpx", "3.dpx")]
    assert unproven(*here, *others, *first).reason == "2.dpx has no matching file on B2"


def test_the_directory_whose_names_agree_furthest_up_is_meant() -> None:
    here = card("edit/x", "100", make=on_ll)
    assert is_safe(*here, *card("masters/x", "100"), *card("masters/y", "100", size=5))


def test_a_directory_with_another_ending_is_another() -> None:
    assert not is_safe(*card("edit", "B", "A~", make=on_ll), *card("masters", "B", "A"))


def test_part_of_a_card_is_proven_by_its_part_of_the_master() -> None:
    assert is_safe(*card("edit", "100", make=on_ll), *card("masters", "100", "101", "102"))


def test_where_directories_were_renamed_all_that_may_be_meant_must_be_right() -> None:
    here = card("edit", "renamed", make=on_ll)
    assert is_safe(*here, *card("masters", "100", "101"))
    missing = card("masters", "102", status="MISSING")
    assert not is_safe(*here, *card("masters", "100", "101"), *missing)


def test_directories_may_be_nested_in_others_of_the_same_name() -> None:
    places = ("CLIP", "CLIP/CLIP")
    assert is_safe(*card("edit", *places, make=on_ll), *card("masters", *places))


def test_a_directory_above_the_master_may_be_named_like_one_on_lucidlink() -> None:
    assert is_safe(*card("edit/masters", ".", make=on_ll), *card("masters", "card"))


def test_half_a_master_proves_no_whole() -> None:
    here = card("edit", "100", "101", make=on_ll)
    assert unproven(*here, *card("edit", "100")).reason == "f.dpx has no matching file on B2"


def test_names_that_climb_are_compared_as_they_are() -> None:
    here = [*card("edit", ".", make=on_ll), *card("edit", "x/..", make=on_ll, size=5)]
    assert not is_safe(*here, *card("masters", "."), *card("masters", "y/..", size=5))


# Checksums


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (f"md5:{MD5}", f"MD5:{OTHER_MD5}"),
        (f"sha1:{SHA1}", f"SHA-1:{'b' * 40}"),
    ],
)
def test_different_checksums_of_the_same_kind_keep_a_file(here: str, there: str) -> None:
    found = unproven(on_ll(checksum=here), on_b2(checksum=there))
    assert found.reason == (
        f"clip.mov differs from its master: checksum {here} on LucidLink, {there} on B2"
    )


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (MD5, OTHER_MD5),
        (f"md5:{MD5}", OTHER_MD5),
        (MD5, f"md5:{OTHER_MD5}"),
        ("1B2M2Y8AsgTpgAmY7PhCfg==", "2B2M2Y8AsgTpgAmY7PhCfg=="),
    ],
)
def test_checksums_of_perhaps_one_algorithm_that_differ_keep_a_file_but_tell_of_no_edit(
    here: str, there: str
) -> None:
    found = unproven(on_ll(checksum=here), on_b2(checksum=there))
    assert (found.reason, found.remedy) == (
        "the checksums of clip.mov cannot be compared because their algorithms are unknown: "
        f"checksum {here} on LucidLink, {there} on B2",
        "none",
    )


@pytest.mark.parametrize(
    "word", ["none", "None", "null", "unknown", "pending", f"unverified:{MD5}"]
)
def test_a_checksum_that_nobody_has_checked_is_none(word: str) -> None:
    assert verdict(on_ll(checksum=word), on_b2(checksum=word)) == Safe(LL_SET, B2_SET, False)


def test_the_shortest_digest_is_a_checksum() -> None:
    assert verdict(on_ll(checksum="0a1b2c3d"), on_b2(checksum="0A1B2C3D")) == Safe(
        LL_SET, B2_SET, by_checksum=True
    )


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (None, MD5),
        (MD5, None),
        (MD5, SHA1),
        (f"sha1:{SHA1}", f"sha1:{MD5}"),
        (f"md5:{MD5}", f"xxh128:{OTHER_MD5}"),
        (MD5, "  "),
        (MD5, f"{MD5}-12"),
    ],
)
def test_checksums_of_two_algorithms_leave_the_proof_to_the_size(
    here: str | None, there: str | None
) -> None:
    assert verdict(on_ll(checksum=here), on_b2(checksum=there)) == Safe(LL_SET, B2_SET, False)


@pytest.mark.parametrize("there", [MD5.upper(), f"md5:{MD5}", f"MD5:{MD5.upper()}", f" {MD5}\n"])
def test_a_checksum_is_the_same_however_it_is_written(there: str) -> None:
    assert verdict(on_ll(checksum=MD5), on_b2(checksum=there)) == Safe(LL_SET, B2_SET, True)


def test_a_file_that_is_proven_by_its_size_alone_is_named() -> None:
    files = [on_ll("a", checksum=MD5), on_ll("b"), on_b2("a", checksum=MD5), on_b2("b")]
    (safe,) = judge(ORIGINAL, files, LL, B2)
    assert isinstance(safe, Safe)
    reason = (
        "REQUIRE_CHECKSUM is set, but iconik has no comparable checksums of b on LucidLink and B2"
    )
    assert proven_by_size_alone(safe) == Unproven(LL_SET, Reason(reason), "none")


def test_of_several_file_sets_the_one_that_has_the_checksum_proves() -> None:
    files = [on_ll(checksum=MD5), on_b2(file_set_id="older"), on_b2(checksum=MD5)]
    assert judge(ORIGINAL, files, LL, B2) == [Safe(LL_SET, B2_SET, by_checksum=True)]


def test_an_empty_file_needs_no_checksum() -> None:
    files = [make(checksum=MD5) for make in (on_ll, on_b2)]
    files += [make("c.lck", size=0) for make in (on_ll, on_b2)]
    assert judge(ORIGINAL, files, LL, B2) == [Safe(LL_SET, B2_SET, by_checksum=True)]


# Empty files


def test_an_empty_file_beside_others_is_proven_by_an_empty_one() -> None:
    found = verdict(*(make(name, size=size) for make in (on_ll, on_b2) for name, size in CARD))
    assert isinstance(found, Safe)
    assert found.size == 9000


def test_an_empty_file_beside_others_needs_a_twin() -> None:
    files = [on_ll("c.mxf", size=9000), on_ll("c.lck", size=0), on_b2("c.mxf", size=9000)]
    assert unproven(*files) == Unproven(LL_SET, Reason("c.lck has no matching file on B2"), "copy")


def test_an_empty_file_is_not_proven_by_one_with_content() -> None:
    files = [on_ll("c.mxf"), on_ll("c.lck", size=0), on_b2("c.mxf"), on_b2("c.lck", size=5)]
    assert unproven(*files).reason == (
        "c.lck differs from its master: 0 bytes on LucidLink, 5 bytes on B2"
    )


def test_a_file_with_content_is_not_proven_by_an_empty_one() -> None:
    files = [on_ll("c.mxf"), on_ll("c.lck", size=5), on_b2("c.mxf"), on_b2("c.lck", size=0)]
    assert unproven(*files) == Unproven(LL_SET, Reason("c.lck has 0 bytes on B2"), "copy")


def test_empty_files_alone_stay() -> None:
    files = [make(name, size=0) for make in (on_ll, on_b2) for name in ("a", "b")]
    assert unproven(*files).reason == "both files have no content or no known size on LucidLink"


@pytest.mark.parametrize("make", [on_ll, on_b2])
def test_an_empty_file_that_another_record_fills_proves_nothing_and_stays(
    make: Callable[..., File],
) -> None:
    files = [each(name, size=size) for each in (on_ll, on_b2) for name, size in CARD]
    newer = make("c.lck", file_set_id="second", format_id="format-v2", size=5)
    assert "more than once" in unproven(*files, newer).reason


# What is gone from LucidLink already


def test_a_file_that_is_missing_on_lucidlink_may_go_where_its_master_is_as_its_record() -> None:
    assert verdict(on_ll(status="MISSING"), on_b2()) == Safe(
        LL_SET, B2_SET, by_checksum=False, was_missing=True
    )


def test_a_file_set_is_not_told_to_be_missing_while_some_of_it_is_there() -> None:
    files = [on_ll("1"), on_ll("2", status="MISSING"), on_b2("1"), on_b2("2")]
    assert verdict(*files) == Safe(LL_SET, B2_SET, by_checksum=False, was_missing=False)


def test_a_missing_file_is_compared_with_its_master() -> None:
    found = unproven(on_ll(status="MISSING", size=7), on_b2(size=8))
    assert found.reason == "clip.mov differs from its master: 7 bytes on LucidLink, 8 bytes on B2"


def test_a_missing_file_whose_size_is_not_known_stays() -> None:
    found = unproven(on_ll(status="MISSING", size=None), on_b2())
    assert found.reason == "clip.mov has no known size on LucidLink"


def test_a_missing_file_that_lies_there_after_all_as_another_record_tells_stays() -> None:
    newer = on_ll(file_set_id="second", format_id="format-v2", size=7)
    assert "more than once" in unproven(on_ll(status="MISSING"), newer, on_b2()).reason


def test_no_copy_is_asked_for_of_what_is_missing() -> None:
    found = unproven(on_ll("1"), on_ll("2", status="MISSING"), on_ll("3", status="MISSING"))
    assert found == Unproven(
        LL_SET,
        Reason(
            "all 3 files have no matching file on B2, and there is nothing to copy: 2 of 3 files "
            "are MISSING on LucidLink (2, 3)"
        ),
        "none",
    )


def test_one_file_that_is_missing_is_named() -> None:
    assert unproven(on_ll(status="MISSING")).reason == (
        "clip.mov has no matching file on B2, and there is nothing to copy: clip.mov is MISSING on "
        "LucidLink"
    )


def test_the_upload_of_what_is_missing_is_waited_for() -> None:
    assert unproven(on_ll(status="MISSING"), on_b2(status="OPEN")).remedy == "wait"


# Image sequences in one record


def test_an_image_sequence_in_one_record_stays_and_that_is_explained() -> None:
    files = [make("f_[1-9].dpx", type="SEQUENCE") for make in (on_ll, on_b2)]
    assert unproven(*files) == Unproven(
        LL_SET,
        Reason(
            "f_[1-9].dpx on LucidLink is an image sequence in a single record, which cannot prove "
            "that every frame is there"
        ),
        "none",
    )


def test_frames_are_not_proven_by_one_record_nor_copied_beside_it() -> None:
    assert unproven(on_ll("f_1.dpx"), on_b2("f_[1-9].dpx", type="SEQUENCE")) == Unproven(
        LL_SET,
        Reason(
            "f_[1-9].dpx on B2 is an image sequence in a single record, which cannot prove that "
            "every frame is there"
        ),
        "none",
    )


def test_a_record_of_an_image_sequence_is_no_twin_of_a_file_of_its_name() -> None:
    assert not is_safe(on_ll("f.dpx"), on_b2("f.dpx", type="SEQUENCE"))


def test_frames_are_proven_by_frames_wherever_else_one_record_stands_for_them() -> None:
    other = on_b2("f_[1-9].dpx", type="SEQUENCE", file_set_id="second")
    assert is_safe(on_ll("f_1.dpx"), other, on_b2("f_1.dpx"))


# Names that are written in several ways


NFC, NFD = "caf\u00e9", "cafe\u0301"


@pytest.mark.parametrize(("here", "there"), [(NFC, NFD), (NFD, NFC)])
def test_an_accent_may_be_one_character_or_two(here: str, there: str) -> None:
    assert is_safe(on_ll(f"{here}.mov"), on_b2(f"{there}.mov"))


def test_an_accent_in_a_directory_may_be_one_character_or_two() -> None:
    files = [
        make("x", directory_path=f"card/{name}", size=size)
        for make, accented in ((on_ll, NFD), (on_b2, NFC))
        for name, size in ((accented, 1), ("other", 2))
    ]
    assert is_safe(*files)


def test_an_accent_in_a_stored_name_may_be_one_character_or_two() -> None:
    files = [
        make(f"{accented}_{number}.mov", original_name="clip.mov", size=number)
        for make, accented in ((on_ll, NFD), (on_b2, NFC))
        for number in (1, 2)
    ]
    assert is_safe(*files)


def test_masters_whose_names_count_as_the_same_must_both_be_right() -> None:
    assert is_safe(on_ll(NFC), on_b2(NFC), on_b2(NFD))
    assert not is_safe(on_ll(NFC), on_b2(NFC), on_b2(NFD, size=5))


def test_files_whose_names_count_as_the_same_need_a_master_each() -> None:
    here = [on_ll(NFC), on_ll(NFD)]
    assert is_safe(*here, on_b2(NFC), on_b2(NFD))
    assert unproven(*here, on_b2(NFC)).remedy == "copy"
    assert not is_safe(*here, on_b2(NFC), on_b2(NFC, id="again"))


def test_an_accent_is_not_the_letter_without_it() -> None:
    assert not is_safe(on_ll("cafe.mov"), on_b2(f"{NFC}.mov"))


@pytest.mark.parametrize(
    ("here", "there"), [("Card\\", "Card/"), ("Card/", "Card\\"), ("Card\\", "Card\\")]
)
def test_directories_may_be_separated_by_backslashes(here: str, there: str) -> None:
    files = [
        make("clip.mxf", directory_path=f"{top}{below}", size=size)
        for make, top in ((on_ll, here), (on_b2, there))
        for below, size in (("A", 100), ("B", 200))
    ]
    assert is_safe(*files)


def test_objects_whose_directories_count_as_the_same_must_all_be_right() -> None:
    here = [on_ll("x", directory_path=f"Card/{below}") for below in "AB"]
    there = [on_b2("x", directory_path=f"Card/{below}") for below in "AB"]
    assert is_safe(*here, *there, on_b2("x", directory_path="Card\\A"))
    assert not is_safe(*here, *there, on_b2("x", directory_path="Card\\A", size=5))


def test_one_file_that_is_listed_with_slashes_and_with_backslashes_is_listed_twice() -> None:
    here = [on_ll("x", directory_path=path) for path in ("Card/A", "Card\\A")]
    there = [on_b2("x", directory_path=path) for path in ("Card/A", "Card\\A")]
    assert unproven(*here, *there).reason == "iconik lists x twice on LucidLink"


def test_records_of_one_place_contradict_each_other_however_it_is_written() -> None:
    newer = on_b2(NFD, file_set_id="second", format_id="format-v2", directory_path="projects\\one")
    assert not is_safe(on_ll(NFC), on_b2(NFC), replace(newer, size=5))


@pytest.mark.parametrize("name", ["Clip.mov", "clip.mov ", " clip.mov", "clip.MOV"])
def test_case_and_spaces_tell_names_apart(name: str) -> None:
    assert not is_safe(on_ll("clip.mov"), on_b2(name))


# Many files


@pytest.mark.full
@pytest.mark.parametrize(
    ("directory", "name", "stored"),
    [("{0}", "f.dpx", "f.dpx"), ("", "f.{0}.dpx", "f.{0}.dpx"), ("", "f.dpx", "f.{0}.dpx")],
)
def test_tens_of_thousands_of_files_are_judged_at_once(
    directory: str, name: str, stored: str
) -> None:
    def many(storage_id: str, top: str) -> list[File]:
        return [
            a_file(
                storage_id,
                stored.format(number),
                original_name=name.format(number),
                directory_path=f"{top}/{directory.format(number or '.')}",
            )
            for number in range(20_000)
        ]

    assert is_safe(*many(LL, "edit"), *many(B2, "masters"))


@pytest.mark.full
def test_tens_of_thousands_of_places_that_might_be_meant_are_judged_at_once() -> None:
    here = [on_ll(f"{number}.dpx") for number in range(20_000)]
    there = [on_b2("0.dpx", directory_path=f"masters/{number}") for number in range(20_000)]
    assert not is_safe(*here, *there)


# What is there


def state(*files: File) -> str:
    """How the format stands on LucidLink."""
    return presence(ORIGINAL, files, LL).state


def test_a_whole_file_is_there() -> None:
    assert presence(ORIGINAL, [on_ll(), on_b2()], LL) == Presence("there", has_source=True)


def test_a_file_that_is_nowhere_else_has_no_source() -> None:
    assert presence(ORIGINAL, [on_ll()], LL) == Presence("there", has_source=False)


@pytest.mark.parametrize("status", ["OPEN", "GROWING", "AWAITED"])
def test_a_file_that_is_being_written_is_unfinished(status: str) -> None:
    assert state(on_ll("1"), on_ll("2", status=status), on_b2()) == "unfinished"


def test_one_whole_file_set_is_there_whatever_the_others_are() -> None:
    assert state(on_ll(status="OPEN", file_set_id="second"), on_ll()) == "there"


@pytest.mark.parametrize(
    "facts",
    [
        {"status": "MISSING"},
        {"status": "FAILED"},
        {"size": 0},
        {"size": None},
        {"file_set_status": "DELETED"},
        {"file_set_status": None},
        {"type": "DIRECTORY"},
        {"format_id": "format-v2"},
        {"storage_id": "storage-other"},
    ],
)
def test_what_is_not_a_whole_file_of_the_format_is_lacking(facts: dict[str, Any]) -> None:
    assert state(replace(on_ll(), **facts), on_b2()) == "lacking"


@pytest.mark.parametrize("facts", [{"status": "MISSING"}, {"size": None}, {"size": -1}])
def test_what_is_not_a_whole_file_is_no_source(facts: dict[str, Any]) -> None:
    assert not presence(ORIGINAL, [on_b2("1"), on_b2("2", **facts)], LL).has_source


def test_a_deleted_file_set_is_no_source() -> None:
    assert not presence(ORIGINAL, [on_b2(file_set_status="DELETED")], LL).has_source


def test_a_part_of_what_could_be_copied_is_lacking() -> None:
    assert state(on_ll("1"), on_b2("1"), on_b2("2")) == "lacking"


def test_more_than_what_could_be_copied_is_there() -> None:
    assert state(on_ll("1"), on_ll("2"), on_b2("1")) == "there"


@pytest.mark.parametrize("size", [0, 5])
def test_an_empty_file_beside_others_is_copied(size: int) -> None:
    source = [on_b2("c.mxf"), on_b2("c.lck", size=size)]
    assert presence(ORIGINAL, source, LL) == Presence("lacking", has_source=True)
    assert state(*source, on_ll("c.mxf"), on_ll("c.lck", size=size)) == "there"


def test_an_empty_file_that_is_not_there_is_lacking() -> None:
    assert state(on_ll("c.mxf"), on_b2("c.mxf"), on_b2("c.lck", size=0)) == "lacking"


def test_empty_files_alone_are_no_source() -> None:
    assert not presence(ORIGINAL, [on_b2("1", size=0), on_b2("2", size=0)], LL).has_source


def test_empty_files_alone_are_lacking() -> None:
    assert state(on_ll("1", size=0), on_ll("2", size=0), on_b2("1"), on_b2("2")) == "lacking"


def test_an_image_sequence_in_one_record_is_a_source() -> None:
    sequence = on_b2("f_[1-9].dpx", type="SEQUENCE")
    assert presence(ORIGINAL, [sequence], LL) == Presence("lacking", has_source=True)
    assert state(sequence, on_ll("f_[1-9].dpx", type="SEQUENCE")) == "there"


def test_an_image_sequence_that_is_not_there_beside_others_is_lacking() -> None:
    assert state(on_b2("f_[1-9].dpx", type="SEQUENCE"), on_b2("a.wav"), on_ll("a.wav")) == "lacking"


def test_an_image_sequence_that_is_being_written_is_unfinished() -> None:
    assert state(on_b2(), on_ll(type="SEQUENCE", status="OPEN")) == "unfinished"


def test_a_link_is_no_source() -> None:
    assert not presence(ORIGINAL, [on_b2(type="SYMLINK")], LL).has_source


# Which format is meant


def test_formats_are_wanted_by_their_name_the_newest_first() -> None:
    old = a_format(id="old", date_created="2024-01-01T00:00:00")
    new = a_format(id="new", date_created="2024-06-01T00:00:00")
    unknown = a_format(id="unknown")
    assert wanted_formats([unknown, old, a_format("PROXY"), new], "ORIGINAL") == [
        new,
        old,
        unknown,
    ]


# What only a small change of the rules would miss


def test_one_byte_is_content() -> None:
    assert is_safe(on_ll(size=1), on_b2(size=1))


def test_a_proof_names_the_format_of_its_file_set() -> None:
    found = verdict(on_ll(), on_b2())
    assert isinstance(found, Safe)
    assert found.format_id == ORIGINAL


def test_a_file_without_a_size_is_told_though_another_has_content() -> None:
    found = unproven(on_ll("1"), on_ll("2", size=None), on_b2("1"), on_b2("2"))
    assert found.reason.endswith("2 has no known size on LucidLink")


def test_two_records_of_one_byte_may_contradict_each_other() -> None:
    again = on_b2(size=1, checksum=OTHER_MD5, id="again", format_id="format-proxy")
    assert not is_safe(on_ll(size=1, checksum=MD5), on_b2(size=1, checksum=MD5), again)
