"""The periods of a dataset: its days, without the gaps that are too long to be a mistake.

Somebody who fetches a few weeks of 2000 beside the days of this year does not miss the years in between.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from airflow_movielens.plugin.partitions.figures import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from airflow_movielens.plugin.partitions.fetch import Fetch

LONGEST_GAP = 366
"""The days of a longer gap are not missing: they lie between two periods."""


def periods_of(days: Sequence[date], longer: Iterable[Fetch]) -> list[Span]:
    """Return the periods of a dataset, ascending.

    Args:
        days: The days that were fetched, ascending.
        longer: The fetches of longer windows whose files are there. They fill gaps between these days.
    """
    periods: list[Span] = []
    fetched = [*(Span(day, day) for day in days), *_filled(days, longer)]
    for span in sorted(fetched, key=lambda span: span.first):
        if periods and (span.first - periods[-1].last).days - 1 <= LONGEST_GAP:
            periods[-1] = Span(periods[-1].first, max(periods[-1].last, span.last))
        else:
            periods.append(span)
    return periods


def gaps_between(periods: Iterable[Span]) -> list[Span]:
    """Return the gaps between periods, ascending."""
    day = timedelta(days=1)
    return [Span(before.last + day, after.first - day) for before, after in pairwise(periods)]


def _filled(days: Sequence[date], longer: Iterable[Fetch]) -> Iterator[Span]:
    """Yield what each longer window covers between the first and the last day."""
    for fetch in longer if days else ():
        first = days[0] if fetch.start is None else max(fetch.start, days[0])
        last = days[-1] if fetch.end is None else min(fetch.end - timedelta(days=1), days[-1])
        if first <= last:
            yield Span(first, last)
