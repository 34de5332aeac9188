"""Requests in flight: how many the server can handle, and their results in order."""

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

_T = TypeVar("_T")
_INTERRUPTIBLE_EVERY = 0.25  # seconds


class CongestionWindow:
    """The number of requests that may be in flight: it grows with successes and is halved by overloads.

    As in TCP (RFC 5681), it grows by one for each success until the first overload (slow start), then by one for each
    round of successes (additive increase). Each overload halves it, but only once for all requests that were in flight
    together (multiplicative decrease).

    Args:
        limit: The largest size, at least 1.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._exact_size = float(min(_FIRST_SIZE, limit))
        self._slow_start = True
        self._good_since_overload = 0
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """How many requests may be in flight now, at least 1."""
        return int(self._exact_size)

    def on_success(self) -> None:
        """Record a success."""
        with self._lock:
            self._good_since_overload += 1
            growth = 1.0 if self._slow_start else 1.0 / self._exact_size
            self._exact_size = min(self._exact_size + growth, self._limit)

    def on_overload(self) -> None:
        """Record an overload of the server: 429, 5xx, or a timeout."""
        with self._lock:
            # Requests that were sent together fail together: this is one overload.
            if self._slow_start or self._good_since_overload >= self.size:
                self._exact_size = max(self._exact_size / 2, 1.0)
                self._good_since_overload = 0
            self._slow_start = False


class _Work(Generic[_T]):
    def __init__(self, call: Callable[[], _T], future: Future[_T]) -> None:
        self._call = call
        self._future = future

    def run(self) -> None:
        if not self._future.set_running_or_notify_cancel():
            return
        try:
            self._future.set_result(self._call())
        except BaseException as error:  # noqa: BLE001 - the caller who takes the result receives it
            self._future.set_exception(error)


class _Crew(Generic[_T]):
    """Threads that run calls in the order in which they were added, as many at once as a window allows."""

    def __init__(self, window: CongestionWindow) -> None:
        self._window = window
        self._work: SimpleQueue[_Work[_T] | None] = SimpleQueue()
        self._threads = 0
        self._lock = threading.Lock()

    def add(self, call: Callable[[], _T]) -> Future[_T]:
        future: Future[_T] = Future()
        self._work.put(_Work(call, future))
        with self._lock:
            is_more_allowed = self._threads < self._window.size
            self._threads += is_more_allowed
        if is_more_allowed:
            _start(self._run)
        return future

    def dismiss(self) -> None:
        """Let each thread end after its call."""
        with self._lock:
            for _ in range(self._threads):
                self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work.run()
            # The result is not kept while the thread waits.
            del work
            with self._lock:
                # The window has become smaller.
                if self._threads > self._window.size:
                    self._threads -= 1
                    return


def in_order(calls: Iterable[Callable[[], _T]], window: CongestionWindow) -> Iterator[_T]:
    """Run calls in threads, as many at once as the window allows, and yield their results in order.

    Memory use stays flat: at most half as many again wait, as results or for a thread, which then need not wait for the
    caller.

    Raises:
        Exception: A call raised it; the calls after it are dropped.
    """
    pending: deque[Future[_T]] = deque()
    crew: _Crew[_T] = _Crew(window)
    waiting = iter(calls)
    try:
        while True:
            while len(pending) < window.size + window.size // 2 and (call := next(waiting, None)) is not None:
                pending.append(crew.add(call))
            if not pending:
                return
            yield result_of(pending.popleft())
    finally:
        for future in pending:
            future.cancel()
        crew.dismiss()


def begin(call: Callable[[], _T]) -> Future[_T]:
    """Run a call in a new thread."""
    future: Future[_T] = Future()
    _start(_Work(call, future).run)
    return future


def result_of(future: Future[_T]) -> _T:
    """Wait for a result in a way that Ctrl-C can end: once Polars is loaded, it does not end a wait without a timeout.

    Raises:
        Exception: The call raised it.
    """
    while not future.done():
        with suppress(TimeoutError):
            return future.result(_INTERRUPTIBLE_EVERY)
    return future.result()


def _start(target: Callable[..., None], *arguments: Any) -> Thread:
    thread = Thread(target=target, args=arguments, name="movielens", daemon=True)
    thread.start()
    return thread


def read_ahead(
    at: Bookmark, fetch: Callable[[Bookmark], _T], check: Callable[[_T, Bookmark], Batch]
) -> Iterator[Batch]:
    """Fetch one piece after another, up to the last batch; the next piece is fetched while the caller uses a batch.

    Args:
        at: Where to begin.
        fetch: Fetches the piece after a bookmark; runs in a thread.
        check: Checks that a piece belongs after that bookmark, and returns it as a batch.
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
    """A separate thread for one call at a time, which does not keep the process alive."""

    def __init__(self) -> None:
        self._in_flight: Future[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a call is in flight."""
        return self._in_flight is not None and not self._in_flight.done()

    def start(self, call: Callable[[], None]) -> None:
        """Start ``call`` after the call before has ended; this raises the error of that call."""
        self.wait()
        self._in_flight = begin(call)

    def wait(self) -> None:
        """Wait for the call in flight, if any, and raise its error; Ctrl-C ends the wait."""
        in_flight, self._in_flight = self._in_flight, None
        if in_flight is not None:
            result_of(in_flight)
