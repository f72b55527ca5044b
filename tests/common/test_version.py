"""The version is one, wherever it is told."""

import re
import subprocess
import sys

import pytest

from b2_iconik.common.version import VERSION
from dev.harness import ROOT


def test_the_newest_changes_are_those_of_this_version() -> None:
    headings = re.findall(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == VERSION


@pytest.mark.parametrize(
    "script",
    [
        "create_custom_actions.py",
        "delete_custom_actions.py",
        "list_custom_actions.py",
        "check_setup.py",
        "show_operations.py",
    ],
)
def test_every_script_tells_it(script: str) -> None:
    told = subprocess.run(
        [sys.executable, ROOT / script, "--version"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout == f"{VERSION}\n"
