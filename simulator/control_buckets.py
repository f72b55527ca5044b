"""The control API of buckets: logs, application keys, and changes that iconik doesn't see."""

from flask import Blueprint, request

from simulator import media, routes
from simulator.api_b2 import bucket_id
from simulator.b2_keys import ALL_CAPABILITIES, ApplicationKey
from simulator.bucket_gate import BucketLog
from simulator.checks import json_object
from simulator.objects import SHA1_KINDS, Objects, Version
from simulator.records import Json, Storage, new_id
from simulator.refusals import Refusal, bad_field, found, not_found
from simulator.routes import operation
from simulator.simulation import Simulation

DEEDS = ("put", "remove", "hide", "start", "truncate", "replace", "restore", "state_sha1")
NEED_OBJECT = ("hide", "truncate", "replace", "state_sha1")
KEY_FIELDS = {"key_id", "key", "capabilities", "buckets", "prefix"}


def blueprint(simulation: Simulation, log: BucketLog) -> Blueprint:
    """Create the whole control API of buckets."""
    room = BucketControl(simulation, log)
    name, prefix = "control of buckets", "/_simulator/buckets"
    return routes.blueprint(name, prefix, simulation.library.lock, room)


class BucketControl:
    """One method for each line of README.md's table."""

    def __init__(self, simulation: Simulation, log: BucketLog) -> None:
        self._simulation = simulation
        self._objects: Objects = simulation.objects
        self._log = log

    @operation("GET", "/")
    def summary(self) -> Json:
        """Return the totals of requests to all buckets."""
        return self._log.json()

    @operation("GET", "/requests")
    def requests(self) -> Json:
        """Return the last requests to buckets."""
        return {"objects": [each.json() for each in list(self._log.last)]}

    @operation("DELETE", "/requests")
    def clear_requests(self) -> None:
        """Reset the log and the totals."""
        self._log.clear()

    @operation("GET", "/objects")
    def objects(self) -> Json:
        """Return the objects of a bucket."""
        bucket = self._bucket(request.args.get("storage", "b2"))
        keys = self._objects.keys(bucket, request.args.get("prefix", ""))
        return {"objects": [self._show(bucket, key) for key in keys]}

    @operation("POST", "/objects")
    def change_object(self) -> Json:
        """Change an object without iconik's knowledge."""
        wanted = json_object()
        do, size, kind = wanted.get("do"), wanted.get("size"), wanted.get("sha1")
        bucket, key = self._place(wanted)
        path = self._objects.path(bucket, key)
        if do not in DEEDS:
            raise bad_field("do", f"Must be one of: {', '.join(DEEDS)}.")
        if path is None:
            raise bad_field("key", "No object of this bucket can have this name.")
        if do in NEED_OBJECT and not path.is_file():
            raise not_found("Object")
        if do == "truncate":
            if not isinstance(size, int) or size < 0:
                raise bad_field("size", "Not a size.")
            self._objects.truncate(path, size)
        elif do == "replace":
            self._objects.replace(path, media.replacement(path))
        elif do == "put":
            self._objects.replace(path, str(wanted.get("content", "")).encode())
        elif do == "state_sha1":
            if kind not in SHA1_KINDS:
                raise bad_field("sha1", f"Must be one of: {', '.join(SHA1_KINDS)}.")
            self._objects.state_sha1(path, kind)
        else:
            getattr(self._objects, str(do))(path)
        return self._show(bucket, key)

    @operation("POST", "/keys")
    def add_key(self) -> tuple[Json, int]:
        """Create or change an application key."""
        wanted = json_object()
        if wanted.keys() - KEY_FIELDS:
            raise Refusal(400, {"_schema": f"Unknown fields: {sorted(wanted.keys() - KEY_FIELDS)}"})
        buckets = wanted.get("buckets")
        key = ApplicationKey(
            key_id=str(wanted.get("key_id", new_id())),
            key=str(wanted.get("key", new_id())),
            capabilities=tuple(wanted.get("capabilities", ALL_CAPABILITIES)),
            buckets=None if buckets is None else tuple(self._bucket(each).id for each in buckets),
            prefix=wanted.get("prefix"),
        )
        self._simulation.keyring.add(key)
        return key.json(), 201

    @operation("DELETE", "/keys/<key>")
    def revoke_key(self, key: str) -> None:
        """Delete an application key."""
        self._simulation.keyring.revoke(key)

    @operation("DELETE", "/tokens")
    def expire_tokens(self) -> None:
        """Make all tokens of the B2 account expire."""
        self._simulation.keyring.expire_tokens()

    def _bucket(self, key: str) -> Storage:
        storage = self._simulation.storage(key)
        if storage is None or not storage.is_b2:
            raise not_found("Bucket")
        return storage

    def _place(self, wanted: Json) -> tuple[Storage, str]:
        """Return the bucket and key that a body names: by a file's id, or by storage and key."""
        if "file_id" not in wanted:
            return self._bucket(str(wanted.get("storage", "b2"))), str(wanted.get("key", ""))
        file = found(self._simulation.library.files.get(wanted["file_id"]), "File")
        return self._bucket(file.file_set.storage.id), file.key

    def _show(self, bucket: Storage, key: str) -> Json:
        current = self._objects.current(bucket, key)
        return {
            "bucket": bucket.bucket_name,
            "key": key,
            "size": current.size if current else None,
            "versions": [_show(bucket, each) for each in self._objects.versions(bucket, key)],
        }


def _show(bucket: Storage, version: Version) -> Json:
    return {
        "action": version.action,
        "size": version.size,
        "sha1": version.sha1,
        "large_file_sha1": version.large_file_sha1,
        "file_id": version.file_id(bucket_id(bucket)),
    }
