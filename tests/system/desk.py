"""A service and its iconik for a whole module of tests, and what must hold after each of them."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import requests
import sqlalchemy as sa

from dev.harness import ROOT, SECRET, Service, Simulator, wait_for

PATIENCE = 120.0

# Those that an operation needs; without can_purge_files it only asks more often.
ROLES = [
    "can_read_storages",
    "can_read_collections",
    "can_read_assets",
    "can_read_formats",
    "can_read_files",
    "can_write_transfers",
    "can_read_jobs",
    "can_delete_files",
    "can_read_saved_searches",
]
BULK = "files/v1/storages/*/bulk/"
FORMATS = "files/v1/assets/*/formats/"
FILES = "files/v1/assets/*/files/"
FILE_SET = f"files/v1/assets/*/file_sets/{'?' * 36}/"
PURGE = "files/v1/assets/*/file_sets/*/purge/"
JOBS = "jobs/v1/jobs/"

# What is asked of iconik to show an operation in its jobs list.
SHOWING = re.compile(
    "(POST|PATCH|GET) /API/jobs/v1/jobs/([^/]{36}/)?|"
    "GET /API/(assets/v1/(assets|collections|playlists)|users/v1/users)/[^/]+/"
)

CLIP = [{"name": "clip.mov", "size": 300}]
FRAMES = [{"name": f"frame_{n}.dpx", "size": 100 + n} for n in (1, 2, 3)]
EDITED = "clip.mov differs from its master: 11 bytes on LucidLink, 300 bytes on B2"


class User(NamedTuple):
    """Somebody who clicks, and the token that their clicks bring."""

    id: str
    token: str


class Desk:
    """One service and one simulator, shared by tests that leave nothing behind.

    Args:
        directory: where the service's database and log are, and the simulator's storages if it
            isn't given.
        environment: variables of the service, besides those it needs.
        simulator: the iconik to work with; one of its own if not given.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        simulator: Simulator | None = None,
    ) -> None:
        self._is_own = simulator is None
        self.simulator = simulator or Simulator(directory, "--copy-seconds", "0.05")
        self.service = Service(directory, self.simulator, ["-w", "1"], environment)
        # Where clicks go to, and whose certificates are good there.
        self.front = self.service.url
        self.verify: str | bool = True
        self._settings = self.simulator.control("GET", "settings")
        self._clicked: list[str] = []

    def stop(self) -> None:
        """End both, as far as they are its own."""
        self.service.stop()
        if self._is_own:
            self.simulator.stop()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Whatever a test does here: no deletion is unproven, and every click gets its report.

        Leaves an iconik behind to which nothing happens any more.
        """
        self._clicked.clear()
        self.simulator.control("DELETE", "requests")
        before = len(self._unproven())
        yield
        self.simulator.control("DELETE", "faults")
        self.simulator.control("PATCH", "settings", self._settings)
        reports = [self.report(each) for each in self._clicked]
        assert all(each["result"] not in ("running", "stopping") for each in reports)
        # Those before are other tests' failures.
        assert self._unproven()[before:] == []

    def _unproven(self) -> list[dict[str, Any]]:
        deletions = self.simulator.control("GET", "deletions")["objects"]
        unproven = [each for each in deletions if not each["proven"]]
        assert self.simulator.control("GET", "")["deletions"]["unproven"] == len(unproven)
        return unproven

    # Clicks

    def click(
        self,
        action: str,
        *asset_ids: str,
        token: str = "",
        storages: Mapping[str, str] | None = None,
        path: str = "",
        formats: str = "ORIGINAL",
        user: User | None = None,
        **more: list[str],
    ) -> str:
        """Click on assets, or on what else is given; returns the operation's id.

        Args:
            token: the click's own; the user's, or else the simulator's if not given.
            storages: other ``b2_storage_id`` or ``ll_storage_id`` than the simulator's.
            path: the directory of LucidLink that the action's URL names.
            formats: what the action's URL names; "" for those that the service takes then.
            user: who clicks, if iconik says so.
            more: ``collection_ids``, ``saved_search_ids``, ``playlist_ids``.
        """
        there = self.simulator
        own = {"b2_storage_id": there.b2_storage_id, "ll_storage_id": there.ll_storage_id}
        answer = requests.post(
            f"{self.front}/{action}",
            params={
                **own,
                **(storages or {}),
                "formats": formats or None,
                "path": path or None,
            },
            json={
                "context": "COLLECTION" if more else "BULK",
                "auth_token": token or (user.token if user else there.token),
                "user_id": user.id if user else None,
                "asset_ids": asset_ids,
                **more,
            },
            headers={"x-bz-secret": SECRET},
            verify=self.verify,
            timeout=30,
        )
        assert answer.status_code == 200
        operation_id = str(answer.json()["operation_id"])
        self._clicked.append(operation_id)
        return operation_id

    def user(self, *hidden: str, roles: list[str] | None = None) -> User:
        """Let somebody into iconik.

        Args:
            hidden: the assets that they may not see.
            roles: those of their token; all if not given.
        """
        user_id = str(uuid.uuid4())
        self.simulator.control("PUT", f"users/{user_id}/hidden", {"asset_ids": list(hidden)})
        return self.with_new_token(User(user_id, ""), roles)

    def with_new_token(self, user: User, roles: list[str] | None = None) -> User:
        """The same user, with a token that is good."""
        body = {"user_id": user.id, "roles": roles}
        return User(user.id, self.simulator.control("POST", "tokens", body)["token"])

    def expire(self, token: str) -> None:
        """Let a token expire."""
        self.simulator.control("DELETE", f"tokens/{token}")

    def try_again(self, operation_id: str) -> str:
        """Try an operation again, as its administrator would; returns the new operation's id."""
        said = subprocess.run(
            [sys.executable, "show_operations.py", "retry", operation_id, "--json"],
            cwd=ROOT,
            env={**os.environ, **self.service.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return str(json.loads(said.stdout)["operation_id"])

    def report(self, operation_id: str) -> dict[str, Any]:
        """Wait for the end of an operation; returns its report."""
        return self.service.report(operation_id, PATIENCE)

    def do(self, action: str, *asset_ids: str, **click: Any) -> dict[str, Any]:
        """Click, and wait for the report."""
        return self.report(self.click(action, *asset_ids, **click))

    def wait_until(self, operation_id: str, state: str, number: int = 1) -> None:
        """Wait until so many assets of an operation are in a state."""
        wait_for(
            f"{number} {state}",
            lambda: self.service.progress(operation_id).get(state) == number,
            PATIENCE,
        )

    # iconik

    def let(self, fault: str, method: str = "*", path: str = "*", **how: Any) -> None:
        """Let requests fail; see the simulator's README."""
        body = {"fault": fault, "method": method, "path": path, **how}
        self.simulator.control("POST", "faults", body)

    def let_copy(self, copy: str, **which: Any) -> None:
        """Let copies fail; see the simulator's README."""
        self.simulator.control("POST", "faults", {"copy": copy, **which})

    def set(self, **settings: Any) -> None:
        """Change how iconik behaves, until the end of the test."""
        self.simulator.control("PATCH", "settings", settings)

    def heal(self) -> None:
        """Let nothing more go wrong, and what hangs go on."""
        self.simulator.control("DELETE", "faults")

    def wait_until_taken(self) -> None:
        """Wait until all has come that is to fail: what hangs has then not been looked at yet."""
        faults = self.simulator.control
        wait_for("request", lambda: not faults("GET", "faults")["requests"], PATIENCE)

    def seen(self, method: str, ending: str) -> list[dict[str, Any]]:
        """The requests of a method since the test began, whose path ends so."""
        return [
            each
            for each in self.simulator.control("GET", "requests")["objects"]
            if each["method"] == method and each["path"].endswith(ending)
        ]

    def asked(self) -> list[dict[str, Any]]:
        """The requests since the test began, but for those that only show the work in iconik."""
        return [
            each
            for each in self.simulator.control("GET", "requests")["objects"]
            if not SHOWING.fullmatch(f"{each['method']} {each['path']}")
        ]

    def copies_asked_for(self) -> list[dict[str, Any]]:
        """The requests for copies since the test began."""
        return [each for each in self.seen("POST", "/bulk/") if "/storages/" in each["path"]]

    def wait_for_request(self, method: str, ending: str) -> None:
        """Wait until iconik has answered, or lost, such a request."""
        wait_for(f"{method} {ending}", lambda: self.seen(method, ending), PATIENCE)

    def ask_iconik(self, method: str, path: str, json: Any = None) -> Any:
        """Do something by iconik's own API, as a person or another program would."""
        response = requests.request(
            method,
            f"{self.simulator.url}/API/{path}",
            json=json,
            headers={"App-ID": self.simulator.app_id, "Auth-Token": self.simulator.token},
            timeout=30,
        )
        response.raise_for_status()
        return response.json() if response.content else None

    # What is where

    def asset(self, **sides: list[dict[str, Any]]) -> str:
        """Make an asset whose ORIGINAL has these files on ``b2`` and on ``lucidlink``."""
        body = {"title": "clip", "formats": {"ORIGINAL": sides}}
        return str(self.simulator.control("POST", "assets", body)["id"])

    def collection(self, *asset_ids: str) -> str:
        """Make a collection of these assets."""
        made = self.simulator.control("POST", "collections", {"title": "top"})
        self.put_into(made["id"], *asset_ids)
        return str(made["id"])

    def put_into(self, collection_id: str, *asset_ids: str) -> None:
        """Put assets into a collection."""
        body = {"ids": list(asset_ids)}
        self.simulator.control("POST", f"collections/{collection_id}/contents", body)

    def on_lucidlink(self, asset_id: str) -> list[str]:
        """The names of an asset's real files on LucidLink."""
        return sorted(path.name for path in (self.simulator.lucidlink / asset_id).glob("*"))

    def on_b2(self, asset_id: str) -> list[str]:
        """The names of an asset's real files on B2."""
        return sorted(path.name for path in (self.simulator.b2 / asset_id).glob("*"))

    def file_sets(self, asset_id: str, storage: str) -> list[dict[str, Any]]:
        """The records of an asset's file sets on a storage, 'b2' or 'lucidlink'."""
        formats = self.simulator.control("GET", f"assets/{asset_id}")["formats"]
        sets = [each for format_ in formats for each in format_["file_sets"]]
        return [each for each in sets if each["storage"] == storage]

    def change_file(self, asset_id: str, storage: str, **changes: Any) -> None:
        """Change the record of an asset's first file on a storage, or its real content."""
        file_id = self.file_sets(asset_id, storage)[0]["files"][0]["id"]
        self.simulator.control("PATCH", f"files/{file_id}", changes)

    def edit_on_lucidlink(self, asset_id: str) -> None:
        """Save the only file of an asset anew, and have iconik notice."""
        self.simulator.edit_on_lucidlink(asset_id, "another cut")

    def deletions(self, asset_id: str) -> list[str]:
        """What was done to an asset's file sets: 'delete', 'purge' and 'restore', in order."""
        seen = self.simulator.control("GET", "deletions")["objects"]
        return [each["step"] for each in seen if each["asset_id"] == asset_id]

    # The ledger

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """The service's SQLite file."""
        path = str(sa.make_url(self.service.environment["DATABASE_URL"]).database)
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            yield connection


def only_problem(report: Mapping[str, Any], kind: str) -> str:
    """The reason of the only problem of a report, which is of a kind."""
    (problem,) = report["problems"]
    assert (problem["kind"], report["counts"][kind]) == (kind, 1)
    return str(problem["reason"])
