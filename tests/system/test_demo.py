"""The demonstration shows the main job, and cleans up after itself, even if interrupted."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from dev.harness import ROOT, Process, stop_all, wait_for


class Demo(Process):
    """The demonstration, with a temporary directory of its own to know its processes by."""

    def __init__(self, directory: Path, *options: str) -> None:
        self._directory = directory
        command = [sys.executable, "-u", str(ROOT / "dev" / "demo.py"), *options]
        super().__init__(command, {"TMPDIR": str(directory)}, directory / "demo.log")

    def left(self) -> list[int]:
        """The processes that belong to it, itself included."""
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if self._is_mine(path)]

    def _is_mine(self, process: Path) -> bool:
        try:
            return os.fsencode(f"TMPDIR={self._directory}\0") in (process / "environ").read_bytes()
        except OSError:
            return False

    def interrupt(self) -> int:
        """Press Ctrl-C, and wait until no process of it is left; returns the exit status."""
        os.kill(self.pid, signal.SIGINT)
        wait_for("end of the demonstration", lambda: not self.is_running(), 120)
        # What it had to kill is gone by and by.
        wait_for("end of all its processes", lambda: not self.left(), 120)
        return self.exit_status()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_all()


@pytest.mark.promise
def test_it_shows_the_main_job_and_leaves_no_process_and_no_file_behind(directory: Path) -> None:
    demo = Demo(directory)
    demo.wait_for_line(r"kept on LucidLink +Harbour ORIGINAL: harbour\.mov is gone from B2", 120)
    demo.wait_for_line(r"Of the 11 formats removed, \d+ were proven by checksum", 120)
    demo.wait_for_line("All is as it should be", 120)
    assert demo.exit_status() == 0
    wait_for("end of all its processes", lambda: not demo.left(), 120)
    assert list(directory.iterdir()) == [demo.log]


@pytest.mark.parametrize("moment", ["Set-up", "being copied", "A deletion in the bucket"])
def test_ctrl_c_leaves_no_process_and_no_file_behind(directory: Path, moment: str) -> None:
    demo = Demo(directory)
    demo.wait_for_line(moment, 120)
    assert demo.interrupt() == 130
    assert list(directory.iterdir()) == [demo.log]


def test_ctrl_c_while_it_starts_leaves_no_process_behind(directory: Path) -> None:
    demo = Demo(directory)
    wait_for("the simulator", lambda: len(demo.left()) > 1, 120)
    assert demo.interrupt() == 130


@pytest.mark.parametrize(
    ("option", "told"), [("--serve", "start this again"), ("--purge-later", "can be undone")]
)
def test_served_it_can_be_tried_by_hand_until_ctrl_c(
    directory: Path, option: str, told: str
) -> None:
    demo = Demo(directory, option)
    demo.wait_for_line(told, 120)
    url = demo.wait_for_line(r"curl (http://\S+)/\n", 120)[1]
    assert requests.get(f"{url}/", timeout=60).ok
    page = demo.wait_for_line(r"The operations page is (http://\S+)\n", 120)[1]
    password = demo.wait_for_line(r"any name, and the password (\S+)\n", 120)[1]
    assert "Summer campaign" in requests.get(page, auth=("ada", password), timeout=60).text
    assert demo.interrupt() == 0
