"""Cases from the field, one JSON file each: an asset, one click, and what must come of it.

The files are not part of this project. A case is put into the running simulator record by record,
the click goes to the running service over HTTP, and both are asked afterwards.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dev.harness import ROOT
from tests.system.desk import Desk

STORAGES = {"B2": "b2", "LL": "lucidlink", "OTHER": "other"}
CASE_FIELDS = {
    "title", "source", "click", "formats", "asset", "storage", "seconds", "expect",
}  # fmt: skip
ASSET_FIELDS = {"title", "formats", "file_sets", "cut_list"}
EXPECTED_FIELDS = {"gone", "stay", "copied_to_ll", "not_asked", "says", "no_more_than_1_byte"}
SECONDS = 60.0


def case_files(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """The files that FIELD_CASES names: a directory, from this project's own."""
    directory = environment.get("FIELD_CASES")
    return sorted((ROOT / directory).glob("*.json")) if directory else []


def read(path: Path) -> dict[str, Any]:
    """A case."""
    case: dict[str, Any] = json.loads(path.read_text())
    return case


class FieldCase:
    """One case, in a running simulator.

    Args:
        desk: the simulator and the service.
        case: what a file says.

    Raises:
        ValueError: the case says something that this loader does not know.
    """

    def __init__(self, desk: Desk, case: Mapping[str, Any]) -> None:
        _check_known("case", case, CASE_FIELDS)
        _check_known("asset", case["asset"], ASSET_FIELDS)
        _check_known("expect", case["expect"], EXPECTED_FIELDS)
        self._desk = desk
        self._case = case
        self._control = desk.simulator.control
        self._keys = {**STORAGES, "OTHER": self._other_storage()}
        self._asset_id = ""
        self._file_sets: dict[str, str] = {}

    def run(self) -> None:
        """Set up, click, and check what came of it."""
        for log in ("requests", "buckets/requests"):
            self._control("DELETE", log)
        before = self._change_storage()
        try:
            self._try()
        finally:
            self._clear_away()
            for path, record in before.items():
                self._control("PATCH", path, record)

    def _try(self) -> None:
        case, service = self._case, self._desk.service
        self._stock()
        formats = ",".join(case.get("formats", ["ORIGINAL"]))
        answer = service.click(case["click"], formats, asset_ids=[self._asset_id])
        assert answer.status_code == 200, answer.text
        self._check(service.report(answer.json()["operation_id"], case.get("seconds", SECONDS)))

    def _clear_away(self) -> None:
        """Leave no real file behind that another case may have, too."""
        if not self._asset_id:
            return
        paths = [file["path"] for each in self._listed() for file in each["files"]]
        self._control("DELETE", f"assets/{self._asset_id}")
        for path in paths:
            Path(path).unlink(missing_ok=True)

    # Before the click

    def _other_storage(self) -> str:
        storages = self._desk.ask_iconik("GET", "files/v1/storages/?per_page=100")["objects"]
        others = [str(each["id"]) for each in storages if each["name"] == "other"]
        if others:
            return others[0]
        return str(self._control("POST", "storages", {"name": "other"})["id"])

    def _change_storage(self) -> dict[str, Any]:
        """Change a storage as the case wants it; returns what puts it back, by path."""
        wanted = self._case.get("storage")
        if not wanted:
            return {}
        _check_known("storage", wanted, {"which", "fields", "restore"})
        own = self._desk.simulator
        ids = {"B2": own.b2_storage_id, "LL": own.ll_storage_id, "OTHER": self._keys["OTHER"]}
        record = self._desk.ask_iconik("GET", f"files/v1/storages/{ids[wanted['which']]}/")
        path, fields = f"storages/{ids[wanted['which']]}", wanted["fields"]
        before = {name: record[name] for name in fields}
        added = fields.get("settings", {}).keys() - record["settings"].keys()
        if "settings" in fields:
            before["settings"] = {**record["settings"], **dict.fromkeys(added)}
        self._control("PATCH", path, fields)
        return {path: before}

    def _stock(self) -> None:
        asset = self._case["asset"]
        formats: list[dict[str, Any]] = []
        keys: list[str] = []
        for format_key, about in asset["formats"].items():
            fields = dict(about)
            # Any version but the asset's own is an older one.
            if fields.pop("version_id", None):
                fields["older_version"] = True
            # Those on B2 first, so that a list that ends early lacks files of LucidLink: it is more
            # dangerous than one which lacks the twins.
            for storage in STORAGES:
                mine = {
                    key: each
                    for key, each in asset["file_sets"].items()
                    if (each["format"], each["storage"]) == (format_key, storage)
                }
                keys += mine
                if mine:
                    fields[self._keys[storage]] = [_file_set(each) for each in mine.values()]
            formats.append(fields)
        if len(keys) != len(asset["file_sets"]):
            raise ValueError("a file set is of an unknown format or storage")
        body = {"title": asset["title"], "formats": formats, "cut_list": asset.get("cut_list")}
        made = self._control("POST", "assets", body)
        self._asset_id = made["id"]
        ids = [each["id"] for format_ in made["formats"] for each in format_["file_sets"]]
        self._file_sets = dict(zip(keys, ids, strict=True))

    # After it

    def _check(self, report: Mapping[str, Any]) -> None:
        expected = self._case["expect"]
        told = json.dumps(report, indent=1, ensure_ascii=False)
        sets = {each["id"]: each for each in self._listed()}
        for key in expected.get("gone", ()):
            assert self._file_sets[key] not in sets, f"{key} was not deleted: {told}"
        for key in expected.get("stay", ()):
            kept = sets.get(self._file_sets[key])
            assert kept, f"{key} was deleted: {told}"
            assert kept["status"] == "ACTIVE", f"{key} lies in the delete queue: {told}"
        for name in expected.get("copied_to_ll", ()):
            assert self._is_on_lucidlink(name), f"{name} was not copied: {told}"
        if expected.get("not_asked"):
            assert not self._desk.copies_asked_for(), f"a copy was asked for: {told}"
        if "says" in expected:
            reasons = " ".join(str(each["reason"]) for each in report["problems"])
            parts = [part for each in expected["says"] for part in each.split("|")]
            assert any(part in reasons for part in parts), f"none of {parts} in: {told}"
        if expected.get("no_more_than_1_byte"):
            requests = self._control("GET", "buckets/requests")["objects"]
            assert all(each["content_bytes"] <= 1 for each in requests), requests
        assert self._control("GET", "buckets/")["leaked"] == {}

    def _listed(self) -> Sequence[dict[str, Any]]:
        formats = self._control("GET", f"assets/{self._asset_id}")["formats"]
        return [each for format_ in formats for each in format_["file_sets"]]

    def _is_on_lucidlink(self, name: str) -> bool:
        formats = self._control("GET", f"assets/{self._asset_id}")["formats"]
        return any(
            each["storage"] == "lucidlink"
            and each["status"] == "ACTIVE"
            and each["files"]
            and all(file["status"] == "CLOSED" for file in each["files"])
            for format_ in formats
            if format_["name"] == name
            for each in format_["file_sets"]
        )


def _file_set(about: Mapping[str, Any]) -> dict[str, Any]:
    """A file set, in the words of the simulator."""
    fields = {key: value for key, value in about.items() if key not in ("storage", "format")}
    return {**fields, "files": [_file(each) for each in about["files"]]}


def _file(about: Mapping[str, Any]) -> dict[str, Any]:
    fields = {**about, "directory": about.get("directory_path", ""), "checksum": None}
    fields.pop("directory_path", None)
    if "checksum" in about:
        fields["checksum"] = about["checksum"]
    return fields


def _check_known(what: str, given: Mapping[str, Any], known: set[str]) -> None:
    unknown = given.keys() - known
    if unknown:
        raise ValueError(f"{what}: unknown fields {sorted(unknown)}")
