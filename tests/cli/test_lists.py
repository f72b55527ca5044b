"""Lists of operations: names first, ids last, and no line wider than the terminal."""

from typing import Any

import pytest

from b2_iconik.cli.lists import bars, columns, cut, held, listed

UMLAUT = "u\N{COMBINING DIAERESIS}"


def told(**more: Any) -> dict[str, Any]:
    """An operation as a list has it."""
    return {
        "operation_id": "1b9d0c1e-0000-4000-8000-000000000001",
        "title": "Remove from LucidLink: Summer campaign",
        "action": "remove",
        "result": "done",
        "recorded": "2026-11-28T16:30:59+00:00",
        "ended": "2026-11-28T16:31:00+00:00",
        "took_seconds": 1,
        "assets": 8,
        "assets_done": 4,
        "counts": {"assets": 8, "removed": 11, "kept": 2},
        "bytes": None,
        "bytes_done": None,
        "bytes_total": None,
        "bytes_per_second": None,
        "seconds_left": None,
        **more,
    }


def running(**more: Any) -> dict[str, Any]:
    """A running operation."""
    return told(result="running", ended=None, counts=None, **more)


@pytest.mark.usefixtures("in_new_york")
def test_an_operation_is_told_by_result_title_counts_local_time_and_short_id() -> None:
    assert listed([told()]) == (
        "done  Remove: Summer campaign  2 kept, 11 removed  28 Nov 11:30  1b9d0c1e"
    )


@pytest.mark.usefixtures("in_new_york")
def test_a_preview_is_told_like_other_operations() -> None:
    preview = told(
        title="Preview removal from LucidLink: 8 assets (Beach, Pier)",
        action="preview",
        counts={"assets": 8, "removable": 5, "uncopied": 1, "kept": 2},
        bytes={"removable": 2_000, "uncopied": 1_000},
    )
    assert listed([preview]) == (
        "done  Preview: Beach, Pier (8 assets)  2 kept, 5 removable, 1 to be copied first "
        "(2 KB would be freed, 1 KB would first be copied to B2)  28 Nov 11:30  1b9d0c1e"
    )


@pytest.mark.usefixtures("in_new_york")
def test_lines_have_columns() -> None:
    first, second = listed([told(), running(title="Remove from LucidLink: a")]).splitlines()
    for text in ("Remove: ", "28 Nov", "1b9d"):
        assert first.index(text) == second.index(text)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    wide = told(title=f"Remove from LucidLink: {'夏のキャンペーン' * 20}")
    many = told(counts={"assets": 9, **dict.fromkeys(("removed", "kept", "failed", "absent"), 9)})
    for line in listed([told(), wide, many], width).splitlines():
        assert columns(line) <= width


def test_80_columns_have_room_for_the_time_and_the_id() -> None:
    long = told(title=f"Remove from LucidLink: {'Summer ' * 20}", result="partly done")
    line = listed([long], 80)
    assert line.endswith("  1b9d0c1e")
    assert "  2 kept, 11 removed  " in line
    assert line.startswith("partly done  Remove: Summer")


def test_without_a_limit_nothing_is_cut() -> None:
    assert "Summer " * 50 in listed([told(title="Summer " * 50)])


def test_the_number_of_assets_is_told_where_nothing_else_is_known() -> None:
    assert "  8 assets  " in listed([told(counts=None)])


def test_a_list_of_nothing_says_so() -> None:
    assert listed([]) == "No operations."


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("8 assets (Beach, Pier and 6 more)", "Remove: Beach, Pier and 6 more (8 assets)"),
        ("1,200 assets (Day (2))", "Remove: Day (2) (1,200 assets)"),
        ("8 assets", "Remove: 8 assets"),
        ("1 collection and 2 assets (a)", "Remove: a (1 collection and 2 assets)"),
    ],
)
def test_a_title_begins_with_names(title: str, shown: str) -> None:
    assert f"  {shown}  " in listed([told(title=f"Remove from LucidLink: {title}")])


def test_a_title_says_for_how_long_an_add_keeps_its_assets() -> None:
    title = "Add to LucidLink for 14 days: 8 assets (Beach)"
    line = listed([told(title=title, action="add")])
    assert "  Add for 14 days: Beach (8 assets)  " in line


def test_problems_come_first_and_formats_that_assets_lack_last() -> None:
    counts = {"assets": 9, "copied": 4, "without": 3, "failed": 2, "undone": 1}
    assert "  2 failed, 1 not finished, 4 copied, 3 no such format  " in listed(
        [told(counts=counts)]
    )


def test_bytes_come_after_the_counts() -> None:
    line = listed([told(bytes={"removed": 3_000_000_000, "kept": 2_000_000})])
    assert "  2 kept, 11 removed (3 GB freed, 2 MB kept on LucidLink)  " in line


def test_where_there_is_little_room_problems_are_told_before_bytes() -> None:
    sizes = {"removed": 3_000_000_000, "kept": 2_000_000}
    long = told(title=f"Remove from LucidLink: {'Summer ' * 20}", bytes=sizes)
    assert "Summer Sum" in listed([long], 80)
    assert "  2 kept, 11 removed" in listed([long], 80)


# Bars


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_no_bar_is_wider_than_the_terminal(width: int) -> None:
    long = running(title="夏 " * 100)
    assert all(columns(each) <= width for each in bars([running(), long], width))


def test_bars_begin_and_end_in_the_same_columns() -> None:
    first, second = bars([running(), running(title="Remove from LucidLink: a")], 100)
    assert first.index("█") == second.index("█")
    assert first.endswith("░  4 of 8 assets, running, 1 s  1b9d0c1e")
    assert "█" * 12 + "░" * 12 in first


def test_a_long_title_leaves_room_for_a_bar() -> None:
    (line,) = bars([running(title="Summer " * 30)], 80)
    assert "█" * 6 + "░" * 6 in line
    assert line.endswith("1b9d0c1e")


def test_where_there_is_no_room_for_a_bar_there_is_none() -> None:
    (line,) = bars([running()], 60)
    assert "█" not in line
    assert line.endswith("4 of 8 assets, running, 1 s  1b9d0c1e")


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_long_pace_leaves_room_for_a_title_and_the_id(width: int) -> None:
    pace = {"bytes_done": 10**12, "bytes_total": 2 * 10**12, "bytes_per_second": 10**8}
    (line,) = bars([running(**pace, seconds_left=10_000)], width)
    assert line.startswith("Remove: Summer")
    assert line.endswith("1b9d0c1e")
    assert columns(line) <= width


def test_of_nothing_there_are_no_bars() -> None:
    assert bars([], 80) == []


# Width


@pytest.mark.parametrize(
    ("text", "width"), [("Tür", 3), (f"T{UMLAUT}r", 3), ("夏", 2), ("ｶﾞ", 2), ("", 0)]
)
def test_a_text_takes_as_many_columns_as_a_terminal_shows(text: str, width: int) -> None:
    assert columns(text) == width


@pytest.mark.parametrize(
    ("text", "width", "left"),
    [("Beach", 5, "Beach"), ("Beach", 4, "Bea…"), ("夏夏夏", 5, "夏夏…"), ("夏夏夏", 4, "夏…")],
)
def test_a_text_that_is_cut_says_so(text: str, width: int, left: str) -> None:
    assert cut(text, width) == left


# What is on LucidLink


def on_lucidlink(*assets: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What is on LucidLink, as a page has it."""
    total = {"assets": 9, "bytes": 0, "due_within_a_day": 0, "overdue": 0}
    given = {"total": total, "matching": len(assets), "matching_bytes": 2_000_000_000, **more}
    return {"assets": list(assets), **given}


def an_asset(title: str = "Beach", *formats: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An asset with its formats; with its ORIGINAL if none is given."""
    own = {"format": "ORIGINAL", "due": "due in 3 d", "user": "Ada"}
    rows = [{**own, **each} for each in formats or ({},)]
    told = {"asset_id": "5b1d1b9d-0000", "asset": title, "bytes": 2_000, "protected_until": None}
    return {**told, "formats": rows, **more}


def test_an_asset_is_told_by_title_formats_size_due_date_and_person() -> None:
    assert held(on_lucidlink(an_asset())).splitlines() == [
        "Beach  ORIGINAL  2 KB  due in 3 d  Ada",
        "1 asset, 2 GB",
    ]


def test_formats_of_an_asset_share_a_line() -> None:
    other = {"format": "PROXY", "due": "until removed by hand", "user": None}
    line, _ = held(on_lucidlink(an_asset("Beach", {}, other, {}, bytes=None))).splitlines()
    assert line == (
        "Beach  ORIGINAL, PROXY, ORIGINAL    due in 3 d; until removed by hand  Ada, unknown"
    )


def test_a_protected_asset_on_lucidlink_is_told_to_be_so() -> None:
    line, _ = held(on_lucidlink(an_asset(protected_until="2026-12-31"))).splitlines()
    assert "due in 3 d; protected until 2026-12-31  Ada" in line


def test_an_asset_without_a_title_on_lucidlink_is_untitled() -> None:
    asset = an_asset("5b1d1b9d-0000")
    assert held(on_lucidlink(asset)).startswith("untitled asset 5b1d1b9d  ORIGINAL")


def test_it_is_told_how_much_is_there_and_due() -> None:
    total = {"assets": 9_000, "bytes": 0, "due_within_a_day": 1_200, "overdue": 3}
    told = on_lucidlink(an_asset(), matching=9_000, total=total)
    assert held(told).splitlines()[-1] == (
        "1 of 9,000 assets, 2 GB, 1,200 due within a day, 3 overdue"
    )
    assert held(on_lucidlink(matching_bytes=0)) == "0 assets"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_line_about_an_asset_is_never_wider_than_the_terminal(width: int) -> None:
    user = {"user": "Maximiliane von Hohenstein", "due": "overdue for 9 d, removal tried 8 times"}
    asset = an_asset("interview with the mayor " * 4, user, {"format": "PPRO_PROXY"})
    line, _ = held(on_lucidlink(asset), width).splitlines()
    assert columns(line) <= width
    assert line.startswith("interview with the")
    assert "overdue for" in line
