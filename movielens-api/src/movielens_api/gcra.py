"""How often something may happen: the generic cell rate algorithm (GCRA; ITU-T recommendation I.371, annex A).

A token bucket whose whole state is one number, the theoretical arrival time: when the bucket will be full again.
"""

from dataclasses import dataclass

EARLY = 0.01  # of an interval, by which an event may come too early: sums of intervals are not exact


@dataclass(frozen=True)
class Rate:
    """A number of events at once, then one per interval.

    Attributes:
        interval: seconds until one more event is allowed.
        burst: how many events are allowed at once.
    """

    interval: float
    burst: int

    def wait(self, arrival: float, now: float) -> float:
        """Return for how many seconds no event is allowed; zero: one is allowed now.

        Args:
            arrival: what `after` returned for the last event; anything earlier than now for none.
            now: the time in seconds, by any clock that never goes back.
        """
        wait = max(arrival, now) - now - (self.burst - 1) * self.interval
        return wait if wait > EARLY * self.interval else 0.0

    def after(self, arrival: float, now: float) -> float:
        """Return the state after one more event."""
        return max(arrival, now) + self.interval

    def left(self, arrival: float, now: float) -> int:
        """Return how many more events are allowed now."""
        return max(0, int((now - max(arrival, now)) / self.interval + self.burst + EARLY))
