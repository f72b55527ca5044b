"""By which of iconik's ways proven file sets are deleted, in front of an iconik in memory."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from b2_iconik.domain.reasons import Reason
from b2_iconik.operation.deletion import DeletionCapabilities, Done, delete, purge
from dev.harness import wait_for
from iconik_http.errors import (
    IconikError,
    IconikRefused,
    IconikUnavailable,
    NotFound,
    NotOffered,
    NotPermitted,
    TokenRejected,
    TooLate,
)
from tests.makers import ASSET, FOR_EVER, FakeIconik, on_b2, on_ll

BOUND = 60.0
NO = "no (400)"
TWO = {"s1": "a1", "s2": "a2"}


class Bench:
    """An iconik, and what one token has found out about it."""

    def __init__(self, iconik: FakeIconik, capabilities: DeletionCapabilities) -> None:
        self.iconik = iconik
        self.capabilities = capabilities

    def of_another(self) -> "Bench":
        """The same iconik for the token of another operation."""
        return Bench(self.iconik, DeletionCapabilities(self.capabilities))

    def delete(self, *file_set_ids: str, until: float = FOR_EVER) -> Done:
        return delete(self.iconik, self.capabilities, ASSET, file_set_ids, until)

    def purge(self, file_sets: Mapping[str, str] = TWO) -> Done:
        return purge(self.iconik, self.capabilities, file_sets, FOR_EVER)

    @property
    def calls(self) -> list[str]:
        """What was asked of iconik, by name."""
        return [call[0] for call in self.iconik.calls]


@pytest.fixture
def bench() -> Bench:
    bench = Bench(FakeIconik(), DeletionCapabilities())
    bench.iconik.has(on_ll(), on_b2())
    return bench


@pytest.fixture
def newer(bench: Bench) -> Bench:
    """An iconik that deletes several file sets at once."""
    bench.iconik.deletes_at_once = True
    return bench


# Deleting


def test_where_iconik_can_file_sets_are_deleted_by_one_request(newer: Bench) -> None:
    assert newer.delete("s1", "s2") == Done()
    assert newer.iconik.calls == [("delete_file_sets", ASSET, ["s1", "s2"])]


def test_where_iconik_cannot_they_are_marked_one_by_one(bench: Bench) -> None:
    assert bench.delete("s1", "s2") == Done(["s1", "s2"])
    assert bench.calls == ["delete_file_set", "delete_file_set"]


@pytest.mark.parametrize("answer", [NotOffered, NotFound])
def test_that_iconik_cannot_is_found_out_once(newer: Bench, answer: type[IconikError]) -> None:
    newer.iconik.problems["delete_file_sets"] = answer("delete them", "no such thing")
    for _ in range(3):
        newer.delete("s1")
    assert len(newer.iconik.called("delete_file_sets")) == 1


def test_where_finding_out_takes_longer_than_a_proof_holds_the_next_look_goes_on_with_it(
    newer: Bench,
) -> None:
    newer.iconik.problems["delete_file_sets"] = NotFound("delete them", "no such thing")
    newer.iconik.problems["delete_file_set"] = TooLate("delete it", "it had to wait")
    with pytest.raises(TooLate):
        newer.delete("s1")
    del newer.iconik.problems["delete_file_set"]
    assert newer.delete("s1") == Done(["s1"])
    # Since then it is known, for others too.
    newer.delete("s2")
    assert len(newer.iconik.called("delete_file_sets")) == 1


def test_that_nothing_was_found_does_not_mean_that_iconik_cannot(newer: Bench) -> None:
    newer.iconik.problems["delete_file_sets"] = NotFound("delete them", "no such thing")
    newer.iconik.answers_with("delete_file_set", lambda *_, until: False)
    assert newer.delete("s1") == Done(unknown={"s1"})
    newer.iconik.problems.clear()
    assert newer.delete("s2") == Done()


def test_what_worked_once_is_tried_again(newer: Bench) -> None:
    newer.delete("s1")
    newer.iconik.problems["delete_file_sets"] = NotFound("delete them", "no such thing")
    newer.delete("s1")
    newer.iconik.problems.clear()
    assert newer.delete("s2") == Done()


def test_while_it_is_not_known_one_thread_at_a_time_finds_out(newer: Bench) -> None:
    newer.iconik.problems["delete_file_sets"] = NotOffered("delete them", "no (405)")
    begin = threading.Barrier(8)

    def one(number: int) -> None:
        begin.wait(10)
        newer.delete(f"s{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    assert len(newer.iconik.called("delete_file_sets")) == 1


class Line:
    """A lock that knows how many have come to it."""

    def __init__(self) -> None:
        self.came: list[None] = []
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.came.append(None)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_once_it_is_known_those_who_waited_to_find_out_go_on_side_by_side(
    newer: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    line, others = Line(), threading.Barrier(4)
    asked: list[None] = []

    def answer(*_: object, until: float) -> None:
        asked.append(None)
        if len(asked) > 1:
            others.wait(BOUND)
        else:
            wait_for("the others", lambda: len(line.came) == 5, BOUND)

    monkeypatch.setattr(newer.capabilities.bulk_deletion, "_lock", line)
    newer.iconik.answers_with("delete_file_sets", answer)
    with ThreadPoolExecutor(5) as pool:
        done = [pool.submit(newer.delete, f"s{number}") for number in range(5)]
        assert [each.result(2 * BOUND) for each in done] == [Done()] * 5


def test_what_iconik_would_not_delete_at_once_is_not_deleted_another_way(newer: Bench) -> None:
    newer.iconik.problems["delete_file_sets"] = IconikRefused(
        "delete them", "s1 is the last copy (400)"
    )
    done = newer.delete("s1")
    assert (done.marked, list(done.refusals)) == ([], ["s1"])
    assert not newer.iconik.called("delete_file_set", "purge_file_set")


def test_one_refused_file_set_does_not_keep_the_others(newer: Bench) -> None:
    def delete_file_sets(_: str, file_set_ids: list[str], *, until: float) -> None:
        if "s1" in file_set_ids:
            raise IconikRefused("delete them", "s1 is the last copy (400)")

    newer.iconik.answers_with("delete_file_sets", delete_file_sets)
    done = newer.delete("s1", "s2")
    assert (done.marked, list(done.refusals)) == ([], ["s1"])


def test_a_file_set_that_is_unknown_after_a_refusal_of_both_is_marked_by_itself(
    newer: Bench,
) -> None:
    def delete_file_sets(_: str, file_set_ids: list[str], *, until: float) -> None:
        if "s1" in file_set_ids:
            raise IconikRefused("delete them", "s1 is the last copy (400)")
        raise NotFound("delete them", "not found (404)")

    newer.iconik.answers_with("delete_file_sets", delete_file_sets)
    done = newer.delete("s1", "s2")
    assert (done.marked, list(done.refusals)) == (["s2"], ["s1"])


def test_a_missing_role_is_told_of_each(newer: Bench) -> None:
    newer.iconik.problems["delete_file_sets"] = NotPermitted(
        "delete them", "it needs can_delete_files"
    )
    told = (
        "the person who clicked may not delete them: ask an iconik administrator for access (it "
        "needs can_delete_files)"
    )
    assert newer.delete("s1", "s2") == Done(refusals={"s1": Reason(told), "s2": Reason(told)})
    assert not newer.iconik.called("delete_file_set")


def test_a_refusal_to_mark_one_does_not_keep_the_others(bench: Bench) -> None:
    def delete_file_set(_: str, file_set_id: str, *, until: float) -> bool:
        if file_set_id == "s1":
            raise IconikRefused("delete s1", NO)
        return True

    bench.iconik.answers_with("delete_file_set", delete_file_set)
    refusals = {"s1": Reason("could not delete s1: no (400)")}
    assert bench.delete("s1", "s2") == Done(["s2"], refusals=refusals)


@pytest.mark.parametrize("call", ["delete_file_sets", "delete_file_set"])
@pytest.mark.parametrize("problem", [IconikUnavailable, TokenRejected])
def test_what_ends_everything_is_passed_on(
    bench: Bench, call: str, problem: type[IconikError]
) -> None:
    bench.iconik.deletes_at_once = call == "delete_file_sets"
    bench.iconik.problems[call] = problem("delete", "no")
    with pytest.raises(problem):
        bench.delete("s1")


@pytest.mark.parametrize("deletes_at_once", [True, False])
def test_what_was_proven_long_ago_is_not_deleted(bench: Bench, deletes_at_once: bool) -> None:
    bench.iconik.deletes_at_once = deletes_at_once
    with pytest.raises(TooLate):
        bench.delete("s1", until=time.monotonic())
    assert bench.calls == []


def test_what_iconik_does_not_know_is_neither_marked_nor_refused(bench: Bench) -> None:
    bench.iconik.unknown.add("s1")
    assert bench.delete("s1", "s2") == Done(["s2"], {"s1"})


# Purging


def test_file_sets_of_many_assets_are_purged_by_one_request(bench: Bench) -> None:
    bench.iconik.purges_at_once = True
    assert bench.purge() == Done()
    assert bench.iconik.calls == [("purge_file_sets", ["s1", "s2"])]


def test_a_single_one_is_purged_by_itself(bench: Bench) -> None:
    bench.iconik.purges_at_once = True
    bench.purge({"s1": "a1"})
    assert bench.iconik.calls == [("purge_file_set", "a1", "s1")]


@pytest.mark.parametrize("answer", [NotOffered, NotFound, NotPermitted])
def test_that_many_cannot_be_purged_at_once_is_found_out_once(
    bench: Bench, answer: type[IconikError]
) -> None:
    bench.iconik.purges_at_once = True
    bench.iconik.problems["purge_file_sets"] = answer("purge them", "no")
    for _ in range(2):
        assert bench.purge() == Done()
    assert len(bench.iconik.called("purge_file_sets")) == 1
    assert len(bench.iconik.called("purge_file_set")) == 4


def test_many_that_are_refused_are_purged_one_by_one_and_the_next_are_tried_again(
    bench: Bench,
) -> None:
    bench.iconik.purges_at_once = True
    bench.iconik.problems["purge_file_sets"] = IconikRefused("purge them", NO)
    for _ in range(2):
        assert bench.purge() == Done()
    assert len(bench.iconik.called("purge_file_sets")) == 2


def test_a_purge_of_what_iconik_does_not_know_is_told(bench: Bench) -> None:
    bench.iconik.unknown.add("s1")
    assert bench.purge() == Done(unknown={"s1"})


def test_a_refused_purge_is_told_of_the_file_set_that_it_was_about(bench: Bench) -> None:
    bench.iconik.problems["purge_file_set"] = IconikRefused("purge it", NO)
    told = "could not purge it: no (400)"
    assert bench.purge() == Done(refusals={"s1": Reason(told), "s2": Reason(told)})


@pytest.mark.parametrize("call", ["purge_file_sets", "purge_file_set"])
@pytest.mark.parametrize("problem", [IconikUnavailable, TokenRejected])
def test_what_ends_every_purge_is_passed_on(
    bench: Bench, call: str, problem: type[IconikError]
) -> None:
    bench.iconik.purges_at_once = True
    bench.iconik.problems[call] = problem("purge", "no")
    with pytest.raises(problem):
        bench.purge(TWO if call == "purge_file_sets" else {"s1": "a1"})


def test_what_was_found_out_is_logged_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "b2_iconik.operation.deletion")
    for _ in range(2):
        bench.purge()
    (line,) = caplog.messages
    assert line.startswith("this token may not purge several file sets at once: ")


def test_what_one_token_may_not_another_may(bench: Bench) -> None:
    bench.iconik.purges_at_once = True
    bench.iconik.problems["purge_file_sets"] = NotPermitted(
        "purge them", "it needs can_purge_files"
    )
    bench.of_another().purge()
    bench.iconik.problems.clear()
    bench.iconik.calls.clear()
    bench.of_another().purge()
    assert bench.calls == ["purge_file_sets"]


def test_what_iconik_does_not_have_all_operations_know(bench: Bench) -> None:
    for _ in range(2):
        bench.of_another().delete("s1")
    bench.iconik.deletes_at_once = True
    assert bench.of_another().delete("s1") == Done(["s1"])
