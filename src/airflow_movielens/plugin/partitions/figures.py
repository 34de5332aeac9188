"""The key figures of a dataset, and days as spans of consecutive days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_movielens.plugin.partitions.status import Status, counted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from airflow_movielens.plugin.partitions.dataset import Dataset


@dataclass(frozen=True)
class Span:
    """Consecutive days.

    Attributes:
        first: The first day.
        last: The last day.
    """

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        """The days."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Figure:
    """A key figure.

    Attributes:
        status: The status of the counted days.
        days: The number of these days.
    """

    status: Status
    days: int

    @property
    def label(self) -> str:
        """The status in a word or two."""
        return _LABELS[self.status]


_LABELS = {
    Status.FAILED: "Failed",
    Status.MISSING: "Missing",
    Status.OUTDATED: "To rank again",
    Status.LATE: "Late",
    Status.DOUBLE: "In two files",
    Status.UNUSUAL: "Unusual",
    Status.QUARANTINED: "Quarantined",
    Status.EMPTY: "Empty",
}
_ONLY_IF_ANY = {Status.DOUBLE}


def figures(dataset: Dataset) -> list[Figure]:
    """Return how many days have each status, the most severe first."""
    counts = {status: len(dataset.days_with(status)) for status in _LABELS}
    shown = (status for status, count in counts.items() if count or status not in _ONLY_IF_ANY)
    return [Figure(status, counts[status]) for status in shown]


def days_needing_attention(dataset: Dataset) -> list[date]:
    """Return the days that need attention."""
    return [day for day, statuses in dataset.statuses.items() if any(status.needs_attention for status in statuses)]


def verdict(dataset: Dataset) -> str:
    """Return whether the data can be trusted, in a sentence."""
    number = len(days_needing_attention(dataset))
    if number:
        return f"{counted(number, 'day')} of {len(dataset.days):,} {'needs' if number == 1 else 'need'} attention."
    if len(dataset.days) == 1:
        return "The only day is present, and no ranking of it is out of date."
    return f"All {len(dataset.days):,} days are present, and no ranking of them is out of date."


def spans(days: Iterable[date]) -> list[Span]:
    """Return days as spans of consecutive days.

    Args:
        days: Ascending.
    """
    found: list[Span] = []
    for day in days:
        if found and day == found[-1].last + timedelta(days=1):
            found[-1] = Span(found[-1].first, day)
        else:
            found.append(Span(day, day))
    return found
