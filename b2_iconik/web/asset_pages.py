"""The page of an asset, and the list of what is left to do."""

from flask import Blueprint, Response, abort, jsonify
from flask import url_for as path_of

from b2_iconik.common.settings import Settings
from b2_iconik.common.texts import plain
from b2_iconik.dispatch.recorder import Recorder
from b2_iconik.domain.advice import LABELS
from b2_iconik.report import todo
from b2_iconik.report.asset_history import AssetHistory
from b2_iconik.report.contents import csv_lines
from b2_iconik.report.todo import ToDo
from b2_iconik.web.answers import argument, number_of, rendered, wants_json


def add_asset_pages(pages: Blueprint, settings: Settings, recorder: Recorder) -> None:
    """Add these pages to the operations page."""

    @pages.get("/assets/<asset_id>")
    def asset(asset_id: str) -> Response:
        # PostgreSQL rejects null characters.
        asset_id, before = plain(asset_id), number_of("before")
        told = AssetHistory(recorder.prepare()).of(asset_id, before)
        if told is None:
            abort(404, "No operation has touched this asset, or none of them is stored any more.")
        last = told.pop("before")
        told["older"] = last and path_of("pages.asset", asset_id=asset_id, before=last)
        told["asset_url"] = f"{settings.iconik_url}/asset/{asset_id}"
        if wants_json():
            return jsonify(told)
        return rendered("asset.html", **told, is_first=before is None)

    @pages.get("/todo")
    def left_to_do() -> Response:
        cause, start = _cause(), number_of("start") or 0
        told, following = ToDo(recorder.prepare()).listed(cause, start)
        more = following and path_of("pages.left_to_do", cause=cause, start=following)
        told["more"] = more
        if wants_json():
            return jsonify(told)
        return rendered("todo.html", **told, cause=cause, start=start)

    @pages.get("/todo.csv")
    def left_to_do_as_csv() -> Response:
        rows = ToDo(recorder.prepare()).rows(_cause())
        lines = csv_lines(rows, todo.HEADINGS, todo.COLUMNS)
        response = Response(lines, mimetype="text/csv")
        response.headers["Content-Disposition"] = 'attachment; filename="todo.csv"'
        return response


def _cause() -> str:
    given = argument("cause")
    return given if given in LABELS else ""
