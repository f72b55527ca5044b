"""Log lines: one an event, with the operation's id."""

import logging
import re
from collections.abc import Iterator

import pytest

import logs

NAMES = ("plugin", "engine", "operations", "transport", "dbos")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Undo what ``configure`` does to the loggers of the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in NAMES}
    library = logging.getLogger("dbos")
    of_library = library.handlers, library.propagate
    # Closed by ``configure`` otherwise, and they are pytest's.
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    library.handlers, library.propagate = of_library
    logs.operation_id.set("-")


def test_a_line_has_time_level_operation_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    logs.operation_id.set("1b9d")
    logging.getLogger("plugin").info("accepted %s", "a click")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} INFO \[1b9d\] accepted a click\n",
        capsys.readouterr().err,
    )


def test_a_line_outside_of_operations_has_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    logging.getLogger("plugin").info("ready")
    assert "[-] ready" in capsys.readouterr().err


def test_line_breaks_in_a_message_begin_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    logging.getLogger("plugin").info("bad: %s", "one\r\n2099-01-01 INFO [-] forged")
    assert (
        capsys.readouterr().err.splitlines()[0].endswith("bad: one\\r\\n2099-01-01 INFO [-] forged")
    )


def test_a_trace_follows_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    try:
        raise ValueError("inside")
    except ValueError:
        logging.getLogger("plugin").exception("it failed")
    assert "ValueError: inside" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["plugin", "engine", "operations", "transport"])
def test_our_modules_are_heard_from_the_level_on(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO")
    logging.getLogger(name).debug("a detail")
    logging.getLogger(name).info("an event")
    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == ["an event"]


@pytest.mark.parametrize("name", ["dbos", "urllib3", "werkzeug"])
def test_libraries_are_heard_only_when_they_warn(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("DEBUG")
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("trouble")
    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == ["trouble"]


def test_configuring_twice_doubles_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    logs.configure("INFO")
    logging.getLogger("plugin").info("once")
    assert len(capsys.readouterr().err.splitlines()) == 1
