"""How long assets are kept on LucidLink, and protected: what people enter, and in words. Pure."""

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any, Literal

from b2_iconik.common.clock import midnight_ms

SECOND_MS = 1_000
UNITS_MS = {"m": 60 * SECOND_MS, "h": 3_600 * SECOND_MS, "d": 86_400 * SECOND_MS}
UNITS_MS["w"] = 7 * UNITS_MS["d"]
# Weeks are displayed as days: what was entered as 14d is "14 days".
WORDS = {"d": "day", "h": "hour", "m": "minute"}
# In days: how long people may have an asset kept on LucidLink, and protected (ten years).
LONGEST = 366
LONGEST_PROTECTION = 3_653
LONGEST_MS = LONGEST * UNITS_MS["d"]
# In characters. A log line and a form show the reason in full.
LONGEST_REASON = 300
# A removal that is due is attempted at once, and then daily for a week. What is still there more
# than a week after its time is overdue.
MOST_ATTEMPTS = 8
ATTEMPT_INTERVAL_MS = UNITS_MS["d"]
OVERDUE_AFTER_MS = UNITS_MS["w"]
# A day is over in every time zone so much later than in UTC.
WESTERNMOST_MS = 12 * UNITS_MS["h"]
State = Literal["unlimited", "timed", "due", "overdue"]
_KEEP = re.compile(r"([0-9]{1,6})([mhdw])")
_DAYS = re.compile(r"([0-9]{1,6})( *days?)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


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


def allowed_days(now_ms: int, longest: int) -> tuple[date, date]:
    """Return the first and the last day that ``parse_day`` accepts."""
    return _day_of(now_ms - WESTERNMOST_MS), _day_of(now_ms) + timedelta(days=longest)


def parse_day(text: str, now_ms: int, longest: int = LONGEST) -> int:
    """Parse the last day to keep or protect assets, such as '2026-05-12'.

    Args:
        now_ms: the time, in milliseconds since 1970.
        longest: how many days it may be ahead.

    Returns:
        When that day is over in every time zone, in milliseconds since 1970.

    Raises:
        ValueError: it is none, is over, or is too far away; the message is the rest of a sentence.
    """
    first, last = allowed_days(now_ms, longest)
    text = text.strip()
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not first <= day <= last:
        raise ValueError(f"must be a day from {first} to {last}")
    return midnight_ms(day) + UNITS_MS["d"] + WESTERNMOST_MS


def last_day(until_ms: int) -> str:
    """Return the day that ``parse_day`` has parsed: '2026-05-12'."""
    return _day_of(until_ms - UNITS_MS["d"] - WESTERNMOST_MS).isoformat()


def parse_reason(text: str) -> str:
    """Parse why somebody lifts a protection.

    Raises:
        ValueError: it is empty or too long; the message is the rest of a sentence about it.
    """
    reason = " ".join(text.split())
    if not 0 < len(reason) <= LONGEST_REASON:
        raise ValueError(f"must say why, in at most {LONGEST_REASON} characters")
    return reason


def state_of(until_ms: int | None, now_ms: int) -> State:
    """Return how a holding stands.

    Args:
        until_ms: when it is to be removed; None if only people remove it.
        now_ms: the time. Both are in milliseconds since 1970.

    Returns:
        'unlimited', 'timed' before its time is up, 'due' from then on, and 'overdue' more than a
        week later.
    """
    if until_ms is None:
        return "unlimited"
    if until_ms > now_ms:
        return "timed"
    return "overdue" if until_ms < now_ms - OVERDUE_AFTER_MS else "due"


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


def _day_of(moment_ms: int) -> date:
    return datetime.fromtimestamp(moment_ms // 1000, tz=timezone.utc).date()


def _minute(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc):%Y-%m-%d %H:%M} UTC"
