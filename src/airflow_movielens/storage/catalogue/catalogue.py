"""A catalogue of what operators did with the data of a root."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from airflow_movielens.ratings.json_values import parse_json
from airflow_movielens.storage.catalogue import movies as movies_file
from airflow_movielens.storage.catalogue.folder import ENDING, catalogue_folder
from airflow_movielens.storage.catalogue.month_index import MonthIndex, folder_of_run
from airflow_movielens.storage.catalogue.records import Record, month_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import polars as pl

    from airflow_movielens.storage.catalogue.movies import Movie
    from airflow_movielens.storage.catalogue.records import Kind

log = logging.getLogger(__name__)

_MOVIES = f"movies{ENDING}"


@dataclass(frozen=True)
class Found:
    """What a catalogue has.

    Attributes:
        records: The records, sorted by time.
        problems: Sentences: which file of the catalogue is damaged, and what to do.
    """

    records: list[Record]
    problems: list[str]


class Catalogue:
    """The catalogue of a data root. Any number of processes may add records and read them at once, without locks.

    Reading imports neither Polars nor NumPy.

    Args:
        root: The data root: a local path, or a URL that Airflow's ``ObjectStoragePath`` accepts. It need not exist.

    Raises:
        ValueError: It is neither.
        FatalError: The object storage is not available.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._folder = catalogue_folder(root)

    def add(self, record: Record) -> None:
        """Add a record.

        Raises:
            OSError: The catalogue cannot be written.
            FatalError: Access is denied.
        """
        self.add_all([record])

    def add_all(self, records: Iterable[Record]) -> None:
        """Add records; many at once need fewer writes. The errors are those of `add`."""
        by_month = defaultdict(list)
        for record in records:
            by_month[record.kind, month_of(record)].append(record)
        for (kind, month), of_month in by_month.items():
            MonthIndex(self._folder, kind, month).add(of_month)

    def months(self, kind: Kind) -> list[str]:
        """Return the months with records of a kind, such as ``2015-03``, ascending.

        Raises:
            OSError: The catalogue cannot be read.
            FatalError: Access is denied.
        """
        return [name.removesuffix(ENDING) for name in self._folder.names(kind)]

    def records(self, kind: Kind, months: Iterable[str] | None = None, facts: Collection[str] | None = None) -> Found:
        """Return the records of a kind.

        Args:
            kind: The kind.
            months: The months; None for all.
            facts: The names of the facts that the records keep, which saves time and memory; None for all.

        Raises:
            OSError: The catalogue cannot be read.
            FatalError: Access is denied.
        """
        wanted = self.months(kind) if months is None else list(months)
        records: list[Record] = []
        problems: list[str] = []
        indexes = [MonthIndex(self._folder, kind, month) for month in wanted]
        contents = self._folder.read_all([index.name for index in indexes])
        for index, content in zip(indexes, contents, strict=True):
            of_month, damaged = index.records_in(content, facts)
            records += of_month
            problems += damaged
        return self._found(records, problems)

    def records_of_run(self, dag_id: str, run_id: str) -> Found:
        """Return the records of the tasks of a Dag run; the errors are those of `records`."""
        folder = folder_of_run(dag_id, run_id)
        names = [f"{folder}/{name}" for name in self._folder.names(folder)]
        records: list[Record] = []
        problems: list[str] = []
        for name, content in zip(names, self._folder.read_all(names), strict=True):
            try:
                records += [] if content is None else [Record.from_dict(parse_json(content))]
            except ValueError:
                problems.append(f"{self._folder.address}/{name} is damaged, so a record is missing.")
        own = [
            record for record in records if record.task and (record.task.dag_id, record.task.run_id) == (dag_id, run_id)
        ]
        return self._found(own, problems)

    def movies(self) -> dict[int, Movie]:
        """Return all movies by movieId; empty if they are not known. The errors are those of `records`."""
        content = self._folder.read(_MOVIES)
        try:
            return {} if content is None else movies_file.from_json(content)
        except ValueError as error:
            log.warning("%s/%s is damaged: %s", self._folder.address, _MOVIES, error)
            return {}

    def save_movies(self, movies: pl.DataFrame) -> None:
        """Replace the movies, if there are any and they differ; the errors are those of `add`.

        Args:
            movies: All movies: movieId and title, and year and genres (joined by ``|``) if they are known.
        """
        known = self.movies()
        found = movies_file.movies_of(movies, known)
        if found and found != known:
            self._folder.write(_MOVIES, movies_file.to_json(found))

    def _found(self, records: list[Record], problems: list[str]) -> Found:
        advice = f"Rebuild the catalogue: movielens catalogue rebuild {quote(self.root)}"
        return Found(sorted(records, key=lambda record: record.at), [f"{problem} {advice}" for problem in problems])
