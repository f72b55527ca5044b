"""What others wrote, escaped before it is shown, and times as people tell them."""

from typing import Any

import pytest

from b2_iconik.common.texts import age, in_time, plain, plain_values


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


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"), (59, "59 s"), (60, "1 min"), (185, "3 min 5 s"), (3600, "1 h"),
        (7800, "2 h 10 min"), (86400, "1 d"), (273600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_time_is_told_as_people_do(seconds: int, words: str) -> None:
    assert in_time(seconds) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(0, "0 s"), (59_999, "59 s"), (119_999, "1 min"), (7_859_000, "2 h 10 min")],
)
def test_an_age_is_told_in_minutes(milliseconds: int, words: str) -> None:
    assert age(milliseconds) == words
