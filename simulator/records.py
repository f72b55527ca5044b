"""iconik's records of assets, formats, files, storages and collections, and their JSON forms."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from simulator.clock import CLOCK

Json = dict[str, Any]

USER_ID = "c0ffee00-0000-4000-8000-000000000001"
SYSTEM_DOMAIN_ID = "c0ffee00-0000-4000-8000-000000000002"


def new_id() -> str:
    """Create an id in iconik's form: a UUID."""
    return str(uuid.uuid4())


def iso(moment: float) -> str:
    """Format a time in iconik's form."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1_000_000):06d}+00:00"


@dataclass(slots=True, eq=False)
class User:
    """A person in iconik. Any part of the name may be hidden or missing."""

    id: str
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None

    def json(self) -> Json:
        """Return the user as UserSchema."""
        return {
            "id": self.id,
            "system_domain_id": SYSTEM_DOMAIN_ID,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "email": self.email,
            "type": "POWER",
            "status": "ACTIVE",
            "is_admin": True,
        }


@dataclass(slots=True, eq=False)
class Storage:
    """A B2 bucket, or a directory served by a Storage Gateway.

    ``checksum`` (a hashlib name or None) and ``unique_names`` determine how it treats new files.
    iconik shows neither.
    """

    id: str
    name: str
    method: str
    directory: Path
    purpose: str = "FILES"
    status: str = "ACTIVE"
    settings: Json = field(default_factory=lambda: {"read": True, "write": True, "delete": True})
    checksum: str | None = "md5"
    unique_names: bool = False
    created: float = field(default_factory=CLOCK.now)

    @property
    def is_b2(self) -> bool:
        """Whether it is a B2 bucket, added to iconik as such or by its S3-compatible endpoint."""
        endpoint = str(self.settings.get("endpoint") or "")
        host = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").hostname or ""
        return self.method == "B2" or (self.method == "S3" and host.endswith(".backblazeb2.com"))

    @property
    def bucket_name(self) -> str:
        """The name of the bucket; the storage's id if its settings name none."""
        return str(self.settings.get("bucket_name") or self.settings.get("bucket") or self.id)

    @property
    def prefix(self) -> str:
        """The directory of the bucket that contains the storage's files; '' for the root."""
        return str(self.settings.get("path") or "").strip("/")

    def key(self, path: str) -> str:
        """Return the object key of a path below the storage."""
        return "/".join(part for part in (self.prefix, *path.split("/")) if part)

    def json(self) -> Json:
        """Return the storage as StorageSchema."""
        return {
            "id": self.id,
            "name": self.name,
            "description": None,
            "method": self.method,
            "purpose": self.purpose,
            "status": self.status,
            "status_message": None,
            "scanner_status": None,
            "settings": self.settings,
            "last_scanned": iso(self.created),
            "default": False,
            "version": "1",
        }


def frames(name: str, template: str | None) -> list[str]:
    """Return the names of a sequence's frames, as in ``f_[0001-0100].dpx``, ``f_{frame:04d}.dpx``.

    The result is empty if the name has no range, or the template has no placeholder for the frame
    number.
    """
    range_ = re.search(r"\[(\d+)-(\d+)\]", name)
    place = re.search(r"\{frame(?::0?(\d+)d)?\}", template or "")
    if not (range_ and place and template):
        return []
    width = int(place[1] or 1)
    numbers = range(int(range_[1]), int(range_[2]) + 1)
    return [f"{template[: place.start()]}{n:0{width}}{template[place.end() :]}" for n in numbers]


@dataclass(slots=True, eq=False)
class File:
    """One file of a file set."""

    file_set: FileSet
    name: str
    original_name: str
    directory_path: str
    size: int | None
    checksum: str | None
    status: str = "CLOSED"
    type: str = "FILE"
    template: str | None = None
    template_engine: str | None = None
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=CLOCK.now)
    modified: float = field(default_factory=CLOCK.now)

    def json(self) -> Json:
        """Return the file as FileSchema."""
        file_set = self.file_set
        shown: Json = {
            "id": self.id,
            "asset_id": file_set.asset_id,
            "format_id": file_set.format.id,
            "format_status": file_set.format.status,
            "version_id": file_set.format.version_id,
            "file_set_id": file_set.id,
            "file_set_status": file_set.status_in_files or file_set.status,
            "storage_id": file_set.storage.id,
            "storage_method": file_set.storage.method,
            "name": self.name,
            "original_name": self.original_name,
            "directory_path": self.directory_path,
            "type": self.type,
            "status": self.status,
            "checksum": self.checksum,
            "parent_id": None,
            "user_id": USER_ID,
            "system_domain_id": SYSTEM_DOMAIN_ID,
            "date_created": iso(self.created),
            "date_modified": iso(self.modified),
        }
        if self.size is not None:
            shown["size"] = self.size
        if self.type == "SEQUENCE":
            shown.update(template=self.template, template_engine=self.template_engine)
        return shown

    @property
    def path(self) -> Path:
        """The real file; the first frame of an image sequence."""
        return self.paths[0]

    @property
    def paths(self) -> list[Path]:
        """The real files: the frames of an image sequence, otherwise one file."""
        directory = self.file_set.storage.directory / self.directory_path
        names = frames(self.name, self.template) if self.type == "SEQUENCE" else []
        return [directory / name for name in names or [self.name]]

    @property
    def key(self) -> str:
        """The object key, if the storage is a bucket."""
        return self.file_set.storage.key(f"{self.directory_path}/{self.name}")


@dataclass(slots=True, eq=False)
class FileSet:
    """The files of one format of one asset on one storage.

    If ``keep_source`` is set, a purge removes the records and leaves the real files. If
    ``status_in_files`` is given, file records show it instead of the status. ``told_count`` is the
    number of files that iconik declares, if it differs from the number of records.
    """

    asset_id: str
    format: Format
    storage: Storage
    name: str
    base_dir: str
    status: str = "ACTIVE"
    keep_source: bool = False
    status_in_files: str | None = None
    told_count: int | None = None
    files: dict[str, File] = field(default_factory=dict)
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=CLOCK.now)
    deleted: float | None = None

    def json(self) -> Json:
        """Return the file set as FileSetSchema."""
        shown = {
            "id": self.id,
            "asset_id": self.asset_id,
            "format_id": self.format.id,
            "version_id": self.format.version_id,
            "storage_id": self.storage.id,
            "name": self.name,
            "base_dir": self.base_dir,
            "component_ids": [],
            "status": self.status,
            "is_archive": False,
            "date_created": iso(self.created),
            "date_modified": iso(self.deleted or self.created),
        }
        if self.deleted is not None:
            shown["date_deleted"] = iso(self.deleted)
            shown["deleted_by_user"] = USER_ID
        return shown

    def counted(self) -> Json:
        """Return the file set as FileSetSchema, with the number of its files."""
        count = len(self.files) if self.told_count is None else self.told_count
        return {**self.json(), "file_count": count}

    def is_whole(self) -> bool:
        """Return whether iconik considers it complete: active, and every file of it closed."""
        return (
            self.status == "ACTIVE"
            and bool(self.files)
            and all(f.status == "CLOSED" for f in self.files.values())
        )


@dataclass(slots=True, eq=False)
class Format:
    """A rendition of an asset."""

    asset_id: str
    name: str
    version_id: str
    status: str = "ACTIVE"
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=CLOCK.now)

    def json(self) -> Json:
        """Return the format as FormatSchema."""
        return {
            "id": self.id,
            "asset_id": self.asset_id,
            "name": self.name,
            "status": self.status,
            "version_id": self.version_id,
            "archive_status": "NOT_ARCHIVED",
            "is_online": True,
            "components": [],
            "metadata": [],
            "storage_methods": [],
            "user_id": USER_ID,
            "date_created": iso(self.created),
            "date_modified": iso(self.created),
        }


@dataclass(slots=True, eq=False)
class Asset:
    """A clip.

    If ``cut_list`` is given, the list of its files ends after that many files. ``changed`` is when
    it last got or lost a file set.
    """

    title: str
    formats: dict[str, Format] = field(default_factory=dict)
    file_sets: dict[str, FileSet] = field(default_factory=dict)
    collection_ids: list[str] = field(default_factory=list)
    status: str = "ACTIVE"
    id: str = field(default_factory=new_id)
    version_id: str = field(default_factory=new_id)
    older_version_ids: list[str] = field(default_factory=list)
    cut_list: int | None = None
    created: float = field(default_factory=CLOCK.now)
    changed: float = 0.0

    def json(self) -> Json:
        """Return the asset as AssetSchema, and as AssetElasticSchema in listings."""
        return {
            "id": self.id,
            "title": self.title,
            "status": self.status,
            "type": "ASSET",
            "archive_status": "NOT_ARCHIVED",
            "is_online": True,
            "in_collections": self.collection_ids,
            "created_by_user": USER_ID,
            "date_created": iso(self.created),
            "date_modified": iso(self.created),
            "versions": [
                {"id": each, "status": "ACTIVE"}
                for each in (*self.older_version_ids, self.version_id)
            ],
        }

    def files(self) -> Iterator[File]:
        """Yield its files, on all storages."""
        for file_set in self.file_sets.values():
            yield from file_set.files.values()


@dataclass(slots=True, eq=False)
class Collection:
    """A folder: ids of assets and collections, in order, each with its object type."""

    title: str
    parent_id: str | None = None
    contents: dict[str, str] = field(default_factory=dict)
    status: str = "ACTIVE"
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=CLOCK.now)

    def json(self) -> Json:
        """Return the collection as CollectionSchema."""
        return {
            "id": self.id,
            "title": self.title,
            "status": self.status,
            "object_type": "collections",
            "parent_id": self.parent_id,
            "in_collections": [self.parent_id] if self.parent_id else [],
            "is_root": self.parent_id is None,
            "date_created": iso(self.created),
            "date_modified": iso(self.created),
        }
