"""The message that tells people how an operation ended. Pure: no I/O."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from b2_iconik.common.receivers import Kind, Message
from b2_iconik.common.texts import in_time
from b2_iconik.domain.operation import Operation, kind_and_id
from b2_iconik.domain.outcomes import UNSUCCESSFUL, bytes_in_words, capitalized, displayed, in_words
from b2_iconik.domain.reasons import Reason
from b2_iconik.report.advice import what_to_do
from b2_iconik.report.view import summary

MOST_CAUSES = 3
MOST_NAMED = 3
# In characters.
LONGEST_TITLE = 200
LONGEST_LINE = 300
UNTITLED = "untitled asset"
KINDS: Mapping[str, Kind] = {"failed": "failure", "stopped": "info"}


def message(
    operation: Operation,
    told: Mapping[str, Any],
    titles: Mapping[str, str],
    link: str | None,
) -> Message:
    """Return the message about an operation that has ended.

    Args:
        operation: the operation.
        told: its report, from ``outcomes.report``.
        titles: the titles of assets by id, as far as they are known.
        link: a link to its page; None if there is none.
    """
    shown = summary(operation, {}, 0)
    result = told["result"]
    title = f"{shown['title'][:LONGEST_TITLE]}: {result}"
    kind = KINDS.get(result, "warning" if result in UNSUCCESSFUL else "success")
    person = operation.retry_by or shown.get("user")
    took = in_time(shown["took_seconds"])
    lines = [f"Requested by {person}, took {took}." if person else f"Took {took}."]
    lines += [f"Stopped by {told['stopped_by']}." if result == "stopped" else ""]
    lines += [f"{in_words(told)}."]
    sizes = bytes_in_words(told["bytes"])
    lines += [f"{sizes}." if sizes else ""]
    if operation.failure:
        lines += [f"The operation failed: {operation.failure}"]
        lines += [f"What to do: {what_to_do('failed', operation.failure.cause)}"]
    lines += _problems(told, titles)
    lines = [line[:LONGEST_LINE] for line in lines if line]
    return Message(title, "\n".join([*lines, *([f"Report: {link}"] if link else [])]), kind)


def affected(told: Mapping[str, Any]) -> list[str]:
    """Return the ids of the assets that the message about a report names."""
    return [each for some in _by_cause(told["problems"]) for each in some.ids[:MOST_NAMED]]


class _Some(NamedTuple):
    """The problems with one cause: their kind, the first reason, and the distinct subjects."""

    kind: str
    reason: Reason
    ids: list[str]


def _by_cause(problems: Iterable[Mapping[str, Any]]) -> list[_Some]:
    found: dict[tuple[str, str], _Some] = {}
    for each in problems:
        reason = Reason.of(each["reason"])
        some = found.setdefault((each["kind"], reason.label), _Some(each["kind"], reason, []))
        if each["asset_id"] not in some.ids[-1:]:
            some.ids.append(each["asset_id"])
    return list(found.values())


def _problems(told: Mapping[str, Any], titles: Mapping[str, str]) -> Iterator[str]:
    """Yield the first causes, each with its assets, its first reason and what to do."""
    every = _by_cause(told["problems"])
    for kind, reason, ids in every[:MOST_CAUSES]:
        names = [_name(each, titles) for each in ids[:MOST_NAMED]]
        more = f" and {len(ids) - MOST_NAMED:,} more" if len(ids) > MOST_NAMED else ""
        yield f"{capitalized(displayed(kind))}: {', '.join(names)}{more}: {reason}"
        advice = what_to_do(kind, reason.cause)
        yield f"What to do: {advice}" if advice else ""
    if len(every) > MOST_CAUSES:
        yield f"{len(every) - MOST_CAUSES:,} more causes: see the report."


def _name(subject: str, titles: Mapping[str, str]) -> str:
    """Name an asset, or what could not be listed: 'collection <id>'."""
    kind, object_id = kind_and_id(subject)
    return titles.get(object_id) or (f"a {kind}" if kind else UNTITLED)
