"""How many ratings a window has, without asking anybody."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate


class RatingDays:
    """The days that have ratings.

    Args:
        counted: each day and how many ratings it has, days in order.

    Attributes:
        days: the days.
        total: all ratings.
    """

    def __init__(self, counted: Sequence[tuple[date, int]]) -> None:
        self.days = [day for day, _ in counted]
        self._before = [0, *accumulate(rows for _, rows in counted)]
        self.total = self._before[-1]

    def first_with(self, rows: int) -> tuple[date, date, int]:
        """Return the first day, the day after the last, and the ratings of as many days as hold so many."""
        last = bisect_left(self._before, rows) - 1
        return self.days[0], self.days[last] + timedelta(1), self._before[last + 1]

    def between(self, start: date, end: date) -> int:
        """Count the ratings from a day on to before another."""
        return self._before[bisect_left(self.days, end)] - self._before[bisect_left(self.days, start)]
