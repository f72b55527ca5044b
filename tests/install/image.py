"""Builds and runs the container image with buildah; a small Debian stands in for the base image."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dev.harness import ROOT

BASE = "docker.io/library/python:3.13-slim"
IMAGE = "b2-iconik-plugin"
NEEDED = ("buildah", "debootstrap", "unshare")
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# The pip settings that an image needs to reach the package index from this machine.
REACHING = {"default-timeout", "extra-index-url", "index-url", "proxy", "timeout", "trusted-host"}
# What debootstrap mounts is visible in this mount namespace only, and disappears with it.
APART = ("unshare", "--mount", "--propagation", "private")


def can_be_built() -> bool:
    """Whether the image can be built on this machine."""
    return os.getuid() == 0 and all(map(shutil.which, NEEDED))


def base() -> Path:
    """The directory from which the stand-in for the base image is built.

    The Debian in it is created once for each environment that tests run in, because that takes
    longer than everything else.
    """
    context = Path(sys.prefix) / "container-base"
    context.mkdir(exist_ok=True)
    archive = context / "debian.tar"
    if not archive.exists():
        release = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)
        assert release, "debootstrap needs to know the release of Debian"
        with tempfile.TemporaryDirectory() as made:
            chosen = ["--variant=minbase", f"--include={PACKAGES}", release[1]]
            _run([*APART, "debootstrap", *chosen, f"{made}/debian"])
            downloaded = "--exclude=./var/cache/apt/*"
            _run(["tar", "-C", f"{made}/debian", downloaded, "-cf", f"{made}/debian.tar", "."])
            shutil.copy(f"{made}/debian.tar", f"{archive}.new")
        Path(f"{archive}.new").rename(archive)
    shutil.copy(CERTIFICATES, context / "certificates")
    (context / "pip.conf").write_text(pip_configuration())
    (context / "Dockerfile").write_text(
        f"FROM scratch\nADD {archive.name} /\n"
        f"COPY certificates {CERTIFICATES}\nCOPY pip.conf /etc/pip.conf\n"
    )
    return context


def pip_configuration() -> str:
    """A pip.conf that reaches the package index the way this machine does."""
    told = _run([sys.executable, "-I", "-m", "pip", "config", "list"])
    settings = re.findall(r"^[\w:]+\.([\w-]+)=('.*')$", told, re.MULTILINE)
    lines = {name: ast.literal_eval(value) for name, value in settings if name in REACHING}
    lines["cert"] = str(CERTIFICATES)
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in lines.items()), ""])


class Engine:
    """Builds the image and runs containers, with its own storage.

    Args:
        storage: an empty directory.
    """

    def __init__(self, storage: Path) -> None:
        # vfs needs no mounts, so there are none to clean up.
        self._options = ["--root", f"{storage}/root", "--runroot", f"{storage}/run"]
        self._options += ["--storage-driver", "vfs"]

    def build(self) -> None:
        """Build the image from the checkout's Dockerfile."""
        self._build(BASE, base())
        self._build(IMAGE, ROOT)

    def configuration(self) -> dict[str, Any]:
        """The image's configuration: Cmd, Healthcheck, StopSignal and others."""
        told = self._buildah("inspect", "--type", "image", IMAGE)
        configuration: dict[str, Any] = json.loads(told)["Docker"]["config"]
        return configuration

    def create(self) -> str:
        """Create a container of the image; returns its id."""
        return self._buildah("from", "--pull-never", IMAGE).strip()

    def run(self, container: str, command: Sequence[str], **variables: str) -> list[str]:
        """The command line that runs a command in a container as the image's user.

        Args:
            container: the container's id.
            command: the command to run.
            variables: environment variables in addition to the image's.

        Returns:
            The program and its arguments.
        """
        given = [part for name, value in variables.items() for part in ("--env", f"{name}={value}")]
        return [
            *("buildah", *self._options, "run", "--isolation", "chroot", "--network", "host"),
            *(*given, container, "--", *command),
        ]

    def _build(self, name: str, context: Path) -> None:
        # Health checks exist in Docker's format only.
        how = "--isolation chroot --network host --format docker --pull-never"
        self._buildah("build", *how.split(), "--tag", name, str(context))

    def _buildah(self, *arguments: str) -> str:
        return _run(["buildah", *self._options, *arguments])


def _run(command: Sequence[str]) -> str:
    """Run a command; returns what it prints on stdout.

    Raises:
        RuntimeError: it failed; the message has its output.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(command[:2])} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return done.stdout


@contextmanager
def built() -> Iterator[Engine]:
    """An engine that has built the image; all its files are removed in the end."""
    # vfs copies all files for each layer, which takes minutes on a busy disk.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as storage:
        engine = Engine(Path(storage))
        engine.build()
        yield engine
