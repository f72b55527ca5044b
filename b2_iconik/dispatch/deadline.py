"""Waiting for something no longer than one wants to, whatever it hangs at."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from typing import TypeVar

Result = TypeVar("Result")


class Deadline:
    """A moment after which nobody waits any more.

    Args:
        seconds: how far it is away.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_over = threading.Event()

    def check(self) -> None:
        """Whoever works in vain may stop here.

        Raises:
            TimeoutError: it is over, and nobody waits.
        """
        if self._is_over.is_set():
            raise TimeoutError("nobody waits for this any more")

    def wait_for(self, work: Callable[[], Result]) -> Result:
        """Do something in a thread of its own; returns what it returns, and raises what it raises.

        Raises:
            TimeoutError: it goes on, but nobody waits any more.
        """
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - whoever waits gets it
                future.set_exception(error)

        # A daemon, so that this process can end while it hangs.
        threading.Thread(target=run, name="deadline", daemon=True).start()
        try:
            return future.result(self._seconds)
        except NotInTime:
            if future.done():
                raise
            self._is_over.set()
            raise TimeoutError(f"it takes longer than {self._seconds:g} seconds") from None
