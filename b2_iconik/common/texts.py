"""Escape text from outside for display in logs, pages, CSV files and terminals. Pure: no I/O."""

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
