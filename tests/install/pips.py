"""A package index in a directory, and Pythons that soon put a pip into new environments."""

import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
BASE = Path(sys.base_prefix)
# A pin, and the hashes of its files.
LOCKED = re.compile(r"^(?P<pin>\S+==[^\\\n]+?) \\\n(?: +--hash=\S+(?: \\)?\n)+", re.MULTILINE)
UNUSED = hashlib.sha256().hexdigest()


class Pip(NamedTuple):
    """A release of pip.

    Attributes:
        version: its version.
        sha256: the SHA-256 of its wheel, in hexadecimal.
    """

    version: str
    sha256: str


# Python 3.10.0 shipped 21.2.3, which does not run on Python 3.12. Python 3.12.0 shipped 23.2.1.
# 26.3 was the newest release of all when this was written.
OLDEST = (
    Pip("21.2.3", "895df6014c2f02f9d278a8ad6e31cdfd312952b4a93c3068d0556964f4490057")
    if sys.version_info < (3, 12)
    else Pip("23.2.1", "7ccf472345f20d35bdc9d1841ff5f313260c2c33fe417f48c30ac46cccabf5be")
)
NEWEST = Pip("26.3", "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13")

# The real ensurepip installs pip, which takes longer than all that is tested here.
ENSUREPIP = """
import os, sysconfig
for each in {pip!r}:
    os.symlink(each, os.path.join(sysconfig.get_path("purelib"), os.path.basename(each)))
"""


def wheel_of(pip: Pip) -> Path:
    """The wheel of a pip; it is downloaded once for each environment that tests run in."""
    directory = Path(sys.prefix) / "pips"
    wheel = directory / f"pip-{pip.version}-py3-none-any.whl"
    if not wheel.exists():
        directory.mkdir(exist_ok=True)
        wanted = directory / f"{pip.version}.txt"
        wanted.write_text(f"pip=={pip.version} --hash=sha256:{pip.sha256}\n")
        command = "-I -m pip --disable-pip-version-check download --quiet --no-deps"
        subprocess.run(
            [sys.executable, *command.split(), "--dest", directory, "--requirement", wanted],
            check=True,
        )
    return wheel


def own_pip() -> list[Path]:
    """The package and the metadata of the pip of this environment."""
    place = Path(sysconfig.get_path("purelib"))
    return [place / "pip", *place.glob("pip-*.dist-info")]


def unpacked(pip: Pip, directory: Path) -> list[Path]:
    """Unpack a pip into a directory; returns its package and its metadata."""
    with zipfile.ZipFile(wheel_of(pip)) as wheel:
        wheel.extractall(directory)
    return list(directory.iterdir())


def python_with(pip: Sequence[Path], directory: Path) -> Path:
    """Make a Python that is this one, but for the pip that it puts into new environments.

    Args:
        pip: the package and the metadata of that pip.
        directory: where to make it; it must not exist.

    Returns:
        The path of the interpreter.
    """
    ours = directory / "lib" / VERSION
    ours.mkdir(parents=True)
    for entry in (BASE / "lib").iterdir():
        if entry.name != VERSION:
            (directory / "lib" / entry.name).symlink_to(entry)
    for entry in (BASE / "lib" / VERSION).iterdir():
        if entry.name != "ensurepip":
            (ours / entry.name).symlink_to(entry)
    (ours / "ensurepip").mkdir()
    (ours / "ensurepip" / "__init__.py").touch()
    (ours / "ensurepip" / "__main__.py").write_text(
        ENSUREPIP.format(pip=[str(each) for each in pip])
    )
    (directory / "bin").mkdir()
    return Path(shutil.copy(BASE / "bin" / VERSION, directory / "bin"))


class Index:
    """A package index with two releases of each package: the pinned one and a newer one.

    The packages are empty. Their requirements and extras are those of the installed packages.

    Args:
        root: an empty directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.url = root.as_uri()

    def lock(self, requirements: str) -> str:
        """Publish what lock files pin.

        Args:
            requirements: the content of a lock file.

        Returns:
            The same with the hashes of the releases that are published here.
        """
        return LOCKED.sub(self._locked, requirements)

    def _locked(self, match: re.Match[str]) -> str:
        requirement = Requirement(match["pin"])
        sha256 = UNUSED
        if applies(requirement):
            version = str(requirement.specifier).removeprefix("==")
            sha256 = self.publish(requirement.name, version)
            # Newer, yet within most bounds that others set: 2.3.4.1 after 2.3.4.
            self.publish(requirement.name, f"{re.findall(r'^[0-9.]+', version)[0]}.1")
        return f"{match['pin']} --hash=sha256:{sha256}\n"

    def publish(self, name: str, version: str) -> str:
        """Publish a release; returns the SHA-256 of its wheel."""
        about = distribution(name).metadata
        keys = ("Requires-Python", "Provides-Extra", "Requires-Dist")
        lines = [f"{key}: {each}" for key in keys for each in about.get_all(key, [])]
        directory = self._root / name
        directory.mkdir(exist_ok=True)
        wheel = build_wheel(directory, name, version, lines)
        with (directory / "index.html").open("a") as page:
            page.write(f'<!DOCTYPE html><a href="{wheel.name}">{wheel.name}</a>\n')
        return sha256_of(wheel)


def build_wheel(directory: Path, name: str, version: str, metadata: Sequence[str]) -> Path:
    """Build the wheel of an empty package.

    Args:
        directory: where to put it.
        name: the name of the package.
        version: its version.
        metadata: further lines of its metadata.

    Returns:
        The path of the wheel.
    """
    stem = f"{name.replace('-', '_')}-{version}"
    about = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata]
    wheel = directory / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, lines in {
            "METADATA": about,
            "WHEEL": ["Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any"],
            "RECORD": [],
        }.items():
            archive.writestr(f"{stem}.dist-info/{file}", "".join(f"{each}\n" for each in lines))
    return wheel


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def applies(requirement: Requirement) -> bool:
    """Whether a requirement is one on this Python and this machine."""
    return requirement.marker is None or requirement.marker.evaluate()


def pinned(requirements: str) -> dict[str, str]:
    """What a lock file has installed here: versions by name."""
    found = [Requirement(match["pin"]) for match in LOCKED.finditer(requirements)]
    return {each.name: str(each.specifier).removeprefix("==") for each in found if applies(each)}


def installed(environment: Path) -> dict[str, str]:
    """What an environment has besides pip: versions by name."""
    folders = environment.glob("lib/*/site-packages/*.dist-info")
    found = dict(folder.name.removesuffix(".dist-info").split("-") for folder in folders)
    return {name.replace("_", "-"): version for name, version in found.items() if name != "pip"}
