"""The web side, with a recorder that only remembers: every answer iconik may get."""

import io
import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from gunicorn.http.errors import InvalidChunkSize, NoMoreData
from werkzeug.test import TestResponse

import plugin
from b2_iconik.common import logs
from b2_iconik.common.errors import RecordingError, SettingsError
from b2_iconik.common.settings import Settings
from b2_iconik.common.version import VERSION
from b2_iconik.dispatch.recorder import LastLook, Recorder
from b2_iconik.domain.click import CustomAction
from b2_iconik.domain.operation import Origin
from b2_iconik.operation.shown import Shown
from b2_iconik.report.notifier import Notifier
from plugin import LARGEST_BODY, create_app

B2 = "b2b2b2b2-0000-4000-8000-000000000000"
LL = "11111111-0000-4000-8000-000000000000"
ASSET = "a55e7000-0000-4000-8000-000000000001"
USER = "05e40000-0000-4000-8000-000000000001"
TOKEN = "token-of-the-click-0123456789"
QUERY = f"b2_storage_id={B2}&ll_storage_id={LL}"
CLICK = {"context": "ASSET", "asset_ids": [ASSET], "user_id": USER, "auth_token": TOKEN}


class FakeRecorder(Recorder):
    """Remembers what it is to record.

    Attributes:
        problem: what keeps it from working, if anything.
    """

    def __init__(self) -> None:
        self.recorded: list[CustomAction] = []
        self.is_new = True
        self.problem: Exception | None = None

    def record(
        self, click: CustomAction, origin: Origin | None = None, last_look: LastLook | None = None
    ) -> tuple[str, bool]:
        """Remember a click."""
        self.recorded.append(click)
        if self.problem:
            raise self.problem
        return "operation-1", self.is_new

    def check(self) -> str | None:
        """What the problem is."""
        return str(self.problem) if self.problem else None

    def open(self) -> None:
        """Nothing is to be opened."""


class Broken(io.RawIOBase):
    """A body that fails whoever reads it, as Gunicorn's does after odd chunks."""

    def __init__(self, problem: Exception) -> None:
        self._problem = problem

    def readable(self) -> bool:
        """It looks as if it could be read."""
        return True

    def readinto(self, _: Any) -> int:
        """Fail."""
        raise self._problem


# The body of a request that must be answered without reading it.
UNREAD = {"wsgi.input": Broken(AssertionError("the body was read")), "CONTENT_LENGTH": "100"}


@pytest.fixture
def recorder() -> FakeRecorder:
    """A recorder that has recorded nothing yet."""
    return FakeRecorder()


@pytest.fixture
def app(settings: Settings, recorder: FakeRecorder) -> Flask:
    """The service."""
    return create_app(settings, recorder)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Whoever posts to the service."""
    return app.test_client()


@pytest.fixture
def headers(settings: Settings) -> dict[str, str]:
    """What iconik sends along."""
    return {"x-bz-secret": settings.secret, "Content-Type": "application/json"}


@pytest.fixture
def post(client: FlaskClient, headers: dict[str, str]) -> Any:
    """Posts a click as iconik does."""

    def post(
        body: bytes | dict[str, Any] = CLICK, query: str = QUERY, path: str = "/add"
    ) -> TestResponse:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(f"{path}?{query}", data=data, headers=headers)

    return post


def message(answer: TestResponse) -> str:
    """The message of an answer, which is JSON whatever happened."""
    assert answer.mimetype == "application/json"
    text = answer.get_json()["message"]
    assert isinstance(text, str)
    return text


# Accepted


def test_a_click_is_answered_with_a_link_if_people_can_reach_the_service(
    settings: Settings, recorder: FakeRecorder, headers: dict[str, str]
) -> None:
    app = create_app(replace(settings, public_url="https://plugin.example.com"), recorder)
    answer = app.test_client().post(f"/add?{QUERY}", json=CLICK, headers=headers)
    link = answer.get_json()["redirect_url"]
    assert link.startswith("https://plugin.example.com/operations/operation-1?link=")


@pytest.mark.parametrize("action", ["add", "remove", "preview"])
def test_a_click_is_recorded_and_answered(
    post: Any, recorder: FakeRecorder, action: Any, settings: Settings
) -> None:
    answer = post(path=f"/{action}")
    assert (answer.status_code, answer.get_json()) == (
        200,
        {"message": "OK", "operation_id": "operation-1"},
    )
    assert recorder.recorded == [
        CustomAction(
            action=action,
            b2_storage_id=B2,
            ll_storage_id=LL,
            formats=settings.formats,
            context="ASSET",
            asset_ids=(ASSET,),
            user_id=USER,
            auth_token=TOKEN,
        )
    ]


def test_formats_in_the_url_go_before_those_of_the_settings(
    post: Any, recorder: FakeRecorder
) -> None:
    post(query=f"{QUERY}&formats=EDIT_PROXY")
    assert recorder.recorded[0].formats == ("EDIT_PROXY",)


def test_a_click_is_logged_with_its_operation(post: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    post()
    assert caplog.messages == [
        f"Add to LucidLink accepted: 1 asset, formats ORIGINAL,PPRO_PROXY, clicked by user {USER}"
    ]
    assert logs.operation_id.get() == "operation-1"


def test_a_repeated_click_is_answered_with_the_operation_that_has_not_begun(
    post: Any, recorder: FakeRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    recorder.is_new = False
    assert post().get_json()["operation_id"] == "operation-1"
    assert "already accepted, not started yet" in caplog.messages[0]


def test_a_click_of_nobody_we_know_is_logged_so(post: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    post({**CLICK, "user_id": None})
    assert "clicked by user unknown" in caplog.text


def test_a_request_after_a_click_is_not_logged_as_the_click(post: Any, client: FlaskClient) -> None:
    post()
    client.get("/")
    assert logs.operation_id.get() == "-"


def test_the_content_type_does_not_matter(client: FlaskClient, headers: dict[str, str]) -> None:
    headers["Content-Type"] = "text/plain"
    answer = client.post(f"/add?{QUERY}", data=json.dumps(CLICK), headers=headers)
    assert answer.status_code == 200


def test_a_click_may_use_the_previous_secret(
    environment: dict[str, str], recorder: FakeRecorder
) -> None:
    settings = Settings("id", "current", "previous")
    client = create_app(settings, recorder).test_client()
    for secret in ("current", "previous"):
        headers = {"x-bz-secret": secret}
        assert client.post(f"/add?{QUERY}", json=CLICK, headers=headers).status_code == 200


def test_a_click_without_a_token_falls_back_to_that_of_the_settings(post: Any) -> None:
    assert post({**CLICK, "auth_token": None}).status_code == 200


def test_a_click_without_any_token_is_refused(recorder: FakeRecorder) -> None:
    client = create_app(Settings("id", "secret"), recorder).test_client()
    posted = {**CLICK, "auth_token": None}
    answer = client.post(f"/add?{QUERY}", json=posted, headers={"x-bz-secret": "secret"})
    assert answer.status_code == 400
    assert message(answer).startswith("auth_token: is missing")
    assert recorder.recorded == []


@pytest.mark.parametrize("secret", ["current", "previous"])
def test_a_check_of_the_secret_is_answered_and_does_nothing(
    recorder: FakeRecorder, secret: str
) -> None:
    client = create_app(Settings("id", "current", "previous"), recorder).test_client()
    answer = client.post(
        "/check",
        headers={"x-bz-secret": secret},
        environ_overrides=UNREAD,
    )
    assert (answer.status_code, message(answer)) == (200, "OK")
    assert recorder.recorded == []


# Unauthenticated


@pytest.mark.parametrize("path", ["/add", "/remove", "/check"])
@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        " ",
        "wrong",
        "{secret}x",
        "x{secret}",
        "{secret},{secret}",
        "{secret}\xe9",
        "\xff",
        "x" * 8000,
    ],
)
def test_without_the_secret_nothing_is_read_or_done(
    client: FlaskClient,
    recorder: FakeRecorder,
    settings: Settings,
    path: str,
    given: str | None,
) -> None:
    secret = None if given is None else given.replace("{secret}", settings.secret)
    answer = client.post(
        f"{path}?{QUERY}",
        headers={} if secret is None else {"x-bz-secret": secret},
        environ_overrides=UNREAD,
    )
    assert answer.status_code == 401
    assert message(answer) == "The header x-bz-secret is missing or wrong."
    assert recorder.recorded == []


def test_an_unauthenticated_answer_says_how_to_authenticate(client: FlaskClient) -> None:
    assert client.post("/add").headers["WWW-Authenticate"] == "x-bz-secret"


def test_the_secret_counts_in_its_header_alone(client: FlaskClient, settings: Settings) -> None:
    answer = client.post(
        f"/add?{QUERY}&x-bz-secret={settings.secret}",
        json=CLICK,
        headers={"Authorization": settings.secret},
    )
    assert answer.status_code == 401


def test_a_body_that_is_too_large_is_not_looked_at_without_the_secret(
    client: FlaskClient,
) -> None:
    headers = {"Content-Length": str(LARGEST_BODY * 10)}
    assert client.post("/add", headers=headers).status_code == 401


# Malformed


@pytest.mark.parametrize("path", ["/add", "/remove"])
@pytest.mark.parametrize(
    ("field", "query", "body"),
    [
        ("b2_storage_id", "", CLICK),
        ("b2_storage_id", f"b2_storage_id=%ff%00&ll_storage_id={LL}", CLICK),
        ("ll_storage_id", f"b2_storage_id={B2}&ll_storage_id=%C2%A0", CLICK),
        ("formats", f"{QUERY}&formats=A%0d%0aB", CLICK),
        ("body", QUERY, b""),
        ("body", QUERY, b'{"context": "ASSET\xff"}'),
        ("body", QUERY, b"[" * 200_000),
        ("context", QUERY, {**CLICK, "context": "NONE"}),
        ("context", QUERY, b'{"context": "ASSET", "context": "x"}'),
        ("asset_ids", QUERY, {**CLICK, "asset_ids": ["x"] * 100_000}),
        ("collection_ids", QUERY, {**CLICK, "collection_ids": "all"}),
        ("saved_search_ids", QUERY, {**CLICK, "saved_search_ids": [0]}),
        ("user_id", QUERY, {**CLICK, "user_id": f"{USER}\r\nforged log line"}),
        ("auth_token", QUERY, {**CLICK, "auth_token": f"{TOKEN}\r\nX-Header: y"}),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_malformed_click_is_refused_naming_the_field(
    post: Any,
    recorder: FakeRecorder,
    path: str,
    field: str,
    query: str,
    body: bytes | dict[str, Any],
) -> None:
    answer = post(body, query, path)
    assert answer.status_code == 400
    assert message(answer).startswith(f"{field}: ")
    assert TOKEN not in message(answer)
    assert recorder.recorded == []


def test_a_refused_click_is_logged_without_its_token(
    post: Any, caplog: pytest.LogCaptureFixture
) -> None:
    post({**CLICK, "context": "x"})
    assert caplog.messages == [
        "refused a click: context: must be one of ASSET, COLLECTION, BULK, SAVED_SEARCH, PLAYLIST"
    ]


# Size


def padded(size: int) -> bytes:
    """A good click of just so many bytes."""
    return json.dumps(CLICK).encode().ljust(size)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize(("size", "status"), [(LARGEST_BODY, 200), (LARGEST_BODY + 1, 413)])
def test_a_body_of_four_megabytes_is_the_largest(
    client: FlaskClient, headers: dict[str, str], size: int, status: int, is_chunked: bool
) -> None:
    if is_chunked:
        # As Gunicorn hands over a body of unknown length, which it ends itself.
        sent: dict[str, Any] = {
            "input_stream": io.BytesIO(padded(size)),
            "environ_overrides": {"wsgi.input_terminated": True},
        }
    else:
        sent = {"data": padded(size)}
    answer = client.post(f"/add?{QUERY}", headers=headers, **sent)
    assert answer.status_code == status
    assert message(answer)


@pytest.mark.parametrize(
    ("secret", "path", "status"),
    [("wrong", "/add", 401), (None, "/add", 413), (None, "/ad", 404), (None, "/healthz", 405)],
)
@pytest.mark.parametrize(
    ("size", "is_read"), [(LARGEST_BODY + 1_000_000, True), (LARGEST_BODY * 3, False)]
)
def test_the_body_of_a_refused_request_is_read_to_its_end_only_if_that_is_near(
    client: FlaskClient,
    headers: dict[str, str],
    recorder: FakeRecorder,
    secret: str | None,
    path: str,
    status: int,
    size: int,
    is_read: bool,
) -> None:
    sent = io.BytesIO(padded(size))
    overrides = {"wsgi.input": sent, "CONTENT_LENGTH": str(size)}
    given = {**headers, "x-bz-secret": secret or headers["x-bz-secret"]}
    answer = client.post(f"{path}?{QUERY}", headers=given, environ_overrides=overrides)
    answer.close()
    assert answer.status_code == status
    assert (sent.tell() == size) is is_read
    assert recorder.recorded == []


@pytest.mark.parametrize("problem", [InvalidChunkSize(TOKEN.encode()), NoMoreData(), OSError()])
def test_a_body_that_is_not_sent_in_whole_is_refused_and_not_shown(
    client: FlaskClient,
    headers: dict[str, str],
    recorder: FakeRecorder,
    caplog: pytest.LogCaptureFixture,
    problem: Exception,
) -> None:
    overrides = {"wsgi.input": Broken(problem), "wsgi.input_terminated": True}
    answer = client.post(f"/add?{QUERY}", headers=headers, environ_overrides=overrides)
    assert answer.status_code == 400
    assert message(answer) == "body: was incomplete, or had malformed chunks"
    assert TOKEN not in caplog.text
    assert recorder.recorded == []


class BrokenAtItsEnd(io.BytesIO):
    """A body that is too large, and that the server then can't read on."""

    def read(self, size: int | None = -1) -> bytes:
        """Fail as Gunicorn does, when all is read."""
        part = super().read(size)
        if not part:
            raise InvalidChunkSize(TOKEN.encode())
        return part


def test_a_body_that_is_too_large_and_broken_is_too_large(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    answer = client.post(
        f"/add?{QUERY}",
        headers=headers,
        input_stream=BrokenAtItsEnd(padded(LARGEST_BODY + 1)),
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 413


def test_a_click_on_a_hundred_thousand_assets_is_accepted(
    post: Any, recorder: FakeRecorder
) -> None:
    ids = [f"a55e7000-0000-4000-8000-{number:012x}" for number in range(100_000)]
    assert post({**CLICK, "asset_ids": ids}).status_code == 200
    assert len(recorder.recorded[0].asset_ids) == 100_000


# Other paths and methods


@pytest.mark.parametrize("path", ["/add", "/remove", "/check"])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_an_action_is_only_posted_to(
    client: FlaskClient, headers: dict[str, str], recorder: FakeRecorder, path: str, method: str
) -> None:
    answer = client.open(f"{path}?{QUERY}", method=method, json=CLICK, headers=headers)
    assert answer.status_code == 405
    assert message(answer) == "The method is not allowed for the requested URL."
    assert answer.headers["Allow"] == "POST"
    assert recorder.recorded == []


@pytest.mark.parametrize("path", ["/", "/healthz"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_a_page_is_only_read(client: FlaskClient, path: str, method: str) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, message(answer)) == (
        405,
        "The method is not allowed for the requested URL.",
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        "/favicon.ico",
        "/add/",
        "/Add",
        "/remove/x",
        "/plugin/add",
        "/add%00",
        "/%ff",
        "/healthz/",
        "/statics/x",
        "/.env",
        "/../settings.py",
    ],
)
def test_an_unknown_path_is_not_found(client: FlaskClient, path: str, method: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == 404
    assert message(answer)


# Ready and healthy


def test_the_front_page_says_that_the_plugin_is_ready_and_its_version(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.get_json()) == (
        200,
        {"message": "The B2 storage plugin for iconik is ready.", "version": VERSION},
    )


def test_it_is_healthy_while_it_can_record(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, message(answer)) == (200, "OK")


def test_what_keeps_it_from_recording_is_told(client: FlaskClient, recorder: FakeRecorder) -> None:
    recorder.problem = RecordingError("disk full")
    answer = client.get("/healthz")
    assert (answer.status_code, message(answer)) == (503, "disk full")


# Faults


def test_a_click_that_is_not_recorded_is_to_be_tried_again(
    post: Any, recorder: FakeRecorder
) -> None:
    recorder.problem = RecordingError("the operation could not be recorded; try again later")
    answer = post()
    assert answer.status_code == 503
    assert message(answer) == "the operation could not be recorded; try again later"
    assert int(answer.headers["Retry-After"]) > 0


def test_a_fault_of_ours_is_answered_without_a_trace_and_logged_with_it(
    post: Any, recorder: FakeRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.problem = ZeroDivisionError("deep inside")
    answer = post()
    assert answer.status_code == 500
    assert message(answer) == "Internal error in the plugin. See the service's log."
    assert "deep inside" not in answer.text
    assert "ZeroDivisionError: deep inside" in caplog.text


@pytest.mark.parametrize("problem", [RecordingError("x"), ZeroDivisionError(), None])
def test_no_answer_and_no_log_line_shows_a_secret_or_a_token(
    post: Any,
    recorder: FakeRecorder,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    problem: Exception | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    recorder.problem = problem
    answer = post()
    shown = f"{answer.headers} {answer.text} {caplog.text}"
    for secret in (settings.secret, settings.iconik_token, TOKEN):
        assert str(secret) not in shown


# Starting


class FakeLeader:
    """Counts its starts."""

    def __init__(self, settings: Settings, begin: object, show: object, *_: object) -> None:
        self.starts = 0
        self.show = show

    def start(self) -> None:
        """Count."""
        self.starts += 1


@pytest.fixture
def fakes(
    own_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, recorder: FakeRecorder
) -> list[str]:
    """Has the service start with fakes; the levels that the log was set to."""
    levels: list[str] = []
    monkeypatch.setattr(plugin, "Recorder", lambda _: recorder)
    monkeypatch.setattr(plugin, "Leader", FakeLeader)
    monkeypatch.setattr(logs, "configure", lambda level, _: levels.append(level))
    return levels


def test_starting_builds_the_whole_service_from_the_environment(fakes: list[str]) -> None:
    app = plugin.start()
    assert app.extensions["leader"].starts == 1
    assert fakes == ["INFO"]
    assert app.test_client().get("/healthz").status_code == 200


@pytest.mark.parametrize(("urls", "kind"), [("", Shown), ("json://127.0.0.1:1", Notifier)])
def test_people_are_notified_if_the_environment_names_them(
    fakes: list[str],
    monkeypatch: pytest.MonkeyPatch,
    urls: str,
    kind: type,
) -> None:
    monkeypatch.setenv("NOTIFY_URLS", urls)
    assert type(plugin.start().extensions["leader"].show) is kind


def test_a_wrong_environment_stops_the_start_with_one_line(
    fakes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BZ_SHARED_SECRET")
    with pytest.raises(SystemExit, match=r"^b2-iconik-plugin: BZ_SHARED_SECRET is not set: .*$"):
        plugin.start()


def test_a_database_of_a_newer_version_stops_the_start_for_good(
    fakes: list[str],
    recorder: FakeRecorder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse() -> None:
        raise SettingsError("DATABASE_URL", "names a database of a newer version")

    monkeypatch.setattr(recorder, "open", refuse)
    with pytest.raises(SystemExit) as ending:
        plugin.start()
    # Gunicorn's own way to say that other workers would fare no better.
    assert ending.value.code == 3
    assert "DATABASE_URL names a database of a newer version" in caplog.text


@pytest.mark.parametrize(("length", "warnings"), [(31, 1), (32, 0)])
def test_a_short_secret_is_warned_of_without_showing_it(
    fakes: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    length: int,
    warnings: int,
) -> None:
    monkeypatch.setenv("BZ_SHARED_SECRET", "q" * length)
    plugin.start()
    warned = [each.message.split()[0] for each in caplog.records if each.levelname == "WARNING"]
    assert warned == ["BZ_SHARED_SECRET"] * warnings
    assert "qqq" not in caplog.text


def test_the_app_is_built_when_a_server_asks_for_it_and_only_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[Flask] = []

    def start() -> Flask:
        built.append(Flask("test"))
        return built[-1]

    monkeypatch.setattr(plugin, "start", start)
    try:
        assert plugin.app is plugin.app
        assert len(built) == 1
    finally:
        vars(plugin).pop("app", None)


def test_the_module_has_nothing_it_does_not_have() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'application'"):
        _ = plugin.application


class RecorderOf(FakeRecorder):
    """Tells whose settings it was made from."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.problem = RecordingError(f"recording for {settings.iconik_id}")


def test_without_a_recorder_one_is_made_from_the_settings(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "Recorder", RecorderOf)
    answer = create_app(settings).test_client().get("/healthz")
    assert message(answer) == f"recording for {settings.iconik_id}"
