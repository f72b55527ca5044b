"""Operations that do next to nothing, and how to wait for what becomes of them."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from b2_iconik.common.clock import Step, now_ms
from b2_iconik.dispatch import leader as leader_module
from b2_iconik.dispatch.leader import Leader
from b2_iconik.domain.click import CustomAction
from b2_iconik.ledger.completion import Completion
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import operations
from b2_iconik.ledger.term import Leadership

SECONDS = 120.0
COLLECTION = "11111111-1111-4111-8111-111111111111"
CLICK = CustomAction(
    action="add",
    b2_storage_id="b2b2b2b2-0000-4000-8000-000000000000",
    ll_storage_id="11111111-0000-4000-8000-000000000000",
    formats=("ORIGINAL",),
    context="COLLECTION",
    # Not assets: they would be written down with it, and then be left to do.
    collection_ids=(COLLECTION,),
    auth_token="token-of-the-click",
)


class Runner:
    """Operations that end at once, or when the test lets them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, CustomAction]] = []
        self.steps = 0
        self.hold = False
        self.error: BaseException | None = None

    def __call__(self, operation_id: str, click: CustomAction, leadership: Leadership) -> Step:
        self.calls.append((operation_id, click))

        def step() -> float | None:
            self.steps += 1
            leadership.check(deletes=False)
            if self.error:
                raise self.error
            if self.hold:
                return 0.02
            ledger = Ledger(leadership.engine, leadership.term)
            operation = ledger.operation(operation_id)
            assert operation
            if operation.ended_ms is None:
                ledger.expand(operation.number, {}, {})
                Completion(leadership.engine, leadership.term).end(operation, now_ms())
            return None

        return step


Start = Callable[..., Leader]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def let_pass(monkeypatch: pytest.MonkeyPatch, time: timedelta) -> None:
    """Have the leader take it to be so much later."""
    later = now_ms() + time // timedelta(milliseconds=1)
    monkeypatch.setattr(leader_module, "now_ms", lambda: later)


def has_ended(ledger: Ledger, operation_id: str) -> bool:
    operation = ledger.operation(operation_id)
    return operation is not None and operation.ended_ms is not None


def failure_of(ledger: Ledger, operation_id: str) -> str | None:
    """Why an operation failed, if it did."""
    operation = ledger.operation(operation_id)
    assert operation
    return operation.failure


def is_closed(database: sa.Engine, operation_id: str) -> bool:
    """Whether nothing is left to do for an operation."""
    with database.connect() as connection:
        closed = sa.select(operations.c.closed_ms).where(operations.c.id == operation_id)
        return connection.execute(closed).scalar() is not None
