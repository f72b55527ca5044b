"""What the operations page, its JSON and the command line show of operations. Pure: no I/O."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from b2_iconik.common.texts import in_time
from b2_iconik.domain.advice import what_to_do
from b2_iconik.domain.click import TITLES
from b2_iconik.domain.operation import Operation, default_title
from b2_iconik.domain.outcomes import (
    COUNTED,
    bytes_in_words,
    in_words,
    many,
    proofs_in_words,
    told_time,
    undo_in_words,
    undo_until,
)
from b2_iconik.domain.sizes import in_units
from b2_iconik.report.outcome_rows import so_far
from b2_iconik.report.reported import Total

# The end of a title in iconik's jobs list: '8 assets (Beach, Pier)'.
COUNTED_NAMES = re.compile(r"(\d[^()]*) \((.+)\)")
# What a link to an operation shows of it.
BRIEF = ("operation_id", "title", "action", "origin", "result", "recorded")
# What is shown instead to people who may see nothing of other operations; see ``alone`` of rows.
ALONE: Mapping[str, Any] = {"retry_of": None, "retried": None, "retried_as": []}
# From then on, the pace of an operation says how long the rest takes.
SETTLED_SECONDS = 10
# How many unfinished assets are named.
UNFINISHED_SHOWN = 3


@dataclass(frozen=True)
class Moment:
    """What is known about an operation at one moment, besides the operation itself.

    Attributes:
        now_ms: the time, in milliseconds since 1970.
        clock_ms: the time by the clock of operations.
        progress: the number of assets in each state.
        totals: the outcomes that are known, if the operation has no report yet.
        bytes_done: the bytes of its finished assets, and of all its assets; None if unknown.
        copies_under_way, copies: the number of running copy jobs, and of all copy jobs.
        unopened: the number of collections, saved searches and playlists that could not be listed.
        not_before_ms: when the first asset to recheck is due, by the clock of operations.
        is_newer_unlisted: whether a newer click has assets that aren't known yet.
        is_marked: whether something that the operation has marked deleted can still be restored.
        unfinished: what is being written, and since when, by the clock of operations; see
            ``AssetProgress``. The oldest come first.
    """

    now_ms: int
    clock_ms: int
    progress: Mapping[str, int]
    totals: Sequence[Total]
    copies_under_way: int
    copies: int
    bytes_done: tuple[int, int] | None = None
    unopened: int = 0
    not_before_ms: int | None = None
    is_newer_unlisted: bool = False
    is_marked: bool = False
    unfinished: Sequence[tuple[str, int]] = ()


def result_of(operation: Operation) -> str:
    """Return the state of an operation, with the values of a report's ``result``."""
    if operation.failure:
        return "failed"
    if operation.ended_ms is None:
        return "stopping" if operation.stop_ms else "running"
    # Operations that ended in a version without results have none.
    return operation.result or "ended"


def summary(
    operation: Operation,
    progress: Mapping[str, int],
    now_ms: int,
    bytes_done: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """Return one operation of a list as JSON values.

    Args:
        progress: the number of its assets in each state.
        now_ms: the time, in milliseconds since 1970.
        bytes_done: as in ``Moment``.
    """
    counts = dict(operation.counts) if operation.counts else None
    done, assets = progress.get("done", 0), sum(progress.values())
    took_seconds = max(0, (operation.ended_ms or now_ms) - operation.recorded_ms) // 1000
    some, whole = bytes_done or (None, None)
    totals = operation.totals or {}
    names = operation.names or {}
    storages = names.get("storages", {})
    return {
        "operation_id": operation.id,
        "title": operation.title
        or default_title(operation.action, operation.selection, operation.keep_ms),
        "recorded": told_time(operation.recorded_ms),
        "action": operation.action,
        "result": result_of(operation),
        "user_id": operation.user_id,
        "user": operation.user_name or None,
        "selection": operation.selection,
        "subjects": names.get("subjects", []),
        "b2_storage": storages.get("b2") or None,
        "ll_storage": storages.get("ll") or None,
        "path": operation.path,
        "formats": list(operation.formats),
        "ended": told_time(operation.ended_ms) if operation.ended_ms else None,
        "took_seconds": took_seconds,
        "assets": assets,
        "assets_done": done,
        "bytes_done": some,
        "bytes_total": whole,
        "bytes_per_second": some // took_seconds if some and took_seconds else None,
        "seconds_left": _seconds_left(some, whole, took_seconds),
        "counts": counts,
        "by_format": totals.get("by_format"),
        "bytes": totals.get("bytes"),
        "failure": operation.failure,
        "undo_until": undo_until(operation),
        "stopped_by": operation.stop_by,
        "retry_of": operation.origin_of,
        "retried_by": operation.requested_by,
        "origin": operation.origin.kind if operation.origin else None,
    }


def brief(operation: Operation) -> dict[str, Any]:
    """Return what a link to an operation shows, as JSON values."""
    told = summary(operation, {}, 0)
    return {name: told[name] for name in BRIEF}


def person(told: Mapping[str, Any]) -> str | None:
    """Return the name of the person behind an operation; None if it is unknown.

    Args:
        told: the result of ``summary``.
    """
    name: str | None = told["retried_by"] or told["user"]
    return name


def in_full(operation: Operation, moment: Moment) -> dict[str, Any]:
    """Return one operation in full as JSON values, without its assets and copies."""
    told = summary(operation, moment.progress, moment.now_ms, moment.bytes_done)
    if told["counts"] is None:
        told |= _counted(operation, told["assets"], moment.totals)
    is_running = operation.ended_ms is None
    next_check_ms = max(operation.next_check_ms or 0, moment.now_ms)
    # What comes too late after all is decided by iconik.
    is_in_time = moment.now_ms < (operation.undo_until_ms or 0)
    return {
        **told,
        # Otherwise more follows: the counts are stored right after its end.
        "is_final": not is_running and operation.counts is not None,
        "can_be_tried_again": not is_running and _is_worth_trying(told, moment.unopened),
        "can_be_undone": not is_running and moment.is_marked and is_in_time,
        "undo": undo_in_words(operation, moment.now_ms) if moment.is_marked else None,
        "unopened": moment.unopened,
        "what_to_do": what_to_do("failed", operation.failure.cause) if operation.failure else None,
        "b2_storage_id": operation.b2_storage_id,
        "ll_storage_id": operation.ll_storage_id,
        "waits_for": list(_waits(operation, moment)) if is_running else [],
        "looks_again": told_time(next_check_ms) if is_running else None,
        "looks_again_in_seconds": (next_check_ms - moment.now_ms) // 1000 if is_running else None,
        "proofs": proofs_in_words(told["counts"]),
        "copy_jobs": moment.copies,
        "copy_jobs_under_way": moment.copies_under_way,
        "left_to_iconik": None if is_running else _left_to_iconik(moment.copies_under_way),
    }


def _counted(operation: Operation, assets: int, totals: Iterable[Total]) -> dict[str, Any]:
    """Return the counts of an operation that has no report yet."""
    counts: dict[str, int] = {"assets": assets, **dict.fromkeys(COUNTED, 0)}
    sizes = Counter[str]()
    by_format = {name: Counter[str]() for name in operation.formats}
    for each in totals:
        counts[each.kind] += each.assets
        by_format.setdefault(each.format_name, Counter())[each.kind] += each.assets
        sizes[each.kind] += each.size
    return {
        "counts": counts,
        "by_format": {name: dict(each) for name, each in by_format.items()},
        "bytes": dict(+sizes),
    }


def _seconds_left(done: int | None, total: int | None, took_seconds: int) -> int | None:
    """Estimate the rest of an operation from its pace so far; None while there is none."""
    if not done or not total or took_seconds < SETTLED_SECONDS:
        return None
    return (total - done) * took_seconds // done


def _is_worth_trying(told: Mapping[str, Any], unopened: int) -> bool:
    """Return whether an ended operation left something that a retry may complete."""
    left = any(told["counts"].get(kind) for kind in ("kept", "failed", "undone"))
    return bool(left or unopened or told["result"] in ("failed", "stopped"))


def _left_to_iconik(copies: int) -> str | None:
    """Return what is known of the copy jobs that an ended operation no longer follows."""
    if not copies:
        return None
    were = "was" if copies == 1 else "were"
    return f"{many(copies, 'copy job')} {were} left to iconik and may still be running"


def _waits(operation: Operation, moment: Moment) -> Iterator[str]:
    """Yield what a running operation waits for, each as the rest of 'It waits for'."""
    states = dict(moment.progress)
    if operation.stop_ms:
        yield "a safe point to stop: a deletion that has begun is finished first"
    if operation.outage:
        yield f"a usable answer from iconik: {operation.outage}"
    if not operation.is_expanded:
        yield "iconik to list its assets"
    if states.get("copying"):
        jobs = many(moment.copies_under_way, "copy job")
        yield f"{jobs} in iconik, for {many(states['copying'], 'asset')}"
    if moment.is_newer_unlisted and not operation.stop_ms:
        yield "iconik to list the assets of a newer click: some may be in this operation, too"
        # Until then, the operation begins none of its own assets.
        states |= {"recheck": 0, "queued": 0}
    if states.get("recheck"):
        wait = (moment.not_before_ms or 0) - moment.clock_ms
        when = f"in {in_time(wait // 1000)}" if wait >= 1000 else "now"
        assets = many(states["recheck"], "asset")
        some = moment.unfinished[:UNFINISHED_SHOWN]
        named = "; ".join(so_far(*each, moment.clock_ms) for each in some)
        more = "; …" if len(moment.unfinished) > len(some) else ""
        which = f" ({named}{more})" if named else ""
        yield f"files of {assets} that are still being written or moved{which}: next check {when}"
    if states.get("verifying"):
        assets = many(states["verifying"], "asset")
        yield f"iconik to finish deleting the LucidLink files of {assets}"
    if states.get("claimed"):
        yield f"iconik's answers about {many(states['claimed'], 'asset')}"
    if states.get("queued"):
        assets = many(states["queued"], "asset")
        yield f"its turn to process {assets}, or another operation to finish there"


def short_title(told: Mapping[str, Any]) -> str:
    """Return the title of an operation, with a short action and the names first.

    'Add to LucidLink for 14 days: 8 assets (Beach, Pier)' becomes 'Add for 14 days: Beach, Pier (8
    assets)', so that the names are still there if the end is cut.
    """
    title: str = told["title"]
    long = re.fullmatch(rf"{TITLES[told['action']]}( for .+?)?: (.*)", title, re.DOTALL)
    time, subject = long.groups("") if long else ("", title)
    counted = COUNTED_NAMES.fullmatch(subject)
    names = f"{counted[2]} ({counted[1]})" if counted else subject
    return f"{told['action'].capitalize()}{time}: {names}"


def in_brief(told: Mapping[str, Any]) -> str:
    """Say how far an operation is, or how much it was about, where its counts are shown, too."""
    if told["ended"] is None:
        return in_short(told)
    return ", ".join(filter(None, (many(told["assets"], "asset"), bytes_in_words(told))))


def in_short(told: Mapping[str, Any]) -> str:
    """Summarize the result of an operation in a few words.

    Args:
        told: the result of ``summary`` or ``in_full``.
    """
    if told["ended"] is None:
        if not told["assets"]:
            return "listing assets"
        done = f"{told['assets_done']:,} of {many(told['assets'], 'asset')}"
        return ", ".join([done, *_pace(told)])
    if not told["counts"]:
        return many(told["assets"], "asset")
    sizes = bytes_in_words(told)
    return in_words(told) + (f" ({sizes})" if sizes else "")


def _pace(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield how far a running operation is in bytes, how fast it is, and how long it needs."""
    if told["bytes_total"]:
        yield f"{in_units(told['bytes_done'])} of {in_units(told['bytes_total'])}"
    if told["bytes_per_second"]:
        yield f"{in_units(told['bytes_per_second'])}/s"
    if told["seconds_left"]:
        yield f"about {in_time(told['seconds_left'])} left"


def bar(told: Mapping[str, Any], width: int) -> str:
    """Draw a progress bar for a terminal."""
    share = told["assets_done"] / told["assets"] if told["assets"] else float(bool(told["ended"]))
    filled = int(share * width)
    return "█" * filled + "░" * (width - filled)
