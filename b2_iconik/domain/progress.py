"""What is remembered of an asset while an operation processes it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from b2_iconik.domain.custody import Pair, Safe
from b2_iconik.domain.operation import Origin
from b2_iconik.domain.reasons import Reason
from iconik_http.records import ACTIVE, File

# How long what listings suggest is used, if nothing else has happened since.
HINT_HOLDS_MS = 1_800_000
# How long a new job may be missing from iconik's lists.
LISTING_LAG_MS = 60_000
# The names that earlier versions stored for parts of an asset's progress, and those that only
# saved requests.
OLD_KEYS = {"asked": "copy_results", "deleting": "deletions"}
DROPPED_KEYS = ("versions", "formats", "hint")
# The ``way`` of a confirmation that made no request to B2.
RECORDS_ALONE = "records alone"
# The stored attributes of a file on LucidLink, or of its twin on B2.
STORED = (
    "id", "storage_id", "name", "original_name", "directory_path", "type", "status", "size",
    "checksum",
)  # fmt: skip


@dataclass(frozen=True)
class Deletion:
    """A deletion that has begun.

    Attributes:
        name: the name of the file set's format.
        proof: what proved the file set safe, without its pairs once iconik has accepted the
            deletion. None if an earlier version of this service recorded the deletion.
        way: how the bucket confirmed the proof, as in ``bucket.confirm.Confirmation``.
        accepted_ms: when iconik accepted it, by the clock of operations; None before that.
        shared_with: the names of other formats of the asset that have a file of the same path.
        is_doubted: whether iconik contradicted itself about it. Then only a list of the asset's
            file sets shows whether it is done.
    """

    name: str
    proof: Safe | None = None
    way: str = ""
    accepted_ms: int | None = None
    is_doubted: bool = False
    shared_with: tuple[str, ...] = ()

    def accepted_for_ms(self, now_ms: int) -> int:
        """Return the milliseconds since iconik accepted it; 0 if iconik has not."""
        return 0 if self.accepted_ms is None else now_ms - self.accepted_ms

    @property
    def strength(self) -> tuple[bool, bool]:
        """Whether a checksum proved it, and whether B2 was asked; see ``outcomes.proof_of``."""
        return bool(self.proof and self.proof.by_checksum), self.way not in ("", RECORDS_ALONE)

    def as_json(self) -> dict[str, Any]:
        """Return the values to store: those that differ from an empty deletion's."""
        empty = vars(Deletion(""))
        stored = {name: value for name, value in vars(self).items() if value != empty[name]}
        if self.proof:
            pairs = [[_stored(file) for file in pair] for pair in self.proof.pairs]
            stored["proof"] = {**vars(self.proof), "pairs": pairs}
        return stored

    @classmethod
    def from_json(cls, file_set_id: str, stored: Any) -> "Deletion":
        """Read the result of ``as_json``. An earlier version stored only the format's name."""
        if isinstance(stored, str):
            return cls(stored)
        stored = {**stored, "shared_with": tuple(stored.get("shared_with", ()))}
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
    """Return a stored file. Its file set was active when it was stored."""
    told = dict(zip(STORED, stored, strict=True))
    return File(file_set_id=file_set_id, format_id=format_id, file_set_status=ACTIVE, **told)


@dataclass(frozen=True)
class Hint:
    """What a listing suggests about an asset. It may be out of date, and lack anything.

    Attributes:
        title: the asset's title; "" if unknown.
        format_names, ready: as in ``AssetProgress``.
        size: the size of the clicked formats, in bytes; None if unknown.
    """

    title: str = ""
    format_names: Mapping[str, str] = field(default_factory=dict)
    ready: tuple[str, ...] = ()
    size: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class AssetProgress:
    """What must be remembered about an asset from one inspection to the next.

    Attributes:
        copy_results: for each format whose copy was requested, its problem as far as known; None
            for no problem.
        unanswered_until_ms: set if a request for copies got no answer. From this time on, iconik's
            list of jobs shows the copies if iconik received the request. None otherwise.
        unfinished_ms: when an unfinished file was first seen since the last copy, or when the index
            first lacked what was copied; None if neither was.
        unfinished: what was unfinished when the asset was last read, escaped for display, to be
            continued with 'for 12 min'; "" if nothing was.
        deletions: by file set id, the deletions that may have begun and aren't known to have ended.
        marked: by file set id, the deletions that iconik has accepted but not carried out: what is
            only marked deleted can be restored until iconik purges it, or somebody else does.
        format_names: by id, the names of the asset's formats, the newest first, if a listing or an
            earlier reading has shown them.
        ready: the names of the formats that a listing showed as ready to copy.
        hinted_ms: when it did, in milliseconds since 1970; None if no listing has shown the asset.
        failures: the number of consecutive times that iconik gave no usable answer about this
            asset.
    """

    copy_results: Mapping[str, Reason | None] = field(default_factory=dict)
    unanswered_until_ms: int | None = None
    unfinished_ms: int | None = None
    unfinished: str = ""
    deletions: Mapping[str, Deletion] = field(default_factory=dict)
    marked: Mapping[str, Deletion] = field(default_factory=dict)
    format_names: Mapping[str, str] = field(default_factory=dict)
    ready: tuple[str, ...] = ()
    hinted_ms: int | None = None
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
    def formats_being_deleted(self) -> set[str]:
        """The names of the formats with deletions that are not known to have ended."""
        return {each.name for each in self.deletions.values()}

    @property
    def must_be_finished(self) -> bool:
        """Whether the work on the asset must go on even after a newer click or a stop.

        iconik would later complete a deletion that has begun, and a copy that may be in progress.
        """
        return bool(self.deletions) or self.unanswered_until_ms is not None

    @property
    def is_touched(self) -> bool:
        """Whether the operation has begun, or awaits, anything for the asset."""
        is_awaited = bool(self.copy_results) or self.unfinished_ms is not None
        return self.must_be_finished or is_awaited

    def with_current_hint(self, now_ms: int, *, is_new: bool, is_add: bool) -> "AssetProgress":
        """Return the progress without what a listing suggested, as far as it may be outdated.

        Args:
            now_ms: milliseconds since 1970.
            is_new: whether nothing has happened to the asset since the listing.
            is_add: whether the asset is added. The names of formats decide what a Remove deletes.
        """
        is_old = abs(now_ms - (self.hinted_ms or 0)) > HINT_HOLDS_MS
        progress = self
        if not self.copy_results and (is_old or not is_new):
            progress = replace(progress, ready=())
        return replace(progress, format_names={}) if is_old and not is_add else progress

    def with_deletions(self, deletions: Mapping[str, Deletion]) -> "AssetProgress":
        """Return the progress after some deletions have begun or advanced."""
        return replace(self, deletions={**self.deletions, **deletions})

    def without_deletions(self, file_set_ids: Iterable[str]) -> "AssetProgress":
        """Return the progress after some deletions have ended, successfully or not."""
        ended = set(file_set_ids)
        rest = {each: one for each, one in self.deletions.items() if each not in ended}
        return replace(self, deletions=rest)

    def with_copy_results(self, results: Mapping[str, Reason | None]) -> "AssetProgress":
        """Return the progress after copies were requested or have failed."""
        return replace(self, copy_results={**self.copy_results, **results})

    def as_json(self) -> dict[str, Any]:
        """Return the values to store: those that differ from a new asset's."""
        new = vars(AssetProgress())
        stored = {name: value for name, value in vars(self).items() if value != new[name]}
        if self.copy_results:
            stored["copy_results"] = {
                name: problem and [problem, problem.stored]
                for name, problem in self.copy_results.items()
            }
        for name in ("deletions", "marked"):
            if name in stored:
                stored[name] = {each: one.as_json() for each, one in stored[name].items()}
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "AssetProgress":
        """Read the result of ``as_json``, or what an earlier version of this service stored."""
        known = {OLD_KEYS.get(name, name): value for name, value in stored.items()}
        for name in DROPPED_KEYS:
            known.pop(name, None)
        known["ready"] = tuple(known.get("ready", ()))
        results = {
            name: _problem(problem) for name, problem in known.pop("copy_results", {}).items()
        }
        for name in ("deletions", "marked"):
            found = known.get(name, {})
            known[name] = {each: Deletion.from_json(each, one) for each, one in found.items()}
        since_ms = known.pop("asking", None)
        if since_ms:
            known["unanswered_until_ms"] = since_ms + LISTING_LAG_MS
        return cls(**known, copy_results=results)


def _problem(stored: str | Sequence[str] | None) -> Reason | None:
    """Return a copy's stored problem. An earlier version stored a sentence, or "" for none."""
    if not stored:
        return None
    return Reason(stored) if isinstance(stored, str) else Reason.read(*stored)


@dataclass
class ClaimedAsset:
    """An asset that an operation has claimed, with the formats to process and who requested them.

    Attributes:
        progress: the current progress. The ledger may still hold an older one.
        outcomes: by format name, the earlier outcomes, as in ``outcomes.Outcome.stored``.
        seen: whether the click's own token has read the asset, or iconik has accepted a request
            for a copy of it.
        title: as iconik listed it; "" if unknown.
        user_name: the name of the user who clicked; "" if unknown.
        due: by format name, why it is due; see ``keeping.told_why``. Empty if nothing is.
        must_be_seen: whether something is left to be restored, which waits until the click's own
            token has read the asset.
    """

    asset_id: str
    formats: tuple[str, ...]
    progress: AssetProgress
    user_id: str | None = field(default=None, compare=False)
    origin: Origin | None = field(default=None, compare=False)
    outcomes: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False)
    seen: bool = field(default=False, compare=False)
    title: str = field(default="", compare=False)
    user_name: str = field(default="", compare=False)
    due: Mapping[str, str] = field(default_factory=dict, compare=False)
    must_be_seen: bool = field(default=False, compare=False)

    @property
    def named(self) -> str:
        """The asset as logs name it."""
        return f"asset {self.asset_id}" + (f" ({self.title})" if self.title else "")
