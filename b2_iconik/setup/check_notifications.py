"""Check who is notified of the ends of operations, with a test message if that is wanted."""

import threading
from collections.abc import Iterator

from b2_iconik.common import receivers
from b2_iconik.common.receivers import Message, Receiver
from b2_iconik.common.settings import Settings
from b2_iconik.setup.findings import Finding, note, ok, wrong

WHAT = "notifications"
# In seconds. Most receivers answer within one.
PATIENCE = 30.0
TEST = Message(
    "Test of the B2 storage plugin for iconik",
    "check_setup.py sent this message. The service notifies this address of operations.",
)


def check(settings: Settings, *, is_sending: bool) -> Iterator[Finding]:
    """Say who is notified.

    Args:
        is_sending: whether to send a test message to each receiver.
    """
    if not settings.notify_urls:
        if is_sending:
            yield wrong(WHAT, "NOTIFY_URLS is not set, so nobody can be notified")
        return
    if not settings.public_url:
        yield note(WHAT, "contain no link to the operation: set PUBLIC_URL to add one")
    every = receivers.open_all(settings.notify_urls)
    if not is_sending:
        names = ", ".join(each.name for each in every)
        yield ok(WHAT, f"go to {names}; --notify sends a test message")
        return
    for each in every:
        problem = _try(each)
        if problem:
            yield wrong(WHAT, f"{each.name} did not take the test message: {problem}")
        else:
            yield ok(WHAT, f"{each.name} took the test message")


def _try(receiver: Receiver) -> str:
    """Send the test message once. Returns the problem, or ""."""
    problems: list[str] = []
    # A receiver that hangs must not keep the script from ending.
    thread = threading.Thread(target=lambda: problems.append(receiver.deliver(TEST)), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return problems[0] if problems else receivers.NO_ANSWER
