"""An iconik that fails in every way: it only delays what was clicked, and endangers nothing."""

import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.harness import wait_for
from iconik import Iconik
from iconik_http import transport as transport_module
from iconik_http.errors import IconikUnavailable
from iconik_http.tokens import Tokens
from iconik_http.transport import REJECTIONS, Transport
from tests.fake_iconik import NoPacer
from tests.makers import FOR_EVER
from tests.system.desk import (
    BULK,
    CLIP,
    EDITED,
    FILE_SET,
    FILES,
    FORMATS,
    JOBS,
    PATIENCE,
    PURGE,
    ROLES,
    Desk,
    only_problem,
)
from tests.system.points import PURGE_MANY

ANY = "00000000-0000-4000-8000-000000000000"
STORAGE = "files/v1/storages/*"
CONTENTS = "assets/v1/collections/*/contents/"
CALLS = [
    ("GET", STORAGE),
    ("GET", CONTENTS),
    ("GET", FORMATS),
    ("GET", FILES),
    ("POST", BULK),
    ("GET", JOBS),
]
FAULTS = [
    "status:500",
    "status:502",
    "status:503",
    "status:504",
    "429",
    "reset",
    "cut",
    "html",
    "broken_json",
    *(f"status:{status}" for status in (302, 401, 408, 409, 423, 425, 499, 520, 522, 524, 529)),
    *(f"html:{status}" for status in (302, 400, 403, 404, 405, 410, 422, 501)),
]


def is_removed(desk: Desk, asset_id: str, report: Mapping[str, Any]) -> None:
    """What was asked for went wrong as it should; and then the only asset was removed."""
    assert desk.simulator.control("GET", "faults")["requests"] == []
    assert (report["result"], report["counts"]["removed"]) == ("done", 1)
    assert (desk.on_lucidlink(asset_id), desk.on_b2(asset_id)) == ([], ["clip.mov"])


# One of each kind: that others of a kind are treated alike is tested without a service.
@pytest.mark.parametrize(
    "fault", ["status:503", "429", "reset", "cut", "html", "broken_json", "status:401", "html:404"]
)
def test_every_call_up_to_a_deletion_may_fail(desk: Desk, fault: str) -> None:
    rendered = desk.asset(lucidlink=CLIP)
    top = desk.collection(rendered)
    for method, path in CALLS:
        desk.let(fault, method, path)
    is_removed(desk, rendered, desk.do("remove", collection_ids=[top]))


def test_every_deletion_may_fail_in_every_way_before_or_after_it_was_done(desk: Desk) -> None:
    clips = []
    for fault in FAULTS:
        for after in (False, True):
            for path in (FILE_SET, PURGE):
                clips.append(desk.asset(b2=CLIP, lucidlink=CLIP))
                own = path.replace("assets/*", f"assets/{clips[-1]}")
                desk.let(fault, "DELETE", own, after=after)
    # Without the role to purge many at once.
    desk.simulator.control("POST", "tokens", {"token": "an-editor-s-token", "roles": ROLES})
    report = desk.do("remove", *clips, token="an-editor-s-token")
    assert desk.simulator.control("GET", "faults")["requests"] == []
    assert report["result"] == "done"
    assert report["counts"]["removed"] == len(clips)
    for clip in clips:
        assert (desk.on_lucidlink(clip), desk.on_b2(clip)) == ([], ["clip.mov"])
        assert desk.deletions(clip) == ["delete", "purge"]


def test_a_token_that_iconik_rejects_for_a_moment_is_not_given_up(desk: Desk) -> None:
    clip, before = desk.asset(b2=CLIP, lucidlink=CLIP), len(desk.service.log())
    # To everything, and as often as one request is asked again.
    desk.let("status:401", times=REJECTIONS - 1)
    assert desk.do("remove", clip)["counts"]["removed"] == 1
    assert desk.simulator.control("GET", "faults")["requests"] == []
    assert "rejected a token" not in desk.service.log()[before:]


def test_a_limit_of_which_iconik_always_says_that_nothing_is_left_only_slows_down(
    desk: Desk,
) -> None:
    desk.set(none_left=True)
    clips = [desk.asset(b2=CLIP) for _ in range(5)]
    assert desk.do("add", *clips)["counts"]["copied"] == 5


@pytest.mark.parametrize("action", ["add", "remove"])
@pytest.mark.parametrize("newer", [False, True])
def test_ids_may_come_back_in_upper_case(desk: Desk, action: str, newer: bool) -> None:
    desk.set(upper_case_ids=True, bulk_deletion=newer, listing_hints=newer)
    # One has nothing but its copy, so that it must be made first.
    here = {"b2": CLIP} if action == "add" else {"lucidlink": CLIP}
    clips = [desk.asset(**here), desk.asset(b2=CLIP, lucidlink=CLIP)]
    # One is selected twice, by itself and in the collection.
    report = desk.do(
        action, clips[0], collection_ids=[desk.collection(*clips)], saved_search_ids=[]
    )
    assert report["result"] == "done"
    assert report["counts"]["assets"] == 2
    done = {"copied": 1, "there": 1} if action == "add" else {"removed": 2}
    assert {kind: report["counts"][kind] for kind in done} == done
    assert [desk.on_b2(each) for each in clips] == [["clip.mov"]] * 2


def test_a_limit_that_says_when_to_come_again_is_obeyed(desk: Desk) -> None:
    desk.let("429", "GET", FORMATS, retry_after=2)
    assert desk.do("add", desk.asset(b2=CLIP))["counts"]["copied"] == 1
    first, second = (each["time"][17:26] for each in desk.seen("GET", "/formats/"))
    assert (float(second) - float(first)) % 60 > 1.9


def test_a_limit_that_is_really_met_only_slows_down(desk: Desk) -> None:
    desk.let("429", times=5, retry_after=1)
    clips = [desk.asset(b2=CLIP, lucidlink=CLIP) for _ in range(6)]
    assert desk.do("remove", *clips)["counts"]["removed"] == 6
    assert desk.simulator.control("GET", "")["statuses"]["429"] == 5


def test_a_limit_that_another_program_has_used_up_is_not_met(desk: Desk) -> None:
    clips = [desk.asset(b2=CLIP, lucidlink=CLIP) for _ in range(12)]
    there = desk.simulator
    headers = {"App-ID": there.app_id, "Auth-Token": there.token}
    with requests.Session() as session:
        left = 1_000
        while left > 30:
            url = f"{there.url}/API/users/v1/users/current/"
            answer = session.get(url, headers=headers, timeout=30)
            left = int(answer.headers["RateLimit-Remaining"])
    before = there.control("GET", "")["statuses"].get("429", 0)
    assert desk.do("remove", *clips)["counts"]["removed"] == 12
    assert there.control("GET", "")["statuses"].get("429", 0) == before


@pytest.mark.parametrize("fault", ["reset", "html"])
def test_a_copy_that_was_asked_for_but_never_answered_is_made_once(desk: Desk, fault: str) -> None:
    desk.let(fault, "POST", BULK, after=True)
    rendered = desk.asset(lucidlink=CLIP)
    is_removed(desk, rendered, desk.do("remove", rendered))
    assert len(desk.file_sets(rendered, "b2")) == 1


@pytest.mark.parametrize("action", ["add", "remove"])
def test_a_copy_that_somebody_else_has_asked_for_is_waited_for(desk: Desk, action: str) -> None:
    clip = desk.asset(b2=CLIP) if action == "add" else desk.asset(lucidlink=CLIP)
    there = desk.simulator
    target = there.ll_storage_id if action == "add" else there.b2_storage_id
    body = {"object_ids": [clip], "object_type": "assets", "format_name": "ORIGINAL"}
    desk.set(copies_paused=True)
    desk.ask_iconik("POST", f"files/v1/storages/{target}/bulk/", body)
    operation_id = desk.click(action, clip)
    # Its own copy is skipped, and then the other one is found.
    wait_for("both, or the end", lambda: followed(desk, operation_id) in (-1, 2), PATIENCE)
    desk.set(copies_paused=False)
    report = desk.report(operation_id)
    assert report["result"] == "done"
    assert report["counts"]["copied" if action == "add" else "removed"] == 1


def followed(desk: Desk, operation_id: str) -> int:
    """How many copies were followed for an operation; -1 once it has ended."""
    if desk.service.has_ended(operation_id):
        return -1
    with desk.database() as database:
        (number,) = database.execute(
            "SELECT count(*) FROM plugin_copies WHERE number = ?",
            (desk.service.operation(operation_id).number,),
        ).fetchone()
    return int(number)


@pytest.mark.promise
def test_an_outage_of_everything_is_logged_once_and_survived(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP)
    before = len(desk.service.log())
    desk.set(down=True)
    operation_id = desk.click("add", clip)
    wait_for("outage", lambda: "when iconik is back" in desk.service.log()[before:], 120)
    desk.set(down=False)
    assert desk.report(operation_id)["counts"]["copied"] == 1
    log = desk.service.log()[before:]
    assert log.count("continuing when iconik is back") == 1
    assert log.count("iconik is back") == 2


@pytest.mark.promise
def test_a_hanging_iconik_does_not_hold_up_an_answer(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP)
    desk.let("hang:50", times=None)
    # Answering makes no request, so there is nothing to wait for.
    operation_id = desk.click("add", clip)
    desk.heal()
    assert desk.report(operation_id)["counts"]["copied"] == 1


def test_an_edit_while_a_deletion_gets_no_answer_is_seen(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    # Not even when it is asked for again: whatever is seen of the edit is seen before that.
    desk.let("status:503", "DELETE", FILE_SET, times=None)
    operation_id = desk.click("remove", clip)
    desk.wait_for_request("DELETE", "/")
    desk.edit_on_lucidlink(clip)
    assert only_problem(desk.report(operation_id), "kept") == EDITED
    assert desk.on_lucidlink(clip) == ["clip.mov"]


def test_what_is_edited_after_its_mark_is_restored(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    desk.let("status:503", "DELETE", PURGE, times=None)
    operation_id = desk.click("remove", clip)
    desk.wait_for_request("DELETE", "/purge/")
    desk.edit_on_lucidlink(clip)
    desk.heal()
    reason = only_problem(desk.report(operation_id), "failed")
    (file_set,) = desk.file_sets(clip, "lucidlink")
    assert reason == (
        f"{EDITED}, found after its file set was marked deleted, so file set {file_set['id']} was "
        "restored"
    )
    assert desk.on_lucidlink(clip) == ["clip.mov"]
    assert file_set["status"] == "ACTIVE"


def test_what_is_lost_on_b2_after_its_mark_is_restored_and_copied_first(desk: Desk) -> None:
    clip = desk.asset(b2=CLIP, lucidlink=CLIP)
    desk.let("status:503", "DELETE", PURGE, times=None)
    operation_id = desk.click("remove", clip)
    desk.wait_for_request("DELETE", "/purge/")
    desk.change_file(clip, "b2", status="MISSING")
    (desk.simulator.b2 / clip / "clip.mov").unlink()
    desk.heal()
    assert desk.report(operation_id)["counts"]["removed"] == 1
    assert len(desk.seen("PUT", "/restore/")) == 1
    assert (desk.on_lucidlink(clip), desk.on_b2(clip)) == ([], ["clip.mov"])


def test_a_version_that_was_edited_after_its_mark_is_told_though_another_is_removed(
    desk: Desk,
) -> None:
    versions = [[{"name": "v1.mov", "size": 300}], [{"name": "v2.mov", "size": 400}]]
    formats = [{"name": "ORIGINAL", "b2": each, "lucidlink": each} for each in versions]
    body = {"title": "clip", "formats": formats}
    clip = desk.simulator.control("POST", "assets", body)["id"]
    desk.let("status:503", "POST", PURGE_MANY, times=None)
    desk.let("status:503", "DELETE", PURGE, times=None)
    operation_id = desk.click("remove", clip)
    desk.wait_for_request("POST", "/purge/")
    marked = desk.simulator.control("GET", "deletions")["objects"]
    first = next(each["file_set_id"] for each in marked if each["asset_id"] == clip)
    (edited,) = (each for each in desk.file_sets(clip, "lucidlink") if each["id"] == first)
    (file,) = edited["files"]
    change = {"content": "another cut", "size": 11, "checksum": None}
    desk.simulator.control("PATCH", f"files/{file['id']}", change)
    desk.heal()
    report = desk.report(operation_id)
    assert report["result"] == "failed"
    assert f"deleted, so file set {first} was restored" in only_problem(report, "failed")
    assert desk.on_lucidlink(clip) == [file["name"]]


def test_an_asset_that_iconik_always_fails_for_holds_up_no_other(desk: Desk) -> None:
    ailing, other = desk.asset(b2=CLIP), desk.asset(b2=CLIP)
    desk.let("status:500", "GET", f"files/v1/assets/{ailing}/*", times=None)
    operation_id = desk.click("add", ailing, other)
    desk.wait_until(operation_id, "done")
    assert desk.on_lucidlink(other) == ["clip.mov"]
    assert not desk.service.has_ended(operation_id)
    desk.heal()
    assert desk.report(operation_id)["counts"]["copied"] == 2


# Where nobody listens, or answers


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of this machine that refuses connections, and that nobody else takes."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_an_iconik_that_refuses_connections_is_given_up_and_reported(
    desk: Desk, tmp_path: Path, closed_port: int
) -> None:
    environment = {"ICONIK_URL": f"http://127.0.0.1:{closed_port}", "COPY_TIMEOUT": "1s"}
    lonely = Desk(tmp_path, environment, desk.simulator)
    with lonely.kept():
        clip = lonely.asset(b2=CLIP, lucidlink=CLIP)
        report = lonely.do("remove", clip)
        assert report["result"] == "failed"
        assert report["failure"] == (
            "iconik gave no usable answer for too long: could not read the B2 storage: the "
            "connection to iconik failed (ConnectionError)"
        )
        assert lonely.on_lucidlink(clip) == ["clip.mov"]
    lonely.stop()


@pytest.fixture
def impatient(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Transport]:
    """The way to iconik of somebody who waits for next to no time."""
    monkeypatch.setattr(transport_module, "READ_TIMEOUT", 0.2)
    there = desk.simulator
    made = Transport(there.url, there.app_id, Tokens(there.token), NoPacer())
    yield made
    made.close()


def test_an_answer_that_hangs_is_not_waited_for(desk: Desk, impatient: Transport) -> None:
    desk.let("hang:20", "DELETE", FILE_SET)
    with pytest.raises(IconikUnavailable, match="iconik did not answer in time"):
        Iconik(impatient).delete_file_set(ANY, ANY, until=FOR_EVER)


def test_an_answer_that_hangs_half_way_is_not_waited_for(
    impatient: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setattr(impatient, "_api", f"http://127.0.0.1:{listening.getsockname()[1]}/")
        # Or the first half might not be there in time.
        monkeypatch.setattr(impatient, "_timeout", 3.0)
        connections: list[socket.socket] = []

        def answer_half() -> None:
            connections.append(listening.accept()[0])
            connections[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

        thread = threading.Thread(target=answer_half)
        thread.start()
        with pytest.raises(IconikUnavailable, match="the connection to iconik failed"):
            Iconik(impatient).delete_file_set(ANY, ANY, until=FOR_EVER)
        thread.join()
        connections[0].close()
