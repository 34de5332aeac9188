"""Polls from the triggerer, whose event loop runs all triggers and must never be blocked.

All triggers of a process that wait for the same window share one poll: a thousand sensors share one request.
"""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from airflow_movielens.client import RetryableError
from airflow_movielens.connection.client_factory import aclient_from_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_movielens.client import MovielensClient

_THREADS = 8
"""How many requests for one connection may be in flight at once."""
_MIN_INTERVAL = 0.1
MAX_RETRY_AFTER = 3600.0

_T = TypeVar("_T")


async def call_api(conn_id: str, function: Callable[[MovielensClient], _T]) -> _T:
    """Call a function with the client of a connection, once: a poll needs no retries.

    Cancelling cuts the request in flight at once. The connection is read again for each call, so that a corrected
    connection is used.

    Args:
        conn_id: The Airflow connection of the API.
        function: Called in a thread, with a client that is closed afterwards.

    Raises:
        MovielensError: The function raised it.
        AirflowNotFoundException: The connection does not exist.
    """
    client = await aclient_from_connection(conn_id)
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(conn_id), function, client)
    finally:
        client.close()


@cache
def _threads(conn_id: str) -> ThreadPoolExecutor:
    """Return the threads of a connection: a hanging API blocks neither the triggerer nor another API."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix=f"movielens-{conn_id}")


def pause(interval: float, failures: int = 0, error: Exception | None = None) -> float:
    """Return the seconds to wait before the next poll, with jitter.

    Args:
        interval: Seconds between two successful polls.
        failures: How many polls in a row have failed.
        error: The last failure.
    """
    from airflow_movielens.client.http.retries import back_off

    waits = [interval, _MIN_INTERVAL]
    if failures:
        waits.append(back_off(failures))
    if isinstance(error, RetryableError) and error.retry_after is not None:
        waits.append(min(error.retry_after, MAX_RETRY_AFTER))
    return max(waits) * random.uniform(1, 1.1)  # noqa: S311 -- no secret


@dataclass(frozen=True)
class WindowPoll:
    """A poll of the number of ratings in a window.

    Attributes:
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD``.
        end_date: First UTC day after the window.
        interval: Seconds between two requests.
    """

    conn_id: str
    start_date: str
    end_date: str
    interval: float


class PollResult(NamedTuple):
    """The result of one request.

    Attributes:
        ratings: How many ratings the window has; 0 after an error.
        error: Why the request failed; None if it did not.
        failures: How many requests in a row have failed, including this one.
    """

    ratings: int
    error: Exception | None = None
    failures: int = 0


class SharedPoll:
    """A running poll. It must be created in an event loop; see `shared_poll`."""

    def __init__(self, window: WindowPoll) -> None:
        self.members = 0
        self._next: asyncio.Future[PollResult] = asyncio.get_running_loop().create_future()
        # In a new context: that of its first member would send all log lines to that member's task.
        self._task = asyncio.get_running_loop().create_task(self._run(window), context=Context())

    async def next(self) -> PollResult:
        """Wait for the next result; the request may already be in flight."""
        return await asyncio.shield(self._next)

    def stop(self) -> None:
        """Stop at once, and cut the request in flight."""
        self._task.cancel()

    async def _run(self, window: WindowPoll) -> None:
        failures = 0
        while True:
            result = await _poll_once(window)
            failures = failures + 1 if result.error else 0
            result = result._replace(failures=failures)
            finished, self._next = self._next, asyncio.get_running_loop().create_future()
            finished.set_result(result)
            await asyncio.sleep(pause(window.interval, failures, result.error))


async def _poll_once(window: WindowPoll) -> PollResult:
    from airflow_movielens.client import MovielensClient

    count = partial(MovielensClient.count_ratings, start_date=window.start_date, end_date=window.end_date)
    try:
        return PollResult(await call_api(window.conn_id, count))
    except Exception as error:  # noqa: BLE001 -- all members must receive it, whatever it is
        return PollResult(0, error)


_polls: dict[tuple[asyncio.AbstractEventLoop, WindowPoll], SharedPoll] = {}


@contextmanager
def shared_poll(window: WindowPoll) -> Iterator[SharedPoll]:
    """Join the poll, which starts with its first member and stops with its last."""
    key = (asyncio.get_running_loop(), window)
    poll = _polls.get(key) or _polls.setdefault(key, SharedPoll(window))
    poll.members += 1
    try:
        yield poll
    finally:
        poll.members -= 1
        if not poll.members:
            poll.stop()
            del _polls[key]
