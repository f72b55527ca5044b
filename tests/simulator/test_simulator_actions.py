"""Jobs that a program posts, custom actions, and picking them."""

import json
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest
import requests

from tests.simulator.desk import Desk

JOB = {"title": "Add to LucidLink", "type": "CUSTOM", "status": "STARTED"}


def test_a_job_of_ours(desk: Desk) -> None:
    made = desk.asset()["id"]
    related = [{"object_type": "assets", "object_id": made}]
    sent = {**JOB, "progress_total": 4, "progress_processed": 1, "related_objects": related}
    created = desk.ask("POST", "jobs/v1/jobs/", sent)
    assert created.status_code == 201
    job = created.json()
    assert {**job, **sent} == job
    assert job["progress"] == 25
    path = f"jobs/v1/jobs/{job['id']}/"
    changed = desk.ask("PATCH", path, {"progress_processed": 2, "message": "Half"}).json()
    assert (changed["progress"], changed["message"], changed["title"]) == (50, "Half", JOB["title"])
    ended = desk.ask("PATCH", path, {"status": "FINISHED"}).json()
    assert ended["progress"] == 100
    child = desk.ask("POST", "jobs/v1/jobs/", {**JOB, "parent_id": job["id"]}).json()
    assert [each["id"] for each in desk.children(job["id"])] == [child["id"]]
    assert desk.ask("DELETE", path).status_code == 204
    assert desk.ask("PATCH", path, {"status": "FAILED"}).status_code == 404


def test_only_who_made_a_job_of_ours_ends_it(desk: Desk) -> None:
    job_id = desk.ask("POST", "jobs/v1/jobs/", JOB).json()["id"]
    abort = {"action": "ABORT", "job_ids": [job_id]}
    desk.ask("PUT", "jobs/v1/jobs/state/", abort)
    path = f"jobs/v1/jobs/{job_id}/"
    assert desk.get(path)["status"] == "ABORT_PENDING"
    desk.ask("PATCH", path, {"status": "ABORTED"})
    desk.ask("PUT", "jobs/v1/jobs/state/", abort)
    assert desk.get(path)["status"] == "ABORTED"


def test_finding_jobs_by_when_they_were_made(desk: Desk) -> None:
    job = desk.ask("POST", "jobs/v1/jobs/", {**JOB, "custom_type": "by time"}).json()
    made = datetime.fromisoformat(job["date_created"])
    made_ms = int(made.timestamp() * 1000)

    def is_found(wanted: str) -> bool:
        found = desk.get("jobs/v1/jobs/", date_created=wanted, per_page=100)["objects"]
        return job["id"] in [each["id"] for each in found]

    assert is_found(f"{made_ms};*")
    assert is_found(f"*;{made_ms + 1}")
    assert is_found("*;*")
    assert not is_found(f"{made_ms + 1};*")
    assert not is_found(f"*;{made_ms - 1}")
    assert desk.ask("GET", "jobs/v1/jobs/?date_created=yesterday").status_code == 400


def test_finding_jobs(desk: Desk) -> None:
    made = desk.asset()["id"]
    jobs = [
        desk.ask("POST", "jobs/v1/jobs/", {**JOB, "status": status, "object_id": made}).json()["id"]
        for status in ("STARTED", "FAILED", "FINISHED")
    ]

    def found(**params: str) -> list[str]:
        return [each["id"] for each in desk.get("jobs/v1/jobs/", **params)["objects"]]

    assert found(object_id=made) == jobs[::-1], "the newest first"
    assert found(object_id=made, status="FAILED") == [jobs[1]]
    assert found(object_id=made, status="FAILED,FINISHED") == [jobs[2], jobs[1]]
    assert found(object_id=made, type="TRANSFER") == []
    assert found(ids=",".join([jobs[0], jobs[2], made])) == [jobs[0], jobs[2]]
    assert desk.ask("GET", "jobs/v1/jobs/", ids="one,two").status_code == 400


@pytest.mark.parametrize(
    ("job", "field"),
    [
        ({"status": "DONE"}, "status"),
        ({"title": ""}, "title"),
        ({"progress_total": "4"}, "progress_total"),
        ({"object_id": "asset"}, "object_id"),
        ({"related_objects": []}, "related_objects"),
        ({"related_objects": [{"object_id": "asset", "object_type": "assets"}]}, "related_objects"),
        ({"parent_id": "00000000-0000-4000-8000-00000000dead"}, "parent_id"),
        ({"colour": "red"}, "colour"),
        ({"id": "00000000-0000-4000-8000-00000000dead"}, "id"),
    ],
)
def test_a_wrong_job(desk: Desk, job: dict[str, Any], field: str) -> None:
    answer = desk.ask("POST", "jobs/v1/jobs/", {**JOB, **job})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_a_body_that_is_no_object(desk: Desk) -> None:
    bodies: tuple[object, ...] = ([], "job", 5)
    for body in bodies:
        assert desk.ask("POST", "jobs/v1/jobs/", body).status_code == 400


# Custom actions

# The headers and the bodies of clicks.
Received = list[tuple[dict[str, str], dict[str, Any]]]
# Where to click, and what arrives there.
Receiving = tuple[str, Received]


class Receiver(BaseHTTPRequestHandler):
    """Takes what iconik posts, and answers as its path says."""

    received: ClassVar[Received]

    def do_POST(self) -> None:
        """Answer with the status in the path."""
        size = int(self.headers["Content-Length"])
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.received.append((headers, json.loads(self.rfile.read(size))))
        body = b'{"message": "OK"}'
        self.send_response(int(self.path.strip("/")))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiving]:
    """Something that receives clicks: its URL, and what it received."""

    class AReceiver(Receiver):
        received: ClassVar[Received] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), AReceiver) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", AReceiver.received
        server.shutdown()
        thread.join()


def action(desk: Desk, url: str, **more: Any) -> Any:
    """Register a custom action."""
    given = {"context": "BULK", "title": "Add", "url": url, "type": "POST", **more}
    path = f"assets/v1/custom_actions/{given['context']}/"
    answer = desk.ask("POST", path, given)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_click(desk: Desk, receiver: Receiving) -> None:
    url, received = receiver
    made = action(desk, f"{url}/200", title="Pick me", headers={"x-bz-secret": "s3cret"})
    asset_id = desk.asset()["id"]
    wanted = {"title": "Pick me", "context": "BULK", "asset_ids": [asset_id]}
    result = desk.control("POST", "click", wanted)
    assert (result["status"], result["body"]) == (200, {"message": "OK"})
    assert 0 < result["seconds"] < 5
    ((headers, posted),) = received
    assert (headers["x-bz-secret"], headers["content-type"]) == ("s3cret", "application/json")
    assert all(posted.pop(field) for field in ("date_created", "user_id", "system_domain_id"))
    assert posted == {
        "context": "BULK",
        "action_id": made["id"],
        "asset_ids": [asset_id],
        "collection_ids": [],
        "saved_search_ids": [],
        "metadata_view_id": None,
        "metadata_values": {},
        "auth_token": desk.token,
    }
    desk.control("POST", "click", {"action_id": made["id"], "auth_token": "mine"})
    assert received[1][1]["auth_token"] == "mine"


def test_a_click_on_a_playlist_with_metadata(desk: Desk, receiver: Receiving) -> None:
    url, received = receiver
    made = action(desk, f"{url}/200", context="PLAYLIST")
    sent = {
        "playlist_ids": ["p"],
        "metadata_view_id": "00000000-0000-4000-8000-0000000000aa",
        "metadata_values": {"Keep": {"field_values": [{"value": "14 days"}]}},
    }
    desk.control("POST", "click", {"action_id": made["id"], **sent})
    ((_, posted),) = received
    assert {**posted, **sent, "context": "PLAYLIST"} == posted


def test_an_action_that_fails_shows_it(desk: Desk, receiver: Receiving) -> None:
    url, _ = receiver
    made = action(desk, f"{url}/500")
    path = f"assets/v1/custom_actions/BULK/{made['id']}/"
    assert made["status"] == "HEALTHY"
    assert desk.control("POST", "click", {"action_id": made["id"]})["status"] == 500
    shown = desk.get(path)
    assert (shown["status"], shown["last_error"][:3]) == ("FAILING", "500")
    desk.ask("PATCH", path, {"url": "http://127.0.0.1:9/add"})
    assert desk.control("POST", "click", {"action_id": made["id"]})["status"] == 0
    assert desk.get(path)["last_error"].startswith("No answer")
    desk.ask("PATCH", path, {"url": f"{url}/200"})
    desk.control("POST", "click", {"action_id": made["id"]})
    assert (desk.get(path)["status"], desk.get(path)["last_error"]) == ("HEALTHY", "")


def test_a_receiver_that_is_too_slow(desk: Desk) -> None:
    made = action(desk, f"{desk.url}/API/files/v1/storages/")
    desk.control("PATCH", "settings", {"click_timeout": 0.1, "hang_seconds": 20})
    result = desk.control("POST", "click", {"action_id": made["id"]})
    assert (result["status"], "timed out" in result["body"]) == (0, True)
    assert 0.1 <= result["seconds"] < 20


def test_registering_listing_changing_and_removing(desk: Desk) -> None:
    before = desk.get("assets/v1/custom_actions/")["total"]
    made = action(desk, "https://plugin.example/add", context="COLLECTION")
    assert desk.get("assets/v1/custom_actions/")["total"] == before + 1

    path = f"assets/v1/custom_actions/COLLECTION/{made['id']}/"
    assert desk.ask("PATCH", path, {"title": "Other"}).json()["url"] == made["url"]
    replaced = {"context": "COLLECTION", "title": "New", "url": "https://plugin.example/new"}
    assert desk.ask("PUT", path, replaced).json()["type"] == "OPEN", "nothing is left of before"
    assert desk.ask("GET", path.replace("COLLECTION", "BULK")).status_code == 404
    assert desk.ask("DELETE", path).status_code == 204
    assert desk.ask("DELETE", path).status_code == 404
    click = {"action_id": made["id"]}
    assert requests.post(f"{desk.url}/_simulator/click", json=click, timeout=60).status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "plugin"}, "url"),
        ({"context": "ASSET"}, "context"),
        ({"context": "FOLDER"}, "context"),
        ({"type": "OPEN", "headers": {"a": "b"}}, "headers"),
        ({"headers": {"a": 5}}, "headers"),
        ({"app_id": "app"}, "app_id"),
        ({"last_error": "none"}, "last_error"),
    ],
)
def test_a_wrong_action(desk: Desk, changes: dict[str, Any], field: str) -> None:
    good = {"context": "BULK", "title": "Add", "url": "https://plugin.example/", "type": "POST"}
    answer = desk.ask("POST", "assets/v1/custom_actions/BULK/", {**good, **changes})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
