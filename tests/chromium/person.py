"""What a person does and reads on the pages, and the clicks that they look at."""

from contextlib import suppress
from importlib import resources

import axe_core_python
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By

from dev.harness import Service, wait_for
from tests.system.media import asset

PATIENCE = 120.0
AXE = (resources.files(axe_core_python) / "axe.min.js").read_text()
RUN_AXE = """
const done = arguments[0];
const told = (each) => each.nodes.map((node) => `${each.id}: ${node.html.slice(0, 120)}`);
axe.run().then((found) => done(found.violations.flatMap(told)), (error) => done([`${error}`]));
"""


def clicked(service: Service, action: str, *asset_ids: str) -> str:
    answer = service.click(action, "ORIGINAL", asset_ids=list(asset_ids))
    assert answer.status_code == 200
    return str(answer.json()["operation_id"])


def clips(service: Service, title: str, number: int, on: str = "b2") -> list[str]:
    return [asset(service.simulator, f"{title}{each}", on=on) for each in range(number)]


def shown(browser: WebDriver, part: str = "main") -> str:
    """What a person reads on the page now."""
    script = "return document.querySelector(arguments[0])?.innerText ?? ''"
    return str(browser.execute_script(script, part))


def wait_to_read(browser: WebDriver, text: str, part: str = "main") -> None:
    """Wait until the page shows something, by itself."""

    def is_shown() -> bool:
        return text in shown(browser, part)

    try:
        wait_for(f"'{text}'", is_shown, PATIENCE)
    except TimeoutError:
        raise AssertionError(f"no '{text}' in: {shown(browser, part)}") from None


def open_all(browser: WebDriver) -> None:
    """Open all that can be opened on the page."""
    browser.execute_script(
        "document.querySelectorAll('details').forEach((each) => { each.open = true; });"
    )


def faults(browser: WebDriver) -> list[str]:
    """What on the page breaks a rule of axe."""
    browser.execute_script(AXE)
    found: list[str] = browser.execute_async_script(RUN_AXE)
    return found


def press(browser: WebDriver, button: str) -> None:
    """Press a button or a link, also if the page puts a new one in its place just then."""

    def is_pressed() -> bool:
        with suppress(StaleElementReferenceException):
            browser.find_element(By.ID, button).click()
            return True
        return False

    wait_for(button, is_pressed, PATIENCE)


def open_operation(browser: WebDriver, service: Service, operation_id: str) -> None:
    browser.get(f"{service.url}/operations/{operation_id}")
