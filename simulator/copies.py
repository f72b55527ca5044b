"""Copy jobs. One thread runs the queued copies, a limited number at a time, each for some time.

A bulk copy is a parent job with one child per asset. While a copy runs, its target has a file set
with open, empty file records. At the end, the real files exist and the records are closed.
"""

import heapq
import os
import shutil
import time
from collections import deque
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from threading import Condition, Thread

from simulator import media
from simulator.clock import CLOCK
from simulator.faults import CopyFaults
from simulator.job_records import FINAL, Job
from simulator.library import Library
from simulator.records import File, FileSet, iso, new_id
from simulator.settings import Settings
from simulator.transfers import (
    CopyError,
    Transfer,
    Wish,
    below,
    format_named,
    opened,
    source_of,
    transfer_job,
)

FAILURES = ("FAILED", "ABORTED", "DISCARDED")

Copied = tuple[File, int, str | None]
"""The record of a copied file, its real size, and its checksum."""


class Copies:
    """All running and waiting copies."""

    def __init__(self, library: Library, settings: Settings, faults: CopyFaults) -> None:
        self._library = library
        self._settings = settings
        self._faults = faults
        self._changed = Condition(library.lock)
        self._waiting: deque[Transfer] = deque()
        self._running: list[tuple[float, int, Transfer]] = []
        self._stuck: list[Transfer] = []
        self._under_way: dict[tuple[str, str, str], int] = {}
        self._sequence = count()
        self.failed = 0

    def start(self) -> None:
        """Start to run copies. Until then, requested copies wait."""
        Thread(target=self._work, name="copies", daemon=True).start()

    def wake(self) -> None:
        """Check again for work, after a setting has changed."""
        with self._changed:
            self._changed.notify()

    def numbers(self) -> tuple[int, int]:
        """Return the number of running copies, and of waiting ones."""
        return len(self._running), len(self._waiting)

    def ask(self, wish: Wish, asset_ids: Sequence[str]) -> Job:
        """Queue the copies of some assets, and return their parent job."""
        target = wish.target.name
        with self._changed:
            parent = Job(transfer_job(f"Transfer {len(asset_ids)} assets to {target}", "READY"))
            parent.given["progress_total"] = len(asset_ids)
            for asset_id in dict.fromkeys(asset_ids):
                asset = self._library.assets.get(asset_id)
                title = f"Transfer {asset.title if asset else asset_id} to {target}"
                child = Job(transfer_job(title, "READY"), parent)
                child.given.update(object_id=asset_id, object_type="assets")
                parent.children.append(child)
                parent.children_by_status["READY"] += 1
                transfer = Transfer(wish, asset_id, child)
                running = self._under_way.get(transfer.key, 0)
                self._under_way[transfer.key] = running + 1
                if running and not wish.duplicates:
                    self._end(transfer, "SKIPPED", "Already being transferred")
                else:
                    self._waiting.append(transfer)
            self._library.add_job(parent)
            self._changed.notify()
        return parent

    def abort(self, job: Job) -> None:
        """Abort a job, or those of its children that haven't ended."""
        with self._changed:
            for child in job.children or [job]:
                if child.status not in FINAL:
                    self._move(child, "ABORTED")
            self._free_aborted()
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while (transfer := self._next_due()) is None:
                    self._changed.wait(self._patience())
            self._finish(transfer)

    def _patience(self) -> float | None:
        """Return the seconds until the next copy ends; None to wait for a change."""
        if self._settings.copies_paused or not self._running:
            return None
        return max(0.0, self._running[0][0] - time.monotonic())

    def _next_due(self) -> Transfer | None:
        if self._settings.copies_paused:
            return None
        while self._waiting and len(self._running) < max(1, int(self._settings.copies_at_once)):
            self._begin(self._waiting.popleft())
        if self._running and self._running[0][0] <= time.monotonic():
            return heapq.heappop(self._running)[2]
        return None

    # The steps of a copy. ``_finish`` holds the lock only while it changes records.

    def _begin(self, transfer: Transfer) -> None:
        job = transfer.job
        if job.status in FINAL:
            self._end(transfer, job.status)
            return
        job.given["started_at"] = iso(CLOCK.now())
        self._move(job, "STARTED")
        fault = self._faults.pick(*transfer.key)
        transfer.fault = fault.copy if fault else None
        try:
            whole = self._prepare(transfer)
        except CopyError as error:
            self._end(transfer, "FAILED", str(error))
            return
        if whole:
            self._end(transfer, "SKIPPED", "Already on the storage")
            return
        if transfer.fault == "lose_job" and job.parent:
            self._library.drop_job(job.parent)
        if transfer.fault == "never_ends":
            self._stuck.append(transfer)
            return
        due = time.monotonic() + self._settings.copy_seconds
        heapq.heappush(self._running, (due, next(self._sequence), transfer))

    def _free_aborted(self) -> None:
        """End aborted copies now, to make room for others."""
        stuck = [(0.0, next(self._sequence), transfer) for transfer in self._stuck]
        self._running = [
            (0.0 if transfer.job.status in FINAL else due, number, transfer)
            for due, number, transfer in self._running
        ]
        self._running += [each for each in stuck if each[2].job.status in FINAL]
        heapq.heapify(self._running)
        self._stuck = [each for each in self._stuck if each.job.status not in FINAL]

    def _prepare(self, transfer: Transfer) -> bool:
        """Create the target's records; return True if the target is already complete."""
        wish = transfer.wish
        asset = self._library.assets.get(transfer.asset_id)
        if asset is None:
            raise CopyError("Asset does not exist")
        format_ = format_named(asset, wish.format_name)
        there = [
            each
            for each in asset.file_sets.values()
            if (each.format, each.storage, each.status) == (format_, wish.target, "ACTIVE")
        ]
        if any(each.is_whole() for each in there) and not wish.overwrite:
            return True
        source = source_of(asset, format_, wish)
        file_set = there[0] if there else None
        if file_set is None:
            file_set = FileSet(
                asset.id, format_, wish.target, source.name, below(wish.path, source.base_dir)
            )
            self._library.add_file_set(file_set)
        unfinished = (file for file in file_set.files.values() if file.status != "CLOSED")
        transfer.replaceable = {path for file in unfinished for path in file.paths}
        transfer.file_set = file_set
        transfer.pairs = [
            (file, opened(file, file_set, wish.path)) for file in source.files.values()
        ]
        self._library.put_files(file_set, [target for _, target in transfer.pairs])
        return False

    def _finish(self, transfer: Transfer) -> None:
        status = transfer.job.status if transfer.job.status in FINAL else "FINISHED"
        fault = transfer.fault
        error = ""
        if fault and fault.isupper():
            status, error = fault, f"Made to end {fault}"
        copied: list[Copied] = []
        try:
            if status == "FINISHED" and fault not in ("finish_without_file", "leave_open"):
                copied = [
                    self._copy_file(transfer, source, target) for source, target in transfer.pairs
                ]
        except (CopyError, OSError) as problem:
            status, error = "FAILED", str(problem)
        with self._changed:
            file_set = transfer.file_set
            if file_set and file_set.id not in self._library.file_sets:
                status, error = "FAILED", "The file set was deleted meanwhile"
                for path in (path for target, _, _ in copied for path in target.paths):
                    path.unlink(missing_ok=True)
            elif file_set and (status != "FINISHED" or fault == "finish_without_file"):
                self._library.drop_file_set(file_set)
            else:
                for target, size, checksum in copied:
                    target.size, target.checksum, target.status = size, checksum, "CLOSED"
                    target.modified = CLOCK.now()
            self._end(transfer, status, error)

    def _copy_file(self, transfer: Transfer, source: File, target: File) -> Copied:
        if target.type == "DIRECTORY":
            target.path.mkdir(parents=True, exist_ok=True)
            return target, 0, None
        for here, there in zip(source.paths, target.paths, strict=True):
            self._copy_real_file(transfer, here, there)
        size = sum(path.stat().st_size for path in target.paths)
        if target.type == "SEQUENCE":
            return target, size, None
        return target, size, media.checksum(transfer.wish.target.checksum, target.path)

    def _copy_real_file(self, transfer: Transfer, source: Path, path: Path) -> None:
        may_replace = transfer.wish.overwrite or path in transfer.replaceable
        if path.exists() and not may_replace and not media.same_bytes(source, path):
            raise CopyError(f"{path.name} exists on the storage and differs")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        if transfer.fault == "wrong_size":
            os.truncate(path, path.stat().st_size // 2)
        elif transfer.fault == "wrong_content":
            path.write_bytes(media.made_up(f"wrong {new_id()}", path.stat().st_size))

    def _end(self, transfer: Transfer, status: str, message: str = "") -> None:
        """Set the final status of a copy's job, and of its parent after the last child."""
        self._under_way[transfer.key] -= 1
        if not self._under_way[transfer.key]:
            del self._under_way[transfer.key]
        job = transfer.job
        job.given["completed_at"] = iso(CLOCK.now())
        job.given["error_message" if status in FAILURES else "message"] = message
        self._move(job, status)

    def _move(self, job: Job, status: str) -> None:
        """Set the status of a child, and update its parent."""
        parent = job.parent
        before, now = job.status, CLOCK.now()
        job.given["status"], job.modified = status, now
        if before == status or parent is None:
            return
        counts = parent.children_by_status
        counts[before] -= 1
        counts[status] += 1
        parent.children_by_status = +counts
        parent.modified = now
        self.failed += status in FAILURES
        ended = sum(number for each, number in counts.items() if each in FINAL)
        parent.given["progress_processed"] = ended
        if ended < len(parent.children):
            parent.given.setdefault("started_at", iso(now))
            parent.given["status"] = "STARTED"
            return
        failed = sum(counts[each] for each in FAILURES)
        parent.given["completed_at"] = iso(now)
        parent.given["status"] = (
            "FINISHED" if not failed else "FAILED" if failed == ended else "FINISHED_WITH_WARNING"
        )
