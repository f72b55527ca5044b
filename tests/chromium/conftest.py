"""A person at a browser, and the service that they look at."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver

from dev.harness import Service, Simulator, stop_all
from tests.chromium.browser import complaints, is_installed, log_in, open_browser, prefer, resize
from tests.chromium.person import clicked, clips


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Pass these tests over where there is no browser, unless that is not to be."""
    here = Path(__file__).parent
    if is_installed() or os.environ.get("REQUIRE_SERVERS"):
        return
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="chromium and chromedriver are not installed"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chromium")


@pytest.fixture(scope="module")
def service(directory: Path) -> Iterator[Service]:
    """The service, with two workers."""
    simulator = Simulator(directory, "--copy-seconds", "0.05")
    service = Service(directory, simulator)
    yield service
    service.stop()
    stop_all()


@pytest.fixture(scope="module")
def one_browser(directory: Path, service: Service) -> Iterator[WebDriver]:
    """A browser whose person has logged in once."""
    with open_browser(directory) as browser:
        log_in(browser, service.url)
        yield browser


@pytest.fixture
def browser(one_browser: WebDriver, service: Service) -> Iterator[WebDriver]:
    """The browser at the list of operations; it must have complained about nothing in the end."""
    resize(one_browser, 1200, 900)
    prefer(one_browser, "light")
    service.simulator.control("PATCH", "settings", {"copies_paused": False})
    one_browser.get(f"{service.url}/operations")
    complaints(one_browser)
    yield one_browser
    assert complaints(one_browser) == []


@pytest.fixture(scope="module")
def kept(service: Service) -> str:
    """The id of an operation that kept one of two assets, whose file was edited."""
    first, edited = clips(service, "clip", 2, on="both")
    service.simulator.edit_on_lucidlink(edited, "another cut")
    operation_id = clicked(service, "remove", first, edited)
    service.report(operation_id)
    return operation_id
