"""Ids in texts that people read."""

import pytest

from b2_iconik.web.markup import without_ids

ID = "0b5c1d9e-3f7a-4c52-9d0e-6a1f2b3c4d5e"


def shown(word: str, which: str = ID) -> str:
    return f'<abbr title="{which}">{word}</abbr>'


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("", ""),
        ("no <answer>", "no &lt;answer&gt;"),
        (ID, shown("id")),
        (f"collection {ID}", shown("collection")),
        (f"<file> set {ID.upper()}: no", f"&lt;file&gt; {shown('set', ID.upper())}: no"),
        (f"{ID} {ID}", f"{shown('id')} {shown('id')}"),
        (f"x{ID}", f"x{shown('id')}"),
    ],
)
def test_an_id_is_shown_as_the_word_that_says_what_it_identifies(text: str, markup: str) -> None:
    assert without_ids(text) == markup
