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
from airflow_movielens.triggers.polling import Look, WindowPoll, joined

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DOUBTS = 3
"""How many failures in a row to wait out before an unreadable answer is believed, as the retries of a worker do."""
LAST_LOOK = 15.0
"""How many seconds the look may take that is begun at the deadline."""


class MovielensRatingsTrigger(BaseTrigger):
    """Waits in the triggerer until a window has enough ratings, and fires once.

    The event's payload is one of ``{"status": "found", "count": 1055}``, ``{"status": "timeout"}`` and
    ``{"status": "failed", "message": "…", "retry": false}``. An outage of the API is waited out.

    Args:
        conn_id: The Airflow connection of the API.
        start_date: First UTC day, ``YYYY-MM-DD``.
        end_date: First UTC day beyond.
        min_ratings: How many ratings to wait for.
        poll_interval: Seconds between two requests, longer while the API is in trouble. Triggers of one window and
            interval share their requests.
        deadline: When to look for the last time, in Unix seconds; None for never.
        silent_fail: Whether to wait out every other error too, instead of failing.
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

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow keeps in its database, to make this trigger again in any triggerer."""
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
            payload = await self._look_once_more()
        yield TriggerEvent(payload)  # type: ignore[no-untyped-call]

    def _check(self) -> None:
        connection_id(self.poll.conn_id)
        Window.of(self.poll.start_date, self.poll.end_date)
        # As soon as may be, as Airflow allows it for poke_interval.
        if self.poll.interval != 0:
            self.poll = replace(self.poll, interval=number("poll_interval", self.poll.interval))
        self.min_ratings = whole_number("min_ratings", self.min_ratings)
        if self.deadline is not None:
            self.deadline = number("deadline", self.deadline)

    async def _wait(self) -> dict[str, Any]:
        with joined(self.poll) as poll:
            while True:
                payload = self._judge(await poll.next())
                if payload is not None:
                    return payload

    async def _look_once_more(self) -> dict[str, Any]:
        """Look when the time is over, as a sensor in a worker does; those whose time ends together share it."""
        with suppress(TimeoutError), joined(replace(self.poll, interval=0.0)) as poll:
            async with asyncio.timeout(LAST_LOOK):
                payload = self._judge(await poll.next())
            if payload is not None:
                return payload
        return {"status": "timeout"}

    def _judge(self, look: Look) -> dict[str, Any] | None:
        error = look.error
        if error is None:
            window = f"[{self.poll.start_date}, {self.poll.end_date})"
            self.log.info("Found %d ratings in %s, waiting for %d", look.ratings, window, self.min_ratings)
            return {"status": "found", "count": look.ratings} if look.ratings >= self.min_ratings else None
        is_doubtful = isinstance(error, DataError) and look.failures <= DOUBTS
        if is_doubtful or isinstance(error, RetryableError):
            self.log.warning("The API cannot be asked now, waiting on: %s", error)
            return None
        if self.silent_fail:
            self.log.error("Waiting on in spite of: %s", error)
            return None
        words = final_words(error)
        message = f"{type(error).__name__}: {error}" if words is None else words
        return {"status": "failed", "message": message, "retry": words is None}
