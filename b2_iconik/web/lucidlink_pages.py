"""The page of what is on LucidLink, and its buttons."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from flask import url_for as path_of
from werkzeug.wrappers import Response as AnyResponse

from b2_iconik.common.clock import now_ms
from b2_iconik.common.settings import Settings
from b2_iconik.dispatch.lucidlink import Done, Key, clock_ms, keep_until, look_again
from b2_iconik.dispatch.lucidlink import remove_now as remove
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.keeping import parse_day, parse_days
from b2_iconik.domain.outcomes import many
from b2_iconik.report import lucidlink
from b2_iconik.report.lucidlink import ASSETS_A_PAGE, DUE, Filters, OnLucidLink, keys_in
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
from b2_iconik.web.login import name_of

ACTIONS = ("keep_longer", "keep_until_removed", "refresh", "remove_now")
# What was done, by the name of its notice, as the beginning of a sentence about some assets.
DONE = {
    "kept": "The time was changed for",
    "unlimited": "Kept until removed by hand:",
    "refreshed": "iconik will be asked in a moment about",
    "removing": "The removal was recorded for",
}
UNABLE = "The service has no ICONIK_TOKEN. "
NO_REMOVAL = UNABLE + "Remove assets with the custom action in iconik instead."
NO_REFRESH = UNABLE + "It can't ask iconik without a click."


def add_lucidlink_pages(pages: Blueprint, settings: Settings, recorder: Recorder) -> None:
    """Add these pages to the operations page."""

    @pages.get("/lucidlink")
    def on_lucidlink() -> Response:
        filters, there = _filters(), OnLucidLink(recorder.prepare())
        told = there.listed(filters, ASSETS_A_PAGE, number_of("page") or 1)
        page, count = told.pop("page"), max(1, -(-told["matching"] // ASSETS_A_PAGE))
        told["removes_by_itself"] = bool(settings.iconik_token)
        told["more"] = here_with(page=page + 1) if page < count else None
        if wants_json():
            return jsonify(told)
        return rendered(
            "lucidlink.html",
            **told,
            filters=filters,
            is_filtered=filters != Filters(),
            due=DUE,
            formats=there.formats(),
            key_of=lucidlink.key_of,
            together=lucidlink.together,
            in_words=lucidlink.in_words,
            notice=_notice(),
            query=_query(filters),
            actions={
                name: path_of(f"pages.{name}", **_query(filters), page=page) for name in ACTIONS
            },
            asset_url=f"{settings.iconik_url}/asset/",
            page=page,
            pages=count,
            first=here_with(page=None),
            previous=here_with(page=page - 1) if page > 1 else None,
        )

    @pages.get("/lucidlink.csv")
    def on_lucidlink_as_csv() -> Response:
        rows = OnLucidLink(recorder.prepare()).rows(_filters())
        return as_csv_file(rows, lucidlink.HEADINGS, lucidlink.COLUMNS, "lucidlink")

    @pages.post("/lucidlink/keep")
    def keep_longer() -> AnyResponse:
        engine, chosen = recorder.prepare(), _chosen()
        days, day = (request.form.get(name, "").strip() for name in ("days", "until"))
        if bool(days) == bool(day):
            abort(HTTPStatus.BAD_REQUEST, "Enter either a number of days, or a date.")
        try:
            until_ms = parse_day(day, now_ms()) if day else parse_days(days)
        except ValueError as error:
            abort(HTTPStatus.BAD_REQUEST, f"The time {error}.")
        if days:
            until_ms += clock_ms(engine, now_ms())
        return _done("kept", keep_until(engine, chosen, until_ms, _by()))

    @pages.post("/lucidlink/unlimited")
    def keep_until_removed() -> AnyResponse:
        return _done("unlimited", keep_until(recorder.prepare(), _chosen(), None, _by()))

    @pages.post("/lucidlink/refresh")
    def refresh() -> AnyResponse:
        if not settings.iconik_token:
            abort(HTTPStatus.CONFLICT, NO_REFRESH)
        return _done("refreshed", look_again(recorder.prepare(), _chosen(), _by()))

    @pages.post("/lucidlink/remove")
    def remove_now() -> AnyResponse:
        if not settings.iconik_token:
            abort(HTTPStatus.CONFLICT, NO_REMOVAL)
        removing = remove(recorder, _chosen(), _by())
        first, *others = removing.operation_ids
        there = path_of("pages.one", operation_id=first, notice="selected")
        return _done("removing", removing, "" if others else there)


def _filters() -> Filters:
    return Filters(
        choice("due", DUE),
        argument("text").strip(),
        argument("user").strip(),
        argument("format_name"),
        day_of("from"),
        day_of("to"),
    )


def _query(filters: Filters) -> dict[str, Any]:
    """Return the arguments of the page that has these filters."""
    given = {**vars(filters), "from": filters.since, "to": filters.until}
    names = ("due", "text", "user", "format_name", "from", "to")
    return {name: given[name] or None for name in names}


def _chosen() -> list[Key]:
    """Return what this form has selected; abort the request with 400 if that is nothing."""
    try:
        chosen = [key for name in request.form.getlist("row") for key in keys_in(name)]
    except ValueError:
        abort(HTTPStatus.BAD_REQUEST, "The selection cannot be read. Reload the page.")
    if not chosen:
        abort(HTTPStatus.BAD_REQUEST, "Select at least one asset first.")
    return chosen


def _by() -> str:
    return f"{name_of(request)} on the LucidLink page"


def _done(what: str, told: Done, there: str = "") -> AnyResponse:
    """Answer a form. By default, show the page with the same filters, and with what was done."""
    query = {**_query(_filters()), "page": number_of("page")}
    notice = f"{what}-{told.assets}-{told.longer}-{told.gone}"
    there = there or path_of("pages.on_lucidlink", **query, notice=notice)
    return done(_said(what, told), there, **told._asdict())


def _notice() -> str:
    """Say what the form before this page has done; "" if there was none."""
    what, *numbers = argument("notice").split("-")
    if what not in DONE or len(numbers) != 3 or not all(each.isdecimal() for each in numbers):
        return ""
    assets, longer, gone = map(int, numbers)
    return _said(what, Done(assets, longer, gone))


def _said(what: str, told: Done) -> str:
    """Say what was done, in sentences."""
    said = [f"{DONE[what]} {many(told.assets, 'asset')}."]
    if told.longer:
        said.append(f"Not changed, because already kept longer: {many(told.longer, 'asset')}.")
    if told.gone:
        said.append(f"No longer on LucidLink: {many(told.gone, 'asset')}.")
    return " ".join(said)
