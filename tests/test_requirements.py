"""requirements*.in declare what the code imports; both lock files pin the same versions."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import distributions
from pathlib import Path

import pytest

from dev.harness import ROOT

# Directories with code that only developers run.
FOR_DEVELOPERS = ("dev", "simulator", "tests")
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
CODE = sorted(path for each in ("*.py", "[!.]*/**/*.py") for path in ROOT.glob(each))


def normal(name: str) -> str:
    """The name of a distribution as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*names: str) -> set[str]:
    """The distributions that requirements files name, without their extras."""
    lines = "\n".join((ROOT / name).read_text() for name in names).splitlines()
    return {normal(line.split("[")[0]) for line in lines if line and line[0] not in "#-"}


def pinned(name: str) -> set[tuple[str, str]]:
    """The names and versions in a lock file; a name has one for each range of Python versions."""
    return set(PIN.findall((ROOT / name).read_text()))


def is_for_developers(path: Path) -> bool:
    return path.relative_to(ROOT).parts[0] in FOR_DEVELOPERS


def imported(path: Path) -> Iterator[str]:
    """The top-level modules that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name.split(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


@lru_cache
def providers() -> dict[str, set[str]]:
    """The installed distributions by the top-level modules they contain.

    packages_distributions() of Python 3.10 misses most of them.
    """
    found: dict[str, set[str]] = {}
    for each in distributions():
        name = normal(each.metadata["Name"])
        for line in (each.read_text("RECORD") or "").splitlines():
            module = line.partition(",")[0].partition("/")[0].removesuffix(".py")
            found.setdefault(module, set()).add(name)
    return found


def undeclared(paths: list[Path], names: set[str]) -> set[tuple[str, str]]:
    """The files with an import that no declared distribution provides, and the module imported."""
    own = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in CODE}
    return {
        (str(path.relative_to(ROOT)), module)
        for path in paths
        for module in imported(path)
        if module not in own
        and module not in sys.stdlib_module_names
        and not providers().get(module, set()) & names
    }


def test_requirements_declare_every_import_of_the_product() -> None:
    product = [path for path in CODE if not is_for_developers(path)]
    assert undeclared(product, declared("requirements.in")) == set()


def test_requirements_for_developers_declare_every_import_of_tests_and_scripts() -> None:
    names = declared("requirements.in", "requirements-dev.in")
    assert undeclared([path for path in CODE if is_for_developers(path)], names) == set()


def test_an_import_that_is_not_declared_is_found() -> None:
    names = declared("requirements.in")
    assert ("b2_iconik/ledger/database.py", "sqlalchemy") in undeclared(
        [ROOT / "b2_iconik" / "ledger" / "database.py"], names - {"sqlalchemy"}
    )


@pytest.mark.parametrize("name", ["requirements", "requirements-dev"])
def test_every_declared_requirement_is_pinned(name: str) -> None:
    assert declared(f"{name}.in") <= {each for each, _ in pinned(f"{name}.txt")}


def test_both_lock_files_pin_the_same_versions() -> None:
    assert pinned("requirements.txt") <= pinned("requirements-dev.txt")
