"""Operations, as values read from the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from b2_iconik.domain.click import Action, title_of
from b2_iconik.domain.reasons import Reason


def kind_and_id(what: str) -> tuple[str, str]:
    """Split the key of a selection that could not be listed, such as 'collection <id>'."""
    kind, _, object_id = what.rpartition(" ")
    return kind, object_id


def default_title(action: Action, selection: str, keep_ms: int | None = None) -> str:
    """Return the title of an operation that has no job in iconik, and none was noted."""
    return f"{title_of(action, keep_ms)}: {selection}"


# Where an operation comes from, if nobody clicked in iconik: it retries another one, removes what a
# preview found removable, or undoes a Remove: on request, or because what it marked deleted is no
# longer safe ('unsafe'). Or its assets' time on LucidLink is up; then 'last' is the last attempt.
# Or somebody removed assets on the page of what is on LucidLink.
OriginKind = Literal["retry", "preview", "undo", "unsafe", "due", "last", "page"]
ORIGINS: Mapping[OriginKind, str] = {
    "retry": "retry",
    "preview": "after a preview",
    "undo": "undo",
    "unsafe": "undo, no longer proven safe",
    "due": "time is up",
    "last": "time is up, last attempt",
    "page": "from the LucidLink page",
}
# The kinds of operations that remove assets whose time is up.
DUE: tuple[OriginKind, ...] = ("due", "last")
# The kinds of operations that do again what another one has left undone.
REPEATING: tuple[OriginKind, ...] = ("retry", "preview")


@dataclass(frozen=True)
class Origin:
    """Where an operation comes from that is not a click in iconik.

    Attributes:
        of: the id of the operation that it retries, undoes, or carries out; None if there is none.
        by: who requested it.
    """

    of: str | None
    by: str
    kind: OriginKind = "retry"

    @property
    def is_unexpected(self) -> bool:
        """Whether nobody knows of the operation yet: the service undoes what somebody removed."""
        return self.kind == "unsafe"


@dataclass(frozen=True)
class Operation:
    """One accepted click, or several identical clicks accepted before it began.

    Attributes:
        number: its position in the order of clicks; a higher number is newer.
        id: the UUID returned to iconik.
        formats: names of the requested formats.
        key: fingerprint of the key that encrypts its arguments.
        is_expanded: whether its assets are known.
        recorded_ms, ended_ms: milliseconds since 1970; ended_ms is None while it runs.
        failure: why the whole operation failed; None if it did not.
        stop_by, stop_ms: who requested the stop, and when.
        origin: where it comes from; None for a click in iconik.
        keep_ms: how long an Add keeps its assets on LucidLink, in milliseconds; None for no limit.
        undo_until_ms: when iconik may begin to purge what a Remove has only marked deleted, in
            milliseconds since 1970; None if it marked nothing, or purged it itself.
        undo_is_about: whether that time is estimated, because iconik did not tell how long it keeps
            what is marked deleted.
        result, counts: from its report. The counts are None until the report is made, right after
            the end of the operation.
        totals: from its report, too: ``by_format`` and ``bytes``. None for reports of earlier
            versions.
        next_check_ms: when it next reads from iconik; None for at once.
        outage: the request that iconik gave no usable answer to, while the operation waits for
            iconik.
        job_id: the job that shows it in iconik; "" if the job was requested and its id is unknown.
        title: the title of that job, which names some of the selection.
        user_name: the name of the user who clicked; "" if it can't be read, and None if it isn't
            known yet.
        path: the directory that an Add copies into; None for the root of the storage.
        names: ``storages`` and ``subjects``, as in ``Ledger.note_names``, as far as known.
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
    origin: Origin | None = None
    keep_ms: int | None = None
    undo_until_ms: int | None = None
    undo_is_about: bool = False
    result: str | None = None
    counts: Mapping[str, int] | None = None
    totals: Mapping[str, Any] | None = None
    next_check_ms: int | None = None
    outage: str | None = None
    job_id: str | None = None
    title: str | None = None
    user_name: str | None = None
    path: str | None = None
    names: Mapping[str, Any] | None = None

    @property
    def origin_of(self) -> str | None:
        """The id of the operation that it retries, undoes, or carries out; None for others."""
        return self.origin.of if self.origin else None

    @property
    def requested_by(self) -> str | None:
        """Who requested it, if nobody clicked in iconik."""
        return self.origin.by if self.origin else None

    @property
    def is_due(self) -> bool:
        """Whether it removes assets because their time is up."""
        return self.origin is not None and self.origin.kind in DUE


@dataclass(frozen=True)
class UndoWindow:
    """The time in which a deletion that only marks file sets can be undone.

    Attributes:
        since_ms, until_ms: by the wall clock, in milliseconds since 1970.
        is_about: whether the end is estimated.
    """

    since_ms: int
    until_ms: int
    is_about: bool


def named_user(name: str | None, user_id: str | None) -> str:
    """Return the user who clicked, as logs and reports name them."""
    return name or f"user {user_id or 'unknown'}"
