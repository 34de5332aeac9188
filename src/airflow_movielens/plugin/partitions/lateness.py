"""Which days changed after they were ranked, and which rankings are out of date since.

A day is late if its content changed, or first arrived, after a ranking that covers it was complete. That is a fact of
its past: it stays late. A ranking is out of date from then on until it is made again.

The time decides, with one exception: the manifest of a ranking has a checksum of its inputs. If that is the checksum of
the files which are there now, the ranking is up to date, whatever was fetched in between.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_movielens.plugin.partitions.ranking import current

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from airflow_movielens.plugin.partitions.partition import Partition
    from airflow_movielens.plugin.partitions.ranking import Ranking


@dataclass(frozen=True)
class Lateness:
    """What changed after it was ranked.

    Attributes:
        late: The days that changed after a ranking of them.
        outdated: The rankings that were made from other content than there is now, by the time when they were complete.
        to_rank: The late days that a ranking which is out of date covers.
    """

    late: frozenset[date]
    outdated: list[Ranking]
    to_rank: frozenset[date]


def find_lateness(partitions: Mapping[date, Partition], rankings: Sequence[Ranking]) -> Lateness:
    """Compare when days changed with when they were ranked.

    Args:
        partitions: The partitions of a dataset.
        rankings: The rankings of its files, also those that were replaced, by the time when they were complete.
    """
    changed = {day: partition.changed_at for day, partition in partitions.items() if partition.changed_at}
    candidates = _before_change(current(rankings), changed)
    outdated = [ranking for ranking in candidates if not _is_up_to_date(ranking, partitions)]
    return Lateness(_late_days(partitions, rankings, changed), outdated, _ranked_before(outdated, changed))


def _late_days(
    partitions: Mapping[date, Partition], rankings: Sequence[Ranking], changed: Mapping[date, str]
) -> frozenset[date]:
    again = {day: at for day, at in changed.items() if len(partitions[day].contents) > 1}
    # Of a day that arrived after its window was ranked. If the catalogue was rebuilt, or an entry was removed, it may
    # have arrived earlier: then the checksum tells whether its content has changed.
    first = {day: partitions[day].contents[0].at for day in changed}
    without_it = [ranking for ranking in _before_change(rankings, first) if not _is_up_to_date(ranking, partitions)]
    return _ranked_before(rankings, again) | _ranked_before(without_it, first)


def _is_up_to_date(ranking: Ranking, partitions: Mapping[date, Partition]) -> bool:
    from airflow_movielens.ranking.manifest import InputFile, combined_checksum

    days = (day for day in partitions if ranking.covers(day))
    fetches = (partitions[day].current for day in days)
    files = [InputFile(fetch.path, fetch.sha256, 0) for fetch in fetches if fetch is not None]
    return ranking.inputs_sha256 is not None and ranking.inputs_sha256 == combined_checksum(files)


def _before_change(rankings: Iterable[Ranking], changed: Mapping[date, str]) -> list[Ranking]:
    """Return the rankings that cover a day which changed after they were complete."""
    rankings = list(rankings)
    days = sorted(_ranked_before(rankings, changed))  # few: a ranking is usually made after its days
    found = []
    for ranking in rankings:
        covered = days[bisect_left(days, ranking.start) : bisect_left(days, ranking.end)]
        if any(changed[day] > ranking.at for day in covered):
            found.append(ranking)
    return found


def _ranked_before(rankings: Iterable[Ranking], changed: Mapping[date, str]) -> frozenset[date]:
    """Return the days that a ranking covers which was complete before they changed."""
    first = _first_ranked(rankings, changed)
    return frozenset(day for day, at in first.items() if at < changed[day])


def _first_ranked(rankings: Iterable[Ranking], days: Iterable[date]) -> dict[date, str]:
    """Return when each day was ranked for the first time; days that were never ranked are missing."""
    unranked = sorted(days)
    first: dict[date, str] = {}
    for ranking in sorted(rankings, key=lambda ranking: ranking.at):
        low, high = bisect_left(unranked, ranking.start), bisect_left(unranked, ranking.end)
        first |= dict.fromkeys(unranked[low:high], ranking.at)
        del unranked[low:high]
    return first
