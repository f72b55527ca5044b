"""What lies in the database can't be read without the secret."""

import pickle
from dataclasses import asdict

import pytest
from cryptography.fernet import InvalidToken

from b2_iconik.ledger.encryption import Cipher
from tests.makers import a_click

OLD, NEW = "the-old-secret-0123456789", "the-new-secret-0123456789"
CLICK = a_click("add", asset_ids=("a1", "a2"), user_id="ada", auth_token="token-of-a-click")


def test_a_click_comes_back_as_it_was() -> None:
    cipher = Cipher((NEW,))
    assert cipher.open(cipher.seal(CLICK)) == CLICK


def test_a_click_that_an_earlier_version_pickled_comes_back() -> None:
    cipher = Cipher((NEW,))
    pickled = pickle.dumps({"args": (asdict(CLICK),), "kwargs": {}})
    assert cipher.open(cipher._fernet.encrypt(pickled).decode()) == CLICK


def test_a_sealed_click_shows_nothing_of_itself() -> None:
    assert CLICK.auth_token not in Cipher((NEW,)).seal(CLICK)


def test_what_was_sealed_with_the_previous_secret_can_be_read() -> None:
    assert Cipher((NEW, OLD)).open(Cipher((OLD,)).seal(CLICK)) == CLICK


def test_clicks_are_sealed_with_the_current_secret() -> None:
    assert Cipher((NEW,)).open(Cipher((NEW, OLD)).seal(CLICK)) == CLICK


@pytest.mark.parametrize("sealed", [Cipher((OLD,)).seal(CLICK), "", "no token at all"])
def test_what_another_secret_sealed_is_refused(sealed: str) -> None:
    with pytest.raises(InvalidToken):
        Cipher((NEW,)).open(sealed)


def test_a_pickle_that_somebody_wrote_into_the_database_is_refused() -> None:
    with pytest.raises(InvalidToken):
        Cipher((NEW,)).open(pickle.dumps({"args": (asdict(CLICK),), "kwargs": {}}).hex())


def test_a_tampered_click_is_refused() -> None:
    cipher = Cipher((NEW,))
    sealed = cipher.seal(CLICK)
    middle = len(sealed) // 2
    other = "A" if sealed[middle] != "A" else "B"
    with pytest.raises(InvalidToken):
        cipher.open(sealed[:middle] + other + sealed[middle + 1 :])


def test_fingerprints_tell_secrets_apart_in_every_process() -> None:
    assert Cipher((NEW, OLD)).fingerprints == (
        *Cipher((NEW,)).fingerprints,
        *Cipher((OLD,)).fingerprints,
    )
    assert Cipher((NEW,)).fingerprints != Cipher((OLD,)).fingerprints


def test_a_fingerprint_shows_nothing_of_the_secret() -> None:
    assert not any(part in str(Cipher((NEW,)).fingerprints) for part in NEW.split("-"))
