"""Whether copies to LucidLink have arrived, as the search index of an iconik in memory shows it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common.clock import Clock
from b2_iconik.domain.click import Action
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import LISTING_LAG_MS, AssetProgress, ClaimedAsset
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation.arrivals import (
    LATEST_RECHECK_MS,
    SOONEST_RECHECK_MS,
    Arrivals,
    recheck_after_ms,
)
from b2_iconik.operation.deletion import DeletionCapabilities
from b2_iconik.operation.index import Index
from b2_iconik.operation.together import MOST, Together
from iconik_http.errors import IconikUnavailable, NotPermitted, TokenRejected
from tests.makers import LL, ORIGINAL, FakeIconik, a_click, a_ledger, a_term, expanded, on_b2, on_ll

NOW = 1_000_000
COPIED = AssetProgress(
    copy_results={"ORIGINAL": None}, format_names={ORIGINAL: "ORIGINAL"}, ready=("ORIGINAL",)
)


class Bench:
    """An operation whose copies have ended, and an index."""

    def __init__(self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = engine
        self.iconik = FakeIconik()
        self.iconik.shows_files = True
        self.index = Index(self.iconik, DeletionCapabilities().search, Together())
        self.now = NOW
        monkeypatch.setattr(Clock, "now_ms", lambda _: self.now)

    def copied(
        self, number: int = 1, action: Action = "add", progress: AssetProgress = COPIED
    ) -> list[ClaimedAsset]:
        """Claimed assets whose copies have ended."""
        names = [f"a{each:03}" for each in range(number)]
        operation = expanded(self.engine, a_click(action), names, seen=False)
        self.claims = Claims(self.engine, operation, a_term(self.engine))
        self.arrivals = Arrivals(self.index, self.claims, LL, Clock())
        claimed = self.claims.take(number, NOW)
        for each in claimed:
            each.progress = progress
            self.iconik.has(on_b2(), on_ll(), asset_id=each.asset_id)
        return claimed

    def see(self, assets: list[ClaimedAsset]) -> None:
        self.arrivals.see(assets)

    def split(
        self, assets: list[ClaimedAsset]
    ) -> tuple[list[Sequence[ClaimedAsset]], list[ClaimedAsset]]:
        return self.arrivals.split(assets)

    def states(self) -> dict[str, int]:
        return a_ledger(self.engine).progress(1)

    def outcomes(self) -> dict[str, Any]:
        return {each: told for each, _, told in a_ledger(self.engine).outcomes(1)}

    def due(self, now_ms: int) -> list[str]:
        """The assets that are looked at again at a time."""
        return [each.asset_id for each in self.claims.take(100, now_ms)]


@pytest.fixture
def bench(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(engine, monkeypatch)


# What is searched for


def test_what_the_index_may_show_is_searched_for_together(bench: Bench) -> None:
    claimed = bench.copied(3)
    assert bench.split(claimed) == ([claimed], [])


def test_no_search_is_for_more_than_a_hundred(bench: Bench) -> None:
    claimed = bench.copied(2 * MOST + 5)
    groups, alone = bench.split(claimed)
    assert ([len(each) for each in groups], alone) == ([MOST, MOST, 5], [])


def test_what_the_index_can_not_show_is_read_alone(bench: Bench) -> None:
    failed, copied = bench.copied(2)
    failed.progress = COPIED.with_copy_results({"ORIGINAL": Reason("disk full")})
    assert bench.split([failed, copied]) == ([[copied]], [failed])


def test_what_no_listing_showed_lacking_is_read_alone(bench: Bench) -> None:
    claimed = bench.copied(progress=replace(COPIED, ready=()))
    assert bench.split(claimed) == ([], claimed)


def test_what_the_index_does_not_show_within_a_minute_is_read_alone(bench: Bench) -> None:
    claimed = bench.copied(progress=replace(COPIED, unfinished_ms=NOW))
    bench.now += LISTING_LAG_MS
    assert bench.split(claimed) == ([], claimed)


def test_for_a_remove_nothing_is_searched_for(bench: Bench) -> None:
    claimed = bench.copied(action="remove")
    assert bench.split(claimed) == ([], claimed)


def test_where_the_index_does_not_help_all_are_read_alone(bench: Bench) -> None:
    claimed = bench.copied()
    bench.iconik.problems["search_assets"] = NotPermitted("search", "it needs can_search")
    bench.index.find(["a000"])
    assert bench.split(claimed) == ([], claimed)


# What has arrived


def test_what_the_index_shows_complete_is_done(bench: Bench) -> None:
    bench.see(bench.copied(2))
    copied = {"ORIGINAL": Outcome("copied")}
    assert bench.outcomes() == {"a000": copied, "a001": copied}
    assert bench.states() == {"done": 2}
    assert bench.iconik.calls == [("search_assets", ["a000", "a001"])]


@pytest.mark.parametrize("was_seen", [False, True])
def test_a_search_says_nothing_about_whether_an_asset_was_seen(
    bench: Bench, was_seen: bool
) -> None:
    (claimed,) = bench.copied()
    claimed.seen = was_seen
    bench.see([claimed])
    assert claimed.seen is was_seen


# What has not


def test_what_the_index_does_not_show_complete_is_looked_at_again(bench: Bench) -> None:
    late, arrived = bench.copied(2)
    bench.iconik.has(on_b2(), asset_id=late.asset_id)
    bench.see([late, arrived])
    assert bench.states() == {"recheck": 1, "done": 1}
    assert bench.due(NOW + SOONEST_RECHECK_MS) == [late.asset_id]


def test_what_the_index_does_not_find_is_looked_at_again_after_a_second(bench: Bench) -> None:
    claimed = bench.copied()
    bench.iconik.known_formats.clear()
    bench.see(claimed)
    assert bench.due(NOW + SOONEST_RECHECK_MS - 1) == []
    assert bench.due(NOW + SOONEST_RECHECK_MS) == ["a000"]


def test_what_the_index_shows_to_differ_from_its_source_is_read_at_once(bench: Bench) -> None:
    (claimed,) = bench.copied()
    bench.iconik.has(on_b2(), on_ll(size=999), asset_id=claimed.asset_id)
    bench.see([claimed])
    assert bench.due(NOW) == [claimed.asset_id]
    assert bench.split([claimed]) == ([], [claimed])


def test_it_is_remembered_since_when_something_is_waited_for(bench: Bench) -> None:
    claimed = bench.copied()
    bench.iconik.known_formats.clear()
    for _ in range(2):
        bench.see(claimed)
        bench.now += 10_000
    assert claimed[0].progress.unfinished_ms == NOW


def test_the_longer_something_is_waited_for_the_more_rarely_it_is_looked_at(bench: Bench) -> None:
    claimed = bench.copied(progress=replace(COPIED, unfinished_ms=NOW - 20_000))
    bench.iconik.known_formats.clear()
    bench.see(claimed)
    assert bench.due(NOW + 9_999) == []
    assert bench.due(NOW + 10_000) == ["a000"]


@pytest.mark.parametrize(
    ("since_ms", "wait_ms"),
    [
        (None, SOONEST_RECHECK_MS),
        (NOW - 500, SOONEST_RECHECK_MS),
        (NOW - 20_000, 10_000),
        (NOW - 10 * LATEST_RECHECK_MS, LATEST_RECHECK_MS),
    ],
)
def test_what_is_unfinished_is_looked_at_again_ever_more_rarely(
    since_ms: int | None, wait_ms: int
) -> None:
    asset = ClaimedAsset("a", ("ORIGINAL",), AssetProgress(unfinished_ms=since_ms))
    assert recheck_after_ms(asset, NOW) == wait_ms


def test_where_the_index_turns_out_not_to_help_all_are_read_at_once(bench: Bench) -> None:
    bench.iconik.shows_files = False
    bench.see(bench.copied(2))
    again = bench.claims.take(100, NOW)
    assert bench.split(again) == ([], again)
    assert len(again) == 2


def test_a_search_without_an_answer_is_repeated(bench: Bench) -> None:
    bench.iconik.problems["search_assets"] = IconikUnavailable("search", "no answer")
    bench.see(bench.copied())
    again = bench.claims.take(100, NOW + SOONEST_RECHECK_MS)
    assert bench.split(again) == ([again], [])


def test_a_rejected_token_ends_everything(bench: Bench) -> None:
    claimed = bench.copied()
    bench.iconik.problems["search_assets"] = TokenRejected("search", "no token is good (401)")
    with pytest.raises(TokenRejected):
        bench.see(claimed)
