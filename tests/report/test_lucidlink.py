"""What is on LucidLink, as it is listed."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common.clock import midnight_ms
from b2_iconik.domain.keeping import MOST_ATTEMPTS
from b2_iconik.ledger.totals import DAY_MS
from b2_iconik.report import lucidlink
from b2_iconik.report.lucidlink import COLUMNS, Filters, OnLucidLink, key_of, keys_in, together
from tests.makers import LL, a_click, a_ledger, clicked, hold, protect

NOW = midnight_ms(date(2026, 5, 12))
ADA = "ada0ada0-1111-4aaa-8aaa-000000000001"
CLIP = "5b1d1b9d-0000-4000-8000-000000000001"


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the beginning of 12 May 2026."""
    monkeypatch.setattr(lucidlink, "now_ms", lambda: NOW)


@pytest.fixture
def there(engine: sa.Engine) -> OnLucidLink:
    return OnLucidLink(engine)


def listed(there: OnLucidLink, limit: int = 50, page: int = 1, **filters: Any) -> dict[str, Any]:
    return there.listed(Filters(**filters), limit, page)


def ids(there: OnLucidLink, **filters: Any) -> list[str]:
    return [each["asset_id"] for each in listed(there, **filters)["assets"]]


def test_where_nothing_is_the_list_is_empty(there: OnLucidLink) -> None:
    assert listed(there) == {
        "assets": [],
        "total": {"assets": 0, "bytes": 0, "due_within_a_day": 0, "overdue": 0},
        "matching": 0,
        "matching_bytes": 0,
        "page": 1,
    }


def test_an_asset_is_listed_with_its_formats(engine: sa.Engine, there: OnLucidLink) -> None:
    given = {"user_id": ADA, "user_name": "Ada Okafor", "size": 300, "since_ms": NOW - DAY_MS}
    hold(engine, "a1", "PROXY", **given, until_ms=NOW + 3 * DAY_MS, until_by="Ben", checked_ms=NOW)
    hold(engine, "a1", "ORIGINAL", **given, title=None)
    (asset,) = listed(there)["assets"]
    original, proxy = asset.pop("formats")
    assert asset == {
        "asset_id": "a1",
        "asset": "a1",
        "ll_storage": None,
        "ll_storage_id": LL,
        "protected_until": None,
        "protected_by": None,
        "bytes": 600,
    }
    assert proxy == {
        "format": "PROXY",
        "bytes": 300,
        "since": "2026-05-11T00:00:00+00:00",
        "user_id": ADA,
        "user": "Ada Okafor",
        "until": "2026-05-15T00:00:00+00:00",
        "until_by": "Ben",
        "state": "timed",
        "due": "due in 3 d",
        "attempts": 0,
        "next_attempt": None,
        "attempt_id": None,
        "checked": "2026-05-12T00:00:00+00:00",
        "operation_id": None,
    }
    assert (original["until"], original["state"], original["checked"]) == (None, "unlimited", None)


def test_a_size_that_is_unknown_is_not_zero(engine: sa.Engine, there: OnLucidLink) -> None:
    hold(engine, "a1", size=None)
    assert listed(there)["assets"][0]["bytes"] is None


@pytest.mark.parametrize(
    ("until_ms", "attempts", "due"),
    [
        (None, 0, "until removed by hand"),
        (NOW + 90_000, 0, "due in 1 min"),
        (NOW - 90_000, 0, "due now"),
        (NOW - DAY_MS, 1, "due now, removal tried 1 time"),
        (NOW - 8 * DAY_MS, MOST_ATTEMPTS, "overdue for 8 d, removal tried 8 times"),
        (NOW - 9 * DAY_MS, 0, "overdue for 9 d"),
    ],
)
def test_it_is_said_when_it_is_due(
    engine: sa.Engine, there: OnLucidLink, until_ms: int | None, attempts: int, due: str
) -> None:
    hold(engine, until_ms=until_ms, attempts=attempts)
    assert listed(there)["assets"][0]["formats"][0]["due"] == due


def test_a_protected_asset_says_until_when_and_by_whom(
    engine: sa.Engine, there: OnLucidLink
) -> None:
    hold(engine, "a1")
    protect(engine, "a1", NOW + 3 * DAY_MS // 2)
    (asset,) = listed(there)["assets"]
    assert (asset["protected_until"], asset["protected_by"]) == ("2026-05-12", "Ada")


def test_operations_are_named_while_they_are_stored(engine: sa.Engine, there: OnLucidLink) -> None:
    operation = clicked(engine, a_click())
    a_ledger(engine).note_names(operation.number, storages={"ll": "Edit"})
    hold(engine, "a1", operation_id=operation.id, attempt_id="forgotten")
    (asset,) = listed(there)["assets"]
    (row,) = asset["formats"]
    assert asset["ll_storage"] == "Edit"
    assert (row["operation_id"], row["attempt_id"]) == (operation.id, None)


@pytest.mark.parametrize(
    ("attempts", "told"), [(1, "2026-05-12T00:00:00+00:00"), (MOST_ATTEMPTS, None)]
)
def test_the_next_attempt_is_told_if_there_is_one(
    engine: sa.Engine, there: OnLucidLink, attempts: int, told: str | None
) -> None:
    hold(engine, until_ms=NOW - 1, attempts=attempts, next_attempt_ms=NOW)
    assert listed(there)["assets"][0]["formats"][0]["next_attempt"] == told


@pytest.mark.parametrize(
    ("keep_ms", "until_by", "state", "due"),
    [
        (14 * DAY_MS, None, "timed", "for 14 days, not begun yet"),
        (14 * DAY_MS, "Ada", "unlimited", "until removed by hand"),
        (None, None, "unlimited", "until removed by hand"),
    ],
)
def test_a_time_that_has_not_begun_is_no_date(
    engine: sa.Engine,
    there: OnLucidLink,
    keep_ms: int | None,
    until_by: str | None,
    state: str,
    due: str,
) -> None:
    hold(engine, since_ms=0, keep_ms=keep_ms, until_by=until_by)
    (row,) = listed(there)["assets"][0]["formats"]
    assert (row["since"], row["until"], row["state"], row["due"]) == (None, None, state, due)
    unlimited = there.listed(Filters(due="unlimited"), 50)
    assert unlimited["matching"] == (state == "unlimited")


def test_what_is_due_first_comes_first(engine: sa.Engine, there: OnLucidLink) -> None:
    hold(engine, "never", title="A")
    hold(engine, "later", until_ms=NOW + 2)
    hold(engine, "twice", "ORIGINAL", until_ms=NOW + 3)
    hold(engine, "twice", "PROXY", until_ms=NOW + 1)
    hold(engine, "first", "ORIGINAL", until_ms=NOW)
    assert ids(there) == ["first", "twice", "later", "never"]


def test_pages_have_assets_with_all_their_formats(engine: sa.Engine, there: OnLucidLink) -> None:
    for number in range(3):
        hold(engine, f"a{number}", "ORIGINAL", "PROXY", until_ms=NOW + number)
    first = listed(there, limit=2)
    assert (first["matching"], first["matching_bytes"], first["page"]) == (3, 6000, 1)
    assert [len(each["formats"]) for each in first["assets"]] == [2, 2]
    last = listed(there, limit=2, page=9)
    assert (last["page"], [each["asset_id"] for each in last["assets"]]) == (2, ["a2"])


def test_an_asset_on_two_storages_is_listed_for_each(engine: sa.Engine, there: OnLucidLink) -> None:
    hold(engine, "a1", until_ms=NOW)
    hold(engine, "a1", "PROXY", ll_storage_id="another")
    shown = listed(there)
    assert [each["ll_storage_id"] for each in shown["assets"]] == [LL, "another"]
    assert shown["matching"] == 2


@pytest.fixture
def several(engine: sa.Engine) -> None:
    """An asset for each due date."""
    hold(engine, "overdue", until_ms=NOW - 8 * DAY_MS)
    hold(engine, "over", until_ms=NOW - DAY_MS)
    hold(engine, "today", until_ms=NOW + DAY_MS)
    hold(engine, "week", until_ms=NOW + 7 * DAY_MS)
    hold(engine, "month", until_ms=NOW + 30 * DAY_MS)
    hold(engine, "never")


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"due": "overdue"}, ["overdue"]),
        ({"due": "day"}, ["over", "today"]),
        ({"due": "week"}, ["over", "today", "week"]),
        ({"due": "unlimited"}, ["never"]),
        ({"since": date(2026, 5, 13)}, ["today", "week", "month"]),
        ({"until": date(2026, 5, 13)}, ["overdue", "over", "today"]),
        ({"since": date(2026, 5, 19), "until": date(2026, 5, 19)}, ["week"]),
        ({"due": "week", "until": date(2026, 5, 11)}, ["over"]),
    ],
)
def test_the_list_is_filtered_by_due_date(
    there: OnLucidLink, filters: dict[str, Any], found: list[str]
) -> None:
    assert ids(there, **filters) == found
    assert listed(there, **filters)["matching"] == len(found)
    assert listed(there, **filters)["total"]["assets"] == 6


@pytest.mark.parametrize(
    ("filters", "is_found"),
    [
        ({"text": "BEACH"}, True),
        ({"text": "okafor"}, True),
        ({"text": "ben on"}, True),
        ({"text": CLIP[:9].upper()}, True),
        ({"text": f"https://iconik.test/asset/{CLIP.upper()}"}, True),
        ({"text": ADA}, False),
        ({"text": "%"}, False),
        ({"user": ADA.upper()}, True),
        ({"user": "ada"}, True),
        ({"user": "ben"}, False),
        ({"format_name": "ORIGINAL"}, True),
        ({"format_name": "original"}, False),
    ],
)
def test_the_list_is_filtered_by_name_person_and_format(
    engine: sa.Engine, there: OnLucidLink, filters: dict[str, str], is_found: bool
) -> None:
    hold(engine, CLIP, title="Beach", user_id=ADA, user_name="Ada Okafor", until_by="Ben on it")
    assert ids(there, **filters) == [CLIP] * is_found


def test_only_the_formats_that_match_are_listed(engine: sa.Engine, there: OnLucidLink) -> None:
    hold(engine, "a1", "ORIGINAL", "PROXY")
    (asset,) = listed(there, format_name="PROXY")["assets"]
    assert [each["format"] for each in asset["formats"]] == ["PROXY"]
    assert there.formats() == ["ORIGINAL", "PROXY"]


@pytest.mark.parametrize("at_once", [1, 2, 1000])
def test_all_rows_are_read_in_parts(
    engine: sa.Engine, there: OnLucidLink, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(lucidlink, "READ_AT_ONCE", at_once)
    for asset_id in ("a2", "a1"):
        hold(engine, asset_id, "PROXY", "ORIGINAL")
    rows = list(there.rows(Filters()))
    assert [(row["asset_id"], row["format"]) for row in rows] == [
        ("a1", "ORIGINAL"),
        ("a1", "PROXY"),
        ("a2", "ORIGINAL"),
        ("a2", "PROXY"),
    ]
    assert set(COLUMNS) <= set(rows[0])
    assert [row["asset_id"] for row in there.rows(Filters(text="A2"))] == ["a2", "a2"]


def test_formats_with_the_same_time_are_told_together() -> None:
    formats = [
        {"format": "ORIGINAL", "until": 1},
        {"format": "PROXY", "until": 2},
        {"format": "AUDIO", "until": 1},
    ]
    assert [names for names, _ in together(formats, ["until"])] == [
        ["ORIGINAL", "AUDIO"],
        ["PROXY"],
    ]
    assert together(formats[:1], ["until"]) == [([], formats[0])]


def test_a_form_names_exactly_what_was_listed(engine: sa.Engine, there: OnLucidLink) -> None:
    hold(engine, "a1", "ORIGINAL", 'a "b", c/d')
    (asset,) = listed(there)["assets"]
    assert set(keys_in(key_of(asset))) == {(LL, "a1", "ORIGINAL"), (LL, "a1", 'a "b", c/d')}


@pytest.mark.parametrize(
    "name",
    [
        "", "x", "1", "null", "[]",
        '"abc"', "[1, 2, 3]", '["ll", "a1"]', '["ll", "a1", "ORIGINAL"]',
        '["ll", "a1", [1]]', '["ll", "a1", {"a": 1}]', '["ll", "a\\u0000", ["b"]]',
        '["ll", "a1", ["\\ud800"]]', '{"a": 1, "b": 2, "c": 3}', "[" * 100_000,
    ],
)  # fmt: skip
def test_what_no_form_has_named_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^names no asset"):
        keys_in(name)
