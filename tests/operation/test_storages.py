"""What is known of an operation's storages, and for how long."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from b2_iconik.domain.click import CustomAction
from b2_iconik.operation import storages
from b2_iconik.operation.storages import HOLDS, RENEWED_AFTER, Checked, Checks, Preflight, check
from iconik_http import expiry
from iconik_http.errors import (
    IconikError,
    IconikUnavailable,
    NotOffered,
    NotPermitted,
    TokenRejected,
)
from iconik_http.records import FileSet
from tests.makers import B2, CLICKED, LL, FakeIconik, a_click

REMOVE = a_click("remove")


class Bench:
    """An iconik in memory, and what operations share of what they check.

    Attributes:
        now: the time by ``expiry.now``, in seconds.
        jump_ms: by how much the wall clock has jumped ahead of it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.iconik = FakeIconik()
        self.now = 1_000.0
        self.jump_ms = 0
        self._checks = Checks()
        monkeypatch.setattr(expiry, "now", lambda: self.now)
        monkeypatch.setattr(storages, "now_ms", lambda: int(self.now * 1000) + self.jump_ms)

    def preflight(self, click: CustomAction = REMOVE, clicked_ms: int = CLICKED) -> Preflight:
        """What an operation checks; it shares it with others."""
        return Preflight(self.iconik, click, self._checks, clicked_ms)

    def jump_to(self, now: float) -> None:
        self.now = now


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_check_tells_both_storages_and_how_long_it_holds(bench: Bench) -> None:
    found = check(bench.iconik, REMOVE)
    assert (found.b2.id, found.lucidlink.id, found.obstacle) == (B2, LL, "")
    assert found.until == bench.now + HOLDS


def test_a_check_is_as_old_as_its_beginning(bench: Bench) -> None:
    bench.iconik.before["storage"] = lambda: bench.jump_to(1_020.0)
    assert check(bench.iconik, REMOVE).until == 1_000.0 + HOLDS


def test_the_delete_queue_is_told_as_ids(bench: Bench) -> None:
    bench.iconik.queue = ["set-1", "set-2"]
    assert check(bench.iconik, REMOVE).deleted == frozenset({"set-1", "set-2"})


def test_an_add_needs_no_delete_queue(bench: Bench) -> None:
    check(bench.iconik, a_click("add"))
    assert not bench.iconik.called("deleted_file_sets")


@pytest.mark.parametrize("kind", [NotOffered, NotPermitted, IconikUnavailable])
def test_a_delete_queue_that_iconik_does_not_show_is_not_known(
    bench: Bench, kind: type[IconikError]
) -> None:
    bench.iconik.problems["deleted_file_sets"] = kind("list it", "no")
    assert check(bench.iconik, REMOVE).deleted is None


def test_a_token_that_is_rejected_ends_everything(bench: Bench) -> None:
    bench.iconik.problems["deleted_file_sets"] = TokenRejected("list it", "no token is good (401)")
    with pytest.raises(TokenRejected):
        check(bench.iconik, REMOVE)


def test_a_delete_queue_that_is_too_long_is_not_read_to_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storages, "MOST_QUEUED", 3)
    read: list[str] = []

    def queue() -> Iterator[FileSet]:
        for number in range(10):
            read.append(f"set-{number}")
            yield FileSet(read[-1], "DELETED")

    bench.iconik.answers_with("deleted_file_sets", queue)
    assert check(bench.iconik, REMOVE).deleted is None
    assert len(read) == 4


def test_the_inspections_of_an_operation_share_a_check_for_half_a_minute(bench: Bench) -> None:
    preflight = bench.preflight()
    first = preflight()
    bench.now += RENEWED_AFTER
    assert preflight() is first
    bench.now += 1.0
    assert preflight() is not first
    assert len(bench.iconik.called("storage")) == 4


def test_what_was_read_before_a_wait_is_read_again(bench: Bench) -> None:
    preflight = bench.preflight()
    preflight()
    bench.now += 1.0
    preflight.forget()
    preflight()
    preflight()
    assert len(bench.iconik.called("storage")) == 4


def test_what_could_not_be_seen_is_asked_for_again(bench: Bench) -> None:
    preflight = bench.preflight()
    preflight()
    bench.now += 2 * RENEWED_AFTER
    bench.iconik.problems["storage"] = IconikUnavailable("read it", "no answer")
    for _ in range(2):
        with pytest.raises(IconikUnavailable):
            preflight()


def test_many_inspections_at_once_take_one_check(bench: Bench) -> None:
    preflight, begin = bench.preflight(), threading.Barrier(8)

    def look() -> None:
        begin.wait(10)
        preflight()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(bench.iconik.called("storage")) == 2


# Checks that operations share

WAIT = 10


def test_a_click_before_a_check_of_another_one_needs_no_check(bench: Bench) -> None:
    first, second = (bench.preflight() for _ in range(2))
    bench.now += 1
    assert first() is second()


def test_an_operation_that_begins_long_after_its_click_needs_no_check_after_that_of_another_one(
    bench: Bench,
) -> None:
    bench.now += 1
    first = bench.preflight()()
    bench.now += 1
    assert bench.preflight(clicked_ms=CLICKED + 1)() is first


def test_a_click_after_a_check_of_another_one_needs_a_check(bench: Bench) -> None:
    first = bench.preflight()()
    bench.now += 1
    assert bench.preflight(clicked_ms=CLICKED + 1000)() is not first


def test_a_check_that_began_before_a_click_and_ended_after_it_does_not_count_for_it(
    bench: Bench,
) -> None:
    bench.iconik.before["storage"] = lambda: bench.jump_to(1_010.0)
    first = bench.preflight()()
    assert bench.preflight(clicked_ms=CLICKED + 5_000)() is not first


def test_a_jump_of_the_wall_clock_makes_no_check_hold_longer(bench: Bench) -> None:
    preflight = bench.preflight()
    first = preflight()
    bench.jump_ms -= 3_600_000
    bench.now += RENEWED_AFTER + 1
    assert preflight() is not first


def test_a_check_that_took_too_long_is_shared_with_nobody(bench: Bench) -> None:
    preflight = bench.preflight()
    bench.iconik.before["storage"] = lambda: bench.jump_to(1_000.0 + RENEWED_AFTER + 1)
    assert preflight() is not preflight()


def test_what_one_operation_must_check_again_counts_for_the_others(bench: Bench) -> None:
    first, second = (bench.preflight() for _ in range(2))
    second()
    bench.now += 1
    first.forget()
    assert first() is second()


def test_those_who_wait_while_a_check_fails_make_one_more_together_and_are_told_alike(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, others = threading.Semaphore(0), list[Future[Checked]]()
    first, *rest = (bench.preflight() for _ in range(3))
    bench.iconik.problems["storage"] = IconikUnavailable("read it", "no answer")

    def now() -> float:
        asked.release()
        return bench.now

    with ThreadPoolExecutor(len(rest)) as pool:

        def ask() -> None:
            bench.now += 1
            monkeypatch.setattr(expiry, "now", now)
            others.extend(pool.submit(each) for each in rest)
            for _ in rest:
                assert asked.acquire(timeout=WAIT)

        bench.iconik.before["storage"] = ask
        with pytest.raises(IconikUnavailable):
            first()
        failures = [each.exception(WAIT) for each in others]
    assert len(bench.iconik.called("storage")) == 2
    assert [str(each) for each in failures] == ["could not read it: no answer"] * 2


def test_a_failure_is_forgotten_once_a_check_succeeds(bench: Bench) -> None:
    first, second, third = (bench.preflight() for _ in range(3))
    bench.iconik.problems["storage"] = IconikUnavailable("read it", "no answer")
    with pytest.raises(IconikUnavailable):
        first()
    bench.iconik.problems.clear()
    bench.now += 1
    assert second() is third()


@pytest.mark.parametrize(
    "other",
    [
        a_click("add"),
        a_click("remove", b2_storage_id="another"),
        a_click("remove", ll_storage_id="another"),
    ],
    ids=["action", "B2 storage", "LucidLink storage"],
)
def test_a_click_for_something_else_needs_another_check(bench: Bench, other: CustomAction) -> None:
    bench.iconik.storages_known["another"] = {
        "method": "B2" if other.b2_storage_id != B2 else "FILE"
    }
    bench.preflight()()
    bench.preflight(other)()
    assert len(bench.iconik.called("storage")) == 4


def test_a_click_by_a_host_whose_clock_is_ahead_takes_no_more_checks_than_others(
    bench: Bench,
) -> None:
    bench.jump_ms = -60_000
    preflight = bench.preflight()
    preflight()
    preflight()
    assert len(bench.iconik.called("storage")) == 2
