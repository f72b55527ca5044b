"""script/environment with an old and a new pip, when every package has a newer release."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.harness import ROOT
from tests.install.pips import NEWEST, OLDEST, Index, Pip, installed, pinned, python_with, unpacked

LOCK_FILES = ["requirements.txt", "requirements-dev.txt"]
PIPS = pytest.mark.parametrize("pip", [OLDEST, NEWEST], ids=["oldest", "newest"])


@pytest.fixture
def index(tmp_path: Path) -> Index:
    (tmp_path / "index").mkdir()
    return Index(tmp_path / "index")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Pip], Path]:
    """The Python that comes with a given pip."""
    place = tmp_path_factory.mktemp("pythons")
    made = {
        pip: python_with(unpacked(pip, place / f"pip-{pip.version}"), place / pip.version)
        for pip in {OLDEST, NEWEST}
    }
    return made.__getitem__


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing but script/environment."""
    (tmp_path / "script").mkdir()
    shutil.copy(ROOT / "script" / "environment", tmp_path / "script")
    return tmp_path


def make(checkout: Path, name: str, python: Path, configuration: str, **variables: str) -> str:
    """Create the environment .venv of a checkout.

    Args:
        checkout: the checkout.
        name: the name of its lock file.
        python: the Python to create it from.
        configuration: the content of the user's pip.conf.
        variables: further environment variables.

    Returns:
        What the script prints on stderr.
    """
    (checkout / "pip.conf").write_text(configuration)
    others = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    given = {"PIP_CONFIG_FILE": str(checkout / "pip.conf"), "PYTHON": str(python)}
    return subprocess.run(
        [checkout / "script" / "environment", ".venv", name],
        env={**others, **given, **variables},
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    ).stderr


@PIPS
@pytest.mark.parametrize("name", LOCK_FILES)
def test_newer_releases_do_not_change_what_is_installed(
    checkout: Path, index: Index, python: Callable[[Pip], Path], name: str, pip: Pip
) -> None:
    requirements = (ROOT / name).read_text()
    (checkout / name).write_text(index.lock(requirements))
    said = make(checkout, name, python(pip), f"[global]\nindex-url = {index.url}\n")
    assert installed(checkout / ".venv") == pinned(requirements), said


def test_with_a_resolver_the_oldest_pip_fails(
    checkout: Path, index: Index, python: Callable[[Pip], Path]
) -> None:
    # Of the two, only this one has a package that is required with an extra.
    name = "requirements-dev.txt"
    # This proves that the test above can fail.
    script = checkout / "script" / "environment"
    script.write_text(script.read_text().replace(" --no-deps ", " "))
    (checkout / name).write_text(index.lock((ROOT / name).read_text()))
    said = make(checkout, name, python(OLDEST), f"[global]\nindex-url = {index.url}\n")
    assert "all requirements must have their versions pinned with ==" in said
    assert installed(checkout / ".venv") == {}


@PIPS
def test_pip_configuration_changes_neither_what_is_installed_nor_where(
    checkout: Path, index: Index, python: Callable[[Pip], Path], pip: Pip
) -> None:
    sha256 = index.publish("blinker", "1.0")
    requirements = f"blinker==1.0 \\\n    --hash=sha256:{sha256}\n"
    (checkout / "requirements.txt").write_text(requirements)
    (checkout / "constraints.txt").write_text("blinker>=2\n")
    elsewhere = checkout / "elsewhere" / "blinker-1.0.dist-info"
    elsewhere.mkdir(parents=True)
    (elsewhere / "METADATA").write_text("Metadata-Version: 2.1\nName: blinker\nVersion: 1.0\n")
    said = make(
        checkout,
        "requirements.txt",
        python(pip),
        f"[global]\nindex-url = {index.url}\nconstraint = {checkout}/constraints.txt\n"
        f"require-virtualenv = yes\n"
        f"[install]\nuser = yes\n",
        PIP_TARGET=str(checkout / "target"),
        PIP_PREFIX=str(checkout / "prefix"),
        PYTHONPATH=str(elsewhere.parent),
    )
    assert installed(checkout / ".venv") == {"blinker": "1.0"}, said
