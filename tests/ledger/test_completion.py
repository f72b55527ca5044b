"""How operations end, and what is forgotten of them."""

import pytest
import sqlalchemy as sa

from b2_iconik.common.errors import Stopped
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import begin_term
from tests.makers import (
    a_click,
    answered,
    claims_of,
    completion,
    expanded,
    finish,
    found,
    newest,
)

NOW = 1_000_000


def test_an_operation_of_no_assets_ends_at_once(engine: sa.Engine) -> None:
    answered(engine, a_click(), "first")
    assert finish(engine, "first", NOW + 5)
    assert found(engine, "first").ended_ms == NOW + 5


def test_an_operation_whose_assets_are_not_listed_yet_does_not_end(
    engine: sa.Engine, ledger: Ledger
) -> None:
    answered(engine, a_click(), "first")
    assert not completion(engine).end(found(engine, "first"), NOW)


def test_an_operation_with_an_asset_left_does_not_end(engine: sa.Engine, ledger: Ledger) -> None:
    assert not completion(engine).end(expanded(engine, a_click()), NOW)


def test_an_operation_that_came_to_nothing_lets_go_of_its_assets(
    engine: sa.Engine, ledger: Ledger
) -> None:
    expanded(engine, a_click())
    claims_of(engine, found(engine, "operation-1")).take(1, NOW)
    completion(engine).fail(1, "no token is good", NOW)
    operation = found(engine, "operation-1")
    assert (operation.failure, operation.ended_ms) == ("no token is good", NOW)
    assert (ledger.progress(1), ledger.running()) == ({"done": 1}, [])


@pytest.mark.parametrize("cause", [Cause.NOT_PERMITTED, None])
def test_why_an_operation_came_to_nothing_is_known_afterwards(
    engine: sa.Engine, ledger: Ledger, cause: Cause | None
) -> None:
    expanded(engine, a_click())
    completion(engine).fail(1, Reason("no role", cause), NOW)
    failure = found(engine, "operation-1").failure
    assert failure is not None
    assert failure.cause == cause


def test_a_process_whose_turn_is_over_ends_no_operation(engine: sa.Engine) -> None:
    expanded(engine, a_click())
    late = completion(engine)
    begin_term(engine, NOW)
    with pytest.raises(Stopped):
        late.fail(1, "no token is good", NOW)
    assert found(engine, "operation-1").ended_ms is None


# Forgetting


def test_operations_that_ended_long_ago_are_forgotten(engine: sa.Engine, ledger: Ledger) -> None:
    expanded(engine, a_click())
    ledger.expand(1, {}, {"collection c1": "gone"})
    completion(engine).fail(1, "no token is good", NOW)
    assert completion(engine).ended_before(NOW + 1) == ["operation-1"]
    completion(engine).forget(["operation-1"])
    assert (newest(engine, 9), list(ledger.outcomes(1)), ledger.gone(1)) == ([], [], {})


def test_the_title_of_an_operation_is_replaced_and_forgotten_with_it(
    engine: sa.Engine, ledger: Ledger
) -> None:
    expanded(engine, a_click())
    ledger.note_title(1, "Add to LucidLink: 1 collection (Rushes)")
    ledger.note_title(1, "Add to LucidLink: 12 assets (Rushes)")
    assert found(engine, "operation-1").title == "Add to LucidLink: 12 assets (Rushes)"
    completion(engine).forget(["operation-1"])
    assert ledger.operation("operation-1") is None


def test_operations_that_run_or_ended_of_late_are_kept(engine: sa.Engine, ledger: Ledger) -> None:
    answered(engine, a_click(), "first", digest="one")
    finish(engine, "first")
    answered(engine, a_click(), "second", digest="two")
    assert completion(engine).ended_before(NOW) == []


def test_what_a_running_operation_must_still_see_is_kept(engine: sa.Engine, ledger: Ledger) -> None:
    for number in (1, 2, 3):
        answered(engine, a_click(), f"operation-{number}", digest=str(number))
    completion(engine).fail(1, "no token is good", NOW)
    completion(engine).fail(3, "no token is good", NOW)
    assert completion(engine).ended_before(NOW + 1) == ["operation-1"]
