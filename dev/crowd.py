"""Users who click at random while faults occur."""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager

import requests
import sqlalchemy as sa

from b2_iconik.domain.operation import DUE
from b2_iconik.ledger.tables import operations
from dev.harness import Service, Simulator, wait_for
from dev.keeping import Keeping
from dev.people import (
    BUTTONS,
    CLICKS,
    DAMAGES,
    FORMATS,
    HARMLESS,
    KEEP_SECONDS,
    KINDS,
    MISCHIEF,
    MISHAPS,
    PEOPLE,
    Person,
    Tally,
)
from dev.wishes import Wishes

# The buttons of so many operations are pressed.
LATEST = 2


class Crowd:
    """Clicks on a few assets, and causes faults.

    Args:
        tally: counts to continue; new ones if not given.
    """

    def __init__(
        self, simulator: Simulator, service: Service, count: int, tally: Tally | None = None
    ) -> None:
        self._simulator = simulator
        self._service = service
        self._new: list[str] = []
        self._about: dict[str, set[str]] = defaultdict(set)
        self._stopped: set[str] = set()
        # Operations whose token has expired since.
        self._expired: set[str] = set()
        self._keeping = Keeping(simulator, service)
        self._actions: dict[str, str] = {}
        # By operation that must change nothing, the token that nobody else uses.
        self._watched: dict[str, str] = {}
        self._meddling: list[str] = []
        kinds = [KINDS[each % len(KINDS)] for each in range(count)]
        self._assets = [self._make(place) for place, _, _ in kinds]
        self._may = {
            name: {each for each, (_, _, may) in enumerate(kinds) if name in may} for name in PEOPLE
        }
        self._does = {
            name: {each for each, (_, who, _) in enumerate(kinds) if name in who} for name in PEOPLE
        }
        hidden = {
            name: [each for which, each in enumerate(self._assets) if which not in may]
            for name, may in self._may.items()
        }
        self._people = {name: Person(simulator, hidden[name]) for name in PEOPLE}
        self._clicked_by: dict[str, str] = {}
        self._wishes = Wishes(simulator, self._keeping)
        self.tally = tally or Tally()

    def click(
        self, action: str, assets: Iterable[int], formats: Sequence[str], name: str = PEOPLE[0]
    ) -> None:
        """Click, and expect the result if the answer is 200 and the user has the rights.

        Args:
            action: one of ``CLICKS``.
        """
        chosen = sorted(self._does[name].intersection(assets))
        if not chosen:
            return
        ids = [self._assets[each] for each in chosen]
        _, leaves, _, keep = CLICKS[action]
        person = self._people[name]
        token = person.another_token() if leaves is None else person.token
        body = {"context": "BULK", "user_id": person.id, "auth_token": token, "asset_ids": ids}
        action = action.split()[0]
        answer = self._service.post(action, body, ",".join(formats), keep)
        if self._is_refused(answer):
            return
        operation_id = str(answer.json()["operation_id"])
        self._begin(operation_id, action)
        if leaves is None:
            self._watched[operation_id] = token
            self.tally.previews += 1
            return
        self._clicked_by[operation_id] = name
        for which in chosen:
            asset_id = self._assets[which]
            self._about[asset_id].add(operation_id)
            if which in self._may[name]:
                self._wishes.add(
                    asset_id, formats, operation_id, is_there=leaves, is_timed=bool(keep)
                )

    def press(self, button: str, which: int) -> None:
        """Press a button on the page of one of the last ended operations, and expect the result.

        Args:
            button: one of ``BUTTONS``.
        """
        on, leaves = BUTTONS[button].on, bool(BUTTONS[button].leaves)
        self._adopt_due()
        ended = [
            each
            for each, action in self._actions.items()
            if action == on and self._service.has_ended(each)
        ]
        if not ended:
            return
        # Newer clicks leave little to do for the others.
        pressed = ended[-1 - which % min(len(ended), LATEST)]
        # What the button begins has the same token.
        self._check_harmless([pressed])
        self._watched.pop(pressed, None)
        answer = self._service.press(button, pressed)
        # Nothing is left to do, or it was done before.
        if answer.status_code == 409 or self._is_refused(answer):
            return
        self.tally.pressed[button] += 1
        for operation_id in answer.json()["operation_ids"]:
            self._begin(operation_id, button)
            self._wish_as_recorded(operation_id, is_there=leaves)
            if pressed in self._clicked_by:
                self._clicked_by[operation_id] = self._clicked_by[pressed]
            if pressed in self._expired:
                self._cut_short(operation_id)

    def _wish_as_recorded(self, operation_id: str, *, is_there: bool) -> None:
        """Expect the result of an operation that a button has recorded."""
        formats = self._service.operation(operation_id).formats
        for asset_id in self._service.assets(operation_id):
            self._about[asset_id].add(operation_id)
            self._wishes.add(asset_id, formats, operation_id, is_there=is_there)
            if is_there:
                self._wishes.forget_purged(asset_id, formats)

    def _adopt_due(self) -> None:
        """Get to know the removals of assets whose time was over."""
        due = sa.select(operations.c.id).where(operations.c.origin.in_(DUE))
        for row in self._service.rows(due.order_by(operations.c.number)):
            mine = set(self._assets).intersection(self._service.assets(row.id))
            if row.id not in self._actions and mine:
                self._actions[row.id] = "remove"
                self.tally.due += 1
                for each in mine:
                    self._about[each].add(row.id)

    def press_on_lucidlink(self, button: str, which: int) -> None:
        """Press a button about an asset on the page of what is on LucidLink.

        Args:
            button: 'keep' to keep it longer, or 'remove'.
        """
        held = self._keeping.held(self._assets)
        some = self._idle(held) if button == "keep" else held
        if not some:
            return
        asset_id = some[which % len(some)]
        answer = self._keeping.on_lucidlink(button, asset_id)
        if answer.status_code == 409 or self._is_refused(answer):
            return
        self.tally.pressed[f"{button} on LucidLink"] += 1
        if button == "keep":
            self._wishes.prolong(asset_id)
        for operation_id in answer.json()["operation_ids"]:
            self._begin(operation_id, button)
            self._wish_as_recorded(operation_id, is_there=False)

    def protect(self, which: int) -> None:
        """Protect an asset, unless the service does not know it yet."""
        asset_id = self._assets[which]
        if self._about[asset_id]:
            self._forget_if_busy(asset_id)
            if not self._is_refused(self._keeping.protect(asset_id)):
                self.tally.pressed["protect"] += 1

    def lift(self, which: int) -> None:
        """Lift the protection of an asset."""
        protected = [each for each in self._assets if self._keeping.protects(each)]
        if protected:
            asset_id = protected[which % len(protected)]
            self._forget_if_busy(asset_id)
            if not self._is_refused(self._keeping.lift(asset_id)):
                self.tally.pressed["lift"] += 1

    def _forget_if_busy(self, asset_id: str) -> None:
        """Expect nothing of what happens to an asset while its protection changes."""
        if not self._idle([asset_id]):
            self._wishes.forget(asset_id)

    def let_time_pass(self, seconds: float) -> None:
        """Stop the service for so long, by iconik's clock."""
        self._restart(lambda: self._keeping.let_time_pass(seconds))

    def empty_delete_queue(self) -> None:
        """Have iconik purge what is deleted. Whether a running undo comes too late isn't known."""
        for each in self._new:
            if self._actions[each] == "undo" and not self._service.has_ended(each):
                self._cut_short(each)
        for hours in (0, 24):
            self._simulator.control("PATCH", "settings", {"delete_grace_period": hours})

    def _is_refused(self, answer: requests.Response) -> bool:
        """Whether a click was answered with 'try again later'."""
        if answer.status_code == 200:
            self.tally.answered += 1
            return False
        if answer.status_code != 503 or "Retry-After" not in answer.headers:
            raise AssertionError(f"answered {answer.status_code}: {answer.text}")
        self.tally.refused += 1
        return True

    def _begin(self, operation_id: str, action: str) -> None:
        self.tally.operations.add(operation_id)
        self._new.append(operation_id)
        self._actions[operation_id] = action

    def _check_harmless(self, operation_ids: Iterable[str]) -> None:
        """Note what operations have changed that must change nothing."""
        whose = {self._watched[each]: each for each in operation_ids if each in self._watched}
        for each in self._simulator.control("GET", "requests")["objects"]:
            asked = f"{each['method']} {each['path']}"
            if each["token"] in whose and not HARMLESS.match(asked):
                self._meddling.append(f"preview {whose[each['token']]} sent {asked}")

    def let_expire(self, name: str) -> None:
        """Expire a user's token. The results of its operations aren't predictable any more."""
        self._people[name].log_in()
        self.tally.expired += 1
        mine = [each for each, by in self._clicked_by.items() if by == name]
        self._expired.update(mine)
        for operation_id in mine:
            if not self._service.has_ended(operation_id):
                self._cut_short(operation_id)

    def stop(self, which: int) -> None:
        """Stop one of the running operations. Its results aren't predictable any more."""
        running = [each for each in self._new if not self._service.has_ended(each)]
        if not running or not self._service.ask_to_stop(running[which % len(running)], "a person"):
            return
        self.tally.stops += 1
        self._cut_short(running[which % len(running)])

    def _cut_short(self, operation_id: str) -> None:
        self._stopped.add(operation_id)
        self._wishes.forget_of(operation_id)

    def spoil_copies(self, which: int, number: int) -> None:
        """Make the next copy of an asset fail."""
        asset_id = self._assets[which]
        fault = {"copy": MISHAPS[number], "asset_id": asset_id}
        self._simulator.control("POST", "faults", fault)
        self.tally.faults += 1
        self._wishes.unlucky.add(asset_id)
        self._wishes.forget(asset_id)

    def edit(self, which: int) -> None:
        """Overwrite one of the idle originals on LucidLink, as a user would.

        The plugin can't detect an edit between its last check of a file and the deletion. Other
        tests show how short that time is.
        """
        originals = {each: self._wishes.on_lucidlink(each, FORMATS[0]) for each in self._assets}
        present = {each for each, path in originals.items() if path.exists()}
        idle = [each for each in self._idle(originals) if each in present]
        if not idle:
            return
        asset_id = idle[which % len(idle)]
        self.tally.edits += 1
        self._simulator.edit_on_lucidlink(asset_id, f"cut {self.tally.edits}")
        self._wishes.note_edit(originals[asset_id])

    def damage(self, which: int, number: int) -> None:
        """Remove, hide or truncate a master in the bucket without iconik's knowledge.

        The plugin relies on B2's confirmations for ten minutes. So this picks an object that B2 has
        not been asked about since the service last started.
        """
        seen = self._simulator.control("GET", "buckets/requests")["objects"]
        asked = {tuple(each["path"].split("/")[-2:]) for each in seen}
        idle = set(self._idle({path.parent.name for path in self._wishes.masters}))
        whole = [
            path
            for path in self._wishes.masters
            if (path.parent.name, path.name) not in asked and path.parent.name in idle
        ]
        if not whole:
            return
        master = whole[which % len(whole)]
        change = DAMAGES[number]
        key = str(master.relative_to(self._simulator.b2))
        self._simulator.control("POST", "buckets/objects", {"key": key, **change})
        self.tally.damages[str(change["do"])] += 1
        self._wishes.note_damage(master)

    def do_mischief(self, number: int) -> None:
        """Add a fault for the next matching requests."""
        self._simulator.control("POST", "faults", MISCHIEF[number])
        self.tally.faults += 1

    def pause_copies(self, paused: bool) -> None:
        """Take the Storage Gateway offline, or bring it back."""
        self._simulator.control("PATCH", "settings", {"copies_paused": paused})

    def kill(self) -> None:
        """Kill all processes of the service, and start it again."""
        self._restart(lambda: None)

    def _restart(self, meanwhile: Callable[[], None]) -> None:
        self._service.process.kill()
        self.tally.kills += 1
        meanwhile()
        # The confirmations of B2 are lost with the killed process.
        self._simulator.control("DELETE", "buckets/requests")
        self._service.start()

    @contextmanager
    def database_locked(self) -> Iterator[None]:
        """Lock the service's SQLite file for writing while this context lasts."""
        path = sa.make_url(self._service.environment["DATABASE_URL"]).database
        with closing(sqlite3.connect(str(path), timeout=30, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def let_pass(self, requests: int, seconds: float = 5.0) -> None:
        """Wait for a number of requests, the end of all operations, or a timeout."""
        before = self._requests()

        def has_passed() -> bool:
            return self._requests() >= before + requests or self._all_ended()

        try:
            wait_for("requests", has_passed, seconds)
        except TimeoutError:
            # Nothing happens because copies are paused. Any moment is suitable.
            return

    def settle(self, seconds: float) -> None:
        """End all faults, and wait until every operation and every copy has ended.

        After that, the time of all that is kept for a while is over, and what is due is removed.

        Raises:
            TimeoutError: an operation or a copy hasn't ended in time.
        """
        self._simulator.control("DELETE", "faults")
        self.pause_copies(False)
        wait_for("end of all operations", self._all_ended, seconds)
        wait_for("end of all copies", self._is_at_rest, seconds)
        if self._wishes.is_any_timed():
            self.let_time_pass(KEEP_SECONDS + 1)
            wait_for("removal of what is due", self._keeping.is_over_for_all, seconds)
            wait_for("end of all removals", self._service.is_idle, seconds)
        self._adopt_due()
        self.empty_delete_queue()

    def forgotten(self) -> int:
        """Return how many operations since the last call have no report."""
        forgotten = sum(not self._service.has_ended(each) for each in self._new)
        self._new.clear()
        return forgotten

    def wrong(self) -> list[str]:
        """Return the differences from what the last clicks request, once settled; empty if none.

        What previews have changed is wrong, too, and so is what was removed early, or although it
        was protected.
        """
        self._check_harmless(self._watched)
        wrong = [*self._wishes.unfulfilled(), *self._meddling]
        wrong += self._keeping.broken(self._assets)
        deletions = self._simulator.control("GET", "")["deletions"]
        if deletions["unproven"]:
            wrong.append(f"{deletions['unproven']} deletions were unproven")
        if deletions["forbidden"]:
            wrong.append(f"{deletions['forbidden']} deletions were beyond a user's rights")
        return wrong

    def _make(self, place: str) -> str:
        sides = ("b2", "lucidlink") if place == "both" else (place,)
        body = {
            "title": "clip",
            "formats": {
                name: {side: [{"name": f"{name.lower()}.mov", "size": 300}] for side in sides}
                for name in FORMATS
            },
        }
        return str(self._simulator.control("POST", "assets", body)["id"])

    def _requests(self) -> int:
        return sum(self._simulator.control("GET", "")["requests"].values())

    def _all_ended(self) -> bool:
        return all(self._service.has_ended(each) for each in self._new)

    def _idle(self, asset_ids: Iterable[str]) -> list[str]:
        """Return the assets that nothing happens to. Copies may outlast a stop."""
        unused = [each for each in asset_ids if self._is_unused(each)]
        # In this order: an operation that has ended meanwhile may have marked files deleted.
        uncertain = self._keeping.uncertain()
        return [each for each in unused if each not in uncertain]

    def _is_unused(self, asset_id: str) -> bool:
        mine = self._about[asset_id]
        if asset_id in self._wishes.unlucky or not all(map(self._service.has_ended, mine)):
            return False
        return mine.isdisjoint(self._stopped) or self._is_at_rest()

    def _is_at_rest(self) -> bool:
        return self._all_ended() and not self._simulator.control("GET", "")["running_jobs"]
