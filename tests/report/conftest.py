"""A ledger to report on."""

import pytest
import sqlalchemy as sa

from b2_iconik.ledger.term import begin_term

NOW = 1_000_000


@pytest.fixture
def engine(engine: sa.Engine) -> sa.Engine:
    """One that somebody runs operations on."""
    begin_term(engine, NOW)
    return engine
