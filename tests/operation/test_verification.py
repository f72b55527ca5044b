"""Whether accepted deletions were carried out, in front of an iconik in memory."""

from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common.clock import Clock
from b2_iconik.domain.custody import Safe
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, ClaimedAsset, Deletion
from b2_iconik.domain.reasons import ACCEPTED, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.operation.deletion import DeletionCapabilities
from b2_iconik.operation.deletion_results import CARRIED_OUT_AFTER_MS
from b2_iconik.operation.index import Index
from b2_iconik.operation.together import Together
from b2_iconik.operation.verification import FEW, FIRST_DUE_MS, MOST_FAILURES, Verification
from iconik_http.errors import (
    IconikError,
    IconikRefused,
    IconikUnavailable,
    NotPermitted,
    TokenRejected,
)
from tests.makers import FakeIconik, a_click, a_ledger, a_term, expanded, on_b2, on_ll

NOW = 1_000_000
MANY = FEW + 2
REMOVED = Outcome("removed")


class Bench:
    """A Remove of some assets, whose deletions iconik has accepted."""

    def __init__(self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = engine
        self.iconik = FakeIconik()
        self.now = NOW
        self.index = Index(self.iconik, DeletionCapabilities().search, Together())
        monkeypatch.setattr(Clock, "now_ms", lambda _: self.now)

    def accepted(
        self, number: int, *, gone: bool = True, outcome: Outcome = REMOVED, **fields: Any
    ) -> list[str]:
        """Assets whose file sets on LucidLink were deleted, and are gone or not."""
        names = [f"a{each:03}" for each in range(number)]
        operation = expanded(self.engine, a_click("remove"), names)
        self.claims = Claims(self.engine, operation, a_term(self.engine))
        claimed = self.claims.take(number, NOW)
        for each in claimed:
            self.has(each.asset_id, gone=gone)
            self.note(each, outcome, **fields)
        return names

    def has(self, asset_id: str, *, gone: bool) -> None:
        files = [on_b2(file_set_id=f"b2-{asset_id}")]
        if not gone:
            files.append(on_ll(file_set_id=f"ll-{asset_id}"))
        self.iconik.has(*files, asset_id=asset_id)

    def note(self, claimed: ClaimedAsset, outcome: Outcome, **fields: Any) -> None:
        proof = Safe(
            f"ll-{claimed.asset_id}", f"b2-{claimed.asset_id}", False, 1000, "format-original"
        )
        given: dict[str, Any] = {"proof": proof, "accepted_ms": NOW, **fields}
        claimed.progress = claimed.progress.with_deletions(
            {f"ll-{claimed.asset_id}": Deletion("ORIGINAL", **given)}
        )
        self.claims.note(claimed, "verifying", {"ORIGINAL": outcome})

    def verify(self, least: int = 1) -> bool:
        clock = Clock()
        return Verification(self.iconik, self.claims, self.index, clock).run(least)

    def states(self) -> dict[str, int]:
        return a_ledger(self.engine).progress(1)

    def outcomes(self) -> dict[str, Outcome]:
        return {each: told["ORIGINAL"] for each, _, told in a_ledger(self.engine).outcomes(1)}

    def progress_by_id(self) -> dict[str, AssetProgress]:
        return {each: progress for each, progress, _ in a_ledger(self.engine).outcomes(1)}

    def searches(self) -> int:
        return len(self.iconik.called("search_assets"))

    def listed(self) -> int:
        return len(self.iconik.called("file_sets"))

    def pass_a_minute(self) -> None:
        self.now = NOW + CARRIED_OUT_AFTER_MS


@pytest.fixture
def bench(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(engine, monkeypatch)


# Few


def test_few_assets_are_listed_at_once(bench: Bench) -> None:
    bench.accepted(FEW)
    assert bench.verify()
    assert (bench.states(), bench.searches(), bench.listed()) == ({"done": FEW}, 0, FEW)
    assert set(bench.outcomes().values()) == {REMOVED}
    assert set(map(str, bench.progress_by_id().values())) == {str(AssetProgress())}


def test_what_is_still_there_is_listed_again_ever_more_rarely_until_a_minute_is_over(
    bench: Bench,
) -> None:
    bench.accepted(1, gone=False)
    while bench.states() == {"verifying": 1}:
        bench.verify()
        bench.now += 500
    reason = "iconik accepted the deletion, but file set ll-a000 is still there"
    assert bench.outcomes() == {"a000": Outcome("failed", Reason(reason))}
    assert bench.now - NOW <= 2 * CARRIED_OUT_AFTER_MS
    assert bench.listed() <= 10


def test_a_deletion_that_takes_its_time_is_done_in_the_end(bench: Bench) -> None:
    bench.accepted(1, gone=False)
    assert not bench.verify()
    bench.has("a000", gone=True)
    bench.now += 2 * FIRST_DUE_MS
    assert bench.verify()
    assert (bench.states(), bench.outcomes()) == ({"done": 1}, {"a000": REMOVED})


# Many


def test_one_search_covers_many_assets(bench: Bench) -> None:
    names = bench.accepted(MANY)
    bench.iconik.shows_files = True
    assert bench.verify()
    assert bench.states() == {"done": MANY}
    assert bench.iconik.called("search_assets") == [("search_assets", names)]
    assert bench.listed() == 0


def test_what_the_search_shows_is_still_there_is_searched_for_again_and_listed_in_the_end(
    bench: Bench,
) -> None:
    bench.accepted(MANY)
    bench.has("a000", gone=False)
    bench.iconik.shows_files = True
    bench.verify()
    assert (bench.states(), bench.listed()) == ({"done": MANY - 1, "verifying": 1}, 0)
    bench.pass_a_minute()
    bench.verify()
    assert (bench.states(), bench.listed()) == ({"done": MANY}, 1)
    assert bench.outcomes()["a000"].kind == "failed"


def test_an_index_that_shows_neither_side_tells_nothing(bench: Bench) -> None:
    names = bench.accepted(MANY)
    bench.iconik.shows_files = True
    for each in names[1:]:
        bench.iconik.has(on_b2(file_set_id="another"), asset_id=each)
    bench.verify()
    assert bench.states() == {"done": 1, "verifying": MANY - 1}


def test_a_file_set_that_the_index_shows_as_deleted_is_gone(bench: Bench) -> None:
    names = bench.accepted(MANY)
    bench.iconik.shows_files = True
    for each in names:
        marked = on_ll(file_set_id=f"ll-{each}", file_set_status="DELETED")
        bench.iconik.has(on_b2(file_set_id=f"b2-{each}"), marked, asset_id=each)
    bench.verify()
    assert bench.states() == {"done": MANY}


def test_an_asset_that_the_search_does_not_find_is_looked_for_again(bench: Bench) -> None:
    bench.accepted(MANY)
    bench.iconik.shows_files = True
    search = bench.iconik.search_assets
    bench.iconik.answers_with("search_assets", lambda ids: search(ids)[1:])
    bench.verify()
    assert bench.states() == {"done": MANY - 1, "verifying": 1}


def test_what_iconik_contradicted_itself_about_is_listed(bench: Bench) -> None:
    bench.accepted(MANY, is_doubted=True)
    bench.iconik.shows_files = True
    bench.verify()
    assert (bench.states(), bench.searches(), bench.listed()) == ({"done": MANY}, 0, MANY)


@pytest.mark.parametrize(
    "problem", [NotPermitted("search", "it needs can_search"), IconikRefused("search", "no (400)")]
)
def test_where_nothing_can_be_searched_for_a_few_are_listed(
    bench: Bench, problem: IconikError
) -> None:
    bench.accepted(MANY)
    bench.iconik.problems["search_assets"] = problem
    assert bench.verify()
    assert (bench.states(), bench.searches(), bench.listed()) == ({"done": MANY}, 1, 1)
    told = sorted(bench.outcomes().values(), key=lambda each: each.reason)
    assert told == [REMOVED] + [Outcome("removed", ACCEPTED)] * (MANY - 1)


def test_that_a_search_shows_no_files_is_found_out_once(bench: Bench) -> None:
    bench.accepted(120)
    bench.verify()
    assert (bench.states(), bench.searches()) == ({"done": 120}, 1)
    assert bench.listed() == 4


def test_where_one_of_a_few_is_still_there_all_are_listed_in_the_end(bench: Bench) -> None:
    bench.accepted(MANY, gone=False)
    bench.verify()
    assert (bench.states(), bench.listed()) == ({"verifying": MANY}, 1)
    bench.pass_a_minute()
    bench.verify()
    assert bench.states() == {"done": MANY}
    assert {each.kind for each in bench.outcomes().values()} == {"failed"}


def test_what_iconik_accepts_within_two_seconds_is_verified_together(bench: Bench) -> None:
    bench.accepted(1)
    due = []
    for now in (NOW + 1, NOW + FIRST_DUE_MS - 1, NOW + FIRST_DUE_MS, NOW + FIRST_DUE_MS + 1):
        bench.now = now
        due.append(
            Verification(bench.iconik, bench.claims, bench.index, Clock()).first_due_ms() - NOW
        )
    assert due == [each * FIRST_DUE_MS for each in (2, 2, 2, 3)]


def test_until_enough_are_due_nothing_is_asked(bench: Bench) -> None:
    bench.accepted(MANY)
    assert not bench.verify(least=MANY + 1)
    assert bench.iconik.calls == []
    assert bench.verify(least=MANY)


def test_what_is_not_due_is_left_alone(bench: Bench) -> None:
    bench.accepted(1)
    bench.now -= 1
    (claimed,) = bench.claims.accepted(1, NOW)
    bench.claims.note(claimed, "verifying", {}, NOW)
    assert not bench.verify()


# Where iconik doesn't tell


def test_an_index_that_knows_none_of_them_yet_is_asked_again(bench: Bench) -> None:
    bench.accepted(MANY)
    bench.iconik.answers_with("search_assets", lambda _: [])
    assert not bench.verify()
    assert (bench.states(), bench.listed()) == ({"verifying": MANY}, 0)


def test_an_unanswered_search_leaves_all_for_later(bench: Bench) -> None:
    bench.accepted(MANY)
    bench.iconik.problems["search_assets"] = IconikUnavailable("search", "no answer")
    assert not bench.verify()
    assert (bench.states(), bench.listed()) == ({"verifying": MANY}, 0)


def test_a_list_that_iconik_refuses_leaves_it_at_what_was_accepted(bench: Bench) -> None:
    bench.accepted(1)
    bench.iconik.problems["file_sets"] = NotPermitted("list them", "it needs can_read_files")
    assert bench.verify()
    assert bench.outcomes() == {"a000": Outcome("removed", ACCEPTED)}


def test_a_list_without_an_answer_is_asked_for_so_often_and_then_left(bench: Bench) -> None:
    bench.accepted(1)
    bench.iconik.problems["file_sets"] = IconikUnavailable("list them", "no answer")
    while bench.states() == {"verifying": 1}:
        bench.verify()
        bench.now += CARRIED_OUT_AFTER_MS
    assert bench.outcomes() == {"a000": Outcome("removed", ACCEPTED)}
    assert bench.listed() == MOST_FAILURES


@pytest.mark.parametrize(("call", "number"), [("file_sets", 1), ("search_assets", MANY)])
def test_a_rejected_token_ends_everything(bench: Bench, call: str, number: int) -> None:
    bench.accepted(number)
    bench.iconik.problems[call] = TokenRejected("list them", "no token is good (401)")
    with pytest.raises(TokenRejected):
        bench.verify()


# What is told besides


@pytest.mark.parametrize("fate", ["seen", "unseen"])
def test_what_became_of_another_version_stays(bench: Bench, fate: str) -> None:
    kept = Outcome("kept", Reason("it differs"))
    bench.accepted(1, outcome=kept)
    if fate == "unseen":
        bench.iconik.problems["file_sets"] = NotPermitted("list them", "it needs can_read_files")
    bench.verify()
    assert bench.outcomes() == {"a000": kept}


def test_what_could_not_be_restored_is_not_forgotten(bench: Bench) -> None:
    stuck = Deletion("PROXY")
    bench.accepted(1)
    (claimed,) = bench.claims.accepted(1, NOW)
    claimed.progress = claimed.progress.with_deletions({"stuck": stuck})
    bench.claims.note(claimed, "verifying", {})
    bench.verify()
    assert bench.progress_by_id() == {"a000": AssetProgress(deletions={"stuck": stuck})}
