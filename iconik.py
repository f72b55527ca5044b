"""A thin client for iconik's REST API: one method per call, with common pacing, retries and paging.

It knows only iconik: nothing of B2, LucidLink or Flask. Paths are as in iconik's API reference.
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
)
from iconik_http.expiry import Reading
from iconik_http.pacing import Pacer
from iconik_http.paging import Map
from iconik_http.records import (
    UUID,
    Collection,
    File,
    FileSet,
    Format,
    Job,
    Listed,
    Storage,
    name_of_user,
    text,
)
from iconik_http.server_clock import ServerClock
from iconik_http.tokens import Tokens, acting_as
from iconik_http.transport import Transport, open_session

# Re-exported for creating a client, and for finding out whose token it used.
__all__ = [
    "Iconik",
    "Map",
    "Pacer",
    "ServerClock",
    "Tokens",
    "Transport",
    "acting_as",
    "open_session",
]

ALL_VERSIONS = "include_all_versions"
JOBS = "jobs/v1/jobs/"
MOST_COPIES_A_CALL = 500
MOST_JOBS_A_CALL = 100
MOST_JOBS_SEARCHED = 1_000
# In hours. A longer one is nonsense.
LONGEST_GRACE_PERIOD = 10 * 366 * 24


class Iconik:
    """A client for iconik, with one method per call.

    Every method raises ``IconikUnavailable`` if iconik gave no usable answer after a few attempts,
    ``TokenRejected`` if no token is valid, ``NotPermitted`` if a role is missing, ``NotFound`` for
    404, and ``IconikRefused`` for any other refusal.
    """

    def __init__(self, transport: Transport) -> None:
        self._http = transport
        # Parameters that this iconik does not support, as far as known; shared with ``limited``.
        self._unknown: set[str] = set()

    def limited(self, is_known: Callable[[], bool]) -> "Iconik":
        """Return a client that uses only the click's own token while ``is_known`` returns False.

        Use it for objects that the token may not be allowed to see. Once iconik rejects that token
        (401), ``IconikRefused`` is raised, even if another token is valid.
        """
        same = copy.copy(self)
        same._http = self._http.limited(is_known)
        return same

    # Storages

    def storage(self, storage_id: str) -> Storage:
        """Read a storage: GET files/v1/storages/{id}/."""
        path, call = f"files/v1/storages/{_id(storage_id)}/", f"read storage {storage_id}"
        return Storage.from_json(self._http.object("GET", path, call, "can_read_storages"))

    def storages(self) -> list[Storage]:
        """List the storages visible to the token: GET files/v1/storages/."""
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

        Without an answer, the request is not repeated: iconik starts no duplicate of a copy in
        progress, and the job of the second request would end long before the copies.

        Args:
            asset_ids: 1 to 500 assets.
            source_id: the storage to copy from if it has the files.
            path: the directory on the destination storage; empty for its root.

        Returns:
            The id of the bulk job that represents all the copies.
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
        """Return whether an asset exists: GET assets/v1/assets/{id}/."""
        try:
            self._asset(asset_id)
        except NotFound:
            return False
        return True

    def _asset(self, asset_id: str) -> dict[str, Any]:
        path, call = f"assets/v1/assets/{_id(asset_id)}/", f"read asset {asset_id}"
        return self._http.object("GET", path, call, "can_read_assets")

    def formats(self, asset_id: str, *, all_versions: bool = False) -> list[Format]:
        """List the undeleted formats of an asset: GET files/v1/assets/{id}/formats/.

        Args:
            all_versions: whether to include the formats of older versions, if iconik supports that.
        """
        path = f"files/v1/assets/{_id(asset_id)}/formats/"
        call, role = f"list the formats of asset {asset_id}", "can_read_formats"
        is_supported = ALL_VERSIONS not in self._unknown
        params = {ALL_VERSIONS: "true"} if all_versions and is_supported else None
        try:
            found = self._http.whole(path, call, role, params)
        except (NotFound, NotPermitted):
            raise
        except IconikRefused:
            if params is None:
                raise
            # An iconik that doesn't support the parameter may refuse it.
            found = self._http.whole(path, call, role)
            self._unknown.add(ALL_VERSIONS)
        return [Format.from_json(each) for each in found if each.get("status") != "DELETED"]

    def files(
        self, asset_id: str, reading: Reading | None = None, *, signed: bool = False
    ) -> list[File]:
        """List the files of an asset on all storages: GET files/v1/assets/{id}/files/.

        Args:
            reading: records when the files were requested.
            signed: whether to include a signed URL for each file. Signing takes iconik time.
        """
        path = f"files/v1/assets/{_id(asset_id)}/files/"
        call = f"list the files of asset {asset_id}"
        params = {"generate_signed_url": "true" if signed else "false"}
        found = self._http.whole(path, call, "can_read_files", params, reading)
        return [File.from_json(each) for each in found]

    def download_url(self, asset_id: str, file_id: str) -> str:
        """Return a signed URL for a file: GET files/v1/assets/{id}/files/{id}/download_url/.

        Returns:
            A secret; "" if iconik offers none: it answers 400, or doesn't have the call.
        """
        path = f"files/v1/assets/{_id(asset_id)}/files/{_id(file_id)}/download_url/"
        call = f"sign file {file_id}"
        try:
            answer = self._http.object("GET", path, call, "can_read_files", is_newer=True)
        except NotPermitted:
            raise
        except IconikRefused:
            return ""
        return text(answer, "url")

    def file_sets(self, asset_id: str, reading: Reading | None = None) -> list[FileSet]:
        """List an asset's file sets on all storages: GET files/v1/assets/{id}/file_sets/.

        The list includes deleted file sets.

        Args:
            reading: records when the file sets were requested.
        """
        path = f"files/v1/assets/{_id(asset_id)}/file_sets/"
        call, params = f"list the file sets of asset {asset_id}", {"file_count": "true"}
        found = self._http.whole(path, call, "can_read_files", params, reading)
        return [FileSet.from_json(each) for each in found]

    def deleted_file_sets(self) -> Iterator[FileSet]:
        """List the deleted, unpurged file sets: GET files/v1/delete_queue/file_sets/.

        The list covers all assets.
        """
        path, call = "files/v1/delete_queue/file_sets/", "list the delete queue"
        return map(FileSet.from_json, self._http.pages(path, call, "can_read_files"))

    def search_assets(self, asset_ids: Sequence[str]) -> list[Listed]:
        """Find up to 100 assets in the search index: POST search/v1/search/.

        The index lags behind, and may omit any asset and any field. The titles, formats and files
        are requested.
        """
        body = {
            "doc_types": ["assets"],
            "include_fields": ["id", "object_type", "title", "formats", "files"],
            "filter": {
                "operator": "AND",
                "terms": [{"name": "id", "value_in": [_id(each) for each in asset_ids]}],
            },
        }
        query = "per_page=100&generate_signed_url=false&save_search_history=false"
        path, call = f"search/v1/search/?{query}", f"search for {_many(asset_ids, 'asset')}"
        answer = self._http.object("POST", path, call, "can_search", json=body)
        found = answer.get("objects")
        objects = found if isinstance(found, list) else []
        return list(_listed(each for each in objects if isinstance(each, dict)))

    def delete_grace_period(self) -> float | None:
        """Return how long deleted file sets are kept: GET settings/v1/system/current/.

        Returns:
            The hours until iconik purges them by itself; None if it does not tell.
        """
        path, call = "settings/v1/system/current/", "read the system's settings"
        hours = self._http.object("GET", path, call, "").get("delete_grace_period")
        if not isinstance(hours, int | float) or isinstance(hours, bool):
            return None
        return float(hours) if 0 <= hours <= LONGEST_GRACE_PERIOD else None

    # Deletion

    # None of these requests is repeated without an answer: the deletion may no longer be safe. None
    # is sent after ``until``, a time by ``expiry.now``: the method raises ``TooLate`` instead.

    def delete_file_set(self, asset_id: str, file_set_id: str, *, until: float) -> bool:
        """Mark a file set deleted: DELETE files/v1/assets/{id}/file_sets/{id}/.

        Returns:
            Whether the file set existed (no 404).
        """
        path = f"files/v1/assets/{_id(asset_id)}/file_sets/{_id(file_set_id)}/"
        call = f"delete file set {file_set_id} of asset {asset_id}"
        return self._http.delete(path, call, "can_delete_files", until=until)

    def purge_file_set(self, asset_id: str, file_set_id: str, *, until: float) -> bool:
        """Purge the files of a deleted file set: DELETE …/file_sets/{id}/purge/.

        Returns:
            Whether the file set existed (no 404).
        """
        path = f"files/v1/assets/{_id(asset_id)}/file_sets/{_id(file_set_id)}/purge/"
        call = f"purge file set {file_set_id} of asset {asset_id}"
        return self._http.delete(path, call, "can_delete_files", until=until)

    def purge_file_sets(self, file_set_ids: Sequence[str], *, until: float) -> None:
        """Purge the files of deleted file sets: POST files/v1/delete_queue/file_sets/purge/."""
        path = "files/v1/delete_queue/file_sets/purge/"
        call, ids = f"purge {_many(file_set_ids, 'file set')}", [_id(each) for each in file_set_ids]
        self._http.delete_many(path, call, "can_purge_files", ids, until=until)

    def delete_file_sets(self, asset_id: str, file_set_ids: Sequence[str], *, until: float) -> None:
        """Delete file sets of an asset, including their files: POST …/{id}/file_sets/bulk/.

        Only newer versions of iconik have this call. A parameter makes iconik refuse to delete the
        last copy.

        Raises:
            NotFound: iconik has none of the file sets, or doesn't have this call.
            NotOffered: iconik doesn't have this call.
        """
        path = f"files/v1/assets/{_id(asset_id)}/file_sets/bulk/"
        call = f"delete {_many(file_set_ids, 'file set')} of asset {asset_id}"
        ids = [_id(each) for each in file_set_ids]
        params = {"immediately": "true", "do_not_delete_last_copy": "true"}
        self._http.delete_many(path, call, "can_delete_files", ids, params, until=until)

    def restore_file_set(self, asset_id: str, file_set_id: str) -> None:
        """Restore a deleted, unpurged file set: PUT …/file_sets/{id}/restore/."""
        path = f"files/v1/assets/{_id(asset_id)}/file_sets/{_id(file_set_id)}/restore/"
        call = f"restore file set {file_set_id} of asset {asset_id}"
        self._http.restore(path, call, "can_write_files")

    # Selections

    def collection_contents(self, collection_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        """List the contents of a collection: GET assets/v1/collections/{id}/contents/.

        Args:
            side_by_side: requests the pages; has the interface of ``map``.
        """
        path = f"assets/v1/collections/{_id(collection_id)}/contents/"
        call, params = f"list collection {collection_id}", {"object_types": "assets,collections"}
        return _listed(self._http.pages(path, call, "can_read_collections", params, side_by_side))

    def saved_search_results(self, search_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        """List the results of a saved search: GET search/v1/search/saved/{id}/.

        Args:
            side_by_side: requests the pages; has the interface of ``map``.
        """
        path, call = f"search/v1/search/saved/{_id(search_id)}/", f"run saved search {search_id}"
        return _listed(self._http.pages(path, call, "can_read_saved_searches", None, side_by_side))

    def playlist_items(self, playlist_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        """List the items of a playlist: GET assets/v1/playlists/{id}/items/.

        Only newer versions of iconik have playlists. An item is an asset or a segment of one, with
        its own id.

        Args:
            side_by_side: requests the pages; has the interface of ``map``.
        """
        path = f"assets/v1/playlists/{_id(playlist_id)}/items/"
        call = f"list playlist {playlist_id}"
        found = self._http.pages(path, call, "can_read_playlists", None, side_by_side)
        return _listed(found, ("object_id", "asset_id", "id"))

    # Jobs

    def jobs(self, job_ids: Sequence[str]) -> dict[str, Job]:
        """Read up to 100 jobs by id, omitting those not found: GET jobs/v1/jobs/?ids=…."""
        params = {"ids": ",".join(map(_id, job_ids)), "facets": "false"}
        listed = self._http.pages(JOBS, f"follow {_many(job_ids, 'job')}", "can_read_jobs", params)
        found: dict[str, Job] = {}
        # The jobs that a partial list lacks count as not found.
        with suppress(Incomplete):
            for job in map(Job.from_json, listed):
                found[job.id] = job
        return found

    def job(self, job_id: str) -> Job | None:
        """Read a job, or return None if it does not exist: GET jobs/v1/jobs/{id}/."""
        path, call = f"{JOBS}{_id(job_id)}/", f"follow job {job_id}"
        try:
            return Job.from_json(self._http.object("GET", path, call, "can_read_jobs"))
        except NotFound:
            return None

    def transfers(self, asset_id: str) -> list[Job]:
        """List the copies of an asset: GET jobs/v1/jobs/?object_id=…&type=TRANSFER.

        The list includes ended copies.
        """
        params = {"object_id": _id(asset_id), "type": "TRANSFER", "facets": "false"}
        call = f"list the copies of asset {asset_id}"
        found = self._http.whole(JOBS, call, "can_read_jobs", params)
        return [Job.from_json(each) for each in found]

    def failed_children(self, job_id: str) -> list[Job]:
        """List the failed copies of a bulk job: GET jobs/v1/jobs/?parent_id=…&status=FAILED."""
        params = {"parent_id": _id(job_id), "status": "FAILED", "facets": "false"}
        call = f"list the failed copies of job {job_id}"
        found = self._http.whole(JOBS, call, "can_read_jobs", params)
        return [Job.from_json(each) for each in found]

    # Jobs of our own

    def create_job(self, fields: Mapping[str, Any]) -> Job:
        """Create a job in iconik's jobs list: POST jobs/v1/jobs/.

        Args:
            fields: fields of JobSchema; ``title``, ``type`` and ``status`` are required.
        """
        call = f"show '{fields['title']}' in the jobs list"
        return Job.from_json(self._http.object("POST", JOBS, call, "can_write_jobs", json=fields))

    def update_job(self, job_id: str, changes: Mapping[str, Any]) -> Job:
        """Change some fields of a job, and return the changed job: PATCH jobs/v1/jobs/{id}/."""
        path, call = f"{JOBS}{_id(job_id)}/", f"update job {job_id}"
        return Job.from_json(self._http.object("PATCH", path, call, "can_write_jobs", json=changes))

    def job_with_metadata(self, name: str, value: str, since_ms: int) -> str | None:
        """Find a program's own job by its metadata: GET jobs/v1/jobs/?type=CUSTOM&date_created=….

        Args:
            name, value: an entry of its metadata.
            since_ms: the earliest time of its creation, in milliseconds since 1970.

        Returns:
            The id of the job; None if it is not among the first ``MOST_JOBS_SEARCHED`` jobs.
        """
        params = {"type": "CUSTOM", "date_created": f"{since_ms};*", "facets": "false"}
        found = self._http.pages(JOBS, "list the jobs of programs", "can_read_jobs", params)
        for each in islice(found, MOST_JOBS_SEARCHED):
            metadata = each.get("metadata")
            if isinstance(metadata, dict) and metadata.get(name) == value:
                return Job.from_json(each).id
        return None

    # Names

    def asset_title(self, asset_id: str) -> str:
        """Return an asset's title, or "" if it has none: GET assets/v1/assets/{id}/."""
        return text(self._asset(asset_id), "title")

    def collection(self, collection_id: str) -> Collection:
        """Read a collection: GET assets/v1/collections/{id}/."""
        path = f"assets/v1/collections/{_id(collection_id)}/"
        call = f"read collection {collection_id}"
        return Collection.from_json(self._http.object("GET", path, call, "can_read_collections"))

    def saved_search_name(self, search_id: str) -> str:
        """Return a saved search's name, or "" if it has none: GET search/v1/search/saved/{id}/."""
        path = f"search/v1/search/saved/{_id(search_id)}/?include_results=false&per_page=1"
        call = f"read saved search {search_id}"
        return text(self._http.object("GET", path, call, "can_read_saved_searches"), "name")

    def playlist_title(self, playlist_id: str) -> str:
        """Return a playlist's title, or "" if it has none: GET assets/v1/playlists/{id}/."""
        path, call = f"assets/v1/playlists/{_id(playlist_id)}/", f"read playlist {playlist_id}"
        told = self._http.object("GET", path, call, "can_read_playlists", is_newer=True)
        return text(told, "title")

    def user_name(self, user_id: str) -> str:
        """Return a user's name: GET users/v1/users/{id}/.

        Returns:
            The first and last name; the email address if there are none; "" if there is neither.
        """
        path = f"users/v1/users/{_id(user_id)}/"
        told = self._http.object("GET", path, f"read user {user_id}", "can_read_users")
        return name_of_user(told)

    # Custom actions

    def custom_actions(self) -> list[dict[str, Any]]:
        """List the custom actions: GET assets/v1/custom_actions/."""
        path, call = "assets/v1/custom_actions/", "list the custom actions"
        return self._http.whole(path, call, "can_read_custom_actions")

    def create_custom_action(self, action: Mapping[str, Any]) -> None:
        """Create a custom action: POST assets/v1/custom_actions/{context}/."""
        path = f"assets/v1/custom_actions/{quote(action['context'], safe='')}/"
        call = f"create custom action '{action['title']}' ({action['context']})"
        self._http.object("POST", path, call, "can_write_custom_actions", json=action)

    def update_custom_action(self, action_id: str, action: Mapping[str, Any]) -> None:
        """Update a custom action: PUT assets/v1/custom_actions/{context}/{id}/."""
        path = f"assets/v1/custom_actions/{quote(action['context'], safe='')}/{_id(action_id)}/"
        call = f"update custom action '{action['title']}' ({action['context']})"
        self._http.object("PUT", path, call, "can_write_custom_actions", json=action)

    def delete_custom_action(self, context: str, action_id: str) -> None:
        """Delete a custom action: DELETE assets/v1/custom_actions/{context}/{id}/."""
        path = f"assets/v1/custom_actions/{quote(context, safe='')}/{_id(action_id)}/"
        self._http.delete(path, f"delete custom action {action_id}", "can_delete_custom_actions")


def _listed(
    objects: Iterable[Mapping[str, Any]], names: Sequence[str] = ("id",)
) -> Iterator[Listed]:
    """Yield the objects of a listing.

    Args:
        names: the fields that may hold an object's id, in order of precedence.
    """
    for each in objects:
        # iconik may omit the type. Treat the object as an asset: skipping it would hide it
        # silently.
        listed = Listed(str(each.get("object_type") or "assets"), "", each)
        fields, record = (("asset_id",), {}) if listed.is_segment else (names, each)
        ids = (each.get(name) for name in fields)
        object_id = next((found for found in ids if isinstance(found, str)), "")
        yield Listed(listed.object_type, object_id.lower(), record)


def _many(ids: Sequence[str], what: str) -> str:
    return f"{len(ids)} {what}{'' if len(ids) == 1 else 's'}"


def _id(value: str) -> str:
    """Check that an id is safe in a path, whatever its source: deleting '..' deletes the asset."""
    if not UUID.fullmatch(value):
        raise IconikRefused(f"use the id {value[:80]!r}", "it is not an iconik id")
    return value
