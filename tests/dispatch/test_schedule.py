"""Steps run when they are due, each task's one after the other."""

import threading
from collections.abc import Iterator

import pytest

from b2_iconik.dispatch.schedule import Schedule
from dev.harness import wait_for

SECONDS = 60.0


@pytest.fixture
def schedule() -> Iterator[Schedule]:
    made = Schedule(2, "test")
    yield made
    made.stop(SECONDS)


def test_steps_are_taken_until_there_is_none(schedule: Schedule) -> None:
    left = [0.0, 0.01, None]
    schedule.add("task", lambda: left.pop(0))
    wait_for("last step", lambda: not left, SECONDS)


def test_what_waits_holds_no_thread(schedule: Schedule) -> None:
    for number in range(20):
        schedule.add(f"waiting {number}", lambda: 3600.0)
    done = threading.Event()

    def step() -> None:
        done.set()

    schedule.add("other", step)
    assert done.wait(SECONDS)


def test_a_task_that_waits_can_be_hastened(schedule: Schedule) -> None:
    steps: list[None] = []

    def step() -> float | None:
        steps.append(None)
        return 3600.0 if len(steps) == 1 else None

    schedule.add("task", step)
    wait_for("first step", lambda: steps, SECONDS)
    schedule.hasten("task")
    wait_for("second step", lambda: len(steps) == 2, SECONDS)


def test_a_task_that_is_hastened_in_its_step_takes_the_next_at_once(schedule: Schedule) -> None:
    steps: list[None] = []

    def step() -> float | None:
        steps.append(None)
        schedule.hasten("task")
        return 3600.0 if len(steps) < 3 else None

    schedule.add("task", step)
    wait_for("third step", lambda: len(steps) == 3, SECONDS)


def test_a_task_that_is_hastened_while_it_is_due_takes_its_step_once(schedule: Schedule) -> None:
    release, others, steps = threading.Event(), list[None](), list[None]()

    def hold() -> None:
        others.append(None)
        assert release.wait(SECONDS)

    def step() -> float:
        steps.append(None)
        return 3600.0

    for number in range(2):
        schedule.add(f"other {number}", hold)
    wait_for("both threads", lambda: len(others) == 2, SECONDS)
    schedule.add("task", step)
    schedule.hasten("task")
    schedule.add("last", lambda: others.append(None))
    release.set()
    wait_for("the last one", lambda: len(others) == 3, SECONDS)
    wait_for("its step", lambda: steps, SECONDS)
    assert len(steps) == 1


def test_a_task_that_has_ended_is_not_hastened(schedule: Schedule) -> None:
    steps: list[None] = []

    def step() -> None:
        steps.append(None)

    schedule.add("task", step)
    wait_for("step", lambda: steps, SECONDS)
    schedule.hasten("task")
    schedule.hasten("unknown")
    schedule.add("other", step)
    wait_for("other step", lambda: len(steps) == 2, SECONDS)


def test_it_is_behind_while_more_is_due_than_threads_are_there(schedule: Schedule) -> None:
    go_on = threading.Event()

    def hold() -> None:
        go_on.wait(SECONDS)

    for number in range(3):
        schedule.add(f"task {number}", hold)
    assert schedule.is_behind()
    go_on.set()
    wait_for("all begun", lambda: not schedule.is_behind(), SECONDS)


def test_after_a_stop_no_step_is_begun() -> None:
    schedule = Schedule(1, "test")
    schedule.stop(SECONDS)
    steps: list[None] = []
    schedule.add("task", lambda: steps.append(None))
    assert not steps
    assert schedule.is_behind()
