"""How many requests may be under way, found out by how the server takes them."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_movielens.client.rows import Batch, Bookmark

_FIRST_SIZE = 4


class CongestionWindow:
    """Grows while the server answers well, halves when it is in trouble.

    As TCP does it (RFC 5681): one more for each good answer until the first trouble (slow start), then one more for
    each round of good answers (additive increase); half at each trouble, but once for all the requests that were under
    way together (multiplicative decrease).

    Args:
        limit: The most that it grows to, at least 1.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._exact_size = float(min(_FIRST_SIZE, limit))
        self._slow_start = True
        self._good_since_overload = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """How many requests may be under way now, at least 1."""
        return int(self._exact_size)

    def on_success(self) -> None:
        """Take note of a good answer."""
        with self._lock:
            self._good_since_overload += 1
            growth = 1.0 if self._slow_start else 1.0 / self._exact_size
            self._exact_size = min(self._exact_size + growth, self._limit)

    def on_overload(self) -> None:
        """Take note of an overloaded server: 429, 5xx, or no answer in time."""
        with self._lock:
            # Requests that were sent together fail together: one trouble, not many.
            if self._slow_start or self._good_since_overload >= self.size:
                self._exact_size = max(self._exact_size / 2, 1.0)
                self._good_since_overload = 0
            self._slow_start = False


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


def read_ahead(
    at: Bookmark, fetch: Callable[[Bookmark], _T], check: Callable[[_T, Bookmark], Batch]
) -> Iterator[Batch]:
    """Fetch piece after piece, each behind the one before, until a batch says that it is the last.

    Args:
        at: Where to begin.
        fetch: Gets what lies behind a bookmark; runs in a thread.
        check: Makes it a batch, if it belongs behind that bookmark.
    """
    coming = begin(partial(fetch, at))
    try:
        while True:
            batch = check(result_of(coming), at)
            at = batch.bookmark
            if not batch.is_last:
                coming = begin(partial(fetch, at))
            yield batch
            if batch.is_last:
                return
    finally:
        coming.cancel()


class Background:
    """Runs one call at a time in a thread of its own, which does not keep the process from ending."""

    def __init__(self) -> None:
        self._in_flight: Future[None] | None = None

    def start(self, call: Callable[[], None]) -> None:
        """Begin ``call``, once the one before is done; an error of that one is raised here."""
        self.wait()
        self._in_flight = begin(call)

    def wait(self) -> None:
        """Wait for the call under way, if there is one, and raise its error; Ctrl-C ends the wait."""
        in_flight, self._in_flight = self._in_flight, None
        if in_flight is not None:
            result_of(in_flight)
