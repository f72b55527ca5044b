"""How copies are asked for, and followed to their end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.click import Action, CustomAction
from b2_iconik.domain.progress import LISTING_LAG_MS, ClaimedAsset
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.tables import assets
from b2_iconik.operation.copying import MOST_UNTOLD, ask, follow, follow_unrecorded
from b2_iconik.operation.together import Together
from b2_iconik.report.history import History
from iconik_http.errors import IconikRefused, IconikUnavailable, NotPermitted, TokenRejected
from iconik_http.records import Job
from tests.makers import ASSET, B2, LL, FakeIconik, a_click, a_term, completion, expanded

ADD = a_click("add")
NOW = 1_000_000
TIMEOUT = 3_600_000
BOTH = ("ORIGINAL", "PROXY")


class Bench:
    """An operation whose assets iconik is asked to copy, and an iconik in memory."""

    def __init__(
        self,
        engine: sa.Engine,
        *asset_ids: str,
        click: CustomAction | None = None,
        seen: bool = True,
    ) -> None:
        self.engine = engine
        self.iconik = FakeIconik()
        click = click or a_click(formats=BOTH)
        operation = expanded(engine, click, asset_ids or (ASSET,), seen=seen)
        self.claims = Claims(engine, operation, a_term(engine))

    def ask(self, wanted: Sequence[tuple[ClaimedAsset, Sequence[str]]]) -> None:
        ask(self.iconik, self.claims, ADD, wanted, NOW)

    def asked(self, *names: str) -> list[ClaimedAsset]:
        """Ask for copies of some formats of all assets."""
        claimed = self.claims.take(10_000, NOW)
        self.ask([(each, list(names)) for each in claimed])
        return claimed

    def said(self) -> list[Mapping[str, Reason | None]]:
        """What is remembered of the copies of the assets that can be looked at again."""
        return [claimed.progress.copy_results for claimed in self.claims.take(10_000, NOW)]

    def follow(self, after_ms: int = 0) -> bool:
        return follow(self.iconik, self.claims, Together(), NOW + after_ms, TIMEOUT)

    def under_way(self) -> list[str]:
        """The jobs that are followed."""
        return [copy.job_id for copy in self.claims.copies.under_way()]

    def progress(self) -> list[int | None]:
        return [copy.progress for copy in self.claims.copies.under_way()]


@pytest.fixture
def bench(engine: sa.Engine) -> Bench:
    return Bench(engine)


def some(number: int) -> list[str]:
    """The ids of so many assets."""
    return [f"a{each:04}" for each in range(number)]


# Asking


def test_one_request_asks_for_one_format_of_many_assets(engine: sa.Engine) -> None:
    bench = Bench(engine, *some(3))
    bench.asked("ORIGINAL")
    assert bench.iconik.calls == [
        ("copy_to_storage", LL, "ORIGINAL", ["a0000", "a0001", "a0002"], B2)
    ]
    assert bench.under_way() == ["job-1"]


def test_no_request_asks_for_more_than_iconik_takes(engine: sa.Engine) -> None:
    bench = Bench(engine, *some(501))
    bench.asked("ORIGINAL")
    assert [len(call[3]) for call in bench.iconik.calls] == [500, 1]


def test_each_format_is_asked_for_of_those_that_need_it(engine: sa.Engine) -> None:
    bench = Bench(engine, *some(2))
    first, second = bench.claims.take(2, NOW)
    bench.ask([(first, ["PROXY"]), (second, ["PROXY", "ORIGINAL"])])
    assert [call[2:4] for call in bench.iconik.calls] == [
        ("ORIGINAL", ["a0001"]),
        ("PROXY", ["a0000", "a0001"]),
    ]
    assert (first.progress.copy_results, second.progress.copy_results) == (
        {"PROXY": None},
        {"PROXY": None, "ORIGINAL": None},
    )


def test_an_asset_is_not_looked_at_while_its_copies_are_under_way(bench: Bench) -> None:
    bench.asked(*BOTH)
    assert bench.claims.take(1, NOW) == []


def test_a_refusal_is_remembered_with_its_cause(bench: Bench) -> None:
    bench.iconik.problems["copy_to_storage"] = NotPermitted("copy", "it needs a role")
    bench.asked("ORIGINAL")
    (refused,) = bench.said()[0].values()
    assert refused is not None
    assert refused.startswith("the person who clicked may not copy")
    assert refused.cause == Cause.NOT_PERMITTED


# Asking for assets that nobody has seen

REFUSED = IconikRefused("copy", "asset a0000 is not known (400)")


def hinted(bench: Bench) -> list[ClaimedAsset]:
    """Hold assets of which a listing has shown that both formats can be copied."""
    claimed = bench.claims.take(10_000, NOW)
    for each in claimed:
        each.progress = replace(each.progress, ready=BOTH)
    return claimed


@pytest.fixture
def unseen(engine: sa.Engine) -> Bench:
    """An operation with two assets that the click's token has not read."""
    return Bench(engine, *some(2), seen=False)


def test_what_iconik_copies_was_seen_by_the_token_of_the_click(unseen: Bench) -> None:
    assert all(each.seen for each in unseen.asked("ORIGINAL"))


def test_a_refusal_says_nothing_about_assets_that_were_not_seen(unseen: Bench) -> None:
    unseen.iconik.problems["copy_to_storage"] = REFUSED
    claimed = unseen.asked("ORIGINAL")
    assert [(each.seen, each.progress.copy_results) for each in claimed] == [(False, {})] * 2


def test_assets_that_were_not_seen_are_looked_at_at_once_after_a_refusal(unseen: Bench) -> None:
    unseen.iconik.problems["copy_to_storage"] = REFUSED
    unseen.asked("ORIGINAL")
    assert [each.asset_id for each in unseen.claims.take(10, NOW)] == some(2)


def test_after_a_refusal_assets_that_were_not_seen_are_read_whatever_a_listing_shows(
    unseen: Bench,
) -> None:
    unseen.iconik.problems["copy_to_storage"] = REFUSED
    claimed = hinted(unseen)
    unseen.ask([(each, ["ORIGINAL"]) for each in claimed])
    assert [each.progress.ready for each in unseen.claims.take(10, NOW)] == [(), ()]


def test_after_a_refusal_assets_that_were_not_seen_are_in_no_doubt(unseen: Bench) -> None:
    unseen.iconik.problems["copy_to_storage"] = REFUSED
    claimed = unseen.claims.take(10, NOW)
    unseen.claims.begin_copies([(each, {}) for each in claimed], NOW)
    unseen.ask([(each, ["ORIGINAL"]) for each in claimed])
    assert [each.progress.unanswered_until_ms for each in claimed] == [None, None]


def test_once_they_were_seen_a_refusal_is_remembered(unseen: Bench) -> None:
    unseen.iconik.problems["copy_to_storage"] = REFUSED
    unseen.asked("ORIGINAL")
    seen = unseen.claims.take(10, NOW)
    for each in seen:
        each.seen = True
    unseen.ask([(each, ["ORIGINAL"]) for each in seen])
    told = "could not copy: asset a0000 is not known (400)"
    assert unseen.said() == [{"ORIGINAL": told}, {"ORIGINAL": told}]


def test_a_refusal_for_assets_that_were_not_seen_is_not_one_for_the_others(unseen: Bench) -> None:
    copy = unseen.iconik.copy_to_storage

    def refuse_unseen(*args: Any) -> str:
        if "a0000" in args[2]:
            raise REFUSED
        return copy(*args)

    unseen.iconik.answers_with("copy_to_storage", refuse_unseen)
    first, second = unseen.claims.take(10, NOW)
    second.seen = True
    unseen.ask([(first, ["ORIGINAL"]), (second, ["ORIGINAL"])])
    assert unseen.iconik.calls == [("copy_to_storage", LL, "ORIGINAL", ["a0001"], B2)]


def test_what_iconik_copies_of_one_format_has_a_refusal_of_the_next_remembered(
    unseen: Bench,
) -> None:
    def refuse_the_next() -> None:
        unseen.iconik.before["copy_to_storage"] = lambda: unseen.iconik.problems.update(
            copy_to_storage=REFUSED
        )

    unseen.iconik.before["copy_to_storage"] = refuse_the_next
    first, _ = unseen.asked(*BOTH)
    told = "could not copy: asset a0000 is not known (400)"
    assert first.progress.copy_results == {"ORIGINAL": None, "PROXY": told}


@pytest.mark.parametrize("problem", [IconikUnavailable, TokenRejected])
def test_what_could_not_be_asked_for_is_asked_for_later(
    bench: Bench, problem: type[IconikUnavailable | TokenRejected]
) -> None:
    bench.iconik.problems["copy_to_storage"] = problem("copy", "no")
    with pytest.raises(problem):
        bench.asked("ORIGINAL")
    assert bench.said() == [{}]


def test_what_was_asked_for_is_not_forgotten_when_iconik_goes_away(bench: Bench) -> None:
    calls = count(1)

    def go_away() -> None:
        if next(calls) == 1:
            bench.iconik.before["copy_to_storage"] = go_away
        else:
            bench.iconik.problems["copy_to_storage"] = IconikUnavailable("copy", "no answer")

    bench.iconik.before["copy_to_storage"] = go_away
    with pytest.raises(IconikUnavailable):
        bench.asked(*BOTH)
    (copy,) = bench.claims.copies.under_way()
    bench.claims.copies.ended(copy, {}, "")
    assert bench.said() == [{"ORIGINAL": None}]


# Asking without an answer


def unanswered(engine: sa.Engine, action: Action = "add") -> Bench:
    """An operation whose request for the copy of its asset had no answer."""
    bench = Bench(engine, click=a_click(action))
    claimed = bench.claims.take(1, NOW)
    bench.claims.begin_copies([(each, {}) for each in claimed], NOW)
    bench.claims.copies.begin(claimed, {}, NOW)
    return bench


def is_followed(bench: Bench, after_ms: int = 0) -> bool:
    """Whether something is still to be seen of the copy of the one asset that can be taken."""
    (claimed,) = bench.claims.take(1, NOW + after_ms)
    return follow_unrecorded(bench.iconik, bench.claims, claimed, NOW + after_ms)


def test_a_copy_that_nobody_wants_any_more_is_looked_for_until_it_would_be_listed(
    engine: sa.Engine,
) -> None:
    older, newer = unanswered(engine), Bench(engine, click=a_click("remove"))
    (claimed,) = older.claims.take(1, NOW)
    shortly_before = NOW + LISTING_LAG_MS - 1
    assert follow_unrecorded(older.iconik, older.claims, claimed, shortly_before)
    for each in (older, newer):
        assert each.claims.take(1, shortly_before) == []
    assert not is_followed(older, LISTING_LAG_MS)


def test_a_copy_that_is_listed_late_is_followed(engine: sa.Engine) -> None:
    bench = unanswered(engine)
    expanded(engine, a_click("remove"))
    assert is_followed(bench)
    bench.iconik.known_transfers[ASSET] = [Job("job-1", "READY")]
    assert is_followed(bench, LISTING_LAG_MS)
    assert bench.under_way() == ["job-1"]


def test_a_remove_looks_as_long_for_the_copy_of_an_add_that_failed(engine: sa.Engine) -> None:
    unanswered(engine)
    completion(engine).fail(1, "no token is good", NOW)
    bench = Bench(engine, click=a_click("remove"))
    (claimed,) = bench.claims.take(1, NOW)
    assert follow_unrecorded(bench.iconik, bench.claims, claimed, NOW + LISTING_LAG_MS - 1)


@pytest.mark.parametrize("action", ["add", "remove"])
def test_whoever_still_wants_a_copy_asks_again_at_once(engine: sa.Engine, action: Action) -> None:
    assert not is_followed(unanswered(engine, action))


def test_a_copy_to_b2_that_nobody_wants_any_more_holds_up_nobody(engine: sa.Engine) -> None:
    bench = unanswered(engine, "remove")
    expanded(engine, a_click("add"))
    assert not is_followed(bench)


def test_when_a_copy_was_asked_for_may_be_unknown(engine: sa.Engine) -> None:
    bench = unanswered(engine)
    expanded(engine, a_click("remove"))
    with engine.begin() as connection:
        # As it once was stored.
        connection.execute(
            sa.update(assets).where(assets.c.number == 1).values(progress={"asking": True})
        )
    assert not is_followed(bench)


def test_after_a_request_without_an_answer_an_asset_is_read_whatever_a_listing_shows(
    engine: sa.Engine,
) -> None:
    bench = unanswered(engine)
    (claimed,) = hinted(bench)
    follow_unrecorded(bench.iconik, bench.claims, claimed, NOW)
    assert claimed.progress.ready == ()


# Following


def test_without_copies_nothing_is_asked(bench: Bench) -> None:
    assert not bench.follow()
    assert bench.iconik.calls == []


def test_a_copy_that_goes_on_is_left_alone(bench: Bench) -> None:
    bench.asked("ORIGINAL")
    bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED")
    assert not bench.follow(TIMEOUT)
    assert len(bench.claims.copies.under_way()) == 1


def test_how_much_of_a_copy_is_done_is_noted(bench: Bench) -> None:
    bench.asked("ORIGINAL")
    seen = [bench.progress()]
    for percent in (0, 42, None):
        bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED", progress=percent)
        bench.follow()
        seen.append(bench.progress())
    assert seen == [[None], [0], [42], [42]]


def test_progress_is_written_only_when_it_changes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.asked("ORIGINAL", "PROXY")
    bench.iconik.known_jobs["job-1"] = Job("job-1", "STARTED", progress=42)
    bench.iconik.known_jobs["job-2"] = Job("job-2", "STARTED")
    bench.follow()
    monkeypatch.setattr(bench.claims.copies, "note_progress", pytest.fail)
    bench.follow()
    assert bench.progress() == [42, None]


def test_the_last_progress_of_a_copy_is_noted_with_its_end(bench: Bench) -> None:
    bench.asked("ORIGINAL")
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED", progress=100)
    bench.follow()
    (copy,) = History(bench.engine).copies(1, 9, 0)
    assert (copy["ended"], copy["progress"]) == (True, 100)


def test_a_copy_that_finished_is_over(bench: Bench) -> None:
    bench.asked("ORIGINAL")
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")
    assert bench.follow()
    assert (bench.claims.copies.under_way(), bench.said()) == ([], [{"ORIGINAL": None}])


@pytest.mark.parametrize(
    ("message", "told"), [("", "job status FAILED"), ("oh", "job status FAILED (oh)")]
)
def test_a_copy_that_failed_says_so(bench: Bench, message: str, told: str) -> None:
    bench.asked("ORIGINAL")
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FAILED", message=message)
    assert bench.follow()
    assert bench.said() == [{"ORIGINAL": told}]


@pytest.mark.parametrize(
    ("message", "told"),
    [("no space left", "no space left"), ("", "iconik gives no reason")],
)
def test_what_went_wrong_with_one_asset_is_told_of_that_asset(
    engine: sa.Engine, message: str, told: str
) -> None:
    bench = Bench(engine, *some(2))
    bench.asked("ORIGINAL")
    bench.iconik.known_jobs["job-1"] = Job("job-1", "FINISHED_WITH_WARNING")
    bench.iconik.children["job-1"] = [Job("child", "FAILED", "a0001", message)]
    assert bench.follow()
    assert bench.said() == [
        {"ORIGINAL": "job status FINISHED_WITH_WARNING"},
        {"ORIGINAL": told},
    ]


def test_a_new_job_may_not_be_listed_yet(bench: Bench) -> None:
    bench.asked("ORIGINAL")
    assert not bench.follow(LISTING_LAG_MS)
    assert bench.iconik.called("job") == []


def test_a_job_that_is_never_listed_is_asked_for_by_itself(bench: Bench) -> None:
    bench.asked("ORIGINAL")
    bench.iconik.unlisted_jobs["job-1"] = Job("job-1", "STARTED")
    assert not bench.follow(LISTING_LAG_MS + 1)
    bench.iconik.unlisted_jobs["job-1"] = Job("job-1", "FINISHED")
    assert bench.follow(LISTING_LAG_MS + 1)


def test_a_job_that_iconik_does_not_know_is_over(bench: Bench) -> None:
    bench.asked("ORIGINAL")
    assert bench.follow(LISTING_LAG_MS + 1)
    assert bench.said() == [{"ORIGINAL": "the copy job no longer exists in iconik"}]


def test_a_copy_that_takes_too_long_is_given_up(bench: Bench) -> None:
    bench.asked("ORIGINAL")
    bench.iconik.known_jobs["job-1"] = Job("job-1", "WAITING")
    assert bench.follow(TIMEOUT + 1)
    assert bench.said() == [{"ORIGINAL": "gave up waiting: the copy job is still WAITING"}]


def test_a_job_that_is_not_listed_in_time_is_given_up(bench: Bench) -> None:
    bench.asked("ORIGINAL")
    assert follow(bench.iconik, bench.claims, Together(), NOW + 2, timeout_ms=1)
    assert bench.said() == [{"ORIGINAL": "gave up waiting: the copy job is still unknown"}]


def test_many_jobs_are_followed_in_few_requests(engine: sa.Engine) -> None:
    bench = Bench(engine, *some(101))
    for claimed in bench.claims.take(101, NOW):
        bench.ask([(claimed, ["ORIGINAL"])])
    bench.follow()
    assert [len(call[1]) for call in bench.iconik.called("jobs")] == [100, 1]


# What iconik doesn't answer

UNTOLD = IconikUnavailable("list the failed copies of job job-1", "iconik answered 500")


@pytest.fixture
def two_ended(engine: sa.Engine) -> Bench:
    """Two copies that have ended, of which iconik doesn't tell what went wrong with the first."""
    bench = Bench(engine, *some(2))
    for claimed in bench.claims.take(2, NOW):
        bench.ask([(claimed, ["ORIGINAL"])])
    bench.iconik.known_jobs = {"job-1": Job("job-1", "FAILED"), "job-2": Job("job-2", "FINISHED")}
    bench.iconik.problems["failed_children"] = UNTOLD
    return bench


def test_one_job_that_iconik_does_not_tell_about_hides_no_end_of_another(two_ended: Bench) -> None:
    assert two_ended.follow()
    assert two_ended.under_way() == ["job-1"]


def test_that_iconik_does_not_tell_about_a_job_is_raised_once_no_other_has_ended(
    two_ended: Bench,
) -> None:
    two_ended.follow()
    with pytest.raises(IconikUnavailable, match="list the failed copies of job job-1"):
        two_ended.follow()


def test_a_job_whose_failures_iconik_never_tells_has_ended_all_the_same(two_ended: Bench) -> None:
    two_ended.follow()
    for _ in range(MOST_UNTOLD - 2):
        with pytest.raises(IconikUnavailable):
            two_ended.follow()
    assert two_ended.follow()
    assert two_ended.said() == [{"ORIGINAL": "job status FAILED"}, {"ORIGINAL": None}]
