"""The operations page: who may see it, what it shows, and what its buttons do."""

import base64
import csv
import html
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
import sqlalchemy as sa

from b2_iconik.common.clock import now_ms
from b2_iconik.domain.advice import REMEDIES
from b2_iconik.domain.operation import Operation, UndoWindow
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.domain.progress import AssetProgress, Hint
from b2_iconik.domain.reasons import Cause, Reason
from b2_iconik.ledger.tables import operations
from b2_iconik.ledger.totals import DAY_MS
from b2_iconik.report import contents
from b2_iconik.report.contents import ASSETS_A_PAGE, OPERATIONS_A_PAGE
from b2_iconik.report.history import History
from b2_iconik.web import pages
from tests.logged import logged_with
from tests.makers import B2, LL, completion, found, half_done
from tests.web.page import CLICK, KEPT, NOW, REMOVED, SECRET, USER, Page, basic, taken_over

pytestmark = pytest.mark.usefixtures("opened_later")

NOWHERE = "/operations/00000000-0000-4000-8000-000000000000"
DIFFERS = REMEDIES[Cause.DIFFERS]


@pytest.fixture
def changes() -> dict[str, Any]:
    return {"previous_secret": "the-secret-before"}


# Who may see it


@pytest.mark.parametrize(
    "path",
    [
        "/operations", NOWHERE, f"{NOWHERE}.csv", "/assets/a1", "/todo", "/todo.csv", "/lucidlink",
        "/lucidlink.csv",
    ],
)  # fmt: skip
def test_without_a_password_nothing_is_shown(page: Page, path: str) -> None:
    answer = page.client.get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="B2 storage plugin')


@pytest.mark.parametrize("button", ["stop", "retry"])
def test_without_a_password_no_button_works(page: Page, button: str) -> None:
    operation_id = page.click()
    own = {"Sec-Fetch-Site": "same-origin"}
    answer = page.client.post(f"/operations/{operation_id}/{button}", headers=own)
    assert answer.status_code == 401
    assert found(page.engine, operation_id).stop_by is None


@pytest.mark.parametrize(
    "header",
    [
        "", "Basic", "Basic !", "Basic YQ==", "Basic /w==", f"Bearer {SECRET}", f"Digest {SECRET}",
        f"Basic {base64.b64encode(SECRET.encode()).decode()}",
    ],
)  # fmt: skip
def test_what_is_no_password_lets_nobody_in(page: Page, header: str) -> None:
    assert page.client.get("/operations", headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize("password", ["", "guess-17", SECRET[:-1], SECRET.upper(), "pässword"])
def test_a_wrong_password_lets_nobody_in(
    page: Page, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert page.get(password=password).status_code == 401
    assert "wrong secret" in caplog.text
    assert password not in caplog.text or not password


@pytest.mark.parametrize("password", [SECRET, "the-secret-before"])
def test_who_has_the_secret_or_the_one_before_is_let_in(page: Page, password: str) -> None:
    assert page.get(password=password).status_code == 200


def test_the_secret_is_of_no_use_in_an_address(page: Page) -> None:
    assert page.client.get(f"/operations?password={SECRET}&x-bz-secret={SECRET}").status_code == 401


@pytest.mark.parametrize("path", ["/operations", NOWHERE, "/static/operations.js"])
def test_every_answer_is_protected(page: Page, path: str) -> None:
    for answer in (page.get(path), page.client.get(path)):
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        answer.close()


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/operations", "private, no-cache"),
        ("/operations?format=json", "private, no-cache"),
        (NOWHERE, "no-store"),
        ("/static/operations.js", "no-cache"),
    ],
)
def test_a_browser_keeps_no_page_without_asking(page: Page, path: str, kept: str) -> None:
    with page.get(path) as answer:
        assert answer.headers["Cache-Control"] == kept
    assert page.client.get("/operations").headers["Cache-Control"] == "no-store"


def test_no_browser_keeps_a_csv(page: Page) -> None:
    path = f"/operations/{page.ended({'a1': {'ORIGINAL': KEPT}})}.csv"
    assert page.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("form", ["", "?format=json"])
@pytest.mark.parametrize("is_list", [True, False])
def test_what_has_not_changed_is_not_sent_again(
    page: Page, monkeypatch: pytest.MonkeyPatch, form: str, is_list: bool
) -> None:
    operation_id = page.ended({"a1": {"ORIGINAL": KEPT}})
    path = ("/operations" if is_list else f"/operations/{operation_id}") + form
    version = {"If-None-Match": page.get(path).headers["ETag"]}
    monkeypatch.setattr(contents, "now_ms", lambda: now_ms() + 60_000)
    again = page.get(path, headers=version)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Content-Security-Policy"].startswith("default-src 'none'")
    page.press("retry", operation_id)
    page.ended({"a2": {"ORIGINAL": KEPT}})
    assert page.get("/operations", headers=version).status_code == 200


def test_the_script_and_the_style_ask_for_no_password(page: Page) -> None:
    for name in ("operations.js", "operations.css", "icon.svg"):
        with page.client.get(f"/static/{name}") as answer:
            assert answer.status_code == 200
    for path in ("/static/../pages.py", "/static/x", "/static/%2e%2e/pages.py"):
        assert page.client.get(path).status_code == 404


def test_nothing_comes_from_elsewhere(page: Page) -> None:
    shown = page.get(f"/operations/{page.ended({'a1': {'ORIGINAL': KEPT}})}").text
    assert re.findall(r'(?:src|href)="(?:https?:)?//(?!iconik\.test/asset/)[^"]*"', shown) == []
    assert not re.search(r"<script(?! src=)|<style| style=| on[a-z]+=|javascript:", shown)


@pytest.mark.parametrize("path", ["/operations", "/todo"])
def test_a_database_that_fails_is_told(
    page: Page, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with page.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE plugin_operations")
    answer = page.get(path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "cannot read the database" in caplog.text


# The list


def test_before_the_first_click_it_says_what_to_do(page: Page) -> None:
    assert "No operations yet. Right-click an asset in iconik" in page.text()


def test_an_operation_is_a_line_of_the_list(page: Page) -> None:
    page.ended({"a1": {"ORIGINAL": REMOVED}, "a2": {"ORIGINAL": KEPT}})
    shown = page.text()
    for part in (
        "Remove: 2 assets", "unknown user", "2 assets", "partly done", "None running",
    ):  # fmt: skip
        assert part in shown


def test_an_operation_goes_by_its_title(page: Page) -> None:
    operation, _ = page.begun()
    path = f"/operations/{operation.id}"
    assert page.json(path)["title"] == "Remove from LucidLink: 2 assets"
    title = "Remove from LucidLink: 2 assets (<i>beach</i>, pier)"
    page.ledger.note_title(operation.number, title)
    short = "Remove: <i>beach</i>, pier (2 assets)"
    assert f">{html.escape(short)}</a>" in page.get().text
    assert f">{html.escape(title)}</h1>" in page.get(path).text
    assert page.json(path)["title"] == page.json()["operations"][0]["title"] == title
    assert [each["title"] for each in page.json("/operations?text=PIER")["operations"]] == [title]


def test_it_says_where_no_process_runs_operations(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No process is running the operations." in page.text()
    monkeypatch.setattr(pages, "is_taken", lambda _: True)
    assert "No process is running the operations." not in page.text()


def test_the_list_is_the_same_as_json(page: Page) -> None:
    operation_id = page.ended({"a1": {"ORIGINAL": REMOVED}})
    told = page.json()
    assert told == page.get("/operations?format=json").json
    (operation,) = told["operations"]
    assert (operation["operation_id"], operation["result"]) == (operation_id, "done")
    assert operation["counts"]["removed"] == 1
    assert (told["running"], told["executor"], told["older"]) == (0, False, None)


def test_the_list_can_be_filtered(page: Page) -> None:
    removing = page.click()
    page.click(action="add")
    chosen = page.json("/operations?action=remove&state=running")["operations"]
    assert [each["operation_id"] for each in chosen] == [removing]
    assert "No operations match." in page.text("/operations?state=failed")
    assert len(page.json(f"/operations?text={USER}")["operations"]) == 2


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("from=2026-03-02", [3, 2]),
        ("to=2026-03-02", [2, 1]),
        ("from=2026-03-02&to=2026-03-02", [2]),
        ("from=2026-03-04", []),
        ("from=2026-03-03&to=2026-03-01", []),
        ("from=2026-03-01&action=add", [3]),
        ("from=2026-03-32&to=2026-03-01", [1]),
    ],
)
def test_the_list_can_be_limited_to_days(page: Page, query: str, days: list[int]) -> None:
    midnight = int(datetime(2026, 3, 1, tzinfo=timezone.utc).timestamp() * 1000)
    clicks = {
        # The first and the last millisecond of days.
        page.click(action="remove"): (midnight, 1),
        page.click(action="remove", asset_ids=("a3",)): (midnight + 2 * DAY_MS - 1, 2),
        page.click(action="add"): (midnight + 2 * DAY_MS, 3),
    }
    with page.engine.begin() as connection:
        for operation_id, (recorded_ms, _) in clicks.items():
            this = operations.c.id == operation_id
            connection.execute(sa.update(operations).where(this).values(recorded_ms=recorded_ms))
    told = page.json(f"/operations?{query}")
    assert [clicks[each["operation_id"]][1] for each in told["operations"]] == days
    assert told["matching"] == len(days)


def test_the_days_that_were_chosen_stay_chosen(page: Page) -> None:
    shown = page.get("/operations?from=2026-03-01&to=2026-03-02").text
    assert 'name="from" value="2026-03-01"' in shown
    assert 'name="to" value="2026-03-02"' in shown
    assert "No operations match." in shown


@pytest.mark.parametrize(
    "query",
    [
        "state=odd",
        "action=odd",
        "page=odd",
        "page=-1",
        "page=0",
        "page=²",
        "page=2",
        "page=9999999999",
        "from=odd",
        "from=2026-02-30",
        "to=",
        "to=yesterday",
        "to=9999-12-31",
    ],
)
def test_what_no_filter_understands_is_passed_over(page: Page, query: str) -> None:
    page.click()
    assert len(page.json(f"/operations?{query}")["operations"]) == 1


def test_the_list_goes_on_with_older_operations(page: Page) -> None:
    for number in range(OPERATIONS_A_PAGE + 2):
        page.click(asset_ids=(f"a{number}",))
    first = page.json("/operations?action=remove")
    assert len(first["operations"]) == OPERATIONS_A_PAGE
    second = page.json(first["older"])
    assert (len(second["operations"]), second["older"]) == (2, None)
    assert "action=remove" in first["older"]
    assert first["matching"] == OPERATIONS_A_PAGE + 2
    assert "Page 1 of 2 Older operations" in page.text()
    assert "Page 2 of 2 First page Newer operations" in page.text(first["older"])


def test_what_a_person_searches_for_is_no_part_of_the_page(page: Page) -> None:
    shown = page.get('/operations?text="><script>alert(1)</script>').text
    assert "<script>alert" not in shown
    assert "&lt;script&gt;" in shown


# One operation


def test_an_operation_tells_what_came_of_each_asset_and_why(page: Page) -> None:
    operation_id = page.ended({"a1": {"ORIGINAL": REMOVED}, "a2": {"ORIGINAL": KEPT}})
    shown = page.text(f"/operations/{operation_id}")
    assert KEPT.reason in shown
    # And what to do about it.
    assert DIFFERS in shown
    assert DIFFERS in page.get(f"/operations/{operation_id}.csv").text
    assert "Retry unfinished assets" in shown
    assert 'href="https://iconik.test/asset/a2"' in page.get(f"/operations/{operation_id}").text


def test_no_token_of_a_click_is_shown(page: Page) -> None:
    operation_id = page.ended({"a1": {"ORIGINAL": KEPT}})
    path = f"/operations/{operation_id}"
    for shown in (path, f"{path}?format=json", f"{path}.csv", "/operations?format=json"):
        answer = page.get(shown)
        assert CLICK.auth_token not in answer.text
        assert SECRET not in answer.text


def test_an_operation_is_the_same_as_json(page: Page) -> None:
    operation_id = page.ended({"a1": {"ORIGINAL": KEPT}})
    told = page.json(f"/operations/{operation_id}")
    assert told["report"] == [
        {
            "asset_id": "a1",
            "asset": "a1",
            "format": "ORIGINAL",
            "kind": "kept",
            "reason": KEPT.reason,
            "what_to_do": DIFFERS,
            "size": None,
            "newer": None,
            "cause": "differs",
            "resolved": None,
        }
    ]
    assert (told["result"], told["copies"], told["more"]) == ("failed", [], None)


def test_a_running_operation_tells_what_it_waits_for_and_its_copies(page: Page) -> None:
    operation, claims = page.begun()
    claims.copies.begin(claims.take(2, NOW), {"job-1": "ORIGINAL"}, NOW)
    shown = page.text(f"/operations/{operation.id}")
    assert "Waiting for 1 copy job in iconik, for 2 assets Next check now" in shown
    assert "ORIGINAL to B2 running, followed for 0 s 2 assets" in shown
    assert "being copied by iconik" in shown
    assert "Stop" in shown
    claims.copies.note_progress({"job-1": 42})
    shown = page.text(f"/operations/{operation.id}")
    assert "ORIGINAL to B2 running, followed for 0 s: 42 % 2 assets" in shown
    assert page.json(f"/operations/{operation.id}")["copies"][0]["progress"] == 42
    assert "Retry everything" not in shown


def test_when_it_looks_again_is_shown(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    operation, _ = page.begun()
    monkeypatch.setattr(contents, "now_ms", lambda: NOW)
    page.ledger.will_look(operation.number, NOW + 20_000, "could not list: it answered 503")
    shown = page.text(f"/operations/{operation.id}")
    assert "Next check in 20 s, at 1970-01-01 00:17:00 UTC" in shown
    assert "a usable answer from iconik: could not list: it answered 503" in shown


def test_an_operation_that_failed_says_why_and_offers_to_try_again(page: Page) -> None:
    operation, _ = page.begun()
    page.fail(operation)
    shown = page.text(f"/operations/{operation.id}")
    assert "The operation failed: no token is good any more" in shown
    assert "Fix the problem described in the reason, then try again." in shown
    assert "Retry unfinished assets" in shown


@pytest.mark.parametrize("failure", ["no token is good any more", ""])
def test_a_half_done_deletion_is_told_on_the_page_and_in_its_csv(page: Page, failure: str) -> None:
    operation, claims = page.begun(["a1", "a2"])
    (first, second) = claims.take(2, NOW)
    assert claims.begin_deletions(first, half_done({"set-1": "ORIGINAL"}))
    if failure:
        page.fail(operation, failure)
    else:
        claims.note(first, "done", {})
        claims.note(second, "done", {})
        page.end(operation.id)
    path = f"/operations/{operation.id}"
    unfinished = "the deletion was not finished, and file set set-1 may be in iconik's delete queue"
    assert f"ORIGINAL failed {unfinished}" in page.text(path)
    assert unfinished in page.get(f"{path}.csv").text
    (row,) = page.json(f"{path}?show=failed")["report"]
    assert unfinished in row["reason"]
    assert [each["asset_id"] for each in page.json(f"{path}?show=undone")["report"]] == ["a2"]


def test_the_page_follows_until_the_report_is_noted(page: Page) -> None:
    operation, claims = page.begun(["a1"])
    claims.note(claims.take(1, NOW)[0], "done", {"ORIGINAL": KEPT})
    path = f"/operations/{operation.id}"
    assert 'data-every="2"' in page.get(path).text
    completion(page.engine).end(operation, NOW)
    # As it is for a moment after its end.
    assert 'data-every="2"' in page.get(path).text
    assert page.json(path)["result"] == "failed"
    assert page.json()["operations"][0]["result"] == "failed"
    completion(page.engine).sum_up(operation.id)
    assert 'data-every="0"' in page.get(path).text


def test_a_report_is_shown_in_pages(page: Page) -> None:
    outcomes = {f"a{number:03}": {"ORIGINAL": REMOVED} for number in range(ASSETS_A_PAGE + 2)}
    operation_id = page.ended(outcomes)
    first = page.json(f"/operations/{operation_id}")
    assert len(first["report"]) == ASSETS_A_PAGE
    second = page.json(first["more"])
    assert [each["asset_id"] for each in second["report"]] == ["a050", "a051"]
    assert second["more"] is None
    assert "Next page" in page.text(f"/operations/{operation_id}")
    assert "after=rest%3Aa049" in first["more"]
    assert first["matching"] == ASSETS_A_PAGE + 2
    assert "1\N{EN DASH}50 of 52 assets Page 1 of 2 Next page" in page.text(
        f"/operations/{operation_id}"
    )
    last = page.text(first["more"])
    assert "51\N{EN DASH}52 of 52 assets Page 2 of 2 First page Previous page" in last
    assert "Next page" not in last


def test_a_report_is_leafed_back_to_its_beginning(page: Page) -> None:
    outcomes = {f"a{number:03}": {"ORIGINAL": REMOVED} for number in range(2 * ASSETS_A_PAGE + 1)}
    path = f"/operations/{page.ended(outcomes)}"
    third = page.json(page.json(path)["more"])["report"][0]["asset_id"]
    last = page.get(page.json(page.json(path)["more"])["more"]).text
    back = html.unescape(re.findall(r'id="previous" rel="prev" href="([^"]*)#report"', last)[0])
    assert page.json(back)["report"][0]["asset_id"] == third == "a050"
    assert "Page 2 of 3" in page.text(back)
    # The first page has its usual address.
    assert f'id="previous" rel="prev" href="{path}#report"' in page.get(back).text


def test_a_report_opens_with_its_problems(page: Page) -> None:
    outcomes = {f"a{number:03}": {"ORIGINAL": REMOVED} for number in range(ASSETS_A_PAGE)}
    path = f"/operations/{page.ended({**outcomes, 'z1': {'ORIGINAL': KEPT}})}"
    first = page.json(path)
    assert first["report"][0]["asset_id"] == "z1"
    assert [each["asset_id"] for each in page.json(first["more"])["report"]] == ["a049"]
    lines = page.get(f"{path}.csv").text.splitlines()
    assert lines[1].startswith('"z1",')


@pytest.mark.parametrize("after", ["odd", "odd:a1", ":", "rest", "a1"])
def test_a_place_that_is_none_is_the_beginning(page: Page, after: str) -> None:
    path = f"/operations/{page.ended({'a1': {'ORIGINAL': REMOVED}})}"
    assert len(page.json(f"{path}?after={after}")["report"]) == 1


def test_an_asset_is_shown_by_its_title_with_links_to_its_pages(page: Page) -> None:
    operation, _ = page.begun()
    page.ledger.note_hints(operation.number, {"a1": Hint("<Beach>")})
    shown = page.get(f"/operations/{operation.id}").text
    assert re.search(r'<a href="/assets/a1"[^>]*>&lt;Beach&gt;</a>', shown)
    assert re.search(r'<a href="/assets/a2"[^>]*>untitled asset</a>', shown)
    assert re.search(r'<a [^>]*href="[^"]*/asset/a1"[^>]*>open in iconik</a>', shown)


def test_a_report_can_be_filtered_by_outcome_and_asset(page: Page) -> None:
    both = ("ORIGINAL", "PROXY")
    outcomes = {"a1": {"ORIGINAL": KEPT, "PROXY": REMOVED}, "b1": {"ORIGINAL": REMOVED}}
    path = f"/operations/{page.ended(outcomes, formats=both)}"
    (row,) = page.json(f"{path}?show=kept")["report"]
    assert (row["asset_id"], row["format"]) == ("a1", "ORIGINAL")
    assert {each["asset_id"] for each in page.json(f"{path}?text=b1")["report"]} == {"b1"}
    assert "No assets match." in page.text(f"{path}?show=failed")
    assert "Still on LucidLink" in page.text(f"{path}?show=kept")


def test_an_asset_is_one_row_with_all_its_outcomes(page: Page) -> None:
    removed = replace(REMOVED, size=1_500_000)
    outcomes = {"a1": {"ORIGINAL": KEPT, "PROXY": removed}, "b1": {"ORIGINAL": REMOVED}}
    path = f"/operations/{page.ended(outcomes, formats=('ORIGINAL', 'PROXY'))}?show=kept"
    (row,) = re.findall(r'(?s)<tr role="row" data-key="a1">.*?</tr>', page.get(path).text)
    assert 'data-key="b1"' not in page.get(path).text
    assert '<span class="kind kept chosen"><b>ORIGINAL</b> kept on LucidLink</span>' in row
    assert '<span class="kind removed"><b>PROXY</b> removed, 1.5 MB</span>' in row
    assert row.count(DIFFERS) == 1


def test_ids_in_texts_are_shown_on_hover_only(page: Page) -> None:
    operation = found(page.engine, page.click())
    reason = Reason(f"playlist {USER} is <private>")
    page.ledger.expand(operation.number, {}, {f"collection {USER}": reason})
    shown = page.get(f"/operations/{operation.id}").text
    assert f'<span title="collection {USER}">a collection</span>' in shown
    assert f'<abbr title="{USER}">playlist</abbr> is &lt;private&gt;' in shown
    assert USER not in page.text(f"/operations/{operation.id}")


def test_an_asset_is_found_among_those_that_are_shown(page: Page) -> None:
    path = f"/operations/{page.ended({'a1': {'ORIGINAL': KEPT}})}"
    kept = '<input type="hidden" name="show" value="kept">'
    assert kept in page.get(f"{path}?show=kept").text
    assert kept not in page.get(path).text
    assert "Clear search" in page.text(f"{path}?show=kept&text=b")


def test_a_collection_that_could_not_be_opened_is_on_the_first_page(page: Page) -> None:
    operation = found(page.engine, page.click())
    page.ledger.expand(operation.number, dict.fromkeys(["a1"]), {"collection c1": "no"})
    path = f"/operations/{operation.id}"
    unopened = page.json(path)["report"][0]
    assert (unopened["asset_id"], unopened["format"]) == ("collection c1", None)
    assert (unopened["kind"], unopened["reason"]) == ("failed", "no")
    assert page.json(f"{path}?show=failed")["report"] == [unopened]
    assert unopened not in page.json(f"{path}?after=problem:a0")["report"]
    assert "a collection failed no" in page.text(path)


def test_collections_that_could_not_be_opened_can_be_tried_again(page: Page) -> None:
    operation = found(page.engine, page.click())
    page.ledger.expand(operation.number, {}, {"collection c1": "no", "collection c2": "no"})
    page.end(operation.id)
    shown = page.text(f"/operations/{operation.id}")
    assert "Retry unfinished assets" in shown
    assert "2 not opened" in shown
    assert "These collections, saved searches and playlists could not be listed" in shown


def test_what_went_well_is_not_to_be_tried_again(page: Page) -> None:
    path = f"/operations/{page.ended({'a1': {'ORIGINAL': REMOVED}})}"
    assert "Retry unfinished assets" not in page.text(path)
    assert page.json(path)["can_be_tried_again"] is False


def test_of_many_that_could_not_be_opened_the_csv_has_all(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "UNOPENED_SHOWN", 2)
    operation = found(page.engine, page.click())
    unopened = [f"collection c{number}" for number in range(5)]
    page.ledger.expand(operation.number, {}, dict.fromkeys(unopened, Reason("no")))
    path = f"/operations/{operation.id}"
    assert [each["asset_id"] for each in page.json(path)["report"]] == unopened[:2]
    assert "Showing the first 2 of 5 collections, saved searches and playlists" in page.text(path)
    lines = list(csv.reader(io.StringIO(page.get(f"{path}.csv").data.decode("utf-8-sig"))))
    assert [line[0] for line in lines[1:]] == unopened


def test_an_unknown_operation_is_a_page_that_says_so(page: Page) -> None:
    answer = page.get(NOWHERE)
    assert answer.status_code == 404
    assert "This operation does not exist" in answer.text
    told = page.get(NOWHERE, headers={"Accept": "application/json"})
    assert told.get_json()["message"].startswith("This operation does not exist")


# Its report as CSV


def test_the_report_can_be_had_as_csv(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "READ_AT_ONCE", 2)
    outcomes = {f"a{number}": {"ORIGINAL": REMOVED} for number in range(5)}
    answer = page.get(f"/operations/{page.ended(outcomes)}.csv")
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    text = answer.data.decode("utf-8-sig")
    assert text.splitlines()[1] == '"a0","a0","ORIGINAL","removed","","","",""'
    lines = list(csv.reader(io.StringIO(text)))
    columns = ["asset_id", "asset", "format", "kind", "reason", "what to do", "bytes", "cause"]
    assert lines[0] == columns
    assert lines[1:] == [
        [f"a{number}"] * 2 + ["ORIGINAL", "removed", "", "", "", ""] for number in range(5)
    ]


def test_no_spreadsheet_takes_a_name_for_a_formula(page: Page) -> None:
    evil = Outcome("kept", Reason('=HYPERLINK("https://evil.example") differs'))
    answer = page.get(f"/operations/{page.ended({'a1': {'ORIGINAL': evil}})}.csv")
    lines = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert lines[1][4].startswith("'=HYPERLINK")


# Buttons


def test_a_running_operation_is_stopped(page: Page) -> None:
    operation_id = page.click()
    answer = page.press("stop", operation_id)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/operations/{operation_id}?notice=stopping"
    assert found(page.engine, operation_id).stop_by == "ada on the operations page"
    shown = page.text(answer.headers["Location"])
    assert "The operation will stop at its next safe point." in shown
    assert "Stop requested by ada on the operations page." in shown


def test_that_it_will_stop_is_said_no_more_once_it_has(page: Page) -> None:
    operation, claims = page.begun()
    path = page.press("stop", operation.id).location
    claims.leave()
    page.end(operation.id)
    assert "The operation will stop at its next safe point." not in page.text(path)


def test_an_operation_that_has_ended_is_not_stopped(page: Page) -> None:
    operation_id = page.ended({"a1": {"ORIGINAL": REMOVED}})
    assert page.press("stop", operation_id).headers["Location"].endswith("?notice=ended")


def test_a_stopped_operation_says_who_stopped_it(page: Page) -> None:
    operation, claims = page.begun()
    page.press("stop", operation.id)
    claims.leave()
    page.end(operation.id)
    shown = page.text(f"/operations/{operation.id}")
    assert "Stopped by ada on the operations page." in shown
    assert "2 not finished" in shown
    assert "ORIGINAL not finished not started before the operation ended" in shown
    assert "Not finished Not done" in page.text(f"/operations/{operation.id}?show=undone")
    assert "undone" not in shown


def test_a_stop_that_came_too_late_is_told(page: Page) -> None:
    operation, claims = page.begun(["a1"])
    claims.note(claims.take(1, NOW)[0], "done", {"ORIGINAL": REMOVED})
    page.press("stop", operation.id)
    page.end(operation.id)
    shown = page.text(f"/operations/{operation.id}")
    assert "but everything was already done" in shown


def test_a_failure_before_a_stop_is_told(page: Page) -> None:
    operation, _ = page.begun()
    page.press("stop", operation.id)
    page.fail(operation)
    shown = page.text(f"/operations/{operation.id}")
    assert "ada on the operations page asked to stop the operation, but it failed first." in shown
    assert "everything was already done" not in shown


def test_what_is_left_is_tried_again(page: Page) -> None:
    first = page.ended({"a1": {"ORIGINAL": REMOVED}, "a2": {"ORIGINAL": KEPT}})
    answer = page.press("retry", first, data={"what": "left"})
    (second,) = re.findall(r"^/operations/([0-9a-f-]{36})\?notice=retried$", answer.location)
    assert page.recorder.click_of(second).asset_ids == ("a2",)
    assert found(page.engine, second).requested_by == "ada on the operations page"
    shown = page.text(answer.location)
    assert "Retry of Remove from LucidLink: 2 assets , 20" in shown
    assert " retry " in page.text()


def test_a_retried_operation_may_be_stored_no_longer(page: Page) -> None:
    first = page.ended({"a1": {"ORIGINAL": KEPT}})
    path = page.press("retry", first).location
    assert page.json(path)["retried"]["operation_id"] == first
    with page.engine.begin() as connection:
        connection.execute(sa.delete(operations).where(operations.c.id == first))
    assert page.json(path)["retried"] is None
    assert "an operation that is no longer stored" in page.text(path)


def test_who_stops_or_retries_is_logged_with_the_operation(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    stops, retries = (
        logged_with(caplog, "requested a stop"),
        logged_with(caplog, "retried operation"),
    )
    first = page.ended({"a1": {"ORIGINAL": KEPT}})
    second = page.press("retry", first).location.split("/")[2].split("?")[0]
    page.press("stop", second)
    assert retries == stops == [second]


def test_it_is_said_that_doing_it_all_again_is_a_new_click(page: Page) -> None:
    first = page.ended({"a1": {"ORIGINAL": REMOVED}})
    assert (
        "counts as the newest click. It overrides every click made on these assets after this "
        "operation, including an Add ."
    ) in page.text(f"/operations/{first}")
    assert "counts as the newest click" not in page.text(f"/operations/{page.click()}")


def test_how_long_it_runs_is_told(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    operation, _ = page.begun()
    monkeypatch.setattr(contents, "now_ms", lambda: operation.recorded_ms + 6_000)
    assert "0 of 2 assets · running for 6 s" in page.text(f"/operations/{operation.id}")
    completion(page.engine).fail(
        operation.number, "no token is good any more", operation.recorded_ms + 9_000
    )
    assert "Ended 20" in page.text(f"/operations/{operation.id}")
    assert "· took 9 s" in page.text(f"/operations/{operation.id}")


def test_everything_is_done_again(page: Page) -> None:
    first = page.ended({"a1": {"ORIGINAL": REMOVED}})
    answer = page.press("retry", first, data={"what": "everything"})
    second = answer.location.split("/")[2].split("?")[0]
    assert page.recorder.click_of(second) == CLICK


def test_the_same_again_leads_to_the_one_that_runs(page: Page) -> None:
    first = page.ended({"a1": {"ORIGINAL": KEPT}})
    page.press("retry", first)
    assert page.press("retry", first).location.endswith("?notice=same")


def test_buttons_answer_programs_in_json(page: Page) -> None:
    operation_id = page.click()
    headers = {"Accept": "application/json", "Sec-Fetch-Site": "same-origin"}
    answer = page.press("stop", operation_id, headers=headers)
    assert answer.get_json() == {
        "message": "The operation will stop at its next safe point.",
        "operation_id": operation_id,
    }


def test_where_nothing_is_left_it_says_so(page: Page) -> None:
    first = page.ended({"a1": {"ORIGINAL": REMOVED}})
    answer = page.press("retry", first)
    assert answer.status_code == 409
    assert "nothing is left to retry" in answer.text


def test_what_cannot_be_recorded_is_told(page: Page) -> None:
    first = page.ended({"a1": {"ORIGINAL": KEPT}})
    with page.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON plugin_operations "
            "BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    answer = page.press("retry", first)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": ""},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    ],
)
def test_a_button_of_somebody_elses_page_does_nothing(page: Page, headers: dict[str, str]) -> None:
    operation_id = page.click()
    assert page.press("stop", operation_id, headers=headers).status_code == 403
    assert found(page.engine, operation_id).stop_by is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Origin": "http://localhost"},
        # nginx may leave the port out of what it passes on.
        {"Origin": "https://localhost:8443"},
    ],
)
def test_a_button_of_our_own_page_works(page: Page, headers: dict[str, str]) -> None:
    operation_id = page.click()
    assert page.press("stop", operation_id, headers=headers).status_code == 303


@pytest.mark.parametrize(
    ("name", "by"),
    [("", "somebody"), ("grace\n\x1b[1m", "grace[1m"), ("x" * 99, "x" * 60), ("Zoë", "Zoë")],
)
def test_who_pressed_is_who_they_say(page: Page, name: str, by: str) -> None:
    operation_id = page.click()
    named = {**basic(SECRET, name), "Sec-Fetch-Site": "same-origin"}
    page.press("stop", operation_id, headers=named)
    assert found(page.engine, operation_id).stop_by == f"{by} on the operations page"


@pytest.mark.parametrize("button", ["stop", "retry"])
def test_a_button_is_pressed_and_not_followed(page: Page, button: str) -> None:
    assert page.get(f"{NOWHERE}/{button}").status_code == 405


def test_the_storages_of_an_operation_are_told(page: Page) -> None:
    told = page.json(f"/operations/{page.click()}")
    assert (told["b2_storage_id"], told["ll_storage_id"]) == (B2, LL)


# By name


def test_who_clicked_is_shown_by_name_and_leads_to_all_their_clicks(page: Page) -> None:
    operation_id = page.click()
    page.ledger.note_user(USER, "Ana Ruiz")
    for path in ("/operations", f"/operations/{operation_id}"):
        assert f'<a href="/operations?user={USER}"' in page.get(path).text
        assert "Ana Ruiz" in page.text(path)


@pytest.mark.parametrize("name", [None, ""], ids=["not known yet", "not to be read"])
def test_a_user_without_a_name_is_shown_without_an_id(page: Page, name: str | None) -> None:
    operation_id = page.click()
    if name is not None:
        page.ledger.note_user(USER, name)
    for path in ("/operations", f"/operations/{operation_id}"):
        shown = page.text(path)
        assert "unknown user" in shown
        assert USER[:8] not in shown


def test_a_click_of_nobody_is_of_an_unknown_user(page: Page) -> None:
    page.click(user_id=None)
    assert "Clicked" in page.text()
    assert "/operations?user=" not in page.get().text


def test_a_name_is_no_part_of_the_page(page: Page) -> None:
    operation, _ = page.begun()
    name = "<b onclick=x>Ana"
    page.ledger.note_user(USER, name)
    subject = {"kind": "collection", "id": "c1", "name": name, "path": name}
    page.ledger.note_names(operation.number, subjects=[subject], storages={"b2": name, "ll": name})
    for path in ("/operations", f"/operations?user={USER}", f"/operations/{operation.id}"):
        assert "<b onclick" not in page.get(path).text
        assert name in html.unescape(page.get(path).text)


def test_the_list_can_be_of_one_user(page: Page) -> None:
    mine = page.click()
    page.click(user_id="00000000-0000-4000-8000-000000000001", asset_ids=("a9",))
    page.ledger.note_user(USER, "Ana Ruiz")
    for user in (USER, "ruiz"):
        listed = page.json(f"/operations?user={user}")["operations"]
        assert [(each["operation_id"], each["user"]) for each in listed] == [(mine, "Ana Ruiz")]


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (USER, "Only clicks of Ana Ruiz."),
        ("ruiz", "Only clicks of users named “ruiz”."),
        ("00000000-0000-4000-8000-000000000001", "Only clicks of one user."),
    ],
)
def test_the_list_says_whose_it_is(page: Page, user: str, shown: str) -> None:
    page.click()
    page.ledger.note_user(USER, "Ana Ruiz")
    assert shown in page.text(f"/operations?user={user}")


def test_another_filter_keeps_the_user(page: Page) -> None:
    field = f'<input type="hidden" name="user" value="{USER}">'
    assert field in page.get(f"/operations?user={USER}").text


def test_an_operation_shows_what_was_selected_by_name(page: Page) -> None:
    operation, _ = page.begun(path="projects/2026")
    subjects = [
        {"kind": "collection", "id": "c1", "name": "Day 1", "path": "Projects / Day 1"},
        {"kind": "collection", "id": "c2", "name": None, "path": None},
        {"kind": "saved search", "id": "s1", "name": "Best takes", "path": None},
        {"kind": "playlist", "id": "p1", "name": None, "path": None},
        {"kind": "asset", "id": "a1", "name": None, "path": None},
    ]
    storages = {"b2": "Masters", "ll": "Filespace"}
    page.ledger.note_names(operation.number, subjects=subjects, storages=storages)
    path = f"/operations/{operation.id}"
    shown = page.text(path)
    names = "Projects / Day 1 , a collection , Best takes , a playlist , untitled asset"
    assert f"Selection 2 assets: {names} " in shown
    assert "Storages Masters , Filespace" in shown
    assert "Destination projects/2026" in shown
    text = page.get(path).text
    assert re.search(r'href="https://[^"]+/collection/c1"', text)
    assert re.search(r'href="https://[^"]+/asset/a1"', text)


def test_an_operation_without_names_has_none(page: Page) -> None:
    operation, _ = page.begun()
    shown = page.text(f"/operations/{operation.id}")
    assert "Storages" not in shown
    assert "Destination" not in shown


def test_the_links_of_an_asset_are_two_words_apart(page: Page) -> None:
    shown = page.get(f"/operations/{page.begun()[0].id}").text
    assert re.search(r'untitled asset</a>\s+<a class="outside"', shown)


def test_a_format_without_any_outcome_is_not_counted(page: Page) -> None:
    formats = ("ORIGINAL", "PROXY")
    operation_id = page.ended({"a1": {"ORIGINAL": KEPT, "PROXY": REMOVED}}, formats=formats)
    assert page.get(f"/operations/{operation_id}").text.count('class="of"') == 2
    failed, _ = page.begun(formats=formats)
    page.fail(failed)
    running, _ = page.begun(["a3"], formats=formats)
    assert 'class="of"' not in page.get(f"/operations/{running.id}").text


def test_a_report_names_who_took_over_and_leads_there(page: Page) -> None:
    older, newer = taken_over(page, ["a1"])
    link = f'<a href="/operations/{newer}" title="Add to LucidLink: 2 assets">'
    assert f"{link}a newer Add by Ana Ruiz took over</a>" in page.get(f"/operations/{older}").text


def test_who_took_over_is_the_same_as_json(page: Page) -> None:
    older, newer = taken_over(page, ["a1"])
    (row,) = page.json(f"/operations/{older}")["report"]
    told = {"operation_id": newer, "title": "Add to LucidLink: 2 assets", "user": "Ana Ruiz"}
    assert row["newer"] == told


def test_who_took_over_is_named_in_the_csv_file(page: Page) -> None:
    older, _ = taken_over(page, ["a1"])
    assert "a newer Add by Ana Ruiz took over" in page.get(f"/operations/{older}.csv").text


def test_a_page_asks_the_database_once_who_took_over(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, _ = taken_over(page, [f"a{number}" for number in range(20)])
    asked, newer = [], History.newer

    def note(history: History, operation: Operation, asset_ids: Sequence[str]) -> Any:
        asked.append(len(asset_ids))
        return newer(history, operation, asset_ids)

    monkeypatch.setattr(History, "newer", note)
    page.get(f"/operations/{older}")
    assert asked == [20]


def test_where_nobody_took_over_the_database_is_not_asked(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation_id = page.ended({"a1": {"ORIGINAL": REMOVED}})
    monkeypatch.delattr(History, "newer")
    assert page.json(f"/operations/{operation_id}")["report"][0]["newer"] is None


# Previews

PROXIES = ("ORIGINAL", "PROXY")
REMOVABLE = Outcome("removable", proof="checksum", size=2_000)


def previewed(page: Page, **outcomes: dict[str, Outcome]) -> str:
    return page.ended(outcomes, action="preview", formats=PROXIES)


def test_what_a_preview_found_removable_is_removed(page: Page) -> None:
    first = previewed(
        page,
        a1={"ORIGINAL": REMOVABLE},
        a2={"ORIGINAL": REMOVABLE, "PROXY": Outcome("uncopied", Reason("why"), size=1_000)},
    )
    path = f"/operations/{first}"
    shown = page.text(path)
    assert "2 removable" in shown
    assert "1 would first be copied to B2" in shown
    assert "4 KB would be freed, 1 KB would first be copied to B2" in shown
    assert "Proven safe: 2 by checksum." in shown
    question = re.search(r'id="remove"[^>]*data-ask="([^"]*)"', page.get(path).text)
    assert question
    assert question[1] == (
        "Remove ORIGINAL of 2 assets from LucidLink (4 KB)? Everything is proven again first. "
        "This counts as the newest click."
    )
    answer = page.press("remove", first)
    (second,) = re.findall(r"^/operations/([0-9a-f-]{36})\?notice=removing$", answer.location)
    click = page.recorder.click_of(second)
    assert (click.action, click.formats, click.asset_ids) == ("remove", ("ORIGINAL",), ("a1", "a2"))
    assert "After Preview removal from LucidLink: 2 assets" in page.text(answer.location)
    assert "Followed by Remove from LucidLink: 2 assets" in page.text(path)
    assert 'id="remove"' not in page.get(path).text


def test_sets_of_formats_are_removed_by_an_operation_each(page: Page) -> None:
    first = previewed(
        page,
        a1={"ORIGINAL": REMOVABLE},
        a2={"ORIGINAL": REMOVABLE, "PROXY": Outcome("removable")},
    )
    shown = page.get(f"/operations/{first}").text
    assert "Remove ORIGINAL of 2 assets, PROXY of 1 asset from LucidLink (4 KB)?" in shown
    answer = page.press("remove", first)
    assert answer.location == f"/operations/{first}?notice=removals"
    assert "Several operations remove what the preview found removable" in page.text(
        answer.location
    )


def test_a_removal_answers_programs_in_json(page: Page) -> None:
    first = previewed(page, a1={"ORIGINAL": REMOVABLE})
    headers = {"Accept": "application/json", "Sec-Fetch-Site": "same-origin"}
    answer = page.press("remove", first, headers=headers).get_json()
    assert answer["operation_ids"] == [answer["operation_id"]]


def test_what_is_not_removable_is_not_removed(page: Page) -> None:
    first = previewed(page, a1={"ORIGINAL": KEPT})
    assert 'id="remove"' not in page.get(f"/operations/{first}").text
    answer = page.press("remove", first)
    assert answer.status_code == 409
    assert "Nothing is removed: the preview found nothing removable." in answer.text


def test_a_preview_overrides_no_click_when_it_is_repeated(page: Page) -> None:
    shown = page.text(f"/operations/{previewed(page, a1={'ORIGINAL': KEPT})}")
    assert "Preview the rest again" in shown
    assert "Preview everything again" in shown
    assert "newest click" not in shown


def test_a_removal_is_logged_with_the_operation(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    removals = logged_with(caplog, "found removable")
    first = previewed(page, a1={"ORIGINAL": REMOVABLE})
    second = page.press("remove", first).location.split("/")[2].split("?")[0]
    assert removals == [second]


def test_previews_can_be_listed_alone(page: Page) -> None:
    first = previewed(page, a1={"ORIGINAL": KEPT})
    page.ended({"a1": {"ORIGINAL": REMOVED}})
    (told,) = page.json("/operations?action=preview")["operations"]
    assert told["operation_id"] == first


# Undoing a Remove


def undoable(page: Page, marked: dict[str, list[str]], until_ms: int | None = None) -> str:
    """The id of a Remove that left these formats of its assets marked deleted."""
    operation, claims = page.begun(list(marked), formats=PROXIES)
    for held in claims.take(1000, NOW):
        names = {f"{held.asset_id}-{name}": name for name in marked[held.asset_id]}
        held.progress, held.seen = AssetProgress(marked=half_done(names)), True
        claims.note(held, "done", {"ORIGINAL": REMOVED})
    until_ms = now_ms() + DAY_MS if until_ms is None else until_ms
    claims.open_window(UndoWindow(NOW, until_ms, is_about=False))
    page.end(operation.id)
    return operation.id


def test_a_remove_is_undone(page: Page) -> None:
    first = undoable(page, {"a1": ["ORIGINAL"]})
    assert "The removal can be undone until" in page.text(f"/operations/{first}")
    answer = page.press("undo", first)
    (second,) = re.findall(r"^/operations/([0-9a-f-]{36})\?notice=undoing$", answer.location)
    assert page.recorder.click_of(second).action == "undo"
    shown = page.text(answer.location)
    assert "This operation brings back what the Remove marked as deleted." in shown
    assert "Undo of Remove from LucidLink" in shown


def test_several_operations_undo_several_sets_of_formats(page: Page) -> None:
    first = undoable(page, {"a1": ["ORIGINAL"], "a2": ["PROXY"]})
    answer = page.press("undo", first)
    assert answer.location == f"/operations/{first}?notice=undos"
    assert "Several operations bring back" in page.text(answer.location)


def test_why_nothing_is_undone_is_told(page: Page) -> None:
    answer = page.press("undo", undoable(page, {"a1": []}))
    assert answer.status_code == 409
    assert "Nothing is undone: nothing is left to undo: later operations" in answer.text


@pytest.mark.parametrize(
    ("marked", "until_ms", "is_offered"),
    [(["ORIGINAL"], None, True), (["ORIGINAL"], NOW, False), ([], None, False)],
)
def test_an_undo_is_offered_while_it_may_succeed(
    page: Page, marked: list[str], until_ms: int | None, is_offered: bool
) -> None:
    answer = page.get(f"/operations/{undoable(page, {'a1': marked}, until_ms)}")
    assert ('id="undo"' in answer.text) is is_offered
