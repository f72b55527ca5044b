"""The state of the simulated iconik: all records by id, protected by one lock."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from threading import RLock

from simulator.clock import CLOCK
from simulator.job_records import CustomAction, Job
from simulator.records import USER_ID, Asset, Collection, File, FileSet, Json, Storage, User


@dataclass(frozen=True)
class Listed:
    """An object in a saved search's results or in a playlist.

    Attributes:
        kind: iconik's ``object_type``.
        about: further fields of the listing, such as a segment's ``asset_id``.
    """

    id: str
    kind: str
    about: Json = field(default_factory=dict)


class Library:
    """All records. Hold ``lock`` during every change or reading that must be consistent."""

    def __init__(self, storages: Iterable[Storage]) -> None:
        self.lock = RLock()
        self.users = {USER_ID: User(USER_ID, "Ada", "Editor", "ada@example.com")}
        self.storages = {storage.id: storage for storage in storages}
        self.assets: dict[str, Asset] = {}
        self.file_sets: dict[str, FileSet] = {}
        self.files: dict[str, File] = {}
        self.delete_queue: dict[str, FileSet] = {}
        self.collections: dict[str, Collection] = {}
        self.saved_searches: dict[str, list[Listed]] = {}
        self.playlists: dict[str, list[Listed]] = {}
        # Of saved searches and playlists, by id.
        self.names: dict[str, str] = {}
        self.jobs: dict[str, Job] = {}
        self.custom_actions: dict[str, CustomAction] = {}

    def add_asset(self, asset: Asset) -> None:
        """Add an asset with its contents, and put it into its collections."""
        with self.lock:
            self.assets[asset.id] = asset
            for file_set in asset.file_sets.values():
                self._index(file_set)
            for collection_id in asset.collection_ids:
                self.collections[collection_id].contents[asset.id] = "assets"

    def drop_asset(self, asset: Asset, keep_in_listings: bool) -> None:
        """Remove an asset and its records; its real files stay. Listings may keep it."""
        with self.lock:
            for file_set in list(asset.file_sets.values()):
                self.drop_file_set(file_set)
            del self.assets[asset.id]
            if not keep_in_listings:
                for collection_id in asset.collection_ids:
                    self.collections[collection_id].contents.pop(asset.id, None)

    def add_file_set(self, file_set: FileSet) -> None:
        """Add a file set to an existing asset."""
        with self.lock:
            asset = self.assets[file_set.asset_id]
            asset.file_sets[file_set.id] = file_set
            asset.changed = CLOCK.now()
            self._index(file_set)

    def drop_file_set(self, file_set: FileSet) -> None:
        """Remove a file set and its files from the records; the real files stay."""
        with self.lock:
            asset = self.assets.get(file_set.asset_id)
            if asset:
                asset.file_sets.pop(file_set.id, None)
                asset.changed = CLOCK.now()
            self.file_sets.pop(file_set.id, None)
            self.delete_queue.pop(file_set.id, None)
            for file in file_set.files.values():
                self.files.pop(file.id, None)

    def put_files(self, file_set: FileSet, files: Iterable[File]) -> None:
        """Replace the files of a file set."""
        with self.lock:
            for file in file_set.files.values():
                self.files.pop(file.id, None)
            file_set.files = {file.id: file for file in files}
            self.files.update(file_set.files)

    def _index(self, file_set: FileSet) -> None:
        self.file_sets[file_set.id] = file_set
        self.files.update(file_set.files)
        if file_set.status == "DELETED":
            self.queue_deleted(file_set)

    def restore(self, file_set: FileSet) -> None:
        """Make a deleted file set active again, and take it out of the delete queue."""
        with self.lock:
            file_set.status, file_set.deleted = "ACTIVE", None
            self.delete_queue.pop(file_set.id, None)
            self.assets[file_set.asset_id].changed = CLOCK.now()

    def queue_deleted(self, file_set: FileSet) -> None:
        """Put a deleted file set into the delete queue."""
        with self.lock:
            file_set.deleted = file_set.deleted or CLOCK.now()
            self.delete_queue[file_set.id] = file_set

    # Collections

    def put_into(self, collection: Collection, ids: Iterable[str]) -> list[str]:
        """Put assets and collections into a collection; return the ids that are neither."""
        unknown = []
        with self.lock:
            for each in ids:
                if each in self.assets:
                    if each not in collection.contents:
                        self.assets[each].collection_ids.append(collection.id)
                    collection.contents[each] = "assets"
                elif each in self.collections:
                    collection.contents[each] = "collections"
                else:
                    unknown.append(each)
        return unknown

    def take_out_of(self, collection: Collection, ids: Iterable[str]) -> None:
        """Take assets and collections out of a collection."""
        with self.lock:
            for each in ids:
                if collection.contents.pop(each, None) == "assets" and each in self.assets:
                    self.assets[each].collection_ids.remove(collection.id)

    def assets_below(self, ids: Iterable[str]) -> Iterator[str]:
        """Yield the ids of the assets among these ids and, at any depth, in the collections."""
        seen: set[str] = set()
        stack = list(ids)[::-1]
        while stack:
            each = stack.pop()
            if each in seen:
                continue
            seen.add(each)
            if each in self.collections:
                stack.extend(self.collections[each].contents)
            else:
                yield each

    # Jobs

    def find_jobs(self, wanted: Callable[[Job], bool], parent_id: str | None) -> list[Job]:
        """Return matching jobs, newest first. With a parent, only its children are searched."""
        with self.lock:
            if parent_id is None:
                among: Iterable[Job] = self.jobs.values()
            else:
                parent = self.jobs.get(parent_id)
                among = parent.children if parent else ()
            return [job for job in reversed(list(among)) if wanted(job)]

    def add_job(self, job: Job) -> None:
        """Add a job with its children."""
        with self.lock:
            self.jobs[job.id] = job
            if job.parent:
                job.parent.children.append(job)
            for child in job.children:
                self.jobs[child.id] = child

    def drop_job(self, job: Job) -> None:
        """Remove a job with its children."""
        with self.lock:
            for each in (job, *job.children):
                self.jobs.pop(each.id, None)
