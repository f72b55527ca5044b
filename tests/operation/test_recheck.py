"""What a Remove has marked deleted, proven again before the purge, with an iconik in memory."""

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.bucket.confirm import Bucket
from b2_iconik.common.settings import Settings
from b2_iconik.common.worker_pool import WorkerPool
from b2_iconik.domain.operation import Operation, Origin
from b2_iconik.domain.reasons import Reason
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.tables import assets, operations
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation import recheck
from b2_iconik.operation.execution import process_remove
from b2_iconik.operation.grace_period import GracePeriod
from b2_iconik.operation.recheck import AHEAD_MS, AT_ONCE, LOOK_INTERVAL, Recheck
from b2_iconik.operation.snapshot import Patience
from iconik_http.errors import (
    Contradicted,
    IconikError,
    IconikUnavailable,
    NotPermitted,
    TokenRejected,
)
from tests.makers import (
    ASSET,
    B2,
    LL,
    FakeIconik,
    a_click,
    a_ledger,
    a_term,
    completion,
    expanded,
    found,
    newest,
    on_b2,
    on_ll,
)
from tests.operation.benches import a_removal

NOW = 1_000_000
SAFE = (on_ll(), on_b2())
AWAY = IconikUnavailable("list the files", "no answer")
FORBIDDEN = NotPermitted("list the files", "it needs can_read_files")
CONTRADICTED = Contradicted("list the files", "iconik answered 404, although the asset exists")


class Bench:
    """A service that leads, and an iconik whose delete queue it watches.

    Attributes:
        now_ms: what the wall clock shows.
        seconds: the monotonic clock.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.iconik = FakeIconik()
        self.now_ms, self.seconds = NOW, 0.0
        settings = Settings(iconik_id=ASSET, secret="s" * 32, b2_check="off")
        pool = WorkerPool(1)
        self._recheck = Recheck(settings, lambda *_: self.iconik, Bucket(settings), pool)

    def check(self, times: int = 1, after: float = LOOK_INTERVAL) -> None:
        """Do what the leader does often.

        Args:
            times: how often.
            after: in seconds, the time before that.
        """
        self.seconds += after
        self.now_ms += int(after * 1000)
        for _ in range(times):
            self._recheck(Leadership(self.engine, a_term(self.engine), threading.Event()))

    def mark(self, *asset_ids: str, hours: int = 0) -> Operation:
        """Have a Remove mark the original of each asset. iconik purges the first one in an hour.

        Args:
            hours: how long the Remove took.
        """
        for each in asset_ids:
            self.iconik.has(*SAFE, asset_id=each)
        operation = expanded(self.engine, a_click("remove", asset_ids=asset_ids), asset_ids)
        claims = Claims(self.engine, operation, a_term(self.engine))
        removal = a_removal(self.iconik, claims, grace_period=GracePeriod(self.iconik))
        for claimed in claims.take(len(asset_ids), NOW):
            result = process_remove(removal, claimed, Patience(NOW, 60_000))
            claims.note(claimed, "done", result.outcomes)
        completion(self.engine).end(operation, NOW)
        with self.engine.begin() as connection:
            mine = operations.c.id == operation.id
            times = sa.update(operations).values(
                recorded_ms=NOW, undo_until_ms=NOW + AHEAD_MS, ended_ms=NOW + hours * AHEAD_MS
            )
            connection.execute(times.where(mine))
        self.iconik.calls.clear()
        return found(self.engine, operation.id)

    def edit(self, *asset_ids: str) -> None:
        """Have somebody save to files on LucidLink, whose file sets stay marked deleted."""
        for each in asset_ids:
            self._change(each, size=200)

    def restore(self, asset_id: str) -> None:
        """Have somebody restore an asset in iconik."""
        self._change(asset_id, file_set_status="ACTIVE")

    def _change(self, asset_id: str, **fields: Any) -> None:
        self.iconik.known_files[asset_id] = [
            replace(file, **fields) if file.storage_id == LL else file
            for file in self.iconik.known_files[asset_id]
        ]

    def undone(self) -> list[list[str]]:
        """The assets of each Undo, the newest first."""
        ledger = a_ledger(self.engine)
        undos = [each for each in newest(self.engine, 99) if each.action == "undo"]
        return [sorted(ledger.some_assets(each.number, 999)) for each in undos]

    def read(self) -> list[str]:
        """The assets that were read."""
        return [asset_id for _, asset_id in self.iconik.called("files")]


@pytest.fixture
def bench(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(engine)
    monkeypatch.setattr(recheck, "now_ms", lambda: bench.now_ms)
    monkeypatch.setattr(recheck, "time", SimpleNamespace(monotonic=lambda: bench.seconds))
    return bench


def test_what_is_no_longer_proven_is_undone(bench: Bench) -> None:
    removed = bench.mark("a", "b", "c")
    bench.edit("a", "c")
    bench.check()
    assert bench.undone() == [["a", "c"]]
    assert newest(bench.engine, 1)[0].origin == Origin(removed.id, "the service", "unsafe")


def test_what_is_still_proven_is_checked_once_before_its_purge(bench: Bench) -> None:
    bench.mark("a", "b")
    bench.check()
    bench.check(times=2)
    assert (bench.read(), bench.undone()) == (["a", "b"], [])


def test_a_later_mark_of_the_same_remove_is_checked_until_its_purge(bench: Bench) -> None:
    bench.mark("a", hours=5)
    bench.check()
    bench.edit("a")
    bench.check(after=5 * AHEAD_MS / 1000)
    assert bench.undone() == [["a"]]


@pytest.mark.parametrize("after_ms", [-LOOK_INTERVAL * 1000 - 1, AHEAD_MS])
def test_nothing_is_checked_more_than_an_hour_before_or_after_the_purge(
    bench: Bench, after_ms: float
) -> None:
    bench.mark("a")
    bench.check(after=after_ms / 1000)
    assert bench.read() == []


def test_a_large_removal_is_checked_in_parts(bench: Bench) -> None:
    bench.mark(*map(str, range(AT_ONCE + 1)))
    bench.check()
    assert len(bench.read()) == AT_ONCE
    bench.check(after=10)
    assert len(bench.read()) == AT_ONCE + 1


@pytest.mark.parametrize("problem", [AWAY, FORBIDDEN, CONTRADICTED])
def test_what_iconik_does_not_answer_about_is_checked_again(
    bench: Bench, problem: IconikError
) -> None:
    bench.mark("a")
    bench.edit("a")
    bench.iconik.problems["files"] = problem
    bench.check()
    assert bench.undone() == []
    del bench.iconik.problems["files"]
    bench.check()
    assert bench.undone() == [["a"]]


def test_an_asset_without_formats_is_checked_again(bench: Bench) -> None:
    bench.mark("a")
    bench.edit("a")
    formats = bench.iconik.known_formats.pop("a")
    bench.iconik.known_formats["a"] = []
    bench.check()
    bench.iconik.known_formats["a"] = formats
    bench.check()
    assert bench.undone() == [["a"]]


def test_while_iconik_is_away_the_rest_is_not_tried(bench: Bench) -> None:
    bench.mark(*map(str, range(AT_ONCE + 1)))
    bench.iconik.problems["files"] = AWAY
    bench.check(times=3)
    assert len(bench.read()) == AT_ONCE


def test_that_no_token_is_valid_is_logged_and_changes_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.mark("a")
    bench.iconik.problems["storage"] = TokenRejected("read the storage", "no token is valid")
    bench.check()
    assert bench.undone() == []
    assert "is not proven again before the purge" in caplog.text


def test_what_can_no_longer_be_proven_because_of_a_storage_is_undone(bench: Bench) -> None:
    bench.mark("a")
    bench.iconik.storages_known[B2] = {"status": "INACTIVE"}
    bench.check()
    assert bench.undone() == [["a"]]


def test_what_somebody_has_restored_needs_no_undo(bench: Bench) -> None:
    bench.mark("a")
    bench.edit("a")
    bench.restore("a")
    bench.check()
    assert bench.undone() == []


def test_an_asset_that_iconik_no_longer_knows_needs_no_undo(bench: Bench) -> None:
    bench.mark("a")
    bench.iconik.known_formats.clear()
    bench.check()
    assert bench.undone() == []


def test_a_file_that_iconik_shows_as_deleted_with_its_file_set_is_still_proven(
    bench: Bench,
) -> None:
    bench.mark("a")
    bench._change("a", status="DELETED")
    bench.check()
    assert (bench.read(), bench.undone()) == (["a"], [])


def test_what_an_add_took_over_meanwhile_is_not_undone(bench: Bench) -> None:
    bench.mark("a", "b")
    bench.edit("a", "b")

    def take_over() -> None:
        with bench.engine.begin() as connection:
            mine = assets.c.asset_id == "a"
            connection.execute(sa.update(assets).where(mine).values(progress={}))

    bench.iconik.before["files"] = take_over
    bench.check()
    assert bench.undone() == [["b"]]


def test_what_a_running_undo_brings_back_is_not_undone_twice(bench: Bench) -> None:
    bench.mark("a", "b", hours=5)
    bench.edit("a")
    bench.check()
    bench.edit("b")
    bench.check(after=AHEAD_MS / 1000)
    assert bench.undone() == [["b"], ["a"]]


def test_what_an_undo_has_left_is_undone_again(bench: Bench) -> None:
    bench.mark("a", hours=5)
    bench.edit("a")
    bench.check()
    completion(bench.engine).fail(newest(bench.engine, 1)[0].number, Reason("no"), NOW)
    bench.check(after=AHEAD_MS / 1000)
    assert bench.undone() == [["a"], ["a"]]


def test_no_part_of_a_large_removal_waits_for_the_undo_of_another(bench: Bench) -> None:
    asset_ids = [f"{number:03}" for number in range(AT_ONCE + 1)]
    bench.mark(*asset_ids)
    bench.edit(*asset_ids)
    bench.check(times=2)
    assert bench.undone() == [asset_ids[AT_ONCE:], asset_ids[:AT_ONCE]]
