"""The operations page: the clicks, their results, and buttons."""

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, abort, g, jsonify, request
from flask import url_for as path_of
from flask.sansio.blueprints import BlueprintSetupState
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import Conflict, HTTPException, ServiceUnavailable
from werkzeug.wrappers import Response as AnyResponse

from b2_iconik.common import logs
from b2_iconik.common.clock import now_ms
from b2_iconik.common.errors import HoldingsError, ProtectionError, RecordingError, RetryError
from b2_iconik.common.links import PARAMETER, Links
from b2_iconik.common.settings import Settings
from b2_iconik.common.texts import in_time
from b2_iconik.dispatch.leader_lock import is_taken
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.dispatch.retry import remove_previewed, try_again, undo_removal
from b2_iconik.domain.advice import LABELS
from b2_iconik.domain.click import ACTIONS, TITLES
from b2_iconik.domain.operation import ORIGINS, Operation
from b2_iconik.domain.outcomes import capitalized, displayed, many
from b2_iconik.domain.sizes import in_units
from b2_iconik.ledger.operations import Ledger
from b2_iconik.report import outcome_rows, view
from b2_iconik.report.contents import ASSETS_A_PAGE, OPERATIONS_A_PAGE, Contents
from b2_iconik.report.history import STATES, Filters
from b2_iconik.web.answers import (
    argument,
    as_csv_file,
    choice,
    day_of,
    done,
    here_with,
    number_of,
    rendered,
    wants_json,
)
from b2_iconik.web.asset_pages import add_asset_pages
from b2_iconik.web.login import LINKED, Visitor, name_of, visitor_of
from b2_iconik.web.lucidlink_pages import add_lucidlink_pages
from b2_iconik.web.markup import without_ids
from iconik_http.records import UUID

log = logging.getLogger(__name__)

SHOWN = tuple(kind for kind in outcome_rows.KINDS if kind != "under way")
NOTICES = {
    "stopping": "The operation will stop at its next safe point.",
    "ended": "The operation had already ended.",
    "retried": "This operation is the retry.",
    "removing": "This operation removes what the preview found removable.",
    "removals": "Several operations remove what the preview found removable, one for each set of "
    "formats. They are listed below.",
    "selected": "This operation removes what you selected.",
    "undoing": "This operation brings back what the Remove marked as deleted.",
    "undos": "Several operations bring back what the Remove marked as deleted, one for each "
    "set of formats. They are listed below.",
    "same": "This operation was already waiting to start, so no new one was recorded.",
}
# Notices that only make sense while the operation runs.
PASSING = ("stopping", "same")
# In seconds.
RETRY_AFTER = "5"
# The browser may keep a page, but asks each time whether it has changed.
REVALIDATED = "private, no-cache"
HEADERS = {
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
    pages.add_app_template_filter(view.in_short)
    pages.add_app_template_filter(view.in_brief)
    pages.add_app_template_filter(view.short_title)
    pages.add_app_template_filter(displayed)
    pages.add_app_template_filter(capitalized)
    pages.add_app_template_filter(in_time)
    pages.add_app_template_filter(in_units)
    pages.add_app_template_filter(many)
    pages.add_app_template_filter(without_ids)

    links = Links(settings.public_url, settings.secrets)

    def contents() -> Contents:
        return Contents(recorder.prepare())

    def visitor() -> Visitor:
        # A refused request has none.
        return g.get("visitor") or Visitor(may_act=False)

    @pages.before_request
    def let_in() -> None:
        # The script and the stylesheet contain nothing confidential.
        if request.endpoint != "pages.static":
            g.visitor = visitor_of(request, settings, links, now_ms())

    @pages.context_processor
    def of_visitor() -> dict[str, Any]:
        return {"may_act": visitor().may_act, "link": visitor().link}

    @pages.url_defaults
    def keep_link(endpoint: str, values: dict[str, Any]) -> None:
        """Have the links of a page that a link opened go on to work, but no others."""
        shown = str((request.view_args or {}).get("operation_id"))
        if visitor().link and endpoint in LINKED and str(values["operation_id"]) == shown:
            values[PARAMETER] = visitor().link

    @pages.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        if visitor().link:
            response.headers["Referrer-Policy"] = "no-referrer"
        if request.endpoint == "pages.static":
            response.headers["Cache-Control"] = "no-cache"
        elif response.status_code == HTTPStatus.OK and not response.is_streamed:
            response.headers["Cache-Control"] = REVALIDATED
            response.add_etag()
            response.make_conditional(request)
        else:
            response.headers["Cache-Control"] = "no-store"
        return response

    @pages.get("/operations")
    def every() -> Response:
        filters = Filters(
            choice("state", STATES),
            choice("action", ACTIONS),
            argument("text").strip(),
            argument("user").strip(),
            choice("cause", LABELS),
            day_of("from"),
            day_of("to"),
        )
        there = contents()
        matching = there.history.matching(filters)
        page, count = _page_of(matching, OPERATIONS_A_PAGE)
        operations = there.listed(filters, OPERATIONS_A_PAGE, page)
        told = {
            "operations": operations,
            "running": there.history.running(),
            "executor": is_taken(settings.database_url),
            "matching": matching,
            "older": here_with(page=page + 1) if page < count else None,
        }
        if wants_json():
            return jsonify(told)
        return rendered(
            "operations.html",
            **told,
            filters=filters,
            whose=_whose(filters.user, operations),
            states=STATES,
            titles=TITLES,
            origins=ORIGINS,
            page=page,
            pages=count,
            first=here_with(page=None),
            newer=here_with(page=page - 1) if page > 1 else None,
        )

    @pages.get("/operations/<uuid:operation_id>")
    def one(operation_id: Any) -> Response:
        there = contents()
        operation = _operation(there, operation_id)
        show, text = choice("show", SHOWN), argument("text").strip()
        after, before = argument("after"), argument("before")
        part = there.report(operation, show=show, text=text, after=after, before=before)
        page, count = _page_of(part.matching, ASSETS_A_PAGE)
        in_full, rows = there.in_full(operation), part.rows
        if visitor().link:
            in_full, rows = {**in_full, **view.ALONE}, [outcome_rows.alone(row) for row in rows]
        shown = [row for row in rows if show in ("", row["kind"])]
        told = {
            **in_full,
            "report": [*part.unopened, *shown],
            "unopened_shown": len(part.unopened),
            "matching": part.matching,
            "more": part.next and here_with(after=part.next, before=None, page=page + 1),
        }
        if wants_json():
            return jsonify(told)
        first = here_with(after=None, before=None, page=None)
        previous = part.previous and here_with(before=part.previous, after=None, page=page - 1)
        notice = choice("notice", NOTICES)
        is_past = notice in PASSING and told["ended"]
        return rendered(
            "operation.html",
            **told,
            told=told,
            by_asset=list(outcome_rows.by_asset([*part.unopened, *rows], show)),
            hints=outcome_rows.HINTS,
            show=show,
            text=text,
            page=page,
            pages=count,
            a_page=ASSETS_A_PAGE,
            first=first,
            previous=previous if page > 2 else part.previous and first,
            shown=SHOWN,
            notice="" if is_past else NOTICES.get(notice, ""),
            asset_url=f"{settings.iconik_url}/asset/",
            iconik_url=settings.iconik_url,
        )

    @pages.get("/operations/<uuid:operation_id>.csv")
    def as_csv(operation_id: Any) -> Response:
        there = contents()
        operation = _operation(there, operation_id)
        rows = there.rows(operation)
        return as_csv_file(rows, outcome_rows.HEADINGS, outcome_rows.COLUMNS, operation.id)

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

    def follow_up(
        operation_id: Any,
        record: Callable[[Recorder, str, str], list[str]],
        refused: str,
        logged: str,
        notices: tuple[str, str],
    ) -> AnyResponse:
        """Record what follows from an operation; ``notices`` are for one result and for several."""
        operation = _operation(contents(), operation_id)
        by = f"{name_of(request)} on the operations page"
        try:
            new_ids = record(recorder, operation.id, by)
        except RetryError as error:
            raise Conflict(f"{refused}: {error}.") from None
        for each in new_ids:
            with logs.about(each):
                log.info(logged, by, operation.id)
        one, several = notices
        if len(new_ids) == 1:
            return _done(new_ids[0], one, operation_ids=new_ids)
        return _done(operation.id, several, operation_ids=new_ids)

    @pages.post("/operations/<uuid:operation_id>/remove")
    def remove(operation_id: Any) -> AnyResponse:
        logged = "%s removes what preview %s found removable"
        notices = ("removing", "removals")
        return follow_up(operation_id, remove_previewed, "Nothing is removed", logged, notices)

    @pages.post("/operations/<uuid:operation_id>/undo")
    def undo(operation_id: Any) -> AnyResponse:
        logged, notices = "%s undoes operation %s", ("undoing", "undos")
        return follow_up(operation_id, undo_removal, "Nothing is undone", logged, notices)

    add_asset_pages(pages, settings, recorder)
    add_lucidlink_pages(pages, settings, recorder)

    @pages.errorhandler(RetryError)
    def not_again(error: RetryError) -> Response:
        return _refused(Conflict(f"This operation cannot be retried: {error}."))

    @pages.errorhandler(HoldingsError)
    def not_changed(error: HoldingsError) -> Response:
        return _refused(Conflict(str(error)))

    @pages.errorhandler(ProtectionError)
    def not_protected(error: ProtectionError) -> Response:
        return _refused(Conflict(f"Nothing has changed: {error}."))

    @pages.errorhandler(RecordingError)
    def not_recorded(error: RecordingError) -> Response:
        return _refused(ServiceUnavailable(str(error)))

    @pages.errorhandler(SQLAlchemyError)
    @pages.errorhandler(OSError)
    def no_database(error: Exception) -> Response:
        log.error("the operations page cannot read the database (%s)", type(error).__name__)
        message = "The database cannot be read. See the service's log."
        return _refused(ServiceUnavailable(message))

    pages.register_error_handler(HTTPException, _refused)
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


def _whose(user: str, operations: Sequence[Mapping[str, Any]]) -> str:
    """Return who is filtered by, without the id."""
    if not UUID.fullmatch(user):
        return f"users named “{user}”"
    names = (each["user"] for each in operations if each["user"])
    return next(names, "one user")


def _page_of(matching: int, a_page: int) -> tuple[int, int]:
    """Return the number of the requested page of a list, and the number of its pages.

    Args:
        matching: the length of the list. An empty list has one page.
        a_page: the length of a page.
    """
    count = max(1, -(-matching // a_page))
    return min(number_of("page") or 1, count), count


def _done(operation_id: str, notice: str, **more: Any) -> AnyResponse:
    there = path_of("pages.one", operation_id=operation_id, notice=notice)
    return done(NOTICES[notice], there, operation_id=operation_id, **more)


def _refused(error: HTTPException) -> Response:
    if wants_json():
        response = jsonify(message=error.description)
    else:
        response = rendered("refused.html", error=error)
    response.status_code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if error.code == HTTPStatus.UNAUTHORIZED:
        challenge = 'Basic realm="B2 storage plugin for iconik", charset="UTF-8"'
        response.headers["WWW-Authenticate"] = challenge
    if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = RETRY_AFTER
    return response
