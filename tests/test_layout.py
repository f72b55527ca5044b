"""What each package may import, and what the root holds."""

import ast
from pathlib import Path

import pytest

from dev.harness import ROOT

# Of iconik's client, anybody may use what has no connection.
VALUES = frozenset({"errors", "records", "expiry", "http_limits"})
MAY_IMPORT: dict[str, set[str]] = {
    "iconik_http": set(),
    "iconik": {"iconik_http"},
    "__init__": set(),
    "common": set(),
    "domain": set(),
    "bucket": {"domain"},
    "ledger": {"domain"},
    "dispatch": {"ledger", "domain"},
    "report": {"ledger", "domain"},
    "operation": {"ledger", "bucket", "domain", "iconik"},
    "web": {"report", "dispatch", "ledger", "domain"},
    "setup": {"report", "dispatch", "ledger", "bucket", "domain", "iconik"},
    "cli": {"report", "dispatch", "ledger", "domain"},
}
PRODUCT = sorted([*ROOT.glob("b2_iconik/**/*.py"), *ROOT.glob("iconik_http/*.py")])
SIMULATOR = sorted(ROOT.glob("simulator/*.py"))


def package_of(module: str) -> str | None:
    """The package of a module of ours, by its dotted name; None for what may always be imported."""
    first, *rest = module.split(".")
    if first == "iconik_http":
        return None if rest and rest[0] in VALUES else first
    if first == "iconik":
        return first
    if first != "b2_iconik" or not rest:
        return None
    return rest[0]


def imports(path: Path) -> set[str]:
    """The dotted names of all that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{each.name}" for each in node.names}
    return found


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_no_module_imports_anything_from_above() -> None:
    wrong = set()
    for path in PRODUCT:
        mine = package_of(name_of(path)) or "iconik_http"
        allowed = {mine, *MAY_IMPORT[mine]} | ({"common"} if mine != "iconik_http" else set())
        for each in imports(path):
            package = package_of(each)
            if package and package not in allowed:
                wrong.add((name_of(path), each))
    assert wrong == set()


def test_the_simulator_imports_nothing_of_the_plugin() -> None:
    ours = {"b2_iconik", "iconik_http", "iconik", "plugin", "dev"}
    imported = {(path.name, each) for path in SIMULATOR for each in imports(path)}
    assert {(name, each) for name, each in imported if each.split(".")[0] in ours} == set()


@pytest.mark.parametrize("package", sorted({path.parent for path in PRODUCT}), ids=lambda p: p.name)
def test_a_package_says_what_lives_there_and_imports_nothing(package: Path) -> None:
    (docstring,) = ast.parse((package / "__init__.py").read_text()).body
    assert isinstance(docstring, ast.Expr)


def test_the_root_holds_the_entry_points_and_the_client() -> None:
    assert {path.name for path in ROOT.glob("*.py")} == {
        "plugin.py",
        "main.py",
        "gunicorn.conf.py",
        "create_custom_actions.py",
        "delete_custom_actions.py",
        "list_custom_actions.py",
        "check_setup.py",
        "show_operations.py",
        "iconik.py",
    }
