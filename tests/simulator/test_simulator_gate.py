"""What requests pass before they are answered: tokens, roles, the rate limit, the line's faults."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.simulator.desk import Desk, wait_for

BOUND = 30.0
LONG = 60.0
PATH = "files/v1/storages/"


def status(desk: Desk, path: str = PATH, **headers: str) -> int:
    """The status of a GET with these headers in the place of the right ones."""
    return desk.ask("GET", path, headers=headers).status_code


def test_both_headers_have_to_be_right(desk: Desk) -> None:
    assert status(desk) == 200
    assert status(desk, **{"App-ID": desk.token}) == 401
    assert status(desk, **{"Auth-Token": "wrong"}) == 401
    bare = requests.get(f"{desk.url}/API/{PATH}", timeout=60)
    assert (bare.status_code, bare.json()) == (401, {"errors": ["Token is invalid"]})
    assert int(bare.headers["RateLimit-Remaining"]) > 0
    assert status(desk, "nothing/") == 404
    assert status(desk, "nothing/", **{"Auth-Token": "wrong"}) == 401, "a stranger learns nothing"


def test_tokens_come_and_go(desk: Desk) -> None:
    desk.control("POST", "tokens", {"token": "clicked"})
    assert status(desk, **{"Auth-Token": "clicked"}) == 200
    desk.control("DELETE", "tokens/clicked")
    assert status(desk, **{"Auth-Token": "clicked"}) == 401


def test_roles(desk: Desk) -> None:
    desk.control("POST", "tokens", {"token": "reader", "roles": ["can_read_storages"]})
    assert status(desk, **{"Auth-Token": "reader"}) == 200
    made = desk.asset(on=("b2", "lucidlink"))
    path = desk.file_set(made, "lucidlink")
    refused = desk.ask("DELETE", path, headers={"Auth-Token": "reader"})
    assert refused.status_code == 403
    assert refused.json() == {"errors": ["Required roles: can_delete_files"]}
    assert desk.judged(path) == []
    desk.control("POST", "tokens", {"token": "reader", "roles": ["can_delete_files"]})
    assert desk.ask("DELETE", path, headers={"Auth-Token": "reader"}).status_code == 200
    desk.control("DELETE", "tokens/reader")


def test_the_rate_limit_is_a_sliding_window(own_desk: Desk) -> None:
    desk = own_desk
    # However slow this machine is, all of these fall into it.
    desk.control("PATCH", "settings", {"rate_limit": 5, "rate_window": LONG})
    started = time.monotonic()
    left = [desk.ask("GET", PATH).headers["RateLimit-Remaining"] for _ in range(5)]
    assert left == ["4", "3", "2", "1", "0"]
    refused = desk.ask("GET", PATH)
    assert refused.status_code == 429
    assert (refused.headers["RateLimit-Remaining"], refused.json()) == (
        "0",
        {"errors": ["Rate limit exceeded"]},
    )
    assert "Retry-After" not in refused.headers
    desk.control("PATCH", "settings", {"retry_after": True})
    assert 0 < int(desk.ask("GET", PATH).headers["Retry-After"]) <= LONG
    assert desk.control("GET")["statuses"] == {"200": 5, "429": 2}
    desk.control("PATCH", "settings", {"rate_window": 1})
    wait_for("an answer", lambda: status(desk) == 200, BOUND)
    assert time.monotonic() >= started + 1


def test_requests_are_counted_by_kind(own_desk: Desk) -> None:
    desk = own_desk
    made = desk.asset()["id"]
    for _ in range(2):
        desk.ask("GET", f"files/v1/assets/{made}/files/", per_page=50)
    desk.ask("GET", f"assets/v1/custom_actions/ASSET/{made}/")
    state = desk.control("GET")
    assert state["requests"] == {
        "GET files/v1/assets/{}/files/": 2,
        "GET assets/v1/custom_actions/ASSET/{}/": 1,
    }
    assert state["statuses"] == {"200": 2, "404": 1}
    first = desk.control("GET", "requests")["objects"][0]
    assert (first["method"], first["path"]) == ("GET", f"/API/files/v1/assets/{made}/files/")
    assert (first["status"], first["query"], first["token"]) == (200, "per_page=50", desk.token)
    desk.control("DELETE", "requests")
    state = desk.control("GET")
    assert (state["requests"], state["statuses"]) == ({}, {})
    assert desk.control("GET", "requests") == {"objects": []}


# The line


def test_latency(desk: Desk) -> None:
    desk.control("PATCH", "settings", {"latency_ms": 120, "hang_seconds": 0.1})
    started = time.monotonic()
    assert status(desk) == 200
    assert time.monotonic() - started >= 0.22
    desk.control("PATCH", "settings", {"latency_ms": LONG * 1000})
    assert desk.control("GET"), "the simulator's own API doesn't wait"


def test_the_line_is_down(desk: Desk) -> None:
    desk.control("PATCH", "settings", {"down": True})
    for _ in range(3):
        # And not a timeout: a dropped connection is noticed at once.
        with pytest.raises(requests.ConnectionError):
            desk.ask("GET", PATH)
    desk.control("PATCH", "settings", {"down": False})
    assert status(desk) == 200


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_lost_answers(desk: Desk, fault: str, after: bool) -> None:
    made = desk.asset(on=("b2", "lucidlink"))
    path = desk.file_set(made, "lucidlink")
    desk.control(
        "POST",
        "faults",
        {"method": "DELETE", "path": "*/file_sets/*", "fault": fault, "after": after},
    )
    # And not a timeout: it is noticed at once.
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        desk.ask("DELETE", path)
    assert desk.get(path)["status"] == ("DELETED" if after else "ACTIVE")
    assert desk.control("GET", "faults")["requests"] == [], "it happens once"
    assert desk.control("GET", "requests")["objects"][-2]["status"] == 0


@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        ("status:503", 503, "application/json"),
        ("status:404", 404, "application/json"),
        ("429", 429, "application/json"),
        ("html", 200, "text/html"),
        ("broken_json", 200, "application/json"),
    ],
)
@pytest.mark.parametrize("after", [False, True])
def test_wrong_answers(desk: Desk, fault: str, code: int, kind: str, after: bool) -> None:
    made = desk.asset(on=("b2", "lucidlink"))
    path = desk.file_set(made, "lucidlink")
    rule = {"fault": fault, "after": after, "times": 2, "retry_after": 3}
    desk.control("POST", "faults", {"path": "files/v1/assets/*", **rule})
    answer = desk.ask("DELETE", path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (code, kind)
    if code == 200:
        with pytest.raises(ValueError, match=r"."):
            answer.json()
    else:
        assert answer.headers["Retry-After"] == "3"
        assert answer.json()["errors"]
    assert status(desk) == 200, "of another path"
    assert desk.ask("GET", path).status_code == code, "a second time"
    assert desk.get(path)["status"] == ("DELETED" if after else "ACTIVE")


def test_what_hangs_goes_on_when_faults_are_cleared(desk: Desk) -> None:
    desk.control("POST", "faults", {"path": PATH, "fault": f"hang:{LONG:g}"})
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(status, desk)
        wait_for("request", lambda: not desk.control("GET", "faults")["requests"], BOUND)
        assert not asked.done()
        desk.control("DELETE", "faults")
        assert asked.result(BOUND) == 200


def test_now_and_then_and_for_ever(desk: Desk) -> None:
    desk.control("POST", "faults", {"fault": "status:500", "times": None, "probability": 0.5})
    seen = {status(desk) for _ in range(60)}
    assert seen == {200, 500}
    desk.control("DELETE", "faults")
    assert {status(desk) for _ in range(20)} == {200}


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "explode"},
        {"fault": "status:teapot"},
        {"fault": "reset", "often": True},
        {"copy": "explode"},
        {"path": "*"},
    ],
)
def test_no_such_fault(desk: Desk, fault: dict[str, object]) -> None:
    answer = requests.post(f"{desk.url}/_simulator/faults", json=fault, timeout=60)
    assert (answer.status_code, list(answer.json())) == (400, ["errors"])
    assert desk.control("GET", "faults") == {"requests": [], "buckets": [], "copies": []}
