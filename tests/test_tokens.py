"""Which token iconik is asked with, and what comes after it."""

import logging

import pytest
import sqlalchemy as sa

import tokens
from cipher import Cipher
from database import writing
from errors import TokenRejected
from settings import Settings
from tables import newest_tokens
from tests.makers import a_click, clicked, endings
from tokens import Tokens, of_operation

CALL = "read storage 1"


def test_the_first_is_used_until_it_is_rejected(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    several = Tokens(["one", "", "two", "one"])
    assert several.current(CALL) == "one"
    several.reject("one")
    assert several.current(CALL) == "two"
    assert "1 left" in caplog.text


def test_one_that_was_rejected_twice_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    several = Tokens(["one", "two"])
    several.reject("one")
    several.reject("one")
    assert caplog.text.count("rejected") == 1


def test_when_none_is_left_another_is_asked_for() -> None:
    several = Tokens(["one"], lambda: "two")
    several.reject("one")
    assert several.current(CALL) == "two"


@pytest.mark.parametrize("renewed", ["", "one"])
def test_when_no_other_is_there_it_says_what_to_do(renewed: str) -> None:
    several = Tokens(["one"], lambda: renewed)
    several.reject("one")
    with pytest.raises(TokenRejected, match=r"could not read storage 1: .* click again, and set"):
        several.current(CALL)


def test_an_operation_has_its_click_s_then_the_application_s_then_the_last_one_s(
    settings: Settings, engine: sa.Engine
) -> None:
    click = a_click(auth_token="of the click")
    operation = clicked(engine, click)
    cipher = Cipher(settings.secrets)
    for token in ("of the second click", "of the third click"):
        with writing(engine) as connection:
            tokens.keep(connection, operation.number, cipher.serialize(token))
    several = of_operation(operation.id, click, settings, engine)
    for token in ("of the click", settings.iconik_token or "", "of the third click"):
        assert several.current(CALL) == token
        several.reject(token)
    with pytest.raises(TokenRejected):
        several.current(CALL)


def test_a_token_that_another_secret_has_encrypted_is_passed_over(
    settings: Settings, engine: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    click = a_click(auth_token="of the click")
    operation = clicked(engine, click)
    newer = Cipher(("the secret of another host, which has it already",))
    sealed = newer.serialize("of the second click")
    with writing(engine) as connection:
        tokens.keep(connection, operation.number, sealed)
    several = of_operation(operation.id, click, settings, engine)
    for token in ("of the click", settings.iconik_token or ""):
        several.reject(token)
    with pytest.raises(TokenRejected):
        several.current(CALL)
    assert "encrypted with another BZ_SHARED_SECRET" in caplog.text
    assert sealed not in caplog.text


def test_an_operation_that_was_clicked_once_has_no_more(
    settings: Settings, engine: sa.Engine
) -> None:
    click = a_click()
    operation = clicked(engine, click)
    several = of_operation(operation.id, click, settings, engine)
    several.reject(settings.iconik_token or "")
    with pytest.raises(TokenRejected):
        several.current(CALL)


def test_a_token_is_forgotten_with_its_operation(engine: sa.Engine) -> None:
    operation = clicked(engine, a_click())
    with writing(engine) as connection:
        tokens.keep(connection, operation.number, "sealed")
    endings(engine).forget([operation.id])
    with engine.connect() as connection:
        assert connection.execute(sa.select(newest_tokens)).all() == []
