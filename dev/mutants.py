"""Change a module in one place at a time, run its tests, and list the changes that none detects.

Every change is tested in its own process, forked from this one after the slow imports. The files
themselves are not changed.
"""

import ast
import copy
import importlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
RULES = "b2_iconik/domain"
MODULES = tuple(
    f"{RULES}/{name}.py"
    for name in ("custody", "matching", "checksums", "disputes", "shared_paths", "arrival")
)
# Fast ones first: the first failure ends a run.
TESTS = tuple(
    f"tests/domain/test_{name}.py"
    for name in (
        *("custody", "checksums", "shared_paths", "arrival", "sequences"),
        "custody_properties",
    )
)
EXPLAINED = ROOT / "docs" / "mutants.md"
SLOW_TO_IMPORT = ("hypothesis", "requests", "responses", "sqlalchemy", "pyrate_limiter", "tenacity")
OPTIONS = (
    *("-x", "-q", "-p", "no:cacheprovider", "-p", "no:cov", "-p", "no:xdist"),
    # These tests measure, and take longer than all others.
    *("-k", "not tens_of_thousands"),
    # The warning concerns the imports before the fork.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
# In seconds. A change may cause an endless loop.
LONGEST_RUN = 120

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
# Removing these conversions keeps the content.
SAME_CONTENT = ("bool", "dict", "frozenset")
NAMES = {"any": "all", "all": "any", "min": "max", "max": "min", "sorted": "list"}


class Mutant(NamedTuple):
    """A changed module.

    Attributes:
        module: its file.
        line: the line of the change.
        change: the place and the change, in words that don't depend on line numbers.
        source: the source of the whole changed module.
    """

    module: str
    line: int
    change: str
    source: str


def changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the possible changes of a node of the syntax tree."""
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            changed = copy.deepcopy(node)
            changed.ops[at] = COMPARISONS[type(operator)]()
            yield changed
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield ast.BoolOp(other, node.values)
        for at in range(len(node.values)):
            rest = node.values[:at] + node.values[at + 1 :]
            yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield ast.BinOp(
            node.left, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.right
        )
        yield node.left
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int):
            yield ast.Constant(node.value + 1)
        elif isinstance(node.value, str):
            yield ast.Constant(node.value + "~")
    elif isinstance(node, ast.Name) and node.id in NAMES and isinstance(node.ctx, ast.Load):
        yield ast.Name(NAMES[node.id], node.ctx)
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.Slice):
        for field in ("lower", "upper", "step"):
            if getattr(node, field):
                changed_slice = copy.deepcopy(node)
                setattr(changed_slice, field, None)
                yield changed_slice
    elif isinstance(node, ast.Call):
        for at in range(len(node.keywords)):
            rest_of_them = node.keywords[:at] + node.keywords[at + 1 :]
            yield ast.Call(node.func, node.args, rest_of_them)
        # Omit a filter, a conversion, or the effect of a method.
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        is_plain = len(node.args) == 1 and not isinstance(node.args[0], ast.Starred)
        if is_plain and name not in SAME_CONTENT:
            yield node.args[0]
        if isinstance(node.func, ast.Attribute):
            yield node.func.value
    elif isinstance(node, ast.comprehension):
        for at in range(len(node.ifs)):
            kept = node.ifs[:at] + node.ifs[at + 1 :]
            yield ast.comprehension(node.target, node.iter, kept, node.is_async)
    elif isinstance(node, ast.If):
        yield ast.If(ast.Constant(True), node.body, node.orelse)
        yield ast.If(ast.Constant(False), node.body, node.orelse)
    elif isinstance(node, ast.Return) and node.value and not _is_none(node.value):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Expr | ast.AugAssign | ast.Continue | ast.Break | ast.Raise):
        yield ast.Pass()


def mutants(module: str) -> Iterator[Mutant]:
    """Yield all changed forms of a module."""
    tree = ast.parse((ROOT / module).read_text())
    for place, parent, field, at in _pieces(tree, Path(module).stem):
        held: Any = getattr(parent, field)
        node: ast.AST = held if at is None else held[at]
        for changed in changes(node):
            _put(parent, field, at, changed)
            source = ast.unparse(ast.fix_missing_locations(tree))
            _put(parent, field, at, node)
            change = f"{place}: {_brief(node)} → {_brief(changed)}"
            if isinstance(node, ast.Constant | ast.Name):
                change += f" in {_brief(parent)}"
            yield Mutant(module, getattr(node, "lineno", 0), change, source)


def _pieces(node: ast.AST, place: str) -> Iterator[tuple[str, ast.AST, str, int | None]]:
    """Yield every node that has an effect, by its position in its parent."""
    for field, value in ast.iter_fields(node):
        # Types, decorators and docstrings decide nothing.
        if field in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for at, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or _is_for_readers(child):
                continue
            name = getattr(child, "name", None)
            yield place, node, field, at if isinstance(value, list) else None
            yield from _pieces(child, f"{place}.{name}" if name else place)


def _is_for_readers(node: ast.AST) -> bool:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    # A type alias, or a value with the form of a type.
    is_type = isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript)
    return is_text or is_type or isinstance(node, ast.Import | ast.ImportFrom)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _put(parent: ast.AST, field: str, at: int | None, node: ast.AST) -> None:
    if at is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[at] = node


def _brief(node: ast.AST) -> str:
    text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(node)))
    return " ".join(text.split("\n")[0].split())


def start(mutant: Mutant) -> int:
    """Run the tests on a changed module in a new process, and return its process id."""
    child = os.fork()
    if child:
        return child
    try:
        signal.alarm(LONGEST_RUN)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        name = ".".join(Path(mutant.module).with_suffix("").parts)
        package = importlib.import_module(name.rpartition(".")[0])
        module = ModuleType(name)
        module.__file__ = str(ROOT / mutant.module)
        # Register it first: its definitions may look up the module.
        sys.modules[name] = module
        setattr(package, name.rpartition(".")[2], module)
        exec(compile(mutant.source, mutant.module, "exec"), module.__dict__)  # noqa: S102
        os._exit(pytest.main([*OPTIONS, *TESTS]))
    except BaseException:  # noqa: BLE001 - it can't even be imported
        os._exit(1)


def survivors(all_of_them: list[Mutant], at_once: int) -> list[Mutant]:
    """Return the mutants for which all tests pass."""
    found = []
    running: dict[int, Mutant] = {}
    waiting = list(reversed(all_of_them))
    while waiting or running:
        while waiting and len(running) < at_once:
            mutant = waiting.pop()
            running[start(mutant)] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        if sys.stderr.isatty():
            print(f"\r{len(waiting):>4} left ", end="", file=sys.stderr)
        if status == 0:
            found.append(mutant)
            print(f"no test notices {mutant.module}:{mutant.line} {mutant.change}", flush=True)
    return found


def main() -> int:
    """Run the tests on all mutants; return 0 if every surviving one is explained."""
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ["HYPOTHESIS_PROFILE"] = "first failure"
    for name in SLOW_TO_IMPORT:
        importlib.import_module(name)
    for name in sys.argv[1:] or MODULES:
        same = Mutant(name, 0, "nothing", ast.unparse(ast.parse((ROOT / name).read_text())))
        if os.waitpid(start(same), 0)[1] != 0:
            print(f"the tests fail on {name} as it is")
            return 1
    began = time.monotonic()
    all_of_them = [each for name in sys.argv[1:] or MODULES for each in mutants(name)]
    found = {each.change for each in survivors(all_of_them, os.cpu_count() or 1)}
    explained = set(re.findall(r"^- `(.+)`$", EXPLAINED.read_text(), re.MULTILINE))
    seconds = time.monotonic() - began
    print(f"{len(all_of_them)} mutants, {len(found)} survive, in {seconds:.0f} s")
    for change in sorted(found - explained):
        print(f"not explained in {EXPLAINED.relative_to(ROOT)}: {change}")
    tried = {each.change for each in all_of_them}
    for change in sorted((explained - found) & tried):
        print(f"explained, but it does not survive: {change}")
    return 1 if found - explained else 0


if __name__ == "__main__":
    raise SystemExit(main())
