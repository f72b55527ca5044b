"""The forms that protect an asset and lift that, in a real Chromium."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By

from dev.harness import Service
from tests.chromium.person import clicked, open_operation, press, shown, wait_to_read
from tests.system.media import asset, files

TODAY = datetime.now(tz=timezone.utc).date()
DAY = TODAY + timedelta(days=30)
KEPT = f"protected by ada until {DAY}"


@pytest.fixture
def pier(service: Service) -> Iterator[str]:
    """The id of an asset on B2 and on LucidLink that a preview has found."""
    pier = asset(service.simulator, "Pier", on="both")
    service.report(clicked(service, "preview", pier))
    yield pier
    service.simulator.control("DELETE", f"assets/{pier}")


def choose_day(browser: WebDriver, day: date) -> None:
    """Choose a day; the order in which people type its parts depends on the machine."""
    field = browser.find_element(By.NAME, "until")
    browser.execute_script("arguments[0].value = arguments[1]", field, day.isoformat())


def protect(browser: WebDriver, service: Service, asset_id: str) -> None:
    """Protect an asset on its page."""
    browser.get(f"{service.url}/assets/{asset_id}")
    choose_day(browser, DAY)
    press(browser, "protect")
    wait_to_read(browser, f"Protected by ada until {DAY}", "#protection")


def test_an_asset_is_protected_kept_and_after_lifting_that_removed(
    browser: WebDriver, service: Service, pier: str
) -> None:
    protect(browser, service, pier)
    assert "The asset is protected" in shown(browser, "#notice")
    remove = clicked(service, "remove", pier)
    service.report(remove)
    open_operation(browser, service, remove)
    wait_to_read(browser, KEPT, "#rows")
    browser.find_element(By.LINK_TEXT, "Lift the protection").click()
    assert browser.current_url == f"{service.url}/assets/{pier}#protection"
    browser.find_element(By.NAME, "reason").send_keys("the cut is locked")
    press(browser, "lift")
    wait_to_read(browser, "The protection is lifted", "#notice")
    assert "The asset is not protected." in shown(browser, "#protection")
    open_operation(browser, service, remove)
    press(browser, "retry")
    wait_to_read(browser, "1\nremoved", "#state")
    assert "pier_original.mov" not in files(service.simulator.lucidlink)


def test_the_browser_sends_no_form_that_would_be_refused(
    browser: WebDriver, service: Service, pier: str
) -> None:
    browser.get(f"{service.url}/assets/{pier}")
    # Yesterday may not be over in every time zone.
    choose_day(browser, TODAY - timedelta(days=2))
    press(browser, "protect")
    assert "The asset is not protected." in shown(browser, "#protection")
    protect(browser, service, pier)
    press(browser, "lift")
    assert f"Protected by ada until {DAY}" in shown(browser, "#protection")
