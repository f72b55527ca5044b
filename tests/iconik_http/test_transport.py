"""The way to iconik when iconik, or something on the way, does not do as documented."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
from requests import PreparedRequest
from responses import RequestsMock, matchers

from b2_iconik.common.errors import Stopped
from b2_iconik.common.settings import Settings
from iconik_http import expiry
from iconik_http.errors import (
    IconikError,
    IconikRefused,
    IconikUnavailable,
    NotFound,
    NotOffered,
    NotPermitted,
    TokenRejected,
    TooLate,
)
from iconik_http.expiry import Reading
from iconik_http.server_clock import ServerClock
from iconik_http.tokens import Tokens
from iconik_http.transport import ATTEMPTS, LONGEST_WAIT, READ_TIMEOUT, REJECTIONS, Transport
from tests.fake_iconik import API, CLICK_TOKEN, NoPacer
from tests.makers import FOR_EVER

THING = f"{API}things/1/"
THINGS = f"{API}things/"
# All but those by which iconik refuses for good.
PASSING = [
    300, 301, 302, 303, 304, 307, 308, 402, 407, 408, 409, 411, 412, 413, 415, 418, 421, 423, 425,
    426, 429, 451, 499, 500, 502, 503, 504, 505, 507, 520, 522, 524, 525, 529, 599,
]  # fmt: skip
FINAL = [400, 403, 404, 405, 410, 422, 501]
ERRORS = {"errors": ["Not like this"]}
PAGE = "<html><h1>Not like this</h1></html>"


def ask(transport: Transport) -> dict[str, Any]:
    """Ask for one object."""
    return transport.object("GET", "things/1/", "read thing 1", "can_read_things")


class Wire:
    """A transport with a click's token and an application's, and what answers it."""

    def __init__(self, transport: Transport, http: RequestsMock) -> None:
        self.transport = transport
        self.http = http

    def ask(self) -> dict[str, Any]:
        """Ask for one object."""
        return ask(self.transport)

    def read_all(self, reading: Reading) -> list[Any]:
        """Read a list that is evidence."""
        return self.transport.whole("things/", "list things", "can", reading=reading)

    def delete(self, until: float | None = FOR_EVER) -> bool:
        """Delete an object; files, if that is done only until some time."""
        return self.transport.delete("things/1/", "delete it", "can", until=until)

    def delete_many(self) -> None:
        """Delete some files by one request."""
        self.transport.delete_many("things/", "delete them", "can", ["1"], until=FOR_EVER)


@pytest.fixture
def wire(transport: Transport, http: RequestsMock) -> Wire:
    return Wire(transport, http)


Connect = Callable[..., Transport]


@pytest.fixture
def connect(settings: Settings, pacer: NoPacer, http: RequestsMock) -> Iterator[Connect]:
    """Make a transport with a click's token unless others are given."""
    made: list[Transport] = []

    def connect(tokens: Tokens | None = None, **options: Any) -> Transport:
        tokens = tokens or Tokens(CLICK_TOKEN)
        made.append(Transport(settings.iconik_url, "app", tokens, pacer, **options))
        return made[-1]

    yield connect
    for each in made:
        each.close()


# What is sent


def test_a_request_carries_application_and_token(wire: Wire, settings: Settings) -> None:
    headers = {"App-ID": settings.iconik_id, "Auth-Token": CLICK_TOKEN}
    wire.http.get(THING, json={}, match=[matchers.header_matcher(headers)])
    assert wire.ask() == {}


def test_a_body_is_sent_as_json(wire: Wire) -> None:
    wire.http.post(THINGS, json={"id": 1}, match=[matchers.json_params_matcher({"name": "é"})])
    answer = wire.transport.object("POST", "things/", "make a thing", "can", json={"name": "é"})
    assert answer == {"id": 1}


def test_a_request_has_a_time_limit(wire: Wire) -> None:
    limits = {"timeout": (10.0, 60.0)}
    wire.http.get(THING, json={}, match=[matchers.request_kwargs_matcher(limits)])
    assert wire.ask() == {}


def test_every_attempt_waits_for_its_turn(wire: Wire, pacer: NoPacer) -> None:
    wire.http.get(THING, status=503)
    wire.http.get(THING, json={})
    wire.ask()
    assert pacer.requests == 2


def test_what_iconik_says_is_left_is_told_to_all(wire: Wire, pacer: NoPacer) -> None:
    wire.http.get(THING, json={}, headers={"RateLimit-Remaining": "17"})
    wire.ask()
    assert (pacer.left, pacer.pauses) == ([17.0], [])


@pytest.mark.parametrize(
    ("headers", "told_when", "pauses"),
    [({"Retry-After": "7", "RateLimit-Remaining": "3"}, [True], [7.0]), ({}, [False], [0])],
)
@pytest.mark.usefixtures("waits")
def test_past_the_limit_all_pause_as_long_as_iconik_asks(
    wire: Wire, pacer: NoPacer, headers: dict[str, str], told_when: list[bool], pauses: list[float]
) -> None:
    wire.http.get(THING, status=429, headers=headers)
    wire.http.get(THING, json={})
    wire.ask()
    assert (pacer.left, pacer.told_when, pacer.pauses) == ([-1.0], told_when, pauses)


@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_every_answer_tells_iconiks_time(connect: Connect, http: RequestsMock, status: int) -> None:
    clock = ServerClock()
    headers = {"Date": "Sat, 28 Nov 2026 12:00:00 GMT"}
    http.get(THING, json={}, status=status, headers=headers)
    with suppress(IconikError):
        ask(connect(attempts=1, clock=clock))
    assert (clock.earliest_ms() or 0) // 60_000 == 1_795_867_200 // 60


@pytest.mark.parametrize("until", [None, FOR_EVER])
def test_whether_a_request_deletes_files_is_told_to_who_checks_the_turn(
    connect: Connect, http: RequestsMock, until: float | None
) -> None:
    checked: list[bool] = []
    transport = connect(check=checked.append)
    http.delete(THING, status=204)
    transport.delete("things/1/", "delete it", "can", until=until)
    http.post(THINGS, status=204)
    transport.delete_many("things/", "delete them", "can", ["1", "2"], until=FOR_EVER)
    assert checked == [until is not None, True]


def test_what_deletes_files_goes_before_what_does_not(wire: Wire, pacer: NoPacer) -> None:
    wire.http.delete(THING, status=204)
    wire.delete()
    wire.delete(None)
    assert pacer.urgent == [True, False]


@pytest.mark.parametrize("wait", ["the pace", "the turn"])
def test_no_file_is_deleted_that_was_proven_too_long_ago(
    wire: Wire, pacer: NoPacer, monkeypatch: pytest.MonkeyPatch, wait: str
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(expiry, "now", lambda: now[0])

    def take_long(*_: object, **__: object) -> float:
        now[0] += 5.0
        return 0.0

    if wait == "the pace":
        monkeypatch.setattr(pacer, "wait", take_long)
    else:
        monkeypatch.setattr(wire.transport, "_check", take_long)
    with pytest.raises(TooLate, match="could not delete it: the request was delayed"):
        wire.delete(1_004.0)
    assert len(wire.http.calls) == 0


def test_a_deletion_takes_no_longer_to_reach_iconik_than_its_proof_holds(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "now", lambda: 1_000.0)
    wire.http.delete(THING, status=204)
    wire.delete(1_004.0)
    sent: Any = wire.http.calls[0].request
    assert sent.req_kwargs["timeout"] == (4.0, READ_TIMEOUT)


def test_a_reading_is_as_old_as_its_first_page_is_since_it_was_asked_for(
    wire: Wire, pacer: NoPacer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(expiry, "now", lambda: now[0])

    def take_long(*_: object, **__: object) -> float:
        now[0] += 7.0
        return 0.0

    def answer_late(_: PreparedRequest) -> tuple[int, dict[str, str], str]:
        now[0] += 100.0
        return 200, {}, '{"objects": [{}]}'

    # The wait for its turn makes nothing old, nor does an attempt that came to nothing.
    monkeypatch.setattr(pacer, "wait", take_long)
    wire.http.get(THINGS, status=503)
    wire.http.add_callback("GET", THINGS, answer_late)
    reading = Reading()
    assert wire.read_all(reading) == [{}]
    assert (reading.began, reading.pages) == (1_014.0, 1)


def test_what_goes_on_with_a_reading_goes_before_what_can_wait(wire: Wire, pacer: NoPacer) -> None:
    wire.http.get(THINGS, json={"objects": [{}], "next_url": "/API/things/?last_id=1"})
    wire.http.get(THINGS, json={"objects": [{}]})
    reading = Reading()
    wire.read_all(reading)
    wire.read_all(Reading())
    assert (pacer.urgent, reading.pages) == ([False, True, False], 2)


def test_a_list_that_is_read_again_is_as_old_as_its_last_reading(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([1_000.0, 1_001.0, 1_002.0, 1_003.0])
    monkeypatch.setattr(expiry, "now", lambda: next(times))
    wire.http.get(f"{API}others/", json={"objects": []})
    wire.http.get(THINGS, json={"objects": [], "total": 1})
    wire.http.get(THINGS, json={"objects": [], "total": 1})
    wire.http.get(THINGS, json={"objects": [{"id": "1"}], "total": 1})
    reading = Reading()
    assert wire.read_all(reading) == [{"id": "1"}]
    assert (reading.began, reading.pages) == (1_002.0, 1)
    # What was read before it, and goes with it, still counts.
    wire.transport.whole("others/", "list others", "can", reading=reading)
    assert (reading.began, reading.pages) == (1_002.0, 2)


# Failures that pass


@pytest.mark.parametrize("status", PASSING)
def test_a_failure_that_may_pass_is_tried_again(wire: Wire, status: int) -> None:
    wire.http.get(THING, status=status, json=ERRORS)
    wire.http.get(THING, json={"id": 1})
    assert wire.ask() == {"id": 1}


def test_a_failure_that_does_not_pass_is_given_up_with_iconiks_reason(wire: Wire) -> None:
    answer = wire.http.get(THING, status=409, json=ERRORS)
    with pytest.raises(IconikUnavailable) as caught:
        wire.ask()
    assert str(caught.value) == (
        "could not read thing 1: iconik answered 409 Conflict: Not like this"
    )
    assert answer.call_count == ATTEMPTS


@pytest.mark.parametrize(
    ("failure", "problem"),
    [
        (requests.ConnectTimeout(), "did not answer in time"),
        (requests.ReadTimeout(), "did not answer in time"),
        (requests.ConnectionError(), "connection to iconik failed (ConnectionError)"),
        (requests.exceptions.SSLError(), "connection to iconik failed (SSLError)"),
        (requests.exceptions.ProxyError(), "connection to iconik failed (ProxyError)"),
        (requests.exceptions.ChunkedEncodingError(), "failed (ChunkedEncodingError)"),
        (requests.exceptions.ContentDecodingError(), "failed (ContentDecodingError)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_broken_connection_is_an_outage(wire: Wire, failure: Exception, problem: str) -> None:
    attempt = wire.http.get(THING, body=failure)
    with pytest.raises(IconikUnavailable) as caught:
        wire.ask()
    assert problem in str(caught.value)
    assert attempt.call_count == ATTEMPTS


@pytest.mark.parametrize(
    "body",
    ["{", "<html>Bad gateway</html>", "\x00", '{"a": ' + "1" * 5000 + "}", "[" * 100_000, b"\xff"],
    ids=lambda body: repr(body[:12]),
)
def test_an_answer_that_is_no_json_is_an_outage(wire: Wire, body: str | bytes) -> None:
    attempt = wire.http.get(THING, body=body)
    with pytest.raises(IconikUnavailable, match="iconik's answer is not JSON"):
        wire.ask()
    assert attempt.call_count == ATTEMPTS


@pytest.mark.parametrize("body", ["", "null", "1", '"text"', "[]", "true", "NaN"])
def test_an_answer_that_is_no_object_is_an_outage(wire: Wire, body: str) -> None:
    wire.http.get(THING, body=body)
    with pytest.raises(IconikUnavailable, match="not a JSON object"):
        wire.ask()


# Waiting


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_iconik_asks_for_is_kept(wire: Wire, waits: list[float], status: int) -> None:
    wire.http.get(THING, status=status, headers={"Retry-After": "7"})
    wire.http.get(THING, json={})
    wire.ask()
    assert waits == [7.0]


@pytest.mark.parametrize("seconds", ["3600", "9" * 400])
def test_a_pause_is_kept_within_reason(wire: Wire, waits: list[float], seconds: str) -> None:
    wire.http.get(THING, status=429, headers={"Retry-After": seconds})
    wire.http.get(THING, json={})
    wire.ask()
    assert waits == [LONGEST_WAIT]


@pytest.mark.parametrize(
    "text", [None, "", "soon", "-1", "1.5", "²", "Wed, 21 Oct 2026 07:28:00 GMT"]
)
def test_without_a_number_of_seconds_the_pause_is_our_own(
    wire: Wire, waits: list[float], text: str | None
) -> None:
    headers = {} if text is None else {"Retry-After": text.encode().decode("latin-1")}
    wire.http.get(THING, status=429, headers=headers)
    wire.http.get(THING, json={})
    wire.ask()
    assert len(waits) == 1
    assert 0 <= waits[0] <= 1


def test_our_own_pauses_grow(
    wire: Wire, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    wire.http.get(THING, status=500)
    with pytest.raises(IconikUnavailable):
        wire.ask()
    assert waits == sorted(set(waits))
    assert len(waits) == ATTEMPTS - 1


# Refusals


@pytest.mark.parametrize("status", FINAL)
def test_a_refusal_is_not_asked_again(wire: Wire, status: int) -> None:
    answer = wire.http.get(THING, status=status, json=ERRORS)
    with pytest.raises(IconikRefused, match=str(status)):
        wire.ask()
    assert answer.call_count == 1


@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize("body", ["", PAGE, "[]", '"errors"', '{"message": "No"}'])
def test_what_looks_like_a_refusal_but_is_not_iconik_s_own_is_tried_again(
    wire: Wire, status: int, body: str
) -> None:
    wire.http.get(THING, status=status, body=body)
    wire.http.get(THING, json={"id": 1})
    assert wire.ask() == {"id": 1}


@pytest.mark.parametrize("status", [405, 501])
def test_what_iconik_does_not_offer_is_told_apart(wire: Wire, status: int) -> None:
    wire.http.get(THING, status=status, json=ERRORS)
    with pytest.raises(NotOffered, match=f"iconik answered {status}: Not like this"):
        wire.ask()


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_call_that_only_newer_iconiks_have_may_be_unknown_to_whatever_answers(
    wire: Wire, status: int
) -> None:
    wire.http.post(THINGS, status=status, body=PAGE)
    with pytest.raises(NotOffered, match=f"iconik answered {status}: no reason given"):
        wire.delete_many()


def test_that_none_of_several_things_is_there_is_told_apart(wire: Wire) -> None:
    wire.http.post(THINGS, status=404, json=ERRORS)
    with pytest.raises(NotFound):
        wire.delete_many()


def test_what_is_not_there_is_told_apart(wire: Wire) -> None:
    wire.http.get(THING, status=404, json=ERRORS)
    with pytest.raises(NotFound, match="could not read thing 1: iconik found no such object"):
        wire.ask()


def test_a_missing_role_is_named(wire: Wire) -> None:
    wire.http.get(THING, status=403, json={"errors": ["Forbidden"]})
    with pytest.raises(
        NotPermitted, match=r"iconik answered 403: Forbidden \(requires can_read_things\)$"
    ):
        wire.ask()


@pytest.mark.parametrize("is_application", [False, True])
def test_a_refusal_says_whose_token_was_used(
    connect: Connect, http: RequestsMock, *, is_application: bool
) -> None:
    tokens = Tokens("", "of the application") if is_application else Tokens(CLICK_TOKEN)
    http.get(THING, status=403, json={"errors": ["Forbidden"]})
    with pytest.raises(NotPermitted) as caught:
        ask(connect(tokens))
    assert caught.value.is_application is is_application


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"errors": ["One", "Two"]}', "One; Two"),
        ('{"errors": {"title": "too long", "url": ["bad"]}}', "title: too long; url: ['bad']"),
        ('{"errors": "Just text"}', "Just text"),
        ('{"errors": null}', "None"),
        ('{"errors": [null, {"a": 1}]}', "None; {'a': 1}"),
        ('{"errors": []}', "no reason given"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_the_reason_is_read_from_any_shape(wire: Wire, body: str, reason: str) -> None:
    wire.http.get(THING, status=400, body=body)
    with pytest.raises(IconikRefused) as caught:
        wire.ask()
    assert caught.value.problem == f"iconik answered 400: {reason}"


def test_a_reason_of_any_length_is_cut(wire: Wire) -> None:
    wire.http.get(THING, status=400, json={"errors": ["x" * 100_000]})
    with pytest.raises(IconikRefused) as caught:
        wire.ask()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("status", [300, 302, 307, 403, 404, 410])
def test_a_deletion_whose_answer_is_not_iconik_s_own_is_no_success_and_not_repeated(
    wire: Wire, status: int
) -> None:
    answer = wire.http.delete(THING, status=status, body=PAGE)
    with pytest.raises(IconikUnavailable, match=f"iconik answered {status}"):
        wire.delete()
    assert answer.call_count == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(wire: Wire, status: int) -> None:
    wire.http.get(THING, status=status, headers={"Location": "https://evil.test/"})
    elsewhere = wire.http.get("https://evil.test/", json={})
    with pytest.raises(IconikUnavailable, match=f"iconik answered {status}"):
        wire.ask()
    assert elsewhere.call_count == 0


# Tokens


def answer_to(good: set[str]) -> Callable[[PreparedRequest], tuple[int, dict[str, str], str]]:
    """Answers that reject every token but the good ones."""
    return lambda request: (200 if request.headers["Auth-Token"] in good else 401, {}, "{}")


def test_a_rejected_token_gives_way_to_the_next(wire: Wire, settings: Settings) -> None:
    wire.http.add_callback("GET", THING, answer_to({settings.iconik_token or ""}))
    assert wire.ask() == {}


def test_what_is_not_known_is_not_asked_with_the_next(wire: Wire, settings: Settings) -> None:
    wire.http.add_callback("GET", THING, answer_to({settings.iconik_token or ""}))
    known = [False]
    limited = wire.transport.limited(lambda: known[0])
    with pytest.raises(IconikRefused, match="ICONIK_TOKEN may only continue with what"):
        ask(limited)
    known[0] = True
    assert [ask(limited), wire.ask()] == [{}, {}]


def test_a_token_that_iconik_rejects_for_a_moment_is_kept(wire: Wire, waits: list[float]) -> None:
    for _ in range(REJECTIONS - 1):
        wire.http.get(THING, status=401)
    wire.http.get(THING, json={"id": 1})
    assert wire.ask() == {"id": 1}
    assert {call.request.headers["Auth-Token"] for call in wire.http.calls} == {CLICK_TOKEN}
    assert waits == [0.5, 1.0, 2.0]


def test_a_deletion_that_is_asked_for_again_after_a_401_is_so_only_while_its_proof_holds(
    wire: Wire, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "now", lambda: 1_000.0 + sum(waits))
    answer = wire.http.delete(THING, status=401)
    with pytest.raises(TooLate):
        wire.delete(1_001.0)
    assert answer.call_count == 2


def test_a_rejected_token_is_not_tried_again(wire: Wire, settings: Settings) -> None:
    wire.http.add_callback("GET", THING, answer_to({settings.iconik_token or ""}))
    wire.ask()
    wire.ask()
    sent = [call.request.headers["Auth-Token"] for call in wire.http.calls]
    assert sent == [*[CLICK_TOKEN] * REJECTIONS, settings.iconik_token, settings.iconik_token]


def test_with_every_token_rejected_it_is_said_so(wire: Wire) -> None:
    wire.http.add_callback("GET", THING, answer_to(set()))
    with pytest.raises(
        TokenRejected, match=("could not read thing 1: iconik no longer accepts any token")
    ):
        wire.ask()


def test_without_a_good_token_nothing_more_is_asked(wire: Wire) -> None:
    wire.http.add_callback("GET", THING, answer_to(set()))
    for _ in range(2):
        with pytest.raises(TokenRejected):
            wire.ask()
    assert len(wire.http.calls) == 2 * REJECTIONS


def test_a_token_that_another_request_found_rejected_is_dropped_once(wire: Wire) -> None:
    requests_inside: list[PreparedRequest] = []

    def reject(request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        if request.headers["Auth-Token"] != CLICK_TOKEN:
            return 200, {}, "{}"
        if not requests_inside:
            requests_inside.append(request)
            wire.ask()
        return 401, {}, ""

    wire.http.add_callback("GET", THING, reject)
    assert wire.ask() == {}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 400, "json": {"errors": ["bad"]}},
        {"status": 401},
        {"status": 403, "json": ERRORS},
        {"status": 404, "json": ERRORS},
        {"status": 404, "body": PAGE},
        {"status": 500},
        {"body": requests.ConnectionError(f"with headers {{'Auth-Token': '{CLICK_TOKEN}'}}")},
        {"body": requests.ReadTimeout(f"with headers {{'Auth-Token': '{CLICK_TOKEN}'}}")},
        {"body": "{"},
    ],
    ids=repr,
)
def test_no_token_shows_in_errors_or_the_log(
    wire: Wire, settings: Settings, caplog: pytest.LogCaptureFixture, answer: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG)
    wire.http.get(THING, **answer)
    with pytest.raises(IconikError) as caught:
        wire.ask()
    shown = f"{caught.value} {caught.value!r} {caught.getrepr(style='short')} {caplog.text}"
    assert CLICK_TOKEN not in shown
    assert str(settings.iconik_token) not in shown


# Deletion


@pytest.mark.parametrize("status", [200, 202, 204, 404])
def test_deleting_succeeds_also_when_it_is_gone(wire: Wire, status: int) -> None:
    wire.http.delete(THING, status=status, body="" if status < 400 else '{"errors": []}')
    wire.delete(None)


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        (["no space", "no time"], "no space; no time"),
        ({"ids": "unknown"}, "ids: unknown"),
        ("no", "no"),
    ],
)
def test_a_deletion_whose_answer_lists_errors_is_refused(
    wire: Wire, errors: object, told: str
) -> None:
    wire.http.delete(THING, status=200, json={"errors": errors})
    with pytest.raises(IconikRefused, match=f"iconik answered 200 with errors: {told}"):
        wire.delete()


@pytest.mark.parametrize("answer", [{"errors": []}, {"id": "1"}, [1]])
def test_a_deletion_whose_answer_lists_no_errors_is_done(wire: Wire, answer: object) -> None:
    wire.http.delete(THING, status=200, json=answer)
    assert wire.delete()


def test_a_restoration_whose_answer_lists_errors_is_refused(wire: Wire) -> None:
    wire.http.put(THING, status=200, json={"errors": [f"bad {CLICK_TOKEN}"]})
    with pytest.raises(IconikRefused, match=r"with errors: bad \*\*\*"):
        wire.transport.restore("things/1/", "restore it", "can")


def test_an_answer_to_a_question_may_list_errors(wire: Wire) -> None:
    wire.http.get(THING, status=200, json={"errors": ["a job's own"]})
    assert wire.transport.object("GET", "things/1/", "read it", "can") == {
        "errors": ["a job's own"]
    }


@pytest.mark.parametrize(
    ("answer", "waited"),
    [({"status": 503}, []), ({"status": 429, "headers": {"Retry-After": "7"}}, [7.0])],
)
def test_what_is_to_be_asked_once_is_not_repeated_but_the_next_waits_as_long_as_iconik_wants(
    wire: Wire, waits: list[float], answer: dict[str, Any], waited: list[float]
) -> None:
    asked = wire.http.delete(THING, **answer)
    with pytest.raises(IconikUnavailable):
        wire.delete()
    assert asked.call_count == 1
    assert waits == waited


def test_a_deletion_is_not_tried_again_by_a_process_whose_turn_is_over(
    connect: Connect, http: RequestsMock
) -> None:
    checked: list[bool] = []

    def check(deletes_files: bool) -> None:
        checked.append(deletes_files)
        if len(checked) > 1:
            raise Stopped

    http.delete(THING, status=503)
    with pytest.raises(Stopped):
        connect(check=check).delete("things/1/", "delete thing 1", "can_delete_things")
    assert checked == [False, False]
    assert len(http.calls) == 1
