"""File sets that refer to one file on LucidLink: none goes before all may go."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2_iconik.domain.custody import Safe, Unproven, Verdict, judge
from b2_iconik.domain.reasons import Reason
from b2_iconik.domain.shared_paths import guard_shared_paths, sharing, unlisted
from iconik_http.records import File
from tests.makers import B2, LL, ORIGINAL, a_file, a_format, on_b2, on_ll

PROXY = "format-proxy"
FORMATS = [a_format(), a_format("PROXY")]
ALSO = "clip.mov also belongs to another file set on LucidLink"


def mine(name: str = "clip.mov", **fields: Any) -> File:
    """A file of the file set that is to be deleted."""
    return on_ll(name, file_set_id="mine", **fields)


def other(name: str = "clip.mov", file_set_id: str = "other", **fields: Any) -> File:
    """A file of another file set on LucidLink."""
    return on_ll(name, file_set_id=file_set_id, format_id=PROXY, **fields)


def safe(file_set_id: str) -> Safe:
    """A verdict that a file set may be deleted."""
    return Safe(file_set_id, f"twin-of-{file_set_id}", by_checksum=False)


def guarded(*files: File, **verdicts: Verdict) -> list[Verdict]:
    """What remains of some verdicts, each on the one file set of a format."""
    several = {name: [verdict] for name, verdict in verdicts.items()}
    found = guard_shared_paths(several, files, LL, FORMATS)
    assert list(found) == list(several)
    return [verdict for (verdict,) in found.values()]


def is_kept(*files: File) -> bool:
    """Whether the file set ``mine`` stays, which is safe by itself."""
    return isinstance(guarded(*files, ORIGINAL=safe("mine"))[0], Unproven)


# Which other file sets matter


def test_a_file_that_no_other_file_set_refers_to_may_go() -> None:
    assert guarded(mine(), on_b2(), ORIGINAL=safe("mine")) == [safe("mine")]


def test_a_file_that_a_file_set_refers_to_which_the_click_is_not_about_stays() -> None:
    reason = f"{ALSO} (PROXY, other), which this click does not include"
    assert guarded(mine(), other(), ORIGINAL=safe("mine")) == [
        Unproven("mine", Reason(reason), "none")
    ]


def test_of_a_format_that_is_not_listed_only_the_file_set_is_named() -> None:
    found = guard_shared_paths({"ORIGINAL": [safe("mine")]}, [mine(), other()], LL)
    reason = f"{ALSO} (other), which this click does not include"
    assert found == {"ORIGINAL": [Unproven("mine", Reason(reason), "none")]}


def test_file_sets_that_share_a_file_go_together() -> None:
    both: list[Verdict] = [safe("mine"), safe("other")]
    assert guarded(mine(), other(), ORIGINAL=both[0], PROXY=both[1]) == both


def test_two_file_sets_of_one_format_that_share_a_file_go_together() -> None:
    verdicts = {"ORIGINAL": [safe("mine"), safe("second")]}
    files = [mine(), on_ll(file_set_id="second")]
    assert guard_shared_paths(verdicts, files, LL) == verdicts


def test_two_file_sets_of_one_format_that_share_a_file_stay_together() -> None:
    objection = Unproven("second", Reason("why"), "none")
    verdicts: dict[str, list[Verdict]] = {"ORIGINAL": [safe("mine"), objection]}
    found = guard_shared_paths(verdicts, [mine(), on_ll(file_set_id="second")], LL)
    assert [type(each) for each in found["ORIGINAL"]] == [Unproven, Unproven]
    assert found["ORIGINAL"][1] == objection


@pytest.mark.parametrize("remedy", ["none", "wait", "copy"])
def test_a_file_set_needs_what_the_other_one_needs(remedy: Any) -> None:
    objection = Unproven("other", Reason("why"), remedy)
    reason = f"{ALSO} (PROXY, other), which is not proven safe"
    assert guarded(mine(), other(), ORIGINAL=safe("mine"), PROXY=objection) == [
        Unproven("mine", Reason(reason), remedy),
        objection,
    ]


def test_of_several_the_one_that_needs_most_of_a_person_is_told() -> None:
    kept, _, _ = guarded(
        *(mine(), other(), other(file_set_id="third")),
        ORIGINAL=safe("mine"),
        PROXY=Unproven("other", Reason("why"), "copy"),
        THIRD=Unproven("third", Reason("why"), "wait"),
    )
    reason = f"{ALSO} (PROXY, third), which is not proven safe"
    assert kept == Unproven("mine", Reason(reason), "wait")


def test_what_is_kept_keeps_others_in_turn() -> None:
    chain = [
        *(mine("a"), mine("b")),
        *(other("b", "second"), other("c", "second")),
        other("c", "third"),
    ]
    first, second, _ = guarded(
        *chain,
        ORIGINAL=safe("mine"),
        PROXY=safe("second"),
        THIRD=Unproven("third", Reason("why"), "wait"),
    )
    assert (first, second) == (
        Unproven(
            "mine",
            Reason(
                "b also belongs to another file set on LucidLink (PROXY, second), which is not "
                "proven safe"
            ),
            "wait",
        ),
        Unproven(
            "second",
            Reason(
                "c also belongs to another file set on LucidLink (PROXY, third), which is not "
                "proven safe"
            ),
            "wait",
        ),
    )


def test_what_needs_a_person_needs_one_through_others_too() -> None:
    first, second, _ = guarded(
        *(mine("a"), mine("b"), other("a", "third"), other("b", "second"), other("c", "second")),
        other("c", "foreign"),
        ORIGINAL=safe("mine"),
        PROXY=safe("second"),
        THIRD=Unproven("third", Reason("why"), "copy"),
    )
    assert isinstance(first, Unproven)
    assert isinstance(second, Unproven)
    assert (first.remedy, second.remedy) == ("none", "none")


def test_the_cause_is_told_and_not_another_that_is_kept_for_it() -> None:
    files = [mine(), other(file_set_id="a"), other(file_set_id="z")]
    kept = guarded(*files, ORIGINAL=safe("mine"), PROXY=safe("a"))[0]
    assert isinstance(kept, Unproven)
    assert "z), which this click does not include" in kept.reason


def test_what_is_not_proven_is_told_as_it_was() -> None:
    objection = Unproven("mine", Reason("why"), "copy")
    assert guarded(mine(), other(), ORIGINAL=objection) == [objection]


@pytest.mark.parametrize(
    "twice",
    [
        [safe("other"), Unproven("other", Reason("why"), "copy")],
        [Unproven("other", Reason("why"), "copy"), safe("other")],
    ],
)
def test_a_file_set_that_is_judged_twice_goes_only_where_it_may_go_both_times(
    twice: list[Verdict],
) -> None:
    verdicts: dict[str, list[Verdict]] = {
        "ORIGINAL": [safe("mine")],
        "PROXY": twice,
    }
    found = guard_shared_paths(verdicts, [mine(), other()], LL)
    assert {type(each) for several in found.values() for each in several} == {Unproven}


@pytest.mark.parametrize("status", ["ARCHIVED", "", None])
def test_a_file_set_counts_unless_iconik_says_that_it_is_deleted(status: str | None) -> None:
    assert is_kept(mine(), other(file_set_status=status))


def test_a_deleted_file_set_does_not_count() -> None:
    assert not is_kept(mine(), other(file_set_status="DELETED"))


@pytest.mark.parametrize("status", ["OPEN", "MISSING", "FAILED", ""])
def test_a_file_counts_whatever_its_status(status: str) -> None:
    assert is_kept(mine(), other(status=status, size=None))


def test_a_file_without_a_file_set_counts() -> None:
    assert is_kept(mine(), other(file_set_id=""))


def test_a_file_on_another_storage_does_not_count() -> None:
    assert not is_kept(mine(), a_file("storage-other", file_set_id="other"))


def test_a_file_of_the_same_file_set_does_not_count() -> None:
    assert not is_kept(mine(), mine(id="again"))


# What is the same place


@pytest.mark.parametrize(
    "fields",
    [
        {"directory_path": "/projects/./one/"},
        {"directory_path": "projects\\one"},
        {"directory_path": "projects/two/../one"},
        {"directory_path": "../projects/one"},
        {"directory_path": "", "name": "projects/one/clip.mov"},
        {"directory_path": "Projects/ONE"},
        {"name": "CLIP.mov"},
        {"original_name": "other.mov"},
    ],
)
def test_a_place_is_the_same_however_it_is_written(fields: dict[str, str]) -> None:
    assert is_kept(mine(), other(**{"name": "clip.mov", **fields}))


def test_a_name_is_the_same_in_either_unicode_form() -> None:
    assert is_kept(mine("caf\u00e9"), other("cafe\u0301"))


@pytest.mark.parametrize(
    "fields", [{"directory_path": "projects"}, {"name": "clip.mov "}, {"name": "other.mov"}]
)
def test_another_place_is_another(fields: dict[str, str]) -> None:
    assert not is_kept(mine(), other(**{"name": "clip.mov", **fields}))


# Records that stand for more than one file


def card(make: Any, path: str = "", name: str = "card") -> File:
    """A record of a directory."""
    directory: File = make(name, type="DIRECTORY", directory_path=path, size=None)
    return directory


def test_a_directory_that_is_deleted_may_take_what_is_in_it() -> None:
    inside = other("x.mov", directory_path="card/deep")
    assert is_kept(card(mine), mine("clip.mov", directory_path="card"), inside)


def test_a_directory_that_is_deleted_may_take_directories_in_it() -> None:
    assert is_kept(card(mine), mine("clip.mov", directory_path="card"), card(other, "card", "deep"))


def test_a_directory_takes_nothing_beside_it() -> None:
    assert not is_kept(
        card(mine), mine("clip.mov", directory_path="card"), other(directory_path="cardigan")
    )


def test_a_directory_whose_files_are_not_listed_has_all_that_is_in_it() -> None:
    assert is_kept(mine("clip.mov", directory_path="card/deep"), card(other))
    assert is_kept(
        mine("clip.mov", directory_path="card/deep"), card(other), card(other, "card", "deep")
    )


def test_a_directory_that_lists_only_a_directory_has_all_that_is_in_it() -> None:
    assert is_kept(
        mine("clip.mov", directory_path="card"), card(other), card(other, "card", "deep")
    )


def test_a_directory_whose_files_are_listed_deeper_has_those() -> None:
    files = [
        card(other), card(other, "card", "deep"), other("x.mov", directory_path="card/deep"),
    ]  # fmt: skip
    assert not is_kept(mine("clip.mov", directory_path="card"), *files)


def test_a_directory_whose_files_are_listed_has_those() -> None:
    files = [card(other), other("x.mov", directory_path="card")]
    assert not is_kept(mine("clip.mov", directory_path="card"), *files)


@pytest.mark.parametrize(
    ("directory", "frames_in", "kept"),
    [
        ("seq", "seq", True),
        ("seq/a", "seq", False),
        ("", "seq", False),
        ("seq/a", "seq/a", True),
        ("seq/b", "seq/a", False),
    ],
)
def test_an_image_sequence_in_one_record_has_what_lies_beside_it(
    directory: str, frames_in: str, kept: bool
) -> None:
    frames = other("f_[1-9].dpx", type="SEQUENCE", directory_path=frames_in)
    assert is_kept(mine("f_1.dpx", directory_path=directory), frames) is kept


# Whatever iconik lists


PLACES = st.sampled_from(["a", "b", "c"])
SETS = st.dictionaries(
    st.sampled_from(["1", "2", "3", "4"]), st.sets(PLACES, min_size=1), min_size=1
)


@given(
    sets=SETS,
    proven=st.sets(st.sampled_from("1234")),
    judged=st.sets(st.sampled_from("1234")),
    data=st.data(),
)
def test_no_file_goes_that_a_file_set_refers_to_which_stays(
    sets: dict[str, set[str]], proven: set[str], judged: set[str], data: st.DataObject
) -> None:
    files = [on_ll(name, file_set_id=each) for each, names in sets.items() for name in names]
    verdicts: dict[str, Sequence[Verdict]] = {
        each: [safe(each) if each in proven else Unproven(each, Reason("why"), "copy")]
        for each in sorted(judged & sets.keys())
    }
    found = guard_shared_paths(verdicts, data.draw(st.permutations(files)), LL)
    gone = {name for name, (verdict,) in found.items() if isinstance(verdict, Safe)}
    assert gone <= proven & judged
    kept = set().union(*(names for each, names in sets.items() if each not in gone))
    assert not any(sets[each] & kept for each in gone)
    # And no more is kept than that: to keep a file set, one needs another that can't go.
    assert all(
        any(sets[each] & sets[it] for it in sets.keys() - gone - {each})
        for each in proven & judged & sets.keys() - gone
    )
    assert guard_shared_paths(verdicts, files, LL) == found


def test_two_formats_of_one_file_of_which_one_is_on_b2_both_stay() -> None:
    files = [mine(), other(), on_b2()]
    verdicts = {
        name: judge(each, files, LL, B2)
        for name, each in (("ORIGINAL", ORIGINAL), ("PROXY", PROXY))
    }
    found = guard_shared_paths(verdicts, files, LL, FORMATS)
    assert [type(each) for several in found.values() for each in several] == [Unproven, Unproven]


# Files of formats that no list names


def test_a_file_of_a_format_that_is_not_listed_is_found() -> None:
    stray = on_ll(format_id="format-v1", file_set_id="v1")
    assert unlisted(FORMATS, [on_ll(), stray, on_b2(format_id="format-v1")], LL) == [stray]


@pytest.mark.parametrize(
    "fields", [{"file_set_status": "DELETED"}, {"type": "DIRECTORY"}, {"format_id": PROXY}]
)
def test_what_is_deleted_or_no_file_or_of_a_listed_format_is_not(fields: dict[str, str]) -> None:
    assert unlisted(FORMATS, [on_ll(**{"format_id": "format-v1", **fields})], LL) == []


def test_a_file_of_no_known_format_is_found() -> None:
    stray = on_ll(format_id="", file_set_status=None)
    assert unlisted(FORMATS, [stray], LL) == [stray]


def test_the_other_formats_that_have_a_file_of_the_same_path_are_named_in_order() -> None:
    formats = {name: f"format-{name}" for name in ("ORIGINAL", "PROXY", "AUDIO", "STILLS")}

    def file_of(name: str, path: str, format_id: str = "") -> File:
        return on_ll(path, file_set_id=f"set-{name}", format_id=format_id or formats[name])

    files = [
        file_of("ORIGINAL", "clip.mov"),
        file_of("ORIGINAL", "reel.mov"),
        file_of("PROXY", "reel.mov"),
        file_of("AUDIO", "clip.mov"),
        file_of("STILLS", "neighbor.mov"),
        file_of("UNLISTED", "clip.mov", format_id="format-that-is-not-listed"),
    ]
    listed = [a_format(name, id=format_id) for name, format_id in formats.items()]
    assert sharing("set-ORIGINAL", "ORIGINAL", files, listed) == ("AUDIO", "PROXY")
