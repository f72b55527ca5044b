"""What becomes of a command whose reader goes away, or whose locale lacks letters."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from b2_iconik.common import output


@contextmanager
def latin(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.BytesIO]:
    """Standard output in a locale of western Europe; yields what is written."""
    written = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="latin-1"))
        yield written


def say(text: str, status: int = 0) -> int:
    sys.stdout.write(text)
    return status


def test_the_status_is_that_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with latin(monkeypatch) as written:
        assert output.run(lambda: say("Tür", 1)) == 1
        assert written.getvalue() == "Tür".encode("latin-1")


def test_letters_that_the_locale_lacks_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with latin(monkeypatch) as written:
        assert output.run(lambda: say("夏█")) == 0
        assert written.getvalue() == b"??"


def test_json_is_utf_8_in_any_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    with latin(monkeypatch) as written:
        assert output.run(lambda: say("Tür 夏"), as_json=True) == 0
        assert written.getvalue() == "Tür 夏".encode()


def test_an_interrupt_is_quiet() -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    assert output.run(interrupt) == 130


@pytest.mark.parametrize("lines", [1, 10_000])
def test_a_reader_that_has_gone_ends_it_quietly(
    monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as written:
        monkeypatch.setattr("sys.stdout", written)
        assert output.run(lambda: say("line\n" * lines)) == 141
