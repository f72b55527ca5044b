"""Operations are shown in iconik while they run; what that meets never matters to them."""

import logging
import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.common.clock import Step
from b2_iconik.domain.click import CustomAction
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation import shown
from b2_iconik.operation.job import LONGEST_INTERVAL
from b2_iconik.operation.shown import Shown
from iconik_http.errors import (
    IconikRefused,
    IconikUnavailable,
    NotFound,
    NotPermitted,
    TokenRejected,
)
from tests.makers import FakeIconik, a_click, a_ledger, a_term, clicked, completion, found

pytestmark = pytest.mark.usefixtures("opened_later")

ASSET = "asset-1"
CLICK = a_click("remove", asset_ids=(ASSET,), user_id="ada", auth_token="token")
NOW = 1_000_000
AWAY = IconikUnavailable("show it", "iconik answered 503")
NO_ROLE = NotPermitted("show it", "iconik does not permit this (403, requires can_write_jobs): no")


class Bench:
    """An operation, and what shows it."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.iconik = FakeIconik()
        self.iconik.titles = {ASSET: "beach"}
        self.leadership = Leadership(engine, a_term(engine), threading.Event())
        self.ledger = a_ledger(engine)
        self.shown = Shown(lambda *_, **__: self.iconik)
        self.click(CLICK)

    def click(self, click: CustomAction) -> None:
        self.id = clicked(self.engine, click, NOW).id

    def end(self) -> None:
        """Do all that the operation does."""
        operation = found(self.engine, self.id)
        self.ledger.expand(operation.number, {}, {})
        assert completion(self.engine).end(found(self.engine, self.id), NOW)

    def show(self, click: CustomAction = CLICK) -> Step:
        """The steps that show the operation."""
        step = self.show_at_first(click)
        assert step() == shown.SHOWN_AFTER
        return step

    def show_at_first(self, click: CustomAction = CLICK) -> Step:
        """The steps from the beginning of the operation on."""
        return self.shown(self.id, click, self.leadership)

    @property
    def statuses(self) -> list[str]:
        return [job["status"] for job in self.iconik.own_jobs.values()]


@pytest.fixture
def bench(engine: sa.Engine) -> Bench:
    return Bench(engine)


def test_an_operation_is_shown_from_its_beginning_to_its_end(bench: Bench) -> None:
    step = bench.show()
    assert step() is not None
    bench.end()
    assert step() is None
    assert bench.statuses == ["FINISHED"]
    assert [call[0] for call in bench.iconik.calls] == [
        "user_name", "user_name", "asset_title", "create_job", "update_job",
    ]  # fmt: skip


def test_an_operation_that_ends_at_once_is_shown_by_a_single_request(bench: Bench) -> None:
    step = bench.show_at_first()
    assert step() == shown.SHOWN_AFTER
    bench.end()
    assert step() is None
    assert bench.statuses == ["FINISHED"]
    assert [call[0] for call in bench.iconik.calls] == [
        "user_name", "user_name", "asset_title", "create_job",
    ]  # fmt: skip


def test_between_two_requests_there_are_five_seconds_or_more(bench: Bench) -> None:
    step = bench.show()
    pauses = [step() or 0 for _ in range(12)]
    bench.iconik.problems["job"] = AWAY
    pauses += [step() or 0 for _ in range(12)]
    assert min(pauses) >= 5.0
    assert pauses[11] == LONGEST_INTERVAL
    assert pauses[-1] == shown.LONGEST_OUTAGE_INTERVAL


def test_a_job_is_first_updated_a_while_after_it_was_made(bench: Bench) -> None:
    assert bench.show()() == LONGEST_INTERVAL


def test_the_jobs_of_one_token_are_read_together(bench: Bench) -> None:
    steps = [bench.show() for _ in range(2)]
    # That of the user, and that of the application.
    assert len(bench.shown._together) == 2
    del steps


def test_the_jobs_of_several_tokens_are_read_apart(bench: Bench) -> None:
    steps = [bench.show(), bench.show(replace(CLICK, auth_token="another"))]
    assert len(bench.shown._together) == 3
    del steps


# What must not matter


def test_without_the_role_nothing_is_shown_and_the_log_says_so_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.iconik.problems["create_job"] = NO_ROLE
    for user in ("ada", "ada", "ben"):
        click = a_click("remove", asset_ids=(ASSET,), user_id=user)
        bench.click(click)
        bench.show(click)()
    told = "operations of users without can_write_jobs are not shown in iconik's jobs list"
    assert caplog.text.count(told) == 1
    # Another user's token may have the role; but the same one is not tried with every click, nor is
    # the application's.
    assert len(bench.iconik.called("create_job")) == 3


def test_without_the_role_the_operation_has_its_title_and_its_user(bench: Bench) -> None:
    bench.iconik.users = {"ada": "Ada Editor"}
    bench.iconik.problems["create_job"] = NO_ROLE
    bench.show()()
    operation = found(bench.engine, bench.id)
    assert operation.title == "Remove from LucidLink: 1 asset (beach)"
    assert operation.user_name == "Ada Editor"


def test_without_the_role_the_steps_go_on_to_the_end(bench: Bench) -> None:
    bench.iconik.problems["create_job"] = NO_ROLE
    step = bench.show()
    assert step() is not None
    bench.end()
    assert step() is None


def test_the_application_shows_what_the_user_may_not(bench: Bench) -> None:
    application = FakeIconik()
    bench.shown = Shown(lambda token, *_, **__: bench.iconik if token else application)
    bench.iconik.problems["create_job"] = NO_ROLE
    for _ in range(2):
        bench.click(CLICK)
        bench.show()()
    assert len(application.own_jobs) == 2
    # The second time, the user's token is not tried.
    assert len(bench.iconik.called("create_job")) == 1
    # What the user may not see is not read for them.
    assert {call[0] for call in application.calls} == {"create_job", "user_name"}


def test_after_a_while_the_role_is_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "REFUSED", 0.0)
    bench.iconik.problems["create_job"] = NO_ROLE
    bench.show()()
    bench.iconik.problems.clear()
    bench.click(CLICK)
    bench.show()()
    assert bench.statuses == ["STARTED"]


def test_a_user_is_asked_for_once_however_many_operations_they_have(bench: Bench) -> None:
    bench.iconik.users = {"ada": "Ada Editor"}
    for _ in range(3):
        bench.click(CLICK)
        bench.show_at_first()()
    assert bench.iconik.called("user_name") == [("user_name", "ada")]
    assert found(bench.engine, bench.id).user_name == "Ada Editor"


def test_a_user_without_a_name_is_no_trouble(bench: Bench) -> None:
    bench.iconik.problems["user_name"] = AWAY
    step = bench.show()
    step()
    bench.end()
    assert step() is None
    assert bench.statuses == ["FINISHED"]


def test_an_operation_that_is_forgotten_before_it_is_shown_is_no_trouble(bench: Bench) -> None:
    step = bench.show_at_first()
    completion(bench.engine).forget([bench.id])
    assert step() is None


@pytest.mark.parametrize(
    "problem", [IconikRefused("show it", "400"), TokenRejected("show it", "401")]
)
def test_what_iconik_refuses_is_told_once(
    bench: Bench, problem: IconikRefused, caplog: pytest.LogCaptureFixture
) -> None:
    bench.iconik.problems["create_job"] = problem
    assert bench.show()() is None
    assert (
        caplog.text.count("the operation's job in iconik is no longer updated: could not show it")
        == 1
    )


def test_a_job_that_somebody_deletes_is_no_trouble(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    step = bench.show()
    step()
    bench.iconik.problems["update_job"] = NotFound("update it", "iconik knows no such thing")
    bench.end()
    assert step() is None
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_an_end_that_iconik_does_not_hear_at_once_is_told_again_soon(bench: Bench) -> None:
    step = bench.show()
    step()
    bench.iconik.problems["update_job"] = AWAY
    bench.end()
    assert step() == shown.FIRST_FAREWELL_INTERVAL
    bench.iconik.problems.clear()
    assert step() is None
    assert bench.statuses == ["FINISHED"]


def test_an_end_that_iconik_never_hears_holds_nothing_up_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shown, "FAREWELL", 0.0)
    bench.iconik.problems["create_job"] = AWAY
    bench.end()
    step = bench.show()
    for _ in range(1000):
        if step() is None:
            break
    assert "the end of the operation could not be shown in iconik's jobs list" in caplog.text
