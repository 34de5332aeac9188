"""Requests under way at the same time, whose results are taken in order.

Their threads are daemons: a request that nobody waits for any more does not hold up the end of the process.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_movielens.client.pagination.congestion import CongestionWindow

_T = TypeVar("_T")
_INTERRUPTIBLE_EVERY = 0.25
"""Seconds."""


class _Work(Generic[_T]):
    def __init__(self, call: Callable[[], _T], future: Future[_T]) -> None:
        self._call = call
        self._future = future

    def run(self) -> None:
        if not self._future.set_running_or_notify_cancel():
            return
        try:
            self._future.set_result(self._call())
        except BaseException as error:  # noqa: BLE001 - whoever takes the result gets it
            self._future.set_exception(error)


def in_order(calls: Iterable[Callable[[], _T]], window: CongestionWindow) -> Iterator[_T]:
    """Run calls in threads, as many at once as the window allows; give their results in their order.

    At most as many results wait to be taken as calls may be under way, so memory stays flat.

    Raises:
        Exception: What a call raised, in its turn; those behind it are dropped.
    """
    pending: deque[Future[_T]] = deque()
    work: SimpleQueue[_Work[_T] | None] = SimpleQueue()
    threads: list[Thread] = []
    waiting = iter(calls)
    try:
        while True:
            while len(pending) < window.size and (call := next(waiting, None)) is not None:
                pending.append(Future())
                work.put(_Work(call, pending[-1]))
                if len(threads) < len(pending):
                    threads.append(_start(_work_on, work))
            if not pending:
                return
            yield result_of(pending.popleft())
    finally:
        for future in pending:
            future.cancel()
        for _ in threads:
            work.put(None)


def begin(call: Callable[[], _T]) -> Future[_T]:
    """Run one call in a thread of its own."""
    future: Future[_T] = Future()
    _start(_Work(call, future).run)
    return future


def result_of(future: Future[_T]) -> _T:
    """Wait for a result, so that Ctrl-C gets through: once Polars is loaded, it does not end a wait without a timeout.

    Raises:
        Exception: What the call raised.
    """
    while not future.done():
        with suppress(TimeoutError):
            return future.result(_INTERRUPTIBLE_EVERY)
    return future.result()


def _start(target: Callable[..., None], *arguments: Any) -> Thread:
    thread = Thread(target=target, args=arguments, name="movielens", daemon=True)
    thread.start()
    return thread


def _work_on(queue: SimpleQueue[_Work[Any] | None]) -> None:
    while (work := queue.get()) is not None:
        work.run()
        # Its result is not kept while the thread waits for more.
        del work
