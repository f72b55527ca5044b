"""What a Remove has marked deleted, proven again before the purge, with an iconik in memory."""

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from b2_iconik.bucket.confirm import Bucket
from b2_iconik.common.settings import Settings
from b2_iconik.common.worker_pool import WorkerPool
from b2_iconik.domain.operation import Operation, Origin
from b2_iconik.ledger.claims import Claims
from b2_iconik.ledger.tables import operations
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation import recheck
from b2_iconik.operation.execution import process_remove
from b2_iconik.operation.grace_period import GracePeriod
from b2_iconik.operation.recheck import AHEAD_MS, Recheck
from b2_iconik.operation.snapshot import Patience
from b2_iconik.operation.together import MOST
from iconik_http.errors import IconikUnavailable, NotPermitted
from tests.makers import (
    ASSET,
    LL,
    FakeIconik,
    a_click,
    a_ledger,
    a_term,
    completion,
    expanded,
    newest,
    on_b2,
    on_ll,
)
from tests.operation.benches import a_removal

NOW = 1_000_000
SAFE = (on_ll(), on_b2())
AWAY = IconikUnavailable("list the files", "no answer")
FORBIDDEN = NotPermitted("list the files", "it needs can_read_files")


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock stands still."""
    monkeypatch.setattr(recheck, "now_ms", lambda: NOW)


@pytest.fixture
def iconik() -> FakeIconik:
    return FakeIconik()


@pytest.fixture
def check(engine: sa.Engine, iconik: FakeIconik) -> Callable[[], None]:
    """Check what iconik purges soon, as the leader does now and then."""
    settings = Settings(iconik_id=ASSET, secret="s" * 32, b2_check="off")
    checker = Recheck(settings, lambda *_: iconik, Bucket(settings), WorkerPool(1))
    return lambda: checker(Leadership(engine, a_term(engine), threading.Event()))


def mark(
    engine: sa.Engine, iconik: FakeIconik, *asset_ids: str, purge_ms: int = NOW + AHEAD_MS
) -> Operation:
    """A Remove that has marked the original of each asset.

    Args:
        purge_ms: when iconik may begin to purge them.
    """
    for each in asset_ids:
        iconik.has(*SAFE, asset_id=each)
    operation = expanded(engine, a_click("remove", asset_ids=asset_ids), asset_ids)
    claims = Claims(engine, operation, a_term(engine))
    removal = a_removal(iconik, claims, grace_period=GracePeriod(iconik))
    for claimed in claims.take(len(asset_ids), NOW):
        result = process_remove(removal, claimed, Patience(NOW, 60_000))
        claims.note(claimed, "done", result.outcomes)
    completion(engine).end(operation, NOW)
    with engine.begin() as connection:
        connection.execute(sa.update(operations).values(undo_until_ms=purge_ms))
    iconik.calls.clear()
    return operation


def edit(iconik: FakeIconik, *asset_ids: str) -> None:
    """Have somebody save to files on LucidLink, whose file sets stay marked deleted."""
    for each in asset_ids:
        iconik.known_files[each] = [
            replace(file, size=200) if file.storage_id == LL else file
            for file in iconik.known_files[each]
        ]


def undone(engine: sa.Engine) -> list[list[str]]:
    """The assets of each Undo, the newest first."""
    ledger = a_ledger(engine)
    undos = [each for each in newest(engine, 99) if each.action == "undo"]
    return [sorted(ledger.some_assets(each.number, 99)) for each in undos]


def read(iconik: FakeIconik) -> list[str]:
    """The assets that were checked."""
    return [asset_id for _, asset_id in iconik.called("files")]


def test_what_is_no_longer_proven_is_undone(
    engine: sa.Engine, iconik: FakeIconik, check: Callable[[], None]
) -> None:
    removed = mark(engine, iconik, "a", "b", "c")
    edit(iconik, "a", "c")
    check()
    assert undone(engine) == [["a", "c"]]
    assert newest(engine, 1)[0].origin == Origin(removed.id, "the service", "unsafe")


def test_what_is_still_proven_is_checked_once(
    engine: sa.Engine, iconik: FakeIconik, check: Callable[[], None]
) -> None:
    mark(engine, iconik, "a", "b")
    check()
    check()
    assert (read(iconik), undone(engine)) == (["a", "b"], [])


@pytest.mark.parametrize("purge_ms", [NOW, NOW + AHEAD_MS + 1], ids=["is over", "is far away"])
def test_nothing_is_checked_whose_purge(
    engine: sa.Engine, iconik: FakeIconik, check: Callable[[], None], purge_ms: int
) -> None:
    mark(engine, iconik, "a", purge_ms=purge_ms)
    check()
    assert read(iconik) == []


def test_what_iconik_does_not_answer_about_is_checked_again(
    engine: sa.Engine, iconik: FakeIconik, check: Callable[[], None]
) -> None:
    mark(engine, iconik, "a")
    edit(iconik, "a")
    iconik.problems["files"] = AWAY
    check()
    assert undone(engine) == []
    del iconik.problems["files"]
    check()
    assert undone(engine) == [["a"]]


def test_while_iconik_is_away_the_rest_is_not_tried(
    engine: sa.Engine, iconik: FakeIconik, check: Callable[[], None]
) -> None:
    mark(engine, iconik, *map(str, range(MOST + 1)))
    iconik.problems["files"] = AWAY
    check()
    assert len(read(iconik)) == MOST


def test_what_the_token_may_not_read_stays_marked_and_is_logged(
    engine: sa.Engine,
    iconik: FakeIconik,
    check: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    mark(engine, iconik, "a")
    iconik.problems["files"] = FORBIDDEN
    check()
    assert undone(engine) == []
    assert "asset a cannot be checked before iconik purges it: could not list the" in caplog.text


def test_an_asset_that_iconik_no_longer_knows_needs_no_undo(
    engine: sa.Engine, iconik: FakeIconik, check: Callable[[], None]
) -> None:
    mark(engine, iconik, "a")
    iconik.known_formats.clear()
    check()
    assert undone(engine) == []
