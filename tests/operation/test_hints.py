"""What a listing suggests, and what it confirms."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest

from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import LISTING_LAG_MS, AssetProgress, ClaimedAsset, Deletion, Hint
from b2_iconik.domain.reasons import Reason
from b2_iconik.operation.hints import LONGEST_TITLE, arrived, hint_of, may_be_listed
from iconik_http.records import File, Format, Listed
from tests.makers import ASSET, LL, ORIGINAL, a_click, a_format, on_b2, on_ll

NOW = 1_000_000
PROXY = a_format("PROXY")
ADD = a_click("add", formats=("ORIGINAL", "PROXY"))
REMOVE = a_click("remove", formats=("ORIGINAL", "PROXY"))
# Listings often lack these fields.
OFTEN_MISSING = ("file_set_status", "date_created")


def listed(
    *files: File, formats: Sequence[Format] = (a_format(),), is_poor: bool = False
) -> Listed:
    """An asset as a newer iconik lists it."""
    left_out = OFTEN_MISSING if is_poor else ()

    def shown(record: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in record.items() if name not in left_out}

    record = {
        "title": "Beach",
        "formats": [shown({**asdict(each), "status": "ACTIVE"}) for each in formats],
        "files": [shown(asdict(each)) for each in files],
    }
    return Listed("assets", ASSET, record)


# How much it is


def test_a_hint_has_the_size_of_the_clicked_formats() -> None:
    assert hint_of(listed(on_b2(size=7)), ADD).size == 7


def test_a_size_that_no_database_could_store_is_unknown() -> None:
    assert hint_of(listed(on_b2(size=10**15)), ADD).size == 10**15
    assert hint_of(listed(on_b2(size=2**63)), ADD).size is None


def test_without_files_a_listing_shows_no_size() -> None:
    assert hint_of(listed(), ADD).size is None


# What can be copied at once


@pytest.mark.parametrize("is_poor", [False, True])
def test_add_can_copy_what_is_complete_elsewhere_and_not_on_lucidlink(is_poor: bool) -> None:
    hint = hint_of(listed(on_b2(), is_poor=is_poor), ADD)
    assert hint == Hint("Beach", {ORIGINAL: "ORIGINAL"}, ("ORIGINAL",))


@pytest.mark.parametrize(
    "files",
    [
        [],
        [on_b2(), on_ll()],
        [on_b2(), on_ll(file_set_status=None)],
        [on_b2(), on_ll(status="OPEN")],
        [on_b2(status="MISSING")],
        [on_b2(size=0)],
        [on_b2(file_set_status="DELETED")],
        [on_b2(format_id="another")],
    ],
)
def test_add_reads_first_what_a_listing_shows_otherwise(files: list[File]) -> None:
    assert hint_of(listed(*files), ADD).ready == ()


@pytest.mark.parametrize("is_poor", [False, True])
def test_remove_can_copy_what_is_complete_on_lucidlink_and_not_on_b2(is_poor: bool) -> None:
    assert hint_of(listed(on_ll(), is_poor=is_poor), REMOVE).ready == ("ORIGINAL",)


@pytest.mark.parametrize(
    "files",
    [
        [],
        [on_b2()],
        [on_ll(), on_b2()],
        [on_ll(), on_b2(status="OPEN", size=None)],
        [on_ll(), on_b2(file_set_status=None)],
        [on_ll(), on_b2(status="MISSING")],
        [on_ll(), on_b2("another.mov")],
        [on_ll(), on_b2(type="DIRECTORY")],
        [on_ll(status="GROWING")],
        [on_ll(), on_ll("b.mov", file_set_id="2", status="OPEN")],
        [on_ll(type="SEQUENCE")],
        [on_ll(type="DIRECTORY")],
        [on_ll(), on_ll(id="twice")],
        [on_ll(), on_ll("b.mov", size=None)],
        [on_ll(file_set_id="")],
        [on_ll(size=0)],
        [on_ll(status="MISSING")],
        [on_ll(size=None)],
        [on_ll(file_set_status="DELETED")],
    ],
)
def test_remove_reads_first_what_a_listing_shows_otherwise(files: list[File]) -> None:
    assert hint_of(listed(*files), REMOVE).ready == ()


@pytest.mark.parametrize(
    "other",
    [on_b2(file_set_status="DELETED"), on_b2(format_id=PROXY.id), on_ll("b.mov", file_set_id="2")],
    ids=["deleted", "of another format", "another file set"],
)
def test_files_that_can_prove_nothing_prevent_no_copy_to_b2(other: File) -> None:
    hint = hint_of(listed(on_ll(), other, formats=[a_format(), PROXY]), REMOVE)
    assert hint.ready == ("ORIGINAL",)


def test_of_several_versions_add_copies_the_newest() -> None:
    old, new = a_format(id="old", date_created="1"), a_format(id="new", date_created="2")
    files = [on_b2(format_id="old"), on_ll(format_id="old"), on_b2(format_id="new")]
    hint = hint_of(listed(*files, formats=[old, new]), ADD)
    assert (list(hint.format_names), hint.ready) == (["new", "old"], ("ORIGINAL",))


def test_of_several_versions_remove_reads_which_must_be_copied() -> None:
    formats = [a_format(id=each, date_created=each) for each in ("1", "2")]
    files = [on_ll(format_id="1"), on_ll(format_id="2")]
    assert hint_of(listed(*files, formats=formats), REMOVE).ready == ()


def test_if_it_is_not_known_which_version_is_the_newest_nothing_is_suggested() -> None:
    formats = [a_format(id="1"), a_format(id="2")]
    hint = hint_of(listed(on_b2(format_id="1"), on_b2(format_id="2"), formats=formats), ADD)
    assert hint == Hint("Beach")


@pytest.mark.parametrize(
    "record",
    [{}, {"formats": None, "files": None}, {"formats": ["x"], "files": ["y"]}, {"formats": {}}],
)
def test_a_listing_without_formats_and_files_suggests_nothing(record: dict[str, Any]) -> None:
    assert hint_of(Listed("assets", ASSET, record), ADD) == Hint()


@pytest.mark.parametrize("lacking", ["id", "name"])
def test_a_listing_of_a_format_without_an_id_or_a_name_suggests_nothing(lacking: str) -> None:
    record = dict(listed(on_b2()).record)
    record["formats"] = [*record["formats"], {**asdict(PROXY), lacking: None}]
    assert hint_of(Listed("assets", ASSET, record), ADD) == Hint("Beach")


def test_of_a_long_title_the_beginning_is_enough() -> None:
    record = {"title": "b" * LONGEST_TITLE + "each"}
    assert hint_of(Listed("assets", ASSET, record), ADD) == Hint("b" * LONGEST_TITLE)


def test_a_deleted_format_is_none() -> None:
    record = dict(listed(on_b2()).record)
    record["formats"] = [{"id": ORIGINAL, "name": "ORIGINAL", "status": "DELETED"}]
    assert hint_of(Listed("assets", ASSET, record), ADD) == Hint("Beach")


# What has arrived

COPIED = AssetProgress(
    copy_results={"ORIGINAL": None}, format_names={ORIGINAL: "ORIGINAL"}, ready=("ORIGINAL",)
)


def claimed(progress: AssetProgress = COPIED) -> ClaimedAsset:
    return ClaimedAsset(ASSET, ("ORIGINAL", "PROXY"), progress)


def test_a_listing_may_show_that_all_copies_have_arrived() -> None:
    assert may_be_listed(claimed(), NOW)


@pytest.mark.parametrize(
    "progress",
    [
        AssetProgress(format_names=COPIED.format_names),
        replace(COPIED, copy_results={"ORIGINAL": Reason("disk full")}),
        replace(COPIED, ready=()),
        replace(COPIED, copy_results={"ORIGINAL": None, "PROXY": None}),
        replace(COPIED, format_names={}),
        replace(COPIED, format_names={**COPIED.format_names, PROXY.id: "PROXY"}),
        replace(COPIED, unanswered_until_ms=NOW),
        replace(COPIED, deletions={"set": Deletion("ORIGINAL")}),
        replace(COPIED, unfinished_ms=NOW - LISTING_LAG_MS),
    ],
    ids=[
        "no copy", "a problem", "not known to be lacking", "one not known to be lacking",
        "unknown formats", "another format", "in doubt", "being deleted", "too long ago",
    ],
)  # fmt: skip
def test_what_a_listing_can_not_show_is_read(progress: AssetProgress) -> None:
    assert not may_be_listed(claimed(progress), NOW)


@pytest.mark.parametrize("is_poor", [False, True])
def test_what_a_listing_shows_complete_has_arrived(is_poor: bool) -> None:
    outcomes = arrived(claimed(), listed(on_b2(), on_ll(), is_poor=is_poor), LL)
    assert outcomes == {"ORIGINAL": Outcome("copied"), "PROXY": Outcome("without")}


@pytest.mark.parametrize(
    "shown",
    [
        listed(),
        listed(on_b2()),
        listed(on_b2(), on_ll(status="OPEN")),
        listed(on_b2(), on_ll(file_set_status="DELETED")),
        listed(on_b2(), on_ll(), formats=()),
        listed(on_b2(), on_ll(), formats=(a_format(), PROXY)),
        listed(on_b2(), on_ll(), formats=(PROXY,)),
        Listed("assets", ASSET, {}),
    ],
    ids=[
        "no files", "not there", "unfinished", "deleted", "no formats", "a new format",
        "a lost format", "nothing",
    ],
)  # fmt: skip
def test_what_a_listing_does_not_show_complete_may_still_arrive(shown: Listed) -> None:
    assert arrived(claimed(), shown, LL) is None


@pytest.mark.parametrize(
    "shown",
    [
        listed(on_ll()),
        listed(on_b2(status="MISSING"), on_ll()),
        listed(on_b2(), on_ll(size=999)),
    ],
    ids=["no source", "no whole source", "in part"],
)
def test_what_a_listing_shows_to_differ_from_its_source_is_read(shown: Listed) -> None:
    assert arrived(claimed(), shown, LL) == {}


def test_of_several_versions_the_newest_must_have_arrived() -> None:
    formats = [a_format(id="old", date_created="1"), a_format(id="new", date_created="2")]
    files = [on_b2(format_id="old"), on_ll(format_id="old"), on_b2(format_id="new")]
    assert arrived(claimed(), listed(*files, formats=formats), LL) is None
