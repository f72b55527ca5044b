"""Waiting for something for a limited time, even if it hangs."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from typing import TypeVar

Result = TypeVar("Result")


class Deadline:
    """A time limit for some work.

    Args:
        seconds: the time until the deadline.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_over = threading.Event()

    def check(self) -> None:
        """Stop the work here if nobody waits for it any more.

        Raises:
            TimeoutError: the deadline has passed.
        """
        if self._is_over.is_set():
            raise TimeoutError("nothing waits for this any longer")

    def wait_for(self, work: Callable[[], Result]) -> Result:
        """Run some work in its own thread. Returns its result, or raises its exception.

        Raises:
            TimeoutError: the deadline has passed. The work goes on, but nobody waits for it.
        """
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
                future.set_exception(error)

        # A daemon thread, so that this process can end while the work hangs.
        threading.Thread(target=run, name="deadline", daemon=True).start()
        try:
            return future.result(self._seconds)
        except NotInTime:
            if future.done():
                raise
            self._is_over.set()
            raise TimeoutError(f"timeout after {self._seconds:g} s") from None
