"""Which token iconik is asked with, and what becomes of one that it rejects."""

import logging

import pytest

from iconik_http.errors import IconikRefused, TokenRejected
from iconik_http.tokens import OF_APPLICATION, OF_CLICK, Tokens, acting_as

CALL = "read storage 1"


def test_one_after_the_other_is_used_as_iconik_rejects_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    both = Tokens("one", "two")
    assert both.current(CALL) == "one"
    both.reject("one")
    assert both.current(CALL) == "two"
    assert "tokens left: 1" in caplog.text


def test_one_that_was_rejected_twice_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    both = Tokens("one", "two")
    both.reject("one")
    both.reject("one")
    assert caplog.text.count("rejected") == 1


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("given", [("one", ""), ("", "one"), ("one", "one")])
def test_when_none_is_left_it_says_what_to_do(given: tuple[str, str], is_known: bool) -> None:
    tokens = Tokens(*given)
    tokens.reject("one")
    with pytest.raises(
        TokenRejected,
        match=(r"could not read storage 1: .* set ICONIK_TOKEN .* then click " r"again"),
    ):
        tokens.current(CALL, is_known=is_known)


def test_the_application_s_takes_the_place_of_the_click_s_only_for_what_is_known() -> None:
    both = Tokens("one", "two")
    assert both.current(CALL, is_known=False) == "one"
    both.reject("one")
    with pytest.raises(IconikRefused, match="the click's token has expired") as refused:
        both.current(CALL, is_known=False)
    assert not isinstance(refused.value, TokenRejected)
    assert both.current(CALL) == "two"


def test_a_click_without_a_token_has_the_rights_of_the_application() -> None:
    assert Tokens("", "two").current(CALL, is_known=False) == "two"


@pytest.mark.parametrize(
    ("given", "owner"),
    [
        (("one", "two"), OF_CLICK),
        (("one", ""), OF_CLICK),
        (("one", "one"), OF_CLICK),
        (("", "two"), OF_APPLICATION),
    ],
)
def test_it_is_known_whose_was_used_last(given: tuple[str, str], owner: str) -> None:
    Tokens(*given).current(CALL)
    assert acting_as.get() == owner


def test_it_is_known_when_that_of_the_application_has_taken_over() -> None:
    both = Tokens("one", "two")
    both.current(CALL)
    both.reject("one")
    both.current(CALL)
    assert acting_as.get() == OF_APPLICATION
