"""The number of ratings in a window, computed without a request."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import accumulate


class RatingDays:
    """The days that have ratings.

    Args:
        counted: Each day with its number of ratings, in order.

    Attributes:
        days: The days, in order.
        total: The number of all ratings.
    """

    def __init__(self, counted: Sequence[tuple[date, int]]) -> None:
        self.days = [day for day, _ in counted]
        self._before = [0, *accumulate(rows for _, rows in counted)]
        self.total = self._before[-1]

    def first_with(self, rows: int) -> tuple[date, date, int]:
        """Return the shortest window from the first day with at least ``rows`` ratings: its bounds and its ratings."""
        last = bisect_left(self._before, rows) - 1
        return self.days[0], self.days[last] + timedelta(1), self._before[last + 1]

    def between(self, start: date, end: date) -> int:
        """Count the ratings from ``start`` until before ``end``."""
        return self.before(end) - self.before(start)

    def before(self, day: date) -> int:
        """Count the ratings before a day."""
        return self._before[bisect_left(self.days, day)]
