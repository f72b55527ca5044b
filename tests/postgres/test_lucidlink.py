"""What is on LucidLink, read from and changed in a real PostgreSQL."""

import pytest
import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.dispatch.lucidlink import Done, keep_until, look_again
from b2_iconik.ledger.totals import DAY_MS
from b2_iconik.report import lucidlink
from b2_iconik.report.lucidlink import Filters, OnLucidLink
from tests.makers import LL, a_click, clicked, hold

BEACH = (LL, "beach", "ORIGINAL")


def test_it_is_listed_and_filtered(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = clicked(engine, a_click())
    hold(engine, "never", title=None, operation_id=operation.id)
    hold(engine, "beach", "ORIGINAL", "PROXY", until_ms=now_ms(), user_name="Ada")
    hold(engine, "pier", until_ms=1, size=2**52)
    there = OnLucidLink(engine)
    told = there.listed(Filters(), 2)
    assert [each["asset_id"] for each in told["assets"]] == ["pier", "beach"]
    assert told["total"] == {
        "assets": 3, "bytes": 2**52 + 3000, "due_within_a_day": 1, "overdue": 1,
    }  # fmt: skip
    (last,) = there.listed(Filters(), 2, 2)["assets"]
    assert (last["asset_id"], last["formats"][0]["operation_id"]) == ("never", operation.id)
    assert there.listed(Filters(due="day", text="BEA", user="ada"), 2)["matching"] == 1
    monkeypatch.setattr(lucidlink, "READ_AT_ONCE", 2)
    assert [row["asset_id"] for row in there.rows(Filters())] == ["beach", "beach", "never", "pier"]


def test_it_is_kept_longer_and_refreshed(engine: sa.Engine) -> None:
    hold(engine, "beach", until_ms=1, checked_ms=1)
    assert keep_until(engine, [BEACH], now_ms() + DAY_MS, "ada") == Done(assets=1)
    assert look_again(engine, [BEACH], "ada") == Done(assets=1)
    (row,) = OnLucidLink(engine).rows(Filters())
    assert (row["state"], row["until_by"], row["checked"]) == ("timed", "ada", None)
