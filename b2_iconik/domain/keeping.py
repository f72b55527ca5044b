"""How long assets are kept on LucidLink: what people enter, and how it is displayed. Pure."""

import re
from datetime import date, datetime, timezone
from typing import Any, Literal

from b2_iconik.common.clock import midnight_ms

SECOND_MS = 1_000
UNITS_MS = {"m": 60 * SECOND_MS, "h": 3_600 * SECOND_MS, "d": 86_400 * SECOND_MS}
UNITS_MS["w"] = 7 * UNITS_MS["d"]
# Weeks are displayed as days: what was entered as 14d is "14 days".
WORDS = {"d": "day", "h": "hour", "m": "minute"}
LONGEST_MS = 366 * UNITS_MS["d"]
# A removal that is due is attempted at once, and then daily for a week.
MOST_ATTEMPTS = 8
ATTEMPT_INTERVAL_MS = UNITS_MS["d"]
# A day is over in every time zone so much later than in UTC.
WESTERNMOST_MS = 12 * UNITS_MS["h"]
State = Literal["unlimited", "timed", "due", "overdue"]
_KEEP = re.compile(r"([0-9]{1,6})([mhdw])")
_DAYS = re.compile(r"([0-9]{1,6})( *days?)?")


def parse_keep(text: str) -> int:
    """Parse a duration such as '14d': minutes (m), hours (h), days (d) or weeks (w).

    Returns:
        The duration in milliseconds, from one minute to 366 days.

    Raises:
        ValueError: it is none; the message is the rest of a sentence about the text.
    """
    match = _KEEP.fullmatch(text)
    keep_ms = int(match[1]) * UNITS_MS[match[2]] if match else 0
    if not 0 < keep_ms <= LONGEST_MS:
        raise ValueError("must be a time like 12h, 14d or 2w, of at most 366 days")
    return keep_ms


def as_text(keep_ms: int) -> str:
    """Format a duration as ``parse_keep`` reads it. Equal durations give the same text: '14d'."""
    number, word = in_words(keep_ms).split()
    return number + word[0]


def parse_days(value: Any) -> int:
    """Parse the value of a metadata field: a number of days, as a number or as text.

    Returns:
        The duration in milliseconds, from 1 to 366 days.

    Raises:
        ValueError: it is none; the message is the rest of a sentence about the value.
    """
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    match = _DAYS.fullmatch(text.strip().lower())
    keep_ms = int(match[1]) * UNITS_MS["d"] if match else 0
    if not 0 < keep_ms <= LONGEST_MS:
        raise ValueError("must be a whole number of days, from 1 to 366")
    return keep_ms


def parse_day(text: str, now_ms: int) -> int:
    """Parse the last day to keep assets, such as '2026-05-12'.

    Args:
        text: the day.
        now_ms: the time, in milliseconds since 1970.

    Returns:
        When that day is over in every time zone, in milliseconds since 1970.

    Raises:
        ValueError: it is none, is over, or is too far away; the message is the rest of a sentence.
    """
    try:
        until_ms = midnight_ms(date.fromisoformat(text.strip())) + UNITS_MS["d"] + WESTERNMOST_MS
    except ValueError:
        until_ms = now_ms
    if not 0 < until_ms - now_ms <= LONGEST_MS + UNITS_MS["d"] + WESTERNMOST_MS:
        raise ValueError("must be a day like 2026-05-12, from today to 366 days ahead")
    return until_ms


def state_of(until_ms: int | None, attempts: int, now_ms: int) -> State:
    """Return how a holding stands.

    Args:
        until_ms: when it is to be removed; None if only people remove it.
        attempts: how often a removal was attempted since then.
        now_ms: the time. All times are in milliseconds since 1970.

    Returns:
        'unlimited', 'timed' before its time is up, 'due' from then on, and 'overdue' once no
        attempt follows, or should have followed.
    """
    if until_ms is None:
        return "unlimited"
    if until_ms > now_ms:
        return "timed"
    is_too_late = until_ms <= now_ms - MOST_ATTEMPTS * ATTEMPT_INTERVAL_MS
    return "overdue" if is_too_late or attempts >= MOST_ATTEMPTS else "due"


def in_words(keep_ms: int) -> str:
    """Format a duration in its largest whole unit: '14 days', '36 hours'."""
    unit = next((each for each in WORDS if keep_ms % UNITS_MS[each] == 0), "m")
    number = max(1, keep_ms // UNITS_MS[unit])
    return f"{number} {WORDS[unit]}{'' if number == 1 else 's'}"


def told_why(
    since_ms: int, keep_ms: int | None, until_ms: int, until_by: str | None, user: str
) -> str:
    """Say why an asset is due: 'kept for 14 days after 2026-11-28 12:00 UTC by Ann Baker'.

    Args:
        since_ms, until_ms: since when and until when it was to be kept, in milliseconds since 1970.
        keep_ms: for how long its user wanted it to be kept.
        until_by: who has changed that time; None if nobody has.
        user: who added it.
    """
    if until_by or keep_ms is None:
        return f"kept until {_minute(until_ms)} by {until_by or user}"
    return f"kept for {in_words(keep_ms)} after {_minute(since_ms)} by {user}"


def _minute(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc):%Y-%m-%d %H:%M} UTC"
