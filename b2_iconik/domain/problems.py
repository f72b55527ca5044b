"""What an operation did not do, in a few lines for people. Pure: no I/O."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from b2_iconik.domain.advice import what_to_do
from b2_iconik.domain.operation import Operation, kind_and_id
from b2_iconik.domain.outcomes import capitalized, displayed, many
from b2_iconik.domain.reasons import Reason

MOST_CAUSES = 3
MOST_NAMED = 3
UNTITLED = "untitled asset"


class Group(NamedTuple):
    """The problems with one cause: their kind, the first reason, and the distinct subjects."""

    kind: str
    reason: Reason
    ids: list[str]


def affected(problems: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of the assets that ``in_lines`` names."""
    return [each for group in _by_cause(problems) for each in group.ids[:MOST_NAMED]]


def in_lines(
    operation: Operation, problems: Iterable[Mapping[str, Any]], titles: Mapping[str, str]
) -> Iterator[str]:
    """Yield the first causes, each with its assets and its first reason, and what to do.

    Args:
        problems: those of its report, from ``outcomes.report``.
        titles: the titles of assets by id, as far as they are known.
    """
    names = {each["id"]: each["name"] for each in (operation.names or {}).get("subjects", ())}
    known = {**names, **titles}
    every = _by_cause(problems)
    for kind, reason, ids in every[:MOST_CAUSES]:
        some = list(dict.fromkeys(_name(each, known) for each in ids[:MOST_NAMED]))
        more = f" and {len(ids) - len(some):,} more" if len(ids) > len(some) else ""
        such_as = "for example, " if len(ids) > 1 else ""
        yield f"{capitalized(displayed(kind))}: {', '.join(some)}{more}: {such_as}{reason}"
        yield f"What to do: {what_to_do(kind, reason.cause)}"
    if len(every) > MOST_CAUSES:
        yield f"{many(len(every) - MOST_CAUSES, 'more cause')}: see the report."


def _by_cause(problems: Iterable[Mapping[str, Any]]) -> list[Group]:
    found: dict[tuple[str, str], Group] = {}
    for each in problems:
        reason = Reason.of(each["reason"])
        group = found.setdefault((each["kind"], reason.label), Group(each["kind"], reason, []))
        if each["asset_id"] not in group.ids[-1:]:
            group.ids.append(each["asset_id"])
    return list(found.values())


def _name(subject: str, names: Mapping[str, str]) -> str:
    """Name an asset, or what could not be listed: 'collection <id>'."""
    kind, object_id = kind_and_id(subject)
    return names.get(object_id) or (f"a {kind}" if kind else UNTITLED)
