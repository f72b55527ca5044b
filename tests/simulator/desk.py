"""A simulator in a process of its own, and what tests ask of it."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import requests

ROOT = Path(__file__).resolve().parents[2]
Found = TypeVar("Found")


def wait_for(what: str, find: Callable[[], Found | None], seconds: float = 30.0) -> Found:
    """Wait until something is found, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = find()
        if found:
            return found
        time.sleep(0.01)
    raise TimeoutError(f"no {what} within {seconds:g} s")


class Desk:
    """A running simulator, and a client of both its APIs."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.b2, self.lucidlink = directory / "b2", directory / "lucidlink"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "simulator", "--port", "0"),
                *("--b2", str(self.b2), "--lucidlink", str(self.lucidlink), *options),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline()
        if not self.ready:
            self.stop()
            raise RuntimeError("the simulator did not start")
        words = self.ready.split()
        self.url = words[3]
        told = dict(word.split("=", 1) for word in words[4:])
        self.token, self.app_id = told["token"], told["app_id"]
        self.b2_id, self.ll_id = told["b2_storage_id"], told["ll_storage_id"]
        self.session = requests.Session()

    def stop(self) -> tuple[str, str]:
        """End it; returns what it printed after the ready line."""
        self.process.terminate()
        printed = self.process.communicate(timeout=30)
        if hasattr(self, "session"):
            self.session.close()
        return printed

    def ask(
        self,
        method: str,
        path: str,
        /,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        **params: Any,
    ) -> requests.Response:
        """Send an API request; ``path`` is what follows /API/."""
        sent = {"App-ID": self.app_id, "Auth-Token": self.token, **(headers or {})}
        return self.session.request(
            method, f"{self.url}/API/{path}", json=json, params=params, headers=sent, timeout=30
        )

    def get(self, path: str, /, **params: Any) -> Any:
        """The JSON of a GET that must succeed."""
        response = self.ask("GET", path, **params)
        assert response.ok, response.text
        return response.json()

    def control(self, method: str, path: str = "", json: Any = None) -> Any:
        """Send a request to the simulator's own API; it must succeed."""
        response = self.session.request(
            method, f"{self.url}/_simulator/{path}", json=json, timeout=30
        )
        assert response.ok, response.text
        return response.json() if response.content else None

    def asset(self, *files: Mapping[str, Any], on: tuple[str, ...] = ("b2",), **more: Any) -> Any:
        """Make an asset whose ORIGINAL has these files (else a.mov) on some storages."""
        each: list[Any] = list(files) or [{"name": "a.mov"}]
        formats = {"ORIGINAL": dict.fromkeys(on, each)}
        return self.control("POST", "assets", {"title": "Clip", "formats": formats, **more})

    def copy(self, *asset_ids: str, storage_id: str = "", **more: Any) -> Any:
        """Ask for a copy of some assets and wait for its end; returns the parent job."""
        return self.ended(self.start_copy(*asset_ids, storage_id=storage_id, **more))

    def start_copy(self, *asset_ids: str, storage_id: str = "", **more: Any) -> str:
        """Ask for a copy of some assets; returns the id of the parent job."""
        response = self.ask(
            "POST",
            f"files/v1/storages/{storage_id or self.ll_id}/bulk/",
            {"object_ids": asset_ids, "object_type": "assets", **more},
        )
        assert response.status_code == 202, response.text
        return str(response.json()["job_id"])

    def ended(self, job_id: str) -> Any:
        """Wait for the end of a job, and return it."""
        going = ("READY", "STARTED", "WAITING")

        def look() -> Any:
            job = self.get(f"jobs/v1/jobs/{job_id}/")
            return None if job["status"] in going else job

        return wait_for(f"end of job {job_id}", look)

    def children(self, job_id: str) -> list[Any]:
        """The children of a job."""
        found: list[Any] = self.get("jobs/v1/jobs/", parent_id=job_id, per_page=100)["objects"]
        return found

    def file_set(self, made: Any, storage: str, format_: str = "ORIGINAL") -> str:
        """The path of a file set of an asset that was made with ``asset``."""
        return f"files/v1/assets/{made['id']}/file_sets/{made['file_set_ids'][format_][storage]}/"

    def files(self, asset_id: str, storage: str) -> list[Any]:
        """An asset's files on a storage, with their real paths, as the simulator shows them."""
        return [
            file
            for format_ in self.control("GET", f"assets/{asset_id}")["formats"]
            for file_set in format_["file_sets"]
            if file_set["storage"] == storage
            for file in file_set["files"]
        ]

    def judged(self, file_set: str) -> list[tuple[str, bool]]:
        """The deletions of a file set, by its path: step, and whether proven."""
        file_set_id = file_set.rstrip("/").rpartition("/")[2]
        deletions = self.control("GET", "deletions")["objects"]
        return [(d["step"], d["proven"]) for d in deletions if d["file_set_id"] == file_set_id]
