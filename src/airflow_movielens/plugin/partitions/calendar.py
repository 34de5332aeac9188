"""Three years of a dataset as months, weeks and days."""

from __future__ import annotations

import calendar
from bisect import bisect_right
from dataclasses import dataclass
from statistics import quantiles
from typing import TYPE_CHECKING

from airflow_movielens.plugin.partitions.status import describe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from airflow_movielens.plugin.partitions.dataset import Dataset
    from airflow_movielens.plugin.partitions.status import Status

YEARS = 3
"""The number of years that are shown at once."""

LEVELS = 4
"""Days with ratings have one of so many colours."""


@dataclass(frozen=True)
class Cell:
    """A day of the calendar.

    Attributes:
        day: The day.
        text: All about it in one line.
        level: From 1, few ratings, to `LEVELS`, many; 0 without a rating.
        statuses: What is wrong with it, the most severe first.
    """

    day: date
    text: str
    level: int
    statuses: list[Status]


@dataclass(frozen=True)
class Day:
    """A day of no period.

    Attributes:
        day: The day.
    """

    day: date


@dataclass(frozen=True)
class Month:
    """A month of the calendar.

    Attributes:
        name: Such as ``March``.
        weeks: From Monday to Sunday; None for the days of other months.
    """

    name: str
    weeks: list[list[Cell | Day | None]]


@dataclass(frozen=True)
class Year:
    """A year of the calendar.

    Attributes:
        year: The year.
        months: Its twelve months.
        ratings: The number of its ratings.
    """

    year: int
    months: list[Month]
    ratings: int


def years_of(dataset: Dataset) -> list[int]:
    """Return the years in which a period has days."""
    return sorted({day.year for day in dataset.days})


def shown_years(years: Sequence[int], last: int | None) -> list[int]:
    """Return the years to show.

    Args:
        years: All years, ascending.
        last: The last one to show; None for the last of all.
    """
    shown = [year for year in years if last is None or year <= last] or list(years[:YEARS])
    return shown[-YEARS:]


def calendar_of(dataset: Dataset, years: Sequence[int]) -> list[Year]:
    """Return the calendar of some years."""
    bounds = level_bounds([partition.rows for partition in dataset.partitions.values()])
    return [_year(dataset, year, bounds) for year in years]


def level_bounds(rows: Sequence[int]) -> list[float]:
    """Return the numbers of ratings from which levels 2, 3, … begin, so that each level has as many days.

    Args:
        rows: The number of ratings of each day.
    """
    busy = [count for count in rows if count]
    return quantiles(busy, n=LEVELS, method="inclusive") if len(busy) > 1 else []


def level(rows: int, bounds: Sequence[float]) -> int:
    """Return the level of a day.

    Args:
        rows: The number of its ratings.
        bounds: See `level_bounds`.
    """
    return bisect_right(bounds, rows) + 1 if rows else 0


def _year(dataset: Dataset, year: int, bounds: Sequence[float]) -> Year:
    weeks_of = calendar.Calendar().yeardatescalendar(year, width=12)[0]
    months = [
        Month(
            calendar.month_name[number],
            [[_cell(dataset, day, bounds) if day.month == number else None for day in week] for week in weeks],
        )
        for number, weeks in enumerate(weeks_of, start=1)
    ]
    return Year(year, months, sum(p.rows for day, p in dataset.partitions.items() if day.year == year))


def _cell(dataset: Dataset, day: date, bounds: Sequence[float]) -> Cell | Day:
    statuses = dataset.statuses.get(day)
    if statuses is None:
        return Day(day)
    partition = dataset.partitions.get(day)
    rows = 0 if partition is None else partition.rows
    return Cell(day, describe(day, partition, statuses), level(rows, bounds), statuses)
