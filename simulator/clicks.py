"""Clicks on custom actions: iconik posts the action to its receiver, and stores the result."""

import time
from collections.abc import Mapping
from typing import Any

import requests

from simulator.clock import CLOCK
from simulator.job_records import CustomAction
from simulator.records import SYSTEM_DOMAIN_ID, USER_ID, Json, iso
from simulator.refusals import Refusal, not_found
from simulator.simulation import Simulation

FIELDS = {
    "title",
    "action_id",
    "context",
    "asset_ids",
    "collection_ids",
    "saved_search_ids",
    "playlist_ids",
    "metadata_view_id",
    "metadata_values",
    "auth_token",
    "user_id",
}


def click(simulation: Simulation, wanted: Mapping[str, Any]) -> Json:
    """Click a custom action for some objects; return the receiver's answer and its duration.

    If the receiver can't be reached, takes too long, or answers with an error status, the action
    becomes FAILING. A status of 0 means that there was no answer.
    """
    if wanted.keys() - FIELDS:
        raise Refusal(400, {"_schema": f"Unknown fields: {sorted(wanted.keys() - FIELDS)}"})
    action = _find(simulation, wanted)
    posted = {
        "user_id": wanted.get("user_id", USER_ID),
        "system_domain_id": SYSTEM_DOMAIN_ID,
        "context": action.given["context"],
        "action_id": action.id,
        "asset_ids": wanted.get("asset_ids", []),
        "collection_ids": wanted.get("collection_ids", []),
        "saved_search_ids": wanted.get("saved_search_ids", []),
        "metadata_view_id": wanted.get("metadata_view_id"),
        "metadata_values": wanted.get("metadata_values", {}),
        "date_created": iso(CLOCK.now()),
        "auth_token": wanted.get("auth_token", simulation.token),
    }
    if "playlist_ids" in wanted:
        posted["playlist_ids"] = wanted["playlist_ids"]
    started = time.monotonic()
    try:
        answer = requests.post(
            action.given["url"],
            json=posted,
            headers=action.given.get("headers") or {},
            timeout=simulation.settings.click_timeout,
            allow_redirects=False,
        )
        status, body = answer.status_code, _body(answer)
    except requests.RequestException as error:
        status, body = 0, str(error)
    seconds = round(time.monotonic() - started, 4)
    with simulation.library.lock:
        good = 200 <= status < 300
        action.status = "HEALTHY" if good else "FAILING"
        action.last_error = "" if good else f"{status or 'No answer'}: {body}"
    return {"status": status, "body": body, "seconds": seconds}


def _find(simulation: Simulation, wanted: Mapping[str, Any]) -> CustomAction:
    context, title = wanted.get("context"), wanted.get("title")
    for action in simulation.library.custom_actions.values():
        if wanted.get("action_id") == action.id:
            return action
        if (context, title) == (action.given["context"], action.given["title"]):
            return action
    raise not_found("Custom action")


def _body(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text
