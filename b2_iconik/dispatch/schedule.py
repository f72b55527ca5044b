"""Threads that run steps when they are due. A task that waits for its next step uses no thread."""

import heapq
import threading
import time

from b2_iconik.common.clock import Step


class Schedule:
    """Runs the steps of many tasks on a few threads; never two steps of one task at once.

    Args:
        threads: how many steps may run at once.
        name: the name of the threads.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._condition = threading.Condition()
        self._queue: list[tuple[float, str]] = []
        self._steps: dict[str, Step] = {}
        # When the next step of each waiting task is due.
        self._due: dict[str, float] = {}
        self._hastened: set[str] = set()
        self._is_over = False
        self._threads = [
            threading.Thread(target=self._work, name=name, daemon=True) for _ in range(threads)
        ]
        for each in self._threads:
            each.start()

    def add(self, task: str, step: Step) -> None:
        """Run the steps of a task, the first one at once."""
        with self._condition:
            self._steps[task] = step
            self._await(task, 0.0)

    def hasten(self, task: str) -> None:
        """Run the next step of a task at once, if the task has not ended."""
        with self._condition:
            if task in self._due:
                self._await(task, 0.0)
            elif task in self._steps:
                self._hastened.add(task)

    def is_behind(self) -> bool:
        """Whether a step is due that no thread has begun."""
        now = time.monotonic()
        with self._condition:
            return any(due <= now for due in self._due.values())

    def stop(self, seconds: float) -> None:
        """Begin no further steps, and wait for those that run, for at most some seconds."""
        with self._condition:
            self._is_over = True
            self._condition.notify_all()
        deadline = time.monotonic() + seconds
        for each in self._threads:
            each.join(max(0.0, deadline - time.monotonic()))

    def _await(self, task: str, seconds: float) -> None:
        self._due[task] = time.monotonic() + seconds
        heapq.heappush(self._queue, (self._due[task], task))
        self._condition.notify()

    def _next(self) -> str | None:
        """Wait for the next due task, and return it; None once the schedule is stopped."""
        while not self._is_over:
            wait = None
            if self._queue:
                due, task = self._queue[0]
                wait = due - time.monotonic()
                if wait <= 0:
                    heapq.heappop(self._queue)
                    # A newer entry replaces this one if the task was hastened.
                    if self._due.get(task) == due:
                        del self._due[task]
                        return task
                    continue
            self._condition.wait(wait)
        return None

    def _work(self) -> None:
        while True:
            with self._condition:
                task = self._next()
            if task is None:
                return
            seconds = self._steps[task]()
            with self._condition:
                if seconds is None:
                    del self._steps[task]
                else:
                    self._await(task, 0.0 if task in self._hastened else seconds)
                self._hastened.discard(task)
