"""A thin client of iconik's REST API: one method a call; pacing, retries and paging in one place.

It knows iconik alone: nothing of B2, LucidLink or Flask. Paths are those of iconik's API reference.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any
from urllib.parse import quote

from iconik_http.errors import (
    IconikRefused,
    IconikUnavailable,
    Incomplete,
    NotFound,
    NotPermitted,
    TokenRejected,
)
from iconik_http.expiry import Reading
from iconik_http.pacing import Pacer
from iconik_http.paging import Map
from iconik_http.records import UUID, File, FileSet, Format, Job, Listed, Storage
from iconik_http.tokens import Tokens, acting_as
from iconik_http.transport import Transport, open_session

# What is needed to make one, and to say whose token it used.
__all__ = ["Iconik", "Map", "Pacer", "Tokens", "Transport", "acting_as", "open_session"]

ALL_VERSIONS = "include_all_versions"
MOST_COPIES_A_CALL = 500
MOST_JOBS_A_CALL = 100
MOST_JOBS_SEARCHED = 1_000


class Iconik:
    """iconik, one method a call.

    Every method raises ``IconikUnavailable`` when iconik gave no usable answer after a few
    attempts, ``TokenRejected`` when no token is good, ``NotPermitted`` when a role is missing,
    ``NotFound`` for 404, and ``IconikRefused`` for any other refusal.
    """

    def __init__(self, transport: Transport) -> None:
        self._http = transport
        # Parameters that this iconik was found not to know.
        self._unknown: set[str] = set()

    def limited(self, is_known: Callable[[], bool]) -> "Iconik":
        """The same, with the click's own token alone as long as ``is_known`` is not so.

        For what the token may not see. Once iconik accepts it no more (401), ``IconikRefused`` is
        raised, though another token may be good.
        """
        same = copy.copy(self)
        same._http = self._http.limited(is_known)
        return same

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Storages

    def storage(self, storage_id: str) -> Storage:
        """GET files/v1/storages/{id}/."""
        path = f"files/v1/storages/{_id(storage_id)}/"
        return Storage.from_json(
            self._http.object("GET", path, f"read storage {storage_id}", "can_read_storages")
        )

    def storages(self) -> list[Storage]:
        """GET files/v1/storages/: those that the token may see."""
        found = self._http.whole("files/v1/storages/", "list the storages", "can_read_storages")
        return [Storage.from_json(each) for each in found]

    def copy_to_storage(
        self,
        storage_id: str,
        format_name: str,
        asset_ids: Sequence[str],
        source_id: str,
        path: str = "",
    ) -> str:
        """Queue copies of one format of many assets: POST files/v1/storages/{id}/bulk/.

        Args:
            storage_id: where to.
            asset_ids: 1 to 500 assets.
            source_id: the storage to copy from where it has the files.
            path: the directory of the storage to put them under; empty for its root.

        Returns:
            The id of the job that stands for all of them.

        Without an answer it is not asked for again: iconik starts no duplicate of a copy that is
        under way, and the job of the second request would end long before it.
        """
        body = {
            "object_ids": list(asset_ids),
            "object_type": "assets",
            "format_name": format_name,
            "preferred_original_storage_id": source_id,
            **({"file_path": path} if path else {}),
        }
        call = f"copy {format_name} of {_many(asset_ids, 'asset')} to storage {storage_id}"
        path = f"files/v1/storages/{_id(storage_id)}/bulk/"
        answer = self._http.object("POST", path, call, "can_write_transfers", json=body, once=True)
        job_id = answer.get("job_id")
        if not isinstance(job_id, str) or not UUID.fullmatch(job_id):
            raise IconikUnavailable(call, "iconik's answer names no job")
        return job_id.lower()

    # What assets have

    def asset_exists(self, asset_id: str) -> bool:
        """GET assets/v1/assets/{id}/."""
        try:
            self._http.object(
                "GET",
                f"assets/v1/assets/{_id(asset_id)}/",
                f"read asset {asset_id}",
                "can_read_assets",
            )
        except NotFound:
            return False
        return True

    def formats(self, asset_id: str, *, all_versions: bool = False) -> list[Format]:
        """GET files/v1/assets/{id}/formats/, without deleted ones.

        Args:
            all_versions: whether those of the asset's older versions, too, where iconik offers it.
        """
        path = f"files/v1/assets/{_id(asset_id)}/formats/"
        call, role = f"list the formats of asset {asset_id}", "can_read_formats"
        found: list[dict[str, Any]] | None = None
        if all_versions and ALL_VERSIONS not in self._unknown:
            try:
                found = self._http.whole(path, call, role, {ALL_VERSIONS: "true"})
            except (NotFound, NotPermitted, TokenRejected):
                raise
            except IconikRefused:
                # An iconik that doesn't know the parameter may refuse it.
                found = self._http.whole(path, call, role)
                self._unknown.add(ALL_VERSIONS)
        if found is None:
            found = self._http.whole(path, call, role)
        return [Format.from_json(each) for each in found if each.get("status") != "DELETED"]

    def files(
        self, asset_id: str, reading: Reading | None = None, *, signed: bool = False
    ) -> list[File]:
        """GET files/v1/assets/{id}/files/: its files on all storages.

        Args:
            reading: takes up when it was asked for them.
            signed: whether each file comes with a signed URL. Signing takes iconik time.
        """
        found = self._http.whole(
            f"files/v1/assets/{_id(asset_id)}/files/",
            f"list the files of asset {asset_id}",
            "can_read_files",
            {"generate_signed_url": "true" if signed else "false"},
            reading,
        )
        return [File.from_json(each) for each in found]

    def download_url(self, asset_id: str, file_id: str) -> str:
        """GET files/v1/assets/{id}/files/{id}/download_url/: a signed URL that reads a file.

        Returns:
            A secret; "" if iconik offers none: it answers 400, or doesn't have the call.
        """
        path = f"files/v1/assets/{_id(asset_id)}/files/{_id(file_id)}/download_url/"
        try:
            answer = self._http.object(
                "GET", path, f"sign file {file_id}", "can_read_files", is_newer=True
            )
        except (NotPermitted, TokenRejected):
            raise
        except IconikRefused:
            return ""
        url = answer.get("url")
        return url if isinstance(url, str) else ""

    def file_sets(self, asset_id: str, reading: Reading | None = None) -> list[FileSet]:
        """GET files/v1/assets/{id}/file_sets/: its file sets on all storages, deleted ones too.

        Args:
            reading: takes up when it was asked for them.
        """
        path, call = f"files/v1/assets/{_id(asset_id)}/file_sets/", "list the file sets of asset"
        found = self._http.whole(
            path, f"{call} {asset_id}", "can_read_files", {"file_count": "true"}, reading
        )
        return [FileSet.from_json(each) for each in found]

    def deleted_file_sets(self) -> Iterator[FileSet]:
        """GET files/v1/delete_queue/file_sets/: what is deleted and not purged, of all assets."""
        path, call = "files/v1/delete_queue/file_sets/", "list the delete queue"
        return map(FileSet.from_json, self._http.pages(path, call, "can_read_files"))

    def search_assets(self, asset_ids: Sequence[str]) -> list[Listed]:
        """POST search/v1/search/: up to 100 assets, as the search index shows them and their files.

        The index lags behind, and may leave out any asset and any field.
        """
        body = {
            "doc_types": ["assets"],
            "include_fields": ["id", "object_type", "files"],
            "filter": {
                "operator": "AND",
                "terms": [{"name": "id", "value_in": [_id(each) for each in asset_ids]}],
            },
        }
        query = "per_page=100&generate_signed_url=false&save_search_history=false"
        call = f"search for {_many(asset_ids, 'asset')}"
        answer = self._http.object(
            "POST", f"search/v1/search/?{query}", call, "can_search", json=body
        )
        found = answer.get("objects")
        objects = found if isinstance(found, list) else []
        return list(_listed(each for each in objects if isinstance(each, dict)))

    # Deletion

    # None of these is asked for again without an answer: by then it may no longer be right. Nor is
    # any asked for after ``until``, a time of ``expiry.now``: then they raise ``TooLate``.

    def delete_file_set(self, asset_id: str, file_set_id: str, *, until: float) -> bool:
        """Mark a file set deleted: DELETE files/v1/assets/{id}/file_sets/{id}/.

        Returns:
            Whether iconik knew it (no 404).
        """
        return self._http.delete(
            f"files/v1/assets/{_id(asset_id)}/file_sets/{_id(file_set_id)}/",
            f"delete file set {file_set_id} of asset {asset_id}",
            "can_delete_files",
            until=until,
        )

    def purge_file_set(self, asset_id: str, file_set_id: str, *, until: float) -> bool:
        """Remove the files of a deleted file set: DELETE …/file_sets/{id}/purge/.

        Returns:
            Whether iconik knew it (no 404).
        """
        return self._http.delete(
            f"files/v1/assets/{_id(asset_id)}/file_sets/{_id(file_set_id)}/purge/",
            f"purge file set {file_set_id} of asset {asset_id}",
            "can_delete_files",
            until=until,
        )

    def purge_file_sets(self, file_set_ids: Sequence[str], *, until: float) -> None:
        """Remove the files of deleted file sets: POST files/v1/delete_queue/file_sets/purge/."""
        self._http.delete_many(
            "files/v1/delete_queue/file_sets/purge/",
            f"purge {_many(file_set_ids, 'file set')}",
            "can_purge_files",
            [_id(each) for each in file_set_ids],
            until=until,
        )

    def delete_file_sets(self, asset_id: str, file_set_ids: Sequence[str], *, until: float) -> None:
        """Delete file sets of an asset, files included: POST …/{id}/file_sets/bulk/.

        Only newer iconiks have it. It is told to refuse where it would delete the last copy.

        Raises:
            NotFound: it has none of them, or doesn't have this call.
            NotOffered: it doesn't have this call.
        """
        self._http.delete_many(
            f"files/v1/assets/{_id(asset_id)}/file_sets/bulk/",
            f"delete {_many(file_set_ids, 'file set')} of asset {asset_id}",
            "can_delete_files",
            [_id(each) for each in file_set_ids],
            {"immediately": "true", "do_not_delete_last_copy": "true"},
            until=until,
        )

    def restore_file_set(self, asset_id: str, file_set_id: str) -> None:
        """Undo the deletion of a file set that was not purged: PUT …/file_sets/{id}/restore/."""
        self._http.restore(
            f"files/v1/assets/{_id(asset_id)}/file_sets/{_id(file_set_id)}/restore/",
            f"restore file set {file_set_id} of asset {asset_id}",
            "can_write_files",
        )

    # Selections

    def collection_contents(self, collection_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        """GET assets/v1/collections/{id}/contents/: what is in a collection.

        Args:
            side_by_side: like ``map``; asks for pages.
        """
        path = f"assets/v1/collections/{_id(collection_id)}/contents/"
        call, params = f"list collection {collection_id}", {"object_types": "assets,collections"}
        return _listed(self._http.pages(path, call, "can_read_collections", params, side_by_side))

    def saved_search_results(self, search_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        """GET search/v1/search/saved/{id}/: what a saved search finds.

        Args:
            side_by_side: like ``map``; asks for pages.
        """
        path, call = f"search/v1/search/saved/{_id(search_id)}/", f"run saved search {search_id}"
        return _listed(self._http.pages(path, call, "can_read_saved_searches", None, side_by_side))

    def playlist_items(self, playlist_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        """GET assets/v1/playlists/{id}/items/: what is in a playlist; only newer iconiks have any.

        An item is an asset, or a part of one, that has an id of its own.

        Args:
            side_by_side: like ``map``; asks for pages.
        """
        path, call = (
            f"assets/v1/playlists/{_id(playlist_id)}/items/",
            f"list playlist {playlist_id}",
        )
        found = self._http.pages(path, call, "can_read_playlists", None, side_by_side)
        return _listed(found, ("object_id", "asset_id", "id"))

    # Jobs

    def jobs(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """GET jobs/v1/jobs/?ids=…: up to 100 jobs by id; one not found is absent."""
        params = {"ids": ",".join(map(_id, job_ids)), "facets": "false"}
        listed = self._http.pages(
            "jobs/v1/jobs/", f"follow {_many(job_ids, 'job')}", "can_read_jobs", params
        )
        found: dict[str, Job] = {}
        # What is lacking is absent.
        with suppress(Incomplete):
            for job in map(Job.from_json, listed):
                found[job.id] = job
        return found

    def job(self, job_id: str) -> Job | None:
        """GET jobs/v1/jobs/{id}/; None if iconik knows no such job."""
        try:
            return Job.from_json(
                self._http.object(
                    "GET", f"jobs/v1/jobs/{_id(job_id)}/", f"follow job {job_id}", "can_read_jobs"
                )
            )
        except NotFound:
            return None

    def transfers(self, asset_id: str) -> list[Job]:
        """GET jobs/v1/jobs/?object_id=…&type=TRANSFER: the copies of an asset, ended ones too."""
        params = {"object_id": _id(asset_id), "type": "TRANSFER", "facets": "false"}
        found = self._http.whole(
            "jobs/v1/jobs/", f"list the copies of asset {asset_id}", "can_read_jobs", params
        )
        return [Job.from_json(each) for each in found]

    def failed_children(self, job_id: str) -> list[Job]:
        """GET jobs/v1/jobs/?parent_id=…&status=FAILED: the failed copies of a bulk job."""
        params = {"parent_id": _id(job_id), "status": "FAILED", "facets": "false"}
        found = self._http.whole(
            "jobs/v1/jobs/", f"list the failed copies of job {job_id}", "can_read_jobs", params
        )
        return [Job.from_json(each) for each in found]

    # Jobs of our own

    def create_job(self, fields: Mapping[str, Any]) -> Job:
        """POST jobs/v1/jobs/: put a job into iconik's list.

        Args:
            fields: of JobSchema; ``title``, ``type`` and ``status`` must be there.
        """
        call = f"show '{fields['title']}' in the jobs list"
        return Job.from_json(
            self._http.object("POST", "jobs/v1/jobs/", call, "can_write_jobs", json=fields)
        )

    def update_job(self, job_id: str, changes: Mapping[str, Any]) -> Job:
        """PATCH jobs/v1/jobs/{id}/: change some fields of a job; returns it as it is then."""
        path = f"jobs/v1/jobs/{_id(job_id)}/"
        return Job.from_json(
            self._http.object("PATCH", path, f"update job {job_id}", "can_write_jobs", json=changes)
        )

    def job_with_metadata(self, name: str, value: str, since_ms: int) -> str | None:
        """GET jobs/v1/jobs/?type=CUSTOM&date_created=…: the id of a job of a program's own.

        Args:
            name, value: what its metadata say.
            since_ms: when it may have been made at the soonest, in milliseconds since 1970.
        """
        params = {"type": "CUSTOM", "date_created": f"{since_ms};*", "facets": "false"}
        found = self._http.pages(
            "jobs/v1/jobs/", "list the jobs of programs", "can_read_jobs", params
        )
        for each in islice(found, MOST_JOBS_SEARCHED):
            metadata = each.get("metadata")
            if isinstance(metadata, dict) and metadata.get(name) == value:
                return Job.from_json(each).id
        return None

    # Titles

    def asset_title(self, asset_id: str) -> str:
        """GET assets/v1/assets/{id}/: its title; "" if iconik says none."""
        path = f"assets/v1/assets/{_id(asset_id)}/"
        title = self._http.object("GET", path, f"read asset {asset_id}", "can_read_assets").get(
            "title"
        )
        return title if isinstance(title, str) else ""

    def collection_title(self, collection_id: str) -> str:
        """GET assets/v1/collections/{id}/: its title; "" if iconik says none."""
        path = f"assets/v1/collections/{_id(collection_id)}/"
        call = f"read collection {collection_id}"
        title = self._http.object("GET", path, call, "can_read_collections").get("title")
        return title if isinstance(title, str) else ""

    # Custom actions

    def custom_actions(self) -> list[dict[str, Any]]:
        """GET assets/v1/custom_actions/."""
        return self._http.whole(
            "assets/v1/custom_actions/", "list the custom actions", "can_read_custom_actions"
        )

    def create_custom_action(self, action: Mapping[str, Any]) -> None:
        """POST assets/v1/custom_actions/{context}/."""
        context = quote(action["context"], safe="")
        call = f"create custom action '{action['title']}' ({action['context']})"
        self._http.object(
            "POST",
            f"assets/v1/custom_actions/{context}/",
            call,
            "can_write_custom_actions",
            json=action,
        )

    def update_custom_action(self, action_id: str, action: Mapping[str, Any]) -> None:
        """PUT assets/v1/custom_actions/{context}/{id}/."""
        path = f"assets/v1/custom_actions/{quote(action['context'], safe='')}/{_id(action_id)}/"
        call = f"update custom action '{action['title']}' ({action['context']})"
        self._http.object("PUT", path, call, "can_write_custom_actions", json=action)

    def delete_custom_action(self, context: str, action_id: str) -> None:
        """DELETE assets/v1/custom_actions/{context}/{id}/."""
        path = f"assets/v1/custom_actions/{quote(context, safe='')}/{_id(action_id)}/"
        self._http.delete(path, f"delete custom action {action_id}", "can_delete_custom_actions")


def _listed(
    objects: Iterable[Mapping[str, Any]], names: Sequence[str] = ("id",)
) -> Iterator[Listed]:
    """What a listing shows.

    Args:
        names: of the fields that may have an object's id, the first of which counts.
    """
    for each in objects:
        # iconik doesn't promise to say what something is; to pass it over would be silence.
        listed = Listed(str(each.get("object_type") or "assets"), "", each)
        fields, record = (("asset_id",), {}) if listed.is_segment else (names, each)
        ids = (each.get(name) for name in fields)
        object_id = next((found for found in ids if isinstance(found, str)), "")
        yield Listed(listed.object_type, object_id.lower(), record)


def _many(ids: Sequence[str], what: str) -> str:
    return f"{len(ids)} {what}{'' if len(ids) == 1 else 's'}"


def _id(value: str) -> str:
    """An id that is safe in a path, whoever it came from: to delete '..' is to delete the asset."""
    if not UUID.fullmatch(value):
        raise IconikRefused(f"use the id {value[:80]!r}", "it is not an iconik id")
    return value
