"""A day of a dataset with its fetches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from airflow_movielens.plugin.partitions.fetch import Fetch


@dataclass(frozen=True)
class Partition:
    """A day that was fetched, or that a fetch was tried of.

    Attributes:
        day: The day.
        fetches: All its known fetches, by the time when they ended; at least one.
        files: Those of them that wrote the files which are there now, likewise.
        overwritten_by: The fetch of another window that replaced the last file of this day; None if none did.
    """

    day: date
    fetches: list[Fetch]
    files: list[Fetch]
    overwritten_by: Fetch | None

    @classmethod
    def of(cls, day: date, fetches: Sequence[Fetch], holders: Mapping[str, Fetch]) -> Partition:
        """Return a partition.

        Args:
            day: The day.
            fetches: Its fetches, by the time when they ended.
            holders: The last fetch that wrote each path, whatever its window.
        """
        written = {fetch.path: fetch for fetch in fetches if fetch.succeeded}
        files = [fetch for fetch in fetches if holders.get(fetch.path) is fetch]
        replaced = [holders[path] for path, fetch in written.items() if holders[path] is not fetch]
        return cls(day, list(fetches), files, replaced[-1] if replaced and not files else None)

    @property
    def last(self) -> Fetch:
        """The last fetch, even if it failed."""
        return self.fetches[-1]

    @property
    def first_dag(self) -> str | None:
        """The Dag that was the first to fetch the day; None if none is known."""
        return next((fetch.task.dag_id for fetch in self.fetches if fetch.task is not None), None)

    @property
    def current(self) -> Fetch | None:
        """The fetch that wrote the file, the newest one if there are several; None if there is no file.

        A failed fetch leaves the file of an earlier one as it is.
        """
        return self.files[-1] if self.files else None

    @property
    def rows(self) -> int:
        """The number of ratings in the file; 0 if there is none."""
        return 0 if self.current is None else self.current.rows

    @property
    def quarantined(self) -> int:
        """The number of further rows that broke the contract; 0 if there is no file."""
        return 0 if self.current is None else self.current.quarantined

    @cached_property
    def contents(self) -> list[Fetch]:
        """The fetches that changed the content of the current file, beginning with the first one that wrote it."""
        path = None if self.current is None else self.current.path
        changes: list[Fetch] = []
        for fetch in self.fetches:
            is_success = fetch.succeeded and fetch.path == path
            if is_success and (not changes or fetch.sha256 != changes[-1].sha256):
                changes.append(fetch)
        return changes

    @property
    def changed_at(self) -> str | None:
        """When the content of the file changed last; None if there is no file."""
        return self.contents[-1].at if self.contents else None
