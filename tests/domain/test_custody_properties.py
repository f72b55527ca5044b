"""What holds of every judgement, whatever iconik lists."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from b2_iconik.domain.custody import Safe, Unproven, judge
from iconik_http.records import File
from tests.makers import B2, LL, ORIGINAL, a_file

# The last two are one name, in NFC and in NFD.
NAMES = st.sampled_from(["a", "b", "\u00e9", "e\u0301"])
DIRECTORIES = st.sampled_from(["", "x", "y", "x/y", "y/x", "x/x", "card", "card/card"])
SEPARATORS = st.sampled_from(["/", "/", "\\"])
CAMERA_CARD = st.lists(st.tuples(DIRECTORIES, NAMES), min_size=1, max_size=6, unique=True)


WORSE: list[dict[str, Any]] = [
    {"status": "OPEN"},
    {"status": "MISSING"},
    {"status": "DELETED"},
    {"status": ""},
    {"size": 999},
    {"size": None},
    {"size": 0},
    {"type": "SYMLINK"},
    {"original_name": "other", "name": "other"},
    {"directory_path": "else/where"},
    {"storage_id": "storage-other"},
    {"format_id": "format-proxy"},
    {"file_set_id": "second"},
]
CHANGES = [
    *WORSE,
    *({"checksum": checksum} for checksum in (None, "a" * 32, "b" * 32, "md5:" + "b" * 32)),
    *({"file_set_status": status} for status in ("DELETED", "ARCHIVED", None)),
    *({"file_set_id": file_set_id} for file_set_id in ("", f"set-{LL}-{ORIGINAL}")),
    *({"storage_id": storage_id} for storage_id in ("", LL, B2)),
    *({"directory_path": path} for path in ("edit/card", "masters/card/x", "masters")),
    {"name": "stored"},
    {"directory_path": "edit\\card\\x\\y"},
    {"size": 2},
    {"size": -1},
    {"format_id": ""},
    {"type": "DIRECTORY"},
    {"type": "SEQUENCE"},
    {"original_name": ""},
]


@st.composite
def proven(draw: st.DrawFn, more: Sequence[str] = ("extra", "more")) -> list[File]:
    """A card on LucidLink whose every file has a twin on B2, where there may be more."""
    places = draw(CAMERA_CARD)
    checksum = draw(st.sampled_from([None, "a" * 32]))
    more_on_b2 = sorted(draw(st.sets(st.sampled_from(more)))) if more else []
    # Empty ones only beside others; all files of one name have one size.
    sizes = {name: draw(st.sampled_from([1000, 0])) for name in ("a", "b")}
    if {sizes.get(name) for _, name in places} == {0}:
        sizes.clear()

    def card(storage_id: str, top: str, named: Sequence[tuple[str, str]]) -> list[File]:
        return [
            a_file(
                storage_id,
                name,
                id=f"{storage_id}{number}",
                directory_path=draw(SEPARATORS).join(f"{top}/card/{directory}".split("/")),
                checksum=checksum,
                size=sizes.get(name, 1000),
                status=draw(st.sampled_from(["CLOSED", "MISSING"]))
                if storage_id == LL
                else "CLOSED",
            )
            for number, (directory, name) in enumerate(named)
        ]

    here = card(LL, "edit", places)
    return [*here, *card(B2, "masters", [*places, *(("", name) for name in more_on_b2)])]


@st.composite
def anything(draw: st.DrawFn) -> list[File]:
    """A card and its master, as iconik might list them on a bad day."""
    files = draw(proven())
    for _ in range(draw(st.integers(0, 3))):
        number = draw(st.integers(0, len(files) - 1))
        changed = replace(files[number], **draw(st.sampled_from(CHANGES)))
        if draw(st.booleans()):
            files[number] = changed
        else:
            files.append(replace(changed, id=f"more{len(files)}"))
    return files


def has_twins(files: Sequence[File], safe: Safe) -> bool:
    """Whether each file can be given a twin that no other file has: found by trying everything."""
    here = [file for file in files if file.file_set_id == safe.file_set_id and file.type == "FILE"]
    there = [file for file in files if file.file_set_id == safe.twin_id and file.type == "FILE"]

    def path(file: File) -> PurePosixPath:
        written = PurePosixPath(file.directory_path.replace("\\", "/"), file.original_name)
        return PurePosixPath(unicodedata.normalize("NFC", str(written)))

    def digest(file: File) -> str | None:
        return file.checksum and file.checksum.removeprefix("md5:")

    def fits(file: File, twin: File) -> bool:
        return (
            file.storage_id == LL
            and twin.storage_id == B2
            and file.format_id == twin.format_id == ORIGINAL
            and file.status in ("CLOSED", "MISSING")
            and twin.status == "CLOSED"
            and twin.file_set_status == "ACTIVE"
            and file.size == twin.size
            and (file.size or 0) >= 0
            and path(file).name == path(twin).name
            and "" not in (file.original_name, twin.original_name)
            and digest(file) in (None, digest(twin) or digest(file))
        )

    def assign(moved: Mapping[str, PurePosixPath], left: Sequence[File], free: list[File]) -> bool:
        return not left or any(
            fits(left[0], twin)
            and path(twin) == moved[left[0].id]
            and assign(moved, left[1:], [each for each in free if each is not twin])
            for twin in free
        )

    tops = [each for each in path(here[0]).parents if all(each in path(f).parents for f in here)]
    bases = {base for twin in there for base in path(twin).parents}
    moves = (
        {f.id: base / path(f).relative_to(top) for f in here} for top in tops for base in bases
    )
    return (
        safe.file_set_id != safe.twin_id != ""
        and any((file.size or 0) > 0 for file in here)
        and any(assign(moved, here, there) for moved in moves)
    )


@settings(max_examples=300, deadline=None)
@given(files=anything())
def test_whatever_is_judged_safe_is_all_of_its_file_set_and_has_a_twin_for_every_file(
    files: list[File],
) -> None:
    for each in judge(ORIGINAL, files, LL, B2):
        if isinstance(each, Safe):
            own = [file for file in files if file.file_set_id == each.file_set_id]
            assert {(file.storage_id, file.format_id) for file in own} == {(LL, ORIGINAL)}
            assert {file.type for file in own} <= {"FILE", "DIRECTORY"}
            assert has_twins(files, each)


@settings(max_examples=60, deadline=None)
@given(files=anything(), data=st.data())
def test_the_order_of_records_never_matters(files: list[File], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(files))

    def judged(order: Sequence[File]) -> set[tuple[str, bool, str]]:
        return {
            (each.file_set_id, isinstance(each, Safe), getattr(each, "reason", ""))
            for each in judge(ORIGINAL, order, LL, B2)
        }

    assert judged(shuffled) == judged(files)


@settings(max_examples=60, deadline=None)
@given(files=proven())
def test_a_whole_card_is_proven(files: list[File]) -> None:
    assert [type(each) for each in judge(ORIGINAL, files, LL, B2)] == [Safe]


@settings(max_examples=60, deadline=None)
@given(
    files=proven(more=()),
    top=st.sampled_from(["", "deep/er", "edit/card", "old/card", "card/card", "other", "x"]),
)
def test_moving_the_whole_master_never_matters(files: list[File], top: str) -> None:
    moved = [
        replace(file, directory_path=re.sub(r"masters[/\\]card", top, file.directory_path))
        for file in files
    ]
    assert [type(each) for each in judge(ORIGINAL, moved, LL, B2)] == [Safe]


@settings(max_examples=120, deadline=None)
@given(files=proven(), worse=st.sampled_from(WORSE), data=st.data())
def test_a_change_of_any_fact_of_any_twin_keeps_the_card(
    files: list[File], worse: dict[str, Any], data: st.DataObject
) -> None:
    here = [file for file in files if file.storage_id == LL]
    changed = data.draw(st.sampled_from(files[len(here) : 2 * len(here)]))
    mutated = [replace(file, **worse) if file is changed else file for file in files]
    assume(mutated != files)
    # A card of one file may lie anywhere, and in any file set.
    assume(len(here) > 1 or not {"directory_path", "file_set_id"} & worse.keys())
    assert [type(each) for each in judge(ORIGINAL, mutated, LL, B2)] == [Unproven]


@settings(max_examples=60, deadline=None)
@given(files=proven(), data=st.data())
def test_a_checksum_that_differs_keeps_the_card(files: list[File], data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["", "md5:"]))
    summed = [replace(file, checksum=f"{kind}{'a' * 32}") for file in files]
    here = [file for file in files if file.storage_id == LL]
    changed = data.draw(st.integers(0, 2 * len(here) - 1))
    summed[changed] = replace(summed[changed], checksum=f"{kind}{'b' * 32}")
    assert [type(each) for each in judge(ORIGINAL, summed, LL, B2)] == [Unproven]
