"""The operations page in a real Chromium, in front of the real service."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from dev.harness import Service, wait_for
from tests.chromium.browser import complaints, open_browser, prefer, resize, with_password
from tests.chromium.person import (
    PATIENCE,
    clicked,
    clips,
    open_operation,
    press,
    shown,
    wait_to_read,
)

DONE = "4\ncopied"


def copies_wait(service: Service) -> None:
    """Have every copy wait, for as long as the test wants."""
    service.simulator.control("PATCH", "settings", {"copies_paused": True})


def copies_go_on(service: Service) -> None:
    service.simulator.control("PATCH", "settings", {"copies_paused": False})


def answer(browser: WebDriver, question: str, *, yes: bool = True) -> None:
    """Answer the question that the page asks."""
    alert = browser.switch_to.alert
    assert alert.text.startswith(question)
    if yes:
        alert.accept()
    else:
        alert.dismiss()


def test_an_operation_is_watched_from_click_to_end(browser: WebDriver, service: Service) -> None:
    copies_wait(service)
    # Nobody presses anything from here on: the page follows by itself.
    operation_id = clicked(service, "add", *clips(service, "watched", 4))
    row = f"tr:has(#o-{operation_id})"
    wait_to_read(browser, "0 of 4 assets", row)
    assert "running" in shown(browser, row)
    copies_go_on(service)
    wait_to_read(browser, "done", row)
    press(browser, f"o-{operation_id}")
    assert DONE in shown(browser, "#state")
    assert shown(browser, "#report").count("ORIGINAL copied") == 4


def test_a_page_whose_address_has_a_name_and_a_password_is_followed(
    browser: WebDriver, service: Service
) -> None:
    copies_wait(service)
    operation_id = clicked(service, "add", *clips(service, "addressed", 4))
    page = f"{with_password(service.url)}/operations/{operation_id}"
    browser.get(f"{page}?notice=retried")
    wait_to_read(browser, "1 copy job in iconik, for 4 assets", "#state")
    copies_go_on(service)
    wait_to_read(browser, DONE, "#state")
    assert "notice" not in browser.current_url


def test_a_running_operation_says_what_it_waits_for(browser: WebDriver, service: Service) -> None:
    copies_wait(service)
    operation_id = clicked(service, "add", *clips(service, "waited", 4))
    open_operation(browser, service, operation_id)
    wait_to_read(browser, "1 copy job in iconik, for 4 assets", "#state")
    assert "Next check" in shown(browser, "#state")
    assert "1 running" in shown(browser, "#jobs")
    copies_go_on(service)
    wait_to_read(browser, DONE, "#state")
    assert "Waiting for" not in shown(browser, "#state")
    assert "ended" in shown(browser, "#jobs")


def test_an_operation_is_stopped_and_tried_again(browser: WebDriver, service: Service) -> None:
    copies_wait(service)
    operation_id = clicked(service, "add", *clips(service, "stopped", 6))
    open_operation(browser, service, operation_id)
    wait_to_read(browser, "copy job", "#state")
    press(browser, "stop")
    answer(browser, "Stop this operation? 6 of 6 assets will not be processed further.")
    wait_to_read(browser, "Stopped by ada on the operations page", "#state")
    assert "6\nnot finished" in shown(browser, ".counts")
    press(browser, "retry")
    wait_to_read(browser, "This operation is the retry.")
    link = browser.find_element(By.ID, "original")
    assert str(link.get_attribute("href")).endswith(operation_id)
    copies_go_on(service)
    wait_to_read(browser, "6 assets", "#state")
    (retried,) = [each for each in service.newest()[:1] if each != operation_id]
    # iconik may have made the copies meanwhile.
    assert service.report(retried)["result"] in ("done", "nothing to do")


def test_an_operation_goes_on_if_its_stop_is_not_confirmed(
    browser: WebDriver, service: Service
) -> None:
    copies_wait(service)
    operation_id = clicked(service, "add", *clips(service, "goes on", 1))
    open_operation(browser, service, operation_id)
    wait_to_read(browser, "copy job", "#state")
    press(browser, "stop")
    answer(browser, "Stop this operation?", yes=False)
    copies_go_on(service)
    assert service.report(operation_id)["result"] == "done"


def test_a_notice_does_not_come_back_when_the_page_is_loaded_again(
    browser: WebDriver, service: Service
) -> None:
    operation_id = clicked(service, "add", *clips(service, "again", 1))
    open_operation(browser, service, operation_id)
    wait_to_read(browser, "1\ncopied", "#state")
    press(browser, "more")
    press(browser, "again")
    answer(browser, "Process 1 asset again?")
    wait_to_read(browser, "This operation is the retry.")
    browser.refresh()
    assert "This operation is the retry." not in shown(browser, "main")


def test_what_was_kept_is_told_with_its_reason_and_what_to_do(
    browser: WebDriver, service: Service, kept: str
) -> None:
    open_operation(browser, service, kept)
    assert "differs from its master" in shown(browser, "#report")
    press(browser, "count-kept")
    assert "Still on LucidLink" in shown(browser, "#report")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#report tbody tr")) == 1


def test_an_asset_is_found_by_its_id(browser: WebDriver, service: Service) -> None:
    (clip,) = clips(service, "sought", 1)
    operation_id = clicked(service, "add", clip)
    service.report(operation_id)
    field = browser.find_element(By.NAME, "text")
    field.send_keys(clip, Keys.ENTER)
    (row,) = browser.find_elements(By.CSS_SELECTOR, "tbody tr a")
    assert row.get_attribute("id") == f"o-{operation_id}"


def test_the_report_is_downloaded_and_read(
    browser: WebDriver, service: Service, kept: str, directory: Path
) -> None:
    open_operation(browser, service, kept)
    browser.find_element(By.LINK_TEXT, "Report as CSV").click()
    path = directory / "downloads" / f"{kept}.csv"
    wait_for("download", path.exists, PATIENCE)
    lines = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))
    assert lines[0][:6] == ["asset_id", "asset", "format", "kind", "reason", "what to do"]
    assert sorted(line[3] for line in lines[1:]) == ["kept", "removed"]


def test_everything_is_reached_with_the_keyboard(
    browser: WebDriver, service: Service, kept: str
) -> None:
    open_operation(browser, service, kept)
    reached = []
    for _ in range(40):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        here = browser.switch_to.active_element
        reached.append(here.get_attribute("id") or here.text)
        width = browser.execute_script("return getComputedStyle(arguments[0]).outlineWidth", here)
        assert float(str(width).removesuffix("px")) >= 2, f"{reached[-1]} shows no focus"
        if reached[-1] == "csv":
            break
    assert reached[0] == "Skip to content"
    for name in ("All operations", "count-kept", "retry", "csv"):
        assert name in reached
    browser.switch_to.active_element.send_keys(Keys.TAB)
    # The menu opens with the keyboard, and closes with it.
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    browser.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("id") == "again"
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert browser.switch_to.active_element.get_attribute("id") == "more"
    assert not browser.find_element(By.ID, "again").is_displayed()


@pytest.mark.parametrize("link", ["#report th a", "#csv"])
def test_whoever_is_on_a_link_stays_there_while_the_page_follows(
    browser: WebDriver, service: Service, link: str
) -> None:
    copies_wait(service)
    operation_id = clicked(service, "add", *clips(service, "linked", 2))
    open_operation(browser, service, operation_id)
    wait_to_read(browser, "running, followed for", "#jobs")
    browser.execute_script("document.querySelector(arguments[0]).focus()", link)
    place = browser.switch_to.active_element.get_attribute("href")
    copies_go_on(service)
    wait_to_read(browser, "2\ncopied", "#state")
    assert browser.switch_to.active_element.get_attribute("href") == place


def test_what_stays_as_it_is_is_left_alone_while_the_page_follows(
    browser: WebDriver, service: Service
) -> None:
    copies_wait(service)
    operation_id = clicked(service, "add", *clips(service, "left alone", 2))
    open_operation(browser, service, operation_id)
    wait_to_read(browser, "running, followed for", "#jobs")
    job = shown(browser, "#jobs tbody td")
    followed = shown(browser, "#jobs")
    browser.execute_script(MARK)
    # A refresh later, which has changed the time that stands beside it.
    wait_for("news", lambda: shown(browser, "#jobs") != followed, PATIENCE)
    assert browser.execute_script("return getSelection().toString().trim()") == job
    assert browser.execute_script("return marked.every((each) => each.isConnected)")


def test_an_alarm_is_raised_once_and_not_with_each_look(
    browser: WebDriver, service: Service
) -> None:
    browser.execute_script(ALARMED)
    wait_to_read(browser, "No process is running", "[role=alert]")
    browser.execute_script("window.alarm = document.querySelector('[role=alert]')")
    asked = browser.execute_script("return asked")
    wait_for("more looks", lambda: browser.execute_script("return asked") > asked + 1, PATIENCE)
    assert browser.execute_script("return alarm.isConnected")


@pytest.mark.parametrize("width", [320, 799, 800, 1440])
def test_nothing_is_wider_than_the_window(
    browser: WebDriver, service: Service, kept: str, width: int
) -> None:
    resize(browser, width, 800)
    for path in ("/operations", f"/operations/{kept}", f"/operations/{kept}?show=kept"):
        browser.get(f"{service.url}{path}")
        assert browser.execute_script(TOO_WIDE, width) == [], path


def test_who_prefers_the_dark_has_it_dark(browser: WebDriver, kept: str, service: Service) -> None:
    def contrasts() -> list[float]:
        """How much each text stands out from what is behind it, as WCAG counts it."""
        found: list[float] = browser.execute_script(CONTRASTS)
        return found

    for scheme, is_dark in (("dark", True), ("light", False)):
        prefer(browser, scheme)
        open_operation(browser, service, kept)
        ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g)"
        brightness = sum(map(int, browser.execute_script(ground))) / 3
        assert (brightness < 80) is is_dark
        assert min(contrasts()) >= 4.5
        # What isn't text must stand out, too: the edges of fields, of buttons and of an empty bar.
        assert min(browser.execute_script(EDGES)) >= 3


def test_without_a_script_the_page_is_loaded_again_now_and_then(
    browser: WebDriver, service: Service
) -> None:
    copies_wait(service)
    operation_id = clicked(service, "add", *clips(service, "plain", 2))
    setting = "Emulation.setScriptExecutionDisabled"
    browser.execute_cdp_cmd(setting, {"value": True})
    try:
        open_operation(browser, service, operation_id)
        assert browser.find_elements(By.CSS_SELECTOR, "noscript meta[http-equiv=refresh]")
        copies_go_on(service)
        wait_for("end", lambda: ">2</b> copied" in browser.page_source, PATIENCE)
    finally:
        browser.execute_cdp_cmd(setting, {"value": False})


def test_a_service_that_is_gone_is_told_and_found_again(
    browser: WebDriver, service: Service
) -> None:
    service.process.kill()
    wait_to_read(browser, "The service cannot be reached", "#live")
    service.start()
    wait_for("it", lambda: shown(browser, "#live") == "", PATIENCE)
    # What it said about the requests that failed meanwhile.
    assert all("net::ERR_" in each["message"] for each in complaints(browser))


def test_without_the_secret_there_is_nothing_to_see(
    service: Service, tmp_path: Path, kept: str
) -> None:
    with open_browser(tmp_path) as stranger:
        for path in ("/operations", f"/operations/{kept}"):
            stranger.get(f"{service.url}{path}")
            assert "Remove from LucidLink" not in stranger.page_source


@pytest.fixture
def elsewhere(tmp_path: Path, service: Service) -> Callable[[str], str]:
    """A page of somebody else's that presses Stop on an operation's page; returns its address."""

    def make(operation_id: str) -> str:
        page = tmp_path / "evil.html"
        page.write_text(
            f'<form method="post" action="{service.url}/operations/{operation_id}/stop">'
            "</form><script>document.forms[0].submit()</script>"
        )
        return page.as_uri()

    return make


def test_a_page_of_somebody_elses_presses_no_button(
    browser: WebDriver, service: Service, elsewhere: Callable[[str], str]
) -> None:
    copies_wait(service)
    operation_id = clicked(service, "add", *clips(service, "forged", 4))
    browser.get(elsewhere(operation_id))
    wait_to_read(browser, "The request did not come from the operations page")
    assert service.operation(operation_id).stop_by is None
    (refused,) = complaints(browser)
    assert "403" in refused["message"]


# Selects the first copy job's id, and remembers some of what is on the page.
MARK = """
getSelection().selectAllChildren(document.querySelector("#jobs tbody td"));
window.marked = [...document.querySelectorAll("h1, #state section, #report tr, #jobs tr")];
"""
# From now on the service answers with an alarm, and each time with something else beside it.
ALARMED = """
window.asked = 0;
const page = document.documentElement.outerHTML;
const alarm = '<p class="notice bad" role="alert">No process is running the operations</p>';
window.fetch = async () =>
  new Response(page.replace('<p id="running"', `${alarm}<p data-look="${++asked}" id="running"`));
"""
# Whatever reaches beyond its place.
TOO_WIDE = """
const main = document.querySelector("main");
const edge = main.getBoundingClientRect().right - parseFloat(getComputedStyle(main).paddingRight);
return [...main.querySelectorAll("*")]
  .filter((each) => each.getBoundingClientRect().right > edge + 1)
  .map((each) => `${each.tagName} ${each.className} ${each.innerText}`)
  .concat(document.documentElement.scrollWidth > innerWidth ? ["the page"] : [])
  .concat(innerWidth > arguments[0] ? ["the window"] : []);
"""
SEEN = """
const number = (text) => text.match(/[\\d.]+/g).map(Number);
const linear = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
const bright = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const ground = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const colour = number(getComputedStyle(each).backgroundColor);
    if (colour.length < 4 || colour[3] > 0.99) return getComputedStyle(each).backgroundColor;
  }
  return "rgb(255, 255, 255)";
};
const contrast = (one, other) => {
  const [a, b] = [bright(number(one)), bright(number(other))];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
};
"""
CONTRASTS = f"""{SEEN}
return [...document.querySelectorAll("main *")]
  .filter((each) => each.innerText && [...each.childNodes].some(
    (node) => node.nodeType === 3 && node.textContent.trim()))
  .map((each) => contrast(getComputedStyle(each).color, ground(each)));
"""
EDGES = f"""{SEEN}
const edged = "input:not([type=hidden]), select, button:not(.main), .button, progress";
return [...document.querySelectorAll(edged)]
  .map((each) => contrast(getComputedStyle(each).borderTopColor, ground(each.parentElement)));
"""
