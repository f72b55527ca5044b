"""Format one operation or asset as lines of text. Pure: no I/O. Names come first, ids last."""

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice

from b2_iconik.cli.lists import GAP, SHORT_ID, Row, local_time, untitled
from b2_iconik.common.texts import in_time
from b2_iconik.domain.operation import ORIGINS, kind_and_id, named_user
from b2_iconik.domain.outcomes import bytes_in_words, displayed, in_words, many, proofs_in_words
from b2_iconik.domain.sizes import in_units

# The width of the first column. The longest kinds of outcomes take more room.
LABEL = 14
INDENT = 2
# A narrower terminal breaks lines by itself.
NARROWEST = 40


def wrapped(line: str, width: int | None) -> str:
    """Break a line of ``in_full`` or ``asset_in_full`` between words; None for no limit."""
    if width is None or width < NARROWEST:
        return line
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * (INDENT + LABEL + len(GAP)),
        break_long_words=False,
        break_on_hyphens=False,
    )


def in_full(told: Row, problems: Iterable[Row], others: Iterable[Row] = ()) -> Iterator[str]:
    """Yield the state of an operation as lines for people.

    Args:
        told: the result of ``Contents.in_full``.
        problems: rows about its assets, to be shown with what to do.
        others: further rows.
    """
    yield f"{told['title']}, {told['result']}"
    # Nobody clicks what the service removes because its time is up. A retry repeats a click.
    if told["user_id"] or told["retry_of"] or not told["origin"]:
        yield _item("clicked by", named_user(told["user"], told["user_id"]))
    yield _item("selection", f"{told['selection']}, formats {', '.join(told['formats'])}")
    ended = f"ended {_moment(told['ended'])}" if told["ended"] else "not ended yet"
    yield _item("clicked", f"{_moment(told['recorded'])}, {ended}")
    yield _item("total", in_words(told))
    sizes = bytes_in_words(told)
    if sizes:
        yield _item("bytes", sizes)
    if told["undo"]:
        yield _item("undo", told["undo"])
    proofs = proofs_in_words(told["counts"])
    if proofs:
        yield _item("proven", proofs)
    if told["origin"]:
        of = f" of {told['retry_of']}" if told["retry_of"] else ""
        yield _item("origin", f"{ORIGINS[told['origin']]}{of}, by {told['retried_by']}")
    yield from _cut_short(told)
    yield from _under_way(told)
    yield _item("operation", told["operation_id"])
    yield from _rows(problems, others)


def previewed(told: Row, problems: Iterable[Row]) -> Iterator[str]:
    """Yield the result of a preview as lines for people.

    Args:
        told: the result of ``inspection.previewed``.
        problems: rows about its assets, to be shown with what to do.
    """
    yield f"{told['title']}, {told['result']}"
    for name, kinds in told["formats"].items():
        for number, (kind, found) in enumerate(kinds.items()):
            proofs = proofs_in_words(found)
            text = f"{found['assets']:,} {displayed(kind)}{f' ({proofs})' if proofs else ''}"
            size = in_units(found["bytes"]) if found["bytes"] else ""
            yield _item("" if number else name, _why(text, size))
    once, later = (in_units(told["bytes"][each]) for each in ("once", "later"))
    more = f", {later} more after copies to B2" if told["bytes"]["later"] else ""
    yield _item("would be freed", f"{once} at once{more}")
    yield from _cut_short(told)
    for each in told["removed_as"]:
        yield _item("removed as", f"{each['operation_id']}, {each['result']}")
    yield _item("operation", told["operation_id"])
    yield from _rows(problems)


def _cut_short(told: Row) -> Iterator[str]:
    """Yield who stopped an operation, and why it failed."""
    if told["stopped_by"]:
        yield _item("stopped by", told["stopped_by"])
    if told["failure"]:
        yield _item("failure", told["failure"])
        yield _item("what to do", told["what_to_do"])


def _rows(problems: Iterable[Row], others: Iterable[Row] = ()) -> Iterator[str]:
    of_others = (_line(list(rows)) for _, rows in groupby(others, lambda row: row["asset_id"]))
    lines = chain(_with_advice(problems), of_others)
    for first in islice(lines, 1):
        yield ""
        yield first
    yield from lines


def _under_way(told: Row) -> Iterator[str]:
    """Yield what a running operation waits for, and the copy jobs of any operation."""
    for each in told["waits_for"]:
        yield _item("waits for", each)
    if told["looks_again_in_seconds"] is not None:
        yield _item("next check", _when(told["looks_again_in_seconds"]))
    if told["left_to_iconik"]:
        yield _item("left over", told["left_to_iconik"])
    jobs = told["copies"]
    for job in jobs:
        how = "ended" if job["ended"] else "left to iconik"
        if not job["ended"] and not told["ended"]:
            done = "" if job["progress"] is None else f": {job['progress']} %"
            followed = in_time(job["followed_seconds"])
            how = f"for {many(job['assets'], 'asset')}, followed for {followed}{done}"
        yield _item("copy job", " ".join(filter(None, (job["format_name"], how, job["job_id"]))))
    more = told["copy_jobs"] - len(jobs)
    if more > 0:
        yield _item("copy job", f"… and {more:,} more")


def asset_in_full(told: Row) -> Iterator[str]:
    """Yield the state of an asset as lines for people.

    Args:
        told: the result of ``inspection.asset``.
    """
    yield named(told)
    for advice, rows in groupby(told["report"], lambda row: row["what_to_do"]):
        for kind, formats, reason in _merged(rows):
            yield _item(displayed(kind), _why(formats, reason))
        if advice:
            yield _item("what to do", advice)
    if told["looks_again_in_seconds"] is not None:
        yield _item("next check", _when(told["looks_again_in_seconds"]))
    if told["failures"]:
        number = told["failures"]
        attempts = "last attempt" if number == 1 else f"last {number:,} attempts"
        yield _item("no answer", f"the {attempts} got no usable answer from iconik")
    yield _item("asset", told["asset_id"])
    yield _item("operation", told["operation_id"])


def named(row: Row) -> str:
    """Return the title of a row's asset, or the name of what could not be listed."""
    # What could not be listed has no format.
    if row.get("format", "") is None:
        kind, object_id = kind_and_id(row["asset_id"])
        is_unnamed = row["asset"] in (row["asset_id"], f"a {kind}")
        return f"{kind} {object_id[:SHORT_ID]}" if is_unnamed else str(row["asset"])
    return untitled(row)


def _with_advice(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a line per asset, those with the same advice together, and the advice below them."""
    advised: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        by_asset = advised.setdefault(row["what_to_do"], {})
        by_asset.setdefault(row["asset_id"], []).append(row)
    for advice, assets in advised.items():
        yield from map(_line, assets.values())
        yield _item("what to do", advice)


def _line(rows: Sequence[Row]) -> str:
    """Format the outcomes of an asset as one line."""
    (kind, formats, reason), *others = _merged(rows)
    text = _why(" ".join(filter(None, (named(rows[0]), formats))), reason)
    for other, formats, reason in others:
        what = formats if other == kind else f"{displayed(other)} {formats}"
        text += f"; {_why(what, reason)}"
    return _item(displayed(kind), text)


def _merged(rows: Iterable[Row]) -> list[tuple[str, str, str]]:
    """Return kind, formats and reason of rows, with the formats of equal outcomes joined."""
    formats: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        formats.setdefault((row["kind"], row["reason"]), []).append(row["format"] or "")
    return [(kind, ", ".join(names), reason) for (kind, reason), names in formats.items()]


def as_json(value: object, indent: int | None = 2) -> str:
    """Format a value as JSON, with letters of any language as they are."""
    return json.dumps(value, indent=indent, ensure_ascii=False)


def json_parts(told: Row, lists: Mapping[str, Iterable[Row]]) -> Iterator[str]:
    """Yield a JSON object in parts, for lists that are too long to hold in memory.

    Args:
        told: its other members, at least one.
        lists: its lists, by name.
    """
    yield as_json(told).removesuffix("\n}")
    for name, rows in lists.items():
        yield f",\n  {as_json(name)}: ["
        for number, row in enumerate(rows):
            yield f"{',' if number else ''}\n    {as_json(row, None)}"
        yield "\n  ]"
    yield "\n}\n"


def _moment(told: str) -> str:
    return local_time(told, "%Y-%m-%d %H:%M:%S %Z")


def _item(name: str, what: str) -> str:
    return f"{' ' * INDENT}{name:<{LABEL}}{GAP}{what}"


def _why(what: str, reason: str) -> str:
    return f"{what}: {reason}" if reason else what


def _when(seconds: int) -> str:
    return f"in {in_time(seconds)}" if seconds else "now"
