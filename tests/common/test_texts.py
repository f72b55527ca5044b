"""What others wrote, escaped before it is shown."""

from typing import Any

import pytest

from b2_iconik.common.texts import plain, plain_values


@pytest.mark.parametrize("text", ["", "clip_01.mov", "Zoë, 浜辺 😀", r"C:\clip", '\'=1;"x"'])
def test_letters_marks_and_spaces_stay_as_they_are(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\0\x1b[2J\x7f", r"\x00\x1b[2J\x7f"),
        ("\x85\x9b\xad", r"\x85\x9b\xad"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\u202egpj.\u2066x\u200f\ufeff", r"\u202egpj.\u2066x\u200f\ufeff"),
        ("\ud800 and \udcff", r"\ud800 and \udcff"),
        ("\U000e0041", r"\U000e0041"),
    ],
    ids=ascii,
)
def test_what_a_terminal_obeys_or_nobody_can_encode_is_escaped(text: str, shown: str) -> None:
    assert plain(f"é{text}é") == f"é{shown}é"


def test_what_is_escaped_is_not_escaped_again() -> None:
    assert plain(plain("a\nb")) == r"a\nb"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\n", r"a\n"),
        (["a\n", 1, None, True], [r"a\n", 1, None, True]),
        ({"x\n": ("a\n", {"y": "\x1b"})}, {"x\n": [r"a\n", {"y": r"\x1b"}]}),
    ],
    ids=ascii,
)
def test_texts_within_json_are_escaped_and_names_are_not(value: Any, shown: Any) -> None:
    assert plain_values(value) == shown
