"""What a real service logs of real operations: few lines, each with its operation, and an audit."""

import json
from pathlib import Path
from typing import Any

import pytest

from dev.harness import Service, Simulator
from tests.system.media import asset
from tests.system.points import stood_still

USER = "05e40000-0000-4000-8000-000000000001"
MANY = 60


@pytest.fixture
def service(tmp_path: Path, simulator: Simulator) -> Service:
    """The service, logging JSON."""
    return Service(tmp_path, simulator, environment={"LOG_FORMAT": "json"})


def click(service: Service, action: str, asset_ids: list[str]) -> str:
    """Click as a person whom iconik names; returns the operation's id, once that has ended."""
    body = {
        "context": "BULK",
        "asset_ids": asset_ids,
        "user_id": USER,
        "auth_token": service.simulator.token,
    }
    operation_id = str(service.post(action, body, "ORIGINAL").json()["operation_id"])
    service.report(operation_id)
    return operation_id


def lines(service: Service) -> list[dict[str, Any]]:
    """Every line it has printed, each a JSON object."""
    return [json.loads(line) for line in service.log().splitlines()]


def test_an_operation_takes_about_five_lines_however_many_assets_it_is_about(
    simulator: Simulator, service: Service
) -> None:
    few = [asset(simulator, "clip")]
    many = [asset(simulator, f"clip{number}") for number in range(MANY)]
    added = {len(ids): click(service, "add", ids) for ids in (few, many)}
    removed = {len(ids): click(service, "remove", ids) for ids in (few, many)}
    service.process.stop()
    seen = lines(service)
    # Then it says that some assets must be read again.
    was_held_up = stood_still(simulator)
    assert was_held_up or not [line for line in seen if line["level"] != "INFO"]
    for operation_id in (*added.values(), *removed.values()):
        mine = [line for line in seen if line["operation_id"] == operation_id]
        assert 3 <= len([line for line in mine if line["logger"] != "audit"]) <= 5 + was_held_up
    # Each deletion is in the log once, with all that is known of it.
    for count, operation_id in removed.items():
        audits = [
            line
            for line in seen
            if line["logger"] == "audit" and line["operation_id"] == operation_id
        ]
        assert len(audits) == count
        assert {line["asset_id"] for line in audits} == set(few if count == 1 else many)
    record = simulator.control("GET", f"assets/{few[0]}")
    (format_,) = [each for each in record["formats"] if each["name"] == "ORIGINAL"]
    (b2,) = [each for each in format_["file_sets"] if each["storage"] == "b2"]
    (audit,) = [line for line in seen if line.get("asset_id") == few[0]]
    assert audit["user_id"] == USER
    assert audit["format"] == "ORIGINAL"
    assert audit["twin_file_set_id"] == b2["id"]
    assert audit["bytes"] == sum(file["size"] for file in b2["files"])
    assert audit["proven_by"] == "size and checksum"


def test_every_line_from_the_first_on_is_json_and_shows_no_secret(
    simulator: Simulator, service: Service
) -> None:
    click(service, "add", [asset(simulator, "clip")])
    service.post("add", {"context": "nowhere"})
    service.process.stop()
    seen = lines(service)
    assert "Starting gunicorn" in seen[0]["message"]
    assert {line["logger"] for line in seen} >= {
        "gunicorn.error",
        "plugin",
        "b2_iconik.operation.run",
    }
    for secret in (simulator.token, service.environment["BZ_SHARED_SECRET"]):
        assert secret not in service.log()
