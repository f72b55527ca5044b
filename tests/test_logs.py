"""Log lines: one an event, with the operation's id."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import logs
from logs import OURS


def said_by(path: Path, level: int, message: str) -> None:
    """Log a line as code in a file would."""
    record = logging.LogRecord("any", level, str(path), 1, message, (), None)
    if logging.getLogger("any").isEnabledFor(level):
        logging.getLogger("any").handle(record)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Undo what ``configure`` does to the loggers of the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    library = logging.getLogger("dbos")
    of_library = library.handlers, library.propagate
    # Closed by ``configure`` otherwise, and they are pytest's.
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)
    library.handlers, library.propagate = of_library
    logs.operation_id.set("-")


def test_a_line_has_time_level_operation_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    logs.operation_id.set("1b9d")
    said_by(OURS / "plugin.py", logging.INFO, "accepted a click")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} INFO \[1b9d\] accepted a click\n",
        capsys.readouterr().err,
    )


def test_a_line_outside_of_operations_has_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    said_by(OURS / "plugin.py", logging.INFO, "ready")
    assert "[-] ready" in capsys.readouterr().err


def test_line_breaks_in_a_message_begin_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    forged = "bad: one\r\n2099-01-01 INFO [-] forged"
    said_by(OURS / "plugin.py", logging.INFO, forged)
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


@pytest.mark.parametrize("path", sorted(OURS.glob("*.py")), ids=lambda path: path.stem)
def test_each_of_our_modules_is_heard_from_the_level_on(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure("INFO")
    said_by(path, logging.DEBUG, "a detail")
    said_by(path, logging.INFO, "an event")
    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == ["an event"]


def test_libraries_are_heard_only_when_they_warn(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("DEBUG")
    library = OURS / ".venv" / "lib" / "dbos" / "_dbos.py"
    said_by(library, logging.INFO, "chatter")
    said_by(library, logging.WARNING, "trouble")
    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == ["trouble"]


def test_configuring_twice_doubles_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    logs.configure("INFO")
    said_by(OURS / "plugin.py", logging.INFO, "once")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_development_server_is_heard(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO")
    logging.getLogger("werkzeug").info("Running on http://127.0.0.1:5000")
    assert "Running on" in capsys.readouterr().err
