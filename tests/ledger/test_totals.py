"""What is on LucidLink, in numbers."""

import pytest
import sqlalchemy as sa

from b2_iconik.domain.keeping import state_of
from b2_iconik.ledger.counters import standing
from b2_iconik.ledger.totals import DAY_MS, Totals, count, is_due, is_overdue, totals
from tests.makers import hold

NOW = 100 * DAY_MS


def counted(engine: sa.Engine) -> Totals:
    with engine.connect() as connection:
        return totals(connection, NOW)


def test_where_nothing_is_there_is_nothing_to_count(engine: sa.Engine) -> None:
    assert counted(engine) == Totals(0, 0, 0, 0)


def test_an_asset_counts_once_for_all_its_formats(engine: sa.Engine) -> None:
    hold(engine, "a1", "ORIGINAL", "PROXY", size=300, until_ms=NOW)
    hold(engine, "a2", size=None, until_ms=NOW + DAY_MS)
    hold(engine, "a3", until_ms=NOW + DAY_MS + 1)
    hold(engine, "a4", "ORIGINAL", "PROXY", until_ms=NOW - 8 * DAY_MS)
    assert counted(engine) == Totals(assets=4, bytes=3600, due=2, overdue=1)


def test_an_asset_counts_on_each_storage(engine: sa.Engine) -> None:
    hold(engine, "a1", size=300)
    hold(engine, "a1", ll_storage_id="another", size=300)
    assert counted(engine) == Totals(assets=2, bytes=600)


@pytest.mark.parametrize(
    "until_ms", [None, NOW - 7 * DAY_MS - 1, NOW - 7 * DAY_MS, NOW, NOW + 1, NOW + DAY_MS + 1]
)
def test_the_ledger_counts_what_the_page_calls_so(engine: sa.Engine, until_ms: int | None) -> None:
    hold(engine, until_ms=until_ms)
    state = state_of(until_ms, NOW)
    with engine.connect() as connection:
        assert count(connection, is_overdue(NOW))[0] == (state == "overdue")
        assert count(connection, is_due(NOW, 0))[0] == (state == "due")


def test_it_belongs_to_the_standing_of_the_service(engine: sa.Engine) -> None:
    hold(engine, size=300, until_ms=0)
    assert standing(engine).held == Totals(assets=1, bytes=300, due=0, overdue=1)
