"""A client that posts ratings while others read."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.client import HTTPConnection
from random import Random

from benchmarks.failure import BenchmarkError
from benchmarks.servers import AUTHORIZATION, Server

BATCH = 100
STEADY_BATCHES_PER_SECOND = 20
# No dataset has such users, so every rating is new.
USERS = itertools.count(1_000_000_000)


class Writer(threading.Thread):
    """A thread that posts batches of ratings over one connection until it is stopped.

    Args:
        server: The server to post to.
        days: The days of the ratings: anywhere in the table, which is harder than at its end.
        batches_per_second: The rate; None for as many as possible.

    Attributes:
        ratings: The number of acknowledged ratings.
        seconds: The time that they took.
        failure: The error that ended it early.
    """

    def __init__(self, server: Server, days: Sequence[date], batches_per_second: float | None) -> None:
        super().__init__()
        self.ratings, self.seconds = 0, 0.0
        self.failure: Exception | None = None
        self._server = server
        self._batches = _batches(days)
        self._between = 1 / batches_per_second if batches_per_second else 0.0
        self._done = threading.Event()

    @property
    def per_second(self) -> float:
        """Ratings per second."""
        return self.ratings / self.seconds

    def run(self) -> None:
        """Post until stopped."""
        began = time.perf_counter()
        try:
            with self._server.connection() as connection:
                for number, batch in enumerate(self._batches, start=1):
                    _post_batch(connection, batch)
                    self.ratings += BATCH
                    due = began + number * self._between - time.perf_counter()
                    if self._done.wait(max(due, 0.0)):
                        break
        except (OSError, BenchmarkError) as failure:
            self.failure = failure
        self.seconds = time.perf_counter() - began

    def finish(self) -> None:
        """Stop after the current batch.

        Raises:
            BenchmarkError: A batch was not acknowledged.
        """
        self._done.set()
        self.join()
        if self.failure:
            raise BenchmarkError(f"writing failed: {self.failure}") from self.failure


@contextmanager
def posting(server: Server, days: Sequence[date], batches_per_second: float | None) -> Iterator[Writer]:
    """Run a `Writer` until the block ends."""
    writer = Writer(server, days, batches_per_second)
    writer.start()
    try:
        yield writer
    finally:
        writer.finish()


def _batches(days: Sequence[date]) -> Iterator[str]:
    random = Random()
    for user in USERS:
        seconds = [_second(random.choice(days), random) for _ in range(BATCH)]
        rows = enumerate(seconds, start=1)
        yield json.dumps(
            [{"movieId": movie, "rating": 4.0, "timestamp": second, "userId": user} for movie, second in rows]
        )


def _second(day: date, random: Random) -> int:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int(midnight.timestamp()) + random.randrange(86_400)


def _post_batch(connection: HTTPConnection, batch: str) -> None:
    headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/json"}
    connection.request("POST", "/ratings", batch, headers)
    response = connection.getresponse()
    said = response.read()
    if response.status != 201:  # noqa: PLR2004 - created
        raise BenchmarkError(f"the response to a batch of ratings was {response.status}: {said[:500]!r}")
