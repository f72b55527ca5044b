"""The operations pages for people without the secret: by the page password, or by a link."""

import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from b2_iconik.common.clock import now_ms
from b2_iconik.common.links import EXPIRES_AFTER, Links
from b2_iconik.domain.outcomes import Outcome
from b2_iconik.report.contents import ASSETS_A_PAGE
from tests.makers import found
from tests.web.page import CLIP, KEPT, REMOVED, SECRET, Page, basic, retry, taken_over

pytestmark = pytest.mark.usefixtures("opened_later")

PASSWORD = "the-password-to-look"
BEFORE = "the-secret-before"
WHERE = "https://plugin.example.com"
BUTTONS = ('type="submit" class=', "data-ask=", 'method="post"', "again-means")
SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
QUERY = (
    "b2_storage_id=11111111-1111-4111-8111-111111111111&"
    "ll_storage_id=22222222-2222-4222-8222-222222222222"
)


@pytest.fixture
def changes() -> dict[str, Any]:
    return {"previous_secret": BEFORE, "page_password": PASSWORD, "public_url": WHERE}


def link_to(operation_id: str, secret: str = SECRET, age_ms: int = 0) -> str:
    """The path and query of a link to an operation."""
    link = Links(WHERE, (secret,)).to(operation_id, now_ms() - age_ms)
    assert link
    return link.removeprefix(WHERE)


def opened(page: Page, path: str) -> TestResponse:
    """The answer to somebody without a password."""
    return page.client.get(path)


# The page password


@pytest.mark.parametrize("path", ["/operations", "/operations?format=json"])
def test_who_has_the_page_password_may_look(page: Page, path: str) -> None:
    assert page.get(path, PASSWORD).status_code == 200


def test_the_page_password_shows_no_button(page: Page) -> None:
    for operation_id in (page.click(), page.ended({"a1": {"ORIGINAL": KEPT}})):
        shown = page.get(f"/operations/{operation_id}", PASSWORD).text
        assert [each for each in BUTTONS if each in shown] == []


def test_the_secret_still_shows_the_buttons(page: Page) -> None:
    shown = page.get(f"/operations/{page.click()}").text
    assert '<button id="stop"' in shown


@pytest.mark.parametrize("button", ["stop", "retry", "remove"])
def test_the_page_password_presses_no_button(page: Page, button: str) -> None:
    operation_id = page.click()
    answer = page.client.post(
        f"/operations/{operation_id}/{button}", headers={**basic(PASSWORD), **SAME_SITE}
    )
    assert answer.status_code == 403
    assert "The page password only shows operations." in answer.text
    assert found(page.engine, operation_id).stop_by is None


@pytest.mark.parametrize("action", ["add", "remove", "preview", "check"])
def test_the_page_password_is_no_secret_for_clicks(page: Page, action: str) -> None:
    for headers in ({"x-bz-secret": PASSWORD}, basic(PASSWORD)):
        answer = page.client.post(f"/{action}?{QUERY}", json={}, headers=headers)
        assert answer.status_code == 401


def test_a_wrong_password_is_told_which_ones_there_are(page: Page) -> None:
    answer = page.get(password="guess-17")
    assert answer.status_code == 401
    assert "The password is not the page password or the shared secret." in answer.text


def test_all_passwords_are_compared_in_constant_time(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bytes] = []

    def compare(_: bytes, secret: bytes) -> bool:
        compared.append(secret)
        return False

    monkeypatch.setattr("hmac.compare_digest", compare)
    page.get(password="guess-17")
    assert compared == [SECRET.encode(), BEFORE.encode(), PASSWORD.encode()]


# Links


@pytest.mark.parametrize("secret", [SECRET, BEFORE])
def test_a_link_opens_the_page_of_its_operation(page: Page, secret: str) -> None:
    assert opened(page, link_to(page.click(), secret)).status_code == 200


def test_a_link_opens_the_csv_and_the_json_of_its_operation(page: Page) -> None:
    link = link_to(page.ended({"a1": {"ORIGINAL": KEPT}}))
    assert opened(page, link.replace("?", ".csv?")).mimetype == "text/csv"
    assert opened(page, f"{link}&format=json").get_json()["counts"]["kept"] == 1


@pytest.mark.parametrize("path", ["/lucidlink", "/lucidlink.csv"])
def test_a_link_to_an_operation_does_not_open_what_is_on_lucidlink(page: Page, path: str) -> None:
    _, _, query = link_to(page.click()).partition("?")
    assert opened(page, f"{path}?{query}").status_code == 401


def test_a_link_to_an_operation_changes_nothing_on_lucidlink(page: Page) -> None:
    _, _, query = link_to(page.click()).partition("?")
    assert page.client.post(f"/lucidlink/remove?{query}", headers=SAME_SITE).status_code == 401


def test_a_link_answers_head_requests(page: Page) -> None:
    assert page.client.head(link_to(page.click())).status_code == 200


@pytest.mark.parametrize(
    "path", ["/operations", "/operations/{other}", "/operations/{other}.csv", "/metrics"]
)
def test_a_link_opens_nothing_else(page: Page, path: str) -> None:
    query = link_to(page.click()).partition("?")[2]
    other = page.click(asset_ids=("a3",))
    answer = page.client.get(
        f"{path.format(other=other)}?{query}", headers={"X-Forwarded-For": "192.0.2.7"}
    )
    assert answer.status_code in (401, 403)


@pytest.mark.parametrize("button", ["stop", "retry"])
def test_a_link_presses_no_button(page: Page, button: str) -> None:
    operation_id = page.click()
    path, _, query = link_to(operation_id).partition("?")
    answer = page.client.post(f"{path}/{button}?{query}", headers=SAME_SITE)
    assert answer.status_code == 401
    assert found(page.engine, operation_id).stop_by is None


def test_a_link_is_no_secret_for_clicks(page: Page) -> None:
    (value,) = parse_qs(urlsplit(link_to(page.click())).query)["link"]
    answer = page.client.post(f"/add?{QUERY}&link={value}", json={}, headers={"x-bz-secret": value})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/operations/{id}?link=9999999999.forged", "/operations?link=x"])
def test_a_forged_link_asks_for_a_password_and_says_why(page: Page, path: str) -> None:
    answer = opened(page, path.format(id=page.click()))
    assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)
    assert "This link has expired, or does not open this page." in answer.text


def test_an_expired_link_opens_nothing(page: Page) -> None:
    week_ms = int(EXPIRES_AFTER.total_seconds()) * 1000
    assert opened(page, link_to(page.click(), age_ms=week_ms + 1000)).status_code == 401


def test_a_link_expires_by_the_clock(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    link = link_to(page.click())
    later = time.time_ns() + int(EXPIRES_AFTER.total_seconds()) * 1_000_000_000
    monkeypatch.setattr("b2_iconik.web.pages.now_ms", lambda: later // 1_000_000)
    assert opened(page, link).status_code == 401


def test_a_wrong_password_does_not_close_what_a_link_opens(page: Page) -> None:
    assert page.get(link_to(page.click()), "guess-17").status_code == 200


def test_who_has_the_secret_may_act_on_the_page_of_a_link(page: Page) -> None:
    assert '<button id="stop"' in page.get(link_to(page.click())).text


def test_the_page_of_a_link_leads_only_to_itself(page: Page) -> None:
    many = {f"a{number:03}": {"ORIGINAL": KEPT} for number in range(ASSETS_A_PAGE + 1)}
    first = page.ended(many)
    link = link_to(page.ended({**many, "b": {"ORIGINAL": REMOVED}}))
    for path in (link, f"{link}&show=kept", f"{link}&text=nothing"):
        shown = opened(page, path).text
        targets = re.findall(r'(?:href|action)="(/operations[^"]*)"', shown)
        mine = urlsplit(link).path
        assert {urlsplit(each).path.removesuffix(".csv") for each in targets} == {mine}
        gone = [each for each in targets if "link=" not in each]
        # The query of a form's address is replaced by its fields, of which one is the link.
        assert gone == []
        assert f'name="link" value="{urlsplit(link).query.removeprefix("link=")}"' in shown
        assert first not in shown


def test_the_page_of_a_link_shows_no_button(page: Page) -> None:
    for operation_id in (page.click(), page.ended({"a1": {"ORIGINAL": KEPT}})):
        shown = opened(page, link_to(operation_id)).text
        assert [each for each in BUTTONS if each in shown] == []


def test_a_link_tells_nothing_of_the_operation_that_is_retried(page: Page) -> None:
    first = page.ended({"a1": {"ORIGINAL": Outcome("failed")}})
    page.ledger.note_title(found(page.engine, first).number, "Rushes of another film")
    answer = page.press("retry", first, {"what": "left"})
    second = urlsplit(answer.headers["Location"]).path.rpartition("/")[2]
    for path in (f"/operations/{second}", f"/operations/{second}?format=json"):
        assert "Rushes of another film" in page.get(path).text
    for path in (link_to(second), f"{link_to(second)}&format=json"):
        shown = opened(page, path).text
        assert (first in shown, "Rushes of another film" in shown) == (False, False)


def test_a_link_tells_nothing_of_a_retry_except_that_the_rest_is_done(page: Page) -> None:
    first = page.ended({CLIP: {"ORIGINAL": KEPT}, "a2": {"ORIGINAL": REMOVED}})
    second = retry(page, first, REMOVED)
    page.ledger.note_title(found(page.engine, second).number, "Rushes of another film")
    assert "Rushes of another film" in page.text(f"/operations/{first}")
    told = opened(page, f"{link_to(first)}&format=json")
    shown = opened(page, link_to(first)).text
    for text in (told.text, shown):
        assert (second in text, "Rushes of another film" in text) == (False, False)
    assert [bool(row["resolved"]) for row in told.get_json()["report"]] == [True, False]
    assert "Done since, by a later operation." in shown


def test_a_link_tells_nothing_of_what_took_over_except_the_reason(page: Page) -> None:
    older, newer = taken_over(page, ["a1"])
    for path in (link_to(older), f"{link_to(older)}&format=json"):
        shown = opened(page, path).text
        told = (newer in shown, "Add to LucidLink: 2 assets" in shown, "a newer Add" in shown)
        assert told == (False, False, True)


def test_the_page_of_a_link_tells_no_other_site_its_address(page: Page) -> None:
    answer = opened(page, link_to(page.click()))
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_link_to_an_operation_that_is_gone_says_so(page: Page) -> None:
    answer = opened(page, link_to("11111111-1111-4111-8111-111111111111"))
    assert (answer.status_code, 'href="/operations' in answer.text) == (404, False)
