"""How long a confirmation is valid, and how many are remembered."""

import pytest

from b2_iconik.bucket import confirmed as confirmed_module
from b2_iconik.bucket.confirmed import VALID_FOR, Confirmed
from tests.bucket.conftest import START


@pytest.mark.parametrize("by_checksum", [True, False])
def test_what_was_confirmed_is_known(clock: list[float], by_checksum: bool) -> None:
    confirmed = Confirmed()
    confirmed.add("fact", by_checksum, START)
    assert confirmed.get("fact") is by_checksum


def test_what_was_not_confirmed_is_not_known(clock: list[float]) -> None:
    assert Confirmed().get("fact") is None


def test_nothing_is_known_just_after_the_machine_has_started(clock: list[float]) -> None:
    clock[0] = 1.0
    assert Confirmed().get("fact") is None


@pytest.mark.parametrize(("later", "known"), [(VALID_FOR - 0.001, False), (VALID_FOR, None)])
def test_a_confirmation_is_valid_for_ten_minutes(
    clock: list[float], later: float, known: bool | None
) -> None:
    confirmed = Confirmed()
    confirmed.add("fact", False, START)
    clock[0] = START + later
    assert confirmed.get("fact") is known


def test_the_oldest_make_room(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmed_module, "MOST", 2)
    confirmed = Confirmed()
    for fact in ("a", "b", "a", "c"):
        confirmed.add(fact, False, START)
    assert [confirmed.get(fact) for fact in "abc"] == [False, None, False]
