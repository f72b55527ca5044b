"""Which object of which bucket an iconik record stands for. Pure: no I/O.

iconik does not document how a record maps to an object. That the key is the storage's root path,
``directory_path`` and ``name`` is untested on a live tenant. So where a signed URL is at hand, the
object that it reads must be the same one.
"""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from iconik_http.records import File, Storage

# A storage of method B2 has ``bucket_name`` in its settings; one of method S3 has either.
BUCKET_FIELDS = ("bucket_name", "bucket")
# iconik's form for a new storage calls it the root path.
PATH_FIELD = "path"


class Place(NamedTuple):
    """An object: the name of its bucket, and its key."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"

    def is_same(self, other: "Place") -> bool:
        """Whether both are one object; the case of a bucket's name does not matter."""
        return self.key == other.key and self.bucket.lower() == other.bucket.lower()


def bucket_name(storage: Storage) -> str:
    """The bucket of a storage; "" if its settings name none."""
    values = (storage.settings.get(name) for name in BUCKET_FIELDS)
    return next((each for each in values if isinstance(each, str) and each), "")


def object_place(storage: Storage, file: File) -> Place:
    """The object that a file's record stands for."""
    root = storage.settings.get(PATH_FIELD)
    parts = (root if isinstance(root, str) else "", file.directory_path, file.name)
    key = "/".join(part for text in parts for part in text.split("/") if part)
    return Place(bucket_name(storage), key)


def place_in_url(url: str) -> Place | None:
    """The object that a signed URL reads; None if its path does not tell.

    The forms are https://BUCKET.s3.REGION.backblazeb2.com/KEY, https://s3.REGION.…/BUCKET/KEY and
    https://fNNN.backblazeb2.com/file/BUCKET/KEY.

    Args:
        url: one that ``session.objection`` has nothing against.
    """
    parts = urlsplit(url)
    labels = (parts.hostname or "").split(".")
    path = parts.path.removeprefix("/")
    if labels[1:2] == ["s3"]:
        return Place(labels[0], unquote(path))
    if labels[0] != "s3":
        kind, _, path = path.partition("/")
        if kind == "b2api":
            # It reads an object by its id.
            return None
        if kind == "file":
            # https://www.backblaze.com/docs/cloud-storage-native-api-string-encoding
            path = path.replace("+", " ")
    bucket, _, key = path.partition("/")
    return Place(unquote(bucket), unquote(key))
