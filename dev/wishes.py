"""Which files should be on LucidLink and in B2 at the end.

The model is as simple as users expect: for each format of each asset, the last answered click
decides whether it is on LucidLink, provided that the user may see the asset. Once its time is over,
an asset is there only if it is protected.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from dev.harness import Simulator, files
from dev.keeping import Keeping
from dev.people import FORMATS


class Wishes:
    """What the last clicks request, and what must stay whatever is clicked.

    Attributes:
        unlucky: assets whose copies fail. Whether they arrive isn't predictable, but nothing may be
            lost.
        masters: the undamaged masters, with the digests of their content.
    """

    def __init__(self, simulator: Simulator, keeping: Keeping) -> None:
        self._simulator = simulator
        self._keeping = keeping
        self._wanted: dict[Path, bool] = {}
        self._wanted_by: dict[Path, str] = {}
        # Files that are kept on LucidLink for a while only.
        self._timed: set[Path] = set()
        # Files that differ from their master, or whose master is lost. They must stay.
        self._kept: dict[Path, str] = {}
        # Files on LucidLink with damaged masters. Whether an Add copies them isn't predictable.
        self._without_master: set[Path] = set()
        self.unlucky: set[str] = set()
        self.masters = {path: _digest(path) for path in files(simulator.b2)}

    def add(
        self,
        asset_id: str,
        formats: Iterable[str],
        operation_id: str,
        *,
        is_there: bool,
        is_timed: bool = False,
    ) -> None:
        """Expect the result of an operation for an asset."""
        if asset_id in self.unlucky or (not is_there and self._keeping.protects(asset_id)):
            return
        for path in (self.on_lucidlink(asset_id, each) for each in formats):
            self._timed.discard(path)
            if is_timed:
                self._timed.add(path)
            self._wanted[path] = is_there
            self._wanted_by[path] = operation_id

    def forget(self, asset_id: str) -> None:
        """Expect nothing of what happens to an asset."""
        for each in FORMATS:
            self._wanted.pop(self.on_lucidlink(asset_id, each), None)

    def forget_purged(self, asset_id: str, formats: Iterable[str]) -> None:
        """Expect nothing of what can't be restored, because it was purged."""
        for path in (self.on_lucidlink(asset_id, each) for each in formats):
            if not path.exists():
                self._wanted.pop(path, None)

    def forget_of(self, operation_id: str) -> None:
        """Expect no result of an operation."""
        for path in [path for path, by in self._wanted_by.items() if by == operation_id]:
            self._wanted.pop(path, None)

    def prolong(self, asset_id: str) -> None:
        """Expect that an asset stays after its time."""
        self._timed -= {self.on_lucidlink(asset_id, each) for each in FORMATS}

    def is_any_timed(self) -> bool:
        """Whether anything is kept for a while only."""
        return bool(self._timed)

    def note_edit(self, path: Path) -> None:
        """Expect that a file stays after it was edited on LucidLink."""
        master = self._simulator.b2 / path.parent.name / path.name
        if path in self._without_master or master.exists():
            self._kept[path] = _digest(path)

    def note_damage(self, master: Path) -> None:
        """Expect that a file on LucidLink stays when its master is lost or damaged."""
        del self.masters[master]
        path = self.on_lucidlink(master.parent.name, master.stem)
        self._without_master.add(path)
        if path.exists():
            self._kept[path] = _digest(path)

    def on_lucidlink(self, asset_id: str, name: str) -> Path:
        """Return the file of a format of an asset."""
        return self._simulator.lucidlink / asset_id / f"{name.lower()}.mov"

    def unfulfilled(self) -> Iterator[str]:
        """Yield the differences from what is expected, in words."""
        there = set(files(self._simulator.lucidlink))
        for path, wanted in self._wanted.items():
            is_over = path in self._timed and not self._keeping.protects(path.parent.name)
            is_wanted = wanted and not is_over
            is_known = path not in self._kept and path not in self._without_master
            if is_known and (path in there) != is_wanted:
                yield f"{path.name} is {'not ' if is_wanted else ''}on LucidLink"
        for path, digest in self._kept.items():
            if not path.exists() or _digest(path) != digest:
                yield f"{path.name} is not on LucidLink as it was when it lost its master"
        for path, digest in self.masters.items():
            if not path.exists() or _digest(path) != digest:
                yield f"{path.name} is not in B2 as it was"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
