"""Tests of how long assets are kept on LucidLink, and protected."""

from datetime import date
from typing import Any

import pytest

from b2_iconik.domain.keeping import (
    LONGEST_MS,
    LONGEST_PROTECTION,
    LONGEST_REASON,
    UNITS_MS,
    allowed_days,
    in_words,
    last_day,
    parse_day,
    parse_days,
    parse_keep,
    parse_reason,
    state_of,
    told_why,
)

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("text", "keep_ms"),
    [
        ("1m", 60_000),
        ("12h", DAY_MS // 2),
        ("14d", 14 * DAY_MS),
        ("2w", 14 * DAY_MS),
        ("366d", LONGEST_MS),
    ],
)
def test_a_time_has_a_number_and_a_unit(text: str, keep_ms: int) -> None:
    assert parse_keep(text) == keep_ms


@pytest.mark.parametrize(
    "text", ["", "0d", "d", "14", "-1d", "1.5d", "367d", "10y", "soon", "14 d", "1d1h", "9999999d"]
)
def test_a_time_that_is_none_is_never_taken_for_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a time like 12h, 14d or 2w"):
        parse_keep(text)


@pytest.mark.parametrize("value", [14, 14.0, "14", " 14 ", "14 days", "14 Days"])
def test_a_field_holds_days(value: Any) -> None:
    assert parse_days(value) == 14 * DAY_MS


def test_a_field_may_hold_one_day() -> None:
    assert parse_days("1 day") == DAY_MS


@pytest.mark.parametrize(
    "value", ["", "0", 0, "367", "soon", "1.5", 1.5, True, None, -1, "14d 3h", "7, 14", {}, "٣"]
)
def test_a_field_without_days_is_never_taken_for_no_limit(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^must be a whole number of days"):
        parse_days(value)


@pytest.mark.parametrize(
    ("keep_ms", "words"),
    [
        (14 * DAY_MS, "14 days"),
        (10 * DAY_MS, "10 days"),
        (DAY_MS, "1 day"),
        (36 * UNITS_MS["h"], "36 hours"),
        (90_000, "1 minute"),
    ],
)
def test_a_duration_is_told_in_its_largest_whole_unit(keep_ms: int, words: str) -> None:
    assert in_words(keep_ms) == words


# Noon of 12 May 2026, in UTC.
NOON = 1_778_587_200_000


def test_a_day_counts_until_it_is_over_everywhere() -> None:
    assert parse_day("2026-05-12", NOON) == NOON + DAY_MS
    assert parse_day(" 2026-05-11 ", NOON - 1) == NOON
    assert parse_day("2027-05-13", NOON) == NOON + 367 * DAY_MS


@pytest.mark.parametrize("day", ["2026-05-12", "2028-02-29", "2036-05-12"])
def test_a_day_is_shown_as_it_was_entered(day: str) -> None:
    assert last_day(parse_day(day, NOON, LONGEST_PROTECTION)) == day


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-11", "2027-05-14", "1970-01-01", "9999-12-31", "0001-01-01", "0000-00-00",
        "2026-13-01", "2027-02-29", "2026-6-1", "20260601", "2026-W23-1", "01.06.2026",
        "2026-06-01T12:00", "٢٠٢٦-٠٦-02", "soon", "tomorrow", "", " ", "0", "14", "10y",
    ],
)  # fmt: skip
def test_a_day_that_is_none_is_never_taken_for_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a day from 2026-05-12 to 2027-05-13$"):
        parse_day(text, NOON)


def test_an_asset_may_be_protected_for_ten_years() -> None:
    days = allowed_days(NOON, LONGEST_PROTECTION)
    assert days == (date(2026, 5, 12), date(2036, 5, 12))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("  the cut is\nlocked ", "the cut is locked"), ("x" * LONGEST_REASON, "x" * LONGEST_REASON)],
)
def test_a_reason_is_a_line_of_text(text: str, reason: str) -> None:
    assert parse_reason(text) == reason


@pytest.mark.parametrize("text", ["", " \n", "x" * (LONGEST_REASON + 1)])
def test_no_reason_or_too_long_a_one_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must say why, in at most 300 characters$"):
        parse_reason(text)


NOW = 100 * DAY_MS


@pytest.mark.parametrize(
    ("until_ms", "state"),
    [
        (None, "unlimited"),
        (NOW + 1, "timed"),
        (NOW, "due"),
        (NOW - 7 * DAY_MS, "due"),
        (NOW - 7 * DAY_MS - 1, "overdue"),
    ],
)
def test_what_is_there_more_than_a_week_after_its_time_is_overdue(
    until_ms: int | None, state: str
) -> None:
    assert state_of(until_ms, NOW) == state


@pytest.mark.parametrize(
    ("keep_ms", "until_by", "words"),
    [
        (10 * DAY_MS, None, "kept for 10 days after 2026-11-28 12:00 UTC by Ann Baker"),
        (10 * DAY_MS, "Ben", "kept until 2026-12-08 12:00 UTC by Ben"),
        (None, None, "kept until 2026-12-08 12:00 UTC by Ann Baker"),
    ],
)
def test_it_is_told_why_something_is_due(
    keep_ms: int | None, until_by: str | None, words: str
) -> None:
    since_ms = 1_795_867_200_000
    until_ms = since_ms + 10 * DAY_MS
    assert told_why(since_ms, keep_ms, until_ms, until_by, "Ann Baker") == words
