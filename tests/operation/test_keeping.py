"""What is due is removed by iconik's time, and what has left LucidLink elsewhere is noticed."""

import logging
import threading
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common import clock as clock_module
from b2_iconik.common.clock import STEADY_FOR
from b2_iconik.common.settings import Settings
from b2_iconik.ledger.database import writing
from b2_iconik.ledger.operations import Ledger
from b2_iconik.ledger.tables import holdings, protections
from b2_iconik.ledger.term import Leadership
from b2_iconik.operation import keeping
from b2_iconik.operation.keeping import CHECK_INTERVAL_MS, PAUSE, Keeper
from iconik import ServerClock
from iconik_http import expiry
from iconik_http.errors import IconikRefused, IconikUnavailable, TokenRejected
from iconik_http.server_clock import HOLDS
from tests.makers import (
    ASSET,
    LL,
    FakeIconik,
    a_click,
    a_format,
    a_term,
    carried_out,
    held,
    newest,
    on_b2,
    on_ll,
)

NOON = 1_795_867_200_000
DAY = 86_400_000
ADD = a_click(keep_ms=14 * DAY)
AWAY = IconikUnavailable("list the files", "iconik answered 503")


class Iconik(FakeIconik):
    """An iconik in memory that tells the time.

    Attributes:
        offset_ms: how much later its clock shows than the monotonic clock's noon.
        is_silent: whether it does not tell.
    """

    def __init__(self, clock: ServerClock) -> None:
        super().__init__()
        self.clock = clock
        self.offset_ms = 0
        self.is_silent = False

    def _answer(self, method: str, *arguments: Any, **limits: Any) -> None:
        # Whatever it answers, even that it refuses.
        if not isinstance(self.problems.get(method), IconikUnavailable):
            now = expiry.now()
            told = formatdate(NOON / 1000 + now + self.offset_ms / 1000, usegmt=True)
            self.clock.hear("" if self.is_silent else told, now)
        super()._answer(method, *arguments, **limits)


class Bench:
    """A service that was started at noon by iconik's clock.

    Attributes:
        seconds: since then, by the clock that nobody sets.
        wall_ms: what the machine's own clock shows.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.seconds = 0.0
        self.wall_ms = NOON
        self.start()

    def start(self, *, has_token: bool = True) -> None:
        """Start the service, again if it was killed."""
        self.clock = ServerClock()
        self.iconik = Iconik(self.clock)
        settings = Settings(iconik_id=ASSET, secret="s" * 32, iconik_token="t" if has_token else "")
        self.keeper = Keeper(settings, lambda *_, **__: self.iconik, self.clock)

    def look(self) -> list[str]:
        """Look for what is due; returns the ids of the assets whose removal that has recorded."""
        before = len(newest(self.engine, 99))
        self.keeper(Leadership(self.engine, a_term(self.engine), threading.Event()))
        new = newest(self.engine, 99)
        ids = [Ledger(self.engine).some_assets(each.number, 99) for each in new[: -before or None]]
        return [asset_id for some in ids for asset_id in some]

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall_ms += int(seconds * 1000)

    def add(self, *asset_ids: str, since_ms: int | None = NOON) -> None:
        """Add assets for two weeks, of which iconik then has files on LucidLink."""
        carried_out(self.engine, ADD, *asset_ids, iconik_ms=since_ms)
        for each in asset_ids or (ASSET,):
            self.iconik.has(on_ll(), on_b2(), asset_id=each)


@pytest.fixture
def bench(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(engine)
    fake = SimpleNamespace(
        monotonic=lambda: bench.seconds,
        time=lambda: bench.wall_ms / 1000,
        time_ns=lambda: bench.wall_ms * 10**6,
    )
    monkeypatch.setattr(clock_module, "time", fake)
    monkeypatch.setattr(keeping, "time", fake)
    monkeypatch.setattr(expiry, "now", lambda: bench.seconds)
    return bench


# Time


def test_without_anything_on_lucidlink_nothing_is_requested(bench: Bench) -> None:
    assert bench.look() == []
    assert bench.iconik.calls == []


def test_what_is_due_is_removed_when_its_time_is_over_and_not_before(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench.add()
    bench.pass_by(14 * DAY / 1000 - 1)
    assert bench.look() == []
    bench.pass_by(1)
    assert bench.look() == [ASSET]
    assert "recorded the removal of 1 asset whose time on LucidLink is up" in caplog.text
    assert bench.look() == []


@pytest.mark.parametrize("days", [14, -14])
@pytest.mark.parametrize("is_started_again", [False, True])
def test_a_leap_of_the_machines_clock_removes_nothing_early_or_late(
    bench: Bench, days: int, is_started_again: bool
) -> None:
    bench.add()
    assert bench.look() == []
    bench.wall_ms += days * DAY
    for _ in range(2):
        if is_started_again:
            bench.start()
        bench.pass_by(STEADY_FOR)
        assert bench.look() == []
    bench.pass_by(14 * DAY / 1000)
    assert bench.look() == [ASSET]


def test_one_request_an_hour_asks_for_the_time(bench: Bench) -> None:
    bench.add()
    for _ in range(3):
        bench.look()
    assert bench.iconik.calls == [("asset_exists", ASSET)]
    bench.pass_by(HOLDS + 1)
    bench.look()
    assert bench.iconik.calls == [("asset_exists", ASSET)] * 2


def test_an_answer_to_an_operation_tells_the_time(bench: Bench) -> None:
    bench.add()
    bench.iconik.has(on_b2(), asset_id="another")
    bench.iconik.files("another")
    bench.iconik.calls.clear()
    bench.look()
    assert bench.iconik.calls == []


def test_while_iconik_is_away_nothing_is_due(bench: Bench) -> None:
    bench.add()
    bench.iconik.problems["asset_exists"] = AWAY
    bench.pass_by(15 * DAY / 1000)
    for _ in range(3):
        assert bench.look() == []
    assert len(bench.iconik.calls) == 1
    bench.iconik.problems.clear()
    bench.pass_by(PAUSE)
    assert bench.look() == [ASSET]


def test_an_iconik_that_refuses_tells_the_time_nevertheless(bench: Bench) -> None:
    bench.add()
    bench.iconik.problems["asset_exists"] = TokenRejected("read asset", "no token is good")
    bench.pass_by(15 * DAY / 1000)
    assert bench.look() == [ASSET]


def test_without_a_time_of_iconiks_the_machines_clock_counts_once_it_is_steady(
    bench: Bench,
) -> None:
    bench.iconik.is_silent = True
    bench.add(since_ms=None)
    assert bench.look() == []
    assert held(bench.engine, "since_ms") == [0]
    bench.pass_by(STEADY_FOR)
    assert bench.look() == []
    assert held(bench.engine, "since_ms") == [bench.wall_ms]
    bench.wall_ms += 14 * DAY
    assert bench.look() == []
    # It was right.
    bench.pass_by(STEADY_FOR)
    assert bench.look() == [ASSET]
    assert len(bench.iconik.called("asset_exists")) == 2


def test_without_iconik_token_nothing_is_removed_and_that_is_logged_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.start(has_token=False)
    bench.add()
    bench.pass_by(14 * DAY / 1000)
    assert bench.look() == []
    # Clicks have tokens.
    bench.iconik.files(ASSET)
    bench.iconik.calls.clear()
    for _ in range(2):
        assert bench.look() == []
    assert caplog.text.count("set ICONIK_TOKEN, or remove them by hand") == 1
    assert bench.iconik.calls == []


def test_a_protection_ends_by_iconiks_time(bench: Bench) -> None:
    with writing(bench.engine) as connection:
        connection.execute(
            sa.insert(protections).values(asset_id=ASSET, since_ms=0, until_ms=NOON + DAY, by="Ann")
        )
    bench.add()
    bench.wall_ms += 2 * DAY
    bench.look()

    def is_protected() -> bool:
        with bench.engine.connect() as connection:
            return connection.execute(sa.select(protections)).first() is not None

    assert is_protected()
    bench.pass_by(DAY / 1000)
    bench.look()
    assert not is_protected()


# Checks


def look_a_day_later(bench: Bench) -> list[tuple[str, str]]:
    """Look for what has left LucidLink; returns which formats of which assets have not."""
    bench.pass_by(CHECK_INTERVAL_MS / 1000 + 2)
    bench.look()
    return held(bench.engine, "asset_id", "format_name")


def test_each_format_is_checked_once_a_day_in_the_index(bench: Bench) -> None:
    bench.add("a1", "a2")
    bench.iconik.shows_files = True
    bench.iconik.titles = {"a1": "clip"}
    bench.iconik.known_files["a1"] = [on_ll(size=400)]
    for _ in range(2):
        bench.look()
    assert bench.iconik.called("search_assets") == []
    for _ in range(2):
        assert len(look_a_day_later(bench)) == 2
        bench.look()
    assert bench.iconik.called("search_assets", "files") == [("search_assets", ["a1", "a2"])] * 2
    assert held(bench.engine, "title", "size") == [("clip", 400), (None, 1000)]


def test_what_a_person_wants_checked_is_checked_at_once(bench: Bench) -> None:
    bench.add()
    with writing(bench.engine) as connection:
        connection.execute(sa.update(holdings).values(checked_ms=0))
    for _ in range(2):
        bench.look()
    assert len(bench.iconik.called("search_assets")) == 1


@pytest.mark.parametrize("shows_files", [True, False])
def test_only_an_assets_own_files_show_that_it_has_left(bench: Bench, shows_files: bool) -> None:
    bench.add("a1", "a2")
    bench.iconik.shows_files = shows_files
    bench.iconik.known_files["a1"] = [on_b2()]
    # The index lags.
    indexed = bench.iconik.indexed("a1")
    bench.iconik.answers_with("indexed", lambda _: indexed)
    assert look_a_day_later(bench) == [("a2", "ORIGINAL")]


@pytest.mark.parametrize(
    ("files", "formats", "is_there"),
    [
        ([on_ll()], [a_format()], True),
        ([on_ll(format_id="older")], [a_format(), a_format(id="older")], True),
        # Of a format that is not listed: it may be any.
        ([on_ll(format_id="strange")], [a_format()], True),
        ([on_ll(format_id="format-proxy")], [a_format(), a_format("PROXY")], False),
        ([on_ll(file_set_status="DELETED")], [a_format()], False),
        ([on_ll(type="DIRECTORY")], [a_format()], False),
        ([on_b2()], [a_format()], False),
        ([], [a_format("PROXY")], False),
    ],
)
def test_a_format_is_there_if_it_has_files_there(
    bench: Bench, files: list[Any], formats: list[Any], is_there: bool
) -> None:
    bench.add()
    bench.iconik.has(*files, formats=formats)
    assert bool(look_a_day_later(bench)) is is_there


def test_of_an_asset_only_the_formats_that_have_left_are_forgotten(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    carried_out(bench.engine, a_click(formats=("ORIGINAL", "PROXY")), iconik_ms=NOON)
    bench.iconik.has(on_ll(), formats=[a_format(), a_format("PROXY")])
    assert look_a_day_later(bench) == [(ASSET, "ORIGINAL")]
    assert "PROXY of asset asset-1 is no longer on LucidLink" in caplog.text


def test_an_asset_that_no_longer_exists_is_forgotten(bench: Bench) -> None:
    bench.add("a1", "a2")
    del bench.iconik.known_files["a1"]
    assert look_a_day_later(bench) == [("a2", "ORIGINAL")]


def test_another_storage_is_checked_by_itself(bench: Bench) -> None:
    bench.add()
    carried_out(bench.engine, a_click(ll_storage_id="other"), iconik_ms=NOON)
    look_a_day_later(bench)
    assert held(bench.engine, "ll_storage_id") == [LL]


@pytest.mark.parametrize("call", ["search_assets", "files"])
def test_what_iconik_refuses_to_show_stays(bench: Bench, call: str) -> None:
    bench.add()
    bench.iconik.problems[call] = IconikRefused(call, "no")
    assert look_a_day_later(bench) == [(ASSET, "ORIGINAL")]
    bench.iconik.calls.clear()
    bench.look()
    assert bench.iconik.calls == []


@pytest.mark.parametrize("call", ["search_assets", "files"])
@pytest.mark.parametrize("error", [AWAY, TokenRejected("read", "no token is good")])
def test_what_iconik_does_not_answer_is_asked_later(
    bench: Bench, call: str, error: IconikUnavailable
) -> None:
    bench.add("a1", "a2")
    bench.iconik.problems[call] = error
    assert len(look_a_day_later(bench)) == 2
    bench.iconik.calls.clear()
    bench.look()
    assert bench.iconik.calls == []
    bench.iconik.problems.clear()
    bench.iconik.has(asset_id="a2")
    bench.pass_by(PAUSE)
    bench.look()
    # The first one has had its turn.
    assert held(bench.engine, "asset_id") == ["a1"]


def test_very_much_is_checked_in_turns(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST", 1)
    monkeypatch.setattr(keeping, "SEARCHES_AT_ONCE", 2)
    bench.add("a1", "a2", "a3")
    look_a_day_later(bench)
    assert len(bench.iconik.called("search_assets")) == 2
    bench.look()
    assert len(bench.iconik.called("search_assets")) == 3
