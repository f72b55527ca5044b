"""Follow operations from the shell until they have ended or the user interrupts."""

import shutil
from collections.abc import Mapping
from time import sleep
from typing import Any, TextIO

from b2_iconik.cli.lists import bars, listed
from b2_iconik.cli.text import as_json
from b2_iconik.domain.operation import Operation
from b2_iconik.report.contents import Contents
from b2_iconik.report.history import Filters

INTERVAL = 1.0
MOST_WATCHED = 20
# Moves the cursor up a number of lines, and clears everything below.
BACK = "\x1b[{}F\x1b[J"


class Watch:
    """Shows the progress of operations: bars on a terminal, otherwise a line for each change.

    Args:
        operation_id: the operation to follow; all running ones if not given.
        as_json: whether to write a JSON object per line, for each change.
    """

    def __init__(
        self,
        contents: Contents,
        output: TextIO,
        operation_id: str | None = None,
        *,
        as_json: bool = False,
    ) -> None:
        self._contents = contents
        self._output = output
        self._id = operation_id
        self._as_json = as_json
        self._draws = output.isatty() and not as_json
        self._drawn = 0
        self._seen: dict[str, Mapping[str, Any]] = {}

    def run(self) -> None:
        """Follow until the operation, or all running operations, have ended."""
        while True:
            told = self._look()
            if self._draws:
                self._draw(told)
            else:
                self._tell(told)
            if all(each["ended"] for each in told):
                return
            sleep(INTERVAL)

    def _look(self) -> list[dict[str, Any]]:
        """Return the followed operations, oldest first, including those that began later."""
        operations = {each.id: each for each in self._found()}
        oldest_first = sorted(operations.values(), key=lambda each: each.number)
        return self._contents.summaries(oldest_first)

    def _found(self) -> list[Operation]:
        if self._id is not None:
            known = [self._id]
            running = []
        else:
            known = list(self._seen)
            running = self._contents.history.operations(Filters("running"), MOST_WATCHED)
        again = (self._contents.operation(each) for each in known)
        return [*running, *(each for each in again if each)]

    def _draw(self, told: list[dict[str, Any]]) -> None:
        back = BACK.format(self._drawn) if self._drawn else ""
        columns, rows = shutil.get_terminal_size()
        # Lines that wrap or scroll away could not be overwritten by the next update.
        lines = bars(told[-max(1, rows - 1) :], columns - 1) or ["No operation is running."]
        self._output.write(back + "\n".join(lines) + "\n")
        self._output.flush()
        self._drawn = len(lines)
        self._seen.update({each["operation_id"]: each for each in told})

    def _tell(self, told: list[dict[str, Any]]) -> None:
        for each in told:
            # A change of the duration alone doesn't count.
            now = {name: value for name, value in each.items() if name != "took_seconds"}
            if self._seen.get(each["operation_id"]) != now:
                self._seen[each["operation_id"]] = now
                print(as_json(each, None) if self._as_json else listed([each]), file=self._output)
        self._output.flush()
