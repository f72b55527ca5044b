"""A machine of its own with a real systemd: this one's files, changes to which are never kept."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dev.harness import ROOT, Process, wait_for

CHECKOUT = "/opt/b2-iconik-plugin"
NEEDED = ("systemd-nspawn", "unshare", "nsenter", "git")
CLONE_NEWNET = 0x40000000

# Other processes see nothing of these mounts, and they end with the machine. Before it is cut off
# the network, it gets the service's environment, which script/install will find made. The first
# machine keeps it for the others: script/environment makes another one only if it is outdated.
BOOT = f"""
set -eu
mount -t tmpfs tmpfs "$1"
mkdir "$1/changes" "$1/work" "$1/whole"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" "$1/whole"
mkdir -p "$1/whole{CHECKOUT}"
git -C "$2" ls-files -z --cached --others --exclude-standard |
  (cd "$2" && xargs -0 cp --parents --target-directory "$1/whole{CHECKOUT}")
mount -t proc proc "$1/whole/proc"
(
  flock 9
  [ ! -d "$3" ] || cp -a "$3" "$1/whole{CHECKOUT}/.venv"
  chroot "$1/whole" env PYTHON=/usr/bin/python3 {CHECKOUT}/script/environment
  if ! cmp -s "$3/made-from" "$1/whole{CHECKOUT}/.venv/made-from"; then
    rm -rf "$3"
    cp -a "$1/whole{CHECKOUT}/.venv" "$3.new"
    mv "$3.new" "$3"
  fi
) 9> "$3.lock"
umount "$1/whole/proc"
exec systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe \\
  --directory "$1/whole" /lib/systemd/systemd --log-target=console --unit=basic.target
"""


def can_be_had() -> bool:
    """Whether such a machine can be started here."""
    return os.getuid() == 0 and all(map(shutil.which, NEEDED))


class Machine:
    """A started machine, with a checkout in /opt/b2-iconik-plugin and nothing installed.

    Args:
        directory: an empty one, for its log and the place where its files are mounted.
    """

    def __init__(self, directory: Path) -> None:
        place = directory / "machine"
        place.mkdir()
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", BOOT, "boot"]
        kept = Path(sys.prefix) / "machine-environment"
        given = [str(place), str(ROOT), str(kept)]
        self._process = Process([*command, *given], {}, directory / "machine.log")
        self._init = wait_for("systemd", self._find_init, 240)
        wait_for("running systemd", lambda: self.run("systemctl is-system-running").ok, 120)

    def run(self, command: str, seconds: float = 120) -> "Ended":
        """Run a command of the shell as root, in the checkout."""
        return Ended(
            subprocess.run(
                [
                    *("nsenter", "--target", str(self._init), "--all", "--root"),
                    *("env", "--chdir", CHECKOUT, "sh", "-c", command),
                ],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=seconds,
                check=False,
            )
        )

    def path(self, path: str) -> Path:
        """A file of the machine, as it is seen from here."""
        return Path(f"/proc/{self._init}/root{path}")

    @contextmanager
    def network(self) -> Iterator[None]:
        """Be on the machine's network, with what is started meanwhile."""
        own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        its = os.open(f"/proc/{self._init}/ns/net", os.O_RDONLY)
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            if libc.setns(its, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            libc.setns(own, CLONE_NEWNET)
            os.close(own)
            os.close(its)

    def stop(self) -> None:
        """End it as a power cut would."""
        # Its first process outlives the program that started it, and all others end with it.
        with suppress(ProcessLookupError):
            os.kill(self._init, signal.SIGKILL)
        self._process.kill()

    def _find_init(self) -> int | None:
        assert self._process.is_running(), self._process.output()
        for child in self._process.children():
            # Most are gone as soon as they were seen.
            with suppress(FileNotFoundError, ProcessLookupError):
                command = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                if command[0] == b"/lib/systemd/systemd":
                    return child
        return None


class Ended:
    """What came of a command."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.ok = done.returncode == 0
        self.output = done.stdout

    def __repr__(self) -> str:
        return f"{'ended' if self.ok else 'failed'}: {self.output}"
