"""When records are read again because the bucket took its time."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from b2_iconik.bucket.confirm import Confirmation
from b2_iconik.domain.custody import Safe, Verdict, judge
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation.proving import MOST_READINGS, Judged, prove
from b2_iconik.operation.snapshot import Snapshot
from iconik_http import expiry
from iconik_http.errors import IconikUnavailable
from tests.makers import (
    ASSET,
    B2,
    LL,
    ORIGINAL,
    FakeIconik,
    a_check,
    a_click,
    a_removal,
    a_term,
    expanded,
    on_b2,
    on_ll,
)


@pytest.fixture
def iconik() -> FakeIconik:
    iconik = FakeIconik()
    iconik.has(on_ll(), on_b2())
    return iconik


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, by ``expiry.now``; nothing passes by itself."""
    clock = [1_000.0]
    monkeypatch.setattr(expiry, "now", lambda: clock[0])
    return clock


@pytest.fixture
def judged(engine: sa.Engine, iconik: FakeIconik) -> Callable[..., Judged | None]:
    """Proves the asset, the bucket's answer taking so many seconds each time."""
    claims = Claims(engine, expanded(engine, a_click("remove")), a_term(engine))

    def judged(confirm: Callable[[str, Safe], Confirmation]) -> Judged | None:
        return prove(a_removal(iconik, claims, confirm=confirm), ASSET, judge_original)

    return judged


def judge_original(snapshot: Snapshot) -> dict[str, list[Verdict]]:
    return {"ORIGINAL": judge(ORIGINAL, snapshot.files, LL, B2)}


def test_records_are_read_again_after_a_bucket_that_took_its_time(
    iconik: FakeIconik, clock: list[float], judged: Callable[..., Judged | None]
) -> None:
    takes = iter([4.0, 0.0])

    def confirm(_: str, __: Safe) -> Confirmation:
        clock[0] += next(takes)
        return Confirmation("key")

    found = judged(confirm)
    assert found
    assert found.snapshot.until == clock[0] + expiry.HOLDS
    assert len(iconik.called("files")) == 2


def test_an_edit_while_the_bucket_took_its_time_is_seen(
    iconik: FakeIconik, clock: list[float], judged: Callable[..., Judged | None]
) -> None:
    def confirm(_: str, __: Safe) -> Confirmation:
        clock[0] += 4.0
        iconik.has(on_ll(size=7), on_b2())
        return Confirmation("key")

    found = judged(confirm)
    assert found
    ((verdict,),) = found.verdicts.values()
    assert not isinstance(verdict, Safe)


def test_a_bucket_that_always_takes_its_time_has_records_read_only_so_often(
    iconik: FakeIconik, clock: list[float], judged: Callable[..., Judged | None]
) -> None:
    def confirm(_: str, __: Safe) -> Confirmation:
        clock[0] += 4.0
        return Confirmation("key")

    assert judged(confirm)
    assert len(iconik.called("files")) == MOST_READINGS


def test_records_are_read_once_where_the_bucket_answers_at_once(
    iconik: FakeIconik, judged: Callable[..., Judged | None]
) -> None:
    assert judged(lambda asset_id, safe: Confirmation("key"))
    assert iconik.calls == [("formats", ASSET), ("files", ASSET)]


def test_the_bucket_is_not_asked_about_what_iconik_does_not_prove(
    iconik: FakeIconik, judged: Callable[..., Judged | None]
) -> None:
    def confirm(_: str, __: Safe) -> Confirmation:
        raise AssertionError

    iconik.has(on_ll())
    assert judged(confirm)


def test_a_bucket_without_an_answer_proves_nothing(
    judged: Callable[..., Judged | None],
) -> None:
    def confirm(_: str, __: Safe) -> Confirmation:
        raise IconikUnavailable("ask the bucket", "no answer")

    with pytest.raises(IconikUnavailable):
        judged(confirm)


@pytest.mark.parametrize("side", [on_ll, on_b2])
def test_what_iconik_says_in_two_ways_about_either_side_proves_nothing(
    iconik: FakeIconik, engine: sa.Engine, side: Callable[..., object]
) -> None:
    claims = Claims(engine, expanded(engine, a_click("remove")), a_term(engine))
    disputed = on_ll().file_set_id if side is on_ll else on_b2().file_set_id
    iconik.counts[disputed] = 2
    removal = a_removal(iconik, claims, preflight=lambda: a_check(deleted=None))
    found = prove(removal, ASSET, judge_original)
    assert found
    ((verdict,),) = found.verdicts.values()
    assert not isinstance(verdict, Safe)
    assert (
        verdict.reason == f"iconik reports a file count of 2 for file set {disputed}, but lists 1"
    )


@pytest.mark.parametrize(("by_checksum", "is_safe"), [(False, False), (True, True)])
def test_where_a_checksum_is_required_that_of_the_bucket_counts(
    engine: sa.Engine, iconik: FakeIconik, by_checksum: bool, is_safe: bool
) -> None:
    claims = Claims(engine, expanded(engine, a_click("remove")), a_term(engine))
    removal = a_removal(
        iconik,
        claims,
        confirm=lambda asset_id, safe: Confirmation("key", by_checksum=by_checksum),
        require_checksum=True,
    )
    found = prove(removal, ASSET, judge_original)
    assert found
    assert isinstance(found.verdicts["ORIGINAL"][0], Safe) is is_safe
