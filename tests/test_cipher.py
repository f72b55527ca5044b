"""What lies in the database can't be read without the secret."""

import pytest
from cryptography.fernet import InvalidToken

from cipher import Cipher
from errors import ClickError

OLD, NEW = "the-old-secret-0123456789", "the-new-secret-0123456789"


@pytest.mark.parametrize("value", [None, "text", {"ids": ("a", 1)}, b"\x00\xff", "ü" * 10_000])
def test_a_value_comes_back_as_it_was(value: object) -> None:
    cipher = Cipher((NEW,))
    assert cipher.deserialize(cipher.serialize(value)) == value


def test_an_exception_comes_back_with_all_its_arguments() -> None:
    cipher = Cipher((NEW,))
    again = cipher.deserialize(cipher.serialize(ClickError("context", "is unknown")))
    assert (type(again), again.args) == (ClickError, ("context", "is unknown"))


def test_a_stored_value_shows_nothing_of_itself() -> None:
    assert "token-of-a-click" not in Cipher((NEW,)).serialize("token-of-a-click")


def test_the_same_value_is_stored_differently_each_time() -> None:
    cipher = Cipher((NEW,))
    assert cipher.serialize("same") != cipher.serialize("same")


def test_what_was_stored_with_the_previous_secret_can_be_read() -> None:
    stored = Cipher((OLD,)).serialize("value")
    assert Cipher((NEW, OLD)).deserialize(stored) == "value"


def test_new_values_are_stored_with_the_current_secret() -> None:
    stored = Cipher((NEW, OLD)).serialize("value")
    assert Cipher((NEW,)).deserialize(stored) == "value"


@pytest.mark.parametrize("stored", [Cipher((OLD,)).serialize("value"), "", "no token at all"])
def test_what_another_secret_stored_is_refused(stored: str) -> None:
    with pytest.raises(InvalidToken):
        Cipher((NEW,)).deserialize(stored)


def test_a_tampered_value_is_refused() -> None:
    cipher = Cipher((NEW,))
    stored = cipher.serialize("value")
    middle = len(stored) // 2
    other = "A" if stored[middle] != "A" else "B"
    with pytest.raises(InvalidToken):
        cipher.deserialize(stored[:middle] + other + stored[middle + 1 :])


def test_fingerprints_tell_secrets_apart_in_every_process() -> None:
    assert Cipher((NEW, OLD)).fingerprints == (
        *Cipher((NEW,)).fingerprints,
        *Cipher((OLD,)).fingerprints,
    )
    assert Cipher((NEW,)).fingerprints != Cipher((OLD,)).fingerprints


def test_a_fingerprint_shows_nothing_of_the_secret() -> None:
    assert not any(part in str(Cipher((NEW,)).fingerprints) for part in NEW.split("-"))


def test_the_way_of_storing_keeps_its_name() -> None:
    # The engine looks values up by it: under another name, those stored before are lost.
    assert Cipher((NEW,)).name() == "encrypted_pickle"
