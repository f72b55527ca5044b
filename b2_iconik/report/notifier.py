"""Notifies people of the ends of operations, after everything else about them is done.

It is a courtesy. No receiver delays an operation: the steps only look whether a message has
arrived, and give it up after a while.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from b2_iconik.common.clock import Step
from b2_iconik.common.errors import Stopped
from b2_iconik.common.receivers import NO_ANSWER, Delivery, Message, Receiver
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import UNSUCCESSFUL, report
from b2_iconik.domain.problems import affected
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import Leadership
from b2_iconik.report import notification, view

log = logging.getLogger(__name__)

# In seconds, while an operation runs. The leader hastens the step when it ends.
INTERVAL = 60.0
# In seconds: how often to look whether messages have arrived, and how long.
POLL_INTERVAL = 0.25
PATIENCE = 120.0
# How many operations to remember, so that this process notifies nobody twice if it leads again.
REMEMBERED = 1_000


class Notifier:
    """Makes the steps that show an operation, and then notify people; see ``leader.Show``.

    Args:
        show: makes the steps that show an operation.
        receivers: who is notified.
        notify_on: as in ``Settings``.
        link_to: makes a link to an operation's page; see ``Links.to``.
    """

    def __init__(
        self,
        show: Callable[[str, CustomAction, Leadership], Step | None],
        receivers: Sequence[Receiver],
        notify_on: str,
        link_to: Callable[[str, int], str | None],
    ) -> None:
        self._show = show
        self._receivers = receivers
        self._notify_on = notify_on
        self._link_to = link_to
        self._notified = deque[str](maxlen=REMEMBERED)

    def __call__(self, operation_id: str, click: CustomAction, leadership: Leadership) -> Step:
        """The steps of an operation. The last one ends when no message is on its way any more."""
        shown = self._show(operation_id, click, leadership)
        ledger = Ledger(leadership.engine, leadership.term)
        sent: list[tuple[Receiver, Delivery]] | None = None

        def step() -> float | None:
            nonlocal shown, sent
            if shown:
                pause = _tried(shown)
                if pause is not None:
                    return pause
                shown = None
            if sent is None:
                operation = ledger.operation(operation_id)
                if operation is None or not self._is_worth_telling(operation):
                    return None
                if operation.ended_ms is None:
                    return INTERVAL
                message = self._message(ledger, operation)
                if message is None:
                    return None
                self._notified.append(operation_id)
                sent = [(each, each.send(message, PATIENCE)) for each in self._receivers]
            return _look(sent)

        return step

    def _is_worth_telling(self, operation: Operation) -> bool:
        """Whether to notify people of an operation, as far as that is known before its end."""
        result, origin = view.result_of(operation), operation.origin
        is_told = operation.id in self._notified
        # What can't be removed once its time is up is attempted daily, and then reported.
        if is_told or (result in UNSUCCESSFUL and origin and origin.kind == "due"):
            return False
        is_open = operation.ended_ms is None or self._tells_even_success(operation)
        # A preview that finds something to be kept has left nothing undone.
        told = {"failed"} if operation.action == "preview" else UNSUCCESSFUL
        return is_open or result in told

    def _tells_even_success(self, operation: Operation) -> bool:
        origin = operation.origin
        return self._notify_on == "all" or (origin is not None and origin.is_unexpected)

    def _message(self, ledger: Ledger, operation: Operation) -> Message | None:
        """The message about an operation; None if it only left something to a newer click."""
        number = operation.number
        told = report(operation, ledger.outcomes(number), ledger.gone(number))
        has_problem = bool(told["problems"] or told["failure"])
        if not (has_problem or self._tells_even_success(operation)):
            return None
        titles = ledger.titles(number, affected(told["problems"]))
        link = self._link_to(operation.id, operation.ended_ms or 0)
        return notification.message(operation, told, titles, link)


def _tried(shown: Step) -> float | None:
    """Do a step that shows an operation. An unexpected error ends those, but not the rest."""
    try:
        return shown()
    except (Stopped, SQLAlchemyError):
        raise
    except Exception as error:  # noqa: BLE001 - as in the leader, which would end all steps
        name = type(error).__name__
        log.warning("the operation's job in iconik is no longer updated: %s", name)
        return None


def _look(sent: Sequence[tuple[Receiver, Delivery]]) -> float | None:
    """Return when to look again whether messages have arrived; None if none is on its way."""
    if any(delivery.is_on_its_way for _, delivery in sent):
        return POLL_INTERVAL
    for receiver, delivery in sent:
        if delivery.problem != "":
            why = delivery.problem or NO_ANSWER
            log.warning("could not notify %s of the operation's end: %s", receiver.name, why)
    return None
