"""Format times, and escape text from outside, for display. Pure: no I/O."""

from typing import Any


def plain(text: str) -> str:
    """Escape the unprintable characters of a text as in a Python string literal.

    A terminal executes control characters, a line break can forge a log line, a directional mark
    changes how a name reads, and a lone surrogate can't be encoded. Use this for display only: text
    that is compared, or sent to iconik, must stay exact.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def plain_values(value: Any) -> Any:
    """Escape every text in a JSON value, except the names of object members; see ``plain``."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {name: plain_values(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(each) for each in value]
    return value


def in_time(seconds: int) -> str:
    """Format a number of seconds: '45 s', '3 min 5 s', '2 h 10 min', '3 d 4 h'."""
    for unit, size, smaller, small in (("d", 86400, "h", 3600), ("h", 3600, "min", 60)):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    if seconds >= 60:
        return f"{seconds // 60} min" + (f" {seconds % 60} s" if seconds % 60 else "")
    return f"{seconds} s"


def age(milliseconds: int) -> str:
    """Format an age, in whole minutes from the first minute on: '59 s', '12 min', '2 h 10 min'."""
    seconds = milliseconds // 1000
    return in_time(seconds if seconds < 60 else seconds // 60 * 60)
