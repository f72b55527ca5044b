"""What the ledger tells of operations and their assets, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from custom_action import Action

# What it was before there were times, ``true``, is read as this.
SOME_TIME = 1


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
        looks_ms: when it looks at iconik again, where that is not at once.
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
    failure: str | None
    stop_by: str | None = None
    stop_ms: int | None = None
    retry_of: str | None = None
    retry_by: str | None = None
    result: str | None = None
    counts: Mapping[str, int] | None = None
    looks_ms: int | None = None
    outage: str | None = None

    @property
    def retry(self) -> Retry | None:
        """What it tries again, and who asked for that; None where somebody clicked in iconik."""
        return Retry(self.retry_of, self.retry_by) if self.retry_of and self.retry_by else None


@dataclass
class Memo:
    """What has to be remembered of an asset from one look to the next.

    Attributes:
        asked: by format, what was said of the copy that was asked for; "" for nothing bad.
        unfinished_ms: when an unfinished file was first seen, since the last copy; None for not.
        deleting: the format name of each file set whose deletion may have begun, by its id.
        versions: the format id of each of them, by the file set's id: versions of an asset have
            formats of one name.
        formats: by name, the id of each wanted format, once copies were asked for.
        hint: by name, the ids of formats that a listing said could be copied at once.
        asking: when copies were about to be asked for, of which it isn't known whether iconik heard
            it; ``SOME_TIME`` where it doesn't matter when, as with those to B2, and 0 for not.
        failures: how often in a row iconik gave no usable answer about this asset.
    """

    asked: dict[str, str] = field(default_factory=dict)
    unfinished_ms: int | None = None
    deleting: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)
    hint: dict[str, str] = field(default_factory=dict)
    asking: int = 0
    failures: int = 0

    def end_deletion(self, file_set_id: str) -> None:
        """Forget a deletion: it was brought to its end, or never began."""
        del self.deleting[file_set_id]
        # One that an earlier version of this service has begun has none.
        self.versions.pop(file_set_id, None)

    def as_json(self) -> dict[str, Any]:
        """What is stored: only what differs from an empty memo."""
        empty = vars(Memo())
        return {name: value for name, value in vars(self).items() if value != empty[name]}


@dataclass
class Held:
    """An asset that an operation may touch now, for which of its formats, and who wanted that.

    Attributes:
        seen: whether the click's own token has read it.
    """

    asset_id: str
    formats: tuple[str, ...]
    memo: Memo
    user_id: str | None = field(default=None, compare=False)
    retry: Retry | None = field(default=None, compare=False)
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
        is_expanded=row.expanded >= row.clicks,
        recorded_ms=row.recorded_ms,
        ended_ms=row.ended_ms,
        failure=row.failure,
        stop_by=row.stop_by,
        stop_ms=row.stop_ms,
        retry_of=row.retry_of,
        retry_by=row.retry_by,
        result=row.result,
        counts=row.counts,
        looks_ms=row.looks_ms,
        outage=row.outage,
    )
