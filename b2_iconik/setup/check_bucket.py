"""Check how B2 itself can confirm a file, using one file of the B2 storage."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from b2_iconik.bucket.confirm import Bucket
from b2_iconik.bucket.native import NativeApi
from b2_iconik.bucket.session import NotConfirmed, Pace, Passing
from b2_iconik.common.errors import BucketUnavailable, OperationFailed
from b2_iconik.common.settings import Settings
from b2_iconik.domain.custody import Pair
from b2_iconik.setup.findings import Finding, note, ok, unknown, wrong
from b2_iconik.setup.storage_choice import choose
from iconik import Iconik, Transport
from iconik_http.errors import NotFound, NotPermitted
from iconik_http.records import ACTIVE, File, Storage

BUCKET = "B2"
BY_KEY = "B2 by application key"
BY_URL = "B2 by signed URL"
# The maximum number of assets searched for a test file, newest first.
MOST_ASSETS = 20
CONNECTIONS = "this machine's outgoing connections"
SET_KEY = "set B2_APPLICATION_KEY_ID and B2_APPLICATION_KEY to have B2 confirm files"


def check(
    iconik: Iconik, http: Transport, settings: Settings, storages: Iterable[str]
) -> Iterator[Finding]:
    """Have B2 confirm one file of each storage in each available way.

    Args:
        storages: ids or names of the B2 storages. Unknown storages are skipped.

    Raises:
        IconikUnavailable, TokenRejected: iconik can't be used.
    """
    if settings.b2_check == "off":
        yield note(BUCKET, "B2_CHECK=off: iconik's records alone decide what is deleted")
        return
    for text in sorted(set(storages)):
        try:
            storage = choose(iconik, "--b2_storage_id", text)
            file = _a_file(iconik, http, storage)
        except OperationFailed:
            continue
        except NotPermitted as error:
            yield unknown(BUCKET, f"not tried, because no file can be looked up: {error}")
            continue
        if file is None:
            yield unknown(BUCKET, f"not tried, because no file was found on '{storage.name}'")
        else:
            yield from _try(settings, storage, file)


def check_key(settings: Settings) -> Iterator[Finding]:
    """Have B2 accept the application key, if there is one, where no file can be looked up."""
    if not (settings.b2_key_id and settings.b2_key) or settings.b2_check == "off":
        return
    native = NativeApi(settings.b2_api_url, settings.b2_key_id, settings.b2_key, Pace())
    try:
        native.check_key()
    except NotConfirmed as error:
        yield wrong(BY_KEY, str(error))
    except Passing as passing:
        yield wrong(BY_KEY, f"{passing.problem}: check {CONNECTIONS}")
    else:
        yield ok(BY_KEY, "B2 accepts the key; no file could be looked up to try it on")
    finally:
        native.close()


def _a_file(iconik: Iconik, http: Transport, storage: Storage) -> File | None:
    """Return a file on a storage, with a signed URL if iconik offers one; None if none is found."""
    wanted = {"doc_types": ["assets"], "sort": [{"name": "date_created", "order": "desc"}]}
    path = f"search/v1/search/?per_page={MOST_ASSETS}"
    found = http.object("POST", path, "search for assets", "can_search", json=wanted)
    listed = found.get("objects")
    for asset in listed[:MOST_ASSETS] if isinstance(listed, list) else ():
        asset_id = str(asset.get("id"))
        try:
            files = iconik.files(asset_id, signed=True)
        except NotFound:
            # The search index lags behind.
            continue
        for file in files:
            is_there = file.storage_id == storage.id and file.file_set_status in (ACTIVE, None)
            if is_there and (file.type, file.status) == ("FILE", "CLOSED"):
                return replace(file, url=file.url or iconik.download_url(asset_id, file.id))
    return None


def _try(settings: Settings, storage: Storage, file: File) -> Iterator[Finding]:
    if settings.b2_key:
        yield _ask(BY_KEY, settings, storage, file)
    if file.url:
        yield _ask(BY_URL, replace(settings, b2_key=None, b2_key_id=None), storage, file)
    elif settings.b2_key:
        yield note(BY_URL, "iconik offers none; the application key is used instead")
    elif settings.b2_check == "required":
        yield wrong(BY_URL, f"iconik offers none, so nothing is deleted: {SET_KEY}")
    else:
        yield note(BY_URL, f"iconik offers none, so its records alone decide: {SET_KEY}")


def _ask(what: str, settings: Settings, storage: Storage, file: File) -> Finding:
    bucket = Bucket(settings)
    try:
        said = bucket.confirm(storage, [Pair(file, file)], lambda _: "")
    except BucketUnavailable as error:
        return wrong(what, f"{error}: check {CONNECTIONS}")
    finally:
        bucket.close()
    if said.objection:
        return wrong(what, said.objection)
    return ok(what, f"confirms '{file.original_name}' on '{storage.name}'")
