"""Whether people can read the pages: on a desk, on a phone, on paper, and with other colours."""

import re

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By

from dev.harness import Service, wait_for
from iconik_http.records import UUID
from tests.chromium.browser import complaints, prefer, resize
from tests.chromium.person import (
    PATIENCE,
    clicked,
    clips,
    faults,
    open_all,
    open_operation,
    press,
    shown,
    wait_to_read,
)
from tests.system.media import asset, collection

ROWS = "tbody tr"
NOWHERE = "/operations/00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def many(service: Service, kept: str) -> str:
    """The id of the newest of more operations than a page of the list has; it has 60 assets."""
    for each in clips(service, "take ", 25):
        clicked(service, "add", each)
    operation_id = clicked(service, "add", *clips(service, "wide shot ", 60))
    service.report(operation_id)
    return operation_id


@pytest.fixture(scope="module")
def paths(service: Service, kept: str, many: str) -> list[str]:
    """The addresses of a page of each kind, in many states."""
    simulator = service.simulator
    untitled = asset(simulator, "", on="both")
    simulator.edit_on_lucidlink(untitled, "another cut")
    removed = clicked(service, "remove", untitled)
    service.report(removed)
    token = simulator.control("POST", "tokens", {"roles": ["can_read_assets"]})["token"]
    empty = collection(simulator, "Rushes")
    body = {"auth_token": token, "context": "COLLECTION", "collection_ids": [empty]}
    failed = service.post("add", body, formats="ORIGINAL").json()["operation_id"]
    service.report(failed)
    retried = service.post("add", body, formats="ORIGINAL").json()["operation_id"]
    service.report(retried)
    operations = (kept, f"{kept}?show=kept", many, removed, failed, retried)
    return [
        "/operations",
        "/operations?state=failed",
        "/operations?text=nothing",
        NOWHERE,
        *(f"/operations/{each}" for each in operations),
    ]


def visit(browser: WebDriver, service: Service, path: str) -> None:
    """Open a page, which may be one that does not exist."""
    browser.get(f"{service.url}{path}")
    if path == NOWHERE:
        (missing,) = complaints(browser)
        assert "404" in missing["message"]


@pytest.mark.parametrize("width", [360, 800, 1440])
def test_no_id_is_among_what_people_read(
    browser: WebDriver, service: Service, paths: list[str], width: int
) -> None:
    resize(browser, width, 900)
    for path in paths:
        visit(browser, service, path)
        open_all(browser)
        assert not UUID.search(shown(browser, "body")), path


def test_twenty_operations_fit_on_the_screen_of_a_desk(
    browser: WebDriver, service: Service, many: str
) -> None:
    resize(browser, 1440, 900)
    browser.get(f"{service.url}/operations")
    rows = browser.find_elements(By.CSS_SELECTOR, ROWS)
    assert len(rows) == 25
    assert rows[19].rect["y"] + rows[19].rect["height"] <= 900


@pytest.mark.parametrize(("width", "display"), [(360, "grid"), (800, "table-row")])
def test_operations_are_a_table_unless_the_screen_is_narrow(
    browser: WebDriver, service: Service, many: str, width: int, display: str
) -> None:
    resize(browser, width, 800)
    browser.get(f"{service.url}/operations")
    row = browser.find_element(By.CSS_SELECTOR, ROWS)
    assert row.value_of_css_property("display") == display


def test_an_asset_is_a_line_on_a_phone_and_opens_with_a_tap(
    browser: WebDriver, service: Service, kept: str
) -> None:
    resize(browser, 360, 800)
    open_operation(browser, service, kept)
    first, second = browser.find_elements(By.CSS_SELECTOR, ".narrow > li")
    assert [each.rect["height"] < 50 for each in (first, second)] == [True, True]
    assert re.fullmatch(r"clip1\s+kept on LucidLink", first.text)
    first.find_element(By.TAG_NAME, "summary").click()
    assert "differs from its master" in first.text


def test_what_is_open_stays_open_while_the_page_follows(
    browser: WebDriver, service: Service
) -> None:
    service.simulator.control("PATCH", "settings", {"copies_paused": True})
    operation_id = clicked(service, "add", *clips(service, "opened", 2))
    resize(browser, 360, 800)
    open_operation(browser, service, operation_id)
    wait_for("rows", lambda: browser.find_elements(By.CSS_SELECTOR, ".narrow summary"), PATIENCE)
    browser.find_element(By.CSS_SELECTOR, ".narrow summary").click()
    service.simulator.control("PATCH", "settings", {"copies_paused": False})
    wait_to_read(browser, "2\ncopied", "#state")
    assert browser.execute_script("return document.querySelectorAll('.narrow [open]').length") == 1


def test_a_person_leafs_through_the_list_and_back(
    browser: WebDriver, service: Service, many: str
) -> None:
    browser.get(f"{service.url}/operations?action=add")
    assert re.match(r"Page 1 of \d\s+Older operations$", shown(browser, ".pager"))
    newest = shown(browser, ROWS)
    press(browser, "next")
    wait_to_read(browser, "Page 2 of", ".pager")
    assert shown(browser, ROWS) != newest
    press(browser, "previous")
    wait_to_read(browser, "Page 1 of", ".pager")
    assert shown(browser, ROWS) == newest


def test_a_person_leafs_through_a_report_and_back(
    browser: WebDriver, service: Service, many: str
) -> None:
    open_operation(browser, service, many)
    assert "1\N{EN DASH}50 of 60 assets" in shown(browser, "#report")
    first = shown(browser, "#report tbody")
    press(browser, "next")
    wait_to_read(browser, "51\N{EN DASH}60 of 60 assets", "#report")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#report tbody tr")) == 10
    press(browser, "previous")
    wait_to_read(browser, "1\N{EN DASH}50 of 60 assets", "#report")
    assert shown(browser, "#report tbody") == first


def test_a_page_that_has_not_changed_is_not_sent_again(
    browser: WebDriver, service: Service, many: str
) -> None:
    browser.execute_script(WATCHED)
    wait_for("304", lambda: 304 in browser.execute_script("return statuses"), PATIENCE)
    changes = browser.execute_script("return changes")
    seen = len(browser.execute_script("return statuses"))
    wait_for("more", lambda: len(browser.execute_script("return statuses")) > seen, PATIENCE)
    assert browser.execute_script("return changes") == changes


def test_a_paused_page_asks_for_nothing_until_it_is_resumed(
    browser: WebDriver, service: Service
) -> None:
    assert shown(browser, "#pause") == "Pause refresh"
    press(browser, "pause")
    assert shown(browser, "#pause") == "Resume"
    # For the whole tab, on every page.
    browser.refresh()
    assert shown(browser, "#pause") == "Resume"
    browser.execute_script(WATCHED)
    operation_id = clicked(service, "add", *clips(service, "paused", 1))
    service.report(operation_id)
    assert browser.execute_script("return statuses") == []
    press(browser, "pause")
    wait_to_read(browser, "done", f"tr:has(#o-{operation_id})")


def test_what_has_ended_offers_no_pause(browser: WebDriver, service: Service, kept: str) -> None:
    open_operation(browser, service, kept)
    assert not browser.find_element(By.ID, "pause").is_displayed()


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize(("scheme", "forced"), [("light", False), ("dark", False), ("dark", True)])
def test_axe_has_nothing_to_say(
    browser: WebDriver, service: Service, paths: list[str], scheme: str, forced: bool, width: int
) -> None:
    resize(browser, width, 900)
    prefer(browser, scheme, forced=forced)
    for path in paths:
        visit(browser, service, path)
        open_all(browser)
        assert faults(browser) == [], path


def test_paper_has_the_whole_report_and_no_buttons(
    browser: WebDriver, service: Service, kept: str
) -> None:
    resize(browser, 700, 1000)
    prefer(browser, "dark", media="print")
    open_operation(browser, service, kept)
    assert "differs from its master" in shown(browser, "#report")
    pressed = "button, .button, input, .pager, .crumbs"
    assert not [e for e in browser.find_elements(By.CSS_SELECTOR, pressed) if e.is_displayed()]
    assert service.url not in shown(browser, "body")


def test_who_sets_larger_letters_gets_larger_letters(browser: WebDriver) -> None:
    size = browser.execute_script(
        "document.documentElement.style.fontSize = '150%';"
        "return getComputedStyle(document.body).fontSize"
    )
    assert size == "24px"


# Notes how the service answers, and how often the page changes.
WATCHED = """
window.statuses = [];
window.changes = 0;
const ask = window.fetch;
window.fetch = async (...all) => {
  const response = await ask(...all);
  statuses.push(response.status);
  return response;
};
const all = { subtree: true, childList: true, characterData: true, attributes: true };
new MutationObserver(() => { changes += 1; }).observe(document.body, all);
"""
