"""iconik's files API: storages, formats, file sets, files, copies and deletions."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import request

from simulator import checks, paging
from simulator.records import Asset, File, FileSet, Format, Json, Storage
from simulator.refusals import Refusal, bad_field, forbidden, found, not_found
from simulator.routes import operation
from simulator.simulation import Simulation
from simulator.transfers import Wish

ASSET = "/files/v1/assets/<asset_id>"
FILE_SET = f"{ASSET}/file_sets/<file_set_id>"

BULK_COPY: dict[str, checks.Check] = {
    "object_ids": checks.ids(1, 500),
    "object_type": checks.one_of("assets", "collections", "saved_searches"),
    "format_name": checks.name,
    "preferred_original_storage_id": checks.optional(checks.id_),
    "overwrite": checks.flag,
    "allow_duplicate_transfers": checks.flag,
    "delete_original": checks.flag,
    "delete_only_from_source_folder": checks.flag,
    "keep_collection_structure": checks.flag,
    "file_path": checks.optional(checks.directory),
}


class FilesApi:
    """The operations below /files/v1/."""

    def __init__(self, simulation: Simulation) -> None:
        self._library = simulation.library
        self._settings = simulation.settings
        self._copies = simulation.copies
        self._deletions = simulation.deletions
        self._signer = simulation.signer
        self._rights = simulation.rights

    # Storages

    @operation("GET", "/files/v1/storages/", "can_read_storages")
    def list_storages(self) -> Json:
        """Get all storages."""
        return paging.numbered(list(self._library.storages.values()), Storage.json)

    @operation("GET", "/files/v1/storages/<storage_id>/", "can_read_storages")
    def get_storage(self, storage_id: str) -> Json:
        """Get a storage."""
        return self._storage(storage_id).json()

    @operation(
        "POST", "/files/v1/storages/<storage_id>/bulk/", "can_read_files", "can_write_transfers"
    )
    def copy_to_storage(self, storage_id: str) -> tuple[Json, int]:
        """Queue copies of one format of many objects to a storage."""
        checks.query_flag("allow_host_transfer")
        wanted = checks.body(BULK_COPY, required=("object_ids", "object_type"))
        storage = self._storage(storage_id)
        if not storage.settings.get("write", True):
            raise forbidden("Permission on storage denied")
        if storage.status != "ACTIVE":
            raise Refusal(400, ["Storage is not active"])
        for unsupported in ("delete_original", "delete_only_from_source_folder"):
            if wanted.get(unsupported):
                raise bad_field(unsupported, "The simulator does not do this.")
        preferred = wanted.get("preferred_original_storage_id")
        wish = Wish(
            target=storage,
            format_name=wanted.get("format_name", "ORIGINAL"),
            preferred_source=preferred and preferred.lower(),
            overwrite=wanted.get("overwrite", False),
            duplicates=wanted.get("allow_duplicate_transfers", False),
            path=(wanted.get("file_path") or "").strip("/"),
        )
        ids = self._assets_of(
            wanted["object_type"], [each.lower() for each in wanted["object_ids"]]
        )
        self._check_sight(ids)
        return {"job_id": self._copies.ask(wish, ids).id}, 202

    # Formats, file sets and files

    @operation("GET", f"{ASSET}/formats/", "can_read_formats")
    def list_formats(self, asset_id: str) -> Json:
        """Get all formats of an asset."""
        asset = self._asset(asset_id)
        wanted = checks.query_flag("include_all_versions") and self._settings.all_versions
        formats = asset.formats.values()
        shown = (each for each in formats if wanted or each.version_id == asset.version_id)
        return paging.by_last_id(shown, Format.json)

    @operation("GET", f"{ASSET}/file_sets/", "can_read_files")
    def list_file_sets(self, asset_id: str) -> Json:
        """Get all file sets of an asset."""
        view = FileSet.counted if checks.query_flag("file_count") else FileSet.json
        return paging.by_last_id(self._asset(asset_id).file_sets.values(), view)

    @operation("GET", f"{FILE_SET}/", "can_read_files")
    def get_file_set(self, asset_id: str, file_set_id: str) -> Json:
        """Get a file set."""
        return self._file_set(asset_id, file_set_id).json()

    @operation("GET", f"{ASSET}/files/", "can_read_files")
    def list_files(self, asset_id: str) -> Json:
        """Get all files of an asset, on all storages."""
        self._rights.note_reading(request.environ["simulator.token"], asset_id)
        asset = self._asset(asset_id)
        return paging.by_last_id(self._shown(asset.files()), self._view(), asset.cut_list)

    @operation("GET", f"{ASSET}/files/<file_id>/download_url/", "can_read_files", newer=True)
    def get_download_url(self, asset_id: str, file_id: str) -> Json:
        """Get a signed URL of a file."""
        url = self._url(self._file(asset_id, file_id))
        if not url:
            raise Refusal(400, ["This file can not be downloaded"])
        return {"url": url}

    # Deletion

    @operation("DELETE", f"{FILE_SET}/", "can_delete_files")
    def delete_file_set(self, asset_id: str, file_set_id: str) -> Json | None:
        """Mark a file set deleted, and purge it if the API is new enough and the query says so."""
        file_set = self._file_set(asset_id, file_set_id)
        keep_source = checks.query_flag("keep_source")
        immediately = self._settings.bulk_deletion and checks.query_flag("immediately")
        self._deletions.delete(file_set, keep_source)
        if not immediately:
            return file_set.json()
        self._deletions.purge(file_set)
        return None

    @operation("DELETE", f"{FILE_SET}/purge/", "can_delete_files")
    def purge_file_set(self, asset_id: str, file_set_id: str) -> None:
        """Remove the real files of a deleted file set."""
        self._deletions.purge(self._file_set(asset_id, file_set_id))

    @operation("PUT", f"{FILE_SET}/restore/", "can_write_files")
    def restore_file_set(self, asset_id: str, file_set_id: str) -> Json:
        """Undo the deletion of a file set."""
        file_set = self._file_set(asset_id, file_set_id)
        self._deletions.restore(file_set)
        return file_set.json()

    @operation("POST", f"{ASSET}/file_sets/bulk/", "can_delete_files", newer=True)
    def delete_file_sets(self, asset_id: str) -> None:
        """Delete several file sets of an asset in one request."""
        if not self._settings.bulk_deletion:
            raise Refusal(404, ["The requested URL was not found"])
        ids = checks.body({"ids": checks.ids(1, 500)}, required=("ids",))["ids"]
        self._deletions.bulk(
            self._asset(asset_id),
            [each.lower() for each in ids],
            immediately=checks.query_flag("immediately"),
            keep_source=checks.query_flag("keep_source"),
            net=checks.query_flag("do_not_delete_last_copy"),
        )

    @operation("GET", "/files/v1/delete_queue/file_sets/", "can_read_files")
    def list_deleted(self) -> Json:
        """Get the deleted file sets that are not purged."""
        return paging.numbered(list(self._library.delete_queue.values()), FileSet.json)

    @operation("POST", "/files/v1/delete_queue/file_sets/purge/", "can_purge_files")
    def purge_deleted(self) -> None:
        """Purge many deleted file sets."""
        ids = checks.body({"ids": checks.ids(1, 500)}, required=("ids",))["ids"]
        queue = self._library.delete_queue
        queued = [queue[each.lower()] for each in ids if each.lower() in queue]
        self._check_sight(each.asset_id for each in queued)
        for file_set in queued:
            self._deletions.purge(file_set)

    def _check_sight(self, asset_ids: Iterable[str]) -> None:
        token = request.environ["simulator.token"]
        if not all(self._rights.may_see(token, each) for each in asset_ids):
            raise forbidden("You do not have access to all of these objects")

    # Look-ups

    def _storage(self, storage_id: str) -> Storage:
        return found(self._library.storages.get(storage_id), "Storage")

    def _asset(self, asset_id: str) -> Asset:
        return found(self._library.assets.get(asset_id), "Asset")

    def _file_set(self, asset_id: str, file_set_id: str) -> FileSet:
        file_sets = self._asset(asset_id).file_sets
        return found(file_sets.get(file_set_id), "File set for this asset")

    def _file(self, asset_id: str, file_id: str) -> File:
        file = self._library.files.get(file_id)
        if file is None or file.file_set.asset_id != asset_id or not any(self._shown([file])):
            raise not_found("File for this asset")
        return file

    def _view(self) -> Callable[[File], Json]:
        """Return the view of files in a list: with signed URLs or without."""
        wanted = checks.query_flag("generate_signed_url", self._settings.urls_by_default)
        return self._with_url if wanted else File.json

    def _with_url(self, file: File) -> Json:
        url = self._url(file)
        return {**file.json(), "url": url} if url else file.json()

    def _url(self, file: File) -> str:
        """Return a signed URL of a file; '' if there is none."""
        storage = file.file_set.storage
        if not (self._settings.signed_urls and storage.is_b2) or file.type == "DIRECTORY":
            return ""
        return self._signer.url(request.host_url.rstrip("/"), storage, file.key)

    def _shown(self, files: Iterable[File]) -> Iterable[File]:
        if self._settings.deleted_files_listed:
            return files
        return (each for each in files if each.file_set.status != "DELETED")

    def _assets_of(self, object_type: str, ids: list[Any]) -> list[str]:
        if object_type == "saved_searches":
            listed = [each for id_ in ids for each in self._library.saved_searches.get(id_, ())]
            ids = [each.about.get("asset_id", each.id) for each in listed]
        if object_type == "assets":
            return ids
        return list(self._library.assets_below(ids))
