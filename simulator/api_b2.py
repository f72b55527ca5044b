"""The reading part of B2's native API: the calls that b2sdk makes.

Sources: Backblaze's documentation of each call (www.backblaze.com/apidocs), and the requests of
b2sdk.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request, Response

from simulator.b2_keys import ACCOUNT_ID, ApplicationKey, Keyring
from simulator.objects import Objects, Version
from simulator.records import Json, Storage

DEFAULT_COUNT = 100
MOST_COUNT = 1000
"""The maximum of names in one answer. B2 allows more, and bills every 1,000 as one transaction."""

PART_SIZE = 100_000_000
MARKER_TYPES = {"hide": "application/x-bz-hide-marker"}
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "access_denied",
    404: "not_found",
    408: "request_timeout",
    429: "too_many_requests",
    500: "internal_error",
    503: "service_unavailable",
}


class B2Error(Exception):
    """An error answer, in B2's form."""

    def __init__(self, status: int, message: str = "", code: str = "") -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code or CODES.get(status, "unknown")
        self.message = message

    def response(self) -> Response:
        """Return the answer."""
        body = {"code": self.code, "message": self.message, "status": self.status}
        return Response(json.dumps(body), self.status, content_type="application/json")


class B2Api:
    """The calls below /b2api/."""

    def __init__(self, objects: Objects, keyring: Keyring) -> None:
        self._objects = objects
        self._keyring = keyring
        self._calls: dict[str, Callable[[ApplicationKey, Json], Json]] = {
            "b2_list_buckets": self._list_buckets,
            "b2_list_file_versions": self._list_file_versions,
        }

    def call(self, request: Request) -> Response:
        """Answer a call: ``/b2api/{version}/{name}``."""
        try:
            name = request.path.rpartition("/")[2]
            if name == "b2_authorize_account":
                return _json(self._authorize(request))
            call = self._calls.get(name)
            if call is None:
                raise B2Error(404, f"invalid api name: {name}")
            return _json(call(self._key(request), _parameters(request)))
        except B2Error as error:
            return error.response()

    # Authorization

    def _authorize(self, request: Request) -> Json:
        try:
            scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
            key_id, _, key = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            scheme = key_id = key = ""
        authorized = self._keyring.authorize(key_id, key) if scheme == "Basic" else None
        if authorized is None:
            raise B2Error(401, "", "bad_auth_token")
        token, found = authorized
        host = request.host_url.rstrip("/")
        return {
            "accountId": ACCOUNT_ID,
            "authorizationToken": token,
            "applicationKeyExpirationTimestamp": None,
            "apiInfo": {
                "storageApi": {
                    "apiUrl": host,
                    "downloadUrl": host,
                    "s3ApiUrl": host,
                    "infoType": "storageApi",
                    "absoluteMinimumPartSize": 5_000_000,
                    "recommendedPartSize": PART_SIZE,
                    "allowed": self._allowed(found),
                },
            },
        }

    def _allowed(self, key: ApplicationKey) -> Json:
        buckets = None
        if key.buckets is not None:
            mine = (each for each in self._objects.buckets() if each.id in key.buckets)
            buckets = [{"id": bucket_id(each), "name": each.bucket_name} for each in mine]
        return {
            "buckets": buckets,
            "capabilities": list(key.capabilities),
            "namePrefix": key.prefix,
        }

    def _key(self, request: Request) -> ApplicationKey:
        token = request.headers.get("Authorization", "")
        key = self._keyring.key_of(token)
        if key is None:
            code = "expired_auth_token" if self._keyring.is_expired(token) else "bad_auth_token"
            raise B2Error(401, "Invalid authorization token", code)
        return key

    def _check(self, key: ApplicationKey, capability: str, bucket: Storage, name: str) -> None:
        """Refuse what a key does not allow; ``name`` is a file name, or the prefix of a list."""
        is_mine = key.buckets is None or bucket.id in key.buckets
        if capability not in key.capabilities or not is_mine:
            raise B2Error(401, f"not entitled: {capability}")
        if key.prefix is not None and not name.startswith(key.prefix):
            raise B2Error(401, "not entitled: the name is outside of the key's prefix")

    # Calls

    def _list_buckets(self, key: ApplicationKey, wanted: Json) -> Json:
        if wanted.get("accountId") != ACCOUNT_ID:
            raise B2Error(400, "Invalid accountId", "bad_request")
        if not {"listBuckets", "listAllBucketNames"} & set(key.capabilities):
            raise B2Error(401, "not entitled: listBuckets")
        id_, name = wanted.get("bucketId"), wanted.get("bucketName")
        found = [
            bucket
            for bucket in self._objects.buckets()
            if id_ in (None, bucket_id(bucket)) and name in (None, bucket.bucket_name)
        ]
        named = id_ is not None or name is not None
        if key.buckets is not None and not (named and all(b.id in key.buckets for b in found)):
            raise B2Error(401, "not entitled: the key is restricted to certain buckets")
        return {"buckets": [_bucket(each) for each in found]}

    def _list_file_versions(self, key: ApplicationKey, wanted: Json) -> Json:
        bucket, prefix, count = self._listing(key, wanted)
        start, start_id = str(wanted.get("startFileName") or ""), wanted.get("startFileId")
        if start_id is not None and not start:
            raise B2Error(400, "startFileId requires startFileName")
        found: list[Json] = []
        for name in self._objects.keys(bucket, prefix):
            if name.encode() < start.encode():
                continue
            shown = [_version(bucket, each) for each in self._objects.versions(bucket, name)]
            ids = [each["fileId"] for each in shown]
            if name == start and start_id in ids:
                shown = shown[ids.index(start_id) :]
            for each in shown:
                if len(found) == count:
                    return {"files": found, "nextFileName": name, "nextFileId": each["fileId"]}
                found.append(each)
        return {"files": found, "nextFileName": None, "nextFileId": None}

    def _listing(self, key: ApplicationKey, wanted: Json) -> tuple[Storage, str, int]:
        """Return the bucket, the prefix, and the maximum number of names."""
        buckets = self._objects.buckets()
        bucket = next((b for b in buckets if bucket_id(b) == wanted.get("bucketId")), None)
        if bucket is None:
            raise B2Error(400, f"Invalid bucketId: {wanted.get('bucketId')}", "bad_bucket_id")
        prefix = str(wanted.get("prefix") or "")
        self._check(key, "listFiles", bucket, prefix)
        if wanted.get("delimiter") is not None:
            raise B2Error(400, "The simulator knows no delimiter.")
        count = int(wanted.get("maxFileCount") or DEFAULT_COUNT)
        return bucket, prefix, min(count, MOST_COUNT)


def bucket_id(bucket: Storage) -> str:
    """Return the id of a bucket in B2."""
    return hashlib.sha256(bucket.id.encode()).hexdigest()[:24]


def _bucket(bucket: Storage) -> Json:
    return {
        "accountId": ACCOUNT_ID,
        "bucketId": bucket_id(bucket),
        "bucketName": bucket.bucket_name,
        "bucketType": "allPrivate",
        "bucketInfo": {},
        "corsRules": [],
        "lifecycleRules": [],
        "options": ["s3"],
        "revision": 1,
        "defaultServerSideEncryption": {"isClientAuthorizedToRead": False, "value": None},
        "fileLockConfiguration": {"isClientAuthorizedToRead": False, "value": None},
        "replicationConfiguration": {"isClientAuthorizedToRead": False, "value": None},
    }


def _version(bucket: Storage, version: Version) -> Json:
    info = {"large_file_sha1": version.large_file_sha1} if version.large_file_sha1 else {}
    return {
        "accountId": ACCOUNT_ID,
        "action": version.action,
        "bucketId": bucket_id(bucket),
        "contentLength": version.size,
        "contentMd5": None,
        "contentSha1": version.sha1,
        "contentType": MARKER_TYPES.get(version.action, "application/octet-stream"),
        "fileId": version.file_id(bucket_id(bucket)),
        "fileInfo": info,
        "fileName": version.key,
        "fileRetention": {"isClientAuthorizedToRead": False, "value": None},
        "legalHold": {"isClientAuthorizedToRead": False, "value": None},
        "replicationStatus": None,
        "serverSideEncryption": {"algorithm": None, "mode": None},
        "uploadTimestamp": version.uploaded,
    }


def _parameters(request: Request) -> Json:
    """Return the parameters of a call."""
    sent: Any = request.get_json(force=True, silent=True)
    if not isinstance(sent, dict):
        raise B2Error(400, "The request body is not JSON", "bad_json")
    return sent


def _json(body: Json) -> Response:
    return Response(json.dumps(body), content_type="application/json")
