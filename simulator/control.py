"""The simulator's own API, below /_simulator/: add assets, click, inject faults, read the logs.

It is not part of iconik. It needs no token, has no latency, and does not count against the rate
limit. README.md lists the calls.
"""

from dataclasses import fields
from typing import Any, TypeVar

from flask import Blueprint, Response, request

from simulator import clicks, media, stock
from simulator.clock import CLOCK
from simulator.faults import BucketFault, CopyFault, RequestFault
from simulator.gate import Gate, Token
from simulator.job_records import FINAL
from simulator.library import Listed
from simulator.records import Collection, Json, Storage, User, iso, new_id
from simulator.refusals import Refusal, not_found
from simulator.routes import answer
from simulator.simulation import Simulation

FILE_RECORD = ("name", "original_name", "directory_path", "size", "checksum", "status", "type")
FILE_SET_RECORD = ("status", "name", "base_dir", "status_in_files", "told_count")
STORAGE_RECORD = ("name", "purpose", "status", "method", "checksum", "unique_names")

CHECKSUMS = ("md5", "sha1", "sha256", "sha512")

Found = TypeVar("Found")


def blueprint(simulation: Simulation, gate: Gate) -> Blueprint:
    """Create the whole control API."""
    control = Blueprint("control", __name__, url_prefix="/_simulator")
    room = Control(simulation, gate)
    for method, path, view in (
        ("GET", "/", room.summary),
        ("GET", "/requests", room.requests),
        ("DELETE", "/requests", room.clear_requests),
        ("GET", "/deletions", room.deletions),
        ("GET", "/settings", room.settings),
        ("PATCH", "/settings", room.change_settings),
        ("GET", "/faults", room.faults),
        ("POST", "/faults", room.add_fault),
        ("DELETE", "/faults", room.clear_faults),
        ("POST", "/tokens", room.add_token),
        ("DELETE", "/tokens/<token>", room.revoke_token),
        ("PUT", "/users/<user_id>", room.put_user),
        ("PUT", "/users/<user_id>/hidden", room.hide),
        ("POST", "/click", room.click),
        ("POST", "/collections", room.add_collection),
        ("POST", "/collections/<collection_id>/contents", room.put_into_collection),
        ("DELETE", "/collections/<collection_id>/contents", room.take_out_of_collection),
        ("POST", "/saved_searches", room.add_saved_search),
        ("POST", "/playlists", room.add_playlist),
        ("POST", "/assets", room.add_asset),
        ("GET", "/assets/<asset_id>", room.asset),
        ("PATCH", "/assets/<asset_id>", room.change_asset),
        ("DELETE", "/assets/<asset_id>", room.drop_asset),
        ("POST", "/fill", room.fill),
        ("PATCH", "/files/<file_id>", room.change_file),
        ("PATCH", "/file_sets/<file_set_id>", room.change_file_set),
        ("POST", "/storages", room.add_storage),
        ("PATCH", "/storages/<key>", room.change_storage),
    ):
        control.add_url_rule(path, f"{method} {view.__name__}", view, methods=[method])
    return control


class Control:
    """One method for each line of README.md's table."""

    def __init__(self, simulation: Simulation, gate: Gate) -> None:
        self._simulation = simulation
        self._library = simulation.library
        self._gate = gate

    # Logs

    def summary(self) -> Response:
        """Return the state in numbers."""
        simulation, library = self._simulation, self._library
        with library.lock:
            running, waiting = simulation.copies.numbers()
            jobs = library.find_jobs(
                lambda job: bool(job.children) and job.status not in FINAL, None
            )
            return answer(
                {
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
            )

    def requests(self) -> Response:
        """Return the last API requests."""
        seen = [{**each._asdict(), "time": iso(each.time)} for each in list(self._gate.log.last)]
        return answer({"objects": seen})

    def clear_requests(self) -> Response:
        """Reset the log and the counts."""
        self._gate.log.clear()
        return answer(None)

    def deletions(self) -> Response:
        """Return every deletion and restore, and whether it was safe and permitted."""
        return answer({"objects": [each.json() for each in self._simulation.deletions.seen]})

    # Behavior

    def settings(self) -> Response:
        """Return the settings."""
        return answer(self._simulation.settings.json())

    def change_settings(self) -> Response:
        """Change some settings."""
        simulation = self._simulation
        try:
            simulation.settings.change(_body())
        except ValueError as error:
            raise Refusal(400, [str(error)]) from None
        CLOCK.ahead = simulation.settings.clock_ahead_seconds
        simulation.deletions.purge_due()
        simulation.copies.wake()
        return self.settings()

    def faults(self) -> Response:
        """Return the pending faults."""
        simulation = self._simulation
        return answer(
            {
                "requests": simulation.request_faults.json(),
                "buckets": simulation.bucket_faults.json(),
                "copies": simulation.copy_faults.json(),
            }
        )

    def add_fault(self) -> Response:
        """Add a fault."""
        simulation, wanted = self._simulation, _body()
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
            known = [each.name for each in fields(kind)]
            raise Refusal(400, [f"{error} (fields: {', '.join(known)})"]) from None
        return self.faults()

    def clear_faults(self) -> Response:
        """Remove all faults."""
        self._simulation.request_faults.clear()
        self._simulation.bucket_faults.clear()
        self._simulation.copy_faults.clear()
        return answer(None)

    def add_token(self) -> Response:
        """Add a valid token, with some roles or with all."""
        wanted = _body()
        roles = wanted.get("roles")
        value = str(wanted.get("token", new_id()))
        granted = None if roles is None else frozenset(map(str, roles))
        self._simulation.tokens[value] = Token(value, granted, wanted.get("user_id"))
        return answer({"token": value, "roles": roles}, 201)

    def revoke_token(self, token: str) -> Response:
        """Revoke a token."""
        self._simulation.tokens.pop(token, None)
        return answer(None)

    def put_user(self, user_id: str) -> Response:
        """Add a user, or replace one."""
        user = User(user_id.lower())
        _change(user, _body(), ("first_name", "last_name", "email"))
        self._library.users[user.id] = user
        return answer(user.json())

    def hide(self, user_id: str) -> Response:
        """Hide assets from a user."""
        self._simulation.rights.hide(user_id, _body().get("asset_ids", []))
        return answer(None)

    # Actions of users in iconik

    def click(self) -> Response:
        """Click a custom action."""
        return answer(clicks.click(self._simulation, _body()))

    def add_collection(self) -> Response:
        """Create a collection."""
        wanted = _body()
        collection = Collection(str(wanted.get("title", "Untitled")), wanted.get("parent_id"))
        with self._library.lock:
            if collection.parent_id:
                parent = _found(self._library.collections.get(collection.parent_id), "Collection")
                parent.contents[collection.id] = "collections"
            self._library.collections[collection.id] = collection
        return answer(collection.json(), 201)

    def put_into_collection(self, collection_id: str) -> Response:
        """Put assets and collections into a collection."""
        collection = _found(self._library.collections.get(collection_id), "Collection")
        unknown = self._library.put_into(collection, _body().get("ids", []))
        if unknown:
            raise Refusal(400, {"ids": f"Neither assets nor collections: {unknown}"})
        return answer(None)

    def take_out_of_collection(self, collection_id: str) -> Response:
        """Take assets and collections out of a collection."""
        collection = _found(self._library.collections.get(collection_id), "Collection")
        self._library.take_out_of(collection, _body().get("ids", []))
        return answer(None)

    def add_saved_search(self) -> Response:
        """Create a saved search that finds these objects."""
        search_id = new_id()
        self._library.names[search_id] = str(_body().get("name", "Saved search"))
        self._library.saved_searches[search_id] = self._listed()
        return answer({"id": search_id}, 201)

    def add_playlist(self) -> Response:
        """Create a playlist of these objects."""
        playlist_id = new_id()
        self._library.names[playlist_id] = str(_body().get("title", "Playlist"))
        self._library.playlists[playlist_id] = self._listed()
        return answer({"id": playlist_id}, 201)

    def _listed(self) -> list[Listed]:
        """Return the objects that a body names: by id, or in full for other types."""
        wanted = _body()
        collections = self._library.collections
        found = [
            Listed(str(each), "collections" if each in collections else "assets")
            for each in wanted.get("ids", [])
        ]
        for each in wanted.get("objects", []):
            if not isinstance(each, dict) or "object_type" not in each:
                raise Refusal(400, {"objects": "Each needs an object_type."})
            about = {key: value for key, value in each.items() if key not in ("id", "object_type")}
            found.append(Listed(str(each.get("id", new_id())), str(each["object_type"]), about))
        return found

    # Assets, files and storages

    def add_asset(self) -> Response:
        """Create an asset, its records and its real files."""
        asset = stock.add_asset(self._simulation, _body())
        with self._library.lock:
            shown = stock.show(self._simulation, asset)
            return answer({**shown, **stock.ids(self._simulation, asset)}, 201)

    def asset(self, asset_id: str) -> Response:
        """Return everything about an asset."""
        with self._library.lock:
            asset = _found(self._library.assets.get(asset_id), "Asset")
            return answer(stock.show(self._simulation, asset))

    def change_asset(self, asset_id: str) -> Response:
        """Change how an asset is listed."""
        with self._library.lock:
            asset = _found(self._library.assets.get(asset_id), "Asset")
            _change(asset, _body(), ("title", "status", "cut_list"))
            return answer(stock.show(self._simulation, asset))

    def drop_asset(self, asset_id: str) -> Response:
        """Remove an asset; its real files stay."""
        with self._library.lock:
            asset = _found(self._library.assets.get(asset_id), "Asset")
            self._library.drop_asset(asset, request.args.get("keep_in_listings") == "true")
        return answer(None)

    def fill(self) -> Response:
        """Create many assets."""
        return answer({"asset_ids": stock.fill(self._simulation, _body())}, 201)

    def change_file(self, file_id: str) -> Response:
        """Change a file's record and its real content, as if someone had edited it in place."""
        wanted = _body()
        content = wanted.pop("content", None)
        with self._library.lock:
            file = _found(self._library.files.get(file_id), "File")
            places = [str(wanted.get(each, "")) for each in FILE_RECORD[:3]]
            if not media.is_inside(*places):
                raise Refusal(400, {"file": f"{places} are outside of the storage."})
            _change(file, wanted, FILE_RECORD)
            file.modified = CLOCK.now()
            if content is not None:
                media.write(file.path, str(content).encode())
            return answer(file.json())

    def change_file_set(self, file_set_id: str) -> Response:
        """Change a file set's status without going through iconik's API."""
        with self._library.lock:
            file_set = _found(self._library.file_sets.get(file_set_id), "File set")
            _change(file_set, _body(), FILE_SET_RECORD)
            if file_set.status != "DELETED":
                self._library.delete_queue.pop(file_set.id, None)
            else:
                self._library.queue_deleted(file_set)
            return answer(file_set.json())

    def add_storage(self) -> Response:
        """Add a third storage: a new directory next to LucidLink's, or an existing one."""
        wanted = _body()
        name = str(wanted.get("name", "Another"))
        if not media.is_inside(name):
            raise Refusal(400, {"name": "Not a valid name of a directory."})
        directory = self._simulation.lucidlink.directory.parent / name
        storage = Storage(new_id(), name, wanted.get("method", "FILE"), directory)
        directory.mkdir(exist_ok=True)
        self._library.storages[storage.id] = storage
        return answer(storage.json(), 201)

    def change_storage(self, key: str) -> Response:
        """Change a storage: its 'settings' by key, and how it treats new files."""
        wanted = _body()
        settings = wanted.pop("settings", {})
        if wanted.get("checksum") not in (None, *CHECKSUMS):
            raise Refusal(400, {"checksum": "No such kind of checksum."})
        with self._library.lock:
            storage = _found(self._simulation.storage(key), "Storage")
            _change(storage, wanted, STORAGE_RECORD)
            storage.settings.update(settings)
            for name in [name for name, value in settings.items() if value is None]:
                del storage.settings[name]
            return answer(storage.json())


def _body() -> Json:
    sent: Any = request.get_json(force=True, silent=True)
    if not isinstance(sent, dict):
        raise Refusal(400, ["Not a JSON object"])
    return sent


def _found(record: Found | None, what: str) -> Found:
    if record is None:
        raise not_found(what)
    return record


def _change(record: object, changes: Json, allowed: tuple[str, ...]) -> None:
    unknown = changes.keys() - set(allowed)
    if unknown:
        raise Refusal(400, dict.fromkeys(unknown, "Can't be changed."))
    for field, value in changes.items():
        setattr(record, field, value)
