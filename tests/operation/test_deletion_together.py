"""How many marked file sets wait to be purged together."""

import pytest

from b2_iconik.domain.progress import AssetProgress, ClaimedAsset
from b2_iconik.operation.decisions import AssetResult
from b2_iconik.operation.deletion import PurgeQueue


def an_asset(name: str, file_sets: int) -> tuple[ClaimedAsset, AssetResult]:
    """An asset with file sets that are marked deleted."""
    marked = tuple(f"{name}-{n}" for n in range(file_sets))
    return ClaimedAsset(name, ("ORIGINAL",), AssetProgress()), AssetResult(marked=marked)


def test_few_wait_for_more() -> None:
    marked = PurgeQueue(4, 60.0)
    assert marked.add(*an_asset("a", 3)) == []


def test_enough_are_purged_together_whatever_assets_they_are_of() -> None:
    marked, first, second = PurgeQueue(4, 60.0), an_asset("a", 3), an_asset("b", 1)
    marked.add(*first)
    assert marked.add(*second) == [first, second]
    assert marked.rest() == []


def test_what_is_left_is_told_once() -> None:
    marked, only = PurgeQueue(4, 60.0), an_asset("a", 1)
    marked.add(*only)
    assert marked.rest() == [only]
    assert marked.rest() == []


def test_what_waits_for_others_that_do_not_come_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("b2_iconik.operation.deletion.time.monotonic", lambda: now[0])
    marked, only = PurgeQueue(100, 2.0), an_asset("a", 1)
    marked.add(*only)
    now[0] += 1.5
    assert marked.overdue() == []
    now[0] += 1.0
    assert marked.overdue() == [only]
    assert marked.overdue() == []


def test_none_waits_for_long_where_others_come_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("b2_iconik.operation.deletion.time.monotonic", lambda: now[0])
    marked, first, second = PurgeQueue(100, 2.0), an_asset("a", 1), an_asset("b", 1)
    assert marked.add(*first) == []
    now[0] += 2.5
    assert marked.add(*second) == [first, second]
    assert marked.add(*an_asset("c", 1)) == []
