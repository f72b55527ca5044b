"""The message that tells people how an operation ended. Pure: no I/O."""

from collections.abc import Mapping
from typing import Any

from b2_iconik.common.receivers import Kind, Message
from b2_iconik.common.texts import in_time
from b2_iconik.domain.advice import what_to_do
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import UNSUCCESSFUL, bytes_in_words, capitalized, in_words
from b2_iconik.domain.problems import in_lines
from b2_iconik.report.view import person, summary

# In characters.
LONGEST_TITLE = 200
LONGEST_LINE = 300
NO_LONGER_SAFE = (
    "The removal is undone because the files are no longer proven safe in B2: somebody may have "
    "edited them on LucidLink. The service's log has the reason for each asset."
)
KINDS: Mapping[str, Kind] = {"failed": "failure", "stopped": "info"}


def message(
    operation: Operation,
    told: Mapping[str, Any],
    titles: Mapping[str, str],
    link: str | None,
) -> Message:
    """Return the message about an operation that has ended.

    Args:
        told: its report, from ``outcomes.report``.
        titles: the titles of assets by id, as far as they are known.
        link: a link to its page; None if there is none.
    """
    shown = summary(operation, {}, 0)
    result = told["result"]
    title = f"{shown['title'][:LONGEST_TITLE]}: {result}"
    kind = KINDS.get(result, "warning" if result in UNSUCCESSFUL else "success")
    requested_by = person(shown)
    took = in_time(shown["took_seconds"])
    lines = [f"Requested by {requested_by}, took {took}." if requested_by else f"Took {took}."]
    lines += [f"Stopped by {told['stopped_by']}." if result == "stopped" else ""]
    lines += [NO_LONGER_SAFE if operation.origin and operation.origin.is_unexpected else ""]
    lines += [f"{in_words(told)}."]
    sizes = bytes_in_words(told)
    lines += [f"{sizes}." if sizes else ""]
    lines += [f"{capitalized(told['undo'])}." if told["undo"] else ""]
    if operation.failure:
        lines += [f"The operation failed: {operation.failure}"]
        lines += [f"What to do: {what_to_do('failed', operation.failure.cause)}"]
    lines += in_lines(operation, told["problems"], titles)
    lines = [line[:LONGEST_LINE] for line in lines if line]
    return Message(title, "\n".join([*lines, *([f"Report: {link}"] if link else [])]), kind)
