"""Requests under way at the same time, whose results are taken in order."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_movielens.client.pagination.congestion import CongestionWindow

_T = TypeVar("_T")


class InFlight:
    """A sliding window of calls in threads: as many at once as the congestion window allows, results in order.

    The threads are daemons: a request that nobody waits for any more does not hold up the end of the process.

    Args:
        window: How many calls may be under way.
    """

    def __init__(self, window: CongestionWindow) -> None:
        self._window = window
        self._calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = SimpleQueue()
        self._threads = 0

    def begin(self, call: Callable[[], _T]) -> Future[_T]:
        """Run a call in a thread, as soon as one is free."""
        if self._threads < self._window.size:
            threading.Thread(target=_work, args=(self._calls,), name="movielens-request", daemon=True).start()
            self._threads += 1
        future: Future[_T] = Future()
        self._calls.put((call, future))
        return future

    def in_order(self, calls: Iterable[Callable[[], _T]]) -> Iterator[_T]:
        """Run ``calls`` at the same time; give their results in their order.

        At most as many results wait to be taken as calls may be under way, so memory stays flat.

        Raises:
            Exception: What a call raised, in its turn; those behind it are dropped.
        """
        pending: deque[Future[_T]] = deque()
        waiting = iter(calls)
        try:
            while True:
                while len(pending) < self._window.size and (call := next(waiting, None)) is not None:
                    pending.append(self.begin(call))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """Let the threads end once they have nothing to do."""
        for _ in range(self._threads):
            self._calls.put(None)
        self._threads = 0


def _work(calls: SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None]) -> None:
    while (work := calls.get()) is not None:
        call, future = work
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - whoever takes the result gets it
            future.set_exception(error)
        # Nothing of the last call is kept while the thread waits for the next.
        del call, future, work
