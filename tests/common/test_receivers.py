"""Messages to people: delivered aside, repeated a few times, and without a secret in any log."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from b2_iconik.common import receivers
from b2_iconik.common.errors import SettingsError
from b2_iconik.common.receivers import Delivery, Message, Receiver, split
from dev.harness import wait_for
from tests.inbox import SECRETS, Inbox, an_inbox
from tests.ports import free_port

MESSAGE = Message("Remove: partly done", "12 assets\n3 kept", "warning")
PATIENCE = 60.0


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with an_inbox() as inbox:
        yield inbox


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three attempts without a pause."""
    monkeypatch.setattr(receivers, "PAUSES", (0.0, 0.0, 0.0))


def end_of(delivery: Delivery) -> str | None:
    """Wait until a message is delivered or given up."""
    wait_for("end of a delivery", lambda: delivery.problem is not None, PATIENCE)
    return delivery.problem


def test_a_message_arrives_with_title_text_and_kind(inbox: Inbox) -> None:
    assert end_of(Receiver(inbox.url, 1).send(MESSAGE, PATIENCE)) == ""
    (got,) = inbox.messages
    assert (got["title"], got["message"], got["type"]) == (
        MESSAGE.title, MESSAGE.body, "warning",
    )  # fmt: skip


def test_messages_arrive_in_their_order(inbox: Inbox) -> None:
    receiver = Receiver(inbox.url, 1)
    deliveries = [receiver.send(Message(str(each), "text"), PATIENCE) for each in range(3)]
    assert [end_of(each) for each in deliveries] == ["", "", ""]
    assert [each["title"] for each in inbox.messages] == ["0", "1", "2"]


@pytest.mark.usefixtures("at_once")
def test_a_message_that_is_refused_once_is_sent_again(inbox: Inbox) -> None:
    inbox.answers = [503]
    assert end_of(Receiver(inbox.url, 1).send(MESSAGE, PATIENCE)) == ""
    assert len(inbox.messages) == 2


@pytest.mark.usefixtures("at_once")
def test_after_a_few_attempts_a_message_is_given_up(inbox: Inbox) -> None:
    inbox.answers = [401] * 10
    assert end_of(Receiver(inbox.url, 1).send(MESSAGE, PATIENCE)) == "it answered 401"
    assert len(inbox.messages) == len(receivers.PAUSES)


@pytest.mark.usefixtures("at_once")
def test_a_receiver_that_is_away_is_named_as_such() -> None:
    receiver = Receiver(f"json://127.0.0.1:{free_port()}", 1)
    assert end_of(receiver.send(MESSAGE, PATIENCE)) == receivers.NOT_CONNECTED


def test_what_comes_too_late_is_not_sent(inbox: Inbox) -> None:
    assert end_of(Receiver(inbox.url, 1).send(MESSAGE, 0.0)) == receivers.TOO_LATE
    assert inbox.messages == []


def test_nobody_waits_for_a_receiver_that_hangs(inbox: Inbox) -> None:
    inbox.goes_on.clear()
    receiver = Receiver(inbox.url, 1)
    delivery = receiver.send(MESSAGE, PATIENCE)
    wait_for("request", lambda: inbox.messages, PATIENCE)
    assert delivery.is_on_its_way
    threads = [each for each in threading.enumerate() if each.name == "notify"]
    assert all(each.daemon for each in threads)


def test_a_delivery_whose_time_is_over_is_not_on_its_way() -> None:
    assert not Delivery(MESSAGE, 0.0).is_on_its_way


class Broken:
    """An apprise that fails."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def notify(self, **_: Any) -> "Broken":
        """Fail, or refuse."""
        if self.error:
            raise self.error
        return self

    def __bool__(self) -> bool:
        return False

    def logs(self) -> list[str]:
        """What it logged."""
        return []


def test_an_error_of_apprise_is_named_without_its_text(inbox: Inbox) -> None:
    receiver = Receiver(inbox.url, 1)
    receiver._apprise = Broken(ValueError(inbox.url))
    assert receiver.deliver(MESSAGE) == "apprise failed: ValueError"


def test_a_refusal_without_a_reason_is_told(inbox: Inbox) -> None:
    receiver = Receiver(inbox.url, 1)
    receiver._apprise = Broken(None)
    assert receiver.deliver(MESSAGE) == receivers.NOT_TAKEN


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("answers", [[], [500, 500, 500]])
@pytest.mark.parametrize("name", [None, "apprise", "urllib3", "urllib3.connectionpool"])
def test_no_log_of_any_level_has_the_secrets_of_an_address(
    inbox: Inbox, caplog: pytest.LogCaptureFixture, answers: list[int], name: str | None
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.NOTSET + 1, logger=name)
    inbox.answers = answers
    end_of(Receiver(inbox.url, 1).send(MESSAGE, PATIENCE))
    assert [each for each in SECRETS if each in caplog.text] == []


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("", ()),
        (" , ", ()),
        ("json://a", ("json://a",)),
        ("json://a,json://b", ("json://a", "json://b")),
        (" json://a ,\n\tjson://b ", ("json://a", "json://b")),
        (
            "mailto://u:p@mail.test?to=a@one.test,b@two.test,json://b",
            ("mailto://u:p@mail.test?to=a@one.test,b@two.test", "json://b"),
        ),
    ],
)
def test_addresses_are_separated_by_commas_or_space(text: str, urls: tuple[str, ...]) -> None:
    assert split(text) == urls


@pytest.mark.parametrize(
    "url", ["nosuch://hunter2@host", "json://", "hunter2", "slack://hunter2", "hunter2://"]
)
def test_an_address_that_apprise_does_not_know_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^NOTIFY_URLS has an address .* number 3"):
        Receiver(url, 3)


def test_an_address_that_apprise_fails_at_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("hunter2")

    monkeypatch.setattr("apprise.Apprise.add", fail)
    with pytest.raises(SettingsError) as caught:
        Receiver("json://hunter2@127.0.0.1", 1)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("url", ["slack://hunter2", "json://ada:hunter2@", "hunter2"])
def test_the_refusal_repeats_nothing_secret(
    url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SettingsError) as caught:
        Receiver(url, 1)
    told = capfd.readouterr()
    assert "hunter2" not in str(caught.value) + caplog.text + told.out + told.err
