"""The manifest of a ranking: how it was computed, and from exactly which files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airflow_movielens import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_movielens.ranking.options import RankingOptions
    from airflow_movielens.ratings.task_run import TaskRun

MANY_INPUTS = 31
"""A return value lists at most so many inputs: as many as a month has days."""


@dataclass(frozen=True)
class InputFile:
    """A file that was read.

    Attributes:
        path: Its path or URL.
        sha256: Of the file, in hexadecimal digits; None if only the workers of Spark have read it.
        bytes: Size of the file.
    """

    path: str
    sha256: str | None
    bytes: int


@dataclass(frozen=True)
class RatingsFile(InputFile):
    """A file of ratings that was read.

    Attributes:
        rows: The number of its ratings.
        start_date: First UTC day that it covers, ``YYYY-MM-DD``; None if it covers none.
        end_date: First UTC day after these; None likewise.
    """

    rows: int
    start_date: str | None
    end_date: str | None


@dataclass(frozen=True)
class RankingSources:
    """What a ranking was computed from.

    Attributes:
        inputs: The files of ratings.
        movies: The files of movies.
        source: Base URL of the API that the titles are from; None if there is none.
        compare_to: The files of the earlier ranking.
    """

    inputs: list[RatingsFile]
    movies: list[InputFile]
    source: str | None
    compare_to: list[InputFile]


@dataclass(frozen=True)
class RankingManifest:
    """The facts about a ranking.

    Attributes:
        path: The path or URL of the file, as the user gave it.
        rows: How many rows it has.
        method: The ranking method.
        parameters: The parameters of the method; one that was not given and depends on the ratings is missing.
        min_ratings: Movies rated by fewer distinct users are left out.
        by: ``genre`` if each genre has a ranking; None otherwise.
        as_of: The Unix second as of which the movies are ranked; None for the last rating.
        start_date: First UTC day that the inputs cover, ``YYYY-MM-DD``; None if they cover none.
        end_date: First UTC day after the last one that they cover; None likewise.
        days: The number of days that they cover.
        ratings: The number of ratings in them.
        files: The number of inputs.
        inputs_sha256: One checksum of all inputs: that of their checksums, sorted, one per line; None if one
            of them has none.
        inputs: The files of ratings; None in a return value if there are more than `MANY_INPUTS`.
        movies: The files of movies.
        source: Base URL of the API that the titles are from; None if there is none.
        compare_to: The files of the earlier ranking.
        sha256: Of the ranking, in hexadecimal digits.
        bytes: Size of the ranking.
        ranked_at: When the ranking was complete, in UTC as ISO 8601.
        package_version: The version of this package.
        task: The task instance of Airflow that ranked; None if none did.
    """

    path: str
    rows: int
    method: str
    parameters: dict[str, float]
    min_ratings: int | None
    by: str | None
    as_of: int | None
    start_date: str | None
    end_date: str | None
    days: int
    ratings: int
    files: int
    inputs_sha256: str | None
    inputs: list[RatingsFile] | None
    movies: list[InputFile]
    source: str | None
    compare_to: list[InputFile]
    sha256: str | None
    bytes: int
    ranked_at: str
    package_version: str
    task: TaskRun | None = None

    @classmethod
    def of(
        cls,
        output: InputFile,
        rows: int,
        options: RankingOptions,
        sources: RankingSources,
        task: TaskRun | None = None,
    ) -> RankingManifest:
        """Return the manifest of a finished ranking.

        Args:
            output: The file of the ranking.
            rows: How many rows it has.
            options: How the movies were ranked.
            sources: What the ranking was computed from.
            task: The task instance of Airflow that ranked; None if none did.
        """
        start, end, days = covered_days(sources.inputs)
        return cls(
            path=output.path,
            rows=rows,
            method=options.method,
            parameters=dict(options.parameters),
            min_ratings=options.min_ratings,
            by=options.by,
            as_of=options.as_of,
            start_date=start,
            end_date=end,
            days=days,
            ratings=sum(file.rows for file in sources.inputs),
            files=len(sources.inputs),
            inputs_sha256=combined_checksum(sources.inputs),
            inputs=sources.inputs,
            movies=sources.movies,
            source=sources.source,
            compare_to=sources.compare_to,
            sha256=output.sha256,
            bytes=output.bytes,
            ranked_at=datetime.now(UTC).isoformat(timespec="seconds"),
            package_version=__version__,
            task=task,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as values that JSON can hold."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the content of the manifest file."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    def summary(self) -> dict[str, Any]:
        """Return the manifest as a small return value: without the inputs if there are more than `MANY_INPUTS`."""
        small = replace(self, inputs=None) if self.files > MANY_INPUTS else self
        return small.to_dict()


def covered_days(files: Sequence[RatingsFile]) -> tuple[str | None, str | None, int]:
    """Return the first day that files cover, the day after the last one, and the number of days covered."""
    bounds = [(file.start_date, file.end_date) for file in files if file.start_date and file.end_date]
    windows = sorted((date.fromisoformat(start), date.fromisoformat(end)) for start, end in bounds)
    if not windows:
        return None, None, 0
    days, reached = 0, date.min
    for start, end in windows:
        days += max((end - max(start, reached)).days, 0)
        reached = max(reached, end)
    return str(windows[0][0]), str(reached), days


def combined_checksum(files: Sequence[InputFile]) -> str | None:
    """Return one checksum of files: that of their checksums, sorted, one per line; None if one of them has none."""
    checksums = [file.sha256 for file in files if file.sha256 is not None]
    if len(checksums) < len(files):
        return None
    lines = "".join(f"{checksum}\n" for checksum in sorted(checksums))
    return hashlib.sha256(lines.encode()).hexdigest()
