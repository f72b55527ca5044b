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


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [1_000.0]
    monkeypatch.setattr(expiry, "now", lambda: clock[0])
    return clock


def test_a_check_tells_both_storages_and_how_long_it_holds(
    iconik: FakeIconik, clock: list[float]
) -> None:
    found = check(iconik, REMOVE)
    assert (found.b2.id, found.lucidlink.id, found.obstacle) == (B2, LL, "")
    assert found.until == clock[0] + HOLDS


def test_a_check_is_as_old_as_its_beginning(iconik: FakeIconik, clock: list[float]) -> None:
    iconik.before["storage"] = lambda: clock.__setitem__(0, 1_020.0)
    assert check(iconik, REMOVE).until == 1_000.0 + HOLDS


def test_the_delete_queue_is_told_as_ids(iconik: FakeIconik) -> None:
    iconik.queue = ["set-1", "set-2"]
    assert check(iconik, REMOVE).deleted == frozenset({"set-1", "set-2"})


def test_an_add_needs_no_delete_queue(iconik: FakeIconik) -> None:
    check(iconik, a_click("add"))
    assert not iconik.called("deleted_file_sets")


@pytest.mark.parametrize("kind", [NotOffered, NotPermitted, IconikUnavailable])
def test_a_delete_queue_that_iconik_does_not_show_is_not_known(
    iconik: FakeIconik, kind: type[IconikError]
) -> None:
    iconik.problems["deleted_file_sets"] = kind("list it", "no")
    assert check(iconik, REMOVE).deleted is None


def test_a_token_that_is_rejected_ends_everything(iconik: FakeIconik) -> None:
    iconik.problems["deleted_file_sets"] = TokenRejected("list it", "no token is good (401)")
    with pytest.raises(TokenRejected):
        check(iconik, REMOVE)


def test_a_delete_queue_that_is_too_long_is_not_read_to_its_end(
    iconik: FakeIconik, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storages, "MOST_QUEUED", 3)
    read: list[str] = []

    def queue() -> Iterator[FileSet]:
        for number in range(10):
            read.append(f"set-{number}")
            yield FileSet(read[-1], "DELETED")

    monkeypatch.setattr(iconik, "deleted_file_sets", queue)
    assert check(iconik, REMOVE).deleted is None
    assert len(read) == 4


def test_the_inspections_of_an_operation_share_a_check_for_half_a_minute(
    iconik: FakeIconik, clock: list[float]
) -> None:
    preflight = Preflight(iconik, REMOVE, Checks(), CLICKED)
    first = preflight()
    clock[0] += RENEWED_AFTER
    assert preflight() is first
    clock[0] += 1.0
    assert preflight() is not first
    assert len(iconik.called("storage")) == 4


def test_what_was_read_before_a_wait_is_read_again(iconik: FakeIconik, clock: list[float]) -> None:
    preflight = Preflight(iconik, REMOVE, Checks(), CLICKED)
    preflight()
    clock[0] += 1.0
    preflight.forget()
    preflight()
    preflight()
    assert len(iconik.called("storage")) == 4


def test_what_could_not_be_seen_is_asked_for_again(iconik: FakeIconik, clock: list[float]) -> None:
    preflight = Preflight(iconik, REMOVE, Checks(), CLICKED)
    preflight()
    clock[0] += 2 * RENEWED_AFTER
    iconik.problems["storage"] = IconikUnavailable("read it", "no answer")
    for _ in range(2):
        with pytest.raises(IconikUnavailable):
            preflight()


def test_many_inspections_at_once_take_one_check(iconik: FakeIconik) -> None:
    preflight, begin = Preflight(iconik, REMOVE, Checks(), CLICKED), threading.Barrier(8)

    def look() -> None:
        begin.wait(10)
        preflight()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(iconik.called("storage")) == 2


# Checks that operations share

WAIT = 10


@pytest.fixture
def wall_clock(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """By how much the wall clock has jumped ahead of ``clock``, in milliseconds."""
    jumps = [0]
    monkeypatch.setattr(storages, "now_ms", lambda: int(clock[0] * 1000) + jumps[0])
    return jumps


@pytest.mark.usefixtures("wall_clock")
def test_a_click_before_a_check_of_another_one_needs_no_check(
    iconik: FakeIconik, clock: list[float]
) -> None:
    checks = Checks()
    first, second = (Preflight(iconik, REMOVE, checks, CLICKED) for _ in range(2))
    clock[0] += 1
    assert first() is second()


@pytest.mark.usefixtures("wall_clock")
def test_an_operation_that_begins_long_after_its_click_needs_no_check_after_that_of_another_one(
    iconik: FakeIconik, clock: list[float]
) -> None:
    checks = Checks()
    clock[0] += 1
    first = Preflight(iconik, REMOVE, checks, CLICKED)()
    clock[0] += 1
    assert Preflight(iconik, REMOVE, checks, CLICKED + 1)() is first


@pytest.mark.usefixtures("wall_clock")
def test_a_click_after_a_check_of_another_one_needs_a_check(
    iconik: FakeIconik, clock: list[float]
) -> None:
    checks = Checks()
    first = Preflight(iconik, REMOVE, checks, CLICKED)()
    clock[0] += 1
    assert Preflight(iconik, REMOVE, checks, CLICKED + 1000)() is not first


@pytest.mark.usefixtures("wall_clock")
def test_a_check_that_began_before_a_click_and_ended_after_it_does_not_count_for_it(
    iconik: FakeIconik, clock: list[float]
) -> None:
    checks = Checks()
    iconik.before["storage"] = lambda: clock.__setitem__(0, 1_010.0)
    first = Preflight(iconik, REMOVE, checks, CLICKED)()
    assert Preflight(iconik, REMOVE, checks, CLICKED + 5_000)() is not first


def test_a_jump_of_the_wall_clock_makes_no_check_hold_longer(
    iconik: FakeIconik, clock: list[float], wall_clock: list[int]
) -> None:
    preflight = Preflight(iconik, REMOVE, Checks(), CLICKED)
    first = preflight()
    wall_clock[0] -= 3_600_000
    clock[0] += RENEWED_AFTER + 1
    assert preflight() is not first


def test_a_check_that_took_too_long_is_shared_with_nobody(
    iconik: FakeIconik, clock: list[float]
) -> None:
    preflight = Preflight(iconik, REMOVE, Checks(), CLICKED)
    iconik.before["storage"] = lambda: clock.__setitem__(0, 1_000.0 + RENEWED_AFTER + 1)
    assert preflight() is not preflight()


@pytest.mark.usefixtures("wall_clock")
def test_what_one_operation_must_check_again_counts_for_the_others(
    iconik: FakeIconik, clock: list[float]
) -> None:
    checks = Checks()
    first, second = (Preflight(iconik, REMOVE, checks, CLICKED) for _ in range(2))
    second()
    clock[0] += 1
    first.forget()
    assert first() is second()


def failing_together(
    iconik: FakeIconik, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> list[BaseException | None]:
    """What becomes of two operations that wait while the check of a third one fails."""
    checks, asked, others = Checks(), threading.Semaphore(0), list[Future[Checked]]()
    first, *rest = (Preflight(iconik, REMOVE, checks, CLICKED) for _ in range(3))
    iconik.problems["storage"] = IconikUnavailable("read it", "no answer")

    def now() -> float:
        asked.release()
        return clock[0]

    with ThreadPoolExecutor(len(rest)) as pool:

        def ask() -> None:
            clock[0] += 1
            monkeypatch.setattr(expiry, "now", now)
            others.extend(pool.submit(each) for each in rest)
            for _ in rest:
                assert asked.acquire(timeout=WAIT)

        iconik.before["storage"] = ask
        with pytest.raises(IconikUnavailable):
            first()
        return [each.exception(WAIT) for each in others]


def test_those_who_wait_while_a_check_fails_make_one_more_together(
    iconik: FakeIconik, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_together(iconik, clock, monkeypatch)
    assert len(iconik.called("storage")) == 2


def test_a_check_that_fails_fails_for_all_who_waited_for_it(
    iconik: FakeIconik, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = failing_together(iconik, clock, monkeypatch)
    assert [str(each) for each in failures] == ["could not read it: no answer"] * 2


def test_what_could_not_be_checked_for_one_click_is_checked_for_another_later(
    iconik: FakeIconik, clock: list[float]
) -> None:
    checks = Checks()
    first, second = (Preflight(iconik, REMOVE, checks, CLICKED) for _ in range(2))
    iconik.problems["storage"] = IconikUnavailable("read it", "no answer")
    with pytest.raises(IconikUnavailable):
        first()
    iconik.problems.clear()
    clock[0] += 1
    assert second().b2.id == B2


def test_a_failure_is_forgotten_once_a_check_succeeds(
    iconik: FakeIconik, clock: list[float]
) -> None:
    checks = Checks()
    first, second, third = (Preflight(iconik, REMOVE, checks, CLICKED) for _ in range(3))
    iconik.problems["storage"] = IconikUnavailable("read it", "no answer")
    with pytest.raises(IconikUnavailable):
        first()
    iconik.problems.clear()
    clock[0] += 1
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
def test_a_click_for_something_else_needs_another_check(
    iconik: FakeIconik, other: CustomAction
) -> None:
    iconik.storages_known["another"] = {"method": "B2" if other.b2_storage_id != B2 else "FILE"}
    checks = Checks()
    Preflight(iconik, REMOVE, checks, CLICKED)()
    Preflight(iconik, other, checks, CLICKED)()
    assert len(iconik.called("storage")) == 4


def test_a_click_by_a_host_whose_clock_is_ahead_takes_no_more_checks_than_others(
    iconik: FakeIconik, wall_clock: list[int]
) -> None:
    wall_clock[0] = -60_000
    preflight = Preflight(iconik, REMOVE, Checks(), CLICKED)
    preflight()
    preflight()
    assert len(iconik.called("storage")) == 2
