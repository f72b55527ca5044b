"""The outcomes of assets and formats, and the report made from them. Pure: no I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Literal, NamedTuple

from b2_iconik.domain.click import TITLES
from b2_iconik.domain.operation import AssetProgress, Deletion, Operation
from b2_iconik.domain.reasons import LEFT, NO_REASON, NOT_COME_TO, UNFINISHED, Cause, Reason, joined

Kind = Literal[
    "copied",  # requested, and now on LucidLink
    "there",  # was on LucidLink already
    "without",  # the asset lacks the format
    "removed",  # proven safe in B2, and deleted from LucidLink
    "absent",  # was not on LucidLink
    "kept",  # not proven safe in B2: left on LucidLink
    "failed",  # could not be done
    "vanished",  # the asset no longer exists in iconik
    "superseded",  # left to a newer click
]
COUNTED: tuple[Kind, ...] = (
    "copied", "there", "without", "removed", "absent", "kept", "failed", "vanished", "superseded",
)  # fmt: skip
# What people read in place of a kind whose name says too little. Programs get the names themselves.
WORDS = {"without": "no such format", "undone": "not done"}
# The names under which reports count the proofs of removed formats, and their display texts.
PROOFS = {
    "by_checksum": "by checksum",
    "by_size": "by size",
    "by_records": "of them by iconik's records alone",
}
HIDE_NOTHING = {"removed": ("absent", "superseded"), "copied": ("there", "superseded")}
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


class Outcome(NamedTuple):
    """The outcome of one format of one asset.

    Attributes:
        reason: why, if the kind alone doesn't explain it.
        proof: what proved a removed format safe, from ``proof_of``; "" if unknown.
    """

    kind: Kind
    reason: Reason = NO_REASON
    proof: str = ""

    @classmethod
    def read(cls, stored: Sequence[Any]) -> "Outcome":
        """Read a value of ``stored``. An earlier version stored no cause."""
        kind, text, proof, cause = (*stored, "", "")[:4]
        return cls(kind, Reason.read(text, cause), proof)

    @property
    def stored(self) -> tuple[str, ...]:
        """What the ledger stores: kind, sentence, proof and cause, without trailing empty ones."""
        every = (self.kind, self.reason, self.proof, self.reason.stored)
        return every if every[3] else every[:3] if every[2] else every[:2]


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
    before: Mapping[str, Sequence[str]], now: Mapping[str, Outcome]
) -> dict[str, tuple[str, ...]]:
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
        operation: the operation.
        assets: asset id, progress, and outcomes by format.
        gone: by collection, saved search or playlist, why it could not be listed.

    Returns:
        A dictionary with these members, among others:

        - ``result``: 'running', 'stopping', 'failed', 'stopped', 'finished with warnings' or
        'finished'.
        - ``counts``: ``assets`` is the total number of assets. Each kind of outcome counts the
        formats of assets that ended so. ``undone`` counts the assets that had unfinished formats
        when the operation failed or was stopped. The proofs of removed formats are counted as
        ``by_checksum`` and ``by_size`` (size alone); ``by_records`` counts those among them that
        rest on iconik's records alone, because B2 was not asked.
        - ``problems``: ``asset_id``, ``format``, ``kind`` and ``reason`` of each kept or failed
        format, each unfinished deletion, and each copy left to iconik.
    """
    has_ended = operation.ended_ms is not None
    is_cut_short = bool(operation.failure or (operation.stop_ms and has_ended))
    counts: Counter[str] = Counter()
    problems: list[dict[str, str | None]] = []
    for asset_id, progress, outcomes in assets:
        counts["assets"] += 1
        for name, (kind, reason, proof) in sorted(outcomes.items()):
            counts[kind] += 1
            counts.update(COUNTED_AS.get(proof, ()))
            if kind in TROUBLE:
                problems.append(_problem(asset_id, name, kind, reason))
        left = list(left_over(operation, progress, outcomes)) if has_ended else []
        if not is_cut_short:
            left = [each for each in left if each[1] == "failed"]
        failed = {name for name, outcome in outcomes.items() if outcome.kind == "failed"}
        counts["failed"] += len({name for name, kind, _ in left if kind == "failed"} - failed)
        counts["undone"] += any(kind == "undone" for _, kind, _ in left)
        # If the operation had no effect on most of its assets, that is one problem, not many.
        problems += [
            _problem(asset_id, *each) for each in left if each[2].cause != Cause.NOT_STARTED
        ]
    problems += [_problem(what, None, "failed", reason) for what, reason in gone.items()]
    return {
        "operation_id": operation.id,
        "title": TITLES[operation.action],
        "selection": operation.selection,
        "formats": list(operation.formats),
        "user_id": operation.user_id,
        "recorded": told_time(operation.recorded_ms),
        "ended": told_time(operation.ended_ms) if operation.ended_ms else None,
        "stopped_by": operation.stop_by,
        "retry_of": operation.retry_of,
        "retried_by": operation.retry_by,
        "result": _result(operation, problems, counts["undone"]),
        "failure": operation.failure,
        "counts": {name: counts[name] for name in ("assets", *COUNTED, "undone", *PROOFS)},
        "problems": problems,
    }


def displayed(kind: str) -> str:
    """Return the words that people read for a kind of outcome, or for 'undone'."""
    return WORDS.get(kind, kind)


def in_words(counts: Mapping[str, int]) -> str:
    """Format the counts on one line, without zeros and proofs: '12 assets, 9 removed, 3 kept'."""
    number = counts["assets"]
    words = [f"{number:,} asset{'' if number == 1 else 's'}"]
    return ", ".join(
        words
        + [
            f"{n:,} {displayed(name)}"
            for name, n in counts.items()
            if n and name != "assets" and name not in PROOFS
        ]
    )


def proofs_in_words(counts: Mapping[str, int]) -> str:
    """Format the counts of proofs: '7 by checksum, 2 by size'; "" if there are none."""
    # Reports of earlier versions have no such counts.
    words = [f"{counts[name]:,} {text}" for name, text in PROOFS.items() if counts.get(name)]
    return ", ".join(words)


def _problem(subject: str, name: str | None, kind: str, reason: str) -> dict[str, str | None]:
    return {"asset_id": subject, "format": name, "kind": kind, "reason": reason}


def _result(operation: Operation, problems: Sequence[object], undone: int) -> str:
    if operation.failure:
        return "failed"
    if operation.ended_ms is None:
        return "stopping" if operation.stop_ms else "running"
    # A stop that arrives after all work is done has stopped nothing.
    if operation.stop_ms and (undone or not operation.is_expanded):
        return "stopped"
    return "finished with warnings" if problems else "finished"


def told_time(milliseconds: int) -> str:
    """Format a time in milliseconds since 1970 as ISO 8601, in UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=timezone.utc)
    return moment.isoformat(timespec="seconds")
