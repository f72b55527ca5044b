"""What has come of operations in all, counted as they end."""

import pytest
import sqlalchemy as sa

from b2_iconik.domain.outcomes import Outcome, given_up
from b2_iconik.domain.progress import ClaimedAsset
from b2_iconik.domain.reasons import STORAGE_CLOSED, UNFINISHED, Cause, Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.counters import Standing, Tally, standing
from b2_iconik.ledger.tables import operations
from tests.makers import a_click, a_ledger, a_term, claims_of, clicked, completion, found, half_done

NOW = 1_000_000
ASSETS = ["asset-1", "asset-2", "asset-3"]
NO_TWIN = Outcome(
    "kept", STORAGE_CLOSED(reason="clip.mov has no matching file on B2", obstacle="allow it")
)


def begin(engine: sa.Engine) -> str:
    """A Remove of three assets, all of them in hand."""
    operation = clicked(engine, a_click("remove"), NOW)
    a_ledger(engine).expand(operation.number, dict.fromkeys(ASSETS), {})
    return operation.id


def conclude(engine: sa.Engine, operation_id: str, *outcomes: Outcome) -> None:
    """Have so many of its assets come to an outcome."""
    claims = claims_of(engine, found(engine, operation_id))
    for claimed, outcome in zip(claims.take(len(outcomes), NOW), outcomes, strict=True):
        claims.note(claimed, "done", {"ORIGINAL": outcome})


def end(engine: sa.Engine, operation_id: str) -> bool:
    return completion(engine).end(found(engine, operation_id), NOW)


def test_before_the_first_click_there_is_nothing(engine: sa.Engine) -> None:
    assert standing(engine) == Standing({}, {}, {}, None)


def test_what_runs_is_counted_by_action_and_state_of_its_assets(engine: sa.Engine) -> None:
    conclude(engine, begin(engine), Outcome("removed"))
    clicked(engine, a_click("add"), NOW + 1)
    now = standing(engine)
    assert now.running == {"remove": 1, "add": 1}
    assert now.pending == {("remove", "queued"): 2}
    assert now.oldest_ms == NOW
    assert now.ended == {}


def test_an_end_counts_the_operation_and_each_format_of_its_assets(engine: sa.Engine) -> None:
    operation_id = begin(engine)
    conclude(engine, operation_id, Outcome("removed"), Outcome("removed"), NO_TWIN)
    assert end(engine, operation_id)
    assert standing(engine) == Standing(
        {
            Tally("operation", "remove", "partly done"): 1,
            Tally("format", "remove", "removed"): 2,
            Tally("format", "remove", "kept", "storage_closed"): 1,
        },
        {},
        {},
        None,
    )


def test_an_end_counts_the_collections_that_could_not_be_opened(engine: sa.Engine) -> None:
    operation = clicked(engine, a_click("remove"), NOW)
    gone = {"collection c": "iconik knows it no more", "saved search s": "it is forbidden"}
    a_ledger(engine).expand(operation.number, {}, gone)
    assert end(engine, operation.id)
    assert standing(engine).ended[Tally("unopened", "remove", "failed")] == 2


def test_counts_add_up_and_are_kept_when_operations_are_forgotten(engine: sa.Engine) -> None:
    for _ in range(2):
        operation_id = begin(engine)
        conclude(engine, operation_id, *[Outcome("removed")] * 3)
        end(engine, operation_id)
        completion(engine).forget([operation_id])
    assert standing(engine).ended == {
        Tally("operation", "remove", "done"): 2,
        Tally("format", "remove", "removed"): 6,
    }


def test_what_does_not_end_counts_nothing(engine: sa.Engine) -> None:
    operation_id = begin(engine)
    assert not end(engine, operation_id)
    conclude(engine, operation_id, *[Outcome("removed")] * 3)
    with engine.begin() as connection:
        connection.execute(sa.update(operations).values(request_count=2))
    assert not end(engine, operation_id)
    assert standing(engine).ended == {}


def test_a_failed_operation_counts_as_failed_with_what_it_had_done(engine: sa.Engine) -> None:
    operation_id = begin(engine)
    conclude(engine, operation_id, Outcome("removed"))
    completion(engine).fail(found(engine, operation_id).number, "no token is good", NOW)
    assert standing(engine).ended == {
        Tally("operation", "remove", "failed"): 1,
        Tally("format", "remove", "removed"): 1,
    }


@pytest.fixture
def half_deleted(engine: sa.Engine) -> tuple[Claims, ClaimedAsset]:
    """An asset whose deletion has begun, in the hands of a Remove."""
    claims = Claims(engine, found(engine, begin(engine)), a_term(engine))
    (claimed,) = claims.take(1, NOW)
    assert claims.begin_deletions(claimed, half_done({"set-1": "ORIGINAL", "set-2": "ORIGINAL"}))
    return claims, claimed


FAILED_HALFWAY = {
    Tally("operation", "remove", "failed"): 1,
    Tally("format", "remove", "failed", "half_deleted"): 1,
}


@pytest.mark.usefixtures("half_deleted")
def test_a_deletion_that_had_begun_when_its_operation_failed_is_counted(
    engine: sa.Engine,
) -> None:
    completion(engine).fail(1, "no token is good", NOW)
    assert standing(engine).ended == FAILED_HALFWAY


def test_a_deletion_that_was_given_up_before_its_operation_failed_is_counted_once(
    engine: sa.Engine, half_deleted: tuple[Claims, ClaimedAsset]
) -> None:
    claims, claimed = half_deleted
    claims.note(
        claimed,
        "done",
        given_up(claimed.formats, claimed.progress.deletions, Reason("iconik answered 400")),
    )
    completion(engine).fail(1, "no token is good", NOW)
    assert standing(engine).ended == FAILED_HALFWAY


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Outcome("removed"), {("removed", ""): 1, ("failed", "half_deleted"): 1}),
        (
            Outcome("failed", Reason("could not delete it: no (403)", Cause.REFUSED)),
            {("failed", "refused"): 1},
        ),
        (
            Outcome("failed", UNFINISHED(file_set_id="set-1")),
            {("failed", "half_deleted"): 1},
        ),
    ],
    ids=["removed", "failed otherwise", "told already"],
)
def test_a_deletion_that_was_not_finished_is_counted_as_its_report_counts_it(
    engine: sa.Engine,
    half_deleted: tuple[Claims, ClaimedAsset],
    outcome: Outcome,
    counted: dict[tuple[str, str], int],
) -> None:
    claims, claimed = half_deleted
    claims.note(claimed, "done", {"ORIGINAL": outcome})
    conclude(engine, "operation-1", Outcome("absent"), Outcome("absent"))
    assert end(engine, "operation-1")
    ended = {each[2:]: times for each, times in standing(engine).ended.items()}
    assert ended == {("partly done", ""): 1, ("absent", ""): 2, **counted}
    assert completion(engine).sum_up("operation-1")["counts"]["failed"] == 1


def test_an_operation_that_fails_after_its_end_is_not_counted_again(engine: sa.Engine) -> None:
    operation_id = begin(engine)
    conclude(engine, operation_id, *[Outcome("removed")] * 3)
    end(engine, operation_id)
    before = standing(engine).ended
    completion(engine).fail(found(engine, operation_id).number, "a fault", NOW)
    assert standing(engine).ended == before
