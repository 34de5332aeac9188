"""One poll for all triggers of a process that wait for the same window: a thousand sensors send one request."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from airflow_movielens.triggers.api_calls import ask, pause

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class WindowPoll:
    """What is asked again and again: how many ratings a window has.

    Attributes:
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD``.
        end_date: First UTC day beyond.
        interval: Seconds between two requests.
    """

    conn_id: str
    start_date: str
    end_date: str
    interval: float


class Look(NamedTuple):
    """What one request gave: how many ratings, or why that is not known.

    Attributes:
        ratings: How many.
        error: Why that is not known.
        failures: How many requests in a row have failed, with this one.
    """

    ratings: int
    error: Exception | None = None
    failures: int = 0


class SharedPoll:
    """A running poll. Must be made in an event loop; see `joined`."""

    def __init__(self, what: WindowPoll) -> None:
        self.members = 0
        self._next: asyncio.Future[Look] = asyncio.get_running_loop().create_future()
        # In a context of its own: its first member's would give that one's task all log lines.
        self._task = asyncio.get_running_loop().create_task(self._run(what), context=Context())

    async def next(self) -> Look:
        """Wait for what the next request gives; one that began before counts too."""
        return await asyncio.shield(self._next)

    def stop(self) -> None:
        """Let go of the API at once."""
        self._task.cancel()

    async def _run(self, what: WindowPoll) -> None:
        failures = 0
        while True:
            look = await _look(what)
            failures = failures + 1 if look.error else 0
            look = look._replace(failures=failures)
            answered, self._next = self._next, asyncio.get_running_loop().create_future()
            answered.set_result(look)
            await asyncio.sleep(pause(what.interval, failures, look.error))


async def _look(what: WindowPoll) -> Look:
    from airflow_movielens.client import MovielensClient

    count = partial(MovielensClient.count_ratings, start_date=what.start_date, end_date=what.end_date)
    try:
        return Look(await ask(what.conn_id, count))
    except Exception as error:  # noqa: BLE001 -- whoever waits must hear of it, whatever it is
        return Look(0, error)


_polls: dict[tuple[asyncio.AbstractEventLoop, WindowPoll], SharedPoll] = {}


@contextmanager
def joined(what: WindowPoll) -> Iterator[SharedPoll]:
    """Join the poll, which starts with its first member and stops with its last."""
    key = (asyncio.get_running_loop(), what)
    poll = _polls.get(key) or _polls.setdefault(key, SharedPoll(what))
    poll.members += 1
    try:
        yield poll
    finally:
        poll.members -= 1
        if not poll.members:
            poll.stop()
            del _polls[key]
