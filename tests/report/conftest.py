"""A ledger to report on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from b2_iconik.ledger.term import begin_term
from tests.makers import a_database

NOW = 1_000_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    with a_database(tmp_path) as engine:
        begin_term(engine, NOW)
        yield engine
