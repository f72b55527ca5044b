"""Until when a Remove can be undone, in words. Pure: no I/O."""

from datetime import datetime, timezone

from b2_iconik.domain.operation import Operation


def undo_in_words(operation: Operation, now_ms: int | None = None) -> str:
    """Return until when something that an operation has marked deleted can be restored.

    Args:
        operation: the operation.
        now_ms: when this is read, in milliseconds since 1970; None if that may be at any time.

    Returns:
        'can be undone until 29 Nov 14:05 UTC; the space is freed then', or 'could be undone until
        …' if that time is over. "" for an operation that has marked nothing.
    """
    if operation.undo_until_ms is None:
        return ""
    until = datetime.fromtimestamp(operation.undo_until_ms / 1000, tz=timezone.utc)
    about = "about " if operation.undo_is_about else ""
    can = "can" if now_ms is None or now_ms < operation.undo_until_ms else "could"
    return f"{can} be undone until {about}{until:%d %b %H:%M} UTC; the space is freed then"
