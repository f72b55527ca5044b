"""Every error survives being stored and read back."""

import pickle

import pytest

import errors
from errors import (
    BucketUnavailable,
    ClickError,
    Contradicted,
    IconikError,
    IconikRefused,
    IconikUnavailable,
    Incomplete,
    NotFound,
    NotOffered,
    NotPermitted,
    OperationFailed,
    PluginError,
    RecordingError,
    RetryError,
    SettingsError,
    Stopped,
    StopRequested,
    TokenExpired,
    TokenRejected,
    TooLate,
)
from reasons import Cause

ALL = [
    PluginError("why"),
    SettingsError("LOG_LEVEL", "must be another"),
    ClickError("asset_ids", "must be a list of UUIDs"),
    RecordingError("why"),
    RetryError("it has not ended"),
    StopRequested("why"),
    IconikError("read storage 1", "it said no"),
    IconikUnavailable("read storage 1", "it said no"),
    Incomplete("list the files", "1 of 2 objects"),
    BucketUnavailable("ask B2 about clip.mov", "B2 answered 503"),
    IconikRefused("read storage 1", "it said no"),
    NotFound("read storage 1", "it said no"),
    NotOffered("read storage 1", "it said no"),
    NotPermitted("read storage 1", "it said no", "can_read_storages"),
    TokenExpired("list the files", "click again"),
    Contradicted("list the files", "iconik knows the asset"),
    TokenRejected("read storage 1", "it said no"),
    TooLate("delete file set 1", "it had to wait"),
    OperationFailed("why"),
    Stopped(),
]


@pytest.mark.parametrize("error", ALL, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_after_pickling(error: BaseException) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), again.args, vars(again), str(again)) == (
        type(error),
        error.args,
        vars(error),
        str(error),
    )


def test_no_error_is_forgotten_here() -> None:
    defined = {
        each
        for each in vars(errors).values()
        if isinstance(each, type) and each.__module__ == errors.__name__
    }
    assert {type(error) for error in ALL} == defined


def test_a_click_error_names_the_field_and_the_problem() -> None:
    assert str(ClickError("context", "is unknown")) == "context: is unknown"


def test_an_iconik_error_names_the_call_and_the_problem() -> None:
    assert str(NotFound("read asset 1", "it is gone")) == "could not read asset 1: it is gone"


def test_nothing_that_catches_exceptions_catches_a_stop() -> None:
    assert not issubclass(Stopped, Exception)


@pytest.mark.parametrize("kind", [NotFound, NotPermitted, TokenRejected])
def test_a_refusal_of_any_kind_is_caught_as_a_refusal(kind: type[IconikError]) -> None:
    assert issubclass(kind, IconikRefused)


def test_an_outage_is_no_refusal() -> None:
    assert not issubclass(IconikUnavailable, IconikRefused)


def test_an_error_is_a_reason_with_its_cause() -> None:
    reason = NotPermitted("list the files", "no (403)").reason
    assert (reason, reason.cause) == ("could not list the files: no (403)", Cause.NOT_PERMITTED)


def test_an_error_of_which_the_cause_makes_no_difference_has_none() -> None:
    assert OperationFailed("the storage is INACTIVE").reason.cause is None
