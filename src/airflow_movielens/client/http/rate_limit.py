"""The rate limit: when requests may start, and the pauses that the server requests. The client waits only here."""

from __future__ import annotations

import weakref
from itertools import count
from threading import Event, Lock
from time import monotonic
from typing import Protocol

from airflow_movielens.client.errors import AbortedError


class Clock(Protocol):
    """A source of time; tests pass one whose waits take no time."""

    def now(self) -> float:
        """Return the seconds of a clock that never goes back."""

    def sleep(self, seconds: float, until: Event) -> None:
        """Wait this many seconds, or until the event is set."""


class _SystemClock:
    def now(self) -> float:
        return monotonic()

    def sleep(self, seconds: float, until: Event) -> None:
        until.wait(seconds)


SYSTEM_CLOCK: Clock = _SystemClock()


class RateLimit:
    """The rate limit of a client, shared by all its threads: it spaces requests evenly.

    Attributes:
        clock: The source of time.

    Args:
        requests_per_second: How many requests may start in a second; None for no limit.
        clock: The source of time; None for the system's.
        schedule: The schedule of another rate limit to share; None for a new one.
    """

    def __init__(
        self,
        requests_per_second: float | None = None,
        *,
        clock: Clock | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        self.clock = clock or SYSTEM_CLOCK
        interval = 1 / requests_per_second if requests_per_second else 0.0
        self._schedule = schedule or Schedule(interval, self.clock)
        self._refusals = count()
        self._aborted = Event()
        self._branches: weakref.WeakSet[RateLimit] = weakref.WeakSet()

    def branch(self) -> RateLimit:
        """Return a rate limit on the same schedule whose waits can be aborted on their own.

        Aborting this one aborts the branch, too.
        """
        branch = RateLimit(clock=self.clock, schedule=self._schedule)
        self._branches.add(branch)
        if self._aborted.is_set():
            branch.abort()
        return branch

    def wait(self) -> None:
        """Wait until the next request may start.

        Raises:
            AbortedError: The rate limit was aborted.
        """
        while True:
            turn = self._schedule.next_turn()
            self.sleep(turn - self.clock.now())
            if self._schedule.holds(turn):
                return

    def pause(self, seconds: float) -> None:
        """Let no request of the client start for this many seconds."""
        self._schedule.pause(seconds)

    def is_first_refusal(self) -> bool:
        """Return whether this is the first call, so that a server that refuses again and again causes one warning."""
        return next(self._refusals) == 0

    def sleep(self, seconds: float) -> None:
        """Wait this many seconds.

        Raises:
            AbortedError: The rate limit was aborted.
        """
        if seconds > 0 and not self._aborted.is_set():
            self.clock.sleep(seconds, self._aborted)
        if self._aborted.is_set():
            raise AbortedError("the client was closed, or its rows are no longer wanted")

    def abort(self) -> None:
        """End all current waits, and every later one immediately, with an `AbortedError`."""
        self._aborted.set()
        for branch in list(self._branches):
            branch.abort()


class Schedule:
    """The times at which requests may start, in seconds of the clock.

    Args:
        interval: Seconds between two requests.
        clock: The source of time.
    """

    def __init__(self, interval: float, clock: Clock) -> None:
        self._interval = interval
        self._clock = clock
        self._next = 0.0
        self._paused_until = 0.0
        self._lock = Lock()

    def next_turn(self) -> float:
        """Reserve and return the next time at which a request may start."""
        with self._lock:
            turn = max(self._next, self._clock.now())
            self._next = turn + self._interval
            return turn

    def holds(self, turn: float) -> bool:
        """Return whether no pause was requested since this turn was reserved."""
        return turn >= self._paused_until

    def pause(self, seconds: float) -> None:
        """Move all turns that are not reserved yet to after a pause."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock.now() + seconds)
            self._next = max(self._next, self._paused_until)
