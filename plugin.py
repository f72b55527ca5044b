"""The web service that receives iconik's custom actions: authenticate, parse, record, answer."""

import logging
from contextlib import suppress
from http import HTTPStatus
from typing import IO, Any

from flask import Flask, Response, jsonify, request
from gunicorn.arbiter import Arbiter
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from b2_iconik.common import logs, receivers
from b2_iconik.common import settings as environment
from b2_iconik.common.clock import now_ms
from b2_iconik.common.errors import ClickError, RecordingError, SettingsError
from b2_iconik.common.links import Links
from b2_iconik.common.settings import SHORT_SECRET, Settings
from b2_iconik.common.version import VERSION
from b2_iconik.dispatch.leader import Leader, Show
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.click import SECRET_HEADER, Action, parse
from b2_iconik.operation.operations import Operations
from b2_iconik.operation.shown import Shown
from b2_iconik.report.notifier import Notifier
from b2_iconik.web import metrics
from b2_iconik.web.login import is_secret
from b2_iconik.web.pages import create_pages

log = logging.getLogger(__name__)

# In bytes; enough for about 100,000 ids.
LARGEST_BODY = 4 * 1024 * 1024
# More than the proxy forwards.
LARGEST_DISCARDED = 2 * LARGEST_BODY
REFUSED_UNREAD = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}
READ_AT_ONCE = 65_536
RETRY_AFTER = 5
# Gunicorn exits when a worker exits with this code, instead of restarting workers forever.
DO_NOT_RESTART = Arbiter.WORKER_BOOT_ERROR


def create_app(settings: Settings, recorder: Recorder | None = None) -> Flask:
    """Build the web side of the service. It records operations and runs none.

    Args:
        recorder: records the clicks; created from the settings if not given.
    """
    app = Flask(__name__, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # One byte more, to distinguish a body of the maximum size from a truncated one.
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY + 1
    recorder = recorder or Recorder(settings)
    links = Links(settings.public_url, settings.secrets)
    metrics.add_to(app, settings.metrics_from, recorder)
    app.register_blueprint(create_pages(settings, recorder))

    @app.post("/<any(add, remove, preview):action>")
    def click(action: Action) -> Response:
        if not _is_authentic(settings):
            return _unauthorized("a click")
        posted = parse(action, request.args, _body(), settings.formats)
        if not posted.auth_token and not settings.iconik_token:
            raise ClickError("auth_token", "is missing, and the service has no ICONIK_TOKEN")
        operation_id, is_new = recorder.record(posted)
        logs.operation_id.set(operation_id)
        event = "accepted" if is_new else "already accepted, not started yet"
        log.info(
            "%s %s: %s, formats %s, clicked by user %s",
            posted.title,
            event,
            posted.selection,
            ",".join(posted.formats),
            posted.user_id or "unknown",
        )
        link = links.to(operation_id, now_ms())
        more = {"redirect_url": link} if link else {}
        return jsonify(message="OK", operation_id=operation_id, **more)

    @app.post("/check")
    def check() -> Response:
        # A POST request, like a click, so that it also checks everything between iconik and the
        # service.
        return jsonify(message="OK") if _is_authentic(settings) else _unauthorized("a check")

    @app.get("/")
    def ready() -> Response:
        return jsonify(message="The B2 storage plugin for iconik is ready.", version=VERSION)

    @app.get("/healthz")
    def health() -> Response:
        problem = recorder.check()
        if problem:
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE, problem)
        return jsonify(message="OK")

    @app.before_request
    def forget_operation() -> None:
        # The server reuses its threads for other requests.
        logs.operation_id.set("-")

    @app.after_request
    def discard_body(answer: Response) -> Response:
        # A proxy that is still sending when the connection closes would answer 502 instead.
        if answer.status_code in REFUSED_UNREAD:
            body = get_input_stream(request.environ)
            answer.call_on_close(lambda: _discard(body))
        return answer

    @app.errorhandler(ClickError)
    def handle_click_error(error: ClickError) -> Response:
        log.warning("refused a click: %s", error)
        return _answer(HTTPStatus.BAD_REQUEST, str(error))

    @app.errorhandler(RecordingError)
    def handle_recording_error(error: RecordingError) -> Response:
        answer = _answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        answer.headers["Retry-After"] = str(RETRY_AFTER)
        return answer

    @app.errorhandler(HTTPException)
    def handle_http_exception(error: HTTPException) -> Response:
        answer = _answer(error.code or HTTPStatus.INTERNAL_SERVER_ERROR, error.description or "")
        for name, value in error.get_headers():
            if name == "Allow":
                answer.headers[name] = value
        return answer

    @app.errorhandler(Exception)
    def handle_internal_error(error: Exception) -> Response:
        log.error("internal error in the plugin while handling a request", exc_info=error)
        message = "Internal error in the plugin. See the service's log."
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, message)

    return app


def _is_authentic(settings: Settings) -> bool:
    """Return whether the request has the shared secret, in constant time."""
    return is_secret(request.headers.get(SECRET_HEADER, ""), settings.secrets)


def _body() -> bytes:
    """Read the posted body, with or without an announced length.

    Raises:
        RequestEntityTooLarge: the body is over 4 MiB.
        ClickError: the body did not arrive completely.
    """
    try:
        body = request.get_data()
        if len(body) > LARGEST_BODY:
            raise RequestEntityTooLarge
    except (ClientDisconnected, ParseException):
        # Don't chain the server's error: in the log, it would show the body.
        raise ClickError("body", "was incomplete, or had malformed chunks") from None
    return body


def _discard(body: IO[bytes]) -> None:
    """Read and discard the rest of a body, up to ``LARGEST_DISCARDED`` bytes."""
    with suppress(OSError, ClientDisconnected, ParseException):
        for _ in range(LARGEST_DISCARDED // READ_AT_ONCE):
            if not body.read(READ_AT_ONCE):
                break


def _unauthorized(what: str) -> Response:
    log.warning("refused %s without the shared secret, from %s", what, request.remote_addr)
    answer = _answer(HTTPStatus.UNAUTHORIZED, f"The header {SECRET_HEADER} is missing or wrong.")
    answer.headers["WWW-Authenticate"] = SECRET_HEADER
    return answer


def _answer(status: int, message: str) -> Response:
    answer = jsonify(message=message)
    answer.status_code = status
    return answer


def start() -> Flask:
    """Build the whole service from the environment, and start to run operations.

    Raises:
        SystemExit: the environment is invalid; the message is one line that says why.
    """
    try:
        settings = environment.load()
    except SettingsError as error:
        raise SystemExit(f"b2-iconik-plugin: {error}") from None
    logs.configure(settings.log_level, settings.log_format)
    log.info("starting version %s", VERSION)
    if len(settings.secret) < SHORT_SECRET:
        log.warning("BZ_SHARED_SECRET has fewer than %s characters: use a longer one", SHORT_SECRET)
    recorder = Recorder(settings)
    try:
        recorder.open()
    except SettingsError as error:
        log.critical("%s", error)
        raise SystemExit(DO_NOT_RESTART) from None
    app = create_app(settings, recorder)
    operations = Operations(settings)
    link_to = Links(settings.public_url, settings.secrets).to
    show: Show = Shown(operations.iconik, link_to)
    if settings.notify_urls:
        show = Notifier(show, receivers.open_all(settings.notify_urls), settings.notify_on, link_to)
    leader = Leader(settings, operations.begin, show, operations.tidy, operations.keep)
    app.extensions["leader"] = leader
    leader.start()
    return app


def __getattr__(name: str) -> Any:
    """Build ``app`` when a server first reads it, and not when a test imports this module."""
    if name == "app":
        globals()["app"] = start()
        return globals()["app"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
