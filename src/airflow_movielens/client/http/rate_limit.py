"""When requests may begin: the rate limit, and pauses that the server asks for. All waiting is done here."""

from __future__ import annotations

import weakref
from itertools import count
from threading import Event, Lock
from time import monotonic

from airflow_movielens.client.errors import AbortedError


class RateLimit:
    """Spaces the requests of a client evenly; shared by all its threads.

    Args:
        requests_per_second: How many requests may begin in a second; None for any number.
    """

    def __init__(self, requests_per_second: float | None = None) -> None:
        self._schedule = _Schedule(1 / requests_per_second if requests_per_second else 0.0)
        self._refusals = count()
        self._aborted = Event()
        self._branches: weakref.WeakSet[RateLimit] = weakref.WeakSet()

    def branch(self) -> RateLimit:
        """A rate_limit on the same schedule, whose waits can be aborted without ending those here."""
        branch = RateLimit()
        branch._schedule = self._schedule
        self._branches.add(branch)
        if self._aborted.is_set():
            branch.abort()
        return branch

    def wait(self) -> None:
        """Wait for the turn to begin a request.

        Raises:
            AbortedError: See `abort`.
        """
        while True:
            turn = self._schedule.next_turn()
            self.sleep(turn - now())
            if self._schedule.holds(turn):
                return

    def pause(self, seconds: float) -> None:
        """Let no request of the client begin for so long."""
        self._schedule.pause(seconds)

    def is_first_refusal(self) -> bool:
        """Whether this is the first call: a rate limit that refuses a request every few seconds is one warning."""
        return next(self._refusals) == 0

    def sleep(self, seconds: float) -> None:
        """Wait so long, or until `abort`.

        Raises:
            AbortedError: See `abort`.
        """
        if seconds > 0 and not self._aborted.is_set():
            sleep(self._aborted, seconds)
        if self._aborted.is_set():
            raise AbortedError("the client was closed, or its rows are no longer wanted")

    def abort(self) -> None:
        """End every wait now, and every later one at once, with an `AbortedError`."""
        self._aborted.set()
        for branch in list(self._branches):
            branch.abort()


class _Schedule:
    """Hands out turns, in seconds of the monotonic clock."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._next = 0.0
        self._paused_until = 0.0
        self._lock = Lock()

    def next_turn(self) -> float:
        with self._lock:
            turn = max(self._next, now())
            self._next = turn + self._interval
            return turn

    def holds(self, turn: float) -> bool:
        """Whether no pause was asked for since that turn was handed out."""
        return turn >= self._paused_until

    def pause(self, seconds: float) -> None:
        with self._lock:
            self._paused_until = max(self._paused_until, now() + seconds)
            self._next = max(self._next, self._paused_until)


def now() -> float:
    """Seconds of the monotonic clock. Tests replace this and `sleep`."""
    return monotonic()


def sleep(aborted: Event, seconds: float) -> None:
    """Wait so long, or until ``aborted`` is set."""
    aborted.wait(seconds)
