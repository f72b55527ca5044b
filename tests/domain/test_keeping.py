"""Tests of how long assets are kept on LucidLink."""

from typing import Any

import pytest

from b2_iconik.domain.keeping import (
    LONGEST_MS,
    MOST_ATTEMPTS,
    UNITS_MS,
    in_words,
    parse_day,
    parse_days,
    parse_keep,
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


def test_a_day_counts_until_it_is_over_everywhere() -> None:
    noon_ms = 1_778_587_200_000  # of 12 May 2026, in UTC
    assert parse_day("2026-05-12", noon_ms) == noon_ms + DAY_MS
    assert parse_day(" 2026-05-11 ", noon_ms - 1) == noon_ms
    assert parse_day("2027-05-13", noon_ms) == noon_ms + 367 * DAY_MS


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-02-30", "2026-05-11", "2027-05-15", "9999-12-31", "0001-01-01", "14"]
)
def test_a_day_that_is_none_is_never_taken_for_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a day like 2026-05-12, from today"):
        parse_day(text, 1_778_587_200_000)


NOW = 100 * DAY_MS


@pytest.mark.parametrize(
    ("until_ms", "attempts", "state"),
    [
        (None, 0, "unlimited"),
        (NOW + 1, 0, "timed"),
        (NOW, 0, "due"),
        (NOW - 7 * DAY_MS, MOST_ATTEMPTS - 1, "due"),
        (NOW, MOST_ATTEMPTS, "overdue"),
        (NOW - 8 * DAY_MS, 0, "overdue"),
    ],
)
def test_a_holding_is_overdue_once_its_removal_is_no_longer_attempted(
    until_ms: int | None, attempts: int, state: str
) -> None:
    assert state_of(until_ms, attempts, NOW) == state


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
