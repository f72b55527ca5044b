"""The page of what is on LucidLink, in a real Chromium."""

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from b2_iconik.common.clock import now_ms
from b2_iconik.ledger.database import connect
from b2_iconik.ledger.totals import DAY_MS
from dev.harness import Service
from iconik_http.records import UUID
from tests.chromium.browser import prefer, resize
from tests.chromium.person import faults, open_all, press, shown, wait_to_read
from tests.makers import hold, protect
from tests.system.media import asset

ADA = "ada0ada0-1111-4aaa-8aaa-000000000001"
PATHS = ("/lucidlink", "/lucidlink?due=overdue&format_name=ORIGINAL", "/lucidlink?text=nothing")


def put(service: Service, title: str, *formats: str, **fields: object) -> str:
    """Have a new asset on LucidLink, as far as the ledger knows; returns its id."""
    clip = asset(service.simulator, title, on="both")
    storages = {
        "ll_storage_id": service.simulator.ll_storage_id,
        "b2_storage_id": service.simulator.b2_storage_id,
    }
    now = now_ms()
    # The service itself leaves alone what was just checked, and what it attempts tomorrow.
    later = {"checked_ms": now, "next_attempt_ms": now + DAY_MS}
    given = {**storages, **later, "title": title or None, "since_ms": now - DAY_MS, "user_id": ADA}
    engine = connect(service.environment["DATABASE_URL"], 30)
    hold(engine, clip, *formats, **{**given, **fields})
    if title == "Protected":
        protect(engine, clip, now_ms() + 9 * DAY_MS)
    engine.dispose()
    return clip


@pytest.fixture(scope="module")
def several(service: Service) -> None:
    """Assets in many states on LucidLink."""
    now = now_ms()
    put(service, "Overdue", "ORIGINAL", "PPRO_PROXY", until_ms=now - 9 * DAY_MS, attempts=8)
    put(service, "Tried", until_ms=now - DAY_MS, attempts=1)
    put(service, "Protected", until_ms=now + 3 * DAY_MS, until_by="Ben on the LucidLink page")
    put(service, "", "ORIGINAL", user_name="Ada Okafor")
    put(service, "A very long title of a take that was named by its camera " * 3, "ORIGINAL")


@pytest.fixture
def page(browser: WebDriver, service: Service, several: None) -> WebDriver:
    """The browser at the page."""
    browser.get(f"{service.url}/lucidlink")
    return browser


def row(browser: WebDriver, title: str) -> str:
    """The selector of the row of an asset."""
    for number, each in enumerate(browser.find_elements(By.CSS_SELECTOR, ".held tbody tr"), 1):
        if title in each.text:
            return f".held tbody tr:nth-child({number})"
    raise AssertionError(f"no {title} in: {shown(browser)}")


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize(("scheme", "forced"), [("light", False), ("dark", False), ("dark", True)])
def test_axe_finds_no_fault(
    browser: WebDriver, service: Service, width: int, scheme: str, forced: bool
) -> None:
    resize(browser, width, 900)
    prefer(browser, scheme, forced=forced)
    for path in PATHS:
        browser.get(f"{service.url}{path}")
        open_all(browser)
        assert faults(browser) == [], path


@pytest.mark.usefixtures("several")
@pytest.mark.parametrize("width", [320, 800, 1440])
def test_no_id_is_read_and_nothing_is_wider_than_the_window(
    browser: WebDriver, service: Service, width: int
) -> None:
    resize(browser, width, 900)
    for path in PATHS:
        browser.get(f"{service.url}{path}")
        for opened in (False, True):
            if opened:
                open_all(browser)
            assert not UUID.search(shown(browser, "body")), path
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, path


def test_the_totals_filter_the_list(page: WebDriver) -> None:
    press(page, "count-overdue")
    wait_to_read(page, "match")
    titles = [each.text for each in page.find_elements(By.CSS_SELECTOR, ".held tbody th")]
    assert [each for each in titles if "Overdue" not in each] == []
    page.find_element(By.LINK_TEXT, "Show all").click()
    wait_to_read(page, "Tried")


def test_a_selection_is_counted_and_kept_longer(
    browser: WebDriver, service: Service, several: None
) -> None:
    put(service, "Beach 1", until_ms=now_ms() - 1)
    put(service, "Beach 2")
    browser.get(f"{service.url}/lucidlink?text=Beach")
    button = browser.find_element(By.CSS_SELECTOR, "#chosen button")
    assert (shown(browser, "#selected"), button.is_enabled()) == ("0 selected", False)
    press(browser, "all")
    assert (shown(browser, "#selected"), button.is_enabled()) == ("2 selected", True)
    browser.find_element(By.CSS_SELECTOR, row(browser, "Beach 2") + " [type=checkbox]").click()
    assert shown(browser, "#selected") == "1 selected"
    browser.find_element(By.CSS_SELECTOR, "#chosen [name=days]").send_keys("14", Keys.ENTER)
    wait_to_read(browser, "The time was changed for 1 asset.")
    assert "due in 13 d 23 h" in shown(browser, row(browser, "Beach 1"))
    assert "set by ada on the LucidLink page" in shown(browser, row(browser, "Beach 1"))
    assert "until removed by hand" in shown(browser, row(browser, "Beach 2"))
    browser.refresh()
    assert "The time was changed" not in shown(browser)


def test_an_asset_is_kept_until_it_is_removed_by_hand_with_the_keyboard(
    browser: WebDriver, service: Service, several: None
) -> None:
    put(service, "Pier", until_ms=now_ms())
    browser.get(f"{service.url}/lucidlink?text=Pier")
    browser.find_element(By.ID, "change-1").send_keys(Keys.ENTER)
    reached = ""
    for _ in range(20):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        here = browser.switch_to.active_element
        width = browser.execute_script("return getComputedStyle(arguments[0]).outlineWidth", here)
        assert float(str(width).removesuffix("px")) >= 2, f"{here.text} shows no focus"
        reached = here.text
        if reached == "Keep until removed by hand":
            break
    assert reached == "Keep until removed by hand"
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    wait_to_read(browser, "Kept until removed by hand: 1 asset.")
    assert "until removed by hand" in shown(browser, row(browser, "Pier"))
    browser.find_element(By.ID, "change-1").send_keys(Keys.ENTER)
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not browser.find_element(By.CSS_SELECTOR, ".held .menu form").is_displayed()


@pytest.mark.parametrize("width", [360, 1440])
def test_an_asset_is_removed_once_that_is_confirmed(
    browser: WebDriver, service: Service, several: None, width: int
) -> None:
    resize(browser, width, 900)
    put(service, f"Market {width}")
    browser.get(f"{service.url}/lucidlink?text=Market {width}")
    for yes in (False, True):
        menu = browser.find_element(By.CSS_SELECTOR, ".held .menu")
        if not menu.get_attribute("open"):
            press(browser, "change-1")
        menu.find_element(By.CSS_SELECTOR, ".danger").click()
        question = browser.switch_to.alert
        assert question.text.startswith(f"Remove ORIGINAL of Market {width} from LucidLink?")
        if yes:
            question.accept()
        else:
            question.dismiss()
    wait_to_read(browser, "This operation removes what you selected.")
    (newest, *_) = service.newest()
    report = service.report(newest)
    assert (report["result"], report["counts"]["removed"]) == ("done", 1)
    browser.get(f"{service.url}/operations/{newest}")
    assert "Requested by ada on the LucidLink page" in shown(browser, "#state")


def test_paper_has_the_list_and_no_buttons(page: WebDriver, service: Service) -> None:
    resize(page, 700, 1000)
    prefer(page, "dark", media="print")
    page.get(f"{service.url}/lucidlink")
    assert "Overdue" in shown(page)
    pressed = "button, .button, input, select, summary, .pager"
    assert not [e for e in page.find_elements(By.CSS_SELECTOR, pressed) if e.is_displayed()]
