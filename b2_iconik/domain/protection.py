"""The protection of an asset: what people enter, and how it is displayed. Pure."""

import re
from datetime import date, datetime, timedelta, timezone

LONGEST_YEARS = 10
# In characters. A log line and a form show the reason in full.
LONGEST_REASON = 300
DAY_MS = 86_400_000
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def allowed_days(now_ms: int) -> tuple[date, date]:
    """Return the first and the last day until which an asset can be protected now, in UTC."""
    today = _day_of(now_ms)
    end = today.year + LONGEST_YEARS
    try:
        return today + timedelta(days=1), today.replace(year=end)
    except ValueError:
        # Today is 29 February.
        return today + timedelta(days=1), date(end, 2, 28)


def parse_day(text: str, now_ms: int) -> int:
    """Parse the last day of a protection, such as '2027-03-31'.

    Args:
        text: what somebody has entered.
        now_ms: the time, in milliseconds since 1970.

    Returns:
        The last millisecond of that day in UTC, in milliseconds since 1970.

    Raises:
        ValueError: it is no such day; the message is the rest of a sentence about it.
    """
    first, last = allowed_days(now_ms)
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not first <= day <= last:
        raise ValueError(f"must be a date like {first}, from tomorrow (in UTC) to {last}")
    begin = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
    return int(begin.timestamp()) * 1000 + DAY_MS - 1


def last_day(until_ms: int) -> str:
    """Return the last day of a protection, in UTC: '2027-03-31'."""
    return _day_of(until_ms).isoformat()


def parse_reason(text: str) -> str:
    """Parse why somebody lifts a protection.

    Raises:
        ValueError: it is empty or too long; the message is the rest of a sentence about it.
    """
    reason = " ".join(text.split())
    if not 0 < len(reason) <= LONGEST_REASON:
        raise ValueError(f"must say why, in at most {LONGEST_REASON} characters")
    return reason


def _day_of(moment_ms: int) -> date:
    return datetime.fromtimestamp(moment_ms // 1000, tz=timezone.utc).date()
