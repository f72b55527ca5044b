"""People are notified once of an operation's end, and nothing waits for them."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from b2_iconik.common.clock import Step
from b2_iconik.common.errors import Stopped
from b2_iconik.common.receivers import Delivery, Message
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import OriginKind
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import Hint
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.term import Leadership
from b2_iconik.report import notifier
from b2_iconik.report.notifier import Notifier
from tests.makers import (
    a_click,
    a_database,
    a_ledger,
    a_term,
    claims_of,
    clicked,
    comes_from,
    completion,
    found,
)

pytestmark = pytest.mark.usefixtures("opened_later")

CLICK = a_click("remove", asset_ids=("asset-1",), user_id="ada")
NOW = 1_000_000
KEPT = Outcome("kept", Reason("clip.mov differs from its master", Cause.DIFFERS))
FOR_EVER = float("inf")


class FakeReceiver:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.name = "address 1 of NOTIFY_URLS (fake)"
        self.messages: list[Message] = []
        self.problem: str | None = ""
        self.deadline = FOR_EVER

    def send(self, message: Message, _: float) -> Delivery:
        """Take a message."""
        self.messages.append(message)
        return Delivery(message, self.deadline, self.problem)


class Bench:
    """An operation, and who is notified of it."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.receiver = FakeReceiver()
        self.notify_on = "problems"
        self.shown: Step | None = None
        self.leadership = Leadership(engine, a_term(engine), threading.Event())
        self.begin(CLICK)

    def begin(self, click: CustomAction) -> None:
        self.id = clicked(self.engine, click, NOW).id
        number = found(self.engine, self.id).number
        a_ledger(self.engine).expand(number, {"asset-1": Hint("beach")}, {})

    def notifier(self) -> Notifier:
        receivers: Any = [self.receiver]
        return Notifier(
            lambda *_: self.shown, receivers, self.notify_on, lambda each, ms: f"{each}?{ms}"
        )

    def steps(self, of: Notifier | None = None) -> Step:
        return (of or self.notifier())(self.id, CLICK, self.leadership)

    def end(self, outcome: Outcome = KEPT) -> None:
        claims = claims_of(self.engine, found(self.engine, self.id))
        for claimed in claims.take(1, NOW):
            claims.note(claimed, "done", {"ORIGINAL": outcome})
        assert completion(self.engine).end(found(self.engine, self.id), NOW)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with a_database(tmp_path) as engine:
        yield Bench(engine)


def test_nobody_is_notified_before_the_end(bench: Bench) -> None:
    assert bench.steps()() == notifier.INTERVAL
    assert bench.receiver.messages == []


def test_a_problem_is_told_with_the_asset_and_a_link(bench: Bench) -> None:
    step = bench.steps()
    step()
    bench.end()
    assert step() is None
    (message,) = bench.receiver.messages
    assert "Kept on LucidLink: beach: clip.mov differs from its master" in message.body
    assert message.body.endswith(f"Report: {bench.id}?{NOW}")


def test_a_failure_is_told(bench: Bench) -> None:
    completion(bench.engine).fail(
        found(bench.engine, bench.id).number, Reason("no", Cause.FAULT), NOW
    )
    assert bench.steps()() is None
    (message,) = bench.receiver.messages
    assert message.kind == "failure"


@pytest.mark.parametrize(("notify_on", "number"), [("problems", 0), ("all", 1)])
def test_a_success_is_told_only_if_all_is_told(bench: Bench, notify_on: str, number: int) -> None:
    bench.notify_on = notify_on
    bench.end(Outcome("removed"))
    assert bench.steps()() is None
    assert len(bench.receiver.messages) == number


@pytest.mark.parametrize("notify_on", ["problems", "all"])
@pytest.mark.parametrize(("kind", "number"), [("due", 0), ("last", 1), ("page", 1)])
def test_what_is_due_and_is_tried_again_tomorrow_is_only_told_after_the_last_attempt(
    bench: Bench, kind: OriginKind, number: int, notify_on: str
) -> None:
    comes_from(bench.engine, bench.id, kind)
    bench.notify_on = notify_on
    bench.end()
    assert bench.steps()() is None
    assert len(bench.receiver.messages) == number


@pytest.mark.parametrize("notify_on", ["problems", "all"])
def test_that_the_service_undoes_a_removal_is_told_with_the_reason(
    bench: Bench, notify_on: str
) -> None:
    bench.begin(a_click("undo"))
    comes_from(bench.engine, bench.id, "unsafe")
    bench.notify_on = notify_on
    bench.end(Outcome("restored"))
    assert bench.steps()() is None
    (message,) = bench.receiver.messages
    assert "no longer proven safe in B2: somebody may have edited them" in message.body


def test_what_was_due_and_is_removed_is_told_like_any_success(bench: Bench) -> None:
    comes_from(bench.engine, bench.id, "due")
    bench.notify_on = "all"
    bench.end(Outcome("removed"))
    assert bench.steps()() is None
    assert len(bench.receiver.messages) == 1


@pytest.mark.parametrize(("notify_on", "number"), [("problems", 0), ("all", 1)])
def test_what_a_newer_click_took_over_is_no_problem(
    bench: Bench, notify_on: str, number: int
) -> None:
    bench.notify_on = notify_on
    bench.end(Outcome("superseded"))
    assert bench.steps()() is None
    assert len(bench.receiver.messages) == number


def test_an_operation_that_is_gone_is_no_trouble(bench: Bench) -> None:
    step = bench.steps()
    completion(bench.engine).forget([bench.id])
    assert step() is None


def test_one_process_tells_of_an_operation_once(bench: Bench) -> None:
    bench.end()
    notifies = bench.notifier()
    assert [bench.steps(notifies)(), bench.steps(notifies)()] == [None, None]
    assert len(bench.receiver.messages) == 1


def test_another_process_tells_what_a_killed_one_had_not(bench: Bench) -> None:
    bench.steps()()
    bench.end()
    assert bench.steps()() is None
    assert len(bench.receiver.messages) == 1


# What shows the operation elsewhere


def test_people_are_notified_after_the_operation_is_shown(bench: Bench) -> None:
    pauses: list[float | None] = [5.0, None]
    bench.shown = lambda: pauses.pop(0)
    bench.end()
    step = bench.steps()
    assert (step(), bench.receiver.messages) == (5.0, [])
    assert step() is None
    assert len(bench.receiver.messages) == 1


def test_an_error_while_it_is_shown_does_not_matter(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("secret")

    bench.shown = fail
    bench.end()
    assert bench.steps()() is None
    assert len(bench.receiver.messages) == 1
    assert "is no longer updated: ValueError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("error", [Stopped(), OperationalError("", {}, Exception())])
def test_the_end_of_the_term_and_a_database_error_are_the_leaders(
    bench: Bench, error: Exception
) -> None:
    def fail() -> None:
        raise error

    bench.shown = fail
    with pytest.raises(type(error)):
        bench.steps()()


# Receivers that are away


def test_a_step_looks_now_and_then_whether_the_message_has_arrived(bench: Bench) -> None:
    bench.receiver.problem = None
    bench.end()
    step = bench.steps()
    assert [step(), step()] == [notifier.POLL_INTERVAL] * 2
    assert len(bench.receiver.messages) == 1


def test_a_receiver_that_hangs_is_given_up(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.receiver.problem, bench.receiver.deadline = None, 0.0
    bench.end()
    assert bench.steps()() is None
    assert (
        "could not notify address 1 of NOTIFY_URLS (fake) of the operation's end: it takes too long"
        in caplog.text
    )


def test_a_receiver_that_refuses_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.receiver.problem = "it answered 401"
    bench.end()
    assert bench.steps()() is None
    assert "of the operation's end: it answered 401" in caplog.text


@pytest.mark.parametrize(("notify_on", "number"), [("problems", 0), ("all", 1)])
def test_what_a_preview_finds_to_be_kept_is_no_problem(
    bench: Bench, notify_on: str, number: int
) -> None:
    bench.notify_on = notify_on
    bench.begin(replace(CLICK, action="preview"))
    bench.end()
    bench.steps()()
    assert len(bench.receiver.messages) == number
