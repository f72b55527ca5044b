"""What others wrote, in names and titles: it is shown escaped, wherever the service shows it."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from urllib.parse import quote

import pytest
import requests

from dev.harness import ROOT, SECRET
from tests.system.desk import CLIP, PATIENCE, Desk

# A lone surrogate, commands to a terminal, ends of lines, and a mark that reverses the direction.
ODD = "beach\udcff\x1b[2J\x85\u2028\x9b\u202e"
SHOWN = r"beach\udcff\x1b[2J\x85\u2028\x9b\u202e"
NAME = f"{ODD};=cmd|' !A0.mov"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} [A-Z]+ \[.+?\] .+")


@pytest.fixture
def kept(desk: Desk) -> str:
    """The id of an operation that kept a file of an odd name, of an asset of an odd title."""
    files = {side: [{"name": NAME, "content": side}] for side in ("b2", "lucidlink")}
    body = {"title": ODD, "formats": {"ORIGINAL": files}}
    odd = desk.simulator.control("POST", "assets", body)["id"]
    operation_id = desk.click("remove", odd, desk.asset(b2=CLIP, lucidlink=CLIP))
    report = desk.report(operation_id)
    assert (report["counts"]["kept"], report["counts"]["removed"]) == (1, 1)
    assert desk.on_lucidlink(odd) == [NAME]
    return operation_id


def page(desk: Desk, path: str) -> requests.Response:
    """Ask for a page of the operations, whole."""
    return requests.get(f"{desk.service.url}{path}", auth=("ada", SECRET), timeout=PATIENCE)


def shell(desk: Desk, *arguments: str | bytes) -> str:
    """What script/operations prints."""
    done = subprocess.run(
        [sys.executable, "show_operations.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **desk.service.environment},
        capture_output=True,
        check=False,
        timeout=60,
    )
    return (done.stdout + done.stderr).decode()


def unprintable(text: str) -> set[str]:
    """What of a text a terminal may obey."""
    return {each for each in text if not each.isprintable()} - {"\n"}


def test_the_page_shows_an_odd_name_escaped(desk: Desk, kept: str) -> None:
    shown = page(desk, f"/operations/{kept}")
    assert shown.status_code == 200
    assert SHOWN in shown.text
    assert unprintable(shown.text) == set()


def test_the_list_of_operations_shows_an_odd_title_escaped(desk: Desk, kept: str) -> None:
    shown = page(desk, "/operations")
    assert shown.status_code == 200
    assert unprintable(shown.text) == set()
    assert f"({SHOWN}, clip)" in shown.text


def test_json_has_an_odd_name_escaped(desk: Desk, kept: str) -> None:
    told = page(desk, f"/operations/{kept}?format=json").json()
    (row,) = (each for each in told["report"] if each["kind"] == "kept")
    assert row["reason"].startswith(SHOWN)
    assert unprintable(json.dumps(told, ensure_ascii=False)) == set()


def test_the_csv_is_whole_and_no_cell_of_it_begins_a_formula(desk: Desk, kept: str) -> None:
    text = page(desk, f"/operations/{kept}.csv").content.decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert [row[3] for row in rows[1:]] == ["kept", "removed"]
    assert rows[1][4].startswith(f"{SHOWN};'=cmd|' !A0.mov differs")
    assert all(re.fullmatch(r'"([^"]|"")*"(,"([^"]|"")*")*', line) for line in text.splitlines())
    # Where a semicolon separates, a spreadsheet splits the line there.
    assert not [cell for cell in text.split(";") if re.match(r"[\s\"]*[=+@|%-]", cell)]


@pytest.mark.parametrize("command", ["list", "show", "show --all", "show --json", "watch"])
def test_the_shell_shows_odd_names_and_titles_escaped(desk: Desk, kept: str, command: str) -> None:
    name, *options = command.split()
    told = shell(desk, name, *([kept] if name != "list" else []), *options)
    assert "Traceback" not in told
    assert unprintable(told) == set()
    assert SHOWN in told.replace(r"\\", "\\")


def test_the_shell_shows_an_odd_argument_escaped(desk: Desk) -> None:
    told = shell(desk, "stop", b"\xff\x1b[2J")
    assert told.startswith("script/operations: ")
    assert "operation \\udcff\\x1b[2J " in told
    assert told.endswith("does not exist, or is no longer stored\n")


def test_an_odd_title_is_found_on_the_page_and_in_the_shell(desk: Desk, kept: str) -> None:
    assert kept[:8] in shell(desk, "list", "--text", os.fsencode(ODD[:9]))
    shown = page(desk, f"/operations?format=json&text={quote(ODD[6:])}").json()
    assert kept in [each["operation_id"] for each in shown["operations"]]
    assert shell(desk, "list", "--text", b"\xfe") == "No operations.\n"


def test_the_log_shows_odd_names_escaped_and_an_event_on_each_line(desk: Desk, kept: str) -> None:
    log = desk.service.process.log.read_bytes().decode()
    assert SHOWN in log
    assert unprintable(log) == set()
    assert [line for line in log.splitlines() if not LINE.fullmatch(line)] == []
