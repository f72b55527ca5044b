"""The operations page: the clicks, their results, and two buttons."""

import logging
from collections.abc import Collection
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
)
from flask import url_for as path_of
from flask.sansio.blueprints import BlueprintSetupState
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from b2_iconik.common import logs
from b2_iconik.common.clock import now_ms
from b2_iconik.common.errors import RecordingError, RetryError
from b2_iconik.common.settings import Settings
from b2_iconik.common.texts import in_time, plain
from b2_iconik.dispatch.leader_lock import is_taken
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.dispatch.retry import try_again
from b2_iconik.domain.click import ACTIONS
from b2_iconik.domain.operation import Operation
from b2_iconik.domain.outcomes import displayed
from b2_iconik.ledger.operations import Ledger
from b2_iconik.report import view
from b2_iconik.report.contents import Asked, Contents
from b2_iconik.report.history import STATES, Filters
from b2_iconik.web.login import Refusal, name_of, refusal_of

log = logging.getLogger(__name__)

OPERATIONS_A_PAGE = 25
LONGEST_TEXT = 200
SHOWN = ("kept", "failed", "vanished", "undone", "removed", "copied", "there", "absent", "without",
         "superseded")  # fmt: skip
NOTICES = {
    "stopping": "The operation will stop at its next safe point.",
    "ended": "The operation had already ended.",
    "retried": "This operation is the retry.",
    "same": "This operation was already waiting to start, so no new one was recorded.",
}
# Notices that only make sense while the operation runs.
PASSING = ("stopping", "same")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # With 'no-referrer', browsers would not send the origin of a form.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept, Authorization",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def create_pages(settings: Settings, recorder: Recorder) -> Blueprint:
    """Create the operations page as a blueprint."""
    pages = Blueprint(
        "pages",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/static",
    )
    pages.record(_have_templates_without_gaps)
    pages.add_app_template_filter(in_time, "in_time")
    pages.add_app_template_filter(view.in_short, "in_short")
    pages.add_app_template_filter(displayed, "displayed")

    def contents() -> Contents:
        return Contents(recorder.prepare())

    @pages.before_request
    def let_in() -> Response | None:
        # The script and the stylesheet contain nothing confidential.
        if request.endpoint == "pages.static":
            return None
        refusal = refusal_of(request, settings.secrets)
        return _refused(refusal) if refusal else None

    @pages.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        if request.endpoint == "pages.static":
            response.headers["Cache-Control"] = "no-cache"
        return response

    @pages.get("/operations")
    def every() -> Response:
        filters = Filters(
            _chosen("state", STATES), _chosen("action", ACTIONS), _argument("text").strip()
        )
        before = _argument("before")
        number = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
        there = contents()
        operations, last = there.listed(filters, OPERATIONS_A_PAGE, number)
        told = {
            "operations": operations,
            "running": there.history.running(),
            "executor": is_taken(settings.database_url),
            "older": _with(before=str(last)) if last is not None else None,
        }
        if _wants_json():
            return jsonify(told)
        return _page("operations.html", **told, filters=filters, states=STATES, is_first=not before)

    @pages.get("/operations/<uuid:operation_id>")
    def one(operation_id: Any) -> Response:
        there = contents()
        operation = _operation(there, operation_id)
        asked = Asked(_chosen("show", SHOWN), _argument("text").strip(), _argument("after"))
        report, more = there.report(operation, asked)
        told = {
            **there.in_full(operation),
            **report,
            "more": _with(after=more) if more is not None else None,
        }
        if _wants_json():
            return jsonify(told)
        notice = _chosen("notice", NOTICES)
        is_past = notice in PASSING and told["ended"]
        return _page(
            "operation.html",
            **told,
            hints=view.HINTS,
            show=asked.show,
            text=asked.text,
            is_first=not asked.after,
            shown=SHOWN,
            notice="" if is_past else NOTICES.get(notice, ""),
            asset_url=f"{settings.iconik_url}/asset/",
        )

    @pages.get("/operations/<uuid:operation_id>.csv")
    def as_csv(operation_id: Any) -> Response:
        there = contents()
        operation = _operation(there, operation_id)
        response = Response(there.as_csv(operation), mimetype="text/csv")
        response.headers["Content-Disposition"] = f'attachment; filename="{operation.id}.csv"'
        return response

    @pages.post("/operations/<uuid:operation_id>/stop")
    def stop(operation_id: Any) -> AnyResponse:
        operation = _operation(contents(), operation_id)
        by = f"{name_of(request)} on the operations page"
        is_stopping = Ledger(recorder.prepare()).ask_to_stop(operation.id, by, now_ms())
        with logs.about(operation.id):
            log.info("%s requested a stop of operation %s", by, operation.id)
        return _done(operation.id, "stopping" if is_stopping else "ended")

    @pages.post("/operations/<uuid:operation_id>/retry")
    def retry(operation_id: Any) -> AnyResponse:
        operation = _operation(contents(), operation_id)
        by = f"{name_of(request)} on the operations page"
        everything = request.form.get("what") == "everything"
        new_id, is_new = try_again(recorder, operation.id, by, everything=everything)
        with logs.about(new_id):
            log.info("%s retried operation %s as %s", by, operation.id, new_id)
        return _done(new_id, "retried" if is_new else "same")

    @pages.errorhandler(RetryError)
    def not_again(error: RetryError) -> Response:
        message = f"This operation cannot be retried: {error}."
        return _refused(Refusal(HTTPStatus.CONFLICT, message))

    @pages.errorhandler(RecordingError)
    def not_recorded(error: RecordingError) -> Response:
        return _refused(Refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error), 5))

    @pages.errorhandler(SQLAlchemyError)
    @pages.errorhandler(OSError)
    def no_database(error: Exception) -> Response:
        log.error("the operations page cannot read the database (%s)", type(error).__name__)
        message = "The database cannot be read. See the service's log."
        return _refused(Refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, 5))

    @pages.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> Response:
        status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        return _refused(Refusal(status, error.description or status.phrase))

    return pages


def _have_templates_without_gaps(state: BlueprintSetupState) -> None:
    """Remove the lines of templates that contain only statements."""
    state.app.jinja_options = {
        **state.app.jinja_options,
        "trim_blocks": True,
        "lstrip_blocks": True,
    }


def _operation(there: Contents, operation_id: Any) -> Operation:
    """Return the operation with an id; abort the request with 404 if there is none."""
    operation = there.operation(str(operation_id))
    if operation is None:
        abort(404, "This operation does not exist, or is no longer stored.")
    return operation


def _argument(name: str) -> str:
    # Escaped like the values that are searched. PostgreSQL also rejects null characters.
    return plain(request.args.get(name, "")[:LONGEST_TEXT])


def _chosen(name: str, known: Collection[str]) -> str:
    given = _argument(name)
    return given if given in known else ""


def _with(**arguments: str) -> str:
    """Return the URL of this page with other arguments."""
    return f"{request.path}?{urlencode({**request.args, **arguments})}"


def _wants_json() -> bool:
    if _argument("format") == "json":
        return True
    accepted = request.accept_mimetypes
    return accepted.best_match(["text/html", "application/json"]) == "application/json"


def _page(template: str, **values: Any) -> Response:
    return make_response(render_template(template, **values))


def _done(operation_id: str, notice: str) -> AnyResponse:
    if _wants_json():
        return jsonify(message=NOTICES[notice], operation_id=operation_id)
    there = path_of("pages.one", operation_id=operation_id, notice=notice)
    return redirect(there, HTTPStatus.SEE_OTHER)


def _refused(refusal: Refusal) -> Response:
    if _wants_json():
        response = jsonify(message=refusal.message)
    else:
        response = _page("refused.html", refusal=refusal)
    response.status_code = refusal.status
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        challenge = 'Basic realm="B2 storage plugin for iconik", charset="UTF-8"'
        response.headers["WWW-Authenticate"] = challenge
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response
