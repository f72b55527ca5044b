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


def ask(transport: Transport) -> dict[str, Any]:
    """Ask for one object."""
    return transport.object("GET", "things/1/", "read thing 1", "can_read_things")


# What is sent


def test_a_request_carries_application_and_token(
    transport: Transport, http: RequestsMock, settings: Settings
) -> None:
    headers = {"App-ID": settings.iconik_id, "Auth-Token": CLICK_TOKEN}
    http.get(THING, json={}, match=[matchers.header_matcher(headers)])
    assert ask(transport) == {}


def test_a_body_is_sent_as_json(transport: Transport, http: RequestsMock) -> None:
    http.post(THINGS, json={"id": 1}, match=[matchers.json_params_matcher({"name": "é"})])
    answer = transport.object("POST", "things/", "make a thing", "can", json={"name": "é"})
    assert answer == {"id": 1}


def test_a_request_has_a_time_limit(transport: Transport, http: RequestsMock) -> None:
    limits = {"timeout": (10.0, 60.0)}
    http.get(THING, json={}, match=[matchers.request_kwargs_matcher(limits)])
    assert ask(transport) == {}


def test_every_attempt_waits_for_its_turn(
    transport: Transport, http: RequestsMock, pacer: NoPacer
) -> None:
    http.get(THING, status=503)
    http.get(THING, json={})
    ask(transport)
    assert pacer.requests == 2


def test_what_iconik_says_is_left_is_told_to_all(
    transport: Transport, http: RequestsMock, pacer: NoPacer
) -> None:
    http.get(THING, json={}, headers={"RateLimit-Remaining": "17"})
    ask(transport)
    assert (pacer.left, pacer.pauses) == ([17.0], [])


@pytest.mark.parametrize(
    ("headers", "told_when", "pauses"),
    [({"Retry-After": "7", "RateLimit-Remaining": "3"}, [True], [7.0]), ({}, [False], [0])],
)
@pytest.mark.usefixtures("waits")
def test_past_the_limit_all_pause_as_long_as_iconik_asks(
    transport: Transport,
    http: RequestsMock,
    pacer: NoPacer,
    headers: dict[str, str],
    told_when: list[bool],
    pauses: list[float],
) -> None:
    http.get(THING, status=429, headers=headers)
    http.get(THING, json={})
    ask(transport)
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


def test_what_deletes_files_goes_before_what_does_not(
    transport: Transport, pacer: NoPacer, http: RequestsMock
) -> None:
    http.delete(THING, status=204)
    transport.delete("things/1/", "delete it", "can", until=FOR_EVER)
    transport.delete("things/1/", "delete it", "can")
    assert pacer.urgent == [True, False]


@pytest.mark.parametrize("wait", ["the pace", "the turn"])
def test_no_file_is_deleted_that_was_proven_too_long_ago(
    transport: Transport,
    pacer: NoPacer,
    http: RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    wait: str,
) -> None:
    now = [1_000.0]
    monkeypatch.setattr(expiry, "now", lambda: now[0])

    def take_long(*_: object, **__: object) -> float:
        now[0] += 5.0
        return 0.0

    if wait == "the pace":
        monkeypatch.setattr(pacer, "wait", take_long)
    else:
        monkeypatch.setattr(transport, "_check", take_long)
    with pytest.raises(TooLate, match="could not delete it: the request was delayed"):
        transport.delete("things/1/", "delete it", "can", until=1_004.0)
    assert len(http.calls) == 0


def test_a_deletion_takes_no_longer_to_reach_iconik_than_its_proof_holds(
    transport: Transport, http: RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "now", lambda: 1_000.0)
    http.delete(THING, status=204)
    transport.delete("things/1/", "delete it", "can", until=1_004.0)
    sent: Any = http.calls[0].request
    assert sent.req_kwargs["timeout"] == (4.0, READ_TIMEOUT)


def read_things(transport: Transport, reading: Reading) -> list[Any]:
    return transport.whole("things/", "list things", "can", reading=reading)


def test_a_reading_is_as_old_as_its_first_page_is_since_it_was_asked_for(
    transport: Transport, pacer: NoPacer, http: RequestsMock, monkeypatch: pytest.MonkeyPatch
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
    http.get(THINGS, status=503)
    http.add_callback("GET", THINGS, answer_late)
    reading = Reading()
    assert read_things(transport, reading) == [{}]
    assert (reading.began, reading.pages) == (1_014.0, 1)


def test_what_goes_on_with_a_reading_goes_before_what_can_wait(
    transport: Transport, pacer: NoPacer, http: RequestsMock
) -> None:
    http.get(THINGS, json={"objects": [{}], "next_url": "/API/things/?last_id=1"})
    http.get(THINGS, json={"objects": [{}]})
    reading = Reading()
    read_things(transport, reading)
    read_things(transport, Reading())
    assert (pacer.urgent, reading.pages) == ([False, True, False], 2)


def test_a_list_that_is_read_again_is_as_old_as_its_last_reading(
    transport: Transport, http: RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([1_000.0, 1_001.0, 1_002.0, 1_003.0])
    monkeypatch.setattr(expiry, "now", lambda: next(times))
    http.get(f"{API}others/", json={"objects": []})
    http.get(THINGS, json={"objects": [], "total": 1})
    http.get(THINGS, json={"objects": [], "total": 1})
    http.get(THINGS, json={"objects": [{"id": "1"}], "total": 1})
    reading = Reading()
    assert read_things(transport, reading) == [{"id": "1"}]
    assert (reading.began, reading.pages) == (1_002.0, 1)
    # What was read before it, and goes with it, still counts.
    transport.whole("others/", "list others", "can", reading=reading)
    assert (reading.began, reading.pages) == (1_002.0, 2)


# Failures that pass


@pytest.mark.parametrize("status", PASSING)
def test_a_failure_that_may_pass_is_tried_again(
    transport: Transport, http: RequestsMock, status: int
) -> None:
    http.get(THING, status=status, json=ERRORS)
    http.get(THING, json={"id": 1})
    assert ask(transport) == {"id": 1}


def test_a_failure_that_does_not_pass_is_given_up_with_iconiks_reason(
    transport: Transport, http: RequestsMock
) -> None:
    answer = http.get(THING, status=409, json=ERRORS)
    with pytest.raises(IconikUnavailable) as caught:
        ask(transport)
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
def test_a_broken_connection_is_an_outage(
    transport: Transport, http: RequestsMock, failure: Exception, problem: str
) -> None:
    attempt = http.get(THING, body=failure)
    with pytest.raises(IconikUnavailable) as caught:
        ask(transport)
    assert problem in str(caught.value)
    assert attempt.call_count == ATTEMPTS


@pytest.mark.parametrize(
    "body",
    ["{", "<html>Bad gateway</html>", "\x00", '{"a": ' + "1" * 5000 + "}", "[" * 100_000, b"\xff"],
    ids=lambda body: repr(body[:12]),
)
def test_an_answer_that_is_no_json_is_an_outage(
    transport: Transport, http: RequestsMock, body: str | bytes
) -> None:
    attempt = http.get(THING, body=body)
    with pytest.raises(IconikUnavailable, match="iconik's answer is not JSON"):
        ask(transport)
    assert attempt.call_count == ATTEMPTS


@pytest.mark.parametrize("body", ["", "null", "1", '"text"', "[]", "true", "NaN"])
def test_an_answer_that_is_no_object_is_an_outage(
    transport: Transport, http: RequestsMock, body: str
) -> None:
    http.get(THING, body=body)
    with pytest.raises(IconikUnavailable, match="not a JSON object"):
        ask(transport)


# Waiting


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_iconik_asks_for_is_kept(
    transport: Transport, http: RequestsMock, waits: list[float], status: int
) -> None:
    http.get(THING, status=status, headers={"Retry-After": "7"})
    http.get(THING, json={})
    ask(transport)
    assert waits == [7.0]


@pytest.mark.parametrize("seconds", ["3600", "9" * 400])
def test_a_pause_is_kept_within_reason(
    transport: Transport, http: RequestsMock, waits: list[float], seconds: str
) -> None:
    http.get(THING, status=429, headers={"Retry-After": seconds})
    http.get(THING, json={})
    ask(transport)
    assert waits == [LONGEST_WAIT]


@pytest.mark.parametrize(
    "text", [None, "", "soon", "-1", "1.5", "²", "Wed, 21 Oct 2026 07:28:00 GMT"]
)
def test_without_a_number_of_seconds_the_pause_is_our_own(
    transport: Transport, http: RequestsMock, waits: list[float], text: str | None
) -> None:
    headers = {} if text is None else {"Retry-After": text.encode().decode("latin-1")}
    http.get(THING, status=429, headers=headers)
    http.get(THING, json={})
    ask(transport)
    assert len(waits) == 1
    assert 0 <= waits[0] <= 1


def test_our_own_pauses_grow(
    transport: Transport,
    http: RequestsMock,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    http.get(THING, status=500)
    with pytest.raises(IconikUnavailable):
        ask(transport)
    assert waits == sorted(set(waits))
    assert len(waits) == ATTEMPTS - 1


# Refusals


@pytest.mark.parametrize("status", FINAL)
def test_a_refusal_is_not_asked_again(
    transport: Transport, http: RequestsMock, status: int
) -> None:
    answer = http.get(THING, status=status, json=ERRORS)
    with pytest.raises(IconikRefused, match=str(status)):
        ask(transport)
    assert answer.call_count == 1


@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize("body", ["", PAGE, "[]", '"errors"', '{"message": "No"}'])
def test_what_looks_like_a_refusal_but_is_not_iconik_s_own_is_tried_again(
    transport: Transport, http: RequestsMock, status: int, body: str
) -> None:
    http.get(THING, status=status, body=body)
    http.get(THING, json={"id": 1})
    assert ask(transport) == {"id": 1}


@pytest.mark.parametrize("status", [405, 501])
def test_what_iconik_does_not_offer_is_told_apart(
    transport: Transport, http: RequestsMock, status: int
) -> None:
    http.get(THING, status=status, json=ERRORS)
    with pytest.raises(NotOffered, match=f"iconik answered {status}: Not like this"):
        ask(transport)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_call_that_only_newer_iconiks_have_may_be_unknown_to_whatever_answers(
    transport: Transport, http: RequestsMock, status: int
) -> None:
    http.post(THINGS, status=status, body=PAGE)
    with pytest.raises(NotOffered, match=f"iconik answered {status}: no reason given"):
        transport.delete_many("things/", "delete them", "can", ["1"], until=FOR_EVER)


def test_that_none_of_several_things_is_there_is_told_apart(
    transport: Transport, http: RequestsMock
) -> None:
    http.post(THINGS, status=404, json=ERRORS)
    with pytest.raises(NotFound):
        transport.delete_many("things/", "delete them", "can", ["1"], until=FOR_EVER)


def test_what_is_not_there_is_told_apart(transport: Transport, http: RequestsMock) -> None:
    http.get(THING, status=404, json=ERRORS)
    with pytest.raises(NotFound, match="could not read thing 1: iconik found no such object"):
        ask(transport)


def test_a_missing_role_is_named(transport: Transport, http: RequestsMock) -> None:
    http.get(THING, status=403, json={"errors": ["Forbidden"]})
    with pytest.raises(
        NotPermitted, match=r"iconik answered 403: Forbidden \(requires can_read_things\)$"
    ):
        ask(transport)


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
def test_the_reason_is_read_from_any_shape(
    transport: Transport, http: RequestsMock, body: str, reason: str
) -> None:
    http.get(THING, status=400, body=body)
    with pytest.raises(IconikRefused) as caught:
        ask(transport)
    assert caught.value.problem == f"iconik answered 400: {reason}"


def test_a_reason_of_any_length_is_cut(transport: Transport, http: RequestsMock) -> None:
    http.get(THING, status=400, json={"errors": ["x" * 100_000]})
    with pytest.raises(IconikRefused) as caught:
        ask(transport)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("status", [300, 302, 307, 403, 404, 410])
def test_a_deletion_whose_answer_is_not_iconik_s_own_is_no_success_and_not_repeated(
    transport: Transport, http: RequestsMock, status: int
) -> None:
    answer = http.delete(THING, status=status, body=PAGE)
    with pytest.raises(IconikUnavailable, match=f"iconik answered {status}"):
        transport.delete("things/1/", "delete it", "can", until=FOR_EVER)
    assert answer.call_count == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(transport: Transport, http: RequestsMock, status: int) -> None:
    http.get(THING, status=status, headers={"Location": "https://evil.test/"})
    elsewhere = http.get("https://evil.test/", json={})
    with pytest.raises(IconikUnavailable, match=f"iconik answered {status}"):
        ask(transport)
    assert elsewhere.call_count == 0


# Tokens


def answer_to(good: set[str]) -> Callable[[PreparedRequest], tuple[int, dict[str, str], str]]:
    """Answers that reject every token but the good ones."""
    return lambda request: (200 if request.headers["Auth-Token"] in good else 401, {}, "{}")


def test_a_rejected_token_gives_way_to_the_next(
    transport: Transport, http: RequestsMock, settings: Settings
) -> None:
    http.add_callback("GET", THING, answer_to({settings.iconik_token or ""}))
    assert ask(transport) == {}


def test_what_is_not_known_is_not_asked_with_the_next(
    transport: Transport, http: RequestsMock, settings: Settings
) -> None:
    http.add_callback("GET", THING, answer_to({settings.iconik_token or ""}))
    known = [False]
    limited = transport.limited(lambda: known[0])
    with pytest.raises(IconikRefused, match="ICONIK_TOKEN may only continue with what"):
        ask(limited)
    known[0] = True
    assert [ask(limited), ask(transport)] == [{}, {}]


def test_a_token_that_iconik_rejects_for_a_moment_is_kept(
    transport: Transport, http: RequestsMock, waits: list[float]
) -> None:
    for _ in range(REJECTIONS - 1):
        http.get(THING, status=401)
    http.get(THING, json={"id": 1})
    assert ask(transport) == {"id": 1}
    assert {call.request.headers["Auth-Token"] for call in http.calls} == {CLICK_TOKEN}
    assert waits == [0.5, 1.0, 2.0]


def test_a_deletion_that_is_asked_for_again_after_a_401_is_so_only_while_its_proof_holds(
    transport: Transport, http: RequestsMock, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "now", lambda: 1_000.0 + sum(waits))
    answer = http.delete(THING, status=401)
    with pytest.raises(TooLate):
        transport.delete("things/1/", "delete it", "can", until=1_001.0)
    assert answer.call_count == 2


def test_a_rejected_token_is_not_tried_again(
    transport: Transport, http: RequestsMock, settings: Settings
) -> None:
    http.add_callback("GET", THING, answer_to({settings.iconik_token or ""}))
    ask(transport)
    ask(transport)
    sent = [call.request.headers["Auth-Token"] for call in http.calls]
    assert sent == [*[CLICK_TOKEN] * REJECTIONS, settings.iconik_token, settings.iconik_token]


def test_with_every_token_rejected_it_is_said_so(transport: Transport, http: RequestsMock) -> None:
    http.add_callback("GET", THING, answer_to(set()))
    with pytest.raises(
        TokenRejected, match=("could not read thing 1: iconik no longer accepts any token")
    ):
        ask(transport)


def test_without_a_good_token_nothing_more_is_asked(
    transport: Transport, http: RequestsMock
) -> None:
    http.add_callback("GET", THING, answer_to(set()))
    for _ in range(2):
        with pytest.raises(TokenRejected):
            ask(transport)
    assert len(http.calls) == 2 * REJECTIONS


def test_a_token_that_another_request_found_rejected_is_dropped_once(
    transport: Transport, http: RequestsMock
) -> None:
    requests_inside: list[PreparedRequest] = []

    def reject(request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        if request.headers["Auth-Token"] != CLICK_TOKEN:
            return 200, {}, "{}"
        if not requests_inside:
            requests_inside.append(request)
            ask(transport)
        return 401, {}, ""

    http.add_callback("GET", THING, reject)
    assert ask(transport) == {}


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
    transport: Transport,
    http: RequestsMock,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    answer: dict[str, Any],
) -> None:
    caplog.set_level(logging.DEBUG)
    http.get(THING, **answer)
    with pytest.raises(IconikError) as caught:
        ask(transport)
    shown = f"{caught.value} {caught.value!r} {caught.getrepr(style='short')} {caplog.text}"
    assert CLICK_TOKEN not in shown
    assert str(settings.iconik_token) not in shown


# Deletion


@pytest.mark.parametrize("status", [200, 202, 204, 404])
def test_deleting_succeeds_also_when_it_is_gone(
    transport: Transport, http: RequestsMock, status: int
) -> None:
    http.delete(THING, status=status, body="" if status < 400 else '{"errors": []}')
    transport.delete("things/1/", "delete thing 1", "can_delete_things")


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        (["no space", "no time"], "no space; no time"),
        ({"ids": "unknown"}, "ids: unknown"),
        ("no", "no"),
    ],
)
def test_a_deletion_whose_answer_lists_errors_is_refused(
    transport: Transport, http: RequestsMock, errors: object, told: str
) -> None:
    http.delete(THING, status=200, json={"errors": errors})
    with pytest.raises(IconikRefused, match=f"iconik answered 200 with errors: {told}"):
        transport.delete("things/1/", "delete it", "can", until=FOR_EVER)


@pytest.mark.parametrize("answer", [{"errors": []}, {"id": "1"}, [1]])
def test_a_deletion_whose_answer_lists_no_errors_is_done(
    transport: Transport, http: RequestsMock, answer: object
) -> None:
    http.delete(THING, status=200, json=answer)
    assert transport.delete("things/1/", "delete it", "can", until=FOR_EVER)


def test_a_restoration_whose_answer_lists_errors_is_refused(
    transport: Transport, http: RequestsMock
) -> None:
    http.put(THING, status=200, json={"errors": [f"bad {CLICK_TOKEN}"]})
    with pytest.raises(IconikRefused, match=r"with errors: bad \*\*\*"):
        transport.restore("things/1/", "restore it", "can")


def test_an_answer_to_a_question_may_list_errors(transport: Transport, http: RequestsMock) -> None:
    http.get(THING, status=200, json={"errors": ["a job's own"]})
    assert transport.object("GET", "things/1/", "read it", "can") == {"errors": ["a job's own"]}


@pytest.mark.parametrize(
    ("answer", "waited"),
    [({"status": 503}, []), ({"status": 429, "headers": {"Retry-After": "7"}}, [7.0])],
)
def test_what_is_to_be_asked_once_is_not_repeated_but_the_next_waits_as_long_as_iconik_wants(
    transport: Transport,
    http: RequestsMock,
    waits: list[float],
    answer: dict[str, Any],
    waited: list[float],
) -> None:
    asked = http.delete(THING, **answer)
    with pytest.raises(IconikUnavailable):
        transport.delete("things/1/", "delete it", "can", until=FOR_EVER)
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
