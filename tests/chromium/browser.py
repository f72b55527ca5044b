"""A real Chromium, driven as a person would use it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver

from dev.harness import SECRET

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# It asks for nothing but what the page asks for.
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en-GB",
)


def is_installed() -> bool:
    """Whether Chromium and its driver are on this machine."""
    return bool(CHROMIUM and DRIVER)


@contextmanager
def open_browser(directory: Path) -> Iterator[WebDriver]:
    """A Chromium with an empty profile.

    Args:
        directory: where the profile and the driver's log are.
    """
    options = Options()
    options.binary_location = str(CHROMIUM)
    for flag in FLAGS:
        options.add_argument(flag)
    if os.getuid() == 0:
        options.add_argument("--no-sandbox")
    options.add_argument(f"--user-data-dir={directory / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(directory / "downloads")}
    )
    directory.mkdir(exist_ok=True)
    service = Service(str(DRIVER), log_output=str(directory / "chromedriver.log"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        browser.set_page_load_timeout(60)
        yield browser
    finally:
        browser.quit()


def log_in(browser: WebDriver, url: str, name: str = "ada") -> None:
    """Open the operations page for the first time, as who knows the secret."""
    browser.get(f"{with_password(url, name)}/operations")
    # From now on the browser sends it by itself.
    browser.get(f"{url}/operations")


def with_password(url: str, name: str = "ada") -> str:
    """The address of the service with the name and the password of a person."""
    return f"http://{name}:{SECRET}@{urlsplit(url).netloc}"


def prefer(browser: WebDriver, scheme: str, *, forced: bool = False, media: str = "") -> None:
    """Have the person prefer 'dark' or 'light'.

    Args:
        browser: the person's browser.
        scheme: what they prefer.
        forced: whether they force colours of their own on every page.
        media: 'print' to see the page as it is printed.
    """
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "forced-colors", "value": "active" if forced else "none"},
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def resize(browser: WebDriver, width: int, height: int) -> None:
    """Give the page a window of so many pixels, as on a phone if it is narrow."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def complaints(browser: WebDriver) -> list[dict[str, Any]]:
    """What the browser has complained about since it was last asked: refused scripts, failures."""
    log: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return log
