"""A day compared to the 30 days before it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_movielens.plugin.partitions.fetch import Fetch
    from airflow_movielens.plugin.partitions.partition import Partition

DAYS = 30
"""The number of days before."""

STARS = [number / 2 for number in range(1, 11)]
"""The possible ratings."""

_FACTOR = 2
"""A day is unusual with more than so many times the most ratings, or less than this part of the fewest."""

_ENOUGH = 7
"""Fewer days before say nothing about what is usual."""


@dataclass(frozen=True)
class Trailing:
    """A day compared to the days before it.

    Attributes:
        days: How many of the `DAYS` days before have a file.
        median: The median of their numbers of ratings; None without such days.
        counts: The numbers of ratings of the day with 0.5, 1, … 5 stars; None if they are not known.
        before: Those of the days before, together; None if they are not known.
    """

    days: int
    median: float | None
    counts: list[int] | None
    before: list[int] | None

    @property
    def shares(self) -> list[float]:
        """The shares of the ratings of the day with 0.5, 1, … 5 stars, from 0 to 1."""
        return _shares(self.counts)

    @property
    def shares_before(self) -> list[float]:
        """Those of the days before."""
        return _shares(self.before)

    @property
    def mean(self) -> float | None:
        """The mean rating of the day; None if it is not known."""
        return _mean(self.counts)

    @property
    def mean_before(self) -> float | None:
        """That of the days before."""
        return _mean(self.before)


def compare(partitions: Mapping[date, Partition], day: date) -> Trailing:
    """Compare a day to the days before it.

    Args:
        partitions: The partitions of a dataset.
        day: The day.
    """
    before = _files_before(partitions, day)
    rows = [fetch.rows for fetch in before]
    known = [fetch.histogram for fetch in before if fetch.histogram is not None]
    current = partitions[day].current if day in partitions else None
    return Trailing(
        days=len(before),
        median=median(rows) if rows else None,
        counts=None if current is None else current.histogram,
        before=[sum(counts) for counts in zip(*known, strict=True)] or None,
    )


def unusual_days(partitions: Mapping[date, Partition]) -> dict[date, str]:
    """Return the days with an unusual number of ratings, each with a sentence that says what is unusual about it.

    An empty day is never unusual: it has a status of its own.

    Args:
        partitions: The partitions of a dataset, by ascending days.
    """
    found: dict[date, str] = {}
    before = deque[tuple[date, int]]()
    for day, partition in partitions.items():
        while before and before[0][0] < day - timedelta(days=DAYS):
            before.popleft()
        if partition.rows and (sentence := _unusual(partition.rows, [rows for _, rows in before])):
            found[day] = sentence
        if partition.current is not None:
            before.append((day, partition.rows))
    return found


def _unusual(rows: int, before: Sequence[int]) -> str | None:
    if len(before) < _ENOUGH:
        return None
    fewest, most = min(before), max(before)
    days = f"any of the {len(before)} days before"
    if rows > _FACTOR * most:
        return f"There are more than twice as many ratings as on {days} (at most {most:,})."
    if rows * _FACTOR < fewest:
        return f"There are less than half as many ratings as on {days} (at least {fewest:,})."
    return None


def _files_before(partitions: Mapping[date, Partition], day: date) -> list[Fetch]:
    days = (partitions.get(day - timedelta(days=number)) for number in range(1, DAYS + 1))
    files = (partition.current for partition in days if partition is not None)
    return [fetch for fetch in files if fetch is not None]


def _shares(counts: Sequence[int] | None) -> list[float]:
    total = sum(counts or ())
    return [count / total for count in counts] if counts and total else [0.0] * len(STARS)


def _mean(counts: Sequence[int] | None) -> float | None:
    total = sum(counts or ())
    return sum(star * count for star, count in zip(STARS, counts, strict=True)) / total if counts and total else None
