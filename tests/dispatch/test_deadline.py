"""Waiting for what hangs, and for what does not."""

import threading

import pytest

from b2_iconik.dispatch.deadline import Deadline

SECONDS = 120.0


def test_what_is_done_in_time_is_returned() -> None:
    deadline = Deadline(SECONDS)
    assert deadline.wait_for(lambda: 1) == 1
    deadline.check()


@pytest.mark.parametrize("error", [KeyError("x"), TimeoutError("of its own"), SystemExit(1)])
def test_what_is_raised_in_time_is_raised(error: BaseException) -> None:
    def fail() -> None:
        raise error

    deadline = Deadline(SECONDS)
    with pytest.raises(type(error)) as caught:
        deadline.wait_for(fail)
    assert caught.value is error
    deadline.check()


def test_what_hangs_is_not_waited_for_and_can_notice_it() -> None:
    deadline = Deadline(0.01)
    go_on, noticed = threading.Event(), threading.Event()

    def hang() -> None:
        go_on.wait(SECONDS)
        try:
            deadline.check()
        except TimeoutError:
            noticed.set()

    with pytest.raises(TimeoutError, match=r"timeout after 0\.01 s"):
        deadline.wait_for(hang)
    go_on.set()
    assert noticed.wait(SECONDS)
