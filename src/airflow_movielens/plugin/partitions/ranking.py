"""A ranking, as the catalogue recorded it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from airflow_movielens.plugin.partitions.fetch import window_in_words
from airflow_movielens.plugin.partitions.recorded_file import RecordedFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_movielens.storage.catalogue import Record


FACTS = ("end_date", "input_folders", "inputs_sha256", "method", "start_date")
"""The facts of a record that are needed here."""


@dataclass(frozen=True)
class Ranking(RecordedFile):
    """A ranking of the ratings of a window that succeeded, and covers at least one day."""

    @property
    def method(self) -> str:
        """The ranking method."""
        return str(self.record.facts["method"])

    @cached_property
    def start(self) -> date:
        """The first day that its inputs cover."""
        return date.fromisoformat(self.record.facts["start_date"])

    @cached_property
    def end(self) -> date:
        """The first day after the last one that its inputs cover."""
        return date.fromisoformat(self.record.facts["end_date"])

    @property
    def window(self) -> str:
        """The window in words."""
        return window_in_words(self.start, self.end)

    @property
    def inputs_sha256(self) -> str | None:
        """One checksum of its inputs; None if it is unknown."""
        return self.record.facts.get("inputs_sha256")

    def covers(self, day: date) -> bool:
        """Return whether ``day`` lies between the first and the last day of its inputs."""
        return self.start <= day < self.end


def rankings_of(records: Iterable[Record], folder: str) -> list[Ranking]:
    """Return the rankings that were made from files of a folder, by the time when they were complete.

    Args:
        records: Records of rankings, also failed ones.
        folder: The folder of the files of ratings.
    """
    made = (record for record in records if record.succeeded and record.facts.get("start_date"))
    of_folder = (Ranking(record) for record in made if folder in record.facts.get("input_folders", ()))
    return sorted(of_folder, key=lambda ranking: ranking.at)


def current(rankings: Iterable[Ranking]) -> list[Ranking]:
    """Return the rankings whose files were not replaced by later ones.

    Args:
        rankings: By the time when they were complete.
    """
    return list({ranking.path: ranking for ranking in rankings}.values())
