"""The trigger of a deferred sensor."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_movielens.client import DataError, FatalError, RetryableError, Window
from airflow_movielens.connection.coerce import connection_id, number, whole_number
from airflow_movielens.task_errors import final_words
from airflow_movielens.triggers.polling import PollResult, WindowPoll, shared_poll

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_TOLERATED_DATA_ERRORS = 3
"""How many unreadable responses in a row to tolerate, as many as the retries of a worker."""
LAST_POLL_SECONDS = 15.0
"""How long the poll at the deadline may take."""


class MovielensRatingsTrigger(BaseTrigger):
    """Wait in the triggerer until a window has enough ratings, and fire once.

    The event's payload is one of ``{"status": "found", "count": 1055}``, ``{"status": "timeout"}`` and
    ``{"status": "failed", "message": "…", "retry": false}``. An outage of the API is tolerated.

    Args:
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD``.
        end_date: First UTC day after the window.
        min_ratings: How many ratings to wait for.
        poll_interval: Seconds between two requests, longer while the API fails. Triggers of one window and
            interval share their requests.
        deadline: When to poll for the last time, in Unix seconds; None for no limit.
        silent_fail: Whether to tolerate every other error too, instead of failing.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        start_date: str,
        end_date: str,
        min_ratings: int = 1,
        poll_interval: float = 60.0,
        deadline: float | None = None,
        silent_fail: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.poll = WindowPoll(conn_id, start_date, end_date, poll_interval)
        self.min_ratings = min_ratings
        self.deadline = deadline
        self.silent_fail = silent_fail
        self.last_poll_seconds = LAST_POLL_SECONDS

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what Airflow stores in its database to recreate this trigger in any triggerer."""
        return "airflow_movielens.triggers.MovielensRatingsTrigger", {
            "conn_id": self.poll.conn_id,
            "start_date": self.poll.start_date,
            "end_date": self.poll.end_date,
            "min_ratings": self.min_ratings,
            "poll_interval": self.poll.interval,
            "deadline": self.deadline,
            "silent_fail": self.silent_fail,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and fire once."""
        try:
            self._check()
        except FatalError as error:
            # Not in the constructor: an error there would end the triggerer.
            yield TriggerEvent({"status": "failed", "message": str(error), "retry": False})  # type: ignore[no-untyped-call]
            return
        seconds = math.inf if self.deadline is None else self.deadline - time.time()
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                payload = await self._wait()
        except TimeoutError:
            payload = await self._poll_at_deadline()
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]

    def _check(self) -> None:
        connection_id(self.poll.conn_id)
        Window.of(self.poll.start_date, self.poll.end_date)
        # 0 means as often as possible, as Airflow allows it for poke_interval.
        if self.poll.interval != 0:
            self.poll = replace(self.poll, interval=number("poll_interval", self.poll.interval))
        self.min_ratings = whole_number("min_ratings", self.min_ratings)
        if self.deadline is not None:
            self.deadline = number("deadline", self.deadline)

    async def _wait(self) -> dict[str, Any]:
        with shared_poll(self.poll) as poll:
            while True:
                payload = self._judge(await poll.next())
                if payload is not None:
                    return payload

    async def _poll_at_deadline(self) -> dict[str, Any]:
        """Poll once more, as a sensor in a worker does; triggers with the same deadline share the request."""
        with suppress(TimeoutError), shared_poll(replace(self.poll, interval=0.0)) as poll:
            async with asyncio.timeout(self.last_poll_seconds):
                payload = self._judge(await poll.next())
            if payload is not None:
                return payload
        return {"status": "timeout"}

    def _judge(self, result: PollResult) -> dict[str, Any] | None:
        error = result.error
        if error is None:
            window = f"[{self.poll.start_date}, {self.poll.end_date})"
            self.log.info("Found %d ratings in %s, waiting for %d", result.ratings, window, self.min_ratings)
            return {"status": "found", "count": result.ratings} if result.ratings >= self.min_ratings else None
        is_tolerated = isinstance(error, DataError) and result.failures <= _TOLERATED_DATA_ERRORS
        if is_tolerated or isinstance(error, RetryableError):
            self.log.warning("The API is not available, polling again later: %s", error)
            return None
        if self.silent_fail:
            self.log.error("Polling again despite an error (silent_fail): %s", error)
            return None
        words = final_words(error)
        message = f"{type(error).__name__}: {error}" if words is None else words
        return {"status": "failed", "message": message, "retry": words is None}
