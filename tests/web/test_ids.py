"""Ids in texts that people read."""

import pytest

from b2_iconik.web.ids import ids_apart

ID = "0b5c1d9e-3f7a-4c52-9d0e-6a1f2b3c4d5e"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", [("", "")]),
        ("no answer", [("no answer", "")]),
        (ID, [("", ""), ("id", ID), ("", "")]),
        (f"collection {ID}", [("", ""), ("collection", ID), ("", "")]),
        (f"file set {ID.upper()}: no", [("file ", ""), ("set", ID.upper()), (": no", "")]),
        (f"{ID} {ID}", [("", ""), ("id", ID), (" ", ""), ("id", ID), ("", "")]),
        (f"x{ID}", [("x", ""), ("id", ID), ("", "")]),
    ],
)
def test_ids_stand_apart_from_what_people_read(text: str, parts: list[tuple[str, str]]) -> None:
    assert list(ids_apart(text)) == parts
