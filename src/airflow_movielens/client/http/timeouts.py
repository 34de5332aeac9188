"""Requests under way, and how they are cut: at their deadline, or when nobody wants their answer any more.

Timeouts of a socket count anew with each byte, so a server that drips never meets them. Here one thread a client looks
after all requests under way and shuts down the socket of one whose time is up, whatever it is waiting for.
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
    """One request under way.

    Args:
        seconds: How long it may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut_by: type[MovielensError] | None = None
        self.deadline = monotonic() + seconds

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Connections that this thread opens or uses meanwhile are this request's."""
        _sending.request = self
        try:
            yield
        finally:
            _sending.request = None

    def use(self, connected: socket.socket) -> None:
        """Tell which socket to shut down, before it connects or is used again.

        Raises:
            ConnectionAbortedError: The request has been cut.
        """
        with self._lock:
            self._forget_socket()
            if self._cut_by is not None:
                raise ConnectionAbortedError("the request was cut")
            # Of our own: TLS takes the original over, and the connection may close it before the answer's end.
            self._socket = socket.fromfd(connected.fileno(), connected.family, connected.type)

    def cut(self, error: type[MovielensError]) -> None:
        """End the request; `check` will say why. From any thread."""
        with self._lock:
            self._cut_by = self._cut_by or error
            self._shut_down()

    def check(self, exchange: Exchange) -> None:
        """Raise if the request was cut.

        Raises:
            RetryableError: At its deadline.
            AbortedError: Because nobody wants its answer any more.
        """
        if self._cut_by is RetryableError:
            raise RetryableError(f"the API's answer took longer than {self._seconds:g} s", exchange)
        if self._cut_by is not None:
            raise AbortedError("the request was cut: the client was closed, or its rows are no longer wanted", exchange)

    def restart_clock(self) -> None:
        """Give it all its time again."""
        self.deadline = monotonic() + self._seconds

    def stop_clock(self) -> None:
        """Let it have no deadline while the reader of its answer is busy."""
        self.deadline = math.inf

    def end(self) -> None:
        """Let go of the socket; what is still read afterwards is cut, not complete."""
        with self._lock:
            self._cut_by = self._cut_by or AbortedError
            self._forget_socket()

    def _shut_down(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is not connected yet, or no longer
                self._socket.shutdown(socket.SHUT_RDWR)

    def _forget_socket(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def request_being_sent() -> InFlight | None:
    """The request that this thread is sending."""
    return getattr(_sending, "request", None)


class Timeouts:
    """The requests under way.

    Args:
        total_timeout: Seconds that each may take.
    """

    def __init__(self, total_timeout: float) -> None:
        self._total_timeout = total_timeout
        self._lock = threading.Lock()
        self._in_flight: set[InFlight] = set()
        self._aborted = threading.Event()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def request(self) -> Iterator[InFlight]:
        """Watch over a request.

        Raises:
            AbortedError: See `abort`.
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
        """Cut all requests under way, and let none begin."""
        with self._lock:
            self._aborted.set()
            for request in self._in_flight:
                request.cut(AbortedError)

    def _watch(self) -> None:
        # No request begun while this waits can be due before it wakes: all may take equally long.
        while (seconds := self._cut_overdue()) is not None:
            if self._aborted.wait(seconds):
                return

    def _cut_overdue(self) -> float | None:
        """Cut the requests whose time is up; seconds until to look again, None if nothing is under way."""
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
