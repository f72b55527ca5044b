"""Map an iconik record to an object in a bucket. Pure: no I/O.

iconik does not document this mapping. The assumption that the key consists of the storage's root
path, ``directory_path`` and ``name`` is untested on a live tenant. Therefore, if a signed URL is
available, the object that it reads must be the same one.
"""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from iconik_http.records import File, Storage

# A storage of method B2 has ``bucket_name`` in its settings. One of method S3 has either field.
BUCKET_FIELDS = ("bucket_name", "bucket")
# iconik's form for a new storage labels this field as the root path.
PATH_FIELD = "path"


class Place(NamedTuple):
    """An object: the name of its bucket, and its key."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}"

    def is_same(self, other: "Place") -> bool:
        """Return whether both are the same object. Case doesn't matter in a bucket's name."""
        return self.key == other.key and self.bucket.lower() == other.bucket.lower()


def bucket_name(storage: Storage) -> str:
    """Return the bucket of a storage; "" if its settings name none."""
    values = (storage.settings.get(name) for name in BUCKET_FIELDS)
    return next((each for each in values if isinstance(each, str) and each), "")


def object_place(storage: Storage, file: File) -> Place:
    """Return the object that a file's record represents."""
    root = storage.settings.get(PATH_FIELD)
    parts = (root if isinstance(root, str) else "", file.directory_path, file.name)
    key = "/".join(part for text in parts for part in text.split("/") if part)
    return Place(bucket_name(storage), key)


def place_in_url(url: str) -> Place | None:
    """Return the object that a signed URL reads; None if the path doesn't identify it.

    The forms are https://BUCKET.s3.REGION.backblazeb2.com/KEY, https://s3.REGION.…/BUCKET/KEY and
    https://fNNN.backblazeb2.com/file/BUCKET/KEY.

    Args:
        url: a URL for which ``session.objection`` returns "".
    """
    parts = urlsplit(url)
    labels = (parts.hostname or "").split(".")
    path = parts.path.removeprefix("/")
    if labels[1:2] == ["s3"]:
        return Place(labels[0], unquote(path))
    if labels[0] != "s3":
        kind, _, path = path.partition("/")
        if kind == "b2api":
            # This call reads an object by its id.
            return None
        if kind == "file":
            # https://www.backblaze.com/docs/cloud-storage-native-api-string-encoding
            path = path.replace("+", " ")
    bucket, _, key = path.partition("/")
    return Place(unquote(bucket), unquote(key))
