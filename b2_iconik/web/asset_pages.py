"""The page of an asset with its forms, and the list of what is left to do."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request
from flask import url_for as path_of
from werkzeug.wrappers import Response as AnyResponse

from b2_iconik.common.clock import now_ms
from b2_iconik.common.settings import Settings
from b2_iconik.common.texts import plain
from b2_iconik.dispatch.protect import lift, protect
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.advice import LABELS
from b2_iconik.domain.keeping import (
    LONGEST_PROTECTION,
    LONGEST_REASON,
    allowed_days,
    parse_day,
    parse_reason,
)
from b2_iconik.ledger.protections import Protection
from b2_iconik.report import todo
from b2_iconik.report.asset_history import AssetHistory, protection_in_json
from b2_iconik.report.todo import ToDo
from b2_iconik.web.answers import (
    argument,
    as_csv_file,
    choice,
    done,
    number_of,
    rendered,
    wants_json,
)
from b2_iconik.web.login import name_of

NOTICES = {
    "protected": "The asset is protected: no Remove will delete it.",
    "marked": "The asset is protected, but iconik will purge files of it that a Remove has marked "
    "deleted before: undo that Remove, or add the asset again, to keep them.",
    "late": "The asset is protected, but a Remove had already begun to delete it, and will finish.",
    "lifted": "The protection is lifted: the next Remove includes the asset again.",
}


def add_asset_pages(pages: Blueprint, settings: Settings, recorder: Recorder) -> None:
    """Add these pages to the operations page."""

    def known(asset_id: str, before: int | None = None) -> dict[str, Any]:
        """Return what is known about an asset; abort the request with 404 if that is nothing."""
        # PostgreSQL rejects null characters.
        told = AssetHistory(recorder.prepare()).of(plain(asset_id), before)
        if told is None:
            abort(404, "No operation has touched this asset, or none of them is stored any more.")
        return told

    @pages.get("/assets/<asset_id>")
    def asset(asset_id: str) -> Response:
        before = number_of("before")
        told = known(asset_id, before)
        last = told.pop("before")
        told["older"] = last and path_of("pages.asset", asset_id=asset_id, before=last)
        told["asset_url"] = f"{settings.iconik_url}/asset/{asset_id}"
        if wants_json():
            return jsonify(told)
        return rendered(
            "asset.html",
            **told,
            is_first=before is None,
            days=allowed_days(now_ms(), LONGEST_PROTECTION),
            longest_reason=LONGEST_REASON,
            notice=NOTICES.get(argument("notice"), ""),
        )

    @pages.post("/assets/<asset_id>/protect")
    def protect_asset(asset_id: str) -> AnyResponse:
        told, now = known(asset_id), now_ms()
        try:
            until_ms = parse_day(request.form.get("until", ""), now, LONGEST_PROTECTION)
        except ValueError as error:
            abort(400, f"The day {error}.")
        title, by = told["asset"] or "", name_of(request)
        protection = Protection(told["asset_id"], title, now, until_ms, by)
        is_late = protect(recorder.prepare(), protection)
        notice = "marked" if known(asset_id)["to_be_purged"] else "protected"
        return _done(protection.asset_id, "late" if is_late else notice, protection)

    @pages.post("/assets/<asset_id>/lift")
    def lift_protection(asset_id: str) -> AnyResponse:
        told = known(asset_id)
        try:
            reason = parse_reason(request.form.get("reason", ""))
        except ValueError as error:
            abort(400, f"The reason {error}.")
        lift(recorder.prepare(), told["asset_id"], reason, name_of(request))
        return _done(told["asset_id"], "lifted", None)

    @pages.get("/todo")
    def left_to_do() -> Response:
        cause, start = choice("cause", LABELS), number_of("start") or 0
        told, following = ToDo(recorder.prepare()).listed(cause, start)
        more = following and path_of("pages.left_to_do", cause=cause, start=following)
        told["more"] = more
        if wants_json():
            return jsonify(told)
        return rendered("todo.html", **told, cause=cause, start=start)

    @pages.get("/todo.csv")
    def left_to_do_as_csv() -> Response:
        rows = ToDo(recorder.prepare()).rows(choice("cause", LABELS))
        return as_csv_file(rows, todo.HEADINGS, todo.COLUMNS, "todo")


def _done(asset_id: str, notice: str, protection: Protection | None) -> AnyResponse:
    there = path_of("pages.asset", asset_id=asset_id, notice=notice)
    told = protection and protection_in_json(protection)
    more = {"asset_id": asset_id, "protection": told, "is_late": notice == "late"}
    return done(NOTICES[notice], there, **more)
