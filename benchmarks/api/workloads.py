"""What is asked for: pages of random windows, the same for every competitor."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

DIFFERENT_WINDOWS = 1_000
A_MONTH = 30


@dataclass(frozen=True)
class Request:
    """A page of a window of whole days.

    Attributes:
        start: the first day; None for the whole table.
        end: the day after the last; None for the whole table.
        offset: rows to skip.
        limit: rows wanted.
    """

    start: date | None
    end: date | None
    offset: int
    limit: int


@dataclass(frozen=True)
class Workload:
    """Requests of one kind.

    Attributes:
        name: W1 to W4.
        what: the kind, in words.
        limit: rows per answer.
        days: how many days a window has at least; 0 for the whole table.
        seconds: how long a competitor is asked in a round. The slowest answer a few per second.
        offset_share: rows to skip, as a share of the table.
    """

    name: str
    what: str
    limit: int
    days: int
    seconds: int
    offset_share: float = 0.0

    def requests(self, ratings: Mapping[date, int], seed: int) -> list[Request]:
        """Return requests whose every answer is full.

        Args:
            ratings: how many each day has, days in order.
            seed: another one gives other windows.
        """
        if not self.days:
            return [Request(None, None, int(sum(ratings.values()) * self.offset_share), self.limit)]
        random, days = Random(seed), list(ratings)
        starts = random.choices(days, k=DIFFERENT_WINDOWS)
        return [self._from(start, ratings) for start in starts]

    def _from(self, start: date, ratings: Mapping[date, int]) -> Request:
        length, last = self.days, max(ratings)
        while (found := _rows(ratings, start, length)) < self.limit and start + timedelta(length) <= last:
            length *= 2
        if found < self.limit:
            # Too near to the end of the data: as many days from its beginning.
            return self._from(min(ratings), ratings)
        return Request(start, start + timedelta(length), 0, self.limit)


WORKLOADS = (
    Workload("W1", "100 rows of a random day", 100, 1, 4),
    Workload("W2", "1,000 rows of a random day", 1_000, 1, 4),
    Workload("W3", "10,000 rows of a month from a random day", 10_000, A_MONTH, 6),
    Workload("W4", "1,000 rows at a fifth of the table (5 M of 25 M)", 1_000, 0, 10, offset_share=0.2),
)


def _rows(ratings: Mapping[date, int], start: date, length: int) -> int:
    return sum(ratings.get(start + timedelta(day), 0) for day in range(length))
