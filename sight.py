"""One asset as iconik's files API shows it now, and what a look at it led to."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from custody import Safe
from errors import NotFound
from freshness import Reading
from iconik import Iconik
from outcomes import Outcome
from records import File, Format


@dataclass(frozen=True)
class Sight:
    """An asset's formats, and its files on all storages; each file's file set status is known.

    Attributes:
        until: so long a deletion may rest on it, by ``freshness.now``.
    """

    formats: list[Format]
    files: list[File]
    until: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Patience:
    """What time it is, and how long to wait for files that are still being written.

    Attributes:
        now_ms: milliseconds since 1970.
        settle_ms: how long a file may stay unfinished, in milliseconds.
    """

    now_ms: int
    settle_ms: int

    def is_over(self, since_ms: int | None) -> bool:
        """Whether what was first seen at a time has had its time."""
        return since_ms is not None and self.now_ms - since_ms >= self.settle_ms


@dataclass
class Look:
    """What a look at an asset led to.

    Attributes:
        outcomes: by format name, what is known now.
        doubts: outcomes that hold only if no copy is under way: one has ended, without its file.
        copies: names of the formats whose copies must be asked for.
        is_unfinished: something is being written, so the asset must be looked at again later.
        is_being_copied: copies of it that nobody had noted are under way, and are followed now.
        marked: by the id of a file set that is marked deleted, and whose files are still to be
            purged, what proved it safe.
        stuck: by the id of a file set that is marked deleted, and whose files could not be purged,
            why.
        until: so long what is marked may be purged, by ``freshness.now``.
        is_overtaken: a newer click came in between, so who wants what must be asked anew.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    doubts: dict[str, Outcome] = field(default_factory=dict)
    copies: list[str] = field(default_factory=list)
    is_unfinished: bool = False
    is_being_copied: bool = False
    is_overtaken: bool = False
    marked: dict[str, Safe] = field(default_factory=dict)
    stuck: dict[str, str] = field(default_factory=dict)
    until: float = 0.0


def see(iconik: Iconik, asset_id: str, known: Iterable[Format] = ()) -> Sight | None:
    """Look at an asset; None if iconik knows it no more.

    Args:
        known: its formats, if they need not be asked for again. Two requests otherwise, as a rule.

    Raises:
        IconikError: iconik gave no usable answer, or refused.
    """
    formats, files, reading = list(known), list[File](), Reading()
    try:
        formats = formats or iconik.formats(asset_id)
        files = iconik.files(asset_id, reading) if formats else []
    except NotFound:
        # The same answer may stand for an asset that has none yet.
        if not iconik.asset_exists(asset_id):
            return None
    files = _with_statuses(iconik, asset_id, files, reading)
    return Sight(formats, files, reading.until)


def vanished(formats: Iterable[str]) -> Look:
    """What a look at an asset leads to that iconik knows no more."""
    reason = "iconik knows the asset no more"
    return Look({name: Outcome("vanished", reason) for name in formats})


def _with_statuses(
    iconik: Iconik, asset_id: str, files: list[File], reading: Reading
) -> list[File]:
    """Fill in file set statuses, which iconik's file records may leave out."""
    if all(file.file_set_status for file in files):
        return files
    statuses = iconik.file_set_statuses(asset_id, reading)
    return [
        replace(file, file_set_status=file.file_set_status or statuses.get(file.file_set_id))
        for file in files
    ]
