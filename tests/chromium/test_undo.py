"""Undoing a Remove in a real Chromium, in front of a service that leaves the purge to iconik."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from dev.harness import Service, Simulator, stop_all
from tests.chromium.browser import resize
from tests.chromium.person import clicked, clips, open_operation, press, shown, wait_to_read
from tests.system.media import files


@pytest.fixture(scope="module")
def service(directory: Path) -> Iterator[Service]:
    simulator = Simulator(directory, "--copy-seconds", "0.05")
    service = Service(directory, simulator, environment={"PURGE": "later"})
    yield service
    service.stop()
    stop_all()


def test_a_remove_is_brought_back_by_a_button(browser: WebDriver, service: Service) -> None:
    remove = clicked(service, "remove", *clips(service, "clip", 2, on="both"))
    open_operation(browser, service, remove)
    wait_to_read(browser, "The removal can be undone until", "#state")
    assert "600 bytes removed" in shown(browser, "#state")
    press(browser, "undo")
    browser.switch_to.alert.accept()
    wait_to_read(browser, "This operation brings back what the Remove marked as deleted.")
    wait_to_read(browser, "2\nbrought back", "#state")
    assert "600 bytes brought back" in shown(browser, "#state")
    # The Remove then offers it no longer.
    press(browser, "original")
    wait_to_read(browser, "Followed by")
    assert "can be undone" not in shown(browser)
    assert len(files(service.simulator.lucidlink)) == 2


@pytest.mark.parametrize("width", [360, 1440])
def test_the_notice_fits_the_window(browser: WebDriver, service: Service, width: int) -> None:
    remove = clicked(service, "remove", *clips(service, f"narrow{width}", 1, on="both"))
    service.report(remove)
    resize(browser, width, 900)
    open_operation(browser, service, remove)
    wait_to_read(browser, "the space is freed then", "#undoable")
    script = "return document.documentElement.scrollWidth <= window.innerWidth"
    assert browser.execute_script(script)
