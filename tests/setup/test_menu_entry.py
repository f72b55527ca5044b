"""The entries of iconik's menu: their titles, and the options that create them."""

import pytest

from b2_iconik.setup.menu_entry import PREVIEW, USUAL, Entry


@pytest.mark.parametrize(
    ("entry", "title", "kept_for"),
    [
        (Entry("add"), "Add to LucidLink", ""),
        (Entry("add", keep="14d"), "Add to LucidLink for 14 days", "14 days"),
        (Entry("add", keep="1h"), "Add to LucidLink for 1 hour", "1 hour"),
        (Entry("add", keep_field="Days"), "Add to LucidLink for a while", "field 'Days'"),
        (PREVIEW, "Preview removal from LucidLink", ""),
    ],
)
def test_the_title_tells_how_long_assets_are_kept(entry: Entry, title: str, kept_for: str) -> None:
    assert (entry.title, entry.kept_for) == (title, kept_for)


def test_a_time_that_is_none_is_shown_as_it_is() -> None:
    entry = Entry("add", keep="soon")
    assert (entry.title, entry.kept_for) == ("Add to LucidLink for soon", "soon")


@pytest.mark.parametrize(
    ("entry", "option"),
    [
        (PREVIEW, "--preview"),
        (Entry("add", keep="14d"), "--keep 14d"),
        (Entry("add", keep_field="Days kept"), "--keep-field 'Days kept'"),
    ],
)
def test_an_optional_entry_has_an_option(entry: Entry, option: str) -> None:
    assert entry.option == option


def test_the_usual_entries_need_no_option() -> None:
    assert [entry.option for entry in USUAL] == ["", ""]
