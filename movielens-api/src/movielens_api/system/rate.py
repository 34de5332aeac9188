"""Rates of events, by the generic cell rate algorithm (GCRA; ITU-T recommendation I.371, annex A).

GCRA is a token bucket whose state is a single number, the theoretical arrival time: when the bucket is full again.
"""

from __future__ import annotations

from dataclasses import dataclass

# The part of an interval by which an event may be early, because sums of intervals are not exact.
_EARLY = 0.01


@dataclass(frozen=True)
class Rate:
    """A rate of events: a burst, then one per interval.

    Attributes:
        interval: Seconds until one more event is allowed.
        burst: How many events are allowed at once.
    """

    interval: float
    burst: int

    def wait(self, arrival: float, now: float) -> float:
        """Return for how many seconds no event is allowed, or zero if one is allowed now.

        Args:
            arrival: The result of ``after`` for the last event, or any time before ``now`` if there was none.
            now: The time in seconds, by a monotonic clock.
        """
        wait = max(arrival, now) - now - (self.burst - 1) * self.interval
        return wait if wait > _EARLY * self.interval else 0.0

    def after(self, arrival: float, now: float) -> float:
        """Return the state after one more event."""
        return max(arrival, now) + self.interval

    def left(self, arrival: float, now: float) -> int:
        """Return how many more events are allowed now."""
        return max(0, int((now - max(arrival, now)) / self.interval + self.burst + _EARLY))
