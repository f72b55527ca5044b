"""Text from outside, escaped for display in logs, pages, CSV files and terminals. Pure."""

from typing import Any


def plain(text: str) -> str:
    """Escape the characters of a text that aren't printable, as Python writes them in a literal.

    A terminal obeys control characters, a line break forges a line of a log, a directional mark
    changes how a name reads, and a lone surrogate can't be encoded. For display only: what is
    compared, or sent to iconik, must stay exact.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def plain_values(value: Any) -> Any:
    """Escape every text in a JSON value, but not the names of object members; see ``plain``."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {name: plain_values(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain_values(each) for each in value]
    return value
