"""Why something was not done: a cause for programs, and a sentence for people. Pure: no I/O.

This module builds every sentence of a report. Metrics, advice and decisions depend on the cause
alone.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from b2_iconik.domain.sequences import described
from iconik_http.errors import (
    Contradicted,
    IconikError,
    IconikRefused,
    IconikUnavailable,
    NotPermitted,
    TokenExpired,
    TokenRejected,
    TooLate,
)
from iconik_http.records import UUID


class Cause(Enum):
    """The cause of a reason. Its value is stored, and is the value of a metric's label.

    The members are in order of significance: of several causes, the first is the most informative.
    """

    HALF_DELETED = "half_deleted"
    NOT_RESTORED = "not_restored"
    TOO_LATE = "too_late"
    NOT_DELETED = "not_deleted"
    UNVERIFIED = "unverified"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - no token
    NOT_PERMITTED = "not_permitted"
    TOO_SLOW = "too_slow"
    NO_ANSWER = "no_answer"
    SHARED_FILE = "shared_file"
    LOST_IN_BUCKET = "lost_in_bucket"
    NOT_CONFIRMED = "not_confirmed"
    DIFFERS = "differs"
    CHECKSUMS = "checksums"
    SEQUENCE = "sequence"
    STORAGE_CLOSED = "storage_closed"
    COPY_FAILED = "copy_failed"
    BAD_COPY = "bad_copy"
    LOST = "lost"
    NO_SOURCE = "no_source"
    BEING_WRITTEN = "being_written"
    UNCLEAR_RECORDS = "unclear_records"
    REFUSED = "refused"
    BAD_TWIN = "bad_twin"
    BAD_FILE = "bad_file"
    LEFT_OUT = "left_out"
    RESTORED = "restored"
    # These have their own outcomes.
    WAS_MISSING = "was_missing"
    BEING_DELETED = "being_deleted"
    PROTECTED = "protected"
    NEWER_CLICK = "newer_click"
    VANISHED = "vanished"
    # No outcome of a format has one of these causes. They explain a missing outcome, or concern
    # whole operations.
    LEFT_TO_ICONIK = "left_to_iconik"
    NOT_STARTED = "not_started"
    TOKEN_REJECTED = "token_rejected"  # noqa: S105 - no token
    FAULT = "fault"

    def __call__(self, text: str, several: str = "") -> "Sentence":
        """Return a sentence with this cause; see ``Sentence``."""
        return Sentence(self, text, several)


# The label of a reason without a cause. An earlier version stored no causes.
OTHER = "other"
OF_TROUBLE = tuple(Cause)[: tuple(Cause).index(Cause.WAS_MISSING)]
_LABELS_OF_TROUBLE = (*(each.value for each in OF_TROUBLE if each != Cause.UNVERIFIED), OTHER)


class Reason(str):
    """A sentence with its cause. It is displayed, compared and stored like any other text.

    Args:
        text: the sentence.
        cause: None for a sentence that an earlier version stored, or that needs no cause.

    Attributes:
        sentence, values: what it was made from; None and empty if it was made otherwise.
    """

    __slots__ = ("cause", "sentence", "values")
    cause: Cause | None
    sentence: "Sentence | None"
    values: Mapping[str, object]

    def __new__(cls, text: str = "", cause: Cause | None = None) -> "Reason":
        """Create a reason. Most are created by ``Sentence``."""
        made = super().__new__(cls, text)
        made.cause = cause
        made.sentence, made.values = None, {}
        return made

    @classmethod
    def of(cls, text: str) -> "Reason":
        """Convert a text to a reason. A text that is a reason keeps its cause."""
        return text if isinstance(text, Reason) else cls(text)

    @classmethod
    def read(cls, text: str, stored: str | None) -> "Reason":
        """Read a sentence and the stored value of its cause; None or "" if it has none."""
        return cls(text, Cause(stored) if stored else None)

    def __add__(self, rest: str) -> "Reason":
        """Return the reason with more text and the same cause."""
        return Reason(f"{self}{rest}", self.cause)

    @property
    def stored(self) -> str:
        """The value of the cause, stored next to the text; "" without a cause."""
        return self.cause.value if self.cause else ""

    @property
    def label(self) -> str:
        """The cause as a metric's label, which must have few values; "" for an empty reason."""
        return self.stored or (OTHER if self else "")


NO_REASON = Reason()

# The causes of iconik's and B2's errors. The first match applies.
_CAUSES: tuple[tuple[type[Exception], Cause], ...] = (
    (TooLate, Cause.TOO_SLOW),
    (IconikUnavailable, Cause.NO_ANSWER),
    (Contradicted, Cause.UNCLEAR_RECORDS),
    (NotPermitted, Cause.NOT_PERMITTED),
    (TokenExpired, Cause.TOKEN_EXPIRED),
    (TokenRejected, Cause.TOKEN_REJECTED),
    (IconikRefused, Cause.REFUSED),
)


# The id of an object in the description of a call, and the kind of the object.
_OBJECT = re.compile(rf"((?:file |saved )?\w+) ({UUID.pattern})\b", re.IGNORECASE)


def reason_of(error: Exception, names: Mapping[str, str] = MappingProxyType({})) -> Reason:
    """Return an error's message as a reason for people, with a cause if the error has one.

    It contains no ids: the outcome that it explains names the asset, and the log has the others.

    Args:
        names: by id, the names to display for objects, such as "the B2 storage 'Masters'".
    """
    cause = next((cause for kind, cause in _CAUSES if isinstance(error, kind)), None)
    if not isinstance(error, IconikError):
        return Reason(str(error), cause)

    def named(found: re.Match[str]) -> str:
        return names.get(found[2].lower()) or f"the {found[1]}"

    call = _OBJECT.sub(named, error.call)
    if isinstance(error, NotPermitted):
        who = "ICONIK_TOKEN" if error.is_application else "the person who clicked"
        role = f"the role {error.role}, or for " if error.role else ""
        told = f"{who} may not {call}: ask an iconik administrator for {role}access"
        return Reason(f"{told} ({error.problem})", cause)
    return Reason(f"could not {call}: {error.problem}", cause)


class Sentence(NamedTuple):
    """A sentence of a report, with placeholders for its values.

    Attributes:
        text: the sentence about one file, or about none.
        several: the sentence about several files of a file set, with the placeholders ``files`` and
            ``names`` for them; "" if there is none. The other values are those of one of them.
    """

    cause: Cause
    text: str
    several: str = ""

    def __call__(self, cause: Cause | None = None, /, **values: object) -> Reason:
        """Return the reason with these values.

        Args:
            cause: replaces the usual cause, if a value explains more.
            values: by the name of their placeholder.
        """
        made = Reason(self.text.format(**values), cause or self.cause)
        made.sentence, made.values = self, values
        return made


def about_all(reason: Reason, some: Sequence[str], every: Sequence[str]) -> Reason:
    """Return a reason about one file as a reason about all files with the same problem.

    Args:
        some: the names of the files with the problem, its own included.
        every: the names of all files of the file set.
    """
    if len(some) < 2 or reason.sentence is None or not reason.sentence.several:
        return reason
    files, names = described(some, every)
    text = reason.sentence.several.format(**{**reason.values, "files": files, "names": names})
    return Reason(text, reason.cause)


def joined(reasons: Iterable[Reason]) -> Reason:
    """Join several reasons into one, with the most informative cause."""
    every = list(reasons)
    causes = [each.cause for each in every if each.cause]
    return Reason("; ".join(every), min(causes, key=list(Cause).index, default=None))


def expected(action: str) -> tuple[tuple[str, str], ...]:
    """Return the possible results for a format of an asset.

    Args:
        action: one of ``click.ACTIONS``.

    Returns:
        Pairs of an outcome's kind and its reason's label.
    """
    superseded = ("superseded", Cause.NEWER_CLICK)
    done = {
        "add": ("copied", "there", "without"),
        "remove": ("removed", "absent", "without"),
        "preview": ("removable", "absent", "without"),
        "undo": ("restored", "there"),
    }[action]
    own = {
        "add": (("restored", Cause.RESTORED), superseded),
        "remove": (
            ("removed", Cause.UNVERIFIED),
            ("removed", Cause.WAS_MISSING),
            ("kept", Cause.PROTECTED),
            superseded,
        ),
        "preview": (
            ("removable", Cause.WAS_MISSING),
            ("uncopied", Cause.BAD_TWIN),
            ("kept", Cause.BEING_DELETED),
            ("kept", Cause.PROTECTED),
        ),
        "undo": (superseded,),
    }[action]
    trouble = ("kept", "failed") if action in ("remove", "preview") else ("failed",)
    return (
        *((kind, "") for kind in done),
        *((kind, cause.value) for kind, cause in own),
        ("vanished", Cause.VANISHED.value),
        *((kind, label) for kind in trouble for label in _LABELS_OF_TROUBLE),
    )


# The state of files on LucidLink and on B2

STILL_WRITTEN = Cause.BEING_WRITTEN(
    "{name} is still being written on LucidLink ({status})",
    "{files} are still being written on LucidLink{names}",
)
WRITTEN_ANEW = Cause.BEING_WRITTEN(
    "{name} is being overwritten on {where}", "{files} are being overwritten on {where}{names}"
)
NO_ORDINARY_FILE = Cause.BAD_FILE("{name} is not a regular file but {type}")
BAD_STATUS_HERE = Cause.BAD_FILE(
    "{name} is {status} on LucidLink",
    "{files} are unusable on LucidLink{names}, such as {name}, which is {status}",
)
BAD_SIZE_HERE = Cause.BAD_FILE(
    "{name} has {size} on LucidLink",
    "{files} have no content or no known size on LucidLink{names}",
)
NO_LONGER_HERE = Cause.BAD_FILE("its files are no longer on LucidLink")()
OF_NO_FORMAT = Cause.BAD_FILE(
    "{name} is on LucidLink, but iconik does not say which of the asset's formats it belongs to: "
    "check in iconik whether it belongs to this format"
)
NO_TWIN = Cause.BAD_TWIN(
    "{name} has no matching file on B2", "{files} have no matching file on B2{names}"
)
UNFINISHED_TWIN = Cause.BAD_TWIN(
    "{name} is incomplete on B2 ({status})", "{files} are incomplete on B2{names}"
)
BAD_STATUS_THERE = Cause.BAD_TWIN(
    "{name} is {status} on B2",
    "{files} are unusable on B2{names}, such as {name}, which is {status}",
)
BAD_SIZE_THERE = Cause.BAD_TWIN(
    "{name} has {size} on B2", "{files} have no content or no known size on B2{names}"
)
ANOTHER_TWIN = Cause.BAD_TWIN("the file on B2 that proved {name} safe has changed")
DIFFERS = Cause.DIFFERS(
    "{name} differs from its master: {what}{here} on LucidLink, {there} on B2",
    "{files} differ from their masters{names}, such as {name}: {what}{here} on LucidLink, {there} "
    "on B2",
)
UNCLEAR_CHECKSUMS = Cause.CHECKSUMS(
    "the checksums of {name} cannot be compared because their algorithms are unknown: checksum "
    "{here} on LucidLink, {there} on B2",
    "the checksums of {files} cannot be compared because their algorithms are unknown{names}, such "
    "as {name}: checksum {here} on LucidLink, {there} on B2",
)
NO_CHECKSUM = Cause.CHECKSUMS(
    "REQUIRE_CHECKSUM is set, but iconik has no comparable checksums of {name} on LucidLink and B2",
    "REQUIRE_CHECKSUM is set, but iconik has no comparable checksums of {files} on LucidLink and "
    "B2{names}",
)
ONE_RECORD = Cause.SEQUENCE(
    "{name} on {where} is an image sequence in a single record, which cannot prove that every "
    "frame is there"
)
SHARED = Cause.SHARED_FILE("{name} also belongs to another file set on LucidLink ({which}), {why}")
LOST = Cause.LOST(
    "{reason}, and there is nothing to copy: {name} is MISSING on LucidLink",
    "{reason}, and there is nothing to copy: {files} are MISSING on LucidLink{names}",
)
OTHERS_DELETION = Cause.BEING_DELETED(
    "another operation has begun to delete file set {file_set_id}, and has not finished"
)
ALREADY_MISSING = Cause.WAS_MISSING("its files were already missing from LucidLink")()

PROTECTED = Cause.PROTECTED("protected by {by} until {until}")

# Contradictory or missing information from iconik

NO_FILE_SET = Cause.UNCLEAR_RECORDS(
    "iconik does not say which file set this format's files belong to"
)()
MIXED_FILE_SET = Cause.UNCLEAR_RECORDS(
    "iconik also lists files of other formats or storages in its file set"
)()
NO_FILE = Cause.UNCLEAR_RECORDS("iconik lists a file set on LucidLink, but no file in it")()
EMPTY_DIRECTORY = Cause.UNCLEAR_RECORDS("iconik lists no file in directory {name} on LucidLink")
NO_NAME = Cause.UNCLEAR_RECORDS("iconik lists one of the files on LucidLink without a name")()
TWICE = Cause.UNCLEAR_RECORDS(
    "iconik lists {name} twice on LucidLink", "iconik lists {files} twice on LucidLink{names}"
)
DISPUTED = Cause.UNCLEAR_RECORDS(
    "iconik lists {name} on {where} more than once, with different sizes or checksums",
    "iconik lists {files} on {where} more than once, with different sizes or checksums{names}",
)
QUEUED_AND_LISTED = Cause.UNCLEAR_RECORDS(
    "file set {file_set_id} is in iconik's delete queue, but iconik lists its files as {status}"
)
OTHER_STATUS = Cause.UNCLEAR_RECORDS(
    "iconik lists file set {file_set_id} as {status}, but its files as {told}"
)
OTHER_COUNT = Cause.UNCLEAR_RECORDS(
    "iconik reports a file count of {count:,} for file set {file_set_id}, but lists {listed:,}"
)

# What B2 says

GONE_FROM_BUCKET = Cause.LOST_IN_BUCKET(
    "{name} is gone from B2: iconik lists {listed}, but the bucket has {gone}"
)
OTHER_SIZE_IN_BUCKET = Cause.LOST_IN_BUCKET(
    "{name} differs on B2: iconik lists {listed}, but the bucket has {held}"
)
OTHER_SHA1_IN_BUCKET = Cause.LOST_IN_BUCKET(
    "{name} differs on B2: SHA-1 {known} {where}, but {held} in the bucket"
)
NOT_CONFIRMED = Cause.NOT_CONFIRMED("{name} is not confirmed by B2: {problem}")

# Copies

STORAGE_CLOSED = Cause.STORAGE_CLOSED("{reason}, and {obstacle}")
COPY_TO_B2_ENDED = Cause.COPY_FAILED("{reason}, although the requested copy to B2 has ended{told}")
GROWING = Cause.BEING_WRITTEN(
    "{name} has been growing on LucidLink", "{files} have been growing on LucidLink{names}"
)
UNFINISHED_HERE = Cause.COPY_FAILED(
    "{name} has been unfinished on LucidLink ({status})",
    "{files} have been unfinished on LucidLink{names}",
)
STILL_GROWING = Cause.BEING_WRITTEN("it is there, but {unfinished} for {age}")
COPY_TO_LUCIDLINK_ENDED = Cause.COPY_FAILED("the copy to LucidLink has ended, but {state}{told}")
NOT_ARRIVED = Cause.BAD_COPY(
    "{name} did not arrive on LucidLink", "{files} did not arrive on LucidLink{names}"
)
ARRIVED_IN_PART = Cause.BAD_COPY(
    "{name}: {here} of {there} arrived on LucidLink",
    "{files} arrived only in part on LucidLink{names}, such as {name}: {here} of {there}",
)
ARRIVED_LARGER = Cause.BAD_COPY(
    "{name} arrived on LucidLink with {here}, but its source has {there}",
    "{files} arrived on LucidLink larger than their sources{names}, such as {name}: {here}, but "
    "its source has {there}",
)
ARRIVED_OTHERWISE = Cause.BAD_COPY(
    "{name} arrived on LucidLink with a different checksum: {here}, but its source has "
    "{there}{unless}",
    "{files} arrived on LucidLink with different checksums{names}, such as {name}: {here}, but its "
    "source has {there}{unless}",
)
NO_SOURCE = Cause.NO_SOURCE("no storage has a complete set of its files to copy to LucidLink")()
LEFT = Cause.LEFT_TO_ICONIK(
    "the requested copy may still be running in iconik: see its result in iconik's jobs list"
)()
LEFT_AND_ENDED = Cause.LEFT_TO_ICONIK(
    "the requested copy has ended in iconik since: try again to check what has arrived"
)()

# Deletions

ACCEPTED = Cause.UNVERIFIED("iconik accepted the deletion; the plugin did not check it further")()
STILL_THERE = Cause.NOT_DELETED(
    "iconik accepted the deletion, but file set {file_set_id} is still there"
)
UNFINISHED = Cause.HALF_DELETED(
    "the deletion was not finished, and file set {file_set_id} may be in iconik's delete queue: "
    "restore it there before iconik empties the queue, or click again"
)
TAKEN_OVER = Cause.RESTORED("the deletion was not finished, and a newer click takes over")()
RESTORED = Cause.RESTORED("{reason}, so file set {file_set_id} was restored")
CANT_BE_RESTORED = Cause.NOT_RESTORED(
    "{reason}, but file set {file_set_id} cannot be restored: it no longer exists in iconik (404)"
)
NOT_RESTORED = Cause.HALF_DELETED(
    "{reason}; {refusal}; restore file set {file_set_id} from iconik's delete queue before iconik "
    "empties it"
)
NOT_NOTED = Cause.RESTORED(
    "iconik no longer lists its files, and the proof that they are safe was not recorded"
)()
EARLIER = Cause.RESTORED("an earlier operation marked it deleted")()
UNDONE = Cause.RESTORED("the removal is not undone")()
TOO_LATE = Cause.TOO_LATE("iconik no longer has file set {file_set_id}: the undo came too late")
NOTHING_LEFT = Cause.TOO_LATE(
    "nothing is left to undo, and it is not on LucidLink: see what later operations did with it"
)()
ENDED = Cause.RESTORED("the operation ended before the deletion was finished")()

# Clicks and operations

TAKEN_BY_NEWER = Cause.NEWER_CLICK("a newer click took over")()
TAKEN_BY = Cause.NEWER_CLICK("a newer {action} took over")
VANISHED = Cause.VANISHED("the asset no longer exists in iconik")()
NOT_COME_TO = Cause.NOT_STARTED("not started before the operation ended")()
OUTAGE = Cause.NO_ANSWER("iconik gave no usable answer for too long: {error}")
UNREADABLE = Cause.FAULT("the stored click cannot be read: click again in iconik")()
FAULT = Cause.FAULT("internal error in the plugin ({error}): see the service's log")
NOT_LISTED = Cause.NO_ANSWER(
    "{error} ({times} attempts), so {done}: click again when iconik can list it"
)
OTHERS_LEFT_OUT = Cause.LEFT_OUT("{count:,} of {listed:,} results {are} left out: {types}")
