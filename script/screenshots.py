"""Pictures of the operations page in its main states, taken in a real Chromium."""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from selenium.webdriver.chrome.webdriver import WebDriver  # noqa: E402

from simulator.harness import Service, Simulator, stop_all, wait_for  # noqa: E402
from tests.chromium.browser import (  # noqa: E402 - from the checkout
    is_installed,
    log_in,
    open_browser,
    prefer,
    resize,
)
from tests.system.media import asset  # noqa: E402 - from the checkout

PICTURES = ROOT / "docs" / "screenshots"
DESK, PHONE = (1120, 700), (390, 780)
LONGEST = 60.0
ADA, BEN = "ada0ada0-1111-4aaa-8aaa-000000000001", "be4be4be-2222-4bbb-8bbb-000000000002"


class Stage:
    """The simulator, the service, and a browser in front of it."""

    def __init__(self, directory: Path, browser: WebDriver) -> None:
        self.simulator = Simulator(directory, "--copy-seconds", "0.3", "--copies-at-once", "4")
        self.service = Service(directory, self.simulator)
        self.browser = browser
        log_in(browser, self.service.url)

    def click(self, action: str, user_id: str, *asset_ids: str) -> str:
        """Click as a person in iconik; returns the operation's id."""
        answer = self.service.post(
            action,
            {
                "context": "BULK",
                "auth_token": self.simulator.token,
                "user_id": user_id,
                "asset_ids": asset_ids,
            },
            formats="ORIGINAL",
        )
        answer.raise_for_status()
        return str(answer.json()["operation_id"])

    def clips(self, title: str, number: int, on: str) -> list[str]:
        """Make so many assets."""
        return [asset(self.simulator, f"{title}{each}", on=on) for each in range(number)]

    def set(self, **settings: object) -> None:
        """Change how iconik behaves."""
        self.simulator.control("PATCH", "settings", settings)

    def wait_for(self, operation_id: str, state: str, number: int) -> None:
        """Wait until so many assets of an operation, at least, are in a state."""

        def are_there() -> bool:
            return self.service.progress(operation_id).get(state, 0) >= number

        wait_for(f"{number} {state}", are_there, LONGEST)

    def take(self, name: str, path: str = "", size: tuple[int, int] = DESK) -> None:
        """Take a picture of a page."""
        resize(self.browser, *size)
        self.browser.get(f"{self.service.url}/operations{path}")
        picture = PICTURES / f"{name}.png"
        if not self.browser.save_screenshot(str(picture)):
            raise OSError(f"{picture} can't be written")
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes")


def play(stage: Stage) -> None:
    """Click what the pictures are about, and take them."""
    removed = stage.clips("day", 24, "both")
    for edited in removed[:2]:
        stage.simulator.edit_on_lucidlink(edited, "another cut of the same scene")
    kept = stage.click("remove", ADA, *removed)
    stage.service.report(kept)
    stage.service.report(stage.click("add", BEN, *stage.clips("interview", 3, "b2")))
    stage.set(copies_paused=True)
    stopped = stage.click("add", BEN, *stage.clips("wrong", 40, "b2"))
    stage.wait_for(stopped, "copying", 40)
    stage.service.ask_to_stop(stopped, "ben on the operations page")
    stage.service.report(stopped)
    running = stage.click("add", ADA, *stage.clips("master", 60, "b2"))
    stage.wait_for(running, "copying", 60)
    wait_for("rest", lambda: stage.service.operation(running).looks_ms, LONGEST)
    stage.take("running", f"/{running}")
    stage.set(copies_paused=False)
    stage.wait_for(running, "done", 1)
    stage.set(copies_paused=True)
    stage.take("list")
    stage.take("kept", f"/{kept}?show=kept")
    stage.take("stopped", f"/{stopped}")
    prefer(stage.browser, "dark")
    stage.take("phone", size=PHONE)
    stage.take("dark", f"/{kept}")
    stage.set(copies_paused=False)
    stage.service.report(running)


def main() -> int:
    """Take all pictures. Returns the exit status."""
    if not is_installed():
        print("script/screenshots: install chromium and chromium-driver first", file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        open_browser(Path(directory) / "browser") as browser,
    ):
        try:
            play(Stage(Path(directory), browser))
        finally:
            stop_all()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
