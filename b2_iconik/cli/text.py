"""Format operations as lines of text, for a terminal or a pipe. Pure: no I/O."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from b2_iconik.common.texts import in_time
from b2_iconik.domain.click import TITLES
from b2_iconik.domain.operation import kind_and_id
from b2_iconik.domain.outcomes import bytes_in_words, displayed, in_words, proofs_in_words
from b2_iconik.report.view import bar, in_short

BAR = 24
# A shorter bar would show nothing.
SHORTEST_BAR = 6
# The width of the first column. The longest kinds of outcomes take more room.
LABEL = 14


def line(told: Mapping[str, Any]) -> str:
    """Format an operation as one line.

    Args:
        told: the result of ``view.summary``.
    """
    return (
        f"{told['operation_id']}  {told['recorded']}  {told['result']:<22}  {told['title']}  "
        f"{in_short(told)}"
    )


def listed(told: Iterable[Mapping[str, Any]]) -> str:
    """Format several operations, one per line."""
    return "\n".join(map(line, told)) or "No operations."


def bar_line(told: Mapping[str, Any], width: int) -> str:
    """Format an operation as one line, with a progress bar if there is room.

    Args:
        told: the result of ``view.summary``.
        width: the maximum length of the line.
    """
    head = f"{told['operation_id'][:8]}  {TITLES[told['action']]:<21}  "
    tail = f"{in_short(told)}, {told['result']}, {in_time(told['took_seconds'])}"
    room = min(BAR, width - len(head) - len(tail) - 2)
    return cut(head + (f"{bar(told, room)}  " if room >= SHORTEST_BAR else "") + tail, width)


def cut(text: str, width: int) -> str:
    """Truncate a line that is too long."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def in_full(told: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the state of an operation as lines for people.

    Args:
        told: the result of ``OperationDetails.in_full`` or ``outcomes.report``.
        rows: the rows about its assets.
    """
    yield f"{told['title']}, {told['result']}"
    yield _item("operation", told["operation_id"])
    yield _item("clicked by", told.get("user") or f"user {told['user_id'] or 'unknown'}")
    yield _item("selection", f"{told['selection']}, formats {', '.join(told['formats'])}")
    ended = f"ended {told['ended']}" if told["ended"] else "not ended yet"
    yield _item("recorded", f"{told['recorded']}, {ended}")
    yield _item("total", in_words(told))
    sizes = bytes_in_words(told.get("bytes") or {})
    if sizes:
        yield _item("bytes", sizes)
    proofs = proofs_in_words(told["counts"])
    if proofs:
        yield _item("proven", proofs)
    if told["retry_of"]:
        yield _item("retry of", f"{told['retry_of']}, by {told['retried_by']}")
    if told["stopped_by"]:
        yield _item("stopped by", told["stopped_by"])
    if told["failure"]:
        yield _item("failure", told["failure"])
    if told.get("what_to_do"):
        yield _item("what to do", told["what_to_do"])
    yield from _under_way(told)
    for row in rows:
        yield row_line(row)


def _under_way(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a running operation waits for, and the copy jobs of any operation."""
    for each in told.get("waits_for", ()):
        yield _item("waits for", each)
    if told.get("looks_again_in_seconds") is not None:
        yield _item("next check", _when(told["looks_again_in_seconds"]))
    if told.get("left_to_iconik"):
        yield _item("left over", told["left_to_iconik"])
    jobs = told.get("copies", ())
    for job in jobs:
        how = "ended" if job["ended"] else "left to iconik"
        if not job["ended"] and not told["ended"]:
            assets = f"{job['assets']:,} asset{'' if job['assets'] == 1 else 's'}"
            done = "" if job.get("progress") is None else f": {job['progress']} %"
            how = f"for {assets}, followed for {in_time(job['followed_seconds'])}{done}"
        yield _item("copy job", " ".join(filter(None, (job["job_id"], job["format_name"], how))))
    more = told.get("copy_jobs", 0) - len(jobs)
    if more > 0:
        yield _item("copy job", f"… and {more:,} more")


def asset_in_full(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield the state of an asset as lines for people.

    Args:
        told: the result of ``OperationDetails.asset``.
    """
    yield f"Asset {named(told)} of operation {told['operation_id']}"
    for row in told["report"]:
        yield _item(displayed(row["kind"]), _why(row["format"], row["reason"]))
        if row["what_to_do"]:
            yield _item("", row["what_to_do"])
    if told["looks_again_in_seconds"] is not None:
        yield _item("next check", _when(told["looks_again_in_seconds"]))
    if told["failures"]:
        number = told["failures"]
        attempts = "last attempt" if number == 1 else f"last {number:,} attempts"
        yield _item("no answer", f"the {attempts} got no usable answer from iconik")


def named(row: Mapping[str, Any]) -> str:
    """Name the subject of a row: by its title and its id, which commands take."""
    asset_id = str(row["asset_id"])
    # Reports have no titles.
    title = row.get("asset", asset_id)
    unnamed = f"a {kind_and_id(asset_id)[0]}"
    return asset_id if title in (asset_id, unnamed) else f"{title} ({asset_id})"


def row_line(row: Mapping[str, Any]) -> str:
    """Format the outcome of one format of an asset as one line."""
    what = " ".join(filter(None, (named(row), row["format"])))
    return _item(displayed(row["kind"]), _why(what, row["reason"]))


def json_parts(
    told: Mapping[str, Any], lists: Mapping[str, Iterable[Mapping[str, Any]]]
) -> Iterator[str]:
    """Yield a JSON object in parts, for lists that are too long to hold in memory.

    Args:
        told: its other members, at least one.
        lists: its lists, by name.
    """
    yield json.dumps(told, indent=2).removesuffix("\n}")
    for name, rows in lists.items():
        yield f",\n  {json.dumps(name)}: ["
        for number, row in enumerate(rows):
            yield f"{',' if number else ''}\n    {json.dumps(row)}"
        yield "\n  ]"
    yield "\n}\n"


def _item(name: str, what: str) -> str:
    return f"  {name:<{LABEL}}  {what}"


def _why(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what


def _when(seconds: int) -> str:
    return f"in {in_time(seconds)}" if seconds else "now"
