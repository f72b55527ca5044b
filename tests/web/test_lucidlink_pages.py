"""The page of what is on LucidLink: what it shows, and what its buttons do."""

import csv
import html
import io
import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from b2_iconik.common.clock import now_ms
from b2_iconik.ledger.tables import holdings, operations
from b2_iconik.ledger.totals import DAY_MS
from b2_iconik.report import lucidlink
from b2_iconik.web import lucidlink_pages
from iconik_http.records import UUID
from tests.makers import LL, a_click, clicked, found, hold, protect
from tests.web.page import SECRET, Page, basic

CLIP = "5b1d1b9d-0000-4000-8000-000000000001"
ADA = "ada0ada0-1111-4aaa-8aaa-000000000001"
FORMATS = ["ORIGINAL", "PROXY"]
LOOK = "the-password-to-look"
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
BUTTONS = ("keep", "unlimited", "refresh", "remove")
# Of 12 May 2026, in UTC.
NOON = 1_778_587_200_000


@pytest.fixture
def token() -> str | None:
    """The token of the service."""
    return "token-of-the-application-0123456789"


@pytest.fixture
def changes(token: str | None) -> dict[str, Any]:
    return {"page_password": LOOK, "iconik_token": token}


without_token = pytest.mark.parametrize("token", [None])


def press(
    page: Page, button: str, *rows: str, query: str = "", headers: dict[str, str] | None = None,
    **fields: str,
) -> TestResponse:  # fmt: skip
    """Press a button for some rows of the page."""
    return page.client.post(
        f"/lucidlink/{button}{query}",
        data={"row": list(rows), **fields},
        headers={**basic(SECRET), **(SAME_SITE if headers is None else headers)},
    )


def row(asset_id: str = CLIP, *formats: str) -> str:
    """The name of an asset and its formats in a form; its ORIGINAL if none is given."""
    return json.dumps([LL, asset_id, formats or ["ORIGINAL"]])


def held(page: Page) -> dict[str, sa.Row[tuple[object, ...]]]:
    """What is on LucidLink now, by format; of one asset."""
    with page.engine.connect() as connection:
        return {each.format_name: each for each in connection.execute(sa.select(holdings))}


def recorded(page: Page) -> list[str]:
    """The ids of all operations."""
    with page.engine.connect() as connection:
        return list(connection.execute(sa.select(operations.c.id)).scalars())


# Who may see it


@pytest.mark.parametrize("button", BUTTONS)
def test_without_a_password_no_button_works(page: Page, button: str) -> None:
    hold(page.engine, CLIP)
    answer = page.client.post(f"/lucidlink/{button}", data={"row": row()}, headers=SAME_SITE)
    assert answer.status_code == 401


def test_the_page_password_shows_it_without_buttons(page: Page) -> None:
    hold(page.engine, CLIP, title="Beach")
    shown = page.get("/lucidlink", password=LOOK).text
    assert "Beach" in shown
    assert not re.search(r'method="post"|type="checkbox"|>Change<|data-ask', shown)


@pytest.mark.parametrize("button", BUTTONS)
def test_the_page_password_changes_nothing(page: Page, button: str) -> None:
    hold(page.engine, CLIP, checked_ms=7)
    before = held(page)
    answer = page.client.post(
        f"/lucidlink/{button}",
        data={"row": row(), "days": "3"},
        headers={**basic(LOOK), **SAME_SITE},
    )
    assert answer.status_code == 403
    assert (held(page), recorded(page)) == (before, [])


@pytest.mark.parametrize("button", BUTTONS)
@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}]
)
def test_a_form_of_another_site_changes_nothing(
    page: Page, button: str, headers: dict[str, str]
) -> None:
    hold(page.engine, CLIP, checked_ms=7)
    before = held(page)
    assert press(page, button, row(), headers=headers, days="3").status_code == 403
    assert (held(page), recorded(page)) == (before, [])


# What it shows


def test_before_the_first_add_it_says_what_to_do(page: Page) -> None:
    assert "Nothing is on LucidLink through this service yet." in page.text("/lucidlink")


@pytest.mark.parametrize("path", ["/operations", "/todo", "/lucidlink"])
def test_the_pages_link_to_each_other(page: Page, path: str) -> None:
    shown = page.get(path).text
    for other in ("/operations", "/todo", "/lucidlink"):
        assert f'href="{other}"' in shown


def test_an_asset_is_a_row_with_all_there_is_to_know(page: Page) -> None:
    now = now_ms()
    given = {"title": "Beach", "size": 2_000_000_000, "since_ms": now, "user_id": ADA}
    hold(page.engine, CLIP, *FORMATS, **given, user_name="Ada Okafor", until_ms=now + 3 * DAY_MS)
    shown = page.text("/lucidlink")
    for part in (
        "1 asset ", "4 GB in total", "ORIGINAL 2 GB", "PROXY 2 GB", "due in 2 d 23 h",
        "by Ada Okafor", "0 due within a day", "0 overdue", "Keep until removed by hand",
    ):  # fmt: skip
        assert part in shown
    assert not UUID.search(shown)
    there = page.get("/lucidlink").text
    assert f'href="https://iconik.test/asset/{CLIP}"' in there
    assert f'href="/lucidlink?user={ADA}"' in there
    assert f'href="/assets/{CLIP}"' in there


def test_formats_with_different_times_are_told_apart(page: Page) -> None:
    now = now_ms()
    operation = clicked(page.engine, a_click("remove"))
    hold(page.engine, CLIP, "ORIGINAL", until_ms=now - 9 * DAY_MS, attempts=8,
         attempt_id=operation.id)  # fmt: skip
    hold(page.engine, CLIP, "PROXY", until_ms=now - DAY_MS, attempts=1, next_attempt_ms=now)
    hold(page.engine, CLIP, "AUDIO", size=None, until_by="Ben on the LucidLink page")
    shown = page.text("/lucidlink")
    for part in (
        "ORIGINAL: overdue since ", "removal tried 8 times last attempt",
        "PROXY: due since ", "removal tried 1 time, next ",
        "AUDIO: until removed by hand set by Ben on",
    ):  # fmt: skip
        assert part in shown
    assert f'href="/operations/{operation.id}?text={CLIP}#report"' in page.get("/lucidlink").text


def test_what_has_no_title_or_person_is_said_so(page: Page) -> None:
    hold(page.engine, CLIP, title=None, user_id=ADA)
    hold(page.engine, "another", user_name="Ben")
    shown = page.text("/lucidlink")
    assert "untitled asset" in shown
    assert "by unknown user" in shown
    assert "by Ben" in shown


def test_a_time_that_has_not_begun_is_shown_without_a_date(page: Page) -> None:
    hold(page.engine, CLIP, since_ms=0, keep_ms=DAY_MS)
    shown = page.text("/lucidlink")
    assert "for 1 day, not begun yet" in shown
    assert "just now" in shown


def test_a_protected_asset_says_until_when(page: Page) -> None:
    hold(page.engine, CLIP)
    protect(page.engine, CLIP, NOON + 2 * DAY_MS)
    assert "protected until 2026-05-13" in page.text("/lucidlink")


def test_a_storage_is_named_if_its_name_is_known(page: Page) -> None:
    operation = clicked(page.engine, a_click())
    page.ledger.note_names(operation.number, storages={"ll": "Edit"})
    hold(page.engine, CLIP)
    assert "on Edit" in page.text("/lucidlink")


def test_what_a_title_contains_is_no_part_of_the_page(page: Page) -> None:
    hold(page.engine, CLIP, "<b>\"'", title='"><script>alert(1)</script>')
    assert not re.search(r"<script>|<b>\"", page.get("/lucidlink").text)


def test_the_page_is_the_same_as_json(page: Page) -> None:
    hold(page.engine, CLIP, title="Beach")
    told = page.json("/lucidlink")
    assert told == page.get("/lucidlink?format=json").json
    assert (told["assets"][0]["asset_id"], told["matching"], told["more"]) == (CLIP, 1, None)
    assert told["removes_by_itself"]


def test_the_list_goes_on(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lucidlink_pages, "ASSETS_A_PAGE", 1)
    for number in range(3):
        hold(page.engine, f"a{number}", until_ms=now_ms() + number)
    first = page.json("/lucidlink?text=a")
    second = page.json(first["more"])
    assert [each["asset_id"] for each in second["assets"]] == ["a1"]
    assert page.json(second["more"])["more"] is None
    shown = page.get("/lucidlink?text=a&page=2").text
    for arrow in ("text=a&amp;page=1", "text=a&amp;page=3", "text=a"):
        assert f'href="/lucidlink?{arrow}"' in shown
    assert "Page 2 of 3" in page.text("/lucidlink?page=2")


def test_the_list_can_be_filtered(page: Page) -> None:
    hold(page.engine, CLIP, *FORMATS, title="Beach", user_id=ADA, until_ms=now_ms())
    hold(page.engine, "another", title="Pier")
    shown = page.text(f"/lucidlink?due=day&text=Bea&user={ADA}&format_name=PROXY")
    assert "1 asset, 1 KB matches, added by one person." in shown
    assert "Pier" not in shown
    day = datetime.now(timezone.utc).date()
    told = page.json(f"/lucidlink?from={day - timedelta(1)}&to={day + timedelta(1)}")
    assert [each["asset"] for each in told["assets"]] == ["Beach"]
    assert "2 assets, 3 KB match." in page.text("/lucidlink?text=e")
    assert "Nothing matches." in page.text("/lucidlink?due=overdue")


@pytest.mark.parametrize("query", ["due=odd", "from=soon", "to=", "page=-1", "page=x", "text=%00"])
def test_what_it_does_not_understand_is_passed_over(page: Page, query: str) -> None:
    hold(page.engine, CLIP)
    assert page.get(f"/lucidlink?{query}").status_code == 200


@without_token
def test_without_a_token_it_says_in_advance_what_is_not_done(page: Page) -> None:
    hold(page.engine, CLIP)
    shown = page.text("/lucidlink")
    assert "Nothing is removed automatically: the service has no ICONIK_TOKEN." in shown
    assert "Once a day" not in shown
    assert "Remove now" not in shown
    assert not page.json("/lucidlink")["removes_by_itself"]


def test_the_list_as_csv_has_a_line_for_each_format(page: Page) -> None:
    hold(page.engine, CLIP, *FORMATS, title="=1+1", since_ms=1000)
    answer = page.get("/lucidlink.csv?format_name=PROXY")
    assert answer.mimetype == "text/csv"
    headings, cells = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
    told = dict(zip(headings, cells, strict=True))
    assert (told["asset_id"], told["format"], told["bytes"]) == (CLIP, "PROXY", "1000")
    assert (told["asset"], told["since"]) == ("'=1+1", "1970-01-01T00:00:01+00:00")


# What its buttons do


def test_every_row_of_the_page_has_a_form_that_names_it(page: Page) -> None:
    hold(page.engine, CLIP, *FORMATS)
    shown = page.get("/lucidlink?text=5b1d").text
    (key,) = re.findall(r'type="hidden" name="row" value="([^"]+)"', shown)
    (same,) = re.findall(r'type="checkbox" name="row" form="chosen" value="([^"]+)"', shown)
    assert key == same
    assert lucidlink.keys_in(html.unescape(key)) == [(LL, CLIP, each) for each in FORMATS]
    for button in BUTTONS:
        assert f'formaction="/lucidlink/{button}?text=5b1d&amp;page=1"' in shown


def test_days_are_counted_from_now(page: Page) -> None:
    hold(page.engine, CLIP, *FORMATS, until_ms=5, attempts=8)
    earliest = now_ms()
    answer = press(page, "keep", row(), query="?due=overdue&page=2", days=" 3 ")
    assert answer.status_code == 303
    assert parse_qs(urlsplit(answer.location).query) == {
        "due": ["overdue"], "page": ["2"], "notice": ["kept-1-0-0"],
    }  # fmt: skip
    kept, other = held(page)["ORIGINAL"], held(page)["PROXY"]
    assert 0 <= kept.until_ms - earliest - 3 * DAY_MS < DAY_MS
    assert (kept.attempts, kept.until_by) == (0, "ada on the LucidLink page")
    assert (other.until_ms, other.attempts) == (5, 8)
    assert "The time was changed for 1 asset." in page.text(answer.location)


def test_a_date_counts_to_its_end(page: Page) -> None:
    hold(page.engine, CLIP)
    day = datetime.now(timezone.utc).date() + timedelta(9)
    press(page, "keep", row(), until=day.isoformat())
    until = datetime.fromtimestamp(held(page)["ORIGINAL"].until_ms / 1000, timezone.utc)
    assert until.date() == day + timedelta(1)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Enter either a number of days, or a date."),
        ({"days": " ", "until": ""}, "Enter either a number of days, or a date."),
        ({"days": "3", "until": "2999-01-01"}, "Enter either a number of days, or a date."),
        *(
            ({"days": days}, "The time must be a whole number of days, from 1 to 366.")
            for days in ("0", "-1", "367", "1.5", "soon", "14d", "1e2", "3650", "∞")
        ),
        *(
            (
                {"until": day},
                "The time must be a day from 2026-05-12 to 2027-05-13.",
            )
            for day in ("2020-01-01", "2999-01-01", "tomorrow", "0", "2026-02-30")
        ),
    ],
)
def test_a_time_that_is_none_changes_nothing(
    page: Page, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], said: str
) -> None:
    monkeypatch.setattr(lucidlink_pages, "now_ms", lambda: NOON)
    hold(page.engine, CLIP, until_ms=5)
    answer = press(
        page, "keep", row(), headers={**SAME_SITE, "Accept": "application/json"}, **fields
    )
    assert (answer.status_code, answer.json) == (400, {"message": said})
    assert held(page)["ORIGINAL"].until_ms == 5


def test_a_clock_that_is_wrong_counts_no_days(page: Page) -> None:
    hold(page.engine, CLIP, since_ms=now_ms() + DAY_MS, until_ms=5)
    assert press(page, "keep", row(), days="3").status_code == 409
    assert held(page)["ORIGINAL"].until_ms == 5
    day = datetime.now(timezone.utc).date() + timedelta(9)
    assert press(page, "keep", row(), until=day.isoformat()).status_code == 303


@pytest.mark.parametrize("button", BUTTONS)
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "Select at least one asset first."),
        ([json.dumps([LL, CLIP, []])], "Select at least one asset first."),
        (["odd"], "The selection cannot be read. Reload the page."),
        ([row(), "[]"], "The selection cannot be read. Reload the page."),
    ],
)
def test_without_a_selection_nothing_is_done(
    page: Page, button: str, rows: list[str], said: str
) -> None:
    hold(page.engine, CLIP, checked_ms=7)
    before = held(page)
    answer = press(page, button, *rows, days="3")
    assert answer.status_code == 400
    assert said in answer.text
    assert (held(page), recorded(page)) == (before, [])


def test_what_is_kept_longer_already_and_what_is_gone_is_told(page: Page) -> None:
    hold(page.engine, CLIP, until_ms=now_ms() + 99 * DAY_MS)
    hold(page.engine, "another")
    answer = press(page, "keep", row(), row("another"), row("a-third"), days="3")
    assert (
        "The time was changed for 1 asset. Not changed, because already kept longer: 1 asset. "
        "No longer on LucidLink: 1 asset."
    ) in page.text(answer.location)


def test_an_asset_is_kept_until_it_is_removed_by_hand(page: Page) -> None:
    hold(page.engine, CLIP, *FORMATS, until_ms=5)
    answer = press(page, "unlimited", row())
    assert (held(page)["ORIGINAL"].until_ms, held(page)["PROXY"].until_ms) == (None, 5)
    assert "Kept until removed by hand: 1 asset." in page.text(answer.location)


def test_what_is_being_removed_can_not_be_kept(page: Page) -> None:
    hold(page.engine, CLIP, title="Beach", until_ms=5)
    clicked(page.engine, a_click("remove", asset_ids=(CLIP,)))
    for button in ("keep", "unlimited"):
        answer = press(page, button, row(), days="3")
        assert answer.status_code == 409
        assert "Beach is being removed now." in answer.text
    assert held(page)["ORIGINAL"].until_ms == 5


def test_a_refresh_is_requested(page: Page) -> None:
    hold(page.engine, CLIP, *FORMATS, checked_ms=7)
    answer = press(page, "refresh", row())
    assert {name: each.checked_ms for name, each in held(page).items()} == {
        "ORIGINAL": 0,
        "PROXY": 7,
    }
    assert "iconik will be asked in a moment" in page.text(answer.location)


def test_a_removal_leads_to_its_operation(page: Page) -> None:
    hold(page.engine, CLIP, *FORMATS)
    answer = press(page, "remove", row())
    (operation_id,) = recorded(page)
    assert answer.location == f"/operations/{operation_id}?notice=selected"
    assert "This operation removes what you selected" in page.text(answer.location)
    operation = found(page.engine, operation_id)
    assert (operation.action, operation.formats) == ("remove", ("ORIGINAL",))
    assert operation.requested_by == "ada on the LucidLink page"
    assert page.recorder.click_of(operation_id).auth_token == ""
    assert "from the LucidLink page" in page.text("/operations")


def test_several_removals_lead_to_the_list_of_operations(page: Page) -> None:
    hold(page.engine, CLIP, *FORMATS)
    hold(page.engine, "another")
    answer = press(page, "remove", row(CLIP, *FORMATS), row("another"))
    assert len(recorded(page)) == 2
    shown = page.text(answer.location)
    assert "was recorded for 2 assets. Show the operations" in shown


def test_a_removal_answers_a_program_with_its_operations(page: Page) -> None:
    hold(page.engine, CLIP)
    answer = press(page, "remove", row(), headers={**SAME_SITE, "Accept": "application/json"})
    assert answer.json == {
        "message": "The removal was recorded for 1 asset.",
        "assets": 1,
        "longer": 0,
        "gone": 0,
        "operation_ids": recorded(page),
    }


@without_token
@pytest.mark.parametrize("button", ["remove", "refresh"])
def test_without_a_token_what_needs_one_is_refused(page: Page, button: str) -> None:
    hold(page.engine, CLIP, checked_ms=7)
    answer = press(page, button, row())
    assert answer.status_code == 409
    assert "The service has no ICONIK_TOKEN." in answer.text
    assert (held(page)["ORIGINAL"].checked_ms, recorded(page)) == (7, [])


@pytest.mark.parametrize(
    "notice", ["kept", "kept-1", "kept-1-2-x", "odd-1-2-3", "kept-1-2-3-4", "kept-1--3", "-"]
)
def test_a_notice_that_no_button_has_made_is_not_shown(page: Page, notice: str) -> None:
    assert 'id="notice"' not in page.get(f"/lucidlink?notice={notice}").text
