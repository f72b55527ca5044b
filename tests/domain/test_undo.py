"""Until when a Remove can be undone, in words, and which formats share the files of a file set."""

import pytest

from b2_iconik.domain.outcomes import undo_in_words
from b2_iconik.domain.shared_paths import sharing
from iconik_http.records import File
from tests.makers import a_format, an_operation, on_b2, on_ll

# 29 November 2026, 14:05 UTC.
UNTIL = 1_795_961_100_000
PROXY = {"format_id": "format-proxy"}


@pytest.mark.parametrize(
    ("now_ms", "is_about", "words"),
    [
        (None, False, "can be undone until 29 Nov 14:05 UTC; the space is freed then"),
        (UNTIL - 1, True, "can be undone until about 29 Nov 14:05 UTC; the space is freed then"),
        (UNTIL, False, "could be undone until 29 Nov 14:05 UTC; the space is freed then"),
    ],
)
def test_it_is_told_until_when_a_remove_can_be_undone(
    now_ms: int | None, is_about: bool, words: str
) -> None:
    operation = an_operation(undo_until_ms=UNTIL, undo_is_about=is_about)
    assert undo_in_words(operation, now_ms) == words


def test_nothing_is_told_of_what_was_purged_at_once() -> None:
    assert undo_in_words(an_operation()) == ""


@pytest.mark.parametrize(
    ("others", "names"),
    [
        ([on_b2()], ()),
        ([on_b2(**PROXY)], ("PROXY",)),
        ([on_ll("CLIP.MOV", **PROXY)], ("PROXY",)),
        ([on_b2(**PROXY, directory_path="elsewhere")], ()),
        ([on_b2(format_id="of-no-listed-format")], ()),
    ],
)
def test_formats_with_a_file_of_the_same_path_share_it(
    others: list[File], names: tuple[str, ...]
) -> None:
    formats = [a_format(), a_format("PROXY")]
    mine = on_ll().file_set_id
    assert sharing(mine, "ORIGINAL", [on_ll(), *others], formats) == names
