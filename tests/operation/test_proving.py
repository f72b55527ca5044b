"""When records are read again because the bucket took its time."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.bucket.confirm import Confirmation
from b2_iconik.domain.custody import Safe, Verdict, judge
from b2_iconik.operation.proving import MOST_READINGS, Judged, prove
from b2_iconik.operation.snapshot import Snapshot
from iconik_http import expiry
from iconik_http.errors import IconikUnavailable
from iconik_http.records import File
from tests.makers import ASSET, B2, LL, ORIGINAL, a_click, on_b2, on_ll
from tests.operation.benches import AssetBench, a_check


@pytest.fixture
def bench(engine: sa.Engine) -> AssetBench:
    """A Remove of an asset whose records prove it safe."""
    bench = AssetBench(engine, a_click("remove"))
    bench.iconik.has(on_ll(), on_b2())
    return bench


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, by ``expiry.now``; nothing passes by itself."""
    clock = [1_000.0]
    monkeypatch.setattr(expiry, "now", lambda: clock[0])
    return clock


def judged(bench: AssetBench, **fields: Any) -> Judged:
    """What a proof of the asset comes to."""
    found = prove(bench.removal(**fields), ASSET, judge_original)
    assert found
    return found


def judge_original(snapshot: Snapshot) -> dict[str, list[Verdict]]:
    return {"ORIGINAL": judge(ORIGINAL, snapshot.files, LL, B2)}


def test_records_are_read_again_after_a_bucket_that_took_its_time(
    bench: AssetBench, clock: list[float]
) -> None:
    takes = iter([4.0, 0.0])

    def confirm(_: str, __: Safe) -> Confirmation:
        clock[0] += next(takes)
        return Confirmation("key")

    found = judged(bench, confirm=confirm)
    assert found.snapshot.until == clock[0] + expiry.HOLDS
    assert len(bench.iconik.called("files")) == 2


def test_an_edit_while_the_bucket_took_its_time_is_seen(
    bench: AssetBench, clock: list[float]
) -> None:
    def confirm(_: str, __: Safe) -> Confirmation:
        clock[0] += 4.0
        bench.iconik.has(on_ll(size=7), on_b2())
        return Confirmation("key")

    ((verdict,),) = judged(bench, confirm=confirm).verdicts.values()
    assert not isinstance(verdict, Safe)


def test_a_bucket_that_always_takes_its_time_has_records_read_only_so_often(
    bench: AssetBench, clock: list[float]
) -> None:
    def confirm(_: str, __: Safe) -> Confirmation:
        clock[0] += 4.0
        return Confirmation("key")

    judged(bench, confirm=confirm)
    assert len(bench.iconik.called("files")) == MOST_READINGS


def test_records_are_read_once_where_the_bucket_answers_at_once(bench: AssetBench) -> None:
    judged(bench)
    assert bench.iconik.calls == [("formats", ASSET), ("files", ASSET)]


def test_the_bucket_is_not_asked_about_what_iconik_does_not_prove(bench: AssetBench) -> None:
    def confirm(_: str, __: Safe) -> Confirmation:
        raise AssertionError

    bench.iconik.has(on_ll())
    judged(bench, confirm=confirm)


def test_a_bucket_without_an_answer_proves_nothing(bench: AssetBench) -> None:
    def confirm(_: str, __: Safe) -> Confirmation:
        raise IconikUnavailable("ask the bucket", "no answer")

    with pytest.raises(IconikUnavailable):
        judged(bench, confirm=confirm)


@pytest.mark.parametrize("side", [on_ll, on_b2])
def test_what_iconik_says_in_two_ways_about_either_side_proves_nothing(
    bench: AssetBench, side: Callable[[], File]
) -> None:
    disputed = side().file_set_id
    bench.iconik.counts[disputed] = 2
    found = judged(bench, preflight=lambda: a_check(deleted=None))
    ((verdict,),) = found.verdicts.values()
    assert not isinstance(verdict, Safe)
    assert (
        verdict.reason == f"iconik reports a file count of 2 for file set {disputed}, but lists 1"
    )


@pytest.mark.parametrize(("by_checksum", "is_safe"), [(False, False), (True, True)])
def test_where_a_checksum_is_required_that_of_the_bucket_counts(
    bench: AssetBench, by_checksum: bool, is_safe: bool
) -> None:
    confirmed = Confirmation("key", by_checksum=by_checksum)
    found = judged(bench, confirm=lambda asset_id, safe: confirmed, require_checksum=True)
    assert isinstance(found.verdicts["ORIGINAL"][0], Safe) is is_safe
