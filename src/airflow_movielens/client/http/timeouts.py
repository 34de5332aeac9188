"""Total timeouts, and requests in flight that are cut off: at their deadline, or when they are no longer wanted.

The timeout of a socket starts over with each byte, so a server that sends one byte at a time never exceeds it. Here,
one thread per client watches all requests in flight and shuts down the socket of a request whose time is up.
"""

from __future__ import annotations

import math
import socket
import threading
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING

from airflow_movielens.client.errors import AbortedError, MovielensError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_movielens.client.errors import Exchange

_sending = threading.local()


class InFlight:
    """One request in flight.

    Args:
        seconds: The total timeout.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut_by: type[MovielensError] | None = None
        self._begun = monotonic()
        self.deadline = self._begun + seconds

    @property
    def elapsed(self) -> float:
        """The seconds since the request began."""
        return monotonic() - self._begun

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Assign the connections that this thread opens or uses in the block to this request."""
        _sending.request = self
        try:
            yield
        finally:
            _sending.request = None

    def use(self, connected: socket.socket) -> None:
        """Set the socket to shut down, before it connects or is reused.

        Raises:
            ConnectionAbortedError: The request was cut off.
        """
        with self._lock:
            self._forget_socket()
            if self._cut_by is not None:
                raise ConnectionAbortedError("the request was cut off")
            # A duplicate: TLS takes over the original, and the connection may close it before the end of the response.
            self._socket = socket.fromfd(connected.fileno(), connected.family, connected.type)

    def cut(self, error: type[MovielensError]) -> None:
        """Cut off the request, from any thread; `check` then raises the error."""
        with self._lock:
            self._cut_by = self._cut_by or error
            self._shut_down()

    def check(self, exchange: Exchange) -> None:
        """Raise if the request was cut off.

        Raises:
            RetryableError: The request was cut off at its deadline.
            AbortedError: The client was closed, or the response is no longer wanted.
        """
        if self._cut_by is RetryableError:
            raise RetryableError(f"the API's response took longer than {self._seconds:g} s", exchange)
        if self._cut_by is not None:
            raise AbortedError(
                "the request was cut off: the client was closed, or its rows are no longer wanted", exchange
            )

    def restart_clock(self) -> None:
        """Restart the total timeout."""
        self.deadline = monotonic() + self._seconds

    def stop_clock(self) -> None:
        """Suspend the deadline while the reader of the response is busy."""
        self.deadline = math.inf

    def end(self) -> None:
        """Release the socket; a response that is still read afterwards counts as cut off, not as complete."""
        with self._lock:
            self._cut_by = self._cut_by or AbortedError
            self._forget_socket()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # not connected yet, or no longer
                self._socket.shutdown(socket.SHUT_RDWR)

    def _forget_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def request_being_sent() -> InFlight | None:
    """Return the request that this thread is sending; None if there is none."""
    return getattr(_sending, "request", None)


class Timeouts:
    """The total timeouts of all requests in flight.

    Args:
        total_timeout: Seconds that each request may take.
    """

    def __init__(self, total_timeout: float) -> None:
        self._total_timeout = total_timeout
        self._lock = threading.Lock()
        self._in_flight: set[InFlight] = set()
        self._aborted = threading.Event()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def request(self) -> Iterator[InFlight]:
        """Watch a request for the duration of the block.

        Raises:
            AbortedError: The client is closed.
        """
        request = InFlight(self._total_timeout)
        with self._lock:
            if self._aborted.is_set():
                raise AbortedError("the client is closed")
            self._in_flight.add(request)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="movielens-timeouts", daemon=True)
                self._watcher.start()
        try:
            yield request
        finally:
            with self._lock:
                self._in_flight.discard(request)
            request.end()

    def abort(self) -> None:
        """Cut off all requests in flight, and let no more start."""
        with self._lock:
            self._aborted.set()
            for request in self._in_flight:
                request.cut(AbortedError)

    def _watch(self) -> None:
        # All requests have the same timeout: none that starts during this wait is due before the wait ends.
        while (seconds := self._cut_overdue()) is not None:
            if self._aborted.wait(seconds):
                return

    def _cut_overdue(self) -> float | None:
        """Cut off overdue requests; return the seconds until the next check, None if no request is in flight."""
        with self._lock:
            if not self._in_flight:
                self._watcher = None
                return None
            now = monotonic()
            left = {request: request.deadline - now for request in self._in_flight}
            overdue = [request for request, seconds in left.items() if seconds <= 0]
            for request in overdue:
                request.cut(RetryableError)
                self._in_flight.discard(request)
            return min([self._total_timeout, *(seconds for seconds in left.values() if seconds > 0)])
