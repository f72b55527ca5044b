"""docs/first-click.md, followed to the letter on a machine with a real systemd and nginx."""

import os
import re
from collections.abc import Iterator

import pytest

from dev.harness import ROOT, wait_for
from tests.install.machine import Machine, can_be_had
from tests.test_docs import BLOCK

# As a person who is root already, and who says yes.
SUDO = """
set -u
sudo() {
  [ "$1" != -E ] || shift
  case $1 in script/install) yes | "$@" ;; *) env "$@" ;; esac
}
"""

# The operation of the only click so far.
SHOW = (
    "script/operations show --json $(script/operations list | awk '{print $NF}') "
    "| grep -m 1 asset_id"
)
FINDING = re.compile(r"^ok       ([^:]+): ", re.MULTILINE)

pytestmark = pytest.mark.skipif(
    not (can_be_had() or os.environ.get("REQUIRE_SERVERS")),
    reason="a machine with a real systemd needs root and the package systemd-container",
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine with a checkout, as after the second step."""
    machine = Machine(tmp_path_factory.mktemp("first-click"))
    yield machine
    machine.stop()


def section(heading: str) -> str:
    """A section of the page."""
    page = (ROOT / "docs" / "first-click.md").read_text()
    return page.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_the_walk_without_iconik_ends_with_a_click(machine: Machine) -> None:
    *before, shown, page, remove, shown_again = (
        block[2] for block in BLOCK.finditer(section("Without iconik"))
    )
    walked = machine.run(SUDO + "".join(before))
    assert walked.ok, walked
    assert "Not started yet: ICONIK_ID is not set" in walked.output
    first, second = re.findall(r"^(One thing is|Nothing is) wrong\.$", walked.output, re.MULTILINE)
    assert (first, second) == ("One thing is", "Nothing is")
    assert "ok       endpoint: https://localhost answers over HTTPS" in walked.output
    first_lines = FINDING.findall(section("6. What is still wrong").partition("\n...\n")[0])
    assert FINDING.findall(walked.output)[: len(first_lines)] == first_lines
    assert walked.output.count("\ncreated  ") == 6
    assert '"status":200' in walked.output
    wait_for(
        "the copy",
        lambda: "  1 copied, 1 no such format" in machine.run(SUDO + shown).output,
        60,
    )
    assert machine.run(SUDO + shown).output.count("/clip.mov\n") == 2
    asked = machine.run(SUDO + page)
    assert '"title":"Add to LucidLink: 1 asset (Clip)"' in asked.output, asked
    # Each run is a shell of its own.
    (asset,) = re.findall(r'"asset_id": *"(\S+?)"', machine.run(SHOW).output)
    assert '"status":200' in machine.run(f"{SUDO}asset={asset}\n{remove}").output
    wait_for(
        "the removal",
        lambda: " 1 removed" in machine.run(SUDO + shown_again).output,
        60,
    )
    left = machine.run(SUDO + shown_again).output
    assert re.findall(r"^/var/tmp/(\w+)/.*clip\.mov$", left, re.MULTILINE) == ["b2"]


def test_the_server_of_the_readme_starts(machine: Machine) -> None:
    server = "script/server -b localhost:8000 > /var/tmp/server.log 2>&1 &"
    asked = "curl --silent --fail --retry 20 --retry-connrefused --retry-delay 1"
    filled_in = f"ICONIK_ID=a99a99a9-0000-4000-8000-000000000003 BZ_SHARED_SECRET={'s' * 32}"
    answer = machine.run(f"export {filled_in}; {server} {asked} localhost:8000/; kill $!")
    assert answer.ok, machine.path("/var/tmp/server.log").read_text()  # noqa: S108
    assert "is ready" in answer.output
