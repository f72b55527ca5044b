"""Clients that guess at the secret are held back, each by itself."""

from ipaddress import ip_network

import pytest
import sqlalchemy as sa

import throttle as throttle_module
from settings import LOCAL
from tables import refusals
from throttle import MOST_FAILURES, PERIOD_MS, Throttle, client_of

NOW = 10_000_000


@pytest.fixture
def throttle(engine: sa.Engine) -> Throttle:
    return Throttle(engine)


def fail(throttle: Throttle, client: str = "a", times: int = 1, now_ms: int = NOW) -> None:
    for _ in range(times):
        throttle.note_failure(client, now_ms)


def clients(engine: sa.Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(sa.select(refusals.c.client)).scalars())


def test_a_few_wrong_secrets_hold_nobody_back(throttle: Throttle) -> None:
    fail(throttle, times=MOST_FAILURES - 1)
    assert throttle.seconds_left("a", NOW) == 0


def test_many_wrong_secrets_hold_back_that_client_alone(throttle: Throttle) -> None:
    fail(throttle, times=MOST_FAILURES)
    assert throttle.seconds_left("a", NOW + 500) == PERIOD_MS // 1000
    assert throttle.seconds_left("b", NOW) == 0


def test_another_process_holds_it_back_as_well(throttle: Throttle, engine: sa.Engine) -> None:
    fail(throttle, times=MOST_FAILURES)
    assert Throttle(engine).seconds_left("a", NOW) > 0


def test_after_a_while_it_may_try_again(throttle: Throttle) -> None:
    fail(throttle, times=MOST_FAILURES)
    assert throttle.seconds_left("a", NOW + PERIOD_MS - 1) == 1
    assert throttle.seconds_left("a", NOW + PERIOD_MS) == 0
    fail(throttle, now_ms=NOW + PERIOD_MS)
    assert throttle.seconds_left("a", NOW + PERIOD_MS) == 0


def test_a_clock_that_was_set_back_holds_nobody_back(throttle: Throttle) -> None:
    fail(throttle, times=MOST_FAILURES)
    assert throttle.seconds_left("a", NOW - 1) == 0


def test_those_of_long_ago_are_forgotten(throttle: Throttle, engine: sa.Engine) -> None:
    fail(throttle, "a")
    fail(throttle, "b", now_ms=NOW + PERIOD_MS)
    assert clients(engine) == {"b"}


def test_no_more_than_so_many_are_remembered(
    throttle: Throttle, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle_module, "MOST_CLIENTS", 2)
    for number, client in enumerate("abc"):
        fail(throttle, client, now_ms=NOW + number)
    assert clients(engine) == {"b", "c"}


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        # Anybody may write the header; nginx on this machine writes its last address.
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "10.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("::1", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", "198.51.100.1"),
        ("", "", "unknown"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "<script>", "unknown"),
        ("no address", "198.51.100.1", "unknown"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        ("", "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "", "203.0.113.7"),
    ],
)
def test_a_client_is_who_can_be_believed_to_be_it(
    peer: str, forwarded_for: str, client: str
) -> None:
    assert client_of(peer, forwarded_for, LOCAL) == client


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        ("172.18.0.1", "198.51.100.1"),
        ("::ffff:172.18.0.1", "198.51.100.1"),
        ("fd00::1", "198.51.100.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("203.0.113.7", "203.0.113.7"),
    ],
)
def test_a_proxy_on_another_machine_is_believed_where_it_is_named(peer: str, client: str) -> None:
    proxies = (ip_network("172.16.0.0/12"), ip_network("fd00::/8"))
    assert client_of(peer, "198.51.100.1", proxies) == client
