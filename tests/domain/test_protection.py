"""Until when an asset can be protected, and why a protection is lifted."""

from datetime import date, datetime, timezone

import pytest

from b2_iconik.domain.protection import (
    LONGEST_REASON,
    allowed_days,
    last_day,
    parse_day,
    parse_reason,
)


def moment_ms(*when: int) -> int:
    """A moment in UTC, in milliseconds since 1970."""
    return int(datetime(*when, tzinfo=timezone.utc).timestamp() * 1000)  # type: ignore[arg-type,misc]


NOW = moment_ms(2026, 11, 28, 23, 59, 59)


def test_an_asset_is_protected_to_the_last_moment_of_a_day() -> None:
    assert parse_day("2027-03-31", NOW) == moment_ms(2027, 4, 1) - 1


@pytest.mark.parametrize("day", ["2026-11-29", "2028-02-29", "2036-11-28"])
def test_a_day_is_shown_as_it_was_entered(day: str) -> None:
    assert last_day(parse_day(day, NOW)) == day


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28", "2026-11-27", "1970-01-01", "2036-11-29", "9999-12-31", "soon", "", " ",
        "2027-02-29", "2027-3-1", "20270331", "2027-W13-3", "31.03.2027", "2027-03-31T12:00",
        "٢٠٢٧-٠٣-٣١", "2027-03-31\n", "0", "0000-00-00", "tomorrow", "10y",
    ],
)  # fmt: skip
def test_what_is_no_day_to_come_is_never_taken_for_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a date like 2026-11-29, from tomorrow"):
        parse_day(text, NOW)


def test_ten_years_from_a_leap_day_end_a_day_earlier() -> None:
    days = allowed_days(moment_ms(2028, 2, 29))
    assert days == (date(2028, 3, 1), date(2038, 2, 28))


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
