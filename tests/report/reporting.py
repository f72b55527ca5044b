"""Operations to report on, with outcomes of their assets."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import Outcome
from tests.makers import a_click, claims_of, completion, expanded, found
from tests.report.conftest import NOW


def running(
    engine: sa.Engine, outcomes: Mapping[str, Mapping[str, Outcome]], **click: Any
) -> Operation:
    """An operation that has these outcomes by asset and format, and has not ended."""
    operation = expanded(engine, a_click(**{"action": "remove", **click}), list(outcomes))
    claims = claims_of(engine, operation)
    for claimed in claims.take(len(outcomes), NOW):
        claims.note(claimed, "done", outcomes[claimed.asset_id])
    return operation


def ended(
    engine: sa.Engine, outcomes: Mapping[str, Mapping[str, Outcome]], **click: Any
) -> Operation:
    """An operation that has ended, with these outcomes by asset and format."""
    operation = running(engine, outcomes, **click)
    completion(engine).end(operation, NOW)
    completion(engine).sum_up(operation.id)
    return found(engine, operation.id)
