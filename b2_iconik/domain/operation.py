"""Operations and their assets, as values read from the ledger."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.click import Action
from b2_iconik.domain.custody import Pair, Safe
from b2_iconik.domain.reasons import Reason
from iconik_http.records import ACTIVE, File

# iconik's lists may not show a new job yet.
LISTING_LAG_MS = 60_000
# What an earlier version called parts of an asset's progress.
OLD_KEYS = {"asked": "copy_results", "deleting": "deletions"}
# The way of a confirmation for which B2 was not asked.
RECORDS_ALONE = "records alone"
# What is stored of a file that proves a deletion, or is proven.
STORED = (
    "id", "storage_id", "name", "original_name", "directory_path", "type", "status", "size",
    "checksum",
)  # fmt: skip


def kind_and_id(what: str) -> tuple[str, str]:
    """The parts of a key under which it is noted why a collection, or the like, was not listed."""
    kind, _, object_id = what.rpartition(" ")
    return kind, object_id


@dataclass(frozen=True)
class Retry:
    """Why an operation is there that nobody clicked in iconik.

    Attributes:
        of: the id of the operation that it tries again.
        by: who asked for it.
    """

    of: str
    by: str


@dataclass(frozen=True)
class Operation:
    """One accepted click, or several that asked for the same before it began.

    Attributes:
        number: its place in the order of clicks; the higher, the newer.
        id: the UUID that was answered.
        formats: names of the formats it is about.
        key: fingerprint of the key that its arguments are encrypted with.
        is_expanded: whether its assets are known.
        recorded_ms, ended_ms: milliseconds since 1970; ended_ms is None while it runs.
        failure: why it came to nothing as a whole, if it did.
        stop_by, stop_ms: who asked to stop it, and when.
        retry_of, retry_by: the id of the operation that it tries again, and who asked for that.
        result, counts: of its report; the counts are None until that is made, right after its end.
        next_check_ms: when it looks at iconik again, where that is not at once.
        outage: what iconik gave no usable answer to, while it waits for iconik.
    """

    number: int
    id: str
    action: Action
    b2_storage_id: str
    ll_storage_id: str
    formats: tuple[str, ...]
    selection: str
    user_id: str | None
    key: str
    is_expanded: bool
    recorded_ms: int
    ended_ms: int | None
    failure: Reason | None
    stop_by: str | None = None
    stop_ms: int | None = None
    retry_of: str | None = None
    retry_by: str | None = None
    result: str | None = None
    counts: Mapping[str, int] | None = None
    next_check_ms: int | None = None
    outage: str | None = None

    @property
    def retry(self) -> Retry | None:
        """What it tries again, and who asked for that; None where somebody clicked in iconik."""
        return Retry(self.retry_of, self.retry_by) if self.retry_of and self.retry_by else None


@dataclass(frozen=True)
class Deletion:
    """A deletion that has begun.

    Attributes:
        name: the name of the file set's format.
        proof: what proved the file set safe, and after its deletion was accepted no pairs; None if
            an earlier version of this service noted the deletion.
        way: how the bucket confirmed the proof, as in ``bucket.confirm.Confirmation``.
        accepted_ms: when iconik accepted it, by the clock of operations; None before that.
        is_doubted: whether iconik contradicted itself about it: then only a list of the asset's
            file sets shows whether it is done.
    """

    name: str
    proof: Safe | None = None
    way: str = ""
    accepted_ms: int | None = None
    is_doubted: bool = False

    def accepted_for_ms(self, now_ms: int) -> int:
        """How long ago iconik accepted it, in milliseconds; 0 if it has not."""
        return 0 if self.accepted_ms is None else now_ms - self.accepted_ms

    @property
    def strength(self) -> tuple[bool, bool]:
        """Whether a checksum proved it, and whether B2 was asked; see ``outcomes.proof_of``."""
        return bool(self.proof and self.proof.by_checksum), self.way not in ("", RECORDS_ALONE)

    def as_json(self) -> dict[str, Any]:
        """What is stored: only what differs from an empty one."""
        empty = vars(Deletion(""))
        stored = {name: value for name, value in vars(self).items() if value != empty[name]}
        if self.proof:
            pairs = [[_stored(file) for file in pair] for pair in self.proof.pairs]
            stored["proof"] = {**vars(self.proof), "pairs": pairs}
        return stored

    @classmethod
    def from_json(cls, file_set_id: str, stored: Any) -> "Deletion":
        """Read what ``as_json`` made; an earlier version stored the format's name alone."""
        if isinstance(stored, str):
            return cls(stored)
        proof = stored.get("proof")
        if proof is None:
            return cls(**stored)
        sides = ((file_set_id, proof["format_id"]), (proof["twin_id"], proof["format_id"]))
        pairs = tuple(
            Pair(*(_file(*side, told) for side, told in zip(sides, pair, strict=True)))
            for pair in proof["pairs"]
        )
        return cls(**{**stored, "proof": Safe(**{**proof, "pairs": pairs})})


def _stored(file: File) -> list[Any]:
    return [getattr(file, name) for name in STORED]


def _file(file_set_id: str, format_id: str, stored: list[Any]) -> File:
    """A file of a file set that was active when it was stored."""
    told = dict(zip(STORED, stored, strict=True))
    return File(file_set_id=file_set_id, format_id=format_id, file_set_status=ACTIVE, **told)


@dataclass(frozen=True)
class AssetProgress:
    """What must be remembered about an asset from one inspection to the next.

    Attributes:
        copy_results: for each format whose copy was requested, what went wrong with it, as far as
            that is known; None for nothing.
        unanswered_until_ms: copies may have been requested without an answer. From this time on,
            iconik's list of jobs shows them if it got the request. None if there is no such doubt.
        unfinished_ms: when an unfinished file was first seen, since the last copy; None for not.
        deletions: by file set id, the deletions that may have begun, and aren't known to have
            ended.
        formats: by name, the id of each wanted format, once copies were requested.
        hint: by name, the ids of formats that a listing said could be copied at once.
        failures: how many times in a row iconik gave no usable answer about this asset.
    """

    copy_results: Mapping[str, Reason | None] = field(default_factory=dict)
    unanswered_until_ms: int | None = None
    unfinished_ms: int | None = None
    deletions: Mapping[str, Deletion] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)
    hint: Mapping[str, str] = field(default_factory=dict)
    failures: int = 0

    @property
    def unaccepted(self) -> dict[str, Deletion]:
        """The deletions that iconik has not accepted yet, by file set id."""
        return {each: one for each, one in self.deletions.items() if one.accepted_ms is None}

    @property
    def accepted(self) -> dict[str, Deletion]:
        """The deletions that iconik has accepted, still to be verified, by file set id."""
        return {each: one for each, one in self.deletions.items() if one.accepted_ms is not None}

    @property
    def must_be_finished(self) -> bool:
        """Whether even a newer click or a stop can't end the work on the asset.

        A half-done deletion would end by itself later, and so would a copy that may be under way.
        """
        return bool(self.deletions) or self.unanswered_until_ms is not None

    @property
    def is_touched(self) -> bool:
        """Whether anything was begun, or is awaited, for the asset."""
        is_awaited = bool(self.copy_results) or self.unfinished_ms is not None
        return self.must_be_finished or is_awaited

    def with_deletions(self, deletions: Mapping[str, Deletion]) -> "AssetProgress":
        """The progress once some deletions have begun, or have advanced."""
        return replace(self, deletions={**self.deletions, **deletions})

    def without_deletions(self, file_set_ids: Iterable[str]) -> "AssetProgress":
        """The progress once some deletions have ended, one way or the other."""
        ended = set(file_set_ids)
        rest = {each: one for each, one in self.deletions.items() if each not in ended}
        return replace(self, deletions=rest)

    def with_copy_results(self, results: Mapping[str, Reason | None]) -> "AssetProgress":
        """The progress once copies were requested, or have failed."""
        return replace(self, copy_results={**self.copy_results, **results})

    def as_json(self) -> dict[str, Any]:
        """What is stored: only what differs from the progress of a new asset."""
        new = vars(AssetProgress())
        stored = {name: value for name, value in vars(self).items() if value != new[name]}
        if self.copy_results:
            stored["copy_results"] = {
                name: problem and [problem, problem.stored]
                for name, problem in self.copy_results.items()
            }
        if self.deletions:
            stored["deletions"] = {each: one.as_json() for each, one in self.deletions.items()}
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "AssetProgress":
        """Read what ``as_json`` made, or what an earlier version of this service stored."""
        known = {OLD_KEYS.get(name, name): value for name, value in stored.items()}
        known.pop("versions", None)
        results = {
            name: _problem(problem) for name, problem in known.pop("copy_results", {}).items()
        }
        deletions = {
            each: Deletion.from_json(each, one) for each, one in known.pop("deletions", {}).items()
        }
        since_ms = known.pop("asking", None)
        if since_ms:
            known["unanswered_until_ms"] = since_ms + LISTING_LAG_MS
        return cls(**known, copy_results=results, deletions=deletions)


def _problem(stored: str | Sequence[str] | None) -> Reason | None:
    """What went wrong with a copy; an earlier version stored a sentence, "" for nothing."""
    if not stored:
        return None
    return Reason(stored) if isinstance(stored, str) else Reason.read(*stored)


@dataclass
class ClaimedAsset:
    """An asset that an operation has claimed, with the formats to process and who requested them.

    Attributes:
        progress: what is known now, which the ledger may not have yet.
        outcomes: by format name, what was known before, as ``outcomes.Outcome.stored``.
        seen: whether the click's own token has read it.
    """

    asset_id: str
    formats: tuple[str, ...]
    progress: AssetProgress
    user_id: str | None = field(default=None, compare=False)
    retry: Retry | None = field(default=None, compare=False)
    outcomes: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False)
    seen: bool = field(default=False, compare=False)


def read_operation(row: sa.Row[Any]) -> Operation:
    """A row of ``operations`` as a value."""
    return Operation(
        number=row.number,
        id=row.id,
        action=row.action,
        b2_storage_id=row.b2_storage_id,
        ll_storage_id=row.ll_storage_id,
        formats=tuple(row.formats),
        selection=row.selection,
        user_id=row.user_id,
        key=row.key,
        is_expanded=row.expanded >= row.request_count,
        recorded_ms=row.recorded_ms,
        ended_ms=row.ended_ms,
        failure=Reason.read(row.failure, row.failure_cause) if row.failure else None,
        stop_by=row.stop_by,
        stop_ms=row.stop_ms,
        retry_of=row.retry_of,
        retry_by=row.retry_by,
        result=row.result,
        counts=row.counts,
        next_check_ms=row.next_check_ms,
        outage=row.outage,
    )
