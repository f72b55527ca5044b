"""Many files, named in few words."""

from collections.abc import Sequence

import pytest

from b2_iconik.domain import reasons
from b2_iconik.domain.arrival import shortfall
from b2_iconik.domain.custody import Safe, Unproven, judge, proven_by_size_alone
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.domain.sequences import described
from iconik_http.records import File
from tests.makers import B2, LL, ORIGINAL, on_b2, on_ll

EVERY = [f"shot.{number}.dpx" for number in range(1001, 1301)]


def frames(*numbers: object) -> list[str]:
    return [f"shot.{number}.dpx" for number in numbers]


def why(*files: File) -> Reason:
    """Why the only file set on LucidLink must stay."""
    (found,) = judge(ORIGINAL, files, LL, B2)
    assert isinstance(found, Unproven)
    return found.reason


# Names


@pytest.mark.parametrize(
    ("some", "told"),
    [
        (frames(1013, 1014, 1015, 1200), ("4 of 300 frames", " (1013–1015, 1200)")),
        (frames(1200, 1014), ("2 of 300 frames", " (1014, 1200)")),
        (EVERY, ("all 300 frames", "")),
        (EVERY[::20], ("15 of 300 frames", " (1001, 1021, 1041, 1061, 1081, 1101, 1121, 1141 and "
                       "7 more)")),
    ],
)  # fmt: skip
def test_frames_are_named_by_their_numbers(some: Sequence[str], told: tuple[str, str]) -> None:
    assert described(some, EVERY) == told


def test_numbers_keep_their_zeros() -> None:
    every = [f"f{number:04}.exr" for number in range(995, 1005)]
    assert described(every[3:7], every)[1] == " (0998–1001)"


def test_the_frames_of_two_eyes_are_counted_twice_and_named_once() -> None:
    assert described(frames(1001, 1001), EVERY * 2) == ("2 of 600 frames", " (1001)")


def test_frames_beside_a_file_of_another_kind_are_files() -> None:
    told = described(frames(1001, 1002), [*EVERY, "sound.wav"])
    assert told == ("2 of 301 files", " (frames 1001–1002)")


def test_both_of_two_need_no_names() -> None:
    assert described(["a", "b"], ["a", "b"]) == ("both files", "")


@pytest.mark.parametrize(
    "names",
    [
        ["A001C001.mov", "A001C002.mov"],
        ["left.1.dpx", "right.2.dpx"],
        ["shot.1.dpx", "shot.dpx"],
        ["shot.1.dpx", "shot.2.exr"],
        ["1", "2"],
        [f"shot.{'9' * 5000}.dpx", "shot.1.dpx"],
        ["shot.١.dpx", "shot.٢.dpx"],  # noqa: RUF001 - digits that count nothing here
    ],
)
def test_other_numbers_are_no_frames(names: list[str]) -> None:
    every = [*names, "other.txt"]
    assert described(names, every) == ("2 of 3 files", f" ({', '.join(sorted(names))})")


def test_of_many_names_the_first_are_told() -> None:
    told = described(["e.mov", "d.mov", "c.mov", "b.mov"], ["a.mov", *"bcde"])
    assert told == ("4 of 5 files", " (b.mov, c.mov, d.mov and 1 more)")


# Reasons


def test_frames_that_differ_from_their_masters_are_told_in_one_sentence() -> None:
    here = [on_ll(name, size=5 if name in EVERY[12:15] else 9) for name in EVERY]
    found = why(*here, *(on_b2(name, size=9) for name in EVERY))
    assert found == (
        "3 of 300 frames differ from their masters (1013–1015), such as shot.1013.dpx: 5 bytes on "
        "LucidLink, 9 bytes on B2"
    )
    assert found.cause == Cause.DIFFERS


def test_frames_without_a_master_are_told_in_one_sentence() -> None:
    found = why(*map(on_ll, EVERY), *map(on_b2, EVERY[4:]))
    assert found == "4 of 300 frames have no matching file on B2 (1001–1004)"
    assert found.cause == Cause.BAD_TWIN


def test_the_worst_problem_is_told_with_the_files_that_have_it() -> None:
    twins = [on_b2(name, size=5 if name in EVERY[:2] else 1000) for name in EVERY[:200]]
    found = why(*(on_ll(name, size=1000) for name in EVERY), *twins)
    assert found.startswith("2 of 300 frames differ from their masters (1001–1002), ")


def test_files_are_compared_with_those_of_one_file_set_on_b2() -> None:
    near = [on_b2(each, file_set_id="near", directory_path="near") for each in "abc"]
    far = [on_b2("a", file_set_id="far", directory_path="far")]
    assert why(*map(on_ll, "abcde"), *near, *far) == (
        "2 of 5 files have no matching file on B2 (d, e)"
    )


def test_files_of_one_name_in_two_directories_are_two() -> None:
    here = [on_ll("f", directory_path=f"card/{each}") for each in "ABC"]
    there = [on_b2("f", directory_path="masters/card/A")]
    assert why(*here, *there) == "2 of 3 files have no matching file on B2 (f)"


def test_a_file_with_two_bad_masters_is_one_file() -> None:
    here = [on_ll("caf\u00e9", size=5), on_ll("b")]
    there = [on_b2("caf\u00e9", size=7), on_b2("cafe\u0301", size=7), on_b2("b")]
    assert why(*here, *there).startswith("caf\u00e9 differs from its master: ")


def test_frames_of_which_none_is_left_to_copy_are_told() -> None:
    here = [on_ll(name, status="MISSING" if name in EVERY[:9] else "CLOSED") for name in EVERY]
    assert why(*here) == (
        "all 300 frames have no matching file on B2, and there is nothing to copy: 9 of 300 frames "
        "are MISSING on LucidLink (1001–1009)"
    )


def test_frames_that_are_still_being_written_are_told() -> None:
    here = [on_ll(name, status="OPEN" if name in EVERY[290:] else "CLOSED") for name in EVERY]
    assert why(*here, *map(on_b2, EVERY)) == (
        "10 of 300 frames are still being written on LucidLink (1291–1300)"
    )


def test_frames_without_a_checksum_are_told() -> None:
    files = [*map(on_ll, EVERY[:3]), *map(on_b2, EVERY[:3])]
    files += [make(EVERY[3], checksum="0" * 32) for make in (on_ll, on_b2)]
    (safe,) = judge(ORIGINAL, files, LL, B2)
    assert isinstance(safe, Safe)
    assert proven_by_size_alone(safe).reason == (
        "REQUIRE_CHECKSUM is set, but iconik has no comparable checksums of 3 of 4 frames on "
        "LucidLink and B2 (1001–1003)"
    )


def test_frames_that_did_not_arrive_are_told() -> None:
    files = [*map(on_b2, EVERY), *map(on_ll, EVERY[2:])]
    told = "2 of 300 frames did not arrive on LucidLink (1001–1002)"
    assert shortfall(ORIGINAL, files, LL) == told


def test_what_differs_otherwise_is_counted() -> None:
    there = [on_b2("1", size=9), on_b2("2", size=9), on_b2("3", size=9)]
    here = [on_ll("1", size=4), on_ll("2", size=4)]
    assert shortfall(ORIGINAL, [*there, *here], LL) == (
        "2 of 3 files arrived only in part on LucidLink (1, 2), such as 1: 4 bytes of 9 bytes (and "
        "1 more with other differences)"
    )


def test_a_sentence_about_one_file_alone_stays() -> None:
    alone = reasons.NO_NAME
    assert reasons.about_all(alone, ["a", "b"], ["a", "b", "c"]) is alone


def test_braces_in_a_name_are_part_of_the_name() -> None:
    names = ["{files}.mov", "{0}.mov"]
    told = reasons.about_all(reasons.NO_TWIN(name=names[0]), names, [*names, "c"])
    assert told == "2 of 3 files have no matching file on B2 ({0}.mov, {files}.mov)"
