"""Delivers messages to people through apprise: e-mail, chats, and other services.

Nothing here waits for a receiver. Each has a thread of its own, which no shutdown waits for.
"""

import logging
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Literal

from b2_iconik.common import logs
from b2_iconik.common.errors import SettingsError

# Seconds before each attempt.
PAUSES = (0.0, 5.0, 20.0)
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30})://")
# A comma may also be part of an address, such as a list of recipients.
BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*:/)|\s+")
STATUS = re.compile(r"error=([0-9]{3})\b")
TOO_LATE = "it was busy with earlier messages"
NO_ANSWER = "it takes too long"
NOT_CONNECTED = "it cannot be reached, or takes too long"
NOT_TAKEN = "it did not accept the message"

Kind = Literal["success", "warning", "failure", "info"]


@dataclass(frozen=True)
class Message:
    """A message for people.

    Attributes:
        title: one line.
        body: plain text.
        kind: how apprise marks it, where the receiver can show that.
    """

    title: str
    body: str
    kind: Kind = "info"


@dataclass
class Delivery:
    """A message on its way to one receiver.

    Attributes:
        deadline: until when it is tried, by the monotonic clock.
        problem: None while it is on its way, "" once delivered, or why it was given up.
    """

    message: Message
    deadline: float
    problem: str | None = None

    @property
    def is_on_its_way(self) -> bool:
        """Whether it may still be delivered in time."""
        return self.problem is None and time.monotonic() < self.deadline


def split(text: str) -> tuple[str, ...]:
    """Split apprise URLs that are separated by commas or white space."""
    return tuple(filter(None, (part.strip(" ,") for part in BETWEEN.split(text.strip()))))


class Receiver:
    """One of the addresses in NOTIFY_URLS.

    Args:
        url: an apprise URL. It may contain a password, so no message repeats it.
        number: its position in the setting.

    Attributes:
        name: names it in messages.

    Raises:
        SettingsError: apprise does not know such an address.
    """

    def __init__(self, url: str, number: int) -> None:
        found = SCHEME.match(url)
        self.name = f"address {number} of NOTIFY_URLS" + (f" ({found[1]})" if found else "")
        self._apprise = _opened(url)
        if self._apprise is None:
            raise SettingsError(
                "NOTIFY_URLS",
                f"has an address that apprise cannot use: number {number}"
                + (f", which begins with {found[1]}://" if found else ""),
            )
        self._queue = SimpleQueue[Delivery]()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def send(self, message: Message, seconds: float) -> Delivery:
        """Have a message delivered within some seconds, and return at once."""
        delivery = Delivery(message, time.monotonic() + seconds)
        self._queue.put(delivery)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="notify", daemon=True)
                self._thread.start()
        return delivery

    def deliver(self, message: Message) -> str:
        """Try once to deliver a message, however long it takes. Returns the problem, or ""."""
        try:
            taken = self._apprise.notify(
                body=message.body,
                title=message.title,
                notify_type=message.kind,
                body_format="text",
            )
        except Exception as error:  # noqa: BLE001 - its text may contain the address
            return f"apprise failed: {type(error).__name__}"
        return "" if taken else next((each.message for each in taken.logs()), NOT_TAKEN)

    def _work(self) -> None:
        while True:
            delivery = self._queue.get()
            delivery.problem = self._delivered(delivery)

    def _delivered(self, delivery: Delivery) -> str:
        problem = TOO_LATE
        for pause in PAUSES:
            if time.monotonic() + pause >= delivery.deadline:
                break
            time.sleep(pause)
            problem = self.deliver(delivery.message)
            if not problem:
                break
        return problem


def open_all(urls: Sequence[str]) -> list[Receiver]:
    """Return a receiver for each URL; raises ``SettingsError`` like ``Receiver``."""
    return [Receiver(url, number) for number, url in enumerate(urls, 1)]


def _opened(url: str) -> Any:
    """Return an ``Apprise`` with one address; None if it can't be used."""
    # Imported only if people are to be notified: it takes 45 MB.
    from apprise import Apprise, AppriseAsset

    # Both name addresses in what they log.
    logger = logging.getLogger("apprise")
    logger.addFilter(_reduce)
    logger.propagate = False
    logs.hide_urls()
    # With a timeout of its own, apprise would use threads that the end of the process waits for.
    apprise = Apprise(asset=AppriseAsset(async_mode=False, service_timeout=0))
    try:
        return apprise if apprise.add(url) else None
    except Exception:  # noqa: BLE001 - its text may contain the address
        return None


def _reduce(record: logging.LogRecord) -> bool:
    """Reduce what apprise logs to why a message was not delivered: the rest may be secret."""
    told = record.getMessage()
    status = STATUS.search(told)
    is_away = "onnection error" in told
    record.msg = f"it answered {status[1]}" if status else NOT_CONNECTED if is_away else ""
    record.args, record.exc_info = (), None
    return bool(record.msg)
