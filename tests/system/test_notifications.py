"""People are notified of what the running service leaves undone, whatever their receivers do."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

import check_setup
from dev.harness import Service, Simulator, wait_for
from tests.inbox import SECRETS, Inbox, an_inbox
from tests.system.media import asset

pytestmark = pytest.mark.promise

PUBLIC = "https://plugin.example.com"
PATIENCE = 120.0


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with an_inbox() as inbox:
        yield inbox


@pytest.fixture
def notifying(tmp_path: Path, simulator: Simulator, inbox: Inbox) -> Iterator[Service]:
    """A service that notifies, and logs all it can."""
    told = {"NOTIFY_URLS": inbox.url, "PUBLIC_URL": PUBLIC, "LOG_LEVEL": "DEBUG"}
    service = Service(tmp_path, simulator, ["-w", "1", "--access-logfile", "-"], told)
    yield service
    service.stop()


def partly_done(simulator: Simulator, service: Service) -> str:
    """The id of an operation that keeps one of two assets."""
    edited, other = asset(simulator, "beach", on="both"), asset(simulator, "pier", on="both")
    simulator.edit_on_lucidlink(edited, "a longer cut " * 100)
    answer = service.click("remove", asset_ids=[edited, other], formats="ORIGINAL")
    operation_id = str(answer.json()["operation_id"])
    service.report(operation_id)
    return operation_id


def test_what_is_left_undone_is_told_once_with_a_link_that_works(
    simulator: Simulator, notifying: Service, inbox: Inbox
) -> None:
    partly_done(simulator, notifying)
    # Closed only once everything for it is done.
    wait_for("end of everything", notifying.is_idle, PATIENCE)
    (message,) = inbox.messages
    assert message["title"].startswith("Remove from LucidLink: 2 assets (")
    assert "2 assets, 1 removed, 1 kept on LucidLink." in message["message"]
    assert (
        "Kept on LucidLink: beach: beach_original.mov differs from its master" in message["message"]
    )
    link = message["message"].rpartition("Report: ")[2]
    opened = requests.get(link.replace(PUBLIC, notifying.url), timeout=30)
    assert (opened.status_code, "beach_original.mov differs" in opened.text) == (200, True)


def test_a_receiver_that_hangs_holds_up_no_operation_and_no_restart(
    simulator: Simulator, notifying: Service, inbox: Inbox
) -> None:
    inbox.goes_on.clear()
    first = partly_done(simulator, notifying)
    wait_for("notification", lambda: inbox.messages, PATIENCE)
    partly_done(simulator, notifying)
    notifying.process.stop()
    inbox.goes_on.set()
    notifying.start()
    # Nobody knows whether the first message arrived, so it is sent again.
    wait_for("end of everything", notifying.is_idle, PATIENCE)
    assert notifying.has_ended(first)
    assert any(first in each["message"] for each in inbox.messages[1:])


def test_no_log_has_a_secret_of_the_receiver_or_a_link(
    simulator: Simulator, notifying: Service, inbox: Inbox
) -> None:
    inbox.answers = [500]
    partly_done(simulator, notifying)
    wait_for("second attempt", lambda: len(inbox.messages) > 1, PATIENCE)
    link = inbox.messages[0]["message"].rpartition("Report: ")[2]
    requests.get(link.replace(PUBLIC, notifying.url), timeout=30)
    wait_for("line of the access log", lambda: '"GET /operations/' in notifying.log(), PATIENCE)
    hidden = (*SECRETS, link.partition("?link=")[2])
    assert [each for each in hidden if each in notifying.log()] == []


def test_an_administrator_can_try_it(
    notifying: Service,
    inbox: Inbox,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in notifying.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    check_setup.main(["--notify"])
    said = capsys.readouterr().out
    assert "ok       notifications: address 1 of NOTIFY_URLS (json) took the test message" in said
    assert [each["title"] for each in inbox.messages] == [
        "Test of the B2 storage plugin for iconik"
    ]
