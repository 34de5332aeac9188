"""Which connections are admitted when there are many: those of other addresses, and the busy ones, have priority.

A connection is idle if no request on it waits for its response. Idle connections are closed to make room for new ones,
the longest idle first. Connections in the TLS handshake are idle, too.
"""

from __future__ import annotations

import logging
import time
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from movielens_api.middleware.request_limits import Limits

_SECONDS_BETWEEN_LINES = 60

log = logging.getLogger(__name__)


class Admission(Enum):
    """What becomes of a new connection."""

    ADMITTED = auto()
    CROWDED = auto()  # only health checks are responded to
    REFUSED = auto()


class Open(Protocol):
    """An open connection."""

    @property
    def host(self) -> str | None:
        """The address of the client."""

    @property
    def idle_since(self) -> float | None:
        """When the connection became idle, by the monotonic clock; None if it is busy or closed."""

    def disconnect(self) -> None:
        """Close the connection at once."""


class Door:
    """The admission of connections to a server process.

    Args:
        limits: The limits of the process.
        connections: Returns all open connections.
        clock: Returns the time in seconds, by a monotonic clock.
    """

    def __init__(
        self,
        limits: Limits,
        connections: Callable[[], Sequence[Open]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._connections = connections
        self._clock = clock
        self._silent_until = float("-inf")

    def admit(self, host: str) -> Admission:
        """Decide on a new connection, and close idle ones if there is no room.

        Args:
            host: The address of the client.
        """
        number = len(opened := self._connections())
        if number < min(self._limits.connections_of_address, self._limits.connections):
            return Admission.ADMITTED
        of_address = [each for each in opened if each.host == host]
        further = max(len(of_address) - self._limits.connections_of_address, number - self._limits.connections)
        if further < 0:
            return Admission.ADMITTED
        self.report(f"{number}, of which {len(of_address)} from {host}")
        is_of_address = len(of_address) >= self._limits.connections_of_address
        while further >= 0 and close_longest_idle(of_address if is_of_address else opened):
            further -= 1
        if further < 0:
            return Admission.ADMITTED
        return Admission.CROWDED if further < self._limits.connections_for_health_checks else Admission.REFUSED

    def make_room(self, reason: str) -> bool:
        """Close the longest idle connection, and return whether there was one.

        Args:
            reason: Why the operating system refuses another connection.
        """
        self.report(reason)
        return close_longest_idle(self._connections())

    def report(self, reason: str) -> None:
        """Log that connections are closed or refused, at most once a minute."""
        if self._clock() >= self._silent_until:
            self._silent_until = self._clock() + _SECONDS_BETWEEN_LINES
            log.warning("too many connections (%s): the longest idle ones are closed, or new ones refused", reason)


def close_longest_idle(connections: Sequence[Open]) -> bool:
    """Close the longest idle of these connections, and return whether there was one."""
    idle = [(since, place) for place, each in enumerate(connections) if (since := each.idle_since) is not None]
    if not idle:
        return False
    connections[min(idle)[1]].disconnect()
    return True
