"""The simulator against iconik's own description of its API, where that is at hand."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from simulator.api_actions import ActionsApi
from simulator.api_assets import AssetsApi
from simulator.api_files import FilesApi
from simulator.routes import Operation, operations
from simulator.simulation import Place, Simulation
from tests.simulator.desk import Desk

DESCRIPTION = Path(__file__).resolve().parents[2].parent / "shared/iconik/openapi.json"

# Listings of assets and collections: their description names only what both have.
MIXED = ("AssetElasticSchema", "SearchDocument", "SearchDocumentSchema")

pytestmark = pytest.mark.skipif(
    not (DESCRIPTION.exists() or os.environ.get("REQUIRE_OPENAPI")),
    reason="iconik's OpenAPI description is not beside this project",
)


def simulated() -> list[Operation]:
    """The simulated operations that iconik's description has, too."""
    simulation = Simulation(Place(Path("b2"), Path("lucidlink")))
    rooms = (FilesApi(simulation), AssetsApi(simulation), ActionsApi(simulation))
    found = [operation for room in rooms for operation, _ in operations(room)]
    return [operation for operation in found if not operation.newer]


def name(operation: Operation) -> str:
    """A name for a test of an operation."""
    return f"{operation.method} {operation.path}"


every_operation = pytest.mark.parametrize("operation", simulated(), ids=name)


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    """iconik's description of its API, its schemas turned into JSON Schema."""
    text = DESCRIPTION.read_text().replace("#/components/schemas/", "#/$defs/")
    read: dict[str, Any] = _as_json_schema(json.loads(text))
    for mixed in MIXED:
        del read["components"]["schemas"][mixed]["additionalProperties"]
    return read


def _as_json_schema(node: Any) -> Any:
    """OpenAPI's own keywords in the words of JSON Schema; no field but those described."""
    if isinstance(node, list):
        return [_as_json_schema(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: _as_json_schema(value) for key, value in node.items()}
    if isinstance(made.get("properties"), dict) and "additionalProperties" not in made:
        made["additionalProperties"] = False
    if made.pop("nullable", None) is True and "type" in made:
        made["type"] = [made["type"], "null"]
    return made


def described(description: dict[str, Any], operation: Operation) -> dict[str, Any]:
    """What iconik's description says of an operation."""
    path = operation.path.replace("<", "{").replace(">", "}")
    found: dict[str, Any] = description["paths"][path][operation.method.lower()]
    return found


def check(description: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """Fail unless a value is as a schema has it."""
    whole = {**schema, "$defs": description["components"]["schemas"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)


def body_schema(description: dict[str, Any], operation: Operation) -> dict[str, Any] | None:
    """The schema of an operation's request body, looked up."""
    body = described(description, operation).get("requestBody")
    if body is None:
        return None
    reference = body["content"]["application/json"]["schema"]["$ref"]
    found: dict[str, Any] = description["components"]["schemas"][reference.rpartition("/")[2]]
    return found


# One good request for each operation

ACTION = {"context": "BULK", "title": "Add", "url": "https://plugin.example/add", "type": "POST"}
JOB = {"title": "Add", "type": "CUSTOM", "status": "STARTED", "progress_total": 3}


class Stock:
    """Something of everything, for one request."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.collection_id = desk.control("POST", "collections", {"title": "Rushes"})["id"]
        sub = {"title": "Day 1", "parent_id": self.collection_id}
        self.sub_id = desk.control("POST", "collections", sub)["id"]
        both = ("b2", "lucidlink")
        made = desk.asset(on=both, collection_ids=[self.collection_id])
        self.file_set = desk.file_set(made, "lucidlink")
        self.ids = {
            "asset_id": made["id"],
            "collection_id": self.collection_id,
            "storage_id": desk.ll_id,
            "file_set_id": made["file_set_ids"]["ORIGINAL"]["lucidlink"],
            "context": "BULK",
            "search_id": desk.control("POST", "saved_searches", {"ids": [made["id"], self.sub_id]})[
                "id"
            ],
            "action_id": self._created("assets/v1/custom_actions/BULK/", ACTION),
            "job_id": self._created("jobs/v1/jobs/", JOB),
        }

    def _created(self, path: str, body: dict[str, Any]) -> str:
        return str(self.desk.ask("POST", path, body).json()["id"])

    def delete(self) -> None:
        """Mark the file set on LucidLink deleted."""
        self.desk.ask("DELETE", self.file_set)

    def copied(self) -> None:
        """Have a copy end, with a child that failed."""
        self.desk.copy(self.ids["asset_id"], self.sub_id)


def nothing(_: Stock) -> None:
    """What most operations need to be prepared."""


PREPARE: dict[str, Callable[[Stock], None]] = {
    "DELETE /files/v1/assets/<asset_id>/file_sets/<file_set_id>/purge/": Stock.delete,
    "PUT /files/v1/assets/<asset_id>/file_sets/<file_set_id>/restore/": Stock.delete,
    "GET /files/v1/assets/<asset_id>/files/": Stock.delete,
    "GET /files/v1/delete_queue/file_sets/": Stock.delete,
    "POST /files/v1/delete_queue/file_sets/purge/": Stock.delete,
    "GET /jobs/v1/jobs/": Stock.copied,
}


def good_body(stock: Stock, schema: dict[str, Any] | None, path: str) -> dict[str, Any] | None:
    """A body that an operation accepts."""
    if schema is None:
        return None
    if "custom_actions" in path:
        return ACTION
    bodies: dict[str, dict[str, Any]] = {
        "jobs/state": {"action": "ABORT", "job_ids": [stock.ids["job_id"]]},
        "jobs/v1/jobs/": JOB,
        "delete_queue": {"ids": [stock.ids["file_set_id"]]},
        "bulk": {"object_ids": [stock.ids["asset_id"]], "object_type": "assets"},
        "search": {"query": "clip", "doc_types": ["assets"]},
    }
    return next(body for part, body in bodies.items() if part in path)


def send(desk: Desk, operation: Operation, path: str, body: Any) -> Any:
    """Send a request of an operation."""
    return desk.ask(operation.method, path.removeprefix("/"), body)


def path_of(stock: Stock, operation: Operation) -> str:
    """The operation's path, with the ids of things that exist."""
    return re.sub(r"<(\w+)>", lambda found: stock.ids[found[1]], operation.path)


@every_operation
def test_answers(desk: Desk, description: dict[str, Any], operation: Operation) -> None:
    stock = Stock(desk)
    PREPARE.get(name(operation), nothing)(stock)
    path = path_of(stock, operation)
    body = good_body(stock, body_schema(description, operation), path)
    answer = send(desk, operation, path, body)

    documented = described(description, operation)["responses"]
    assert answer.ok, answer.text
    assert str(answer.status_code) in documented
    if answer.status_code == 204:
        assert answer.content == b""
        return
    content = documented[str(answer.status_code)].get("content", {}).get("application/json")
    if content:
        check(description, content["schema"], answer.json())
    if "objects" in answer.json():
        assert answer.json()["objects"], "an empty list would prove nothing"


@every_operation
def test_bodies(desk: Desk, description: dict[str, Any], operation: Operation) -> None:
    schema = body_schema(description, operation)
    if schema is None:
        return
    stock = Stock(desk)
    path = path_of(stock, operation)
    good = good_body(stock, schema, path)
    check(description, schema, good)

    missing = send(desk, operation, path, {}).json().get("errors", {})
    needed = [] if operation.method == "PATCH" else schema.get("required", [])
    assert sorted(missing) == sorted(needed)
    for field, about in schema["properties"].items():
        refused = send(desk, operation, path, {**(good or {}), field: ""})
        errors = {} if refused.ok else refused.json()["errors"]
        unknown = isinstance(errors, dict) and errors.get(field) == "Unknown field."
        assert unknown == about.get("readOnly", False), field
    unknown_field = send(desk, operation, path, {**(good or {}), "no_such_field": 1})
    assert unknown_field.json()["errors"] == {"no_such_field": "Unknown field."}


@every_operation
def test_roles(desk: Desk, description: dict[str, Any], operation: Operation) -> None:
    text = described(description, operation).get("description") or ""
    roles = set(re.findall(r"can_\w+", text))
    # iconik's description is silent on who may write custom actions.
    silent = "custom_actions" in operation.path and operation.method != "GET"
    assert set(operation.roles) == roles or silent
    if not operation.roles:
        return
    desk.control("POST", "tokens", {"token": "nobody", "roles": []})
    path = path_of(Stock(desk), operation).removeprefix("/")
    refused = desk.ask(operation.method, path, headers={"Auth-Token": "nobody"})
    assert refused.status_code == 403
    documented = described(description, operation)["responses"]["default"]
    check(description, documented["content"]["application/json"]["schema"], refused.json())
    desk.control("DELETE", "tokens/nobody")


@every_operation
def test_pages(desk: Desk, description: dict[str, Any], operation: Operation) -> None:
    """Lists page as described: below an asset by last_id, else by page."""
    named = {each["name"] for each in described(description, operation).get("parameters", [])}
    if "per_page" not in named or operation.method != "GET":
        return
    stock = Stock(desk)
    PREPARE.get(name(operation), nothing)(stock)
    page = desk.get(path_of(stock, operation).removeprefix("/"), per_page=1)
    assert (page["per_page"], page["page"], len(page["objects"])) == (1, 1, 1)
    assert ("next_url" in page) == (page["total"] > 1)
    if "next_url" in page:
        assert ("last_id=" in page["next_url"]) == ("last_id" in named)
        assert ("page=2" in page["next_url"]) == ("last_id" not in named)
