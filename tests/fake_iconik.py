"""An iconik of a few answers, for tests that need no simulator of it."""

import json
import re
import uuid
from typing import Any

from requests import PreparedRequest
from responses import RequestsMock

from iconik_http.pacing import Pacer

API = "https://iconik.test/API/"
CLICK_TOKEN = "token-of-the-click-0123456789"
B2_STORAGE = "b2b2b2b2-0000-4000-8000-000000000000"
LL_STORAGE = "11111111-0000-4000-8000-000000000000"


class NoPacer(Pacer):
    """Lets every request pass at once, and counts them."""

    def __init__(self) -> None:
        self.requests = 0
        self.urgent: list[bool] = []
        self.left: list[float] = []
        self.told_when: list[bool] = []
        self.pauses: list[float] = []

    def wait(self, is_urgent: bool = False) -> float:
        """Return at once."""
        self.requests += 1
        self.urgent.append(is_urgent)
        return 0.0

    def heed(self, left: float, sent: float, *, says_when: bool = False) -> None:
        """Take note of how many requests are left."""
        self.left.append(left)
        self.told_when.append(says_when)

    def pause(self, seconds: float) -> None:
        """Take note of a pause that all are to make."""
        self.pauses.append(seconds)


class FakeActions:
    """iconik's storages and custom actions, in memory, behind the URLs of its API.

    Attributes:
        held: the custom actions by id.
        changes: method and path of every request but GET.
        everything: matches any URL of its API.
    """

    def __init__(self, http: RequestsMock) -> None:
        self.held: dict[str, dict[str, Any]] = {}
        self.changes: list[str] = []
        self.storages: dict[str, dict[str, Any]] = {
            B2_STORAGE: {"id": B2_STORAGE, "name": "Masters", "method": "B2"},
            LL_STORAGE: {"id": LL_STORAGE, "name": "Filespace", "method": "FILE"},
        }
        self.everything = re.compile(re.escape(API))
        for method in ("GET", "POST", "PUT", "DELETE"):
            http.add_callback(method, self.everything, self.answer)

    def add(self, **record: Any) -> dict[str, Any]:
        """Have iconik hold a custom action."""
        record = {
            "id": str(uuid.uuid4()),
            "type": "POST",
            "context": "ASSET",
            "title": "?",
        } | record
        self.held[record["id"]] = record
        return record

    def answer(self, request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        """Do what a request asks for."""
        path = str(request.url).removeprefix(API).split("?")[0].strip("/").split("/")
        if path[:3] == ["files", "v1", "storages"]:
            if len(path) == 3:
                return 200, {}, json.dumps({"objects": list(self.storages.values())})
            storage = self.storages.get(path[3])
            return (200, {}, json.dumps(storage)) if storage else (404, {}, '{"errors": []}')
        assert path[:3] == ["assets", "v1", "custom_actions"]
        if request.method == "GET":
            return 200, {}, json.dumps({"objects": list(self.held.values())})
        self.changes.append(f"{request.method} {'/'.join(path[3:])}")
        if request.method == "DELETE":
            assert self.held.pop(path[4])["context"] == path[3]
            return 204, {}, ""
        posted = json.loads(request.body or "")
        assert posted["context"] == path[3]
        if request.method == "PUT":
            assert path[4] in self.held
            return 200, {}, json.dumps(self.add(**posted, id=path[4]))
        return 201, {}, json.dumps(self.add(**posted))
