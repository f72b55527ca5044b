"""Requests of several operations for objects by their ids, made together.

While one of them waits for iconik, or for its turn, others often want the same for other ids: an
automation may click on hundreds of assets one by one.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Found = TypeVar("Found")
Item = TypeVar("Item")

# How many ids iconik takes at once.
MOST = 100


def groups(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Split items into groups of at most ``MOST``, in order."""
    return [items[start : start + MOST] for start in range(0, len(items), MOST)]


class Together(Generic[Found]):
    """Joins requests that wait at the same time. All must have the same token and term."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: list[tuple[Sequence[str], Future[Mapping[str, Found]]]] = []

    def ask(
        self, ids: Sequence[str], request: Callable[[Sequence[str]], Mapping[str, Found]]
    ) -> Mapping[str, Found]:
        """Request some objects, possibly in a request of another thread.

        Args:
            ids: at most ``MOST``.
            request: makes the request.

        Returns:
            What was found, by id. It may include objects that others asked for.

        Raises:
            Exception: what ``request`` raises.
        """
        if len(ids) >= MOST:
            return request(ids)
        answer: Future[Mapping[str, Found]] = Future()
        with self._lock:
            self._waiting.append((ids, answer))
        with self._turn:
            while not answer.done():
                self._ask_once(request)
        return answer.result()

    def _ask_once(self, request: Callable[[Sequence[str]], Mapping[str, Found]]) -> None:
        """Make one request for those who have waited longest."""
        with self._lock:
            count = total = 0
            for ids, _ in self._waiting:
                total += len(ids)
                if total > MOST:
                    break
                count += 1
            chosen, self._waiting = self._waiting[:count], self._waiting[count:]
        try:
            found = request([each for ids, _ in chosen for each in ids])
        except BaseException as error:  # noqa: BLE001 - each waiting thread raises it
            for _, answer in chosen:
                answer.set_exception(error)
        else:
            for _, answer in chosen:
                answer.set_result(found)
