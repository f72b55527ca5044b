"""An operation from its beginning to its report, with an iconik in memory."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from b2_iconik.common.clock import Clock, now_ms
from b2_iconik.common.errors import Stopped
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import LISTING_LAG_MS, AssetProgress, ClaimedAsset
from b2_iconik.domain.reasons import ACCEPTED, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.precedence import formats_left
from b2_iconik.ledger.tables import operations
from b2_iconik.ledger.term import begin_term
from b2_iconik.operation import batches, together
from b2_iconik.operation import operations as operations_module
from b2_iconik.operation import run as run_module
from b2_iconik.operation.operations import SEARCH_TIMEOUT, Operations
from b2_iconik.operation.recheck import Recheck
from b2_iconik.operation.run import Run
from b2_iconik.operation.snapshot import Snapshot, see
from b2_iconik.operation.verification import FIRST_DUE_MS, Verification
from b2_iconik.report.history import History
from b2_iconik.report.reported import Reported
from dev.harness import wait_for
from iconik import Iconik, ServerClock
from iconik_http import expiry
from iconik_http.errors import (
    IconikError,
    IconikRefused,
    IconikUnavailable,
    Incomplete,
    NotFound,
    NotPermitted,
    TokenRejected,
)
from iconik_http.paging import Map
from iconik_http.records import Format, Job, Listed
from tests.makers import (
    ASSET,
    B2,
    LL,
    FakeIconik,
    Waits,
    a_click,
    a_format,
    a_ledger,
    found,
    held,
    let_see,
    on_b2,
    on_ll,
)
from tests.operation.benches import ADD, REMOVE, Bench

BOUND = 60.0
AWAY = IconikUnavailable("list the files", "iconik answered 503")


class Time:
    """The time of operations, which goes on by what they wait.

    Attributes:
        wait_ms: how long each wait takes; as long as it is to be if None.
    """

    def __init__(self, bench: Bench) -> None:
        self.now_ms = 1_000_000
        self.wait_ms: int | None = None
        self._waits = bench.stopping.waits

    def go_on(self, _: int = 0) -> None:
        self.now_ms += int(self._waits[-1] * 1000) if self.wait_ms is None else self.wait_ms


@pytest.fixture
def time(bench: Bench) -> Time:
    time = Time(bench)
    bench.patch(Clock, "now_ms", lambda _: time.now_ms)
    bench.stopping.at_wait = time.go_on
    return time


def expanded_by(bench: Bench, operation_id: str) -> None:
    """List the asset of an operation that is about it, and has seen it."""
    operation = found(bench.engine, operation_id)
    a_ledger(bench.engine).expand(operation.number, dict.fromkeys([ASSET]), {})
    let_see(bench.engine, operation)


def test_add_asks_for_a_copy_and_follows_it_to_its_end(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED")

    def finish(wait: int) -> None:
        if wait == 3:
            bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")
            bench.iconik.has(on_b2(), on_ll())

    bench.stopping.at_wait = finish
    told = bench.do(ADD)
    assert told["counts"]["copied"] == 1
    assert told["result"] == "done"
    assert bench.iconik.called("copy_to_storage") == [
        ("copy_to_storage", LL, "ORIGINAL", [ASSET], B2)
    ]


def test_add_has_copies_put_under_the_directory_of_its_action(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    bench.copy_ends()
    bench.do(replace(ADD, path="projects/2026"))
    assert bench.iconik.called("copy_to_storage") == [
        ("copy_to_storage", LL, "ORIGINAL", [ASSET], B2, "projects/2026")
    ]


def test_a_preview_only_reads_and_delays_no_other_operation(bench: Bench) -> None:
    bench.iconik.has(on_ll(), on_b2())
    preview = a_click("preview", asset_ids=(ASSET,))
    operation_id = bench.click(preview)
    assert bench.do(replace(ADD, asset_ids=(ASSET,)))["counts"]["there"] == 1
    bench.iconik.calls.clear()
    told = bench.run(operation_id, preview)
    assert (told["result"], told["counts"]["removable"]) == ("done", 1)
    assert told["bytes"] == {"removable": 1000}
    reads = {"storage", "deleted_file_sets", "search_assets", "formats", "files", "file_sets"}
    assert {call[0] for call in bench.iconik.calls} <= reads


def test_remove_copies_to_b2_first_what_is_not_there_whatever_the_directory_of_its_action(
    bench: Bench,
) -> None:
    bench.iconik.has(on_ll())
    bench.copy_ends()
    told = bench.do(replace(REMOVE, path="projects/2026"))
    assert told["counts"]["removed"] == 1
    assert bench.iconik.called("copy_to_storage") == [
        ("copy_to_storage", B2, "ORIGINAL", [ASSET], LL)
    ]
    # As long as nothing looks wrong, nobody asks who else copies.
    assert bench.iconik.called("transfers") == []


def test_waits_grow_while_nothing_moves_and_begin_anew_when_something_does(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED")

    failed = {"job-1": Job("job-1", "FAILED")}
    bench.at_wait(20, lambda: bench.iconik.known_jobs.update(failed))
    bench.do(ADD)
    assert bench.stopping.waits == sorted(bench.stopping.waits)
    assert bench.stopping.waits[-1] == run_module.LONGEST_WAIT


def test_a_file_that_is_being_written_is_looked_at_again_until_its_time_is_over(
    bench: Bench, time: Time
) -> None:
    time.wait_ms = 60_000
    bench.iconik.has(on_b2(status="OPEN"), on_ll())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "SKIPPED")
    told = bench.do(REMOVE)
    assert told["problems"][0]["reason"].startswith("clip.mov is incomplete on B2 (OPEN), although")
    assert time.now_ms >= 1_000_000 + 2 * 600_000


@pytest.fixture
def growing(bench: Bench, time: Time) -> Time:
    """The time of operations, which goes on while a file on LucidLink grows."""
    time.wait_ms, size = 30_000, count(10)

    def grow(_: int) -> None:
        time.go_on()
        grown = on_ll("beach.mov", size=next(size), status="GROWING")
        bench.iconik.has(on_b2("beach.mov", size=12), grown)

    bench.stopping.at_wait = grow
    grow(0)
    return time


def test_a_file_that_never_stops_growing_holds_no_add_for_ever(bench: Bench, growing: Time) -> None:
    done = "9f0e1d2c-0000-4000-8000-000000000001"
    bench.iconik.has(on_b2(), on_ll(), asset_id=done)
    told = bench.do(a_click("add", asset_ids=(ASSET, done)))
    (problem,) = told["problems"]
    assert (problem["asset_id"], problem["kind"]) == (ASSET, "failed")
    assert (
        problem["reason"] == "it is there, but beach.mov has been growing on LucidLink for 10 min"
    )
    assert told["counts"]["there"] == 1
    assert not bench.iconik.called("copy_to_storage")
    assert growing.now_ms < 1_000_000 + 2 * 600_000


def test_how_long_a_file_grows_is_not_counted_anew_by_the_next_process(
    bench: Bench, growing: Time
) -> None:
    grow, operation_id = bench.stopping.at_wait, bench.click(ADD)

    def stop(wait: int) -> None:
        grow(wait)
        if growing.now_ms > 1_000_000 + 300_000:
            bench.stopping.set()

    bench.stopping.at_wait = stop
    with pytest.raises(Stopped):
        bench.run(operation_id, ADD)
    bench.stopping.clear()
    bench.stopping.at_wait = grow
    (problem,) = bench.run(operation_id, ADD)["problems"]
    assert problem["reason"].endswith("has been growing on LucidLink for 10 min")
    assert growing.now_ms < 1_000_000 + 2 * 600_000


def test_while_iconik_is_away_it_is_asked_again_ever_more_rarely(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.problems["storage"] = AWAY
    caplog.set_level("INFO", run_module.log.name)

    bench.at_wait(20, bench.iconik.problems.clear)
    assert bench.do(ADD)["counts"]["there"] == 1
    assert bench.stopping.waits == sorted(bench.stopping.waits)
    assert caplog.text.count("continuing when iconik is back") == 1
    assert caplog.messages.count("iconik is back") == 1


def test_an_iconik_that_stays_away_is_given_up_and_reported(bench: Bench, time: Time) -> None:
    time.wait_ms = timedelta(days=7) // timedelta(milliseconds=10)
    bench.iconik.problems["storage"] = AWAY
    told = bench.do(ADD)
    assert told["result"] == "failed"
    assert told["failure"].startswith("iconik gave no usable answer for too long: ")


@pytest.mark.parametrize(
    ("phase", "minutes"),
    [
        ("storage", 10),
        ("collection_contents", 10),
        ("formats", 10),
        ("files", 20),
        ("copy_to_storage", 10),
        ("jobs", 10),
        ("delete_file_set", 20),
        ("purge_file_set", 10),
    ],
)
def test_a_long_outage_in_any_phase_only_delays(
    bench: Bench, time: Time, phase: str, minutes: int
) -> None:
    end = time.now_ms + minutes * 60_000
    bench.iconik.contents["c"] = [("assets", ASSET)]
    bench.iconik.has(on_ll())
    bench.copy_ends()
    arrive = bench.iconik.before["jobs"]
    away = {phase: AWAY, "storage": AWAY}
    bench.iconik.before[phase] = lambda: bench.iconik.problems.update(away)

    def go_on(_: int) -> None:
        time.go_on()
        if time.now_ms > end:
            bench.iconik.problems.clear()
            if phase == "jobs":
                arrive()

    bench.stopping.at_wait = go_on
    told = bench.do(a_click("remove", collection_ids=("c",)))
    assert time.now_ms > end
    assert told["result"] == "done"
    assert told["counts"]["removed"] == 1
    # At first often, later every half a minute.
    assert len(bench.iconik.called(phase)) < 30 + 2 * minutes
    assert len(bench.iconik.called("copy_to_storage")) == 1 or phase == "copy_to_storage"


def of_two_assets(bench: Bench) -> CustomAction:
    """A Remove of two assets that are safe on B2."""
    click = a_click("remove", asset_ids=("a1", "a2"))
    for asset_id in click.asset_ids:
        files = (on_b2(file_set_id=f"b2-{asset_id}"), on_ll(file_set_id=f"ll-{asset_id}"))
        bench.iconik.has(*files, asset_id=asset_id)
    return click


def test_what_is_marked_does_not_wait_for_a_slow_look_at_another(bench: Bench) -> None:
    bench.patch(batches, "PURGED_AFTER", 0.05)
    bench.patch(batches, "PURGE_INTERVAL", 0.02)
    purged_first: list[bool] = []

    def see_slowly(iconik: FakeIconik, asset_id: str, **options: Any) -> Snapshot | None:
        if asset_id == "a2":
            wait_for("the purge", lambda: iconik.called("purge_file_set"), BOUND)
            purged_first.append(True)
        return see(iconik, asset_id, **options)

    bench.patch("b2_iconik.operation.proving.see", see_slowly)
    assert bench.do(of_two_assets(bench))["counts"]["removed"] == 2
    assert purged_first


@pytest.mark.usefixtures("time")
@pytest.mark.parametrize("deletes_at_once", [True, False])
def test_what_was_read_too_long_ago_is_read_again_before_it_is_deleted(
    bench: Bench, deletes_at_once: bool
) -> None:
    bench.iconik.deletes_at_once = deletes_at_once
    seen: list[Snapshot] = []

    def see_slowly(*arguments: Any, **options: Any) -> Snapshot | None:
        found = see(*arguments, **options)
        assert found
        seen.append(replace(found, until=found.until if seen else expiry.now()))
        return seen[-1]

    bench.patch("b2_iconik.operation.proving.see", see_slowly)
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.known_statuses[ASSET] = {on_ll().file_set_id: "ACTIVE"}
    assert bench.do(a_click("remove", asset_ids=(ASSET,)))["counts"]["removed"] == 1
    assert len(seen) > 1


@pytest.mark.usefixtures("time")
def test_one_that_was_read_too_long_ago_holds_up_no_other(bench: Bench) -> None:
    bench.patch(batches, "CONNECTIONS", 1)
    click = of_two_assets(bench)
    bench.iconik.known_statuses["a1"] = {"ll-a1": "ACTIVE"}
    seen: list[str] = []

    def see_slowly(iconik: FakeIconik, asset_id: str, **options: Any) -> Snapshot | None:
        found = see(iconik, asset_id, **options)
        assert found
        is_first = asset_id == "a1" and "a1" not in seen
        seen.append(asset_id)
        return replace(found, until=expiry.now() if is_first else found.until)

    bench.patch("b2_iconik.operation.proving.see", see_slowly)
    assert bench.do(click)["counts"]["removed"] == 2
    # Before it is seen whether iconik is away, which is asked once all of a batch were looked at.
    calls = bench.iconik.calls
    assert calls.index(("files", "a2")) < max(
        place for place, call in enumerate(calls) if call[0] == "storage"
    )


@pytest.mark.usefixtures("time")
def test_what_is_always_read_too_slowly_is_not_deleted_and_said_so(bench: Bench) -> None:
    bench.patch(expiry, "HOLDS", -1.0)
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.known_statuses[ASSET] = {on_ll().file_set_id: "ACTIVE"}
    told = bench.do(a_click("remove", asset_ids=(ASSET,)))
    assert told["counts"]["failed"] == 1
    assert "had to wait for so long" in told["problems"][0]["reason"]
    assert not bench.iconik.called("delete_file_set", "delete_file_sets")


def test_what_was_marked_of_several_assets_is_purged_by_one_request(bench: Bench) -> None:
    bench.iconik.purges_at_once = True
    assert bench.do(of_two_assets(bench))["counts"]["removed"] == 2
    assert bench.iconik.called("purge_file_sets") == [("purge_file_sets", ["ll-a1", "ll-a2"])]
    assert bench.iconik.called("purge_file_set") == []


@pytest.mark.usefixtures("time")
def test_an_unanswered_purge_of_several_assets_is_proven_anew_for_each(bench: Bench) -> None:
    bench.iconik.purges_at_once = True
    bench.iconik.problems["purge_file_sets"] = AWAY
    told = bench.do(of_two_assets(bench))
    assert (told["counts"]["removed"], told["problems"]) == (2, [])
    # Read again, purged each by itself, and verified.
    assert len(bench.iconik.called("purge_file_sets")) == 1
    assert len(bench.iconik.called("purge_file_set")) == 2
    assert len(bench.iconik.called("file_sets")) == 4


@pytest.mark.usefixtures("time")
def test_what_must_be_copied_waits_where_the_purge_of_the_same_asset_was_not_answered(
    bench: Bench,
) -> None:
    formats = [Format("format-original", "ORIGINAL"), Format("format-proxy", "PROXY")]
    proxy = {"format_id": "format-proxy", "directory_path": "proxies"}
    bench.iconik.has(on_b2(), on_ll(), on_ll("proxy.mov", **proxy), formats=formats)
    bench.iconik.problems["purge_file_set"] = AWAY
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")
    bench.iconik.before["file_sets"] = bench.iconik.problems.clear
    told = bench.do(a_click("remove", asset_ids=(ASSET,), formats=("ORIGINAL", "PROXY")))
    assert (told["counts"]["removed"], told["counts"]["kept"]) == (1, 1)
    assert len(bench.iconik.called("copy_to_storage")) == 1


def test_a_refused_purge_is_recorded_before_another_format_is_copied(bench: Bench) -> None:
    formats = [Format("format-original", "ORIGINAL"), Format("format-proxy", "PROXY")]
    proxy = {"format_id": "format-proxy", "directory_path": "proxies"}
    bench.iconik.has(on_b2(), on_ll(), on_ll("proxy.mov", **proxy), formats=formats)
    bench.iconik.problems["purge_file_set"] = IconikRefused("purge it", "no (409)")
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")
    recorded: list[Any] = []
    bench.iconik.before["copy_to_storage"] = lambda: recorded.extend(
        a_ledger(bench.engine).outcomes(1)
    )
    bench.do(a_click("remove", asset_ids=(ASSET,), formats=("ORIGINAL", "PROXY")))
    (_, _, outcomes) = recorded[0]
    assert outcomes["ORIGINAL"].kind == "failed"


def test_what_a_listing_tells_is_copied_without_a_look(bench: Bench) -> None:
    record = {
        "formats": [{"id": "format-original", "name": "ORIGINAL"}],
        "files": [asdict(on_b2())],
    }
    bench.iconik.contents["c"] = [("assets", ASSET, record)]
    bench.copy_ends()
    told = bench.do(a_click("add", collection_ids=("c",)))
    assert told["counts"]["copied"] == 1
    assert not bench.iconik.called("formats")
    assert len(bench.iconik.called("files")) == 1


# What the search index saves


def of_a_listed_collection(bench: Bench, number: int = 3) -> CustomAction:
    """An Add of a collection whose listing shows what to copy; the copies end at once."""
    bench.iconik.shows_files = True
    asset_ids = [f"a{each}" for each in range(number)]
    for each in asset_ids:
        bench.iconik.has(on_b2(), asset_id=each)
    bench.iconik.contents["c"] = [
        ("assets", each, bench.iconik.indexed(each)) for each in asset_ids
    ]
    bench.copy_ends(asset_ids=asset_ids)
    return a_click("add", collection_ids=("c",))


def test_copies_that_a_listing_tells_of_are_confirmed_by_one_search(bench: Bench) -> None:
    assert bench.do(of_a_listed_collection(bench))["counts"]["copied"] == 3
    assert bench.iconik.called("search_assets") == [("search_assets", ["a0", "a1", "a2"])]
    assert bench.iconik.called("formats", "files") == []


def test_what_the_index_never_shows_is_read_once_after_a_minute(bench: Bench, time: Time) -> None:
    click = of_a_listed_collection(bench)
    bench.iconik.answers_with("search_assets", lambda _: [])
    read = list[int]()
    bench.iconik.before["files"] = lambda: read.append(time.now_ms)
    assert bench.do(click)["counts"]["copied"] == 3
    assert read[0] >= 1_000_000 + LISTING_LAG_MS
    assert sorted(bench.iconik.called("formats", "files")) == [
        ("files", "a0"), ("files", "a1"), ("files", "a2"),
    ]  # fmt: skip


def test_while_the_index_lags_the_others_are_done(bench: Bench, time: Time) -> None:
    click = of_a_listed_collection(bench)
    show = bench.iconik.indexed

    def show_late(asset_id: str) -> dict[str, Any]:
        is_late = asset_id == "a0" and time.now_ms < 1_020_000
        return {**show(asset_id), "files": []} if is_late else show(asset_id)

    bench.iconik.answers_with("indexed", show_late)
    bench.do(click)
    assert bench.iconik.called("search_assets")[1:] == [
        ("search_assets", ["a0"]) for _ in bench.iconik.called("search_assets")[1:]
    ]
    assert bench.iconik.called("files") == []


def once_copies_are_looked_at(bench: Bench, happen: Callable[[], object]) -> None:
    """Have something happen between the claim of assets whose copies have ended and the search."""
    take = Claims.take

    def take_and_happen(self: Claims, limit: int, now_ms: int) -> list[ClaimedAsset]:
        claimed = take(self, limit, now_ms)
        if any(each.progress.copy_results for each in claimed):
            bench.patch(Claims, "take", take)
            happen()
        return claimed

    bench.patch(Claims, "take", take_and_happen)


def test_copies_that_are_not_confirmed_before_a_stop_are_left(bench: Bench) -> None:
    once_copies_are_looked_at(bench, bench.stop)
    told = bench.do(of_a_listed_collection(bench))
    assert (told["result"], told["counts"]["undone"]) == ("stopped", 3)
    assert bench.iconik.called("search_assets", "files") == []


@pytest.mark.usefixtures("time")
def test_copies_that_are_not_confirmed_when_a_process_stops_are_confirmed_by_the_next(
    bench: Bench,
) -> None:
    once_copies_are_looked_at(bench, bench.stopping.set)
    click = of_a_listed_collection(bench)
    operation_id = bench.click(click)
    with pytest.raises(Stopped):
        bench.run(operation_id, click)
    bench.stopping.clear()
    assert bench.run(operation_id, click)["counts"]["copied"] == 3
    assert len(bench.iconik.called("search_assets")) == 1


def test_assets_that_were_clicked_one_by_one_are_looked_up_a_hundred_at_once(
    bench: Bench,
) -> None:
    bench.iconik.shows_files = True
    click = a_click("add", asset_ids=tuple(f"asset-{number:03}" for number in range(150)))
    for each in click.asset_ids:
        bench.iconik.has(on_b2(), on_ll(), asset_id=each)
    bench.do(click)
    looked_up = sorted(call[1] for call in bench.iconik.called("search_assets"))
    assert looked_up == [list(click.asset_ids[:100]), list(click.asset_ids[100:])]


def one_by_one(bench: Bench, number: int = 3) -> CustomAction:
    """An Add of clicked assets that are there, each of which takes a search of its own."""
    bench.patch(together, "MOST", 1)
    bench.iconik.shows_files = True
    asset_ids = tuple(f"a{each}" for each in range(number))
    for each in asset_ids:
        bench.iconik.has(on_b2(), on_ll(), asset_id=each)
    return a_click("add", asset_ids=asset_ids)


def at_search(bench: Bench, number: int, happen: Callable[[], object]) -> None:
    """Have something happen when iconik is asked to search for so manieth a time."""
    searches, search = count(1), bench.iconik.search_assets

    def search_assets(ids: Sequence[str]) -> list[Listed]:
        found = search(ids)
        if next(searches) == number:
            happen()
        return found

    bench.iconik.answers_with("search_assets", search_assets)


def go_away() -> None:
    raise AWAY


def test_the_first_search_finds_out_that_the_index_does_not_help(bench: Bench) -> None:
    click = one_by_one(bench)
    bench.iconik.shows_files = False
    bench.do(click)
    assert bench.iconik.called("search_assets") == [("search_assets", ["a0"])]


def test_after_the_first_search_several_are_made_at_the_same_time(bench: Bench) -> None:
    click, both = one_by_one(bench), threading.Barrier(2)
    search = bench.iconik.search_assets

    def search_with_another(ids: Sequence[str]) -> list[Listed]:
        if ids != ["a0"]:
            both.wait(BOUND)
        return search(ids)

    bench.iconik.answers_with("search_assets", search_with_another)
    bench.do(click)
    assert len(bench.iconik.called("search_assets")) == 3


@pytest.mark.parametrize("number", [1, 2])
def test_after_a_search_without_an_answer_the_others_are_done_without_one(
    bench: Bench, number: int
) -> None:
    bench.patch(run_module, "CONNECTIONS", 1)
    click = one_by_one(bench)
    at_search(bench, number, go_away)
    assert bench.do(click)["counts"]["there"] == 3
    assert len(bench.iconik.called("search_assets")) == number


def test_after_a_first_search_without_an_answer_no_copies_are_searched_for(bench: Bench) -> None:
    click = replace(of_a_listed_collection(bench), asset_ids=("other",))
    bench.iconik.has(on_b2(), on_ll(), asset_id="other")
    at_search(bench, 1, go_away)
    assert bench.do(click)["counts"]["copied"] == 3
    assert bench.iconik.called("search_assets") == [("search_assets", ["other"])]


def test_what_a_search_shows_is_written_down_before_the_next_one_ends(bench: Bench) -> None:
    click, search = one_by_one(bench), bench.iconik.search_assets

    def die_at_last(ids: Sequence[str]) -> list[Listed]:
        if ids == ["a2"]:
            raise Stopped
        return search(ids)

    bench.iconik.answers_with("search_assets", die_at_last)
    with pytest.raises(Stopped):
        bench.do(click)
    assert a_ledger(bench.engine).not_looked_up(1) == ["a2"]


def test_a_stop_is_seen_between_searches(bench: Bench) -> None:
    click = one_by_one(bench)
    at_search(bench, 1, bench.stop)
    assert bench.do(click)["result"] == "stopped"
    assert len(bench.iconik.called("search_assets")) == 1


def test_a_process_that_stops_makes_no_more_searches(bench: Bench) -> None:
    click = one_by_one(bench)
    at_search(bench, 1, bench.stopping.set)
    with pytest.raises(Stopped):
        bench.do(click)
    assert len(bench.iconik.called("search_assets")) == 1


def test_searches_are_made_as_those_who_do_not_wait_for_them_make_them(bench: Bench) -> None:
    bench.searching = FakeIconik()
    bench.iconik.has(on_b2(), on_ll())
    bench.do(ADD)
    assert bench.searching.calls == [("search_assets", [ASSET])]


def test_a_search_is_tried_once_and_not_for_long(bench: Bench) -> None:
    made: list[dict[str, Any]] = []

    def connect(*_: object, **limits: Any) -> Iconik:
        made.append(limits)
        return bench.iconik

    bench.patch(Operations, "iconik", connect)
    Operations(bench.settings).begin(bench.click(ADD), ADD, bench.leadership())
    assert made == [{}, {"timeout": SEARCH_TIMEOUT, "attempts": 1}]


@pytest.mark.usefixtures("time")
def test_assets_that_were_looked_up_before_a_restart_are_not_looked_up_again(
    bench: Bench,
) -> None:
    bench.iconik.shows_files = True
    bench.iconik.has(on_b2(), on_ll())

    def die() -> None:
        raise Stopped

    bench.iconik.before["files"] = die
    operation_id = bench.click(ADD)
    with pytest.raises(Stopped):
        bench.run(operation_id, ADD)
    assert bench.run(operation_id, ADD)["counts"]["there"] == 1
    assert len(bench.iconik.called("search_assets")) == 1


def test_what_the_index_shows_of_a_clicked_asset_is_copied_without_a_look(bench: Bench) -> None:
    bench.iconik.shows_files = True
    bench.iconik.has(on_b2())
    bench.copy_ends()
    assert bench.do(ADD)["counts"]["copied"] == 1
    assert bench.iconik.called("formats", "files") == []


def refused_because_of(bench: Bench, asset_id: str) -> None:
    """Have iconik refuse every request to copy this asset, whatever others it is for."""
    copy = bench.iconik.copy_to_storage

    def refuse(storage_id: str, name: str, asset_ids: Sequence[str], *where: str) -> str:
        job_id = copy(storage_id, name, asset_ids, *where)
        if asset_id in asset_ids:
            raise IconikRefused("copy", f"asset {asset_id} is not known (400)")
        return job_id

    bench.iconik.answers_with("copy_to_storage", refuse)


def test_an_asset_that_vanished_after_a_listing_showed_it_prevents_no_copy_of_others(
    bench: Bench,
) -> None:
    click = of_a_listed_collection(bench)
    refused_because_of(bench, "a0")
    del bench.iconik.known_formats["a0"], bench.iconik.known_files["a0"]
    bench.iconik.known_jobs["job-2"] = Job("job-2", "FINISHED")
    arrive = bench.iconik.before["jobs"]

    def arrive_without_it() -> None:
        arrive()
        del bench.iconik.known_formats["a0"], bench.iconik.known_files["a0"]

    bench.iconik.before["jobs"] = arrive_without_it
    counts = bench.do(click)["counts"]
    assert (counts["copied"], counts["vanished"]) == (2, 1)


def test_after_a_refusal_assets_that_were_not_seen_are_read_and_asked_for_once_more(
    bench: Bench,
) -> None:
    click = of_a_listed_collection(bench, 1)
    refused_because_of(bench, "a0")
    bench.do(click)
    calls = [call[0] for call in bench.iconik.called("copy_to_storage", "files")]
    assert calls[:3] == ["copy_to_storage", "files", "copy_to_storage"]


@pytest.mark.parametrize(
    "problem", [AWAY, NotPermitted("search", "it needs can_search")], ids=["no answer", "refusal"]
)
def test_where_nothing_can_be_searched_for_clicked_assets_are_read(
    bench: Bench, problem: IconikError
) -> None:
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.problems["search_assets"] = problem
    assert bench.do(ADD)["counts"]["there"] == 1


def test_remove_copies_what_the_index_shows_only_on_lucidlink_before_it_reads(
    bench: Bench,
) -> None:
    bench.iconik.shows_files = True
    bench.iconik.has(on_ll())
    bench.copy_ends()
    assert bench.do(REMOVE)["counts"]["removed"] == 1
    calls = [call[0] for call in bench.iconik.called("copy_to_storage", "formats", "files")]
    assert calls == ["copy_to_storage", "files"]


@pytest.mark.parametrize("is_listed", [False, True], ids=["looked up", "copies are confirmed"])
def test_an_operation_whose_token_is_rejected_by_a_search_fails_as_a_whole(
    bench: Bench, is_listed: bool
) -> None:
    bench.iconik.has(on_b2(), on_ll())
    click = of_a_listed_collection(bench) if is_listed else ADD
    bench.iconik.problems["search_assets"] = TokenRejected("search", "no token (401)")
    told = bench.do(click)
    assert (told["result"], told["failure"]) == ("failed", "could not search: no token (401)")


def test_only_operations_of_one_token_share_what_they_read(bench: Bench) -> None:
    operations = Operations(bench.settings)
    mine = operations._shared("mine", 1)
    assert operations._shared("mine", 1) is mine
    assert operations._shared("another's", 1) is not mine


# Where iconik doesn't answer


def test_an_asset_that_was_in_hand_when_iconik_went_away_stays_out_of_others_hands(
    bench: Bench,
) -> None:
    bench.iconik.has(on_b2(), on_ll())
    away = {"purge_file_set": AWAY, "storage": AWAY}
    bench.iconik.before["purge_file_set"] = lambda: bench.iconik.problems.update(away)
    operation_id = bench.click(REMOVE)
    states = []

    def look(wait: int) -> None:
        states.append(a_ledger(bench.engine).progress(1))
        bench.iconik.problems.clear()

    bench.stopping.at_wait = look
    assert bench.run(operation_id, REMOVE)["counts"]["removed"] == 1
    assert states[0] == {"recheck": 1}


def test_the_others_of_a_batch_do_not_find_out_for_themselves_that_iconik_is_away(
    bench: Bench,
) -> None:
    click = a_click("add", asset_ids=tuple(f"asset-{n}" for n in range(50)))
    for asset_id in click.asset_ids:
        bench.iconik.has(on_ll(), asset_id=asset_id)
    away = {"formats": AWAY, "storage": AWAY}
    bench.iconik.before["formats"] = lambda: bench.iconik.problems.update(away)
    bench.stopping.at_wait = lambda _: bench.iconik.problems.clear()
    assert bench.do(click)["counts"]["there"] == 50
    asked_in_vain = len(bench.iconik.called("formats")) - 50
    assert asked_in_vain <= batches.CONNECTIONS


def test_one_asset_that_iconik_never_answers_about_holds_up_no_other(
    bench: Bench, time: Time
) -> None:
    time.wait_ms = 60_000
    bench.iconik.has(on_b2(), on_ll(), asset_id="asset-2")
    bench.iconik.has(on_ll(), on_b2())
    formats = bench.iconik.formats

    def answers_about_others(asset_id: str, *, all_versions: bool = False) -> list[Format]:
        if asset_id == ASSET:
            raise AWAY
        return formats(asset_id)

    bench.iconik.answers_with("formats", answers_about_others)
    told = bench.do(a_click("remove", asset_ids=(ASSET, "asset-2")))
    assert told["counts"]["removed"] == 1
    assert told["problems"] == [
        {
            "asset_id": ASSET,
            "format": "ORIGINAL",
            "kind": "failed",
            "reason": "could not list the files: iconik answered 503 (10 attempts)",
        }
    ]


def test_an_asset_whose_list_of_files_stays_incomplete_is_given_up_soon(
    bench: Bench, time: Time
) -> None:
    time.wait_ms = 60_000
    bench.iconik.has(on_ll(), on_b2())
    lack = "the list is incomplete: 6 of 8 objects"
    bench.iconik.problems["files"] = Incomplete("list the files", lack)
    told = bench.do(a_click("remove", asset_ids=(ASSET,)))
    assert [each["reason"] for each in told["problems"]] == [
        f"could not list the files: {lack} ({batches.MOST_INCOMPLETE} attempts)"
    ]
    assert len(bench.iconik.called("files")) == batches.MOST_INCOMPLETE


def never_lists(bench: Bench, broken: str) -> None:
    """Have iconik answer about all but one collection."""
    contents = bench.iconik.collection_contents

    def answers_about_others(collection_id: str, side_by_side: Map = map) -> Iterator[Listed]:
        if collection_id == broken:
            raise IconikUnavailable(f"list collection {broken}", "iconik answered 500")
        return contents(collection_id, side_by_side)

    bench.iconik.answers_with("collection_contents", answers_about_others)


def test_a_collection_that_iconik_never_lists_is_told_and_the_others_are_done(
    bench: Bench,
) -> None:
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.contents["c1"] = [("assets", ASSET)]
    never_lists(bench, "c2")
    told = bench.do(a_click("remove", collection_ids=("c1", "c2")))
    assert (told["result"], told["counts"]["removed"]) == ("partly done", 1)
    (problem,) = told["problems"]
    assert problem["asset_id"] == "collection c2"
    assert problem["reason"].startswith("could not list collection c2: iconik answered 500 (")


def test_a_newer_click_that_iconik_never_lists_holds_up_no_older_one(bench: Bench) -> None:
    bench.iconik.has(on_b2(), on_ll())
    never_lists(bench, "c1")
    older = bench.click(REMOVE)
    newer = a_click("add", collection_ids=("c1",))
    bench.do(newer)
    assert bench.run(older, REMOVE)["counts"]["removed"] == 1


def test_assets_that_iconik_does_not_answer_about_take_one_line_however_many_and_often(
    bench: Bench, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "b2_iconik")  # the default; at DEBUG every one takes a line
    time.wait_ms = 300_000
    bench.iconik.problems["formats"] = AWAY
    told = bench.do(a_click("remove", asset_ids=tuple(f"asset-{n}" for n in range(3))))
    assert told["counts"]["failed"] == 3
    lines = [each for each in caplog.messages if each.endswith("; other assets continue")]
    assert len(lines) == 1


def test_an_asset_that_iconik_answers_about_again_is_done(bench: Bench, time: Time) -> None:
    time.wait_ms = 60_000
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.problems["files"] = AWAY

    def answer_again(wait: int) -> None:
        time.go_on()
        if wait == 5:
            bench.iconik.problems.clear()

    bench.stopping.at_wait = answer_again
    assert bench.do(REMOVE)["counts"]["removed"] == 1


def test_a_storage_that_may_not_be_read_is_told_by_its_part(bench: Bench) -> None:
    storage_id = "0b5c1d9e-3f7a-4c52-9d0e-6a1f2b3c4d5e"
    bench.iconik.problems["storage"] = NotPermitted(
        f"read storage {storage_id}", "iconik answered 403: Forbidden", "can_read_storages"
    )
    click = a_click(b2_storage_id=storage_id)
    assert bench.do(click)["failure"] == (
        "the person who clicked may not read the B2 storage: ask an iconik administrator for the "
        "role can_read_storages, or for access (iconik answered 403: Forbidden)"
    )


def test_a_storage_that_is_known_is_told_by_its_name(bench: Bench) -> None:
    click = replace(ADD, ll_storage_id="0b5c1d9e-3f7a-4c52-9d0e-6a1f2b3c4d5e")
    call = f"read storage {click.ll_storage_id.upper()}"
    bench.iconik.problems["jobs"] = IconikRefused(call, "iconik answered 400: no")
    bench.iconik.has(on_b2())
    told = bench.do(click)["failure"]
    assert (
        told
        == f"could not read the LucidLink storage '{click.ll_storage_id}': iconik answered 400: no"
    )


def test_what_iconik_refuses_for_one_asset_fails_that_one_alone(bench: Bench) -> None:
    bench.iconik.has(on_ll())
    bench.iconik.problems["files"] = NotPermitted("list the files of asset asset-1", "no (403)")
    told = bench.do(ADD)
    assert told["result"] == "failed"
    assert told["problems"] == [
        {
            "asset_id": ASSET,
            "format": "ORIGINAL",
            "kind": "failed",
            "reason": "the person who clicked may not list the files of asset asset-1: ask an "
            "iconik administrator for access (no (403))",
        }
    ]


@pytest.mark.parametrize(
    ("method", "problem", "reason"),
    [
        ("purge_file_set", AWAY, "could not list the files: iconik answered 503 (10 attempts)"),
        ("file_sets", IconikRefused("list it", "no (400)"), "could not list it: no (400)"),
    ],
    ids=["no answer", "refusal"],
)
def test_a_deletion_that_a_newer_click_took_over_half_done_is_told_when_it_is_given_up(
    bench: Bench, time: Time, method: str, problem: IconikError, reason: str
) -> None:
    time.wait_ms = 60_000
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.problems["purge_file_set"] = AWAY

    def take_over(wait: int) -> None:
        time.go_on()
        if wait == 1:
            expanded_by(bench, bench.click(ADD))
            bench.iconik.problems[method] = problem

    bench.stopping.at_wait = take_over
    told = bench.do(REMOVE)
    (found,) = told["problems"]
    assert (told["counts"]["failed"], told["counts"]["superseded"]) == (1, 0)
    assert found["reason"] == (f"{reason}, so file set {on_ll().file_set_id} was restored")


def test_a_deletion_that_was_finished_counts_though_a_newer_click_takes_over_the_rest(
    bench: Bench, time: Time
) -> None:
    proxy = on_ll("proxy.mov", format_id="format-proxy")
    files = (on_ll(), on_b2(), proxy, on_b2("proxy.mov", format_id="format-proxy"))
    bench.iconik.has(*files, formats=[a_format(), a_format("PROXY")])
    bench.iconik.known_statuses[ASSET] = {proxy.file_set_id: "ACTIVE"}
    mark = bench.iconik.delete_file_set

    def lose_that_of_the_proxy(asset_id: str, file_set_id: str, *, until: float) -> bool:
        if file_set_id == proxy.file_set_id:
            raise AWAY
        return mark(asset_id, file_set_id, until=until)

    bench.iconik.answers_with("delete_file_set", lose_that_of_the_proxy)

    def take_over() -> None:
        expanded_by(bench, bench.click(a_click("add", asset_ids=(ASSET,), formats=("PROXY",))))

    bench.iconik.before["purge_file_set"] = take_over
    told = bench.do(a_click("remove", asset_ids=(ASSET,), formats=("ORIGINAL", "PROXY")))
    assert (told["counts"]["removed"], told["counts"]["superseded"]) == (1, 1)
    assert time.now_ms > 1_000_000


def test_an_operation_without_a_good_token_fails_as_a_whole(bench: Bench) -> None:
    bench.iconik.has(on_ll())
    bench.iconik.problems["formats"] = TokenRejected("list the formats", "no token (401)")
    told = bench.do(ADD)
    assert told["result"] == "failed"
    assert told["failure"] == "could not list the formats: no token (401)"


def test_a_refusal_to_show_jobs_fails_the_operation_as_a_whole(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    bench.iconik.problems["jobs"] = IconikRefused("follow 1 jobs", "no (403)")
    assert bench.do(ADD)["failure"] == "could not follow 1 jobs: no (403)"


COPY = "allow reading from 'storage-b2' and writing to 'storage-ll'"
IS_ON_B2 = (
    "the custom action names 'storage-ll' as its LucidLink storage, but its method is B2: "
    "create the custom actions again with the right ids"
)
IS_NOT_ON_B2 = "the custom action names 'storage-b2' as its B2 storage, but its method is {}: "


@pytest.mark.parametrize(
    ("click", "storage_id", "change", "failure"),
    [
        (ADD, B2, {"settings": {"read": False}}, COPY),
        (ADD, LL, {"settings": {"write": False}}, COPY),
        (REMOVE, LL, {"settings": {"delete": False}}, "allow deleting from 'storage-ll'"),
        (ADD, B2, {"purpose": "PROXIES"}, "the purpose of the B2 storage 'storage-b2' is PROXIES"),
        (ADD, LL, {"method": "B2"}, IS_ON_B2),
        (REMOVE, LL, {"method": "B2"}, IS_ON_B2),
        (REMOVE, B2, {"method": "S3"}, IS_NOT_ON_B2.format("S3")),
        (REMOVE, B2, {"method": ""}, IS_NOT_ON_B2.format("unknown")),
        *(
            (click, each, {"status": "INACTIVE"}, f"the {kind} storage '{each}' is INACTIVE: activ")
            for click in (ADD, REMOVE)
            for each, kind in ((B2, "B2"), (LL, "LucidLink"))
        ),
    ],
)
def test_a_storage_that_can_not_do_its_part_is_told_before_anything_is_asked(
    bench: Bench, click: CustomAction, storage_id: str, change: dict[str, Any], failure: str
) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.storages_known[storage_id] = change
    assert failure in bench.do(click)["failure"]
    assert not bench.iconik.called("copy_to_storage", "formats", "delete_file_set")


def test_a_storage_whose_purpose_iconik_does_not_tell_is_used(bench: Bench) -> None:
    bench.iconik.has(on_ll())
    untold = {"method": "", "purpose": "", "status": ""}
    bench.iconik.storages_known = {B2: untold, LL: untold}
    assert bench.do(ADD)["result"] == "nothing to do"


@pytest.mark.parametrize(("storage_id", "switched_off"), [(B2, "write"), (LL, "read")])
def test_where_nothing_can_be_copied_to_b2_what_needs_no_copy_is_removed(
    bench: Bench, storage_id: str, switched_off: str
) -> None:
    bench.iconik.storages_known[storage_id] = {"settings": {switched_off: False}}
    bench.iconik.has(on_ll())
    bench.iconik.has(on_ll(), on_b2(), asset_id="asset-2")
    told = bench.do(a_click("remove", asset_ids=(ASSET, "asset-2")))
    assert told["counts"]["removed"] == 1
    assert [each["reason"] for each in told["problems"]] == [
        "clip.mov has no matching file on B2, and nothing can be copied there: in iconik's storage "
        "settings, allow reading from 'storage-ll' and writing to 'storage-b2'"
    ]
    assert not bench.iconik.called("copy_to_storage")


# Storages that change while an operation runs


def after_their_copy(bench: Bench, change: Callable[[], object]) -> dict[str, Any]:
    """Remove an asset that has to be copied to B2 first, and change something meanwhile."""
    bench.iconik.has(on_ll())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED")

    def finish(wait: int) -> None:
        if wait == 3:
            change()
            bench.iconik.has(on_ll(), on_b2())
            bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")

    bench.stopping.at_wait = finish
    return bench.do(REMOVE)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({B2: {"status": "INACTIVE"}}, "is INACTIVE"),
        ({LL: {"settings": {"delete": False}}}, "nothing can be deleted from LucidLink"),
        ({LL: {"method": "B2"}, B2: {"method": "FILE"}}, "but its method is B2"),
    ],
    ids=["inactive", "no deletion", "exchanged"],
)
def test_a_storage_that_changes_while_a_copy_runs_ends_the_operation(
    bench: Bench, changes: dict[str, dict[str, Any]], told: str
) -> None:
    found = after_their_copy(bench, lambda: bench.iconik.storages_known.update(changes))
    assert found["result"] == "failed"
    assert told in found["failure"]
    assert not bench.iconik.called("delete_file_set", "delete_file_sets")


def test_storages_are_not_looked_at_again_for_each_asset(bench: Bench) -> None:
    assert bench.do(of_two_assets(bench))["counts"]["removed"] == 2
    assert len(bench.iconik.called("storage")) == 2
    assert len(bench.iconik.called("deleted_file_sets")) == 1


# Deletions that an operation leaves when it ends


def marked_by_a_failed_one(bench: Bench, *, is_restored: bool = False) -> None:
    """Have a Remove fail between the mark and the purge of its asset."""
    bench.iconik.has(on_ll(), on_b2())
    problem: IconikError = TokenRejected("purge it", "no token is good (401)")
    bench.iconik.problems = {"purge_file_set": problem}
    if not is_restored:
        bench.iconik.problems["restore_file_set"] = problem
    assert bench.do(REMOVE)["result"] == "failed"
    bench.iconik.problems.clear()
    bench.iconik.calls.clear()


def left(bench: Bench, number: int) -> AssetProgress:
    ((_, progress, _),) = a_ledger(bench.engine).outcomes(number)
    return progress


LL_SET = on_ll().file_set_id


def test_what_a_failing_operation_has_marked_is_restored(bench: Bench) -> None:
    marked_by_a_failed_one(bench, is_restored=True)
    (problem,) = bench.report()["problems"]
    assert problem["reason"] == (
        f"the operation ended before the deletion was finished, so file set {LL_SET} was restored"
    )
    assert bench.iconik.known_statuses[ASSET] == {LL_SET: "ACTIVE"}
    assert left(bench, 1) == AssetProgress()


def test_what_a_failed_operation_has_left_marked_is_finished_by_the_next_remove(
    bench: Bench,
) -> None:
    marked_by_a_failed_one(bench)
    assert list(left(bench, 1).unaccepted) == [LL_SET]
    assert bench.do(REMOVE)["counts"]["removed"] == 1
    assert bench.iconik.called("purge_file_set") == [("purge_file_set", ASSET, LL_SET)]
    assert (left(bench, 1), left(bench, 2)) == (AssetProgress(), AssetProgress())
    (problem,) = bench.report()["problems"]
    assert problem["reason"] == "the deletion was not finished, and a newer click takes over"


def test_what_a_failed_operation_has_left_marked_is_restored_by_the_next_remove_if_unproven(
    bench: Bench,
) -> None:
    marked_by_a_failed_one(bench)
    bench.iconik.has(on_ll(file_set_status="DELETED"), on_b2(size=7))
    (problem,) = bench.do(REMOVE)["problems"]
    assert problem["reason"].endswith(f"file set {LL_SET} was restored")
    assert not bench.iconik.called("purge_file_set")


def test_what_an_add_restores_when_it_gives_up_is_brought_back(bench: Bench, time: Time) -> None:
    time.wait_ms = 300_000
    marked_by_a_failed_one(bench)
    restore, attempts = bench.iconik.restore_file_set, list[None]()

    def answers_at_last(asset_id: str, file_set_id: str) -> None:
        attempts.append(None)
        if len(attempts) <= batches.MOST_FAILURES:
            raise AWAY
        restore(asset_id, file_set_id)

    bench.iconik.answers_with("restore_file_set", answers_at_last)
    told = bench.do(ADD)
    assert (told["counts"]["restored"], told["problems"]) == (1, [])
    assert held(bench.engine, "asset_id") == [ASSET]


def test_what_a_failed_remove_has_left_marked_is_restored_by_an_add(bench: Bench) -> None:
    marked_by_a_failed_one(bench)
    assert bench.do(ADD)["counts"]["restored"] == 1
    assert bench.iconik.called("restore_file_set", "copy_to_storage") == [
        ("restore_file_set", ASSET, LL_SET)
    ]
    ((_, progress, outcomes),) = a_ledger(bench.engine).outcomes(2)
    told = f"an earlier operation marked it deleted, so file set {LL_SET} was restored"
    assert (progress.deletions, outcomes) == ({}, {"ORIGINAL": Outcome("restored", Reason(told))})


def test_beside_a_file_set_that_can_not_be_restored_nothing_is_copied(bench: Bench) -> None:
    marked_by_a_failed_one(bench)
    bench.iconik.problems["restore_file_set"] = NotPermitted("restore it", "no (403)")
    told = bench.do(ADD)
    assert told["counts"]["failed"] == 1
    assert "restore file set" in told["problems"][0]["reason"]
    assert not bench.iconik.called("copy_to_storage")


def test_what_was_left_of_another_format_or_storage_is_left_alone(bench: Bench) -> None:
    marked_by_a_failed_one(bench)
    bench.iconik.has(on_b2(), formats=[a_format("PROXY")])
    bench.do(a_click("remove", asset_ids=(ASSET,), formats=("PROXY",)))
    bench.do(a_click("add", asset_ids=(ASSET,), ll_storage_id="another-storage"))
    assert list(left(bench, 1).unaccepted) == [LL_SET]


def test_an_accepted_deletion_of_a_failing_operation_is_told_to_be_unverified(
    bench: Bench,
) -> None:
    bench.iconik.has(on_ll(), on_b2())
    bench.iconik.problems["file_sets"] = TokenRejected("list it", "no token is good (401)")
    told = bench.do(REMOVE)
    ((_, progress, outcomes),) = a_ledger(bench.engine).outcomes(1)
    assert (told["result"], progress) == ("failed", AssetProgress())
    proof = "size, by records alone"
    assert outcomes == {"ORIGINAL": Outcome("removed", ACCEPTED, proof)}


@pytest.mark.usefixtures("time")
def test_a_restoration_without_an_answer_is_tried_again_for_each_asset(bench: Bench) -> None:
    bench.iconik.problems["purge_file_set"] = IconikRefused("purge it", "no (409)")
    bench.iconik.problems["restore_file_set"] = AWAY
    bench.iconik.before["file_sets"] = lambda: bench.iconik.problems.pop("restore_file_set")
    told = bench.do(of_two_assets(bench))
    assert told["counts"]["failed"] == 2
    assert all(each["reason"].endswith("was restored") for each in told["problems"])


def test_while_deletions_are_verified_no_second_verification_begins(bench: Bench) -> None:
    bench.patch(batches, "FIRST_BATCH", 1)
    bench.patch(batches, "LARGEST_BATCH", {"remove": 1})
    go_on, began = threading.Event(), list[int]()
    verify = Verification.run

    def verify_slowly(self: Verification, least: int = 1) -> bool:
        began.append(least)
        if least > 1:
            go_on.wait(BOUND)
        return verify(self, least)

    bench.patch(Verification, "run", verify_slowly)
    asset_ids = [f"a{number}" for number in range(4)]
    for each in asset_ids:
        bench.iconik.has(on_b2(), on_ll(file_set_id=f"ll-{each}"), asset_id=each)
    looked_at = iter(range(10))
    see_next = bench.iconik.formats

    def formats(asset_id: str, *, all_versions: bool = False) -> list[Format]:
        if next(looked_at) == 3:
            go_on.set()
        return see_next(asset_id)

    bench.iconik.answers_with("formats", formats)
    click = a_click("remove", asset_ids=tuple(asset_ids))
    assert bench.do(click)["counts"]["removed"] == 4
    # Four batches, and one after all of them.
    assert 1 <= len([least for least in began if least > 1]) < 4


# What the leader sees to


def left_to_iconik(bench: Bench) -> Operation:
    """An Add that was stopped while its copy was running."""
    bench.iconik.has(on_b2())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED")
    operation_id = bench.click(ADD)

    bench.stopping.at_wait = lambda _: bench.stop(operation_id)
    bench.run(operation_id, ADD)
    return found(bench.engine, operation_id)


def tidy(bench: Bench, *, has_token: bool = True) -> None:
    """See to what operations left that have ended, as the leader does now and then."""
    Operations(replace(bench.settings, iconik_token="a-token" if has_token else None)).tidy(
        bench.leadership()
    )


@pytest.mark.parametrize("has_token", [True, False])
def test_what_is_marked_is_proven_again_only_with_a_token(bench: Bench, has_token: bool) -> None:
    checked: list[object] = []
    bench.patch(Recheck, "__call__", lambda *_: checked.append(None))
    settings = replace(bench.settings, iconik_token="a-token" if has_token else None)
    Operations(settings).keep(bench.leadership())
    assert len(checked) == has_token


def test_the_leader_restores_what_ended_operations_have_left_marked(bench: Bench) -> None:
    marked_by_a_failed_one(bench)
    tidy(bench)
    (problem,) = bench.report()["problems"]
    assert problem["reason"].endswith(f"file set {LL_SET} was restored")
    assert left(bench, 1) == AssetProgress()
    bench.iconik.calls.clear()
    tidy(bench)
    assert bench.iconik.calls == []


def test_the_leader_leaves_alone_what_a_running_operation_is_about(bench: Bench) -> None:
    marked_by_a_failed_one(bench)
    expanded_by(bench, bench.click(REMOVE))
    tidy(bench)
    assert bench.iconik.calls == []


def test_the_leader_tries_again_later_what_iconik_did_not_answer(bench: Bench) -> None:
    marked_by_a_failed_one(bench)
    bench.iconik.problems["restore_file_set"] = AWAY
    tidy(bench)
    assert list(left(bench, 1).unaccepted) == [LL_SET]
    bench.iconik.problems.clear()
    tidy(bench)
    assert left(bench, 1) == AssetProgress()


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "STARTED", ""])
def test_the_leader_notes_which_copies_have_ended_that_a_stopped_operation_left(
    bench: Bench, status: str
) -> None:
    stopped = left_to_iconik(bench)
    if status:
        bench.iconik.known_jobs["job-1"] = Job("job-1", status)
    else:
        del bench.iconik.known_jobs["job-1"]
    tidy(bench)
    (copy,) = History(bench.engine).copies(stopped.number, 9, 0)
    assert copy["ended"] is (status in ("FINISHED", "FAILED"))
    (asset,) = Reported(bench.engine).page(stopped, 9)
    assert asset.is_being_copied is not copy["ended"]
    assert (asset.state, asset.outcomes) == ("done", {})


def test_the_leader_leaves_the_copies_of_a_running_operation_to_it(bench: Bench) -> None:
    left_to_iconik(bench)
    newer = bench.click(ADD)
    expanded_by(bench, newer)
    number = found(bench.engine, newer).number
    claims = Claims(bench.engine, found(bench.engine, newer), bench.term)
    assert claims.take(9, now_ms()) == []
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")
    tidy(bench)
    assert [each["ended"] for each in History(bench.engine).copies(number, 9, 0)] == [False]
    assert a_ledger(bench.engine).progress(number) == {"copying": 1}


def test_the_leader_follows_no_copies_while_iconik_is_away(bench: Bench) -> None:
    stopped = left_to_iconik(bench)
    bench.iconik.problems["jobs"] = AWAY
    tidy(bench)
    assert History(bench.engine).copies_in_all(stopped.number) == (1, 1)


def test_the_leader_follows_no_copies_of_long_ago(bench: Bench) -> None:
    left_to_iconik(bench)
    bench.settings = replace(bench.settings, copy_timeout=timedelta(0))
    bench.iconik.calls.clear()
    bench.patch(operations_module, "now_ms", lambda: now_ms() + 60_000)
    tidy(bench)
    assert bench.iconik.calls == []


def test_a_leader_without_a_token_follows_no_copies(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    left_to_iconik(bench)
    bench.iconik.calls.clear()
    caplog.clear()
    tidy(bench, has_token=False)
    assert (bench.iconik.calls, caplog.messages) == ([], [])


def test_a_leader_without_a_token_says_what_it_needs(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    marked_by_a_failed_one(bench)
    tidy(bench, has_token=False)
    assert "set ICONIK_TOKEN to have them restored, or click again" in caplog.messages[-1]
    assert list(left(bench, 1).unaccepted) == [LL_SET]


def test_an_unknown_storage_is_named(bench: Bench) -> None:
    bench.iconik.problems["storage"] = NotFound("read storage", "unknown (404)")
    assert "the custom action's B2 storage does not exist in iconik" in bench.do(ADD)["failure"]


def test_an_operation_waits_for_an_older_one_that_has_the_asset_in_hand(bench: Bench) -> None:
    bench.iconik.has(on_b2(), on_ll())
    older = found(bench.engine, bench.click(ADD))
    a_ledger(bench.engine).expand(older.number, dict.fromkeys([ASSET]), {})
    (claimed,) = Claims(bench.engine, older, bench.term).take(1, 0)

    def let_go(wait: int) -> None:
        assert not bench.iconik.called("delete_file_set")
        if wait == 8:
            Claims(bench.engine, older, bench.term).note(claimed, "done", {})

    bench.stopping.at_wait = let_go
    assert bench.do(REMOVE)["counts"]["removed"] == 1
    assert max(bench.stopping.waits) <= run_module.LET_GO_INTERVAL


def held_by_an_older_one(bench: Bench) -> Callable[[], None]:
    """Have an older operation hold one of ``BOTH``; the other's copy is under way.

    Returns:
        What lets go of it.
    """
    bench.iconik.has(on_ll())
    bench.iconik.has(on_b2(), asset_id="asset-2")
    bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED")
    older = found(bench.engine, bench.click(REMOVE))
    a_ledger(bench.engine).expand(older.number, dict.fromkeys([ASSET]), {})
    claims = Claims(bench.engine, older, bench.term)
    (claimed,) = claims.take(1, 0)
    return lambda: claims.note(claimed, "done", {})


@pytest.mark.parametrize("problem", [None, NotPermitted("list the files", "no (403)")])
def test_what_it_cannot_see_while_an_older_one_has_it_in_hand_stays_with_that(
    bench: Bench, problem: IconikError | None
) -> None:
    held_by_an_older_one(bench)
    if problem:
        bench.iconik.problems["files"] = problem
    else:
        del bench.iconik.known_formats[ASSET]
    told = bench.do(ADD)
    (found_,) = told["problems"]
    assert found_["kind"] == ("failed" if problem else "vanished")
    older = found(bench.engine, "operation-1")
    with bench.engine.connect() as connection:
        assert formats_left(connection, older, [ASSET]) == {ASSET: ("ORIGINAL",)}


BOTH = a_click("add", asset_ids=(ASSET, "asset-2"))


def test_while_an_older_one_is_in_the_way_copies_are_followed_as_rarely_as_ever(
    bench: Bench,
) -> None:
    let_go = held_by_an_older_one(bench)

    def go_on(wait: int) -> None:
        if wait == 120:
            let_go()
            bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")

    bench.stopping.at_wait = go_on
    bench.do(BOTH)
    # As many seconds as waits: twice a minute, and a few more at first.
    assert len(bench.iconik.called("jobs")) < 20


def test_what_an_older_one_lets_go_of_is_seen_at_once_though_copies_are_followed_rarely(
    bench: Bench,
) -> None:
    let_go = held_by_an_older_one(bench)
    looks: list[int] = []

    def go_on(wait: int) -> None:
        if wait in (120, 122):
            looks.append(bench.iconik.calls.count(("files", ASSET)))
        if wait == 120:
            let_go()
        if wait == 122:
            bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")

    bench.stopping.at_wait = go_on
    bench.do(BOTH)
    # The first time, it is seen whether it may be taken over.
    assert looks == [1, 2]


def test_what_an_older_one_is_about_is_seen_at_once_though_another_has_it_in_hand(
    bench: Bench,
) -> None:
    older = found(bench.engine, bench.click(a_click("remove", collection_ids=("c",))))
    same = found(bench.engine, bench.click(ADD))
    a_ledger(bench.engine).expand(same.number, dict.fromkeys([ASSET]), {})
    claims = Claims(bench.engine, same, bench.term)
    (claimed,) = claims.take(1, 0)
    bench.iconik.has(on_b2(), on_ll())
    looks: list[int] = []

    def go_on(wait: int) -> None:
        if wait in (60, 62):
            looks.append(len(bench.iconik.called("files")))
        if wait == 60:
            a_ledger(bench.engine).expand(older.number, dict.fromkeys([ASSET]), {})
        if wait == 62:
            claims.note(claimed, "done", {})

    bench.stopping.at_wait = go_on
    bench.do(ADD)
    assert looks == [0, 1]


def test_a_stop_leaves_the_operation_to_be_carried_on(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED")
    operation_id = bench.click(ADD)
    bench.stopping.at_wait = lambda _: bench.stopping.set()
    with pytest.raises(Stopped):
        bench.run(operation_id, ADD)
    assert found(bench.engine, operation_id).ended_ms is None
    bench.stopping = Waits()
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")
    bench.iconik.has(on_b2(), on_ll())
    assert bench.run(operation_id, ADD)["counts"]["copied"] == 1


def test_an_operation_that_had_ended_is_only_reported_again(bench: Bench) -> None:
    bench.iconik.has(on_ll())
    operation_id = bench.click(ADD)
    first = bench.run(operation_id, ADD)
    bench.iconik.calls.clear()
    assert bench.run(operation_id, ADD) == first
    assert not bench.iconik.calls


@pytest.mark.usefixtures("time")
def test_no_rest_is_longer_than_until_the_next_deletion_is_to_be_verified(bench: Bench) -> None:
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.deletes_at_once = True
    bench.iconik.undeletable = {on_ll().file_set_id}
    # The time stands still.
    bench.at_wait(10, bench.stopping.set)
    with pytest.raises(Stopped):
        bench.do(REMOVE)
    assert max(bench.stopping.waits) == FIRST_DUE_MS / 1000


def test_only_some_problems_are_logged_one_by_one(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    assets = tuple(f"asset-{n}" for n in range(25))
    for asset_id in assets:
        bench.iconik.has(on_ll(size=7), on_b2(size=8), asset_id=asset_id)
    bench.do(a_click("remove", asset_ids=assets))
    assert caplog.text.count("kept on LucidLink asset-") == run_module.PROBLEMS_LOGGED
    assert "… and 5 more: see the report" in caplog.text


@pytest.mark.parametrize(("shows_title", "named"), [(True, f"{ASSET} (Beach)"), (False, ASSET)])
def test_a_problem_is_logged_with_the_title_of_its_asset_if_that_is_known(
    bench: Bench, caplog: pytest.LogCaptureFixture, shows_title: bool, named: str
) -> None:
    bench.iconik.shows_files = shows_title
    bench.iconik.titles = {ASSET: "Beach"}
    bench.iconik.has(on_ll(size=7), on_b2(size=8))
    bench.do(REMOVE)
    differs = "clip.mov differs from its master: 7 bytes on LucidLink, 8 bytes on B2"
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert warnings == [f"kept on LucidLink {named} ORIGINAL: {differs}"]


def test_an_operation_that_is_nowhere_written_down_is_a_fault(bench: Bench) -> None:
    with pytest.raises(LookupError):
        bench.run("unknown", ADD)


def test_after_the_database_has_failed_an_operation_begins_anew(bench: Bench) -> None:
    failures = [OperationalError("SELECT", {}, Exception("disk I/O error"))]
    runs: list[Run] = []

    def step(self: Run) -> float | None:
        runs.append(self)
        if failures:
            raise failures.pop()
        return None

    bench.patch(Run, "step", step)
    made = Operations(bench.settings).begin(bench.click(ADD), ADD, bench.leadership())
    with pytest.raises(OperationalError):
        made()
    assert [made(), made()] == [None, None]
    assert runs[0] is not runs[1] is runs[2]


def killed_while_it_asks(bench: Bench) -> str:
    """An Add whose process died after iconik was asked for a copy, and before its job was noted."""
    bench.iconik.has(on_b2())

    def die() -> None:
        raise Stopped

    bench.iconik.before["copy_to_storage"] = die
    operation_id = bench.click(ADD)
    with pytest.raises(Stopped):
        bench.run(operation_id, ADD)
    # As it is where the process doesn't get to note anything more.
    with bench.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE plugin_assets SET state = 'recheck', due_ms = 0")
    return operation_id


def test_a_copy_that_was_asked_for_but_not_noted_is_followed_even_for_nothing(
    bench: Bench,
) -> None:
    operation_id = killed_while_it_asks(bench)
    newer = bench.click(REMOVE)
    bench.iconik.known_transfers[ASSET] = [Job("old", "FINISHED"), Job("running", "STARTED")]
    bench.iconik.known_jobs["running"] = Job("running", "STARTED")

    def finish(wait: int) -> None:
        if wait == 3:
            assert found(bench.engine, newer).ended_ms is None
            bench.iconik.known_jobs["running"] = Job("running", "FINISHED")

    bench.stopping.at_wait = finish
    expanded_by(bench, newer)
    told = bench.run(operation_id, ADD)
    assert told["counts"]["superseded"] == 1
    assert ("jobs", ["running"]) in bench.iconik.calls
    assert len(bench.iconik.called("copy_to_storage")) == 1


def test_a_copy_that_was_not_heard_of_is_asked_for_again(bench: Bench) -> None:
    operation_id = killed_while_it_asks(bench)
    bench.copy_ends()
    assert bench.run(operation_id, ADD)["counts"]["copied"] == 1
    assert len(bench.iconik.called("copy_to_storage")) == 2


def test_a_copy_that_ended_without_its_file_is_given_up_only_when_no_other_is_under_way(
    bench: Bench,
) -> None:
    bench.iconik.has(on_ll())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")
    bench.iconik.known_transfers[ASSET] = [
        Job("mine", "SKIPPED", parent_id="job-1"),
        Job("other", "STARTED", parent_id="unknown"),
    ]
    bench.iconik.known_jobs["other"] = Job("other", "STARTED")

    def finish(wait: int) -> None:
        if wait == 3:
            bench.iconik.known_jobs["other"] = Job("other", "FINISHED")
            bench.iconik.has(on_ll(), on_b2())

    bench.stopping.at_wait = finish
    assert bench.do(REMOVE)["counts"]["removed"] == 1
    assert len(bench.iconik.called("copy_to_storage")) == 1


def test_a_file_that_comes_between_the_look_and_the_list_of_copies_is_seen(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")
    bench.iconik.before["transfers"] = lambda: bench.iconik.has(on_b2(), on_ll())
    assert bench.do(ADD)["counts"]["copied"] == 1


def test_a_copy_that_was_given_up_is_not_waited_for_again(bench: Bench) -> None:
    bench.settings = replace(bench.settings, copy_timeout=timedelta(milliseconds=1))
    bench.iconik.has(on_b2())
    for job_id in ("job-1", "other"):
        bench.iconik.known_jobs[job_id] = Job(job_id, "STARTED")
    bench.iconik.known_transfers[ASSET] = [
        Job("mine", "STARTED", parent_id="job-1"),
        Job("other", "STARTED"),
    ]
    (problem,) = bench.do(ADD)["problems"]
    assert problem["reason"].endswith(
        "is not there: gave up waiting: the copy job is still STARTED"
    )
    asked = {tuple(call[1]) for call in bench.iconik.called("jobs")}
    assert asked == {("job-1",), ("other",)}


def test_what_was_removed_counts_while_another_format_is_waited_for(bench: Bench) -> None:
    proxy = on_ll("proxy.mov", format_id="format-proxy")
    both = [a_format(), a_format("PROXY")]
    bench.iconik.has(on_ll(), proxy, formats=both)
    bench.iconik.known_jobs |= {
        "job-1": Job("job-1", "FINISHED"),
        "job-2": Job("job-2", "FINISHED"),
    }
    bench.iconik.known_jobs["other"] = Job("other", "FINISHED")
    bench.iconik.before["jobs"] = lambda: bench.iconik.has(on_ll(), on_b2(), proxy, formats=both)
    bench.iconik.known_transfers[ASSET] = [Job("other", "STARTED")]
    counts = bench.do(a_click("remove", asset_ids=(ASSET,), formats=("ORIGINAL", "PROXY")))[
        "counts"
    ]
    assert (counts["removed"], counts["kept"], counts["absent"]) == (1, 1, 0)
    calls = [call[0] for call in bench.iconik.calls]
    purge = next(number for number, name in enumerate(calls) if name.startswith("purge"))
    # Nothing stays half deleted for as long as that takes.
    assert purge < calls.index("transfers")


def test_each_request_minds_the_turn(bench: Bench) -> None:
    class Made(Exception):
        pass

    def make(*arguments: Any, **_: object) -> None:
        raise Made(*arguments)

    bench.patch(operations_module, "Transport", make)
    leadership = bench.leadership()
    with pytest.raises(Made) as made:
        Operations(bench.settings).begin(bench.click(ADD), ADD, leadership)
    assert leadership.check in made.value.args


def test_what_is_added_for_a_while_is_there_since_iconik_has_told_the_time(bench: Bench) -> None:
    click = replace(ADD, keep_ms=60_000)
    heard: list[ServerClock] = []

    def make(*_: Any, clock: ServerClock, **__: object) -> None:
        heard.append(clock)

    bench.patch(operations_module, "Transport", make)
    bench.iconik.has(on_b2(), on_ll())
    step = Operations(bench.settings).begin(bench.click(click), click, bench.leadership())
    heard[0].hear("Sat, 28 Nov 2026 12:00:00 GMT", expiry.now())
    bench.stopping.bring_to_end(step)
    ((since_ms, until_ms),) = held(bench.engine, "since_ms", "until_ms")
    assert (since_ms // 60_000, until_ms - since_ms) == (1_795_867_200 // 60, 60_000)


def test_an_add_that_does_not_tell_for_how_long_adds_nothing(bench: Bench) -> None:
    bench.iconik.has(on_b2())
    told = bench.do(replace(ADD, keep_problem="the metadata field 'Days' is empty"))
    assert told["failure"] == "the metadata field 'Days' is empty"
    assert bench.iconik.calls == []


def test_an_executor_whose_turn_is_over_deletes_nothing_more(bench: Bench) -> None:
    bench.iconik.has(on_b2(), on_ll())
    bench.iconik.before["files"] = lambda: begin_term(bench.engine, 0)
    with pytest.raises(Stopped):
        bench.do(REMOVE)
    assert not bench.iconik.called("delete_file_set")


def test_the_storages_are_known_by_name(bench: Bench) -> None:
    bench.iconik.storages_known = {B2: {"name": "Masters"}, LL: {"name": "Filespace"}}
    bench.iconik.has(on_b2(), on_ll())
    bench.do(ADD)
    names = found(bench.engine, "operation-1").names
    assert names == {"storages": {"b2": "Masters", "ll": "Filespace"}}
    # Those that are read anyway to check them.
    assert len(bench.iconik.called("storage")) == 2


# A Remove that can be undone


def removed_for_now(bench: Bench) -> None:
    """Remove an asset, and leave the purge to iconik."""
    bench.settings = replace(bench.settings, purge="later")
    bench.iconik.has(on_ll(), on_b2())
    assert bench.do(REMOVE)["counts"]["removed"] == 1


def undo(bench: Bench) -> dict[str, Any]:
    """Undo the first operation."""
    click = a_click("undo", asset_ids=(ASSET,))
    operation_id = bench.click(click)
    with bench.engine.begin() as connection:
        of = {"retry_of": "operation-1", "retry_by": "Ada", "origin": "undo"}
        its = operations.c.id == operation_id
        connection.execute(sa.update(operations).where(its).values(of))
    let_see(bench.engine, found(bench.engine, operation_id))
    return bench.run(operation_id, click)


def test_a_remove_leaves_the_purge_to_iconik(bench: Bench) -> None:
    removed_for_now(bench)
    assert bench.report()["undo"].startswith("can be undone until")
    assert not bench.iconik.called("purge_file_set")


def test_an_undo_brings_back_what_a_remove_marked(bench: Bench) -> None:
    removed_for_now(bench)
    told = undo(bench)
    assert (told["result"], told["counts"]["restored"]) == ("done", 1)
    assert bench.report()["undo"] is None


def test_an_undo_does_not_need_the_storages(bench: Bench) -> None:
    removed_for_now(bench)
    bench.iconik.problems["storage"] = NotFound("read the storage", "no such storage (404)")
    assert undo(bench)["counts"]["restored"] == 1


def test_an_add_brings_it_back_without_a_copy(bench: Bench) -> None:
    removed_for_now(bench)
    assert bench.do(ADD)["counts"]["restored"] == 1
    assert not bench.iconik.called("copy_to_storage")
