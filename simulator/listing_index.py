"""What listings and searches show of an asset: its formats and files, late, partly, or wrongly."""

from typing import Any

from simulator.clock import CLOCK
from simulator.records import Asset, Json, new_id
from simulator.settings import Settings

# Fields that some versions of iconik leave out of listings.
OFTEN_MISSING = frozenset({"file_set_status", "version_id", "date_created"})
CONTENTS = ("formats", "files")


class ListingIndex:
    """Shows assets as the settings ``listing_hints``, ``poor_hints`` and the like say."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shown: dict[str, Json] = {}

    def show(self, asset: Asset) -> Json:
        """Return an asset as AssetElasticSchema."""
        shown: Json = {**asset.json(), "object_type": "assets"}
        if self._settings.listing_hints:
            shown["formats"] = [each.json() for each in asset.formats.values()]
            shown["files"] = [each.json() for each in asset.files()]
        if self._settings.listing_lag_seconds:
            shown = self._late(asset, shown)
        if self._settings.poor_hints:
            shown = {
                name: [_poor(each) for each in value] if name in CONTENTS else value
                for name, value in shown.items()
            }
        return _wrong(shown) if self._settings.wrong_hints else shown

    def _late(self, asset: Asset, current: Json) -> Json:
        shown = self._shown.get(asset.id, current)
        deleted = (each.deleted or 0.0 for each in asset.file_sets.values())
        modified = (each.modified for each in asset.files())
        changed = max((asset.changed, *deleted, *modified))
        if CLOCK.now() - changed >= self._settings.listing_lag_seconds:
            shown = current
        self._shown[asset.id] = shown
        return shown


def _poor(record: Json) -> Json:
    return {name: value for name, value in record.items() if name not in OFTEN_MISSING}


def _wrong(shown: Json) -> Json:
    """Return an asset with a wrong value in every field that a program may rely on."""
    formats: list[dict[str, Any]] = [dict(each) for each in shown.get("formats", ())]
    files: list[dict[str, Any]] = [dict(each) for each in shown.get("files", ())]
    names, storages = (
        [each[name] for each in some] for some, name in ((formats, "name"), (files, "storage_id"))
    )
    for each, name in zip(formats, reversed(names), strict=True):
        each.update(name=name, date_created="1970-01-01T00:00:00+00:00")
    for each, storage_id in zip(files, reversed(storages), strict=True):
        each.update(
            id=new_id(),
            file_set_id=new_id(),
            storage_id=storage_id,
            name="wrong.mov",
            original_name="wrong.mov",
            directory_path="wrong",
            size=1,
            checksum="0" * 32,
            status="CLOSED",
            file_set_status="ACTIVE",
        )
    return {**shown, "title": "Wrong", "formats": formats, "files": files}
