"""The days and longer windows that were fetched into one folder."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_movielens.plugin.partitions.fetch import Fetch
from airflow_movielens.plugin.partitions.lateness import Lateness, find_lateness
from airflow_movielens.plugin.partitions.partition import Partition
from airflow_movielens.plugin.partitions.periods import periods_of
from airflow_movielens.plugin.partitions.ranking import Ranking, current, rankings_of
from airflow_movielens.plugin.partitions.status import Status
from airflow_movielens.plugin.partitions.trailing import unusual_days

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_movielens.plugin.partitions.figures import Span
    from airflow_movielens.storage.catalogue import Record


@dataclass(frozen=True)
class Dataset:
    """What was fetched into a folder.

    Attributes:
        folder: The folder.
        partitions: The days with at least one fetch of exactly that day, ascending.
        longer: The last fetch of each path of another window than a day, even if it failed.
        longer_files: The fetches of such windows that wrote the files which are there now.
        rankings: The rankings of its files, by the time when they were complete.
    """

    folder: str
    partitions: Mapping[date, Partition]
    longer: list[Fetch]
    longer_files: list[Fetch]
    rankings: list[Ranking]

    @classmethod
    def of(cls, folder: str, fetches: Iterable[Fetch], rankings: Iterable[Record]) -> Dataset:
        """Return a dataset.

        Args:
            folder: The folder.
            fetches: The fetches into it, by the time when they ended.
            rankings: Records of rankings, also of other datasets.
        """
        fetches = list(fetches)
        holders = {fetch.path: fetch for fetch in fetches if fetch.succeeded}
        last = {fetch.path: fetch for fetch in fetches if fetch.day is None}
        files = [fetch for fetch in holders.values() if fetch.day is None]
        by_day = defaultdict[date, list[Fetch]](list)
        for fetch in fetches:
            if fetch.day is not None:
                by_day[fetch.day].append(fetch)
        partitions = {day: Partition.of(day, by_day[day], holders) for day in sorted(by_day)}
        return cls(folder, partitions, list(last.values()), files, rankings_of(rankings, folder))

    @cached_property
    def periods(self) -> list[Span]:
        """The periods from the first to the last day that is known."""
        return periods_of(list(self.partitions), self.longer_files)

    @cached_property
    def days(self) -> list[date]:
        """All days of `periods`, also those that were never fetched."""
        return [day for period in self.periods for day in period.days]

    @property
    def ratings(self) -> int:
        """The number of ratings of all days."""
        return sum(partition.rows for partition in self.partitions.values())

    @property
    def last_fetch_at(self) -> str:
        """When the last fetch ended, even if it failed; there must be one."""
        fetches = [*(partition.last for partition in self.partitions.values()), *self.longer]
        return max(fetch.at for fetch in fetches)

    @cached_property
    def usual_dag(self) -> str | None:
        """The Dag that was the first to fetch most days; None if none is known."""
        dags = Counter(partition.first_dag for partition in self.partitions.values() if partition.first_dag)
        return max(dags, key=lambda dag: dags[dag], default=None)

    @cached_property
    def lateness(self) -> Lateness:
        """Which days are late, and which rankings are out of date."""
        return find_lateness(self.partitions, self.rankings)

    @cached_property
    def unusual(self) -> Mapping[date, str]:
        """The days with an unusual number of ratings, each with a sentence that says what is unusual about it."""
        return unusual_days(self.partitions)

    @cached_property
    def statuses(self) -> Mapping[date, list[Status]]:
        """What is wrong with each of `days`, the most severe first."""
        return {day: self._statuses_of(day) for day in self.days}

    def days_with(self, status: Status) -> list[date]:
        """Return the days that have a status."""
        return [day for day, statuses in self.statuses.items() if status in statuses]

    @cached_property
    def current_rankings(self) -> list[Ranking]:
        """The rankings whose files were not replaced by later ones."""
        return current(self.rankings)

    def outdated_of(self, day: date) -> list[Ranking]:
        """Return the rankings of a day that were made before its content changed, and that are out of date."""
        changed_at = self.partitions[day].changed_at if day in self.partitions else None
        outdated = (ranking for ranking in self.lateness.outdated if ranking.covers(day))
        return [ranking for ranking in outdated if changed_at is not None and ranking.at < changed_at]

    def files_with(self, day: date) -> list[Fetch]:
        """Return the fetches that wrote the files with a day, also those of longer windows."""
        partition = self.partitions.get(day)
        longer = [fetch for fetch in self.longer_files if fetch.covers(day)]
        return longer if partition is None else partition.files + longer

    def _statuses_of(self, day: date) -> list[Status]:
        partition, files = self.partitions.get(day), self.files_with(day)
        applies = {
            Status.FAILED: partition is not None and not partition.last.succeeded,
            Status.MISSING: not files and (partition is None or partition.overwritten_by is not None),
            Status.OUTDATED: day in self.lateness.to_rank,
            Status.DOUBLE: len(files) > 1,
            Status.LATE: day in self.lateness.late,
            Status.UNUSUAL: day in self.unusual,
            Status.QUARANTINED: partition is not None and partition.quarantined > 0,
            Status.EMPTY: partition is not None and partition.current is not None and partition.rows == 0,
        }
        return [status for status in Status if applies[status]]


def name_of(folder: str, root: str) -> str | None:
    """Return the name of the dataset in a folder: its path below the data root; None if it is not below it.

    Args:
        folder: The folder.
        root: The absolute path or URL of the data root.
    """
    root = root.rstrip("/")
    if folder == root:
        return "."
    return folder.removeprefix(f"{root}/") if folder.startswith(f"{root}/") and ".." not in folder.split("/") else None


def by_folder(records: Iterable[Record]) -> dict[str, list[Fetch]]:
    """Return the fetches of each folder, of the folder with the last fetch first.

    Args:
        records: Records of fetches, by time.
    """
    folders = defaultdict[str, list[Fetch]](list)
    for record in records:
        fetch = Fetch(record)
        folders[fetch.folder].append(fetch)
    return dict(sorted(folders.items(), key=lambda item: item[1][-1].at, reverse=True))
