"""The requests: pages of random windows, the same for every competitor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from benchmarks.days import RatingDays

DIFFERENT_WINDOWS = 1_000
A_MONTH = 30


@dataclass(frozen=True)
class Request:
    """A page of a window of whole days.

    Attributes:
        start: The first day; None for the whole table.
        end: The first day after the window; None for the whole table.
        offset: The number of rows to skip.
        limit: The number of rows to return.
    """

    start: date | None
    end: date | None
    offset: int
    limit: int


@dataclass(frozen=True)
class Workload:
    """Requests of one kind.

    Attributes:
        name: ``W1`` to ``W4``.
        what: The kind in words.
        limit: Rows per response.
        days: The minimum length of a window; 0 for the whole table.
        seconds: The duration for each competitor in a round. The slowest sends a few responses per second.
        offset_share: The rows to skip, as a fraction of the table.
    """

    name: str
    what: str
    limit: int
    days: int
    seconds: int
    offset_share: float = 0.0

    def requests(self, ratings: RatingDays, seed: int) -> list[Request]:
        """Return requests with full responses.

        Args:
            ratings: how many there are on which day.
            seed: The seed of the random windows.
        """
        if not self.days:
            return [Request(None, None, int(ratings.total * self.offset_share), self.limit)]
        starts = Random(seed).choices(ratings.days, k=DIFFERENT_WINDOWS)
        return [self._from(start, ratings) for start in starts]

    def _from(self, start: date, ratings: RatingDays) -> Request:
        length, last = self.days, ratings.days[-1]
        while ratings.between(start, start + timedelta(length)) < self.limit and start + timedelta(length) <= last:
            length *= 2
        end = start + timedelta(length)
        if ratings.between(start, end) < self.limit:
            # Too close to the end of the data: take as many days from its start.
            return self._from(ratings.days[0], ratings)
        return Request(start, end, 0, self.limit)


WORKLOADS = (
    Workload("W1", "100 rows of a random day", 100, 1, 4),
    Workload("W2", "1,000 rows of a random day", 1_000, 1, 4),
    Workload("W3", "10,000 rows of a month from a random day", 10_000, A_MONTH, 6),
    Workload("W4", "1,000 rows at a fifth of the table (5 M of 25 M)", 1_000, 0, 10, offset_share=0.2),
)
