"""Random clicks, edits, stops, faults, kills and damage in the bucket; then whether all is safe."""

import argparse
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from b2_iconik.common.version import VERSION  # noqa: E402 - from the checkout
from dev.crowd import Crowd  # noqa: E402 - from the checkout
from dev.harness import Service, Simulator, clean_up, interrupt  # noqa: E402 - from the checkout
from dev.people import (  # noqa: E402 - from the checkout
    BUTTONS,
    CLICKS,
    DAMAGES,
    FORMATS,
    KEEP_SECONDS,
    MISCHIEF,
    MISHAPS,
    PEOPLE,
    Tally,
)

ASSETS = 12
# The number of events for one crowd before everything must settle.
ROUND = 40
ENOUGH = 300.0
INTERRUPTED = 130


def _click(action: str, crowd: Crowd, chance: random.Random) -> None:
    assets = chance.sample(range(ASSETS), chance.randint(1, ASSETS))
    formats = chance.choice([FORMATS, FORMATS[:1], FORMATS[1:]])
    name = chance.choice(PEOPLE)
    # Sometimes, click twice.
    for _ in range(chance.choice([1, 1, 1, 2])):
        crowd.click(action, assets, formats, name)


def _click_while_locked(crowd: Crowd, chance: random.Random) -> None:
    with crowd.database_locked():
        _click(chance.choice(list(CLICKS)), crowd, chance)


def _press(button: str, crowd: Crowd, chance: random.Random) -> None:
    crowd.press(button, chance.randrange(ASSETS))


def _press_on_lucidlink(button: str, crowd: Crowd, chance: random.Random) -> None:
    crowd.press_on_lucidlink(button, chance.randrange(ASSETS))


def _damage(crowd: Crowd, chance: random.Random) -> None:
    crowd.damage(chance.randrange(ASSETS), chance.randrange(len(DAMAGES)))


def _spoil_copies(crowd: Crowd, chance: random.Random) -> None:
    crowd.spoil_copies(chance.randrange(ASSETS), chance.randrange(len(MISHAPS)))


# The events, with their relative frequencies. What happens depends on nothing but the seed.
EVENTS: tuple[tuple[int, Callable[[Crowd, random.Random], None]], ...] = (
    *((kind.often, partial(_click, action)) for action, kind in CLICKS.items()),
    *((kind.often, partial(_press, button)) for button, kind in BUTTONS.items()),
    (25, lambda crowd, chance: crowd.do_mischief(chance.randrange(len(MISCHIEF)))),
    (20, lambda crowd, chance: crowd.let_pass(chance.randint(1, 60), 3.0)),
    (5, lambda crowd, _: crowd.pause_copies(True)),
    (6, lambda crowd, _: crowd.pause_copies(False)),
    (4, lambda crowd, _: crowd.kill()),
    (5, lambda crowd, chance: crowd.let_time_pass(chance.randint(10, KEEP_SECONDS))),
    (3, lambda crowd, _: crowd.empty_delete_queue()),
    (4, partial(_press_on_lucidlink, "keep")),
    (4, partial(_press_on_lucidlink, "remove")),
    (12, lambda crowd, chance: crowd.protect(chance.randrange(ASSETS))),
    (4, lambda crowd, chance: crowd.lift(chance.randrange(ASSETS))),
    (1, _click_while_locked),
    (8, lambda crowd, chance: crowd.stop(chance.randrange(ASSETS))),
    (8, lambda crowd, chance: crowd.edit(chance.randrange(ASSETS))),
    (8, _damage),
    (2, _spoil_copies),
    (4, lambda crowd, chance: crowd.let_expire(chance.choice(PEOPLE))),
)
OFTEN, HAPPENINGS = zip(*EVENTS, strict=True)


class Soak:
    """One service and one simulator, used by one crowd after another."""

    def __init__(self, directory: Path, seed: int) -> None:
        self._chance = random.Random(seed)
        self._simulator = Simulator(directory, "--copy-seconds", "0.2", "--copies-at-once", "4")
        self._service = Service(directory, self._simulator)
        self.tally = Tally()
        self.forgotten = 0
        self.wrong: list[str] = []

    def run_round(self, deadline: float) -> None:
        """Let a crowd click on new assets, and check that everything settles correctly."""
        # From the next start of the service on.
        self._service.environment["PURGE"] = self._chance.choice(["now", "later"])
        crowd = Crowd(self._simulator, self._service, ASSETS, self.tally)
        for _ in range(ROUND):
            if time.monotonic() > deadline:
                break
            (happen,) = self._chance.choices(HAPPENINGS, OFTEN)
            happen(crowd, self._chance)
        try:
            crowd.settle(ENOUGH)
        except TimeoutError as problem:
            self.wrong.append(str(problem))
        self.forgotten += crowd.forgotten()
        self.wrong += crowd.wrong()

    def table(self) -> str:
        """Return what has happened, and the failures."""
        deletions = self._simulator.control("GET", "")["deletions"]
        rows = {
            "clicks answered": self.tally.answered,
            "clicks refused (503)": self.tally.refused,
            "previews": self.tally.previews,
            **{f"pressed {each}": count for each, count in sorted(self.tally.pressed.items())},
            "removals of what is due": self.tally.due,
            "operations ended": len(self.tally.operations) - self.forgotten,
            "deletions checked": deletions["checked"],
            "lost": deletions["unproven"],
            "beyond rights": deletions["forbidden"],
            "forgotten": self.forgotten,
            "wrong in the end": len(self.wrong),
            "edits": self.tally.edits,
            "objects removed": self.tally.damages["remove"],
            "objects hidden": self.tally.damages["hide"],
            "objects truncated": self.tally.damages["truncate"],
            "stops": self.tally.stops,
            "tokens expired": self.tally.expired,
            "kills": self.tally.kills,
            "faults": self.tally.faults,
        }
        return "\n".join(f"  {name:<24}{number:>8,}" for name, number in rows.items())


def main() -> int:
    """Run the soak. The exit status is 0 only if nothing was lost, forgotten or wrong."""
    parser = argparse.ArgumentParser(prog="script/soak", description=__doc__)
    parser.add_argument("--version", action="version", version=VERSION)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long; 10 if not given")
    parser.add_argument("--seed", type=int, help="to have the same happen again")
    options = parser.parse_args()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupt)
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    print(f"Seed {seed}; {options.minutes:g} minutes of clicks, faults and kills.", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="b2-iconik-soak-"))
    is_well = False
    try:
        soak = Soak(directory, seed)
        deadline = time.monotonic() + 60 * options.minutes
        while time.monotonic() < deadline and not soak.wrong:
            soak.run_round(deadline)
        print(f"\n{soak.table()}")
        for each in soak.wrong:
            print(f"wrong: {each}", file=sys.stderr)
        is_well = not (soak.wrong or soak.forgotten)
        return 0 if is_well else 1
    except KeyboardInterrupt:
        print("\nInterrupted; cleaning up.", file=sys.stderr)
        is_well = True
        return INTERRUPTED
    finally:
        clean_up()
        if is_well:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"Database, logs and files are in {directory}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
