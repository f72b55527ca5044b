"""The files through which processes share their counters."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from b2_iconik.common import metric_files
from b2_iconik.common.metric_files import IN_USE, KINDS, PREFIX, ROOM, clean, prepare, take_slot

# Takes a slot, says which, and keeps it until its input ends.
HOLDER = "import sys, pathlib, metric_files as f; print(f.take_slot(pathlib.Path(sys.argv[1])))"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return prepare({"RUNTIME_DIRECTORY": str(tmp_path)})


class Holder:
    """Another process, which has a slot."""

    def __init__(self, directory: Path) -> None:
        code = f"{HOLDER}; sys.stdout.flush(); sys.stdin.read()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(directory)],
            cwd=Path(metric_files.__file__).parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.slot = self._process.stdout.readline().strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def holder(directory: Path) -> Iterator[Holder]:
    holder = Holder(directory)
    yield holder
    holder.kill()


def test_the_directory_is_for_its_owner_alone(directory: Path) -> None:
    assert directory.stat().st_mode & 0o777 == 0o700


def test_of_several_directories_of_systemd_the_first_is_taken(tmp_path: Path) -> None:
    assert prepare({"RUNTIME_DIRECTORY": f"{tmp_path}:/nowhere"}).parent == tmp_path


def test_without_systemd_it_lies_where_temporary_files_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert prepare({}).parent == tmp_path


def test_what_a_killed_start_has_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f"{PREFIX}left"
    left.mkdir()
    (left / "counter_0.db").touch()
    made = prepare({"RUNTIME_DIRECTORY": str(tmp_path)})
    assert list(tmp_path.iterdir()) == [made]


def test_a_start_that_is_just_making_its_own_is_not_taken_for_one_that_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = metric_files._lock
    others: list[Path] = []

    def lock_late(path: Path) -> int | None:
        monkeypatch.setattr(metric_files, "_lock", lock)
        others.append(prepare({"RUNTIME_DIRECTORY": str(tmp_path)}))
        return lock(path)

    monkeypatch.setattr(metric_files, "_lock", lock_late)
    mine = prepare({"RUNTIME_DIRECTORY": str(tmp_path)})
    assert sorted(tmp_path.iterdir()) == sorted([mine, *others])


def test_what_another_start_uses_stays(tmp_path: Path, directory: Path) -> None:
    prepare({"RUNTIME_DIRECTORY": str(tmp_path)})
    assert directory.is_dir()


def test_what_belongs_to_another_user_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / f"{PREFIX}theirs"
    theirs.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12_345)
    prepare({"RUNTIME_DIRECTORY": str(tmp_path)})
    assert theirs.is_dir()


def test_what_is_no_directory_of_ours_stays(tmp_path: Path) -> None:
    (tmp_path / f"{PREFIX}file").touch()
    prepare({"RUNTIME_DIRECTORY": str(tmp_path)})
    assert (tmp_path / f"{PREFIX}file").exists()


def test_cleaning_up_twice_does_no_harm(directory: Path) -> None:
    clean(directory)
    clean(directory)
    assert not directory.exists()


def test_a_slot_has_room_for_what_is_counted_before_anything_is(directory: Path) -> None:
    slot = take_slot(directory)
    for kind in KINDS:
        found = (directory / f"{kind}_{slot}.db").stat()
        assert found.st_size == ROOM
        # Not only promised: a disk that is full later takes nothing back.
        assert found.st_blocks * 512 >= ROOM
        assert found.st_mode & 0o777 == 0o600


def test_processes_that_run_at_once_have_slots_of_their_own(
    directory: Path, holder: Holder
) -> None:
    assert holder.slot == "0"
    assert take_slot(directory) == "1"


def test_the_slot_of_a_process_that_died_is_taken_again_with_what_was_counted(
    directory: Path, holder: Holder
) -> None:
    counted = directory / "counter_0.db"
    counted.write_bytes(b"counted")
    holder.kill()
    assert take_slot(directory) == "0"
    assert counted.read_bytes() == b"counted"


def test_more_processes_than_there_are_slots_are_refused(
    directory: Path, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metric_files, "MOST_SLOTS", 1)
    with pytest.raises(OSError, match="more than 1 processes"):
        take_slot(directory)


def test_a_full_disk_is_told_when_the_slot_is_taken_and_leaves_no_half_file(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, mode: str) -> BinaryIO:
        os.close(descriptor)
        return Path("/dev/full").open("wb")

    monkeypatch.setattr(os, "fdopen", full)
    with pytest.raises(OSError, match="No space left"):
        take_slot(directory)
    assert not list(directory.glob("*.db"))


def test_the_lock_of_the_directory_lasts_as_long_as_the_process(directory: Path) -> None:
    assert metric_files._lock(directory / IN_USE) is None
