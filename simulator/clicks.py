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

# What names the action, or is only sent if it is given.
FURTHER = {"title", "context", "action_id", "playlist_ids"}


def click(simulation: Simulation, wanted: Mapping[str, Any]) -> Json:
    """Click a custom action for some objects; return the receiver's answer and its duration.

    If the receiver can't be reached, takes too long, or answers with an error status, the action
    becomes FAILING. A status of 0 means that there was no answer.
    """
    usual: Json = {
        "user_id": USER_ID,
        "asset_ids": [],
        "collection_ids": [],
        "saved_search_ids": [],
        "metadata_view_id": None,
        "metadata_values": {},
        "auth_token": simulation.token,
    }
    unknown = wanted.keys() - usual.keys() - FURTHER
    if unknown:
        raise Refusal(400, {"_schema": f"Unknown fields: {sorted(unknown)}"})
    action = _find(simulation, wanted)
    posted = {
        **usual,
        **{name: value for name, value in wanted.items() if name != "title"},
        "system_domain_id": SYSTEM_DOMAIN_ID,
        "context": action.given["context"],
        "action_id": action.id,
        "date_created": iso(CLOCK.now()),
    }
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
