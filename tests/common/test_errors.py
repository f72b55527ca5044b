"""What errors say, and which of them are caught together."""

import pytest

from b2_iconik.common.errors import ClickError, OperationFailed, Stopped
from b2_iconik.domain.reasons import Cause, reason_of
from iconik_http.errors import (
    Contradicted,
    IconikError,
    IconikRefused,
    IconikUnavailable,
    NotFound,
    NotPermitted,
    TokenExpired,
    TokenRejected,
    TooLate,
)


def test_a_click_error_names_the_field_and_the_problem() -> None:
    assert str(ClickError("context", "is unknown")) == "context: is unknown"


def test_an_iconik_error_names_the_call_and_the_problem() -> None:
    assert str(NotFound("read asset 1", "it is gone")) == "could not read asset 1: it is gone"


def test_nothing_that_catches_exceptions_catches_a_stop() -> None:
    assert not issubclass(Stopped, Exception)


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (IconikUnavailable, Cause.NO_ANSWER),
        (TooLate, Cause.TOO_SLOW),
        (IconikRefused, Cause.REFUSED),
        (NotFound, Cause.REFUSED),
        (Contradicted, Cause.UNCLEAR_RECORDS),
        (NotPermitted, Cause.NOT_PERMITTED),
        (TokenExpired, Cause.TOKEN_EXPIRED),
        (TokenRejected, Cause.TOKEN_REJECTED),
    ],
)
def test_an_error_is_a_reason_with_its_cause(kind: type[IconikError], cause: Cause) -> None:
    reason = reason_of(kind("list the files", "no"))
    assert reason.cause == cause
    assert "list the files" in reason


def test_an_error_of_which_the_cause_makes_no_difference_has_none() -> None:
    assert reason_of(OperationFailed("the storage is INACTIVE")).cause is None
