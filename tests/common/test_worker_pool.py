"""Threads for all operations, each of which gets its turn."""

import threading

import pytest

from b2_iconik.common import logs
from b2_iconik.common.worker_pool import Share, WorkerPool

SECONDS = 60.0


@pytest.fixture
def pool() -> WorkerPool:
    return WorkerPool(1)


def test_results_come_in_the_order_of_what_was_asked(pool: WorkerPool) -> None:
    with pool.share() as share:
        assert list(share.map(lambda each: each * 2, [1, 2, 3])) == [2, 4, 6]


def test_an_error_reaches_whoever_waits_for_the_result(pool: WorkerPool) -> None:
    with pool.share() as share:
        future = share.submit(int, "no number")
    with pytest.raises(ValueError, match="no number"):
        future.result()


def test_it_ends_when_all_tasks_have(pool: WorkerPool) -> None:
    done: list[int] = []
    with pool.share() as share:
        for number in range(5):
            share.submit(done.append, number)
    assert done == [0, 1, 2, 3, 4]


def test_a_user_with_little_to_do_waits_for_no_user_with_much(pool: WorkerPool) -> None:
    order: list[str] = []
    go_on = threading.Event()

    def add(share: Share, name: str) -> None:
        share.submit(order.append, name)

    with pool.share() as first, pool.share() as second:
        first.submit(go_on.wait, SECONDS)
        for _ in range(3):
            add(first, "first")
        add(second, "second")
        go_on.set()
    assert order == ["first", "second", "first", "first"]


def test_its_log_lines_name_the_operation(pool: WorkerPool) -> None:
    with pool.share() as share:
        with logs.about("first"):
            first = share.submit(logs.operation_id.get)
        with logs.about("second"):
            second = share.submit(logs.operation_id.get)
    assert (first.result(), second.result()) == ("first", "second")
