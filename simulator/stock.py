"""Add assets to the simulated iconik, with their records and real files."""

import os
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from simulator import media
from simulator.records import Asset, File, FileSet, Format, Json, Storage, new_id
from simulator.refusals import Refusal
from simulator.simulation import Simulation

FILE_FIELDS = {
    "name",
    "original_name",
    "directory",
    "content",
    "size",
    "status",
    "checksum",
    "type",
    "template",
    "template_engine",
    "exists",
    "bucket",
}
BUCKET_FIELDS = {"gone", "hidden", "size", "replaced", "sha1"}
WITHOUT_FILE = frozenset({"OPEN", "AWAITED", "MISSING", "FAILED", "DELETED"})
"""Statuses of records without a real file, unless one is requested."""
EMPTY = frozenset({"OPEN", "AWAITED"})
"""Statuses of records that have no size and no checksum yet."""


def add_asset(simulation: Simulation, wanted: Mapping[str, Any]) -> Asset:
    """Create one asset, as described by ``POST /_simulator/assets``."""
    asset = Asset(title=str(wanted.get("title", "Untitled")))
    asset.cut_list = wanted.get("cut_list")
    asset.collection_ids = _known_collections(simulation, wanted.get("collection_ids", ()))
    formats = wanted.get("formats", {})
    named = formats.items() if isinstance(formats, dict) else [(f["name"], f) for f in formats]
    for name, description in named:
        version_id = asset.version_id
        if description.get("older_version"):
            version_id = new_id()
            asset.older_version_ids.append(version_id)
        format_ = Format(asset.id, name, version_id)
        format_.status = description.get("status", "ACTIVE")
        asset.formats[format_.id] = format_
        for key, files in description.items():
            if key in ("status", "name", "older_version"):
                continue
            storage = simulation.storage(key)
            if storage is None:
                raise Refusal(400, {key: "No such storage."})
            for file_set in _file_sets(simulation, format_, storage, files):
                asset.file_sets[file_set.id] = file_set
    simulation.library.add_asset(asset)
    return asset


def _file_sets(
    simulation: Simulation, format_: Format, storage: Storage, given: Any
) -> Iterable[FileSet]:
    """Yield one file set for a list of files, several for a list of {"files": …, "status": …}."""
    sets = given if given and all("files" in each for each in given) else [{"files": given}]
    for each in sets:
        file_set = FileSet(format_.asset_id, format_, storage, format_.name, "")
        file_set.status = each.get("status", "ACTIVE")
        file_set.status_in_files = each.get("status_in_files")
        file_set.told_count = each.get("told_count")
        files = [_file(simulation, file_set, description) for description in each["files"]]
        file_set.files = {file.id: file for file in files}
        if files:
            file_set.name = files[0].original_name
            file_set.base_dir = os.path.commonpath([file.directory_path for file in files])
        yield file_set


def _file(simulation: Simulation, file_set: FileSet, given: Mapping[str, Any]) -> File:
    unknown = given.keys() - FILE_FIELDS | given.get("bucket", {}).keys() - BUCKET_FIELDS
    if unknown or "name" not in given:
        raise Refusal(400, {"file": f"name is needed, and {sorted(unknown)} are unknown."})
    name = given["name"]
    directory = given.get("directory", file_set.asset_id)
    original_name = given.get("original_name", name)
    if not media.is_inside(directory, name, original_name):
        raise Refusal(400, {"file": f"{directory}/{name} is outside of the storage."})
    status = given.get("status", "CLOSED")
    content = _content(file_set, original_name, given)
    file = File(file_set, name, original_name, directory, len(content), None, status)
    file.type = given.get("type", "FILE")
    file.template, file.template_engine = given.get("template"), given.get("template_engine")
    if file.type == "DIRECTORY":
        file.size = 0
        file.path.mkdir(parents=True, exist_ok=True)
        return file
    if given.get("exists", status not in WITHOUT_FILE):
        _write(file, content)
    file.checksum = media.checksum_of(file_set.storage.checksum, content)
    if file.type == "SEQUENCE":
        file.checksum = None
    if status in EMPTY:
        file.size, file.checksum = 0, None
    file.size = given.get("size", file.size)
    file.checksum = given.get("checksum", file.checksum)
    if "bucket" in given:
        _change_object(simulation, file, given["bucket"])
    return file


def _write(file: File, content: bytes) -> None:
    """Write the real file; the frames of an image sequence share the content."""
    paths = file.paths
    each = len(content) // len(paths)
    for number, path in enumerate(paths[:-1]):
        media.write(path, content[number * each : (number + 1) * each])
    media.write(paths[-1], content[(len(paths) - 1) * each :])


def _change_object(simulation: Simulation, file: File, wanted: Mapping[str, Any]) -> None:
    """Make an object differ from its record."""
    if not file.file_set.storage.is_b2:
        raise Refusal(400, {"bucket": "The storage is no bucket."})
    objects = simulation.objects
    for path in file.paths:
        if "size" in wanted:
            objects.truncate(path, int(wanted["size"]))
        if wanted.get("replaced"):
            objects.replace(path, media.replacement(path))
        if wanted.get("hidden"):
            objects.hide(path)
        if wanted.get("gone"):
            objects.remove(path)
        if "sha1" in wanted:
            objects.state_sha1(path, wanted["sha1"])


def _content(file_set: FileSet, original_name: str, given: Mapping[str, Any]) -> bytes:
    """Return the given content, or generate content that is the same for twins on two storages."""
    if "content" in given:
        return str(given["content"]).encode()
    name = unicodedata.normalize("NFC", original_name)
    seed = f"{file_set.asset_id} {file_set.format.name} {name}"
    size = given.get("size")
    return media.made_up(seed, 1000 if size is None else int(size))


def fill(simulation: Simulation, wanted: Mapping[str, Any]) -> list[str]:
    """Create many assets fast, as ``POST /_simulator/fill`` describes them; return their ids."""
    fields = {"count", "formats", "on", "collection_ids", "size", "title"}
    if wanted.keys() - fields:
        raise Refusal(400, {"_schema": f"Unknown fields: {sorted(wanted.keys() - fields)}"})
    collections = _known_collections(simulation, wanted.get("collection_ids", ()))
    formats: dict[str, int] = wanted.get("formats", {"ORIGINAL": 1})
    storages = wanted.get("on", ["b2"])
    size = wanted.get("size", 256)
    made: list[str] = []
    # Two fills must not write the same files.
    batch = f"fill-{new_id()[:8]}"
    for number in range(1, int(wanted.get("count", 1)) + 1):
        title = f"{wanted.get('title', 'Clip')} {number:05}"
        directory = f"{batch}/{number // 1000:03}"
        asset_formats: Json = {}
        for name, every in formats.items():
            if every == 0 or (every > 1 and number % every == 0):
                continue
            file = {"name": f"{title} {name}.mov", "directory": directory, "size": size}
            here = storages[name] if isinstance(storages, dict) else storages
            asset_formats[name] = {storage: [file] for storage in here}
        ids = [collections[number % len(collections)]] if collections else []
        asset = {"title": title, "collection_ids": ids, "formats": asset_formats}
        made.append(add_asset(simulation, asset).id)
    return made


def _known_collections(simulation: Simulation, ids: Iterable[str]) -> list[str]:
    ids = list(ids)
    if any(each not in simulation.library.collections for each in ids):
        raise Refusal(400, {"collection_ids": "No such collection."})
    return ids


def show(simulation: Simulation, asset: Asset) -> Json:
    """Return everything about an asset: its records, and its real files."""
    formats = []
    for format_ in asset.formats.values():
        file_sets = [each for each in asset.file_sets.values() if each.format is format_]
        formats.append(
            {
                **format_.json(),
                "file_sets": [
                    {
                        **file_set.json(),
                        "storage": simulation.key(file_set.storage),
                        "files": [_show_file(file) for file in file_set.files.values()],
                    }
                    for file_set in file_sets
                ],
            }
        )
    return {**asset.json(), "formats": formats}


def ids(simulation: Simulation, asset: Asset) -> Json:
    """Return the ids of an asset's formats, file sets and files, by format name and storage."""
    file_sets: dict[str, dict[str, str]] = {}
    files: dict[str, dict[str, list[str]]] = {}
    for each in asset.file_sets.values():
        name, key = each.format.name, simulation.key(each.storage)
        file_sets.setdefault(name, {})[key] = each.id
        files.setdefault(name, {}).setdefault(key, []).extend(each.files)
    format_ids = {each.name: each.id for each in asset.formats.values()}
    return {"format_ids": format_ids, "file_set_ids": file_sets, "file_ids": files}


def _show_file(file: File) -> Json:
    path: Path = file.path
    shown = {**file.json(), "path": str(path), "exists": path.exists()}
    return {**shown, "key": file.key} if file.file_set.storage.is_b2 else shown
