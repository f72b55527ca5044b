"""The simulator's own API, below /_simulator/: add assets, click, inject faults, read the logs.

It is not part of iconik. It needs no token, has no latency, and does not count against the rate
limit. README.md lists the calls.
"""

from dataclasses import fields

from flask import Blueprint, Response, request

from simulator import clicks, media, routes, stock
from simulator.checks import json_object
from simulator.clock import CLOCK
from simulator.faults import BucketFault, CopyFault, RequestFault
from simulator.gate import Gate, Token
from simulator.job_records import FINAL
from simulator.library import Listed
from simulator.records import Collection, Json, Storage, User, iso, new_id
from simulator.refusals import Refusal, found
from simulator.routes import operation
from simulator.simulation import Simulation

FILE_RECORD = ("name", "original_name", "directory_path", "size", "checksum", "status", "type")
FILE_SET_RECORD = ("status", "name", "base_dir", "status_in_files", "told_count")
STORAGE_RECORD = ("name", "purpose", "status", "method", "checksum", "unique_names")

CHECKSUMS = ("md5", "sha1", "sha256", "sha512")


def blueprint(simulation: Simulation, gate: Gate) -> Blueprint:
    """Create the whole control API."""
    lock = simulation.library.lock
    own = routes.blueprint("control", "/_simulator", lock, Control(simulation, gate))

    @own.post("/click")
    def click() -> Response:
        # Without the lock: the receiver sends requests, too.
        return routes.answer(clicks.click(simulation, json_object()))

    return own


class Control:
    """One method for each line of README.md's table."""

    def __init__(self, simulation: Simulation, gate: Gate) -> None:
        self._simulation = simulation
        self._library = simulation.library
        self._gate = gate

    # Logs

    @operation("GET", "/")
    def summary(self) -> Json:
        """Return the state in numbers."""
        simulation, library = self._simulation, self._library
        running, waiting = simulation.copies.numbers()
        jobs = library.find_jobs(lambda job: bool(job.children) and job.status not in FINAL, None)
        return {
            "app_id": simulation.app_id,
            "b2_storage_id": simulation.b2.id,
            "ll_storage_id": simulation.lucidlink.id,
            "assets": len(library.assets),
            "collections": len(library.collections),
            "running_jobs": len(jobs),
            "running_copies": running,
            "waiting_copies": waiting,
            "failed_children": simulation.copies.failed,
            "deletions": simulation.deletions.summary(),
            "requests": dict(self._gate.log.requests),
            "statuses": dict(self._gate.log.statuses),
        }

    @operation("GET", "/requests")
    def requests(self) -> Json:
        """Return the last API requests."""
        seen = [{**each._asdict(), "time": iso(each.time)} for each in list(self._gate.log.last)]
        return {"objects": seen}

    @operation("DELETE", "/requests")
    def clear_requests(self) -> None:
        """Reset the log and the counts."""
        self._gate.log.clear()

    @operation("GET", "/deletions")
    def deletions(self) -> Json:
        """Return every deletion and restore, and whether it was safe and permitted."""
        return {"objects": [each.json() for each in self._simulation.deletions.seen]}

    # Behavior

    @operation("GET", "/settings")
    def settings(self) -> Json:
        """Return the settings."""
        return self._simulation.settings.json()

    @operation("PATCH", "/settings")
    def change_settings(self) -> Json:
        """Change some settings."""
        simulation = self._simulation
        try:
            simulation.settings.change(json_object())
        except ValueError as error:
            raise Refusal(400, [str(error)]) from None
        CLOCK.ahead = simulation.settings.clock_ahead_seconds
        simulation.deletions.purge_due()
        simulation.copies.wake()
        return self.settings()

    @operation("GET", "/faults")
    def faults(self) -> Json:
        """Return the pending faults."""
        simulation = self._simulation
        return {
            "requests": simulation.request_faults.json(),
            "buckets": simulation.bucket_faults.json(),
            "copies": simulation.copy_faults.json(),
        }

    @operation("POST", "/faults")
    def add_fault(self) -> Json:
        """Add a fault."""
        simulation, wanted = self._simulation, json_object()
        kind: type[BucketFault] | type[CopyFault] | type[RequestFault] = RequestFault
        try:
            if "copy" in wanted:
                kind = CopyFault
                simulation.copy_faults.add(CopyFault(**wanted))
            elif "bucket" in wanted:
                kind = BucketFault
                simulation.bucket_faults.add(BucketFault(**wanted))
            else:
                simulation.request_faults.add(RequestFault(**wanted))
        except (TypeError, ValueError) as error:
            known = [each.name for each in fields(kind) if each.init]
            raise Refusal(400, [f"{error} (fields: {', '.join(known)})"]) from None
        return self.faults()

    @operation("DELETE", "/faults")
    def clear_faults(self) -> None:
        """Remove all faults."""
        self._simulation.request_faults.clear()
        self._simulation.bucket_faults.clear()
        self._simulation.copy_faults.clear()

    @operation("POST", "/tokens")
    def add_token(self) -> tuple[Json, int]:
        """Add a valid token, with some roles or with all."""
        wanted = json_object()
        roles = wanted.get("roles")
        value = str(wanted.get("token", new_id()))
        granted = None if roles is None else frozenset(map(str, roles))
        self._simulation.tokens[value] = Token(value, granted, wanted.get("user_id"))
        return {"token": value, "roles": roles}, 201

    @operation("DELETE", "/tokens/<token>")
    def revoke_token(self, token: str) -> None:
        """Revoke a token."""
        self._simulation.tokens.pop(token, None)

    @operation("PUT", "/users/<user_id>")
    def put_user(self, user_id: str) -> Json:
        """Add a user, or replace one."""
        user = User(user_id.lower())
        _change(user, json_object(), ("first_name", "last_name", "email"))
        self._library.users[user.id] = user
        return user.json()

    @operation("PUT", "/users/<user_id>/hidden")
    def hide(self, user_id: str) -> None:
        """Hide assets from a user."""
        self._simulation.rights.hide(user_id, json_object().get("asset_ids", []))

    # Actions of users in iconik

    @operation("POST", "/collections")
    def add_collection(self) -> tuple[Json, int]:
        """Create a collection."""
        wanted = json_object()
        collection = Collection(str(wanted.get("title", "Untitled")), wanted.get("parent_id"))
        if collection.parent_id:
            parent = found(self._library.collections.get(collection.parent_id), "Collection")
            parent.contents[collection.id] = "collections"
        self._library.collections[collection.id] = collection
        return collection.json(), 201

    @operation("POST", "/collections/<collection_id>/contents")
    def put_into_collection(self, collection_id: str) -> None:
        """Put assets and collections into a collection."""
        collection = found(self._library.collections.get(collection_id), "Collection")
        unknown = self._library.put_into(collection, json_object().get("ids", []))
        if unknown:
            raise Refusal(400, {"ids": f"Neither assets nor collections: {unknown}"})

    @operation("DELETE", "/collections/<collection_id>/contents")
    def take_out_of_collection(self, collection_id: str) -> None:
        """Take assets and collections out of a collection."""
        collection = found(self._library.collections.get(collection_id), "Collection")
        self._library.take_out_of(collection, json_object().get("ids", []))

    @operation("POST", "/saved_searches")
    def add_saved_search(self) -> tuple[Json, int]:
        """Create a saved search that finds these objects."""
        search_id = new_id()
        self._library.names[search_id] = str(json_object().get("name", "Saved search"))
        self._library.saved_searches[search_id] = self._listed()
        return {"id": search_id}, 201

    @operation("POST", "/playlists")
    def add_playlist(self) -> tuple[Json, int]:
        """Create a playlist of these objects."""
        playlist_id = new_id()
        self._library.names[playlist_id] = str(json_object().get("title", "Playlist"))
        self._library.playlists[playlist_id] = self._listed()
        return {"id": playlist_id}, 201

    def _listed(self) -> list[Listed]:
        """Return the objects that a body names: by id, or in full for other types."""
        wanted = json_object()
        collections = self._library.collections
        listed = [
            Listed(str(each), "collections" if each in collections else "assets")
            for each in wanted.get("ids", [])
        ]
        for each in wanted.get("objects", []):
            if not isinstance(each, dict) or "object_type" not in each:
                raise Refusal(400, {"objects": "Each needs an object_type."})
            about = {key: value for key, value in each.items() if key not in ("id", "object_type")}
            listed.append(Listed(str(each.get("id", new_id())), str(each["object_type"]), about))
        return listed

    # Assets, files and storages

    @operation("POST", "/assets")
    def add_asset(self) -> tuple[Json, int]:
        """Create an asset, its records and its real files."""
        asset = stock.add_asset(self._simulation, json_object())
        return {**stock.show(self._simulation, asset), **stock.ids(self._simulation, asset)}, 201

    @operation("GET", "/assets/<asset_id>")
    def asset(self, asset_id: str) -> Json:
        """Return everything about an asset."""
        asset = found(self._library.assets.get(asset_id), "Asset")
        return stock.show(self._simulation, asset)

    @operation("PATCH", "/assets/<asset_id>")
    def change_asset(self, asset_id: str) -> Json:
        """Change how an asset is listed."""
        asset = found(self._library.assets.get(asset_id), "Asset")
        _change(asset, json_object(), ("title", "status", "cut_list"))
        return stock.show(self._simulation, asset)

    @operation("DELETE", "/assets/<asset_id>")
    def drop_asset(self, asset_id: str) -> None:
        """Remove an asset; its real files stay."""
        asset = found(self._library.assets.get(asset_id), "Asset")
        self._library.drop_asset(asset, request.args.get("keep_in_listings") == "true")

    @operation("POST", "/fill")
    def fill(self) -> tuple[Json, int]:
        """Create many assets."""
        return {"asset_ids": stock.fill(self._simulation, json_object())}, 201

    @operation("PATCH", "/files/<file_id>")
    def change_file(self, file_id: str) -> Json:
        """Change a file's record and its real content, as if someone had edited it in place."""
        wanted = json_object()
        content = wanted.pop("content", None)
        file = found(self._library.files.get(file_id), "File")
        places = [str(wanted.get(each, "")) for each in FILE_RECORD[:3]]
        if not media.is_inside(*places):
            raise Refusal(400, {"file": f"{places} are outside of the storage."})
        _change(file, wanted, FILE_RECORD)
        file.modified = CLOCK.now()
        if content is not None:
            media.write(file.path, str(content).encode())
        return file.json()

    @operation("PATCH", "/file_sets/<file_set_id>")
    def change_file_set(self, file_set_id: str) -> Json:
        """Change a file set's status without going through iconik's API."""
        file_set = found(self._library.file_sets.get(file_set_id), "File set")
        _change(file_set, json_object(), FILE_SET_RECORD)
        if file_set.status != "DELETED":
            self._library.delete_queue.pop(file_set.id, None)
        else:
            self._library.queue_deleted(file_set)
        return file_set.json()

    @operation("POST", "/storages")
    def add_storage(self) -> tuple[Json, int]:
        """Add a third storage: a new directory next to LucidLink's, or an existing one."""
        wanted = json_object()
        name = str(wanted.get("name", "Another"))
        if not media.is_inside(name):
            raise Refusal(400, {"name": "Not a valid name of a directory."})
        directory = self._simulation.lucidlink.directory.parent / name
        storage = Storage(new_id(), name, wanted.get("method", "FILE"), directory)
        directory.mkdir(exist_ok=True)
        self._library.storages[storage.id] = storage
        return storage.json(), 201

    @operation("PATCH", "/storages/<key>")
    def change_storage(self, key: str) -> Json:
        """Change a storage: its 'settings' by key, and how it treats new files."""
        wanted = json_object()
        settings = wanted.pop("settings", {})
        if wanted.get("checksum") not in (None, *CHECKSUMS):
            raise Refusal(400, {"checksum": "No such kind of checksum."})
        storage = found(self._simulation.storage(key), "Storage")
        _change(storage, wanted, STORAGE_RECORD)
        storage.settings.update(settings)
        for name in [name for name, value in settings.items() if value is None]:
            del storage.settings[name]
        return storage.json()


def _change(record: object, changes: Json, allowed: tuple[str, ...]) -> None:
    unknown = changes.keys() - set(allowed)
    if unknown:
        raise Refusal(400, dict.fromkeys(unknown, "Can't be changed."))
    for field, value in changes.items():
        setattr(record, field, value)
