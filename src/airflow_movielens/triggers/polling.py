"""One poll for all triggers of a process that wait for the same window: a thousand sensors share one request."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from airflow_movielens.triggers.api_calls import call_api, pause

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        # In a context of its own: that of its first member would send all log lines to that member's task.
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
