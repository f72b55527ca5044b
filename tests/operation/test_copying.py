"""How copies are asked for, and followed to their end."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.domain.click import Action
from b2_iconik.domain.operation import LISTING_LAG_MS, ClaimedAsset
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.tables import assets
from b2_iconik.ledger.term import begin_term
from b2_iconik.operation.copying import MOST_UNTOLD, ask, follow, follow_unrecorded
from b2_iconik.operation.together import Together
from b2_iconik.report.history import History
from iconik_http.errors import IconikRefused, IconikUnavailable, NotPermitted, TokenRejected
from iconik_http.records import Job
from tests.makers import B2, LL, FakeIconik, a_click, a_database, completion, expanded

ADD = a_click("add")
NOW = 1_000_000
TIMEOUT = 3_600_000
BOTH = ("ORIGINAL", "PROXY")


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    with a_database(tmp_path) as engine:
        begin_term(engine, 0)
        yield engine


def claims_on(engine: sa.Engine, assets: int = 1, *, seen: bool = True) -> Claims:
    asset_ids = [f"a{number:04}" for number in range(assets)]
    return Claims(engine, expanded(engine, a_click(formats=BOTH), asset_ids, seen=seen), term=1)


@pytest.fixture
def claims(engine: sa.Engine) -> Claims:
    return claims_on(engine)


def asked(claims: Claims, iconik: FakeIconik, *names: str) -> list[ClaimedAsset]:
    """Ask for copies of some formats of all assets."""
    claimed = claims.take(10_000, NOW)
    ask(iconik, claims, ADD, [(each, list(names)) for each in claimed], NOW)
    return claimed


def said(claims: Claims) -> list[Mapping[str, Reason | None]]:
    """What is remembered of the copies of the assets that can be looked at again."""
    return [claimed.progress.copy_results for claimed in claims.take(10_000, NOW)]


# Asking


def test_one_request_asks_for_one_format_of_many_assets(
    engine: sa.Engine, iconik: FakeIconik
) -> None:
    claims = claims_on(engine, assets=3)
    asked(claims, iconik, "ORIGINAL")
    assert iconik.calls == [("copy_to_storage", LL, "ORIGINAL", ["a0000", "a0001", "a0002"], B2)]
    assert [copy.job_id for copy in claims.copies.under_way()] == ["job-1"]


def test_no_request_asks_for_more_than_iconik_takes(engine: sa.Engine, iconik: FakeIconik) -> None:
    asked(claims_on(engine, assets=501), iconik, "ORIGINAL")
    assert [len(call[3]) for call in iconik.calls] == [500, 1]


def test_each_format_is_asked_for_of_those_that_need_it(
    engine: sa.Engine, iconik: FakeIconik
) -> None:
    claims = claims_on(engine, assets=2)
    first, second = claims.take(2, NOW)
    ask(iconik, claims, ADD, [(first, ["PROXY"]), (second, ["PROXY", "ORIGINAL"])], NOW)
    assert [call[2:4] for call in iconik.calls] == [
        ("ORIGINAL", ["a0001"]),
        ("PROXY", ["a0000", "a0001"]),
    ]
    assert (first.progress.copy_results, second.progress.copy_results) == (
        {"PROXY": None},
        {"PROXY": None, "ORIGINAL": None},
    )


def test_an_asset_is_not_looked_at_while_its_copies_are_under_way(
    iconik: FakeIconik, claims: Claims
) -> None:
    asked(claims, iconik, *BOTH)
    assert claims.take(1, NOW) == []


def test_a_refusal_is_remembered(iconik: FakeIconik, claims: Claims) -> None:
    iconik.problems["copy_to_storage"] = IconikRefused("copy", "it is full (409)")
    asked(claims, iconik, "ORIGINAL")
    assert said(claims) == [{"ORIGINAL": "could not copy: it is full (409)"}]


def test_the_cause_of_a_refusal_is_remembered(iconik: FakeIconik, claims: Claims) -> None:
    iconik.problems["copy_to_storage"] = NotPermitted("copy", "it needs a role")
    asked(claims, iconik, "ORIGINAL")
    refused = said(claims)[0]["ORIGINAL"]
    assert refused is not None
    assert refused.cause == Cause.NOT_PERMITTED


# Asking for assets that nobody has seen

REFUSED = IconikRefused("copy", "asset a0000 is not known (400)")


def hinted(claims: Claims) -> list[ClaimedAsset]:
    """Hold assets of which a listing has shown that both formats can be copied."""
    claimed = claims.take(10_000, NOW)
    for each in claimed:
        each.progress = replace(each.progress, ready=BOTH)
    return claimed


@pytest.fixture
def unseen(engine: sa.Engine) -> Claims:
    """Those of two assets that the click's token has not read."""
    return claims_on(engine, assets=2, seen=False)


def test_what_iconik_copies_was_seen_by_the_token_of_the_click(
    iconik: FakeIconik, unseen: Claims
) -> None:
    assert all(each.seen for each in asked(unseen, iconik, "ORIGINAL"))


def test_a_refusal_says_nothing_about_assets_that_were_not_seen(
    iconik: FakeIconik, unseen: Claims
) -> None:
    iconik.problems["copy_to_storage"] = REFUSED
    claimed = asked(unseen, iconik, "ORIGINAL")
    assert [each.progress.copy_results for each in claimed] == [{}, {}]


def test_what_iconik_refuses_to_copy_was_not_seen(iconik: FakeIconik, unseen: Claims) -> None:
    iconik.problems["copy_to_storage"] = REFUSED
    assert not any(each.seen for each in asked(unseen, iconik, "ORIGINAL"))


def test_assets_that_were_not_seen_are_looked_at_at_once_after_a_refusal(
    iconik: FakeIconik, unseen: Claims
) -> None:
    iconik.problems["copy_to_storage"] = REFUSED
    asked(unseen, iconik, "ORIGINAL")
    assert [each.asset_id for each in unseen.take(10, NOW)] == ["a0000", "a0001"]


def test_after_a_refusal_assets_that_were_not_seen_are_read_whatever_a_listing_shows(
    iconik: FakeIconik, unseen: Claims
) -> None:
    iconik.problems["copy_to_storage"] = REFUSED
    claimed = hinted(unseen)
    ask(iconik, unseen, ADD, [(each, ["ORIGINAL"]) for each in claimed], NOW)
    assert [each.progress.ready for each in unseen.take(10, NOW)] == [(), ()]


def test_after_a_refusal_assets_that_were_not_seen_are_in_no_doubt(
    iconik: FakeIconik, unseen: Claims
) -> None:
    iconik.problems["copy_to_storage"] = REFUSED
    claimed = unseen.take(10, NOW)
    unseen.begin_copies([(each, {}) for each in claimed], NOW)
    ask(iconik, unseen, ADD, [(each, ["ORIGINAL"]) for each in claimed], NOW)
    assert [each.progress.unanswered_until_ms for each in claimed] == [None, None]


def test_once_they_were_seen_a_refusal_is_remembered(iconik: FakeIconik, unseen: Claims) -> None:
    iconik.problems["copy_to_storage"] = REFUSED
    asked(unseen, iconik, "ORIGINAL")
    seen = unseen.take(10, NOW)
    for each in seen:
        each.seen = True
    ask(iconik, unseen, ADD, [(each, ["ORIGINAL"]) for each in seen], NOW)
    told = "could not copy: asset a0000 is not known (400)"
    assert said(unseen) == [{"ORIGINAL": told}, {"ORIGINAL": told}]


def test_a_refusal_for_assets_that_were_not_seen_is_not_one_for_the_others(
    iconik: FakeIconik, unseen: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = iconik.copy_to_storage

    def refuse_unseen(*args: Any) -> str:
        if "a0000" in args[2]:
            raise REFUSED
        return copy(*args)

    monkeypatch.setattr(iconik, "copy_to_storage", refuse_unseen)
    first, second = unseen.take(10, NOW)
    second.seen = True
    ask(iconik, unseen, ADD, [(first, ["ORIGINAL"]), (second, ["ORIGINAL"])], NOW)
    assert iconik.calls == [("copy_to_storage", LL, "ORIGINAL", ["a0001"], B2)]


def test_what_iconik_copies_of_one_format_has_a_refusal_of_the_next_remembered(
    iconik: FakeIconik, unseen: Claims
) -> None:
    def refuse_the_next() -> None:
        iconik.before["copy_to_storage"] = lambda: iconik.problems.update(copy_to_storage=REFUSED)

    iconik.before["copy_to_storage"] = refuse_the_next
    first, _ = asked(unseen, iconik, *BOTH)
    told = "could not copy: asset a0000 is not known (400)"
    assert first.progress.copy_results == {"ORIGINAL": None, "PROXY": told}


@pytest.mark.parametrize("problem", [IconikUnavailable, TokenRejected])
def test_what_could_not_be_asked_for_is_asked_for_later(
    iconik: FakeIconik, claims: Claims, problem: type[IconikUnavailable | TokenRejected]
) -> None:
    iconik.problems["copy_to_storage"] = problem("copy", "no")
    with pytest.raises(problem):
        asked(claims, iconik, "ORIGINAL")
    assert said(claims) == [{}]


def test_what_was_asked_for_is_not_forgotten_when_iconik_goes_away(
    iconik: FakeIconik, claims: Claims
) -> None:
    calls = count(1)

    def go_away() -> None:
        if next(calls) == 1:
            iconik.before["copy_to_storage"] = go_away
        else:
            iconik.problems["copy_to_storage"] = IconikUnavailable("copy", "no answer")

    iconik.before["copy_to_storage"] = go_away
    with pytest.raises(IconikUnavailable):
        asked(claims, iconik, *BOTH)
    (copy,) = claims.copies.under_way()
    claims.copies.ended(copy, {}, "")
    assert said(claims) == [{"ORIGINAL": None}]


# Asking without an answer


def unanswered(engine: sa.Engine, action: Action = "add") -> Claims:
    """An operation whose request for the copy of its asset had no answer."""
    claims = Claims(engine, expanded(engine, a_click(action)), term=1)
    claimed = claims.take(1, NOW)
    claims.begin_copies([(each, {}) for each in claimed], NOW)
    claims.copies.begin(claimed, {}, NOW)
    return claims


def test_a_copy_that_nobody_wants_any_more_is_looked_for_until_it_would_be_listed(
    engine: sa.Engine, iconik: FakeIconik
) -> None:
    older = unanswered(engine)
    newer = Claims(engine, expanded(engine, a_click("remove")), term=1)
    (claimed,) = older.take(1, NOW)
    assert follow_unrecorded(iconik, older, claimed, NOW + LISTING_LAG_MS - 1)
    for claims in (older, newer):
        assert claims.take(1, NOW + LISTING_LAG_MS - 1) == []
    (claimed,) = older.take(1, NOW + LISTING_LAG_MS)
    assert not follow_unrecorded(iconik, older, claimed, NOW + LISTING_LAG_MS)


def test_a_copy_that_is_listed_late_is_followed(engine: sa.Engine, iconik: FakeIconik) -> None:
    claims = unanswered(engine)
    expanded(engine, a_click("remove"))
    (claimed,) = claims.take(1, NOW)
    assert follow_unrecorded(iconik, claims, claimed, NOW)
    iconik.known_transfers[claimed.asset_id] = [Job("job-1", "READY")]
    (claimed,) = claims.take(1, NOW + LISTING_LAG_MS)
    assert follow_unrecorded(iconik, claims, claimed, NOW + LISTING_LAG_MS)
    assert [copy.job_id for copy in claims.copies.under_way()] == ["job-1"]


def test_a_remove_looks_as_long_for_the_copy_of_an_add_that_failed(
    engine: sa.Engine, iconik: FakeIconik
) -> None:
    unanswered(engine)
    completion(engine).fail(1, "no token is good", NOW)
    claims = Claims(engine, expanded(engine, a_click("remove")), term=1)
    (claimed,) = claims.take(1, NOW)
    assert follow_unrecorded(iconik, claims, claimed, NOW + LISTING_LAG_MS - 1)


@pytest.mark.parametrize("action", ["add", "remove"])
def test_whoever_still_wants_a_copy_asks_again_at_once(
    engine: sa.Engine, iconik: FakeIconik, action: Action
) -> None:
    claims = unanswered(engine, action)
    (claimed,) = claims.take(1, NOW)
    assert not follow_unrecorded(iconik, claims, claimed, NOW)


def test_a_copy_to_b2_that_nobody_wants_any_more_holds_up_nobody(
    engine: sa.Engine, iconik: FakeIconik
) -> None:
    claims = unanswered(engine, "remove")
    expanded(engine, a_click("add"))
    (claimed,) = claims.take(1, NOW)
    assert not follow_unrecorded(iconik, claims, claimed, NOW)


def test_when_a_copy_was_asked_for_may_be_unknown(engine: sa.Engine, iconik: FakeIconik) -> None:
    claims = unanswered(engine)
    expanded(engine, a_click("remove"))
    with engine.begin() as connection:
        # As it once was stored.
        connection.execute(
            sa.update(assets).where(assets.c.number == 1).values(progress={"asking": True})
        )
    (claimed,) = claims.take(1, NOW)
    assert not follow_unrecorded(iconik, claims, claimed, NOW)


def test_after_a_request_without_an_answer_an_asset_is_read_whatever_a_listing_shows(
    engine: sa.Engine, iconik: FakeIconik
) -> None:
    claims = unanswered(engine)
    (claimed,) = hinted(claims)
    follow_unrecorded(iconik, claims, claimed, NOW)
    assert claimed.progress.ready == ()


# Following


def follow_at(iconik: FakeIconik, claims: Claims, after_ms: int = 0) -> bool:
    return follow(iconik, claims, Together(), NOW + after_ms, TIMEOUT)


def test_without_copies_nothing_is_asked(iconik: FakeIconik, claims: Claims) -> None:
    assert not follow_at(iconik, claims)
    assert iconik.calls == []


def test_a_copy_that_goes_on_is_left_alone(iconik: FakeIconik, claims: Claims) -> None:
    asked(claims, iconik, "ORIGINAL")
    iconik.known_jobs["job-1"] = Job("job-1", "STARTED")
    assert not follow_at(iconik, claims, TIMEOUT)
    assert len(claims.copies.under_way()) == 1


def progress(claims: Claims) -> list[int | None]:
    return [copy.progress for copy in claims.copies.under_way()]


def test_how_much_of_a_copy_is_done_is_noted(iconik: FakeIconik, claims: Claims) -> None:
    asked(claims, iconik, "ORIGINAL")
    seen = [progress(claims)]
    for percent in (0, 42, None):
        iconik.known_jobs["job-1"] = Job("job-1", "STARTED", progress=percent)
        follow_at(iconik, claims)
        seen.append(progress(claims))
    assert seen == [[None], [0], [42], [42]]


def test_progress_is_written_only_when_it_changes(
    iconik: FakeIconik, claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(claims, iconik, "ORIGINAL", "PROXY")
    iconik.known_jobs["job-1"] = Job("job-1", "STARTED", progress=42)
    iconik.known_jobs["job-2"] = Job("job-2", "STARTED")
    follow_at(iconik, claims)
    monkeypatch.setattr(claims.copies, "note_progress", pytest.fail)
    follow_at(iconik, claims)
    assert progress(claims) == [42, None]


def test_the_last_progress_of_a_copy_is_noted_with_its_end(
    engine: sa.Engine, iconik: FakeIconik, claims: Claims
) -> None:
    asked(claims, iconik, "ORIGINAL")
    iconik.known_jobs["job-1"] = Job("job-1", "FINISHED", progress=100)
    follow_at(iconik, claims)
    (copy,) = History(engine).copies(1, 9, 0)
    assert (copy["ended"], copy["progress"]) == (True, 100)


def test_a_copy_that_finished_is_over(iconik: FakeIconik, claims: Claims) -> None:
    asked(claims, iconik, "ORIGINAL")
    iconik.known_jobs["job-1"] = Job("job-1", "FINISHED")
    assert follow_at(iconik, claims)
    assert (claims.copies.under_way(), said(claims)) == ([], [{"ORIGINAL": None}])


@pytest.mark.parametrize(
    ("message", "told"), [("", "job status FAILED"), ("oh", "job status FAILED (oh)")]
)
def test_a_copy_that_failed_says_so(
    iconik: FakeIconik, claims: Claims, message: str, told: str
) -> None:
    asked(claims, iconik, "ORIGINAL")
    iconik.known_jobs["job-1"] = Job("job-1", "FAILED", message=message)
    assert follow_at(iconik, claims)
    assert said(claims) == [{"ORIGINAL": told}]


@pytest.mark.parametrize(
    ("message", "told"),
    [("no space left", "no space left"), ("", "iconik gives no reason")],
)
def test_what_went_wrong_with_one_asset_is_told_of_that_asset(
    engine: sa.Engine, iconik: FakeIconik, message: str, told: str
) -> None:
    claims = claims_on(engine, assets=2)
    asked(claims, iconik, "ORIGINAL")
    iconik.known_jobs["job-1"] = Job("job-1", "FINISHED_WITH_WARNING")
    iconik.children["job-1"] = [Job("child", "FAILED", "a0001", message)]
    assert follow_at(iconik, claims)
    assert said(claims) == [
        {"ORIGINAL": "job status FINISHED_WITH_WARNING"},
        {"ORIGINAL": told},
    ]


def test_a_new_job_may_not_be_listed_yet(iconik: FakeIconik, claims: Claims) -> None:
    asked(claims, iconik, "ORIGINAL")
    assert not follow_at(iconik, claims, LISTING_LAG_MS)
    assert iconik.called("job") == []


def test_a_job_that_is_never_listed_is_asked_for_by_itself(
    iconik: FakeIconik, claims: Claims
) -> None:
    asked(claims, iconik, "ORIGINAL")
    iconik.unlisted_jobs["job-1"] = Job("job-1", "STARTED")
    assert not follow_at(iconik, claims, LISTING_LAG_MS + 1)
    iconik.unlisted_jobs["job-1"] = Job("job-1", "FINISHED")
    assert follow_at(iconik, claims, LISTING_LAG_MS + 1)


def test_a_job_that_iconik_does_not_know_is_over(iconik: FakeIconik, claims: Claims) -> None:
    asked(claims, iconik, "ORIGINAL")
    assert follow_at(iconik, claims, LISTING_LAG_MS + 1)
    assert said(claims) == [{"ORIGINAL": "the copy job no longer exists in iconik"}]


def test_a_copy_that_takes_too_long_is_given_up(iconik: FakeIconik, claims: Claims) -> None:
    asked(claims, iconik, "ORIGINAL")
    iconik.known_jobs["job-1"] = Job("job-1", "WAITING")
    assert follow_at(iconik, claims, TIMEOUT + 1)
    assert said(claims) == [{"ORIGINAL": "gave up waiting: the copy job is still WAITING"}]


def test_a_job_that_is_not_listed_in_time_is_given_up(iconik: FakeIconik, claims: Claims) -> None:
    asked(claims, iconik, "ORIGINAL")
    assert follow(iconik, claims, Together(), NOW + 2, timeout_ms=1)
    assert said(claims) == [{"ORIGINAL": "gave up waiting: the copy job is still unknown"}]


def test_many_jobs_are_followed_in_few_requests(engine: sa.Engine, iconik: FakeIconik) -> None:
    claims = claims_on(engine, assets=101)
    for claimed in claims.take(101, NOW):
        ask(iconik, claims, ADD, [(claimed, ["ORIGINAL"])], NOW)
    follow_at(iconik, claims)
    assert [len(call[1]) for call in iconik.called("jobs")] == [100, 1]


# What iconik doesn't answer

UNTOLD = IconikUnavailable("list the failed copies of job job-1", "iconik answered 500")


def two_ended(iconik: FakeIconik, engine: sa.Engine) -> Claims:
    """Two copies that have ended, of which iconik doesn't tell what went wrong with the first."""
    claims = claims_on(engine, assets=2)
    for claimed in claims.take(2, NOW):
        ask(iconik, claims, ADD, [(claimed, ["ORIGINAL"])], NOW)
    iconik.known_jobs = {"job-1": Job("job-1", "FAILED"), "job-2": Job("job-2", "FINISHED")}
    iconik.problems["failed_children"] = UNTOLD
    return claims


def under_way(claims: Claims) -> list[str]:
    return [copy.job_id for copy in claims.copies.under_way()]


def test_one_job_that_iconik_does_not_tell_about_hides_no_end_of_another(
    iconik: FakeIconik, engine: sa.Engine
) -> None:
    claims = two_ended(iconik, engine)
    assert follow_at(iconik, claims)
    assert under_way(claims) == ["job-1"]


def test_that_iconik_does_not_tell_about_a_job_is_raised_once_no_other_has_ended(
    iconik: FakeIconik, engine: sa.Engine
) -> None:
    claims = two_ended(iconik, engine)
    follow_at(iconik, claims)
    with pytest.raises(IconikUnavailable, match="list the failed copies of job job-1"):
        follow_at(iconik, claims)


def test_a_job_whose_failures_iconik_never_tells_has_ended_all_the_same(
    iconik: FakeIconik, engine: sa.Engine
) -> None:
    claims = two_ended(iconik, engine)
    follow_at(iconik, claims)
    for _ in range(MOST_UNTOLD - 2):
        with pytest.raises(IconikUnavailable):
            follow_at(iconik, claims)
    assert follow_at(iconik, claims)
    assert said(claims) == [{"ORIGINAL": "job status FAILED"}, {"ORIGINAL": None}]
