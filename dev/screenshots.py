"""Take screenshots of the operations page in its main states, with Chromium."""

import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from selenium.webdriver.chrome.webdriver import WebDriver  # noqa: E402

from dev.harness import Service, Simulator, stop_all, wait_for  # noqa: E402
from tests.chromium.browser import (  # noqa: E402 - from the checkout
    is_installed,
    log_in,
    open_browser,
    prefer,
    resize,
)
from tests.system.media import asset, collection  # noqa: E402 - from the checkout

PICTURES = ROOT / "docs" / "screenshots"
DESK, PHONE = (1440, 900), (390, 844)
# In seconds. The shortest time to keep an asset is a minute.
LONGEST = 120.0
ADA, BEN, CLEO = (
    "ada0ada0-1111-4aaa-8aaa-000000000001",
    "be4be4be-2222-4bbb-8bbb-000000000002",
    "c1e0c1e0-3333-4ccc-8ccc-000000000003",
)
NAMES = {ADA: ("Ada", "Okafor"), BEN: ("Ben", "Lindqvist"), CLEO: ("Cleo", "Marchetti")}
FORMATS = ("ORIGINAL", "PPRO_PROXY")
SIZE = 2_400_000


class Stage:
    """The simulator, the service, and a browser that is logged in."""

    def __init__(self, directory: Path, browser: WebDriver) -> None:
        self.simulator = Simulator(directory, "--copy-seconds", "0.3", "--copies-at-once", "4")
        self.service = Service(directory, self.simulator)
        self.browser = browser
        for user_id, (first, last) in NAMES.items():
            self.simulator.control(
                "PUT", f"users/{user_id}", {"first_name": first, "last_name": last}
            )
        log_in(browser, self.service.url)

    def click(
        self, action: str, user_id: str, *asset_ids: str, token: str = "", keep: str = ""
    ) -> str:
        """Click on assets as a user of iconik, and return the operation's id.

        Args:
            action: 'add', 'remove' or 'preview'.
            token: the user's token; one with all rights if not given.
            keep: how long an Add keeps the assets, like '14d'; no limit if not given.
        """
        return self.post(action, user_id, token, keep, context="BULK", asset_ids=asset_ids)

    def post(
        self, action: str, user_id: str, token: str = "", keep: str = "", **selected: object
    ) -> str:
        """Click on anything as a user of iconik, and return the operation's id."""
        body = {"auth_token": token or self.simulator.token, "user_id": user_id, **selected}
        answer = self.service.post(action, body, formats=",".join(FORMATS), keep=keep)
        answer.raise_for_status()
        return str(answer.json()["operation_id"])

    def clips(self, title: str, number: int, on: str, collection_id: str = "") -> list[str]:
        """Create a number of assets, and return their ids."""
        there = (collection_id,) if collection_id else ()
        return [
            asset(self.simulator, f"{title} {each:02}", on, FORMATS, there, SIZE)
            for each in range(1, number + 1)
        ]

    def protect(self, asset_id: str, days: int) -> None:
        """Protect an asset for some days, with the form on its page."""
        until = datetime.now(timezone.utc) + timedelta(days=days)
        answer = self.service.submit(f"assets/{asset_id}/protect", until=f"{until:%Y-%m-%d}")
        answer.raise_for_status()

    def wait_until_due(self) -> None:
        """Wait until the service has tried to remove what was kept for a while."""

        def is_tried() -> bool:
            newest = [self.service.operation(each) for each in self.service.newest()]
            return any(each.is_due and each.ended_ms for each in newest)

        wait_for("removal of what is due", is_tried, LONGEST)

    def token_without_storages(self) -> str:
        """Return a token that may not read storages."""
        made = self.simulator.control("POST", "tokens", {"roles": ["can_read_assets"]})
        return str(made["token"])

    def set(self, **settings: object) -> None:
        """Change settings of the simulated iconik."""
        self.simulator.control("PATCH", "settings", settings)

    def wait_for(self, operation_id: str, state: str, number: int) -> None:
        """Wait until at least a number of an operation's assets are in a state."""

        def are_there() -> bool:
            return self.service.progress(operation_id).get(state, 0) >= number

        wait_for(f"{number} {state}", are_there, LONGEST)

    def take(self, name: str, path: str = "/operations", size: tuple[int, int] = DESK) -> None:
        """Take a screenshot of a page."""
        resize(self.browser, *size)
        self.browser.get(f"{self.service.url}{path}")
        picture = PICTURES / f"{name}.png"
        if not self.browser.save_screenshot(str(picture)):
            raise OSError(f"{picture} can't be written")
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size:,} bytes")


def play(stage: Stage) -> None:
    """Create the states to show, and take the screenshots."""
    stage.take("empty")
    kept, edited = remove_some_that_were_edited(stage)
    keep_some_for_a_while(stage)
    stage.protect(edited, 30)
    interviews = stage.clips("interview", 3, "b2")
    stage.service.report(stage.click("add", BEN, *interviews))
    pier = stage.clips("pier", 8, "both")
    failed = stage.click("remove", CLEO, *pier, token=stage.token_without_storages())
    stage.service.report(failed)
    stage.set(copies_paused=True)
    stopped = stage.click("add", BEN, *stage.clips("wrong take", 40, "b2"))
    stage.wait_for(stopped, "copying", 40)
    stage.service.ask_to_stop(stopped, "ben on the operations page")
    stage.service.report(stopped)
    spring = collection(stage.simulator, "Spring campaign")
    rushes = collection(stage.simulator, "Rushes of day 3", spring)
    stage.clips("day 3 take", 60, "b2", rushes)
    running = stage.post("add", ADA, context="COLLECTION", collection_ids=[rushes])
    stage.wait_for(running, "copying", 60)
    wait_for("rest", lambda: stage.service.operation(running).next_check_ms, LONGEST)
    stage.take("running", f"/operations/{running}")
    stage.set(down=True)
    wait_for("outage", lambda: stage.service.operation(running).outage, LONGEST)
    stage.take("away", f"/operations/{running}")
    stage.set(down=False, copies_paused=False)
    stage.wait_for(running, "done", 1)
    stage.set(copies_paused=True)
    stage.take("list")
    stage.take("kept", f"/operations/{kept}")
    stage.take("failed", f"/operations/{failed}")
    stage.take("stopped", f"/operations/{stopped}")
    stage.take("todo", "/todo")
    stage.wait_until_due()
    stage.take("lucidlink", "/lucidlink")
    stage.take("asset", f"/assets/{edited}")
    prefer(stage.browser, "dark")
    stage.take("phone", size=PHONE)
    stage.take("phone-operation", f"/operations/{kept}", size=PHONE)
    stage.take("dark", f"/operations/{kept}?show=kept")
    prefer(stage.browser, "light")
    stage.set(copies_paused=False)
    stage.service.report(running)
    preview = stage.click("preview", BEN, *pier, *interviews, edited)
    stage.service.report(preview)
    wait_for("names", lambda: "pier" in (stage.service.operation(preview).title or ""), LONGEST)
    stage.take("preview", f"/operations/{preview}")
    stage.service.restart(PURGE="later")
    removed = stage.click("remove", CLEO, *interviews)
    stage.service.report(removed)
    stage.take("undo", f"/operations/{removed}")


def keep_some_for_a_while(stage: Stage) -> None:
    """Add assets for different times. When the time is up, one of them can't be removed."""
    trailer = stage.clips("trailer", 2, "b2")
    stage.service.report(stage.click("add", CLEO, *trailer, keep="1m"))
    stage.simulator.edit_on_lucidlink(trailer[0], "another cut of the same scene")
    stage.service.report(stage.click("add", ADA, *stage.clips("dailies", 2, "b2"), keep="12h"))
    reels = stage.clips("reel", 3, "b2")
    stage.service.report(stage.click("add", BEN, *reels, keep="14d"))
    stage.protect(reels[0], 60)


def remove_some_that_were_edited(stage: Stage) -> tuple[str, str]:
    """Remove assets, two of which can't be removed; return the operation's id, and one of them."""
    clips = stage.clips("day 2 take", 24, "b2")
    stage.service.report(stage.click("add", BEN, *clips))
    for edited in clips[:2]:
        stage.simulator.edit_on_lucidlink(edited, "another cut of the same scene")
    kept = stage.click("remove", ADA, *clips)
    stage.service.report(kept)
    return kept, clips[0]


def main() -> int:
    """Take all screenshots, and return the exit status."""
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
