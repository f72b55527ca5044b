"""A pool of threads for requests to iconik, shared by all operations."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from types import TracebackType
from typing import Any, TypeVar

Result = TypeVar("Result")


class WorkerPool:
    """A pool of threads that serves its users in turn, so that a large one delays no small one.

    A task must not wait for another task of the pool: that could deadlock all threads.
    """

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, "request")
        self._lock = threading.Lock()
        # The users with queued tasks. The first one is served next.
        self._waiting = deque["Share"]()

    def share(self) -> "Share":
        """Return one user's share, a context manager that exits once all its tasks have ended."""
        return Share(self)

    def _add(self, share: "Share", task: Callable[[], None]) -> None:
        with self._lock:
            if not share.tasks:
                self._waiting.append(share)
            share.tasks.append(task)
        self._executor.submit(self._run_next)

    def _run_next(self) -> None:
        with self._lock:
            share = self._waiting.popleft()
            task = share.tasks.popleft()
            if share.tasks:
                self._waiting.append(share)
        task()


class Share:
    """A user's access to a ``WorkerPool``. Tasks run in the context of the submitting thread."""

    def __init__(self, pool: WorkerPool) -> None:
        self.tasks = deque[Callable[[], None]]()
        self._pool = pool
        self._unfinished = set[Future[Any]]()

    def __enter__(self) -> "Share":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        wait(self._unfinished.copy())

    def submit(self, function: Callable[..., Result], *arguments: Any) -> "Future[Result]":
        """Run a function in one of the threads."""
        future: Future[Result] = Future()
        context = copy_context()

        def task() -> None:
            try:
                future.set_result(context.run(function, *arguments))
            except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
                future.set_exception(error)

        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        self._pool._add(self, task)
        return future

    def map(self, function: Callable[[Any], Result], items: Iterable[Any]) -> Iterator[Result]:
        """Run a function for each item, and return an iterator over the results, in order."""
        futures = [self.submit(function, each) for each in items]
        return (each.result() for each in futures)
