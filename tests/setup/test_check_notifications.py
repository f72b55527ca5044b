"""What is said of those who are notified, with a test message if that is wanted."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from b2_iconik.common.receivers import NO_ANSWER
from b2_iconik.common.settings import Settings
from b2_iconik.setup import check_notifications
from b2_iconik.setup.findings import Finding
from dev.harness import wait_for
from tests.inbox import SECRETS, Inbox, an_inbox


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with an_inbox() as inbox:
        yield inbox


def found(settings: Settings, *urls: str, is_sending: bool = False) -> list[Finding]:
    """What the check finds."""
    own = replace(settings, notify_urls=urls, public_url="https://plugin.example.com")
    return list(check_notifications.check(own, is_sending=is_sending))


def test_without_addresses_nothing_is_said(settings: Settings) -> None:
    assert found(settings) == []


def test_a_test_message_needs_an_address(settings: Settings) -> None:
    (finding,) = found(settings, is_sending=True)
    assert (finding.state, finding.detail.startswith("NOTIFY_URLS is not set")) == ("wrong", True)


def test_unless_asked_nothing_is_sent(settings: Settings, inbox: Inbox) -> None:
    (finding,) = found(settings, inbox.url)
    assert (finding.state, inbox.messages) == ("ok", [])
    assert finding.detail == "go to address 1 of NOTIFY_URLS (json); --notify sends a test message"


def test_without_a_public_address_the_missing_link_is_noted(
    settings: Settings, inbox: Inbox
) -> None:
    own = replace(settings, notify_urls=(inbox.url,))
    noted, _ = check_notifications.check(own, is_sending=False)
    assert (noted.state, "PUBLIC_URL" in noted.detail) == ("note", True)


def test_each_address_is_sent_a_test_message(settings: Settings, inbox: Inbox) -> None:
    inbox.answers = [401]
    refused, taken = found(settings, inbox.url, inbox.url, is_sending=True)
    assert (refused.state, taken.state) == ("wrong", "ok")
    assert refused.detail == (
        "address 1 of NOTIFY_URLS (json) did not take the test message: it answered 401"
    )
    assert [each["title"] for each in inbox.messages] == [check_notifications.TEST.title] * 2


def test_an_address_that_hangs_is_wrong(
    settings: Settings, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_notifications, "PATIENCE", 0.0)
    inbox.goes_on.clear()
    (finding,) = found(settings, inbox.url, is_sending=True)
    assert (finding.state, finding.detail.endswith(NO_ANSWER)) == ("wrong", True)
    wait_for("request", lambda: inbox.messages, 60)


def test_no_finding_has_a_secret_of_an_address(settings: Settings, inbox: Inbox) -> None:
    inbox.answers = [500]
    told = str(found(settings, inbox.url, is_sending=True) + found(settings, inbox.url))
    assert [each for each in SECRETS if each in told] == []
