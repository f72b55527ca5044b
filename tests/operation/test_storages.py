"""What is known of an operation's storages, and for how long."""

import threading
from collections.abc import Iterator

import pytest

from b2_iconik.operation import storages
from b2_iconik.operation.storages import HOLDS, RENEWED_AFTER, Preflight, check
from iconik_http import expiry
from iconik_http.errors import (
    IconikError,
    IconikUnavailable,
    NotOffered,
    NotPermitted,
    TokenRejected,
)
from iconik_http.records import FileSet
from tests.makers import B2, LL, FakeIconik, a_click

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
    preflight = Preflight(iconik, REMOVE)
    first = preflight()
    clock[0] += RENEWED_AFTER
    assert preflight() is first
    clock[0] += 1.0
    assert preflight() is not first
    assert len(iconik.called("storage")) == 4


def test_what_was_read_before_a_wait_is_read_again(iconik: FakeIconik, clock: list[float]) -> None:
    preflight = Preflight(iconik, REMOVE)
    preflight()
    clock[0] += 1.0
    preflight.forget()
    preflight()
    preflight()
    assert len(iconik.called("storage")) == 4


def test_what_could_not_be_seen_is_asked_for_again(iconik: FakeIconik, clock: list[float]) -> None:
    preflight = Preflight(iconik, REMOVE)
    preflight()
    clock[0] += 2 * RENEWED_AFTER
    iconik.problems["storage"] = IconikUnavailable("read it", "no answer")
    for _ in range(2):
        with pytest.raises(IconikUnavailable):
            preflight()


def test_many_inspections_at_once_take_one_check(iconik: FakeIconik) -> None:
    preflight, begin = Preflight(iconik, REMOVE), threading.Barrier(8)

    def look() -> None:
        begin.wait(10)
        preflight()

    threads = [threading.Thread(target=look) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(iconik.called("storage")) == 2
