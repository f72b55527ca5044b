"""A terminal of a given size: a real pseudo-terminal, and what a person would see on it."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

UNIT = re.compile(r"\x1b\[(\d*)([A-Z])|([\r\n])|([^\x1b])", re.DOTALL)


@contextmanager
def a_terminal(columns: int, rows: int) -> Iterator[tuple[TextIO, int]]:
    """A pseudo-terminal, as a file to write to and a descriptor to read from."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    with os.fdopen(writer, "w", encoding="utf-8") as output:
        yield output, reader
    os.close(reader)


def seen_on(reader: int, columns: int, rows: int) -> list[str]:
    """The lines that a terminal shows, those that have scrolled away included, without blank ends.

    Args:
        reader: where to read what was written.
    """
    written = b""
    while select.select([reader], [], [], 0)[0]:
        written += os.read(reader, 65_536)
    lines, row, column = [""], 0, 0
    for number, letter, end, shown in UNIT.findall(written.decode()):
        if letter == "F":
            # Not to where lines have scrolled away.
            row, column = max(row - int(number or 1), len(lines) - rows, 0), 0
        elif letter == "J":
            lines[row:] = [lines[row][:column]]
        elif end == "\r":
            column = 0
        elif end or column == columns:
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        if shown:
            before, after = lines[row][:column].ljust(column), lines[row][column + 1 :]
            lines[row], column = before + shown + after, column + 1
    return [each.rstrip() for each in lines if each.strip()]
