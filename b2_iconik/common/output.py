"""The standard output of the commands: its encoding, and readers that go away."""

import os
import sys
from collections.abc import Callable
from typing import Any

INTERRUPTED = 130
# The shell's exit status for a program that ends because its pipe was closed.
UNHEARD = 141


def run(work: Callable[[], int], *, as_json: bool = False) -> int:
    """Run a command. An interrupt or a closed pipe ends it quietly.

    Args:
        work: the command; returns its exit status.
        as_json: whether it prints JSON, which is UTF-8 in any locale. In other text, characters
            that the locale lacks are replaced.

    Returns:
        The command's exit status, 130 when interrupted, or 141 if the reader closed the pipe.
    """
    output: Any = sys.stdout
    if as_json:
        output.reconfigure(encoding="utf-8")
    else:
        output.reconfigure(errors="replace")
    try:
        status = work()
        output.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Without this, Python would report lost output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        return UNHEARD
