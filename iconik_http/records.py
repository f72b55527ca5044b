"""iconik's records, parsed tolerantly into frozen values.

A field that is absent, or has another type than iconik documents, becomes None or "", never a
guess: code that decides about a deletion must be able to see that a value is unknown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

Json = Mapping[str, Any]

FINAL_STATUSES = frozenset(
    {"FINISHED", "FINISHED_WITH_WARNING", "FAILED", "ABORTED", "SKIPPED", "DISCARDED"}
)
# Statuses of a file set.
ACTIVE = "ACTIVE"
DELETED = "DELETED"
# Statuses of a file.
GROWING = "GROWING"
UNFINISHED = frozenset({"OPEN", GROWING, "AWAITED"})
CLOSED = "CLOSED"
MISSING = "MISSING"
# The method of a storage on Backblaze B2: B2, or S3 if it was added through the S3-compatible API.
B2 = "B2"
S3 = "S3"
B2_DOMAIN = "backblazeb2.com"


@dataclass(frozen=True)
class Format:
    """A rendition of an asset (GET files/v1/assets/{id}/formats/)."""

    id: str
    name: str
    date_created: str = ""

    @classmethod
    def from_json(cls, record: Json) -> "Format":
        """Read a FormatSchema object."""
        return cls(_id(record, "id"), text(record, "name"), text(record, "date_created"))


@dataclass(frozen=True)
class Listed:
    """What a listing shows of one object (collection contents, saved searches, playlists).

    A listing comes from an index that lags behind. Use it to find objects, never as evidence for a
    deletion.

    Attributes:
        object_type: 'assets', 'collections', 'segments', or another type of iconik's.
        id: the id of the asset or collection; for a segment, the id of its asset. "" if unknown.
        record: everything that the listing shows. Newer versions of iconik add an asset's formats
            and files.
    """

    object_type: str
    id: str
    record: Json = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_segment(self) -> bool:
        """Whether it is a segment of an asset."""
        return self._type == "segment"

    @property
    def kind(self) -> Literal["asset", "collection", "other"]:
        """The kind of object that ``id`` identifies, however iconik spells its type."""
        if self.id and self._type in ("asset", "segment"):
            return "asset"
        return "collection" if self.id and self._type == "collection" else "other"

    @property
    def _type(self) -> str:
        return self.object_type.strip().casefold().removesuffix("s")

    @property
    def title(self) -> str:
        """Its title, as far as the listing shows it."""
        return text(self.record, "title")

    @property
    def formats(self) -> list[Format]:
        """Its undeleted formats, as far as the listing shows them."""
        found = _objects(self.record, "formats")
        return [Format.from_json(each) for each in found if each.get("status") != DELETED]

    @property
    def files(self) -> list["File"]:
        """Its files, as far as the listing shows them."""
        return [File.from_json(each) for each in _objects(self.record, "files")]


@dataclass(frozen=True)
class File:
    """One file of a file set (GET files/v1/assets/{id}/files/).

    Attributes:
        size: in bytes; None if unknown.
        type: FILE, DIRECTORY, SYMLINK, SEQUENCE (a whole image sequence); "" if unknown.
        status: OPEN, CLOSED, MISSING, …; "" if unknown.
        file_set_status: ACTIVE, DELETED, …; None if unknown.
        url: a signed URL that reads the object; "" unless requested. A secret: it must not reach a
            log, a message or the database.
    """

    id: str
    file_set_id: str
    format_id: str
    storage_id: str
    name: str
    original_name: str
    directory_path: str
    type: str
    status: str
    size: int | None
    checksum: str | None
    file_set_status: str | None
    url: str = field(default="", repr=False, compare=False)

    @property
    def label(self) -> str:
        """The name to display."""
        return self.original_name or self.name or "a file without a name"

    @property
    def is_active(self) -> bool:
        """Whether iconik lists its file set as active."""
        return self.file_set_status == ACTIVE

    @property
    def is_deleted(self) -> bool:
        """Whether iconik lists its file set as deleted. It may not be purged yet."""
        return self.file_set_status == DELETED

    @classmethod
    def from_json(cls, record: Json) -> "File":
        """Read a FileSchema object."""
        return cls(
            id=_id(record, "id"),
            file_set_id=_id(record, "file_set_id"),
            format_id=_id(record, "format_id"),
            storage_id=_id(record, "storage_id"),
            name=text(record, "name"),
            original_name=text(record, "original_name") or text(record, "name"),
            directory_path=text(record, "directory_path"),
            type=text(record, "type"),
            status=text(record, "status"),
            size=_number(record, "size"),
            checksum=text(record, "checksum") or None,
            file_set_status=text(record, "file_set_status") or None,
            url=text(record, "url"),
        )


@dataclass(frozen=True)
class FileSet:
    """The files of one format of an asset on one storage (GET files/v1/assets/{id}/file_sets/).

    Attributes:
        status: ACTIVE, ARCHIVED or DELETED; "" if unknown.
        file_count: its number of files; None if unknown.
    """

    id: str
    status: str
    format_id: str = ""
    storage_id: str = ""
    file_count: int | None = None

    @classmethod
    def from_json(cls, record: Json) -> "FileSet":
        """Read a FileSetSchema object."""
        return cls(
            id=_id(record, "id"),
            status=text(record, "status"),
            format_id=_id(record, "format_id"),
            storage_id=_id(record, "storage_id"),
            file_count=_number(record, "file_count"),
        )


@dataclass(frozen=True)
class Storage:
    """A B2 bucket or a LucidLink filespace (GET files/v1/storages/{id}/).

    Attributes:
        settings: its configuration in iconik. ``read``, ``write`` and ``delete`` may be switches.
    """

    id: str
    name: str
    purpose: str
    method: str
    status: str
    settings: Json

    @classmethod
    def from_json(cls, record: Json) -> "Storage":
        """Read a StorageSchema object."""
        settings = record.get("settings")
        return cls(
            id=_id(record, "id"),
            name=text(record, "name"),
            purpose=text(record, "purpose"),
            method=text(record, "method"),
            status=text(record, "status"),
            settings=settings if isinstance(settings, dict) else {},
        )

    @property
    def is_b2(self) -> bool:
        """Whether it is a bucket on Backblaze B2, through either of B2's APIs."""
        return self.method == B2 or (self.method == S3 and self._has_b2_endpoint())

    def _has_b2_endpoint(self) -> bool:
        """Return whether ``settings.endpoint``, a URL or only a host, belongs to B2."""
        endpoint = text(self.settings, "endpoint").strip()
        try:
            host = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").hostname or ""
        except ValueError:
            return False
        return f".{host.rstrip('.')}".endswith(f".{B2_DOMAIN}")

    def allows(self, what: str) -> bool:
        """Return whether 'read', 'write' or 'delete' isn't switched off."""
        return self.settings.get(what) is not False


@dataclass(frozen=True)
class Collection:
    """A folder (GET assets/v1/collections/{id}/).

    Attributes:
        title: its title; "" if unknown.
        parent_id: the collection that contains it; "" for none, or if unknown.
    """

    title: str
    parent_id: str = ""

    @classmethod
    def from_json(cls, record: Json) -> "Collection":
        """Read a CollectionSchema object."""
        return cls(text(record, "title"), _id(record, "parent_id"))


@dataclass(frozen=True)
class Job:
    """A job in iconik's jobs list (GET jobs/v1/jobs/).

    Attributes:
        object_id: the asset of a copy's child job; "" for other jobs.
        message: why it failed, as far as iconik reports it.
        parent_id: the bulk job of a child job; "" if unknown.
        progress: how much is done, in percent; None if unknown.
    """

    id: str
    status: str
    object_id: str = ""
    message: str = ""
    parent_id: str = ""
    progress: int | None = None

    @classmethod
    def from_json(cls, record: Json) -> "Job":
        """Read a JobSchema or JobElasticSchema object."""
        return cls(
            _id(record, "id"),
            text(record, "status"),
            _id(record, "object_id"),
            text(record, "error_message") or text(record, "message"),
            _id(record, "parent_id"),
            _percent(record),
        )

    @property
    def ended(self) -> bool:
        """Whether iconik has stopped working on it. This says nothing about what was copied."""
        return self.status in FINAL_STATUSES


def name_of_user(record: Json) -> str:
    """Return a user's first and last name, or email address; "" if all are hidden or missing."""
    names = (text(record, name).strip() for name in ("first_name", "last_name"))
    return " ".join(filter(None, names)) or text(record, "email").strip()


def _objects(record: Json, name: str) -> list[Json]:
    value = record.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _number(record: Json, name: str) -> int | None:
    value = record.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _percent(record: Json) -> int | None:
    """Return the progress of a job: of its parts, or as iconik calculates it."""
    done, total = _number(record, "progress_processed"), _number(record, "progress_total")
    percent = _number(record, "progress")
    if done is not None and total is not None and total > 0:
        percent = 100 * done // total
    return None if percent is None else min(max(percent, 0), 100)


def _id(record: Json, name: str) -> str:
    # iconik ignores the case of ids. They are compared as text here, so they need one spelling.
    return text(record, name).lower()


def text(record: Json, name: str) -> str:
    """Return the text of a field; "" if it has none."""
    value = record.get(name)
    return value if isinstance(value, str) else ""
