"""The outcomes of assets and formats, and the report made from them. Pure: no I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

from b2_iconik.domain.click import title_of
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.progress import AssetProgress, Deletion
from b2_iconik.domain.reasons import LEFT, NO_REASON, NOT_COME_TO, UNFINISHED, Cause, Reason, joined
from b2_iconik.domain.sizes import in_units

Kind = Literal[
    "copied",  # requested, and now on LucidLink
    "there",  # was on LucidLink already
    "without",  # the asset lacks the format
    "removed",  # proven safe in B2, and deleted from LucidLink
    "restored",  # was marked deleted, and is back on LucidLink
    "absent",  # was not on LucidLink
    "kept",  # protected, or not proven safe in B2: left on LucidLink
    "failed",  # could not be done
    "vanished",  # the asset no longer exists in iconik
    "superseded",  # left to a newer click
    "removable",  # a preview found it proven safe in B2
    "uncopied",  # a preview found that a Remove would first copy it to B2
]
COUNTED: tuple[Kind, ...] = (
    "copied", "restored", "there", "without", "removed", "removable", "uncopied", "absent", "kept",
    "failed", "vanished", "superseded",
)  # fmt: skip
# What people read in place of a kind whose name says too little. Programs get the names themselves.
WORDS = {
    "there": "already on LucidLink",
    "restored": "brought back",
    "without": "no such format",
    "absent": "already off LucidLink",
    "kept": "kept on LucidLink",
    "vanished": "no longer in iconik",
    "superseded": "taken over by a newer click",
    "uncopied": "would first be copied to B2",
    # Not started, or left to iconik.
    "undone": "not finished",
}
# The names under which reports count the proofs of removed formats, and their display texts.
PROOFS = {
    "by_checksum": "by checksum",
    "by_size": "by size",
    "by_records": "of them by iconik's records alone",
}
# The kinds that show that an operation has achieved something, or had nothing to do.
ACHIEVED = ("copied", "restored", "removed", "there", "absent")
CHANGED = ("copied", "restored", "removed")
# The kinds that show that a preview has found out something.
PREVIEWED = ("removable", "uncopied", "kept", "absent")
# The kinds whose bytes are summed up, and what is said of them.
MOVED = {
    "copied": "copied",
    "restored": "brought back",
    "removed": "freed",
    "removable": "would be freed",
    "uncopied": "would first be copied to B2",
    "kept": "kept on LucidLink",
    "failed": "failed",
}
HIDE_NOTHING = {
    "removed": ("absent", "superseded"),
    "copied": ("there", "superseded"),
    "restored": ("there", "superseded"),
}
# Appended to a proof that rests on iconik's records because B2 was not asked to confirm it.
BY_RECORDS = ", by records alone"
# By stored proof, the names under which reports count it.
COUNTED_AS = {
    "checksum": ("by_checksum",),
    "size": ("by_size",),
    f"checksum{BY_RECORDS}": ("by_checksum", "by_records"),
    f"size{BY_RECORDS}": ("by_size", "by_records"),
}
TROUBLE = frozenset({"kept", "failed", "vanished"})
# The results of operations that left something for people to do.
UNSUCCESSFUL = frozenset({"failed", "partly done"})


@dataclass(frozen=True)
class Outcome:
    """The outcome of one format of one asset.

    Attributes:
        reason: why, if the kind alone doesn't explain it.
        proof: what proved a removed or removable format safe, from ``proof_of``; "" if unknown.
        size: what it concerns, in bytes: the files that were copied, removed or kept, that would
            be, or that are already there; None if unknown.
    """

    kind: Kind
    reason: Reason = NO_REASON
    proof: str = ""
    size: int | None = field(default=None, compare=False)

    @classmethod
    def read(cls, stored: Sequence[Any]) -> "Outcome":
        """Read a value of ``stored``. Earlier versions stored no cause, and no size."""
        rest: tuple[Any, ...] = ("", "", None)
        kind, text, proof, cause, size = (*stored, *rest[len(stored) - 2 :])
        return cls(kind, Reason.read(text, cause), proof, size)

    @property
    def stored(self) -> tuple[Any, ...]:
        """The stored value: kind, sentence, proof, cause and size, without trailing blanks."""
        every = (self.kind, self.reason, self.proof, self.reason.stored, self.size)
        filled = [place for place, each in enumerate(every) if each not in ("", None)]
        return every[: max(2, filled[-1] + 1)]


def proof_of(proofs: Iterable[tuple[bool, bool]]) -> str:
    """Return what proved a format safe: the weakest proof among its file sets.

    Args:
        proofs: for each file set, whether it was proven by checksum, and whether B2 was asked.

    Returns:
        'checksum' or 'size', followed by ``BY_RECORDS`` if B2 was not asked about every file set.
    """
    by_checksum, asked = (all(each) for each in zip(*proofs, strict=True))
    return f"{'checksum' if by_checksum else 'size'}{'' if asked else BY_RECORDS}"


def merged(
    before: Mapping[str, Sequence[Any]], now: Mapping[str, Outcome]
) -> dict[str, tuple[Any, ...]]:
    """Combine the outcomes by format before and after an inspection.

    A completed outcome stays. A later inspection that finds the work already done does not hide it,
    nor does a newer click that takes over.
    """
    both = {name: tuple(outcome) for name, outcome in before.items()}
    for name, outcome in now.items():
        was = both.get(name, ("", ""))[0]
        if outcome.kind not in HIDE_NOTHING.get(was, ()):
            both[name] = outcome.stored
    return both


def given_up(
    formats: Iterable[str], deleting: Mapping[str, Deletion], reason: Reason
) -> dict[str, Outcome]:
    """Return the outcomes by format of an asset that is given up.

    Args:
        formats: the formats still to be processed. A newer click may have taken over the others.
        deleting: the deletions that have begun, by file set id.
        reason: why the asset is given up.
    """
    reasons = dict.fromkeys(formats, reason)
    for file_set_id, begun in deleting.items():
        both = reasons.get(begun.name, reason), UNFINISHED(file_set_id=file_set_id)
        reasons[begun.name] = joined(both)
    return {name: Outcome("failed", reason) for name, reason in reasons.items()}


def left_over(
    operation: Operation, progress: AssetProgress, outcomes: Mapping[str, Outcome]
) -> Iterator[tuple[str, str, Reason]]:
    """Yield what an ended operation left undone for an asset, besides its outcomes.

    Yields:
        Format, kind and reason: 'failed' for each unfinished deletion that its outcome doesn't
        report, and 'undone' for each other format without an outcome.
    """
    names = set()
    for file_set_id, begun in progress.unaccepted.items():
        names.add(begun.name)
        told = outcomes[begun.name].reason if begun.name in outcomes else NO_REASON
        # Such an outcome already names the file set, the cause and the remedy.
        if told.cause != Cause.HALF_DELETED or file_set_id not in told:
            yield begun.name, "failed", UNFINISHED(file_set_id=file_set_id)
    for name in operation.formats:
        if name not in outcomes and name not in names:
            yield name, "undone", LEFT if name in progress.copy_results else NOT_COME_TO


def report(
    operation: Operation,
    assets: Iterable[tuple[str, AssetProgress, Mapping[str, Outcome]]],
    gone: Mapping[str, str],
) -> dict[str, Any]:
    """Return the report of an operation as JSON values.

    Args:
        assets: asset id, progress, and outcomes by format.
        gone: by collection, saved search or playlist, why it could not be listed.

    Returns:
        A dictionary with these members, among others:

        - ``result``: 'running' or 'stopping'; then 'done', 'partly done', 'failed' (nothing
        succeeded), 'nothing to do' or 'stopped'.
        - ``counts``: ``assets`` is the total number of assets. Each kind of outcome counts the
        formats of assets that ended so. ``undone`` counts the assets that had unfinished formats
        when the operation failed or was stopped. The proofs of removed formats are counted as
        ``by_checksum`` and ``by_size`` (size alone); ``by_records`` counts those among them that
        rest on iconik's records alone, because B2 was not asked.
        - ``by_format``: by format name, the number of assets by kind of outcome.
        - ``bytes``: by kind of outcome, the total size in bytes, as far as known.
        - ``undo``: until when it can be undone, in words; None if nothing is left to undo.
        - ``problems``: ``asset_id``, ``format``, ``kind`` and ``reason`` of each kept or failed
        format, each unfinished deletion, and each copy left to iconik.
    """
    has_ended = operation.ended_ms is not None
    is_cut_short = bool(operation.failure or (operation.stop_ms and has_ended))
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    by_format: dict[str, Counter[str]] = {name: Counter() for name in operation.formats}
    problems: list[dict[str, str | None]] = []
    is_marked = False
    for asset_id, progress, outcomes in assets:
        counts["assets"] += 1
        is_marked = is_marked or bool(progress.marked)
        for name, each in sorted(outcomes.items()):
            counts[each.kind] += 1
            by_format.setdefault(name, Counter())[each.kind] += 1
            sizes[each.kind] += each.size or 0
            counts.update(COUNTED_AS.get(each.proof, ()))
            if each.kind in TROUBLE:
                problems.append(_problem(asset_id, name, each.kind, each.reason))
        left = list(left_over(operation, progress, outcomes)) if has_ended else []
        if not is_cut_short:
            left = [each for each in left if each[1] == "failed"]
        failed = {name for name, outcome in outcomes.items() if outcome.kind == "failed"}
        counts["failed"] += len({name for name, kind, _ in left if kind == "failed"} - failed)
        counts["undone"] += any(kind == "undone" for _, kind, _ in left)
        for name, what in {each[:2] for each in left}:
            if name not in failed:
                by_format.setdefault(name, Counter())[what] += 1
        # If the operation had no effect on most of its assets, that is one problem, not many.
        problems += [
            _problem(asset_id, *each) for each in left if each[2].cause != Cause.NOT_STARTED
        ]
    problems += [_problem(what, None, "failed", reason) for what, reason in gone.items()]
    return {
        "title": title_of(operation.action, operation.keep_ms),
        "stopped_by": operation.stop_by,
        "undo_until": undo_until(operation),
        "undo": undo_in_words(operation, operation.ended_ms) if is_marked else None,
        "result": _result(operation, counts, has_problems=bool(problems)),
        "failure": operation.failure,
        "counts": {name: counts[name] for name in ("assets", *COUNTED, "undone", *PROOFS)},
        "by_format": {name: dict(each) for name, each in by_format.items()},
        "bytes": {kind: size for kind, size in sizes.items() if size},
        "problems": problems,
    }


def displayed(kind: str) -> str:
    """Return the words that people read for a kind of outcome, or for 'undone'."""
    return WORDS.get(kind, kind)


def capitalized(words: str) -> str:
    """Return words as the beginning of a line; unlike ``str.capitalize``, names stay."""
    return words[:1].upper() + words[1:]


def many(number: int, what: str) -> str:
    """Format a number of things: '1 asset', '1,200 assets'."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def in_words(told: Mapping[str, Any]) -> str:
    """Summarize a report on one line, without zeros.

    Args:
        told: a report. Those of earlier versions have no ``by_format``.

    Returns:
        '12 assets, 9 removed, 3 kept' if there is only one format to count; otherwise '12 assets.
        ORIGINAL: 9 removed, 3 kept; PPRO_PROXY: 12 removed'.
    """
    assets = many(told["counts"]["assets"], "asset")
    by_format = {name: each for name, each in (told.get("by_format") or {}).items() if each}
    if len(by_format) > 1:
        each_format = (f"{name}: {_counted(each)}" for name, each in by_format.items())
        return f"{assets}. {'; '.join(each_format)}"
    rest = _counted(*(by_format.values() or [told["counts"]]))
    return f"{assets}, {rest}" if rest else assets


def _counted(kinds: Mapping[str, int]) -> str:
    ordered = [kind for kind in (*COUNTED, "undone") if kinds.get(kind)]
    return ", ".join(f"{kinds[kind]:,} {displayed(kind)}" for kind in ordered)


def bytes_in_words(told: Mapping[str, Any]) -> str:
    """Format the bytes of a report: '2.3 GB copied, 1.2 GB freed, 3 MB kept'; "" if unknown.

    Args:
        told: a report. What can be undone is not called freed.
    """
    sizes = told.get("bytes") or {}
    words = {**MOVED, "removed": "removed"} if told.get("undo_until") else MOVED
    return ", ".join(
        f"{in_units(sizes[kind])} {word}" for kind, word in words.items() if sizes.get(kind)
    )


def proofs_in_words(counts: Mapping[str, int]) -> str:
    """Format the counts of proofs: '7 by checksum, 2 by size'; "" if there are none."""
    # Reports of earlier versions have no such counts.
    words = [f"{counts[name]:,} {text}" for name, text in PROOFS.items() if counts.get(name)]
    return ", ".join(words)


def _problem(subject: str, name: str | None, kind: str, reason: str) -> dict[str, str | None]:
    return {"asset_id": subject, "format": name, "kind": kind, "reason": reason}


def _result(operation: Operation, counts: Mapping[str, int], *, has_problems: bool) -> str:
    if operation.failure:
        return "failed"
    if operation.ended_ms is None:
        return "stopping" if operation.stop_ms else "running"
    # A stop that arrives after all work is done has stopped nothing.
    if operation.stop_ms and (counts["undone"] or not operation.is_expanded):
        return "stopped"
    if operation.action == "preview":
        return _result_of_preview(counts, has_problems=has_problems)
    # What a newer click took over is up to that click.
    if counts["superseded"]:
        return "partly done"
    if has_problems:
        return "partly done" if any(counts[kind] for kind in ACHIEVED) else "failed"
    return "done" if any(counts[kind] for kind in CHANGED) else "nothing to do"


def _result_of_preview(counts: Mapping[str, int], *, has_problems: bool) -> str:
    """The result of a preview: 'done' if a Remove would free all that is on LucidLink at once."""
    if has_problems or counts["uncopied"]:
        return "partly done" if any(counts[kind] for kind in PREVIEWED) else "failed"
    return "done" if counts["removable"] else "nothing to do"


def undo_until(operation: Operation) -> str | None:
    """Return the time until which an operation can be undone; None if it has marked nothing."""
    return told_time(operation.undo_until_ms) if operation.undo_until_ms else None


def undo_in_words(operation: Operation, now_ms: int | None = None) -> str:
    """Return until when something that an operation has marked deleted can be restored.

    Args:
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


def told_time(milliseconds: int) -> str:
    """Format a time in milliseconds since 1970 as ISO 8601, in UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc)
    return moment.isoformat(timespec="seconds")
