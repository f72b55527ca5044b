"""What iconik keeps a record of, and how each record looks in its answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

USER_ID = "c0ffee00-0000-4000-8000-000000000001"
SYSTEM_DOMAIN_ID = "c0ffee00-0000-4000-8000-000000000002"


def new_id() -> str:
    """A fresh id, as iconik's are: a UUID."""
    return str(uuid.uuid4())


def iso(moment: float) -> str:
    """A time as iconik writes it."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1_000_000):06d}+00:00"


@dataclass(slots=True, eq=False)
class Storage:
    """A B2 bucket, or a directory served by a Storage Gateway.

    ``checksum`` (a hashlib name or None) and ``unique_names`` are how it treats new files; iconik
    shows neither.
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
    created: float = field(default_factory=time.time)

    def json(self) -> Json:
        """StorageSchema."""
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
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)

    def json(self) -> Json:
        """FileSchema."""
        file_set = self.file_set
        shown: Json = {
            "id": self.id,
            "asset_id": file_set.asset_id,
            "format_id": file_set.format.id,
            "format_status": file_set.format.status,
            "version_id": file_set.format.version_id,
            "file_set_id": file_set.id,
            "file_set_status": file_set.status,
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
        return shown

    @property
    def path(self) -> Path:
        """The real file."""
        return self.file_set.storage.directory / self.directory_path / self.name


@dataclass(slots=True, eq=False)
class FileSet:
    """The files of one format of one asset on one storage.

    ``keep_source`` says that a purge takes the records and leaves the real files.
    """

    asset_id: str
    format: Format
    storage: Storage
    name: str
    base_dir: str
    status: str = "ACTIVE"
    keep_source: bool = False
    files: dict[str, File] = field(default_factory=dict)
    id: str = field(default_factory=new_id)
    created: float = field(default_factory=time.time)
    deleted: float | None = None

    def json(self) -> Json:
        """FileSetSchema."""
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
            "file_count": len(self.files),
            "date_created": iso(self.created),
            "date_modified": iso(self.deleted or self.created),
        }
        if self.deleted is not None:
            shown["date_deleted"] = iso(self.deleted)
            shown["deleted_by_user"] = USER_ID
        return shown

    def is_whole(self) -> bool:
        """Whether iconik takes it for complete: active, and every file of it closed."""
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
    created: float = field(default_factory=time.time)

    def json(self) -> Json:
        """FormatSchema."""
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
    """A clip."""

    title: str
    formats: dict[str, Format] = field(default_factory=dict)
    file_sets: dict[str, FileSet] = field(default_factory=dict)
    collection_ids: list[str] = field(default_factory=list)
    status: str = "ACTIVE"
    id: str = field(default_factory=new_id)
    version_id: str = field(default_factory=new_id)
    created: float = field(default_factory=time.time)

    def json(self) -> Json:
        """AssetSchema, and AssetElasticSchema in listings."""
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
            "versions": [{"id": self.version_id, "status": "ACTIVE"}],
        }

    def files(self) -> Iterator[File]:
        """Its files, on all storages."""
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
    created: float = field(default_factory=time.time)

    def json(self) -> Json:
        """CollectionSchema."""
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
