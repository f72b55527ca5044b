"""The list of what is left to do, and the page of an asset, in a real Chromium."""

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By

from dev.harness import Service, wait_for
from iconik_http.records import UUID
from tests.chromium.browser import prefer, resize
from tests.chromium.person import PATIENCE, clicked, faults, shown
from tests.system.media import asset, collection
from tests.system.test_protection import protect


@pytest.fixture(scope="module")
def edited(service: Service) -> str:
    """The id of an asset that a Remove kept, because its file was edited."""
    clip = asset(service.simulator, "Beach", on="both")
    service.simulator.edit_on_lucidlink(clip, "another cut")
    answer = service.click("remove", "ORIGINAL", asset_ids=[clip])
    service.report(str(answer.json()["operation_id"]))
    return clip


@pytest.fixture(scope="module")
def paths(service: Service, edited: str) -> list[str]:
    """The addresses of these pages in many states: also with what has no title or no assets."""
    simulator = service.simulator
    untitled = asset(simulator, "", on="both")
    simulator.edit_on_lucidlink(untitled, "another cut")
    removed = service.click("remove", "ORIGINAL", asset_ids=[untitled])
    service.report(str(removed.json()["operation_id"]))
    token = simulator.control("POST", "tokens", {"roles": ["can_read_assets"]})["token"]
    selection = {"context": "COLLECTION", "collection_ids": [collection(simulator, "Rushes")]}
    failed = service.post("add", {"auth_token": token, **selection}, formats="ORIGINAL")
    service.report(str(failed.json()["operation_id"]))
    protected = asset(simulator, "Protected", on="both")
    service.report(clicked(service, "preview", protected))
    protect(service, protected)
    kept = clicked(service, "remove", protected)
    service.report(kept)
    return ["/todo", "/todo?cause=differs", "/todo?cause=lost", f"/assets/{edited}",
            f"/assets/{untitled}", f"/assets/{protected}", f"/operations/{kept}"]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_no_fault(
    browser: WebDriver, service: Service, paths: list[str], width: int, scheme: str
) -> None:
    resize(browser, width, 900)
    prefer(browser, scheme)
    for path in paths:
        browser.get(f"{service.url}{path}")
        assert faults(browser) == [], path


@pytest.mark.parametrize("width", [320, 800, 1440])
def test_no_id_is_read_and_nothing_is_wider_than_the_window(
    browser: WebDriver, service: Service, paths: list[str], width: int
) -> None:
    resize(browser, width, 900)
    for path in paths:
        browser.get(f"{service.url}{path}")
        assert not UUID.search(shown(browser, "body")), path
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, path


@pytest.mark.parametrize("width", [360, 1440])
def test_each_row_shows_its_asset_and_its_outcome(
    browser: WebDriver, service: Service, edited: str, width: int
) -> None:
    resize(browser, width, 900)
    for path in ("/todo?cause=differs", f"/assets/{edited}"):
        browser.get(f"{service.url}{path}")
        assert browser.find_element(By.PARTIAL_LINK_TEXT, "Beach").is_displayed()
        outcome = browser.find_element(By.CSS_SELECTOR, ".kind.kept")
        assert outcome.text.startswith("ORIGINAL kept")
        ground = outcome.value_of_css_property("background-color")
        assert ground not in ("rgba(0, 0, 0, 0)", "rgb(255, 255, 255)")


def test_what_is_left_is_retried_and_then_gone(browser: WebDriver, service: Service) -> None:
    service.simulator.control("PATCH", "settings", {"copies_paused": True})
    clip = asset(service.simulator, "Pier")
    operation_id = str(service.click("add", "ORIGINAL", asset_ids=[clip]).json()["operation_id"])
    wait_for("copy", lambda: service.progress(operation_id).get("copying"), PATIENCE)
    service.ask_to_stop(operation_id, "Ada")
    service.report(operation_id)
    browser.get(f"{service.url}/todo")
    (group,) = (
        each for each in browser.find_elements(By.CSS_SELECTOR, ".group") if "Pier" in each.text
    )
    service.simulator.control("PATCH", "settings", {"copies_paused": False})
    group.find_element(By.TAG_NAME, "button").click()
    wait_for("the retry", lambda: "/operations/" in browser.current_url, PATIENCE)
    retry = browser.current_url.split("/")[-1].split("?")[0]
    assert service.report(retry)["problems"] == []
    browser.get(f"{service.url}/todo")
    assert "Pier" not in shown(browser)
    browser.get(f"{service.url}/assets/{clip}")
    assert "on LucidLink" in shown(browser, "#places")


def test_the_page_of_an_asset_is_reached_from_what_is_left(
    browser: WebDriver, service: Service, edited: str
) -> None:
    browser.find_element(By.LINK_TEXT, "To do").click()
    browser.find_element(By.LINK_TEXT, "Beach").click()
    assert browser.current_url == f"{service.url}/assets/{edited}"
    link = browser.find_element(By.ID, "in-iconik").get_attribute("href")
    assert str(link).endswith(f"/asset/{edited}")
