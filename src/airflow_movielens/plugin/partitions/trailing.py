"""A day compared to the 30 days before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

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
        unusual: What is unusual about the number of ratings, as a sentence; None if nothing is.
    """

    days: int
    median: float | None
    counts: list[int] | None
    before: list[int] | None
    unusual: str | None

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
    days = [partitions.get(day - timedelta(days=number)) for number in range(1, DAYS + 1)]
    before = [partition.current for partition in days if partition is not None and partition.current is not None]
    this = partitions[day].current if day in partitions else None
    rows = [fetch.rows for fetch in before]
    known = [fetch.histogram for fetch in before if fetch.histogram is not None]
    return Trailing(
        days=len(before),
        median=median(rows) if rows else None,
        counts=None if this is None else this.histogram,
        before=[sum(counts) for counts in zip(*known, strict=True)] or None,
        unusual=None if this is None else _unusual(this.rows, rows),
    )


def _unusual(rows: int, before: Sequence[int]) -> str | None:
    if len(before) < _ENOUGH:
        return None
    fewest, most = min(before), max(before)
    if rows > _FACTOR * most:
        return f"This is more than twice as many as on any of the {len(before)} days before (at most {most:,})."
    if rows * _FACTOR < fewest:
        return f"This is less than half as many as on any of the {len(before)} days before (at least {fewest:,})."
    return None


def _shares(counts: Sequence[int] | None) -> list[float]:
    total = sum(counts or ())
    return [count / total for count in counts] if counts and total else [0.0] * len(STARS)


def _mean(counts: Sequence[int] | None) -> float | None:
    total = sum(counts or ())
    return sum(star * count for star, count in zip(STARS, counts, strict=True)) / total if counts and total else None
