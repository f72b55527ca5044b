"""Protected assets, on a real PostgreSQL, also if its transactions are others by default."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from b2_iconik.ledger.database import connect
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.term import begin_term
from tests.ledger import test_protections
from tests.ledger.test_protections import SECONDS, another

__all__ = ["another"]

globals().update(
    {name: each for name, each in vars(test_protections).items() if name.startswith("test_")}
)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = connect(database_url, SECONDS)
    name = sa.make_url(database_url).database
    with engine.begin() as connection:
        # Such a transaction reads what there was before it waited for another one.
        connection.exec_driver_sql(
            f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"
        )
    engine.dispose()
    Ledger(engine).create()
    begin_term(engine, 0)
    yield engine
    engine.dispose()
